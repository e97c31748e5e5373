"""Patient text stays inside: no value in an error, no file open to others, no door to elsewhere."""

import json
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import PROJECT, UNTESTED, Bench, Outcome, link_without_models
from charthouse.core.duckdb_errors import REDACTED, redact_errors, redacted_message
from charthouse.core.errors import CharthouseError
from charthouse.core.warehouse import (
    in_memory_database,
    make_owner_only,
    open_copy,
    open_warehouse,
    warehouse_path,
)
from charthouse.data.dbt_plugin import Plugin
from charthouse.data.doctor import examine
from charthouse.data.xray_files import files_below
from charthouse.views.publish import Options as PublishOptions
from charthouse.views.publish import publish
from listener import Listener

SECRET = "Mrs_Smith"
NUMBER = 2147480451  # a value, and nothing but a value

# what is asked: a word that the message must keep
QUOTING = {
    "select cast(x as integer) from t": "no INT32 (column x)",
    "select cast(x as double) from t": "no DOUBLE (column x)",
    "select cast(x as timestamp) from t": "no timestamp (column x)",
    "select cast(x as date) from t": "no date (column x)",
    "select cast(x as decimal(4, 2)) from t": "no DECIMAL (column x)",
    "select cast(x as enum('a', 'b')) from t": "Conversion Error",
    "select cast(x as integer[]) from t": "no INTEGER",
    "select cast(x as struct(a integer)) from t": "Conversion Error",
    "select cast(x as json) from t": "no JSON",
    "select cast(x || '\\' as blob) from t": "Conversion Error",
    "select strptime(x, '%Y') from t": "another format",
    "select error(x) from t": "Invalid Input Error",
    "select regexp_matches('a', '*' || x) from t": "Invalid Input Error",
    "select from_base64(x) from t": "Conversion Error",
    "select timezone(x, timestamp '2020-01-01') from t": "Not implemented Error",
    "select date_part(x, date '2020-01-01') from t": "Conversion Error",
    "select cast(n as smallint) from t": "INT32 that is no INT16, or out of its range (column n)",
    "select cast(n as decimal(3, 1)) from t": "out of the range of DECIMAL (column n)",
    "select n + n from t": "overflow in addition of INT32",
    "select n * n * n * n * n from t": "overflow in multiplication of INT32",
    "select make_date(n, n, n) from t": "a date out of range",
    "create table k (x varchar primary key); insert into k select x from t, range(2)": "is there",
    "create table k (x text check (x != 'Mrs_Smith')); insert into k select x from t": "check of k",
    "create table k as select x from t, range(2); create unique index i on k (x)": "two rows",
    "create table k as select x from t; alter table k alter x type integer": "no INT32",
}  # fmt: skip


@pytest.mark.parametrize("query", QUOTING)
def test_what_duckdb_says_quotes_no_value(query: str) -> None:
    with duckdb.connect() as db:
        db.execute("create table t as select ? as x, ?::integer as n", [SECRET, NUMBER])
        with pytest.raises(duckdb.Error) as quoted, redact_errors():
            db.execute(query).fetchall()
    said = str(quoted.value)
    assert SECRET not in said and str(NUMBER) not in said and "\n" not in said
    assert QUOTING[query] in said
    assert redacted_message(quoted.value) == said  # said again, nothing more is lost


@pytest.mark.parametrize(
    "value",
    [
        "NOT NULL constraint failed: Mrs_Smith.a",
        "CHECK constraint failed on table Mrs_Smith with",
        "File x requires the extension Mrs_Smith to be loaded",
        "x' to INT32 when casting from source column Mrs_Smith",
        "x\n\nLINE 1: Mrs_Smith\n        ^",
        "x' when casting from source column Mrs_Smith\n\nLINE 1: x\n   ^",
        "Constraint Error: NOT NULL constraint failed: Mrs_Smith.a",
        'Invalid string encoding found in Parquet file "Mrs_Smith": value "" is not valid UTF8!',
    ],
)
@pytest.mark.parametrize(
    "query", ["select cast(? as integer)", "select error(?)", "select cast(x as date) from t",
              "select cast(x as integer) from t"],
)  # fmt: skip
def test_a_value_that_imitates_duckdb_is_not_believed(query: str, value: str) -> None:
    with duckdb.connect() as db:
        db.execute("create table t as select ? as x", [value])
        with pytest.raises(duckdb.Error) as quoted, redact_errors():
            db.execute(query, [value] if "?" in query else []).fetchall()
    assert SECRET.lower() not in str(quoted.value).lower()


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (duckdb.CatalogException, 'Catalog Error: Table with name "x" does not exist!'),
        (duckdb.BinderException, 'Binder Error: Referenced column "zz" not found'),
        (duckdb.IOException, 'IO Error: Cannot open file "/x/y": No such file or directory'),
        (duckdb.OutOfMemoryException, "Out of Memory Error: could not allocate block"),
    ],
)
def test_what_is_about_names_files_or_the_machine_is_said(
    error: type[duckdb.Error], kept: str
) -> None:
    assert redacted_message(error(kept)) == kept


def test_of_what_is_not_known_the_kind_alone_is_said() -> None:
    assert redacted_message(duckdb.Error(f"{SECRET} Error: x")) == f"DuckDB: {REDACTED}"
    said = f'TransactionContext Error: Failed to commit: key "{SECRET}"'
    assert redacted_message(duckdb.TransactionException(said)) == (
        f"TransactionContext Error: {REDACTED}"
    )


def opened(kind: str, own: Bench) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
    if kind == "scratch":
        return in_memory_database()
    if kind == "copy":
        copy = own.warehouse.with_name("copy.duckdb")
        return open_copy(own.warehouse, copy, lambda reason: CharthouseError(reason))
    return open_warehouse(own.warehouse, read_only=kind == "read")


CONNECTIONS = ("scratch", "copy", "read", "write")


@pytest.mark.parametrize("kind", CONNECTIONS)
def test_no_connection_of_ours_lets_a_value_out(own: Bench, kind: str) -> None:
    with pytest.raises(duckdb.ConversionException) as quoted, opened(kind, own) as db:
        db.execute("select cast(? as integer)", [f"{SECRET} interrupted"]).fetchall()
    assert str(quoted.value) == "Conversion Error: text that is no INT32"


@pytest.mark.parametrize("kind", CONNECTIONS)
def test_duckdb_opens_no_door_of_its_own(own: Bench, kind: str) -> None:
    with Listener() as server, opened(kind, own) as db:
        for scheme in ("http", "https", "s3", "hf"):
            address = f"{scheme}://127.0.0.1:{server.port}/x.parquet"
            with pytest.raises(duckdb.Error, match="the extension httpfs"), redact_errors():
                db.execute(f"select * from '{address}'")
        values = db.execute(
            "select distinct value from duckdb_settings() where name in"
            " ('autoinstall_known_extensions', 'autoload_known_extensions',"
            " 'allow_community_extensions')"
        ).fetchall()
        assert values == [("false",)] and server.saw_nothing()


def test_nor_for_dbt_whatever_the_profile_says() -> None:
    config = {"autoload_known_extensions": True}
    Plugin("charthouse", {}).update_connection_config(None, config)  # type: ignore[arg-type]
    assert not config["autoload_known_extensions"] and not config["autoinstall_known_extensions"]


def test_only_one_module_opens_duckdb() -> None:
    words = ("duckdb.connect(", "duckdb.sql(", "duckdb.execute(", "duckdb.query(", "duckdb.read_")
    found = [
        path.name
        for folder in ("python", "benchmarks")
        for path in (PROJECT / folder).rglob("*.py")
        if any(word in path.read_text() for word in words)
    ]
    assert found == ["warehouse.py"]


def spoilt_parquet(bench: Bench) -> str:
    """Reports with a byte that is no UTF-8, as Parquet."""
    csv = Path(bench.raw["CHARTHOUSE_NOTE"]) / "note/radiology.csv.gz"
    path = csv.with_name("radiology.parquet")
    with duckdb.connect() as db:
        table = db.sql(f"select * from read_csv('{csv}')").to_arrow_table()
    texts = table["text"].to_pylist()
    texts[3] = f"{SECRET} ".encode() + b"\xe9"
    raw = pa.array([text.encode() if isinstance(text, str) else text for text in texts], "binary")
    array = pa.StringArray.from_buffers(len(raw), *raw.buffers()[1:], raw.buffers()[0])
    place = table.schema.get_field_index("text")
    pq.write_table(table.set_column(place, "text", array), path)
    csv.unlink()
    return "stg_mimiciv__radiology"


def model(query: str) -> Callable[[Bench], str]:
    def add(bench: Bench) -> str:
        with duckdb.connect(str(bench.warehouse)) as db:
            db.execute(
                "update staging.stg_mimiciv__admissions set race = ?, hadm_id = ?", [SECRET, NUMBER]
            )
        config = "materialized='table', contract={'enforced': false}"
        text = f"{{{{ config({config}) }}}} {query}"
        (bench.project / "models/reports/mine.sql").write_text(text)
        return "mine"

    return add


ADMISSIONS = "from {{ ref('stg_mimiciv__admissions') }}"
UNREADABLE: dict[str, tuple[Callable[[Bench], str], str]] = {
    "a Parquet string that is not UTF-8": (spoilt_parquet, "UTF-8"),
    "a cast of text in a model": (
        model(f"select cast(race as integer) as n {ADMISSIONS}"), "no INT32 (column race)",
    ),
    "an integer that overflows": (
        model(f"select hadm_id + hadm_id as n {ADMISSIONS}"),
        "overflow in addition of INT32",
    ),
    "a query of a hook": (
        model("{% set from = ref('stg_mimiciv__admissions') %}{% if execute %}"
              "{% do run_query('select error(race) from ' ~ from) %}{% endif %} select 1 as n"),
        "Invalid Input Error",
    ),
    "a door": (model("select * from 's3://bucket/x.parquet'"), "the extension httpfs"),
}  # fmt: skip


@pytest.mark.parametrize("by", ["dbt build", "charthouse build"])
@pytest.mark.parametrize("case", UNREADABLE)
def test_a_value_that_cannot_be_read_is_in_no_output_and_no_log(
    bench: Bench, project: Path, by: str, case: str
) -> None:
    bench.project = project
    spoil, kept = UNREADABLE[case]
    words = ("--select", spoil(bench), *UNTESTED)
    if by == "dbt build":
        outcome = bench.build(*words)
        output, log = outcome.output, bench.logs / "dbt.log"
        assert outcome.code == 1
    else:
        done = bench.charthouse("build", *words)
        output, log = done.stdout + done.stderr, project / "logs/dbt.log"
        assert done.returncode == 1 and kept in done.stderr.splitlines()[-1]
    assert kept in output
    results = (bench.logs / "target/run_results.json").read_text()
    for text in (output, log.read_text(), results):
        assert SECRET not in text and str(NUMBER) not in text and "Traceback" not in text
    assert any(kept in (row["message"] or "") for row in json.loads(results)["results"])


@pytest.mark.parametrize("in_a_thread", [False, True])
def test_an_error_that_nobody_foresaw_says_where_and_no_value(in_a_thread: bool) -> None:
    script = (
        "import sys, threading, charthouse.core.warehouse, charthouse.cli as cli\n"
        f"def fail(): raise ValueError('no float: {SECRET[:3]}' + '_Smith')\n"
        "def run():\n"
        "    thread = threading.Thread(target=fail); thread.start(); thread.join()\n"
        f"charthouse.core.warehouse.warehouse_path = {'run' if in_a_thread else 'fail'}\n"
        "sys.argv = ['charthouse', 'leaderboard']\n"
        "cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1 and "in fail" in done.stderr
    assert "unexpected ValueError" in done.stderr and SECRET not in done.stderr


def modes(*paths: Path) -> dict[str, str]:
    return {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in paths if path.exists()}


def test_what_a_build_writes_is_for_its_owner_alone_whatever_the_warehouse(
    bench: Bench, project: Path
) -> None:
    """Under the umask of most machines; dbt opens its log before anything of ours runs."""
    bench.project, bench.logs = project, project / "logs"
    bench.warehouse.chmod(0o664)
    log, older = bench.logs / "dbt.log", bench.logs / "dbt.log.1"
    bench.logs.mkdir(mode=0o755)
    older.touch(mode=0o644)
    folder = bench.warehouse.with_name(f".{bench.warehouse.name}.building")
    seen: dict[str, str] = {}
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.005):
            with suppress(FileNotFoundError):
                seen.update(modes(folder, folder / f"{bench.warehouse.name}.wal"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        open_to_all = ("sh", "-c", 'umask 022; exec "$@"', "sh")
        outcome = bench.build("--select", "resource_type:seed", *UNTESTED, prefix=open_to_all)
    finally:
        is_over.set()
        watcher.join()
    assert outcome.code == 0, outcome.output
    assert seen == {folder.name: "0o700", f"{bench.warehouse.name}.wal": "0o600"}
    assert modes(bench.warehouse) == {"warehouse.duckdb": "0o664"}
    target = bench.logs / "target"
    assert modes(bench.logs, target) == {"logs": "0o700", "target": "0o700"}
    assert set(modes(log, older, *target.glob("*.json"), *target.glob("*.msgpack")).values()) == {
        "0o600"
    }


def test_what_an_earlier_version_left_is_closed(own: Bench, tmp_path: Path) -> None:
    own.warehouse.chmod(0o644)
    (tmp_path / "warehouse.duckdb.tmp").mkdir(mode=0o755)
    names = ("ask-1.outbox", "ask-1.outbox-wal", "ask-1.1.journal", "ask-1.2.unreadable")
    left = [tmp_path / f"warehouse.duckdb.{name}" for name in names]
    for path in left:
        path.touch(mode=0o644)
    (tmp_path / "warehouse.duckdb.mine").touch(mode=0o644)
    with open_warehouse(own.warehouse):
        pass
    assert set(modes(*left).values()) == {"0o600"}
    assert modes(tmp_path / "warehouse.duckdb.tmp") == {"warehouse.duckdb.tmp": "0o700"}
    kept = modes(own.warehouse, tmp_path / "warehouse.duckdb.mine")
    assert set(kept.values()) == {"0o644"}


def test_a_link_is_not_followed_to_close_a_file(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.touch(mode=0o644)
    (tmp_path / "w.duckdb.wal").symlink_to(mine)
    make_owner_only(tmp_path / "w.duckdb.wal")
    make_owner_only(tmp_path / "nothing")
    assert modes(mine) == {"mine": "0o644"}


def test_the_command_line_makes_files_for_their_owner_alone(own: Bench) -> None:
    """Whatever a job writes beside the warehouse, DuckDB's log and spill folder too."""
    script = (
        "import os, sys, charthouse.cli as cli, charthouse.core.warehouse as w\n"
        "def write_and_die():\n"
        f"    with w.open_warehouse(w.Path({str(own.warehouse)!r}), read_only=False) as db:\n"
        "        db.execute('create table marts.mine as select 1 as n')\n"
        "        os.kill(os.getpid(), 9)\n"
        "w.warehouse_path = write_and_die\n"
        "os.umask(0o022)\n"
        "sys.argv = ['charthouse', 'leaderboard']\n"
        "cli.main()"
    )
    own.warehouse.chmod(0o664)
    subprocess.run([sys.executable, "-c", script])
    wal = own.warehouse.with_name("warehouse.duckdb.wal")
    assert modes(own.warehouse, wal) == {
        "warehouse.duckdb": "0o664",
        "warehouse.duckdb.wal": "0o600",
    }


ELSEWHERE = {
    "md:mine": "begins with 'md:'",
    "MotherDuck:mine?token=Mrs_Smith": "begins with 'MotherDuck:'",
    "s3://Mrs_Smith@bucket/w.duckdb": "begins with 's3:'",
    "https://example.org/w.duckdb": "begins with 'https:'",
    "file:///tmp/w.duckdb": "begins with 'file:'",
    "sqlite:w.db": "begins with 'sqlite:'",
    " gcs://bucket/w.duckdb": "begins with 'gcs:'",
    "~/w.duckdb": "begins with '~'",
    ":memory:": ":memory: is no file, and nothing would be kept",
    ":memory:named": "is no file",
    ":default:": "is no file",
    "it's.duckdb": "cannot have ' in its name",
    'a"b.duckdb': 'cannot have " in its name',
    "a\nb.duckdb": "has a line break",
    "a\tb.duckdb": "another character in it that cannot be shown",
    "a\\b.duckdb": "cannot have \\ in its name",
    "a#b/w.duckdb": "cannot have # in its name",
    "a?b.duckdb": "cannot have ? in its name",
    "a;b.duckdb": "cannot have ; in its name",
    "temp.duckdb": "what DuckDB has of its own",
    "System.v2.duckdb": "what DuckDB has of its own",
    "main.db": "what DuckDB has of its own",
    "...": "names no file",
    " ": "' ' names no file",
    "w/ ": "names no file",
    f"{'long' * 60}.duckdb": "longer than 150 bytes",
}


@pytest.mark.parametrize("named", ELSEWHERE)
def test_a_warehouse_that_is_no_file_here_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHARTHOUSE_WAREHOUSE", named)
    with pytest.raises(CharthouseError) as refused:
        warehouse_path()
    said = str(refused.value)
    assert ELSEWHERE[named] in said and "\n" not in said and SECRET not in said
    for read_only in (True, False):
        with pytest.raises(CharthouseError), open_warehouse(Path(named), read_only=read_only):
            pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "named", ["a b.duckdb", "ä-ß.v2.duckdb", "50%.db", "o'brien/w.duckdb", "memory.duckdb"]
)
def test_other_names_are_taken(tmp_path: Path, named: str) -> None:
    (tmp_path / named).parent.mkdir(exist_ok=True)
    with open_warehouse(tmp_path / named, read_only=False) as db:
        db.execute("create table t as select 1 as n")
    with open_warehouse(tmp_path / named) as db:
        assert db.execute("select n from t").fetchall() == [(1,)]


@pytest.fixture
def settings_alone(built: Bench, tmp_path: Path) -> Bench:
    """The project without its models, of which dbt parses little; a warehouse that is not there."""
    link_without_models(tmp_path)
    return Bench(built.raw, tmp_path / "new/w.duckdb", tmp_path / "logs", project=tmp_path)


def assert_refused(outcome: Outcome, line: str) -> None:
    assert outcome.code != 0
    assert line in outcome.output and "Traceback" not in outcome.output


@pytest.mark.parametrize("named", ["md:mine", ":memory:", "new/temp.duckdb", "new/a'b.duckdb"])
def test_dbt_refuses_it_too_before_anything_is_opened(settings_alone: Bench, named: str) -> None:
    (settings_alone.project / "new").mkdir()
    line = ELSEWHERE[named.removeprefix("new/").replace("a'b", "it's")]
    assert_refused(settings_alone.build(CHARTHOUSE_WAREHOUSE=named), line)
    assert not list((settings_alone.project / "new").iterdir())


def test_a_folder_elsewhere_is_refused(
    settings_alone: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_alone.warehouse.parent.mkdir()
    line = "CHARTHOUSE_CXR begins with 'S3:'. Only files of this machine are read and written."
    assert_refused(settings_alone.build(CHARTHOUSE_CXR="S3://bucket/cxr"), line)
    assert not list(settings_alone.warehouse.parent.iterdir())
    monkeypatch.setenv("CHARTHOUSE_CXR", "S3://bucket/cxr")
    with pytest.raises(CharthouseError, match="CHARTHOUSE_CXR begins with 'S3:'"):
        files_below("CHARTHOUSE_CXR")
    assert any(line in finding.message for finding in examine(PROJECT))
    with pytest.raises(CharthouseError, match="--out begins with 's3:'"):
        publish(tmp_path / "w.duckdb", PublishOptions(out=Path("s3://b/c")), say=print)


@pytest.mark.parametrize(
    "settings",
    [
        "{fusion: '{{ env_var(\"HOME\") }}'}",
        "{protocol: '{{ env_var(\"HOME\") }}'}",
        "{image_views: ['{{ 1 }}']}",
        "{min_age: '{% if true %}1{% endif %}'}",
    ],
)
def test_jinja_in_vars_is_never_evaluated(settings_alone: Bench, settings: str) -> None:
    settings_alone.warehouse.parent.mkdir()
    outcome = settings_alone.build("--vars", settings, HOME=f"/{SECRET}")
    assert_refused(outcome, "--vars: Jinja is not evaluated there. Write the value itself.")
    assert SECRET not in outcome.output


def test_a_refused_first_build_leaves_no_file(settings_alone: Bench) -> None:
    folder = settings_alone.warehouse.parent
    folder.mkdir()
    for words, environment in (
        (("--vars", "{min_age: old}"), {}),
        ((), {"CHARTHOUSE_MEMORY": "0MB"}),
        ((), {"CHARTHOUSE_THREADS": "²"}),
    ):
        assert settings_alone.build(*words, **environment).code != 0
        assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CHARTHOUSE_THREADS", "999999"),
        ("CHARTHOUSE_THREADS", "²"),
        ("CHARTHOUSE_THREADS", "9" * 5000),
        ("CHARTHOUSE_MEMORY", "0MB"),
        ("CHARTHOUSE_MEMORY", "1KB"),
        ("CHARTHOUSE_MEMORY", "٤GB"),
        ("CHARTHOUSE_MEMORY", "99999999999TB"),
    ],
)
def test_a_size_that_makes_no_sense_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with (
        pytest.raises(CharthouseError, match=f"{variable}: '{value[:40]}"),
        open_warehouse(tmp_path / "w.duckdb", read_only=False),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_a_link_of_another_name_is_the_warehouse(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "other/called.duckdb"
    link.parent.mkdir()
    link.symlink_to(bench.warehouse)
    with duckdb.connect(str(bench.warehouse)) as db:
        db.execute("delete from seeds.vital_signs")
    outcome = bench.build("--select", "vital_signs", *UNTESTED, CHARTHOUSE_WAREHOUSE=str(link))
    assert outcome.code == 0, outcome.output
    assert bench.one("select count(*) > 5 from seeds.vital_signs")
    assert [path.name for path in link.parent.iterdir()] == ["called.duckdb"] and link.is_symlink()
    monkeypatch.setenv("CHARTHOUSE_WAREHOUSE", str(link))
    assert warehouse_path() == bench.warehouse
    bench.warehouse.rename(tmp_path / "marts.duckdb")
    link.unlink()
    link.symlink_to(tmp_path / "marts.duckdb")
    line = "cannot be called as one of its schemas"
    assert_refused(bench.build(CHARTHOUSE_WAREHOUSE=str(link)), line)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["predict", "--seed", "-1"], "--seed -1 is not between 0 and 4,294,967,295."),
        (["evaluate", "--seed", f"{2**64}"], "--seed 18446744073709551616 is not between 0 and"),
        (["embed", "--seed", "9" * 4000], "is not between 0 and 4,294,967,295."),
        (["evaluate", "--bootstraps", f"{10**30}"], "is not between 2 and 100,000."),
        (["evaluate", "--bootstraps", "1"], "--bootstraps 1 is not between 2 and 100,000."),
        (["explain", "1" * 45], f"Stay {'1' * 45} is not in the cohort."),
    ],
)
def test_a_number_out_of_bounds_is_one_line(own: Bench, words: list[str], line: str) -> None:
    done = own.charthouse(*words)
    assert done.returncode == 1 and line in done.stderr
    assert done.stderr.startswith("charthouse: ") and done.stderr.count("\n") == 1
