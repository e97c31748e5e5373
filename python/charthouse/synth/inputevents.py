"""Stream icu/inputevents: infusions with their changes of rate, boluses, blood, antibiotics."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from charthouse.synth.big_tables import csv_rows, cut_by_hours, pick, stay_text, time_text
from charthouse.synth.columns import Columns, OfStays
from charthouse.synth.csv_gz import GzipWriter
from charthouse.synth.infections import ANTIBIOTICS, Courses, Infections
from charthouse.synth.input_items import CARRIERS, DRIPS, INPUTS, PUSHES, VASOPRESSORS, Input
from charthouse.synth.population import DAY, HOUR, Ints, Population
from charthouse.synth.random_streams import RandomStream, rng_for
from charthouse.synth.shifted import vasopressor_latent
from charthouse.synth.signal import Bools, Floats
from charthouse.synth.treatments import Spans, Ventilation, count_started

HEADER = (
    b"subject_id,hadm_id,stay_id,caregiver_id,starttime,endtime,storetime,itemid,amount,amountuom,"
    b"rate,rateuom,orderid,linkorderid,ordercategoryname,secondaryordercategoryname,"
    b"ordercomponenttypedescription,ordercategorydescription,patientweight,totalamount,"
    b"totalamountuom,isopenbag,continueinnextdept,statusdescription,originalamount,originalrate\n"
)
STATUSES = ("ChangeDose/Rate", "FinishedRunning", "Stopped", "Paused", "Rewritten")
CHANGED, FINISHED, STOPPED, PAUSED, REWRITTEN = range(len(STATUSES))
COMPONENTS = ("Main order parameter", "Mixed solution")
OTHER_UNIT_SHARE, OTHER_AMOUNT_SHARE = 0.02, 0.12  # of the rows of items that have one
REWRITTEN_SHARE, PAUSED_SHARE, CARRIER_SHARE = 0.01, 0.05, 0.4
ENDS_BEFORE_SHARE = 0.0008
IMPOSSIBLE_SHARE, IMPOSSIBLE = 0.004, 100.0  # of vasopressor rows; what is added to their rate
ROWS_OF_A_BAG = 4

DRIP_PLACES = {name: place for place, name in enumerate(DRIPS)}
PUSH_PLACES = {name: len(DRIPS) + place for place, name in enumerate(PUSHES)}
FIRST_ANTIBIOTIC = len(DRIPS) + len(PUSHES)

# What a vasopressor is, and what is added to it.
FIRST_AGENTS = {
    "norepinephrine": 0.62,
    "phenylephrine": 0.26,
    "dopamine": 0.08,
    "epinephrine": 0.04,
}
ADDED_AGENTS = {  # latent from which on, chance, hours later
    "vasopressin": (0.8, 0.7, 3),
    "epinephrine": (1.8, 0.4, 6),
    "dobutamine": (-9, 0.06, 4),
    "milrinone": (-9, 0.04, 4),
}
# Drips of the ventilated, and the share of ventilations with each.
SEDATION = {"propofol": 0.75, "fentanyl": 0.5, "midazolam": 0.12, "dexmedetomidine": 0.2,
            "dexmedetomidine of late": 0.03}  # fmt: skip
# Other drips: mean number a stay, and mean hours of each.
OTHERS = {"insulin": (0.12, 14), "heparin": (0.14, 30), "saline": (0.5, 9), "ringer": (0.35, 6),
          "red cells": (0.35, 2), "plasma": (0.12, 1)}  # fmt: skip
HOURS_BETWEEN_CHANGES = 2.5
HOURS_BETWEEN_TITRATIONS = 1.2  # of vasopressors


@dataclass(frozen=True)
class Orders(OfStays):
    """Drips as ordered, shape ``(o,)`` each."""

    item: Ints  # position in INPUTS
    start: Ints
    stop: Ints
    level: Floats  # factor of the item's dose


@dataclass(frozen=True)
class Rows(Columns):
    """Rows of the table, shape ``(r,)`` each."""

    stay: Ints
    item: Ints
    start: Ints
    stop: Ints
    dose: Floats  # rate of a drip, amount of what is given at once; in the item's own unit
    ordered: Floats  # the same as ordered
    order: Ints  # number of the order
    bag: Ints
    status: Ints  # position in STATUSES


class _Chunk:
    """Draws the rows of one chunk of stays."""

    def __init__(self, rng: np.random.Generator, intime: Ints, outtime: Ints) -> None:
        self.rng = rng
        self.intime, self.outtime = intime, outtime
        self.n = len(intime)
        self.orders: list[Orders] = []

    def order(self, name: str, spans: Spans, level: Floats | float = 1.0) -> None:
        """Order a drip for each span of time."""
        item = np.full(len(spans), DRIP_PLACES[name])
        factor = np.broadcast_to(np.asarray(level, np.float64), len(spans))
        self.orders.append(Orders(spans.stay, item, spans.start, spans.stop, factor))

    def some(self, spans: Spans, share: float) -> Spans:
        """Each span with that chance."""
        return spans.take(self.rng.random(len(spans)) < share)

    def order_vasopressors(self, spans: Spans, latent: Floats) -> None:
        """One agent throughout each span, and others added to it."""
        rng = self.rng
        drawn = rng.choice(len(FIRST_AGENTS), len(spans), p=list(FIRST_AGENTS.values()))
        level = np.exp(0.5 * latent)
        for number, name in enumerate(FIRST_AGENTS):
            some = spans.take(drawn == number)
            self.order(name, some, level[some.stay])
        for name, (above, share, hours) in ADDED_AGENTS.items():
            added = Spans(spans.stay, spans.start + hours * HOUR, spans.stop)
            wanted = (latent[added.stay] > above) & (added.stop - added.start > HOUR)
            added = self.some(added.take(wanted), share)
            by_latent = 1.0 if name == "vasopressin" else level[added.stay]
            self.order(name, added, by_latent)

    def order_others(self, ventilated: Spans) -> None:
        """Sedation of the ventilated, and what others are given."""
        rng = self.rng
        for name, share in SEDATION.items():
            some = self.some(ventilated, share)
            self.order(name, some, np.exp(0.3 * rng.standard_normal(len(some))))
        for name, (per_stay, hours) in OTHERS.items():
            stay = np.repeat(np.arange(self.n), rng.poisson(per_stay, self.n))
            length = (self.outtime - self.intime)[stay]
            start = self.intime[stay] + (length * rng.random(len(stay)) ** 2).astype(np.int64)
            lasting = (rng.exponential(hours, len(stay)) * HOUR).astype(np.int64) + HOUR // 2
            stop = np.maximum(np.minimum(start + lasting, self.outtime[stay]), start + 600)
            spans = Spans(stay, start // 60 * 60, stop // 60 * 60)
            self.order(name, spans, np.exp(0.4 * rng.standard_normal(len(stay))))

    def drips(self) -> Rows:
        """The rows of all drips: one for each time in which the rate is the same."""
        rng, orders = self.rng, Orders.joined(self.orders)
        hours = (orders.stop - orders.start) / HOUR
        steady = np.isin(orders.item, [DRIP_PLACES["red cells"], DRIP_PLACES["plasma"]])
        titrated = _IS_VASOPRESSOR[orders.item]
        between = np.where(titrated, HOURS_BETWEEN_TITRATIONS, HOURS_BETWEEN_CHANGES)
        count = 1 + rng.poisson(np.minimum(hours / between, 60) * ~steady)
        of = np.repeat(np.arange(len(orders)), count)
        rank = np.arange(len(of)) - (np.cumsum(count) - count)[of]
        share = rng.random(len(of)) * (rank > 0)
        share = share[np.lexsort((share, of))]  # sorted within each order
        start = orders.start[of] + (share * (orders.stop - orders.start)[of]).astype(np.int64)
        start = start // 60 * 60
        last = np.append(of[1:] != of[:-1], True) if len(of) else np.zeros(0, np.bool_)
        stop = np.where(last, orders.stop[of], np.append(start[1:], 0)[: len(of)])
        item = orders.item[of]
        spread, decimals = _SPREAD[item], _DECIMALS[item]
        nominal = _DOSE[item] * orders.level[of] * np.exp(spread * rng.standard_normal(len(of)))
        step = 10.0**-decimals
        ordered = np.maximum(np.rint(nominal / step), 1) * step
        drawn = rng.random(len(of))
        status = np.where(last, np.where(drawn < 0.5, FINISHED, STOPPED), CHANGED)
        status = np.where(~last & (drawn < 0.15), FINISHED, status)
        paused = ~last & (drawn > 1 - PAUSED_SHARE) & (stop - start > 600)
        status = np.where(paused, PAUSED, status)
        stop = np.where(paused, start + (stop - start) // 120 * 60, stop)
        exact = ordered * (1 + 2e-4 * rng.standard_normal(len(of)))
        rows = Rows(
            orders.stay[of], item, start, stop, exact, ordered, of, rank // ROWS_OF_A_BAG, status
        )
        return rows.take(stop > start)

    def carriers(self, drips: Rows) -> Rows:
        """What some of the drips are dissolved in, as rows of the same order."""
        rng = self.rng
        some = drips.take((rng.random(len(drips)) < CARRIER_SHARE) & _IS_DRIP[drips.item])
        item = np.array([DRIP_PLACES[name] for name in CARRIERS])[rng.integers(0, 2, len(some))]
        dose = _DOSE[item] * np.exp(_SPREAD[item] * rng.standard_normal(len(some)))
        ordered = np.maximum(np.rint(dose), 1.0)
        return replace(some, item=item, dose=np.maximum(dose, 1.0), ordered=ordered)

    def pushes(self) -> Rows:
        """Rows of what is given at once, as often as chance has it."""
        rng = self.rng
        days = (self.outtime - self.intime) / DAY
        stays, items, starts = [], [], []
        for name, (_, per_day) in PUSHES.items():
            often = rng.gamma(0.7, 1 / 0.7, self.n)  # some often, many never
            stay = np.repeat(np.arange(self.n), rng.poisson(per_day * often * np.minimum(days, 20)))
            length = (self.outtime - self.intime)[stay]
            stays.append(stay)
            items.append(np.full(len(stay), PUSH_PLACES[name]))
            starts.append(self.intime[stay] + (length * rng.random(len(stay))).astype(np.int64))
        item = np.concatenate(items)
        dose = _DOSE[item] * np.exp(_SPREAD[item] * rng.standard_normal(len(item)))
        step = 10.0 ** -_DECIMALS[item]
        dose = np.maximum(np.rint(dose / step), 1) * step
        return self.at_once(np.concatenate(stays), item, np.concatenate(starts), dose)

    def antibiotics(self, courses: Courses) -> Rows:
        """A dose at the start of each course and so many a day, if by vein and in the ICU."""
        courses = courses.take(~courses.oral)
        per_day = np.array([each.per_day for each in ANTIBIOTICS])[courses.drug]
        gap = DAY // per_day
        count = (courses.stop - courses.start) // gap + 1
        of = np.repeat(np.arange(len(courses)), count)
        rank = np.arange(len(of)) - (np.cumsum(count) - count)[of]
        late = self.rng.integers(0, 40 * 60, len(of)) * (rank > 0)
        start = courses.start[of] + rank * gap[of] + late
        stay = courses.stay[of]
        inside = (start >= self.intime[stay]) & (start < self.outtime[stay])
        item = FIRST_ANTIBIOTIC + courses.drug[of]
        return self.at_once(stay[inside], item[inside], start[inside], np.ones(inside.sum()))

    def at_once(self, stay: Ints, item: Ints, start: Ints, dose: Floats) -> Rows:
        """Rows of a minute, each an order of its own."""
        start = start // 60 * 60
        none = np.zeros(len(stay), np.int64)
        return Rows(
            stay, item, start, start + 60, dose, dose, np.arange(len(stay)), none, none + FINISHED
        )

    def spoiled(self, drips: Rows) -> Rows:
        """The rows of drips with those that were written anew, and a few impossible rates."""
        rng = self.rng
        impossible = _IS_VASOPRESSOR[drips.item] & (rng.random(len(drips)) < IMPOSSIBLE_SHARE)
        drips = replace(drips, dose=drips.dose + IMPOSSIBLE * impossible)
        copies = drips.take(~impossible & (rng.random(len(drips)) < REWRITTEN_SHARE))
        wrong = copies.dose * rng.uniform(0.3, 3, len(copies))
        status = np.full(len(copies), REWRITTEN)
        return Rows.joined([drips, replace(copies, dose=wrong, status=status)])


_DOSE = np.array([each.dose for each in INPUTS])
_SPREAD = np.array([each.spread for each in INPUTS])
_DECIMALS = np.array([each.decimals for each in INPUTS])
_IS_DRIP = np.array([each.order == "01-Drips" for each in INPUTS])
_IS_VASOPRESSOR = np.array([each.itemid in VASOPRESSORS for each in INPUTS])
_HAS_RATE = np.array([each.rate_unit != "" for each in INPUTS])
_BY_WEIGHT = np.array([each.by_weight for each in INPUTS])
_PER_HOUR = np.array([each.per_hour for each in INPUTS])
# Factors of the other units; 0 where there is none, NaN for the weight.
_OTHER_RATE = np.array([(each.other_rate or ("", 0.0))[1] for each in INPUTS], np.float64)
_OTHER_AMOUNT = np.array([(each.other_amount or ("", 0.0))[1] for each in INPUTS])


def _numbered(parts: list[Rows]) -> Rows:
    """All rows, with numbers of orders that no other part has."""
    first = 0
    for place, part in enumerate(parts):
        parts[place] = replace(part, order=part.order + first)
        first += int(part.order.max(initial=-1)) + 1
    return Rows.joined(parts)


def write_inputevents(
    path: Path,
    population: Population,
    vasopressors: Spans,
    ventilation: Ventilation,
    infections: Infections,
    weight: Floats,
    seed: int,
    pool: ThreadPoolExecutor,
    done: Callable[[int], None],
) -> Counter[str]:
    """Write the table; ``done`` is called after every chunk with the number of stays written.

    Args:
        path: The file.
        population: Who is in the data.
        vasopressors: When stays are given them.
        ventilation: When stays are ventilated, for which they are sedated.
        infections: Whose antibiotics are given here.
        weight: Of each stay, in kg.
        seed: Seed of every random choice.
        pool: Threads for compression.
        done: Takes the number of stays written.

    Returns:
        Counts of what was written.
    """
    stays = population.stays
    latent = vasopressor_latent(stays, seed)
    counts: Counter[str] = Counter()
    orders = 0
    with GzipWriter(path, pool) as out:
        out.write(HEADER)
        for chunk, chosen in enumerate(cut_by_hours(stays.seconds)):
            rng = rng_for(seed, RandomStream.INPUTS, chunk)
            work = _Chunk(rng, stays.intime[chosen], stays.outtime[chosen])
            work.order_vasopressors(vasopressors.of(chosen), latent[chosen])
            work.order_others(ventilation.of(chosen).invasive)
            drips = work.drips()
            drips = Rows.joined([work.spoiled(drips), work.carriers(drips)])
            given = [drips, work.pushes(), work.antibiotics(infections.courses.of(chosen))]
            rows = _numbered(given)
            rows = rows.take(np.lexsort((rows.start, rows.stay)))
            backwards = rng.random(len(rows)) < ENDS_BEFORE_SHARE
            early = rows.start - 60 * rng.integers(1, 90, len(rows))
            rows = replace(rows, stop=np.where(backwards, early, rows.stop))
            columns = _columns(rng, population, chosen, rows, weight, orders, counts)
            out.write(csv_rows(*columns))
            orders += int(rows.order.max(initial=-1)) + 1
            counts["rows"] += len(rows)
            counts["input_rows_that_end_before_they_start"] += int(backwards.sum())
            counts["rewritten_input_rows"] += int((rows.status == REWRITTEN).sum())
            done(chosen.stop)
    counts.update(count_started("given_vasopressors", vasopressors, stays))
    return counts


def _columns(
    rng: np.random.Generator,
    population: Population,
    chosen: slice,
    rows: Rows,
    weight: Floats,
    first_order: int,
    counts: Counter[str],
) -> list[pa.Array | str]:
    """The columns of the table, in its order. Counts rows in other units and impossible rates."""
    n, item = len(rows), rows.item
    kilograms = weight[chosen][rows.stay]
    minutes = np.abs(rows.stop - rows.start) / 60
    lasts = _HAS_RATE[item]
    by_weight = np.where(_BY_WEIGHT[item], kilograms, 1.0)
    amount = np.where(lasts, rows.dose * _PER_HOUR[item] * minutes / 60 * by_weight, rows.dose)
    impossible = _IS_VASOPRESSOR[item] & (rows.dose >= IMPOSSIBLE)
    other_rate = (_OTHER_RATE[item] != 0) & ~impossible & (rng.random(n) < OTHER_UNIT_SHARE)
    factor = np.where(np.isnan(_OTHER_RATE[item]), kilograms, _OTHER_RATE[item])
    rate = np.where(other_rate, rows.dose * factor, rows.dose)
    other_amount = (_OTHER_AMOUNT[item] != 0) & (rng.random(n) < OTHER_AMOUNT_SHARE)
    amount = np.where(other_amount, amount * _OTHER_AMOUNT[item], amount)
    counts["other_rate_unit_input_rows"] += int(other_rate.sum())
    counts["other_amount_unit_input_rows"] += int(other_amount.sum())
    counts["impossible_rate_rows"] += int(impossible.sum())

    # Stored when ordered, some late, some a minute before.
    wait = np.minimum(np.exp(1.6 + 1.9 * rng.standard_normal(n)), 20 * 60).astype(np.int64)
    storetime = rows.start + np.where(rng.random(n) < 0.05, -1, wait) * 60
    link = 8 * (first_order + rows.order) + 1
    carried = np.isin(item, [DRIP_PLACES[name] for name in CARRIERS])
    volume = np.array([np.nan if each.volume is None else each.volume for each in INPUTS])[item]

    def text(of: Callable[[Input], str]) -> pa.Array:
        return pick([of(each) for each in INPUTS], item)

    def unit(
        usual: Callable[[Input], str], other: Callable[[Input], str], which: Bools
    ) -> pa.Array:
        return pick([*map(usual, INPUTS), *map(other, INPUTS)], item + len(INPUTS) * which)

    def number(values: Floats, there: Bools | None = None) -> pa.Array:
        return pa.array(np.round(values, 6), mask=None if there is None else ~there)

    return [
        pick(stay_text(population, chosen), rows.stay),
        pa.array(rng.integers(1000, 100_000, n)),
        time_text(rows.start),
        time_text(rows.stop),
        time_text(storetime),
        text(lambda each: str(each.itemid)),
        number(amount),
        unit(lambda e: e.amount_unit, lambda e: (e.other_amount or ("",))[0], other_amount),
        number(rate, lasts),
        unit(lambda e: e.rate_unit, lambda e: (e.other_rate or ("",))[0], other_rate),
        pa.array(link + np.minimum(rows.bag, 7)),
        pa.array(link),
        text(lambda each: each.order),
        text(lambda each: each.secondary),
        pick(COMPONENTS, carried.astype(np.int64)),
        text(lambda each: each.description),
        pa.array(kilograms),
        number(volume, ~np.isnan(volume)),
        text(lambda each: "" if each.volume is None else "ml"),
        "0",
        "0",
        pick(STATUSES, rows.status),
        number(np.where(lasts, amount * rng.integers(1, 5, n), amount)),
        number(np.where(lasts, rows.ordered, amount)),
    ]
