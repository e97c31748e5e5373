"""Late fusion: a model for each encoder, and one that weighs what they say."""

from collections.abc import Mapping, Sequence

import numpy as np

from charthouse.core.errors import CharthouseError
from charthouse.models.fusions.base import (
    MODEL,
    Component,
    Feature,
    Fitting,
    Fused,
    Fusion,
    Regression,
    fit_logistic,
)
from charthouse.models.fusions.block import PRESENCE, Block
from charthouse.stats.calibration import logit


class Late(Fusion):
    """Stacking (Wolpert 1992).

    A logistic regression of each encoder's vectors, on the stays that have them; then one of their
    logits, 0 where missing, and of the presences.

    The second model learns from out-of-fold logits, so it never hears a first one on a patient that
    this one was fitted on. As in all stacking without nested folds, first models of the other folds
    have seen the labels of the fold on which the second one's grid is judged, and which it scores
    out of fold: such scores are slightly too good. Test stays nobody has seen.
    """

    def fit(self, fitting: Fitting) -> Fused:
        """A grid search for each encoder, and one for what they say."""
        said: list[np.ndarray] = []
        columns: list[Feature] = []
        components: list[Component] = []
        for block in fitting.blocks:
            scores, component = _hear(block, fitting)
            components.append(component)
            said.append(_logit_or_0(block, scores))
            columns.append(Feature(block.modality, block.encoder, f"logit of {block.encoder}"))
            if not block.present.all():
                said.append(block.present.astype(np.float32))
                columns.append(_has(block))
        x = np.column_stack(said).astype(np.float32)
        y_score, stacker = fit_logistic(MODEL, x, columns, fitting, fitting.fitted_on)
        return Fused(y_score, [*components, stacker])

    def rescored(
        self, blocks: Sequence[Block], models: Mapping[str, Regression]
    ) -> np.ndarray | None:
        """By the coefficients of each encoder's model and of the one that weighs them."""
        stacker = models[MODEL]
        said: list[np.ndarray] = []
        for block in blocks:
            said.append(_logit_or_0(block, models[block.encoder].scores(block.vectors)))
            if _has(block) in stacker.columns:
                said.append(block.present.astype(np.float32))
        return stacker.scores(np.column_stack(said).astype(np.float32))


def _has(block: Block) -> Feature:
    return Feature(PRESENCE, block.encoder, f"has {block.encoder}")


def _logit_or_0(block: Block, scores: np.ndarray) -> np.ndarray:
    """What an encoder's model says of each stay; 0 where it can say nothing."""
    known = block.present & np.isfinite(scores)
    return np.where(known, logit(np.where(known, scores, 0.5)), 0.0)


def _hear(block: Block, fitting: Fitting) -> tuple[np.ndarray, Component]:
    """Scores of all stays by a model of one encoder alone, and the model."""
    columns = [Feature(block.modality, block.encoder, name) for name in block.names]
    rows = fitting.fitted_on & block.present
    if min(len(set(fitting.folds[rows & (fitting.y_true == label)])) for label in (0, 1)) < 2:
        raise CharthouseError(
            f"late fusion: only {int(rows.sum())} of the stays to fit on have a vector of"
            f" {block.encoder}, too few for a model of its own. Name an arm without it, or another"
            " fusion."
        )
    return fit_logistic(block.encoder, block.vectors, columns, fitting, rows)
