"""The synthetic MIMIC: schema to the letter, same seed same bytes, references that hold."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from PIL import Image

from charthouse.synth.lab_tests import LAB_TESTS
from charthouse.synth.mimic import DATA_SETS
from synthetic import COLUMNS, PIXELS, SEED, STAYS, VITAL_ITEMS, Made, digests, write


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_columns_are_in_the_order_of_the_release(made: Made, name: str) -> None:
    with gzip.open(made.root / f"{name}.csv.gz", "rt", encoding="utf-8") as file:
        assert file.readline().rstrip("\n") == COLUMNS[name]


def test_row_counts_are_those_of_the_truth(made: Made) -> None:
    for name, expected in made.truth["rows"].items():
        count = made.one(f"select count(*) from read_csv('{made.root / name}', all_varchar=true)")
        assert (name, count) == (name, expected)
    assert len(made.truth["rows"]) == len(COLUMNS)


def test_times_dates_and_numbers_have_mimics_types(made: Made) -> None:
    kinds = {
        (table, column): kind
        for table, column, kind in made.sql.execute(
            "select table_name, column_name, data_type from information_schema.columns"
        ).fetchall()
    }
    assert kinds["patients", "dod"] == "DATE"
    for table, column in (
        ("admissions", "deathtime"), ("admissions", "edregtime"), ("icustays", "intime"),
        ("chartevents", "charttime"), ("chartevents", "storetime"), ("radiology", "storetime"),
        ("labevents", "charttime"), ("labevents", "storetime"), ("procedureevents", "endtime"),
        ("inputevents", "starttime"), ("inputevents", "storetime"), ("outputevents", "storetime"),
    ):  # fmt: skip
        assert kinds[table, column] == "TIMESTAMP"
    assert kinds["chartevents", "valuenum"] == kinds["labevents", "valuenum"] == "DOUBLE"
    assert kinds["metadata", "StudyDate"] == "BIGINT"
    with gzip.open(made.root / "mimic-iv/icu/chartevents.csv.gz", "rt") as file:
        heart_rate = next(line.split(",") for line in file if ",220045," in line)
    assert heart_rate[7] == heart_rate[8]
    assert heart_rate[9] == "bpm"
    assert len(heart_rate[4]) == len("2180-07-23 12:36:00")


def test_ids_are_unique_in_their_ranges_and_refer_to_each_other(made: Made) -> None:
    for table, column, first in (
        ("patients", "subject_id", 10), ("admissions", "hadm_id", 20),
        ("icustays", "stay_id", 30), ("record_list", "study_id", 40),
        ("cxr_study_list", "study_id", 50),
    ):  # fmt: skip
        low, high = first * 1_000_000, (first + 10) * 1_000_000
        assert made.one(
            f"select count(*) = count(distinct {column}) and min({column}) >= {low} "
            f"and max({column}) < {high} from {table}"
        )
    orphans = {
        "admissions": "patients using (subject_id)",
        "icustays": "admissions using (subject_id, hadm_id)",
        "chartevents": "icustays using (subject_id, hadm_id, stay_id)",
        "procedureevents": "icustays using (subject_id, hadm_id, stay_id)",
        "inputevents": "icustays using (subject_id, hadm_id, stay_id)",
        "outputevents": "icustays using (subject_id, hadm_id, stay_id)",
        "labevents": "patients using (subject_id)",
        "microbiologyevents": "patients using (subject_id)",
        "prescriptions": "admissions using (subject_id, hadm_id)",
        "diagnoses_icd": "d_icd_diagnoses using (icd_code, icd_version)",
        "radiology": "patients using (subject_id)",
        "discharge": "admissions using (subject_id, hadm_id)",
        "metadata": "cxr_record_list using (subject_id, study_id, dicom_id)",
        "chexpert": "cxr_study_list using (subject_id, study_id)",
        "machine_measurements": "record_list using (subject_id, study_id, ecg_time)",
        "radiology_detail": "radiology using (note_id)",
    }
    for child, parent in orphans.items():
        assert made.one(f"select count(*) from {child} anti join {parent}") == 0, child
    for table in ("chartevents", "procedureevents", "inputevents", "outputevents"):
        assert made.one(f"select count(*) from {table} anti join d_items using (itemid)") == 0
        linked = f"{table} join d_items using (itemid) where linksto <> '{table}'"
        assert made.one(f"select count(*) from {linked}") == 0
    assert made.one("select count(*) from labevents anti join d_labitems using (itemid)") == 0
    for table in ("radiology", "labevents", "microbiologyevents"):
        assert (
            made.one(
                f"select count(*) from {table} t anti join admissions a using (subject_id, hadm_id)"
                " where t.hadm_id is not null"
            )
            == 0
        )
    assert made.one(
        "select count(*) = max(labevent_id) and count(*) = count(distinct labevent_id)"
        " from labevents"
    )
    assert made.one("select count(*) - count(distinct note_id) from radiology") == 0


def test_stays_deaths_and_ages_are_consistent(made: Made) -> None:
    assert made.one("select bool_and(intime < outtime) from icustays")
    assert made.one(
        "select bool_and(intime >= admittime and (outtime <= dischtime + interval 1 hour)) "
        "from icustays join admissions using (hadm_id)"
    )
    assert made.one(
        "select bool_and((hospital_expire_flag = 1) = (deathtime is not null)"
        " and (hospital_expire_flag = 0 or (dod = deathtime::date and"
        " discharge_location = 'DIED'))) from admissions join patients using (subject_id)"
    )
    assert made.one(
        "select bool_and(abs(los - date_diff('second', intime, outtime) / 86400.0) < 1e-9)"
        " from icustays"
    )
    assert made.one("select min(anchor_age) >= 18 and max(anchor_age) <= 91 from patients")
    # No admission overlaps the patient's next, and nobody comes back after death.
    assert made.one(
        "select coalesce(bool_and(next_in > dischtime and deathtime is null), true) from ("
        " select *, lead(admittime) over (partition by subject_id order by admittime) as next_in"
        " from admissions) where next_in is not null"
    )


def test_planted_reports_and_images_are_what_the_truth_says(made: Made) -> None:
    planted = made.truth["planted"]
    window = "charttime >= intime and charttime < intime + interval 24 hour"
    join = "from icustays join radiology using (subject_id) where " + window
    assert (
        made.one("select count(*) from radiology where hadm_id is null")
        == (planted["null_hadm_reports"])
    )
    assert planted["null_hadm_reports"] > 0
    late = made.one(f"select count(*) {join} and storetime >= intime + interval 24 hour")
    assert late == planted["reports_stored_late"] > 0
    assert (
        made.one(f"select count(distinct stay_id) {join}")
        == (planted["stays_with_report_first_day"])
    )
    # StudyTime lost its leading zeros: 80556.875 is 08:05:56.875.
    imaged = made.one(
        "with taken as (select subject_id, strptime(StudyDate::varchar || ' ' ||"
        " lpad(floor(StudyTime)::bigint::varchar, 6, '0'), '%Y%m%d %H%M%S') as t from metadata)"
        " select count(distinct stay_id) from icustays join taken using (subject_id)"
        " where t >= intime and t < intime + interval 24 hour"
    )
    assert imaged == planted["stays_with_image_first_day"] > 0
    assert (
        made.one("select count(*) from metadata where ViewPosition is null")
        == (planted["empty_view_positions"])
    )


def test_study_time_is_a_float_without_leading_zeros(made: Made) -> None:
    with gzip.open(made.root / "mimic-cxr/mimic-cxr-2.0.0-metadata.csv.gz", "rt") as file:
        next(file)
        times = [line.split(",")[8] for line in file]
    assert all("." in text and float(text) < 240000 for text in times)
    assert any(len(text.split(".")[0]) < 6 for text in times)


def test_notes_read_back_with_their_lines_and_quotes(made: Made) -> None:
    assert made.one(
        "select bool_and(starts_with(text, 'SYNTHETIC REPORT, NOT A REAL PATIENT' || chr(10))"
        " and contains(text, chr(10) || 'FINDINGS:' || chr(10))"
        " and contains(text, 'IMPRESSION:')) from radiology"
    )
    assert made.one("select count(*) from radiology where text like '%\"chest tightness\"%'") > 0
    assert made.one("select bool_and(starts_with(text, 'SYNTHETIC REPORT')) from discharge")
    assert made.one("select bool_and(note_type in ('RR', 'AR')) from radiology")
    assert made.one(
        "select bool_and(note_id = subject_id || '-' || note_type || '-' || note_seq)"
        " from radiology"
    )


def test_pictures_are_at_their_paths_and_open(made: Made) -> None:
    paths = [row[0] for row in made.sql.execute("select path from cxr_record_list").fetchall()]
    assert all(path.startswith("files/p1") and path.endswith(".dcm") for path in paths)
    jpgs = {path.relative_to(made.root / "mimic-cxr") for path in made.root.rglob("*.jpg")}
    assert jpgs == {Path(path).with_suffix(".jpg") for path in paths}
    with Image.open(made.root / "mimic-cxr" / min(jpgs)) as picture:
        assert picture.size == (PIXELS, PIXELS)
        assert picture.mode == "L"


def test_it_says_that_it_is_synthetic(made: Made) -> None:
    assert json.loads((made.root / "SYNTHETIC.json").read_text()) == made.truth
    assert made.truth["synthetic"] is True
    for folder in DATA_SETS:
        assert "Synthetic data" in (made.root / folder / "SYNTHETIC.txt").read_text()


@pytest.mark.slow
def test_same_seed_gives_the_same_bytes_on_any_number_of_threads(tmp_path: Path) -> None:
    for name, threads in (("one", 1), ("three", 3)):
        write(tmp_path / name, stays=40, threads=threads)
    assert digests(tmp_path / "one") == digests(tmp_path / "three")
    write(tmp_path / "other", stays=40, seed=SEED + 1)
    one, other = digests(tmp_path / "one"), digests(tmp_path / "other")
    same = [name for name in one if one[name] == other.get(name)]
    dictionaries = ("hosp/d_icd_diagnoses", "hosp/d_labitems", "icu/d_items")
    assert same == [f"mimic-iv/{name}.csv.gz" for name in dictionaries]


def test_fewer_rows_thin_only_the_filler(made: Made, tmp_path: Path) -> None:
    write(tmp_path / "thick", rows_per_stay=900.0, image_pixels=0)
    thick = f"read_csv('{tmp_path}/thick/mimic-iv/icu/chartevents.csv.gz')"
    # storetime and caregiver are drawn with the filler; what was measured is the same.
    measured = "subject_id, stay_id, charttime, itemid, value, valuenum"
    vital = f"where itemid in ({VITAL_ITEMS})"
    assert (
        made.one(
            f"select count(*) from (select {measured} from chartevents {vital}"
            f" except all select {measured} from {thick} {vital})"
        )
        == 0
    )
    rows = made.one(f"select count(*) from {thick}")
    assert rows == pytest.approx(900 * STAYS, rel=0.02)
    thick = f"read_csv('{tmp_path}/thick/mimic-iv/hosp/labevents.csv.gz')"
    of_tests = f"where itemid in ({', '.join(str(test.itemid) for test in LAB_TESTS)})"
    # labevent_id counts all rows; all else of a test is the same.
    columns = "* exclude (labevent_id)"
    assert (
        made.one(
            f"select count(*) from (select {columns} from labevents {of_tests}"
            f" except all select {columns} from {thick} {of_tests})"
        )
        == 0
    )
    rows, blank = made.sql.execute(
        f"select count(*), avg((hadm_id is null)::int) from {thick}"
    ).fetchall()[0]
    assert rows == pytest.approx(0.376 * 900 * STAYS, rel=0.1)
    assert 0.2 < blank < 0.32
