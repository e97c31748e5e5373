"""What moves the score of a logistic regression: each feature's contribution, summed by modality.

A contribution is coefficient x (x - mean over the stays it was fitted on), in log odds; with the
intercept moved to that mean they sum to the stay's log odds. It is the SHAP value of a linear model
with independent features (Lundberg and Lee 2017), and shap's LinearExplainer gives it.

Two shares of a modality, the first first:

- `net`: contributions are summed within the modality with their signs, then taken absolutely: what
  the modality as a whole moves (Yu et al., by SHAP values; theirs by coefficients lacks the mean),
- `absolute`: each feature's contribution is taken absolutely, then summed. Features of a modality
  that cancel each other all count, so it grows with the width of a block: a thousand numbers that
  move nothing together look like much.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np

from charthouse.models.fusions.base import MODEL, ROWS_AT_ONCE, Feature, Regression
from charthouse.stats.bootstrap import percentile_interval, too_few_patients_reason
from charthouse.stats.ratios import bootstrap_ratios


@dataclass(frozen=True, eq=False)
class Linear(Regression):
    """A logistic regression of raw features, to be taken apart."""

    @property
    def modalities(self) -> list[str]:
        """In alphabetical order."""
        return sorted({column.modality for column in self.columns})

    def contributions(self, x: np.ndarray) -> np.ndarray:
        """[n, p] float64, in log odds."""
        centred: np.ndarray = x.astype(np.float64) - self.mean
        return centred * self.slope

    def shap_values(self, x: np.ndarray) -> np.ndarray:
        """[n, p] float64, as shap's LinearExplainer has them.

        Its background is the mean itself: given rows it would silently keep 100 of them.
        """
        from shap import LinearExplainer

        intercept = self.at_mean - float(self.slope @ self.mean)
        explainer = LinearExplainer((self.slope, intercept), (self.mean, np.empty((0, 0))))
        values: np.ndarray = explainer.shap_values(x.astype(np.float64))
        return values


def read_linear(db: duckdb.DuckDBPyConnection, run_id: str, component: str = MODEL) -> Linear:
    """A logistic regression that a run of `predict` fitted."""
    found = db.execute(
        "select modality, encoder, feature, coefficient, mean, sd from results.coefficients"
        " where run_id = ? and component = ? order by position",
        [run_id, component],
    ).fetchall()
    at_mean = db.execute(
        "select intercept from results.fits where run_id = ? and component = ?", [run_id, component]
    ).fetchall()[0][0]
    coefficient, mean, sd = np.array([row[3:] for row in found], np.float64).T
    return Linear(tuple(Feature(*row[:3]) for row in found), coefficient / sd, mean, at_mean)


@dataclass(frozen=True, eq=False)
class Absolute:
    """Absolute contributions of stays, summed by modality."""

    modalities: Sequence[str]  # [m]
    by_method: dict[str, np.ndarray]  # net and absolute: [n, m]


def absolute_contributions(linear: Linear, x: np.ndarray) -> Absolute:
    """Of features x [n, p] float32, some at a time: float64 of all would be twice the size."""
    modality = np.array([column.modality for column in linear.columns])
    member = np.column_stack([modality == name for name in linear.modalities]).astype(np.float64)
    parts: dict[str, list[np.ndarray]] = {"net": [], "absolute": []}
    for start in range(0, len(x), ROWS_AT_ONCE):
        contributions = linear.shap_values(x[start : start + ROWS_AT_ONCE])
        parts["net"].append(np.abs(contributions @ member))
        parts["absolute"].append(np.abs(contributions) @ member)
    return Absolute(
        linear.modalities, {method: np.concatenate(found) for method, found in parts.items()}
    )


@dataclass(frozen=True)
class Share:
    """A modality's part in what moves the scores, with its 95 % interval over patients."""

    method: str
    modality: str
    mean_absolute: float  # log odds a stay
    share: float
    ci_low: float
    ci_high: float
    reason: str | None  # why there is no interval


def shares(
    absolute: Absolute, rows: np.ndarray, subject_ids: np.ndarray, n_bootstrap: int, seed: int
) -> list[Share]:
    """Shares of the modalities among the chosen rows [n]; none where nothing moves any score."""
    if not rows.any():
        return []
    found = []
    few = too_few_patients_reason(subject_ids[rows], None)  # no outcome is in a contribution
    for method, values in absolute.by_method.items():
        own = values[rows]
        if not (total := own.sum(axis=1)).any():
            continue
        of_all, resamples = bootstrap_ratios(own, total, subject_ids[rows], n_bootstrap, seed)
        for place, modality in enumerate(absolute.modalities):
            low, high, _, reason = percentile_interval(resamples[:, place], few)
            mean, share = float(own[:, place].mean()), float(of_all[place])
            found.append(Share(method, modality, mean, share, low, high, reason))
    return found
