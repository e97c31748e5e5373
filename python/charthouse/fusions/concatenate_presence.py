"""All vectors in a row, and beside them which of the modalities a stay has."""

from collections.abc import Sequence

import numpy as np

from charthouse.fusions.base import Feature
from charthouse.fusions.concatenate import Concatenate
from charthouse.predict.arms import PRESENCE
from charthouse.predict.features import Block


class ConcatenatePresence(Concatenate):
    """A vector of zeros then means "absent", not "zero"; what presence itself tells is told apart.

    An encoder that has a vector for every stay gets no indicator, and of several with the same
    stays the first alone does.
    """

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

    def matrix(self, blocks: Sequence[Block], columns: Sequence[Feature]) -> np.ndarray:
        """The vectors as they are, then 0 or 1 for each indicator among the columns."""
        present = {block.encoder: block.present for block in blocks}
        indicators = [
            present[column.encoder][:, None].astype(np.float32)
            for column in columns
            if column.modality == PRESENCE and column.encoder != PRESENCE
        ]
        return np.hstack([*(block.vectors for block in blocks), *indicators])
