"""Commands run in processes forked from one that has imported what they need: of a short dbt run
the imports are a third."""

import atexit
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["dbt.cli.main", "dbt.adapters.duckdb", "charthouse.cli", "sklearn.metrics", "torch"]
)


def run(
    program: str, words: list[str], *, cwd: Path, env: dict[str, str], timeout: float = 300
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
        process = _FORKS.Process(target=_run, args=(program, words, cwd, env, files))
        process.start()
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
