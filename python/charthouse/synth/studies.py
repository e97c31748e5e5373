"""Chest X-ray studies and their views: when they are made and what they show.

A study near a stay shows that stay's severity and its image latent; studies of other times show
only the patient's part of severity. What a picture holds is a few numbers (`CONTENT`), from
which both the phantom picture and the label files are made.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charthouse.synth.population import DAY, HOUR, Ints, Population, unique_ids, year_of
from charthouse.synth.random_streams import RandomStream, rng_for

# Loadings of each feature of a picture on (severity, image's own latent); the rest is noise.
CONTENT: dict[str, tuple[float, float]] = {
    "edema": (0.70, 0.35),
    "opacity": (0.55, 0.50),
    "effusion": (0.25, 0.80),
    "heart": (0.10, 0.80),
    "devices": (0.65, -0.20),
    "low_volume": (0.30, 0.35),
}
FEATURES = tuple(CONTENT)
YEARS = (2011, 2016)  # of MIMIC-CXR: studies of other years are not in it
FIRST_DAY_IMAGE = 0.47  # share of the stays of those years with a study planned in the first 24 h
LATER_IMAGE = 0.85  # of the others, where the stay is long enough
VIEWS: tuple[tuple[str, ...], ...] = (
    ("AP",),
    ("AP", "AP"),
    ("PA", "LATERAL"),
    ("PA", "LATERAL", "LATERAL"),
    ("",),
    ("PA",),
)
VIEW_SHARES_WARD = (0.34, 0.05, 0.48, 0.07, 0.02, 0.04)
VIEW_SHARES_ICU = (0.84, 0.07, 0.06, 0.01, 0.02, 0.0)


@dataclass(frozen=True)
class Studies:
    """Shape ``(k,)`` each, sorted by patient and study_id."""

    patient: Ints
    stay: Ints  # the stay it belongs to, or -1
    study_id: Ints
    time: Ints  # seconds since 1970
    millis: Ints  # thousandths of a second to add
    views: Ints  # position in VIEWS
    content: NDArray[np.float64]  # (k, len(FEATURES)), about N(0, 1) each

    def __len__(self) -> int:
        return len(self.study_id)


@dataclass(frozen=True)
class Images:
    """One row for each picture, shape ``(m,)`` each, grouped by study."""

    study: Ints  # row in Studies
    view: NDArray[np.object_]
    dicom_id: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.study)


def draw_studies(population: Population, seed: int) -> Studies:
    """Draw when each patient is X-rayed and what it shows, and keep the studies of YEARS."""
    rng = rng_for(seed, RandomStream.STUDIES)
    stays = population.stays
    n = len(stays)
    days = stays.seconds / DAY

    early = rng.random(n) < FIRST_DAY_IMAGE
    later = ~early & (rng.random(n) < LATER_IMAGE) & (days > 1)
    beyond = np.maximum(days - 1, 0)
    n_early = np.where(early, 1 + rng.poisson(0.3, n), 0)
    n_later = np.where(early, rng.poisson(np.minimum(0.22 * beyond, 8)), 0)
    n_later = np.where(later, 1 + rng.poisson(np.minimum(0.2 * beyond, 8)), n_later)
    n_before = np.where(rng.random(n) < 0.48, 1, 0)  # in the emergency department
    n_apart = np.where(rng.random(n) < 0.35, 1 + rng.poisson(0.6, n), 0)  # months before

    counts = (n_early, n_later, n_before, n_apart)
    stay = np.concatenate([np.repeat(np.arange(n), count) for count in counts])
    kind = np.repeat(np.arange(len(counts)), [count.sum() for count in counts])
    k = len(stay)
    u = rng.random(k)
    day_one = np.minimum(stays.seconds[stay], DAY)
    after = np.choose(
        kind,
        (
            u**1.3 * day_one,
            day_one + u * (stays.seconds[stay] - day_one),
            -(0.4 + 8 * u) * HOUR,
            -(20 + 800 * u**2) * DAY,
        ),
    )
    time = stays.intime[stay] + after.astype(np.int64)
    apart = kind == 3

    patient = stays.patient[stay]
    severity = np.where(
        apart, population.patients.severity[patient] / np.sqrt(2), stays.latents.severity[stay]
    )
    own = np.where(apart, rng.standard_normal(k), stays.latents.image[stay])
    content = np.empty((k, len(FEATURES)))
    for column, (on_severity, on_own) in enumerate(CONTENT.values()):
        rest = np.sqrt(1 - on_severity**2 - on_own**2)
        content[:, column] = on_severity * severity + on_own * own + rest * rng.normal(0, 1, k)
    ward = np.searchsorted(np.cumsum(VIEW_SHARES_WARD)[:-1], rng.random(k), side="right")
    icu = np.searchsorted(np.cumsum(VIEW_SHARES_ICU)[:-1], rng.random(k), side="right")
    inside = (time >= stays.intime[stay]) & (time < stays.outtime[stay])
    study_id = unique_ids(rng, 50_000_000, k)
    order = np.lexsort((study_id, patient))
    true_year = (year_of(time) - population.patients.years_shifted[patient])[order]
    order = order[(true_year >= YEARS[0]) & (true_year <= YEARS[1])]
    return Studies(
        patient=patient[order],
        stay=np.where(apart, -1, stay)[order],
        study_id=study_id[order],
        time=time[order],
        millis=rng.integers(0, 1000, k)[order],
        views=np.where(inside, icu, ward)[order].astype(np.int64),
        content=content[order],
    )


def draw_images(studies: Studies, seed: int) -> Images:
    """Draw the pictures of every study and their DICOM ids."""
    rng = rng_for(seed, RandomStream.STUDIES, 1)
    count = np.array([len(views) for views in VIEWS])[studies.views]
    study = np.repeat(np.arange(len(studies)), count)
    view = np.array([view for place in studies.views for view in VIEWS[place]], dtype=object)
    words = rng.integers(0, 1 << 32, (len(study), 5))
    dicom = np.array(["-".join(f"{word:08x}" for word in row) for row in words], dtype=object)
    return Images(study=study, view=view, dicom_id=dicom)
