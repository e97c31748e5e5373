"""Errors that the command line shows as one plain line."""


class CharthouseError(Exception):
    """Something the user can mend: the message says what, where, and how."""
