"""Finds vectors whose bytes are not those that were written, or not those that were read."""

from collections import defaultdict

import duckdb

from charthouse.jobs.audit.findings import Finding, finding
from charthouse.jobs.embed.store import Target, current_vectors, vector_hash
from charthouse.jobs.predict.vectors import hash_of_all

WRITTEN = "vectors_not_as_written"
READ = "vectors_not_as_read"

_Target = tuple[str, str | None]


def rehash_vectors(db: duckdb.DuckDBPyConnection) -> list[Finding]:
    """Hashes every vector of the current cohort once.

    Returns:
        Two findings: each vector against the hash that was written with it, and all vectors that
        each current arm read against the hash that its run recorded.
    """
    targets = db.execute(
        "select distinct encoder, task from embeddings.current_vectors order by all"
    ).fetchall()
    checked = 0
    problems: list[tuple[int | None, str]] = []
    hashes: dict[_Target, dict[int, str]] = defaultdict(dict)
    for encoder, task in targets:
        label = f"{encoder} {task}" if task else encoder
        for stays, vectors, written in current_vectors(db, Target(encoder, task)):
            for stay, vector, then in zip(stays, vectors, written, strict=True):
                hashes[encoder, task][stay] = now = vector_hash(vector)
                checked += 1
                if then != now:
                    problems.append((stay, label))
    return [finding(WRITTEN, checked, problems), _as_read(db, hashes)]


def _as_read(db: duckdb.DuckDBPyConnection, hashes: dict[_Target, dict[int, str]]) -> Finding:
    """Of each arm, the vectors of the stays that have a label for its task: those that it read."""
    labelled = {
        task: frozenset(stays)
        for task, stays in db.execute(
            "select task, list(stay_id) from marts.labels where label is not null group by task"
        ).fetchall()
    }
    inputs = db.execute(
        "select distinct runs.task, runs.name, inputs.encoder, inputs.encoder_task,"
        " inputs.vectors_hash from results.run_inputs as inputs"
        " inner join results.current_runs as runs using (run_id)"
        " where runs.kind = 'predict' order by all"
    ).fetchall()
    now: dict[tuple[_Target, str], str] = {}  # several arms read the same
    problems: list[tuple[int | None, str]] = []
    for task, name, encoder, encoder_task, then in inputs:
        key = ((encoder, encoder_task), task)
        if key not in now:
            wanted = labelled.get(task, frozenset())
            of_task = {s: h for s, h in hashes[encoder, encoder_task].items() if s in wanted}
            now[key] = hash_of_all(of_task)
        if now[key] != then:
            problems.append((None, f"{task} {name}: {encoder}"))
    return finding(READ, len(inputs), problems)
