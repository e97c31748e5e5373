"""The synthetic data and the warehouse that most tests read, and what they are made by."""

import shutil
import time
from hashlib import sha256
from pathlib import Path

from bench import PARTS, PROJECT, Bench, roots_of
from charthouse.synth.mimic import write_synthetic_mimic

_CODE = ("python/charthouse/core", "python/charthouse/data", "python/charthouse/synth")


def made_by() -> str:
    """A hash of all that data and warehouse depend on, the place of the project included."""
    digest = sha256(str(PROJECT).encode())
    for part in (*PARTS, *_CODE, "requirements.lock", "tests/support/kept.py"):
        path = PROJECT / part
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in (file for file in files if file.is_file() and file.suffix != ".pyc"):
            digest.update(f"{file.relative_to(PROJECT)} ".encode())
            digest.update(sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def make(folder: Path) -> None:
    """A synthetic MIMIC of 300 stays, in data/, and its warehouse, which dbt has tested."""
    folder.mkdir(parents=True)
    write_synthetic_mimic(
        folder / "data", stays=300, seed=24, rows_per_stay=700, image_pixels=32, ecg_waveforms=40
    )
    bench = bench_of(folder)
    outcome = bench.build("unit_test")
    assert outcome.code == 0, outcome.output
    (folder / "md5").write_text(bench.md5())


def is_whole(folder: Path) -> bool:
    """Whether it was made to its end, and no test has written to the warehouse since."""
    written = folder / "md5"
    return written.exists() and written.read_text() == bench_of(folder).md5()


def bench_of(folder: Path) -> Bench:
    """The data and the warehouse in it."""
    return Bench(roots_of(folder / "data"), folder / "warehouse.duckdb", folder)


def remove_old(root: Path) -> None:
    """Those that no run has used for a day: others may be in use."""
    for folder in root.glob("[0-9a-f]" * 64):
        if time.time() - folder.stat().st_mtime > 86400:
            shutil.rmtree(folder, ignore_errors=True)
