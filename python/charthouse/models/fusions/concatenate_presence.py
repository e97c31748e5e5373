"""All vectors in a row, and beside them which of the modalities a stay has."""

from collections.abc import Sequence

import numpy as np

from charthouse.models.fusions.base import Feature
from charthouse.models.fusions.block import PRESENCE, Block
from charthouse.models.fusions.concatenate import Concatenate


class ConcatenatePresence(Concatenate):
    """What presence itself tells is told apart, by the indicators alone.

    A number of an absent vector stands at the mean of the fitted stays that have it: taken off its
    mean, as the regression takes it, it is zero. Plain zeros would do so only for encoders whose
    numbers happen to have a mean of zero; of any other, each number tells present from absent, and
    takes for the content what is due to the indicator. That mean is also the one over all fitted
    stays, which is kept with the coefficients (results.coefficients).

    An encoder that has a vector for every stay gets no indicator, and of several with the same
    stays the first alone does.
    """

    version = 2

    def columns(self, blocks: Sequence[Block]) -> tuple[Feature, ...]:
        """Every number of every encoder, then the indicators."""
        told: list[Block] = []
        for block in blocks:
            if not block.present.all() and not any(
                np.array_equal(block.present, other.present) for other in told
            ):
                told.append(block)
        indicators = [Feature(PRESENCE, block.encoder, f"has {block.encoder}") for block in told]
        return (*super().columns(blocks), *indicators)

    def matrix(
        self, blocks: Sequence[Block], columns: Sequence[Feature], mean: np.ndarray
    ) -> np.ndarray:
        """The vectors, means where a stay has none; 0 or 1 for each indicator of the columns."""
        present = {block.encoder: block.present for block in blocks}
        indicators = [
            present[column.encoder][:, None].astype(np.float32)
            for column in columns
            if column.modality == PRESENCE and column.encoder != PRESENCE
        ]
        x = np.hstack([*(block.vectors for block in blocks), *indicators])
        first = 0
        for block in blocks:
            last = first + block.vectors.shape[1]
            x[~block.present, first:last] = mean[first:last]
            first = last
        return x
