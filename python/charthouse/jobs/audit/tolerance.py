"""Whether a stored number equals the one that was computed again."""

import math
from typing import Any

TOLERANCE = 1e-9
"""Relative where a number is above 1: the order of a sum may differ from one run to the next."""


def is_close(one: Any, other: Any) -> bool:
    """Compares numbers within the tolerance, anything else by equality; NaN equals nothing.

    Example:
        >>> is_close(0.5, 0.5 + 1e-12), is_close(0.0, None)
        (True, False)
    """
    if isinstance(one, float | int) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(one == other)


def sql_is_close(one: str, other: str) -> str:
    """The same of two SQL expressions of type DOUBLE, except that NaN equals NaN."""
    # DuckDB holds that NaN <= NaN, and that infinity <= infinity
    return (
        f"coalesce({one} is not distinct from {other} or (isfinite({one}) and isfinite({other})"
        f" and abs({one} - {other}) <= {TOLERANCE} * greatest(abs({one}), abs({other}), 1)), false)"
    )
