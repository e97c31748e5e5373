"""Stream hosp/microbiologyevents: cultures, what grew in them, and what it is resistant to."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from charthouse.synth.big_tables import csv_rows, cut_by_hours, pick, time_text
from charthouse.synth.csv_gz import GzipWriter
from charthouse.synth.infections import SPECIMENS, Cultures, Infections
from charthouse.synth.population import DAY, HOUR, NO_TIME, Ints, Population
from charthouse.synth.random_streams import RandomStream, rng_for

HEADER = (
    b"microevent_id,subject_id,hadm_id,micro_specimen_id,order_provider_id,chartdate,charttime,"
    b"spec_itemid,spec_type_desc,test_seq,storedate,storetime,test_itemid,test_name,org_itemid,"
    b"org_name,isolate_num,quantity,ab_itemid,ab_name,dilution_text,dilution_comparison,"
    b"dilution_value,interpretation,comments\n"
)


@dataclass(frozen=True)
class Specimen:
    """One kind, in the order of infections.SPECIMENS."""

    itemid: int
    test: str  # 'itemid,name'
    grows: float  # share in which something does
    organisms: tuple[int, ...]  # positions in ORGANISMS
    nothing: str  # comment where nothing grew


ORGANISMS = (
    "80002,ESCHERICHIA COLI",
    "80004,KLEBSIELLA PNEUMONIAE",
    "80023,STAPH AUREUS COAG +",
    "80026,PSEUDOMONAS AERUGINOSA",
    "80053,ENTEROCOCCUS SP.",
    "80075,YEAST",
)
NO_ORGANISM, NO_DRUG = ",", ",,,,,"
YEAST = 5
KINDS: tuple[Specimen, ...] = (
    Specimen(70012, '90201,"Blood Culture, Routine"', 0.12, (0, 1, 2, 2, 4), "NO GROWTH."),
    Specimen(70079, "90039,URINE CULTURE", 0.3, (0, 0, 0, 1, 3, 4, 5), "NO GROWTH."),
    Specimen(70062, "90055,RESPIRATORY CULTURE", 0.45, (1, 2, 2, 3, 5), "___"),
    Specimen(70091, "90189,MRSA SCREEN", 0.06, (2,), "No MRSA isolated."),
)
OUTPATIENT = 1  # a urine culture
# 'itemid,name,text,comparison,value,interpretation' of each drug tried, where it works or does not.
DRUGS: tuple[tuple[str, str], ...] = (
    ("90029,MEROPENEM,<=0.25,<=,0.25,S", "90029,MEROPENEM,=>16,=>,16,R"),
    ("90012,GENTAMICIN,<=1,<=,1,S", "90012,GENTAMICIN,=>16,=>,16,R"),
    ("90028,CEFEPIME,<=1,<=,1,S", "90028,CEFEPIME,=>64,=>,64,R"),
    ("90019,CIPROFLOXACIN,<=0.25,<=,0.25,S", "90019,CIPROFLOXACIN,=>4,=>,4,R"),
    ("90018,CEFTRIAXONE,<=1,<=,1,S", "90018,CEFTRIAXONE,=>64,=>,64,R"),
    ("90008,TRIMETHOPRIM/SULFA,<=1,<=,1,S", "90008,TRIMETHOPRIM/SULFA,=>16,=>,16,R"),
    ("90015,VANCOMYCIN,1,=,1,S", "90015,VANCOMYCIN,>256,,,R"),
)
RESISTANT = 0.2
BLANK_TIME = 0.04  # of cultures that are not the first of their stay; the day is known
BLANK_BEFORE, BLANK_LATER = 0.5, 0.05  # hadm_id, of those before admission and after
UNSTORED = 0.005
OUTPATIENTS = 0.25  # mean number a stay of those months before


def write_microbiologyevents(
    path: Path,
    population: Population,
    infections: Infections,
    seed: int,
    pool: ThreadPoolExecutor,
    done: Callable[[int], None],
) -> Counter[str]:
    """Write the table; ``done`` is called after every chunk with the number of stays written.

    Returns:
        Counts of what was written.
    """
    stays, admissions = population.stays, population.admissions
    counts: Counter[str] = Counter()
    specimens = 0
    with GzipWriter(path, pool) as out:
        out.write(HEADER)
        for chunk, chosen in enumerate(cut_by_hours(stays.seconds)):
            rng = rng_for(seed, RandomStream.CULTURES, chunk)
            admission = stays.admission[chosen]
            cultures, blank_time, outpatient = _with_outpatients(
                rng, infections.cultures.of(chosen), stays.intime[chosen]
            )
            before = cultures.time < admissions.admittime[admission][cultures.stay]
            blank = outpatient | (
                rng.random(len(cultures)) < np.where(before, BLANK_BEFORE, BLANK_LATER)
            )
            of, organism, drug = _results(rng, cultures)
            n = len(of)
            stay, kind, time = cultures.stay[of], cultures.specimen[of], cultures.time[of]
            day = time // DAY * DAY
            wait = 60 * np.exp(0.5 * rng.standard_normal(len(cultures))) * HOUR
            stored = cultures.time + np.clip(wait, 3 * HOUR, 20 * DAY).astype(np.int64) // 60 * 60
            stored = np.where(rng.random(len(cultures)) < UNSTORED, NO_TIME, stored)[of]
            store_day = np.where(stored == NO_TIME, NO_TIME, stored // DAY * DAY)
            subject = population.patients.subject_id[stays.patient[chosen]]
            hadm = admissions.hadm_id[admission][stay]
            nothing = np.where(organism < 0, kind, len(KINDS))
            out.write(
                csv_rows(
                    pa.array(counts["rows"] + 1 + np.arange(n)),
                    pa.array(subject[stay]),
                    pa.array(hadm, mask=blank[of]),
                    pa.array(specimens + 1 + of),
                    "",
                    time_text(day),
                    time_text(np.where(blank_time[of], NO_TIME, time)),
                    pick([f"{each.itemid}" for each in KINDS], kind),
                    pick(SPECIMENS, kind),
                    "1",
                    time_text(store_day),
                    time_text(stored),
                    pick([each.test for each in KINDS], kind),
                    pick([NO_ORGANISM, *ORGANISMS], organism + 1),
                    pick(["", "1"], (organism >= 0).astype(np.int64)),
                    "",
                    pick([NO_DRUG, *(text for both in DRUGS for text in both)], drug + 1),
                    pick([*(each.nothing for each in KINDS), ""], nothing),
                )
            )
            specimens += len(cultures)
            counts["rows"] += n
            counts["cultures"] += len(cultures)
            counts["cultures_without_time"] += int(blank_time.sum())
            counts["cultures_with_growth"] += len(np.unique(of[organism >= 0]))
            done(chosen.stop)
    return counts


def _with_outpatients(
    rng: np.random.Generator, cultures: Cultures, intime: Ints
) -> tuple[Cultures, np.ndarray, np.ndarray]:
    """The cultures and some of months before; whether the time is blank; which are the latter."""
    n = len(cultures)
    later = np.append(False, cultures.stay[1:] == cultures.stay[:-1])[:n]
    blank_time = later & (rng.random(n) < BLANK_TIME)
    stay = np.repeat(np.arange(len(intime)), rng.poisson(OUTPATIENTS, len(intime)))
    ago = rng.uniform(40, 600, len(stay)) * DAY
    time = (intime[stay] - ago.astype(np.int64)) // 60 * 60
    outpatients = Cultures(stay, time, np.full(len(stay), OUTPATIENT))
    both = Cultures.joined([cultures, outpatients])
    none = np.zeros(len(stay), np.bool_)
    flags = np.concatenate((blank_time, none)), np.concatenate((later & False, ~none))
    order = np.lexsort((both.time, both.stay))
    return both.take(order), flags[0][order], flags[1][order]


def _results(rng: np.random.Generator, cultures: Cultures) -> tuple[Ints, Ints, Ints]:
    """For each row the culture, and positions in ORGANISMS and among DRUGS' texts, or -1.

    A culture without growth is one row, one with yeast too; others are a row for each drug tried.
    """
    grows = rng.random(len(cultures)) < np.array([each.grows for each in KINDS])[cultures.specimen]
    drawn = rng.random(len(cultures))
    organism = np.full(len(cultures), -1)
    for kind, each in enumerate(KINDS):
        found = np.array(each.organisms)[(drawn * len(each.organisms)).astype(np.int64)]
        organism = np.where(grows & (cultures.specimen == kind), found, organism)
    tried = (organism >= 0) & (organism != YEAST)
    of = np.repeat(np.arange(len(cultures)), np.where(tried, len(DRUGS), 1))
    rank = np.arange(len(of)) - np.searchsorted(of, of, side="left")
    drug = 2 * rank + (rng.random(len(of)) < RESISTANT)
    return of, organism[of], np.where(tried[of], drug, -1)
