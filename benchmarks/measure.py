"""Runs a command and says how long it took and how much memory it held at most."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from charthouse.synth.mimic import write_synthetic_mimic

PROJECT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Cost:
    """Of one process, as the operating system accounts for it."""

    seconds: float  # wall clock
    cpu_seconds: float
    peak_gb: float  # largest resident set, 10^9 bytes


def run(command: Sequence[str], **environment: str) -> Cost:
    """Runs the command to its end, in the project's folder; raises if it fails."""
    started = time.monotonic()
    process = subprocess.Popen(
        command, cwd=PROJECT, env=os.environ | environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{' '.join(command)} failed:\n{output[-3000:]}")
    return Cost(
        seconds=time.monotonic() - started,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_gb=usage.ru_maxrss * 1024 / 1e9,
    )


def dbt_build_of(roots: Mapping[str, str], warehouse: Path, *arguments: str) -> Cost:
    """`dbt build` as a user types it, tests included; roots are the CHARTHOUSE_ folders."""
    return run(
        [str(Path(sys.executable).with_name("dbt")), "build", "--profiles-dir", "profiles",
         "--log-path", str(warehouse.parent / "logs"),
         "--target-path", str(warehouse.parent / "target"), *arguments],
        **roots,
        CHARTHOUSE_WAREHOUSE=str(warehouse),
    )  # fmt: skip


def dbt_build(data: Path, warehouse: Path, *arguments: str) -> Cost:
    """The same of a synthetic data set."""
    roots = {
        "CHARTHOUSE_MIMICIV": str(data / "mimic-iv"),
        "CHARTHOUSE_NOTE": str(data / "mimic-iv-note"),
        "CHARTHOUSE_CXR": str(data / "mimic-cxr"),
        "CHARTHOUSE_ECG": str(data / "mimic-iv-ecg"),
    }
    return dbt_build_of(roots, warehouse, *arguments)


def synthetic(folder: Path, stays: int) -> Path:
    """A synthetic MIMIC of that size, without pictures; made once, kept in the folder."""
    data = folder / f"stays{stays}"
    if not (data / "mimic-iv-ecg").exists():
        print(f"writing {data} ...", flush=True)
        write_synthetic_mimic(data, stays=stays, seed=0, image_pixels=0, ecg_waveforms=0)
    return data
