"""Vital signs and laboratory values of the synthetic MIMIC: the mess that is planted is told."""

from __future__ import annotations

from typing import Any

import pytest

from charthouse.synth.lab_tests import LAB_TESTS
from charthouse.synth.vital_signs import VITAL_SIGNS
from synthetic import BEFORE_ICU, LAB_SEED, VITAL_ITEMS, Made


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


def test_a_blood_gas_says_what_it_is_of_and_what_was_breathed(made: Made) -> None:
    gases = "select distinct specimen_id from labevents where itemid = 50821 and valuenum > 0"
    fact = "from labevents join ({}) using (specimen_id) where itemid = {}"
    kinds = dict(
        made.sql.execute(
            f"select value, count(distinct specimen_id) {fact.format(gases, 52033)} group by value"
        ).fetchall()
    )
    n = made.one(f"select count(*) from ({gases})")
    assert set(kinds) == {"ART.", "VEN.", "MIX."}
    assert 0.85 < sum(kinds.values()) / n < 0.99
    assert 0.6 < kinds["ART."] / sum(kinds.values()) < 0.8
    low, high, count = made.sql.execute(
        f"select min(valuenum), max(valuenum), count(*) {fact.format(gases, 50816)}"
    ).fetchall()[0]
    assert low >= 21 and high <= 100 and 0.3 < count / n < 0.5
    assert not made.one("select count(valuenum) from labevents where itemid = 52033")


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
