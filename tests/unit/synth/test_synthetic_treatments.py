"""Treatments, infections and diagnoses of the synthetic MIMIC: what is planted is told."""

from __future__ import annotations

import numpy as np
import pytest

from charthouse.synth.diagnoses import ACUTE
from charthouse.synth.lab_rows import plan_labs
from charthouse.synth.outputevents import URINE
from charthouse.synth.own_time import own_time
from charthouse.synth.shifted import (
    vasopressor_latent,
)
from synthetic import BEGINNINGS, SEED, STAYS, Made, by_stay, correlation


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
    rows, dose = by_stay(
        made,
        "select stay_id, median(rate) from inputevents where itemid in (221906)"
        " and rateuom = 'mcg/kg/min' group by stay_id",
    )
    assert len(rows) > 20
    assert correlation(np.log(dose), latent[rows]) > 0.5


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
