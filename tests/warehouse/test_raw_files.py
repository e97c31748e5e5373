"""Which file a raw table is, and when a copy of it is read again; dbt show of what is not built."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

import forked
from bench import PROJECT, UNTESTED, Bench, rewrite
from charthouse.core.errors import CharthouseError
from charthouse.core.local_paths import require_warehouse_path
from charthouse.core.project import RawTable, raw_tables
from charthouse.core.synthetic_marker import sha256_of
from charthouse.data.raw.files import find_raw_file, is_copy_of, origin_line

PATIENTS, RADIOLOGY = (
    next(table for table in raw_tables(PROJECT) if table.table == name)
    for name in ("patients", "radiology")
)
Spelling = Callable[[Path], str]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of MIMIC-IV with one table, named in the environment."""
    folder = tmp_path / "data/mimic-iv"
    (folder / "hosp").mkdir(parents=True)
    (folder / "hosp/patients.csv").write_text("subject_id\n1\n")
    monkeypatch.setenv("CHARTHOUSE_MIMICIV", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def found(table: RawTable = PATIENTS) -> Path:
    file = find_raw_file(table)
    assert file is not None
    return file


def comment_of(file: Path) -> str:
    return f"Patients.\n\n{origin_line(file)} Query abc. SHA-256 {sha256_of(file)}.\nCredentialed."


# Which file


@pytest.mark.parametrize("ending", [".csv.gz", ".csv", ".parquet"])
def test_a_table_is_in_one_of_three_forms(root: Path, ending: str) -> None:
    file = root / f"hosp/patients{ending}"
    (root / "hosp/patients.csv").rename(file)
    assert found(PATIENTS) == file


@pytest.mark.parametrize(
    ("endings", "said"),
    [
        ([".csv", ".parquet"], "twice: patients.csv and patients.parquet. Keep one"),
        (
            [".csv.gz", ".csv", ".parquet"],
            "three times: patients.csv.gz and patients.csv and patients.parquet. Keep one",
        ),
    ],
)
def test_several_files_of_one_table_are_refused(root: Path, endings: list[str], said: str) -> None:
    for ending in endings:
        (root / f"hosp/patients{ending}").touch()
    with pytest.raises(CharthouseError) as caught:
        find_raw_file(PATIENTS)
    assert str(caught.value).startswith(f"{root}/hosp/patients exists {said}")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda hosp: (hosp / "admissions.csv").touch(), "/patients.csv.gz is missing (nor is"),
        (lambda hosp: (hosp / "patients.csv").mkdir(), "/patients.csv.gz is missing (nor is"),
        (lambda hosp: (hosp / "patients.csv").symlink_to("gone"), "/patients.csv.gz is missing"),
        (lambda hosp: os.mkfifo(hosp / "patients.csv"), "/patients.csv.gz is missing"),
        (lambda hosp: None, " is missing, empty or not readable by you. Correct CHARTHOUSE_MIM"),
        (lambda hosp: hosp.rmdir(), " is missing, empty or not readable by you. Correct CHARTH"),
        (lambda hosp: (hosp.rmdir(), hosp.touch()), " is missing, empty or not readable by you."),
    ],
)
def test_no_file_of_a_table_is_told_from_no_folder(
    root: Path, spoil: Callable[[Path], object], said: str
) -> None:
    (root / "hosp/patients.csv").unlink()
    spoil(root / "hosp")
    with pytest.raises(CharthouseError) as caught:
        find_raw_file(PATIENTS)
    assert str(caught.value).startswith(f"{root}/hosp{said}")


def test_a_folder_that_is_not_named_is_said_unless_it_may_be_absent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for value in ("", None):
        for name in ("CHARTHOUSE_MIMICIV", "CHARTHOUSE_NOTE"):
            monkeypatch.setenv(name, "") if value == "" else monkeypatch.delenv(name)
        assert find_raw_file(RADIOLOGY) is None
        with pytest.raises(CharthouseError, match="CHARTHOUSE_MIMICIV is not set: it names the f"):
            find_raw_file(PATIENTS)
    monkeypatch.setenv("CHARTHOUSE_MIMICIV", "s3://bucket")
    with pytest.raises(CharthouseError, match="CHARTHOUSE_MIMICIV begins with 's3:'"):
        find_raw_file(PATIENTS)


def test_a_warehouse_cannot_be_called_as_the_raw_files_are() -> None:
    with pytest.raises(CharthouseError, match="cannot be called as what DuckDB has of its own"):
        require_warehouse_path("/data/raw_files.duckdb")


# When it is read again


@pytest.mark.parametrize(
    "spell",
    [
        lambda root: f"{root}/",
        lambda root: f"{root}//",
        lambda root: str(root).replace("/data/", "//data/./"),
        lambda root: f"{root}/../mimic-iv",
        lambda root: "data/mimic-iv",
        lambda root: "./data/mimic-iv/",
        lambda root: "link",
        lambda root: "links/mimic-iv",
    ],
)
def test_the_origin_is_the_same_however_the_path_is_spelled(
    root: Path, monkeypatch: pytest.MonkeyPatch, spell: Spelling
) -> None:
    Path("link").symlink_to(root)
    Path("links").symlink_to("data")
    before = origin_line(found())
    monkeypatch.setenv("CHARTHOUSE_MIMICIV", spell(root))
    assert origin_line(found()) == before


def test_a_link_to_the_file_is_the_file(root: Path) -> None:
    before = origin_line(found())
    (root / "hosp/patients.csv").rename(root / "elsewhere.csv")
    (root / "hosp/patients.csv").symlink_to(root / "elsewhere.csv")
    now = origin_line(found())
    assert "elsewhere.csv" in now and now != before


@pytest.mark.parametrize(
    "change",
    [
        lambda file: os.utime(file, (0, 0)),
        lambda file: file.chmod(0o600),
        lambda file: file.write_bytes(file.read_bytes()),
        lambda file: shutil.copy(shutil.move(file, file.parent / "old"), file),
    ],
)
def test_the_same_bytes_are_the_same_file(root: Path, change: Callable[[Path], object]) -> None:
    comment = comment_of(found())
    change(found())
    assert is_copy_of(found(), comment)


def test_a_file_that_was_moved_is_the_same(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    comment = comment_of(found())
    moved = root.rename(root.with_name("mimic-iv-3.1"))
    monkeypatch.setenv("CHARTHOUSE_MIMICIV", str(moved))
    assert origin_line(found()) not in comment and is_copy_of(found(), comment)


def test_other_bytes_are_another_file_of_the_same_size_and_time_too(root: Path) -> None:
    comment = comment_of(found())
    times = found().stat()
    for content in ("subject_id\n2\n", "subject_id\n1\n\n", ""):
        found().write_text(content)
        os.utime(found(), ns=(times.st_atime_ns, times.st_mtime_ns))
        assert not is_copy_of(found(), comment)


def test_a_copy_that_did_not_read_all_is_of_no_file(root: Path) -> None:
    assert not is_copy_of(found(), f"{origin_line(found())} Query abc.\nCredentialed.")
    assert not is_copy_of(found(), "")


def test_a_source_that_is_not_set_is_another_than_a_file(root: Path) -> None:
    nothing = f"{origin_line(None)} Query abc.\nNo rows."
    assert is_copy_of(None, nothing)
    assert not is_copy_of(found(), nothing)
    assert not is_copy_of(None, comment_of(found()))


def test_a_line_break_in_a_folder_is_no_line_of_the_comment(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines of a comment say which kind of data a copy holds."""
    (root / "hosp").rename(root / "a\nSynthetic.\nb")
    (root / "hosp").symlink_to("a\nSynthetic.\nb")
    assert "\n" not in origin_line(found()) and is_copy_of(found(), comment_of(found()))


def test_a_build_reads_nothing_again_that_is_there_by_another_name(bench: Bench) -> None:
    """Folders of the bench are copies of those that its warehouse was built from."""
    mimiciv, note, cxr, _ = (Path(folder) for folder in bench.raw.values())
    (mimiciv.parent / "link").symlink_to(mimiciv)
    bench.raw["CHARTHOUSE_MIMICIV"] = f"{mimiciv.parent}/link"
    bench.raw["CHARTHOUSE_NOTE"] = f"{os.path.relpath(note, bench.warehouse.parent / 'dbt')}//"
    bench.raw["CHARTHOUSE_CXR"] = f"{note}/../{cxr.name}"
    staged = ("--select", "path:models/staging", *UNTESTED)
    comments = bench.sql("select comment from duckdb_tables() where schema_name = 'staging'")
    for _ in range(2):
        outcome = bench.build(*staged)
        assert outcome.code == 0
        assert outcome.output.count("unchanged, not read again") == len(comments)
    comments = bench.sql("select comment from duckdb_tables() where schema_name = 'staging'")
    assert len(comments) >= 18
    assert all(f"Read from '{mimiciv.parent}" in c and "\nSynthetic." in c for (c,) in comments)


def test_chartevents_is_read_again_for_other_items_alone(bench: Bench, project: Path) -> None:
    """As seeds/concepts/_concepts__seeds.yml says: not for another range."""
    bench.project = project
    seed = project / "seeds/concepts/vital_signs.csv"
    chosen = ("--select", "vital_signs", "stg_mimiciv__chartevents", *UNTESTED)
    unchanged = f"unchanged, not read again: {bench.raw['CHARTHOUSE_MIMICIV']}/icu/chartevents"

    def build() -> str:
        outcome = bench.build(*chosen, *("--vars", "{window_end_hours: 24}"))
        assert outcome.code == 0, outcome.output
        return outcome.output

    def edit(before: str, after: str) -> None:
        assert before in seed.read_text()
        seed.write_text(seed.read_text().replace(before, after))

    edit("bpm,,0,0,350,390", "bpm,,0,0,300,390")
    assert unchanged in build()
    edit("No Response-ETT", "No response")
    assert unchanged not in build()
    staged = "select count(*) from staging.stg_mimiciv__chartevents"
    assert bench.one(f"{staged} where is_intubated") == 0
    heart_rates = f"{staged} where itemid = 220045"
    assert bench.one(heart_rates)
    edit("220045,", "220046,")
    assert unchanged not in build()
    assert bench.one(heart_rates) == 0


def test_the_large_file_is_read_after_the_small_ones(built: Bench) -> None:
    """By what it reads: dbt runs what reads raw files alone first, and that reads a seed too."""
    results = json.loads((built.logs / "target/run_results.json").read_text())["results"]
    staged = [
        each["unique_id"]
        for each in results
        if each["unique_id"].startswith("model.charthouse.stg_")
    ]
    assert len(staged) == 18 and staged[-1].endswith(".stg_mimiciv__chartevents")


def test_a_column_that_is_missing_is_told_before_any_file_is_read(bench: Bench) -> None:
    note = Path(bench.raw["CHARTHOUSE_NOTE"]) / "note/radiology.csv.gz"
    rewrite(note, lambda text: text.replace("storetime", "stored", 1))
    outcome = bench.build()
    assert outcome.code != 0 and f"{note}: column storetime is missing." in outcome.output
    assert "raw_copy" not in outcome.output


# Before anything is built


def dbt(bench: Bench, *words: str) -> subprocess.CompletedProcess[str]:
    folders = ["--target-path", str(bench.logs / "target"), "--log-path", str(bench.logs)]
    words = (*words, "--quiet", "--profiles-dir", "profiles", *folders)
    return forked.run("dbt", words, **bench._where())


def test_a_staging_model_and_a_source_are_shown_before_and_after_a_build(
    own: Bench, tmp_path: Path
) -> None:
    fresh = Bench(own.raw, tmp_path / "fresh/warehouse.duckdb", tmp_path / "fresh")
    fresh.logs.mkdir()
    for bench in (fresh, own):
        shown = dbt(bench, "show", "--select", "stg_mimiciv__patients", "--limit", "3")
        assert shown.returncode == 0, shown.stdout + shown.stderr
        assert "anchor_year_group" in shown.stdout and shown.stdout.count(" |\n| ") == 4
        row = shown.stdout.splitlines()[2]
        assert row.startswith("| ") and row not in (bench.logs / "dbt.log").read_text()
    source = "select count(*) as n from {{ source('mimic_cxr', 'metadata') }}"
    shown = dbt(fresh, "show", "--inline", source, "--output", "json")
    assert f'"n": {own.one("select count(*) from staging.stg_mimic_cxr__metadata")}' in shown.stdout
    compiled = dbt(fresh, "compile", "--select", "stg_mimiciv__patients")
    assert 'from "raw_files"."mimiciv_hosp"."patients"' in compiled.stdout
    assert dbt(fresh, "compile").returncode == 0  # all of it: nothing is asked of tables
    assert not fresh.warehouse.exists()


def test_what_dbt_only_reads_is_read_beside_others(bench: Bench) -> None:
    before = bench.warehouse.read_bytes()
    with duckdb.connect(str(bench.warehouse), read_only=True):
        for command in (["test"], ["show"], ["compile"], ["docs", "generate"]):
            done = dbt(bench, *command, "--select", "cohort_definition")
            assert done.returncode == 0, done.stdout + done.stderr
            assert "in the cohort" not in done.stdout  # nothing was built
    assert bench.warehouse.read_bytes() == before


def test_a_file_that_is_refused_is_one_line_of_dbt_show(bench: Bench) -> None:
    packed = Path(bench.raw["CHARTHOUSE_MIMICIV"]) / "hosp/patients.csv.gz"
    plain = packed.rename(packed.with_name("patients.csv"))
    shown = dbt(bench, "show", "--select", "stg_mimiciv__patients")
    assert shown.returncode != 0 and f"{plain} is a gz and no csv." in shown.stdout
    assert "Traceback" not in shown.stdout

    bench.raw = {}
    shown = dbt(bench, "show", "--select", "stg_mimiciv__patients")
    assert "CHARTHOUSE_MIMICIV is not set: it names the folder of mimic-iv." in shown.stdout
    assert dbt(bench, "show", "--select", "stg_mimiciv__radiology").returncode == 0


def test_no_raw_file_is_needed_to_build_empty_tables(bench: Bench) -> None:
    """For unit tests and docs on a machine without data."""
    empty = Bench({}, bench.warehouse.with_name("empty.duckdb"), bench.logs)
    outcome = empty.build("--select", "path:models/staging", "path:seeds", "--empty", *UNTESTED)
    assert outcome.code == 0, outcome.output
    assert empty.one("select count(*) from staging.stg_mimiciv__patients") == 0
    with duckdb.connect(str(empty.warehouse), read_only=True) as database:
        databases = database.execute("select database_name from duckdb_databases()").fetchall()
    assert ("raw_files",) not in databases
