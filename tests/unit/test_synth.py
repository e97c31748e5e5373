"""The synthetic MIMIC: schema to the letter, same seed same bytes, planted truths readable."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from charthouse.core.errors import CharthouseError
from charthouse.synth.diagnoses import ACUTE, CHRONIC, draw_chronic
from charthouse.synth.lab_rows import plan_labs
from charthouse.synth.lab_tests import LAB_TESTS
from charthouse.synth.mimic import write_synthetic_mimic
from charthouse.synth.outputevents import URINE
from charthouse.synth.own_time import own_time
from charthouse.synth.population import NO_TIME, Population, build_population
from charthouse.synth.shifted import (
    LAB_SHIFTS,
    lab_latents,
    log_odds,
    outcomes_of,
    vasopressor_latent,
)
from charthouse.synth.signal import (
    COEFFICIENTS,
    INTERACTIONS,
    LATENTS,
    auroc,
    oracle_auroc,
    scaled_age,
)
from charthouse.synth.treatments import LOG_ODDS, plan_ventilation, started
from charthouse.synth.vital_signs import VITAL_SIGNS

STAYS, SEED, ROWS, PIXELS = 220, 3, 300.0, 48
LAB_SEED = Path(__file__).parents[2] / "seeds/concepts/lab_tests.csv"
BEFORE_ICU = "charttime >= s.intime - interval 6 hour and charttime < s.intime"
VITAL_ITEMS = ", ".join(str(sign.itemid) for sign in VITAL_SIGNS)

COLUMNS = {
    "mimic-iv/hosp/patients": "subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod",
    "mimic-iv/hosp/admissions": "subject_id,hadm_id,admittime,dischtime,deathtime,"
    "admission_type,admit_provider_id,admission_location,discharge_location,insurance,language,"
    "marital_status,race,edregtime,edouttime,hospital_expire_flag",
    "mimic-iv/hosp/d_labitems": "itemid,label,fluid,category",
    "mimic-iv/hosp/labevents": "labevent_id,subject_id,hadm_id,specimen_id,itemid,"
    "order_provider_id,charttime,storetime,value,valuenum,valueuom,ref_range_lower,"
    "ref_range_upper,flag,priority,comments",
    "mimic-iv/hosp/microbiologyevents": "microevent_id,subject_id,hadm_id,micro_specimen_id,"
    "order_provider_id,chartdate,charttime,spec_itemid,spec_type_desc,test_seq,storedate,"
    "storetime,test_itemid,test_name,org_itemid,org_name,isolate_num,quantity,ab_itemid,ab_name,"
    "dilution_text,dilution_comparison,dilution_value,interpretation,comments",
    "mimic-iv/hosp/prescriptions": "subject_id,hadm_id,pharmacy_id,poe_id,poe_seq,"
    "order_provider_id,starttime,stoptime,drug_type,drug,formulary_drug_cd,gsn,ndc,prod_strength,"
    "form_rx,dose_val_rx,dose_unit_rx,form_val_disp,form_unit_disp,doses_per_24_hrs,route",
    "mimic-iv/hosp/diagnoses_icd": "subject_id,hadm_id,seq_num,icd_code,icd_version",
    "mimic-iv/hosp/d_icd_diagnoses": "icd_code,icd_version,long_title",
    "mimic-iv/icu/icustays": "subject_id,hadm_id,stay_id,first_careunit,last_careunit,intime,"
    "outtime,los",
    "mimic-iv/icu/chartevents": "subject_id,hadm_id,stay_id,caregiver_id,charttime,storetime,"
    "itemid,value,valuenum,valueuom,warning",
    "mimic-iv/icu/procedureevents": "subject_id,hadm_id,stay_id,caregiver_id,starttime,endtime,"
    "storetime,itemid,value,valueuom,location,locationcategory,orderid,linkorderid,"
    "ordercategoryname,ordercategorydescription,patientweight,isopenbag,continueinnextdept,"
    "statusdescription,ORIGINALAMOUNT,ORIGINALRATE",
    "mimic-iv/icu/inputevents": "subject_id,hadm_id,stay_id,caregiver_id,starttime,endtime,"
    "storetime,itemid,amount,amountuom,rate,rateuom,orderid,linkorderid,ordercategoryname,"
    "secondaryordercategoryname,ordercomponenttypedescription,ordercategorydescription,"
    "patientweight,totalamount,totalamountuom,isopenbag,continueinnextdept,statusdescription,"
    "originalamount,originalrate",
    "mimic-iv/icu/outputevents": "subject_id,hadm_id,stay_id,caregiver_id,charttime,storetime,"
    "itemid,value,valueuom",
    "mimic-iv/icu/d_items": "itemid,label,abbreviation,linksto,category,unitname,param_type,"
    "lownormalvalue,highnormalvalue",
    "mimic-iv-note/note/radiology": "note_id,subject_id,hadm_id,note_type,note_seq,charttime,"
    "storetime,text",
    "mimic-iv-note/note/discharge": "note_id,subject_id,hadm_id,note_type,note_seq,charttime,"
    "storetime,text",
    "mimic-iv-note/note/radiology_detail": "note_id,subject_id,field_name,field_value,"
    "field_ordinal",
    "mimic-iv-note/note/discharge_detail": "note_id,subject_id,field_name,field_value,"
    "field_ordinal",
    "mimic-cxr/mimic-cxr-2.0.0-metadata": "dicom_id,subject_id,study_id,"
    "PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime,"
    "ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,"
    "PatientOrientationCodeSequence_CodeMeaning",
    "mimic-cxr/mimic-cxr-2.0.0-chexpert": "subject_id,study_id,Atelectasis,Cardiomegaly,"
    "Consolidation,Edema,Enlarged Cardiomediastinum,Fracture,Lung Lesion,Lung Opacity,"
    "No Finding,Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax,Support Devices",
    "mimic-cxr/mimic-cxr-2.0.0-split": "dicom_id,study_id,subject_id,split",
    "mimic-cxr/cxr-record-list": "subject_id,study_id,dicom_id,path",
    "mimic-cxr/cxr-study-list": "subject_id,study_id,path",
}
COLUMNS["mimic-cxr/mimic-cxr-2.0.0-negbio"] = COLUMNS["mimic-cxr/mimic-cxr-2.0.0-chexpert"]


@dataclass(frozen=True)
class Made:
    """A written data set, opened."""

    root: Path
    truth: dict[str, Any]
    sql: duckdb.DuckDBPyConnection
    population: Population

    def one(self, query: str) -> Any:
        row = self.sql.execute(query).fetchone()
        assert row is not None
        return row[0]


def write(out: Path, **changes: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "stays": STAYS, "seed": SEED, "rows_per_stay": ROWS, "image_pixels": PIXELS,
    }  # fmt: skip
    return write_synthetic_mimic(out, **(settings | changes))


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("synth") / "data"
    truth = write(root)
    sql = duckdb.connect()
    for name in COLUMNS:
        path = root / f"{name}.csv.gz"
        table = name.rsplit("/", 1)[1].removeprefix("mimic-cxr-2.0.0-").replace("-", "_")
        sql.execute(f"create table {table} as from read_csv('{path}', header=true)")
    return Made(root, truth, sql, build_population(STAYS, SEED))


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
        ("icustays", "stay_id", 30), ("cxr_study_list", "study_id", 50),
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


def test_planted_mess_in_chartevents_is_what_the_truth_says(made: Made) -> None:
    planted = made.truth["planted"]
    vital = f"from chartevents join icustays using (stay_id) where itemid in ({VITAL_ITEMS})"
    expected = {
        "vital_rows": f"select count(*) {vital}",
        "celsius_rows": "select count(*) from chartevents where itemid = 223762",
        "celsius_stays": "select count(distinct stay_id) from chartevents where itemid = 223762",
        "null_valuenum_rows": f"select count(*) {vital} and valuenum is null",
        "duplicate_rows": f"select count(*) - count(distinct (stay_id, charttime, itemid)) {vital}",
        "no_response_ett_rows": f"select count(*) {vital} and value = 'No Response-ETT' "
        "and valuenum is not null",
        "second_line_rows": "select count(*) from chartevents"
        " where itemid in (225309, 225310, 225312)",
        "null_storetime_rows": "select count(*) from chartevents where storetime is null",
        "stored_before_charted_rows": "select count(*) from chartevents where storetime<charttime",
        "rows_before_intime": "select count(*) from chartevents join icustays using (stay_id)"
        " where charttime < intime",
        "rows_after_outtime": "select count(*) from chartevents join icustays using (stay_id)"
        " where charttime > outtime",
        "stays_without_vitals": "select count(*) from icustays where stay_id not in "
        f"(select stay_id from chartevents where itemid in ({VITAL_ITEMS}))",
    }
    found = {name: made.one(query) for name, query in expected.items()}
    assert found == {name: planted[name] for name in expected}
    for name in set(expected) - {"stays_without_vitals"}:
        assert planted[name] > 0, name
    differing = made.one(
        f"select count(*) from (select 1 {vital} group by stay_id, charttime, itemid "
        "having count(*) > 1 and (count(distinct valuenum) > 1 or count(valuenum) < count(*)))"
    )
    assert differing == planted["duplicate_rows"]


@pytest.mark.parametrize("sign", VITAL_SIGNS, ids=lambda sign: sign.label)
def test_every_bound_of_every_variable_is_planted(made: Made, sign: Any) -> None:
    counts = made.truth["planted"]["outliers"][str(sign.itemid)]
    assert len(counts) == len(sign.planted)
    for value in sign.planted:
        found = made.one(
            "select count(*) from chartevents"
            f" where itemid = {sign.itemid} and valuenum = {value}::double"
        )
        assert found == counts[f"{value:g}"] >= 1, value


def test_tests_have_the_labels_and_bounds_of_the_seed(made: Made) -> None:
    """A test that the seed gains is to be made here, too."""
    made.sql.execute(f"create or replace table lab_tests as from read_csv('{LAB_SEED}')")
    seed = made.sql.execute(
        "select itemid, lab_tests.label, coalesce(unit, ''), outlier_low, valid_low, valid_high,"
        " outlier_high from lab_tests join d_labitems using (itemid, label) order by itemid"
    ).fetchall()
    ours = [(test.itemid, test.label, test.unit, *test.bounds) for test in LAB_TESTS]
    assert sorted(ours) == seed


def test_planted_mess_in_labevents_is_what_the_truth_says(made: Made) -> None:
    planted = made.truth["planted"]
    items = ", ".join(str(test.itemid) for test in LAB_TESTS)
    labs = f"from labevents where itemid in ({items})"
    before = f"exists (from icustays s where s.subject_id = labevents.subject_id and {BEFORE_ICU})"
    expected = {
        "lab_rows": f"select count(*) {labs}",
        "lab_duplicate_rows": "select count(*) - count(distinct (subject_id, charttime, itemid))"
        f" {labs}",
        "lab_below_detection_rows": f"select count(*) {labs} and valuenum is null"
        " and starts_with(comments, '<')",
        "lab_only_comment_rows": f"select count(*) {labs} and valuenum is null"
        " and not starts_with(comments, '<')",
        "lab_other_unit_rows": f"select count(*) {labs} and valueuom in ('umol/L', 'mmol/L')"
        " and itemid in (50912, 50885, 50931)",
        "lab_null_storetime_rows": f"select count(*) {labs} and storetime is null",
        "lab_stored_before_drawn_rows": f"select count(*) {labs} and storetime < charttime",
        "lab_null_hadm_rows": f"select count(*) {labs} and hadm_id is null",
    }
    found = {name: made.one(query) for name, query in expected.items()}
    assert found == {name: planted[name] for name in expected}
    assert min(found.values()) > 0
    blank = made.one(f"select avg((hadm_id is null)::int) {labs} and {before}")
    assert blank == pytest.approx(made.truth["rates"]["null_hadm_lab_rows_before_icu"], abs=0.01)
    assert 0.5 < blank < 0.66
    values = made.sql.execute(f"select distinct coalesce(value, '') {labs} and valuenum is null")
    assert sorted(values.fetchall()) == [("",), ("___",)]


def test_values_of_a_draw_share_a_specimen_and_are_stored_by_test(made: Made) -> None:
    panels = made.sql.execute(
        "select itemid, median(date_diff('minute', charttime, storetime)) from labevents"
        " where itemid in (50813, 51222, 50912) group by itemid order by 2"
    ).fetchall()
    assert [item for item, _ in panels] == [50813, 51222, 50912]
    assert panels[0][1] < 5 < 30 < panels[1][1] < 60 < panels[2][1] < 100
    assert made.one(
        "select count(*) = 0 from (select specimen_id from labevents group by specimen_id having"
        " count(distinct subject_id) > 1 or count(distinct charttime) > 1)"
    )
    shared = "select count(*) > 5 from labevents where itemid = 50912 or itemid = 50983"
    assert made.one(f"{shared} group by specimen_id having count(*) > 1 limit 1") is not None
    around = made.sql.execute(
        "select count(*) filter (charttime < intime - interval 30 day),"
        " count(*) filter (charttime > outtime) from labevents join icustays using (subject_id)"
    ).fetchone()
    assert around is not None and min(around) > 0


@pytest.mark.parametrize("test", LAB_TESTS, ids=lambda test: str(test.itemid))
def test_every_bound_of_every_laboratory_test_is_planted(made: Made, test: Any) -> None:
    counts = made.truth["planted"]["lab_outliers"][str(test.itemid)]
    low, valid_low, valid_high, high = test.bounds
    assert {low, valid_low, valid_high, high} <= set(test.planted)
    assert min(test.planted) < low and max(test.planted) > high
    for value in test.planted:
        found = made.one(
            f"select count(*) from labevents where itemid = {test.itemid}"
            f" and valuenum = {value}::double and coalesce(valueuom, '') = '{test.unit}'"
        )
        assert found == counts[f"{value:g}"] >= 1, value


BEGINNINGS = {
    "invasively_ventilated": ("procedureevents", "225792"),
    "ventilated": ("procedureevents", "225792, 225794"),
    "given_vasopressors": ("inputevents", "221906, 221289, 221749, 222315, 221662"),
}


@pytest.mark.parametrize("name", BEGINNINGS)
def test_treatments_begin_when_the_truth_says(made: Made, name: str) -> None:
    table, items = BEGINNINGS[name]
    first = (
        "select stay_id, intime + interval 24 hour as day_end, outtime, min(starttime) as first"
        f" from icustays left join (from {table} where itemid in ({items})) using (stay_id)"
        " group by all"
    )
    row = made.sql.execute(
        f"with begun as ({first}) select count(*) filter (first < day_end),"
        " count(*) filter (first >= day_end and outtime >= day_end),"
        " count(*) filter (not coalesce(first < day_end, false) and outtime >= day_end) from begun"
    ).fetchone()
    names = (f"{name}_before_24h", f"first_{name}_after_24h", f"not_{name}_before_24h")
    assert row == tuple(made.truth["planted"][each] for each in names)
    assert min(row) > 0


def test_a_tube_in_a_score_is_ventilation_from_the_start(made: Made) -> None:
    tubes = (
        "select stay_id, max(charttime) as last from chartevents where itemid = 223900"
        " and value = 'No Response-ETT' group by stay_id"
    )
    found = made.sql.execute(
        f"with tubes as ({tubes}) select count(*), count(*) filter (starttime <= intime + interval"
        " 4 hour), count(*) filter (endtime + interval 1 minute >= last or endtime + interval 1"
        " minute >= outtime) from tubes join icustays using (stay_id) left join (from"
        " procedureevents where itemid = 225792 qualify row_number() over (partition by stay_id"
        " order by starttime) = 1) using (stay_id)"
    ).fetchone()
    assert found is not None
    tubes, from_the_start, long_enough = found
    assert tubes > 20 and from_the_start == long_enough > 0.9 * tubes


def test_procedures_are_stored_as_they_end(made: Made) -> None:
    continuous = "from procedureevents where ordercategorydescription = 'ContinuousProcess'"
    wait = "date_diff('minute', endtime, storetime)"
    assert 0 <= made.one(f"select median({wait}) {continuous}") < 10
    assert 0.02 < made.one(f"select avg((storetime < endtime)::int) {continuous}") < 0.15
    assert made.one(f"select max({wait}) {continuous}") > 180
    assert made.one("select bool_and(starttime < endtime) from procedureevents")
    minutes = f"{continuous} and valueuom = 'min' and statusdescription = 'FinishedRunning'"
    assert made.one(f"select bool_and(value = date_diff('minute', starttime, endtime)) {minutes}")
    assert made.one("select count(distinct itemid) from procedureevents") >= 17


def test_planted_mess_in_inputevents_is_what_the_truth_says(made: Made) -> None:
    pressors = BEGINNINGS["given_vasopressors"][1]
    expected = {
        "rewritten_input_rows": "statusdescription = 'Rewritten'",
        "input_rows_that_end_before_they_start": "endtime < starttime",
        "impossible_rate_rows": f"itemid in ({pressors}) and rate >= 100 and rateuom <> 'mcg/min'",
        "other_rate_unit_input_rows": "rateuom in ('mcg/min', 'mg/kg/min', 'units/min')",
        "other_amount_unit_input_rows": "(itemid between 225798 and 225893 and amountuom in"
        " ('mg', 'grams')) or (itemid = 225150 and amountuom = 'mg')",
    }
    found = {
        name: made.one(f"select count(*) from inputevents where {where}")
        for name, where in expected.items()
    }
    assert found == {name: made.truth["planted"][name] for name in expected}
    assert min(found.values()) > 0


def test_amounts_are_rates_times_duration(made: Made) -> None:
    drips = "from inputevents where endtime > starttime and rate < 100"
    minutes = "date_diff('minute', starttime, endtime)"
    for items, unit, amount in (
        ("221906, 221749, 222168", "mcg/kg/min", f"rate * patientweight * {minutes} / 1000"),
        ("222315, 223258", "units/hour", f"rate * {minutes} / 60"),
        ("221906", "mg/kg/min", f"rate * patientweight * {minutes}"),
        ("221749", "mcg/min", f"rate * {minutes} / 1000"),
    ):
        rows = f"{drips} and itemid in ({items}) and rateuom = '{unit}'"
        assert made.one(f"select bool_and(abs(amount - {amount}) <= 0.01 * amount + 1e-4) {rows}")
    # Changes of rate follow each other without a gap, in one order.
    gap = "lag(endtime) over (partition by stay_id, linkorderid, itemid order by starttime)"
    assert (
        made.one(
            f"select avg((gap = 0)::int) from (select date_diff('minute', {gap}, starttime) as gap"
            " from inputevents where itemid = 221906 and statusdescription <> 'Rewritten')"
            " where gap is not null"
        )
        > 0.85
    )
    assert made.one("select count(*) from inputevents where itemid = 225798 and rate is null") > 50


def test_doses_of_vasopressors_show_their_latent(made: Made) -> None:
    latent = vasopressor_latent(made.population.stays, SEED)
    rows, dose = _by_stay(
        made,
        "select stay_id, median(rate) from inputevents where itemid in (221906)"
        " and rateuom = 'mcg/kg/min' group by stay_id",
    )
    assert len(rows) > 20
    assert _correlation(np.log(dose), latent[rows]) > 0.5


def test_planted_mess_in_outputevents_is_what_the_truth_says(made: Made) -> None:
    urine = ", ".join(str(output.itemid) for output in URINE)
    expected = {
        "urine_rows": f"select count(*) from outputevents where itemid in ({urine})",
        "stays_with_urine": "select count(distinct stay_id) from outputevents"
        f" where itemid in ({urine})",
        "output_rows_stored_before_charted": "select count(*) from outputevents"
        " where storetime < charttime",
        "output_outlier_rows": "select count(*) from outputevents where value >= 10000",
        "output_duplicate_rows": "select count(*) - count(distinct (stay_id, itemid, charttime))"
        " from outputevents",
    }
    found = {name: made.one(query) for name, query in expected.items()}
    assert found == {name: made.truth["planted"][name] for name in expected}
    assert min(found.values()) > 0
    # The items that the MIMIC Code Repository adds up are all known.
    known = "select count(*) from d_items where linksto = 'outputevents' and itemid in "
    assert made.one(f"{known} ({urine}, 227488)") == 12
    assert made.one(
        "select median(value) between 40 and 120 from outputevents where itemid = 226559"
    )


def test_kidneys_that_fail_show_in_creatinine_and_in_urine(made: Made) -> None:
    stays, plan = made.population.stays, plan_labs(made.population, SEED)
    made.sql.execute("create or replace table kidneys (stay_id bigint, failed timestamp)")
    failing = np.flatnonzero(
        (plan.failing > 1)
        & (plan.failing_from > stays.intime)
        & (plan.failing_from + 40 * 3600 < stays.outtime)
    )
    made.sql.executemany(
        "insert into kidneys values (?, make_timestamp(? * 1000000))",
        [(int(stays.stay_id[i]), int(plan.failing_from[i])) for i in failing],
    )
    after = "charttime > failed + interval 36 hour"
    creatinine = made.one(
        f"select avg(ln(worse / better)) from (select median(valuenum) filter ({after}) as worse,"
        " median(valuenum) filter (charttime < failed) as better from labevents"
        " join icustays using (subject_id) join kidneys using (stay_id) where itemid = 50912 and"
        " valuenum between 0.2 and 14 and charttime between intime and outtime group by stay_id)"
    )
    urine = made.one(
        f"select avg(ln(worse / better)) from (select median(value) filter ({after}) as worse,"
        " median(value) filter (charttime < failed) as better from outputevents"
        " join kidneys using (stay_id) where itemid = 226559 group by stay_id)"
        " where better > 0 and worse > 0"
    )
    assert len(failing) > 3
    assert creatinine > 0.4
    assert urine < -0.6


SYSTEMIC = (
    "route in ('IV', 'PO/NG') and regexp_matches(lower(drug), 'vancomycin|cef|piperacillin|penem|"
    "metronidazole|floxacin|azithromycin')"
)


def test_infections_are_suspected_where_and_when_the_truth_says(made: Made) -> None:
    """Sepsis-3: a culture within a day after an antibiotic, or that within 3 after a culture."""
    own, stays = own_time(made.population), made.population.stays
    made.sql.execute(
        "create or replace table own (stay_id bigint, since timestamp, until timestamp)"
    )
    made.sql.executemany(
        "insert into own values (?, make_timestamp(? * 1000000), make_timestamp(? * 1000000))",
        np.stack((stays.stay_id, own.since, own.until), axis=1).tolist(),
    )
    pairs = (
        "select stay_id, intime, least(a.starttime, c.charttime) as suspected_at"
        " from icustays join own using (stay_id)"
        f" join (from prescriptions where {SYSTEMIC}) a using (subject_id)"
        " join microbiologyevents c using (subject_id)"
        " where a.starttime between since and until and c.charttime between since and until and"
        " ((c.charttime >= a.starttime and c.charttime <= a.starttime + interval 24 hour) or"
        " (a.starttime >= c.charttime and a.starttime <= c.charttime + interval 72 hour))"
    )
    row = made.sql.execute(
        f"with first as (select intime, min(suspected_at) as t from ({pairs})"
        " group by stay_id, intime) select count(*) filter (t < intime + interval 24 hour),"
        " count(*) filter (t >= intime + interval 24 hour) from first"
    ).fetchone()
    assert row is not None
    planted = made.truth["planted"]
    names = ("infection_suspected_before_24h", "infection_first_suspected_after_24h")
    assert row == tuple(planted[name] for name in names)
    assert 0.3 < sum(row) / STAYS < 0.5
    assert row[0] > 4 * row[1] > 0
    for one in (f"from prescriptions where {SYSTEMIC}", "from microbiologyevents"):
        several = f"select count(distinct hadm_id) {one}"
        assert made.one(several) > made.one(f"select count(distinct stay_id) from ({pairs})")


def test_antibiotics_of_the_icu_are_those_prescribed(made: Made) -> None:
    """Each dose that inputevents has lies in a course by vein."""
    doses = made.one("select count(*) from inputevents where itemid = 225851")
    covered = made.one(
        "select count(*) from inputevents i where itemid = 225851 and exists (from prescriptions p"
        " where p.subject_id = i.subject_id and drug = 'CefePIME' and route = 'IV'"
        " and i.starttime >= p.starttime and (i.starttime < p.stoptime + interval 1 hour"
        " or p.stoptime is null or p.stoptime < p.starttime))"
    )
    assert doses > 20 and covered == doses


def test_planted_mess_in_cultures_and_prescriptions_is_what_the_truth_says(made: Made) -> None:
    cultures = "select count(distinct micro_specimen_id) from microbiologyevents"
    expected = {
        "cultures": cultures,
        "cultures_without_time": f"{cultures} where charttime is null and chartdate is not null",
        "cultures_with_growth": f"{cultures} where org_name is not null",
        "antibiotic_courses": f"select count(*) from prescriptions where {SYSTEMIC}",
        "prescriptions_that_stop_before_they_start": "select count(*) from prescriptions"
        " where stoptime < starttime",
    }
    found = {name: made.one(query) for name, query in expected.items()}
    assert found == {name: made.truth["planted"][name] for name in expected}
    assert min(found.values()) > 0
    assert made.one(
        "select bool_and(chartdate = charttime::date and coalesce(storetime > charttime, true))"
        " from microbiologyevents where charttime is not null"
    )
    resistant = "from microbiologyevents where ab_name is not null"
    assert made.one(f"select bool_and(org_name is not null) {resistant}")
    assert 0.1 < made.one(f"select avg((interpretation = 'R')::int) {resistant}") < 0.3
    assert made.one("select bool_and(minute(starttime) = 0) from prescriptions")


def test_codes_are_of_the_version_of_their_year(made: Made) -> None:
    """ICD-10 since October 2015; dates are shifted by whole years, which nobody is told."""
    shifted = made.population.patients.years_shifted[made.population.admissions.patient]
    made.sql.execute("create or replace table shifts (hadm_id bigint, years bigint)")
    made.sql.executemany(
        "insert into shifts values (?, ?)",
        np.stack((made.population.admissions.hadm_id, shifted), axis=1).tolist(),
    )
    versions = (
        "from diagnoses_icd join admissions using (hadm_id) join shifts using (hadm_id) where"
        " (year(admittime) - years) * 100 + month(admittime)"
    )
    for bound, version in (("< 201510", 9), (">= 201510", 10)):
        assert made.one(f"select bool_and(icd_version = {version}) {versions} {bound}")
        assert made.one(f"select count(*) > 100 {versions} {bound}")
    assert made.one(
        "select bool_and(n = last and n = numbers) from (select count(*) as n,"
        " max(seq_num) as last, count(distinct seq_num) as numbers from diagnoses_icd"
        " group by hadm_id)"
    )
    assert 6 < made.one("select count(*) / count(distinct hadm_id) from diagnoses_icd") < 18
    assert made.one("select count(*) from admissions anti join diagnoses_icd using (hadm_id)") == 0
    found = {
        f"{name}_coded": made.one(
            "select count(distinct hadm_id) from diagnoses_icd"
            f" where icd_code in ('{each.icd9}', '{each.icd10}')"
        )
        for name, each in ACUTE.items()
    }
    assert found == {name: made.truth["planted"][name] for name in found}


def test_codes_of_earlier_admissions_tell_of_death_and_those_of_the_present_give_it_away() -> None:
    population = build_population(30_000, 5)
    visits = population.admissions
    dies = np.bincount(visits.patient, visits.died, len(population.patients)) > 0
    chronic = draw_chronic(population, 5)
    shifts = np.array([each.shift for each in CHRONIC.values()])
    logit = LogisticRegression(C=np.inf).fit(chronic, dies).coef_[0]
    assert np.abs(logit - shifts).max() < 0.35
    by_history = auroc(dies, chronic @ shifts)
    assert by_history is not None and 0.58 < by_history < 0.75
    of_death = np.array([each.shift for each in ACUTE.values()])
    assert of_death.max() > 2.5


def test_what_begins_after_a_day_follows_the_latents_of_vital_signs() -> None:
    population = build_population(12_000, 5)
    stays = population.stays
    never = np.full(len(stays), NO_TIME)
    ventilation = plan_ventilation(stays, never, 5)
    before, after = started(ventilation.invasive, stays)
    rows = ~before & (stays.seconds >= 86400)
    by = LOG_ODDS["invasive_ventilation_after_24h"]
    score = by["severity"] * stays.latents.severity + by["vitals"] * stays.latents.vitals
    best = auroc(after[rows], score[rows])
    assert best is not None and best > 0.7
    assert auroc(after[rows], stays.latents.text[rows]) == pytest.approx(0.5, abs=0.05)


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
    for folder in ("mimic-iv", "mimic-iv-note", "mimic-cxr"):
        assert "Synthetic data" in (made.root / folder / "SYNTHETIC.txt").read_text()


def _by_stay(made: Made, query: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows of Stays and a number for each, from a query that gives (stay_id, number)."""
    found = dict(made.sql.execute(query).fetchall())
    stay_ids = made.population.stays.stay_id
    rows = np.array([i for i, stay in enumerate(stay_ids) if found.get(stay) is not None])
    return rows, np.array([float(found[stay_ids[i]]) for i in rows])


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(x, y)[0, 1])


def test_vitals_show_severity_and_their_own_latent(made: Made) -> None:
    latents = made.population.stays.latents
    query = (
        "select stay_id, {sign}median(valuenum) from chartevents where itemid = {item}"
        " group by stay_id"
    )
    rows, rate = _by_stay(made, query.format(sign="", item=220210))
    assert _correlation(rate, latents.severity[rows]) > 0.3
    rows, saturation = _by_stay(made, query.format(sign="-", item=220277))
    assert _correlation(saturation, latents.vitals[rows]) > 0.25
    assert abs(_correlation(saturation, latents.text[rows])) < 0.25


def test_laboratory_values_show_the_latents_of_the_outcomes(made: Made) -> None:
    stays = made.population.stays
    shown = lab_latents(stays, SEED)
    query = (
        "select stay_id, median(valuenum) from labevents join icustays using (subject_id)"
        " where itemid = {item} and valuenum between {low} and {high}"
        " and charttime between intime and outtime group by stay_id"
    )
    signs = {
        "in_hospital_mortality": {50912: 1, 51006: 1, 50885: 1, 50820: -1, 50882: -1, 51265: -1},
        "icu_stay_over_3_days": {51222: -1, 51301: 1},
    }
    for task, items in signs.items():
        for item, sign in items.items():
            low, high = next(test.natural for test in LAB_TESTS if test.itemid == item)
            rows, value = _by_stay(made, query.format(item=item, low=low, high=high))
            assert sign * _correlation(value, shown[task][rows]) > 0.2, item
            other = next(name for name in signs if name != task)
            assert abs(_correlation(value, shown[other][rows])) < 0.25, item


def test_a_latent_drawn_given_the_outcome_is_the_log_likelihood_ratio() -> None:
    stays = build_population(40_000, 5).stays
    shown = lab_latents(stays, 5)
    for task, outcome in outcomes_of(stays).items():
        latent, shift = shown[task], LAB_SHIFTS[task]
        assert latent[~outcome].mean() == pytest.approx(0, abs=0.03)
        assert latent[outcome].mean() == pytest.approx(shift, abs=0.05)
        assert latent[outcome].std() == pytest.approx(1, abs=0.03)
        slope = LogisticRegression(C=np.inf).fit(latent[:, None], outcome).coef_[0, 0]
        assert slope == pytest.approx(shift, abs=0.05)


def test_log_odds_are_calibrated_whatever_is_seen() -> None:
    """What is not seen is integrated out, so the mean chance is the rate, in every fifth."""
    population = build_population(40_000, 5)
    stays = population.stays
    cohort = stays.seconds > 86400
    latents, age = stays.latents.take(cohort), scaled_age(stays.age[cohort])
    long_stay = outcomes_of(stays)["icu_stay_over_3_days"][cohort]
    for seen_names in ((), ("severity", "image"), ("severity", "vitals"), LATENTS):
        seen = {name: np.full(len(age), name in seen_names) for name in LATENTS}
        chance = 1 / (1 + np.exp(-log_odds("icu_stay_over_3_days", age, latents, seen)))
        fifth = np.digitize(chance, np.quantile(chance, (0.2, 0.4, 0.6, 0.8)))
        for each in range(5):
            rows = fifth == each
            assert long_stay[rows].mean() == pytest.approx(chance[rows].mean(), abs=0.025)


def test_notes_show_severity_and_their_own_latent(made: Made) -> None:
    latents = made.population.stays.latents
    bad = "(large|severe|marked|moderate|dense|multifocal|worsened|increased|extensive|progressed)"
    rows, words = _by_stay(
        made,
        f"select stay_id, avg(len(regexp_extract_all(lower(text), '{bad}'))) from icustays"
        " join radiology using (subject_id) where charttime between intime and outtime"
        " group by stay_id",
    )
    assert _correlation(words, latents.severity[rows]) > 0.2
    assert _correlation(words, latents.text[rows]) > 0.2
    assert abs(_correlation(words, latents.image[rows])) < 0.25


def test_pictures_show_severity_and_their_own_latent(made: Made) -> None:
    taken = made.sql.execute(
        "select stay_id, path from icustays join metadata using (subject_id) join cxr_record_list"
        " using (dicom_id, subject_id) where ViewPosition = 'AP' and strptime(StudyDate::varchar,"
        " '%Y%m%d') between intime and outtime"
    ).fetchall()
    by_stay: dict[int, list[float]] = {}
    for stay, path in taken:
        with Image.open(made.root / "mimic-cxr" / Path(path).with_suffix(".jpg")) as picture:
            pixels = np.asarray(picture, dtype=float)
        middle = pixels[PIXELS // 5 : PIXELS * 3 // 4, PIXELS // 5 : PIXELS * 4 // 5]
        # The lungs against the body: exposure differs from picture to picture.
        by_stay.setdefault(stay, []).append(middle.mean() - pixels[-PIXELS // 3 : -8].mean())
    stay_ids = made.population.stays.stay_id
    rows = np.array([i for i, stay in enumerate(stay_ids) if stay in by_stay])
    bright = np.array([np.mean(by_stay[stay_ids[i]]) for i in rows])
    latents = made.population.stays.latents
    assert len(rows) > 30
    assert _correlation(bright, latents.severity[rows] + latents.image[rows]) > 0.25


def test_outcomes_follow_all_latents_with_own_signal_beyond_shared() -> None:
    stays = build_population(20_000, 5).stays
    latents = stays.latents
    for outcome in (stays.died, stays.seconds > 3 * 86400):
        best = auroc(outcome, latents.severity)
        assert best is not None and best > 0.6
        for own in (latents.vitals, latents.image, latents.text):
            more = auroc(outcome, latents.severity + 0.55 * own)
            assert more is not None and more > best + 0.01


def test_a_picture_tells_the_more_the_more_deranged_the_vital_signs_are() -> None:
    """The declared interaction; it adds nothing to what either modality tells by itself."""
    stays = build_population(40_000, 5).stays
    latents = stays.latents
    outcomes = {
        "in_hospital_mortality": stays.died,
        "icu_stay_over_3_days": stays.seconds > 3 * 86400,
    }
    for task, outcome in outcomes.items():
        by = COEFFICIENTS[task]
        inner = np.abs(latents.severity) < 1  # else a mixture of high and low risks
        calm, deranged = inner & (latents.vitals < -1), inner & (latents.vitals > 1)
        tells = [auroc(outcome[rows], latents.image[rows]) for rows in (calm, deranged)]
        assert tells[0] is not None and tells[0] < 0.58
        assert tells[1] is not None and tells[1] > 0.8
        names = ("severity", "vitals", "image")
        x = np.column_stack([getattr(latents, name) for name in names])
        slopes = LogisticRegression(C=np.inf).fit(x, outcome).coef_[0]
        assert slopes[1] / slopes[0] == pytest.approx(by["vitals"] / by["severity"], abs=0.08)
        assert slopes[2] / slopes[0] == pytest.approx(by["image"] / by["severity"], abs=0.08)


def test_the_interaction_is_in_the_oracle_of_those_who_see_both_modalities() -> None:
    latents = build_population(2000, 5).stays.latents
    n = len(latents.image)
    score = INTERACTIONS["in_hospital_mortality"].of(latents)
    everywhere = {name: np.ones(n, bool) for name in ("vitals", "image", "text")}
    outcome = {"in_hospital_mortality": score > np.quantile(score, 0.9)}
    best, of_sums = (
        oracle_auroc(outcome, np.zeros(n), latents, everywhere, interaction=read)[
            "in_hospital_mortality"
        ]
        for read in (True, False)
    )
    for arm in ("age", "vitals", "vitals+text"):
        assert best[arm] == of_sums[arm]
    for arm in ("vitals+image", "vitals+image+text"):
        assert (best[arm] or 0) > (of_sums[arm] or 1) + 0.05
    unseen = everywhere | {"image": np.zeros(n, bool)}
    blind = oracle_auroc(outcome, np.zeros(n), latents, unseen, interaction=True)
    assert blind["in_hospital_mortality"]["vitals+image"] == best["vitals"]


def test_oracle_gains_from_every_modality(tmp_path: Path) -> None:
    truth = write(tmp_path / "many", stays=4000, rows_per_stay=0, image_pixels=0)
    for arms in truth["oracle_auroc"].values():
        assert arms["age"] < arms["vitals"] < arms["vitals+image"] < arms["vitals+image+text"]
        assert arms["vitals"] < arms["vitals+text"] < arms["vitals+image+text"]
    for task, arms in truth["oracle_auroc_with_labs"].items():
        for arm, without in truth["oracle_auroc"][task].items():
            if arm != "age":
                assert arms[f"{arm}+labs"] > without + 0.02, (task, arm)
        assert truth["oracle_auroc"][task]["age"] < arms["labs"] < arms["vitals+labs"]
    of_death = truth["oracle_auroc_with_labs"]["in_hospital_mortality"]["vitals+image+text+labs"]
    gain = of_death - truth["oracle_auroc"]["in_hospital_mortality"]["vitals+image+text"]
    assert 0.03 < gain < 0.07
    planted, rates = truth["planted"], truth["rates"]
    for name in BEGINNINGS:
        begun = planted[f"first_{name}_after_24h"] / planted[f"not_{name}_before_24h"]
        assert 0.055 < begun < 0.09
        assert 0.2 < planted[f"{name}_before_24h"] / 4000 < 0.4
    for name in ("septic_shock", "cardiac_arrest", "palliative_care"):
        coded, in_deaths = planted[f"{name}_coded"], planted[f"{name}_coded_in_deaths"]
        deaths = rates["mortality"] * truth["admissions"]  # nearly
        assert in_deaths / deaths > 5 * (coded - in_deaths) / (truth["admissions"] - deaths)
    assert 0.08 < rates["mortality"] < 0.14
    assert 1.7 < rates["los_median_days"] < 2.3
    assert 0.28 < rates["los_over_3_days"] < 0.39
    assert 0.15 < rates["under_24h"] < 0.25
    assert 0.005 < rates["first_day_deaths"] < 0.03
    assert 0.64 < rates["patients_per_stay"] < 0.76
    assert 0.09 < rates["null_hadm_reports"] < 0.16
    assert 0.16 < 1 - rates["stays_without_image_first_day"] < 0.28
    assert 0.15 < rates["stays_without_report_first_day"] < 0.26
    assert 4.8 < rates["radiology_reports_per_stay"] < 6.4
    assert not list((tmp_path / "many").rglob("*.jpg"))


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


def test_a_folder_with_something_in_it_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(CharthouseError, match="not empty"):
        write(tmp_path, stays=5)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


@pytest.mark.parametrize("seed", range(4))
def test_a_single_stay_is_enough(tmp_path: Path, seed: int) -> None:
    truth = write(tmp_path / "one", stays=1, seed=seed, image_pixels=32)
    assert truth["patients"] == 1


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    out = tmp_path / "empty"
    out.mkdir()
    write(out, stays=1, image_pixels=0)
    assert (out / "SYNTHETIC.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def _fail_with(error: BaseException) -> Callable[[str, int, int], None]:
    def progress(label: str, done: int, total: int) -> None:
        if label == "radiology reports":
            raise error

    return progress


def test_a_failure_midway_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(CharthouseError, match="full: free some space"):
        write(tmp_path / "a", stays=5, progress=_fail_with(OSError(28, "No space left")))
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a", stays=5, progress=_fail_with(KeyboardInterrupt()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"stays": 0}, "at least 1"),
        ({"stays": 10**23}, "stays is 1e\\+23: ask for at most 10,000,000"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**63}, "up to 63 bits"),
        ({"rows_per_stay": -5.0}, "rows_per_stay"),
        ({"image_pixels": 7}, "image_pixels"),
    ],
)
def test_bad_arguments_give_one_line(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(CharthouseError, match=says) as caught:
        write(tmp_path / "a", **changes)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_cannot_be_a_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CharthouseError, match="file is a file: choose a folder"):
        write(tmp_path / "file", stays=5)
    with pytest.raises(CharthouseError, match=r"cannot be written \(Not a directory\): choose"):
        write(tmp_path / "file/below", stays=5)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.EROFS, "no permission"),
        (errno.ENOTEMPTY, "no longer empty"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_a_disk_that_refuses_midway_is_one_line_and_leaves_nothing(
    tmp_path: Path, code: int, said: str
) -> None:
    with pytest.raises(CharthouseError, match=said):
        write(tmp_path / "a", stays=5, progress=_fail_with(OSError(code, os.strerror(code))))
    assert list(tmp_path.iterdir()) == []
