"""Metrics and their intervals: equal to scikit-learn on the same resamples, drawn by patient."""

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics
from sklearn.linear_model import LogisticRegression

from charthouse.core.errors import CharthouseError
from charthouse.stats import bootstrap
from charthouse.stats.bootstrap import (
    MIN_PATIENTS,
    Difference,
    Interval,
    bootstrap_metrics,
    patient_weights,
)
from charthouse.stats.calibration import EPSILON, logit
from charthouse.stats.metrics import METRICS, choose_threshold, compute_metrics
from charthouse.stats.multiplicity import holm, resamples_needed
from charthouse.stats.ratios import ratio_intervals
from charthouse.stats.samples import OperatingPoint

N, PATIENTS, THRESHOLD = 400, 250, 0.4
BY_RANK = ("sensitivity_at_alert_rate", "ppv_at_alert_rate", "specificity_at_sensitivity")


def stays(seed: int = 0, n: int = N, patients: int = PATIENTS) -> tuple[np.ndarray, ...]:
    """Labels, scores and patients of stays; a patient's stays resemble each other."""
    rng = np.random.default_rng(seed)
    patient = np.concatenate([np.arange(patients), rng.integers(patients, size=n - patients)])
    frailty = rng.normal(size=patients)[patient]
    y_true = (rng.random(n) < 1 / (1 + np.exp(1.2 - 1.5 * frailty))).astype(int)
    y_score = 1 / (1 + np.exp(0.8 - frailty - 0.7 * rng.normal(size=n)))
    return y_true, y_score, 7_000_000 + 13 * patient


def intervals(*args: object, **settings: object) -> dict[str, Interval]:
    """Arguments as for resample."""
    return bootstrap_metrics(*args, **settings).intervals()  # type: ignore[arg-type]


def minus(
    y_true: np.ndarray,
    scores: tuple[np.ndarray, np.ndarray],
    subject: np.ndarray,
    thresholds: tuple[float, float],
    **settings: object,
) -> dict[str, Difference]:
    """One arm minus another on the same stays; the settings are those of resample."""
    arm, other = (
        bootstrap_metrics(y_true, own, subject, at, **settings)  # type: ignore[arg-type]
        for own, at in zip(scores, thresholds, strict=True)
    )
    return arm.minus(other)


def separated(y_true: np.ndarray, y_score: np.ndarray) -> np.ndarray:
    return (y_true + y_score) / 2


SCORES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "no ties": lambda y_true, y_score: y_score,
    "ties": lambda y_true, y_score: np.round(y_score, 2),
    "heavy ties": lambda y_true, y_score: np.round(y_score * 4) / 4,  # with 0 and 1, and 0.5
    "at the threshold": lambda y_true, y_score: np.where(y_score > 0.3, THRESHOLD, 0.1),
    "all equal": lambda y_true, y_score: np.full(len(y_score), 0.5),
    "separated": separated,
    "reversed": lambda y_true, y_score: 1 - separated(y_true, y_score),
    "below the threshold": lambda y_true, y_score: y_score * 0.3,
}


def by_sklearn(y: np.ndarray, s: np.ndarray, threshold: float) -> dict[str, float]:
    """What scikit-learn has, on explicit rows; NaN where it warns or refuses."""
    called = (s >= threshold).astype(int)
    nan = {"zero_division": np.nan}
    return {
        "auroc": sklearn_metrics.roc_auc_score(y, s),
        "auprc": sklearn_metrics.average_precision_score(y, s),
        "accuracy": sklearn_metrics.accuracy_score(y, called),
        "sensitivity": sklearn_metrics.recall_score(y, called, **nan),
        "specificity": sklearn_metrics.recall_score(y, called, pos_label=0, **nan),
        "ppv": sklearn_metrics.precision_score(y, called, **nan),
        "f1": sklearn_metrics.f1_score(y, called, **nan),
        "brier": sklearn_metrics.brier_score_loss(y, s),
    }


def resampled_rows(subject: np.ndarray, n_bootstrap: int, seed: int) -> list[np.ndarray]:
    """The rows of each resample, repeated, by way of a dictionary of patients."""
    patients = sorted(set(subject.tolist()))
    return [
        np.repeat(np.arange(len(subject)), [counts[patient] for patient in subject.tolist()])
        for counts in (
            dict(zip(patients, drawn.tolist(), strict=True))
            for drawn in patient_weights(subject, n_bootstrap, seed)
        )
    ]


@pytest.mark.parametrize("kind", SCORES)
def test_every_resample_is_equal_to_scikit_learn(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "CHUNK", 7 * N)  # several chunks, the last one smaller
    y_true, y_score, subject = stays()
    y_score = SCORES[kind](y_true, y_score)
    found = bootstrap_metrics(y_true, y_score, subject, THRESHOLD, n_bootstrap=30, seed=3)
    rows = resampled_rows(subject, 30, 3)
    assert any(len(some) != N for some in rows)  # patients were drawn, so sizes differ
    expected = [by_sklearn(y_true[some], y_score[some], THRESHOLD) for some in rows]
    for name in expected[0]:
        values = np.array([each[name] for each in expected])
        np.testing.assert_allclose(found.resamples[name], values, rtol=0, atol=1e-12, err_msg=name)
    for name, value in by_sklearn(y_true, y_score, THRESHOLD).items():
        assert found.point_estimates[name].value == pytest.approx(
            value, rel=0, abs=1e-12, nan_ok=True
        )


@pytest.mark.parametrize("scale", [1.0, 0.05, 20.0])
@pytest.mark.parametrize("kind", ["no ties", "heavy ties"])
def test_calibration_is_the_unpenalised_fit_of_each_resample(kind: str, scale: float) -> None:
    """Also of scores that are far too mild or far too extreme, up to exactly 0 and 1."""
    y_true, y_score, subject = stays()
    y_score = 1 / (1 + np.exp(-scale * logit(SCORES[kind](y_true, y_score))))
    names = ["calibration_slope", "calibration_intercept"]
    found = bootstrap_metrics(
        y_true, y_score, subject, THRESHOLD, names, n_bootstrap=25, seed=1
    ).resamples
    for number, rows in enumerate(resampled_rows(subject, 25, 1)):
        y, x = y_true[rows], logit(y_score[rows])
        model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12)
        slope = model.fit(x[:, None] / x.std(), y).coef_[0, 0] / x.std()
        assert found["calibration_slope"][number] == pytest.approx(slope, rel=1e-9)
        # in the large: as many positives expected as there are
        expected = 1 / (1 + np.exp(-(x + found["calibration_intercept"][number])))
        assert expected.sum() == pytest.approx(y.sum(), rel=1e-12)


def test_calibration_says_which_way_scores_are_wrong() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(-1, 1.5, 60_000)
    y_true = (rng.random(len(x)) < 1 / (1 + np.exp(-x))).astype(int)

    def of(x: np.ndarray) -> tuple[float, float]:
        found = compute_metrics(y_true, 1 / (1 + np.exp(-x)), 0.5)
        return found["calibration_slope"].value, found["calibration_intercept"].value

    assert of(x) == pytest.approx((1, 0), abs=0.02)
    assert of(2 * x)[0] == pytest.approx(0.5, abs=0.01)  # too extreme
    assert of(x + 0.7) == pytest.approx((1, -0.7), abs=0.02)  # too high


def test_ece_bins_are_closed_below_and_the_last_holds_one() -> None:
    y_score = np.array([0.0, 0.1, 0.15, 0.3, 0.7, 0.99, 1.0])
    y_true = np.array([0, 1, 0, 1, 1, 0, 1])
    # bins: {0}, {.1, .15}, {.3}, {.7}, {.99, 1}; sizes x |share - mean score|, by hand
    expected = (0 + abs(1 - 0.25) + 0.7 + 0.3 + abs(1 - 1.99)) / 7
    assert compute_metrics(y_true, y_score, 0.5)["ece"].value == pytest.approx(expected, abs=1e-15)


def test_ece_of_a_resample_is_that_of_its_rows() -> None:
    y_true, y_score, subject = stays()
    found = bootstrap_metrics(y_true, y_score, subject, THRESHOLD, ["ece"], 20).resamples["ece"]
    for number, rows in enumerate(resampled_rows(subject, 20, 0)):
        y, s = y_true[rows], y_score[rows]
        bins = [rows for b in range(10) if len(rows := np.flatnonzero((s * 10).astype(int) == b))]
        gaps = [len(rows) / len(s) * abs(y[rows].mean() - s[rows].mean()) for rows in bins]
        assert found[number] == pytest.approx(sum(gaps), abs=1e-12)


# By rank


def on_the_curve(y: np.ndarray, s: np.ndarray, alerts: float, sensitivity: float) -> dict:
    """The metrics at both points of scikit-learn's ROC curve, straight between its corners."""
    positives, negatives = y.sum(), (1 - y).sum()
    fpr, tpr, _ = sklearn_metrics.roc_curve(y, s, drop_intermediate=False)
    fp, tp = fpr * negatives, tpr * positives
    found = np.interp(alerts, fp + tp, tp)
    wanted = sensitivity * positives
    at = np.flatnonzero(tp >= wanted - 1e-9)[0]
    cost = np.interp(wanted, tp[at - 1 : at + 1], fp[at - 1 : at + 1]) if tp[at] else 0.0
    return {
        "sensitivity_at_alert_rate": found / positives,
        "ppv_at_alert_rate": found / alerts,
        "specificity_at_sensitivity": 1 - cost / negatives,
    }


@pytest.mark.parametrize("as_often", [False, True])
@pytest.mark.parametrize("kind", SCORES)
def test_operating_points_are_found_anew_in_every_resample(
    kind: str, as_often: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a share of alerts, and with as many as somebody else has, which differ by resample."""
    monkeypatch.setattr(bootstrap, "CHUNK", 7 * N)
    y_true, y_score, subject = stays()
    y_score = SCORES[kind](y_true, y_score)
    others = np.random.default_rng(5).random(N) < 0.2
    operating = OperatingPoint(0.15, 0.7, others if as_often else None)
    found = bootstrap_metrics(
        y_true,
        y_score,
        subject,
        THRESHOLD,
        BY_RANK,
        n_bootstrap=25,
        seed=3,
        operating_point=operating,
    )
    for number, rows in enumerate(resampled_rows(subject, 25, 3)):
        alerts = others[rows].sum() if as_often else 0.15 * len(rows)
        for name, value in on_the_curve(y_true[rows], y_score[rows], alerts, 0.7).items():
            assert found.resamples[name][number] == pytest.approx(value, abs=1e-12), name
    alerts = others.sum() if as_often else 0.15 * N
    for name, value in on_the_curve(y_true, y_score, alerts, 0.7).items():
        assert found.point_estimates[name].value == pytest.approx(value, abs=1e-12), name


def test_rows_that_tie_for_the_last_alerts_share_them_as_if_by_lot() -> None:
    """40 alerts of 400 stays, in 9 scores: the mean over 3,000 ways to break the ties."""
    y_true, y_score, _ = stays()
    coarse = np.round(y_score * 8) / 8
    rng = np.random.default_rng(0)
    drawn = [y_true[np.lexsort((rng.random(N), -coarse))[:40]].sum() for _ in range(3000)]
    found = compute_metrics(y_true, coarse, 0.5, BY_RANK)
    error = np.std(drawn) / np.sqrt(3000)
    assert error > 0
    assert found["ppv_at_alert_rate"].value * 40 == pytest.approx(np.mean(drawn), abs=4 * error)


def test_a_constant_score_alerts_at_random() -> None:
    y_true, _, subject = stays()
    found = intervals(y_true, np.full(N, 0.3), subject, 0.5, metrics=BY_RANK, n_bootstrap=50)
    assert found["sensitivity_at_alert_rate"].value == pytest.approx(0.1)
    assert found["ppv_at_alert_rate"].value == pytest.approx(y_true.mean())
    assert found["specificity_at_sensitivity"].value == pytest.approx(0.2)


def test_another_scale_changes_nothing_by_rank() -> None:
    """Thresholds and calibration differ, so every other metric but the AUROC's kin does."""
    y_true, y_score, subject = stays()
    found = minus(y_true, (y_score, y_score**3), subject, (THRESHOLD, THRESHOLD), n_bootstrap=50)
    same = {name for name, each in found.items() if each.difference == 0}
    assert same == {"auroc", "auprc", *BY_RANK}
    assert all(found[name].p_value == 1 for name in same)


def test_whoever_alerts_nobody_has_no_ppv() -> None:
    y_true, y_score, subject = stays()
    nobody = OperatingPoint(match_alerts_of=np.zeros(N, bool))
    found = bootstrap_metrics(
        y_true, y_score, subject, 0.5, BY_RANK, 10, operating_point=nobody
    ).intervals()
    assert found["sensitivity_at_alert_rate"].value == 0
    ppv = found["ppv_at_alert_rate"]
    assert (np.isnan(ppv.value), ppv.reason) == (True, "nothing is alerted")


def test_alerts_that_are_all_right_have_the_exact_interval_of_their_patients() -> None:
    """50 positive patients of two stays in 400 stays; 40 stays are alerted, of 20 patients."""
    subject = np.concatenate([np.repeat(np.arange(50), 2), np.arange(100, 400)])
    y_true = (subject < 100).astype(int)
    y_score = np.where(y_true == 1, 0.9 - subject / 1000, 0.1)
    found = intervals(y_true, y_score, subject, 0.5, metrics=BY_RANK, n_bootstrap=50)
    exact = stats.binomtest(20, 20).proportion_ci(method="exact")
    ppv = found["ppv_at_alert_rate"]
    assert (ppv.value, ppv.ci_low, ppv.ci_high) == (1, pytest.approx(exact.low), 1)
    assert found["specificity_at_sensitivity"].value == 1


# Undefined


@pytest.mark.parametrize(("label", "missing"), [(0, "no positive stay"), (1, "no negative stay")])
def test_one_class_gives_nan_and_the_reason(label: int, missing: str) -> None:
    _, y_score, subject = stays()
    y_true = np.full(N, label)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = intervals(y_true, y_score, subject, THRESHOLD, n_bootstrap=20)
    both = {"auroc", "auprc", "specificity_at_sensitivity", "calibration_slope",
            "calibration_intercept"}  # fmt: skip
    for name in both:
        assert np.isnan([found[name].value, found[name].ci_low, found[name].ci_high]).all(), name
        assert found[name].reason == missing
        assert found[name].n_undefined == 20
    blank = {"specificity"} if label else {"sensitivity", "sensitivity_at_alert_rate", "f1"}
    assert {name for name, each in found.items() if not np.isnan(each.value)} == (
        set(METRICS) - both - blank
    )
    assert np.isnan(found["brier"].ci_low)
    assert found["brier"].reason == "fewer than 10 patients of a class (0)"
    assert (found["brier"].n, found["brier"].n_positive) == (N, N * label)


def test_reasons_are_the_plainest() -> None:
    y_true, y_score, _ = stays()
    assert compute_metrics(y_true, y_score, 2.0)["ppv"].reason == "nothing is predicted positive"
    assert compute_metrics(y_true, y_score, 2.0)["specificity"].value == 1.0
    slope = {
        kind: compute_metrics(y_true, SCORES[kind](y_true, y_score), 0.5)[
            "calibration_slope"
        ].reason
        for kind in ("no ties", "all equal", "separated", "reversed")
    }
    assert slope == {
        "no ties": None,
        "all equal": "all scores are the same",
        "separated": "the scores separate the classes",
        "reversed": "the scores separate the classes",
    }
    nothing = np.empty(0)
    assert {each.reason for each in compute_metrics(nothing, nothing, 0.5).values()} == {"no stays"}
    assert intervals(nothing, nothing, nothing, 0.5, n_bootstrap=3)["ece"].reason == "no stays"


def test_resamples_without_a_value_are_counted_and_left_out() -> None:
    """Classes that only one patient keeps from being separated: drawn in 63 % of resamples."""
    y_true, y_score = np.repeat([0, 1], 20), np.linspace(0.1, 0.9, 40)
    y_true[0] = 1
    names = ["calibration_slope", "auroc"]
    found = intervals(y_true, y_score, np.arange(40), 0.5, names, 500)
    slope, auroc = found["calibration_slope"], found["auroc"]
    assert 130 < slope.n_undefined < 240
    assert slope.value > 0
    assert np.isnan([slope.ci_low, slope.ci_high]).all()
    assert slope.reason == f"undefined in {slope.n_undefined} of 500 resamples"
    assert (auroc.n_undefined, auroc.reason) == (0, None)

    y_true[:3] = 1  # three of them: one is drawn in 95 %
    slope = intervals(y_true, y_score, np.arange(40), 0.5, names, 500)["calibration_slope"]
    assert 0 < slope.n_undefined < 50
    assert slope.reason is None
    assert slope.ci_low < slope.value < slope.ci_high


def test_separated_resamples_have_no_slope() -> None:
    """Two patients overlap; without both of them no slope is finite, however long one iterates."""
    y_score = np.linspace(0.05, 0.95, 12)
    y_true = (y_score > 0.5).astype(int)
    y_true[[5, 6]] = y_true[[6, 5]]
    found = bootstrap_metrics(
        y_true, y_score, np.arange(12), 0.5, ["calibration_slope", "auroc"], 200
    )
    slope, auroc = found.resamples["calibration_slope"], found.resamples["auroc"]
    assert np.array_equal(np.isnan(slope), np.isnan(auroc) | (auroc == 1))
    assert 0 < np.isnan(slope).sum() < 200


def test_resamples_of_a_single_score_have_no_slope() -> None:
    """Three patients, each with a positive and a negative of the same score: no slope of one."""
    y_true, subject = np.tile([1, 0], 3), np.repeat(np.arange(3), 2)
    y_score = np.repeat([0.3, 0.37, 0.61], 2)
    slope = bootstrap_metrics(y_true, y_score, subject, 0.5, ["calibration_slope"], 100).resamples
    alone = (patient_weights(subject, 100) == 3).any(axis=1)
    assert 0 < alone.sum() < 100
    assert np.array_equal(np.isnan(slope["calibration_slope"]), alone)
    assert np.nanmax(np.abs(slope["calibration_slope"])) < 1e-12


@pytest.mark.parametrize(
    ("y_true", "y_score", "subject"),
    [
        ([0, 1, 2], [0.1, 0.2, 0.3], [1, 2, 3]),
        ([0, 1, 1], [0.1, 0.2, 1.3], [1, 2, 3]),
        ([0, 1, 1], [0.1, np.nan, 0.3], [1, 2, 3]),
        ([0, np.nan, 1], [0.1, 0.2, 0.3], [1, 2, 3]),
        ([0, 1], [0.1, 0.2, 0.3], [1, 2]),
        ([0, 1, 1], [0.1, 0.2, 0.3], [1, 2]),
    ],
)
def test_what_is_no_label_or_probability_is_refused(
    y_true: list, y_score: list, subject: list
) -> None:
    with pytest.raises(ValueError):
        intervals(np.array(y_true), np.array(y_score), np.array(subject), 0.5, n_bootstrap=2)


def test_an_unknown_metric_is_named() -> None:
    y_true, y_score, _ = stays()
    with pytest.raises(CharthouseError, match=r"'auc'.*auroc"):
        compute_metrics(y_true, y_score, 0.5, ["auc"])


# Resampling


def test_the_order_of_rows_changes_no_bit() -> None:
    y_true, y_score, subject = stays()
    y_score = np.round(y_score, 1)  # ties, where an order could come in
    mixed = np.random.default_rng(1).permutation(N)
    first = bootstrap_metrics(y_true, y_score, subject, THRESHOLD, n_bootstrap=50)
    second = bootstrap_metrics(
        y_true[mixed], y_score[mixed], subject[mixed], THRESHOLD, n_bootstrap=50
    )
    assert first.point_estimates == second.point_estimates
    for name in METRICS:
        np.testing.assert_array_equal(first.resamples[name], second.resamples[name], name)
    assert first.resample_key == second.resample_key


def test_draws_depend_on_patients_and_seed_alone() -> None:
    _, _, subject = stays()
    drawn = patient_weights(subject, 40, seed=5)
    assert drawn.dtype == np.uint8
    assert drawn.shape == (40, PATIENTS)
    assert (drawn.sum(axis=1) == PATIENTS).all()
    assert np.array_equal(drawn, patient_weights(np.unique(subject)[::-1], 40, seed=5))
    assert np.array_equal(drawn[:15], patient_weights(subject, 15, seed=5))
    assert not np.array_equal(drawn, patient_weights(subject, 40, seed=6))
    np.random.seed(0)  # the global generator plays no part
    assert np.array_equal(drawn, patient_weights(subject, 40, seed=5))


def test_draws_are_of_a_bootstrap() -> None:
    """Each patient once on average, with the binomial's variance, and left out of 1 in e."""
    drawn = patient_weights(np.arange(500), 2000).astype(float)
    assert drawn.mean(axis=0) == pytest.approx(1, abs=0.12)
    assert drawn.var() == pytest.approx(1 - 1 / 500, abs=0.01)
    assert (drawn == 0).mean() == pytest.approx(np.exp(-1), abs=0.003)


def test_a_patients_stays_come_together() -> None:
    """Two stays a patient, one right and one wrong: every resample has an accuracy of one half."""
    subject = np.repeat(np.arange(30), 2)
    y_true, y_score = np.tile([1, 0], 30), np.full(60, 0.9)
    together = bootstrap_metrics(y_true, y_score, subject, 0.5, ["accuracy"])
    assert set(together.resamples["accuracy"]) == {0.5}
    apart = intervals(y_true, y_score, np.arange(60), 0.5, ["accuracy"])["accuracy"]
    assert apart.ci_high - apart.ci_low > 0.2


def test_a_seed_gives_the_same_intervals_and_another_others() -> None:
    y_true, y_score, subject = stays()
    first, again, other = (
        intervals(y_true, y_score, subject, THRESHOLD, n_bootstrap=100, seed=seed)
        for seed in (4, 4, 5)
    )
    assert first == again
    assert all(first[name].value == other[name].value for name in METRICS)
    assert all(first[name].ci_low != other[name].ci_low for name in METRICS)


def test_the_first_resamples_are_those_of_fewer() -> None:
    y_true, y_score, subject = stays()
    many = bootstrap_metrics(y_true, y_score, subject, THRESHOLD, n_bootstrap=70)
    assert many.first(40).intervals() == intervals(
        y_true, y_score, subject, THRESHOLD, n_bootstrap=40
    )


def test_a_metric_with_a_cut_of_its_own_is_that_of_the_cut() -> None:
    y_true, y_score, subject = stays()
    found = bootstrap_metrics(
        y_true, y_score, subject, 0.2, n_bootstrap=20, thresholds={"accuracy": 0.6}
    )
    for cut, names in ((0.6, {"accuracy"}), (0.2, set(METRICS) - {"accuracy"})):
        alone = bootstrap_metrics(y_true, y_score, subject, cut, n_bootstrap=20).intervals()
        assert {name: found.intervals()[name] for name in names} == {
            name: alone[name] for name in names
        }
    assert list(found.point_estimates) == list(METRICS)


@pytest.mark.parametrize(
    ("metric", "threshold", "at"),
    [("tpr", 0.1, 1.0), ("tpr", 0.9, 0.0), ("fpr", 0.1, 1.0), ("fpr", 0.9, 0.0),
     ("selection_rate", 0.9, 0.0), ("accuracy", 0.5, 1.0), ("ppv", 0.5, 1.0),
     ("specificity", 0.5, 1.0)],
)  # fmt: skip
def test_a_share_in_which_all_agree_has_the_exact_interval_of_its_patients(
    metric: str, threshold: float, at: float
) -> None:
    """12 positive patients with two stays each, 30 negative: scipy's interval of 12, 30 or 42."""
    subject = np.concatenate([np.repeat(np.arange(12), 2), np.arange(100, 130)])
    y_true = (subject < 12).astype(int)
    y_score = np.where(y_true == 1, 0.7, 0.3)
    of = {"tpr": 12, "ppv": 12, "fpr": 30, "specificity": 30}.get(metric, 42)
    found = intervals(y_true, y_score, subject, threshold, [metric], 50)[metric]
    exact = stats.binomtest(int(at * of), of).proportion_ci(method="exact")
    assert found.value == at
    assert (found.ci_low, found.ci_high) == (pytest.approx(exact.low), pytest.approx(exact.high))


@pytest.mark.slow
def test_intervals_cover_the_truth_95_times_in_100() -> None:
    """Patients of 1 to 7 stays that share label and most of the score: drawn by stay, the intervals
    are far too narrow. Of 300 samples 95 % should cover; the bound is 3 deviations of that count.
    """

    def population(rng: np.random.Generator, patients: int) -> tuple[np.ndarray, ...]:
        label = rng.random(patients) < 0.3
        shared = rng.normal(size=patients) + label
        patient = np.repeat(np.arange(patients), rng.integers(1, 8, patients))
        x = shared[patient] + 0.3 * rng.normal(size=len(patient)) - 1
        return label[patient], 1 / (1 + np.exp(-x)), patient

    names = ["auroc", "brier", "sensitivity"]
    truth = compute_metrics(*population(np.random.default_rng(9), 200_000)[:2], 0.5, names)
    covered = {"patients": dict.fromkeys(names, 0), "stays": dict.fromkeys(names, 0)}
    for trial in range(300):
        y_true, y_score, patient = population(np.random.default_rng(100 + trial), 150)
        ways = {"patients": patient} | ({"stays": np.arange(len(patient))} if trial < 100 else {})
        for way, drawn in ways.items():
            found = intervals(y_true, y_score, drawn, 0.5, names, n_bootstrap=200, seed=trial)
            for name, each in found.items():
                covered[way][name] += each.ci_low <= truth[name].value <= each.ci_high
    for name in names:
        assert 0.912 < covered["patients"][name] / 300 < 0.988, name
        assert covered["stays"][name] / 100 < 0.8, name


# Pairs


def test_an_arm_is_no_different_from_itself() -> None:
    y_true, y_score, subject = stays()
    found = minus(
        y_true, (y_score, y_score.copy()), subject, (THRESHOLD, THRESHOLD), n_bootstrap=50
    )
    assert list(found) == list(METRICS)
    for each in found.values():
        assert (each.difference, each.reason) == (0, "the same in every resample")
        assert np.isnan([each.ci_low, each.ci_high]).all() and each.p_value == 1


def test_pairs_are_resampled_together() -> None:
    """The difference of two arms that are nearly the same is far surer than either arm."""
    y_true, y_score, subject = stays()
    near = np.clip(y_score + np.random.default_rng(2).normal(0, 0.01, N), 0, 1)
    mixed = np.random.default_rng(3).permutation(N)
    arm = bootstrap_metrics(y_true, y_score, subject, THRESHOLD)
    other = bootstrap_metrics(y_true[mixed], near[mixed], subject[mixed], 0.5)
    found = arm.minus(other)["auroc"]
    alone = arm.intervals()["auroc"]
    assert found.ci_high - found.ci_low < 0.2 * (alone.ci_high - alone.ci_low)
    mirrored = other.minus(arm)["auroc"]
    assert (mirrored.difference, mirrored.p_value) == (-found.difference, found.p_value)
    assert mirrored.ci_low == pytest.approx(-found.ci_high, abs=1e-15)


def test_a_clear_difference_has_the_smallest_p_value_but_not_0() -> None:
    y_true, y_score, subject = stays()
    better = 0.9 * y_score + 0.1 * y_true
    found = minus(
        y_true, (better, y_score), subject, (0.5, 0.5), metrics=["auroc"], n_bootstrap=199
    )["auroc"]
    assert found.ci_low > 0
    assert found.p_value == pytest.approx(1 / 200)


def test_p_value_and_interval_are_how_far_resamples_lie_off_the_difference() -> None:
    y_true, y_score, subject = stays()
    other = np.clip(y_score + np.random.default_rng(4).normal(0, 0.1, N), 0, 1)
    arm, less = (
        bootstrap_metrics(y_true, each, subject, 0.5, ["auroc"]) for each in (y_score, other)
    )
    found = arm.minus(less)["auroc"]
    off = np.abs(arm.resamples["auroc"] - less.resamples["auroc"] - found.difference)
    assert 0.002 < found.p_value < 0.9
    assert found.p_value == ((off >= abs(found.difference)).sum() + 1) / 1001
    assert found.ci_high - found.difference == pytest.approx(np.quantile(off, 0.95))
    assert found.difference - found.ci_low == pytest.approx(np.quantile(off, 0.95))


def test_what_is_not_tested_has_a_difference_alone_and_says_why() -> None:
    y_true, y_score, subject = stays()
    arm, other = (bootstrap_metrics(y_true, each, subject, 0.5, ["auroc", "f1"], 50)
                  for each in (y_score, 1 - y_score))  # fmt: skip
    found = arm.minus(other, {"f1": "no test"})
    assert found["f1"].difference == pytest.approx(
        arm.point_estimates["f1"].value - other.point_estimates["f1"].value
    )
    assert np.isnan([found["f1"].ci_low, found["f1"].ci_high, found["f1"].p_value]).all()
    assert found["f1"].reason == "no test"
    assert found["auroc"] == arm.minus(other)["auroc"]


@pytest.mark.parametrize("asked", [1, 25, 26, 28, 400])
def test_however_many_are_asked_a_clear_difference_can_be_significant(asked: int) -> None:
    smallest = 1 / (resamples_needed(1000, asked) + 1)
    assert holm([smallest] * asked).max() < 0.05


@pytest.mark.slow
def test_p_values_of_nothing_are_even() -> None:
    """Two noises of equal quality: p falls below 0.2 about 1 time in 5, not always or never."""
    rng = np.random.default_rng(8)
    p_values = []
    for trial in range(150):
        y_true = rng.random(150) < 0.4
        first, second = rng.random((2, 150)) * 0.7 + 0.3 * y_true
        found = minus(
            y_true, (first, second), np.arange(150), (0.5, 0.5),
            metrics=["auroc"], n_bootstrap=200, seed=trial,
        )  # fmt: skip
        p_values.append(found["auroc"].p_value)
    assert 0.1 < np.mean(np.array(p_values) < 0.2) < 0.3  # 3 deviations


def test_arms_of_other_stays_or_draws_are_not_paired() -> None:
    y_true, y_score, subject = stays()
    arm = bootstrap_metrics(y_true, y_score, subject, 0.5, ["auroc"], 10)
    for other in (
        bootstrap_metrics(y_true[1:], y_score[1:], subject[1:], 0.5, ["auroc"], 10),
        bootstrap_metrics(1 - y_true, y_score, subject, 0.5, ["auroc"], 10),
        bootstrap_metrics(y_true, y_score, subject + 1, 0.5, ["auroc"], 10),
        bootstrap_metrics(y_true, y_score, subject, 0.5, ["auroc"], 10, seed=1),
        bootstrap_metrics(y_true, y_score, subject, 0.5, ["auroc"], 11),
    ):
        with pytest.raises(ValueError, match="cannot be paired"):
            arm.minus(other)


def test_a_pair_without_a_value_says_why() -> None:
    y_true, y_score, subject = stays()
    found = minus(y_true, (y_score, y_score), subject, (0.5, 2.0), metrics=["ppv"], n_bootstrap=10)[
        "ppv"
    ]
    assert np.isnan([found.difference, found.ci_low, found.ci_high, found.p_value]).all()
    assert found.reason == "nothing is predicted positive"


def test_holm() -> None:
    # by hand: sorted .005 .01 .03 .04 .5, times 5 4 3 2 1 = .025 .04 .09 .08 .5; .08 rises to .09
    asked = [0.04, 0.005, 0.5, 0.01, 0.03]
    assert holm(asked) == pytest.approx([0.09, 0.025, 0.5, 0.04, 0.09], abs=1e-15)
    assert holm([0.02, 0.02]) == pytest.approx([0.04, 0.04])
    assert holm([0.6, 0.7]) == pytest.approx([1, 1])
    assert holm([0.01, np.nan, 0.04]) == pytest.approx([0.02, np.nan, 0.04], nan_ok=True)
    assert holm([]).shape == (0,)
    with pytest.raises(CharthouseError):
        holm([1.2])


# Too few


def of_few(patients: int, label: int = 1) -> tuple[np.ndarray, ...]:
    """Five stays of each of so many patients of a class, and 40 patients of the other."""
    subject = np.concatenate([np.repeat(np.arange(patients), 5), np.arange(100, 140)])
    y_true = np.where(subject < 100, label, 1 - label)
    noise = np.random.default_rng(0).normal(size=len(subject))
    return y_true, 1 / (1 + np.exp(-noise - y_true)), subject


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("patients", [3, MIN_PATIENTS - 1, MIN_PATIENTS])
def test_a_few_patients_of_a_class_have_values_but_no_intervals(patients: int, label: int) -> None:
    """However many stays they have, and of which class they are."""
    y_true, y_score, subject = of_few(patients, label)
    assert min(np.bincount(y_true)) > MIN_PATIENTS
    names = (*METRICS, "selection_rate")
    found = intervals(y_true, y_score, subject, 0.5, names, n_bootstrap=100)
    measured = compute_metrics(y_true, y_score, 0.5, names)
    for name, each in found.items():
        assert each.value == measured[name].value, name
        if patients < MIN_PATIENTS:
            assert np.isnan([each.ci_low, each.ci_high]).all(), name
            assert each.reason == f"fewer than 10 patients of a class ({patients})", name
        elif name == "ppv_at_alert_rate":
            assert "patients that it is a share of" in each.reason  # 9 of 90 stays are alerted
        else:
            assert each.reason is None and each.ci_low < each.ci_high, name


@pytest.mark.parametrize("patients", [4, MIN_PATIENTS - 1, MIN_PATIENTS])
def test_a_few_patients_of_a_class_have_no_p_value(patients: int) -> None:
    y_true, y_score, subject = of_few(patients)
    better = 0.2 * y_score + 0.8 * y_true
    found = minus(y_true, (better, y_score), subject, (0.5, 0.5), metrics=["brier"])["brier"]
    assert found.difference < 0
    if patients < MIN_PATIENTS:
        assert np.isnan([found.p_value, found.ci_low, found.ci_high]).all()
        assert found.reason == f"fewer than 10 patients of a class ({patients})"
    else:
        assert found.ci_high < 0
        assert (found.p_value, found.reason) == (pytest.approx(1 / 1001), None)


@pytest.mark.parametrize("called", [MIN_PATIENTS - 1, MIN_PATIENTS])
def test_a_share_of_few_patients_has_no_interval(called: int) -> None:
    """PPV is of those predicted positive: of few patients, though either class has many."""
    subject = np.arange(80)
    y_true = subject % 2
    y_score = np.where(subject < called, 0.9, 0.1)
    found = intervals(y_true, y_score, subject, 0.5, ["ppv", "sensitivity"], 50)
    reason = f"fewer than 10 patients that it is a share of ({called})"
    assert found["ppv"].reason == (reason if called < MIN_PATIENTS else None)
    assert np.isnan(found["ppv"].ci_low) == (called < MIN_PATIENTS)
    assert found["sensitivity"].reason is None
    more = np.where(subject < 40, 0.9, 0.1)
    for scores in ((y_score, more), (more, y_score)):  # either arm's few are too few
        pair = minus(y_true, scores, subject, (0.5, 0.5), metrics=["ppv"], n_bootstrap=50)["ppv"]
        assert pair.reason == found["ppv"].reason
        assert np.isnan(pair.p_value) == (called < MIN_PATIENTS)


@pytest.mark.parametrize(
    ("kind", "auroc"), [("all equal", 0.5), ("separated", 1.0), ("reversed", 0.0)]
)
def test_what_no_resample_moves_does_not_pass_for_certainty(kind: str, auroc: float) -> None:
    """Constant scores, and scores that separate the classes: no [1.0000, 1.0000]."""
    y_true, y_score, subject = stays()
    found = intervals(y_true, SCORES[kind](y_true, y_score), subject, THRESHOLD, n_bootstrap=50)
    assert found["auroc"].value == auroc
    assert np.isnan([found["auroc"].ci_low, found["auroc"].ci_high]).all()
    assert found["auroc"].reason == "the same in every resample"
    for name, each in found.items():
        assert np.isnan(each.ci_low) or each.ci_low < each.ci_high, name
    assert found["ece"].reason is None
    pair = minus(y_true, (SCORES[kind](y_true, y_score), y_score), subject, (0.5, 0.5),
                 metrics=["auroc"], n_bootstrap=50)["auroc"]  # fmt: skip
    assert pair.ci_low < pair.difference < pair.ci_high and pair.reason is None


def test_a_difference_that_no_resample_moves_has_no_p_value() -> None:
    """One arm is always right and the other always wrong: 1 in every resample is no certainty."""
    y_true, _, subject = stays()
    right = y_true * 0.8 + 0.1
    pair = minus(y_true, (right, 1 - right), subject, (0.5, 0.5), metrics=["auroc"])["auroc"]
    assert (pair.difference, pair.reason) == (1, "the same in every resample")
    assert np.isnan([pair.ci_low, pair.ci_high, pair.p_value]).all()


def test_ratios_take_patients_and_those_of_the_outcome_patients_of_each_class() -> None:
    """12 patients, 3 of them positive: enough for what no outcome is in."""
    rng = np.random.default_rng(1)
    subject = np.repeat(np.arange(12), 2)
    y_true, numerators = (subject < 3).astype(int), rng.random((24, 1))

    def of(chosen: np.ndarray, **more: bool) -> Interval:
        rows = numerators[chosen], np.ones(chosen.sum()), y_true[chosen], subject[chosen]
        return ratio_intervals(*rows, 100, 0, "no stays", **more)[0]

    everyone = subject >= 0
    found = of(everyone)
    assert found.reason is None and found.ci_low < found.value < found.ci_high
    assert of(everyone, per_class=True).reason == "fewer than 10 patients of a class (3)"
    assert of(subject < 9).reason == "fewer than 10 patients (9)"
    assert of(subject < 10).reason is None


# Threshold


def test_the_threshold_is_youdens() -> None:
    y_true, y_score, _ = stays(n=150, patients=100)
    for scores in (y_score, np.round(y_score, 1), y_score.astype(np.float32)):
        tried = np.unique(scores)
        youden = []
        for threshold in tried:
            found = compute_metrics(y_true, scores, float(threshold))
            youden.append(found["sensitivity"].value + found["specificity"].value - 1)
        assert choose_threshold(y_true, scores) == tried[int(np.argmax(np.round(youden, 12)))]


def test_equally_good_thresholds_give_the_lowest() -> None:
    y_true, y_score = np.array([0, 1, 0, 1]), np.array([0.2, 0.4, 0.6, 0.8])
    assert choose_threshold(y_true, y_score) == 0.4  # as good as 0.8
    assert choose_threshold(y_true, np.full(4, 0.3)) == 0.3
    assert choose_threshold(1 - y_true, np.array([0.1, 0.1, 0.1, 0.9])) == 0.1  # worse than chance


def test_a_threshold_is_not_chosen_on_one_class() -> None:
    with pytest.raises(CharthouseError, match="none of the 3 validation stays is positive"):
        choose_threshold(np.zeros(3), np.array([0.1, 0.2, 0.3]))


def test_a_score_at_the_threshold_is_positive() -> None:
    found = compute_metrics(np.array([1, 0]), np.array([0.5, 0.4999999]), 0.5)
    assert (found["sensitivity"].value, found["specificity"].value) == (1, 1)


def test_scores_of_0_and_1_have_a_finite_logit() -> None:
    assert logit(np.array([0.0, 0.5, 1.0])) == pytest.approx(
        [np.log(EPSILON), 0, -np.log(EPSILON)], abs=1e-6
    )


@pytest.mark.parametrize(
    ("y_true", "y_score", "threshold", "said"),
    [
        ([0, 1, 1], [0.1, 0.9], 0.5, "differ in shape"),
        ([0, 2], [0.1, 0.9], 0.5, "labels other than 0 and 1"),
        ([0, 1], [0.1, 1.1], 0.5, r"not in \[0, 1\]"),
        ([0, 1], [0.1, np.nan], 0.5, r"not in \[0, 1\]"),
        ([0, 1], [0.1, 0.9], np.nan, "threshold is not a number"),
    ],
)
def test_what_is_no_label_or_score_is_refused(
    y_true: list, y_score: list, threshold: float, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        compute_metrics(np.array(y_true), np.array(y_score), threshold, ("auroc",))
