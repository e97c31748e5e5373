"""`charthouse encoders`: every encoder of the seed and how far it has come."""

from pathlib import Path

import duckdb
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from charthouse.embed.store import require_result_tables
from charthouse.encoders.registry import EncoderSpec, encoder_class, encoder_specs
from charthouse.errors import CharthouseError
from charthouse.warehouse import open_warehouse


def encoder_table(project: Path, warehouse: Path) -> Group:
    """One row an encoder (and task): what it is, what is done; below, what is not ready and why."""
    table = Table(
        title=f"Encoders, and their state in {warehouse}",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
    )
    for column in ("encoder", "modality", "length", "state", "encoded", "skipped"):
        is_number = column in ("length", "encoded", "skipped")
        table.add_column(column, justify="right" if is_number else "left", no_wrap=True)
    counts = _counts(warehouse)
    lines = []
    for spec in encoder_specs(project).values():
        needs = _needs(spec)
        for task, (stays, encoded, skipped) in counts.get(spec.encoder, {None: (0, 0, 0)}).items():
            table.add_row(
                f"{spec.encoder} ({task})" if task else spec.encoder,
                spec.modality,
                str(spec.dimension or "-"),
                _state(stays, encoded, skipped, needs),
                str(encoded),
                str(skipped),
            )
        if needs:
            lines.append(f"{spec.encoder} is not ready: {needs}")
    return Group(table, *(Text(line) for line in lines))


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
    try:
        return db.execute(
            "select encoder, task, stays, encoded, skipped from reports.encoders"
            " where state != 'none' order by encoder, task"
        ).fetchall()
    except duckdb.CatalogException:
        raise CharthouseError("The warehouse lacks reports.encoders. Run dbt build.") from None
