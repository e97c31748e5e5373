"""Stream icu/outputevents: urine by the ways in which it is measured, drains and the like."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from charthouse.synth.big_tables import csv_rows, cut_by_hours, pick, stay_text, time_text
from charthouse.synth.csv_gz import GzipWriter
from charthouse.synth.lab_rows import FAILING_OVER, LabPlan
from charthouse.synth.population import HOUR, Ints, Population
from charthouse.synth.random_streams import RandomStream, rng_for
from charthouse.synth.signal import Bools, Floats

HEADER = b"subject_id,hadm_id,stay_id,caregiver_id,charttime,storetime,itemid,value,valueuom\n"


@dataclass(frozen=True)
class Output:
    """One itemid; of urine the way in which some stays' is measured."""

    itemid: int
    label: str
    category: str
    stays: float  # share of the stays that have it
    hourly: float  # share of their hours with a row
    volume: float = 0.0  # median in ml, where it is no urine


URINE: tuple[Output, ...] = (
    Output(226559, "Foley", "Output", 0.7, 0.92),
    Output(226560, "Void", "Output", 0.2, 0.2),
    Output(226561, "Condom Cath", "Output", 0.03, 0.3),
    Output(226567, "Straight Cath", "Output", 0.015, 0.14),
    Output(226563, "Suprapubic", "Output", 0.01, 0.4),
    Output(226584, "Ileoconduit", "Output", 0.005, 0.4),
    Output(226564, "R Nephrostomy", "Output", 0.005, 0.3),
    Output(226565, "L Nephrostomy", "Output", 0.005, 0.3),
    Output(226557, "R Ureteral Stent", "Output", 0.003, 0.2),
    Output(226558, "L Ureteral Stent", "Output", 0.003, 0.2),
    Output(227489, "GU Irrigant/Urine Volume Out", "Output", 0.01, 0.3),
)
IRRIGANT_IN = Output(227488, "GU Irrigant Volume In", "Output", 0, 0)
OTHERS: tuple[Output, ...] = (
    Output(226588, "Chest Tube #1", "Output", 0.12, 0.35, 35),
    Output(227510, "TF Residual", "Output", 0.12, 0.15, 30),
    Output(226575, "Nasogastric", "Output", 0.08, 0.06, 100),
    Output(226599, "Jackson Pratt #1", "Drains", 0.06, 0.1, 70),
    Output(226579, "Stool", "Output", 0.1, 0.02, 150),
    Output(226571, "Emesis", "Output", 0.08, 0.015, 100),
    Output(226626, "OR EBL", "Output", 0.12, 0.006, 150),
)
OUTPUTS = (*URINE, IRRIGANT_IN, *OTHERS)
IRRIGATED = [output.itemid for output in URINE].index(227489)
NO_URINE = 0.01  # of stays
PER_KG = 1.15  # ml of urine a kg and hour
OUTLIER_SHARE, DUPLICATE_SHARE, EARLY_SHARE = 0.0006, 0.002, 0.15
OUTLIER = 10_000  # ml at least, which none holds


class _Chunk:
    """Draws the rows of one chunk of stays."""

    def __init__(self, rng: np.random.Generator, intime: Ints, outtime: Ints) -> None:
        self.rng = rng
        self.n = len(intime)
        first = intime // HOUR + 1
        count = np.maximum(outtime // HOUR - first + 1, 0)
        self.stay = np.repeat(np.arange(self.n), count)
        number = np.arange(len(self.stay)) - (np.cumsum(count) - count)[self.stay]
        self.hour = first[self.stay] + number
        self.stays: list[Ints] = []
        self.times: list[Ints] = []
        self.items: list[Ints] = []
        self.values: list[Floats] = []

    def hours(self, who: Bools, share: float) -> tuple[Ints, Ints]:
        """Some hours of some stays, and how many each is after the one before."""
        chosen = who[self.stay] & (self.rng.random(len(self.stay)) < share)
        at = np.flatnonzero(chosen)
        since = np.diff(self.hour[at], prepend=0)
        new = np.diff(self.stay[at], prepend=-1) != 0
        return at, np.where(new, 1, np.minimum(since, 12))

    def add(self, output: Output, at: Ints, value: Floats) -> None:
        """Keep rows at some hours; most at the hour, on 5 ml."""
        late = np.where(self.rng.random(len(at)) < 0.8, 0, self.rng.integers(1, 50, len(at)))
        self.stays.append(self.stay[at])
        self.times.append(self.hour[at] * HOUR + late * 60)
        self.items.append(np.full(len(at), OUTPUTS.index(output)))
        self.values.append(np.maximum(np.rint(value / 5), 0) * 5)

    def add_urine(self, weight: Floats, worse: Floats, failing: Floats, failing_from: Ints) -> None:
        """Urine of each stay by its own way, less of it where the kidneys fail."""
        rng = self.rng
        edges = np.cumsum([output.stays for output in URINE])
        way = np.searchsorted(edges[:-1] / edges[-1], rng.random(self.n), side="right")
        way = np.where(rng.random(self.n) < NO_URINE, -1, way)
        own = np.exp(0.35 * rng.standard_normal(self.n) - 0.1 * worse)
        rate = PER_KG * np.clip(weight, 45, 160) * own
        for place, output in enumerate(URINE):
            at, since = self.hours(way == place, output.hourly)
            stay = self.stay[at]
            failed = (self.hour[at] * HOUR - failing_from[stay]) / (FAILING_OVER * HOUR)
            left = np.exp(-0.9 * failing[stay] * np.clip(failed, 0, 1))
            volume = rate[stay] * left * since * np.exp(0.4 * rng.standard_normal(len(at)))
            if place == IRRIGATED:
                flow = rng.choice((1500.0, 2000.0, 3000.0), len(at))
                self.add(IRRIGANT_IN, at, flow)
                volume = volume + flow
            self.add(output, at, volume)

    def add_others(self) -> None:
        """Drains, stomach and bowel."""
        for output in OTHERS:
            at, _ = self.hours(self.rng.random(self.n) < output.stays, output.hourly)
            self.add(output, at, output.volume * np.exp(0.7 * self.rng.standard_normal(len(at))))


def write_outputevents(
    path: Path,
    population: Population,
    labs: LabPlan,
    weight: Floats,
    seed: int,
    pool: ThreadPoolExecutor,
    done: Callable[[int], None],
) -> Counter[str]:
    """Write the table; ``done`` is called after every chunk with the number of stays written.

    Args:
        path: The file.
        population: Who is in the data.
        labs: Whose kidneys fail, and when.
        weight: Of each stay, in kg.
        seed: Seed of every random choice.
        pool: Threads for compression.
        done: Takes the number of stays written.

    Returns:
        Counts of what was written.
    """
    stays = population.stays
    counts: Counter[str] = Counter()
    with GzipWriter(path, pool) as out:
        out.write(HEADER)
        for chunk, chosen in enumerate(cut_by_hours(stays.seconds)):
            rng = rng_for(seed, RandomStream.OUTPUTS, chunk)
            work = _Chunk(rng, stays.intime[chosen], stays.outtime[chosen])
            severity = stays.latents.severity[chosen]
            failing = labs.failing[chosen], labs.failing_from[chosen]
            work.add_urine(weight[chosen], severity, *failing)
            work.add_others()
            stay, time = np.concatenate(work.stays), np.concatenate(work.times)
            item, value = np.concatenate(work.items), np.concatenate(work.values)
            outlier = rng.random(len(stay)) < OUTLIER_SHARE
            value = np.where(outlier, OUTLIER + 10 * value, value)
            copy = np.flatnonzero(rng.random(len(stay)) < DUPLICATE_SHARE)
            order = np.concatenate((np.arange(len(stay)), copy))
            order = order[np.lexsort((time[order], stay[order]))]
            stay, time, item, value = stay[order], time[order], item[order], value[order]
            n = len(order)
            wait = np.minimum(np.exp(3 + 1.1 * rng.standard_normal(n)), 24 * 60).astype(np.int64)
            early = rng.random(n) < EARLY_SHARE
            storetime = time + 60 * np.where(early, -rng.integers(1, 20, n), wait)
            out.write(
                csv_rows(
                    pick(stay_text(population, chosen), stay),
                    pa.array(rng.integers(1000, 100_000, n)),
                    time_text(time),
                    time_text(storetime),
                    pick([str(output.itemid) for output in OUTPUTS], item),
                    pa.array(value),
                    "ml",
                )
            )
            counts["rows"] += n
            counts["urine_rows"] += int((item < len(URINE)).sum())
            counts["stays_with_urine"] += len(np.unique(stay[item < len(URINE)]))
            counts["output_rows_stored_before_charted"] += int(early.sum())
            counts["output_outlier_rows"] += int(outlier[order].sum())
            counts["output_duplicate_rows"] += len(copy)
            done(chosen.stop)
    return counts
