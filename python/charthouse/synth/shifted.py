"""Signal planted given the outcome: latents whose mean is higher where the outcome came.

Deaths and lengths of stay were drawn before, so a latent of this kind is drawn from them:
N(``shift``, 1) where the outcome came, else N(0, 1), independent of all else given the outcome. The
log likelihood ratio is then linear in it, and the best score is exact: the log odds from what else
is seen, plus ``shift`` times the latent.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import expit, ndtr

from charthouse.synth.population import DAY, Stays
from charthouse.synth.random_streams import RandomStream, rng_for
from charthouse.synth.signal import (
    ARMS,
    COEFFICIENTS,
    INTERACTIONS,
    LOG_SLOPE_LONG,
    LOG_SLOPE_SHORT,
    MEDIAN_LOS_DAYS,
    Bools,
    Floats,
    Latents,
    auroc,
    los_noise,
)

VASOPRESSOR_SHIFTS = {"in_hospital_mortality": 0.6}
LAB_SHIFTS = {"in_hospital_mortality": 0.8, "icu_stay_over_3_days": 0.7}
ECG_SHIFTS = {"in_hospital_mortality": 0.6, "icu_stay_over_3_days": 0.5}

NODES, WEIGHTS = np.polynomial.hermite.hermgauss(12)  # of a standard normal, after this:
NODES, WEIGHTS = NODES * np.sqrt(2.0), WEIGHTS / np.sqrt(np.pi)


def outcomes_of(stays: Stays) -> dict[str, Bools]:
    """Each task's outcome, bool ``(n,)``."""
    return {"in_hospital_mortality": stays.died, "icu_stay_over_3_days": stays.seconds > 3 * DAY}


def lab_latents(stays: Stays, seed: int) -> dict[str, Floats]:
    """The latent that laboratory values show of each task's outcome, ``(n,)``."""
    return _shifted(rng_for(seed, RandomStream.SHIFTED), stays, LAB_SHIFTS)


def ecg_latents(stays: Stays, seed: int) -> dict[str, Floats]:
    """The latent that electrocardiograms show of each task's outcome, ``(n,)``."""
    return _shifted(rng_for(seed, RandomStream.SHIFTED, 2), stays, ECG_SHIFTS)


def _shifted(rng: np.random.Generator, stays: Stays, shifts: dict[str, float]) -> dict[str, Floats]:
    return {
        task: rng.standard_normal(len(stays)) + shifts[task] * outcome
        for task, outcome in outcomes_of(stays).items()
    }


def vasopressor_latent(stays: Stays, seed: int) -> Floats:
    """The latent that doses of vasopressors show of death, ``(n,)``."""
    noise = rng_for(seed, RandomStream.SHIFTED, 1).standard_normal(len(stays))
    return noise + VASOPRESSOR_SHIFTS["in_hospital_mortality"] * stays.died


def _chances_of_death(mean: Floats, deviation: Floats) -> tuple[Floats, Floats]:
    """Of death and survival, where the score is N(mean, deviation)."""
    died = survived = np.zeros(len(mean))
    for node, weight in zip(NODES, WEIGHTS, strict=True):
        score = mean + deviation * node
        died, survived = died + weight * expit(score), survived + weight * expit(-score)
    return died, survived


def _chances_of_long_stay(mean: Floats, deviation: Floats) -> tuple[Floats, Floats]:
    """Of over 3 days and of 1 to 3, where the score is N(mean, deviation) before its noise."""
    deviation = np.sqrt(deviation**2 + los_noise() ** 2)
    one = np.log(1.0 / MEDIAN_LOS_DAYS) / LOG_SLOPE_SHORT
    three = np.log(3.0 / MEDIAN_LOS_DAYS) / LOG_SLOPE_LONG
    up_to_3, up_to_1 = ndtr((three - mean) / deviation), ndtr((one - mean) / deviation)
    return ndtr((mean - three) / deviation), up_to_3 - up_to_1


_CHANCES: dict[str, Callable[[Floats, Floats], tuple[Floats, Floats]]] = {
    "in_hospital_mortality": _chances_of_death,
    "icu_stay_over_3_days": _chances_of_long_stay,
}


def log_odds(task: str, age: Floats, latents: Latents, seen: dict[str, Bools]) -> Floats:
    """Log odds ``(n,)`` of the outcome by the declared score, over the latents that are not seen.

    Given the latent of vital signs the score is normal, interaction included. So that latent, where
    it is not seen, is integrated by quadrature, and what is left in one step.

    Args:
        task: Whose score.
        age: Scaled age, ``(n,)``.
        latents: Latents of the same stays.
        seen: For each latent, whether it is seen.
    """
    by, interaction = COEFFICIENTS[task], INTERACTIONS[task]
    came = passed = np.zeros(len(age))
    for node, weight in zip(NODES, WEIGHTS, strict=True):
        vitals = np.where(seen["vitals"], latents.vitals, node)
        away = interaction.size * (vitals - interaction.vitals)
        slopes: dict[str, float | Floats] = by | {"image": by["image"] + away}
        mean = by["intercept"] + by["age"] * age + by["vitals"] * vitals - away * interaction.image
        variance = np.zeros(len(age))
        for name in ("severity", "image", "text"):
            mean = mean + slopes[name] * getattr(latents, name) * seen[name]
            variance = variance + slopes[name] ** 2 * ~seen[name]
        with_it, without = _CHANCES[task](mean, np.sqrt(variance))
        came, passed = came + weight * with_it, passed + weight * without
    return np.log(came) - np.log(passed)


def oracle_auroc_with(
    modality: str,
    shifts: dict[str, float],
    shifted: dict[str, Floats],
    outcomes: dict[str, Bools],
    age: Floats,
    latents: Latents,
    shown: dict[str, Bools],
) -> dict[str, dict[str, float | None]]:
    """AUROC of the best read of one more modality beside what each set of modalities shows.

    Args:
        modality: One whose latents are drawn given the outcome: labs or ecg.
        shifts: Of those latents, by task.
        shifted: For each task, the latent that it shows, ``(n,)``.
        outcomes: For each task, ``(n,)``.
        age: Scaled age, ``(n,)``.
        latents: Latents of the same stays.
        shown: For each modality, and that one, whether the stay has any in its first 24 h.
    """
    nothing = np.zeros(len(age), np.bool_)
    result: dict[str, dict[str, float | None]] = {}
    for task, y_true in outcomes.items():
        result[task] = {}
        for arm, modalities in ARMS.items():
            seen = {
                name: shown[name] if name in modalities else nothing
                for name in ("vitals", "image", "text")
            }
            seen["severity"] = np.any([*seen.values(), shown[modality]], axis=0)
            score = log_odds(task, age, latents, seen)
            value = auroc(y_true, score + shifts[task] * shifted[task] * shown[modality])
            name = f"{arm}+{modality}" if modalities else modality
            result[task][name] = None if value is None else round(value, 4)
    return result
