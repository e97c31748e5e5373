"""The tables of the schema embeddings, and results.runs: every statement that changes them."""

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from charthouse.core.cohort import IS_CURRENT
from charthouse.core.warehouse import insert_columns
from charthouse.models.encoders.base import Encoded, Skipped
from charthouse.net.retry import REFUSED

ROWS_AT_ONCE = 4096

ItemNames = frozenset[str | None]
"""Of a stay: its images or reports by name; None is the whole stay."""


@dataclass(frozen=True)
class Target:
    """Rows of one encoder, and of one task where it is trained per task."""

    encoder: str
    task: str | None

    @property
    def table(self) -> str:
        """Quoted, with its schema."""
        return f'embeddings."{self.encoder}"'

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.encoder} ({self.task})" if self.task else self.encoder


def vector_hash(vector: np.ndarray) -> str:
    """md5 of a vector's bytes, float32 and little-endian: the same on every machine.

    Example:
        >>> vector_hash(np.array([1.0, 2.0]))
        '057a7f5ab69cb695657046b18832c330'
    """
    return hashlib.md5(np.ascontiguousarray(vector, "<f4").tobytes()).hexdigest()


def answered(db: duckdb.DuckDBPyConnection, target: Target) -> set[tuple[int, str]]:
    """Each stay_id with the input hashes that it was encoded from, or skipped for.

    It may have both: the vector of what it held, and the reason since it holds nothing any more.
    """
    skipped = db.execute(
        "select stay_id, input_hash from embeddings.skipped"
        " where encoder = ? and task is not distinct from ? and item is null",
        [target.encoder, target.task],
    ).fetchall()
    return {*skipped, *encoded_hashes(db, target).items()}


def refused(db: duckdb.DuckDBPyConnection, target: Target) -> dict[tuple[int, str], ItemNames]:
    """By stay_id and input hash, what a service would not take: another day it may."""
    found = db.execute(
        "select stay_id, input_hash, list(item) from embeddings.skipped where encoder = ?"
        " and task is not distinct from ? and starts_with(reason, ?) group by all",
        [target.encoder, target.task, REFUSED],
    ).fetchall()
    return {(stay_id, input_hash): frozenset(items) for stay_id, input_hash, items in found}


def encoded_hashes(db: duckdb.DuckDBPyConnection, target: Target) -> dict[int, str]:
    """stay_id to the input hash of its embedding."""
    return dict(
        db.execute(
            "select stay_id, input_hash from embeddings.encoded"
            " where encoder = ? and task is not distinct from ?",
            [target.encoder, target.task],
        ).fetchall()
    )


def current_vectors(
    db: duckdb.DuckDBPyConnection, target: Target, first: int = 0, last: int = 2**31 - 1
) -> Iterator[tuple[list[int], np.ndarray, list[str]]]:
    """Stays of the present cohort, first to last, some at a time: ids, vectors and written hashes.

    The vectors are [n, dimension] float32.
    """
    of_task, task = ("", []) if target.task is None else ("and task = ?", [target.task])
    batches = db.sql(
        f"select stay_id, embedding, written_hash from {target.table} where {IS_CURRENT} {of_task}"
        " and stay_id between ? and ?",
        params=[*task, first, last],
    ).to_arrow_reader(ROWS_AT_ONCE)
    for batch in batches:
        stays = batch.column("stay_id").to_pylist()
        vectors = batch.column("embedding").flatten().to_numpy().reshape(len(stays), -1)
        yield stays, vectors, batch.column("written_hash").to_pylist()


def newest_run(db: duckdb.DuckDBPyConnection, target: Target) -> str:
    """The run that writes to the target: of several the one that began last."""
    newest: str = db.execute(
        "select run_id from results.runs where kind = 'embed' and name = ?"
        " and task is not distinct from ? order by started_at desc, run_id desc limit 1",
        [target.encoder, target.task],
    ).fetchall()[0][0]
    return newest


def mark_current(
    db: duckdb.DuckDBPyConnection,
    target: Target,
    input_hashes: Mapping[int, str],
    reads: Sequence[str],
) -> None:
    """Rows made from just these inputs are of what is read now; others, for now, of nothing.

    They stay where they are until they are replaced, so that going back to the old settings finds
    them again.
    """
    wanted = {
        "stay_id": pa.array(list(input_hashes), pa.int32()),
        "input_hash": pa.array(list(input_hashes.values()), pa.string()),
    }
    db.register("wanted", pa.table(wanted))
    match = "(stay_id, input_hash) in (select (stay_id, input_hash) from wanted)"
    tables: dict[str, dict[str, Any]] = {
        "embeddings.skipped": {"encoder": target.encoder, "task": target.task}
    }
    if target.encoder in embedding_tables(db):
        tables[target.table] = {} if target.task is None else {"task": target.task}
    for table, key in tables.items():
        same = " and ".join(["true", *(f"{name} is not distinct from ${name}" for name in key)])
        db.execute(
            f"update {table} set reads = if({match}, $reads, null) where {same}"
            f" and (({match} and reads is distinct from $reads)"
            f" or (not {match} and reads = $reads))",
            {"reads": list(reads), **key},
        )
    db.unregister("wanted")


def append(
    db: duckdb.DuckDBPyConnection,
    target: Target,
    encoded: Encoded,
    input_hashes: Mapping[int, str],
    *,
    reads: Sequence[str],
    run_id: str,
) -> None:
    """Replaces what there was of these stays by what was found now, in the caller's transaction."""
    stays = sorted({*map(int, encoded.stay_ids), *(skip.stay_id for skip in encoded.skipped)})
    n = len(encoded.stay_ids)
    if n:
        _ensure_table(db, target, encoded.vectors.shape[1])
    if target.encoder in embedding_tables(db):
        same_task, task = ("", []) if target.task is None else ("and task = ?", [target.task])
        db.execute(
            f"delete from {target.table} where stay_id in (select unnest(?)) {same_task}",
            [stays, *task],
        )
    _forget_skips(db, target, stays)
    if n:
        vectors = np.ascontiguousarray(encoded.vectors, np.float32)
        columns: dict[str, Any] = {
            "stay_id": encoded.stay_ids,
            "embedding": pa.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1]),
            "input_hash": [input_hashes[int(stay_id)] for stay_id in encoded.stay_ids],
            "written_hash": list(map(vector_hash, vectors)),
            "reads": [list(reads)] * n,
            "run_id": [run_id] * n,
        }
        of_task = {} if target.task is None else {"task": [target.task] * n}
        insert_columns(db, target.table, columns | of_task)
    _write_skips(db, target, encoded.skipped, input_hashes, reads, run_id)


def note_absent(
    db: duckdb.DuckDBPyConnection,
    target: Target,
    skips: Sequence[Skipped],
    input_hashes: Mapping[int, str],
    *,
    reads: Sequence[str],
    run_id: str,
) -> None:
    """Notes that stays hold nothing of the modality, in the caller's transaction.

    Their vectors stay, though of no cohort, with what is known of their items: where a folder was
    forgotten, or a disk, it is found again when it is back.
    """
    _forget_skips(db, target, [skip.stay_id for skip in skips], "and item is null")
    _write_skips(db, target, skips, input_hashes, reads, run_id)


def learned(
    db: duckdb.DuckDBPyConnection, target: Target, fit_hash: str
) -> dict[str, np.ndarray] | None:
    """What a fit on just these inputs left, if one was made."""
    rows = db.execute(
        "select learned from embeddings.fitted"
        " where encoder = ? and task is not distinct from ? and fit_hash = ?",
        [target.encoder, target.task, fit_hash],
    ).fetchall()
    if not rows:
        return None
    with np.load(io.BytesIO(rows[0][0]), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def keep_learned(
    db: duckdb.DuckDBPyConnection,
    target: Target,
    fit_hash: str,
    arrays: Mapping[str, np.ndarray],
    fitted_on: Sequence[int],
    run_id: str,
) -> None:
    """Keeps a fit, unless another run has made the same meanwhile: rows may rest on that one."""
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    if learned(db, target, fit_hash) is None:
        db.execute(
            "insert into embeddings.fitted (encoder, task, fit_hash, learned, fitted_on, run_id)"
            " values (?, ?, ?, ?, ?, ?)",
            [target.encoder, target.task, fit_hash, file.getvalue(), list(fitted_on), run_id],
        )


def embedding_tables(db: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, bool]]:
    """Encoders that have a table: length of its vectors, and whether it has a column task."""
    rows = db.execute(
        "select table_name, max(regexp_extract(data_type, '(\\d+)]$', 1)) filter (column_name ="
        " 'embedding')::integer, bool_or(column_name = 'task') from duckdb_columns()"
        " where schema_name = 'embeddings' group by all"
        " having bool_or(column_name = 'embedding') order by table_name"
    ).fetchall()
    return {name: (length, has_task) for name, length, has_task in rows}


def _ensure_table(db: duckdb.DuckDBPyConnection, target: Target, dimension: int) -> None:
    """Makes the encoder's table, anew where its vectors have got another length."""
    if embedding_tables(db).get(target.encoder, (None, False))[0] == dimension:
        return
    task = "" if target.task is None else "task varchar not null, "
    db.execute(
        f"create or replace table {target.table} (stay_id integer not null, {task}"
        f"embedding float[{dimension}] not null, input_hash varchar not null,"
        " reads varchar[], run_id varchar not null, written_hash varchar)"
    )
    db.execute(
        f"comment on table {target.table} is 'One vector a stay"
        f"{' and task' if target.task else ''}, by the encoder {target.encoder}. input_hash: of"
        " what it was made from; reads: what it follows from (marts.content_hashes), null if its"
        " inputs have changed since; run_id: the run (results.runs) that made it; written_hash: md5"
        " of the bytes of the vector as it was written.'"
    )
    arms = [
        f"select '{name}' as encoder, {'task' if has_task else 'null::varchar'} as task, stay_id,"
        " input_hash, reads, run_id, embedding::float[] as vector, hash(embedding) as vector_hash"
        f' from embeddings."{name}"'
        for name, (_, has_task) in embedding_tables(db).items()
    ]
    db.execute(f"create or replace view embeddings.encoded as {' union all '.join(arms)}")
    db.execute(
        "comment on view embeddings.encoded is 'Which stays each encoder has encoded, from what,"
        " in which run: every table of this schema in one. vector_hash: equal for equal"
        " vectors.'"
    )


def _forget_skips(
    db: duckdb.DuckDBPyConnection, target: Target, stay_ids: Sequence[int], which: str = ""
) -> None:
    db.execute(
        "delete from embeddings.skipped where encoder = ? and task is not distinct from ?"
        f" and stay_id in (select unnest(?)) {which}",
        [target.encoder, target.task, stay_ids],
    )


def _write_skips(
    db: duckdb.DuckDBPyConnection,
    target: Target,
    skips: Sequence[Skipped],
    input_hashes: Mapping[int, str],
    reads: Sequence[str],
    run_id: str,
) -> None:
    n = len(skips)
    columns: dict[str, list] = {
        "encoder": [target.encoder] * n,
        "task": [target.task] * n,
        "stay_id": [skip.stay_id for skip in skips],
        "item": [skip.item for skip in skips],
        "reason": [skip.reason for skip in skips],
        "input_hash": [input_hashes[skip.stay_id] for skip in skips],
        "reads": [list(reads)] * n,
        "run_id": [run_id] * n,
    }
    insert_columns(db, "embeddings.skipped", columns)
