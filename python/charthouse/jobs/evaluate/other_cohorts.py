"""What has been evaluated, where the present cohort has not."""

from collections.abc import Sequence
from typing import Any

import duckdb

EVALUATED_COHORTS = """with evaluated as (
    select cohort_hash, protocol, max(finished_at) as evaluated_at
    from results.runs
    where kind = 'evaluate' and finished_at is not null
    group by cohort_hash, protocol
)

select
    cohort_hash, protocol, evaluated_at,
    (select count(distinct stay_id) from results.predictions
    inner join results.runs using (run_id)
    where runs.cohort_hash = evaluated.cohort_hash) as stays
from evaluated
order by evaluated_at desc"""
"""Cohorts that have been evaluated, the last first: hash, protocol, when, stays with a score."""


def nothing_evaluated(db: duckdb.DuckDBPyConnection) -> str:
    """Why reports hold no arm, in a line: of the present cohort, or of any."""
    ((present,),) = db.execute("select cohort_hash from marts.cohort_definition").fetchall()
    why = other_evaluated(db.execute(EVALUATED_COHORTS).fetchall(), present)
    return why or "Nothing has been evaluated yet. Run charthouse evaluate."


def other_evaluated(evaluated: Sequence[Sequence[Any]], present: str) -> str | None:
    """What to say where something has been evaluated, and the reports of `present` do not show it.

    Takes rows of EVALUATED_COHORTS, and the hash of the cohort that the marts hold.
    """
    if not evaluated:
        return None
    if present in {row[0] for row in evaluated}:
        return (
            f"Cohort {present[:12]}, which the marts hold, has been evaluated; labels, modalities,"
            " settings or scores have changed since. Run charthouse embed, predict and evaluate."
        )
    cohort_hash, protocol, at, stays = evaluated[0]
    return (
        f"Cohort {present[:12]}, which the marts hold now, has not been evaluated; cohort"
        f" {cohort_hash[:12]} (protocol {protocol}, {stays} stays) has, on {at:%d %B %Y}. Run"
        " charthouse embed, predict and evaluate, or build again with the settings of that one."
    )
