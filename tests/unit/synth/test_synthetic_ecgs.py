"""Electrocardiograms of the synthetic MIMIC: WFDB to the byte, the mess as told, the signal."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from charthouse.synth.ecg_numbers import draw_numbers, plan_numbers
from charthouse.synth.ecg_records import plan_ecgs
from charthouse.synth.ecg_waveforms import LEADS, draw_leads, wfdb_files
from charthouse.synth.population import build_population
from charthouse.synth.shifted import ecg_latents
from synthetic import SEED, WAVEFORMS, Made, by_stay, correlation, write

HEADER = re.compile(r"(\d{8}) 12 500 5000 (\d\d:\d\d:\d\d) (\d\d/\d\d/\d{4})")
ARRIVAL = "least(admittime, edregtime, intime)"
PAIRS = (
    "from record_list join icustays using (subject_id) join admissions using (subject_id, hadm_id)"
)


def headers(made: Made) -> list[Path]:
    return sorted((made.root / "mimic-iv-ecg/files").rglob("*.hea"))


def steps_of(header: Path) -> np.ndarray:
    return np.fromfile(header.with_suffix(".dat"), "<i2").reshape(-1, 12)


def r_peaks(millivolts: np.ndarray) -> np.ndarray:
    """Samples of the R peaks, by the lead in which they stand out most."""
    lead = millivolts[:, LEADS.index("V5")]
    high = np.flatnonzero(lead > np.median(lead) + 0.55 * (lead.max() - np.median(lead)))
    groups = np.split(high, np.flatnonzero(np.diff(high) > 80) + 1)
    return np.array([group[lead[group].argmax()] for group in groups])


def test_every_waveform_is_in_format_16_under_a_header_that_fits_it(made: Made) -> None:
    listed = {
        study: (subject, time, path)
        for subject, study, time, path in made.sql.execute(
            "select subject_id, study_id, ecg_time, path from record_list"
        ).fetchall()
    }
    assert len(headers(made)) == WAVEFORMS == made.truth["planted"]["ecg_waveforms"]
    for header in headers(made):
        first, *of_leads, patient, words = header.read_text().splitlines()
        parts = HEADER.fullmatch(first)
        assert parts, first
        subject, time, path = listed[int(parts[1])]
        assert header == made.root / "mimic-iv-ecg" / f"{path}.hea"
        assert path == f"files/p{str(subject)[:4]}/p{subject}/s{parts[1]}/{parts[1]}"
        assert datetime.strptime(f"{parts[3]} {parts[2]}", "%d/%m/%Y %H:%M:%S") == time
        assert header.with_suffix(".dat").stat().st_size == 12 * 5000 * 2
        steps = steps_of(header)
        sums = steps.astype(np.int64).sum(axis=0) % 65536
        assert of_leads == [
            f"{parts[1]}.dat 16 200.0(0)/mV 16 0 {steps[0, place]} {sums[place]} 0 {lead}"
            for place, lead in enumerate(
                ["I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6"]
            )
        ]
        assert patient == f"# <subject_id>: {subject}"
        assert words == "# SYNTHETIC, NOT A REAL PATIENT"


def test_a_written_waveform_is_the_drawn_one_to_half_a_step() -> None:
    population = build_population(30, SEED)
    records = plan_ecgs(population, 0, SEED)
    rng = np.random.default_rng(1)
    numbers = draw_numbers(rng, population, plan_numbers(population, SEED), records)
    drawn = draw_leads(rng, numbers.take(slice(0, 1)))
    header, steps = wfdb_files(10_000_001, 40_000_001, 5_000_000_040, drawn)
    assert header.startswith("40000001 12 500 5000 08:54:00 11/06/2128\n")
    assert np.abs(steps / 200 - drawn).max() <= 0.5 / 200 + 1e-12
    _, beyond = wfdb_files(1, 1, 60, 1000 * drawn)
    assert np.abs(beyond.astype(int)).max() == 32767  # not -32768, which stands for no value


def test_the_limb_leads_are_those_of_two_electrodes(made: Made) -> None:
    """As Einthoven and Goldberger have them, but for the rounding of each."""
    for header in headers(made):
        one, two, three, avr, avf, avl = steps_of(header).T[:6].astype(float)
        assert np.abs(two - one - three).max() <= 1.5
        assert np.abs(avr + (one + two) / 2).max() <= 1
        assert np.abs(avf - (two + three) / 2).max() <= 1.5
        assert np.abs(avl - (one - three) / 2).max() <= 1.5


def test_files_go_to_the_first_day_of_stays_first(made: Made, tmp_path: Path) -> None:
    first_day = {
        study
        for (study,) in made.sql.execute(
            f"select distinct study_id {PAIRS} where ecg_time >= intime"
            " and ecg_time < least(intime + interval 24 hour, outtime)"
        ).fetchall()
    }
    assert {int(header.stem) for header in headers(made)} <= first_day
    few = {"stays": 2, "rows_per_stay": 0, "image_pixels": 0}
    truth = write(tmp_path / "all", ecg_waveforms=10**6, **few)
    assert truth["planted"]["ecg_waveforms"] == truth["planted"]["ecgs"] > 10
    assert len(list((tmp_path / "all").rglob("*.dat"))) == truth["planted"]["ecgs"]
    write(tmp_path / "none", ecg_waveforms=0, **few)
    assert not (tmp_path / "none/mimic-iv-ecg/files").exists()
    lists = [root / "mimic-iv-ecg/record_list.csv.gz" for root in tmp_path.iterdir()]
    assert lists[0].read_bytes() == lists[1].read_bytes()


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("ecgs", "from record_list"),
        ("ecgs_of_patients_without_stay", "from record_list anti join patients using (subject_id)"),
        ("ecgs_without_measurements", "from record_list anti join machine_measurements using"
         " (study_id)"),
        ("ecgs_unmeasured", "from machine_measurements where rr_interval = 29999 and"
         " p_onset = 29999 and qrs_onset = 29999 and t_end = 29999 and qrs_axis = 29999"),
        ("ecgs_without_p_wave", "from machine_measurements where p_onset = 29999"),
        ("ecgs_without_t_axis", "from machine_measurements where t_axis = 29999"),
        ("ecgs_with_p_after_qrs", "from machine_measurements where p_onset > qrs_onset"
         " and p_onset < 29999"),
        ("ecgs_with_negative_rr_interval", "from machine_measurements where rr_interval < 0"),
        ("ecgs_with_impossible_axis", "from machine_measurements where t_axis > 360"
         " and t_axis < 29999"),
        ("ecgs_outside_shifted_years", "from record_list where year(ecg_time) < 2100"),
        ("ecgs_again_within_15_minutes", "from (select ecg_time - lag(ecg_time) over"
         " (partition by subject_id order by ecg_time) as since from record_list)"
         " where since <= interval 15 minute"),
        ("ecgs_dated_within_stays", f"{PAIRS} where ecg_time between {ARRIVAL} and outtime"),
        ("ecgs_dated_in_first_hour", f"{PAIRS} where ecg_time >= intime"
         " and ecg_time < intime + interval 1 hour and ecg_time <= outtime"),
        ("ecgs_dated_from_hour_23_to_24", f"{PAIRS} where ecg_time >= intime + interval 23 hour"
         " and ecg_time < intime + interval 24 hour and ecg_time <= outtime"),
        ("ecgs_dated_by_hour_23", f"{PAIRS} where ecg_time >= intime and ecg_time"
         " < least(intime + interval 24 hour, outtime) - interval 1 hour"),
    ],
)  # fmt: skip
def test_the_mess_is_that_of_the_truth(made: Made, name: str, query: str) -> None:
    assert made.one(f"select count(*) {query}") == made.truth["planted"][name] > 0


def test_as_many_are_taken_as_in_mimic_and_some_clocks_are_wrong(tmp_path: Path) -> None:
    write_none = {"rows_per_stay": 0, "image_pixels": 0, "ecg_waveforms": 0}
    truth = write(tmp_path / "many", stays=4000, **write_none)
    rates, planted = truth["rates"], truth["planted"]
    assert rates["ecgs_per_stay"] == pytest.approx(800_000 / 73_181, rel=0.05)
    assert 0.55 < rates["stays_with_ecg_first_day"] < 0.65
    assert planted["ecgs_outside_shifted_years"] == 2
    off = planted["ecg_clocks_off_over_2_minutes"], planted["ecg_clocks_off_over_an_hour"]
    assert 0.2 < off[0] / planted["ecgs"] < 0.3 and 0.01 < off[1] / planted["ecgs"] < 0.02
    # a margin of an hour keeps out some of those that were taken after the day, not all
    late = planted["ecgs_taken_after_24h_dated_before"]
    assert 0 < planted["ecgs_taken_after_24h_dated_by_hour_23"] < late
    for task, arms in truth["oracle_auroc_with_ecg"].items():
        for arm, without in truth["oracle_auroc"][task].items():
            if arm != "age":
                assert arms[f"{arm}+ecg"] > without + 0.01, (task, arm)
        assert truth["oracle_auroc"][task]["age"] < arms["ecg"] < arms["vitals+ecg"]


def test_what_carts_measure_shows_the_latents_of_the_outcomes(made: Made) -> None:
    stays = made.population.stays
    shown = ecg_latents(stays, SEED)
    query = (
        "select stay_id, median({column}) from record_list join machine_measurements"
        " using (subject_id, study_id) join icustays using (subject_id)"
        " where record_list.ecg_time between intime and outtime and rr_interval between 1 and 29998"
        " and qrs_onset < 29999 and t_axis between -180 and 180 group by stay_id"
    )
    signs = {
        "in_hospital_mortality": {"qrs_end - qrs_onset": 1, "t_axis": 1, "60000 / rr_interval": 1},
        "icu_stay_over_3_days": {"(t_end - qrs_onset) / sqrt(rr_interval)": 1, "qrs_axis": -1},
    }
    for task, columns in signs.items():
        other = next(name for name in signs if name != task)
        for column, sign in columns.items():
            rows, value = by_stay(made, query.format(column=column))
            assert sign * correlation(value, shown[task][rows]) > 0.25, column
            assert abs(correlation(value, shown[other][rows])) < 0.25, column
    rows, rate = by_stay(made, query.format(column="60000 / rr_interval"))
    assert correlation(rate, stays.latents.severity[rows]) > 0.3


def test_waveforms_show_what_the_cart_measured(made: Made) -> None:
    measured = {
        study: numbers
        for study, *numbers in made.sql.execute(
            "select study_id, rr_interval, p_onset, qrs_axis, qrs_end - qrs_onset,"
            " t_end - qrs_onset from machine_measurements where rr_interval between 1 and 29998"
        ).fetchall()
    }
    irregular: dict[bool, list[float]] = {True: [], False: []}
    widths, ends = [], []
    seen = [header for header in headers(made) if int(header.stem) in measured]
    assert len(seen) > 0.9 * WAVEFORMS
    for header in seen:
        rr, p_onset, axis, qrs, qt = measured[int(header.stem)]
        leads = steps_of(header) / 200
        peaks = r_peaks(leads)
        between = np.diff(peaks) * 2.0  # ms
        assert between.mean() == pytest.approx(rr, rel=0.03), header
        irregular[p_onset == 29999].append(between.std() / between.mean())
        one, two = (np.median(leads[peaks, place] - leads[peaks - 30, place]) for place in (0, 1))
        found = np.rad2deg(np.arctan2((2 * two - one) / np.sqrt(3), one))
        assert abs((found - axis + 180) % 360 - 180) < 15, header
        whole = peaks[(peaks > 60) & (peaks < 4700)]
        beat = np.median([leads[peak - 60 : peak + 300] for peak in whole], axis=0)
        in_v5 = beat[40:80, LEADS.index("V5")]
        widths.append((qrs, (in_v5 > in_v5.max() / 2).sum()))
        after = np.abs(beat[110 : 60 + int(0.3 * rr)] - beat[110]).sum(axis=1)
        ends.append((qt, after.argmax()))
    # without P waves the heart beats out of any rhythm
    assert min(map(len, irregular.values())) > 2
    assert max(irregular[False]) < 0.06 < 0.08 < np.median(irregular[True])
    assert correlation(*np.array(widths, dtype=float).T) > 0.9
    assert correlation(*np.array(ends, dtype=float).T) > 0.9
