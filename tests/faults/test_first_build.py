"""A first build that is refused leaves no file; what it has read whole the next does not read."""

from pathlib import Path

import duckdb
import pytest

from bench import UNTESTED, Bench, rewrite

PATIENTS = "stg_mimiciv__patients"
BUILD_ALL = "Build all first (dbt build without --select); or add --indirect-selection buildable"


@pytest.fixture
def fresh(built: Bench, tmp_path: Path) -> Bench:
    """The data, and no warehouse yet."""
    (tmp_path / "logs").mkdir()
    return Bench(dict(built.raw), tmp_path / "warehouse.duckdb", tmp_path / "logs")


def files(bench: Bench) -> list[str]:
    return sorted(path.name for path in bench.warehouse.parent.glob(f"{bench.warehouse.name}*"))


def folders(bench: Bench) -> list[Path]:
    return list(bench.warehouse.parent.glob(".*.building"))


@pytest.mark.parametrize(
    ("by", "words", "folder", "line"),
    [
        ("dbt", (), "/no/such", "/no/such/hosp is missing, empty or not readable by you. Correct"),
        ("charthouse", (), "", "CHARTHOUSE_MIMICIV is not set: it names the folder of mimic-iv."),
        ("dbt", ("--select", "vitals_hourly", *UNTESTED), None, "marts.cohort"),
        ("charthouse", ("--select", "task_icu_mortality"), None,
         "What is selected reads what the warehouse does not hold: intermediate.int_stays,"
         " marts.cohort (covers_cohort_task_icu_mortality_ does)."
         f" {BUILD_ALL}, and a + before each name."),
    ],
)  # fmt: skip
def test_a_first_build_that_is_refused_leaves_nothing(
    fresh: Bench, by: str, words: tuple[str, ...], folder: str | None, line: str
) -> None:
    """Though the other two data sets are there."""
    if folder is not None:
        fresh.raw["CHARTHOUSE_MIMICIV"] = folder
    if by == "dbt":
        outcome = fresh.build(*words)
        assert outcome.code == 2 and "Traceback" not in outcome.output
        assert line in outcome.output
    else:
        done = fresh.charthouse("build", *words)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert line in done.stderr
    assert not files(fresh) and not folders(fresh)


def test_one_whose_copies_are_all_refused_leaves_nothing(bench: Bench) -> None:
    bench.warehouse.unlink()
    patients = Path(bench.raw["CHARTHOUSE_MIMICIV"]) / "hosp/patients.csv.gz"
    rewrite(patients, lambda text: text.split("\n")[0] + "\n")
    outcome = bench.build("--select", PATIENTS)
    assert "holds no row that stg_mimiciv__patients asks for" in outcome.output
    assert (outcome.code, files(bench), folders(bench)) == (1, [], [])


def test_what_it_has_read_whole_stays(bench: Bench) -> None:
    bench.warehouse.unlink()
    admissions = Path(bench.raw["CHARTHOUSE_MIMICIV"]) / "hosp/admissions.csv.gz"
    rewrite(admissions, lambda text: text.split("\n")[0] + "\n")
    assert bench.build("--select", PATIENTS, "stg_mimiciv__admissions", *UNTESTED).code == 1
    assert files(bench) == []
    outcome = bench.build("--select", PATIENTS, *UNTESTED)
    assert outcome.code == 0 and "unchanged, not read again: " in outcome.output
    assert bench.one(f"select count(*) > 0 from staging.{PATIENTS}")


def test_what_succeeds_stays_without_a_row(fresh: Bench) -> None:
    assert fresh.build("--select", PATIENTS, "--empty", *UNTESTED).code == 0
    assert fresh.one(f"select count(*) from staging.{PATIENTS}") == 0
    assert not folders(fresh)


def test_a_warehouse_that_stood_before_stays_whatever_it_holds(fresh: Bench) -> None:
    with duckdb.connect(str(fresh.warehouse)) as database:
        database.execute("create table mine (note varchar)")
    assert fresh.build(CHARTHOUSE_MIMICIV="/no/such").code == 2
    assert fresh.contents().keys() == {"main.mine"}


def test_the_parts_that_it_names_can_be_built(fresh: Bench) -> None:
    """As its line advises."""
    words = ("--select", "+tasks", "--indirect-selection", "buildable")
    assert fresh.build(*words).code == 0
    assert fresh.one("select count(*) from seeds.tasks") == 5
