"""The application that the commands belong to, and how it ends."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from charthouse.errors import CharthouseError
from charthouse.interrupts import how, interrupt_on_signals

app = typer.Typer(
    help="From raw MIMIC files to stay-level marts, and a benchmark of foundation models on them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Entry point of `charthouse`: a user's mistake is one line and exit 1, never a traceback."""
    interrupt_on_signals()
    try:
        app()
    except CharthouseError as error:
        print(f"charthouse: {error}", file=sys.stderr)
        raise SystemExit(1) from None


@contextmanager
def kept_when_interrupted(parts: str) -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP are one line: what it leaves, and how to go on."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise CharthouseError(
            f"{how(interrupt)}. Finished {parts} are kept: run the same command again and it goes"
            " on."
        ) from None
