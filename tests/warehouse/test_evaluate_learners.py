"""Scores of multimodal learners: answers are planted, so that every figure is known beforehand."""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path

import duckdb
import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from bench import PROJECT, Bench
from charthouse.core.cohort import read_cohort
from charthouse.core.errors import CharthouseError
from charthouse.core.runs import Run
from charthouse.core.warehouse import insert_columns, open_warehouse
from charthouse.jobs.ask.conditions import coalitions
from charthouse.jobs.ask.plan import what_is_read
from charthouse.jobs.evaluate.run import EvaluateRequest, evaluate
from charthouse.stats.multiplicity import holm
from too_few import intervals_of_too_few

TASK = "icu_stay_over_3_days"
PLAYERS = ("demographics", "vitals", "image", "text")
FIXED = "structured[fixed_interval]"
ARMS = ("structured[demographics]", FIXED, f"{FIXED}+text[tfidf_svd]")
TABLES = ("learner_metrics", "learner_fairness", "learner_comparisons", "learner_contributions")

Said = tuple[str | None, float | None]
"""parsed and p_yes of an answer; parsed is None for an error."""


def plant(
    warehouse: Path,
    learner: str,
    said: Mapping[str, Mapping[int, Said]],
    *,
    fingerprint: str = "settings",
    task: str = TASK,
    run_id: str | None = None,
    shots: tuple[int, ...] = (),
) -> None:
    """A run of `ask` and its answers: condition to stay to what was said."""
    run_id = run_id or f"ask-{learner}-{fingerprint}-{task}"
    rows = [
        (condition, stay_id, *each)
        for condition, of_stays in said.items()
        for stay_id, each in of_stays.items()
    ]
    conditions, stay_ids, parsed, p_yes = zip(*rows, strict=True)
    n = len(rows)
    with open_warehouse(warehouse, read_only=False) as db:
        cohort = read_cohort(db)
        settings = {"shots": [{"task": task, "stay_id": stay_id} for stay_id in shots]}
        run = Run(
            warehouse=warehouse, cohort=cohort, run_id=run_id, kind="ask", name=learner,
            settings=settings, fingerprint=fingerprint, reads=what_is_read(cohort, task),
        )  # fmt: skip
        run.start(db)
        run.finish(db)
        same = {
            "run_id": run_id, "learner": learner, "fingerprint": fingerprint,
            "reads": what_is_read(cohort, task), "task": task, "model": "maker/model",
            "resolved_model": "model-1", "revision": "abc", "dtype": "bfloat16",
            "endpoint": "127.0.0.1", "prompt": "paper", "prompt_version": "1",
            "prompt_hash": "of the prompt", "dropped": 0, "attempt": 1, "parser_version": 1,
            "asked_at": cohort_time(db),
        }  # fmt: skip
        insert_columns(
            db,
            "results.answers",
            {name: [value] * n for name, value in same.items()}
            | {
                "condition": conditions,
                "stay_id": stay_ids,
                "question_hash": [f"{task} {row[:2]}" for row in rows],
                "parsed": parsed,
                "p_yes": p_yes,
                "status": ["answered" if one else "error" for one in parsed],
                "error": [None if one else "timeout" for one in parsed],
            },
        )


def cohort_time(db: duckdb.DuckDBPyConnection) -> object:
    return db.execute("select built_at from marts.cohort_definition").fetchall()[0][0]


def run_evaluate(bench: Bench, **options: object) -> list[str]:
    said: list[str] = []
    evaluate(
        PROJECT,
        bench.warehouse,
        EvaluateRequest(**{"tasks": (TASK,), "n_bootstrap": 100} | options),  # type: ignore[arg-type]
        say=said.append,
        watch=lambda label, total: nullcontext(lambda done, total: None),
    )
    return said


def labels_of(bench: Bench, split: str = "test", task: str = TASK) -> dict[int, int]:
    """stay_id to label, in order of stay_id."""
    return dict(
        bench.sql(
            "select stay_id, label from marts.labels inner join marts.cohort using (stay_id)"
            f" where split = '{split}' and task = '{task}' order by stay_id"
        )
    )


def said_of(p_yes: Mapping[int, float]) -> dict[int, Said]:
    return {stay_id: ("yes" if p >= 0.5 else "no", p) for stay_id, p in p_yes.items()}


COPIER, RANDOM, SHY, MUTE = "gpt_4o_mini", "llava_1_5_7b", "llava_med", "qwen2_5_vl_7b"


def plant_all(bench: Bench) -> None:
    """Four learners: one that knows the outcome, one that guesses, a shy one, one without p_yes."""
    labels = labels_of(bench)
    rng = np.random.default_rng(1)
    known = {stay: 0.9 - rng.random() / 5 if y else 0.1 + rng.random() / 5
             for stay, y in labels.items()}  # fmt: skip
    seen = list(labels)[::2]  # as if these had a picture
    worth = {
        each.name: {stay: float(rng.random()) for stay in seen} for each in coalitions(PLAYERS)
    }
    worth["full"] = known
    pictures = {name: {stay: known[stay] for stay in seen} for name in ("blank_image",)}
    copier = {name: said_of(of_stays) for name, of_stays in (worth | pictures).items()}
    plant(bench.warehouse, COPIER, copier)
    guess = {stay: float(rng.random()) for stay in labels}
    plant(bench.warehouse, RANDOM, {"full": said_of(guess)})
    shy: dict[int, Said] = said_of({stay: float(rng.random()) for stay in labels})
    for place, stay in enumerate(labels):
        if place % 5 == 0:
            shy[stay] = ("none", shy[stay][1])
        if place % 11 == 3:
            shy[stay] = (None, None)
    plant(bench.warehouse, SHY, {"full": shy})
    mute: dict[int, Said] = {stay: ("yes" if y else "no", None) for stay, y in labels.items()}
    plant(bench.warehouse, MUTE, {"full": mute})


@pytest.fixture(scope="module")
def predicted(built: Bench, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Three arms that have scored; read only."""
    folder = tmp_path_factory.mktemp("predicted")
    shutil.copy(built.warehouse, folder / "warehouse.duckdb")
    bench = Bench(built.raw, folder / "warehouse.duckdb", folder)
    for command in (
        ("embed", *(word for name in ("demographics", "fixed_interval", "tfidf_svd")
                    for word in ("--encoder", name))),
        ("predict", "--task", TASK, *(word for arm in ARMS for word in ("--arm", arm))),
    ):  # fmt: skip
        done = bench.charthouse(*command)
        assert done.returncode == 0, done.stderr
    return bench


@pytest.fixture(scope="module")
def scored(predicted: Bench, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The arms and four learners, evaluated; read only."""
    folder = tmp_path_factory.mktemp("scored")
    shutil.copy(predicted.warehouse, folder / "warehouse.duckdb")
    bench = Bench(predicted.raw, folder / "warehouse.duckdb", folder)
    plant_all(bench)
    run_evaluate(bench)
    return bench


@pytest.fixture
def spoilt(scored: Bench, tmp_path: Path) -> Bench:
    """A copy of it, for a test to spoil."""
    shutil.copy(scored.warehouse, tmp_path / "warehouse.duckdb")
    return Bench(scored.raw, tmp_path / "warehouse.duckdb", tmp_path)


@pytest.fixture
def unscored(built: Bench, tmp_path: Path) -> Bench:
    """The marts alone."""
    shutil.copy(built.warehouse, tmp_path / "warehouse.duckdb")
    return Bench(built.raw, tmp_path / "warehouse.duckdb", tmp_path)


def write(bench: Bench, statement: str) -> None:
    with duckdb.connect(str(bench.warehouse)) as database:
        assert database.execute(statement).fetchall()[0][0] > 0, statement


def learner_rows(bench: Bench) -> dict[str, list[tuple]]:
    """All figures of learners but for the run that measured them."""
    return {
        table: bench.sql(f"select * exclude (evaluation_run_id) from results.{table} order by all")
        for table in TABLES
    }


def all_agree(bench: Bench) -> float:
    """Lower end of the exact interval of a share of 1, of the patients of the test stays."""
    stays = ", ".join(map(str, labels_of(bench)))
    return 0.025 ** (
        1
        / bench.one(
            f"select count(distinct subject_id) from marts.cohort where stay_id in ({stays})"
        )
    )


def test_a_figure_goes_back_to_its_answers_and_stays_by_one_query(scored: Bench) -> None:
    """The queries of read-results.md; accuracy and AUROC are computed from what they lead to."""
    page = (PROJECT / "docs/how-to/read-results.md").read_text()
    section = page.split("## Multimodal learners")[1].split("\n## ")[0]
    uses, back = (part.split("```")[0] for part in section.split("```sql")[1:])
    assert {row[1:3] for row in scored.sql(uses)} == {
        (COPIER, name) for name in ("text_only", "blank_image")
    }
    assert f"'{SHY}'" in back
    rows = scored.sql(back)
    parsed, p_yes, label, split = (
        np.array(column) for column in zip(*(row[4:8] for row in rows), strict=True)
    )
    labels = labels_of(scored)
    assert set(split) == {"test"} and len({row[3] for row in rows}) == len(rows)
    assert all(labels[row[3]] == row[6] for row in rows)
    accuracy, auroc = rows[0][:2]
    right = (parsed == np.where(label == 1, "yes", "no")).mean()  # a refusal is not right
    assert accuracy.startswith(f"{right:.4f} [")
    assert auroc.startswith(f"{sklearn_metrics.roc_auc_score(label, p_yes.astype(float)):.4f} [")
    assert "none" in parsed and len(rows) == scored.one(
        f"select n from reports.learners where learner = '{SHY}'"
    )


def test_the_report_says_what_was_asked_and_what_the_best_arm_does(scored: Bench) -> None:
    n = len(labels_of(scored))
    names = (
        "n_asked, n_answered, n_refused, n_errors, n_p_yes, model, resolved_model, revision, dtype,"
        " endpoint, prompt, prompt_version, prompt_hash, is_current, is_synthetic, technique"
    )
    query = f"select {names} from reports.learners where learner = '{{}}' and condition = 'full'"
    errors = len([place for place in range(n) if place % 11 == 3])
    refused = len([place for place in range(n) if place % 5 == 0 and place % 11 != 3])
    identity = ("maker/model", "model-1", "abc", "bfloat16", "127.0.0.1", "paper", "1",
                "of the prompt", True, True)  # fmt: skip
    [shy] = scored.sql(query.format(SHY))
    assert shy == (
        n, n - errors - refused, refused, errors, n - errors, *identity, "LLaVA-Med-v1.5"
    )  # fmt: skip
    [mute] = scored.sql(
        "select accuracy_as_wrong, accuracy_answered, share_answered, auroc, auroc_value, n_p_yes"
        f" from reports.learners where learner = '{MUTE}'"
    )
    perfect = f"1.0000 [{all_agree(scored):.4f}, 1.0000]"
    assert mute == (perfect, perfect, perfect, None, None, 0)
    [(arm, accuracy, auroc)] = scored.sql(
        "select distinct best_arm, best_arm_accuracy, best_arm_auroc from reports.learners"
    )
    validation = dict(
        scored.sql(
            "select arm, value from results.metrics where split = 'validation'"
            f" and metric = 'auroc' and task = '{TASK}'"
        )
    )
    assert arm == max(sorted(validation), key=lambda name: validation[name])
    assert [(accuracy, auroc)] == scored.sql(
        f"select accuracy, auroc from reports.leaderboard where task = '{TASK}'"
        f" and arm = '{arm}' and population = 'all' and run_id is not null"
    )
    assert scored.one(
        f"select count(distinct condition) from reports.learners where learner = '{COPIER}'"
    ) == 17  # fmt: skip


def test_a_learner_is_compared_with_arms_on_the_stays_that_it_answered(scored: Bench) -> None:
    rows = scored.sql(
        "select learner, other_arm, metric, difference, ci_low, ci_high, n, reason"
        " from reports.learner_comparisons where question = 'learner_against_arm'"
    )
    # the structured arm that the other builds on, and that one; not demographics alone
    assert {row[1] for row in rows} == {FIXED, ARMS[2]}
    found = {row[:3]: row[3:] for row in rows}
    heard = scored.sql(
        "select arm, y_true, y_score, parsed, p_yes from results.current_answers as answers"
        " inner join results.predictions using (task, stay_id)"
        f" where learner = '{SHY}' and status = 'answered' and split = 'test'"
    )
    for arm in (FIXED, ARMS[2]):
        y, score, parsed, p_yes = (
            np.array(column) for column in zip(*(r[1:] for r in heard if r[0] == arm), strict=True)
        )
        yes = parsed == "yes"  # a refusal alerts nobody
        alerted = y[np.argsort(-score, kind="stable")][: yes.sum()].sum()  # as many; no ties
        expected = {
            "sensitivity_at_alert_rate": (y[yes].sum() - alerted) / y.sum(),
            "ppv_at_alert_rate": (y[yes].sum() - alerted) / yes.sum(),
            "auroc": sklearn_metrics.roc_auc_score(y, p_yes)
            - sklearn_metrics.roc_auc_score(y, score),
            "auprc": sklearn_metrics.average_precision_score(y, p_yes)
            - sklearn_metrics.average_precision_score(y, score),
            "brier": ((p_yes - y) ** 2).mean() - ((score - y) ** 2).mean(),
        }
        for metric, difference in expected.items():
            assert found[SHY, arm, metric][0] == pytest.approx(difference, abs=1e-12), metric
            assert found[SHY, arm, metric][3] == len(y)
    low = [found[COPIER, arm, metric][1] for arm in (FIXED, ARMS[2])
           for metric in ("sensitivity_at_alert_rate", "auroc")]  # fmt: skip
    assert min(low) > 0  # it knows the outcome
    assert (MUTE, FIXED, "ppv_at_alert_rate") in found and (MUTE, FIXED, "auroc") not in found


def test_learners_are_compared_with_each_other(scored: Bench) -> None:
    rows = scored.sql(
        "select learner, other_learner, metric, difference, ci_low, ci_high, p_value, n"
        " from reports.learner_comparisons where question = 'learner_against_learner'"
    )
    pairs = {row[:2] for row in rows}
    assert len(pairs) == 6  # of four learners
    found = {row[:3]: row[3:] for row in rows}
    assert found[COPIER, RANDOM, "auroc"][1] > 0 and found[COPIER, RANDOM, "accuracy"][1] > 0
    low, high = found[RANDOM, SHY, "auroc"][1:3]
    assert low < 0 < high  # both guess
    assert (COPIER, MUTE, "auroc") not in found
    assert found[COPIER, MUTE, "accuracy"][:4] == (0, None, None, 1)  # both know
    errors = scored.one(f"select n_errors from reports.learners where learner = '{SHY}'")
    assert found[RANDOM, SHY, "accuracy"][4] == len(labels_of(scored)) - errors


def test_p_values_are_corrected_for_all_that_a_task_asks_of_a_question(scored: Bench) -> None:
    rows = scored.sql(
        "select question, metric, p_value, p_adjusted, n_asked from results.learner_comparisons"
        " where p_value is not null and is_primary"
    )
    assert {row[1] for row in rows} == {"auroc"}
    assert scored.sql(
        "select count(*) from results.learner_comparisons where is_primary != (metric = 'auroc')"
        " or (p_adjusted is not null and metric != 'auroc')"
    ) == [(0,)]  # fmt: skip
    families: dict[tuple, list[tuple]] = {}
    for row in rows:
        families.setdefault(row[:2], []).append(row[2:])
    assert len(families["learner_against_arm", "auroc"]) == 3 * 2
    for members in families.values():
        p_value, adjusted, asked = (np.array(column) for column in zip(*members, strict=True))
        assert np.allclose(adjusted, holm(p_value))
        assert set(asked) == {len(members)}


def test_subgroups_are_whole_and_fairness_is_of_their_rates(scored: Bench) -> None:
    shy = f"learner = '{SHY}' and attribute = 'gender' and metric ="
    by_group = scored.sql(
        "select gender, avg((parsed = 'yes')::int) filter (where parsed != 'none') as rate,"
        " count(*) filter (where parsed != 'none'), avg((parsed != 'none')::int), count(*)"
        " from results.current_answers inner join marts.cohort using (stay_id)"
        f" inner join marts.labels using (stay_id, task) where learner = '{SHY}'"
        " and status = 'answered' and split = 'test' group by 1"
    )
    for metric, counting, columns in (
        ("selection_rate", "answered", slice(1, 3)), ("share_answered", "asked", slice(3, 5)),
    ):  # fmt: skip
        found = scored.sql(
            "select subgroup, value, n, counting from reports.learner_subgroups"
            f" where {shy} '{metric}'"
        )
        assert len(found) == 2 and {row[3] for row in found} == {counting}
        expected = {row[0]: row[columns] for row in by_group}
        assert {row[0]: row[1:3] for row in found} == {
            group: (pytest.approx(value), n) for group, (value, n) in expected.items()
        }
    rate = [row[1] for row in by_group]
    assert scored.sql(
        "select value, counting from reports.learner_fairness"
        f" where {shy} 'demographic_parity_ratio'"
    ) == [(pytest.approx(min(rate) / max(rate)), "answered")]
    assert set(scored.sql("select distinct attribute from results.learner_fairness")) == {
        ("age_group",), ("gender",), ("race_group",),
    }  # fmt: skip


def test_shares_of_the_modalities_are_in_the_report(scored: Bench) -> None:
    rows = scored.sql(
        "select modality, value, n from reports.learner_contributions where metric = 'share'"
    )
    assert [row[0] for row in sorted(rows)] == sorted(PLAYERS)
    assert sum(row[1] for row in rows) == pytest.approx(1, abs=1e-12)
    assert {row[2] for row in rows} == {-(-len(labels_of(scored)) // 2)}  # every other stay


def test_groups_of_sections_divide_the_same_answers_and_the_report_shows_those_of_its_build(
    spoilt: Bench,
) -> None:
    """As after a build with other shapley_groups; here the views are those of the build before."""
    prints = "select fingerprint from results.runs where kind = 'evaluate' order by started_at"
    groups = json.dumps({"shapley_groups": ["demographics + vitals", "image", "text"]})
    variables = f"json_merge_patch(variables, '{groups}')"
    write(spoilt, f"update marts.cohort_definition set variables = {variables}")
    run_evaluate(spoilt)
    means = dict(
        spoilt.sql("select modality, value from results.learner_contributions"
                   " where metric = 'mean'")
    )  # fmt: skip
    assert means.keys() == {"demographics+vitals", "image", "text"}
    # only some of the stays were asked under every coalition, and these sum up
    ((whole,),) = spoilt.sql(
        "select avg(full_answer.p_yes - nothing.p_yes) from results.current_answers as full_answer"
        " inner join results.current_answers as nothing using (learner, task, stay_id)"
        f" where learner = '{COPIER}' and full_answer.condition = 'full'"
        " and nothing.condition = 'given[]'"
    )
    assert sum(means.values()) == pytest.approx(whole, abs=1e-12)
    assert not spoilt.sql("from reports.learner_contributions")
    before, after = (row[0] for row in spoilt.sql(prints))
    assert after == f"{before},groups demographics+vitals image text"  # what the audit goes by


def test_accuracy_stands_beside_that_of_the_larger_class_of_the_same_stays(scored: Bench) -> None:
    parsed = dict(scored.sql(
        f"select stay_id, parsed from results.current_answers where learner = '{SHY}'"
        " and status = 'answered'"
    ))  # fmt: skip
    labels = {stay: y for stay, y in labels_of(scored).items() if stay in parsed}
    decided = [y for stay, y in labels.items() if parsed[stay] != "none"]
    larger = [max(np.mean(of), 1 - np.mean(of)) for of in (list(labels.values()), decided)]
    assert larger[0] != larger[1]
    assert scored.sql(
        "select majority_accuracy_as_wrong, majority_accuracy_answered from reports.learners"
        f" where learner = '{SHY}' and condition = 'full'"
    ) == [tuple(map(pytest.approx, larger))]


def test_nothing_has_an_interval_that_its_patients_do_not_carry(scored: Bench) -> None:
    assert intervals_of_too_few(scored) == []


def test_every_null_has_its_reason(scored: Bench) -> None:
    for table in TABLES:
        value = "difference" if table == "learner_comparisons" else "value"
        assert scored.one(
            f"select count(*) from results.{table} where ({value} is null or ci_low is null)"
            " and reason is null"
        ) == 0, table  # fmt: skip
        assert scored.one(f"select count(*) from results.{table}") > 0


def test_neither_order_nor_answers_about_other_stays_change_a_figure(
    scored: Bench, spoilt: Bench
) -> None:
    """Nor another evaluation, whose rows take the place of the first one's."""
    asked_of("train")(spoilt)
    with duckdb.connect(str(spoilt.warehouse)) as db:
        db.execute("create temp table shuffled as from results.answers order by hash(stay_id, 7)")
        db.execute("delete from results.answers")
        db.execute("insert into results.answers from shuffled")
    before = spoilt.one("select max(evaluation_run_id) from results.learner_metrics")
    run_evaluate(spoilt)
    assert learner_rows(spoilt) == learner_rows(scored)
    for table in TABLES:
        assert spoilt.one(
            f"select count(*) from results.{table} where evaluation_run_id = '{before}'"
        ) == 0, table  # fmt: skip


def test_answers_under_new_settings_take_the_place_of_the_old(spoilt: Bench) -> None:
    labels = labels_of(spoilt)
    wrong: dict[int, Said] = {stay: ("no" if y else "yes", None) for stay, y in labels.items()}
    plant(spoilt.warehouse, COPIER, {"full": wrong}, fingerprint="other settings")
    of_copier = f"where learner = '{COPIER}'"
    for view in ("learners", "learner_subgroups", "learner_fairness", "learner_contributions"):
        assert spoilt.one(f"select count(*) from reports.{view} {of_copier}") == 0, view
    assert spoilt.one(
        f"select count(*) from reports.learner_comparisons where '{COPIER}' in"
        " (learner, other_learner)"
    ) == 0  # fmt: skip
    run_evaluate(spoilt)
    assert spoilt.sql(
        f"select condition, accuracy_as_wrong_value, fingerprint from reports.learners {of_copier}"
    ) == [("full", 0.0, "other settings")]  # fmt: skip
    for table in TABLES:
        assert spoilt.one(
            f"select count(*) from results.{table} {of_copier} and fingerprint = 'settings'"
        ) == 0, table  # fmt: skip
    assert spoilt.one(f"select count(*) from reports.learners where learner = '{RANDOM}'") == 1


def test_answers_that_came_since_are_noticed(spoilt: Bench) -> None:
    write(spoilt, "update results.answers set status = 'answered', parsed = 'no'"
                  f" where learner = '{SHY}' and status = 'error'")  # fmt: skip
    query = f"select is_current, n_errors from reports.learners where learner = '{SHY}'"
    of_views = " union all ".join(
        f"select '{SHY}' in (learner, {other}) as is_shy, is_current from reports.learner_{view}"
        for view, other in {
            "subgroups": "learner", "fairness": "learner", "contributions": "learner",
            "comparisons": "coalesce(other_learner, learner)",
        }.items()
    )  # fmt: skip
    views = f"select distinct is_shy, is_current from ({of_views}) order by all"
    assert spoilt.sql(query) == [(False, 0)]
    assert spoilt.sql(views) == [(False, True), (True, False)]
    run_evaluate(spoilt)
    assert spoilt.sql(query) == [(True, 0)]
    assert spoilt.sql(views) == [(False, True), (True, True)]


@pytest.mark.parametrize(
    "change",
    [
        "update results.answers set question_hash = 'of another picture' where {one}",
        "update results.answers set p_yes = p_yes / 2 where {one}",
        "update results.answers set parsed = if(parsed = 'yes', 'no', 'yes') where {one}",
        "update results.learner_metrics set answers_hash = null where learner = '{learner}'",
    ],
)
def test_as_many_other_answers_are_noticed(spoilt: Bench, change: str) -> None:
    """The last: an evaluation of an older clone, which cannot tell."""
    query = "select learner, condition from reports.learners where not is_current"
    assert spoilt.sql(query) == []
    stay = list(labels_of(spoilt))[1]
    one = f"learner = '{SHY}' and stay_id = {stay}"
    write(spoilt, change.format(one=one, learner=SHY))
    assert spoilt.sql(query) == [(SHY, "full")]
    run_evaluate(spoilt)
    assert spoilt.sql(query) == []


def test_a_task_that_was_named_must_be_scored(unscored: Bench) -> None:
    """The others are evaluated first; without names it is left out in a line."""
    plant_all(unscored)
    scored_tasks = "select distinct task from results.learner_metrics"
    with pytest.raises(CharthouseError, match=r"^in_hospital_mortality: no arm has scored"):
        run_evaluate(unscored, tasks=("in_hospital_mortality", TASK), n_bootstrap=20)
    assert unscored.sql(scored_tasks) == [(TASK,)]
    said = run_evaluate(unscored, tasks=(), n_bootstrap=20)
    assert any("left out: in_hospital_mortality: no arm has scored" in line for line in said)


def test_learners_are_scored_before_any_arm_is(unscored: Bench) -> None:
    with pytest.raises(CharthouseError, match="no arm has scored this cohort"):
        run_evaluate(unscored)
    plant_all(unscored)
    done = unscored.charthouse("evaluate", "--bootstraps", "50")
    assert done.returncode == 0, done.stderr
    assert re.search(r"left out: \w+: no arm has scored", done.stdout)
    lines = {line.split(":")[0].strip(): line for line in done.stdout.splitlines()}
    low = all_agree(unscored)
    assert f"answered 1.000 [{low:.3f}, 1.000] of {len(labels_of(unscored))}" in lines[COPIER]
    assert f"accuracy 1.000 [{low:.3f}, 1.000]" in lines[COPIER]
    silent = len(range(3, len(labels_of(unscored)), 11))
    assert f"{silent} without an answer so far" in lines[SHY] and "AUROC unknown" in lines[MUTE]
    assert "reports.learners" in done.stdout
    # nothing about a stay or a patient
    people = unscored.sql("select stay_id, subject_id, hadm_id from marts.cohort")
    assert not [number for row in people for number in row if str(number) in done.stdout]
    assert unscored.sql(
        "select distinct question from results.learner_comparisons order by 1"
    ) == [("learner_against_learner",), ("uses_the_picture",)]  # fmt: skip
    assert unscored.sql("select distinct best_arm, best_arm_auroc from reports.learners") == [
        (None, None)
    ]


def test_the_promises_hold_and_a_broken_one_is_found(spoilt: Bench) -> None:
    promises = ("assert_learner_shares_sum_to_one", "assert_intervals_contain_the_estimate")
    outcome = spoilt.build(
        "--select", "source:results", "report_learners", "report_learner_subgroups",
        "report_learner_fairness", "report_learner_comparisons", "report_learner_contributions",
        *promises,
    )  # fmt: skip
    assert outcome.code == 0, outcome.output
    of_copier = f"where learner = '{COPIER}' and metric ="
    write(spoilt, "update results.learner_contributions set value = ci_high"
                  f" {of_copier} 'share' and modality = 'image'")  # fmt: skip
    write(spoilt, "update results.learner_metrics set ci_low = value + 0.1"
                  f" {of_copier} 'brier' and condition = 'full'")  # fmt: skip
    for promise in promises:  # as the build has just run them
        compiled = spoilt.logs / f"target/compiled/charthouse/tests/dbt/{promise}.sql"
        assert len(spoilt.sql(compiled.read_text())) == 1, promise


# The audit


def asked_of(split: str) -> Callable[[Bench], list[int]]:
    def leak(bench: Bench) -> list[int]:
        stay = next(iter(labels_of(bench, split)))
        plant(bench.warehouse, SHY, {"full": {stay: ("yes", 0.7)}}, run_id="again")
        return [stay]

    return leak


def asked_of_a_stay_outside(bench: Bench) -> list[int]:
    plant(bench.warehouse, SHY, {"full": {1: ("yes", 0.7)}}, run_id="again")
    return [1]


def shown(stay: Callable[[Bench], int]) -> Callable[[Bench], list[int]]:
    def leak(bench: Bench) -> list[int]:
        train, other = next(iter(labels_of(bench, "train"))), stay(bench)
        test = list(labels_of(bench))[-1]
        plant(bench.warehouse, "gemma3_4b", {"full": {test: ("yes", 0.7)}}, shots=(train, other))
        return [other]

    return leak


def first_of(split: str) -> Callable[[Bench], int]:
    return lambda bench: next(iter(labels_of(bench, split)))


@pytest.mark.parametrize(
    ("check", "leak", "detail"),
    [
        ("answers_outside_test", asked_of("train"), f"{SHY}: train"),
        ("answers_outside_test", asked_of_a_stay_outside, f"{SHY}: not of the cohort"),
        ("shots_outside_train", shown(first_of("test")), f"gemma3_4b {TASK}: test"),
        ("shots_outside_train", shown(first_of("validation")), f"gemma3_4b {TASK}: validation"),
        ("shots_outside_train", shown(lambda bench: 1), f"gemma3_4b {TASK}: not of the cohort"),
    ],
)
def test_the_audit_finds_a_leak_in_just_its_stays(
    spoilt: Bench, check: str, leak: Callable[[Bench], list[int]], detail: str
) -> None:
    state = "select state, stay_ids, detail from reports.audit where check_name = '{}'"
    train = next(iter(labels_of(spoilt, "train")))
    stay = next(iter(labels_of(spoilt)))
    shot = {"full": {stay: ("yes", 0.5)}}
    plant(spoilt.warehouse, "lingshu_7b", shot, shots=(train,))
    for name in ("answers_outside_test", "shots_outside_train"):
        assert spoilt.sql(state.format(name)) == [("passed", None, None)]
    stays = leak(spoilt)
    assert spoilt.sql(state.format(check)) == [("failed", stays, detail)]
    assert spoilt.sql("select check_name from reports.audit where state = 'failed'") == [(check,)]


def test_an_example_of_a_patient_who_is_in_test_fails(spoilt: Bench) -> None:
    train = next(iter(labels_of(spoilt, "train")))
    shown(lambda bench: train)(spoilt)
    write(spoilt, "update marts.cohort set subject_id = (select min(subject_id) from marts.cohort"
                  f" where split = 'test') where stay_id = {train}")  # fmt: skip
    assert spoilt.sql(
        "select stay_ids, detail from reports.audit where check_name = 'shots_outside_train'"
    ) == [([train], f"gemma3_4b {TASK}: patient of test")]
