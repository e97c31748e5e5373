"""From raw files to marts at three sizes, up to MIMIC-IV's own, and again with another window.

    python benchmarks/raw_to_marts.py --data /a/disk/with/20GB

Each size is built twice in turn: without the tables that may be absent (laboratory values,
medications, ECGs, ...), by the setting not_read, and with all tables.

Claims: at 73,181 stays, 313 million rows of chartevents and 118 million of labevents, all of it
takes at most 2.5 times as long as without those tables, another window at most twice, and 3 GB.
Another window reads no raw file of events.
"""

import argparse
import json
from pathlib import Path

from charthouse.core.project import raw_tables
from measure import PROJECT, Cost, dbt_build, synthetic

SIZES = (7_318, 24_394, 73_181)


def main() -> None:
    """Prints, for each size, seconds and memory without the optional tables and with them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder for data and warehouses")
    parser.add_argument("--stays", type=int, nargs="+", default=SIZES)
    arguments = parser.parse_args()
    left_out = [
        table.name for table in raw_tables(PROJECT)
        if table.file_optional or table.root == "CHARTHOUSE_ECG"
    ]  # fmt: skip

    print("stays | rows | tables | build s | peak GB | other window s | peak GB")
    for stays in arguments.stays:
        data = synthetic(arguments.data, stays)
        written = json.loads((data / "SYNTHETIC.json").read_text())["rows"]
        costs: dict[str, tuple[Cost, Cost]] = {}
        for tables, not_read in (("fewer", left_out), ("all", [])):
            warehouse = arguments.data / f"stays{stays}-{tables}.duckdb"
            warehouse.unlink(missing_ok=True)
            first, other = (
                dbt_build(data, warehouse, "--vars", json.dumps({"not_read": not_read} | settings))
                for settings in ({}, {"window_end_hours": 48})
            )
            costs[tables] = first, other
            rows = sum(
                count for name, count in written.items()
                if not any(name.endswith(f"/{table}.csv.gz") for table in not_read)
            )  # fmt: skip
            print(
                f"{stays:,} | {rows:,} | {tables} | {first.seconds:.0f} | {first.peak_gb:.2f}"
                f" | {other.seconds:.0f} | {other.peak_gb:.2f}",
                flush=True,
            )
        ratios = [
            all_of.seconds / fewer.seconds
            for fewer, all_of in zip(costs["fewer"], costs["all"], strict=True)
        ]
        print("build {:.2f} times as long, another window {:.2f} times".format(*ratios), flush=True)


if __name__ == "__main__":
    main()
