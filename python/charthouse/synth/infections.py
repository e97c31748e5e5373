"""Suspected infections: who is given antibiotics and has cultures taken, and when.

After Sepsis-3 (Seymour et al. 2016) an infection is suspected where a culture follows an antibiotic
within a day, or an antibiotic a culture within three. Others have only one of the two, or both too
far apart.
"""

from dataclasses import dataclass

import numpy as np

from charthouse.synth.columns import OfStays
from charthouse.synth.own_time import own_time
from charthouse.synth.population import DAY, HOUR, NO_TIME, Ints, Population
from charthouse.synth.random_streams import RandomStream, rng_for
from charthouse.synth.signal import Bools, Floats
from charthouse.synth.treatments import chance

CULTURE_WITHIN, ANTIBIOTIC_WITHIN = DAY, 3 * DAY  # after an antibiotic; after a culture


@dataclass(frozen=True)
class Antibiotic:
    """One drug given by vein."""

    itemid: int  # of inputevents
    label: str
    amount: float
    unit: str
    per_day: int
    share: float  # of the drugs of courses
    by_mouth: bool = False  # whether it may be given so, too


ANTIBIOTICS: tuple[Antibiotic, ...] = (
    Antibiotic(225798, "Vancomycin", 1000, "mg", 2, 0.3),
    Antibiotic(225851, "Cefepime", 2, "grams", 2, 0.15),
    Antibiotic(225893, "Piperacillin/Tazobactam (Zosyn)", 4.5, "grams", 3, 0.15),
    Antibiotic(225855, "Ceftriaxone", 1, "grams", 1, 0.13),
    Antibiotic(225884, "Metronidazole", 500, "mg", 3, 0.07, by_mouth=True),
    Antibiotic(225883, "Meropenem", 500, "mg", 4, 0.06),
    Antibiotic(225879, "Levofloxacin", 750, "mg", 1, 0.06, by_mouth=True),
    Antibiotic(225859, "Ciprofloxacin", 400, "mg", 2, 0.04, by_mouth=True),
    Antibiotic(225845, "Azithromycin", 500, "mg", 1, 0.04, by_mouth=True),
    Antibiotic(225850, "Cefazolin", 2, "grams", 3, 0),
)
CEFAZOLIN = len(ANTIBIOTICS) - 1  # before and after an operation, without any infection

SPECIMENS = ("BLOOD CULTURE", "URINE", "SPUTUM", "MRSA SCREEN")
SPECIMEN_SHARES = (0.5, 0.28, 0.14, 0.08)

SUSPECTED_IN_24H, SUSPECTED_AFTER, ONLY_ANTIBIOTIC, ONLY_CULTURE, TOO_FAR_APART = range(1, 6)


@dataclass(frozen=True)
class Courses(OfStays):
    """Courses of antibiotics, shape ``(k,)`` each."""

    drug: Ints  # position in ANTIBIOTICS
    start: Ints
    stop: Ints
    oral: Bools


@dataclass(frozen=True)
class Cultures(OfStays):
    """Cultures, shape ``(k,)`` each."""

    time: Ints
    specimen: Ints  # position in SPECIMENS


@dataclass(frozen=True)
class Infections:
    """What is planned of them."""

    kind: Ints  # (n,), of SUSPECTED_IN_24H and the others, or 0
    suspected_at: Ints  # (n,), the earlier of the two, or NO_TIME
    courses: Courses
    cultures: Cultures


def plan_infections(population: Population, seed: int) -> Infections:
    """Decide which stays have a suspected infection, and all antibiotics and cultures."""
    rng = rng_for(seed, RandomStream.INFECTIONS)
    stays, own = population.stays, own_time(population)
    n, intime, outtime = len(stays), stays.intime, stays.outtime
    day_end = intime + DAY

    def some(share: float | Floats) -> Bools:
        return np.asarray(rng.random(n) < share)

    kind = np.zeros(n, np.int64)

    def assign(number: int, who: Bools) -> None:
        kind[(kind == 0) & who] = number

    assign(SUSPECTED_IN_24H, some(chance("infection_suspected_in_24h", stays.latents)))
    room = np.minimum(own.until, outtime) - day_end
    later = some(chance("infection_suspected_after_24h", stays.latents))
    assign(SUSPECTED_AFTER, (room > 6 * HOUR) & later)
    assign(TOO_FAR_APART, (own.until - intime > 6 * DAY) & some(0.04))
    assign(ONLY_ANTIBIOTIC, some(0.24))
    assign(ONLY_CULTURE, some(0.33))

    # The first of the two: mostly soon after arrival, or in the first days after the first.
    latest = np.minimum(outtime - 5 * HOUR // 4, day_end - 2 * HOUR)
    early = np.clip(intime + rng.normal(-1, 6, n) * HOUR, own.since, latest)
    late = day_end + rng.random(n) * np.minimum(room - 5 * HOUR, 3 * DAY)
    first = np.where(kind == SUSPECTED_AFTER, late, early).astype(np.int64)
    first = np.where(kind == TOO_FAR_APART, intime, first) // 60 * 60 + 60
    culture_first = some(0.62)
    left = np.clip(own.until - first - HOUR, 0, 20 * HOUR)
    soon = np.minimum(rng.exponential(5 * HOUR, n), left)
    far = np.where(culture_first, ANTIBIOTIC_WITHIN, CULTURE_WITHIN) + rng.uniform(5, 40, n) * HOUR
    second = first + np.where(kind == TOO_FAR_APART, far, soon).astype(np.int64)
    culture = np.where(culture_first, first, second)
    # Drugs are prescribed by the hour.
    antibiotic = -(-np.where(culture_first, second, first) // HOUR) * HOUR

    treated = np.isin(kind, (SUSPECTED_IN_24H, SUSPECTED_AFTER, ONLY_ANTIBIOTIC, TOO_FAR_APART))
    cultured = (kind != 0) & (kind != ONLY_ANTIBIOTIC)
    suspected = np.isin(kind, (SUSPECTED_IN_24H, SUSPECTED_AFTER))
    return Infections(
        kind=kind,
        suspected_at=np.where(suspected, np.minimum(culture, antibiotic), NO_TIME),
        courses=_courses(rng, np.flatnonzero(treated), kind, antibiotic, own.until),
        cultures=_cultures(rng, np.flatnonzero(cultured), kind, culture, own.until),
    )


def _courses(rng: np.random.Generator, stay: Ints, kind: Ints, first: Ints, until: Ints) -> Courses:
    """The drugs of each treated stay; the first begins at ``first``, others with it or later."""
    infected = np.isin(kind[stay], (SUSPECTED_IN_24H, SUSPECTED_AFTER))
    count = np.where(infected, 1 + rng.poisson(1.1, len(stay)), 1)
    of = np.repeat(np.arange(len(stay)), count)
    rank = np.arange(len(of)) - (np.cumsum(count) - count)[of]
    edges = np.cumsum([each.share for each in ANTIBIOTICS])
    drug = np.searchsorted(edges[:-1] / edges[-1], rng.random(len(of)), side="right")
    prophylaxis = (kind[stay] == ONLY_ANTIBIOTIC) & (rng.random(len(stay)) < 0.7)
    drug = np.where(prophylaxis[of], CEFAZOLIN, drug)
    stay = stay[of]
    wait = np.where(rank == 0, 0, rng.exponential(8 * HOUR, len(of)) * (rng.random(len(of)) < 0.6))
    start = first[stay] + wait.astype(np.int64)
    days = np.where(prophylaxis[of], 1.0, 3.2 * np.exp(0.6 * rng.standard_normal(len(of))))
    stop = np.minimum(start + (days * DAY).astype(np.int64), until[stay])
    kept = (rank == 0) | (stop - start > HOUR)
    start = -(-start // HOUR) * HOUR
    stop = np.maximum(stop, start + HOUR) // HOUR * HOUR
    oral = np.array([each.by_mouth for each in ANTIBIOTICS])[drug] & (rng.random(len(of)) < 0.3)
    return Courses(stay, drug, start, stop, oral).take(kept)


def _cultures(
    rng: np.random.Generator, stay: Ints, kind: Ints, first: Ints, until: Ints
) -> Cultures:
    """The cultures of each stay that has any; the first at ``first``, others with it or later."""
    apart = kind[stay] == TOO_FAR_APART
    count = np.where(apart, 1, 1 + rng.poisson(1.3, len(stay)))
    of = np.repeat(np.arange(len(stay)), count)
    rank = np.arange(len(of)) - (np.cumsum(count) - count)[of]
    stay = stay[of]
    wait = rng.exponential(15 * HOUR, len(of)) * (rng.random(len(of)) < 0.5)
    time = first[stay] + np.where(rank == 0, 0, wait).astype(np.int64)
    kept = (rank == 0) | (time < until[stay])
    edges = np.cumsum(SPECIMEN_SHARES)
    specimen = np.searchsorted(edges[:-1] / edges[-1], rng.random(len(of)), side="right")
    return Cultures(stay, time // 60 * 60, specimen).take(kept)
