"""Ours beside plain polars, in turn, on the same data: seconds, memory, ratio, same grid.

    pip install polars
    python benchmarks/against_polars.py --data /a/disk/with/5GB

Polars makes the imputed grid of vital signs and nothing else (polars_grid.py). Ours is timed twice:
all of `dbt build` (every mart, every data test), and chartevents to its compact table alone.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

from charthouse.core.warehouse import open_warehouse
from measure import PROJECT, dbt_build, run, synthetic

SIZES = (7_318, 24_394)


def largest_difference(warehouse: Path, grid: Path) -> float:
    """Between the two grids; infinite where one lacks a cell of the other."""
    with open_warehouse(warehouse) as database:
        return database.execute(
            """
            select max(coalesce(abs(ours.value - theirs.value), 'infinity'::double))
            from marts.vitals_hourly as ours
            full join read_parquet(?) as theirs using (stay_id, hour, variable)
            """,
            [str(grid)],
        ).fetchall()[0][0]


def seconds_of(model: str, warehouse: Path) -> float:
    """How long dbt worked on a model in the build that has just ended."""
    results = json.loads((warehouse.parent / "target/run_results.json").read_text())["results"]
    (found,) = [r for r in results if r["unique_id"].endswith(f".{model}")]
    return float(found["execution_time"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder for data and warehouses")
    parser.add_argument("--stays", type=int, nargs="+", default=SIZES)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()

    print(
        "stays | ours, all s | its chartevents s | polars s | all / polars (min to max)"
        " | chartevents / polars | ours GB | polars GB | grids differ by"
    )
    for stays in arguments.stays:
        data = synthetic(arguments.data, stays)
        warehouse = arguments.data / f"against{stays}.duckdb"
        grid = arguments.data / f"against{stays}.parquet"
        runs = []
        for _ in range(arguments.runs):
            warehouse.unlink(missing_ok=True)
            ours = dbt_build(data, warehouse, "--exclude-resource-type", "unit_test")
            script = str(PROJECT / "benchmarks/polars_grid.py")
            theirs = run([sys.executable, script, str(data), str(grid)])
            runs.append((ours, seconds_of("stg_mimiciv__chartevents", warehouse), theirs))
        ratios = [ours.seconds / theirs.seconds for ours, _, theirs in runs]
        of_table = [table / theirs.seconds for _, table, theirs in runs]
        print(
            f"{stays:,} | {statistics.median(ours.seconds for ours, _, _ in runs):.1f}"
            f" | {statistics.median(table for _, table, _ in runs):.1f}"
            f" | {statistics.median(theirs.seconds for _, _, theirs in runs):.1f}"
            f" | {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"
            f" | {statistics.median(of_table):.1f} ({min(of_table):.1f} to {max(of_table):.1f})"
            f" | {max(ours.peak_gb for ours, _, _ in runs):.2f}"
            f" | {max(theirs.peak_gb for _, _, theirs in runs):.2f}"
            f" | {largest_difference(warehouse, grid):.1e}",
            flush=True,
        )


if __name__ == "__main__":
    main()
