"""Errors that the command line shows as one plain line."""

from collections.abc import Iterable


class CharthouseError(Exception):
    """Something the user can mend: the message says what, where, and how."""


def require_known(option: str, asked: str, known: Iterable[str]) -> None:
    """Stops at a word that is none of those known."""
    if asked not in known:
        raise CharthouseError(f"{option} '{asked}' is none of {', '.join(known)}.")
