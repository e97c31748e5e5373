"""Errors that the command line shows as one plain line."""

from collections.abc import Iterable
from difflib import get_close_matches


class CharthouseError(Exception):
    """Something the user can mend: the message says what, where, and how."""


def require_known(option: str, asked: str, known: Iterable[str]) -> None:
    """Stops at a word that is none of those known; says which is near."""
    names = list(known)
    if asked not in names:
        near = get_close_matches(asked, names, n=1)
        advice = f" Did you mean '{near[0]}'?" if near else ""
        raise CharthouseError(f"{option} '{asked}' is none of {', '.join(names)}.{advice}")
