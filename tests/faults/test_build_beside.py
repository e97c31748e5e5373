"""What a build does beside the warehouse, without dbt: a few tables stand for the marts."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from hashlib import md5
from pathlib import Path

import duckdb
import pytest

from charthouse.core.errors import CharthouseError
from charthouse.core.warehouse import WAREHOUSE_VERSION, open_copy, open_warehouse, write_version
from charthouse.data.atomic_build import AtomicBuild
from small_disk import fill, needs_root, small_disk

BUILD = (
    "import duckdb, sys; from pathlib import Path;"
    " from charthouse.data.atomic_build import AtomicBuild;"
)


def md5_of(path: Path) -> str:
    return md5(path.read_bytes()).hexdigest()


def beside(warehouse: Path) -> list[str]:
    """What stands in the folder of the warehouse, but for the warehouse."""
    return sorted(
        str(path.relative_to(warehouse.parent))
        for path in warehouse.parent.rglob("*")
        if path != warehouse
    )


def rows(path: Path, query: str = "select n from marts.cohort") -> list[tuple]:
    with open_warehouse(path) as db:
        return db.execute(query).fetchall()


def kept(build: AtomicBuild, query: str) -> list[tuple]:
    with duckdb.connect(str(build.raw_copies), read_only=True) as db:
        return db.execute(query).fetchall()


def make(path: Path, n: int = 1) -> Path:
    with duckdb.connect(str(path)) as db:
        write_version(db)
        db.execute(f"create schema marts; create table marts.cohort as select {n} as n")
        db.execute("create schema staging; create table staging.stg_a as select 1 as id")
        db.execute("comment on table staging.stg_a is 'Read from a; bytes 1.'")
    return path


def change(build: AtomicBuild, *statements: str) -> None:
    """As dbt would."""
    with duckdb.connect(str(build.file)) as db:
        for statement in statements or ("update marts.cohort set n = 2",):
            db.execute(statement)


def read_anew(build: AtomicBuild, table: str, of: str) -> None:
    change(
        build,
        "create schema if not exists staging",
        f"create or replace table staging.{table} as select '{of}' as of",
        f"comment on table staging.{table} is 'Read from {of}; bytes 9.'",
    )


def killed(warehouse: Path, *statements: str) -> None:
    """A build that changes what it is about to replace, and is then killed."""
    script = (
        f"import os; {BUILD} build = AtomicBuild(Path(sys.argv[1]));"
        " db = duckdb.connect(str(build.file)); [db.execute(each) for each in sys.argv[2:]];"
        " os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(warehouse), *statements])
    assert done.returncode == -9


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return make(tmp_path / "folder/w.duckdb")


def test_readers_keep_the_old_file_and_the_next_see_the_new(
    warehouse: Path, another: Callable[..., subprocess.Popen[str]]
) -> None:
    before = md5_of(warehouse)
    reads = "db.execute('select n from marts.cohort').fetchall()"
    with another(f"db = duckdb.connect(path, read_only=True); {BEGUN}; print({reads})") as reader:
        build = AtomicBuild(warehouse)  # does not wait for it
        change(build)
        assert (md5_of(warehouse), rows(warehouse)) == (before, [(1,)])
        build.replace_warehouse()
        assert reader.communicate()[0] == "[(1,)]\n"
    assert rows(warehouse) == [(2,)]
    assert beside(warehouse) == []


@pytest.mark.parametrize("how", ["failed", "killed"])
def test_a_build_that_fails_or_is_killed_leaves_the_very_bytes(warehouse: Path, how: str) -> None:
    before = md5_of(warehouse)
    if how == "failed":
        build = AtomicBuild(warehouse)
        change(build)
        build.end()
        assert beside(warehouse) == []
    else:
        killed(warehouse, "update marts.cohort set n = 2", "drop table staging.stg_a")
    assert md5_of(warehouse) == before
    build = AtomicBuild(warehouse)
    assert rows(build.file) == [(1,)]  # the next begins with the warehouse
    build.end()
    assert (md5_of(warehouse), beside(warehouse)) == (before, [])


def test_a_first_build_goes_on_with_raw_copies_and_nothing_else(tmp_path: Path) -> None:
    warehouse = tmp_path / "w.duckdb"
    killed(
        warehouse, "create schema staging", "create table staging.stg_a as select 1 as id",
        "comment on table staging.stg_a is 'Read from a.'",
        "create schema marts", "create view marts.cohort as select 1 as n",
    )  # fmt: skip
    assert not warehouse.exists()
    build = AtomicBuild(warehouse)
    assert rows(build.file, "select id from staging.stg_a") == [(1,)]
    assert rows(build.file, "from duckdb_views() where not internal") == []
    build.end()  # fails, and leaves them to the next
    assert not warehouse.exists() and build.file.exists()
    build = AtomicBuild(warehouse)
    change(build, "create schema marts", "create table marts.cohort as select 3 as n")
    build.replace_warehouse()
    assert rows(warehouse) == [(3,)] and rows(warehouse, "select id from staging.stg_a") == [(1,)]
    assert beside(warehouse) == []


def test_a_first_build_that_has_read_nothing_leaves_nothing(tmp_path: Path) -> None:
    warehouse = tmp_path / "w.duckdb"
    for finish in (AtomicBuild.end, AtomicBuild.replace_warehouse):
        build = AtomicBuild(warehouse)
        change(build, "create schema marts")
        finish(build)
        assert list(tmp_path.iterdir()) == []


def test_what_a_failed_build_has_read_is_there_for_the_next_one(warehouse: Path) -> None:
    """Beside the copy of the old file, which stays what it was until a model asks for the new."""
    before = md5_of(warehouse)
    build = AtomicBuild(warehouse)
    read_anew(build, "stg_a", "new a")
    change(build)
    build.end()
    killed(  # and another, which does not get as far
        warehouse, "create table staging.stg_b as select 'b' as of",
        "comment on table staging.stg_b is 'Read from b; bytes 9.'",
    )  # fmt: skip
    build = AtomicBuild(warehouse)
    assert kept(build, "select of from staging.stg_a") == [("new a",)]
    assert kept(build, "select of from staging.stg_b") == [("b",)]
    assert kept(build, "from duckdb_tables() where schema_name = 'marts'") == []
    assert rows(build.file, "select id from staging.stg_a") == [(1,)]
    assert md5_of(warehouse) == before
    build.end()
    assert build.raw_copies.exists() and not build.file.exists()
    build = AtomicBuild(warehouse)
    build.replace_warehouse()
    assert beside(warehouse) == []


def test_what_cannot_be_read_of_a_killed_build_is_dropped(warehouse: Path, tmp_path: Path) -> None:
    for file in (warehouse, tmp_path / "first/w.duckdb"):
        file.parent.mkdir(exist_ok=True)
        folder = file.with_name(".w.duckdb.building")
        folder.mkdir()
        (folder / "w.duckdb").write_bytes(b"x" * 20_000)
        (folder / "w.duckdb.kept").write_bytes(b"x" * 20_000)
        build = AtomicBuild(file)
        change(build, "create table t as select 1 as n")
        build.replace_warehouse()
        assert beside(file) == []


def test_stored_failures_can_be_looked_at_until_the_next_build(warehouse: Path) -> None:
    build = AtomicBuild(warehouse)
    change(
        build, "create schema dbt_test__audit", "create table dbt_test__audit.t as select 7 as n"
    )
    build.end()
    assert rows(build.file, "select n from dbt_test__audit.t") == [(7,)]
    AtomicBuild(warehouse).end()
    assert beside(warehouse) == []


def test_a_copy_stays_as_small_as_what_is_in_it(tmp_path: Path) -> None:
    """Five builds that make every table again."""
    warehouse, sizes = tmp_path / "w.duckdb", []
    for _ in range(6):
        build = AtomicBuild(warehouse)
        for table in ("a", "b", "c"):
            change(
                build, "create schema if not exists marts",
                f"create table marts.{table}__new as select hash(range) as n from range(300_000)",
                f"drop table if exists marts.{table}",
                f"alter table marts.{table}__new rename to {table}",
            )  # fmt: skip
        build.replace_warehouse()
        sizes.append(warehouse.stat().st_size)
    assert max(sizes) < 1.5 * sizes[0]


# who waits for whom


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARTHOUSE_LOCK_SECONDS", "0.3")


@pytest.fixture
def another(warehouse: Path) -> Callable[..., subprocess.Popen[str]]:
    """Another process, which does something with the warehouse until its standard input ends."""

    def start(script: str, path: Path = warehouse) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", f"{BUILD} path = sys.argv[1]; {script}", str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None and process.stdout.readline() == "begun\n"
        return process

    return start


BEGUN = "print('begun', flush=True); sys.stdin.read()"
BUILDS = f"build = AtomicBuild(Path(path)); {BEGUN}; build.replace_warehouse()"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("first", [False, True])
def test_nobody_else_builds_meanwhile(
    warehouse: Path, another: Callable[..., subprocess.Popen[str]], first: bool
) -> None:
    """Also where there is no warehouse yet."""
    if first:
        warehouse.unlink()
    with another(BUILDS) as builder:
        line = f"w.duckdb is in use by {Path(sys.executable).resolve().name}, process {builder.pid}"
        with pytest.raises(CharthouseError, match=line):
            AtomicBuild(warehouse)
        builder.communicate()
    AtomicBuild(warehouse).end()
    assert beside(warehouse) == []


@pytest.mark.usefixtures("impatient")
def test_nobody_writes_meanwhile_and_a_build_waits_for_who_does(
    warehouse: Path, another: Callable[..., subprocess.Popen[str]]
) -> None:
    with another(BUILDS) as builder:
        line = f"in use by {Path(sys.executable).resolve().name}, process {builder.pid}"
        with pytest.raises(CharthouseError, match=line), open_warehouse(warehouse, read_only=False):
            pass
        assert rows(warehouse) == [(1,)]
        builder.communicate()
    with another(f"db = duckdb.connect(path); {BEGUN}") as writer:
        line = f"in use by {Path(sys.executable).resolve().name}, process {writer.pid}"
        with pytest.raises(CharthouseError, match=line):
            AtomicBuild(warehouse)
        assert beside(warehouse) == []
        writer.communicate()


def test_a_writer_that_waited_writes_to_the_new_file(
    warehouse: Path, another: Callable[..., subprocess.Popen[str]], capfd: pytest.CaptureFixture
) -> None:
    build = AtomicBuild(warehouse)
    change(build)
    job = (
        "print('begun', flush=True); from charthouse.core.warehouse import open_warehouse;"
        "\nwith open_warehouse(Path(path), read_only=False) as db:"
        " db.execute('insert into marts.cohort values (5)')"
    )
    with another(job) as writer:
        assert writer.stderr is not None
        assert "waiting for it" in writer.stderr.readline()
        build.replace_warehouse()
        assert writer.wait(timeout=60) == 0
    assert sorted(rows(warehouse)) == [(2,), (5,)]


def test_a_lock_of_the_file_that_was_replaced_is_not_written_to(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one moment that waiting does not cover: opened before the rename, locked after it."""
    replacement = make(warehouse.with_name("new.duckdb"), n=2)
    connect = duckdb.connect

    def late(path: str, **options: object) -> duckdb.DuckDBPyConnection:
        opened = connect(path, **options)
        if replacement.exists():
            os.replace(replacement, warehouse)
        return opened

    monkeypatch.setattr("charthouse.core.warehouse.duckdb.connect", late)
    with open_warehouse(warehouse, read_only=False) as db:
        db.execute("insert into marts.cohort values (5)")
    monkeypatch.undo()
    assert sorted(rows(warehouse)) == [(2,), (5,)]


def test_what_a_killed_job_has_committed_is_built_on(warehouse: Path) -> None:
    script = (
        "import duckdb, os, sys; db = duckdb.connect(sys.argv[1]);"
        " db.execute('insert into marts.cohort values (8)'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(warehouse)])
    assert beside(warehouse) == ["w.duckdb.wal"]
    build = AtomicBuild(warehouse)
    change(build, "insert into marts.cohort values (9)")
    build.replace_warehouse()
    assert sorted(rows(warehouse)) == [(1,), (8,), (9,)]
    assert beside(warehouse) == []


def test_a_log_without_its_warehouse_is_not_built_beside(warehouse: Path) -> None:
    warehouse.unlink()
    log = warehouse.with_name("w.duckdb.wal")
    log.write_bytes(b"committed")
    with pytest.raises(CharthouseError, match=r"w\.duckdb\.wal: a log without its warehouse"):
        AtomicBuild(warehouse)
    assert log.read_bytes() == b"committed" and beside(warehouse) == ["w.duckdb.wal"]


# which version


def test_an_earlier_version_is_refused_and_its_line_exports_the_results(
    warehouse: Path, tmp_path: Path
) -> None:
    """As a shell reads that line."""
    old = tmp_path / "it's old/w.duckdb"
    old.parent.mkdir()
    with duckdb.connect(str(old)) as db:
        db.execute("create schema results; create table results.runs as select 'a' as run_id")
    before = md5_of(old)
    for use in (
        lambda: AtomicBuild(old),
        lambda: rows(old),
        lambda: open_warehouse(old, read_only=False).__enter__(),
        lambda: open_copy(old, tmp_path / "copy.duckdb", CharthouseError).__enter__(),
    ):
        with pytest.raises(CharthouseError) as refused:
            use()
        line = str(refused.value)
        assert line.startswith(f"{old}: an earlier Charthouse has built it (version 1 of the")
        assert "Move it away and build anew (charthouse build)" in line and "\n" not in line
        assert (md5_of(old), beside(old)) == (before, [])
    command = line.split(" first: ")[1]
    assert subprocess.run(["sh", "-c", f"umask 022; {command}"]).returncode == 0
    assert md5_of(old) == before
    (runs,) = (exported := old.with_name("w.duckdb.exported")).glob("*runs*.parquet")
    assert stat.S_IMODE(exported.stat().st_mode) & 0o077 == 0
    with duckdb.connect() as db:
        assert db.execute("from read_parquet($1)", [str(runs)]).fetchall() == [("a",)]


def test_a_later_version_is_refused(warehouse: Path) -> None:
    with duckdb.connect(str(warehouse)) as db:
        db.execute("update main.warehouse_version set version = version + 1")
    with pytest.raises(CharthouseError, match=r"a later Charthouse has built it .*\. Update Chart"):
        AtomicBuild(warehouse)
    assert beside(warehouse) == []


def test_a_database_of_somebody_else_can_be_built_into(tmp_path: Path) -> None:
    warehouse = tmp_path / "mine.duckdb"
    with duckdb.connect(str(warehouse)) as db:
        db.execute("create table notes as select 'mine' as note")
    build = AtomicBuild(warehouse)
    change(build, "create schema marts", "create table marts.cohort as select 1 as n")
    build.replace_warehouse()
    assert rows(warehouse, "from notes") == [("mine",)]
    assert rows(warehouse, "from main.warehouse_version") == [(WAREHOUSE_VERSION,)]


# where the warehouse is


@pytest.mark.parametrize(
    "name", ["a b.duckdb", "ä-ß.v2.duckdb", "50%.db", "o'brien/w.duckdb", "lock", "kept", "[x].db"]
)
def test_names_of_any_characters(tmp_path: Path, name: str) -> None:
    warehouse = tmp_path / name
    warehouse.parent.mkdir(exist_ok=True)
    make(warehouse)
    build = AtomicBuild(warehouse)
    read_anew(build, "stg_a", "new a")
    build.end()
    build = AtomicBuild(warehouse)
    assert kept(build, "select of from staging.stg_a") == [("new a",)]
    change(build)
    build.replace_warehouse()
    assert (rows(warehouse), beside(warehouse)) == ([(2,)], [])


def test_a_link_stays_a_link_and_what_it_leads_to_is_replaced(
    warehouse: Path, tmp_path: Path
) -> None:
    link = tmp_path / "called.duckdb"
    link.symlink_to(warehouse)
    build = AtomicBuild(link)
    change(build)
    build.replace_warehouse()
    assert link.is_symlink() and rows(link) == [(2,)]
    assert beside(warehouse) == []
    broken = tmp_path / "to_be.duckdb"
    broken.symlink_to(tmp_path / "folder/new.duckdb")
    build = AtomicBuild(broken)
    change(build, "create table t as select 1 as n")
    build.replace_warehouse()
    assert broken.is_symlink() and (tmp_path / "folder/new.duckdb").exists()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_who_may_read_the_warehouse_stays_the_same_and_the_copy_is_closed(
    warehouse: Path, mode: int
) -> None:
    warehouse.chmod(mode)
    build = AtomicBuild(warehouse)
    assert stat.S_IMODE(build.file.parent.stat().st_mode) == 0o700
    change(build)
    build.replace_warehouse()
    assert stat.S_IMODE(warehouse.stat().st_mode) == mode


@needs_root
def test_a_warehouse_of_somebody_else_stays_theirs(warehouse: Path) -> None:
    os.chown(warehouse, 1234, 5678)
    build = AtomicBuild(warehouse)
    change(build)
    build.replace_warehouse()
    assert (warehouse.stat().st_uid, warehouse.stat().st_gid) == (1234, 5678)


def test_a_folder_that_somebody_has_put_there_is_not_used(warehouse: Path, tmp_path: Path) -> None:
    warehouse.with_name(".w.duckdb.building").symlink_to(tmp_path)
    with pytest.raises(CharthouseError, match=r"\.w\.duckdb\.building is not yours\. Remove it"):
        AtomicBuild(warehouse)


@pytest.mark.skipif(
    not shutil.which("setpriv"), reason="setpriv, which takes rights away, is not here"
)
@pytest.mark.parametrize("closed", ["folder", "file"])
def test_what_may_not_be_written_is_one_line(warehouse: Path, closed: str) -> None:
    (warehouse.parent if closed == "folder" else warehouse).chmod(
        0o500 if closed == "folder" else 0o400
    )
    capabilities = "-dac_override,-dac_read_search"
    words = ("setpriv", f"--bounding-set={capabilities}", f"--inh-caps={capabilities}")
    done = subprocess.run(
        [*(words if os.geteuid() == 0 else ()), sys.executable, "-c",
         f"{BUILD}\ntry: AtomicBuild(Path(sys.argv[1]))\nexcept Exception as e: print(e)",
         str(warehouse)],
        capture_output=True, text=True,
    )  # fmt: skip
    warehouse.parent.chmod(0o700)
    assert done.stdout == (
        f"{warehouse}: cannot be opened (Permission denied). Correct CHARTHOUSE_WAREHOUSE, or the"
        " rights of the folder.\n"
    )
    assert beside(warehouse) == []


def test_a_file_that_came_meanwhile_is_not_replaced(warehouse: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "other.duckdb", n=4)
    build = AtomicBuild(warehouse)
    change(build)
    os.replace(other, warehouse)
    with pytest.raises(CharthouseError, match="another program has put a file there"):
        build.replace_warehouse()
    assert (rows(warehouse), beside(warehouse)) == ([(4,)], [])
    first = AtomicBuild(tmp_path / "first.duckdb")
    change(first, "create table t as select 1 as n")
    make(tmp_path / "first.duckdb", n=6)
    with pytest.raises(CharthouseError, match="another program has put a file there"):
        first.replace_warehouse()
    assert rows(tmp_path / "first.duckdb") == [(6,)]


def test_a_disk_that_can_share_blocks_is_asked_to(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = warehouse.stat().st_size

    def share(target: int, _: int, source: int) -> None:
        os.pwrite(target, os.pread(source, size, 0), 0)

    monkeypatch.setattr("charthouse.data.atomic_build.fcntl.ioctl", share)
    monkeypatch.setattr(
        "charthouse.data.atomic_build.shutil.copyfileobj", lambda *_: pytest.fail("copied")
    )
    build = AtomicBuild(warehouse)
    change(build)
    build.replace_warehouse()
    assert rows(warehouse) == [(2,)]


@needs_root
@pytest.mark.skipif(not shutil.which("mkfs.btrfs"), reason="mkfs.btrfs is not here")
def test_on_a_disk_that_shares_blocks_a_copy_takes_no_room(tmp_path: Path) -> None:
    (tmp_path / "image").touch()
    os.truncate(tmp_path / "image", 200_000_000)
    (disk := tmp_path / "disk").mkdir()
    subprocess.run(["mkfs.btrfs", "-q", tmp_path / "image"], check=True, capture_output=True)
    if subprocess.run(
        ["mount", "-o", "loop", tmp_path / "image", disk], capture_output=True
    ).returncode:
        pytest.skip("this machine does not let root mount an image of a disk")
    try:
        warehouse = make(disk / "w.duckdb")
        with duckdb.connect(str(warehouse)) as db:
            db.execute("create table marts.big as select hash(range) as n from range(5_000_000)")
        os.sync()
        free = shutil.disk_usage(disk).free
        build = AtomicBuild(warehouse)
        os.sync()
        assert free - shutil.disk_usage(disk).free < warehouse.stat().st_size / 10
        change(build)
        build.replace_warehouse()
        assert rows(warehouse) == [(2,)]
    finally:
        subprocess.run(["umount", disk], check=True)


@needs_root
@pytest.mark.parametrize("when", ["to copy", "at the end"])
def test_a_full_disk_leaves_the_warehouse_and_no_copy(
    warehouse: Path, tmp_path: Path, when: str
) -> None:
    with small_disk(tmp_path, 6 * warehouse.stat().st_size + 2_000_000) as small:
        full = Path(shutil.copy(warehouse, small))
        before = md5_of(full)
        if when == "to copy":
            filler = fill(small, but=100_000)
            with pytest.raises(CharthouseError, match=r"takes [\d,]+ MB, and 0 MB are free\. Free"):
                AtomicBuild(full)
        else:
            build = AtomicBuild(full)
            with duckdb.connect(str(build.file), config={"checkpoint_threshold": "1TB"}) as db:
                db.execute(
                    "set checkpoint_threshold = '1TB'; pragma disable_checkpoint_on_shutdown"
                )
                db.execute("create table marts.big as select hash(range) as n from range(100_000)")
            filler = fill(small)
            with pytest.raises(CharthouseError, match="no space left on its disk"):
                build.replace_warehouse()
        filler.unlink()
        assert (md5_of(full), beside(full)) == (before, [])
