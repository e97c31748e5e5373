"""Bad input and bad luck: one clear line, exit 1, and the warehouse as it was.

Each test builds on a copy of the data and of a finished warehouse, spoils something, builds, and
looks at all three. A warehouse "as it was" is one of the very bytes. What each proves is listed in
docs/reference/faults.md.
"""

import gzip
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

import forked
from bench import PROJECT, UNTESTED, Bench, link_without_models, rewrite
from charthouse.core.errors import CharthouseError
from charthouse.core.modalities import modalities
from charthouse.core.registry import seed_path
from charthouse.core.synthetic_marker import GZIP_NAME, MARKER, write_marker
from charthouse.core.warehouse import open_warehouse
from small_disk import needs_root, small_disk

SECRET = "Mrs_Smith"  # stands where patient text could; must never be printed or logged


def mimic(bench: Bench, file: str) -> Path:
    return Path(bench.raw["CHARTHOUSE_MIMICIV"]) / file


def in_line(number: int, change: Callable[[list[str]], list[str]]) -> Callable[[str], str]:
    """Edits the fields of one line (1 is the header) of a CSV without quotes."""

    def edit(text: str) -> str:
        lines = text.split("\n")
        lines[number - 1] = ",".join(change(lines[number - 1].split(",")))
        return "\n".join(lines)

    return edit


def with_field(column: int, value: str) -> Callable[[list[str]], list[str]]:
    return lambda fields: [*fields[:column], value, *fields[column + 1 :]]


def flip_bytes(path: Path) -> None:
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(byte ^ 0x5A for byte in data[middle : middle + 64])
    path.write_bytes(bytes(data))


ICUSTAYS, CHARTEVENTS = "icu/icustays.csv.gz", "icu/chartevents.csv.gz"
D_ITEMS, ADMISSIONS, PATIENTS = (
    "icu/d_items.csv.gz",
    "hosp/admissions.csv.gz",
    "hosp/patients.csv.gz",
)


def spoil_checksum(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-8] ^= 1
    path.write_bytes(bytes(data))


def as_parquet(path: Path, columns: str, options: str = "") -> None:
    target = str(path).replace(".csv.gz", ".parquet")
    with duckdb.connect() as database:
        database.execute(f"copy (select {columns} from read_csv('{path}'{options})) to '{target}'")
    path.unlink()


def as_parquet_text(path: Path) -> None:
    as_parquet(path, "*", ", all_varchar = true")


def every_admission_in(year: str) -> Callable[[str], str]:
    """Their admittime, as the third column has it, in that year."""
    return lambda text: re.sub(r"(?m)^(\d+,\d+,)\d{4}", rf"\g<1>{year}", text)


# name: (what is done to the folder of MIMIC-IV, the line that must be printed)
FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "required file missing": (
        lambda root: (root / ADMISSIONS).unlink(),
        "hosp/admissions.csv.gz is missing (nor is there a .csv or .parquet). Fetch it",
    ),
    "module missing": (
        lambda root: shutil.rmtree(root / "icu"),
        "/icu is missing, empty or not readable by you. Correct CHARTHOUSE_MIMICIV",
    ),
    "two files of one table": (
        lambda root: shutil.copy(root / ADMISSIONS, root / "hosp/admissions.parquet"),
        "hosp/admissions exists twice: admissions.csv.gz and admissions.parquet. Keep one",
    ),
    "required column missing": (
        lambda root: rewrite(root / ICUSTAYS, lambda text: text.replace("outtime", "left_at", 1)),
        "icu/icustays.csv.gz: column outtime is missing. Fetch the file again",
    ),
    "gz cut short": (
        lambda root: (root / CHARTEVENTS).write_bytes((root / CHARTEVENTS).read_bytes()[:-50000]),
        "icu/chartevents.csv.gz is cut short. Fetch it again.",
    ),
    "gz damaged in the middle": (
        lambda root: flip_bytes(root / CHARTEVENTS),
        "icu/chartevents.csv.gz is damaged",
    ),
    "a gz with a wrong checksum": (
        lambda root: spoil_checksum(root / CHARTEVENTS),
        "icu/chartevents.csv.gz is damaged: its checksum is wrong. Fetch it again.",
    ),
    "a Parquet file with text for a number": (
        lambda root: as_parquet_text(root / CHARTEVENTS),
        "icu/chartevents.parquet, column stay_id: text where INTEGER belongs. Write the file",
    ),
    "a row with too few fields": (
        lambda root: rewrite(root / CHARTEVENTS, in_line(5, lambda fields: fields[:4])),
        "icu/chartevents.csv.gz, line 5: a row with too few fields. Correct the file",
    ),
    "text where a number belongs": (
        lambda root: rewrite(root / CHARTEVENTS, in_line(7, with_field(8, SECRET))),
        "icu/chartevents.csv.gz, line 7, column valuenum: text where a number belongs.",
    ),
    "text where a number belongs, twice, in a small file": (
        lambda root: [
            rewrite(root / PATIENTS, in_line(line, with_field(2, SECRET))) for line in (3, 9)
        ],
        "line 3, column anchor_age: text where a number belongs; 2 faulty lines up to line ",
    ),
    "a group of years of another form": (
        lambda root: rewrite(root / PATIENTS, in_line(2, with_field(4, "2008-2010"))),
        "hosp/patients: an anchor_year_group is no span of years like 2008 - 2010 (1 of them",
    ),
    "a group of years that ends before it begins": (
        lambda root: rewrite(root / PATIENTS, in_line(2, with_field(4, "2010 - 2008"))),
        "hosp/patients: an anchor_year_group is no span of years like 2008 - 2010 (1 of them",
    ),
    "an impossible date": (
        lambda root: rewrite(root / ICUSTAYS, in_line(2, with_field(5, "2150-02-30 12:00:00"))),
        "icu/icustays.csv.gz, line 2, column intime: a date or time that does not exist.",
    ),
    "an id that is not whole": (
        lambda root: rewrite(root / ICUSTAYS, in_line(3, with_field(1, "29999999.6"))),
        "icu/icustays.csv.gz, line 3, column hadm_id: a number where a whole one belongs, in plain",
    ),
    "a flag that is not whole": (
        lambda root: rewrite(root / ADMISSIONS, in_line(3, lambda fields: [*fields[:-1], "0.4"])),
        "line 3, column hospital_expire_flag: a number where a whole one belongs, in plain digits.",
    ),
    "a flag of another number": (
        lambda root: rewrite(root / ADMISSIONS, in_line(3, lambda fields: [*fields[:-1], "2"])),
        "hosp/admissions: a hospital_expire_flag is neither 0 nor 1 (1 of them, the first 2",
    ),
    "a time with an offset": (
        lambda root: rewrite(
            root / CHARTEVENTS, in_line(9, with_field(4, "2150-01-31 10:00:00+05:00"))
        ),
        "icu/chartevents.csv.gz, line 9, column charttime: a time with a zone or offset. MIMIC's",
    ),
    "a Parquet file with times of a zone": (
        lambda root: as_parquet(
            root / ICUSTAYS, "* replace (timezone('America/New_York', intime) as intime)"
        ),
        "icu/icustays.parquet, column intime: times with a zone (",
    ),
    "a Parquet file with dates for times": (
        lambda root: as_parquet(root / ICUSTAYS, "* replace (intime::date as intime)"),
        "icu/icustays.parquet, column intime: DATE where TIMESTAMP belongs. Write the file again",
    ),
    "a column twice": (
        lambda root: rewrite(root / ICUSTAYS, lambda text: text.replace("los", "intime", 1)),
        "icu/icustays.csv.gz: column intime occurs 2 times. Keep one of them",
    ),
    "outtime years after intime": (
        lambda root: rewrite(root / ICUSTAYS, in_line(4, with_field(6, "9999-01-01 00:00:00"))),
        "icu/icustays: a stay has its outtime more than a year after its intime (1 of them",
    ),
    "an age that cannot be": (
        lambda root: rewrite(root / PATIENTS, in_line(4, with_field(2, "-5"))),
        "hosp/patients: an anchor_age is below 0 or above 120 (1 of them, the first 1",
    ),
    "a year of birth that cannot be": (
        lambda root: rewrite(root / ADMISSIONS, every_admission_in("9150")),
        "hosp/admissions: an admittime makes an age below 0 or above 120 of the anchor_age and",
    ),
    "outtime before intime": (
        lambda root: rewrite(root / ICUSTAYS, in_line(4, with_field(6, "2001-01-01 00:00:00"))),
        "icu/icustays: a stay has its outtime before its intime (1 of them, the first 3",
    ),
    "a stay_id twice": (
        lambda root: rewrite(root / ICUSTAYS, lambda text: text + text.split("\n")[1] + "\n"),
        "icu/icustays: a stay_id stands in more than one row (1 of them, the first 3",
    ),
    "a stay whose patient is absent": (
        lambda root: rewrite(root / ICUSTAYS, in_line(3, with_field(0, "19999999"))),
        "icu/icustays: a stay has a subject_id that hosp/patients does not have (1 of them",
    ),
    "a stay whose admission is absent": (
        lambda root: rewrite(root / ICUSTAYS, in_line(3, with_field(1, "29999999"))),
        "icu/icustays: a stay has a hadm_id that hosp/admissions does not have (1 of them",
    ),
    "an itemid of the seed unknown": (
        lambda root: rewrite(root / D_ITEMS, lambda text: text.replace("220045,", "1,", 1)),
        "vital_signs.csv: an itemid is not in icu/d_items (1 of them, the first 220045). Correct",
    ),
    "an itemid of the seed that is nowhere": (
        lambda root: rewrite(root / D_ITEMS, lambda text: text.replace("223762,", "2,", 1)),
        "vital_signs.csv: an itemid is not in icu/d_items (1 of them, the first 223762). Correct",
    ),
    "a hadm_id twice": (
        lambda root: rewrite(root / ADMISSIONS, lambda text: text + text.split("\n")[1] + "\n"),
        "hosp/admissions: a hadm_id stands in more than one row (1 of them, the first 2",
    ),
    "a blank stay_id": (
        lambda root: rewrite(root / ICUSTAYS, in_line(3, with_field(2, ""))),
        "icu/icustays: a stay_id is blank (1 of them",
    ),
    "an admission without its label": (
        lambda root: rewrite(root / ADMISSIONS, in_line(3, lambda fields: [*fields[:-1], ""])),
        "hosp/admissions: an admission has no hospital_expire_flag (1 of them, the first 2",
    ),
    "a byte that is not UTF-8 in the first rows": (
        lambda root: (root / CHARTEVENTS).write_bytes(
            gzip.compress(
                gzip.decompress((root / CHARTEVENTS).read_bytes()).replace(
                    b",Obeys Commands,", b"," + SECRET.encode() + b"\xe9,", 1
                )
            )
        ),
        "icu/chartevents.csv.gz, line ",
    ),
    "a file without a byte": (
        lambda root: (root / ADMISSIONS).write_bytes(b""),
        "hosp/admissions.csv.gz is empty, damaged or not readable by you: it has no first line.",
    ),
    "an empty gz": (
        lambda root: (root / ADMISSIONS).write_bytes(gzip.compress(b"")),
        "hosp/admissions.csv.gz is empty, damaged or not readable by you: it has no first line.",
    ),
    "a file with a header only": (
        lambda root: rewrite(root / CHARTEVENTS, lambda text: text.split("\n")[0] + "\n"),
        "icu/chartevents.csv.gz holds no row that stg_mimiciv__chartevents asks for.",
    ),
}  # fmt: skip


def assert_refused(bench: Bench, before: str, outcome: object, line: str) -> None:
    output = outcome.output  # type: ignore[attr-defined]
    summary = [text for text in output.splitlines() if "FAILED" in text]
    # what is refused before a model runs has no summary, and dbt's exit code is another
    assert outcome.code == (1 if summary else 2), output  # type: ignore[attr-defined]
    assert any(line in text for text in summary or output.splitlines()), output
    # one advice, which is ours, and one full stop
    assert all(text.endswith(".") and ".." not in text for text in summary), output
    assert "Traceback" not in output
    logged = "".join(path.read_text() for path in bench.logs.glob("*.log"))
    assert SECRET not in output + logged
    assert bench.md5() == before


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_raw_files(bench: Bench, fault: str) -> None:
    spoil, line = FAULTS[fault]
    before = bench.md5()
    spoil(Path(bench.raw["CHARTHOUSE_MIMICIV"]))
    # those that look at the raw rows
    outcome = bench.build("--select", "staging", "int_stays", "int_vitals_cleaned")
    assert_refused(bench, before, outcome, line)


def test_a_folder_that_is_not_there(bench: Bench) -> None:
    before = bench.md5()
    outcome = bench.build(CHARTHOUSE_MIMICIV="/no/such/folder")
    assert_refused(bench, before, outcome, "/no/such/folder/hosp is missing, empty or not readable")


def test_a_folder_that_is_not_named(bench: Bench) -> None:
    before = bench.md5()
    del bench.raw["CHARTHOUSE_MIMICIV"]
    assert_refused(
        bench, before, bench.build(), "CHARTHOUSE_MIMICIV is not set: it names the folder"
    )


@pytest.mark.skipif(
    os.geteuid() == 0 and not shutil.which("setpriv"),
    reason="root reads everything, and setpriv, which takes that right away, is not installed",
)
def test_a_folder_that_may_not_be_read(bench: Bench) -> None:
    before = bench.md5()
    folder = mimic(bench, "icu")
    folder.chmod(0)
    capabilities = "-dac_override,-dac_read_search"
    drop = ("setpriv", f"--bounding-set={capabilities}", f"--inh-caps={capabilities}")
    try:
        outcome = bench.build(prefix=drop if os.geteuid() == 0 else ())
    finally:
        folder.chmod(0o755)
    assert_refused(bench, before, outcome, "/icu is missing, empty or not readable by you.")


def test_a_study_date_that_does_not_exist(bench: Bench) -> None:
    before = bench.md5()
    rewrite(
        Path(bench.raw["CHARTHOUSE_CXR"]) / "mimic-cxr-2.0.0-metadata.csv.gz",
        in_line(2, with_field(7, "21501399")),
    )
    line = "mimic-cxr-2.0.0-metadata: a StudyDate or StudyTime does not exist (1 of them"
    assert_refused(bench, before, bench.build(), line)


@pytest.mark.parametrize("dicom_id", ["../../outside", "a/b", "..", "a\\b"])
def test_a_picture_that_its_name_would_look_for_elsewhere(bench: Bench, dicom_id: str) -> None:
    before = bench.md5()
    metadata = Path(bench.raw["CHARTHOUSE_CXR"]) / "mimic-cxr-2.0.0-metadata.csv.gz"
    rewrite(metadata, in_line(2, with_field(0, dicom_id)))
    line = "mimic-cxr-2.0.0-metadata: a dicom_id is no name of a file, told here by its"
    assert_refused(bench, before, bench.build("--select", "stg_mimic_cxr__metadata"), line)


@pytest.mark.parametrize("key", [SECRET, f"{SECRET} 72", "x" * 100])
def test_a_key_that_is_none_is_not_printed(bench: Bench, key: str) -> None:
    before = bench.md5()
    notes = Path(bench.raw["CHARTHOUSE_NOTE"]) / "note/radiology.csv.gz"
    row = f'{key},10000001,,RR,1,2150-01-01 00:00:00,2150-01-01 00:00:00,"SYNTHETIC"\n'
    rewrite(notes, lambda text: text.rstrip("\n") + "\n" + 2 * row)
    line = "note/radiology: a note_id stands in more than one row (1 of them). Keep one row of it"
    assert_refused(bench, before, bench.build("--select", "stg_mimiciv__radiology"), line)


def test_no_stay_left_after_the_rules(bench: Bench) -> None:
    before = bench.md5()
    outcome = bench.build("--vars", "{protocol: paper, min_age: 150}")
    changed = 'built with: protocol "paper" (was "strict"), min_age 150 (was 18).'
    assert changed in outcome.output
    line = 'No stay is left after the rules of the cohort: "age at least 150" drops 300. Loosen'
    assert_refused(bench, before, outcome, line)


def test_a_broken_promise_keeps_the_previous_marts(bench: Bench, project: Path) -> None:
    """A data test that fails is a failure of the run, though every model was built."""
    before = bench.md5()
    bench.project = project
    (project / "tests/dbt/assert_more.sql").write_text("select 1 from {{ ref('cohort') }} limit 2")
    line = (
        "the promise assert_more is broken by 2 rows. See them: dbt build --profiles-dir profiles"
        " --store-failures, then the table dbt_test__audit.assert_more of "
    )
    assert_refused(bench, before, bench.build(), line)

    outcome = bench.build("--store-failures")
    assert bench.md5() == before
    (stored,) = re.findall(
        r"See them: the table dbt_test__audit.assert_more of (\S+)\.", outcome.output
    )
    with duckdb.connect(stored, read_only=True) as database:
        rows = database.execute("select count(*) from dbt_test__audit.assert_more").fetchall()
    assert rows == [(2,)]


def add(row: str) -> Callable[[str], str]:
    return lambda text: f"{text.rstrip()}\n{row}\n"


def swap(one: str, other: str) -> Callable[[str], str]:
    return lambda text: text.replace(one, "?").replace(other, one).replace("?", other)


@pytest.mark.parametrize(
    ("seed", "edit", "line"),
    [
        ("vital_signs", add("999999,new,New,mmHg,,0,0,9,9,5,,,,mine"),
         "vital_signs.csv: an itemid is not in icu/d_items (1 of them, the first 999999). Correct"),
        ("vital_signs", swap("220045,", "220210,"),
         "an itemid has another label in icu/d_items (2 of them, the first 220045). Correct its"),
        ("tabular_variables", add("7,los_days,numeric,length of stay,mine"),
         "a variable is no column of marts.cohort that is known at admission (1 of them, the first"
         " los_days). Name one of age, age_group, gender, race, race_group, marital_status,"),
    ],
)  # fmt: skip
def test_an_edited_seed_that_is_wrong_is_undone_with_the_run(
    bench: Bench, project: Path, seed: str, edit: Callable[[str], str], line: str
) -> None:
    before = bench.md5()
    bench.project = project
    path = seed_path(project, seed)
    path.write_text(edit(path.read_text()))
    assert_refused(bench, before, bench.build("--select", f"{seed}+1"), line)


def test_an_edited_seed_that_breaks_its_promises(bench: Bench, project: Path) -> None:
    before = bench.md5()
    bench.project = project
    for seed, old, new in [
        ("vital_signs", "mmHg,,0,14,330,375,77", "mmHg,,0,,330,375,77"),
        ("vital_signs", "1,1,5,5,5", "1,6,5,5,5"),
        ("race_groups", "2,ASIAN", "1,Asian"),
        ("tabular_variables", "1,age,numeric", "1,age,Numeric"),
    ]:
        path = seed_path(project, seed)
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    outcome = bench.build("--select", "vital_signs", "race_groups", "tabular_variables")
    for promise, rows in [
        ("not_null_vital_signs_valid_low", 3),
        ("bounds_of_vital_signs_are_in_order", 4),
        ("patterns_of_race_groups_are_in_upper_case", 1),
        ("unique_race_groups_priority", 1),
        ("accepted_values_tabular_variables_kind__numeric__categorical", 1),
    ]:
        assert_refused(bench, before, outcome, f"the promise {promise} is broken by {rows} row")


def test_some_models_alone_under_other_settings(bench: Bench) -> None:
    before = bench.md5()
    outcome = bench.build("--select", "vitals_hourly", "--vars", "{bin_hours: 2}")
    assert outcome.code != 0
    assert "bin_hours is 2 here, but 1 in the warehouse" in outcome.output
    assert bench.md5() == before
    # nor with the models that say what the settings are, on a cohort of other ones
    outcome = bench.build("--select", "cohort+", "--vars", "{min_age: 65}")
    assert outcome.code != 0
    assert "min_age is 65 here, but 18 in the warehouse" in outcome.output
    assert bench.md5() == before
    # views hold settings, too
    outcome = bench.build("--exclude", "vitals_outliers", "--vars", "{window_end_hours: 48}")
    assert outcome.code != 0 and "window_end_hours is 48 here, but 24 in" in outcome.output
    assert bench.md5() == before
    same = "{bin_hours: 1.0, split_fractions: [0.7, 0.1, 0.2], landmark: 1}"
    assert bench.build("--select", "vitals_hourly", "--vars", same).code == 0


def test_dbt_retry_is_refused_since_what_failed_is_gone(bench: Bench) -> None:
    before = bench.md5()
    assert bench.build("--vars", "{min_age: 200}").code != 0
    words = [word for word in bench._words(("unit_test",)) if word != "build"]
    again = forked.run("dbt", ("retry", *words), **bench._where())
    assert again.returncode != 0 and "dbt retry: the previous run" in again.stdout
    assert "Run dbt build" in again.stdout and bench.md5() == before


def test_a_warehouse_called_as_a_schema_is_refused(bench: Bench) -> None:
    """DuckDB names the database after the file, and marts.cohort would mean two things."""
    bench.warehouse = bench.warehouse.rename(bench.warehouse.with_name("marts.duckdb"))
    before = bench.md5()
    line = "a warehouse cannot be called as one of its schemas"
    outcome = bench.build()
    assert outcome.code == 2 and line in outcome.output and "Traceback" not in outcome.output
    assert line in bench.charthouse("encoders").stderr
    assert bench.md5() == before


@pytest.mark.parametrize("name", ["Marts.duckdb", "marts.v2.duckdb", "RESULTS", ".marts.duckdb"])
def test_nor_in_other_letters_or_with_more_dots(tmp_path: Path, name: str) -> None:
    with (
        pytest.raises(CharthouseError, match="cannot be called as one of its schemas"),
        open_warehouse(tmp_path / name, read_only=False),
    ):
        pass


def spoil(warehouse: Path, at: int, garbage: bytes) -> None:
    with warehouse.open("r+b") as file:
        file.seek(at)
        file.write(garbage)


DAMAGE: dict[str, Callable[[Path], None]] = {
    "no DuckDB file": lambda warehouse: spoil(warehouse, 0, b"x" * 100),
    "empty": lambda warehouse: os.truncate(warehouse, 0),
    "cut in the middle": lambda warehouse: os.truncate(warehouse, warehouse.stat().st_size // 2),
    "spoiled header": lambda warehouse: spoil(warehouse, 4096, b"x" * 8192),
    "spoiled blocks": lambda warehouse: spoil(
        warehouse, 12288, b"x" * (warehouse.stat().st_size // 2)
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_warehouse_is_one_line(built: Bench, tmp_path: Path, damage: str) -> None:
    warehouse = Path(shutil.copy(built.warehouse, tmp_path))
    DAMAGE[damage](warehouse)
    with pytest.raises(CharthouseError) as caught, open_warehouse(warehouse) as db:
        for name in db.execute("select schema_name, table_name from duckdb_tables()").fetchall():
            db.execute("select bit_xor(hash(t)) from {}.{} as t".format(*name)).fetchall()
    assert str(caught.value) == (
        f"{warehouse}: is damaged, or no warehouse. Put a copy of it in its place, or move it away"
        " and make another: charthouse build."
    )


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("CHARTHOUSE_LOCK_SECONDS", "soon", "CHARTHOUSE_LOCK_SECONDS: 'soon' is not a number"),
        ("CHARTHOUSE_MEMORY", "lots", "CHARTHOUSE_MEMORY: 'lots' is no size such as 1500MB"),
        (
            "CHARTHOUSE_THREADS",
            "all",
            "CHARTHOUSE_THREADS: 'all' is not a number of threads from 1",
        ),
        ("CHARTHOUSE_WAREHOUSE", "/no/block/w.duckdb", "/no/block/w.duckdb: cannot be opened"),
    ],
)
def test_an_environment_that_makes_no_sense(
    built: Bench, variable: str, value: str, line: str
) -> None:
    outcome = built.build(**{variable: value})
    assert outcome.code != 0
    assert line in outcome.output
    assert "Traceback" not in outcome.output


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ("{window_end: 48}", "--vars: no setting is called 'window_end'. Known: protocol, window"),
        ("{protocol: papre}", "protocol: 'papre' is neither strict nor paper. Set one of them."),
        ("{alert_rate: 0}", "alert_rate: '0' is not a share between 0 and 1. Give one."),
        ("{at_sensitivity: 80}", "at_sensitivity: '80' is not a share between 0 and 1. Give one."),
        ("{bin_hours: 0}", "bin_hours: '0' is not a number above 0. Give one."),
        ("{split_fractions: [a, b, c]}", "split_fractions: ['a', 'b', 'c'] are not three shares"),
        ("{imputation: mean}", "imputation: 'mean' is none of forward, forward_backward, none."),
        ("{bin_hours: 5}", "window: 0 h to 24 h is not a whole number of bins of 5 h."),
        ("{window_start_hours: 24}", "window: 24 h to 24 h is not a whole number of bins"),
        ("{split_fractions: [0.5, 0.1]}", "split_fractions: [0.5, 0.1] are not three shares"),
        ("{required_modalities: [vitals, profile]}", "'profile' is none of vitals, image, text"),
        ("{not_read: [chartevents]}", "not_read: 'chartevents' is none of d_icd_diagnoses,"),
        ("{profile_sections: [vitals, profile]}", "profile_sections: 'profile' is none of demog"),
        ("{shapley_groups: vitals+labs}", "shapley_groups: 'vitals+labs' is not a list. Write it"),
        ("{shapley_groups: [vitals, 5]}", "shapley_groups: '5' is no group. Write sections with +"),
        ("{shapley_groups: [[]]}", "shapley_groups: '[]' is no group. Write sections with +"),
        ("{shapley_groups: []}", "shapley_groups: 'demographics' of profile_sections is in no"),
        (
            "{shapley_groups: [demographics+vitals, image]}",
            "shapley_groups: 'text' of profile_sections is in no group. Add it to one, or make it",
        ),
        (
            "{shapley_groups: [demographics+vitals, image, text, image]}",
            "shapley_groups: 'image' stands twice. Keep it in one group.",
        ),
        (
            "{shapley_groups: [demographics, vitals+labs, image, text]}",
            "shapley_groups: 'labs' is not told in profiles, which have demographics, vitals,",
        ),
        (
            "{shapley_groups: [[demographics, vital], image, text]}",
            "shapley_groups: 'vital' is not told in profiles, which have demographics, vitals,",
        ),
        (
            "{profile_sections: [demographics, vitals, image, text, labs, diagnoses],"
            " shapley_groups: [demographics, vitals, image, text, labs, diagnoses]}",
            "shapley_groups: 6 groups, and five are the most, since every set of them is asked.",
        ),
        ("{required_modalities: vitals}", "required_modalities: 'vitals' is not a list."),
        ("{required_modalities: {vitals: 1}}", "required_modalities: '{'vitals': 1}' is"),
        ("{min_age: old}", "min_age: 'old' is not a number of 0 or more. Give one, or null for no"),
        ("{profile_hours: -1}", "profile_hours: '-1' is not a number of 0 or more. Give one."),
        ("{profile_vitals: all}", "profile_vitals: 'all' is none of last_value, last_hours."),
        ("{window_end_hours: .inf}", "window_end_hours: 'inf' is not a number. Give one."),
        ("{split_by: era}", "split_by: era needs the year from which stays are tested. Set split_"),
        ("{split_era_cut: 2014}", "split_era_cut: 2014 cuts nothing under split_by: hash. Set"),
        (
            "{split_by: era, split_era_cut: 2014, protocol: paper}",
            "split_by: era keeps patients whole, and split_unit: stay does not. Set split",
        ),
        ("{split_era_cut: soon}", "split_era_cut: 'soon' is not a year. Give one, or null"),
        ("{split_seed: 0.5}", "split_seed: '0.5' is not a whole number of 64 bits (from"),
        ("{split_seed: 9223372036854775808}", "split_seed: '9223372036854775808' is not a whole"),
        ("{split_fractions: [.nan, 0.5, 0.5]}", "split_fractions: [nan, 0.5, 0.5] are not three"),
        ("{window_end_hours: 1.0e+12}", "window_end_hours: '1000000000000.0' is beyond 1,000,000"),
        ("{bin_hours: 0.001}", "bin_hours: the window has 24000 bins of it, and 10,000 are the"),
        ("{image_views: [\"AP' OR 1\"]}", "image_views: 'AP' OR 1' is no view position"),
        ("{settings: 3}", "--vars: 'settings' are all of them at once. Give those that you mean"),
        ("{split_fractions: [1, 0, 0]}", "[1, 0, 0] leave a split empty that is needed: train"),
        ("{image_views: [ap]}", "image_views: 'ap' is no view position: MIMIC-CXR writes them in"),
        ("{fusion: late_}", "fusion: 'late_' is none of concatenate, concatenate_presence, late,"),
    ],
)  # fmt: skip
def test_a_setting_that_makes_no_sense(
    built: Bench, tmp_path: Path, settings: str, line: str
) -> None:
    """Settings are looked at first; and without models, dbt has less to parse again."""
    link_without_models(tmp_path)
    before = built.md5()
    outcome = replace(built, logs=tmp_path, project=tmp_path).build("--vars", settings)
    assert outcome.code != 0
    assert line in outcome.output
    assert "Traceback" not in outcome.output
    assert built.md5() == before


@pytest.fixture
def locked(bench: Bench) -> Iterator[subprocess.Popen[str]]:
    """Another process has the warehouse open."""
    script = (
        f"import duckdb, time; c = duckdb.connect({str(bench.warehouse)!r});"
        " print(1, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield holder
        holder.kill()


def test_a_lock_is_waited_for_with_a_message(bench: Bench, locked: subprocess.Popen[str]) -> None:
    build = bench.start("--select", "vital_signs", *UNTESTED)
    assert build.stdout is not None
    said = f"{bench.warehouse.name} is in use by {Path(sys.executable).resolve().name}"
    assert any(said in line.decode() for line in build.stdout)
    assert build.poll() is None
    locked.kill()
    locked.wait()
    build.communicate(timeout=120)
    assert build.returncode == 0


def test_a_lock_that_is_never_let_go(bench: Bench, locked: subprocess.Popen[str]) -> None:
    holder = f"{Path(sys.executable).resolve().name}, process {locked.pid}"
    line = f"/{bench.warehouse.name} is in use by {holder}. Wait for it or end it, then run again."
    outcome = bench.build(CHARTHOUSE_LOCK_SECONDS="1")
    assert outcome.code != 0
    assert line in outcome.output
    assert "Traceback" not in outcome.output
    done = bench.charthouse("build", CHARTHOUSE_LOCK_SECONDS="1")
    last = f"charthouse: {bench.warehouse.parent}{line}"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, last)


@needs_root
@pytest.mark.parametrize("spare", [0.5, 1.2])
def test_a_full_disk(bench: Bench, tmp_path: Path, spare: float) -> None:
    """With less room than a copy takes, and it does not begin; and with more."""
    size = bench.warehouse.stat().st_size
    with small_disk(tmp_path, int(size * (1 + spare))) as small:
        bench.warehouse = Path(shutil.copy(bench.warehouse, small))
        before = bench.md5()
        outcome = bench.build("--full-refresh", "--vars", "{bin_hours: 0.01}")
        line = "Free space on the disk of the warehouse, or set CHARTHOUSE_WAREHOUSE to another."
        if spare < 1:
            assert f"takes {size / 1e6:,.0f} MB, and " in outcome.output
            assert [path for path in small.iterdir() if path.is_file()] == [bench.warehouse]
        assert_refused(bench, before, outcome, line)


def test_kill_9_at_any_moment(bench: Bench) -> None:
    """Readers see the old warehouse, and the next build goes on from it."""
    before = bench.md5()
    chance = random.Random(5)
    doomed = replace(bench, logs=bench.logs / "doomed")
    for models in chance.sample(range(1, 44), 3):
        run = doomed.start("--vars", "{window_end_hours: 36, split_seed: 3}", "--full-refresh")
        assert run.stdout is not None
        begun = (line for line in run.stdout if b" START sql " in line)
        for _ in zip(range(models), begun, strict=False):
            pass
        with open_warehouse(bench.warehouse) as db:
            assert db.execute("select count(*) > 0 from marts.cohort").fetchall() == [(True,)]
        time.sleep(chance.uniform(0, 0.2))
        run.send_signal(signal.SIGKILL)
        run.wait()
        assert bench.md5() == before
    contents = bench.contents()
    assert bench.build("--select", "vital_signs", *UNTESTED).code == 0
    assert bench.contents() == contents
    assert not list(bench.warehouse.parent.glob(".*.building"))


def test_what_a_failed_build_has_read_is_not_read_again(bench: Bench) -> None:
    root, path = Path(bench.raw["CHARTHOUSE_MIMICIV"]), mimic(bench, D_ITEMS)
    text = gzip.decompress(path.read_bytes()) + b"999999,A new item,,chartevents,,,,,\n"
    with path.open("wb") as file, gzip.GzipFile(f"{GZIP_NAME}d_items.csv", "wb", 9, file) as packed:
        packed.write(text)
    whole = mimic(bench, PATIENTS).read_bytes()
    rewrite(mimic(bench, PATIENTS), in_line(4, with_field(2, "-5")))
    before, words = bench.md5(), ("--select", "stg_mimiciv__d_items", "stg_mimiciv__patients")
    new = "select count(*) from staging.stg_mimiciv__d_items where itemid = 999999"
    outcome = bench.build(*words, *UNTESTED)
    assert outcome.code == 1 and "unchanged, not read again" not in outcome.output
    assert (bench.md5(), bench.one(new)) == (before, 0)
    mimic(bench, PATIENTS).write_bytes(whole)
    (root / MARKER).unlink()
    with ThreadPoolExecutor(1) as pool:
        write_marker(root, "Synthetic data", pool)
    outcome = bench.build(*words, *UNTESTED)
    assert outcome.code == 0, outcome.output
    assert f"unchanged, not read again: {path}" in outcome.output
    assert bench.one(new) == 1


def test_dbt_refuses_an_earlier_version_too(bench: Bench) -> None:
    with duckdb.connect(str(bench.warehouse)) as database:
        database.execute("drop table main.warehouse_version")
    before = bench.md5()
    line = f"/{bench.warehouse.name}: an earlier Charthouse has built it (version 1 of the"
    assert_refused(bench, before, bench.build(), line)
    for words in (("build",), ("leaderboard",), ("run",)):
        done = bench.charthouse(*words)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1) and line in done.stderr
    assert bench.md5() == before


def test_every_table_survives_a_replay_of_the_log(built: Bench, tmp_path: Path) -> None:
    """DuckDB 2.0 cannot open a file whose log makes a table with a CHECK that calls a function."""
    tables = built.sql("select distinct schema_name from duckdb_tables()")
    statements = [f"create schema if not exists {schema}" for (schema,) in tables]
    statements += [sql for (sql,) in built.sql("select sql from duckdb_tables()")]
    target = tmp_path / "replayed.duckdb"
    script = (
        "import duckdb, os\n"
        f"c = duckdb.connect({str(target)!r}, config={{'checkpoint_threshold': '1TB'}})\n"
        f"for statement in {statements!r}: c.execute(statement)\n"
        "os._exit(0)  # without a checkpoint\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert target.with_name("replayed.duckdb.wal").stat().st_size > 0
    with duckdb.connect(str(target)) as database:
        made = database.execute("select count(*) from duckdb_tables()").fetchall()[0][0]
    assert made == len(statements) - len(tables)


@pytest.mark.parametrize("words", [(), ("--quiet",), ("--log-level", "none")], ids=" ".join)
def test_charthouse_build_ends_with_one_line(bench: Bench, words: tuple[str, ...]) -> None:
    """Whatever of dbt's own lines is asked for."""
    rewrite(mimic(bench, PATIENTS), lambda text: text.replace("anchor_age", "age", 1))
    done = bench.charthouse("build", "--select", "stg_mimiciv__patients", *words)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("charthouse: ")
    assert "hosp/patients.csv.gz: column anchor_age is missing" in done.stderr


def test_ctrl_c_during_a_query_is_an_interrupt(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB alone makes an error of its own of it, which would end in a traceback."""
    # with two threads DuckDB 2.0.1 may overlook it until the query is done (limits.md)
    monkeypatch.setenv("CHARTHOUSE_THREADS", "1")
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), open_warehouse(bench.warehouse) as db:
            db.execute("select count(*) from range(100_000_000_000) where hash(range) = 1")
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{kind: image, rows: chest_xrays}", "row LAST: has no name in small letters"),
        ("{name: text, kind: text, rows: radiology_reports}", "row 4: text occurs twice"),
        (
            "{name: ct, kind: picture, rows: chest_xrays}",
            "row LAST: ct is of kind picture, none of",
        ),
        ("{name: ct, kind: image}", "row LAST: ct needs the name of a model or seed as rows"),
        ("{name: ct, kind: image, rows: x, fill: zero}", "row LAST: ct has fill: 'zero'. Write"),
        ("{name: ct, kind: image, rows: x, row: y}", "row LAST: ct has row, none of name, kind"),
    ],
)
def test_a_broken_row_of_a_modality_is_one_line(
    project: Path, tmp_path: Path, row: str, said: str
) -> None:
    settings = project / "dbt_project.yml"
    text = settings.read_text()
    settings.write_text(
        text.replace("\n  # What is predicted", f"    - {row}\n\n  # What is predicted")
    )
    done = Bench({}, tmp_path / "new.duckdb", tmp_path, project=project).build()
    said = said.replace("LAST", str(len(modalities(PROJECT)) + 1))
    assert done.code == 2 and f"vars.modalities, {said}" in done.output, done.output
