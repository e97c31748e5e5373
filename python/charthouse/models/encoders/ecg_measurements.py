"""What the cart measured in a stay's last ECG: intervals, axes and the heart rate, standardised."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from charthouse.models.encoders.base import Context, Encoded, FittedEncoder, NothingToFit, Stay
from charthouse.models.encoders.standardised import mean_and_sd


class EcgMeasurements(FittedEncoder[np.ndarray]):
    """A vector [variables + indicators] of the variables that the modality's seed names.

    A missing number is the mean of the train split. That it is missing is said by a column, 0 or 1,
    of each variable that is ever missing there: a P wave is missing where there is none.
    """

    reads = "measurements"
    zero_is_a_value = True  # of an ECG with the mean of all numbers

    @classmethod
    def unsuited(cls, context: Context) -> str | None:
        """The seed of the modality has no variables."""
        if context.columns or not context.variables:  # before there is a warehouse
            return None
        return (
            f"The seed of the modality {context.spec.modality.name} names no variable: let it name"
            " ecg_measurements (dbt_project.yml, vars.modalities), or use median_beat_pca."
        )

    def fit(self, stays: Iterable[Stay[np.ndarray]]) -> dict[str, np.ndarray]:
        """Learns mean and standard deviation of each variable, [variables] float64, and is_missing.

        is_missing [variables] says of which a number is ever missing.
        """
        rows = [stay.content for stay in stays]
        if not rows or not np.isfinite(rows).any():
            raise NothingToFit("the train split has no ECG of which anything was measured")
        table = np.stack(rows)
        of_each = [column[np.isfinite(column)] for column in table.T]
        # what was never measured in train is 0 everywhere: nothing was learned of it
        moments = [
            mean_and_sd(known[:, None]) if len(known) else ([0.0], [np.inf]) for known in of_each
        ]
        return {
            "mean": np.array([mean[0] for mean, _ in moments], np.float64),
            "sd": np.array([sd[0] for _, sd in moments], np.float64),
            "is_missing": np.isnan(table).any(axis=0).astype(np.int8),
        }

    def restore(self, learned: Mapping[str, np.ndarray]) -> None:
        """Takes what fit returned."""
        self._mean, self._sd = learned["mean"], learned["sd"]
        self._indicated = learned["is_missing"].astype(bool)

    def feature_names(self, learned: Mapping[str, np.ndarray]) -> Sequence[str] | None:
        """heart_rate, ..., p_axis missing, ..."""
        if not learned:
            return None
        names = [name for name, _ in self.context.columns]
        indicated = zip(names, learned["is_missing"], strict=True)
        return [*names, *(f"{name} missing" for name, is_missing in indicated if is_missing)]

    def encode(self, stays: Sequence[Stay[np.ndarray]]) -> Encoded:
        """Encodes each stay by itself."""
        return Encoded.of(stays, [self._vector(stay.content) for stay in stays])

    def _vector(self, measured: np.ndarray) -> np.ndarray:
        missing = np.isnan(measured)
        scaled = (np.where(missing, self._mean, measured) - self._mean) / self._sd
        return np.concatenate([scaled, missing[self._indicated]])
