"""Eras: the true years in which a stay lies, and a split that trains on the past."""

from pathlib import Path

import pandas as pd

from bench import UNTESTED, Bench
from charthouse.synth.population import build_population, year_of
from charthouse.synth.studies import draw_studies

PATIENTS = "mimic-iv/hosp/patients.csv.gz"
MARTS = ("--exclude", "path:models/reports")
BY_ERA = "{split_by: era, split_era_cut: %d}"


def placed(raw: Path) -> pd.DataFrame:
    """Stays with the first and the last year of their eras, by pandas."""
    stays = pd.read_csv(raw / "mimic-iv/icu/icustays.csv.gz", parse_dates=["intime"])
    found = stays.merge(pd.read_csv(raw / PATIENTS), on="subject_id").set_index("stay_id")
    years = found.anchor_year_group.str.extract(r"^(\d{4}) - (\d{4})$").astype(int)
    moved = found.intime.dt.year - found.anchor_year
    return found.assign(first=years[0] + moved, last=years[1] + moved)


def test_a_split_by_era_trains_on_the_past_and_keeps_patients_whole(
    bench: Bench, synthetic: Path
) -> None:
    """dbt's own tests run as well: assert_no_patient_in_two_splits is one of them."""
    cut = 2014
    outcome = bench.build(*MARTS, "--vars", BY_ERA % cut)
    assert outcome.code == 0, outcome.output
    stays = placed(synthetic)
    cohort = bench.sql("select stay_id, split, era_from, era_to from marts.cohort")
    assert {(stay, first, last) for stay, _, first, last in cohort} == {
        (stay, stays["first"][stay], stays["last"][stay]) for stay, *_ in cohort
    }
    assert {split for _, split, _, last in cohort if last < cut} == {"train", "validation"}
    assert {split for _, split, first, _ in cohort if first >= cut} == {"test"}
    assert all(last < cut or first >= cut for _, _, first, last in cohort)

    tested = set(stays.subject_id[stays["first"] >= cut])
    across = (stays["first"] < cut) & (stays["last"] >= cut)
    earlier = (stays["last"] < cut) & stays.subject_id.isin(tested)
    expected = dict.fromkeys(stays.index[across], f"on one side of {cut} by its whole era")
    expected |= dict.fromkeys(stays.index[earlier], f"on its patient's side of {cut}")
    asked = "select stay_id, dropped_for_not from intermediate.int_stays_screened"
    dropped = dict(bench.sql(f"{asked} where dropped_at_step in (7, 8)"))
    others = {stay for stay, _ in bench.sql(f"{asked} where dropped_at_step < 7")}
    assert dropped == {stay: why for stay, why in expected.items() if stay not in others} != {}


def test_a_cut_after_every_era_is_refused(built: Bench) -> None:
    before = built.md5()
    outcome = built.build(*MARTS, *UNTESTED, "--vars", BY_ERA % 2100)
    assert outcome.code != 0
    assert "stays to train on and 0 to test (its eras run from 2008 to 202" in outcome.output
    assert "Set a split_era_cut with stays on both sides, or split_by: hash." in outcome.output
    assert built.md5() == before


def test_a_cohort_of_one_era_is_refused_and_a_blank_group_is_no_era(bench: Bench) -> None:
    patients = Path(bench.raw["CHARTHOUSE_MIMICIV"]).parent / PATIENTS
    people = pd.read_csv(patients).assign(anchor_year_group="2011 - 2013")
    people.to_csv(patients, index=False)
    outcome = bench.build(*MARTS, *UNTESTED, "--vars", BY_ERA % 2012)
    assert outcome.code != 0
    assert "split_era_cut: 2012 leaves the cohort 0 stays to train on" in outcome.output

    one = bench.one("select min(subject_id) from marts.cohort")
    people.loc[people.subject_id == one, "anchor_year_group"] = None
    people.to_csv(patients, index=False)
    outcome = bench.build(*MARTS)
    assert outcome.code == 0, outcome.output
    found = bench.sql(
        "select distinct era_from, era_to, in_mimic_cxr_years from marts.cohort"
        f" where subject_id = {one}"
    )
    assert found == [(None, None, False)]
    assert bench.one("select count(*) from marts.cohort where in_mimic_cxr_years")
    finding = "finding = 'no anchor year group: era unknown'"
    assert bench.one(f"select rows_found from marts.data_quality where {finding}") == 1


def test_synthetic_stays_lie_in_mimics_years_and_xrays_in_those_of_mimic_cxr(
    synthetic: Path,
) -> None:
    stays = placed(synthetic)
    assert stays["first"].min() == 2008 and stays["last"].max() <= 2022
    groups = set(pd.read_csv(synthetic / PATIENTS).anchor_year_group)
    assert groups == {f"{year} - {year + 2}" for year in range(2008, 2023, 3)}

    population = build_population(3000, seed=5)
    studies = draw_studies(population, seed=5)
    people = population.patients
    true = year_of(studies.time) - people.years_shifted[studies.patient]
    assert (true.min(), true.max()) == (2011, 2016)
    of_stay = population.stays.patient
    stayed = year_of(population.stays.intime) - people.years_shifted[of_stay]
    in_years = (stayed >= 2011) & (stayed <= 2016)
    assert 0.3 < in_years.mean() < 0.6
    group = [int(str(each)[:4]) for each in people.anchor_year_group]
    assert set(people.anchor_year - people.years_shifted - group) == {0, 1, 2}
