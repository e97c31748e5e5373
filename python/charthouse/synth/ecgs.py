"""Write MIMIC-IV-ECG: its two lists, and the WFDB files of some electrocardiograms.

The release has its lists as plain .csv. These are .csv.gz, which the warehouse reads as well:
only the header of a gzip file can say that what is in it is synthetic.
"""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa

from charthouse.synth.big_tables import csv_rows, pick, time_text
from charthouse.synth.csv_gz import GzipWriter
from charthouse.synth.ecg_numbers import EcgNumbers, draw_numbers, measured, plan_numbers
from charthouse.synth.ecg_records import NO_ROW, UNMEASURED, EcgRecords
from charthouse.synth.ecg_waveforms import write_waveform
from charthouse.synth.population import Ints, Population
from charthouse.synth.random_streams import RandomStream, rng_for

CHUNK = 20_000
REPORTS = 18
MEASURED = ("rr_interval", "p_onset", "p_end", "qrs_onset", "qrs_end", "t_end", "p_axis",
            "qrs_axis", "t_axis")  # fmt: skip
LIST_HEADER = b"subject_id,study_id,file_name,ecg_time,path\n"
MEASUREMENTS_HEADER = (
    "subject_id,study_id,cart_id,ecg_time,"
    + "".join(f"report_{number}," for number in range(REPORTS))
    + "bandwidth,filtering,"
    + ",".join(MEASURED)
    + "\n"
).encode()
CARTS = 60
BANDWIDTHS = ("0.005-150 Hz,60 Hz notch Baseline filter", "0.05-150 Hz,60 Hz notch",
              "0.05-100 Hz,<not specified>")  # fmt: skip
BANDWIDTH_EDGES = (0.8, 0.97)

# What a cart says of an electrocardiogram: one of each of these, in this order, if any applies.
RHYTHMS = ("Sinus rhythm", "Sinus bradycardia", "Sinus tachycardia", "Atrial fibrillation",
           "Atrial fibrillation with rapid ventricular response")  # fmt: skip
STATEMENTS: tuple[tuple[str, ...], ...] = (
    ("", "Left axis deviation", "Right axis deviation"),
    ("", "Intraventricular conduction delay"),
    ("", "Prolonged QT interval"),
    ("", "Nonspecific T wave changes"),
)
UNSUITABLE = "--- Recording unsuitable for analysis - please repeat ---"


def _all_reports() -> list[str]:
    """The text of report_0 to report_17 for every combination, and for none at all."""
    texts = []
    for rhythm, *said in product(RHYTHMS, *STATEMENTS):
        words = [rhythm, *(word for word in said if word)]
        normal = len(words) == 1 and rhythm == RHYTHMS[0]
        words.append("Normal ECG" if normal else "Abnormal ECG")
        texts.append(",".join(words + [""] * (REPORTS - len(words))))
    return [*texts, UNSUITABLE + "," * (REPORTS - 1)]


ALL_REPORTS = _all_reports()


def _report_of(numbers: EcgNumbers, mess: Ints) -> Ints:
    """Position in ALL_REPORTS of each record."""
    rr = numbers.rr_interval
    sinus = np.where(rr > 1000, 1, np.where(rr < 600, 2, 0))
    rhythm = np.where(numbers.fibrillating, 3 + (rr < 545), sinus)
    said = (
        np.where(numbers.qrs_axis < -30, 1, np.where(numbers.qrs_axis > 100, 2, 0)),
        numbers.qrs_duration > 115,
        numbers.qt_interval / np.sqrt(rr / 1000) > 470,
        np.abs((numbers.t_axis - numbers.qrs_axis + 180) % 360 - 180) > 80,
    )
    place = rhythm
    for words, which in zip(STATEMENTS, said, strict=True):
        place = place * len(words) + which
    return np.where(mess == UNMEASURED, len(ALL_REPORTS) - 1, place)


def write_ecgs(
    folder: Path,
    population: Population,
    records: EcgRecords,
    seed: int,
    pool: ThreadPoolExecutor,
    counts: Counter[str],
) -> Iterator[int]:
    """Write lists and files; yields the records done after every chunk.

    Args:
        folder: An existing folder (mimic-iv-ecg).
        population: Who is in the data.
        records: What plan_ecgs has planned.
        seed: Seed of every random choice.
        pool: Threads for compression and waveforms.
        counts: Counts of what was written are added to it.
    """
    plan = plan_numbers(population, seed)
    carts = 6_840_000 + rng_for(seed, RandomStream.ECG_NUMBERS, 1).integers(0, 9999, CARTS)
    with (
        GzipWriter(folder / "record_list.csv.gz", pool) as lists,
        GzipWriter(folder / "machine_measurements.csv.gz", pool) as measurements,
    ):
        lists.write(LIST_HEADER)
        measurements.write(MEASUREMENTS_HEADER)
        for chunk, start in enumerate(range(0, len(records), CHUNK)):
            stop = min(start + CHUNK, len(records))
            some = records.take(slice(start, stop))
            rng = rng_for(seed, RandomStream.ECG_NUMBERS, 2 + chunk)
            numbers = draw_numbers(rng, population, plan, some)
            paths = _paths(some)
            ids = pa.array(some.study_id)
            lists.write(
                csv_rows(pa.array(some.subject_id), ids, ids, time_text(some.time), pa.array(paths))
            )
            kept = np.flatnonzero(some.mess != NO_ROW)
            counts["ecgs_without_measurements"] += len(some) - len(kept)
            some_kept, shown = some.take(kept), numbers.take(kept)
            columns, wrong = measured(rng, shown, some_kept.mess)
            counts.update(wrong)
            band = np.searchsorted(BANDWIDTH_EDGES, rng.random(len(kept)))
            if len(kept):
                measurements.write(
                    csv_rows(
                        pa.array(some_kept.subject_id),
                        pa.array(some_kept.study_id),
                        pa.array(carts[rng.integers(0, CARTS, len(kept))]),
                        time_text(some_kept.time),
                        pick(ALL_REPORTS, _report_of(shown, some_kept.mess)),
                        pick(BANDWIDTHS, band),
                        *(pa.array(columns[name]) for name in MEASURED),
                    )
                )
            counts["rows"] += len(kept)
            counts["ecg_waveforms"] += int(some.has_waveform.sum())
            _write_waveforms(folder, some, numbers, paths, start, seed, pool)
            yield stop


def _write_waveforms(
    folder: Path,
    records: EcgRecords,
    numbers: EcgNumbers,
    paths: list[str],
    first: int,
    seed: int,
    pool: ThreadPoolExecutor,
) -> None:
    """Those of the records of one chunk that are to have files; ``first`` is that of the chunk."""

    def write(place: int) -> None:
        write_waveform(
            folder / paths[place],
            rng_for(seed, RandomStream.ECG_WAVEFORMS, first + place),
            int(records.subject_id[place]),
            int(records.study_id[place]),
            int(records.time[place]),
            numbers.take(slice(place, place + 1)),
        )

    # raises what went wrong in a thread
    list(pool.map(write, np.flatnonzero(records.has_waveform).tolist()))


def _paths(records: EcgRecords) -> list[str]:
    both = zip(records.subject_id.tolist(), records.study_id.tolist(), strict=True)
    return [f"files/p{str(who)[:4]}/p{who}/s{study}/{study}" for who, study in both]
