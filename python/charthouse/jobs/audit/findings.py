"""The findings of checks that Python runs, and the table that keeps them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

MOST_STAYS = 1000
"""Maximum number of stays listed, as in report_audit.sql; all are counted."""


@dataclass(frozen=True)
class Finding:
    """A row of results.audit_findings."""

    check: str  # name of the check, as in seeds/audit_checks.csv
    checked: int
    failed: int = 0
    stay_ids: Sequence[int] = ()  # stays of the failed items, ascending
    detail: str | None = None  # what is wrong with them; never text of a patient


def finding(check: str, checked: int, problems: Iterable[tuple[int | None, str]]) -> Finding:
    """Builds a finding from the failed items.

    Args:
        check: Name of the check.
        checked: Number of items that were checked.
        problems: For each failed item its stay (None if it belongs to no stay), and what failed.

    Example:
        >>> finding("labels_not_as_replayed", 9, [(7, "marts.labels")]).stay_ids
        (7,)
    """
    every = list(problems)
    return Finding(
        check=check,
        checked=checked,
        failed=len(every),
        stay_ids=tuple(sorted({stay for stay, _ in every if stay is not None})),
        detail=", ".join(sorted({words for _, words in every})) or None,
    )


def write_findings(db: duckdb.DuckDBPyConnection, run_id: str, findings: Sequence[Finding]) -> None:
    """Writes findings, in the caller's transaction."""
    rows = pa.table(
        {
            "run_id": pa.array([run_id] * len(findings)),
            "check_name": pa.array([each.check for each in findings]),
            "checked": pa.array([each.checked for each in findings], pa.int64()),
            "failed": pa.array([each.failed for each in findings], pa.int64()),
            "stays": pa.array([len(each.stay_ids) for each in findings], pa.int64()),
            "stay_ids": pa.array(
                [list(each.stay_ids[:MOST_STAYS]) or None for each in findings],
                pa.list_(pa.int32()),
            ),
            "detail": pa.array([each.detail for each in findings], pa.string()),
        }
    )
    db.register("batch", rows)
    db.execute("insert into results.audit_findings by name select * from batch")
    db.unregister("batch")
