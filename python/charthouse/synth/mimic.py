"""The synthetic MIMIC, in one call: all of it or nothing."""

import errno
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from charthouse.core.errors import CharthouseError
from charthouse.core.synthetic_marker import MARKER, write_marker
from charthouse.synth.chartevents import write_chartevents
from charthouse.synth.clinical_tables import write_clinical_tables
from charthouse.synth.ecg_records import plan_ecgs
from charthouse.synth.ecgs import write_ecgs
from charthouse.synth.notes import write_discharge, write_radiology
from charthouse.synth.patient_tables import write_items, write_population
from charthouse.synth.population import build_population
from charthouse.synth.schedule import plan_reports, plan_summaries
from charthouse.synth.studies import draw_images, draw_studies
from charthouse.synth.truth import GENERATOR_VERSION, gather_truth
from charthouse.synth.xrays import write_cxr_tables, write_pictures

FOLDERS = ("mimic-iv/hosp", "mimic-iv/icu", "mimic-iv-note/note", "mimic-cxr", "mimic-iv-ecg")
DATA_SETS = ("mimic-iv", "mimic-iv-note", "mimic-cxr", "mimic-iv-ecg")
LEAST_PIXELS = 32  # below this the picture cannot hold the word in its corner
MOST_STAYS = 10_000_000  # some 100 times MIMIC-IV; a stay_id has eight digits

SynthProgress = Callable[[str, int, int], None]
"""Called as ``progress(label, done, total)``."""


def write_synthetic_mimic(
    out: Path,
    *,
    stays: int,
    seed: int = 0,
    rows_per_stay: float = 4286.0,
    image_pixels: int = 256,
    ecg_waveforms: int = 200,
    threads: int | None = None,
    progress: SynthProgress = lambda label, done, total: None,
) -> dict[str, Any]:
    """Write a synthetic MIMIC-IV, MIMIC-IV-Note, MIMIC-CXR and MIMIC-IV-ECG below ``out``.

    The folder appears complete or not at all: everything is written to a hidden sibling first. The
    same arguments give the same bytes, whatever the number of threads.

    Args:
        out: The folder to create; it must not exist or be empty.
        stays: Number of ICU stays (MIMIC-IV 2.2 has 73,181).
        seed: Seed of every random choice.
        rows_per_stay: Mean number of chartevents rows per stay; labevents is in proportion.
            Fewer than the default removes only rows that no model uses; vital signs and laboratory
            tests are the same for the same seed.
        image_pixels: Width and height of the JPGs in pixels; 0 writes their metadata only.
        ecg_waveforms: How many ECGs get waveform files (120 kB each), those of the first day of
            stays first; 0 writes their lists only, a number above that of all ECGs all of them.
        threads: Threads for compression, pictures and waveforms; None means one per core.
        progress: Called with what is being written, and how much of it is done.

    Returns:
        The planted effects, as in ``SYNTHETIC.json``.

    Raises:
        CharthouseError: An argument is not valid, the folder is not empty, or the disk is full.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     truth = write_synthetic_mimic(
        ...         Path(folder, "mimic"), stays=5, rows_per_stay=500, image_pixels=0
        ...     )
        ...     sorted(path.name for path in Path(folder, "mimic").iterdir())
        ['SYNTHETIC.json', 'mimic-cxr', 'mimic-iv', 'mimic-iv-ecg', 'mimic-iv-note']
        >>> truth["patients"] <= 5
        True
    """
    _check_arguments(stays, seed, rows_per_stay, image_pixels, ecg_waveforms)
    _check_target(out := Path(out))
    out = out.resolve()
    partial = out.with_name(f".{out.name}.partial")
    settings: dict[str, Any] = {
        "seed": seed,
        "stays": stays,
        "rows_per_stay": rows_per_stay,
        "image_pixels": image_pixels,
        "ecg_waveforms": ecg_waveforms,
    }
    try:
        shutil.rmtree(partial, ignore_errors=True)
        for folder in FOLDERS:
            (partial / folder).mkdir(parents=True)
        with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
            truth = _write_parts(partial, settings, pool, progress)
        # Replaces an empty folder, and fails if something has been put into it meanwhile.
        partial.replace(out)
    except OSError as error:
        raise CharthouseError(_explain(error, out)) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return truth


def _write_parts(
    root: Path, settings: dict[str, Any], pool: ThreadPoolExecutor, progress: SynthProgress
) -> dict[str, Any]:
    """Write every file below ``root``, truths last."""
    stays, seed, pixels = settings["stays"], settings["seed"], settings["image_pixels"]
    progress("patients and stays", 0, stays)
    population = build_population(stays, seed)
    studies = draw_studies(population, seed)
    images = draw_images(studies, seed)
    reports = plan_reports(population, studies, seed)
    summaries = plan_summaries(population, seed)
    patients = population.patients
    progress("patients and stays", stays, stays)

    written = write_population(root / "mimic-iv", population, pool)
    rows = {f"mimic-iv/{name}": count for name, count in written.items()}
    rows["mimic-iv/icu/d_items.csv.gz"] = write_items(root / "mimic-iv/icu/d_items.csv.gz", pool)
    counts, outliers, tube_seen = write_chartevents(
        root / "mimic-iv/icu/chartevents.csv.gz",
        population,
        settings["rows_per_stay"],
        seed,
        pool,
        done=lambda done: progress("chart events", done, stays),
    )
    rows["mimic-iv/icu/chartevents.csv.gz"] = counts["rows"]

    clinical = write_clinical_tables(
        root / "mimic-iv", population, tube_seen, settings["rows_per_stay"], seed, pool, progress
    )
    rows |= {f"mimic-iv/{name}.csv.gz": count for name, count in clinical.rows.items()}

    note = root / "mimic-iv-note/note"
    for done in write_radiology(note, population, reports, seed, pool):
        progress("radiology reports", done, len(reports))
    for done in write_discharge(note, population, summaries, seed, pool):
        progress("discharge summaries", done, len(summaries))
    of_notes = {"radiology": len(reports), "radiology_detail": 2 * len(reports)}
    of_notes |= dict.fromkeys(("discharge", "discharge_detail"), len(summaries))
    rows |= {f"mimic-iv-note/note/{name}.csv.gz": count for name, count in of_notes.items()}

    cxr = root / "mimic-cxr"
    written = write_cxr_tables(cxr, patients, studies, images, pixels, seed, pool)
    rows |= {f"mimic-cxr/{name}": count for name, count in written.items()}
    if pixels:
        for done in write_pictures(cxr, patients, studies, images, pixels, seed, pool):
            progress("X-ray pictures", done, len(images))

    ecgs = plan_ecgs(population, settings["ecg_waveforms"], seed)
    measured: Counter[str] = Counter()
    for done in write_ecgs(root / "mimic-iv-ecg", population, ecgs, seed, pool, measured):
        progress("electrocardiograms", done, len(ecgs))
    rows["mimic-iv-ecg/record_list.csv.gz"] = len(ecgs)
    rows["mimic-iv-ecg/machine_measurements.csv.gz"] = measured.pop("rows")

    planned = ecgs, measured, studies, images, reports, summaries
    truth = gather_truth(population, counts, outliers, clinical, *planned, rows, settings)
    for folder in DATA_SETS:
        write_marker(
            root / folder,
            "Synthetic data: nothing in this folder is, or is derived from, a real patient.\n"
            f"Made by the Charthouse synthetic MIMIC generator {GENERATOR_VERSION} with "
            f"{stays} ICU stays and seed {seed}.\n"
            "Files that are added or changed are not synthetic, and all here then count as real;"
            f" to see which: sha256sum -c {MARKER}",
            pool,
        )
    (root / "SYNTHETIC.json").write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8")
    return truth


def _check_arguments(
    stays: int, seed: int, rows_per_stay: float, image_pixels: int, ecg_waveforms: int
) -> None:
    if stays < 1:
        raise CharthouseError(f"stays is {stays}: ask for at least 1 ICU stay.")
    if stays > MOST_STAYS:
        raise CharthouseError(f"stays is {stays:g}: ask for at most {MOST_STAYS:,} ICU stays.")
    if not 0 <= seed < 2**63:
        raise CharthouseError(f"seed is {seed:g}: choose 0 or a whole number of up to 63 bits.")
    if not 0 <= rows_per_stay <= 1_000_000:
        raise CharthouseError(
            f"rows_per_stay is {rows_per_stay:g}: choose a number from 0 to 1,000,000."
        )
    if image_pixels != 0 and not LEAST_PIXELS <= image_pixels <= 4096:
        raise CharthouseError(
            f"image_pixels is {image_pixels}: choose 0 for no pictures, or {LEAST_PIXELS} to 4096."
        )
    if ecg_waveforms < 0:
        raise CharthouseError(
            f"ecg_waveforms is {ecg_waveforms:g}: choose 0 for no waveforms, or how many ECGs get"
            " them."
        )


def _check_target(out: Path) -> None:
    try:
        if out.exists() and not out.is_dir():
            raise CharthouseError(f"{out} is a file: choose a folder to write into.")
        if out.exists() and any(out.iterdir()):
            raise CharthouseError(
                f"{out} is not empty: choose a new folder, or remove what is in it."
            )
    except OSError as error:
        raise CharthouseError(_explain(error, out)) from error


def _explain(error: OSError, out: Path) -> str:
    """One line for the user: what, where, how to mend it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk of {out} is full: free some space, or ask for fewer stays."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{out} cannot be written (no permission): choose a folder that is yours."
    if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
        return f"{out} is no longer empty: choose a new folder, or remove what is in it."
    return f"{out} cannot be written ({error.strerror or error}): choose another folder."
