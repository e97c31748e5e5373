"""A warehouse of a cohort without stays: enough to note runs in, in a moment."""

from pathlib import Path

import yaml

from bench import PROJECT
from charthouse.core.cohort import Cohort
from charthouse.core.warehouse import open_warehouse, write_version

COHORT = Cohort(
    cohort_hash="c" * 32,
    content_hashes={("task", "mortality"): "d" * 32},
    protocol="strict",
    data_kind="synthetic",
    data_source=None,
    variables={},
    stays={},
    tasks=("mortality",),
    channels={},
    columns={},
    groups={},
)


def make_small_warehouse(path: Path) -> None:
    """With results.runs as its contract has it, and a table results.notes for what a job writes."""
    contracts = yaml.safe_load((PROJECT / "models/results/_results__models.yml").read_text())
    columns = next(model["columns"] for model in contracts["models"] if model["name"] == "runs")
    typed = ", ".join(f"{column['name']} {column['data_type']}" for column in columns)
    with open_warehouse(path, read_only=False) as db:
        write_version(db)
        db.execute("create schema marts; create schema results")
        db.execute(f"create table results.runs ({typed})")
        db.execute("create table results.notes (run_id varchar, note varchar)")
        db.execute("create table marts.cohort_definition as select ? as cohort_hash", ["c" * 32])
        db.execute(
            "create table marts.content_hashes as"
            " select 'task' as kind, 'mortality' as name, ? as content_hash",
            ["d" * 32],
        )
