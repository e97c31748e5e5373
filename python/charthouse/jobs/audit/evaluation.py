"""Recomputes the evaluation, with the settings that its run recorded, and compares every row.

Covers intervals, p-values, comparisons, curves, contributions and learners' metrics: all rows that
`charthouse evaluate` wrote for the current cohort.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import duckdb

from charthouse.core.cohort import Cohort, require_same_cohort
from charthouse.core.errors import CharthouseError
from charthouse.core.progress import PrintLine, ProgressBar
from charthouse.core.provenance import code_version
from charthouse.core.warehouse import open_warehouse
from charthouse.jobs.audit.findings import Finding
from charthouse.jobs.audit.tolerance import sql_is_close
from charthouse.jobs.evaluate import store
from charthouse.jobs.evaluate.task import EvaluateRequest, Task
from charthouse.models.encoders.registry import encoder_specs

CHECK = "results_not_as_evaluated"
NAMED = 20  # rows that a finding lists per task; all are counted
STATISTICS = {
    "value", "difference", "share", "mean_absolute", "y", "ci_low", "ci_high", "p_value",
    "p_adjusted", "threshold", "n", "n_positive", "n_undefined", "n_errors", "n_groups", "n_asked",
    "n_resamples", "worst_group", "left_out", "is_primary", "reason", "answers_hash",
    "evaluation_run_id",
}  # fmt: skip
"""Columns with computed values. All others identify a row, and rows are paired by them."""


def recompute_evaluation(
    project: Path, warehouse: Path, cohort: Cohort, say: PrintLine, watch: ProgressBar
) -> Finding:
    """Compares every row of each task's current evaluation; says which it skips, and why."""
    specs = encoder_specs(project)
    checked = failed = 0
    details: list[str] = []
    for name in cohort.tasks:
        with open_warehouse(warehouse) as db:
            run = _current(db, name)
        if run is None:
            continue
        run_id, seed, fingerprint, version, settings = run
        noted = json.loads(settings)
        request = EvaluateRequest(
            attributes=noted["attributes"],
            compare=[(first, second) for first, second in noted["compare"]],
            n_bootstrap=noted["n_bootstrap"],
            min_group=noted["min_group"],
            seed=seed,
        )
        task = Task(project, warehouse, cohort, specs, name, request, say)
        try:
            subject = task.read()
        except CharthouseError as error:  # other checks name the stays
            failed += 1
            details.append(f"{name}: {error}".rstrip("."))
            continue
        if subject.fingerprint != fingerprint:
            say(
                f"{name}: other arms or answers than were evaluated, or other shapley_groups. Run"
                " charthouse evaluate, then audit again."
            )
            continue
        replacements = task.compute(subject, run_id, watch).replacements
        with open_warehouse(warehouse) as db:
            require_same_cohort(db, cohort)
            if _current(db, name) != run:
                say(f"{name}: was evaluated meanwhile. Run the audit again.")
                continue
            of_task = [_compare(db, each) for each in replacements]
        checked += sum(rows for rows, _, _ in of_task)
        if wrong := sum(n for _, n, _ in of_task):
            failed += wrong
            details += [words for _, _, named in of_task for words in named][:NAMED]
            if version != code_version():
                say(
                    f"{name} was evaluated by {version}, this is {code_version()}: what"
                    " differs below may be due to that. Run charthouse evaluate, then audit again."
                )
    return Finding(CHECK, checked, failed, (), ", ".join(details) or None)


def _current(db: duckdb.DuckDBPyConnection, task: str) -> tuple[str, int, str, str, str] | None:
    """The current evaluation: run_id, seed, fingerprint, code version and settings."""
    rows: list = db.execute(
        "select run_id, seed, fingerprint, code_version, settings from results.current_runs"
        " where kind = 'evaluate' and task = ?",
        [task],
    ).fetchall()
    return rows[0] if rows else None


def _compare(
    db: duckdb.DuckDBPyConnection, made: store.Replacement
) -> tuple[int, int, Sequence[str]]:
    """How many rows are kept, how many are not as they should be, and what is wrong with some."""
    db.execute(f"create or replace temp table again as from results.{made.table} limit 0")
    store.insert(db, "again", made.rows)
    db.execute(
        f"create or replace temp table kept as from results.{made.table} where {made.same}",
        made.parameters,
    )
    kinds = dict(
        db.execute(
            "select column_name, data_type from duckdb_columns()"
            " where database_name = 'temp' and table_name = 'kept' order by column_index"
        ).fetchall()
    )
    keys = [name for name in kinds if name not in STATISTICS]
    # of a curve; two builds of NumPy may give its last digit otherwise
    exact = [f"round({key}, 9)" if kinds[key] == "DOUBLE" else key for key in keys]
    nth = f"row_number() over (partition by {', '.join(exact)}) as nth"
    same = " and ".join(
        f"kept.{key} is not distinct from again.{key}"
        for key in ("nth", *(f"key_{n}" for n in range(len(keys))))
    )
    as_keys = ", ".join(f"{each} as key_{n}" for n, each in enumerate(exact))
    words = ", ".join(
        f"coalesce(kept.{key}, again.{key})"
        for key in keys
        if not key.endswith(("run_id", "_hash", "fingerprint"))
    )
    differing = ", ".join(
        f"if({_differs(name, kind)}, '{name}', null)"
        for name, kind in kinds.items()
        if name in STATISTICS
    )
    db.execute(
        "create or replace temp table wrong as select"
        f" concat_ws(' ', '{made.table}:', {words}, case when kept.nth is null then 'missing'"
        " when again.nth is null then 'should not be there'"
        f" else '(' || concat_ws(', ', {differing}) || ')' end) as words"
        f" from (select *, {nth}, {as_keys} from kept) as kept"
        f" full join (select *, {nth}, {as_keys} from again) as again on {same}"
        f" where kept.nth is null or again.nth is null or concat_ws('', {differing}) != ''"
    )
    ((checked, failed),) = db.execute(
        "select (select count(*) from kept), (select count(*) from wrong)"
    ).fetchall()
    named = db.execute(f"select words from wrong order by all limit {NAMED}").fetchall()
    return checked, failed, [row for (row,) in named]


def _differs(name: str, kind: str) -> str:
    one, other = f"kept.{name}", f"again.{name}"
    if kind != "DOUBLE":
        return f"{one} is distinct from {other}"
    return f"not {sql_is_close(one, other)}"
