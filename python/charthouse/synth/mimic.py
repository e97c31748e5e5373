"""The synthetic MIMIC, in one call."""

from pathlib import Path
from typing import Any

from charthouse.synth.version import SynthProgress


def write_synthetic_mimic(
    out: Path,
    *,
    stays: int,
    seed: int = 0,
    rows_per_stay: float = 4286.0,
    image_pixels: int = 256,
    threads: int | None = None,
    progress: SynthProgress | None = None,
) -> dict[str, Any]:
    """Write a synthetic MIMIC-IV, MIMIC-IV-Note and MIMIC-CXR below ``out``.

    The folder appears whole or not at all: all is written to a hidden sibling first. The same
    arguments give the same bytes, whatever the number of threads.

    Args:
        out: Folder to make; it must not exist or be empty.
        stays: Number of ICU stays (MIMIC-IV 2.2 has 73,181).
        seed: Seed of every random choice.
        rows_per_stay: Mean number of chartevents rows a stay. Fewer than the default thins only
            the rows that no model uses; the vital signs are the same for the same seed.
        image_pixels: Width and height of the JPGs; 0 writes their metadata only.
        threads: Threads for compression and pictures; None means one per core.
        progress: Told ``(label, done, total)`` as the work goes on.

    Returns:
        The planted truths, as in ``SYNTHETIC.json``.

    Raises:
        CharthouseError: A bad argument, a folder that is not empty, a full disk.
    """
    from charthouse.synth.write import write_all

    return write_all(
        Path(out),
        stays=stays,
        seed=seed,
        rows_per_stay=rows_per_stay,
        image_pixels=image_pixels,
        threads=threads,
        progress=progress or (lambda label, done, total: None),
    )
