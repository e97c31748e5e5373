"""What the tests share: a small synthetic MIMIC, the real demo if it is at hand, dbt runs."""

import gzip
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import md5
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pytest
from pytest_httpserver import HTTPServer

import forked
from charthouse.synth.mimic import write_synthetic_mimic
from fake_chat import Chat
from fake_openai import KEY

PROJECT = Path(__file__).resolve().parents[1]
FAKE = "records.example"  # a name that the tests resolve to this machine
DBT = "from dbt.cli.main import cli; cli()"
PARTS = ("dbt_project.yml", "macros", "models", "profiles", "seeds", "tests")
UNTESTED = ("--exclude-resource-type", "test")
"""For a build of which a test wants the tables alone: dbt's own tests take much of its time."""
ROOTS = {
    "CHARTHOUSE_MIMICIV": "mimic-iv",
    "CHARTHOUSE_NOTE": "mimic-iv-note",
    "CHARTHOUSE_CXR": "mimic-cxr",
}


def fault_tests() -> set[str]:
    """Those that docs/faults.md names."""
    return set(re.findall(r"`(test_\w+)`", (PROJECT / "docs/faults.md").read_text()))


WAREHOUSE = {"built", "synthetic", "real_demo", "mimic_iii_demo"}
"""Fixtures that take a build, or the data of one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`make faults` runs what the page on faults names, `make check` what takes no build."""
    named = fault_tests()
    for item in items:
        if getattr(item, "originalname", item.name) in named:
            item.add_marker("fault")
        if not WAREHOUSE & set(getattr(item, "fixturenames", ())):
            item.add_marker("unit")


@dataclass(frozen=True)
class Outcome:
    """How a dbt run ended."""

    code: int
    output: str


@dataclass
class Bench:
    """Raw data, a warehouse, and a way to build the one from the other."""

    raw: dict[str, str]  # CHARTHOUSE_* folders
    warehouse: Path
    logs: Path
    environment: dict[str, str] = field(default_factory=dict)
    project: Path = PROJECT
    parsed: ClassVar[Path] = Path("not yet")  # what dbt has parsed once in this session

    def build(self, *arguments: str, prefix: tuple[str, ...] = (), **environment: str) -> Outcome:
        """`dbt build`, without the unit tests unless asked for: they do not look at the data."""
        words, where = self._words(arguments), self._where(**environment)
        if prefix:
            done = subprocess.run(
                [*prefix, sys.executable, "-c", DBT, *words],
                capture_output=True, text=True, timeout=300, **where,
            )  # fmt: skip
        else:
            done = forked.run("dbt", words, **where)
        return Outcome(done.returncode, done.stdout + done.stderr)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """The same in the background, for tests that kill it."""
        return subprocess.Popen(
            [sys.executable, "-c", DBT, *self._words(arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **self._where(),
        )

    def charthouse(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The command line as a user types it."""
        if "PYTHONPATH" in self.environment:  # names other code than forks have imported
            process = self.start_charthouse(*arguments, **environment)
            output, errors = process.communicate(timeout=300)
            return subprocess.CompletedProcess(arguments, process.returncode, output, errors)
        words = [*arguments, *self._own_target(arguments)]
        return forked.run("charthouse", words, cwd=self.project, env=self.env(**environment))

    def start_charthouse(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """The same in the background, for tests that kill or interrupt it."""
        return subprocess.Popen(
            [sys.executable, "-c", "from charthouse.cli import main; main()",
             *arguments, *self._own_target(arguments)],
            env=self.env(**environment), cwd=self.project, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
            # a test run in the background ignores the signal, and its children would too
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip

    def env(self, **environment: str) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if key not in ROOTS}
        return {
            **inherited,
            **self.raw,
            "CHARTHOUSE_WAREHOUSE": str(self.warehouse),
            "DBT_USE_COLORS": "false",
            **self.environment,
            **environment,
        }

    def sql(self, query: str) -> list[tuple]:
        with duckdb.connect(str(self.warehouse), read_only=True) as database:
            return database.execute(query).fetchall()

    def one(self, query: str) -> object:
        return self.sql(query)[0][0]

    def contents(self) -> dict[str, str]:
        """A hash of the rows of every table and of the text of every view; order does not count."""
        with duckdb.connect(str(self.warehouse), read_only=True) as database:
            tables = database.execute(
                "select schema_name, table_name from duckdb_tables() order by all"
            ).fetchall()
            name = database.execute("select current_database()").fetchall()[0][0]
            rows = "select count(*), bit_xor(md5_number(cast(t as varchar))) from {} t"
            hashes = {
                f"{schema}.{table}": str(
                    database.execute(rows.format(f"{name}.{schema}.{table}")).fetchall()
                )
                for schema, table in tables
            }
            views = database.execute(
                "select schema_name, view_name, sql from duckdb_views() where not internal"
            ).fetchall()
        return hashes | {f"{schema}.{view}": text for schema, view, text in views}

    def md5(self) -> str:
        """Of the very bytes of the warehouse."""
        return md5(self.warehouse.read_bytes()).hexdigest()

    def marts(self) -> dict[str, str]:
        """The contents of the marts, less the time of the build; hashes by themselves."""
        hashes = "select cohort_hash from marts.cohort_definition union all"
        hashes += " select content_hash from marts.content_hashes order by all"
        return {
            name: value
            for name, value in self.contents().items()
            if name.startswith("marts.")
            and name not in ("marts.cohort_definition", "marts.content_hashes")
        } | {"hashes": str(self.sql(hashes))}

    def _where(self, **environment: str) -> dict[str, Any]:
        """A folder of links to the project. From there every warehouse has one path, and dbt need
        not parse again what it has parsed under that path: a third of its time."""
        if self.project != PROJECT:
            return {"cwd": self.project, "env": self.env(**environment)}
        home = self.warehouse.parent / "dbt"
        if not home.exists():
            home.mkdir()
            for part in PARTS:
                (home / part).symlink_to(PROJECT / part)
            if self.parsed.exists():
                (self.logs / "target").mkdir(parents=True, exist_ok=True)
                shutil.copy(self.parsed, self.logs / "target")
        near = {"CHARTHOUSE_WAREHOUSE": f"../{self.warehouse.name}"}
        return {"cwd": home, "env": self.env(**near | environment)}

    def _own_target(self, arguments: tuple[str, ...]) -> list[str]:
        return ["--target-path", str(self.logs / "target")] if arguments[0] == "build" else []

    def _words(self, arguments: tuple[str, ...]) -> list[str]:
        words = ["build", "--profiles-dir", "profiles", "--log-path", str(self.logs)]
        words += ["--target-path", str(self.logs / "target")]
        if "unit_test" not in arguments:
            words += ["--exclude-resource-type", "unit_test"]
        return [*words, *(word for word in arguments if word != "unit_test")]


def roots_of(folder: Path) -> dict[str, str]:
    return {root: str(folder / name) for root, name in ROOTS.items()}


def link_without_models(folder: Path) -> None:
    """The project but for its models, of which dbt parses little, and looks at settings first."""
    sources = [str(path.relative_to(PROJECT)) for path in PROJECT.glob("models/*/*/_sources.yml")]
    for source in sources:
        (folder / source).parent.mkdir(parents=True)
    for part in ("dbt_project.yml", "macros", "profiles", "seeds", *sources):
        (folder / part).symlink_to(PROJECT / part)


def rewrite(path: Path, change: Callable[[str], str]) -> None:
    """Edits the text of a csv.gz in place."""
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()).decode()).encode()))


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
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic MIMIC of 300 stays, few filler rows; never changed by a test."""
    folder = tmp_path_factory.mktemp("synthetic") / "data"
    write_synthetic_mimic(folder, stays=300, seed=24, rows_per_stay=700, image_pixels=32)
    return folder


@pytest.fixture(scope="session")
def built(synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The warehouse of that data, built by the strict protocol; read only."""
    folder = tmp_path_factory.mktemp("built")
    bench = Bench(roots_of(synthetic), folder / "warehouse.duckdb", folder)
    outcome = bench.build("unit_test")
    assert outcome.code == 0, outcome.output
    Bench.parsed = folder / "target/partial_parse.msgpack"
    return bench


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


@pytest.fixture(scope="session")
def mimic_iii_demo() -> Path:
    """The open MIMIC-III demo 1.4 in MIMIC-IV's layout, beside the other demo or the clone."""
    named = Path(os.environ.get("CHARTHOUSE_MIMICIV", ""))
    for folder in (named.parent, PROJECT.parent / "shared/data"):
        if (folder / "mimic-iii-demo-1.4").exists():
            return folder / "mimic-iii-demo-1.4"
    pytest.skip("the open MIMIC-III demo 1.4, laid out as MIMIC-IV, is not at ../shared/data")
