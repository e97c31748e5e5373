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

    The folder appears complete or not at all: everything is written to a hidden sibling first. The
    same arguments give the same bytes, whatever the number of threads.

    Args:
        out: The folder to create; it must not exist or be empty.
        stays: Number of ICU stays (MIMIC-IV 2.2 has 73,181).
        seed: Seed of every random choice.
        rows_per_stay: Mean number of chartevents rows per stay. Fewer than the default removes only
            rows that no model uses; the vital signs are the same for the same seed.
        image_pixels: Width and height of the JPGs in pixels; 0 writes their metadata only.
        threads: Threads for compression and pictures; None means one per core.
        progress: Called as ``progress(label, done, total)``.

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
        ['SYNTHETIC.json', 'mimic-cxr', 'mimic-iv', 'mimic-iv-note']
        >>> truth["patients"] <= 5
        True
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
