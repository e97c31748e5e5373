"""The Typer application, and how it reports errors."""

import os
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from charthouse.core.errors import CharthouseError
from charthouse.core.interrupts import describe_interrupt, discard_output, interrupt_on_signals

app = typer.Typer(
    help="From raw MIMIC files to stay-level marts, and a benchmark of foundation models on them.",
    add_completion=False,
    pretty_exceptions_enable=False,
)

VarsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--vars",
        metavar="YAML",
        help="Settings, as '{window_end_hours: 48}' (docs/reference/settings.md).",
    ),
]


def _print_version(asked: bool) -> None:
    if asked:
        from charthouse import __version__

        print(f"charthouse {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """From raw MIMIC files to stay-level marts, and a benchmark of foundation models on them."""


def main() -> None:
    """Entry point of `charthouse`: a user's mistake is one line and exit code 1, never a traceback.

    New files are readable by their owner only. An unexpected error prints where it came from, but
    not its message.
    """
    os.umask(0o077)
    threading.excepthook = lambda failed: _show_where(failed.exc_value)
    interrupt_on_signals()
    try:
        words = sys.argv[1:] or ["--help"]
        raise SystemExit(app(words, prog_name="charthouse", standalone_mode=False))
    except typer.TyperException as error:  # of the words that were typed
        context = getattr(error, "ctx", None)
        where = context.command_path if context else "charthouse"
        said = " ".join(error.format_message().split()).rstrip(".")
        print(f"charthouse: {said}. See {where} --help.", file=sys.stderr)
        raise SystemExit(1) from None
    except CharthouseError as error:
        print(f"charthouse: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except BrokenPipeError:  # as with `| head`: nobody reads it any more
        discard_output()
        raise SystemExit(1) from None
    except Exception as error:
        _show_where(error)
        raise SystemExit(1) from None


def _show_where(error: BaseException | None) -> None:
    """Prints the traceback of an unexpected error without its message, which may quote a value."""
    if error is None or isinstance(error, SystemExit):
        return
    words = "what it says is left out, as it may quote a patient's data"
    if type(error).__module__.endswith("duckdb"):  # which is then imported already
        from charthouse.core.duckdb_errors import redacted_message

        words = redacted_message(error).splitlines()[0]
    print("".join(traceback.format_tb(error.__traceback__)), end="", file=sys.stderr)
    print(
        f"charthouse: unexpected {type(error).__name__} ({words}). Please report the lines above:"
        " they are of the program alone.",
        file=sys.stderr,
    )


@contextmanager
def resumable(parts: str) -> Iterator[None]:
    """Turns Ctrl-C, SIGTERM and SIGHUP into one line: what is kept, and how to continue.

    Args:
        parts: What is kept, in the plural.

    Raises:
        CharthouseError: The command was interrupted.
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise CharthouseError(
            f"{describe_interrupt(interrupt)}. Finished {parts} are kept: run the same command"
            " again and it goes on."
        ) from None
