"""Errors that the command line prints as one plain line, and checks that raise them."""

from collections.abc import Iterable
from difflib import get_close_matches


class CharthouseError(Exception):
    """A mistake that the user can correct; the message says what is wrong, where, and the fix."""


def require_known(option: str, requested: str, known: Iterable[str]) -> None:
    """Stops at a value that is none of those known, and suggests a similar one.

    Raises:
        CharthouseError: The value is unknown.

    Example:
        >>> require_known("--device", "cdua", ("cpu", "cuda"))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        charthouse.core.errors.CharthouseError: ... is none of cpu, cuda. Did you mean 'cuda'?
    """
    names = list(known)
    if requested not in names:
        near = get_close_matches(requested, names, n=1)
        advice = f" Did you mean '{near[0]}'?" if near else ""
        raise CharthouseError(f"{option} '{requested}' is none of {', '.join(names)}.{advice}")


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
