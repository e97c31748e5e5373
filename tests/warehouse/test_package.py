"""The wheel: what it carries, and that it runs outside of a clone and writes nothing to itself."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from bench import PROJECT
from charthouse.cli.pipeline import demo
from charthouse.core.errors import CharthouseError
from charthouse.core.project import project_dir
from charthouse.data import new_project
from charthouse.data.new_project import init_project

PARTS = ("dbt_project.yml", "macros", "models", "profiles", "seeds", "tests/dbt")
"""Of the dbt project, in a clone."""


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def project_files() -> dict[str, bytes]:
    found = {}
    for part in PARTS:
        path = PROJECT / part
        below = files_below(path) if path.is_dir() else {"": path.read_bytes()}
        found |= {os.path.join(part, name).rstrip("/"): data for name, data in below.items()}
    return found


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, and for all else the packages of ours; its bin folder."""
    root = tmp_path_factory.mktemp("wheel")
    clone = root / "clone"  # setuptools leaves files where it builds
    shutil.copytree(PROJECT / "python", clone / "python", symlinks=True)
    for part in (*PARTS, "pyproject.toml", "README.md"):
        (clone / part).parent.mkdir(exist_ok=True, parents=True)
        if (PROJECT / part).is_dir():
            shutil.copytree(PROJECT / part, clone / part)
        else:
            shutil.copy(PROJECT / part, clone / part)
    pip = ("-m", "pip", "--quiet", "--disable-pip-version-check")
    subprocess.run([sys.executable, *pip, "wheel", "--no-deps", "--no-build-isolation",
                    "--no-index", "--wheel-dir", root, clone], check=True)  # fmt: skip
    subprocess.run([sys.executable, "-m", "venv", root / "venv"], check=True)
    site = next((root / "venv").glob("lib/python*/site-packages"))
    # a path in a .pth file brings its packages, but not the clone, which a .pth file there names
    (site / "ours.pth").write_text(sysconfig.get_paths()["purelib"])
    subprocess.run([root / "venv/bin/python", *pip, "install", "--no-deps", "--no-index",
                    next(root.glob("*.whl"))], check=True)  # fmt: skip
    shutil.rmtree(clone)
    return root / "venv" / "bin"


def run_in(folder: Path, installed: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [installed / "charthouse", *words], cwd=folder, capture_output=True, text=True,
        env={"PATH": f"{installed}:{os.environ['PATH']}", "HOME": str(folder),
             "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip


def test_the_wheel_writes_the_project_of_the_clone(installed: Path, tmp_path: Path) -> None:
    done = run_in(tmp_path, installed, "init", "mine")
    assert done.returncode == 0, done.stderr
    written = files_below(tmp_path / "mine")
    assert written.pop(".gitignore")
    assert written == project_files()
    assert (tmp_path / "mine/profiles.yml").read_text() == (PROJECT / "profiles.yml").read_text()
    again = run_in(tmp_path, installed, "init", "mine")
    assert again.returncode == 1
    assert again.stderr == "charthouse: mine is no new or empty folder. Name another.\n"


def test_the_demo_runs_outside_a_clone_and_writes_nothing_to_the_package(
    installed: Path, tmp_path: Path
) -> None:
    package = next(installed.parent.glob("lib/python*/site-packages/charthouse"))
    before = files_below(package)
    for path in (package, *package.rglob("*")):  # root could write all the same
        path.chmod(0o555 if path.is_dir() else 0o444)
    done = run_in(tmp_path, installed, "demo", "--stays", "150")
    assert done.returncode == 0, done.stderr
    assert files_below(package) == before
    assert [path.name for path in tmp_path.glob("*")] == ["charthouse-demo"]
    lines = done.stdout.splitlines()
    assert "\x1b" not in done.stdout and not any("START" in line for line in lines)
    board = done.stdout[done.stdout.index("\nicu_stay_over_3_days: ") :].split("[6/7]")[0]
    assert max(map(len, board.splitlines())) <= 100
    assert sum(line.startswith("  left out: arms of") for line in lines) == 1
    assert re.search(r"^\[7/7\] publish", done.stdout, re.M)
    last = [line.split()[-2:] for line in lines[-2:]]
    assert last == [["charthouse", "dashboard"], ["xdg-open", "data/report/report.html"]]
    assert (tmp_path / "charthouse-demo/data/report/report.html").exists()
    again = run_in(tmp_path, installed, "demo", "charthouse-demo", "--stays", "150")
    assert again.returncode == 0 and "[6/6]" in again.stdout  # the raw files are there
    assert "0 encoded" in again.stdout and "fitted on" not in again.stdout


def test_a_demo_in_a_project_that_is_none_starts_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARTHOUSE_PROJECT", str(tmp_path / "mistyped"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CharthouseError, match=r"mistyped is not .in. a project of Charthouse"):
        demo()
    assert not list(tmp_path.iterdir())


def test_a_project_that_is_cut_short_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(new_project.shutil, "copyfile", full)
    with pytest.raises(CharthouseError, match=r"mine cannot be written: .*No space left on device"):
        init_project(tmp_path / "mine")
    assert not list(tmp_path.iterdir())


def test_a_project_is_not_made_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in ("file", "file/below", "n" * 300):
        with pytest.raises(CharthouseError, match=r"(is no new or empty folder|cannot be written)"):
            init_project(tmp_path / place)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_project_named_in_the_environment_must_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARTHOUSE_PROJECT", str(tmp_path))
    with pytest.raises(CharthouseError, match="set CHARTHOUSE_PROJECT to one"):
        project_dir(else_shipped=True)
