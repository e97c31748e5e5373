"""`charthouse encoders`: every encoder of the seed and how far it has come."""

from pathlib import Path

import duckdb
from rich.box import SIMPLE_HEAD
from rich.table import Table

from charthouse.core.cohort import Cohort, read_cohort
from charthouse.core.errors import CharthouseError
from charthouse.core.warehouse import open_warehouse
from charthouse.jobs.embed.plan import context_of
from charthouse.jobs.embed.store import embedding_tables
from charthouse.models.encoders.base import Context
from charthouse.models.encoders.registry import encoder_specs, why_not_ready

EncoderState = tuple[str | None, str, int, int]  # task, state, encoded, skipped


def encoder_table(project: Path, warehouse: Path) -> tuple[str, Table, list[str]]:
    """A heading; one row an encoder (and task): what it is, what is done; what is not ready, why.

    Raises:
        CharthouseError: the warehouse was not built to its end, or by an older clone.
    """
    cohort, known, lengths = _progress(warehouse) if warehouse.exists() else (None, {}, {})
    place = f"and their state in {warehouse}" if cohort else f"before {warehouse} is built"
    table = Table(box=SIMPLE_HEAD, padding=0, pad_edge=False)
    for column in ("encoder", "modality", "length", "saw MIMIC", "state", "encoded", "skipped"):
        is_number = column in ("length", "encoded", "skipped")
        table.add_column(
            column, justify="right" if is_number else "left", overflow="fold",
            no_wrap=column not in ("encoder", "modality"),
        )  # fmt: skip
    lines = []
    for spec in encoder_specs(project).values():
        context = context_of(cohort, spec) if cohort else Context(spec, {})
        needs = why_not_ready(context)
        length = lengths.get(spec.encoder) or spec.dimension
        for task, state, encoded, skipped in known.get(spec.encoder, [(None, "none", 0, 0)]):
            table.add_row(
                f"{spec.encoder} ({task})" if task else spec.encoder,
                spec.modality.name,
                str(length or "-"),
                spec.saw_mimic,
                state if state != "none" else "not ready" if needs else "ready",
                str(encoded),
                str(skipped),
            )
        if needs:
            lines.append(f"{spec.encoder} is not ready: {needs}")
    return f"Encoders, {place}", table, lines


def _progress(warehouse: Path) -> tuple[Cohort, dict[str, list[EncoderState]], dict[str, int]]:
    """The cohort; by encoder, its rows of reports.encoders, and the length of its vectors."""
    rows: dict[str, list[EncoderState]] = {}
    with open_warehouse(warehouse) as db:
        cohort = read_cohort(db)
        try:
            found = db.execute(
                "select encoder, task, state, encoded, skipped from reports.encoders"
                " order by encoder, task"
            ).fetchall()
        except (duckdb.CatalogException, duckdb.BinderException):
            raise CharthouseError(
                "The warehouse lacks reports.encoders, or has an old one. Run charthouse build."
            ) from None
        lengths = {name: length for name, (length, _) in embedding_tables(db).items()}
    for encoder, *row in found:
        rows.setdefault(encoder, []).append(tuple(row))
    return cohort, rows, lengths
