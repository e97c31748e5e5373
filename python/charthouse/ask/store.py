"""results.answers: every statement that reads or changes it."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from charthouse.ask.parse import PARSER_VERSION, parse

KEY = ("learner", "fingerprint", "task", "condition", "stay_id")
"""One row each."""


def keep_answers(db: duckdb.DuckDBPyConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Replaces what there was of these questions, in the caller's transaction.

    An error never replaces an answer to the same question. Of several rows of a question the last
    counts.
    """
    if not rows:
        return
    last = {tuple(row[name] for name in KEY): row for row in rows}
    columns = dict(
        db.execute(
            "select column_name, data_type from duckdb_columns()"
            " where schema_name = 'results' and table_name = 'answers'"
        ).fetchall()
    )
    names = [name for name in columns if name in rows[0]]
    db.register(
        "batch", pa.table({name: pa.array([row[name] for row in last.values()]) for name in names})
    )
    typed = ", ".join(f'cast("{name}" as {columns[name]}) as "{name}"' for name in names)
    db.execute(f"create or replace temp table new_answers as select {typed} from batch")
    db.unregister("batch")
    same = " and ".join(f"new_answers.{name} = answers.{name}" for name in KEY)
    db.execute(
        "delete from new_answers where status = 'error' and exists (select 1 from results.answers"
        f" as answers where {same} and answers.question_hash = new_answers.question_hash"
        " and answers.status = 'answered')"
    )
    db.execute(
        "delete from results.answers as answers"
        f" where exists (select 1 from new_answers where {same})"
    )
    db.execute("insert into results.answers by name select * from new_answers")
    db.execute("drop table new_answers")


def asked_before(
    db: duckdb.DuckDBPyConnection, learner: str, fingerprint: str
) -> dict[tuple[str, str, int], tuple[str, str, int]]:
    """(task, condition, stay_id) to (question_hash, status, attempts so far)."""
    rows = db.execute(
        "select task, condition, stay_id, question_hash, status, attempt from results.answers"
        " where learner = ? and fingerprint = ?",
        [learner, fingerprint],
    ).fetchall()
    return {tuple(row[:3]): tuple(row[3:]) for row in rows}


def mark_current(
    db: duckdb.DuckDBPyConnection,
    learner: str,
    fingerprint: str,
    question_hashes: Mapping[tuple[str, str, int], str],
    cohort_hash: str,
) -> None:
    """Answers to just these questions belong to this cohort, others of theirs to none.

    They stay where they are until they are replaced: going back to the old settings finds them.
    """
    db.register(
        "wanted",
        pa.table(
            {
                "task": [task for task, _, _ in question_hashes],
                "condition": [condition for _, condition, _ in question_hashes],
                "stay_id": pa.array([stay for _, _, stay in question_hashes], pa.int32()),
                "question_hash": list(question_hashes.values()),
            }
        ),
    )
    db.execute(
        "update results.answers as answers set cohort_hash ="
        " if(wanted.question_hash = answers.question_hash, $cohort_hash, null) from wanted"
        " where answers.learner = $learner and answers.fingerprint = $fingerprint"
        " and answers.task = wanted.task and answers.condition = wanted.condition"
        " and answers.stay_id = wanted.stay_id and (answers.cohort_hash = $cohort_hash)"
        " is distinct from (wanted.question_hash = answers.question_hash)",
        {"cohort_hash": cohort_hash, "learner": learner, "fingerprint": fingerprint},
    )
    db.unregister("wanted")


def parse_again(db: duckdb.DuckDBPyConnection) -> int:
    """Parses the answers that an older parser has read; nothing is asked. Returns how many."""
    rows = db.execute(
        "select distinct answer from results.answers"
        " where status = 'answered' and parser_version is distinct from ?",
        [PARSER_VERSION],
    ).fetchall()
    if not rows:
        return 0
    answers = [row[0] for row in rows]
    parsed = [parse(answer) for answer in answers]
    db.register("read", pa.table({"answer": answers, "parsed": parsed}))
    changed: int = db.execute(
        "update results.answers as answers set parsed = read.parsed, parser_version = $version"
        " from read where answers.answer = read.answer and answers.status = 'answered'"
        " and answers.parser_version is distinct from $version",
        {"version": PARSER_VERSION},
    ).fetchall()[0][0]
    db.unregister("read")
    return changed
