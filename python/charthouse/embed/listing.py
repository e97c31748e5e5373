"""`charthouse encoders`: every encoder of the seed and how far it has come."""

from pathlib import Path

import duckdb
from rich.table import Table

from charthouse.embed.store import require_result_tables
from charthouse.encoders.registry import EncoderSpec, encoder_class, encoder_specs
from charthouse.errors import CharthouseError
from charthouse.warehouse import open_warehouse


def encoder_table(project: Path, warehouse: Path) -> Table:
    """One row an encoder (and task): what it is, whether it is ready, what is done."""
    table = Table(title=f"Encoders, and their state in {warehouse}", title_justify="left")
    for column in ("encoder", "modality", "dimension", "state", "encoded", "skipped", "needs"):
        table.add_column(column, justify="right" if column in ("encoded", "skipped") else "left")
    counts = _counts(warehouse)
    for spec in encoder_specs(project).values():
        needs = _needs(spec)
        for task, (stays, encoded, skipped) in counts.get(spec.encoder, {None: (0, 0, 0)}).items():
            table.add_row(
                f"{spec.encoder} ({task})" if task else spec.encoder,
                spec.modality,
                str(spec.dimension or "by cohort"),
                _state(stays, encoded, skipped, needs),
                str(encoded),
                str(skipped),
                needs or "",
            )
    return table


def _state(stays: int, encoded: int, skipped: int, needs: str | None) -> str:
    if stays and encoded + skipped == stays:
        return "done"
    if encoded or skipped:
        return "part"
    return "not ready" if needs else "ready"


def _needs(spec: EncoderSpec) -> str | None:
    try:
        return encoder_class(spec.encoder).not_ready(spec)
    except CharthouseError as error:
        return str(error)


def _counts(warehouse: Path) -> dict[str, dict[str | None, tuple[int, int, int]]]:
    """Encoder to task to (stays of the cohort, encoded, skipped); empty without a warehouse."""
    if not warehouse.exists():
        return {}
    with open_warehouse(warehouse) as db:
        require_result_tables(db)
        rows = _rows(db)
    counts: dict[str, dict[str | None, tuple[int, int, int]]] = {}
    for encoder, task, stays, encoded, skipped in rows:
        counts.setdefault(encoder, {})[task] = (stays, encoded, skipped)
    return counts


def _rows(db: duckdb.DuckDBPyConnection) -> list[tuple]:
    return db.execute(
        "select encoder, task, stays, encoded, skipped from reports.encoders where state != 'none'"
        " order by encoder, task"
    ).fetchall()
