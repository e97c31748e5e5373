"""Stream icu/procedureevents: ventilation, dialysis, lines, cultures and examinations."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from charthouse.synth.big_tables import csv_rows, cut_by_hours, pick, stay_text, time_text
from charthouse.synth.csv_gz import GzipWriter
from charthouse.synth.infections import Cultures, Infections
from charthouse.synth.lab_rows import LabPlan
from charthouse.synth.population import DAY, HOUR, Ints, Population
from charthouse.synth.random_streams import RandomStream, rng_for
from charthouse.synth.signal import Bools, Floats
from charthouse.synth.treatments import Spans, Ventilation, count_started, sorted_spans
from charthouse.synth.vital_sign_rows import plan_charting

HEADER = (
    b"subject_id,hadm_id,stay_id,caregiver_id,starttime,endtime,storetime,itemid,value,valueuom,"
    b"location,locationcategory,orderid,linkorderid,ordercategoryname,ordercategorydescription,"
    b"patientweight,isopenbag,continueinnextdept,statusdescription,ORIGINALAMOUNT,ORIGINALRATE\n"
)


@dataclass(frozen=True)
class Procedure:
    """One itemid."""

    itemid: int
    label: str
    category: str
    order: str  # ordercategoryname
    unit: str = ""  # of its duration; empty for a task, which takes a minute
    places: tuple[str, ...] = ("",)
    place: str = ""  # locationcategory
    per_stay: float = 0.0  # mean number, of those that nothing else decides
    hours: float = 0.0  # mean duration of those


_INVASIVE, _PERIPHERAL = "Access Lines - Invasive", "Access Lines - Peripheral"
_ARMS = ("Right Antecubital", "Left Antecubital", "Right Metacarpal", "Left Metacarpal",
         "Right Cephalic Lower Arm")  # fmt: skip
_NECK = ("Right IJ", "Left IJ", "Right Femoral", "Right Subclavian")
INVASIVE_VENTILATION, NONINVASIVE_VENTILATION = 225792, 225794
INTUBATION, EXTUBATION = 224385, 227194
ARTERIAL_LINE, DIALYSIS_LINE, CRRT, HEMODIALYSIS = 225752, 224270, 225802, 225441
CULTURE_ITEMS = (225401, 225454, 225451)  # of blood, urine and sputum, as infections.SPECIMENS
_P = Procedure

PROCEDURES: tuple[Procedure, ...] = (
    _P(INVASIVE_VENTILATION, "Invasive Ventilation", "2-Ventilation", "Ventilation", "min"),
    _P(NONINVASIVE_VENTILATION, "Non-invasive Ventilation", "2-Ventilation", "Ventilation", "min"),
    _P(INTUBATION, "Intubation", "1-Intubation/Extubation", "Intubation/Extubation"),
    _P(EXTUBATION, "Extubation", "1-Intubation/Extubation", "Intubation/Extubation"),
    _P(ARTERIAL_LINE, "Arterial Line", _INVASIVE, "Invasive Lines", "min",
       ("Right Radial", "Left Radial", "Right Femoral"), "Invasive Arterial"),
    _P(DIALYSIS_LINE, "Dialysis Catheter", _INVASIVE, "Invasive Lines", "min", _NECK,
       "Invasive Venous"),
    _P(CRRT, "Dialysis - CRRT", "Dialysis", "Dialysis", "day", ("Right IJ.",), "Dialysis"),
    _P(HEMODIALYSIS, "Hemodialysis", "4-Procedures", "Continuous Procedures", "min"),
    _P(225401, "Blood Cultured", "6-Cultures", "Procedures"),
    _P(225454, "Urine Culture", "6-Cultures", "Procedures"),
    _P(225451, "Sputum Culture", "6-Cultures", "Procedures"),
    _P(224275, "20 Gauge", _PERIPHERAL, "Peripheral Lines", "min", _ARMS, "Peripheral", 1.2, 40),
    _P(224277, "18 Gauge", _PERIPHERAL, "Peripheral Lines", "min", _ARMS, "Peripheral", 0.8, 45),
    _P(224263, "Multi Lumen", _INVASIVE, "Invasive Lines", "min", _NECK, "Invasive Venous", 0.32,
       80),
    _P(229351, "Foley Catheter", "GI/GU", "Tubes", "min", ("Urethral",), '"Catheter, GU"', 0.24,
       70),
    _P(225459, "Chest X-Ray", "5-Imaging", "Imaging", per_stay=1.2),
    _P(225402, "EKG", "4-Procedures", "Procedures", per_stay=0.5),
    _P(221214, "CT scan", "5-Imaging", "Imaging", per_stay=0.4),
    _P(225432, "Transthoracic Echo", "5-Imaging", "Procedures", per_stay=0.2),
)  # fmt: skip
PLACES = {procedure.itemid: place for place, procedure in enumerate(PROCEDURES)}
INTUBATED_HERE, EXTUBATED_HERE = 0.8, 0.85  # charted too
STOPPED_SHARE = 0.02


class _Chunk:
    """Draws the rows of one chunk of stays, kind by kind."""

    def __init__(self, rng: np.random.Generator, intime: Ints, outtime: Ints) -> None:
        self.rng = rng
        self.intime, self.outtime = intime, outtime
        self.n = len(intime)
        self.rows: list[Spans] = []
        self.kinds: list[Ints] = []

    def add(self, itemid: int, spans: Spans) -> None:
        """Keep rows of one item."""
        self.rows.append(spans)
        self.kinds.append(np.full(len(spans), PLACES[itemid]))

    def add_tasks(self, itemid: int, stay: Ints, time: Ints) -> None:
        """Keep rows that take a minute."""
        self.add(itemid, Spans(stay, time // 60 * 60, time // 60 * 60 + 60))

    def add_some(self, procedure: Procedure) -> None:
        """Keep as many rows of one item as chance gives, most of them early in the stay."""
        stay = np.repeat(np.arange(self.n), self.rng.poisson(procedure.per_stay, self.n))
        length = (self.outtime - self.intime)[stay]
        start = self.intime[stay] + (length * self.rng.random(len(stay)) ** 2).astype(np.int64)
        if not procedure.hours:
            self.add_tasks(procedure.itemid, stay, start)
            return
        lasting = self.rng.exponential(procedure.hours * HOUR, len(stay)).astype(np.int64)
        stop = np.minimum(start + HOUR + lasting, np.maximum(self.outtime[stay], start + 600))
        self.add(procedure.itemid, sorted_spans([Spans(stay, start, stop)]))

    def add_ventilation(self, ventilation: Ventilation) -> None:
        """Ventilation, with intubation where it began in the stay, and extubation."""
        rng, invasive = self.rng, ventilation.invasive
        self.add(INVASIVE_VENTILATION, invasive)
        self.add(NONINVASIVE_VENTILATION, ventilation.noninvasive)
        began = invasive.start > self.intime[invasive.stay] + HOUR
        here = invasive.take(began & (rng.random(len(began)) < INTUBATED_HERE))
        self.add_tasks(INTUBATION, here.stay, here.start - 60 * rng.integers(0, 11, len(here)))
        ended = invasive.stop < self.outtime[invasive.stay] - 60
        here = invasive.take(ended & (rng.random(len(ended)) < EXTUBATED_HERE))
        self.add_tasks(EXTUBATION, here.stay, here.stop)

    def add_cultures(self, cultures: Cultures) -> None:
        """Those taken in the ICU."""
        time = cultures.time
        inside = (time >= self.intime[cultures.stay]) & (time < self.outtime[cultures.stay])
        for specimen, itemid in enumerate(CULTURE_ITEMS):
            some = cultures.take(inside & (cultures.specimen == specimen))
            self.add_tasks(itemid, some.stay, some.time)

    def add_lines(self, arterial: Bools) -> None:
        """An arterial line for those whose pressures are charted by one."""
        stay = np.flatnonzero(arterial)
        wait = np.minimum(self.rng.exponential(HOUR, len(stay)), 3 * HOUR)
        length = (self.outtime - self.intime)[stay]
        start = self.intime[stay] + np.minimum(wait, length / 4).astype(np.int64)
        stop = np.maximum(self.outtime[stay] - 30 * 60, start + 600)
        self.add(ARTERIAL_LINE, sorted_spans([Spans(stay, start, stop)]))

    def add_dialysis(self, failing: Floats, failing_from: Ints) -> None:
        """Dialysis in those whose kidneys fail the most, from a day after they began to."""
        rng = self.rng
        start = np.maximum(failing_from + DAY, self.intime + 2 * HOUR)
        needs = (failing > 2.0) & (start < self.outtime - 4 * HOUR)
        stay = np.flatnonzero(needs & (rng.random(self.n) < 0.8))
        start, left = start[stay], (self.outtime[stay] - start[stay])
        self.add(DIALYSIS_LINE, sorted_spans([Spans(stay, start - HOUR, start + left)]))
        slowly = rng.random(len(stay)) < 0.5
        length = np.where(slowly, rng.uniform(12, 72, len(stay)), 4) * HOUR
        spans = sorted_spans(
            [Spans(stay, start, start + np.minimum(left, length).astype(np.int64))]
        )
        self.add(CRRT, spans.take(slowly))
        self.add(HEMODIALYSIS, spans.take(~slowly))


def write_procedureevents(
    path: Path,
    population: Population,
    ventilation: Ventilation,
    infections: Infections,
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
        ventilation: When stays are ventilated.
        infections: Whose cultures are noted here as well.
        labs: Whose kidneys fail.
        weight: Of each stay, in kg.
        seed: Seed of every random choice.
        pool: Threads for compression.
        done: Takes the number of stays written.

    Returns:
        Counts of what was written.
    """
    stays = population.stays
    charting = plan_charting(stays, seed)
    arterial = charting.vitals & charting.arterial
    counts: Counter[str] = Counter()
    with GzipWriter(path, pool) as out:
        out.write(HEADER)
        for chunk, chosen in enumerate(cut_by_hours(stays.seconds)):
            rng = rng_for(seed, RandomStream.PROCEDURES, chunk)
            work = _Chunk(rng, stays.intime[chosen], stays.outtime[chosen])
            work.add_ventilation(ventilation.of(chosen))
            work.add_lines(arterial[chosen])
            work.add_dialysis(labs.failing[chosen], labs.failing_from[chosen])
            work.add_cultures(infections.cultures.of(chosen))
            for procedure in PROCEDURES:
                if procedure.per_stay:
                    work.add_some(procedure)
            rows, kind = Spans.joined(work.rows), np.concatenate(work.kinds)
            order = np.lexsort((rows.start, rows.stay))
            rows, kind = rows.take(order), kind[order]
            first = counts["rows"] + 1
            out.write(csv_rows(*_columns(rng, population, chosen, rows, kind, weight, first)))
            counts["rows"] += len(rows)
            done(chosen.stop)
    either = Spans.joined([ventilation.invasive, ventilation.noninvasive])
    counts.update(count_started("invasively_ventilated", ventilation.invasive, stays))
    counts.update(count_started("ventilated", either, stays))
    return counts


def _columns(
    rng: np.random.Generator,
    population: Population,
    chosen: slice,
    rows: Spans,
    kind: Ints,
    weight: Floats,
    first: int,
) -> list[pa.Array | str]:
    """The columns of the table, in its order."""
    n = len(rows)
    minutes = (rows.stop - rows.start) // 60
    units = np.array([procedure.unit for procedure in PROCEDURES])
    task, by_day = units[kind] == "", units[kind] == "day"
    value = np.where(task, 1, np.where(by_day, np.round(minutes / 1440, 6), minutes))
    stopped = ~task & (rng.random(n) < STOPPED_SHARE)
    ordered = np.where(stopped, np.round(value * rng.uniform(1.2, 3, n), 2), value)
    # Most are stored as they end, some much later, and tasks often a minute before their end.
    wait = np.minimum(np.exp(1.4 + 1.7 * rng.standard_normal(n)), 24 * 60).astype(np.int64)
    early = rng.random(n) < np.where(task, 0.5, 0.07)
    storetime = rows.stop + np.where(early, -1, wait) * 60
    places = [place for procedure in PROCEDURES for place in procedure.places]
    widths = np.array([len(procedure.places) for procedure in PROCEDURES])
    place = (np.cumsum(widths) - widths)[kind] + (rng.random(n) * widths[kind]).astype(np.int64)
    number = pa.array(first + np.arange(n))
    return [
        pick(stay_text(population, chosen), rows.stay),
        pa.array(rng.integers(1000, 100_000, n)),
        time_text(rows.start),
        time_text(rows.stop),
        time_text(storetime),
        pick([str(procedure.itemid) for procedure in PROCEDURES], kind),
        pa.array(value),
        pick([procedure.unit for procedure in PROCEDURES], kind),
        pick(places, place),
        pick([procedure.place for procedure in PROCEDURES], kind),
        number,
        number,
        pick([procedure.order for procedure in PROCEDURES], kind),
        pick(["ContinuousProcess", "Task"], task.astype(np.int64)),
        pa.array(weight[chosen][rows.stay]),
        pick(["1", "0"], (task | by_day).astype(np.int64)),
        "0",
        pick(["FinishedRunning", "Stopped"], stopped.astype(np.int64)),
        pa.array(ordered),
        pick(["1", "0"], task.astype(np.int64)),
    ]
