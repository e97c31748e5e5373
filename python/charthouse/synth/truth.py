"""The planted effects: what a correct analysis of the data must find."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from charthouse.synth.categories import CAREUNITS
from charthouse.synth.chartevents import Outliers
from charthouse.synth.clinical_tables import Clinical
from charthouse.synth.diagnoses import ACUTE, CHRONIC
from charthouse.synth.population import DAY, NO_TIME, Ints, Population
from charthouse.synth.schedule import Reports, Summaries
from charthouse.synth.shifted import (
    LAB_SHIFTS,
    VASOPRESSOR_SHIFTS,
    lab_latents,
    oracle_auroc_with_labs,
    outcomes_of,
)
from charthouse.synth.signal import COEFFICIENTS, INTERACTIONS, oracle_auroc, scaled_age
from charthouse.synth.studies import Images, Studies
from charthouse.synth.treatments import LOG_ODDS
from charthouse.synth.vital_sign_rows import plan_charting

GENERATOR_VERSION = "1.3"
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


def gather_truth(
    population: Population,
    charted: Mapping[str, int],
    outliers: Outliers,
    clinical: Clinical,
    studies: Studies,
    images: Images,
    reports: Reports,
    summaries: Summaries,
    rows: dict[str, int],
    settings: dict[str, Any],
) -> dict[str, Any]:
    """All planted effects and counts, as one dictionary that JSON can hold."""
    stays, admissions = population.stays, population.admissions
    facts = {**charted, **clinical.counts}
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
    of_cohort = (
        {task: outcome[cohort] for task, outcome in outcomes_of(stays).items()},
        scaled_age(stays.age[cohort]),
        stays.latents.take(cohort),
        {name: value[cohort] for name, value in shown.items()},
    )
    by_labs = lab_latents(stays, settings["seed"])
    by_labs = {task: latent[cohort] for task, latent in by_labs.items()}
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
        "shifts": {"labs": LAB_SHIFTS, "vasopressor_dose": VASOPRESSOR_SHIFTS},
        "log_odds": LOG_ODDS,
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
        "oracle_auroc_with_labs": oracle_auroc_with_labs(*of_cohort, by_labs),
        "definitions": DEFINITIONS,
    }
