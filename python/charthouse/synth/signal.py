"""The planted signal: latent variables, coefficients, outcomes, and the best possible scores."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LATENTS = ("severity", "vitals", "image", "text")

COEFFICIENTS: dict[str, dict[str, float]] = {
    # Logit of death in hospital; age is (years - 65) / 16.
    "in_hospital_mortality": dict(
        intercept=-3.26, age=0.45, severity=1.2, vitals=0.7, image=1.1, text=0.8
    ),
    # Standard normal score behind log length of stay; the rest of its variance is noise.
    "icu_stay_over_3_days": dict(
        intercept=0.07, age=0.05, severity=0.44, vitals=0.28, image=0.38, text=0.3
    ),
}


@dataclass(frozen=True)
class Latents:
    """Latents of stays, each of shape ``(n,)`` and N(0, 1)."""

    severity: Floats
    vitals: Floats
    image: Floats
    text: Floats

    def take(self, index: NDArray[np.intp] | NDArray[np.int64] | Bools) -> Self:
        """The latents of some stays."""
        return type(self)(*(getattr(self, name)[index] for name in LATENTS))


@dataclass(frozen=True)
class Interaction:
    """``size`` x (vitals - ``vitals``) x (image - ``image``), of the modalities' own latents.

    It is centred where it adds nothing to what vitals or images tell by themselves. For an outcome
    that is as frequent as not that is their mean, 0; for a rare one it lies towards the latents of
    those who have the outcome. Found by fitting a sum to the declared probabilities of 1.5 million
    drawn stays: over the coefficient of severity, those of vitals and image are as without it.
    """

    size: float
    vitals: float
    image: float

    def of(self, latents: Latents) -> Floats:
        """Its part of the score, shape ``(n,)``."""
        return self.size * (latents.vitals - self.vitals) * (latents.image - self.image)


INTERACTIONS = {
    "in_hospital_mortality": Interaction(size=0.8, vitals=0.2, image=0.42),
    "icu_stay_over_3_days": Interaction(size=0.45, vitals=0.0, image=0.05),
}

ARMS: dict[str, tuple[str, ...]] = {
    "age": (),
    "vitals": ("vitals",),
    "vitals+image": ("vitals", "image"),
    "vitals+text": ("vitals", "text"),
    "vitals+image+text": ("vitals", "image", "text"),
}

MEDIAN_LOS_DAYS = 2.03
# Two slopes, because MIMIC's log length of stay leans to the right: with them 20 % of stays end
# within a day, a third pass three, and the mean is near 3.45 days.
LOG_SLOPE_SHORT, LOG_SLOPE_LONG = 0.87, 0.94
LOS_BOUNDS_DAYS = (0.06, 110.0)


def scaled_age(years: NDArray[np.int64]) -> Floats:
    """Age as the coefficients take it."""
    return (years - 65) / 16.0


def declared_score(task: str, age: Floats, latents: Latents) -> Floats:
    """Log odds [n]: coefficients times age and latents, plus intercept and interaction."""
    by = COEFFICIENTS[task]
    score: Floats = by["intercept"] + by["age"] * age + INTERACTIONS[task].of(latents)
    for name in LATENTS:
        score = score + by[name] * getattr(latents, name)
    return score


def draw_death(rng: np.random.Generator, age: Floats, latents: Latents) -> Bools:
    """Death in hospital, bool [n], drawn from the declared log odds."""
    logit = declared_score("in_hospital_mortality", age, latents)
    return rng.random(len(age)) < 1.0 / (1.0 + np.exp(-logit))


def los_noise() -> float:
    """Standard deviation of what no latent explains in the score behind log length of stay."""
    by, interaction = COEFFICIENTS["icu_stay_over_3_days"], INTERACTIONS["icu_stay_over_3_days"]
    slopes = by | {
        "vitals": by["vitals"] - interaction.size * interaction.image,
        "image": by["image"] - interaction.size * interaction.vitals,
    }
    explained = interaction.size**2 + sum(slopes[name] ** 2 for name in ("age", *LATENTS))
    return float(np.sqrt(1.0 - explained))


def draw_los_days(rng: np.random.Generator, age: Floats, latents: Latents) -> Floats:
    """Length of ICU stay in days [n]."""
    score = declared_score("icu_stay_over_3_days", age, latents)
    z = score + los_noise() * rng.standard_normal(len(age))
    slope = np.where(z < 0, LOG_SLOPE_SHORT, LOG_SLOPE_LONG)
    return np.clip(MEDIAN_LOS_DAYS * np.exp(slope * z), *LOS_BOUNDS_DAYS)


def auroc(y_true: Bools, y_score: Floats) -> float | None:
    """AUROC of scores [n] by the rank formula, ties counted half; None where a class is absent."""
    positives = int(y_true.sum())
    negatives = len(y_true) - positives
    if not positives or not negatives:
        return None
    _, place, count = np.unique(y_score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2.0)[place]
    wins = rank[y_true].sum() - positives * (positives + 1) / 2.0
    return float(wins / (positives * negatives))


def oracle_auroc(
    outcomes: dict[str, Bools],
    age: Floats,
    latents: Latents,
    shown: dict[str, Bools],
    *,
    interaction: bool,
) -> dict[str, dict[str, float | None]]:
    """AUROC of the best read of what each set of modalities shows.

    The latents are independent, so the best score from some of them is their own part of the
    declared score. A latent counts only where the modality is there to show it, the interaction
    where both of its modalities are; without ``interaction`` it is the best sum.

    Args:
        outcomes: For each task, shape ``(n,)``.
        age: Scaled age, ``(n,)``.
        latents: Latents of the same stays.
        shown: For each modality, whether the stay has any of it in its first 24 h.
        interaction: Whether it is read too.
    """
    result: dict[str, dict[str, float | None]] = {}
    for task, y_true in outcomes.items():
        by, result[task] = COEFFICIENTS[task], {}
        for arm, modalities in ARMS.items():
            score = by["age"] * age
            any_shown = np.zeros(len(age), bool)
            for name in modalities:
                score = score + by[name] * getattr(latents, name) * shown[name]
                any_shown |= shown[name]
            score = score + by["severity"] * latents.severity * any_shown
            if interaction and {"vitals", "image"} <= set(modalities):
                score = score + INTERACTIONS[task].of(latents) * shown["vitals"] * shown["image"]
            value = auroc(y_true, score)
            result[task][arm] = None if value is None else round(value, 4)
    return result
