"""Errors that the command line shows as one plain line."""

from collections.abc import Iterable
from difflib import get_close_matches


class CharthouseError(Exception):
    """Something the user can mend: the message says what, where, and how."""


def require_known(option: str, requested: str, known: Iterable[str]) -> None:
    """Stops at a word that is none of those known; says which is near."""
    names = list(known)
    if requested not in names:
        near = get_close_matches(requested, names, n=1)
        advice = f" Did you mean '{near[0]}'?" if near else ""
        raise CharthouseError(f"{option} '{requested}' is none of {', '.join(names)}.{advice}")


def require_between(option: str, requested: float, least: int, most: int) -> None:
    """Stops at a number that is too small or too large, or is none."""
    if not least <= requested <= most:
        raise CharthouseError(f"{option} {requested} is not between {least} and {most:,}.")


def require_seed(seed: int) -> None:
    """Stops at a seed that numpy, scikit-learn or torch would not take."""
    require_between("--seed", seed, 0, 2**32 - 1)
