"""Stream icu/chartevents: vital signs among the many other rows of the table.

The pieces of a row are its beginning (subject to caregiver), two times and its ending (itemid to
warning).
"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa

from charthouse.synth import vital_signs as vs
from charthouse.synth.big_tables import LUT, cut_by_hours, join_pieces, stay_text, time_text
from charthouse.synth.csv_gz import GzipWriter
from charthouse.synth.filler_items import FILLER_ITEMS
from charthouse.synth.population import DAY, HOUR, NO_TIME, Ints, Population
from charthouse.synth.random_streams import RandomStream, rng_for
from charthouse.synth.vital_sign_rows import (
    VitalRows,
    draw_vitals,
    plan_charting,
    plan_planted_values,
)

Outliers = dict[int, Counter[float]]
"""Rows of each itemid with exactly a planted value."""

HEADER = (
    b"subject_id,hadm_id,stay_id,caregiver_id,charttime,storetime,"
    b"itemid,value,valuenum,valueuom,warning\n"
)
NURSES = 4


class _Endings:
    """Ready-made text 'itemid,value,valuenum,valueuom,warning' for every possible row."""

    def __init__(self) -> None:
        texts: list[str] = []
        self.first = np.zeros(len(vs.VITAL_SIGNS), np.int64)
        self.width = np.zeros(len(vs.VITAL_SIGNS), np.int64)
        for place, sign in enumerate(vs.VITAL_SIGNS):
            self.first[place] = len(texts) - sign.hundredths[0]
            self.width[place] = len(sign.hundredths)
            for null in (False, True):
                texts.extend(_vital_ending(sign, value, null) for value in sign.hundredths)
        start = len(texts)
        weights: list[float] = []
        for item in FILLER_ITEMS:
            # The first choices are the most frequent; a floor keeps all of them in the data.
            falling = 1.0 / (np.arange(len(item.choices)) + 1.0) + 0.05
            weights.extend(item.weight * falling / falling.sum())
            for choice in item.choices:
                number = choice if item.numeric else ""
                texts.append(f"{item.itemid},{choice},{number},{item.unit},0\n")
        edges = np.cumsum(weights) / np.sum(weights)
        spread = (np.arange(LUT) + 0.5) / LUT
        self.filler_lut = start + np.searchsorted(edges, spread)
        self.texts = pa.array(texts)

    def of_vitals(self, rows: VitalRows) -> Ints:
        """Positions of the endings of vital-sign rows."""
        shift = rows.null * self.width[rows.sign]
        return self.first[rows.sign] + rows.hundredths + shift


def _vital_ending(sign: vs.VitalSign, hundredths: int, null: bool) -> str:
    number = f"{hundredths / 100:g}"
    text = number
    if sign.texts and hundredths == vs.ETT:
        text, number = "No Response-ETT", "1"
    elif sign.texts and hundredths % 100 == 0 and 1 <= hundredths // 100 <= len(sign.texts):
        text = sign.texts[hundredths // 100 - 1]
    natural = sign.natural[0] * 100 <= hundredths <= sign.natural[1] * 100
    warning = 0 if natural or hundredths == vs.ETT else 1
    return f"{sign.itemid},{text},{'' if null else number},{sign.unit},{warning}\n"


def _storetime_delays() -> Ints:
    """Seconds from charting to storing by quantile; the first entries are the odd ones."""
    spread = np.random.Generator(np.random.PCG64(0)).permutation(LUT)
    quantile = (spread + 0.5) / LUT
    minutes = np.exp(np.log(14.0) + 1.15 * _normal_quantile(quantile))
    delay = (np.minimum(minutes, 40 * 60.0) * 60).astype(np.int64)
    # About one in ten rows is validated at the end of a shift or the next day.
    late = np.arange(LUT) < LUT // 10
    delay = np.where(late, (quantile * 26 * HOUR).astype(np.int64) + HOUR, delay)
    delay = delay // 60 * 60
    delay[:400] = -60 * (1 + np.arange(400) % 9)
    delay[400:460] = NO_TIME
    return delay


def _normal_quantile(p: np.ndarray) -> np.ndarray:
    """Standard normal quantiles, close enough for delays (Tukey's lambda, 0.14)."""
    return np.asarray((p**0.14 - (1 - p) ** 0.14) / 0.1975)


def write_chartevents(
    path: Path,
    population: Population,
    rows_per_stay: float,
    seed: int,
    pool: ThreadPoolExecutor,
    done: Callable[[int], None],
) -> tuple[Counter[str], Outliers, Ints]:
    """Write the table, with ``rows_per_stay`` rows a stay on average, filler included.

    ``done`` is called after every chunk with the number of stays written.

    Returns:
        Counts of what was written, planted effects among them, and of the planted values; when
        each stay's verbal response was last charted as lacking for a tube, or NO_TIME.
    """
    stays = population.stays
    charting = plan_charting(stays, seed)
    plants = plan_planted_values(stays, charting, seed)
    target = np.rint(rows_per_stay * stays.seconds / stays.seconds.mean()).astype(np.int64)
    endings, delays = _Endings(), _storetime_delays()
    counts: Counter[str] = Counter()
    outliers: Outliers = {sign.itemid: Counter() for sign in vs.VITAL_SIGNS}
    tube_seen = np.full(len(stays), NO_TIME)
    with GzipWriter(path, pool) as out:
        out.write(HEADER)
        for chunk, chosen in enumerate(cut_by_hours(stays.seconds)):
            rows = draw_vitals(stays, charting, plants, chosen, seed, chunk)
            rng = rng_for(seed, RandomStream.FILLER, chunk)
            intime, outtime = stays.intime[chosen], stays.outtime[chosen]
            vital_count = np.bincount(rows.stay, minlength=len(intime))
            stay, charttime = _filler_times(rng, intime, outtime, target[chosen] - vital_count)
            ending = endings.filler_lut[rng.integers(0, LUT, len(stay), dtype=np.uint16)]

            stay = np.concatenate((rows.stay, stay))
            charttime = np.concatenate((rows.charttime, charttime))
            ending = np.concatenate((endings.of_vitals(rows), ending))
            # Grouped by stay and hour: roughly, but not strictly, in the order of time.
            order = np.argsort((stay << 32) + charttime // HOUR, kind="stable")
            stay, charttime, ending = stay[order], charttime[order], ending[order]
            delay = delays[rng.integers(0, LUT, len(stay), dtype=np.uint16)]
            storetime = np.where(delay == NO_TIME, NO_TIME, charttime + delay)
            beginning = stay * NURSES + charttime // (DAY // 2) % NURSES
            beginnings = _row_beginnings(rng, population, chosen)
            out.write(
                join_pieces(
                    beginnings.take(pa.array(beginning)),
                    time_text(charttime),
                    time_text(storetime),
                    endings.texts.take(pa.array(ending)),
                )
            )

            counts["rows"] += len(stay)
            _count_vitals(counts, outliers, rows)
            tube = (rows.sign == vs.INDEX[vs.GCS_VERBAL]) & (rows.hundredths == vs.ETT)
            seen = rows.stay[tube] + chosen.start
            np.maximum.at(tube_seen, seen, rows.charttime[tube])
            early = (storetime < charttime) & (storetime != NO_TIME)
            counts["null_storetime_rows"] += int((storetime == NO_TIME).sum())
            counts["stored_before_charted_rows"] += int(early.sum())
            counts["rows_before_intime"] += int((charttime < intime[stay]).sum())
            counts["rows_after_outtime"] += int((charttime > outtime[stay]).sum())
            counts["stays_without_vitals"] += int((vital_count == 0).sum())
            done(chosen.stop)
    return counts, outliers, tube_seen


def _filler_times(
    rng: np.random.Generator, intime: Ints, outtime: Ints, count: Ints
) -> tuple[Ints, Ints]:
    """Stay and charting time of filler rows, evenly spread, most of them on the hour."""
    count = np.maximum(count, 0)
    stay = np.repeat(np.arange(len(count)), count)
    rank = np.arange(len(stay)) - (np.cumsum(count) - count)[stay]
    share = (rank + rng.random(len(stay), dtype=np.float32)) / np.maximum(count, 1)[stay]
    time = intime[stay] + (share * (outtime - intime)[stay]).astype(np.int64)
    unit = np.where(rng.random(len(stay), dtype=np.float32) < 0.7, HOUR, 60)
    first = -(-intime // 60) * 60
    return stay, np.maximum(time // unit * unit, first[stay])


def _row_beginnings(
    rng: np.random.Generator, population: Population, chosen: slice
) -> pa.StringArray:
    """Text 'subject,hadm,stay,caregiver', NURSES of them for each stay."""
    nurse = rng.integers(1000, 100_000, (chosen.stop - chosen.start, NURSES))
    of_stay = zip(stay_text(population, chosen), nurse, strict=True)
    return pa.array([f"{stay},{caregiver}" for stay, four in of_stay for caregiver in four])


def _count_vitals(counts: Counter[str], outliers: Outliers, rows: VitalRows) -> None:
    """Add the rows of one chunk."""
    celsius = rows.sign == vs.INDEX[vs.TEMP_C]
    second_line = np.isin(rows.sign, [vs.INDEX[item] for item in vs.SECOND_LINE])
    arterial = second_line | (rows.sign == vs.INDEX[vs.ABP_SYS])
    tube = (rows.hundredths == vs.ETT) & (rows.sign == vs.INDEX[vs.GCS_VERBAL])
    counts["vital_rows"] += len(rows.stay)
    counts["celsius_rows"] += int(celsius.sum())
    counts["celsius_stays"] += len(np.unique(rows.stay[celsius]))
    counts["null_valuenum_rows"] += int(rows.null.sum())
    counts["duplicate_rows"] += int(rows.duplicate.sum())
    counts["no_response_ett_rows"] += int((tube & ~rows.null).sum())
    counts["second_line_rows"] += int(second_line.sum())
    counts["stays_with_arterial_pressure"] += len(np.unique(rows.stay[arterial]))
    charted = np.where(tube, 100, rows.hundredths)  # MIMIC scores it as 1
    for place, sign in enumerate(vs.VITAL_SIGNS):
        values = charted[(rows.sign == place) & ~rows.null]
        for value in sign.planted:
            outliers[sign.itemid][value] += int((values == round(value * 100)).sum())
