"""Processes end together: whoever ends `charthouse build` ends dbt, and the lock is free."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bench import UNTESTED, Bench
from charthouse.cli.app import resumable
from charthouse.core.errors import CharthouseError
from charthouse.data.atomic_build import AtomicBuild

ENDED = (
    ", and dbt with it. The warehouse is as it was before; what has been read whole from raw files"
    " is kept for the next build.\n"
)


@pytest.fixture
def building(bench: Bench) -> Iterator[subprocess.Popen[str]]:
    """`charthouse build` in the middle of it; what it leaves running is ended."""
    inherited = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests may run under nohup
    run = bench.start_charthouse("build", "--full-refresh", "--log-level", "info")
    signal.signal(signal.SIGHUP, inherited)
    read_until(run, "START sql table model intermediate.")
    yield run
    with suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)


def read_until(run: subprocess.Popen[str], words: str) -> None:
    """A line with these words; the end of what it prints is a failure."""
    assert run.stdout is not None
    assert any(words in line for line in run.stdout)


def dbt_of(run: subprocess.Popen[str]) -> int:
    """The process that `charthouse build` has started."""
    (child,) = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    assert "charthouse.data.dbt_runner" in Path(f"/proc/{child}/cmdline").read_text()
    return int(child)


def assert_ended(bench: Bench, dbt: int) -> None:
    """dbt is no more, and with it the lock."""
    deadline = time.monotonic() + 30
    while Path(f"/proc/{dbt}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    AtomicBuild(bench.warehouse).end()


def test_an_interrupted_charthouse_build_ends_with_one_line(
    built: Bench, bench: Bench, building: subprocess.Popen[str]
) -> None:
    os.killpg(building.pid, signal.SIGINT)  # as a terminal does
    _, errors = building.communicate(timeout=60)
    assert (building.returncode, errors) == (1, f"charthouse: interrupted{ENDED}")
    assert bench.md5() == built.md5()
    # read anew, and kept for the next build
    assert list(bench.warehouse.parent.glob(".*.building"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda each: each.name)
def test_a_signal_that_ends_charthouse_build_ends_dbt_too(
    built: Bench, bench: Bench, building: subprocess.Popen[str], number: signal.Signals
) -> None:
    """Sent to it alone, and twice, as timeout does."""
    dbt = dbt_of(building)
    for _ in range(2):
        building.send_signal(number)
    _, errors = building.communicate(timeout=60)
    assert_ended(bench, dbt)
    assert (building.returncode, errors) == (1, f"charthouse: ended by {number.name}{ENDED}")
    assert bench.md5() == built.md5()


def test_a_build_whose_output_nobody_reads_any_more_ends(
    built: Bench, bench: Bench, building: subprocess.Popen[str]
) -> None:
    """As with `| head`: dbt would wait for ever for a thread that could not print."""
    dbt = dbt_of(building)
    assert building.stdout is not None and building.stderr is not None
    building.stdout.close()
    assert building.wait(120) == 1
    assert building.stderr.read() == "charthouse: dbt was killed by SIGPIPE. Run it again.\n"
    assert_ended(bench, dbt)
    assert bench.md5() == built.md5()


def test_dbt_ends_with_a_charthouse_build_that_was_killed(
    bench: Bench, building: subprocess.Popen[str]
) -> None:
    dbt = dbt_of(building)
    building.kill()
    assert_ended(bench, dbt)


def test_a_dbt_that_was_killed_is_named_with_its_signal(
    bench: Bench, building: subprocess.Popen[str]
) -> None:
    os.kill(dbt_of(building), signal.SIGKILL)
    output, errors = building.communicate(timeout=60)
    line = "charthouse: dbt was killed by SIGKILL: out of memory? Give DuckDB less"
    assert building.returncode == 1
    assert "resource_tracker" not in output  # of Python, on the semaphores that dbt has left
    assert errors.startswith(line) and errors.count("\n") == 1


def test_a_dbt_that_is_ended_alone_says_by_what(
    bench: Bench, building: subprocess.Popen[str]
) -> None:
    os.kill(dbt_of(building), signal.SIGTERM)
    _, errors = building.communicate(timeout=60)
    assert (building.returncode, errors) == (
        1, "charthouse: dbt was ended by SIGTERM. Run it again.\n",
    )  # fmt: skip


def test_what_was_ignored_stays_ignored() -> None:
    """A job that nohup has started outlives its terminal."""
    script = (
        "import os, signal\n"
        "from charthouse.core.interrupts import interrupt_on_signals\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "interrupt_on_signals()\n"
        "os.kill(os.getpid(), signal.SIGHUP)\n"
        "try: os.kill(os.getpid(), signal.SIGTERM)\n"
        "except KeyboardInterrupt as interrupt: print(interrupt)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "SIGTERM\n"


def test_any_command_that_is_ended_says_by_what_and_what_it_leaves() -> None:
    ended = pytest.raises(CharthouseError, match=r"^ended by SIGTERM\. Finished batches are kept")
    with ended, resumable("batches"):
        raise KeyboardInterrupt(signal.SIGTERM.name)


def test_a_build_that_cannot_take_the_warehouses_place_ends_with_one_line(bench: Bench) -> None:
    """dbt has already said that all went well."""
    words = ("--log-level", "info", "--select", "resource_type:seed", *UNTESTED)
    run = bench.start_charthouse("build", *words)
    read_until(run, "START seed file")
    other = shutil.copy(bench.warehouse, bench.warehouse.with_name("other"))
    os.replace(other, bench.warehouse)
    _, errors = run.communicate(timeout=120)
    line = "another program has put a file there, or taken it away, while this build went on."
    assert run.returncode == 1 and errors.count("\n") == 1 and line in errors
    assert not list(bench.warehouse.parent.glob(".*.building"))
