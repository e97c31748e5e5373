"""Errors that the command line prints as one plain line, and checks that raise them."""

from collections.abc import Sequence
from difflib import get_close_matches


class CharthouseError(Exception):
    """A mistake that the user can correct; the message says what is wrong, where, and the fix."""


def require_known(option: str, requested: str, known: Sequence[str]) -> None:
    """Stops at a value that is none of those known, and suggests a similar one.

    Raises:
        CharthouseError: The value is unknown.

    Example:
        >>> require_known("--device", "cdua", ("cpu", "cuda"))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        charthouse.core.errors.CharthouseError: ... is none of cpu, cuda. Did you mean 'cuda'?
    """
    if requested not in known:
        unknown = f"{option} '{requested}' is none of {', '.join(known)}."
        raise CharthouseError(f"{unknown} {did_you_mean(requested, known)}".rstrip())


def did_you_mean(requested: str, names: Sequence[str]) -> str:
    """A question that suggests the name most like the requested one; '' where none is."""
    near = get_close_matches(requested, names, n=1)
    return f"Did you mean '{near[0]}'?" if near else ""


def require_between(option: str, requested: float, least: int, most: int) -> None:
    """Stops at a number outside [least, most], or at NaN.

    Raises:
        CharthouseError: The number is out of range.
    """
    if not least <= requested <= most:
        raise CharthouseError(f"{option} {requested} is not between {least} and {most:,}.")


def require_seed(seed: int) -> None:
    """Stops at a seed that numpy, scikit-learn or torch would not accept: 0 to 2**32 - 1.

    Raises:
        CharthouseError: The seed is out of range.
    """
    require_between("--seed", seed, 0, 2**32 - 1)
