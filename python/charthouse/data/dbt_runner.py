"""dbt in a process of its own, which charthouse.data.build starts at the other end of a pipe.

When the other end is closed, or its process has ended, dbt ends too. Before that it sends the
reason of a failure through the pipe: dbt's output cannot carry it, since --quiet and --log-level
cut it.
"""

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

from charthouse.core.interrupts import describe_interrupt

PROGRESS = "progress"
"""First argument: show a bar, and let dbt itself print nothing."""

_at_interrupt: list[Callable[[], None]] = []

GRACE_SECONDS = 5.0
"""From the request to end until the kill: a query of DuckDB may overlook an interrupt."""


def main(parent: Connection, arguments: Sequence[str]) -> int:
    """Runs dbt; returns 1 if it failed, after sending the reason."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(each) != signal.SIG_IGN:
            signal.signal(each, _interrupt)
    # as with `| head`: dbt would wait for ever for a thread that could not print
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    try:
        reason = _run(arguments)
    except KeyboardInterrupt as interrupt:
        reason = f"dbt was {describe_interrupt(interrupt)}. Run it again."
    if reason is not None:
        with suppress(BrokenPipeError):
            parent.send_bytes(reason.encode())
    return int(reason is not None)


def _run(arguments: Sequence[str]) -> str | None:
    """Why dbt failed, or None."""
    # imported here: it takes seconds, in which a signal may come
    from dbt.cli.main import dbtRunner

    from charthouse.data.build_progress import BuildProgress
    from charthouse.data.build_summary import BuildSummary

    summary = BuildSummary()
    callbacks: list[Callable[[Any], None]] = [summary.on_event]
    words = list(arguments)
    if words[:1] == [PROGRESS]:
        words = ["--no-use-colors", *words[1:], "--log-level", "none"]
        if not any(word.startswith("--log-level-file") for word in words):
            words += ["--log-level-file", "debug"]  # else it would be none too
        progress = BuildProgress()
        callbacks.append(progress.on_event)
        _at_interrupt.append(progress.stop)
    try:
        done = dbtRunner(callbacks=callbacks).invoke(words)
    finally:
        for stop in _at_interrupt:
            stop()
    if isinstance(done.exception, KeyboardInterrupt):
        raise done.exception
    if done.success:
        return None
    if summary.failures:
        return summary.failures[0][1]
    if done.exception:
        return _words(done.exception)
    return "dbt failed: what it printed says where, and so does its log (logs/dbt.log)."


def _words(error: BaseException) -> str:
    """What an exception of dbt's says, without its heading (Runtime Error and the like)."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if not re.search(r" Error( in .*)?$", line)]
    return (said or lines or [type(error).__name__])[0]


def _interrupt(number: int, frame: FrameType | None) -> None:
    """The first signal only; what dbt says of it, a traceback, is dropped."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    for stop in _at_interrupt:  # the terminal gets its cursor back
        stop()
    for output in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), output)
    raise KeyboardInterrupt(*(() if number == signal.SIGINT else (signal.Signals(number).name,)))


def _end_with(parent: Connection) -> None:
    parent.poll(None)  # nothing is ever sent: it returns when the other end is closed
    # To the main thread by name: the kernel may give a signal of the process to one of DuckDB's
    # threads, and Python acts on it in the main one only, when that wakes up.
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(Connection(int(sys.argv[1])), sys.argv[2:]))
