"""Summary statistics of each variable of a time series over the window, gaps filled, standardised.

After the logistic regression baseline of Harutyunyan et al. 2019.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from charthouse.models.encoders.base import Encoded, FittedEncoder, NothingToFit, Stay
from charthouse.models.encoders.standardised import mean_and_sd

STATISTICS = ("count", "mean", "sd", "min", "max", "first", "last")  # of each variable
COUNT, SD = 0, 2  # places among them


class Summary(FittedEncoder[np.ndarray]):
    """A vector [variables x 7]. What was never measured has count 0 and the train medians.

    Of a modality with `fill: zero`, such as medications, the numbers are of the bins of its grid,
    and count says in how many of them something was given.
    """

    reads = "summary"

    def fit(self, stays: Iterable[Stay[np.ndarray]]) -> dict[str, np.ndarray]:
        """Learns median, mean and standard deviation of each number, [variables x 7] float64."""
        rows = [_known(stay.content) for stay in stays]
        if not rows:
            raise NothingToFit(f"the train split has no {self.context.spec.modality.item}")
        # sorted, so that no order of the stays is seen in the sums; NaN comes last
        table = np.sort(np.stack(rows), axis=0)
        measured = np.isfinite(table).sum(axis=0)
        columns = zip(table.T, measured, strict=True)
        median = np.array([np.median(column[:n]) if n else 0.0 for column, n in columns])
        mean, sd = mean_and_sd(np.where(np.isnan(table), median, table))
        return {"median": median, "mean": mean, "sd": sd}

    def restore(self, learned: Mapping[str, np.ndarray]) -> None:
        """Takes what fit returned."""
        self._learned = dict(learned)

    def feature_names(self, learned: Mapping[str, np.ndarray]) -> Sequence[str]:
        """heart_rate count, heart_rate mean, ..."""
        return [f"{name} {what}" for name in self.context.channels for what in STATISTICS]

    def encode(self, stays: Sequence[Stay[np.ndarray]]) -> Encoded:
        """Encodes each stay by itself."""
        return Encoded.of(stays, [self._vector(stay.content) for stay in stays])

    def _vector(self, statistics: np.ndarray) -> np.ndarray:
        known = _known(statistics)
        filled = np.where(np.isnan(known), self._learned["median"], known)
        scaled: np.ndarray = (filled - self._learned["mean"]) / self._learned["sd"]
        return scaled


def _known(statistics: np.ndarray) -> np.ndarray:
    """[variables x 7] in float64: not measured is a count of 0, measured once is an sd of 0.

    NaN is left where only the train split can tell.
    """
    table = statistics.astype(np.float64).reshape(-1, len(STATISTICS))
    table[:, COUNT] = np.nan_to_num(table[:, COUNT])
    once = np.isnan(table[:, SD]) & (table[:, COUNT] > 0)
    table[once, SD] = 0.0
    return table.ravel()
