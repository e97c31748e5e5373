"""`charthouse publish`: what is in the copy, what is not, and that it changes all at once."""

import errno
import fcntl
import os
import re
import shutil
import signal
import time
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from pytest_httpserver import HTTPServer

from asking import write
from bench import Bench
from charthouse.core.errors import CharthouseError
from charthouse.views import publish as publishing
from charthouse.views.publish import (
    FILE,
    PARQUET,
    Options,
    modified_ns,
    publish,
    published_dir,
)
from shown import shown_warehouse
from small_disk import fill, needs_root, small_disk

MARK = "zyzzyva"  # no word of a synthetic report


@pytest.fixture(scope="module")
def shown(built: Bench, chat_server: HTTPServer, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return shown_warehouse(built, chat_server, tmp_path_factory.mktemp("shown"))


@pytest.fixture(scope="module")
def copy(shown: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a copy with vectors; read only."""
    out = tmp_path_factory.mktemp("copy") / "published"
    publish(shown.warehouse, Options(out, embeddings=True), say=lambda line: None)
    return out


@pytest.fixture(scope="module")
def small(shown: Bench, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The same with few vital signs and without the audit, which takes longest; read only."""
    folder = tmp_path_factory.mktemp("small")
    shutil.copy(shown.warehouse, folder / "warehouse.duckdb")
    bench = Bench(shown.raw, folder / "warehouse.duckdb", folder)
    write(bench, "drop view reports.audit")
    for table in ("staging.stg_mimiciv__chartevents", "marts.vitals_events", "marts.vitals_hourly"):
        write(bench, f"delete from {table} where stay_id % 10 != 0")
    return bench


@pytest.fixture
def own(small: Bench, tmp_path: Path) -> Bench:
    """A warehouse of one's own."""
    shutil.copy(small.warehouse, tmp_path / "warehouse.duckdb")
    return Bench(small.raw, tmp_path / "warehouse.duckdb", tmp_path)


def published(bench: Bench, **options: object) -> tuple[Path, list[str]]:
    said: list[str] = []
    publish(bench.warehouse, Options(**options), say=said.append)  # type: ignore[arg-type]
    return options.get("out") or published_dir(bench.warehouse), said  # type: ignore[return-value]


def sql(out: Path, query: str) -> list[tuple]:
    with duckdb.connect(str(out / FILE), read_only=True) as database:
        return database.execute(query).fetchall()


def tables(out: Path) -> set[str]:
    return {
        row[0]
        for row in sql(
            out,
            "select schema_name || '.' || table_name from duckdb_tables()"
            " where table_name != 'warehouse_version'",
        )
    }


def rows_of(database: duckdb.DuckDBPyConnection, relation: str) -> tuple:
    """How many, and a hash of them all in whatever order."""
    query = f"select count(*), bit_xor(md5_number(cast(t as varchar))) from {relation} t"
    return database.execute(query).fetchall()[0]


# What is in it


def test_every_table_and_view_is_copied_row_by_row_to_duckdb_and_to_parquet(
    shown: Bench, copy: Path
) -> None:
    wanted = shown.sql(
        "select schema_name || '.' || name from (select schema_name, table_name as name from"
        " duckdb_tables() union all select schema_name, view_name from duckdb_views()"
        " where not internal) where schema_name in ('seeds', 'marts', 'results', 'reports',"
        " 'embeddings') and not starts_with(schema_name || '.' || name, 'reports.audit_')"
    )
    names = {name for (name,) in wanted}
    assert len(names) > 50
    assert tables(copy) == names | {"published.copy"}
    with (
        duckdb.connect(str(shown.warehouse), read_only=True) as before,
        duckdb.connect(str(copy / FILE), read_only=True) as after,
    ):
        for name in names:
            # vectors and profiles are copied once
            once = dict.fromkeys(("embeddings.encoded", "embeddings.current_vectors"), "vector")
            once["marts.profile_texts"] = "text"
            less = f" exclude ({once[name]})" if name in once else ""
            assert rows_of(after, name) == rows_of(before, f"(select *{less} from {name})"), name
        for name in {*names, "published.copy"}:
            file = copy / PARQUET / f"{name.replace('.', '/')}.parquet"
            counted = after.execute(f"select count(*) from '{file}'").fetchall()
            assert counted == after.execute(f"select count(*) from {name}").fetchall(), name
    assert not sql(copy, "select 1 from duckdb_views() where not internal")


def test_views_are_read_under_any_name_of_the_database(shown: Bench) -> None:
    """As the copy does, and whoever renames or attaches the warehouse: no view names it."""
    named = f"regexp_matches(sql, '\\b\"?{shown.warehouse.stem}\"?\\.')"
    assert not shown.sql(f"select view_name from duckdb_views() where not internal and {named}")


def test_nothing_else_is_copied(own: Bench) -> None:
    out, _ = published(own)
    assert {name.split(".")[0] for name in tables(out)} == {
        "seeds", "marts", "results", "reports", "published",
    }  # fmt: skip
    assert {path.name for path in (out / PARQUET).iterdir()} == {
        "seeds", "marts", "results", "reports", "published",
    }  # fmt: skip
    # no vectors under another name either: they were not asked for
    assert not sql(out, "select 1 from duckdb_columns() where starts_with(data_type, 'FLOAT[')")


def test_pandas_reads_the_parquet(shown: Bench, copy: Path) -> None:
    cohort = pd.read_parquet(copy / PARQUET / "marts/cohort.parquet")
    assert len(cohort) == shown.one("select count(*) from marts.cohort")
    assert str(cohort["intime"].dtype).startswith("datetime64")
    vectors = pd.read_parquet(copy / PARQUET / "embeddings/fixed_interval.parquet")
    assert {len(vector) for vector in vectors["embedding"]} == {312}


def test_comments_come_along(shown: Bench, copy: Path) -> None:
    columns = (
        "select schema_name, table_name, column_name, comment from duckdb_columns()"
        " where schema_name in ('seeds', 'marts', 'reports') and comment is not null"
        " and not starts_with(schema_name || '.' || table_name, 'reports.audit_')"
        " and (table_name, column_name) != ('profile_texts', 'text') order by all"
    )
    assert sql(copy, columns) == shown.sql(columns)
    assert len(shown.sql(columns)) > 300
    of_tables = (
        "select schema_name, name, comment from (select schema_name, table_name as name, comment"
        " from duckdb_tables() union all select schema_name, view_name, comment"
        " from duckdb_views()) where schema_name in ('marts', 'results', 'reports')"
        " and not starts_with(schema_name || '.' || name, 'reports.audit_') order by all"
    )
    assert sql(copy, of_tables) == shown.sql(of_tables)
    assert all(comment for *_, comment in sql(copy, of_tables))


def test_vectors_keep_their_length(copy: Path) -> None:
    ((kind,),) = sql(
        copy,
        "select data_type from duckdb_columns() where schema_name = 'embeddings'"
        " and table_name = 'fixed_interval' and column_name = 'embedding'",
    )
    assert kind == "FLOAT[312]"


def test_older_versions_of_duckdb_can_open_it(copy: Path) -> None:
    """They read the number in the file's head; that of version 1.2 is 65."""
    head = (copy / FILE).read_bytes()[:20]
    assert head[8:12] == b"DUCK"
    assert int.from_bytes(head[12:20], "little") <= 65


def test_it_says_when_it_was_made_and_of_what(own: Bench) -> None:
    out, said = published(own)
    ((at, modified, has_text, has_vectors),) = sql(
        out,
        "select published_at, warehouse_modified_ns, has_text, has_embeddings from published.copy",
    )
    assert modified == modified_ns(own.warehouse)
    assert (has_text, has_vectors) == (True, False)
    assert abs(at.timestamp() - time.mktime(time.gmtime())) < 300
    assert said[0].startswith("SYNTHETIC DATA: ") and str(out / FILE) in said[-1]
    write(own, "create table seeds.newer as select 1 as one")
    assert modified_ns(own.warehouse) > modified


# Free text


def mark(own: Bench, *, is_synthetic: bool, data_kind: str | None = None) -> None:
    """A word stands wherever somebody's words stand."""
    with duckdb.connect(str(own.warehouse)) as database:
        database.execute(f"update marts.radiology_reports set text = text || ' {MARK}'")
        database.execute(
            f"update marts.patient_profiles set profile = profile || ' {MARK}', sections ="
            f" list_transform(sections, lambda s: struct_update(s, heading := '{MARK}'))"
        )
        database.execute(f"update results.answers set answer = '{MARK}'")
        database.execute(
            f"update embeddings.fitted set learned = encode('{MARK}') where encoder = 'tfidf_svd'"
        )
        for table in ("marts.cohort_definition", "results.runs"):
            database.execute(f"update {table} set is_synthetic = {is_synthetic}")
        kind = data_kind or ("synthetic" if is_synthetic else "credentialed")
        database.execute("update marts.cohort_definition set data_kind = $1", [kind])


def holders(out: Path) -> set[str]:
    """Tables in which the word stands, in DuckDB or in Parquet."""
    found = set()
    with duckdb.connect(str(out / FILE), read_only=True) as database:
        for name in tables(out):
            file = out / PARQUET / f"{name.replace('.', '/')}.parquet"
            for relation in (name, *([f"'{file}'"] * file.exists())):
                seen = database.execute(
                    f"select 1 from {relation} t where contains(cast(t as varchar), '{MARK}')"
                ).fetchall()
                if seen:
                    found.add(name)
    return found


OF_COHORT = {"marts.radiology_reports": {"text"}, "marts.patient_profiles": {"profile", "sections"}}
WORDS = {*OF_COHORT, "results.answers", "results.current_answers", "embeddings.fitted"}


def test_every_column_that_holds_words_of_a_report_says_so(shown: Bench) -> None:
    """Whatever is made of them: every column that can be copied is looked through."""
    with duckdb.connect(str(shown.warehouse), read_only=True) as database:
        database.execute(
            "create temp table phrases as select distinct regexp_extract(text, '[a-z ,]{24,}') as"
            " phrase from marts.radiology_reports where regexp_matches(text, '[a-z ,]{24,}')"
        )
        columns = database.execute(
            "select schema_name, table_name, column_name from duckdb_columns() where schema_name"
            " in ('seeds', 'marts', 'results', 'reports', 'embeddings') and (data_type in"
            " ('VARCHAR', 'JSON', 'BLOB') or contains(data_type, 'VARCHAR')) order by all"
        ).fetchall()
        holding = {
            column for column in columns if database.execute(
                f'select 1 from (select distinct cast("{column[2]}" as varchar) as value from'
                f' {column[0]}."{column[1]}") inner join phrases on contains(value, phrase) limit 1'
            ).fetchall()
        }  # fmt: skip
        declared = database.execute(
            "select schema_name, table_name, column_name from marts.declared_columns"
            " where is_free_text and schema_name != 'results'"
        ).fetchall()
    assert len(columns) > 300
    views = {"marts.profile_texts": {"text"}}  # copied without it: a table has it
    assert (
        holding
        == set(declared)
        == {
            (*table.split("."), column)
            for table, of_table in (OF_COHORT | views).items()
            for column in of_table
        }
    )


@pytest.mark.parametrize("is_synthetic", [False, True])
def test_what_no_contract_declares_is_taken_for_free_text(own: Bench, is_synthetic: bool) -> None:
    mark(own, is_synthetic=is_synthetic)
    write(own, f"create table marts.echoes as select stay_id, '{MARK}' as note from marts.cohort")
    write(own, 'create view reports.echoes as select note as "a note" from marts.echoes')
    write(own, f"alter table marts.chest_xrays add column seen varchar default '{MARK}'")
    write(own, f"alter table results.metrics add column remark varchar default '{MARK}'")
    out, said = published(own)
    added = {"marts.echoes", "reports.echoes", "marts.chest_xrays", "results.metrics"}
    less = ("marts.chest_xrays seen;", "marts.echoes stay_id, note;", "reports.echoes a note")
    assert (holders(out) & added == added) == is_synthetic
    assert any(all(each in line for each in less) for line in said) != is_synthetic
    assert (tables(out) & added == added) == is_synthetic
    assert sql(out, "select count(dicom_id) from marts.chest_xrays") == own.sql(
        "select count(*) from marts.chest_xrays"
    )
    assert sql(out, "select count(value) from results.metrics") == own.sql(
        "select count(value) from results.metrics"
    )
    if not is_synthetic:
        assert holders(out) == set()


def test_what_is_of_ones_own_is_not_judged_by_a_run_nor_by_its_schema(own: Bench) -> None:
    mark(own, is_synthetic=False)
    write(own, "update results.runs set is_synthetic = true where kind = 'predict'")
    write(own, f"create view reports.judged as select run_id, '{MARK}' as note from results.runs")
    write(own, f"create table seeds.echoes as select '{MARK}' as note")
    write(own, f"create table embeddings.mine as select stay_id, '{MARK}' as vector, '{MARK}' as"
               " note from marts.cohort")  # fmt: skip
    out, _ = published(own, embeddings=True)
    with duckdb.connect(str(out / FILE), read_only=True) as database:
        kept = database.execute(
            "select schema_name, table_name, column_name from duckdb_columns()"
            " where table_name in ('judged', 'echoes', 'mine') order by all"
        ).fetchall()
    assert kept == [("embeddings", "mine", "stay_id")]


@pytest.mark.parametrize(
    ("data_kind", "with_text", "expected"),
    [
        ("credentialed", False, set()), ("credentialed", True, WORDS),
        ("open", False, set()), ("open", True, WORDS), ("synthetic", False, WORDS),
    ],
)  # fmt: skip
def test_free_text_of_real_patients_stays_behind(
    own: Bench, data_kind: str, with_text: bool, expected: set[str]
) -> None:
    """Of open data too, which nothing calls credentialed."""
    mark(own, is_synthetic=data_kind == "synthetic", data_kind=data_kind)
    out, said = published(own, embeddings=True, with_text=with_text)
    assert holders(out) == expected
    assert any("free text is left out" in line for line in said) == (not expected)
    assert MARK not in "".join(said) and "credentialed" not in "".join(said)
    assert said[0].startswith("OPEN DATA: ") == (data_kind == "open")
    # what is no text is there all the same
    assert sql(out, "select count(note_id) from marts.radiology_reports")[0][0] == own.one(
        "select count(*) from marts.radiology_reports"
    )
    assert "path" in pd.read_parquet(out / PARQUET / "marts/chest_xrays.parquet")
    if not expected:
        ((has_text,),) = sql(out, "select has_text from published.copy")
        assert not has_text
        left = {
            (schema, table): {
                column for (column,) in sql(
                    out, "select column_name from duckdb_columns() where schema_name ="
                    f" '{schema}' and table_name = '{table}'"
                )
            } & columns
            for (schema, table), columns in (
                (name.split("."), columns) for name, columns in OF_COHORT.items()
            )
        }  # fmt: skip
        assert not any(left.values())
        answered = own.one("select count(*) from results.answers")
        assert sql(out, "select count(*), count(answer) from results.answers") == [(answered, 0)]
        assert any(f"{answered} answers of learners; 1 fits of text" in line for line in said)


@pytest.mark.parametrize("is_known", [True, False])
def test_text_of_a_run_that_is_not_known_to_be_synthetic_stays_behind(
    own: Bench, is_known: bool
) -> None:
    """The warehouse was of real patients before; of a run that is not there nobody can say."""
    mark(own, is_synthetic=True)
    if is_known:
        write(own, "insert into results.runs select * replace ('former' as run_id, false as"
                   " is_synthetic) from results.runs where kind = 'ask' limit 1")  # fmt: skip
    write(own, "update results.answers set run_id = 'former' where condition = 'text_only'")
    write(own, "insert into embeddings.fitted select * replace ('former' as run_id)"
               " from embeddings.fitted")  # fmt: skip
    fits = dict(own.sql("select encoder, count(*) from embeddings.fitted group by 1"))
    asked = dict(own.sql("select condition, count(*) from results.answers group by 1"))
    out, said = published(own, embeddings=True)
    assert holders(out) == WORDS
    for name in ("answers", "current_answers"):
        kept = dict(sql(out, f"select condition, count(answer) from results.{name} group by 1"))
        assert kept == {"full": asked["full"], "text_only": 0}
    assert dict(sql(out, "select encoder, count(*) from embeddings.fitted group by 1")) == {
        **fits, "tfidf_svd": fits["tfidf_svd"] // 2,
    }  # fmt: skip
    assert any(f"left out ({asked['text_only']} answers of learners; 1 fits" in x for x in said)
    assert sql(out, "select has_text from published.copy") == [(True,)]
    out, said = published(own, embeddings=True, with_text=True)
    assert sql(out, "select count(answer) from results.answers")[0][0] == sum(asked.values())
    assert dict(sql(out, "select encoder, count(*) from embeddings.fitted group by 1")) == fits
    assert not any("free text" in line for line in said)


def test_what_an_encoder_learned_that_the_seed_does_not_name_stays_behind(own: Bench) -> None:
    mark(own, is_synthetic=False)
    write(own, "update embeddings.fitted set encoder = 'tfidf_of_last_year'"
               " where encoder = 'tfidf_svd'")  # fmt: skip
    out, _ = published(own, embeddings=True)
    assert holders(out) == set()
    assert sql(out, "select 1 from embeddings.fitted where encoder = 'pixel_pca'")


# All at once


def test_a_reader_keeps_the_old_copy_and_the_next_sees_the_new(own: Bench) -> None:
    out, _ = published(own)
    count = "select count(*) from marts.labels"
    grid = own.one("select count(*) from marts.vitals_hourly")
    with duckdb.connect(str(out / FILE), read_only=True) as reader:
        (before,) = reader.execute(count).fetchall()
        (deleted,) = own.sql(f"{count} where task = 'in_hospital_mortality'")[0]
        write(own, "delete from marts.labels where task = 'in_hospital_mortality'")
        published(own)
        assert reader.execute(count).fetchall() == [before]
        # the reader has the old file, not the name
        assert reader.execute("select count(*) from marts.vitals_hourly").fetchall() == [(grid,)]
    assert sql(out, count)[0][0] == before[0] - deleted
    assert len(pd.read_parquet(out / PARQUET / "marts/labels.parquet")) == before[0] - deleted
    assert versions(out) == 1


def test_the_log_of_a_former_copy_is_not_read_with_the_next(own: Bench) -> None:
    """DuckDB 1.2, killed as root wrote to the copy, leaves one beside the link, and reads it."""
    out, _ = published(own)
    log = out / f"{FILE}.wal"
    log.write_bytes(b"of another version")
    published(own)
    assert not log.exists()


def versions(out: Path) -> int:
    return sum(path.is_dir() for path in (out / ".versions").iterdir())


def state(out: Path) -> dict[str, tuple[int, int]]:
    """Inode and size of every file, by the name that people use."""
    files = [out / FILE, *(out / PARQUET).rglob("*.parquet")]
    return {str(file.relative_to(out)): (file.stat().st_ino, file.stat().st_size) for file in files}


def test_a_publish_that_is_killed_changes_nothing_and_is_swept_by_the_next(own: Bench) -> None:
    out, _ = published(own)
    before = state(out)
    for seconds in (0.0, 0.2):
        process = own.start_charthouse("publish")
        while process.poll() is None and versions(out) < 2:
            time.sleep(0.005)
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert state(out) == before
        assert sql(out, "select count(*) from reports.leaderboard")[0][0] > 0
    done = own.charthouse("publish")
    assert done.returncode == 0, done.stderr
    assert state(out) != before and set(state(out)) == set(before)
    assert versions(out) == 1


@pytest.mark.parametrize("where", ["_write", "_seal", "_switch"])
def test_a_publish_that_fails_says_so_in_a_line_and_leaves_the_old_copy(
    own: Bench, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, _ = published(own)
    before = state(out)

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(publishing, where, full)
    with pytest.raises(CharthouseError, match=r"No space left on device.*A former copy is whole"):
        published(own)
    assert state(out) == before and versions(out) == 1


@needs_root
def test_a_full_disk_is_a_line_wherever_it_fills_up(own: Bench, tmp_path: Path) -> None:
    size = own.warehouse.stat().st_size
    with small_disk(tmp_path, 4 * size) as small:
        out, _ = published(own, out=small / "published")
        before, outcomes = state(out), []
        for room in (0, 10_000, size // 64, size // 16, size // 4, size // 2):
            filler = fill(small, but=room)
            with pytest.raises(CharthouseError) as caught:
                published(own, out=out)
            outcomes.append(str(caught.value))
            assert state(out) == before and versions(out) == 1
            filler.unlink()
        full = r".*: the copy cannot be written \([Nn]o space left.*\)\. Free space there,.*\."
        assert all(re.fullmatch(full, line) for line in outcomes), outcomes
        published(own, out=out)
        assert state(out) != before and not list(out.rglob("*.wal"))


def test_ctrl_c_is_a_line(own: Bench) -> None:
    out = published_dir(own.warehouse)
    process = own.start_charthouse("publish")
    while process.poll() is None and not (out / ".versions").exists():
        time.sleep(0.005)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert errors == "charthouse: interrupted. A former copy is as it was.\n"
    assert not out.exists()


# Beside jobs, and other people's files


def test_jobs_write_while_the_copy_is_read_and_publish_waits_for_them(
    own: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, _ = published(own)
    monkeypatch.setenv("CHARTHOUSE_LOCK_SECONDS", "0.3")
    with duckdb.connect(str(own.warehouse)) as job:
        job.execute("create table seeds.at_work as select 1 as one")
        done = own.charthouse("publish")
        assert done.returncode == 1
        assert "is in use by" in done.stderr and done.stderr.count("\n") == 2
        assert sql(out, "select count(*) from marts.cohort")[0][0] > 0
    assert own.charthouse("publish").returncode == 0
    assert "seeds.at_work" in tables(out)


def test_the_warehouse_is_not_touched(own: Bench) -> None:
    before = own.contents(), modified_ns(own.warehouse), own.warehouse.read_bytes()
    published(own)
    assert (own.contents(), modified_ns(own.warehouse), own.warehouse.read_bytes()) == before


def test_it_never_writes_over_what_is_not_its_own(own: Bench, tmp_path: Path) -> None:
    before = own.warehouse.read_bytes()
    with pytest.raises(CharthouseError, match=r"is not of a published copy\. Name another"):
        published(own, out=tmp_path)  # where the warehouse itself is, by that very name
    assert own.warehouse.read_bytes() == before
    link = tmp_path / "elsewhere" / FILE
    link.parent.mkdir()
    link.symlink_to(own.warehouse)
    with pytest.raises(CharthouseError, match="is not of a published copy"):
        published(own, out=link.parent)
    theirs = tmp_path / "shared" / "notes.txt"
    theirs.parent.mkdir()
    theirs.write_text("mine")
    for _ in range(2):
        published(own, out=theirs.parent)
    assert theirs.read_text() == "mine"


@pytest.mark.parametrize(
    "name", [".versions/1.0/notes.txt", ".versions/lock", ".versions", ".current"]
)
def test_versions_that_somebody_else_keeps_are_left_alone(
    own: Bench, tmp_path: Path, name: str
) -> None:
    theirs = tmp_path / "shared" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text("mine")
    with pytest.raises(CharthouseError, match=r"is not of a published copy\. Name another"):
        published(own, out=tmp_path / "shared")
    assert theirs.read_text() == "mine"
    assert not (tmp_path / "shared" / FILE).exists()


def test_among_our_versions_only_ours_are_swept(own: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "published" / ".versions"
    folder.mkdir(parents=True)  # as a publish leaves it that was killed at once
    out, _ = published(own, out=folder.parent)
    kept, link, killed = folder / "kept/notes.txt", folder / "notes.link", "20260101T000000000000"
    kept.parent.mkdir()
    kept.write_text("mine")
    link.symlink_to(kept)
    (folder / killed).mkdir()
    published(own, out=out)
    assert kept.read_text() == link.read_text() == "mine"
    assert not (folder / killed).exists() and versions(out) == 2


def test_two_at_a_time_are_one(own: Bench) -> None:
    out, _ = published(own)
    with (out / ".versions/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(CharthouseError, match="another publish is writing there"):
            published(own)
    published(own)


def test_who_may_not_read_the_warehouse_may_not_read_the_copy(own: Bench) -> None:
    own.warehouse.chmod(0o600)
    out, _ = published(own)
    for path in (out / ".versions").rglob("*"):
        if path.is_file() and path.name != "lock":
            assert path.stat().st_mode & 0o777 == 0o400, path
    assert (out / ".current").resolve().stat().st_mode & 0o077 == 0
    assert out.stat().st_mode & 0o777 == 0o700
    own.warehouse.chmod(0o644)
    before = os.umask(0o077)  # as the command line has it
    try:
        published(own)
    finally:
        os.umask(before)
    for folder in (out, out / ".versions"):
        assert folder.stat().st_mode & 0o777 == 0o755
    assert (out / FILE).stat().st_mode & 0o777 == 0o444
    assert (out / ".current").resolve().stat().st_mode & 0o777 == 0o755


def test_any_name_will_do(own: Bench, tmp_path: Path) -> None:
    odd = tmp_path / "it's here" / "source.duckdb"
    odd.parent.mkdir()
    shutil.copy(own.warehouse, odd)
    out, _ = published(Bench(own.raw, odd, tmp_path))
    assert out == odd.with_name("source.duckdb.published")
    assert sql(out, "select count(*) from marts.cohort")[0][0] > 0


def test_a_warehouse_without_marts_or_of_an_older_clone_is_one_line(
    own: Bench, tmp_path: Path
) -> None:
    with pytest.raises(CharthouseError, match="no such warehouse"):
        publish(tmp_path / "none.duckdb", Options(), say=print)
    with duckdb.connect(str(tmp_path / "bare.duckdb")):
        pass
    with pytest.raises(CharthouseError, match="Run charthouse build first"):
        publish(tmp_path / "bare.duckdb", Options(), say=print)
    write(own, "drop table results.curves")
    with pytest.raises(
        CharthouseError, match=r"of an older clone .*curves.*\. Run charthouse build"
    ):
        published(own)
    assert not list(tmp_path.glob("*.published"))


def test_a_refused_publish_leaves_nothing(own: Bench, tmp_path: Path) -> None:
    nowhere = tmp_path / "no/such"
    with pytest.raises(CharthouseError, match=r"no such warehouse\. Make it: charthouse build "):
        publish(nowhere / "none.duckdb", Options(), say=print)
    assert not nowhere.parent.exists()
    write(own, "drop table main.warehouse_version")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for out in (None, theirs, tmp_path / "deep/er"):
        with pytest.raises(CharthouseError, match="an earlier Charthouse has built it"):
            published(own, out=out)
    assert not published_dir(own.warehouse).exists() and not (tmp_path / "deep").exists()
    assert not list(theirs.iterdir())
