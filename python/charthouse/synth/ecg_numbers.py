"""What an electrocardiogram shows, and what the cart measures of it.

A few numbers are drawn from the latents of the stay; the table of measurements and the waveform are
both made of them.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from charthouse.synth.columns import Columns
from charthouse.synth.ecg_records import (
    AXIS_BEYOND,
    NEGATIVE_RR,
    P_AFTER_QRS,
    T_AXIS_UNMEASURED,
    UNMEASURED,
    EcgRecords,
)
from charthouse.synth.population import Ints, Population
from charthouse.synth.random_streams import RandomStream, rng_for
from charthouse.synth.shifted import ecg_latents
from charthouse.synth.signal import Bools, Floats

NOT_MEASURED = 29999  # as carts write it
FIRST_WAVE = 40  # ms from the start of the averaged beat to that of its first wave
NO_P = 150  # ms more before the QRS complex where no P wave comes first
FIBRILLATION = dict(intercept=-2.3, severity=0.5)  # log odds of atrial fibrillation
FIBRILLATION_FASTER = 14  # beats per minute


@dataclass(frozen=True)
class Shown:
    """How one number of an electrocardiogram comes about; in its own unit."""

    level: float
    severity: float = 0  # shift a unit of severity
    death: float = 0  # a unit of the latent drawn given death
    long_stay: float = 0  # of that drawn given a stay over 3 days
    between: float = 0  # standard deviation between stays, from none of these
    within: float = 0  # from one to the next
    natural: tuple[float, float] = (-np.inf, np.inf)  # those drawn are kept within


SHOWN: dict[str, Shown] = {
    "heart_rate": Shown(84, 6.5, 5.0, 0, 9, 4, (36, 185)),  # as charted, but by its own latents
    "p_duration": Shown(104, between=9, within=3, natural=(60, 150)),
    "pr_interval": Shown(156, long_stay=9, between=15, within=4, natural=(100, 300)),
    "qrs_duration": Shown(94, death=8, between=9, within=2, natural=(64, 190)),
    "qt_corrected": Shown(438, long_stay=15, between=14, within=6, natural=(330, 600)),
    "p_axis": Shown(50, between=13, within=6),
    "qrs_axis": Shown(22, long_stay=-15, between=26, within=5),
    "t_axis": Shown(48, death=22, between=22, within=7),
}


@dataclass(frozen=True)
class EcgNumbers(Columns):
    """What some electrocardiograms show, shape ``(k,)`` each; times in ms, axes in degrees."""

    rr_interval: Floats
    p_duration: Floats
    pr_interval: Floats
    qrs_duration: Floats
    qt_interval: Floats
    p_axis: Floats
    qrs_axis: Floats
    t_axis: Floats
    fibrillating: Bools


@dataclass(frozen=True)
class EcgPlan:
    """What belongs to stays as a whole."""

    latents: dict[str, Floats]  # by task, (n,)
    between: NDArray[np.float64]  # (n, len(SHOWN))
    fibrillating: Floats  # (n,), uniform


def plan_numbers(population: Population, seed: int) -> EcgPlan:
    """Draw it."""
    rng = rng_for(seed, RandomStream.ECG_NUMBERS)
    n = len(population.stays)
    between = rng.standard_normal((n, len(SHOWN)))
    return EcgPlan(ecg_latents(population.stays, seed), between, rng.random(n))


def draw_numbers(
    rng: np.random.Generator, population: Population, plan: EcgPlan, records: EcgRecords
) -> EcgNumbers:
    """Draw what the records show.

    Those of no stay show the patient's part of severity, and latents that mean nothing.
    """
    k, stay, patient = len(records), records.stay, records.patient
    loose = stay < 0
    latents = {
        task: np.where(loose, rng.standard_normal(k), of_stays[stay])
        for task, of_stays in plan.latents.items()
    }
    death, long_stay = latents["in_hospital_mortality"], latents["icu_stay_over_3_days"]
    apart = np.where(
        patient < 0, rng.standard_normal(k), population.patients.severity[patient]
    ) / np.sqrt(2)
    severity = np.where(loose, apart, population.stays.latents.severity[stay])
    own = np.where(loose[:, None], rng.standard_normal((k, len(SHOWN))), plan.between[stay])
    drawn = {}
    for column, (name, each) in enumerate(SHOWN.items()):
        value = each.level + each.severity * severity + each.death * death
        value = value + each.long_stay * long_stay + each.between * own[:, column]
        drawn[name] = value + each.within * rng.standard_normal(k)
    chance = expit(FIBRILLATION["intercept"] + FIBRILLATION["severity"] * severity)
    fibrillating = np.where(loose, rng.random(k), plan.fibrillating[stay]) < chance
    drawn["heart_rate"] = drawn["heart_rate"] + FIBRILLATION_FASTER * fibrillating
    kept = {name: np.clip(value, *SHOWN[name].natural) for name, value in drawn.items()}
    rr = np.rint(60_000 / kept["heart_rate"])
    return EcgNumbers(
        rr_interval=rr,
        p_duration=kept["p_duration"],
        pr_interval=np.maximum(kept["pr_interval"], kept["p_duration"] + 20),
        qrs_duration=kept["qrs_duration"],
        qt_interval=kept["qt_corrected"] * np.sqrt(rr / 1000),  # Bazett
        p_axis=_turned(kept["p_axis"]),
        qrs_axis=_turned(kept["qrs_axis"]),
        t_axis=_turned(kept["t_axis"]),
        fibrillating=fibrillating,
    )


def _turned(degrees: Floats) -> Floats:
    """The same axes, within -180 and 180."""
    return (degrees + 180) % 360 - 180


def measured(
    rng: np.random.Generator, numbers: EcgNumbers, mess: Ints
) -> tuple[dict[str, Ints], Counter[str]]:
    """The columns of machine_measurements, and counts of what is wrong in them.

    Args:
        rng: Draws where the averaged beat begins.
        numbers: What the records show.
        mess: What is wrong with each, as EcgRecords has it.
    """
    without_p = numbers.fibrillating
    p_onset = FIRST_WAVE + rng.integers(-4, 5, len(numbers))
    qrs_onset = p_onset + np.where(without_p, NO_P, numbers.pr_interval)
    columns = {
        "rr_interval": numbers.rr_interval,
        "p_onset": np.where(without_p, NOT_MEASURED, p_onset),
        "p_end": np.where(without_p, NOT_MEASURED, p_onset + numbers.p_duration),
        "qrs_onset": qrs_onset,
        "qrs_end": qrs_onset + numbers.qrs_duration,
        "t_end": qrs_onset + numbers.qt_interval,
        "p_axis": np.where(without_p, NOT_MEASURED, numbers.p_axis),
        "qrs_axis": numbers.qrs_axis,
        "t_axis": numbers.t_axis,
    }
    late = mess == P_AFTER_QRS
    columns["p_onset"] = np.where(late, qrs_onset + 30, columns["p_onset"])
    columns["p_end"] = np.where(late, qrs_onset + 130, columns["p_end"])
    negative = mess == NEGATIVE_RR
    columns["rr_interval"] = np.where(negative, -numbers.rr_interval, columns["rr_interval"])
    columns["t_axis"] = np.where(mess == AXIS_BEYOND, 720, columns["t_axis"])
    columns["t_axis"] = np.where(mess == T_AXIS_UNMEASURED, NOT_MEASURED, columns["t_axis"])
    nothing = mess == UNMEASURED
    whole = {
        name: np.rint(np.where(nothing, NOT_MEASURED, value)).astype(np.int64)
        for name, value in columns.items()
    }
    counts = Counter(
        ecgs_unmeasured=int(nothing.sum()),
        ecgs_without_p_wave=int((whole["p_onset"] == NOT_MEASURED).sum()),
        ecgs_with_p_after_qrs=int(late.sum()),
        ecgs_with_negative_rr_interval=int(negative.sum()),
        ecgs_without_t_axis=int((whole["t_axis"] == NOT_MEASURED).sum()),
        ecgs_with_impossible_axis=int((mess == AXIS_BEYOND).sum()),
    )
    return whole, counts
