"""All vectors in a row, zeros for absent ones: the paper's fusion."""

from collections.abc import Mapping, Sequence

import numpy as np

from charthouse.models.fusions.base import (
    MODEL,
    Feature,
    Fitting,
    Fused,
    Fusion,
    Regression,
    fit_logistic,
)
from charthouse.models.fusions.block import Block


class Concatenate(Fusion):
    """Logistic regression on everything side by side."""

    explains = True

    def columns(self, blocks: Sequence[Block]) -> tuple[Feature, ...]:
        """Every number of every encoder."""
        return tuple(
            Feature(block.modality, block.encoder, name) for block in blocks for name in block.names
        )

    def matrix(
        self, blocks: Sequence[Block], columns: Sequence[Feature], mean: np.ndarray
    ) -> np.ndarray:
        """The vectors as they are, zeros where a stay has none; `mean` is not read."""
        return np.hstack([block.vectors for block in blocks])

    def rescored(
        self, blocks: Sequence[Block], models: Mapping[str, Regression]
    ) -> np.ndarray | None:
        """By the coefficients of the one model."""
        model = models[MODEL]
        return model.scores(self.matrix(blocks, model.columns, model.mean))

    def fit(self, fitting: Fitting) -> Fused:
        """One grid search."""
        columns = self.columns(fitting.blocks)
        x = self.matrix(fitting.blocks, columns, _means(fitting))
        y_score, component = fit_logistic(MODEL, x, columns, fitting, fitting.fitted_on)
        return Fused(y_score, [component])


def _means(fitting: Fitting) -> np.ndarray:
    """[numbers] of all vectors side by side, each over the fitted stays that have it; 0 if none."""
    means = []
    for block in fitting.blocks:
        rows = (block.present & fitting.fitted_on)[:, None]
        total = block.vectors.sum(axis=0, dtype=np.float64, where=rows)
        means.append(total / max(rows.sum(), 1))
    return np.concatenate(means)
