"""What a fusion is given, and what it gives back."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import expit

from charthouse.models.fusions.block import Block
from charthouse.stats.logistic.grid_search import LogisticFit

ROWS_AT_ONCE = 2048  # in double precision: all would take twice the room of the features

MODEL = "model"
"""Name of a fusion's model, where it has but one, or of the one that the others feed."""


@dataclass(frozen=True, eq=False)
class Fitting:
    """An arm's features and outcomes."""

    blocks: tuple[Block, ...]  # of n stays each, in order of stay_id
    fitted_on: np.ndarray  # [n], the stays that may be learned from
    y_true: np.ndarray  # [n], 0 or 1; only those of `fitted_on` may be looked at
    # [n], the fold of each stay of `fitted_on` (patients are never parted), else -1
    folds: np.ndarray
    seed: int  # of whatever is random


@dataclass(frozen=True)
class Feature:
    """A column of a logistic regression."""

    modality: str
    encoder: str
    name: str


@dataclass(frozen=True, eq=False)
class Regression:
    """What the results keep of a logistic regression (results.fits and coefficients)."""

    columns: tuple[Feature, ...]  # [p]
    slope: np.ndarray  # [p], log odds for one unit of a feature
    mean: np.ndarray  # [p], over the stays it was fitted on
    at_mean: float  # log odds where every feature has its mean

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Probabilities [n] of rows of raw features [n, p]."""
        log_odds = np.empty(len(x))
        for first in range(0, len(x), ROWS_AT_ONCE):
            some = slice(first, first + ROWS_AT_ONCE)
            log_odds[some] = (x[some].astype(np.float64) - self.mean) @ self.slope
        found: np.ndarray = expit(log_odds + self.at_mean)
        return found


@dataclass(frozen=True, eq=False)
class Component:
    """A model that was fitted."""

    name: str  # MODEL, or the encoder that it alone hears
    fitted_on: np.ndarray  # [n], the stays that it learned from
    features: int  # how many numbers it reads
    converged: bool  # whether it was trained to its end
    reason: str | None  # why not
    iterations: int  # steps, or epochs
    logistic: LogisticFit | None = None  # the logistic regression; None where it is something else
    columns: tuple[Feature, ...] = ()  # [features], of a logistic regression


@dataclass(frozen=True, eq=False)
class Fused:
    """What a fusion found."""

    # [n], probabilities; of the stays it was fitted on by models that were not fitted on their
    # patient (but see Late and gated: they have heard of its labels), NaN where there is none
    y_score: np.ndarray
    components: Sequence[Component] = field(default_factory=tuple)  # its models


class Fusion(ABC):
    """One way to make a score of several modalities."""

    version: int = 1
    """Raised when the code changes the scores: arms are then fitted again."""

    explains: bool = False
    """Whether its MODEL is a logistic regression of `columns`: it then has contributions."""

    def columns(self, blocks: Sequence[Block]) -> tuple[Feature, ...]:
        """What the columns of `matrix` are."""
        raise NotImplementedError

    def matrix(
        self, blocks: Sequence[Block], columns: Sequence[Feature], mean: np.ndarray
    ) -> np.ndarray:
        """What the logistic regression reads, [n, features] float32.

        `mean` [features] is of its columns over the stays that it was fitted on, as it keeps them.
        """
        raise NotImplementedError

    def rescored(
        self, blocks: Sequence[Block], models: Mapping[str, Regression]
    ) -> np.ndarray | None:
        """Scores [n] by what the results keep of the models: the audit compares with those kept.

        Of stays that no model was fitted on; `models` by name of the component. None where the
        results do not keep all that the scores depend on.
        """
        return None

    @abstractmethod
    def fit(self, fitting: Fitting) -> Fused:
        """Learns from the stays it may learn from, and scores all of them."""


def fit_logistic(
    name: str, x: np.ndarray, columns: Sequence[Feature], fitting: Fitting, rows: np.ndarray
) -> tuple[np.ndarray, Component]:
    """The paper's grid search of x [n, features] float32 on the chosen rows [n].

    Returns:
        Probabilities [n] of all, out of fold for `rows`, and the model.
    """
    from charthouse.stats.logistic.grid_search import grid_search

    fit = grid_search(
        x if rows.all() else x[rows],
        fitting.y_true[rows],
        np.unique(fitting.folds[rows], return_inverse=True)[1],
    )
    scores = fit.scores(x)
    scores[rows] = fit.out_of_fold
    component = Component(
        name=name,
        fitted_on=rows,
        features=x.shape[1],
        converged=fit.converged,
        reason=fit.reason,
        iterations=fit.iterations,
        logistic=fit,
        columns=tuple(columns),
    )
    return scores, component
