"""What encoders that need every cell of an hourly grid say where some are empty."""

import numpy as np

from charthouse.core.errors import CharthouseError
from charthouse.models.encoders.base import Context


def gaps(context: Context) -> str | None:
    """Why the setting `imputation` does not suit such an encoder; None if it fills every cell."""
    if context.spec.modality.fill or context.variables.get("imputation") != "none":
        return None
    return _refusal(context)


def require_whole(grids: np.ndarray, context: Context) -> None:
    """Stops, by a CharthouseError, at an empty cell: no network and no regression takes one."""
    if not np.isfinite(grids).all():
        raise CharthouseError(_refusal(context))


def _refusal(context: Context) -> str:
    grid, imputation = context.spec.modality.grid, context.variables.get("imputation")
    return (
        f"marts.{grid} has gaps (setting imputation: {imputation}),"
        f" and {context.spec.name} needs every cell: set imputation to forward and run"
        " charthouse build, or use summary."
    )
