"""Commands run in processes forked from one that has imported what they need and parsed the
project: a short dbt run does little else."""

import atexit
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["warm"])


def start(target: Callable[..., None], *arguments: object) -> ForkServerProcess:
    """Calls a function in a process of its own."""
    with patch.dict(os.environ, PYTHONPATH=str(Path(__file__).parent)):  # where warm is
        ensure_running()
    process = _FORKS.Process(target=target, args=arguments)
    process.start()
    return process


def run(
    program: str, words: list[str], *, cwd: Path, env: dict[str, str], timeout: float = 900
) -> subprocess.CompletedProcess[str]:
    """As subprocess.run of it would: a process of its own, with its own folder and environment.

    Args:
        program: dbt or charthouse.
        words: of its command line.
        cwd: where it runs.
        env: its whole environment.
        timeout: in seconds; then it is killed.
    """
    with TemporaryDirectory() as folder:
        files = Path(folder, "output"), Path(folder, "errors")
        process = start(_run, program, words, cwd, env, files)
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(words, timeout)
        output, errors = (path.read_text() for path in files)
    return subprocess.CompletedProcess(words, process.exitcode, output, errors)


def _run(
    program: str, words: list[str], cwd: Path, env: dict[str, str], files: tuple[Path, Path]
) -> None:
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    for descriptor, path in enumerate(files, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
    sys.argv = [program, *words]
    try:
        if program == "dbt":
            from dbt.cli.main import cli as command
        else:
            from charthouse.cli import main as command
        command()
    finally:
        atexit._run_exitfuncs()  # a forked process of multiprocessing leaves them out
