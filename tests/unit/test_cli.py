"""The command line: help with an example, one line for a mistake, and nothing heavy at start."""

import dataclasses
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import forked
from bench import PROJECT
from charthouse.cli import app
from charthouse.cli.jobs import ask
from charthouse.core.device import choose_device
from charthouse.core.errors import CharthouseError
from charthouse.jobs.ask.request import AskRequest

HEAVY = {"torch", "transformers", "timm", "pandas", "numpy", "duckdb", "dbt", "pyarrow", "sklearn",
         "fairlearn"}  # fmt: skip


def charthouse(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    script = "from charthouse.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, cwd=cwd
    )


def test_importing_and_asking_for_help_load_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from charthouse.cli import main\n"
        "sys.argv = ['charthouse', '--help']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "import json; print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    loaded = {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert not loaded & HEAVY


COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"Example: charthouse {command}" in result.output


def test_synth_writes_and_says_where(tmp_path: Path) -> None:
    done = charthouse("synth", "--stays", "20", "--rows-per-stay", "50", "--image-pixels", "32",
                      "--ecg-waveforms", "0", "--out", str(tmp_path / "data"))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "SYNTHETIC data of 20 stays" in done.stdout
    assert f"export CHARTHOUSE_NOTE={tmp_path / 'data' / 'mimic-iv-note'}" in done.stdout
    assert f"export CHARTHOUSE_ECG={tmp_path / 'data' / 'mimic-iv-ecg'}" in done.stdout


def test_a_mistake_is_one_line_and_exit_1(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/mine.txt").write_text("mine")
    done = charthouse("synth", "--stays", "5", "--out", str(tmp_path / "data"))
    assert done.returncode == 1
    assert done.stderr.startswith("charthouse: ") and done.stderr.count("\n") == 1
    assert "is not empty" in done.stderr


@pytest.mark.parametrize(
    ("words", "said", "where"),
    [
        (["explain", "٣"], "Invalid value for 'stay_id': ", "charthouse explain"),
        (["explain", "1e5"], "Invalid value for 'stay_id': ", "charthouse explain"),
        (["explain", "-5"], "No such option: -5", "charthouse explain"),
        (["explain"], "Missing argument 'stay_id'", "charthouse explain"),
        (["explain", "3", "--top", "0"], "Invalid value for '--top': ", "charthouse explain"),
        (["explain", "3", "--tsk", "x"], "No such option: --tsk", "charthouse explain"),
        (["embed", "--seed", "1.5"], "Invalid value for '--seed': ", "charthouse embed"),
        (["embed", "--limit", "²"], "Invalid value for '--limit': ", "charthouse embed"),
        (["predict", "--seed", "٣"], "Invalid value for '--seed': ", "charthouse predict"),
        (["ask", "--max-cost", "nan"], "Invalid value for '--max-cost': ", "charthouse ask"),
        (["ask", "--timeout", "inf"], "Invalid value for '--timeout': ", "charthouse ask"),
        (["ask", "--timeout", "nan"], "Invalid value for '--timeout': ", "charthouse ask"),
        (["evaluate", "--bootstraps", "1e3"], "Invalid value for '--boot", "charthouse evaluate"),
        (["synth", "--stays", "x"], "Invalid value for '--stays': ", "charthouse synth"),
        (["dashboard", "--port", "99999"], "Invalid value for '--port': ", "charthouse dashboard"),
        (["explian"], "No such command 'explian'", "charthouse"),
        (["build", "--vars"], "Option '--vars' requires an argument", "charthouse"),
    ],
)
def test_words_that_no_command_knows_are_one_line(words: list[str], said: str, where: str) -> None:
    done = forked.run("charthouse", words, cwd=PROJECT, env=dict(os.environ))
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"charthouse: {said}")
    assert done.stderr.endswith(f". See {where} --help.\n")


def test_no_word_at_all_shows_the_help() -> None:
    done = charthouse()
    assert done.returncode == 0 and "Usage: charthouse [OPTIONS] COMMAND" in done.stdout


def test_doctor_exits_1_while_something_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHARTHOUSE_MIMICIV", raising=False)
    done = charthouse("doctor", cwd=PROJECT)
    assert done.returncode == 1
    assert "1 to mend before a build." in done.stdout


def test_outside_a_project_it_says_how_to_get_one(tmp_path: Path) -> None:
    done = charthouse("embed", cwd=tmp_path)
    assert done.returncode == 1
    assert "Go to one, make one (charthouse init FOLDER), or set" in done.stderr
    done = charthouse("doctor", cwd=tmp_path)  # which needs none
    assert "CHARTHOUSE_MIMICIV" in done.stdout and not done.stderr


def test_a_gpu_is_taken_where_there_is_one_and_never_made_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(CharthouseError, match="finds no GPU here"):
        choose_device("cuda")
    assert choose_device("auto") == "cpu"
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert (choose_device("cuda"), choose_device("cpu")) == ("cuda", "cpu")


def test_a_pair_to_compare_that_is_none_is_one_line() -> None:
    done = charthouse("evaluate", "--compare", "presence", cwd=PROJECT)
    assert done.returncode == 1
    assert done.stderr == "charthouse: --compare 'presence': write two arms as 'one - other'.\n"


def test_each_option_of_ask_is_one_of_the_request_with_the_same_default() -> None:
    given = inspect.signature(ask).parameters
    fields = {field.name: field.default for field in dataclasses.fields(AskRequest)}
    assert set(given) - {"context"} == set(fields) - {"max_retries"}
    for name in given.keys() & fields.keys():
        assert given[name].default in (None, fields[name])  # None: that of the request
