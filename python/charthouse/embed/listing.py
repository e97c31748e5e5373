"""`charthouse encoders`: every encoder of the seed and how far it has come."""

from pathlib import Path

import duckdb
from rich.box import SIMPLE_HEAD
from rich.table import Table

from charthouse.cohort import require_result_tables
from charthouse.embed.run import why_not_ready
from charthouse.encoders.registry import encoder_specs
from charthouse.errors import CharthouseError
from charthouse.warehouse import open_warehouse

Row = tuple[str | None, str, int, int]  # task, state, encoded, skipped


def encoder_table(project: Path, warehouse: Path) -> tuple[Table, list[str]]:
    """One row an encoder (and task): what it is, what is done; and lines: what is not ready, why.

    Raises:
        CharthouseError: the warehouse was not built to its end.
    """
    table = Table(
        title=f"Encoders, and their state in {warehouse}", title_justify="left",
        box=SIMPLE_HEAD, padding=0, pad_edge=False,
    )  # fmt: skip
    for column in ("encoder", "modality", "length", "state", "encoded", "skipped"):
        is_number = column in ("length", "encoded", "skipped")
        table.add_column(column, justify="right" if is_number else "left", no_wrap=True)
    progress = _progress(warehouse)
    lines = []
    for spec in encoder_specs(project).values():
        needs = why_not_ready(spec)
        for task, state, encoded, skipped in progress.get(spec.encoder, [(None, "none", 0, 0)]):
            table.add_row(
                f"{spec.encoder} ({task})" if task else spec.encoder,
                spec.modality,
                str(spec.dimension or "-"),
                state if state != "none" else "not ready" if needs else "ready",
                str(encoded),
                str(skipped),
            )
        if needs:
            lines.append(f"{spec.encoder} is not ready: {needs}")
    return table, lines


def _progress(warehouse: Path) -> dict[str, list[Row]]:
    """Of each encoder, its rows of reports.encoders; empty without a warehouse."""
    if not warehouse.exists():
        return {}
    with open_warehouse(warehouse) as db:
        require_result_tables(db)
        try:
            found = db.execute(
                "select encoder, task, state, encoded, skipped from reports.encoders"
                " order by encoder, task"
            ).fetchall()
        except duckdb.CatalogException:
            raise CharthouseError("The warehouse lacks reports.encoders. Run dbt build.") from None
    progress: dict[str, list[Row]] = {}
    for encoder, *row in found:
        progress.setdefault(encoder, []).append(tuple(row))
    return progress
