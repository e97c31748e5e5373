"""Metrics by group, fairness and curves: equal to fairlearn and scikit-learn on the same resamples.

No interval is taken on trust: every resample is expanded into repeated rows and handed to them.
"""

import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics as fairlearn_metrics
from scipy import stats
from sklearn import calibration as sklearn_calibration
from sklearn import metrics as sklearn_metrics

from charthouse.core.errors import CharthouseError
from charthouse.stats import bootstrap
from charthouse.stats.bootstrap import MIN_PATIENTS, bootstrap_metrics, patient_weights
from charthouse.stats.curves import calibration_curve, precision_recall_curve, roc_curve
from charthouse.stats.fairness import (
    FAIRNESS_MEASURES,
    GROUP_METRICS,
    MISSING,
    GroupBootstrapResult,
    bootstrap_groups,
    fairlearn_disparity,
)
from charthouse.stats.metrics import METRICS, compute_metrics

N, PATIENTS, THRESHOLD = 400, 250, 0.4
ROUNDED = {
    "no ties": lambda s: s,
    "ties": lambda s: np.round(s, 2),
    "heavy ties": lambda s: s > 0.4,
}
FAIRLEARN = (
    "demographic_parity_ratio",
    "demographic_parity_difference",
    "equalized_odds_ratio",
    "equalized_odds_difference",
)


def stays(seed: int = 0, n: int = N, patients: int = PATIENTS) -> tuple[np.ndarray, ...]:
    """Labels, scores, patients and groups of stays; some patients have stays in several groups."""
    rng = np.random.default_rng(seed)
    patient = np.concatenate([np.arange(patients), rng.integers(patients, size=n - patients)])
    frailty = rng.normal(size=patients)[patient]
    y_true = (rng.random(n) < 1 / (1 + np.exp(1.2 - 1.5 * frailty))).astype(int)
    y_score = 1 / (1 + np.exp(0.8 - frailty - 0.7 * rng.normal(size=n)))
    return (
        y_true,
        y_score,
        7_000_000 + 13 * patient,
        rng.choice(["A", "B", "C"], n, p=[0.5, 0.3, 0.2]),
    )


def resampled_rows(subject: np.ndarray, n_bootstrap: int, seed: int) -> list[np.ndarray]:
    """The rows of each resample, repeated."""
    patients = sorted(set(subject.tolist()))
    return [
        np.repeat(np.arange(len(subject)), [counts[patient] for patient in subject.tolist()])
        for counts in (
            dict(zip(patients, drawn.tolist(), strict=True))
            for drawn in patient_weights(subject, n_bootstrap, seed)
        )
    ]


def over_groups(found: GroupBootstrapResult, name: str) -> np.ndarray:
    """A measure of every resample."""
    return found._over(FAIRNESS_MEASURES[name], found._compared(FAIRNESS_MEASURES[name]))[1]


def by_sklearn(y: np.ndarray, s: np.ndarray) -> dict[str, float]:
    called = (s >= THRESHOLD).astype(int)
    return {
        "auroc": sklearn_metrics.roc_auc_score(y, s),
        "auprc": sklearn_metrics.average_precision_score(y, s),
        "accuracy": sklearn_metrics.accuracy_score(y, called),
        "tpr": sklearn_metrics.recall_score(y, called),
        "fpr": fairlearn_metrics.false_positive_rate(y, called),
        "selection_rate": fairlearn_metrics.selection_rate(y, called),
        "ppv": sklearn_metrics.precision_score(y, called),
        "brier": sklearn_metrics.brier_score_loss(y, s),
    }


# Groups


def test_groups_by_hand() -> None:
    y_true = np.concatenate([[1, 1, 0, 0], [1, 1, 0, 0, 0]])
    y_score = np.concatenate([[0.9, 0.2, 0.8, 0.1], [0.7, 0.6, 0.6, 0.3, 0.4]])
    found = bootstrap_groups(
        y_true, y_score, np.arange(9), ["a"] * 4 + ["b"] * 5, 0.5, n_bootstrap=20, min_group=4
    )
    values = {
        group: {name: each.value for name, each in metrics.items()}
        for group, metrics in found.intervals().items()
    }
    assert values["a"] == pytest.approx({
        "auroc": 3 / 4, "auprc": 5 / 6, "accuracy": 1 / 2, "tpr": 1 / 2, "fpr": 1 / 2,
        "selection_rate": 1 / 2, "ppv": 1 / 2, "brier": 1.3 / 4,
    })  # fmt: skip
    assert values["b"] == pytest.approx({
        "auroc": 5.5 / 6, "auprc": 5 / 6, "accuracy": 4 / 5, "tpr": 1, "fpr": 1 / 3,
        "selection_rate": 3 / 5, "ppv": 2 / 3, "brier": 0.86 / 5,
    })  # fmt: skip
    fairness = found.fairness()
    assert {name: (each.value, each.worst_group) for name, each in fairness.items()} == {
        "demographic_parity_ratio": (pytest.approx(5 / 6), None),
        "demographic_parity_difference": (pytest.approx(0.1), None),
        "equalized_odds_ratio": (pytest.approx(1 / 2), None),  # of tpr; of fpr 2 / 3
        "equalized_odds_difference": (pytest.approx(1 / 2), None),
        "auroc_gap": (pytest.approx(5.5 / 6 - 3 / 4), None),
        "tpr_gap": (pytest.approx(1 / 2), None),
        "fpr_gap": (pytest.approx(1 / 6), None),
        "brier_gap": (pytest.approx(0.153), None),
        "auroc_worst_group": (pytest.approx(3 / 4), "a"),
        "auprc_worst_group": (pytest.approx(5 / 6), "a"),  # of equals the first
        "accuracy_worst_group": (pytest.approx(1 / 2), "a"),
        "tpr_worst_group": (pytest.approx(1 / 2), "a"),
        "ppv_worst_group": (pytest.approx(1 / 2), "a"),
        "fpr_worst_group": (pytest.approx(1 / 2), "a"),
        "brier_worst_group": (pytest.approx(1.3 / 4), "a"),
    }
    assert {(each.n_groups, each.left_out) for each in fairness.values()} == {(2, ())}


@pytest.mark.parametrize("kind", ROUNDED)
def test_every_resample_of_a_group_is_equal_to_scikit_learn(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "CHUNK", 7 * 100)  # several chunks
    y_true, y_score, subject, group = stays()
    y_score = ROUNDED[kind](y_score).astype(float)
    found = bootstrap_groups(y_true, y_score, subject, group, THRESHOLD, n_bootstrap=25, seed=3)
    assert list(found.by_group) == ["A", "B", "C"]
    for name, resampled in found.by_group.items():
        of_all = np.flatnonzero(group == name)
        assert (resampled.n, resampled.n_positive) == (len(of_all), y_true[of_all].sum())
        values = {metric: each.value for metric, each in resampled.point_estimates.items()}
        assert values == pytest.approx(by_sklearn(y_true[of_all], y_score[of_all]), abs=1e-12)
        sizes = set()
        for number, rows in enumerate(resampled_rows(subject, 25, 3)):
            rows = rows[group[rows] == name]
            sizes.add(len(rows))
            values = {metric: each[number] for metric, each in resampled.resamples.items()}
            assert values == pytest.approx(by_sklearn(y_true[rows], y_score[rows]), abs=1e-12)
        assert len(sizes) > 5  # patients of all groups are drawn together


@pytest.mark.parametrize("kind", ROUNDED)
def test_fairness_is_fairlearns_in_every_resample(kind: str) -> None:
    y_true, y_score, subject, group = stays()
    y_score = ROUNDED[kind](y_score).astype(float)
    found = bootstrap_groups(y_true, y_score, subject, group, THRESHOLD, n_bootstrap=20, seed=1)
    called = (y_score >= THRESHOLD).astype(int)

    def by_fairlearn(rows: np.ndarray, name: str) -> float:
        of = getattr(fairlearn_metrics, name)
        return of(y_true[rows], called[rows], sensitive_features=group[rows])

    fairness = found.fairness()
    drawn = resampled_rows(subject, 20, 1)
    for name in FAIRLEARN:
        everything = by_fairlearn(np.arange(N), name)
        assert fairness[name].value == pytest.approx(everything, rel=0, abs=1e-12)
        values = np.array([by_fairlearn(rows, name) for rows in drawn])
        np.testing.assert_allclose(over_groups(found, name), values, rtol=0, atol=1e-12)
        low, high = np.quantile(values, [0.025, 0.975])
        assert (fairness[name].ci_low, fairness[name].ci_high) == pytest.approx((low, high))


def test_fairlearn_gives_the_estimates_when_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 12 counts fairlearn says what it says of the stays, and so do our own definitions."""
    y_true, y_score, subject, group = stays()
    found = bootstrap_groups(y_true, y_score, subject, group, THRESHOLD, n_bootstrap=5)
    called = (y_score >= THRESHOLD).astype(int)
    for name in FAIRLEARN:
        measure = FAIRNESS_MEASURES[name]
        of_stays = getattr(fairlearn_metrics, name)(y_true, called, sensitive_features=group)
        ours = measure.compute(found._values(measure, ["A", "B", "C"]))[0]
        assert found.fairness()[name].value == pytest.approx(of_stays, rel=0, abs=1e-12)
        assert ours == pytest.approx(of_stays, rel=0, abs=1e-12)

    class Frame:
        """fairlearn, saying something else."""

        def __init__(self, **_: object) -> None:
            pass

        def ratio(self) -> pd.Series:
            return pd.Series([0.125, 0.5])

        def difference(self) -> pd.Series:
            return pd.Series([0.25, 0.75])

    fairlearn_disparity.cache_clear()
    monkeypatch.setattr(fairlearn_metrics, "MetricFrame", Frame)
    values = {name: each.value for name, each in found.fairness().items()}
    fairlearn_disparity.cache_clear()
    assert [values[name] for name in FAIRLEARN] == [0.125, 0.75, 0.125, 0.75]
    assert values["tpr_gap"] not in (0.125, 0.75)


def test_a_group_of_a_few_patients_keeps_the_estimate_and_loses_the_interval() -> None:
    """C has nine positive patients of many stays each; with a tenth there are intervals."""
    rng = np.random.default_rng(4)
    for positives in (MIN_PATIENTS - 1, MIN_PATIENTS):
        subject = np.concatenate([np.arange(200), np.repeat(np.arange(300, 300 + positives), 4),
                                  np.arange(400, 440)])  # fmt: skip
        group = np.where(subject < 100, "A", np.where(subject < 200, "B", "C"))
        y_true = np.where(subject < 200, subject % 2, subject < 400).astype(int)
        y_score = np.clip(rng.normal(0.4 + 0.2 * y_true, 0.2), 0, 1)
        arm, other = (
            bootstrap_groups(y_true, scores, subject, group, 0.5, n_bootstrap=60)
            for scores in (y_score, rng.permutation(y_score))
        )
        everything = fairlearn_metrics.equalized_odds_ratio(
            y_true, y_score >= 0.5, sensitive_features=group
        )
        assert arm.fairness()["equalized_odds_ratio"].value == pytest.approx(everything)
        few = positives < MIN_PATIENTS
        for each in [*arm.fairness().values(), *arm.fairness_minus(other).values()]:
            assert each.reason == ("C: fewer than 10 patients of a class (9)" if few else None)
            assert np.isnan([each.ci_low, each.ci_high]).all() == few
        assert all(np.isnan(each.p_value) == few for each in arm.fairness_minus(other).values())
        assert all(each.n_groups == 3 for each in arm.fairness().values())


def test_gaps_and_worst_groups_of_every_resample() -> None:
    y_true, y_score, subject, group = stays()
    found = bootstrap_groups(y_true, y_score, subject, group, THRESHOLD, n_bootstrap=15)
    for number, rows in enumerate(resampled_rows(subject, 15, 0)):
        each = [
            by_sklearn(y_true[some], y_score[some])
            for some in (rows[group[rows] == name] for name in "ABC")
        ]
        for metric in GROUP_METRICS:
            values = [values[metric] for values in each]
            expected = {
                f"{metric}_gap": max(values) - min(values),
                f"{metric}_worst_group": max(values) if metric in ("fpr", "brier") else min(values),
            }
            for name in set(expected) & set(FAIRNESS_MEASURES):
                assert over_groups(found, name)[number] == pytest.approx(expected[name], abs=1e-12)
    fairness = found.fairness()
    for metric, worst in (("auroc", min), ("brier", max), ("fpr", max), ("ppv", min)):
        values = {name: each.point_estimates[metric].value for name, each in found.by_group.items()}
        assert fairness[f"{metric}_worst_group"].worst_group == worst(
            values, key=values.__getitem__
        )


def test_one_group_of_all_is_the_arm_itself() -> None:
    y_true, y_score, subject, _ = stays()
    found = bootstrap_groups(y_true, y_score, subject, ["all"] * N, THRESHOLD, METRICS, 30, seed=2)
    arm = bootstrap_metrics(y_true, y_score, subject, THRESHOLD, METRICS, 30, seed=2)
    assert found.intervals() == {"all": arm.intervals()}
    for name in METRICS:
        np.testing.assert_array_equal(found.by_group["all"].resamples[name], arm.resamples[name])

    fairness = bootstrap_groups(y_true, y_score, subject, ["all"] * N, 0.4, n_bootstrap=30)
    assert set(fairness.fairness()) == set(FAIRNESS_MEASURES)
    for each in fairness.fairness().values():
        assert np.isnan([each.value, each.ci_low, each.ci_high]).all()
        assert (each.n_groups, each.worst_group, each.n_undefined) == (1, None, 30)
        assert each.reason == "1 of 1 groups with a value, fewer than 2"


def test_a_patients_stays_in_two_groups_move_together() -> None:
    """Each patient has the same stay in either group: in no resample do the groups differ."""
    y_true, y_score, _, _ = stays()
    twice, group = np.tile(np.arange(N), 2), np.repeat(["A", "B"], N)
    found = bootstrap_groups(y_true[twice], y_score[twice], twice, group, THRESHOLD, n_bootstrap=50)
    spread = found.intervals()["A"]["auroc"]
    assert spread.ci_high - spread.ci_low > 0.05
    for name, each in found.fairness().items():
        if not name.endswith("_worst_group"):
            same = 1.0 if name.endswith("_ratio") else 0.0
            assert each.value == pytest.approx(same, abs=1e-12)
            assert (over_groups(found, name) == same).all(), name
            assert np.isnan(each.ci_low) and each.reason == "the same in every resample", name


def test_the_order_of_rows_changes_no_bit() -> None:
    y_true, y_score, subject, group = stays()
    y_score = np.round(y_score, 1)
    mixed = np.random.default_rng(1).permutation(N)
    first = bootstrap_groups(y_true, y_score, subject, group, THRESHOLD, n_bootstrap=50)
    second = bootstrap_groups(
        y_true[mixed], y_score[mixed], subject[mixed], group[mixed], THRESHOLD, n_bootstrap=50
    )
    assert first.intervals() == second.intervals()
    assert first.fairness() == second.fairness()
    for name, each in first.by_group.items():
        for metric in GROUP_METRICS:
            np.testing.assert_array_equal(
                each.resamples[metric], second.by_group[name].resamples[metric]
            )
    assert {each.difference for each in first.fairness_minus(second).values()} == {0.0}


# Undefined


def test_a_small_group_and_one_of_one_class_are_left_out() -> None:
    y_true, y_score, subject, group = stays()
    group = group.astype(object)
    group[np.flatnonzero(y_true == 0)[:30]] = "healthy"
    group[np.flatnonzero(y_true == 1)[:30]] = "ill"
    group[-7:] = "few"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = bootstrap_groups(y_true, y_score, subject, group, THRESHOLD, n_bootstrap=40)
        fairness, intervals = found.fairness(), found.intervals()
    for each in intervals["few"].values():
        assert np.isnan([each.value, each.ci_low, each.ci_high]).all()
        assert (each.reason, each.n, each.n_undefined) == ("7 stays, fewer than 10", 7, 40)
    assert intervals["few"]["auroc"].n_positive == y_true[-7:].sum()
    assert {name: each.reason for name, each in intervals["healthy"].items()} == {
        **dict.fromkeys(GROUP_METRICS, "fewer than 10 patients of a class (0)"),
        **dict.fromkeys(("auroc", "auprc", "tpr"), "no positive stay"),
    }
    assert {name for name, each in intervals["ill"].items() if np.isnan(each.value)} == {
        "auroc", "auprc", "fpr",
    }  # fmt: skip
    left_out = {name: each.left_out for name, each in fairness.items()}
    assert left_out["brier_gap"] == ("few",)
    assert left_out["demographic_parity_ratio"] == ("few",)
    assert left_out["tpr_gap"] == ("few", "healthy")
    assert left_out["fpr_worst_group"] == ("few", "ill")
    assert left_out["equalized_odds_ratio"] == left_out["auroc_gap"] == ("few", "healthy", "ill")
    assert fairness["equalized_odds_ratio"].n_groups == 3
    assert fairness["brier_gap"].n_groups == 5
    assert not any(np.isnan(each.value) for each in fairness.values())

    # what is left is compared as if the others were not there, on draws of all patients
    kept = np.isin(group.astype(str), ["A", "B", "C"])
    called = (y_score >= THRESHOLD).astype(int)
    assert fairness["equalized_odds_ratio"].value == pytest.approx(
        fairlearn_metrics.equalized_odds_ratio(
            y_true[kept], called[kept], sensitive_features=group[kept].astype(str)
        ),
        abs=1e-12,
    )
    enough = bootstrap_groups(y_true, y_score, subject, group, 0.4, n_bootstrap=1, min_group=7)
    assert enough.fairness()["brier_gap"].left_out == ()


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_stays_without_a_group_are_one(missing: object) -> None:
    y_true, y_score, subject, group = stays()
    group = group.astype(object)
    group[::9] = missing
    for given in (group, pd.Series(group), pd.Categorical(group)):
        found = bootstrap_groups(y_true, y_score, subject, given, THRESHOLD, n_bootstrap=5)
        assert list(found.by_group) == ["A", "B", "C", MISSING]
        assert found.by_group[MISSING].n == len(group[::9])
        expected = by_sklearn(y_true[::9], y_score[::9])["auroc"]
        assert found.by_group[MISSING].point_estimates["auroc"].value == pytest.approx(expected)
    assert found.fairness()["auroc_gap"].n_groups == 4


def test_resamples_that_lack_a_groups_metric_are_counted() -> None:
    """Three patients carry B's positives: without all of them neither tpr of B nor its gap is.
    Nor do three carry an interval: the gap stands, and the reason names their group.
    """
    y_true, y_score = np.tile([0, 1], 30), np.linspace(0.1, 0.9, 60)
    group = np.repeat(["A", "B"], 30)
    y_true[30:] = np.isin(np.arange(30), (3, 14, 25))
    found = bootstrap_groups(y_true, y_score, np.arange(60), group, 0.5, n_bootstrap=400)
    without = (patient_weights(np.arange(60), 400)[:, [33, 44, 55]] == 0).all(axis=1).sum()
    assert 0 < without < 40
    assert found.intervals()["B"]["tpr"].n_undefined == without
    fairness = found.fairness()
    assert fairness["tpr_gap"].n_undefined == fairness["equalized_odds_ratio"].n_undefined
    assert fairness["tpr_gap"].n_undefined == without
    assert fairness["fpr_gap"].n_undefined == 0
    for each in fairness.values():
        if each.n_groups == 2:  # nobody of A is called, so that A has no ppv
            assert not np.isnan(each.value) and np.isnan([each.ci_low, each.ci_high]).all()
            assert each.reason == "B: fewer than 10 patients of a class (3)"


def test_a_ratio_of_nothing_is_undefined() -> None:
    y_true, y_score, subject, group = stays()
    found = bootstrap_groups(y_true, y_score, subject, group, 2.0, n_bootstrap=10).fairness()
    assert found["demographic_parity_ratio"].reason == "selection_rate is 0 in every group"
    assert found["equalized_odds_ratio"].reason == "tpr or fpr is 0 in every group"
    assert found["demographic_parity_difference"].value == 0
    assert found["ppv_worst_group"].left_out == ("A", "B", "C")
    # one group without a call: a ratio of 0, as in fairlearn
    y_score = np.where(group == "B", 0.1, y_score)
    one = bootstrap_groups(y_true, y_score, subject, group, THRESHOLD, n_bootstrap=10).fairness()
    assert (one["demographic_parity_ratio"].value, one["equalized_odds_ratio"].value) == (0, 0)


def test_what_cannot_be_grouped_is_refused() -> None:
    y_true, y_score, subject, group = stays()
    with pytest.raises(ValueError, match="groups"):
        bootstrap_groups(y_true, y_score, subject, group[1:], 0.5, n_bootstrap=2)
    with pytest.raises(ValueError, match="differ in shape"):
        bootstrap_groups(y_true, y_score, subject[1:], group, 0.5, n_bootstrap=2)
    with pytest.raises(CharthouseError, match=r"'true_positives'.*auroc.*selection_rate"):
        bootstrap_groups(y_true, y_score, subject, group, 0.5, ["true_positives"], n_bootstrap=2)
    nothing = np.empty(0)
    empty = bootstrap_groups(nothing, nothing, nothing, nothing, 0.5, n_bootstrap=3)
    assert empty.intervals() == {}
    assert empty.fairness()["auroc_gap"].reason == "0 of 0 groups with a value, fewer than 2"


def test_only_measures_of_known_metrics_are_given() -> None:
    y_true, y_score, subject, group = stays()
    assert set(compute_metrics(y_true, y_score, 0.5)) == set(METRICS)  # rates only where asked for
    found = bootstrap_groups(y_true, y_score, subject, group, 0.5, ["tpr", "ece"], n_bootstrap=5)
    assert set(found.fairness()) == {"tpr_gap", "tpr_worst_group"}
    more = bootstrap_groups(y_true, y_score, subject, group, 0.5, ["fpr", "tpr"], n_bootstrap=5)
    assert set(found.fairness_minus(more)) == {"tpr_gap", "tpr_worst_group"}
    assert set(more.fairness_minus(found)) == {"tpr_gap", "tpr_worst_group"}


# Pairs


def test_an_arm_is_as_fair_as_itself() -> None:
    y_true, y_score, subject, group = stays()
    arm = bootstrap_groups(y_true, y_score, subject, group, THRESHOLD, n_bootstrap=40)
    again = bootstrap_groups(y_true, y_score.copy(), subject, group, THRESHOLD, n_bootstrap=40)
    found = arm.fairness_minus(again)
    assert list(found) == list(FAIRNESS_MEASURES)
    for each in found.values():
        assert (each.difference, each.reason) == (0, "the same in every resample")
        assert np.isnan([each.ci_low, each.ci_high]).all() and each.p_value == 1
        assert (each.n, each.n_positive) == (N, y_true.sum())


def test_a_pair_is_of_the_same_resamples() -> None:
    y_true, y_score, subject, group = stays()
    near = np.clip(y_score + np.random.default_rng(2).normal(0, 0.01, N), 0, 1)
    arm = bootstrap_groups(y_true, y_score, subject, group, THRESHOLD, n_bootstrap=300)
    other = bootstrap_groups(y_true, near, subject, group, 0.5, n_bootstrap=300)
    found, (one, two) = arm.fairness_minus(other), (arm.fairness(), other.fairness())
    for name, each in found.items():
        assert each.difference == pytest.approx(one[name].value - two[name].value)
        apart = over_groups(arm, name) - over_groups(other, name)
        half = np.quantile(np.abs(apart - each.difference), 0.95)
        assert each.ci_low == pytest.approx(each.difference - half)
        assert each.ci_high == pytest.approx(each.difference + half)
    alone = one["auroc_gap"].ci_high - one["auroc_gap"].ci_low
    assert found["auroc_gap"].ci_high - found["auroc_gap"].ci_low < 0.2 * alone
    by_group = arm.by_group["A"].minus(other.by_group["A"])["auroc"]  # groups pair too
    assert abs(by_group.difference) < 0.02


def test_arms_of_other_stays_groups_or_draws_are_not_paired() -> None:
    y_true, y_score, subject, group = stays()

    def of(*arguments: object, seed: int = 0, n: int = 5) -> GroupBootstrapResult:
        return bootstrap_groups(*arguments, 0.5, ["tpr"], n, seed)

    arm = of(y_true, y_score, subject, group)
    swapped = group.copy()
    swapped[[0, 1]] = ["A", "B"] if (group[0], group[1]) != ("A", "B") else ["B", "A"]
    for other in (
        of(y_true[1:], y_score[1:], subject[1:], group[1:]),
        of(1 - y_true, y_score, subject, group),
        of(y_true, y_score, subject + 1, group),
        of(y_true, y_score, subject, swapped),
        of(y_true, y_score, subject, np.char.lower(group)),
        of(y_true, y_score, subject, group, seed=1),
        of(y_true, y_score, subject, group, n=6),
    ):
        with pytest.raises(ValueError, match="cannot be paired"):
            arm.fairness_minus(other)
    with pytest.raises(ValueError, match="cannot be paired"):
        arm.by_group["A"].minus(arm.by_group["B"])


def test_a_measure_over_other_groups_is_not_compared() -> None:
    y_true, y_score, subject, group = stays()
    silent = np.where(group == "C", 0.1, y_score)  # nobody of C is called
    arm, other = (
        bootstrap_groups(y_true, scores, subject, group, THRESHOLD, n_bootstrap=10)
        for scores in (y_score, silent)
    )
    assert other.fairness()["ppv_worst_group"].n_groups == 2
    for found in (arm.fairness_minus(other), other.fairness_minus(arm)):
        assert np.isnan(
            [found["ppv_worst_group"].difference, found["ppv_worst_group"].p_value]
        ).all()
        assert found["ppv_worst_group"].reason == "only one arm has ppv of C"
        assert found["tpr_gap"].reason is None
    nobody = bootstrap_groups(y_true, y_score, subject, group, 2.0, n_bootstrap=10)
    reason = arm.fairness_minus(nobody)["ppv_worst_group"].reason
    assert reason == "0 of 3 groups with a value, fewer than 2"


@pytest.mark.slow
def test_a_wider_gap_is_found_and_none_where_there_is_none() -> None:
    """One arm ranks B at random, so its gap is wider. Of two arms equally good in both groups, the
    interval of the difference should cover 0 in 95 % of 100 samples; the bound is 3 deviations.
    """
    covered, found = 0, 0
    for trial in range(100):
        rng = np.random.default_rng(trial)
        y_true, group = (rng.random(300) < 0.4).astype(int), rng.choice(["A", "B"], 300)
        first, second = 0.6 * rng.random((2, 300)) + 0.4 * y_true
        blind = np.where(group == "B", rng.random(300), first)
        arm, equal, unfair = (
            bootstrap_groups(y_true, each, np.arange(300), group, 0.5, ["auroc"], 200, trial)
            for each in (first, second, blind)
        )
        even = arm.fairness_minus(equal)["auroc_gap"]
        covered += even.ci_low <= 0 <= even.ci_high
        wider = unfair.fairness_minus(arm)["auroc_gap"]
        found += wider.ci_low > 0 and wider.p_value < 0.05
        assert unfair.fairness()["auroc_worst_group"].worst_group == "B"
    assert covered >= 88
    assert found >= 95


# Curves


def sklearn_roc(x: np.ndarray, y: np.ndarray, s: np.ndarray) -> np.ndarray:
    fpr, tpr, _ = sklearn_metrics.roc_curve(y, s, drop_intermediate=False)
    return np.interp(x, fpr, tpr)


def sklearn_precision(x: np.ndarray, y: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Precision at the highest threshold that reaches each recall; at 0, that exceeds it."""
    precision, recall, _ = sklearn_metrics.precision_recall_curve(y, s)
    reached = [np.flatnonzero(recall >= at if at else recall > 0)[-1] for at in x]
    return precision[reached]


@pytest.mark.parametrize("kind", ROUNDED)
@pytest.mark.parametrize(
    ("of", "expected"), [(roc_curve, sklearn_roc), (precision_recall_curve, sklearn_precision)]
)
def test_curves_and_bands_are_those_of_scikit_learn(
    kind: str, of: type, expected: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "CHUNK", 7 * N)
    y_true, y_score, subject, _ = stays()
    y_score = ROUNDED[kind](y_score).astype(float)
    curve = of(y_true, y_score, subject, n_bootstrap=25, seed=3, points=41)
    np.testing.assert_array_equal(curve.x, np.arange(41) / 40)
    np.testing.assert_allclose(curve.y, expected(curve.x, y_true, y_score), rtol=0, atol=1e-12)
    drawn = np.array(
        [expected(curve.x, y_true[rows], y_score[rows]) for rows in resampled_rows(subject, 25, 3)]
    )
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    moves = low < high  # the band ends where all resamples are the same, as at (1, 1)
    np.testing.assert_allclose(curve.low, np.where(moves, low, np.nan), rtol=0, atol=1e-12)
    np.testing.assert_allclose(curve.high, np.where(moves, high, np.nan), rtol=0, atol=1e-12)
    assert moves.sum() > 30
    assert [why is None for why in curve.reasons] == moves.tolist()
    assert set(curve.reasons) <= {None, "the same in every resample"}
    assert (curve.n == N).all()


def test_the_integral_of_precision_is_the_average_precision() -> None:
    y_true, y_score, subject, _ = stays()
    for scores in (y_score, np.round(y_score, 1)):
        points = int(y_true.sum()) + 1  # a step for every positive
        curve = precision_recall_curve(y_true, scores, subject, 1, points=points)
        average = sklearn_metrics.average_precision_score(y_true, scores)
        assert curve.y[1:].mean() == pytest.approx(average, abs=1e-12)


def test_curves_by_hand() -> None:
    # highest first: 1, then a tie of 1 and 0, then 0, then 1
    y_true, y_score = np.array([1, 1, 0, 0, 1]), np.array([0.9, 0.7, 0.7, 0.4, 0.2])
    roc = roc_curve(y_true, y_score, np.arange(5), 1, points=5)
    # (0, 0) (0, 1/3) (1/2, 2/3) (1, 2/3) (1, 1)
    assert roc.x.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert roc.y == pytest.approx([1 / 3, 1 / 2, 2 / 3, 2 / 3, 1])
    recall = precision_recall_curve(y_true, y_score, np.arange(5), 1, points=7)
    # recall 1/3 at 1, 2/3 at 2/3, 1 at 3/5; a recall that is reached exactly is that step's
    assert recall.y == pytest.approx([1, 1, 1, 2 / 3, 2 / 3, 3 / 5, 3 / 5])


@pytest.mark.parametrize("negatives", [100, 57, 700])
def test_a_rate_that_is_met_exactly_is_met(negatives: int) -> None:
    """Rates and grid are fractions; where they are equal no rounding may put one below the other.

    Without ties the curve at x is the largest share of positives with at most x of the negatives.
    """
    rng = np.random.default_rng(negatives)
    y_true = rng.permutation(np.repeat([0, 1], [negatives, 80]))
    y_score = np.linspace(1, 0, len(y_true))
    found = [(Fraction(0), 0.0)] + [
        (Fraction(int((1 - y_true[:k]).sum()), negatives), y_true[:k].sum() / 80)
        for k in range(1, len(y_true) + 1)
    ]
    expected = [max(tpr for fpr, tpr in found if fpr <= Fraction(at, 100)) for at in range(101)]
    curve = roc_curve(y_true, y_score, np.arange(len(y_true)), 1)
    assert curve.y == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("decimals", [9, 2, 1, 0])
def test_calibration_is_scikit_learns_by_quantile(decimals: int) -> None:
    y_true, y_score, subject, _ = stays()
    y_score = np.round(y_score, decimals)
    curve = calibration_curve(y_true, y_score, subject, n_bootstrap=25, seed=3)
    share, mean = sklearn_calibration.calibration_curve(
        y_true, y_score, n_bins=10, strategy="quantile"
    )
    np.testing.assert_allclose(curve.x, mean, rtol=0, atol=1e-12)
    np.testing.assert_allclose(curve.y, share, rtol=0, atol=1e-12)
    assert (len(curve.n) < 10) == (decimals < 2)  # equal scores stay together
    assert (curve.n == 40).all() == (decimals == 9)
    # the bins of the stays themselves, in every resample
    cuts = np.quantile(y_score, np.arange(1, 10) / 10)
    held, sizes = np.unique((y_score[:, None] > cuts).sum(axis=1), return_counts=True)
    np.testing.assert_array_equal(curve.n, sizes)
    drawn = np.array(
        [
            [y_true[rows][(y_score[rows, None] > cuts).sum(axis=1) == b].mean() for b in held]
            for rows in resampled_rows(subject, 25, 3)
        ]
    )
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(curve.low, low, rtol=0, atol=1e-12)
    np.testing.assert_allclose(curve.high, high, rtol=0, atol=1e-12)


@pytest.mark.parametrize("of", [roc_curve, precision_recall_curve, calibration_curve])
def test_the_order_of_rows_changes_no_bit_of_a_curve(of: type) -> None:
    y_true, y_score, subject, _ = stays()
    y_score = np.round(y_score, 1)
    mixed = np.random.default_rng(1).permutation(N)
    first = of(y_true, y_score, subject, 50)
    second = of(y_true[mixed], y_score[mixed], subject[mixed], 50)
    for name in ("x", "y", "low", "high", "n"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), name)
    another = of(y_true, y_score, subject, 50, seed=1)
    assert not np.array_equal(first.low, another.low)


@pytest.mark.parametrize(("label", "missing"), [(0, "no positive stay"), (1, "no negative stay")])
def test_one_class_has_no_curve_but_a_calibration(label: int, missing: str) -> None:
    _, y_score, subject, _ = stays()
    y_true = np.full(N, label)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for of in (roc_curve, precision_recall_curve):
            curve = of(y_true, y_score, subject, 10, points=5)
            assert np.isnan([curve.y, curve.low, curve.high]).all()
            assert set(curve.reasons) == {missing}
        calibration = calibration_curve(y_true, y_score, subject, 10)
        assert (calibration.y == label).all() and np.isnan(calibration.high).all()
        assert set(calibration.reasons) == {"fewer than 10 patients of a class (0)"}
        nothing = np.empty(0)
        for of in (roc_curve, precision_recall_curve):
            assert set(of(nothing, nothing, nothing, 3).reasons) == {"no stays"}
        assert len(calibration_curve(nothing, nothing, nothing, 3).x) == 0


@pytest.mark.parametrize("patients", [3, MIN_PATIENTS - 1, MIN_PATIENTS])
@pytest.mark.parametrize("of", [roc_curve, precision_recall_curve, calibration_curve])
def test_curves_of_a_few_patients_have_no_band(of: type, patients: int) -> None:
    subject = np.concatenate([np.repeat(np.arange(patients), 9), np.arange(100, 300)])
    y_true = (subject < 100).astype(int)
    y_score = np.clip(np.random.default_rng(0).normal(0.4 + 0.2 * y_true, 0.15), 0, 1)
    curve = of(y_true, y_score, subject, 60)
    assert not np.isnan(curve.y).any()
    if patients < MIN_PATIENTS:
        assert np.isnan([curve.low, curve.high]).all()
        assert set(curve.reasons) == {f"fewer than 10 patients of a class ({patients})"}
    else:
        assert (curve.low < curve.high).sum() > 0.8 * len(curve.x)
        assert [why is None for why in curve.reasons] == (~np.isnan(curve.low)).tolist()


def test_bins_of_a_few_patients_have_no_interval_and_bins_that_agree_the_exact_one() -> None:
    """Two scores, each a bin: 9 patients in one; in the other 91, all of them negative."""
    y_score = np.repeat([0.1, 0.2, 0.3, 0.8], [91, 40, 40, 9])
    y_true = np.concatenate([np.zeros(91), np.tile([0, 1], 40), np.ones(9)]).astype(int)
    curve = calibration_curve(y_true, y_score, np.arange(180), 60)
    by_score = {round(x, 1): at for at, x in enumerate(curve.x)}
    few, agree = by_score[0.8], by_score[0.1]
    assert curve.reasons[few] == "fewer than 10 patients in the bin (9)"
    exact = stats.binomtest(0, 91).proportion_ci(method="exact")
    assert (curve.y[agree], curve.low[agree], curve.reasons[agree]) == (0, 0, None)
    assert curve.high[agree] == pytest.approx(exact.high)


def test_a_curve_that_no_resample_moves_has_no_band() -> None:
    y_true, y_score, subject, _ = stays()
    for of in (roc_curve, precision_recall_curve):
        curve = of(y_true, (y_true + y_score) / 2, subject, 20)
        assert (curve.y == 1).all() and np.isnan(curve.low).all()
        assert set(curve.reasons) == {"the same in every resample"}


def test_bands_are_of_patients() -> None:
    """A patient's stays four times over say no more than once: the band stays as wide."""
    y_true, y_score, subject, _ = stays(n=PATIENTS)
    four = np.repeat(np.arange(PATIENTS), 4)
    for of in (roc_curve, precision_recall_curve):
        once = of(y_true, y_score, subject, 60)
        copied = of(y_true[four], y_score[four], subject[four], 60)
        np.testing.assert_allclose(copied.y, once.y, atol=1e-12)
        np.testing.assert_allclose(copied.low, once.low, atol=1e-12)
        np.testing.assert_allclose(copied.high, once.high, atol=1e-12)
