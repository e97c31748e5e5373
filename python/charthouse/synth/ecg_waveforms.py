"""The waveform of an electrocardiogram: 12 leads, 10 seconds, and its WFDB files.

Each wave of a beat is a Gaussian, as in the dynamical model of McSharry et al. (2003,
doi 10.1109/TBME.2003.808805), set where the intervals have it. In the limb leads its height is the
projection of its axis; those of the chest have heights of their own. Baseline wander, hum of the
power line and noise are added.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from charthouse.core.synthetic_marker import PICTURE_COMMENT
from charthouse.synth.ecg_numbers import EcgNumbers
from charthouse.synth.signal import Floats

LEADS = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")  # as released
HERTZ, SECONDS, STEPS_PER_MV = 500, 10, 200
SAMPLES = HERTZ * SECONDS

# Height in mV along the wave's axis, and in V1 to V6.
HEIGHTS: dict[str, tuple[float, tuple[float, ...]]] = {
    "p": (0.13, (0.05, 0.07, 0.08, 0.08, 0.08, 0.07)),
    "q": (-0.10, (0.0, 0.0, 0.0, -0.02, -0.07, -0.07)),
    "r": (1.05, (0.20, 0.40, 0.75, 1.25, 1.30, 1.00)),
    "s": (-0.22, (-0.90, -1.15, -0.85, -0.45, -0.20, -0.08)),
    "t": (0.28, (0.05, 0.30, 0.35, 0.35, 0.30, 0.22)),
}
USUAL_T_AXIS = 45.0  # degrees; the further from it, the lower the T waves of the chest
IRREGULAR = {False: 0.02, True: 0.16}  # of RR intervals, without and with atrial fibrillation
EDGE = 0.12  # seconds at both ends without an R peak


def beat_times(rng: np.random.Generator, rr: float, fibrillating: bool) -> Floats:
    """Times of R peaks in s, one before and one after the record among them.

    Those within it are ``rr`` ms apart on average, which is then what the cart has measured.
    """
    step = rr / 1000
    first = EDGE + rng.random() * 0.9 * step
    inside = int((SECONDS - EDGE - first) / step)
    factors = np.maximum(1 + IRREGULAR[fibrillating] * rng.standard_normal(inside + 2), 0.55)
    gaps = step * factors[1:-1] / factors[1:-1].mean()
    times = first + np.append(0.0, np.cumsum(gaps))
    before = min(first - step * factors[0], -0.05)
    after = max(times[-1] + step * factors[-1], SECONDS + 0.05)
    return np.concatenate(([before], times, [after]))


def draw_leads(rng: np.random.Generator, numbers: EcgNumbers) -> Floats:
    """The leads of one electrocardiogram in mV, shape ``(SAMPLES, 12)``, in the order of LEADS."""
    shown = {name: column[0].item() for name, column in vars(numbers).items()}
    time = np.arange(SAMPLES) / HERTZ
    beats = beat_times(rng, shown["rr_interval"], shown["fibrillating"])
    qrs, qt = shown["qrs_duration"] / 1000, shown["qt_interval"] / 1000
    onset = -0.45 * qrs  # of the QRS complex, from the R peak
    spread_t = 0.2 * (qt - qrs)
    spread_p = shown["p_duration"] / 5000
    waves = {  # where the middle is, and the standard deviation, in s
        "p": (onset - shown["pr_interval"] / 1000 + 2.5 * spread_p, spread_p),
        "q": (onset + 0.15 * qrs, qrs / 13),
        "r": (0.0, qrs / 9),
        "s": (onset + 0.78 * qrs, qrs / 10),
        "t": (onset + qt - 2.2 * spread_t, spread_t),
    }
    axes = {name: shown["qrs_axis"] for name in "qrs"}
    axes |= {"p": shown["p_axis"], "t": shown["t_axis"]}
    size = np.exp(0.18 * rng.standard_normal())
    limbs = np.zeros((SAMPLES, 2))  # I and II, from which the others follow
    chest = np.zeros((SAMPLES, 6))
    for name, (height, of_chest) in HEIGHTS.items():
        middle, spread = waves[name]
        if name == "p" and shown["fibrillating"]:
            course = 0.3 * np.sin(2 * np.pi * (rng.uniform(5, 7) * time + rng.random()))
        else:
            away = (time[:, None] - (beats + middle)) / spread
            course = np.exp(-0.5 * away**2).sum(axis=1)
        axis = np.deg2rad(axes[name])
        limbs += size * height * course[:, None] * np.cos([axis, axis - np.pi / 3])
        flat = np.cos(axis - np.deg2rad(USUAL_T_AXIS)) if name == "t" else 1.0
        chest += size * flat * course[:, None] * np.array(of_chest)
    one, two = (limbs + _disturbance(rng, time, 2)).T
    chest += _disturbance(rng, time, 6)
    derived = (one, two, two - one, -(one + two) / 2, two - one / 2, one - two / 2)
    return np.column_stack((*derived, chest))


def _disturbance(rng: np.random.Generator, time: Floats, leads: int) -> Floats:
    """Baseline wander, hum and noise in mV, shape ``(len(time), leads)``."""
    noise = 0.012 * rng.standard_normal((len(time), leads))
    for lowest, highest, height in ((0.15, 0.4, 0.06), (0.15, 0.4, 0.03), (60, 60, 0.008)):
        turns = rng.uniform(lowest, highest) * time[:, None] + rng.random(leads)
        noise += height * rng.uniform(0.4, 1.2, leads) * np.sin(2 * np.pi * turns)
    return noise


def wfdb_files(
    subject_id: int, study_id: int, ecg_time: int, leads: Floats
) -> tuple[str, NDArray[np.int16]]:
    """Header and samples as MIMIC-IV-ECG has them: format 16, one file, 200 steps a mV.

    Args:
        subject_id: The patient.
        study_id: Names the files.
        ecg_time: Seconds since 1970 by the clock of the cart.
        leads: In mV, ``(SAMPLES, 12)``.

    Returns:
        The text of the .hea, and what the .dat holds, little-endian int16 ``(SAMPLES, 12)``.
    """
    # -32768 is WFDB's word for no value
    steps = np.clip(np.rint(leads * STEPS_PER_MV), -32767, 32767).astype("<i2")
    date, clock = str(np.datetime64(ecg_time, "s")).split("T")
    year, month, day = date.split("-")
    lines = [f"{study_id} {len(LEADS)} {HERTZ} {len(steps)} {clock} {day}/{month}/{year}"]
    for lead, column in zip(LEADS, steps.T, strict=True):
        checksum = int(column.astype(np.int64).sum()) % 65536
        lines.append(
            f"{study_id}.dat 16 {STEPS_PER_MV:.1f}(0)/mV 16 0 {column[0]} {checksum} 0 {lead}"
        )
    lines += [f"# <subject_id>: {subject_id}", f"# {PICTURE_COMMENT.decode()}"]
    return "\n".join(lines) + "\n", steps


def write_waveform(
    path: Path,
    rng: np.random.Generator,
    subject_id: int,
    study_id: int,
    ecg_time: int,
    numbers: EcgNumbers,
) -> None:
    """Draw one electrocardiogram and write it at ``path``, which has no ending."""
    header, steps = wfdb_files(subject_id, study_id, ecg_time, draw_leads(rng, numbers))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(f"{path.name}.hea").write_text(header, encoding="ascii", newline="\n")
    path.with_name(f"{path.name}.dat").write_bytes(steps.tobytes())
