"""Figures of predictions: each is recomputed here from the rows it says it is of."""

import inspect
import shutil
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import duckdb
import numpy as np
import pytest
import shap
from fairlearn.metrics import demographic_parity_ratio, equalized_odds_ratio
from sklearn.metrics import average_precision_score, roc_auc_score
from test_evaluate_learners import plant

from bench import PROJECT, UNTESTED, Bench
from charthouse.cli.jobs import evaluate as evaluate_command
from charthouse.core.cohort import read_cohort
from charthouse.core.errors import CharthouseError
from charthouse.core.warehouse import open_warehouse
from charthouse.jobs.evaluate.attribution import Linear, absolute_contributions, shares
from charthouse.jobs.evaluate.comparisons import UNTESTED as NOT_TESTED
from charthouse.jobs.evaluate.explain import explain
from charthouse.jobs.evaluate.planned_comparisons import plan_comparisons
from charthouse.jobs.evaluate.run import EvaluateRequest, evaluate
from charthouse.jobs.evaluate.run import _how_sure as how_sure_of
from charthouse.jobs.evaluate.scored import Scored, Stays
from charthouse.jobs.predict.arms import parse_arm
from charthouse.models.encoders.registry import encoder_specs
from charthouse.models.fusions.base import Feature
from charthouse.stats.bootstrap import bootstrap_metrics
from charthouse.stats.fairness import MIN_GROUP
from charthouse.stats.metrics import METRICS, choose_threshold, compute_metrics
from charthouse.stats.samples import OperatingPoint
from small_disk import fill, needs_root, small_disk
from too_few import intervals_of_too_few

SPECS = encoder_specs(PROJECT)
TASK = "in_hospital_mortality"  # 4 test patients died: too few for an interval
LONG = "icu_stay_over_3_days"  # 14 stayed, 23 did not
ASKED = ("--task", TASK, "--task", LONG)
FEW = "fewer than 10 patients of a class (4)"
BEST = "structured[fixed_interval]"
ALL = f"{BEST}+image[pixel_pca]+text[tfidf_svd]"


@pytest.fixture(scope="module")
def evaluated(built: Bench, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Every default arm that the classical encoders allow, for the paper's tasks; read only."""
    folder = tmp_path_factory.mktemp("evaluated")
    shutil.copy(built.warehouse, folder / "warehouse.duckdb")
    bench = Bench(built.raw, folder / "warehouse.duckdb", folder)
    encoders = ("demographics", "fixed_interval", "summary", "tfidf_svd", "pixel_pca")
    for command in (
        ("embed", *(word for name in encoders for word in ("--encoder", name))),
        ("predict", *ASKED),
        ("evaluate", "--bootstraps", "200"),
    ):
        done = bench.charthouse(*command)
        assert done.returncode == 0, done.stderr
    return bench


@pytest.fixture
def own(evaluated: Bench, tmp_path: Path) -> Bench:
    """A copy of it, for a test to spoil."""
    shutil.copy(evaluated.warehouse, tmp_path / "warehouse.duckdb")
    return Bench(evaluated.raw, tmp_path / "warehouse.duckdb", tmp_path)


def write(bench: Bench, statement: str) -> None:
    with duckdb.connect(str(bench.warehouse)) as database:
        database.execute(statement)


def scores(bench: Bench, arm: str, split: str, where: str = "true", task: str = TASK) -> np.ndarray:
    """[2, n]: outcomes and scores."""
    return np.array(
        bench.sql(
            "select y_true, y_score from results.predictions inner join marts.cohort"
            f" using (stay_id, split) where task = '{task}' and arm = '{arm}'"
            f" and split = '{split}' and {where} order by stay_id"
        )
    ).T


# Metrics


@pytest.mark.parametrize(
    ("population", "where"),
    [
        ("all", "true"),
        ("complete", "has_vitals and has_image and has_text"),
        ("mimic_cxr_years", "era_from >= 2011 and era_to <= 2016"),
    ],
)
def test_metrics_are_those_of_the_predictions(
    evaluated: Bench, population: str, where: str
) -> None:
    y_true, y_score = scores(evaluated, ALL, "test", where)
    threshold = choose_threshold(*scores(evaluated, ALL, "validation"))
    found = {
        metric: (value, n, n_positive, at)
        for metric, value, n, n_positive, at in evaluated.sql(
            "select metric, value, n, n_positive, threshold from results.metrics"
            f" where task = '{TASK}' and arm = '{ALL}' and split = 'test'"
            f" and population = '{population}'"
        )
    }
    n, positive = len(y_true), int(y_true.sum())
    assert n > 5
    if 0 < positive < n:
        assert found["auroc"] == (pytest.approx(roc_auc_score(y_true, y_score)), n, positive, None)
        assert found["auprc"][0] == pytest.approx(average_precision_score(y_true, y_score))
        sensitivity = (y_score[y_true == 1] >= threshold).mean()
        assert found["sensitivity"][::3] == (pytest.approx(sensitivity), threshold)
    assert found["accuracy"][::3] == (pytest.approx(((y_score >= 0.5) == y_true).mean()), 0.5)


def test_every_null_has_its_reason(evaluated: Bench) -> None:
    for table in ("metrics", "subgroup_metrics", "fairness", "comparisons", "contributions",
                  "curves"):  # fmt: skip
        assert evaluated.one(
            f"select count(*) from results.{table} where ci_low is null and reason is null"
        ) == 0, table  # fmt: skip


def test_nothing_has_an_interval_that_its_patients_do_not_carry(evaluated: Bench) -> None:
    assert intervals_of_too_few(evaluated) == []
    by_task = dict(evaluated.sql(
        "select task, count(auroc_low) from reports.leaderboard where population = 'all' group by 1"
    ))  # fmt: skip
    assert by_task[TASK] == 0 < by_task[LONG]
    board = evaluated.charthouse("leaderboard").stdout
    assert f"no interval: {FEW}" in board
    ((auroc, value, majority),) = evaluated.sql(
        "select auroc, auroc_value, majority_accuracy from reports.leaderboard"
        f" where task = '{TASK}' and arm = '{BEST}' and population = 'all'"
    )
    assert auroc == f"{value:.4f} (no interval)" and f"{value:.3f} (no interval)" in board
    y_true, _ = scores(evaluated, BEST, "test")
    assert majority == pytest.approx(1 - y_true.mean())


@pytest.mark.parametrize(
    ("table", "spoil"),
    [
        ("results.metrics", "update results.metrics set ci_low = 0.9, ci_high = 1.0"),
        ("reports.leaderboard auroc", "update results.metrics set ci_low = 0.9, ci_high = 1.0"),
        ("results.comparisons", "update results.comparisons set p_value = 0.01"),
        ("patients of results.curves", "update results.curves set ci_low = 0.1"),
        ("patients of results.fairness", "update results.fairness set ci_low = 0.1"),
        ("patients of results.subgroup_metrics", "update results.subgroup_metrics set ci_high = 1"),
        ("results.metrics of no width", "update results.metrics set ci_low = 1, ci_high = 1"),
        ("results.curves without a reason", "update results.curves set reason = null"),
    ],
)
def test_the_sweep_over_intervals_finds_one_that_is_planted(
    evaluated: Bench, tmp_path: Path, table: str, spoil: str
) -> None:
    shutil.copy(evaluated.warehouse, tmp_path / "warehouse.duckdb")
    bench = Bench(evaluated.raw, tmp_path / "warehouse.duckdb", tmp_path)
    write(bench, f"{spoil} where task = '{TASK}'")
    assert any(found.startswith(f"{table}: ") for found in intervals_of_too_few(bench))


def test_arms_that_are_constant_or_separate_the_classes_say_nothing_of_precision() -> None:
    rng = np.random.default_rng(0)
    subjects = np.arange(200)
    y_true = (subjects < 60).astype(int)

    def said(*scores: np.ndarray, patients: int = 200) -> str:
        rows = subjects < patients
        test = Stays(subjects[rows], subjects[rows], y_true[rows], rows[rows], {})
        whom = y_true[rows], subjects[rows]
        found = [
            bootstrap_metrics(whom[0], each[rows], whom[1], 0.5, ["auroc"], 50) for each in scores
        ]
        arms = [SimpleNamespace(by_population={("test", "all"): each}) for each in found]
        return how_sure_of(arms, test)  # type: ignore[arg-type]

    usual = 0.3 + 0.2 * y_true + 0.3 * rng.random(200)
    constant, perfect = np.full(200, 0.5), y_true * 1.0
    alone = said(usual)
    assert "AUROC is known to about ±0.0" in alone
    assert said(usual, constant, constant, perfect, 1 - perfect, constant) == alone
    assert "there is no interval of an arm's AUROC" in said(constant, perfect)
    few = said(usual, patients=69)  # 9 without the outcome
    assert "conclude nothing: fewer than 10 patients of a class (9)" in few and "±" not in few


def test_a_validation_split_of_one_class_leaves_no_threshold_and_says_so(own: Bench) -> None:
    write(own, "update results.predictions set y_true = 0 where split = 'validation'")
    write(own, "update marts.labels set label = 0 where stay_id in"
               " (select stay_id from marts.cohort where split = 'validation')")  # fmt: skip
    done = own.charthouse("evaluate", "--task", TASK, "--bootstraps", "50")
    assert done.returncode == 0, done.stderr
    found = own.sql(
        "select metric, value is null, reason from results.metrics where split = 'test'"
        f" and population = 'all' and task = '{TASK}' and arm = '{BEST}'"
    )
    reason = "no threshold: the validation split has one class"
    assert {name for name, _, why in found if why == reason} == {
        "sensitivity", "specificity", "ppv", "f1",
    }  # fmt: skip
    assert ("auroc", False, FEW) in found
    assert own.one(
        "select count(*) from results.subgroup_metrics where metric = 'tpr' and value is not null"
        f" and task = '{TASK}'"
    ) == 0  # fmt: skip


@needs_root
def test_a_full_disk_is_one_line_and_no_figure_is_lost(own: Bench, tmp_path: Path) -> None:
    watch = nullcontext(lambda done, total: None)
    figures = "select run_id, metric, population, value from results.metrics order by all"
    before = own.sql(figures)
    with small_disk(tmp_path, own.warehouse.stat().st_size + 8_000_000) as small:
        full = Bench(own.raw, Path(shutil.copy(own.warehouse, small)), tmp_path)

        def run() -> None:
            options = EvaluateRequest(tasks=[TASK], n_bootstrap=20)
            evaluate(PROJECT, full.warehouse, options, say=print, watch=lambda *_: watch)

        for room in (0, 40_000):
            filler = fill(small, but=room)
            with pytest.raises(CharthouseError, match=r"cannot be written \(no space left on its"):
                run()
            filler.unlink()
            assert full.sql(figures) == before
        run()
        assert full.sql(figures) == before


def quietly(bench: Bench, options: EvaluateRequest, watch: object = None) -> list[str]:
    """What is said."""
    silent, said = nullcontext(lambda done, total: None), []
    evaluate(PROJECT, bench.warehouse, options, say=said.append,
             watch=watch or (lambda *_: silent))  # type: ignore[arg-type]  # fmt: skip
    return said


@pytest.mark.parametrize("step", [1, 7, 8])
def test_a_killed_evaluation_changes_nothing_that_stands(own: Bench, step: int) -> None:
    """After the first of 7 arms, after the last, after the comparisons: all is written later."""
    tables = ("metrics", "comparisons", "subgroup_metrics", "fairness", "contributions", "curves")
    of_task = f"from results.{{}} where task = '{TASK}' order by all"
    before = [own.sql(f"select * {of_task}".format(table)) for table in tables]

    def told(done: int, total: int) -> None:
        assert total == 8
        if done == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quietly(
            own, EvaluateRequest(tasks=[TASK], n_bootstrap=10, seed=8), lambda *_: nullcontext(told)
        )
    after = [own.sql(f"select * {of_task}".format(table)) for table in tables]
    evaluations = own.sql(
        f"select distinct evaluation_run_id from reports.arms where task = '{TASK}'"
    )
    assert len(evaluations) == 1
    assert after == before


def test_arms_that_use_images_are_compared_within_the_mimic_cxr_years_when_split_by_era(
    own: Bench,
) -> None:
    write(
        own,
        "update marts.cohort_definition"
        """ set variables = json_merge_patch(variables, '{"split_by": "era"}')""",
    )
    asked = own.sql("select stay_id from marts.cohort where split = 'test'")
    plant(own.warehouse, "gpt_4o_mini", {"full": {stay: ("yes", 0.6) for (stay,) in asked}},
          task=TASK)  # fmt: skip
    said = quietly(own, EvaluateRequest(tasks=[TASK], n_bootstrap=10))
    years, stays = own.sql(
        "select count(*) filter (where in_mimic_cxr_years), count(*) from marts.cohort"
        " where split = 'test'"
    )[0]
    assert f"within the MIMIC-CXR years alone, on {years} of {stays} test stays" in said[-1]
    found = own.sql(
        "select arm, other_arm, array_agg(distinct population order by population),"
        " count(attribute) from results.comparisons"
        f" where task = '{TASK}' group by all"
    )
    assert {"adds image", "content beyond presence", "adds text"} <= {
        question for (question,) in own.sql("select question from results.comparisons")
    }
    for arm, other, populations, fairness in found:
        if "image" in arm or "image" in other or other == "presence":
            assert populations == ["mimic_cxr_years"] and not fairness
        else:
            assert populations == ["all", "complete", "mimic_cxr_years"]
    beside = own.sql(
        "select distinct other_arm, n from results.learner_comparisons where metric = 'auroc'"
        f" and task = '{TASK}' and question = 'learner_against_arm'"
    )
    assert {"image" in other for other, _ in beside} == {True, False}
    for other, n in beside:
        assert n == (years if "image" in other or other == "presence" else stays), other


def test_no_stay_of_the_mimic_cxr_years_is_said_and_leaves_reasons(own: Bench) -> None:
    write(own, "update marts.cohort set in_mimic_cxr_years = false")
    said = quietly(own, EvaluateRequest(tasks=[TASK], n_bootstrap=10))
    assert "No test stay lies within the MIMIC-CXR years" in said[-1]
    (found,) = own.sql(
        "select max(n), count(value), count(*) = count(reason), count(*) > 0 from results.metrics"
        f" where population = 'mimic_cxr_years' and task = '{TASK}'"
    )
    assert found == (0, 0, True, True)


def test_an_arm_saw_mimic_if_any_of_its_encoders_did(own: Bench) -> None:
    def of_arms() -> dict[str, str]:
        asked = f"select arm, saw_mimic from reports.arms where task = '{TASK}'"
        return dict(own.sql(asked))

    assert set(of_arms().values()) == {"no"}
    write(own, "update seeds.encoders set saw_mimic = 'unknown' where encoder = 'tfidf_svd'")
    write(own, "update seeds.encoders set saw_mimic = 'yes' where encoder = 'pixel_pca'")
    expected = {
        arm: "yes" if "pixel_pca" in arm else "unknown" if "tfidf_svd" in arm else "no"
        for arm in of_arms()
    }
    assert of_arms() == expected and set(expected.values()) == {"yes", "unknown", "no"}
    assert expected["presence"] == "no"
    assert set(
        own.sql(
            "select arm, saw_mimic, other_arm, other_saw_mimic from reports.comparisons"
            f" where task = '{TASK}'"
        )
    ) == {
        (arm, expected[arm], other, expected[other])
        for arm, other in own.sql(
            f"select arm, other_arm from results.comparisons where task = '{TASK}'"
        )
    }
    board = own.sql(f"select arm, saw_mimic from reports.leaderboard where task = '{TASK}'")
    ours = {arm: saw for arm, saw in board if arm in expected}
    assert ours == expected
    theirs = {arm: saw for arm, saw in board if arm not in expected}
    assert theirs["structured[gru]+image[cxr_foundation]"] == "yes"
    assert theirs["structured[gru]+image[swin]+text[radbert]"] == "unknown"
    assert theirs["structured[moment]"] == "no"


def test_what_is_named_twice_is_evaluated_once(own: Bench) -> None:
    pair = ("structured[summary]", ALL)
    quietly(own, EvaluateRequest(tasks=[TASK] * 2, attributes=["gender"] * 2, compare=[pair] * 2,
                         n_bootstrap=10))  # fmt: skip
    for table, key in {
        "subgroup_metrics": "run_id, attribute, subgroup, metric",
        "fairness": "run_id, attribute, metric",
        "comparisons": "question, run_id, other_run_id, population, attribute, metric",
    }.items():
        assert own.one(
            f"select count(*) - count(distinct ({key})) from results.{table} where task = '{TASK}'"
        ) == 0, table  # fmt: skip
    asked = "select distinct n_asked from results.comparisons where question = 'asked for'"
    assert own.sql(asked) == [(1,)]


def test_the_command_and_its_options_have_the_same_defaults() -> None:
    given = inspect.signature(evaluate_command).parameters
    assert given["min_group"].default == EvaluateRequest().min_group == MIN_GROUP
    assert given["bootstraps"].default == EvaluateRequest().n_bootstrap
    assert given["seed"].default == EvaluateRequest().seed


def test_another_evaluation_replaces_the_first(own: Bench) -> None:
    counts = "select count(*), count(distinct evaluation_run_id) from results.{}"
    tables = ("metrics", "comparisons", "subgroup_metrics", "fairness", "contributions", "curves")
    before = [own.sql(counts.format(table)) for table in tables]
    values = "select run_id, metric, population, value from results.metrics order by all"
    first = own.sql(values)
    assert own.charthouse("evaluate", "--bootstraps", "50", "--seed", "3").returncode == 0
    assert [own.sql(counts.format(table)) for table in tables] == before
    assert own.sql(values) == first  # estimates do not depend on the resamples


# Comparisons


def test_a_comparison_is_the_difference_of_the_two_metrics(evaluated: Bench) -> None:
    rows = evaluated.sql(
        "select metric, difference, arm.value - other.value, c.ci_low, c.ci_high, p_value,"
        " p_adjusted, is_primary, n_asked, c.reason from results.comparisons as c"
        " inner join results.metrics as arm using (run_id, split, population, metric)"
        " inner join results.metrics as other on c.other_run_id = other.run_id"
        " and other.split = arm.split and other.population = arm.population"
        " and other.metric = arm.metric where difference is not null"
    )
    assert {row[0] for row in rows} == set(METRICS)
    for metric, difference, expected, low, high, p_value, adjusted, primary, asked, why in rows:
        assert difference == pytest.approx(expected, abs=1e-12)
        assert primary == (metric == "auroc")
        if metric in NOT_TESTED:
            assert (low, high, p_value, why) == (None, None, None, NOT_TESTED[metric])
        elif p_value is not None:
            assert low < high if low is not None else p_value == 1
        if p_value is not None and primary:
            assert p_value <= adjusted <= min(1, p_value * asked) + 1e-12
        if not primary:
            assert adjusted is None
    assert sum(row[5] is not None for row in rows) > 50


def test_metrics_at_a_threshold_and_of_groups_have_no_p_value(evaluated: Bench) -> None:
    found = evaluated.sql(
        "select distinct metric, attribute is not null, p_value is not null"
        " from results.comparisons"
    )
    assert {metric for metric, _, tested in found if tested} == {
        "auroc", "auprc", "brier", "sensitivity_at_alert_rate", "specificity_at_sensitivity",
    }  # a tenth of these stays is too few to have a share of  # fmt: skip
    assert {(of_groups, tested) for _, of_groups, tested in found if of_groups} == {(True, False)}
    reasons = dict(
        evaluated.sql(
            "select distinct metric, reason from results.comparisons where difference is not null"
            " and metric in ('f1', 'ece', 'demographic_parity_ratio', 'auroc_gap')"
        )
    )
    threshold, level = "each arm decides at a threshold of its own", "shown to keep its level"
    assert threshold in reasons["f1"] and threshold in reasons["demographic_parity_ratio"]
    assert level in reasons["ece"] and level in reasons["auroc_gap"]


def test_operating_points_are_settings_and_metrics_are_at_them(own: Bench) -> None:
    """The cohort's are changed as `dbt build --vars` would."""
    write(own, "update marts.cohort_definition set variables = json_merge_patch(variables,"
               " '{\"alert_rate\": 0.3, \"at_sensitivity\": 0.5}')")  # fmt: skip
    quietly(own, EvaluateRequest(tasks=[TASK], n_bootstrap=10))
    y_true, y_score = scores(own, ALL, "test")
    at = compute_metrics(y_true, y_score, 0.5, operating_point=OperatingPoint(0.3, 0.5))
    found = dict(
        own.sql(
            "select metric, value from results.metrics where split = 'test' and threshold is null"
            f" and population = 'all' and task = '{TASK}' and arm = '{ALL}'"
        )
    )
    for metric in ("sensitivity_at_alert_rate", "ppv_at_alert_rate", "specificity_at_sensitivity"):
        assert found[metric] == pytest.approx(at[metric].value), metric
    settings = "settings ->> 'alert_rate', settings ->> 'at_sensitivity'"
    assert ("0.3", "0.5") in own.sql(f"select {settings} from results.runs where kind = 'evaluate'")


def test_the_terminal_says_what_is_primary_and_how_much_of_it_is_significant(own: Bench) -> None:
    said: list[str] = []
    silent = nullcontext(lambda done, total: None)
    evaluate(PROJECT, own.warehouse, EvaluateRequest(tasks=[TASK], n_bootstrap=50), say=said.append,
             watch=lambda *_: silent)  # fmt: skip
    of_all = f"from results.comparisons where task = '{TASK}' and population = 'all' and is_primary"
    pairs = own.one(f"select count(*) {of_all}")
    sure = own.one(f"select count(*) {of_all} and p_adjusted < 0.05")
    assert any(
        f"AUROC, the primary metric: {sure} of {pairs} differences between arms are significant"
        " after Holm" in line and "all other metrics are exploratory" in line
        for line in said
    )  # fmt: skip


def test_comparisons_rest_on_enough_resamples_for_how_many_are_asked(own: Bench) -> None:
    """Else none of many pairs could be under 0.05. Intervals of arms are those of 50."""
    quietly(own, EvaluateRequest(tasks=[LONG], attributes=["gender"], n_bootstrap=50))
    found = own.sql(
        f"select n_asked, n_resamples from results.comparisons where task = '{LONG}'"
        " and attribute is null group by all"
    )
    assert all(n == max(50, 40 * asked) for asked, n in found)
    assert len({n for _, n in found}) > 1
    subject, y_true, y_score = np.array(
        own.sql(
            "select subject_id, y_true, y_score from results.predictions inner join marts.cohort"
            f" using (stay_id, split) where task = '{LONG}' and arm = '{BEST}' and split = 'test'"
        )
    ).T
    interval = bootstrap_metrics(y_true, y_score, subject, 0.5, ["auroc"], 50).intervals()["auroc"]
    assert own.sql(
        "select ci_low, ci_high from results.metrics where metric = 'auroc' and split = 'test'"
        f" and population = 'all' and task = '{LONG}' and arm = '{BEST}'"
    ) == [(interval.ci_low, interval.ci_high)]  # fmt: skip


def scored(name: str, fusion: str = "concatenate_presence") -> Scored:
    return Scored(f"{name} {fusion}", parse_arm(name, SPECS), fusion, {})


def test_arms_are_compared_that_differ_in_one_thing() -> None:
    names = [
        "presence", "structured[demographics]", "structured[gru]", "structured[moment]",
        "structured[gru]+image[swin]", "structured[gru]+image[pixel_pca]",
        "structured[gru]+text[radbert]", "structured[gru]+image[swin]+text[radbert]",
    ]  # fmt: skip
    arms = [*(scored(name) for name in names), scored("structured[gru]", "late")]
    asked = {
        (question.name, question.arm.run_id.split()[0], question.other.run_id.split()[0])
        for question in plan_comparisons(arms, "concatenate_presence")
    }
    gru = "structured[gru]"
    both = "structured[gru]+image[swin]+text[radbert]"
    assert asked == {
        ("adds image", f"{gru}+image[swin]", gru),
        ("adds image", f"{gru}+image[pixel_pca]", gru),
        ("adds image", both, f"{gru}+text[radbert]"),
        ("adds text", f"{gru}+text[radbert]", gru),
        ("adds text", both, f"{gru}+image[swin]"),
        ("adds image and text", both, gru),
        ("adds time series", gru, "structured[demographics]"),
        ("adds time series", "structured[moment]", "structured[demographics]"),
        ("content beyond presence", gru, "presence"),
        ("content beyond presence", "structured[moment]", "presence"),
        ("content beyond presence", "structured[demographics]", "presence"),
        ("time series encoder", gru, "structured[moment]"),
        ("image encoder", f"{gru}+image[swin]", f"{gru}+image[pixel_pca]"),
        ("fusion", gru, gru),
    }


def test_what_adds_is_asked_within_each_fusion_that_scored_both() -> None:
    structured = "structured[gru]"
    image, text = f"{structured}+image[swin]", f"{structured}+text[radbert]"
    default = [scored(name) for name in (structured, image, text)]
    gated = [scored(name, "gated") for name in (structured, image)]
    late = [scored(image, "late")]
    adds = {
        (question.name, question.arm.arm.name, question.arm.fusion, question.other.fusion)
        for question in plan_comparisons([*default, *gated, *late], "concatenate_presence")
        if question.adds
    }
    assert adds == {
        ("adds image", image, "concatenate_presence", "concatenate_presence"),
        ("adds text", text, "concatenate_presence", "concatenate_presence"),
        ("adds image", image, "gated", "gated"),
    }


def test_asking_under_another_fusion_too_changes_nothing_that_was_asked(own: Bench) -> None:
    kept = (
        "select * exclude (evaluation_run_id) replace (round(difference, 9) as difference,"
        " round(ci_low, 9) as ci_low, round(ci_high, 9) as ci_high) from results.comparisons"
        f" where task = '{TASK}' and fusion = 'concatenate_presence' order by all"
    )
    options = EvaluateRequest(tasks=[TASK], attributes=["gender"], n_bootstrap=50)
    quietly(own, options)
    before = own.sql(kept)
    more = [BEST, f"{BEST}+image[pixel_pca]", f"{BEST}+text[tfidf_svd]"]
    done = own.charthouse(
        "predict",
        "--fusion",
        "concatenate",
        "--task",
        TASK,
        *(w for arm in more for w in ("--arm", arm)),
    )
    assert done.returncode == 0, done.stderr
    quietly(own, options)
    assert own.sql(kept) == before
    assert own.sql(
        "select distinct question, arm, other_arm, other_fusion, n_asked from reports.comparisons"
        f" where task = '{TASK}' and fusion = 'concatenate' and question like 'adds %' order by all"
    ) == [
        ("adds image", more[1], BEST, "concatenate", 1),
        ("adds text", more[2], BEST, "concatenate", 1),
    ]


def test_a_pair_of_the_users_choice_is_compared_and_an_unknown_one_refused(own: Bench) -> None:
    pair = f"structured[summary] - {ALL}"
    done = own.charthouse("evaluate", "--task", TASK, "--bootstraps", "50", "--compare", pair)
    assert done.returncode == 0, done.stderr
    asked = "select distinct arm, other_arm from results.comparisons where question = 'asked for'"
    assert own.sql(asked) == [("structured[summary]", ALL)]
    done = own.charthouse("evaluate", "--compare", f"structured[gru] - {ALL}")
    assert done.returncode == 1
    assert "structured[gru] by concatenate_presence has not scored" in done.stderr
    done = own.charthouse("evaluate", "--compare", f"{ALL} - {ALL}")
    assert (done.returncode, done.stderr.strip()) == (
        1, f"charthouse: --compare: {ALL} with itself. Name two arms.",
    )  # fmt: skip


# Fairness


def test_fairness_is_fairlearns_on_the_groups_that_have_a_value(evaluated: Bench) -> None:
    rows = evaluated.sql(  # of the task whose rates are 0 in no group
        "select gender, y_true, y_score from results.predictions inner join marts.cohort"
        f" using (stay_id, split) where task = '{LONG}' and arm = '{ALL}' and split = 'test'"
    )
    gender, y_true, y_score = (np.array(column) for column in zip(*rows, strict=True))
    predicted = y_score >= choose_threshold(*scores(evaluated, ALL, "validation", task=LONG))
    found = dict(
        evaluated.sql(
            "select metric, value from results.fairness where attribute = 'gender'"
            f" and task = '{LONG}' and arm = '{ALL}'"
        )
    )
    parity = demographic_parity_ratio(y_true, predicted, sensitive_features=gender)
    assert found["demographic_parity_ratio"] == pytest.approx(parity)
    odds = equalized_odds_ratio(y_true, predicted, sensitive_features=gender)
    assert found["equalized_odds_ratio"] == pytest.approx(odds)


def test_accuracy_is_at_one_half_of_subgroups_too(evaluated: Bench) -> None:
    rows = evaluated.sql(
        "select max(whole.value), sum(parts.value * parts.n) / sum(parts.n)"
        " from results.subgroup_metrics as parts inner join results.metrics as whole"
        " using (run_id, split, population, metric)"
        " where parts.metric = 'accuracy' and parts.attribute = 'gender' group by parts.run_id"
    )
    assert rows
    for whole, pooled in rows:
        assert pooled == pytest.approx(whole)
    thresholds = evaluated.sql(
        "select distinct m.metric, m.threshold, d.threshold from ("
        "select metric, threshold, run_id from results.fairness union all"
        " select metric, threshold, run_id from results.subgroup_metrics) as m inner join"
        " results.metrics as d using (run_id) where d.metric = 'sensitivity' and d.split = 'test'"
        " and d.population = 'all'"
    )
    for metric, found, decided in thresholds:
        if metric.startswith("accuracy"):
            assert found == 0.5
        elif metric.startswith(("auroc", "auprc", "brier")):
            assert found is None, metric
        else:
            assert found == decided, metric


def test_groups_are_whole_and_small_ones_have_no_figure(evaluated: Bench) -> None:
    sizes = dict(
        evaluated.sql(
            "select race_group, count(*) from marts.cohort where split = 'test' group by 1"
        )
    )
    found = evaluated.sql(
        "select distinct subgroup, n, value is null from results.subgroup_metrics"
        f" where attribute = 'race_group' and metric = 'selection_rate' and arm = '{ALL}'"
        f" and task = '{TASK}'"
    )
    assert {group: n for group, n, _ in found} == sizes
    assert all(is_null == (n < 10) for _, n, is_null in found)
    assert any(is_null for _, _, is_null in found)


def test_subgroups_of_the_users_choice(own: Bench) -> None:
    done = own.charthouse("evaluate", "--task", TASK, "--bootstraps", "20", "--by", "insurance")
    assert done.returncode == 0, done.stderr
    assert own.sql("select distinct attribute from results.subgroup_metrics"
                   f" where task = '{TASK}'") == [("insurance",)]  # fmt: skip
    done = own.charthouse("evaluate", "--by", "shoe_size")
    assert done.returncode == 1
    assert "marts.cohort has no such column" in done.stderr


# Contributions


def linear(p: int = 7, *, seed: int = 0) -> Linear:
    rng = np.random.default_rng(seed)
    columns = tuple(
        Feature("vitals" if place < 4 else "image", "x", str(place)) for place in range(p)
    )
    return Linear(columns, rng.normal(size=p), rng.normal(size=p), 0.3)


def test_shaps_explainer_and_the_closed_form_agree() -> None:
    """And with shap given the rows themselves, all of them, as its background."""
    rng = np.random.default_rng(1)
    background = rng.normal(size=(500, 7))
    model = linear()
    model = Linear(model.columns, model.slope, background.mean(axis=0), model.at_mean)
    x = rng.normal(size=(40, 7)).astype(np.float32)
    assert np.allclose(model.shap_values(x), model.contributions(x), atol=1e-12)
    masker = shap.maskers.Independent(background, max_samples=len(background))
    explainer = shap.LinearExplainer((model.slope, 0.0), masker)
    assert np.allclose(model.shap_values(x), explainer.shap_values(x.astype(float)), atol=1e-12)


def test_shares_by_hand() -> None:
    columns = (Feature("image", "x", "0"), Feature("image", "x", "1"), Feature("text", "x", "2"))
    model = Linear(columns, np.array([1.0, 1.0, 2.0]), np.zeros(3), 0.0)
    x = np.array([[1, -1, 1], [1, 1, 1]], np.float32)
    absolute = absolute_contributions(model, x)
    found = {
        (share.method, share.modality): (share.mean_absolute, share.share)
        for share in shares(absolute, np.ones(2, bool), np.array([1, 2]), 20, 0)
    }
    assert next(iter(found)) == ("net", "image")  # it leads
    assert found["net", "image"] == (1.0, pytest.approx(1 / 3))  # what cancels does not count
    assert found["net", "text"] == (2.0, pytest.approx(2 / 3))
    assert found["absolute", "image"] == found["absolute", "text"] == (2.0, 0.5)


def test_the_net_is_centred_and_does_not_grow_with_the_width_of_a_block() -> None:
    """Noise of many small coefficients beside one number that matters; all far from zero."""
    rng = np.random.default_rng(2)
    of_net, of_absolute = [], []
    for width in (4, 400):
        wide = [Feature("image", "x", str(place)) for place in range(width)]
        columns = (Feature("text", "x", "0"), *wide)
        mean = np.full(width + 1, 50.0)
        slope = np.append(1.0, np.full(width, width**-0.5))
        x = (mean + rng.normal(size=(500, width + 1))).astype(np.float32)
        absolute = absolute_contributions(Linear(columns, slope, mean, 0.0), x)
        moved = (x - mean) @ np.append(0.0, slope[1:])  # what the block does to the score
        assert np.allclose(absolute.by_method["net"][:, 0], np.abs(moved), atol=1e-5)
        found = {
            (share.method, share.modality): share.share
            for share in shares(absolute, np.ones(500, bool), np.arange(500), 5, 0)
        }
        of_net.append(found["net", "image"])
        of_absolute.append(found["absolute", "image"])
    assert of_net == pytest.approx([0.5, 0.5], abs=0.03)
    assert of_absolute[0] < 0.7 and of_absolute[1] > 0.93


@pytest.mark.parametrize("patients", [9, 10])
def test_shares_of_a_few_patients_have_no_interval(patients: int) -> None:
    """No outcome is in them: all patients count, each once, whatever became of them."""
    subjects = np.repeat(np.arange(patients), 3)
    x = np.random.default_rng(0).normal(size=(len(subjects), 7)).astype(np.float32)
    for share in shares(absolute_contributions(linear(), x), subjects >= 0, subjects, 50, 0):
        few = patients < 10
        assert share.reason == ("fewer than 10 patients (9)" if few else None)
        assert np.isnan(share.ci_low) if few else share.ci_low < share.share < share.ci_high


def test_the_share_of_the_only_modality_is_no_certainty() -> None:
    rng = np.random.default_rng(2)
    columns = tuple(Feature("image", "x", str(place)) for place in range(5))
    model = Linear(columns, rng.normal(size=5), rng.normal(size=5), 0.0)
    x = rng.normal(size=(40, 5)).astype(np.float32)
    found = shares(absolute_contributions(model, x), np.ones(40, bool), np.arange(40), 30, 0)
    assert {share.share for share in found} == {1.0}
    assert {share.reason for share in found} == {"the same in every resample"}
    assert all(np.isnan([share.ci_low, share.ci_high]).all() for share in found)


def test_contributions_sum_to_the_score(evaluated: Bench) -> None:
    for stay_id, y_score in evaluated.sql(
        f"select stay_id, y_score from results.predictions where task = '{TASK}'"
        f" and arm = '{ALL}' and split = 'test' order by stay_id limit 12"
    ):
        found = explain(PROJECT, evaluated.warehouse, stay_id, TASK, ALL)
        log_odds = found.at_mean + sum(found.by_modality.values())
        assert 1 / (1 + np.exp(-log_odds)) == pytest.approx(y_score, abs=1e-6)
        assert found.y_score == y_score
        assert sum(value for *_, value in found.features) == pytest.approx(
            sum(found.by_modality.values()), abs=1e-9
        )


def test_a_stay_is_explained_down_to_variable_and_hour(evaluated: Bench) -> None:
    stay_id = evaluated.one(
        "select min(stay_id) from marts.cohort where split = 'test' and has_vitals"
    )
    found = explain(PROJECT, evaluated.warehouse, stay_id, TASK, BEST)
    values = {name: value for _, name, value, _ in found.features}
    grid = evaluated.sql(
        f"select variable, hour, value from marts.vitals_hourly where stay_id = {stay_id}"
    )
    assert len(grid) == 312
    for variable, hour, value in grid:
        assert values[f"{variable} @ {hour:g} h"] == pytest.approx(value, rel=1e-6)
    assert "age" in values
    done = evaluated.charthouse("explain", str(stay_id), "--arm", BEST, "--top", "3")
    assert done.returncode == 0, done.stderr
    assert "log odds" in done.stdout and " h " in done.stdout


def test_explain_refuses_what_it_cannot(evaluated: Bench) -> None:
    with pytest.raises(CharthouseError, match="Stay 1 is not in the cohort"):
        explain(PROJECT, evaluated.warehouse, 1, TASK, None)
    stay_id = evaluated.one("select min(stay_id) from marts.cohort")
    with pytest.raises(CharthouseError, match="has not scored this cohort"):
        explain(PROJECT, evaluated.warehouse, stay_id, TASK, "structured[gru]")


# Reports and promises


def test_the_leaderboard_has_the_papers_shape(evaluated: Bench) -> None:
    rows = evaluated.sql(
        "select arm, fusion, auroc, published_auroc, run_id, cohort_hash, auroc_value"
        f" from reports.leaderboard where task = '{TASK}' and population = 'all'"
    )
    by_arm = {row[0]: row for row in rows}
    _, fusion, ours, published, run_id, cohort_hash, value = by_arm[BEST]
    assert published == "0.8544 [0.8453, 0.8631]"
    assert ours == f"{value:.4f} (no interval)"
    ((ours, value),) = evaluated.sql(
        "select auroc, auroc_value from reports.leaderboard"
        f" where task = '{LONG}' and arm = '{BEST}' and population = 'all'"
    )
    assert ours.startswith(f"{value:.4f} [") and ours.endswith("]")
    assert (fusion, cohort_hash) == (
        "concatenate_presence", evaluated.one("select cohort_hash from marts.cohort_definition")
    )  # fmt: skip
    assert run_id.startswith("predict-")
    assert by_arm["structured[gru]+image[swin]"][1:4] == (None, None, "0.8794 [0.8712, 0.8873]")
    assert len(rows) == 11 + 6  # published, and ours that are not


def test_what_is_fitted_again_is_gone_from_the_reports_until_it_is_evaluated(own: Bench) -> None:
    arm = ("--task", TASK, "--arm", BEST)
    assert own.charthouse("predict", *arm, "--seed", "4").returncode == 0
    where = f"where task = '{TASK}' and arm = '{BEST}' and run_id is not null"
    assert own.one(f"select count(*) from reports.leaderboard {where}") == 0
    assert own.one("select count(*) from reports.comparisons"
                   f" where task = '{TASK}' and '{BEST}' in (arm, other_arm)") == 0  # fmt: skip
    assert own.charthouse("evaluate", "--bootstraps", "20").returncode == 0
    assert own.one(f"select count(*) from reports.leaderboard {where}") == 3  # populations


def test_a_changed_cohort_has_no_results_until_they_are_made(own: Bench) -> None:
    before = own.sql("select * from reports.leaderboard where run_id is not null order by all")
    assert own.build("--vars", "{min_age: 40}").code == 0
    assert own.one("select count(*) from reports.arms") == 0
    assert own.one("select count(*) from reports.leaderboard where run_id is not null") == 0
    done = own.charthouse("evaluate")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("Run charthouse predict first.")
    assert own.build(*UNTESTED).code == 0  # back: what was found stands again
    assert (
        own.sql("select * from reports.leaderboard where run_id is not null order by all") == before
    )


def test_the_promises_hold(evaluated: Bench) -> None:
    """dbt's data tests, now that there are results."""
    outcome = evaluated.build("--select", "source:results", "models/reports", "test_type:singular")
    assert outcome.code == 0, outcome.output
    assert "assert_shares_sum_to_one" in outcome.output


@pytest.mark.parametrize(
    ("promise", "spoil"),
    [
        ("assert_shares_sum_to_one", "update results.contributions set share = share * 1.1"),
        (
            "assert_intervals_contain_the_estimate",
            "update results.metrics set ci_low = value + 0.1, ci_high = 1 where metric = 'auroc'",
        ),
        (
            "assert_predictions_are_of_the_cohort",
            "update results.predictions set stay_id = 1 where stay_id ="
            " (select min(stay_id) from results.predictions)",
        ),
        (
            "assert_no_test_patient_was_fitted_on",
            "update results.fits set fitted_on = list_append(fitted_on, (select min(stay_id)"
            " from marts.cohort where split = 'test'))",
        ),
    ],
)
def test_a_broken_promise_is_found(own: Bench, promise: str, spoil: str) -> None:
    write(own, spoil)
    outcome = own.build("--select", promise)
    assert outcome.code == 1
    assert f"FAILED {promise}" in outcome.output


def test_evaluate_refuses_predictions_that_are_not_of_the_stays(own: Bench) -> None:
    write(own, "delete from results.predictions where stay_id = (select min(stay_id)"
               " from results.predictions where split = 'test')")  # fmt: skip
    done = own.charthouse("evaluate")
    assert done.returncode == 1
    assert "its scores are not those of the test stays" in done.stderr


def test_a_stays_vector_is_read_for_that_stay_alone(evaluated: Bench) -> None:
    """explain reads one stay where predict reads all: the vectors must be the same."""
    from charthouse.jobs.predict.vectors import read_block

    with open_warehouse(evaluated.warehouse) as db:
        cohort = read_cohort(db)
        stay_ids = np.array(list(cohort.stays))
        whole = read_block(db, cohort, SPECS, "tfidf_svd", TASK, stay_ids)
        some = stay_ids[[3, 40, 41, len(stay_ids) - 1]]
        part = read_block(db, cohort, SPECS, "tfidf_svd", TASK, some)
    places = np.searchsorted(stay_ids, some)
    assert np.array_equal(part.vectors, whole.vectors[places])
    assert np.array_equal(part.present, whole.present[places])
    assert 0 < whole.present.sum() < len(stay_ids)
    assert not whole.vectors[~whole.present].any()


def test_a_cell_of_the_leaderboard_goes_back_to_its_rows_by_one_query(evaluated: Bench) -> None:
    """The queries of read-results.md; and the cell's AUROC, computed from the rows it leads to."""
    page = (PROJECT / "docs/how-to/read-results.md").read_text()
    helping, back = (part.split("```")[0] for part in page.split("```sql")[1:3])
    assert {row[2] for row in evaluated.sql(helping)} == {f"{BEST}+image[pixel_pca]", ALL}
    rows = evaluated.sql(back)
    stays = {row[4]: (row[5], row[6]) for row in rows}
    y_true, y_score = np.array(list(stays.values())).T
    cell = rows[0][0]
    assert cell.startswith(f"{roc_auc_score(y_true, y_score):.4f} (")
    assert {(row[8], row[10]) for row in rows} == {
        ("test", "demographics"), ("test", "fixed_interval")
    }  # fmt: skip
    assert all(row[5] == row[9] for row in rows)  # the score's outcome is the mart's label
    runs = {row[12] for row in rows if row[11]}
    assert all(run.startswith("embed-") for run in runs) and len(runs) == 2
    encoded = {row[4] for row in rows if row[10] == "fixed_interval" and row[11]}
    assert len(encoded) == evaluated.one(
        "select count(*) from embeddings.fixed_interval inner join marts.cohort using (stay_id)"
        " where split = 'test'"
    )  # fmt: skip
    # an arm that reads no encoder
    rows = evaluated.sql(back.replace(BEST, "presence"))
    assert {row[4] for row in rows} == set(stays) and {row[10] for row in rows} == {None}


def test_a_stay_that_a_task_excludes_says_why_it_has_no_score(own: Bench) -> None:
    stay = own.one("select min(stay_id) from marts.cohort where split = 'test'")
    write(own, f"delete from results.predictions where stay_id = {stay}")
    write(own, f"update marts.task_{TASK} set label = null, excluded_because = 'left early'"
               f" where stay_id = {stay}")  # fmt: skip
    done = own.charthouse("explain", str(stay), "--task", TASK)
    assert done.returncode == 1 and done.stderr.rstrip().endswith("): left early.")


def test_all_in_turn_does_nothing_twice(own: Bench) -> None:
    before = own.one("select count(*) from results.runs where kind = 'predict'")
    encoders = ("demographics", "fixed_interval", "summary", "tfidf_svd", "pixel_pca")
    done = own.charthouse("run", *ASKED, *(w for name in encoders for w in ("--encoder", name)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert own.one("select count(*) from results.runs where kind = 'predict'") == before
    assert "structured[fixed_interval]" in done.stdout  # the leaderboard
