"""The grid of vital signs in plain polars: what a user would write who wants no warehouse.

Written for the comparison; cleaning as ours under protocol strict, so that both give the same grid.
Writes it (stay_id, hour, variable, value) to a Parquet file.

    python benchmarks/polars_grid.py DATA GRID.parquet
"""

import hashlib
import sys
from pathlib import Path

import polars as pl

PROJECT = Path(__file__).resolve().parents[1]
WINDOW_HOURS = 24


def split_of(subject_id: int) -> str:
    share = int(hashlib.md5(f"0:{subject_id}".encode()).hexdigest()[:8], 16) / 2**32
    return "train" if share < 0.7 else "validation" if share < 0.8 else "test"


def cohort_of(mimic: Path) -> pl.DataFrame:
    """Adults who are alive and in the ICU at hour 24; stay_id, intime, split."""
    stays = pl.read_csv(mimic / "icu/icustays.csv.gz", try_parse_dates=True)
    admissions = pl.read_csv(mimic / "hosp/admissions.csv.gz", try_parse_dates=True)
    patients = pl.read_csv(mimic / "hosp/patients.csv.gz")
    joined = stays.join(admissions.drop("subject_id"), on="hadm_id").join(patients, on="subject_id")
    age = pl.col("anchor_age") + pl.col("admittime").dt.year() - pl.col("anchor_year")
    end = pl.col("intime") + pl.duration(hours=WINDOW_HOURS)
    dead = (pl.col("deathtime").cast(pl.Datetime("us")) <= end).fill_null(value=False)
    return joined.filter((age >= 18) & (pl.col("outtime") >= end) & ~dead).select(
        pl.col("stay_id").cast(pl.Int32),
        pl.col("intime").cast(pl.Datetime("us")),
        pl.col("subject_id").map_elements(split_of, return_dtype=pl.String).alias("split"),
    )


def measured(mimic: Path, cohort: pl.DataFrame, seed: pl.DataFrame) -> pl.DataFrame:
    """Hourly means: stay_id, variable, hour, value, of what was measured; raw values beside."""
    types = {
        "stay_id": pl.Int32, "itemid": pl.Int32, "charttime": pl.String,
        "storetime": pl.String, "valuenum": pl.Float64, "value": pl.String,
    }  # fmt: skip
    # as text: polars takes five times as long to read times, and most rows are not kept
    times = pl.col("charttime", "storetime").str.to_datetime("%Y-%m-%d %H:%M:%S")
    value, low, high = pl.col("valuenum"), pl.col("valid_low"), pl.col("valid_high")
    clipped = pl.min_horizontal(pl.max_horizontal(value, low), high)
    fahrenheit = pl.when(pl.col("conversion").is_null()).then(clipped).otherwise(clipped * 1.8 + 32)
    hours = (pl.col("charttime") - pl.col("intime")).dt.total_microseconds() / 3.6e9
    available = pl.max_horizontal("charttime", "storetime") - pl.col("intime")
    tube = (pl.col("value") == pl.col("intubated_text")).fill_null(value=False)
    zero = pl.col("zero_is_missing").is_not_null() & (value == 0)
    return (
        pl.scan_csv(mimic / "icu/chartevents.csv.gz", schema_overrides=types)
        .select(*types)
        .filter(pl.col("itemid").is_in(seed["itemid"].to_list()))
        .with_columns(times)
        .join(seed.lazy(), on="itemid")
        .join(cohort.lazy(), on="stay_id")
        .filter(value.is_between(pl.col("outlier_low"), pl.col("outlier_high")) & ~tube & ~zero)
        .filter((hours >= 0) & (available < pl.duration(hours=WINDOW_HOURS)))
        .select("stay_id", "split", "variable", hours.floor().cast(pl.Int32).alias("hour"),
                fahrenheit.alias("value"))
        .group_by("stay_id", "split", "variable", "hour")
        .agg(pl.col("value").mean())
        .collect(engine="streaming")
    )  # fmt: skip


def main(data: Path, target: Path) -> None:
    seed = pl.read_csv(PROJECT / "seeds/concepts/vital_signs.csv").with_columns(
        pl.col("itemid").cast(pl.Int32)
    )
    cohort = cohort_of(data / "mimic-iv")
    means = measured(data / "mimic-iv", cohort, seed)
    train = means.filter(pl.col("split") == "train")
    medians = train.group_by("variable").agg(pl.col("value").median().alias("median"))
    cells = cohort.select("stay_id").join(medians, how="cross")
    cells = cells.join(
        pl.DataFrame({"hour": pl.Series(range(WINDOW_HOURS), dtype=pl.Int32)}), how="cross"
    )
    filled = cells.join(means, on=["stay_id", "variable", "hour"], how="left").sort(
        "stay_id", "variable", "hour"
    )
    last = pl.col("value").forward_fill().over("stay_id", "variable")
    filled.select(
        "stay_id", "hour", "variable", pl.coalesce(last, pl.col("median")).alias("value")
    ).write_parquet(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
