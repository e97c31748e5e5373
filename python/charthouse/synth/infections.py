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
    """One drug, as three tables write it."""

    itemid: int  # of inputevents
    label: str
    drug: str  # of prescriptions
    code: str
    strength: str
    dose: str
    unit: str
    form: str
    per_day: int
    share: float  # of first drugs of a course


ANTIBIOTICS: tuple[Antibiotic, ...] = (
    Antibiotic(225798, "Vancomycin", "Vancomycin", "VANC1F", "1g Frozen Bag", "1000", "mg",
               "BAG", 2, 0.3),
    Antibiotic(225851, "Cefepime", "CefePIME", "CEFE2I", "2g Vial", "2", "g", "VIAL", 2, 0.15),
    Antibiotic(225893, "Piperacillin/Tazobactam (Zosyn)", "Piperacillin-Tazobactam", "ZOSY4FPB",
               "4.5 g Frozen Bag", "4.5", "g", "BAG", 3, 0.15),
    Antibiotic(225855, "Ceftriaxone", "CeftriaXONE", "CEFR1MB", "1g Vial (For Mini Bag plus)", "1",
               "gm", "VIAL", 1, 0.13),
    Antibiotic(225884, "Metronidazole", "MetRONIDAZOLE (FLagyl)", "METR500PM", "500mg Premix Bag",
               "500", "mg", "BAG", 3, 0.07),
    Antibiotic(225883, "Meropenem", "Meropenem", "MERO500I", "500mg Vial", "500", "mg", "VIAL", 4,
               0.06),
    Antibiotic(225879, "Levofloxacin", "Levofloxacin", "LEVO750PM", "750mg Premix Bag", "750", "mg",
               "BAG", 1, 0.06),
    Antibiotic(225859, "Ciprofloxacin", "Ciprofloxacin IV", "CIPR400PM", "400mg Premix Bag", "400",
               "mg", "BAG", 2, 0.04),
    Antibiotic(225845, "Azithromycin", "Azithromycin", "AZIT500I", "500mg Vial", "500", "mg",
               "VIAL", 1, 0.04),
    Antibiotic(225850, "Cefazolin", "CefazoLIN", "CEFA2D", "2g Duplex Bag", "2", "g", "BAG", 3, 0),
)  # fmt: skip
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
    early = np.clip(intime + rng.normal(-1, 6, n) * HOUR, own.since, np.minimum(
        outtime - HOUR // 2, day_end - HOUR))  # fmt: skip
    late = day_end + rng.random(n) * np.minimum(room - 5 * HOUR, 3 * DAY)
    first = np.where(kind == SUSPECTED_AFTER, late, early).astype(np.int64)
    first = np.where(kind == TOO_FAR_APART, intime, first) // 60 * 60 + 60
    culture_first = some(0.62)
    left = np.maximum(own.until - first - HOUR, 10 * 60)
    soon = np.minimum(rng.exponential(5 * HOUR, n), np.minimum(left, 20 * HOUR))
    far = np.where(culture_first, 3 * DAY, DAY) + rng.uniform(5, 40, n) * HOUR
    second = first + np.where(kind == TOO_FAR_APART, far, soon).astype(np.int64)
    culture = np.where(culture_first, first, second)
    antibiotic = np.where(culture_first, second, first)

    treated = np.isin(kind, (SUSPECTED_IN_24H, SUSPECTED_AFTER, ONLY_ANTIBIOTIC, TOO_FAR_APART))
    cultured = (kind != 0) & (kind != ONLY_ANTIBIOTIC)
    suspected = np.isin(kind, (SUSPECTED_IN_24H, SUSPECTED_AFTER))
    return Infections(
        kind=kind,
        suspected_at=np.where(suspected, first, NO_TIME),
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
    start, stop = start // 60 * 60, np.maximum(stop, start + HOUR) // 60 * 60
    return Courses(stay[kept], drug[kept], start[kept], stop[kept])


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
    return Cultures(stay[kept], time[kept] // 60 * 60, specimen[kept])
