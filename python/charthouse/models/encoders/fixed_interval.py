"""Fixed time interval: the hourly grid of a time series, laid out in a row."""

from collections.abc import Mapping, Sequence

import numpy as np

from charthouse.models.encoders.base import Context, Encoded, Encoder, Stay
from charthouse.models.encoders.hourly_grid import gaps, require_whole


class FixedInterval(Encoder[np.ndarray]):
    """A vector [variables x bins]: all bins of the first variable, then those of the next.

    Cleaning, hourly means and imputation are SQL's (macros/hourly_grid.sql): nothing is left to do.
    """

    reads = "grid"

    @classmethod
    def unsuited(cls, context: Context) -> str | None:
        """The grid has gaps."""
        return gaps(context)

    def dimension(self) -> int | None:
        """Of this cohort's grid; 312 for the 13 vital signs and 24 hours."""
        return len(self.context.channels) * self.context.bins or None

    def feature_names(self, learned: Mapping[str, np.ndarray]) -> Sequence[str]:
        """heart_rate @ 0 h, heart_rate @ 1 h, ..."""
        start = self.context.variables["window_start_hours"]
        width = self.context.variables["bin_hours"]
        hours = [f"{start + place * width:g} h" for place in range(self.context.bins)]
        return [f"{name} @ {hour}" for name in self.context.channels for hour in hours]

    def encode(self, stays: Sequence[Stay[np.ndarray]]) -> Encoded:
        """Encodes each stay by itself; a grid with gaps is a CharthouseError."""
        for stay in stays:
            require_whole(stay.content, self.context)
        return Encoded.of(stays, [stay.content.ravel() for stay in stays])
