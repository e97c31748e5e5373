"""Vital signs as rows: one for each time at which anything was charted."""

from dataclasses import dataclass

import numpy as np

from charthouse.models.encoders.base import Events


@dataclass(frozen=True)
class ChartedRows:
    """The rows of a stay, in order of time."""

    hours: np.ndarray  # [rows], since intime
    values: np.ndarray  # [rows, variables], the last value so far; NaN before the first
    measured: np.ndarray  # [rows, variables], whether it was charted then


def charted_rows(events: Events, value: np.ndarray, variables: int) -> ChartedRows:
    """Rows of float64 of a stay; what was charted twice at a time is averaged.

    `value` [n] stands in place of the events' own, in whatever unit the rows shall be.
    """
    hours, row = np.unique(events.hours, return_inverse=True)
    cell, shape = row * variables + events.variable, (len(hours), variables)
    count = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    total = np.bincount(cell, value, minlength=shape[0] * shape[1]).reshape(shape)
    latest = np.where(count > 0, np.arange(len(hours))[:, None], -1)
    latest = np.maximum.accumulate(latest, axis=0)
    average = np.take_along_axis(total / np.maximum(count, 1), latest.clip(0), axis=0)
    return ChartedRows(hours, np.where(latest >= 0, average, np.nan), count > 0)
