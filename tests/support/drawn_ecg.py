"""ECGs drawn as WFDB records: beats of P, QRS and T in 12 leads, and noise."""

from pathlib import Path
from typing import Any

import numpy as np
import wfdb

from charthouse.data.ecg_files import LEADS

# of each wave: place around the R peak and width in seconds, height in mV
WAVES = ((-0.16, 0.02, 0.15), (-0.02, 0.008, -0.1), (0.0, 0.01, 1.2), (0.03, 0.01, -0.2),
         (0.24, 0.04, 0.3))  # fmt: skip
GAINS = np.array([0.7, 1.0, 0.3, -0.85, 0.65, 0.2, -0.4, 0.3, 0.8, 1.1, 1.0, 0.8])


def draw_leads(
    seed: int = 0, *, bpm: float = 70, seconds: float = 10, rate: int = 500, noise: float = 0.03
) -> np.ndarray:
    """[samples, 12] in mV: beats at an even rate, waves of heights that the seed draws."""
    rng = np.random.default_rng(seed)
    heights = rng.uniform(0.6, 1.4, len(WAVES))
    at = np.arange(round(seconds * rate)) / rate
    one = np.zeros(len(at))
    for beat in np.arange(0.4, seconds, 60 / bpm):
        for (place, width, height), factor in zip(WAVES, heights, strict=True):
            one += factor * height * np.exp(-0.5 * ((at - beat - place) / width) ** 2)
    gains = GAINS * rng.uniform(0.8, 1.2, len(GAINS))
    drift = 0.2 * np.sin(2 * np.pi * 0.2 * at)  # breathing
    return one[:, None] * gains + drift[:, None] + rng.normal(0, noise, (len(at), len(GAINS)))


def write_record(folder: Path, name: str, leads: np.ndarray, **more: Any) -> Path:
    """Writes `name`.hea and `name`.dat as MIMIC-IV-ECG has them; the path without the endings."""
    folder.mkdir(parents=True, exist_ok=True)
    number = leads.shape[1]
    options = {
        "fs": 500, "units": ["mV"] * number, "sig_name": list(LEADS[:number]),
        "fmt": ["16"] * number, "adc_gain": [200.0] * number, "baseline": [0] * number,
    } | more  # fmt: skip
    wfdb.wrsamp(name, p_signal=leads, write_dir=str(folder), **options)
    return folder / name
