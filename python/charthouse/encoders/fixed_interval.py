"""Fixed time interval: the hourly grid of vital signs, laid out in a row."""

from collections.abc import Sequence

import numpy as np

from charthouse.encoders.base import Encoded, Encoder, Stay, stack
from charthouse.errors import CharthouseError


class FixedInterval(Encoder[np.ndarray]):
    """A vector [variables x bins]: all bins of the first vital sign, then those of the next.

    Cleaning, hourly means and imputation are SQL's (marts.vitals_hourly): nothing is left to do.
    """

    reads = "vitals_hourly"

    def dimension(self) -> int | None:
        """Of this cohort's grid; 312 for 13 vital signs and 24 hours."""
        return len(self.context.vital_signs) * self.context.bins or None

    def encode(self, stays: Sequence[Stay[np.ndarray]]) -> Encoded:
        """Encodes each stay by itself.

        Raises:
            CharthouseError: the grid has gaps.
        """
        for stay in stays:
            if np.isnan(stay.content).any():
                raise CharthouseError(
                    "marts.vitals_hourly has gaps (setting imputation: "
                    f"{self.context.variables.get('imputation')}), and fixed_interval needs every "
                    "hour: build with --vars '{imputation: forward}', or use vitals_summary."
                )
        return Encoded(
            np.array([stay.stay_id for stay in stays], dtype=np.int64),
            stack([stay.content.ravel() for stay in stays]),
        )
