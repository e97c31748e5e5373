"""The rows of the vital signs: when each is charted, its value, and planted errors."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charthouse.synth import vital_signs as vs
from charthouse.synth.categories import ARTERIAL_LINE_BY_UNIT
from charthouse.synth.population import HOUR, Ints, Stays
from charthouse.synth.random_streams import RandomStream, rng_for
from charthouse.synth.signal import Bools, Floats

PLANTED_SHARE = 0.0006  # of stays that hold each planted value; at least one
DUPLICATE_SHARE, NULL_SHARE = 0.004, 0.003
CELSIUS_STAYS, CELSIUS_IN_THEM = 0.11, 0.72
NO_VITALS = 0.005
SECOND_LINE_STAYS, SECOND_LINE_FROM = 0.2, 6  # of those with a line; hour of the stay
OUTSIDE = 0.05  # share of stays charted from an hour before intime, and as many after outtime

Ints16 = NDArray[np.int16]
Ints32 = NDArray[np.int32]


@dataclass(frozen=True)
class ChartingPlan:
    """Which variables are charted for each stay, shape ``(n,)`` each."""

    vitals: Bools
    arterial: Bools
    second_line: Bools
    cuff: Bools
    gcs: Bools
    temperature: Bools
    celsius: Bools
    early: Bools
    late: Bools


@dataclass(frozen=True)
class PlantedValues:
    """Rows planted at and beyond the valid range, sorted by stay, shape ``(k,)`` each."""

    stay: Ints
    sign: Ints16  # position in VITAL_SIGNS
    hundredths: Ints32
    charttime: Ints


@dataclass(frozen=True)
class VitalRows:
    """Rows of some stays in no order, shape ``(r,)`` each."""

    stay: Ints  # position among the stays of the chunk
    charttime: Ints
    sign: Ints16
    hundredths: Ints32
    null: Bools  # valuenum left empty
    duplicate: Bools  # repeats another row's stay, time and item with another value


def plan_charting(stays: Stays, seed: int) -> ChartingPlan:
    """Decide for every stay which variables it has at all."""
    rng = rng_for(seed, RandomStream.PLANTS)
    n = len(stays)

    def some(share: float | Floats) -> Bools:
        return np.asarray(rng.random(n) < share, dtype=np.bool_)

    return ChartingPlan(
        vitals=~some(NO_VITALS),
        arterial=(arterial := some(np.array(ARTERIAL_LINE_BY_UNIT)[stays.unit])),
        cuff=some(0.98),
        gcs=some(0.98),
        temperature=some(0.97),
        celsius=some(CELSIUS_STAYS),
        early=some(OUTSIDE),
        late=some(OUTSIDE),
        second_line=arterial & some(SECOND_LINE_STAYS),
    )


def plan_planted_values(stays: Stays, charting: ChartingPlan, seed: int) -> PlantedValues:
    """Choose the stay and time of every planted value, within the first day of the stay.

    Each value of each variable is planted at least once wherever any stay has the variable.
    """
    rng = rng_for(seed, RandomStream.PLANTS, 1)
    each = max(1, round(len(stays) * PLANTED_SHARE))
    none = np.zeros(0, np.int64)
    parts = [(none, none.astype(np.int16), none.astype(np.int32), none)]
    for place, sign in enumerate(vs.VITAL_SIGNS):
        has = charting.vitals
        if sign.itemid in vs.LINE:
            has = has & charting.arterial
        elif sign.itemid in vs.SECOND_LINE:
            has = has & charting.second_line
        if not (able := np.flatnonzero(has)).size:
            continue
        count = each * len(sign.planted)
        stay = rng.choice(able, count, replace=count > len(able))
        within = rng.uniform(0.02, 0.9, count) * np.minimum(stays.seconds[stay], 24 * HOUR)
        # Other rows lie on whole minutes and these on different seconds: never by chance a
        # second row of the same stay, time and item.
        second = 1 + np.arange(count) % 59
        time = (stays.intime[stay] + within.astype(np.int64)) // 60 * 60 + 60 + second
        values = np.rint(np.array(sign.planted) * 100).astype(np.int32)
        parts.append((stay, np.full(count, place, np.int16), np.tile(values, each), time))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    return PlantedValues(*(column[order] for column in columns))


class _Chunk:
    """Draws the rows of one chunk of stays, variable by variable."""

    def __init__(self, rng: np.random.Generator, stays: Stays, chosen: slice) -> None:
        self.rng = rng
        self.intime = stays.intime[chosen]
        self.outtime = stays.outtime[chosen]
        self.severity = stays.latents.severity[chosen]
        self.own = stays.latents.vitals[chosen]
        self.n = len(self.intime)
        self.times: list[Ints] = []
        self.stays: list[Ints] = []
        self.signs: list[Ints16] = []
        self.values: list[Floats] = []

    def make_hours(self, early: Bools, late: Bools) -> None:
        """Clock hours within each stay (and just outside of it for a few)."""
        first = -(-self.intime // HOUR) - early
        count = np.maximum(-(-self.outtime // HOUR) + late - first, 0)
        starts = np.cumsum(count) - count
        self.hour_stay = np.repeat(np.arange(self.n), count)
        self.hour_no = np.arange(len(self.hour_stay)) - starts[self.hour_stay]
        self.hour = (first[self.hour_stay] + self.hour_no) * HOUR
        self.limit = (self.outtime + late * 2 * HOUR)[self.hour_stay]
        # A slow wave per stay makes neighbouring hours alike.
        phase = self.rng.uniform(0, 2 * np.pi, self.n)
        speed = self.rng.uniform(0.15, 0.5, self.n)
        self.wave = np.sin(phase[self.hour_stay] + speed[self.hour_stay] * self.hour_no)
        worse = 0.5 * self.severity + 0.3 * self.own + self.rng.normal(0, 0.6, self.n)
        self.trend = worse[self.hour_stay] * np.minimum(self.hour_no, 48) / 24.0

    def slots(self, share: float | Floats, stays: Bools, every: int = 1) -> tuple[Ints, Ints]:
        """Hours at which a variable is charted, and the minute-exact times."""
        rng = self.rng
        chosen = stays[self.hour_stay]
        if every > 1:
            chosen &= (self.hour_no + rng.integers(0, every, self.n)[self.hour_stay]) % every == 0
        at = np.flatnonzero(chosen & (rng.random(len(self.hour)) < share))
        minute = np.where(rng.random(len(at)) < 0.75, 0, rng.integers(1, 55, len(at)))
        time = self.hour[at] + minute * 60
        keep = time < self.limit[at]
        return at[keep], time[keep]

    def level(self, sign: vs.VitalSign, at: Ints) -> Floats:
        """Values before rounding at the hours ``at``."""
        rng = self.rng
        shift = sign.severity * self.severity + sign.own * self.own
        base = sign.mean + shift + rng.normal(0, sign.between, self.n)
        spread = sign.within * np.exp(0.18 * self.severity + 0.1 * self.own)
        stay = self.hour_stay[at]
        away = 0.6 * self.wave[at] + 0.8 * rng.standard_normal(len(at), dtype=np.float32)
        drift = 0.4 * (sign.severity + sign.own) * self.trend[at]
        return np.asarray(base[stay] + spread[stay] * away + drift)

    def add(self, itemid: int, at: Ints, time: Ints, value: Floats) -> None:
        """Keeps rows of one item; values are rounded as they are charted."""
        place = vs.INDEX[itemid]
        sign = vs.VITAL_SIGNS[place]
        self.stays.append(self.hour_stay[at])
        self.times.append(time)
        self.signs.append(np.full(len(at), place, np.int16))
        self.values.append(np.clip(np.round(value, sign.decimals), *sign.natural))

    def pressures(
        self, items: tuple[int, int, int], slots: tuple[Ints, Ints], second: Bools | None = None
    ) -> None:
        """The three pressures of a cuff or line; those of ``second`` go over to a second line."""
        at, time = slots
        systolic, diastolic, mean = (vs.VITAL_SIGNS[vs.INDEX[item]] for item in items)
        high, low = self.level(systolic, at), self.level(diastolic, at)
        low = np.minimum(low, high - 12)
        noise = self.rng.normal(0, mean.within, len(at))
        moved = np.zeros(len(at), np.bool_)
        if second is not None:
            moved = second[self.hour_stay[at]] & (self.hour_no[at] >= SECOND_LINE_FROM)
        values = (high, low, low + (high - low) / 3.0 + noise)
        for item, other, value in zip(items, vs.SECOND_LINE, values, strict=True):
            self.add(item, at[~moved], time[~moved], value[~moved])
            self.add(other, at[moved], time[moved], value[moved])

    def scores(self, slots: tuple[Ints, Ints]) -> None:
        """The three GCS scores together; ventilated stays have no verbal response."""
        at, time = slots
        logit = -1.1 + 0.9 * self.severity + 0.6 * self.own
        tube = self.rng.random(self.n) < 1.0 / (1.0 + np.exp(-logit))
        tube_until = self.rng.exponential(40.0, self.n) + 4
        stay = self.hour_stay[at]
        silent = tube[stay] & (self.hour_no[at] < tube_until[stay])
        for itemid in (vs.GCS_EYE, vs.GCS_VERBAL, vs.GCS_MOTOR):
            value = self.level(vs.VITAL_SIGNS[vs.INDEX[itemid]], at) - 0.8 * silent
            self.add(itemid, at, time, value)
            if itemid == vs.GCS_VERBAL:
                self.values[-1] = np.where(silent, vs.ETT / 100, self.values[-1])

    def temperatures(self, slots: tuple[Ints, Ints], celsius: Bools) -> None:
        """Fahrenheit, or Celsius in most rows of some stays."""
        at, time = slots
        value = self.level(vs.VITAL_SIGNS[vs.INDEX[vs.TEMP_F]], at)
        metric = celsius[self.hour_stay[at]] & (self.rng.random(len(at)) < CELSIUS_IN_THEM)
        self.add(vs.TEMP_F, at[~metric], time[~metric], value[~metric])
        self.add(vs.TEMP_C, at[metric], time[metric], (value[metric] - 32) / 1.8)


def draw_vitals(
    stays: Stays,
    charting: ChartingPlan,
    plants: PlantedValues,
    chosen: slice,
    seed: int,
    chunk: int,
) -> VitalRows:
    """Draw all vital-sign rows of the consecutive stays in ``chosen``, the chunk of that number.

    Plans and planted rows are those of all stays.
    """
    rng = rng_for(seed, RandomStream.VITALS, chunk)
    work = _Chunk(rng, stays, chosen)
    has = charting.vitals[chosen]
    work.make_hours(charting.early[chosen], charting.late[chosen])

    arterial = has & charting.arterial[chosen]
    at, time = work.slots(0.97, has)
    for itemid, share in ((vs.HEART_RATE, 0.985), (vs.RESP_RATE, 0.98), (vs.SPO2, 0.965)):
        there = rng.random(len(at)) < share
        some = at[there]
        work.add(itemid, some, time[there], work.level(vs.VITAL_SIGNS[vs.INDEX[itemid]], some))
    cuff_share = np.where(arterial, 0.42, 0.78)[work.hour_stay]
    work.pressures(vs.CUFF, work.slots(cuff_share, has & charting.cuff[chosen]))
    work.pressures(vs.LINE, work.slots(0.85, arterial), charting.second_line[chosen])
    work.scores(work.slots(0.93, has & charting.gcs[chosen], every=4))
    temperature = work.slots(0.95, has & charting.temperature[chosen], every=4)
    work.temperatures(temperature, charting.celsius[chosen])

    stay, charttime = np.concatenate(work.stays), np.concatenate(work.times)
    sign = np.concatenate(work.signs)
    hundredths = np.rint(np.concatenate(work.values) * 100).astype(np.int32)
    null = rng.random(len(stay)) < NULL_SHARE
    copy = np.flatnonzero(rng.random(len(stay)) < DUPLICATE_SHARE)
    added = slice(*np.searchsorted(plants.stay, (chosen.start, chosen.stop)))
    planted = plants.stay[added] - chosen.start
    another = _another_value(sign[copy], hundredths[copy])
    return VitalRows(
        stay=np.concatenate((stay, stay[copy], planted)),
        charttime=np.concatenate((charttime, charttime[copy], plants.charttime[added])),
        sign=np.concatenate((sign, sign[copy], plants.sign[added])),
        hundredths=np.concatenate((hundredths, another, plants.hundredths[added])),
        null=np.concatenate((null, np.zeros(len(copy) + len(planted), bool))),
        duplicate=np.repeat((False, True, False), (len(stay), len(copy), len(planted))),
    )


def _another_value(sign: Ints16, hundredths: Ints32) -> Ints32:
    """A value near each one, different from it and natural."""
    middle = np.array([round(sum(s.natural) * 50) for s in vs.VITAL_SIGNS], np.int32)[sign]
    step = np.array([100 if s.decimals == 0 else 30 for s in vs.VITAL_SIGNS], np.int32)[sign]
    moved = hundredths + np.where(hundredths > middle, -step, step)
    return np.where(hundredths == vs.ETT, 200, moved).astype(np.int32)
