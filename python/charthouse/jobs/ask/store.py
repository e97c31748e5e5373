"""results.answers: every statement that reads or changes it."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from charthouse.core.cohort import IS_CURRENT
from charthouse.jobs.ask.parse import PARSER_VERSION, parse
from charthouse.net.outbox import SENDS, Writer

KEY = ("learner", "question_hash")
"""One row each; the hash is of settings, task, condition, stay and what is shown of it."""


def keep_answers(db: duckdb.DuckDBPyConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Replaces what there was of these questions, in the caller's transaction.

    An error never replaces an answer to the same question. Of several rows of a question the last
    answer counts.
    """
    answered_last = sorted(rows, key=lambda row: row["status"] == "answered")
    last = {tuple(row[name] for name in KEY): row for row in answered_last}
    columns = dict(
        db.execute(
            "select column_name, data_type from duckdb_columns()"
            " where schema_name = 'results' and table_name = 'answers'"
        ).fetchall()
    )
    names = [name for name in columns if any(name in row for row in rows)]
    batch = {name: pa.array([row.get(name) for row in last.values()]) for name in names}
    db.register("batch", pa.table(batch))
    typed = ", ".join(f'cast("{name}" as {columns[name]}) as "{name}"' for name in names)
    db.execute(f"create or replace temp table new_answers as select {typed} from batch")
    db.unregister("batch")
    same = " and ".join(f"new_answers.{name} = answers.{name}" for name in KEY)
    db.execute(
        "delete from new_answers where status = 'error' and exists (select 1 from results.answers"
        f" as answers where {same} and answers.status = 'answered')"
    )
    db.execute(
        "delete from results.answers as answers"
        f" where exists (select 1 from new_answers where {same})"
    )
    db.execute("insert into results.answers by name select * from new_answers")
    db.execute("drop table new_answers")


WRITERS: Mapping[str, Writer] = {**SENDS, "answer": keep_answers}
"""What the outbox of `charthouse ask` holds."""


def asked_before(
    db: duckdb.DuckDBPyConnection, learner: str, fingerprint: str
) -> dict[str, tuple[str, int, tuple[str, str]]]:
    """Whatever the cohort: question_hash to status, attempts so far, and (task, condition)."""
    rows = db.execute(
        "select question_hash, status, attempt, (task, condition) from results.answers"
        " where learner = ? and fingerprint = ?",
        [learner, fingerprint],
    ).fetchall()
    return {row[0]: row[1:] for row in rows}


def mark_current(
    db: duckdb.DuckDBPyConnection,
    learner: str,
    fingerprint: str,
    questions: Mapping[str, list[str]],
) -> int:
    """Answers to just these questions are of what is shown now, others of these settings are not.

    They stay where they are: going back to the old settings finds them. `questions` is the hash of
    each to what it follows from (results.answers.reads).

    Returns:
        Answers under other settings to what is shown now, which do not stand beside these.
    """
    wanted = {
        "question_hash": pa.array(list(questions), pa.string()),
        "reads": pa.array(list(questions.values()), pa.list_(pa.string())),
    }
    db.register("wanted", pa.table(wanted))
    of_learner = "where answers.learner = ? and answers.fingerprint = ?"
    db.execute(
        f"update results.answers as answers set reads = null {of_learner} and {IS_CURRENT}"
        " and question_hash not in (select question_hash from wanted)",
        [learner, fingerprint],
    )
    db.execute(
        f"update results.answers as answers set reads = wanted.reads from wanted {of_learner}"
        " and answers.question_hash = wanted.question_hash"
        " and answers.reads is distinct from wanted.reads",
        [learner, fingerprint],
    )
    db.unregister("wanted")
    others: int = db.execute(
        "select count(*) from results.answers where learner = ? and fingerprint <> ?"
        f" and {IS_CURRENT} and status = 'answered'",
        [learner, fingerprint],
    ).fetchall()[0][0]
    return others


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
