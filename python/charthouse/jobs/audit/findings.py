"""The findings of checks that Python runs, and the table that keeps them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import duckdb

from charthouse.core.warehouse import insert_columns

MOST_STAYS = 1000
"""Maximum number of stays listed, as in report_audit.sql; all are counted."""


@dataclass(frozen=True)
class Finding:
    """A row of results.audit_findings."""

    check: str  # name of the check, as in seeds/registries/audit_checks.csv
    checked: int
    failed: int = 0
    stay_ids: Sequence[int] = ()  # stays of the failed items, ascending
    detail: str | None = None  # what is wrong with them; never text of a patient


def finding(check: str, checked: int, problems: Iterable[tuple[int | None, str]]) -> Finding:
    """Builds a finding from each failed item's stay (None if it belongs to none) and what failed.

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
    columns: dict[str, list] = {
        "run_id": [run_id] * len(findings),
        "check_name": [each.check for each in findings],
        "checked": [each.checked for each in findings],
        "failed": [each.failed for each in findings],
        "stays": [len(each.stay_ids) for each in findings],
        "stay_ids": [list(each.stay_ids[:MOST_STAYS]) or None for each in findings],
        "detail": [each.detail for each in findings],
    }
    insert_columns(db, "results.audit_findings", columns)
