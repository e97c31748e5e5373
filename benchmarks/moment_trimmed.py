"""MOMENT on its observed patches alone, beside momentfm's own path over all 64.

    python benchmarks/moment_trimmed.py

The true shape of MOMENT-1-large with random weights (1.4 GB, written to a temporary folder and
loaded by both): time and memory do not depend on what the weights are. Same stays, same weights,
each way in a process of its own. Claims: the vectors agree within 1e-5; 24 bins take less than a
tenth of the time.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from charthouse.models.encoders.base import Context, Stay
from charthouse.models.encoders.moment import SEQ_LEN, Moment, MOMENTPipeline
from charthouse.models.encoders.registry import encoder_spec

Result = TypeVar("Result")
PROJECT = Path(__file__).resolve().parents[1]
VITAL_SIGNS = tuple(f"vital_sign_{number}" for number in range(13))
LARGE = {
    "task_name": "reconstruction",
    "transformer_type": "encoder_only",
    "transformer_backbone": "google/flan-t5-large",
    "d_model": None,
    "seq_len": 512,
    "patch_len": 8,
    "patch_stride_len": 8,
    "t5_config": {
        "d_model": 1024,
        "d_kv": 64,
        "d_ff": 2816,
        "num_layers": 24,
        "num_heads": 16,
        "feed_forward_proj": "gated-gelu",
        "is_encoder_decoder": False,
        "vocab_size": 32128,
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bins", type=int, nargs="+", default=[24, 48])
    parser.add_argument("--stays", type=int, default=16)
    parser.add_argument("--padded-stays", type=int, default=4, help="the first of them; it is slow")
    parser.add_argument("--runs", type=int, default=3, help="the fastest counts")
    parser.add_argument("--way", choices=WAYS, help="run one in this process (used by the other)")
    parser.add_argument("--folder", type=Path, help="with --way")
    arguments = parser.parse_args()
    if arguments.way:
        cost = WAYS[arguments.way](
            arguments.bins[0], arguments.stays, arguments.runs, arguments.folder
        )
        cost["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
        print(json.dumps(cost))
        return

    print("bins | momentfm s/stay | ours s/stay | ratio | the same, 4 of 13 constant | "
          "peak GB momentfm | ours | vectors differ by")  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_checkpoint(folder / "moment")
        for bins in arguments.bins:
            padded = child("padded", bins, arguments.padded_stays, arguments.runs, folder)
            ours = child("trimmed", bins, arguments.stays, arguments.runs, folder)
            difference = np.abs(
                np.load(folder / "padded.npy")
                - np.load(folder / "trimmed.npy")[: arguments.padded_stays]
            ).max()
            print(
                f"{bins} | {padded['seconds']:.2f} | {ours['seconds']:.3f}"
                f" | {padded['seconds'] / ours['seconds']:.1f} | {ours['constant']:.3f}"
                f" | {padded['peak_gb']:.2f} | {ours['peak_gb']:.2f} | {difference:.1e}",
                flush=True,
            )


def write_checkpoint(folder: Path) -> None:
    """MOMENT-1-large with random weights, laid out as on the hub."""
    torch.manual_seed(0)
    MOMENTPipeline(LARGE, model_kwargs={}).save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(LARGE))


def child(way: str, bins: int, stays: int, runs: int, folder: Path) -> dict[str, float]:
    """Runs one way in a process of its own and reads what it cost."""
    done = subprocess.run(
        [sys.executable, __file__, "--way", way, "--bins", str(bins), "--stays", str(stays),
         "--runs", str(runs), "--folder", str(folder)],
        capture_output=True, text=True, env=os.environ | {"CHARTHOUSE_WEIGHTS": str(folder)},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return json.loads(done.stdout.splitlines()[-1])


def grids(bins: int, stays: int) -> np.ndarray:
    """Random walks [stays, 13, bins]; every series varies."""
    random = np.random.default_rng(0)
    return (80 + random.normal(scale=5, size=(stays, 13, bins)).cumsum(axis=-1)).astype(np.float32)


def trimmed(bins: int, stays: int, runs: int, folder: Path) -> dict[str, float]:
    """Our encoder, as `charthouse embed` runs it."""
    encoder = loaded(bins)
    series = grids(bins, stays)
    encoder.encode(stays_of(series[:1]))  # the first call allocates
    seconds, encoded = best_of(runs, lambda: encoder.encode(stays_of(series)))
    np.save(folder / "trimmed.npy", encoded.vectors)
    series[:, :4] = 118.0  # as arterial pressures and GCS of many stays: never measured
    constant, _ = best_of(runs, lambda: encoder.encode(stays_of(series)))
    return {"seconds": seconds / stays, "constant": constant / stays}


def padded(bins: int, stays: int, runs: int, folder: Path) -> dict[str, float]:
    """momentfm's embed: left-padded to 512 steps, with the mask."""
    model = loaded(bins)._model
    mask = torch.zeros(stays, SEQ_LEN)
    mask[:, -bins:] = 1
    series = torch.zeros(stays, 13, SEQ_LEN)
    series[..., -bins:] = torch.from_numpy(grids(bins, stays))
    with torch.inference_mode():
        model.embed(x_enc=series[:1], input_mask=mask[:1])
        seconds, output = best_of(runs, lambda: model.embed(x_enc=series, input_mask=mask))
    np.save(folder / "padded.npy", output.embeddings.numpy())
    return {"seconds": seconds / stays}


def best_of(runs: int, function: Callable[[], Result]) -> tuple[float, Result]:
    """Seconds of the fastest run, which other programs disturbed least, and its result."""
    seconds = float("inf")
    for _ in range(runs):
        started = time.monotonic()
        result = function()
        seconds = min(seconds, time.monotonic() - started)
    return seconds, result


def loaded(bins: int) -> Moment:
    encoder = Moment(
        Context(encoder_spec(PROJECT, "moment"), variables={}, channels=VITAL_SIGNS, bins=bins)
    )
    encoder.load()
    return encoder


def stays_of(series: np.ndarray) -> list[Stay[np.ndarray]]:
    return [Stay(number, number, "test", grid) for number, grid in enumerate(series)]


WAYS = {"trimmed": trimmed, "padded": padded}

if __name__ == "__main__":
    main()
