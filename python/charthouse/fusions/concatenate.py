"""All vectors in a row, zeros for absent ones: the paper's fusion."""

from collections.abc import Sequence

import numpy as np

from charthouse.fusions.base import MODEL, Feature, Fitting, Fused, Fusion, fit_logistic
from charthouse.predict.features import Block


class Concatenate(Fusion):
    """Logistic regression on everything side by side."""

    explains = True

    def columns(self, blocks: Sequence[Block]) -> tuple[Feature, ...]:
        """Every number of every encoder."""
        return tuple(
            Feature(block.modality, block.encoder, name) for block in blocks for name in block.names
        )

    def matrix(self, blocks: Sequence[Block], columns: Sequence[Feature]) -> np.ndarray:
        """The vectors as they are."""
        return np.hstack([block.vectors for block in blocks])

    def fit(self, fitting: Fitting) -> Fused:
        """One grid search."""
        columns = self.columns(fitting.blocks)
        x = self.matrix(fitting.blocks, columns)
        y_score, component = fit_logistic(MODEL, x, columns, fitting, fitting.fitted_on)
        return Fused(y_score, [component])
