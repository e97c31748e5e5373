"""How a job reports where its output is no terminal, and where nobody reads it any more."""

import subprocess
import sys

SCRIPT = """
import time
from charthouse.core import progress
progress.SECONDS_BETWEEN_LINES = 0.05
with progress.progress_bars("stays") as (say, watch):
    say("begins [bold]")
    with watch("gru", 7) as advance:
        time.sleep(2.4)  # a step that reports nothing
        advance(2, 7)
        time.sleep(0.3)
    for _ in range(3):
        say("x" * 200)
        time.sleep(0.1)
print("ends")
open(FILE, "w").close()
"""


def script(done: object) -> list[str]:
    return [sys.executable, "-c", SCRIPT.replace("FILE", repr(str(done)))]


def test_elsewhere_than_on_a_terminal_bars_are_lines_also_in_a_silent_step(tmp_path) -> None:
    run = subprocess.run(script(tmp_path / "done"), capture_output=True, text=True, check=True)
    lines = run.stdout.splitlines()
    assert lines[0] == "begins [bold]" and lines[-1] == "ends" and "x" * 200 in lines
    told = {line.partition(" s  ")[2] for line in lines if "gru" in line}
    assert told == {"gru: begun, 7 stays", "gru: 2 of 7 stays"}
    assert "\x1b" not in run.stdout and "" not in lines


def test_work_goes_on_where_nobody_reads_any_more(tmp_path) -> None:
    with subprocess.Popen(
        script(tmp_path / "done"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "begins [bold]\n"
        process.stdout.close()  # as `| head -1` does
        assert process.wait(60) == 0 and process.stderr.read() == ""
    assert (tmp_path / "done").exists()
