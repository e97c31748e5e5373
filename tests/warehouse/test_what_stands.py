"""A result stands while what it has read is unchanged, whatever else is added or changed."""

import gzip
import hashlib
import json
import re
import shlex
import shutil
from collections.abc import Iterable
from datetime import datetime
from math import floor
from pathlib import Path
from typing import Any

import pytest

from bench import PROJECT, UNTESTED, Bench, roots_of
from charthouse.core.synthetic_marker import GZIP_NAME

TASK = "icu_stay_over_3_days"
TEXT, VITALS = "text[tfidf_svd]", "structured[summary]"


@pytest.fixture(scope="module")
def settled(built: Bench, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Two arms that share no modality, evaluated on one task; read only."""
    folder = tmp_path_factory.mktemp("settled")
    shutil.copy(built.warehouse, folder / "warehouse.duckdb")
    bench = Bench(built.raw, folder / "warehouse.duckdb", folder)
    encoders = ("demographics", "summary", "tfidf_svd")
    run(bench, "embed", *(word for name in encoders for word in ("--encoder", name)))
    run(bench, "predict", "--task", TASK, "--arm", TEXT, "--arm", VITALS)
    run(bench, "evaluate", "--task", TASK, "--bootstraps", "20")
    return bench


@pytest.fixture
def ours(settled: Bench, tmp_path: Path) -> Bench:
    shutil.copy(settled.warehouse, tmp_path / "warehouse.duckdb")
    return Bench(settled.raw, tmp_path / "warehouse.duckdb", tmp_path)


def run(bench: Bench, *words: str) -> str:
    done = bench.charthouse(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def build(bench: Bench, settings: str) -> None:
    done = bench.build(*UNTESTED, "--vars", settings)
    assert done.code == 0, done.output


def leaderboard(bench: Bench) -> dict[str, list[tuple]]:
    rows = bench.sql("from reports.leaderboard where run_id is not null order by all")
    return {arm: [row for row in rows if row[1] == arm] for arm in {row[1] for row in rows}}


def vectors(bench: Bench) -> dict[str, list[tuple]]:
    rows = bench.sql(
        "select encoder, stay_id, run_id, vector_hash from embeddings.current_vectors order by all"
    )
    return {name: [row for row in rows if row[0] == name] for name in {row[0] for row in rows}}


def states(bench: Bench) -> dict[str, str]:
    return dict(bench.sql("select encoder, state from reports.encoders"))


def test_another_setting_of_one_modality_leaves_the_results_of_the_others(ours: Bench) -> None:
    board, made = leaderboard(ours), vectors(ours)
    assert board.keys() == {TEXT, VITALS}
    build(ours, "{zero_respiratory_rate: keep}")
    assert leaderboard(ours) == {TEXT: board[TEXT]}
    assert vectors(ours) == {name: made[name] for name in ("demographics", "tfidf_svd")}
    assert states(ours)["summary"] == "none" and states(ours)["tfidf_svd"] == "done"
    assert f"{TEXT}: kept" in run(ours, "predict", "--task", TASK, "--arm", TEXT)
    refused = ours.charthouse("predict", "--task", TASK, "--arm", VITALS)
    assert refused.returncode == 1 and "charthouse embed" in refused.stderr
    build(ours, "{}")
    assert (leaderboard(ours), vectors(ours)) == (board, made)


def test_how_it_is_evaluated_is_no_part_of_what_was_predicted(ours: Bench) -> None:
    board, made = leaderboard(ours), vectors(ours)
    arms = ours.sql("select arm, run_id from reports.arms order by all")
    build(ours, "{alert_rate: 0.2}")
    assert vectors(ours) == made
    assert ours.sql("select arm, run_id from reports.arms order by all") == arms
    assert not leaderboard(ours)
    assert not ours.sql("from reports.comparisons")
    assert not ours.one("select count(evaluation_run_id) from reports.arms")
    run(ours, "evaluate", "--task", TASK, "--bootstraps", "20")
    assert leaderboard(ours).keys() == board.keys()


def test_of_another_cohort_nothing_stands(ours: Bench) -> None:
    board, made = leaderboard(ours), vectors(ours)
    build(ours, "{min_age: 60}")
    assert (leaderboard(ours), vectors(ours)) == ({}, {})
    assert set(states(ours).values()) == {"none"}
    assert ours.one("select count(*) from embeddings.encoded") == sum(map(len, made.values()))
    build(ours, "{}")
    assert (leaderboard(ours), vectors(ours)) == (board, made)


def test_figures_of_complete_stays_stand_while_these_are_the_same(ours: Bench) -> None:
    with_complete = ours.sql("select distinct population from reports.curves order by all")
    board = ours.sql("select population, count(*) from reports.leaderboard group by all order by 1")
    assert dict(board).keys() == {"all", "complete", "mimic_cxr_years"} and with_complete
    build(ours, "{image_views: [AP]}")
    assert ours.one("select count(*) from marts.cohort where is_complete")
    left = ours.sql("select population, count(*) from reports.leaderboard group by all order by 1")
    assert left == [row for row in board if row[0] != "complete"]


# What is added


def add_to_registry(project: Path, registry: str, row: str) -> None:
    """A row at the end of vars.<registry>."""
    settings = project / "dbt_project.yml"
    lines = settings.read_text().splitlines(keepends=True)
    start = lines.index(f"  {registry}:\n")
    end = next(n for n in range(start, len(lines)) if not lines[n].strip())
    settings.write_text("".join([*lines[:end], row, *lines[end:]]))


def page_files(page: str) -> dict[str, str]:
    """Path to the content of each file that a page of docs/how-to has in full."""
    text = (PROJECT / f"docs/how-to/{page}.md").read_text()
    return dict(re.findall(r"`(models/\S+)`.*?\n```\w+\n(.*?)```", text, re.S))


def row_of(page: str) -> str:
    found = re.search(r"```yaml\n(.*?)```", (PROJECT / f"docs/how-to/{page}.md").read_text(), re.S)
    assert found
    return found[1]


def write_files(project: Path, files: dict[str, str]) -> None:
    for path, content in files.items():
        (project / path).parent.mkdir(exist_ok=True)
        (project / path).write_text(content)


def all_that_stood(bench: Bench) -> tuple[Any, ...]:
    return (
        leaderboard(bench),
        vectors(bench),
        bench.sql("from reports.arms order by all"),
        bench.sql("from reports.comparisons order by all"),
        bench.sql("from marts.cohort order by all"),
        bench.sql("from marts.patient_profiles order by all"),
    )


def test_a_new_task_leaves_every_result(ours: Bench, project: Path) -> None:
    before = all_that_stood(ours)
    add_to_registry(project, "tasks", row_of("add-a-task"))
    write_files(project, page_files("add-a-task"))
    ours.project = project
    build(ours, "{}")
    assert ours.one("select count(*) from marts.labels where task = 'icu_stay_over_a_week'")
    assert all_that_stood(ours) == before


@pytest.fixture
def with_nutrition(ours: Bench, tmp_path: Path) -> Bench:
    """The synthetic data, and a table of nutrients that no model reads yet."""
    shutil.copytree(Path(ours.raw["CHARTHOUSE_MIMICIV"]).parent, tmp_path / "data")
    ours.raw = roots_of(tmp_path / "data")
    folder = tmp_path / "data/mimic-iv"
    rows = ours.sql(
        "select stay_id, if(stay_id % 2 = 0, 226060, 220454), intime + interval 90 minute,"
        " intime + interval 2 hour, 1 + stay_id % 7 / 10 from marts.cohort"
        " where stay_id % 3 > 0 order by stay_id"
    )
    header = ("stay_id", "itemid", "endtime", "storetime", "amount")
    lines = [",".join(map(str, row)) for row in [header, *rows]]
    file = folder / "icu/ingredientevents.csv.gz"
    with (
        file.open("wb") as raw,
        gzip.GzipFile(f"{GZIP_NAME}ingredientevents.csv.gz", "wb", fileobj=raw) as gz,
    ):
        gz.write("\n".join(lines).encode())
    with (folder / "SYNTHETIC.txt").open("a") as marker:
        marker.write(
            f"{hashlib.sha256(file.read_bytes()).hexdigest()}  icu/ingredientevents.csv.gz\n"
        )
    return ours


def test_the_page_on_adding_a_modality_does_what_it_says(
    with_nutrition: Bench, project: Path
) -> None:
    """One row and its own files; and nothing that stood falls, not a prompt."""
    bench = with_nutrition
    before = all_that_stood(bench)
    add_to_registry(project, "modalities", row_of("add-a-modality"))
    files = page_files("add-a-modality")
    assert len(files) == 5
    write_files(project, files)
    bench.project = project
    done = bench.build("unit_test")
    assert done.code == 0, done.output
    assert all_that_stood(bench) == before
    with_rows = bench.one("select count(*) from marts.cohort where stay_id % 3 > 0")
    assert bench.sql(
        "select modality, count(*) filter (in_window) from marts.stay_modalities"
        " where modality = 'nutrition' group by all"
    ) == [("nutrition", with_rows)]
    for line in re.findall(
        r"^charthouse .*", (PROJECT / "docs/how-to/add-a-modality.md").read_text(), re.M
    ):
        run(bench, *shlex.split(line)[1:])
    arm = "structured[summary]+nutrition[summary]"
    assert leaderboard(bench).keys() == {*before[0], arm}
    assert bench.one("select count(*) from embeddings.summary__nutrition") == with_rows
    assert dict(
        bench.sql("select modality, sum(share) from reports.contributions"
                  f" where arm = '{arm}' and method = 'net' and population = 'all' group by 1")
    ).keys() == {"demographics", "vitals", "nutrition", "presence"}  # fmt: skip
    run(bench, "report", "--out", str(bench.logs / "report"))
    audited = bench.charthouse("audit")
    assert audited.returncode == 0, audited.stdout


# The hash, by another engine


def as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(floor(value * 1_000_000 + 0.5))
    return value.isoformat(" ") if isinstance(value, datetime) else str(value)


def rows_hash(rows: Iterable[tuple]) -> str:
    """As macros/content_hash.sql says it, without a line of its SQL."""
    digests = [hashlib.md5("|".join(map(as_text, row)).encode()).digest() for row in rows]
    return f"{len(digests)}:{sum(int.from_bytes(each[8:], 'little') for each in digests)}"


def md5(*texts: str) -> str:
    return hashlib.md5("|".join(texts).encode()).hexdigest()


def test_any_engine_can_compute_the_hashes(built: Bench) -> None:
    settings = json.loads(str(built.one("select variables from marts.cohort_definition")))
    of_cohort = """window_start_hours window_end_hours window_closed min_age max_age
        min_stay_hours landmark required_modalities availability split_by split_era_cut split_unit
        split_fractions split_seed fit_splits"""
    of_vitals = """bin_hours celsius zero_respiratory_rate second_arterial_line intubated_verbal
        imputation median_fill moment_input"""
    has = "has_vitals, has_image, has_text, is_complete"
    cohort_hash = md5(
        "strict",
        json.dumps({name: settings[name] for name in sorted(of_cohort.split())}),
        rows_hash(built.sql(f"select * exclude ({has}) from marts.cohort")),
        "true",
    )
    assert built.one("select cohort_hash from marts.cohort_definition") == cohort_hash
    vitals = "select stay_id, variable, observed_at, value from marts.vitals_events"
    reports = "select stay_id, note_id, observed_at, md5(text) from marts.radiology_reports"
    labels = f"select stay_id, task, label from marts.labels where task = '{TASK}'"
    assert (
        dict(built.sql("select name, content_hash from marts.content_hashes")).items()
        >= {
            "vitals": md5(
                cohort_hash,
                json.dumps({name: settings[name] for name in sorted(of_vitals.split())}),
                rows_hash(built.sql(vitals)),
                rows_hash(built.sql("from seeds.vital_signs")),
            ),
            "text": md5(
                cohort_hash,
                json.dumps({name: settings[name] for name in ("report_encoding", "report_match")}),
                rows_hash(built.sql(reports)),
            ),
            TASK: md5(cohort_hash, rows_hash(built.sql(labels))),
        }.items()
    )


def test_the_profile_is_hashed_with_the_settings_of_those_who_read_it(built: Bench) -> None:
    """Learners: with its own. Text encoders: with those of texts, and of every section, too."""
    settings = json.loads(str(built.one("select variables from marts.cohort_definition")))
    cohort_hash = str(built.one("select cohort_hash from marts.cohort_definition"))
    own = {"profile_sections", "profile_vitals", "profile_hours", "profile_template"}
    of_sections = own | {
        "bin_hours", "celsius", "zero_respiratory_rate", "second_arterial_line", "intubated_verbal",
        "imputation", "median_fill", "moment_input", "image_views", "image_detail",
        "report_encoding", "report_match",
    }  # fmt: skip
    rows = rows_hash(
        built.sql("select stay_id, md5(profile), latest_dicom_id from marts.patient_profiles")
    )
    found = built.sql(
        "select kind, content_hash from marts.content_hashes"
        " where name in ('profile', 'patient_profiles') order by kind"
    )
    assert found == [
        (kind, md5(cohort_hash, json.dumps({name: settings[name] for name in sorted(names)}), rows))
        for kind, names in (("modality", of_sections), ("profile", own))
    ]
