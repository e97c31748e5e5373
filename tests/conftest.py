"""What the tests share: a small synthetic MIMIC and its warehouse, the real demos if they are at
hand, and which test is of which kind."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from pytest_httpserver import HTTPServer

from bench import DBT, FAKE, PARTS, PROJECT, Bench, fault_tests, roots_of
from fake_chat import Chat
from fake_openai import KEY
from kept import bench_of, is_whole, made_by, make, remove_old

WAREHOUSE = {"kept", "real_demo", "mimic_iii_demo", "challenge_2012"}
"""Fixtures that take a build, or the data of one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`make faults` runs what the page on faults names; tests/unit takes no build."""
    named = fault_tests()
    for item in items:
        if getattr(item, "originalname", item.name) in named:
            item.add_marker("fault")
        if item.path.parent.name == "unit" and WAREHOUSE & set(getattr(item, "fixturenames", ())):
            raise pytest.UsageError(f"{item.nodeid} reads a warehouse: it is no unit test.")
    if "torch" in sys.modules and all(item.path.parent.name == "unit" for item in items):
        raise pytest.UsageError(
            "A unit test, or what it imports, imports torch: seconds each time."
        )


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What dbt makes of the project, parsed only."""
    target = tmp_path_factory.mktemp("manifest")
    subprocess.run(
        [sys.executable, "-c", DBT, "parse", "--profiles-dir", "profiles", "--quiet",
         "--target-path", str(target), "--log-path", str(target)],
        check=True, cwd=PROJECT,
    )  # fmt: skip
    return json.loads((target / "manifest.json").read_text())


@pytest.fixture(scope="session")
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic data and their warehouse, made once: for all workers, and for the runs after this
    one until what makes them changes."""
    root = tmp_path_factory.getbasetemp().parent
    if hasattr(request.config, "cache"):  # `-p no:cacheprovider` keeps nothing
        root = Path(request.config.cache.mkdir("warehouse"))
    folder = root / made_by()
    with FileLock(root / "lock"):
        if not is_whole(folder):
            shutil.rmtree(folder, ignore_errors=True)
            remove_old(root)
            make(folder)
        os.utime(folder)  # in use
    return folder


@pytest.fixture(scope="session")
def synthetic(kept: Path) -> Path:
    """A synthetic MIMIC of 300 stays, few filler rows; never changed by a test."""
    return kept / "data"


@pytest.fixture(scope="session")
def built(kept: Path) -> Bench:
    """The warehouse of that data, built by the strict protocol; read only."""
    Bench.parsed = kept / "target/partial_parse.msgpack"
    return bench_of(kept)


@pytest.fixture
def bench(built: Bench, synthetic: Path, tmp_path: Path) -> Bench:
    """A copy of the data and of the warehouse, for a test to spoil."""
    shutil.copytree(synthetic, tmp_path / "data", copy_function=shutil.copy2)
    shutil.copy(built.warehouse, tmp_path / "warehouse.duckdb")
    return Bench(roots_of(tmp_path / "data"), tmp_path / "warehouse.duckdb", tmp_path)


@pytest.fixture
def own(built: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A copy of the warehouse alone, for a test to write to; the data stay as they are."""
    shutil.copy(built.warehouse, tmp_path / "warehouse.duckdb")
    for root, folder in built.raw.items():
        monkeypatch.setenv(root, folder)
    return Bench(built.raw, tmp_path / "warehouse.duckdb", tmp_path)


@pytest.fixture(scope="session")
def chat_server() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        yield server


@pytest.fixture
def chat(chat_server: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Chat:
    """A server that answers questions; no other is named by the environment."""
    for name in ("OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT", "CHARTHOUSE_APPROVED_HOSTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    chat_server.clear()
    chat = Chat(chat_server)
    for path in ("/v1/chat/completions", re.compile("/openai/.*")):
        chat_server.expect_request(path, method="POST").respond_with_handler(chat.handle)
    return chat


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake name leads here, as a hostile or mistaken name of the real world leads elsewhere."""
    resolve = socket.getaddrinfo

    def to_this_machine(host: str, *rest: object, **named: object) -> list:
        return resolve("127.0.0.1" if host == FAKE else host, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", to_this_machine)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of FAKE, signed by itself."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate; it is not here")
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-batch"),
            *("-subj", f"/CN={FAKE}", "-addext", f"subjectAltName=DNS:{FAKE}"),
            *("-keyout", str(path.with_name("key.pem")), "-out", str(path.with_name("cert.pem"))),
        ],
        check=True,
        capture_output=True,
    )
    path.write_text(path.with_name("key.pem").read_text() + path.with_name("cert.pem").read_text())
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the dbt project, for a test to edit."""
    (tmp_path / "project").mkdir()
    for name in PARTS:
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
        copy(PROJECT / name, tmp_path / "project" / name)
    return tmp_path / "project"


@pytest.fixture(scope="session")
def real_demo() -> Iterator[Path]:
    """The open MIMIC-IV demo 2.2, by CHARTHOUSE_MIMICIV or beside the clone."""
    named = os.environ.get("CHARTHOUSE_MIMICIV", "")
    for folder in (Path(named), PROJECT.parent / "shared/data/mimic-iv-demo-2.2"):
        if (folder / "demo_subject_id.csv").exists():
            yield folder
            return
    pytest.skip("the open MIMIC-IV demo 2.2 is not here: set CHARTHOUSE_MIMICIV to its folder")


def beside(folder: str) -> Path:
    """A folder of open data beside the demo that CHARTHOUSE_MIMICIV names, or beside the clone."""
    named = Path(os.environ.get("CHARTHOUSE_MIMICIV", ""))
    for place in (named.parent, PROJECT.parent / "shared/data"):
        if (place / folder).exists():
            return place / folder
    pytest.skip(f"{folder}, laid out as MIMIC-IV, is not at ../shared/data")


@pytest.fixture(scope="session")
def mimic_iii_demo() -> Path:
    """The open MIMIC-III demo 1.4 in MIMIC-IV's layout: 77 stays."""
    return beside("mimic-iii-demo-1.4")


@pytest.fixture(scope="session")
def challenge_2012() -> Path:
    """Set a of the PhysioNet challenge of 2012 in MIMIC-IV's layout: 4,000 stays."""
    return beside("physionet-2012-a")
