"""Runs dbt in a process of its own, and reports a failure in one line."""

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path

from charthouse.core.errors import CharthouseError
from charthouse.core.interrupts import describe_interrupt
from charthouse.data.dbt_runner import GRACE_SECONDS, PROGRESS

_OUTPUT_OPTIONS = (
    "--log-level",
    "--log-format",
    "--debug",
    "-d",
    "--quiet",
    "-q",
    "--no-quiet",
    "--print",
)
"""With one of these a user decides what is printed: dbt prints it, and no bar is shown."""

# dbt's locks are named semaphores; of a dbt that was killed Python tidies them up, with a warning
_RUNNER = (
    sys.executable,
    "-P",
    "-W",
    "ignore:resource_tracker",
    "-m",
    "charthouse.data.dbt_runner",
)


def run_dbt_build(project: Path, arguments: Sequence[str] = ()) -> None:
    """Runs `dbt build` on the project, in a process of its own: in ours its lock would stay.

    Unit tests are left out, as dbt advises outside of development: they use rows of their own, and
    take a fifth of the time of building another window. `dbt build` and `make test` run them.

    Args:
        project: The folder of dbt_project.yml.
        arguments: Passed on to dbt, such as ("--vars", "{protocol: paper}"). If one names
            unit_test, nothing is left out.

    Raises:
        CharthouseError: The build failed or was interrupted. The message says what failed, and how
            to mend it.
    """
    options = ["--project-dir", str(project), "--profiles-dir", str(project / "profiles")]
    if not any("unit_test" in word or "test_type:unit" in word for word in arguments):
        options += ["--exclude-resource-type", "unit_test"]
    dbt_prints = any(word.split("=")[0] in _OUTPUT_OPTIONS for word in arguments)
    first = [] if dbt_prints else [PROGRESS]
    try:
        failed = run_dbt([*first, "build", *options, *arguments])
    except KeyboardInterrupt as interrupt:
        raise CharthouseError(
            f"{describe_interrupt(interrupt)}, and dbt with it. The warehouse is as it was before;"
            " what has been read whole from raw files is kept for the next build."
        ) from None
    if failed:
        raise CharthouseError(failed)


def run_dbt(
    arguments: Sequence[str], *, environment: Mapping[str, str] | None = None, quiet: bool = False
) -> str | None:
    """Runs dbt until it ends. dbt also ends when this process does, however that ends.

    Args:
        arguments: The command of dbt and its options.
        environment: The whole environment of dbt, if it is not ours.
        quiet: Discard what dbt prints.

    Returns:
        Why dbt failed, in one line, or None.

    Raises:
        KeyboardInterrupt: This process was interrupted; dbt has then ended.
    """
    ours, theirs = Pipe()
    reason = None
    sys.stdout.flush()
    with (
        ours,
        subprocess.Popen(
            [*_RUNNER, str(theirs.fileno()), *arguments],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if quiet else None,
            stderr=subprocess.STDOUT,
            env=environment,
        ) as process,
    ):
        try:
            theirs.close()
            with suppress(EOFError):  # where there is no reason to send
                reason = ours.recv_bytes().decode()
            process.wait()
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would leave dbt running
            ours.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(2 * GRACE_SECONDS)
            process.kill()
            raise
    if process.returncode < 0:
        if sys.stdout.isatty() and not quiet:
            print("\r\x1b[2K\x1b[?25h", end="", flush=True)  # what is left of its bar; the cursor
        return _killed(signal.Signals(-process.returncode))
    if process.returncode and not reason:
        return f"dbt ended with exit code {process.returncode} and gave no reason. Run it again."
    return reason


def _killed(by: signal.Signals) -> str:
    if by == signal.SIGKILL:
        return (
            "dbt was killed by SIGKILL: out of memory? Give DuckDB less (CHARTHOUSE_MEMORY,"
            " CHARTHOUSE_THREADS) or the machine more, then run again."
        )
    return f"dbt was killed by {by.name}. Run it again."
