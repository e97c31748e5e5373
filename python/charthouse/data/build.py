"""`dbt build` for those who want one line at its end: what it said, then what failed, exit 1."""

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path

from charthouse.core.errors import CharthouseError
from charthouse.core.interrupts import describe_interrupt
from charthouse.data.dbt_runner import GRACE_SECONDS

# dbt's locks are named semaphores; of a dbt that was killed Python tidies them up, with a warning
_LOUDER = ("--log-level", "--log-format", "--debug", "-d", "--quiet", "-q", "--no-quiet", "--print")
"""Options by which somebody says what dbt shall print."""

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

    Without unit tests, as dbt advises for data: they run on rows of their own, and a fifth of the
    time of another window is theirs. `dbt build` has them, and so has `make test`.

    Args:
        project: folder of dbt_project.yml.
        arguments: passed on to dbt, such as ("--vars", "{protocol: paper}"). Where one names
            unit_test, nothing is left out; where one says what dbt prints, such as --log-level
            info, that is printed in place of a bar.

    Raises:
        CharthouseError: something failed, or it was interrupted; the message says what, and how to
            mend it.
    """
    words = ["--project-dir", str(project), "--profiles-dir", str(project / "profiles")]
    if not any("unit_test" in word or "test_type:unit" in word for word in arguments):
        words += ["--exclude-resource-type", "unit_test"]
    if not any(word.split("=")[0] in _LOUDER for word in arguments):
        words += ["--log-level", "none"]
    try:
        failed = run_dbt(["build", *words, *arguments])
    except KeyboardInterrupt as interrupt:
        raise CharthouseError(
            f"{describe_interrupt(interrupt)}, and dbt with it. The warehouse is as it was before;"
            " what has been read whole from raw files is kept for the next build."
        ) from None
    if failed:
        raise CharthouseError(failed)


def run_dbt(
    words: Sequence[str], *, environment: Mapping[str, str] | None = None, quiet: bool = False
) -> str | None:
    """Runs dbt until it ends; it ends with this process, however that ends.

    Args:
        words: of its command line.
        environment: its whole environment, if it is not ours.
        quiet: drop what it prints.

    Returns:
        Why it failed, in a line, or None.

    Raises:
        KeyboardInterrupt: as it came; dbt has ended then.
    """
    ours, theirs = Pipe()
    reason = None
    sys.stdout.flush()
    with (
        ours,
        subprocess.Popen(
            [*_RUNNER, str(theirs.fileno()), *words],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if quiet else None,
            stderr=subprocess.STDOUT,
            env=environment,
        ) as process,
    ):
        try:
            theirs.close()
            with suppress(EOFError):  # where it has no reason to tell
                reason = ours.recv_bytes().decode()
            process.wait()
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # impatience would leave it behind
            ours.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(2 * GRACE_SECONDS)
            process.kill()
            raise
    if process.returncode < 0:
        return _killed(signal.Signals(-process.returncode))
    if process.returncode and not reason:
        return f"dbt ended with exit code {process.returncode} and said nothing. Run it again."
    return reason


def _killed(by: signal.Signals) -> str:
    if by == signal.SIGKILL:
        return (
            "dbt was killed by SIGKILL: out of memory? Give DuckDB less (CHARTHOUSE_MEMORY,"
            " CHARTHOUSE_THREADS) or the machine more, then run again."
        )
    return f"dbt was killed by {by.name}. Run it again."
