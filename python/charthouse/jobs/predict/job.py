"""Fits one arm for one task by one fusion, and scores every stay of the cohort."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from charthouse.core.digest import digest
from charthouse.core.errors import CharthouseError
from charthouse.jobs.predict.arms import Arm
from charthouse.models.fusions.base import Fitting, Fused, Fusion
from charthouse.models.fusions.block import Block, Source

FOLDS = 5


@dataclass(frozen=True, eq=False)
class TaskStays:
    """The stays that have a label for a task, in order of stay_id."""

    task: str
    stay_ids: np.ndarray  # [n] int64
    subject_ids: np.ndarray  # [n] int64, the patient of each
    splits: np.ndarray  # [n], train, validation or test
    y_true: np.ndarray  # [n], 0 or 1
    fit_splits: tuple[str, ...]  # splits that may be learned from
    seed: int  # of the folds, and of whatever else is random

    @cached_property
    def fitted_on(self) -> np.ndarray:
        """[n], which may be learned from."""
        return np.isin(self.splits, self.fit_splits)

    @cached_property
    def folds(self) -> np.ndarray:
        """[n], folds of stays that may be learned from, no patient in two of them; else -1.

        Raises:
            CharthouseError: there are too few patients of a class for two folds.
        """
        rows = self.fitted_on
        patients = [len(set(self.subject_ids[rows & (self.y_true == label)])) for label in (0, 1)]
        if (folds := min(FOLDS, *patients)) < 2:
            raise CharthouseError(
                f"{self.task}: {patients[1]} patients with and {patients[0]} without the outcome in"
                f" {' and '.join(self.fit_splits)}, and 2 of each are the least to fit on. Take a"
                " larger cohort."
            )
        found = np.full(len(self.y_true), -1)
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=self.seed)
        where = np.flatnonzero(rows)
        for fold, (_, held_out) in enumerate(
            splitter.split(where, self.y_true[rows], self.subject_ids[rows])
        ):
            found[where[held_out]] = fold
        return found

    @property
    def made_folds(self) -> int:
        """How many folds there are: fewer than FOLDS where patients of a class are."""
        return int(self.folds.max()) + 1

    def fingerprint(self) -> str:
        """Of all that a fit takes from the marts."""
        return digest(
            self.task,
            self.stay_ids.tolist(),
            self.subject_ids.tolist(),
            self.splits.tolist(),
            self.y_true.tolist(),
            self.fit_splits,
        )


@dataclass(frozen=True)
class FitKey:
    """One row of the results: an arm, fitted for a task by a fusion."""

    task: str
    arm: Arm
    fusion: str

    @property
    def name(self) -> str:
        """Of its runs."""
        return f"{self.arm.name} by {self.fusion}"


def fingerprint(
    stays: TaskStays, fusion: Fusion, name: str, sources: Mapping[str, Sequence[Source]]
) -> str:
    """Of all that the scores depend on but the machine.

    Equal fingerprints give equal scores on one machine at one number of threads. At another number
    those of large fits (above stats.logistic.problems.DOUBLE numbers) differ in the 7th digit.
    """
    inputs = {encoder: found[0].content_hash for encoder, found in sources.items()}
    return digest(name, fusion.version, FOLDS, stays.seed, stays.fingerprint(), inputs)


def fit_arm(
    stays: TaskStays, fusion: Fusion, encoders: Sequence[str], block: Callable[[str], Block]
) -> Fused:
    """Fits on the blocks of an arm's encoders, in their order, and scores.

    Raises:
        CharthouseError: the stays cannot be fitted on.
    """
    return fusion.fit(
        Fitting(
            blocks=tuple(block(encoder) for encoder in encoders),
            fitted_on=stays.fitted_on,
            y_true=stays.y_true,
            folds=stays.folds,
            seed=stays.seed,
        )
    )
