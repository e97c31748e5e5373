"""`charthouse doctor`: what is missing stops, what is only small is noted, each with what to do."""

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from bench import PROJECT, Bench, rewrite
from charthouse.data import doctor
from charthouse.data.doctor import Diagnosis, examine, print_diagnoses


@pytest.fixture
def folders(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The three folders, named in the environment."""
    for root, folder in bench.raw.items():
        monkeypatch.setenv(root, folder)
    monkeypatch.setenv("CHARTHOUSE_WAREHOUSE", str(bench.warehouse))
    return {root.removeprefix("CHARTHOUSE_"): Path(folder) for root, folder in bench.raw.items()}


def findings(subject: str, *, full: bool = False) -> list[Diagnosis]:
    return [found for found in examine(PROJECT, full=full) if found.subject == subject]


def test_whole_data_are_good(folders: dict[str, Path]) -> None:
    found = examine(PROJECT, full=True)
    assert not [finding for finding in found if finding.state == "bad"]
    assert findings("icu/icustays") == [Diagnosis("good", "icu/icustays", "300 rows")]
    assert findings("files/") == [Diagnosis("good", "files/", "20 of 20 sampled JPGs are there")]
    assert any("is SYNTHETIC" in finding.message for finding in found)


def test_a_release_is_known_by_its_stays_and_a_short_file_is_noted(real_demo: Path,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    shutil.copytree(real_demo, tmp_path / "demo", copy_function=shutil.copy)
    for path in (tmp_path / "demo").rglob("*"):
        path.chmod(0o755)
    monkeypatch.setenv("CHARTHOUSE_MIMICIV", str(tmp_path / "demo"))
    monkeypatch.delenv("CHARTHOUSE_NOTE", raising=False)
    monkeypatch.delenv("CHARTHOUSE_CXR", raising=False)
    rewrite(tmp_path / "demo/hosp/admissions.csv.gz", lambda text: text[: text.rindex("\n", 0, -1)])
    release = findings("release")
    assert release == [Diagnosis("good", "release", "MIMIC-IV demo-2.2, by its 140 ICU stays")]
    notes = [found for found in findings("hosp/admissions") if found.state == "note"]
    assert "only 274 of the 275 rows of release demo-2.2: fine for a subset" in notes[0].message
    assert findings("CHARTHOUSE_NOTE")[0].state == "note"
    assert not [found for found in examine(PROJECT) if found.state == "bad"]


def test_what_is_not_set_or_not_there(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CHARTHOUSE_MIMICIV")
    assert findings("CHARTHOUSE_MIMICIV") == [
        Diagnosis(
            "bad", "CHARTHOUSE_MIMICIV", "not set: export CHARTHOUSE_MIMICIV=/path/to/mimic-iv"
        )
    ]
    monkeypatch.setenv("CHARTHOUSE_MIMICIV", "/no/such/folder")
    assert "/no/such/folder is not a folder" in findings("CHARTHOUSE_MIMICIV")[0].message
    monkeypatch.setenv("CHARTHOUSE_MIMICIV", str(folders["MIMICIV"].parent))
    assert f"did you mean {folders['MIMICIV']}?" in findings("CHARTHOUSE_MIMICIV")[0].message


def test_a_missing_file_and_a_missing_column(folders: dict[str, Path]) -> None:
    (folders["MIMICIV"] / "hosp/patients.csv.gz").unlink()
    stays = folders["MIMICIV"] / "icu/icustays.csv.gz"
    rewrite(stays, lambda text: text.replace("outtime", "x"))
    assert findings("hosp/patients")[0].state == "bad"
    (found,) = findings("icu/icustays")
    assert found.state == "bad"
    assert found.message.startswith(f"{stays}: column outtime is missing. Fetch the file again")


def test_two_files_of_one_table_are_not_chosen_between(folders: dict[str, Path]) -> None:
    for file in ("MIMICIV/icu/icustays", "CXR/mimic-cxr-2.0.0-metadata"):
        root, stem = file.split("/", 1)
        (folders[root] / f"{stem}.csv").touch()
        name = Path(stem).name
        stem_path = folders[root] / stem
        message = f"{stem_path} exists twice: {name}.csv.gz and {name}.csv. Keep one of them."
        assert findings(stem) == [Diagnosis("bad", stem, message)]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: data[:-1000], "is cut short. Fetch it again."),
        (lambda data: data[:-6] + bytes([data[-6] ^ 0xFF]) + data[-5:], "its checksum is wrong"),
        (lambda data: b"", "is empty, damaged or not readable by you: it has no first line."),
    ],
)
def test_a_damaged_file(
    folders: dict[str, Path], spoil: Callable[[bytes], bytes], message: str
) -> None:
    path = folders["MIMICIV"] / "icu/chartevents.csv.gz"
    path.write_bytes(spoil(path.read_bytes()))
    found = findings("icu/chartevents", full=True)
    assert found[0].state == "bad"
    assert str(path) in found[0].message and message in found[0].message


def test_a_large_file_is_counted_only_when_asked(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "COUNTED_AT_ONCE", 1000)
    assert "counted with --full" in findings("icu/chartevents")[0].message
    with gzip.open(folders["MIMICIV"] / "icu/chartevents.csv.gz") as file:
        lines = sum(1 for _ in file)
    assert findings("icu/chartevents", full=True)[0].message == f"{lines - 1:,} rows"


def test_jpgs_that_are_not_there_are_noted(folders: dict[str, Path]) -> None:
    shutil.rmtree(folders["CXR"] / "files")
    assert findings("files/")[0].state == "note"
    assert "only 0 of 20 sampled JPGs are there" in findings("files/")[0].message


def test_a_warehouse_that_no_build_could_write_is_said(
    folders: dict[str, Path], bench: Bench
) -> None:
    assert findings("CHARTHOUSE_WAREHOUSE")[0].state == "good"
    bench.warehouse.write_bytes(bench.warehouse.read_bytes()[:5000])
    (damaged,) = findings("CHARTHOUSE_WAREHOUSE")
    assert damaged.state == "bad" and "is damaged, or no warehouse" in damaged.message


def test_a_disk_without_room_for_a_second_warehouse_is_said(
    folders: dict[str, Path], bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a build copies it."""
    disk = os.statvfs(bench.warehouse.parent)
    full = {"f_bavail": bench.warehouse.stat().st_size // disk.f_frsize - 1}
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_frsize=disk.f_frsize, **full))
    (found,) = findings("CHARTHOUSE_WAREHOUSE")
    assert found.state == "bad" and "a build works on a copy beside it" in found.message


def test_a_bracket_in_a_path_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    for path in ("/data/[/old]/mimic", "/data/[red]mimic", "/data/:smile:/mimic"):
        print_diagnoses([Diagnosis("bad", "CHARTHOUSE_MIMICIV", path)])
        assert path in capsys.readouterr().out


def test_what_comes_next_can_be_run_in_any_folder(capsys: pytest.CaptureFixture[str]) -> None:
    print_diagnoses([Diagnosis("good", "icu/icustays", "300 rows")])
    assert capsys.readouterr().out.endswith("\nReady: charthouse build\n")


def test_what_you_may_not_read_is_said(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests may run as root, who may read all: so the question is answered for it."""
    closed = {folders["NOTE"], folders["MIMICIV"] / "icu/icustays.csv.gz"}
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path not in closed and allowed(path, mode))
    assert [found.message for found in findings("CHARTHOUSE_NOTE")] == [
        f"{folders['NOTE']} is not readable by you: chmod or ask its owner"
    ]
    assert findings("icu/icustays")[0].state == "bad"
    assert "icustays.csv.gz is not readable by you" in findings("icu/icustays")[0].message


def test_parquet_is_looked_at_too(folders: dict[str, Path]) -> None:
    text = folders["MIMICIV"] / "icu/icustays.csv.gz"
    path = text.with_name("icustays.parquet")
    duckdb.execute(f"copy (from read_csv('{text}')) to '{path}' (format parquet)")
    text.unlink()
    assert findings("icu/icustays") == [Diagnosis("good", "icu/icustays", "300 rows")]
    path.write_bytes(path.read_bytes()[:-100])
    assert findings("icu/icustays") == [
        Diagnosis(
            "bad",
            "icu/icustays",
            f"{path} is cut, damaged or no Parquet file. Write or fetch it again.",
        )
    ]


def test_damaged_metadata_are_one_finding(folders: dict[str, Path]) -> None:
    path = folders["CXR"] / "mimic-cxr-2.0.0-metadata.csv.gz"
    path.write_bytes(path.read_bytes()[:50])
    assert findings("mimic-cxr-2.0.0-metadata")[0].state == "bad"
    assert not findings("files/")
