"""A project, raw data and a warehouse to run dbt and charthouse on, as a user does."""

import gzip
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import md5
from pathlib import Path
from typing import Any, ClassVar

import duckdb

import forked

PROJECT = Path(__file__).resolve().parents[2]
FAKE = "records.example"  # a name that the tests resolve to this machine
DBT = "from dbt.cli.main import cli; cli()"
PARTS = ("dbt_project.yml", "macros", "models", "profiles", "seeds", "tests/dbt")
"""What dbt reads."""
UNTESTED = ("--exclude-resource-type", "test")
"""For a build of which a test wants the tables alone: dbt's own tests take much of its time."""
ROOTS = {
    "CHARTHOUSE_MIMICIV": "mimic-iv",
    "CHARTHOUSE_NOTE": "mimic-iv-note",
    "CHARTHOUSE_CXR": "mimic-cxr",
    "CHARTHOUSE_ECG": "mimic-iv-ecg",
}


def fault_tests() -> set[str]:
    """Those that docs/reference/faults.md names."""
    return set(re.findall(r"`(test_\w+)`", (PROJECT / "docs/reference/faults.md").read_text()))


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
                capture_output=True, text=True, timeout=900, **where,
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
            output, errors = process.communicate(timeout=900)
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
            link_parts(home, PARTS)
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
    link_parts(folder, ("dbt_project.yml", "macros", "profiles", "seeds", *sources))


def link_parts(folder: Path, parts: Iterable[str]) -> None:
    """Links to parts of the project."""
    for part in parts:
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        (folder / part).symlink_to(PROJECT / part)


def rewrite(path: Path, change: Callable[[str], str]) -> None:
    """Edits the text of a csv.gz in place."""
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()).decode()).encode()))
