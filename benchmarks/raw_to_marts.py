"""From raw files to marts at three sizes, up to MIMIC-IV's own, and again with another window.

    python benchmarks/raw_to_marts.py --data /a/disk/with/10GB

Claims: at 73,181 stays and 313 million rows of chartevents at most 5 minutes and 2 GB on 2 cores;
time linear in the size, memory flat; another window reads no chartevents, at most a minute.
"""

import argparse
import json
from pathlib import Path

from measure import dbt_build, synthetic

SIZES = (7_318, 24_394, 73_181)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder for data and warehouses")
    parser.add_argument("--stays", type=int, nargs="+", default=SIZES)
    arguments = parser.parse_args()

    print("stays | chartevents rows | build s | rows/s | peak GB | other window s | peak GB")
    for stays in arguments.stays:
        data = synthetic(arguments.data, stays)
        rows = json.loads((data / "SYNTHETIC.json").read_text())["rows"]
        events = rows["mimic-iv/icu/chartevents.csv.gz"]
        warehouse = arguments.data / f"stays{stays}.duckdb"
        warehouse.unlink(missing_ok=True)
        first = dbt_build(data, warehouse)
        other = dbt_build(data, warehouse, "--vars", "{window_end_hours: 48}")
        print(
            f"{stays:,} | {events:,} | {first.seconds:.0f} | {events / first.seconds:,.0f}"
            f" | {first.peak_gb:.2f} | {other.seconds:.0f} | {other.peak_gb:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
