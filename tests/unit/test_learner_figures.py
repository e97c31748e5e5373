"""Figures of learners on ten stays, by hand; Shapley values by brute force."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import permutations
from math import factorial

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from charthouse.core.errors import CharthouseError
from charthouse.jobs.ask.conditions import (
    Condition,
    coalitions,
    condition_named,
    conditions,
    subsets,
)
from charthouse.jobs.ask.request import AskRequest
from charthouse.jobs.evaluate.arm_metrics import Bootstrap, ResultRow
from charthouse.jobs.evaluate.learner_answers import Answers, Learner
from charthouse.jobs.evaluate.learner_comparisons import comparison_rows
from charthouse.jobs.evaluate.learner_metrics import fairness_rows, in_words, metric_rows
from charthouse.jobs.evaluate.scored import ALL, Stays
from charthouse.jobs.evaluate.shapley import contribution_rows, shapley_values
from charthouse.stats.bootstrap import patient_weights
from charthouse.stats.multiplicity import holm
from charthouse.stats.ratios import bootstrap_ratios, ratio_intervals
from small_warehouse import COHORT

BOOTSTRAP = Bootstrap(n=100, seed=0, min_group=10)
PLAYERS = ("demographics", "vitals", "image", "text")
MEMBERS = subsets(PLAYERS)


def ten_stays(groups: Mapping[str, np.ndarray] | None = None) -> Stays:
    y_true = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    ids = np.arange(10)
    return Stays(100 + ids, 900 + ids, y_true, {ALL: np.ones(10, bool)}, groups or {})


def answers(said: str, p_yes: list[float] | None = None) -> Answers:
    """y yes, n no, - refused, e an error, anything else never asked."""
    codes = np.array(list(said))
    return Answers(
        answered=np.isin(codes, ("y", "n", "-")),
        failed=codes == "e",
        decision=np.select([codes == "y", codes == "n"], [1.0, 0.0], np.nan),
        p_yes=np.full(len(codes), np.nan) if p_yes is None else np.array(p_yes),
        answers_hash=said,
    )


def found_by(learner: Learner, stays: Stays, **which: object) -> dict[tuple[str, str], ResultRow]:
    """Counting and metric to the row."""
    which = {"condition": "full", "attribute": None, "subgroup": None} | which
    return {
        (row["counting"], row["metric"]): row
        for row in metric_rows(learner, stays, BOOTSTRAP)
        if which.items() <= row.items()
    }


def values(rows: Mapping[tuple[str, str], ResultRow], counting: str) -> dict[str, float]:
    return {metric: row["value"] for (of, metric), row in rows.items() if of == counting}


def test_a_confusion_matrix_by_hand_with_refusals_both_ways() -> None:
    found = found_by(Learner("a", "f", {"full": answers("yyn-nnny-n")}), ten_stays())
    assert values(found, "answered") == pytest.approx(  # TP 2, FN 1, TN 4, FP 1
        {"accuracy": 6 / 8, "sensitivity": 2 / 3, "specificity": 4 / 5, "ppv": 2 / 3, "f1": 2 / 3}
    )
    assert values(found, "as_wrong") == pytest.approx(  # and one more FN, one more FP
        {"accuracy": 6 / 10, "sensitivity": 2 / 4, "specificity": 4 / 6, "ppv": 2 / 4, "f1": 1 / 2}
    )
    share = found["asked", "share_answered"]
    assert (share["value"], share["n"], share["n_positive"]) == (0.8, 10, 4)
    assert (share["ci_low"], share["reason"]) == (None, "fewer than 10 patients of a class (4)")
    assert {row["n"] for (counting, _), row in found.items() if counting == "answered"} == {8}


def test_errors_and_what_was_never_asked_are_not_scored() -> None:
    """The same figures as if those stays were not there; errors are counted beside them."""
    y_true = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1])
    ids = np.arange(13)
    more = Stays(ids, ids, y_true, {ALL: np.ones(13, bool)}, {})
    p_yes = [0.9, 0.8, 0.4, 0.3, 0.1, 0.2, 0.3, 0.7, 0.5, 0.1]
    full = answers("yyn-nnny-n" + "ee ", [*p_yes, np.nan, np.nan, np.nan])
    found = found_by(Learner("a", "f", {"full": full}), more)
    ten = Stays(ids[:10], ids[:10], y_true[:10], {ALL: np.ones(10, bool)}, {})
    expected = found_by(Learner("a", "f", {"full": answers("yyn-nnny-n", p_yes)}), ten)
    own = {"n_errors": 0, "answers_hash": "yyn-nnny-n"}
    assert {key: row | own for key, row in found.items()} == expected
    assert {row["n_errors"] for row in found.values()} == {2}
    auroc = sklearn_metrics.roc_auc_score(y_true[:10], p_yes)
    assert found["p_yes", "auroc"]["value"] == pytest.approx(auroc)  # refusals have a p_yes too
    assert found["p_yes", "auroc"]["n"] == 10


def test_what_cannot_be_scored_says_why() -> None:
    stays = ten_stays({"gender": np.array(["F"] * 5 + ["M"] * 5, object)})
    found = found_by(Learner("a", "f", {"full": answers("----------")}), stays)
    assert values(found, "as_wrong")["accuracy"] == 0
    assert values(found, "asked") == {"share_answered": 0}
    assert {row["reason"] for (of, _), row in found.items() if of == "answered"} == {
        "no answer is yes or no"
    }
    assert {row["reason"] for (of, _), row in found.items() if of == "p_yes"} == {
        "no answer has a p_yes"
    }
    nothing = Learner("a", "f", {"full": answers("eeeee     ")})
    found = found_by(nothing, stays)
    assert {row["reason"] for (of, _), row in found.items() if of in ("asked", "as_wrong")} == {
        "no question has an answer"
    }
    assert {row["value"] for row in found.values()} == {None}
    assert list(fairness_rows(nothing, stays, BOOTSTRAP)) == []
    assert "unknown" in in_words(nothing, list(metric_rows(nothing, stays, BOOTSTRAP)))


GROUPS = np.array(["F", "F", "F", None, "M", "M", "M", "M", "F", None], object)
BY_TWO = Bootstrap(n=50, seed=0, min_group=2)


def by_gender(learner: Learner, stays: Stays) -> dict[tuple[str, str, str], ResultRow]:
    """Subgroup, counting and metric to the row."""
    return {
        (row["subgroup"], row["counting"], row["metric"]): row
        for row in metric_rows(learner, stays, BY_TWO)
        if row["attribute"] == "gender"
    }


def fairness_of(learner: Learner, stays: Stays) -> dict[tuple[str, str], ResultRow]:
    """Counting and measure to the row."""
    return {(row["counting"], row["metric"]): row for row in fairness_rows(learner, stays, BY_TWO)}


def test_a_subgroup_of_one_class_has_no_rate_of_the_other_and_says_so() -> None:
    learner = Learner("a", "f", {"full": answers("yyn-nnny-e", [0.5] * 9 + [np.nan])})
    stays = ten_stays({"gender": GROUPS})
    found = by_gender(learner, stays)
    for counting in ("answered", "as_wrong"):
        assert found["M", counting, "fpr"]["value"] == 1 / 4
        assert found["M", counting, "accuracy"]["value"] == 3 / 4
        tpr = found["M", counting, "tpr"]
        assert (tpr["value"], tpr["reason"]) == (None, "no positive stay")
    auroc = found["M", "p_yes", "auroc"]
    assert (auroc["value"], auroc["reason"]) == (None, "no positive stay")
    assert found["(missing)", "as_wrong", "accuracy"]["reason"] == "1 stays, fewer than 2"
    assert {group: row["n_errors"] for (group, _, _), row in found.items()} == {
        "F": 0, "M": 0, "(missing)": 1,
    }  # fmt: skip
    odds = fairness_of(learner, stays)["answered", "equalized_odds_ratio"]
    assert odds["left_out"] == ["F", "M", "(missing)"]  # the refused one was F's only negative
    assert odds["reason"]


def test_a_subgroup_by_hand_with_refusals_both_ways() -> None:
    """Of F: yes, yes, no to three with the outcome, a refusal to one without."""
    learner = Learner("a", "f", {"full": answers("yyn-nnny-e", [0.5] * 9 + [np.nan])})
    found = by_gender(learner, ten_stays({"gender": GROUPS}))
    of_f: dict[str, dict[str, object]] = {}
    for (group, counting, metric), row in found.items():
        if group == "F" and counting != "p_yes":
            of_f.setdefault(counting, {})[metric] = row["value"]
    assert of_f["asked"] == {"share_answered": 3 / 4}
    assert of_f["answered"] == pytest.approx(  # TP 2, FN 1
        {"accuracy": 2 / 3, "tpr": 2 / 3, "fpr": None, "selection_rate": 2 / 3, "ppv": 1,
         "f1": 4 / 5}
    )  # fmt: skip
    assert of_f["as_wrong"] == pytest.approx(  # and one FP
        {"accuracy": 2 / 4, "tpr": 2 / 3, "fpr": 1, "ppv": 2 / 3, "f1": 4 / 6}
    )
    assert {found["F", counting, "accuracy"]["n"] for counting in ("answered", "as_wrong")} == {
        3, 4,
    }  # fmt: skip


def test_a_subgroup_that_only_refuses_is_not_lost() -> None:
    learner = Learner("a", "f", {"full": answers("yyn-----ye")})
    stays = ten_stays({"gender": GROUPS})
    found = by_gender(learner, stays)
    assert found["M", "asked", "share_answered"]["value"] == 0
    assert found["M", "as_wrong", "accuracy"]["value"] == 0
    alone = found["M", "answered", "accuracy"]
    assert (alone["value"], alone["n"], alone["reason"]) == (None, 0, "no answer is yes or no")
    parity = fairness_of(learner, stays)["answered", "demographic_parity_ratio"]
    assert "M" in parity["left_out"]


def test_demographic_parity_does_not_depend_on_the_outcome() -> None:
    """A refusal is a decision of no kind: it selects nobody, whatever came of the stay."""
    said = answers("yyn-nnny-e")
    stays = ten_stays({"gender": GROUPS})
    other_way = Stays(
        stays.stay_ids, stays.subject_ids, 1 - stays.y_true, stays.populations, stays.groups
    )
    both = [fairness_of(Learner("a", "f", {"full": said}), each) for each in (stays, other_way)]
    parity = [
        {key: row["value"] for key, row in found.items() if "demographic" in key[1]}
        for found in both
    ]
    assert parity[0] == parity[1] == {
        ("answered", "demographic_parity_ratio"): pytest.approx((1 / 4) / (2 / 3)),
        ("answered", "demographic_parity_difference"): pytest.approx(2 / 3 - 1 / 4),
    }  # fmt: skip
    assert {counting for counting, metric in both[0] if metric == "equalized_odds_ratio"} == {
        "answered", "as_wrong",
    }  # fmt: skip


# Shapley values

TEN = (ten_stays(), BOOTSTRAP, PLAYERS, PLAYERS)
"""What contributions are of, each section being a player."""


def brute_force(worth: Mapping[frozenset[str], float]) -> list[float]:
    """What each player adds, over all orders in which they may come."""
    values = dict.fromkeys(PLAYERS, 0.0)
    for order in permutations(PLAYERS):
        for place, player in enumerate(order):
            before = frozenset(order[:place])
            values[player] += worth[before | {player}] - worth[before]
    return [values[player] / factorial(len(PLAYERS)) for player in PLAYERS]


def asked_all(worth: np.ndarray) -> Learner:
    """A learner with these p_yes [n, coalitions]."""
    conditions = {
        each.name: answers("y" * len(worth), worth[:, place].tolist())
        for place, each in enumerate(coalitions(PLAYERS))
    }
    return Learner("a", "f", conditions)


def place_of(name: str) -> int:
    return [each.name for each in coalitions(PLAYERS)].index(name)


def test_shapley_values_are_those_of_all_24_orders_and_sum_to_what_there_is() -> None:
    assert len(set(MEMBERS)) == 16
    worth = np.random.default_rng(3).random((40, 16))
    found = shapley_values(worth, PLAYERS)
    for stay in range(40):
        expected = brute_force(dict(zip(MEMBERS, worth[stay].tolist(), strict=True)))
        assert np.abs(found[stay] - expected).max() < 1e-12
    whole = worth[:, place_of("full")] - worth[:, place_of("given[]")]
    assert np.abs(found.sum(axis=1) - whole).max() < 1e-12
    assert MEMBERS[place_of("text_only")] == {"demographics", "vitals", "text"}
    assert MEMBERS[place_of("image_only")] == {"image"}


def test_evidence_that_changes_nothing_has_exactly_nothing() -> None:
    rng = np.random.default_rng(4)
    of_others = {members: rng.random() for members in MEMBERS if "image" not in members}
    worth = np.array([[of_others[members - {"image"}] for members in MEMBERS]])
    assert shapley_values(worth, PLAYERS)[0, PLAYERS.index("image")] == 0.0
    constant = asked_all(np.full((10, 16), 0.3))
    found = {(row["modality"], row["metric"]): row for row in contribution_rows(constant, *TEN)}
    assert {row["value"] for (_, metric), row in found.items() if metric != "share"} == {0.0}
    assert {(row["value"], row["reason"]) for (_, metric), row in found.items()
            if metric == "share"} == {(None, "nothing moves p_yes")}  # fmt: skip


def test_contributions_are_of_the_stays_that_have_all_sixteen() -> None:
    worth = np.random.default_rng(5).random((10, 16))
    worth[2, 7] = np.nan
    found = {
        (row["modality"], row["metric"]): row for row in contribution_rows(asked_all(worth), *TEN)
    }
    values = shapley_values(np.delete(worth, 2, axis=0), PLAYERS)
    total = np.abs(values).sum()
    for place, player in enumerate(PLAYERS):
        of_player = np.abs(values[:, place])
        assert found[player, "mean_absolute"]["value"] == pytest.approx(of_player.mean())
        assert found[player, "mean"]["value"] == pytest.approx(values[:, place].mean())
        assert found[player, "share"]["value"] == pytest.approx(of_player.sum() / total)
        assert {found[player, metric]["n"] for metric in ("mean", "share")} == {9}
        assert found[player, "mean"]["n_positive"] == 3
    shares = [row["value"] for (_, metric), row in found.items() if metric == "share"]
    assert sum(shares) == pytest.approx(1, abs=1e-12)
    never = asked_all(np.full((10, 16), np.nan))
    assert {row["reason"] for row in contribution_rows(never, *TEN)} == {
        "no stay has a p_yes under every coalition"
    }
    some = {name: each for name, each in never.conditions.items() if name != "given[vitals]"}
    assert list(contribution_rows(Learner("a", "f", some), *TEN)) == []


# Groups of sections


SEVEN = (*PLAYERS, "labs", "medications", "diagnoses")
FIVE = ("demographics", "vitals+labs", "image", "text", "medications+diagnoses")


def game(some: frozenset[str]) -> float:
    """A P(yes) by hand: groups that add by themselves, two that only add together, one in vain."""
    alone = {"demographics": 0.05, "vitals+labs": 0.2, "medications+diagnoses": 0.1}
    together = {"image", "text"} <= some, {"vitals+labs", "demographics"} <= some
    return (
        0.1 + sum(alone.get(group, 0) for group in some) + 0.06 * together[0] + 0.12 * together[1]
    )


def test_five_groups_by_hand() -> None:
    """What two add together, each has half of."""
    worth = np.array([[game(some) for some in subsets(FIVE)]])
    assert worth.shape == (1, 32)
    [found] = shapley_values(worth, FIVE)
    assert dict(zip(FIVE, found.tolist(), strict=True)) == pytest.approx(
        {
            "demographics": 0.05 + 0.06,
            "vitals+labs": 0.2 + 0.06,
            "image": 0.03,
            "text": 0.03,
            "medications+diagnoses": 0.1,
        },
        abs=1e-15,
    )


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_values_of_any_groups_sum_to_full_minus_nothing(n: int) -> None:
    worth = np.random.default_rng(n).random((30, 2**n))
    whole = worth[:, -1] - worth[:, 0]
    assert np.abs(shapley_values(worth, FIVE[:n]).sum(axis=1) - whole).max() < 1e-14


def test_groups_that_add_the_same_to_every_set_have_the_same_value() -> None:
    rng = np.random.default_rng(7)
    one, other = "vitals+labs", "text"
    of_sizes: dict[tuple[frozenset[str], int], float] = {}
    worth = [
        of_sizes.setdefault((some - {one, other}, len(some & {one, other})), rng.random())
        for some in subsets(FIVE)
    ]
    [values] = shapley_values(np.array([worth]), FIVE)
    assert values[FIVE.index(one)] == pytest.approx(values[FIVE.index(other)], abs=1e-15)


def test_joined_sections_have_what_they_add_together_not_what_each_adds() -> None:
    """A group is one player: its value is that of the game in which its sections come at once."""
    sections = ("demographics", "vitals", "labs")
    worth = {some: float(len(some) == 3) for some in subsets(sections)}  # only all together
    [alone] = shapley_values(np.array([[*worth.values()]]), sections)
    assert alone.tolist() == pytest.approx([1 / 3] * 3)
    groups = ("demographics", "vitals+labs")
    joined = [worth[frozenset("+".join(some).split("+")) - {""}] for some in subsets(groups)]
    [values] = shapley_values(np.array([joined]), groups)
    assert values.tolist() == [0.5, 0.5]


def test_the_default_has_the_conditions_that_it_had() -> None:
    """By name, in order, with what is told and shown: paid answers are kept by these."""
    assert [(each.name, each.sections, each.picture) for each in coalitions(PLAYERS)] == [
        ("given[]", (), "none"),
        ("given[demographics]", ("demographics",), "none"),
        ("given[vitals]", ("vitals",), "none"),
        ("image_only", (), "own"),
        ("given[text]", ("text",), "none"),
        ("given[demographics+vitals]", ("demographics", "vitals"), "none"),
        ("given[demographics+image]", ("demographics",), "own"),
        ("given[demographics+text]", ("demographics", "text"), "none"),
        ("given[vitals+image]", ("vitals",), "own"),
        ("given[vitals+text]", ("vitals", "text"), "none"),
        ("given[image+text]", ("text",), "own"),
        ("given[demographics+vitals+image]", ("demographics", "vitals"), "own"),
        ("text_only", ("demographics", "vitals", "text"), "none"),
        ("given[demographics+image+text]", ("demographics", "text"), "own"),
        ("given[vitals+image+text]", ("vitals", "text"), "own"),
        ("full", ("demographics", "vitals", "text"), "own"),
    ]
    assert coalitions(PLAYERS, PLAYERS) == coalitions(PLAYERS)
    assert [*conditions(PLAYERS)][:5] == [
        "full", "text_only", "image_only", "blank_image", "other_image",
    ]  # fmt: skip
    assert len(conditions(PLAYERS)) == 18


def test_a_coalition_of_groups_is_named_for_its_sections_in_their_order() -> None:
    """So an answer serves under every grouping, however the groups are written."""
    sections = ("demographics", "vitals", "labs", "image", "text")
    found = coalitions(sections, ("vitals+labs", "text+demographics", "image"))
    assert [each.name for each in found] == [
        "given[]",
        "given[vitals+labs]",
        "given[demographics+text]",
        "image_only",
        "text_only",
        "given[vitals+labs+image]",
        "given[demographics+image+text]",
        "full",
    ]
    known = conditions(sections)
    assert all(each == known[each.name] for each in found)
    assert condition_named("given[labs + vitals]", sections) == found[1]
    assert found[6] == Condition(found[6].name, ("demographics", "text"), "own")
    with_picture = coalitions(sections, ("image+text", "demographics+vitals+labs"))
    assert [each.name for each in with_picture] == [
        "given[]", "given[image+text]", "given[demographics+vitals+labs]", "full",
    ]  # fmt: skip


def test_profiles_that_tell_of_no_picture_have_no_controls_of_it() -> None:
    """`full` is then what the profile says, and the stays need no picture for it."""
    assert [*conditions(("vitals", "labs"))] == ["full", "given[]", "given[vitals]", "given[labs]"]
    full = condition_named("full", ("vitals", "labs"))
    assert full == Condition("full", ("vitals", "labs"), "none") and not full.needs_picture
    with pytest.raises(CharthouseError, match="'blank_image' is none of full, or a coalition"):
        condition_named("blank_image", ("vitals", "labs"))


def test_contributions_of_groups_need_the_coalitions_of_the_groups_alone() -> None:
    five = coalitions(SEVEN, FIVE)
    worth = np.random.default_rng(8).random((10, 32))
    asked = {
        each.name: answers("y" * 10, worth[:, place].tolist()) for place, each in enumerate(five)
    }
    learner = Learner("a", "f", asked)
    rows = list(contribution_rows(learner, ten_stays(), BOOTSTRAP, SEVEN, FIVE))
    means = {row["modality"]: row["value"] for row in rows if row["metric"] == "mean"}
    expected = shapley_values(worth, FIVE).mean(axis=0)
    assert means == pytest.approx(dict(zip(FIVE, expected.tolist(), strict=True)))
    assert not [*contribution_rows(learner, ten_stays(), BOOTSTRAP, SEVEN, SEVEN)]


def test_more_than_five_sections_are_not_asked_about_one_by_one() -> None:
    request = AskRequest(shapley=10)
    with pytest.raises(CharthouseError, match=r"--shapley: .* 7 sections.* 128 for each.*groups"):
        request.conditions_of_a_sample(SEVEN, SEVEN)
    assert len(request.conditions_of_a_sample(SEVEN, FIVE)) == 32
    assert AskRequest().conditions_of_a_sample(SEVEN, SEVEN) == ()


@pytest.mark.parametrize(
    ("setting", "groups"),
    [
        (None, PLAYERS),
        ([*PLAYERS], PLAYERS),
        (["image", "text + vitals", "demographics"], ("image", "vitals+text", "demographics")),
        ([["text", "image"], ["vitals", "demographics"]], ("image+text", "demographics+vitals")),
    ],
)
def test_groups_are_read_in_every_form(
    setting: list[str] | list[list[str]] | None, groups: tuple[str, ...]
) -> None:
    variables = {"profile_sections": [*PLAYERS], "shapley_groups": setting}
    assert replace(COHORT, variables=variables).shapley_groups == groups


def test_ratios_are_those_of_the_rows_of_each_resample() -> None:
    rng = np.random.default_rng(6)
    subjects = rng.integers(50, 70, size=40)
    numerators, denominators = rng.normal(size=(40, 3)), rng.random(40)
    value, drawn = bootstrap_ratios(numerators, denominators, subjects, 30, 9)
    assert np.allclose(value, numerators.sum(axis=0) / denominators.sum(), atol=1e-14)
    patients = np.unique(subjects)
    for resample, weights in zip(drawn, patient_weights(subjects, 30, 9), strict=True):
        rows = np.repeat(np.arange(40), weights[np.searchsorted(patients, subjects)])
        expected = numerators[rows].sum(axis=0) / denominators[rows].sum()
        assert np.allclose(resample, expected, atol=1e-12)
    y_true = rng.integers(2, size=40)
    [none] = ratio_intervals(numerators[:, :1], np.zeros(40), y_true, subjects, 30, 9, "why")
    assert np.isnan(none.value) and none.reason == "why"


# The picture


def conditions_of_pictures(seen: Callable[[str], float]) -> dict[str, Answers]:
    """Thirty stays under full and what lacks the picture; `seen` is what it adds to p_yes."""
    text = np.tile(np.linspace(0.05, 0.85, 10), 3)
    found = {}
    for name in ("full", "text_only", "blank_image", "other_image"):
        p_yes = np.clip(text + seen(name), 0, 1)
        found[name] = answers("".join("n" if p < 0.5 else "y" for p in p_yes), p_yes.tolist())
    return found


def thirty_stays() -> Stays:
    """Ten with the outcome and twenty without."""
    ids = np.arange(30)
    return Stays(100 + ids, 900 + ids, np.tile([1, 0, 0], 10), np.ones(30, bool), {})


def compared(*learners: Learner, stays: Stays | None = None) -> dict[tuple, ResultRow]:
    rows = comparison_rows(learners, (), stays or thirty_stays(), BOOTSTRAP)
    return {(row["learner"], row["other_condition"], row["metric"]): row for row in rows}


def test_a_learner_that_ignores_the_picture_differs_by_exactly_nothing() -> None:
    blind = Learner("blind", "f", conditions_of_pictures(lambda name: 0.0))
    found = compared(blind)
    assert len(found) == 3 * 5
    for row in found.values():
        assert row["question"] == "uses_the_picture" and row["other_learner"] == "blind"
        assert row["difference"] == 0
        no_test = row["metric"] in ("changed", "p_yes_moved")
        assert row["p_value"] == (None if no_test else 1)
        if row["metric"] == "changed":  # a share of 30 who all agree
            of_thirty = pytest.approx((0, 1 - 0.025 ** (1 / 30)), abs=1e-12)
            assert (row["ci_low"], row["ci_high"]) == of_thirty and row["reason"] is None
        else:
            assert row["reason"] == "the same in every resample" and row["ci_low"] is None


@pytest.mark.parametrize("positive", [9, 10])
def test_a_learner_that_saw_a_few_patients_of_a_class_has_no_intervals(positive: int) -> None:
    y_true, ids = (np.arange(30) < positive).astype(int), np.arange(30)
    stays = Stays(ids, ids, y_true, np.ones(30, bool), {"sex": np.array(["F"] * 30, object)})
    conditions = conditions_of_pictures(lambda n: 0.3 if n == "full" else 0.0)
    learner = Learner("a", "f", conditions)
    rows = [*compared(learner, stays=stays).values(), *metric_rows(learner, stays, BOOTSTRAP)]
    few = f"fewer than 10 patients of a class ({positive})"
    if positive < 10:
        assert {row["ci_low"] for row in rows} == {row.get("p_value") for row in rows} == {None}
        assert few in {row["reason"] for row in rows}
    else:
        assert few not in {row["reason"] for row in rows}
        known = {row["metric"] for row in rows if row["ci_low"] is not None}
        assert {"accuracy", "auroc", "changed", "p_yes_moved", "share_answered"} <= known


def test_the_more_is_asked_the_more_resamples_there_are_and_some_p_can_be_small() -> None:
    """9 learners against each other are 36 pairs: of 100 resamples none could be under 0.05."""
    ids, y_true = np.arange(60), np.tile([1, 0, 0], 20)
    stays = Stays(ids, 900 + ids, y_true, {ALL: np.ones(60, bool)}, {})
    said = ["".join(np.where(y_true == 1, "y", "n")), *["y" * 60] * 8]
    learners = [Learner(f"l{i}", "f", {"full": answers(each)}) for i, each in enumerate(said)]
    rows = comparison_rows(learners, (), stays, BOOTSTRAP)
    assert {row["question"] for row in rows} == {"learner_against_learner"}
    assert {(row["n_asked"], row["n_resamples"]) for row in rows} == {(36, 36 * 40)}
    assert sum(adjusted < 0.05 for adjusted in holm([row["p_value"] for row in rows])) == 8
    assert {(row["is_primary"], row["p_adjusted"]) for row in rows} == {(False, None)}
    [one, *_] = comparison_rows(learners[:2], (), stays, BOOTSTRAP)
    assert one["n_resamples"] == BOOTSTRAP.n


def test_a_learner_that_sees_the_picture_is_moved_by_it() -> None:
    seeing = Learner("seeing", "f", conditions_of_pictures(lambda n: 0.3 if n == "full" else 0.0))
    found = compared(seeing)
    full, text = (seeing.conditions[name] for name in ("full", "text_only"))
    moved = np.abs(full.p_yes - text.p_yes)
    changed = found["seeing", "text_only", "changed"]
    assert changed["difference"] == (full.decision != text.decision).mean() == 0.4
    assert changed["ci_low"] > 0
    row = found["seeing", "text_only", "p_yes_moved"]
    assert row["difference"] == pytest.approx(moved.mean())
    assert row["ci_low"] < moved.mean() < row["ci_high"]
    brier = [((each.p_yes - thirty_stays().y_true) ** 2).mean() for each in (full, text)]
    assert found["seeing", "text_only", "brier"]["difference"] == pytest.approx(brier[0] - brier[1])


def test_only_stays_asked_under_both_are_compared_and_a_refusal_is_another_answer() -> None:
    conditions = {"full": answers("yyn-nnny-e"), "text_only": answers("yyy--nn  n")}
    found = compared(Learner("a", "f", conditions), stays=ten_stays())
    assert {key[2] for key in found} == {"accuracy", "changed"}  # no p_yes, so none of its metrics
    changed, accuracy = (found["a", "text_only", metric] for metric in ("changed", "accuracy"))
    assert changed["n"] == accuracy["n"] == 7
    assert changed["difference"] == pytest.approx(
        2 / 7
    )  # n to y, n to refused; refused twice is not
    # full: y y n - n n n is right in 5 of 7; text_only: y y y - - n n likewise
    assert accuracy["difference"] == 0
