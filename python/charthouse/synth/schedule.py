"""When radiology reports and discharge summaries are written, and for which exam.

All reports are planned at once (a few dozen bytes each); their texts are streamed later.
"""

from dataclasses import dataclass

import numpy as np

from charthouse.synth.population import DAY, HOUR, Bools, Floats, Ints, Population
from charthouse.synth.random_streams import RandomStream, rng_for
from charthouse.synth.studies import Studies

EXAMS: tuple[tuple[str, str, str], ...] = (  # family, EXAMINATION line, exam code
    ("chest", "CHEST (PORTABLE AP)", "C11"),
    ("chest", "CHEST (PA AND LAT)", "C12"),
    ("chest", "CT CHEST W/CONTRAST", "Q112"),
    ("chest", "CTA CHEST WITH CONTRAST", "Q115"),
    ("head", "CT HEAD W/O CONTRAST", "Q111"),
    ("head", "MR HEAD W/O CONTRAST", "Z112"),
    ("abdomen", "CT ABD & PELVIS WITH CONTRAST", "Q212"),
    ("abdomen", "LIVER OR GALLBLADDER US (SINGLE ORGAN)", "U201"),
    ("abdomen", "RENAL U.S.", "U205"),
    ("abdomen", "PORTABLE ABDOMEN", "C21"),
)
EXAM_SHARES = (0.47, 0.05, 0.05, 0.05, 0.13, 0.04, 0.08, 0.05, 0.03, 0.05)
NONE_FIRST_DAY = 0.27  # of stays without a first-day X-ray study
ADDENDUM_SHARE = 0.025


@dataclass(frozen=True)
class Reports:
    """Radiology reports sorted by patient and time, shape ``(r,)`` each."""

    patient: Ints
    stay: Ints  # the stay whose latents it shows, or -1
    admission: Ints  # row in Admissions, or -1 where hadm_id is null
    seq: Ints
    charttime: Ints
    storetime: Ints
    exam: Ints  # position in EXAMS
    addendum: Bools
    severity: Floats
    own: Floats

    def __len__(self) -> int:
        return len(self.patient)


@dataclass(frozen=True)
class Summaries:
    """Discharge summaries in the order of admissions, shape ``(d,)`` each."""

    admission: Ints
    seq: Ints
    charttime: Ints
    storetime: Ints

    def __len__(self) -> int:
        return len(self.admission)


def plan_reports(population: Population, studies: Studies, seed: int) -> Reports:
    """Plan the radiology reports: one for each X-ray study, and those of other exams."""
    rng = rng_for(seed, RandomStream.REPORTS)
    stays, admissions = population.stays, population.admissions
    n = len(stays)
    rows = np.arange(n)
    days = stays.seconds / DAY
    day_one = np.minimum(stays.seconds, DAY)

    first_day = (studies.stay >= 0) & (studies.time >= stays.intime[studies.stay])
    first_day &= studies.time < stays.intime[studies.stay] + day_one[studies.stay]
    studied = np.bincount(studies.stay[first_day], minlength=n) > 0
    none = ~studied & (rng.random(n) < NONE_FIRST_DAY)
    n_first = np.where(none, 0, rng.poisson(0.85, n) + ~studied)
    n_later = rng.poisson(np.minimum(0.55 * np.maximum(days - 1, 0), 15))
    admit, leave = admissions.admittime[stays.admission], admissions.dischtime[stays.admission]
    n_before, n_after, n_apart = rng.poisson(0.5, n), rng.poisson(1.4, n), rng.poisson(0.22, n)
    n_after = np.where(leave - stays.outtime > 6 * HOUR, n_after, 0)

    def spread(count: Ints, start: Ints, stop: Ints) -> tuple[Ints, Ints]:
        stay = np.repeat(rows, count)
        u = rng.random(len(stay))
        return stay, start[stay] + (u * (stop - start)[stay]).astype(np.int64)

    planned = [
        spread(n_first, stays.intime, stays.intime + day_one),
        spread(n_later, stays.intime + day_one, stays.outtime),
        spread(n_before, admit - 5 * HOUR, stays.intime),  # partly still in the ED
        spread(n_after, stays.outtime, leave),
    ]
    apart_stay, apart_time = spread(n_apart, stays.intime - 700 * DAY, stays.intime - 20 * DAY)
    near_stay, near_time = map(np.concatenate, zip(*planned, strict=True))
    other = len(near_stay) + len(apart_stay)

    # The X-ray studies first, then other exams near a stay, then those of other times.
    stay = np.concatenate((studies.stay, near_stay, np.full(len(apart_stay), -1)))
    patient = np.concatenate((studies.patient, stays.patient[near_stay], stays.patient[apart_stay]))
    charttime = np.concatenate((studies.time, near_time, apart_time)) // 60 * 60
    chest = np.where(np.isin(studies.views, (2, 3, 5)), 1, 0)  # PA and lateral, or portable
    drawn = np.searchsorted(np.cumsum(EXAM_SHARES)[:-1], rng.random(other), side="right")
    exam = np.concatenate((chest, drawn)).astype(np.int64)

    r = len(stay)
    loose = stay < 0
    severity = np.where(
        loose, population.patients.severity[patient] / np.sqrt(2), stays.latents.severity[stay]
    )
    own = np.where(loose, rng.standard_normal(r), stays.latents.text[stay])
    admission = np.where(loose, -1, stays.admission[stay])
    in_ed = ~loose & (charttime < admissions.admittime[admission])
    admission = np.where(in_ed & (rng.random(r) < 0.5), -1, admission)
    admission = np.where(rng.random(r) < 0.02, -1, admission)

    # Dictated, typed and signed: hours as a rule, now and then the next day or later.
    wait = np.exp(np.log(2.6) + 1.2 * rng.standard_normal(r)) * HOUR
    wait = np.where(rng.random(r) < 0.06, rng.uniform(12, 60, r) * HOUR, wait)
    storetime = charttime + np.clip(wait, 120, 12 * DAY).astype(np.int64) // 60 * 60

    order = np.lexsort((charttime, patient))
    return Reports(
        patient=patient[order],
        stay=stay[order],
        admission=admission[order],
        seq=_sequence(rng, patient[order], low=2, high=40),
        charttime=charttime[order],
        storetime=storetime[order],
        exam=exam[order],
        addendum=rng.random(r) < ADDENDUM_SHARE,
        severity=severity[order],
        own=own[order],
    )


def plan_summaries(population: Population, seed: int) -> Summaries:
    """Plan the discharge summaries of about nine in ten admissions."""
    rng = rng_for(seed, RandomStream.REPORTS, 1)
    admissions = population.admissions
    chosen = np.flatnonzero(rng.random(len(admissions)) < 0.9)
    # MIMIC gives the day of discharge as charttime, and signing takes days.
    charttime = admissions.dischtime[chosen] // DAY * DAY
    signed = rng.exponential(2.0 * DAY, len(chosen)).astype(np.int64) // 60 * 60
    return Summaries(
        admission=chosen,
        seq=_sequence(rng, admissions.patient[chosen], low=3, high=30),
        charttime=charttime,
        storetime=admissions.dischtime[chosen] + HOUR + signed,
    )


def _sequence(rng: np.random.Generator, patient: Ints, low: int, high: int) -> Ints:
    """Note numbers that rise within each (sorted) patient from a random start."""
    position = np.arange(len(patient))
    start = np.searchsorted(patient, patient, side="left")
    first = rng.integers(low, high, len(patient))[start]
    return (first + position - start).astype(np.int64)
