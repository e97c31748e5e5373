"""Rebuilds the marts from the staged tables, with the dbt models themselves, and compares.

dbt builds the current project, with the settings of the warehouse, into a database of its own. From
the warehouse it reads only the staged tables. No rule therefore has a second definition. Rows are
compared stay by stay.
"""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import yaml

from charthouse.core.cohort import Cohort
from charthouse.core.errors import CharthouseError
from charthouse.core.local_paths import RAW_FOLDERS
from charthouse.core.progress import PrintLine
from charthouse.core.warehouse import WriteError, open_copy, text_literal
from charthouse.data.build import run_dbt
from charthouse.jobs.audit.findings import Finding
from charthouse.jobs.audit.tolerance import sql_is_close

REPLAYED = {
    "cohort": ("marts.cohort", "marts.stay_modalities"),
    "labels": ("marts.task_outcomes", "marts.labels", "marts.task_attrition"),
    "profiles": ("marts.patient_profiles",),
    "summaries": (
        "marts.cohort_definition",
        "marts.content_hashes",
        "marts.cohort_attrition",
        "marts.data_quality",
    ),
    "stays": (
        "intermediate.int_stays",
        "intermediate.int_stay_modalities",
        "intermediate.int_stays_screened",
    ),
}
"""Checks <name>_not_as_replayed, and the tables that each compares; modalities are by registry."""
OF_MODALITIES = {"marts.charlson"}
"""Tables made of a modality's rows, compared with those."""

TIMES = {"built_at"}  # columns of which no two builds agree
_SCRATCH = "replay"
_QUOTED = re.compile(r"'[^']*'")


@dataclass(frozen=True)
class _Table:
    """A table in both databases."""

    name: str  # with its schema
    exact: tuple[str, ...]  # columns whose values must be equal
    numbers: tuple[str, ...]  # columns of floating point numbers

    @property
    def of_stays(self) -> bool:
        return "stay_id" in self.exact


def replay(
    project: Path, warehouse: Path, cohort: Cohort, folder: Path, say: PrintLine
) -> list[Finding]:
    """Rebuilds the marts in an empty folder of our own, and reports the stays that differ.

    Says so where the project's SQL has changed since the build.

    Raises:
        CharthouseError: The disk is full.
    """
    scratch = folder / f"{_SCRATCH}.duckdb"
    with open_copy(warehouse, scratch, _unwritten(folder)) as db:
        _link_staged_tables(db)
    refusal = _build(project, warehouse, cohort, folder)
    if refusal:  # the other checks are not run
        if " Error: " in refusal:  # of DuckDB, which may quote what stands in a table
            refusal = _QUOTED.sub("'...'", refusal)
        why = " ".join(refusal.split())
        words = f"the models do not run over the staged tables, under the build's settings: {why}"
        return [Finding("summaries_not_as_replayed", 0, 1, (), words.rstrip("."))]
    with open_copy(warehouse, scratch, _unwritten(folder)) as db:
        if changed := _changed_queries(db):
            say(
                f"The project's SQL is not that of the build ({', '.join(changed)}): what differs"
                " below may be due to that. Run charthouse build, then audit again."
            )
        # views have no rows of their own
        marts = db.execute(
            "select schema_name || '.' || table_name from duckdb_tables()"
            " where database_name = 'source' and schema_name = 'marts' and table_name in"
            " (select unnest([mart, grid]) from marts.modalities)"
        ).fetchall()
        of_modalities = {mart for (mart,) in marts} | OF_MODALITIES
        modalities = tuple(sorted(of_modalities - set(REPLAYED["cohort"])))
        replayed = REPLAYED | {"modalities": modalities}
        return [
            _compare(db, f"{name}_not_as_replayed", tables) for name, tables in replayed.items()
        ]


def _unwritten(folder: Path) -> WriteError:
    return lambda reason: CharthouseError(
        f"{folder}: the replay of the marts cannot be written ({reason}). It takes as much room as"
        " the marts: free some, then audit again."
    )


def _link_staged_tables(db: duckdb.DuckDBPyConnection) -> None:
    """Makes a view of each staged table in the scratch database, with its comment.

    That says which kind of data it holds (macros/data_kind.sql).
    """
    staged = db.execute(
        "select table_name, coalesce(comment, '')"
        " from duckdb_tables() where database_name = 'source' and schema_name = 'staging'"
    ).fetchall()
    db.execute(f"create schema {_SCRATCH}.staging")
    for name, comment in staged:
        view = f'{_SCRATCH}.staging."{name}"'
        db.execute(f'create view {view} as select * from source.staging."{name}"')
        db.execute(f"comment on view {view} is {text_literal(comment)}")


def _build(project: Path, warehouse: Path, cohort: Cohort, folder: Path) -> str | None:
    """Runs dbt; returns what failed, in a line, if anything did."""
    profile = yaml.safe_load((project / "profiles/profiles.yml").read_text("utf-8"))
    (output,) = profile["charthouse"]["outputs"].values()
    output["attach"] = [{"path": str(warehouse.absolute()), "alias": "source", "read_only": True}]
    (folder / "profiles.yml").write_text(yaml.safe_dump(profile), "utf-8")
    variables = {k: v for k, v in cohort.variables.items() if k != "vital_signs_hash"}
    environment = {name: value for name, value in os.environ.items() if name not in RAW_FOLDERS}
    environment |= {
        "CHARTHOUSE_MIMICIV": str(folder),  # no raw file is read
        "CHARTHOUSE_WAREHOUSE": str(folder / f"{_SCRATCH}.duckdb"),
    }
    words = [
        "build", "--project-dir", str(project), "--profiles-dir", str(folder),
        "--target-path", str(folder / "target"), "--log-path", str(folder / "logs"),
        "--vars", json.dumps(variables),
        "--select", "+path:models/marts", "--exclude", "path:models/staging",
        "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test",
    ]  # fmt: skip
    return run_dbt(words, environment=environment, quiet=True)


def _changed_queries(db: duckdb.DuckDBPyConnection) -> list[str]:
    """Tables that another query has made than the project's of now."""
    # the definition's query says when it was built
    rows = db.execute(
        "select built.schema_name || '.' || built.table_name from duckdb_tables() as built"
        " inner join duckdb_tables() as now using (schema_name, table_name)"
        f" where built.database_name = 'source' and now.database_name = '{_SCRATCH}'"
        " and built.table_name != 'cohort_definition'"
        " and regexp_extract(built.comment, 'Made by query (\\w+)\\.$', 1)"
        " != regexp_extract(now.comment, 'Made by query (\\w+)\\.$', 1)"
        " and contains(built.comment, 'Made by query ') order by all"
    ).fetchall()
    return [name for (name,) in rows]


def _compare(db: duckdb.DuckDBPyConnection, check: str, names: Sequence[str]) -> Finding:
    checked = failed = 0
    stays: set[int] = set()
    details = []
    for name in names:
        ((rows,),) = db.execute(f"select count(*) from source.{name}").fetchall()
        checked += rows
        stored, replayed = (_columns(db, database, name) for database in ("source", _SCRATCH))
        if stored != replayed:
            changed = sorted({column for column, _ in stored.items() ^ replayed.items()})
            failed += 1
            details.append(f"{name}: other columns ({', '.join(changed)})")
            continue
        numbers = tuple(column for column, kind in stored.items() if kind in ("DOUBLE", "FLOAT"))
        exact = tuple(column for column in stored if column not in numbers)
        n, of_stays, words = _differing(db, _Table(name, exact, numbers))
        failed += n
        stays |= set(of_stays)
        details += [f"{name}: {', '.join(words)}"] if words else []
    return Finding(check, checked, failed, sorted(stays), "; ".join(details) or None)


def _columns(db: duckdb.DuckDBPyConnection, database: str, name: str) -> dict[str, str]:
    schema, table = name.split(".")
    rows = db.execute(
        "select column_name, data_type from duckdb_columns()"
        " where database_name = ? and schema_name = ? and table_name = ? order by column_index",
        [database, schema, table],
    ).fetchall()
    return {column: kind for column, kind in rows if column not in TIMES}


def _differing(
    db: duckdb.DuckDBPyConnection, table: _Table
) -> tuple[int, Sequence[int], Sequence[str]]:
    """How many rows only one of the databases has, of which stays, and what they differ in."""
    _find_suspects(db, table)
    if not db.execute("select 1 from suspects limit 1").fetchall():
        return 0, (), ()
    both = [f"select *, {_nth(table)} as nth from {database}.{table.name} where {_suspect(table)}"
            for database in ("source", _SCRATCH)]  # fmt: skip
    same = " and ".join(
        f"stored.{column} is not distinct from replayed.{column}"
        for column in ("nth", *map(_quoted, table.exact))
    )
    is_pair = "stored.nth is not null and replayed.nth is not null"
    altered = {
        column: f"({is_pair} and not"
        f" {sql_is_close(f'stored.{_quoted(column)}', f'replayed.{_quoted(column)}')})"
        for column in table.numbers
    }
    stay = "coalesce(stored.stay_id, replayed.stay_id)" if table.of_stays else "null::integer"
    db.execute(
        f"create or replace temp table differing as select {stay} as stay_id,"
        " count(*) filter (where replayed.nth is null) as extra,"
        " count(*) filter (where stored.nth is null) as missing,"
        f" count(*) filter (where {is_pair}) as altered"
        + "".join(f", bool_or({cond}) as {_quoted(name)}" for name, cond in altered.items())
        + f" from ({both[0]}) as stored full join ({both[1]}) as replayed on {same}"
        f" where not ({is_pair}) {''.join(f'or {cond}' for cond in altered.values())} group by 1"
    )
    ((failed, missing, extra),) = db.execute(
        "select coalesce(sum(greatest(extra, missing) + altered), 0)::bigint,"
        " coalesce(bool_or(missing > extra), false), coalesce(bool_or(extra > missing), false)"
        " from differing"
    ).fetchall()
    stays = db.execute(
        "select stay_id from differing where stay_id is not null order by all"
    ).fetchall()
    if not failed:
        return 0, (), ()
    words = [
        *(["rows missing"] * missing), *(["rows that should not be there"] * extra),
        *_differing_columns(db, table),
    ]  # fmt: skip
    return failed, [stay for (stay,) in stays], words


def _find_suspects(db: duckdb.DuckDBPyConnection, table: _Table) -> None:
    """By a hash of the rows of each stay: it takes seconds where all rows would take minutes."""
    stay = "stay_id" if table.of_stays else "null::integer"
    columns = ", ".join(map(_quoted, (*table.exact, *table.numbers)))
    hashes = [
        f"select {stay} as stay_id, count(*) as n, sum(hash(row({columns}))::hugeint) as rows_hash"
        f" from {database}.{table.name} group by 1"
        for database in ("source", _SCRATCH)
    ]
    db.execute(
        "create or replace temp table suspects as"
        " select coalesce(stored.stay_id, replayed.stay_id) as stay_id"
        f" from ({hashes[0]}) as stored full join ({hashes[1]}) as replayed"
        " on stored.stay_id is not distinct from replayed.stay_id"
        " where stored.n is distinct from replayed.n"
        " or stored.rows_hash is distinct from replayed.rows_hash"
    )


def _differing_columns(db: duckdb.DuckDBPyConnection, table: _Table) -> list[str]:
    """Columns that differ in stays that have as many rows in both databases."""
    even = "select stay_id from differing where extra = missing"
    of_even = f"stay_id in ({even})" if table.of_stays else f"exists ({even})"
    stay = "stay_id" if table.of_stays else "null::integer"
    exact = [column for column in table.exact if column != "stay_id"]
    sums = "".join(f", sum(hash({c})::hugeint) as {c}" for c in map(_quoted, exact))
    hashes = [
        f"select {stay} as of_stay{sums} from {database}.{table.name} where {of_even} group by 1"
        for database in ("source", _SCRATCH)
    ]
    wanted = [f"bool_or(stored.{_quoted(c)} is distinct from replayed.{_quoted(c)})" for c in exact]
    (of_exact,) = db.execute(
        f"select {', '.join(wanted)} from ({hashes[0]}) as stored full join ({hashes[1]})"
        " as replayed on stored.of_stay is not distinct from replayed.of_stay"
    ).fetchall()
    any_stay = ", ".join(f"bool_or({_quoted(c)})" for c in table.numbers) or "null"
    of_numbers = db.execute(f"select {any_stay} from differing limit 1").fetchall()[0]
    found = zip((*exact, *table.numbers), (*of_exact, *of_numbers), strict=False)
    return [column for column, differs in found if differs is True]


def _suspect(table: _Table) -> str:
    return "stay_id in (from suspects)" if table.of_stays else "exists (from suspects)"


def _nth(table: _Table) -> str:
    """Rows that are equal but for numbers are paired by the order of these."""
    exact = ", ".join(map(_quoted, table.exact))
    order = f"order by {', '.join(map(_quoted, table.numbers))}" if table.numbers else ""
    return f"row_number() over (partition by {exact} {order})"


def _quoted(column: str) -> str:
    return f'"{column}"'
