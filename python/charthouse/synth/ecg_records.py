"""When electrocardiograms are taken, of whom, and what the clock of the cart says then.

All are planned at once (some sixty bytes each); what they show is drawn as they are written.
"""

from dataclasses import dataclass

import numpy as np

from charthouse.synth.columns import Columns
from charthouse.synth.population import DAY, HOUR, Ints, Population
from charthouse.synth.random_streams import RandomStream, rng_for
from charthouse.synth.signal import Bools

# MIMIC-IV-ECG has some 800,000 of 160,000 patients, and MIMIC-IV 2.2 has 73,181 stays of 50,920:
# about 5 a stay are theirs, 55 % of which lie within an admission, and 5.8 a stay are of others.
FIRST_DAY = 0.6  # share of stays with any in the first 24 h: 0.9 a stay
LATER = 0.35  # mean number a day after the first
BEFORE, WARD, APART = 0.45, 0.55, 1.9  # mean number before the ICU, after it, in other years
OTHER_PATIENTS, OF_OTHERS = 1.49, 3.9  # a stay; mean number of each
AGAIN = 0.06  # repeated within minutes

MINUTES_OFF, HOURS_OFF = 0.25, 0.015  # shares of clocks that are out of step by so much
RESETS = 2  # clocks that began again at the turn of the century

# What is wrong with the row of machine_measurements, and for what share.
MESS = {
    "no_row": 0.012,
    "unmeasured": 0.008,  # not one number, 29999 in each column
    "t_axis_unmeasured": 0.004,
    "p_after_qrs": 0.004,
    "negative_rr": 0.002,
    "axis_beyond_a_turn": 0.002,
}
NO_ROW, UNMEASURED, T_AXIS_UNMEASURED, P_AFTER_QRS, NEGATIVE_RR, AXIS_BEYOND = range(1, 7)


@dataclass(frozen=True)
class EcgRecords(Columns):
    """Electrocardiograms sorted by patient and study_id, shape ``(k,)`` each."""

    subject_id: Ints
    patient: Ints  # row in Patients, or -1: a patient without ICU stay
    stay: Ints  # the stay whose latents it shows, or -1
    study_id: Ints
    time: Ints  # by the clock of the cart, whole minutes
    taken: Ints  # by that of the hospital; NO_TIME where the cart's had begun again
    mess: Ints  # of MESS, counted from 1, or 0
    has_waveform: Bools  # whether its files are written


def plan_ecgs(population: Population, waveforms: int, seed: int) -> EcgRecords:
    """Plan all electrocardiograms.

    Args:
        population: Who is in the data.
        waveforms: How many get files: of a seeded draw, those of stays' first 24 hours first.
        seed: Seed of every random choice.
    """
    rng = rng_for(seed, RandomStream.ECG_RECORDS)
    stays, admissions = population.stays, population.admissions
    n, rows = len(stays), np.arange(len(stays))
    admit, leave = admissions.admittime[stays.admission], admissions.dischtime[stays.admission]
    day_one = np.minimum(stays.seconds, DAY)
    beyond = (stays.seconds - day_one) / DAY
    spans = (
        (_some(rng, FIRST_DAY, n) * (1 + rng.poisson(0.5, n)), stays.intime, day_one),
        (rng.poisson(np.minimum(LATER * beyond, 12)), stays.intime + DAY, stays.seconds - day_one),
        (rng.poisson(BEFORE, n), admit - 5 * HOUR, stays.intime - admit + 5 * HOUR),
        (rng.poisson(WARD, n), stays.outtime, np.maximum(leave - stays.outtime, 60)),
        (rng.poisson(APART, n), stays.intime - 900 * DAY, np.full(n, 880 * DAY)),
    )
    stay = np.concatenate([np.repeat(rows, count) for count, _, _ in spans])
    kind = np.repeat(np.arange(len(spans)), [count.sum() for count, _, _ in spans])
    start = np.concatenate([np.repeat(start, count) for count, start, _ in spans])
    length = np.concatenate([np.repeat(length, count) for count, _, length in spans])
    taken = start + (rng.random(len(stay)) * length).astype(np.int64)
    patient = stays.patient[stay]

    others = _other_subjects(rng, population, round(OTHER_PATIENTS * n))
    times = 1 + rng.poisson(OF_OTHERS - 1, len(others))
    some_stay = rng.integers(0, n, int(times.sum()))  # for a time in the years of the data
    other_taken = stays.intime[some_stay] + rng.integers(-500 * DAY, 500 * DAY, len(some_stay))
    nobody = np.full(len(some_stay), -1)
    subject = np.concatenate((population.patients.subject_id[patient], np.repeat(others, times)))
    patient = np.concatenate((patient, nobody))
    stay = np.concatenate((np.where(kind == len(spans) - 1, -1, stay), nobody))
    taken = np.concatenate((taken, other_taken)) // 60 * 60
    off = _clock_errors(rng, len(taken))

    # Again within minutes, on the same cart.
    again = np.flatnonzero(_some(rng, AGAIN, len(taken)))
    both = np.concatenate((np.arange(len(taken)), again))
    later = np.concatenate((np.zeros(len(taken), np.int64), 60 * rng.integers(1, 16, len(again))))
    subject, patient, stay, off = subject[both], patient[both], stay[both], off[both]
    taken = taken[both] + later
    time = taken + off
    k = len(taken)
    reset = rng.permutation(np.flatnonzero(stay < 0))[:RESETS]
    turn = np.datetime64("2000-01-01", "s").astype(np.int64)
    time[reset] = turn + 60 * rng.integers(1, 5000, len(reset))
    taken[reset] = np.iinfo(np.int64).min

    # Of so many different ids, whatever their number; eight digits for all that MIMIC has.
    study_id = 40_000_000 + rng.choice(max(10_000_000, 2 * k), k, replace=False, shuffle=False)
    order = np.lexsort((study_id, subject))
    patient, stay, time = patient[order], stay[order], time[order]
    return EcgRecords(
        subject_id=subject[order],
        patient=patient,
        stay=stay,
        study_id=study_id[order],
        time=time,
        taken=taken[order],
        mess=_mess(rng, k),
        has_waveform=_with_waveform(rng, population, stay, time, waveforms),
    )


def _some(rng: np.random.Generator, share: float, n: int) -> Bools:
    return np.asarray(rng.random(n) < share)


def _other_subjects(rng: np.random.Generator, population: Population, count: int) -> Ints:
    """Ids of patients who were never in the ICU, and so in no other table."""
    drawn = np.unique(rng.integers(10_000_000, 20_000_000, int(1.5 * count) + 16))
    drawn = np.setdiff1d(drawn, population.patients.subject_id, assume_unique=True)
    return np.sort(rng.permutation(drawn)[:count])


def _clock_errors(rng: np.random.Generator, n: int) -> Ints:
    """By how many seconds, whole minutes, the clock of the cart is ahead of the hospital's."""
    drawn = rng.random(n)
    sign = np.where(rng.random(n) < 0.5, -1, 1)
    minutes = np.rint(rng.normal(0, 0.6, n))
    minutes = np.where(drawn < MINUTES_OFF, sign * rng.integers(2, 46, n), minutes)
    minutes = np.where(drawn > 1 - HOURS_OFF, sign * rng.integers(61, 12 * 60, n), minutes)
    return np.asarray(60 * minutes, dtype=np.int64)


def _mess(rng: np.random.Generator, n: int) -> Ints:
    """What is wrong with each, of MESS; each kind occurs, where there are enough."""
    counts = [max(1, round(share * n)) for share in MESS.values()]
    kinds = np.repeat(1 + np.arange(len(counts)), counts)[:n]
    mess = np.zeros(n, np.int64)
    mess[rng.permutation(n)[: len(kinds)]] = kinds
    return mess


def _with_waveform(
    rng: np.random.Generator, population: Population, stay: Ints, time: Ints, waveforms: int
) -> Bools:
    """That many of a draw, first those dated in the first 24 hours of their stay."""
    stays = population.stays
    since = time - stays.intime[stay]
    first_day = (stay >= 0) & (since >= 0) & (since < np.minimum(stays.seconds[stay], DAY))
    order = np.lexsort((rng.random(len(stay)), ~first_day))
    chosen = np.zeros(len(stay), np.bool_)
    chosen[order[:waveforms]] = True
    return chosen
