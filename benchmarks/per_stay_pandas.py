"""The way of the paper's code, and of many like it: load the table, then filter it once per stay.

Written for the comparison; cleaning as in ours, so that both give the same grid. Prints nothing but
writes the grid (stay_id, hour, variable, value) to a Parquet file.

    python benchmarks/per_stay_pandas.py DATA GRID.parquet
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd

PROJECT = Path(__file__).resolve().parents[1]
WINDOW_HOURS = 24


def split_of(subject_id: int) -> str:
    share = int(hashlib.md5(f"0:{subject_id}".encode()).hexdigest()[:8], 16) / 2**32
    return "train" if share < 0.7 else "validation" if share < 0.8 else "test"


def cohort_of(mimic: Path) -> pd.DataFrame:
    stays = pd.read_csv(mimic / "icu/icustays.csv.gz", parse_dates=["intime", "outtime"])
    admissions = pd.read_csv(
        mimic / "hosp/admissions.csv.gz", parse_dates=["admittime", "deathtime"]
    ).drop(columns="subject_id")
    patients = pd.read_csv(mimic / "hosp/patients.csv.gz")
    joined = stays.merge(admissions, on="hadm_id").merge(patients, on="subject_id")
    age = joined.anchor_age + joined.admittime.dt.year - joined.anchor_year
    end = joined.intime + pd.Timedelta(hours=WINDOW_HOURS)
    return joined[(age >= 18) & (joined.outtime >= end) & ~(joined.deathtime <= end)]


def grid_of_stay(rows: pd.DataFrame, intime: pd.Timestamp, variables: pd.Index) -> pd.DataFrame:
    """Hourly means of one stay, shape (variables, hours), not filled."""
    value = rows.valuenum.where(rows.valuenum.between(rows.outlier_low, rows.outlier_high))
    value = value.clip(rows.valid_low, rows.valid_high)
    value = value.where(rows.conversion.isna(), value * 9 / 5 + 32)
    hours = (rows.charttime - intime) / pd.Timedelta(hours=1)
    available = rows[["charttime", "storetime"]].max(axis=1)
    late = (available - intime) / pd.Timedelta(hours=1)
    missing = (rows.value == rows.intubated_text) | (rows.zero_is_missing.notna() & (value == 0))
    kept = value.notna() & ~missing & (hours >= 0) & (late < WINDOW_HOURS)
    table = pd.DataFrame({"variable": rows.variable, "hour": np.floor(hours), "value": value})[kept]
    pivoted = table.pivot_table(index="variable", columns="hour", values="value", aggfunc="mean")
    return pivoted.reindex(index=variables, columns=range(WINDOW_HOURS))


def main(data: Path, target: Path) -> None:
    seed = pd.read_csv(PROJECT / "seeds/vital_signs.csv")
    cohort = cohort_of(data / "mimic-iv")
    events = pd.read_csv(
        data / "mimic-iv/icu/chartevents.csv.gz",
        usecols=["stay_id", "charttime", "storetime", "itemid", "value", "valuenum"],
        parse_dates=["charttime", "storetime"],
    )
    events = events[events.itemid.isin(seed.itemid)].merge(seed, on="itemid")
    variables = pd.Index(sorted(seed.variable.unique()), name="variable")

    grids, measured = [], {variable: [] for variable in variables}
    for stay in cohort.itertuples():
        grid = grid_of_stay(events[events.stay_id == stay.stay_id], stay.intime, variables)
        if split_of(stay.subject_id) == "train":
            for variable in variables:
                measured[variable].append(grid.loc[variable].dropna().to_numpy())
        grids.append(grid.ffill(axis=1).assign(stay_id=stay.stay_id))
    medians = {variable: np.median(np.concatenate(rows)) for variable, rows in measured.items()}
    everything = pd.concat(grids).reset_index().melt(["stay_id", "variable"], var_name="hour")
    everything["value"] = everything.value.fillna(everything.variable.map(medians))
    everything.to_parquet(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
