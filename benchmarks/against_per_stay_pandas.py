"""Ours beside the paper's way, in turn, on the same data: seconds, memory, ratio, same grid.

    python benchmarks/against_per_stay_pandas.py --data /a/disk/with/2GB

Ours makes every mart and runs every data test; the other only the imputed grid of vital signs.
"""

import argparse
import statistics
import sys
from pathlib import Path

import duckdb

from measure import PROJECT, dbt_build, run, synthetic

SIZES = (1_000, 4_000)


def largest_difference(warehouse: Path, grid: Path) -> float:
    """Between the two grids; infinite where one lacks a cell of the other."""
    with duckdb.connect(str(warehouse), read_only=True) as database:
        return database.execute(
            """
            select max(coalesce(abs(ours.value - theirs.value), 'infinity'::double))
            from marts.vitals_hourly as ours
            full join read_parquet(?) as theirs using (stay_id, hour, variable)
            """,
            [str(grid)],
        ).fetchall()[0][0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder for data and warehouses")
    parser.add_argument("--stays", type=int, nargs="+", default=SIZES)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()

    print("stays | ours s | pandas s | ratio (min to max) | ours GB | pandas GB | grids differ by")
    for stays in arguments.stays:
        data = synthetic(arguments.data, stays)
        warehouse = arguments.data / f"against{stays}.duckdb"
        grid = arguments.data / f"against{stays}.parquet"
        pairs = []
        for _ in range(arguments.runs):
            warehouse.unlink(missing_ok=True)
            ours = dbt_build(data, warehouse, "--exclude-resource-type", "unit_test")
            script = str(PROJECT / "benchmarks/per_stay_pandas.py")
            pairs.append((ours, run([sys.executable, script, str(data), str(grid)])))
        ratios = [theirs.seconds / ours.seconds for ours, theirs in pairs]
        print(
            f"{stays:,} | {statistics.median(ours.seconds for ours, _ in pairs):.1f}"
            f" | {statistics.median(theirs.seconds for _, theirs in pairs):.1f}"
            f" | {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"
            f" | {max(ours.peak_gb for ours, _ in pairs):.2f}"
            f" | {max(theirs.peak_gb for _, theirs in pairs):.2f}"
            f" | {largest_difference(warehouse, grid):.1e}",
            flush=True,
        )


if __name__ == "__main__":
    main()
