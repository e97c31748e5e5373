"""The planted effects: what a correct analysis of the data must find."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from charthouse.synth.categories import CAREUNITS
from charthouse.synth.chartevents import Outliers
from charthouse.synth.clinical_tables import Clinical
from charthouse.synth.diagnoses import ACUTE, CHRONIC
from charthouse.synth.ecg_numbers import FIBRILLATION
from charthouse.synth.ecg_records import NO_ROW, EcgRecords
from charthouse.synth.population import DAY, HOUR, NO_TIME, Ints, Population
from charthouse.synth.schedule import Reports, Summaries
from charthouse.synth.shifted import (
    ECG_SHIFTS,
    LAB_SHIFTS,
    VASOPRESSOR_SHIFTS,
    ecg_latents,
    lab_latents,
    oracle_auroc_with,
    outcomes_of,
)
from charthouse.synth.signal import COEFFICIENTS, INTERACTIONS, oracle_auroc, scaled_age
from charthouse.synth.studies import Images, Studies
from charthouse.synth.treatments import LOG_ODDS
from charthouse.synth.vital_sign_rows import plan_charting

GENERATOR_VERSION = "1.4"
DEFINITIONS = {
    "first_day": "intime <= time < intime + 24 hours",
    "stays_without_vitals": "no chartevents row of any vital-sign itemid, at any time",
    "null_valuenum_rows": "rows of a vital-sign itemid whose valuenum is empty",
    "duplicate_rows": "rows of a vital-sign itemid beyond the first of their stay_id, "
    "charttime and itemid",
    "outliers": "rows with exactly this valuenum; those inside the natural range occur of "
    "themselves as well",
    "reports_stored_late": "pairs of stay and report of its patient charted in the first day and "
    "stored at or after intime + 24 hours",
    "interactions": "size x (vitals - its centre) x (image - its centre), added to the "
    "coefficients' sum",
    "oracle_auroc": "best score from the latents that each modality shows in the first day, on "
    "stays of at least 24 hours in which the patient was alive at 24 hours",
    "oracle_auroc_of_sums": "the same without the interaction, which no sum of modalities holds",
    "lab_rows": "labevents rows of a test that seeds/concepts/lab_tests.csv names",
    "lab_duplicate_rows": "lab_rows beyond the first of their patient, charttime and itemid",
    "null_hadm_lab_rows_before_icu": "of lab_rows in the six hours before intime",
    "lab_outliers": "as outliers, in the test's own unit",
    "ventilated_before_24h": "stays with a procedureevents row of 225792 or 225794 that starts "
    "before intime + 24 hours; first_ventilated_after_24h: stays of at least 24 hours whose first "
    "starts later; not_ventilated_before_24h: those of at least 24 hours without one before; "
    "invasively: 225792 alone",
    "given_vasopressors_before_24h": "the same of inputevents rows of 221906, 221289, 221749, "
    "222315 and 221662",
    "impossible_rate_rows": "rows of those with a rate of 100 or more, in their usual unit",
    "other_amount_unit_input_rows": "of an antibiotic in mg or grams, or of 225150 in mg",
    "cultures": "specimens of microbiologyevents; with growth: of which an organism is named",
    "antibiotic_courses": "rows of prescriptions of an antibiotic, but those on skin and eyes",
    "infection_suspected_before_24h": "stays with such a course and a culture, each from "
    "arrival or midway from the stay before to discharge or midway to the next, the culture at "
    "most 24 hours after the antibiotic or that at most 72 hours after the culture, of which "
    "the earlier comes before intime + 24 hours; first after: later",
    "conditions": "chronic: share of patients who do not die in hospital, of which each admission "
    "codes 85 %; acute, such as septic_shock: of admissions, coded after the outcome, and "
    "some the likelier the higher severity; log_odds_of_death: log odds more of those who die",
    "coded": "admissions with one of the condition's codes",
    "log_odds": "of what is planned for a stay, from its latents; not of what is then counted",
    "shifts": "how much higher the mean of a latent is where the outcome came, in its standard "
    "deviations; such a latent is drawn given the outcome",
    "oracle_auroc_with_labs": "on the same stays, of the log odds from what the arm shows, with "
    "the interaction and unseen latents integrated out, plus shift x the latent that laboratory "
    "values show of that outcome; they show severity as well. A stay before the last of its "
    "admission counts as died with it, so mortality can be read better by some 0.001",
    "oracle_auroc_with_ecg": "the same of an ECG dated in the first 23 hours and within the stay "
    "but for its last hour, with a row of machine_measurements",
    "ecg_dated": "ecg_time, by the clock of the cart; within_stays: pairs of an ECG and a stay of "
    "its patient, dated from arrival (admission, ED or ICU) to outtime; of those, those dated in "
    "the stay's first hour, from hour 23 to 24, and from intime to an hour before the sooner of "
    "intime + 24 hours and outtime (by_hour_23)",
    "ecg_clocks_off": "of ECGs whose clock had not begun again, by more than 2 minutes; by more "
    "than an hour; which is in no table",
    "ecgs_taken_after_24h_dated_before": "pairs of an ECG and the stay that it shows, taken at or "
    "after intime + 24 hours and dated in the first day; dated_by_hour_23: an hour before its end",
    "ecgs_again_within_15_minutes": "ECGs dated at most 15 minutes after another of the patient",
    "ecgs_outside_shifted_years": "dated before the year 2100, as the clock began again",
    "ecgs_without_p_wave": "rows whose p_onset is 29999; unmeasured: all numbers are",
}
NOT_PLANTED = (  # counts that are plain facts
    "rows",
    "stays_with_arterial_pressure",
    "null_hadm_rows",
    "lab_rows_before_icu",
    "null_hadm_rows_before_icu",
)


def _count_in(patient: Ints, start: Ints, stop: Ints, event_patient: Ints, time: Ints) -> Ints:
    """Events of each stay's patient with ``start`` <= time < ``stop``, shape ``(n,)``."""
    base = min(int(time.min(initial=0)), int(start.min())) - 1
    span = max(int(time.max(initial=0)), int(stop.max())) - base + 1
    keys = np.sort(event_patient * span + (time - base))
    low = np.searchsorted(keys, patient * span + (start - base), side="left")
    high = np.searchsorted(keys, patient * span + (stop - base), side="left")
    return (high - low).astype(np.int64)


def _by_item(outliers: Outliers) -> dict[str, dict[str, int]]:
    return {
        str(item): {f"{value:g}": count for value, count in counts.items()}
        for item, counts in outliers.items()
    }


def _count_dated(population: Population, ecgs: EcgRecords, start: Ints, stop: Ints) -> Ints:
    """Of each stay's patient, by the clocks of the carts, ``(n,)``."""
    of_patients = ecgs.patient >= 0
    patient, time = ecgs.patient[of_patients], ecgs.time[of_patients]
    return _count_in(population.stays.patient, start, stop, patient, time)


def _by_hour_23(population: Population, ecgs: EcgRecords) -> Ints:
    """How many of each stay may be used where an hour is left for the clock, ``(n,)``."""
    stays = population.stays
    stop = np.minimum(stays.intime + DAY, stays.outtime) - HOUR
    return _count_dated(population, ecgs, stays.intime, np.maximum(stop, stays.intime))


def _count_ecgs(population: Population, ecgs: EcgRecords) -> dict[str, int]:
    """What is planted in the list of electrocardiograms."""
    stays, admissions = population.stays, population.admissions
    admit, registered = admissions.admittime, admissions.edregtime
    arrival = np.where(registered == NO_TIME, admit, np.minimum(admit, registered))
    arrival = np.minimum(arrival[stays.admission], stays.intime)
    after, day_end = stays.outtime + 1, stays.intime + DAY  # outtime itself is within

    def dated(start: Ints, stop: Ints) -> int:
        return int(_count_dated(population, ecgs, start, np.maximum(start, stop)).sum())

    went = ecgs.taken != NO_TIME
    off = np.abs(ecgs.time - ecgs.taken)[went]
    since_in = (ecgs.time - stays.intime[ecgs.stay])[went]
    truly = (ecgs.taken - stays.intime[ecgs.stay])[went]
    late = (ecgs.stay[went] >= 0) & (truly >= DAY) & (since_in >= 0)
    order = np.lexsort((ecgs.time, ecgs.subject_id))
    same = ecgs.subject_id[order][1:] == ecgs.subject_id[order][:-1]
    soon = np.diff(ecgs.time[order]) <= 15 * 60
    return {
        "ecgs": len(ecgs),
        "ecgs_of_patients_without_stay": int((ecgs.patient < 0).sum()),
        "ecgs_dated_within_stays": dated(arrival, after),
        "ecgs_dated_in_first_hour": dated(stays.intime, np.minimum(stays.intime + HOUR, after)),
        "ecgs_dated_from_hour_23_to_24": dated(day_end - HOUR, np.minimum(day_end, after)),
        "ecgs_dated_by_hour_23": int(_by_hour_23(population, ecgs).sum()),
        "ecg_clocks_off_over_2_minutes": int((off > 120).sum()),
        "ecg_clocks_off_over_an_hour": int((off > HOUR).sum()),
        "ecgs_taken_after_24h_dated_before": int((late & (since_in < DAY)).sum()),
        "ecgs_taken_after_24h_dated_by_hour_23": int((late & (since_in < DAY - HOUR)).sum()),
        "ecgs_again_within_15_minutes": int((same & soon).sum()),
        "ecgs_outside_shifted_years": int((~went).sum()),
    }


def gather_truth(
    population: Population,
    charted: Mapping[str, int],
    outliers: Outliers,
    clinical: Clinical,
    ecgs: EcgRecords,
    measured: Mapping[str, int],
    studies: Studies,
    images: Images,
    reports: Reports,
    summaries: Summaries,
    rows: dict[str, int],
    settings: dict[str, Any],
) -> dict[str, Any]:
    """All planted effects and counts, as one dictionary that JSON can hold."""
    stays, admissions = population.stays, population.admissions
    facts = {**charted, **clinical.counts, **measured, **_count_ecgs(population, ecgs)}
    n = len(stays)
    day_end = stays.intime + DAY
    of_stay = (stays.patient, stays.intime)
    images_first = _count_in(*of_stay, day_end, studies.patient, studies.time)
    images_ever = _count_in(*of_stay, stays.outtime, studies.patient, studies.time)
    reports_first = _count_in(*of_stay, day_end, reports.patient, reports.charttime)
    reports_ever = _count_in(*of_stay, stays.outtime, reports.patient, reports.charttime)

    over_3_days = stays.seconds > 3 * DAY
    first_day_death = (stays.deathtime != NO_TIME) & (stays.deathtime < day_end)
    cohort = (stays.seconds >= DAY) & ~first_day_death
    has_vitals = plan_charting(stays, settings["seed"]).vitals
    shown = {"vitals": has_vitals, "image": images_first > 0, "text": reports_first > 0}
    shown["labs"] = clinical.labs.has
    shown["ecg"] = _by_hour_23(population, ecgs.take(ecgs.mess != NO_ROW)) > 0
    of_cohort = (
        {task: outcome[cohort] for task, outcome in outcomes_of(stays).items()},
        scaled_age(stays.age[cohort]),
        stays.latents.take(cohort),
        {name: value[cohort] for name, value in shown.items()},
    )
    by_labs, by_ecg = (
        {task: latent[cohort] for task, latent in latents_of(stays, settings["seed"]).items()}
        for latents_of in (lab_latents, ecg_latents)
    )
    # Stored late, counted from the report's side: its patient's stays that it falls into.
    late = 0
    first = np.searchsorted(stays.patient, reports.patient, side="left")
    last = np.searchsorted(stays.patient, reports.patient, side="right")
    for step in range(int((last - first).max(initial=0))):
        some = np.flatnonzero(first + step < last)
        stay = first[some] + step
        charttime, end = reports.charttime[some], day_end[stay]
        inside = (charttime >= stays.intime[stay]) & (charttime < end)
        late += int((inside & (reports.storetime[some] >= end)).sum())

    days = stays.seconds / DAY
    per_patient = np.bincount(stays.patient)
    rates = {
        "mortality": stays.died.mean(),
        "los_over_3_days": over_3_days.mean(),
        "under_24h": (stays.seconds < DAY).mean(),
        "los_median_days": np.median(days),
        "los_mean_days": days.mean(),
        "first_day_deaths": first_day_death.mean(),
        "patients_per_stay": len(population.patients) / n,
        "patients_with_several_stays": (per_patient > 1).mean(),
        "stays_without_vitals": charted["stays_without_vitals"] / n,
        "stays_with_arterial_pressure": charted["stays_with_arterial_pressure"] / n,
        "stays_without_image": (images_ever == 0).mean(),
        "stays_without_image_first_day": (images_first == 0).mean(),
        "stays_without_report": (reports_ever == 0).mean(),
        "stays_without_report_first_day": (reports_first == 0).mean(),
        "radiology_reports_per_stay": len(reports) / n,
        "null_hadm_reports": (reports.admission < 0).sum() / max(len(reports), 1),
        "admissions_with_summary": len(summaries) / len(admissions),
        "ecgs_per_stay": len(ecgs) / n,
        "ecgs_of_icu_patients_per_stay": (ecgs.patient >= 0).sum() / n,
        "stays_with_ecg_first_day": (
            _count_dated(population, ecgs, stays.intime, day_end) > 0
        ).mean(),
        "images_per_study": len(images) / max(len(studies), 1),
        "null_hadm_lab_rows": facts["null_hadm_rows"] / max(clinical.rows["hosp/labevents"], 1),
        "null_hadm_lab_rows_before_icu": facts["null_hadm_rows_before_icu"]
        / max(facts["lab_rows_before_icu"], 1),
    }
    planted = {
        **{name: n for name, n in facts.items() if name not in NOT_PLANTED},
        "stays_with_image_first_day": int((images_first > 0).sum()),
        "stays_with_report_first_day": int((reports_first > 0).sum()),
        "null_hadm_reports": int((reports.admission < 0).sum()),
        "reports_stored_late": late,
        "empty_view_positions": int((images.view == "").sum()),
        "outliers": _by_item(outliers),
        "lab_outliers": _by_item(clinical.lab_outliers),
    }
    return {
        "synthetic": True,
        "note": "Nothing here is, or is derived from, a real patient.",
        "generator": GENERATOR_VERSION,
        **settings,
        "patients": len(population.patients),
        "admissions": len(admissions),
        "rows": rows,
        "rates": {name: round(float(value), 4) for name, value in rates.items()},
        "stays_by_unit": {
            unit: int((stays.unit == place).sum()) for place, unit in enumerate(CAREUNITS)
        },
        "planted": planted,
        "coefficients": COEFFICIENTS,
        "interactions": {
            task: {"size": each.size, "centre": {"vitals": each.vitals, "image": each.image}}
            for task, each in INTERACTIONS.items()
        },
        "shifts": {
            "labs": LAB_SHIFTS,
            "ecg": ECG_SHIFTS,
            "vasopressor_dose": VASOPRESSOR_SHIFTS,
        },
        "log_odds": {**LOG_ODDS, "atrial_fibrillation": FIBRILLATION},
        "conditions": {
            name: {
                "codes": {"9": each.icd9, "10": each.icd10},
                "share": each.share,
                "log_odds_of_death": each.shift,
            }
            for name, each in {**CHRONIC, **ACUTE}.items()
        },
        "oracle_auroc": oracle_auroc(*of_cohort, interaction=True),
        "oracle_auroc_of_sums": oracle_auroc(*of_cohort, interaction=False),
        "oracle_auroc_with_labs": oracle_auroc_with("labs", LAB_SHIFTS, by_labs, *of_cohort),
        "oracle_auroc_with_ecg": oracle_auroc_with("ecg", ECG_SHIFTS, by_ecg, *of_cohort),
        "definitions": DEFINITIONS,
    }
