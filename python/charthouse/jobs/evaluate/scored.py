"""What is evaluated: the current scores, with what is known of their stays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np

from charthouse.core.errors import CharthouseError
from charthouse.jobs.predict.arms import Arm, parse_arm
from charthouse.models.encoders.spec import EncoderSpec

ALL, COMPLETE, CXR_YEARS = "all", "complete", "mimic_cxr_years"
POPULATIONS = {
    ALL: "true",
    COMPLETE: "is_complete",
    CXR_YEARS: "in_mimic_cxr_years",
}
"""Of the test split, each with its condition on marts.cohort."""


@dataclass(frozen=True, eq=False)
class Stays:
    """Stays of one split that have a label for a task, in order of stay_id."""

    stay_ids: np.ndarray  # [n] int64
    subject_ids: np.ndarray  # [n] int64
    y_true: np.ndarray  # [n] int64
    populations: Mapping[str, np.ndarray]  # name to [n] bool, which stays are in it
    # attribute to the group of each stay [n], None where it has none
    groups: Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Scored:
    """A run of `predict`, and its scores."""

    run_id: str
    arm: Arm
    fusion: str
    y_score: Mapping[str, np.ndarray]  # split to [n], as the stays of the split


def read_stays(
    db: duckdb.DuckDBPyConnection, task: str, split: str, attributes: Sequence[str]
) -> Stays:
    """Reads a split.

    Raises:
        CharthouseError: an attribute is no column of marts.cohort.
    """
    known = {
        row[0]
        for row in db.execute(
            "select column_name from duckdb_columns() where schema_name = 'marts'"
            " and table_name = 'cohort'"
        ).fetchall()
    }
    if unknown := [name for name in attributes if name not in known]:
        raise CharthouseError(
            f"--by {unknown[0]}: marts.cohort has no such column. It has"
            f" {', '.join(sorted(known))}."
        )
    columns = [f'cast(cohort."{name}" as varchar) as "by_{name}"' for name in attributes]
    columns += [f'{condition} as "in_{name}"' for name, condition in POPULATIONS.items()]
    found = db.execute(
        f"select labels.stay_id, cohort.subject_id, labels.label, {', '.join(columns)}"
        " from marts.labels as labels inner join marts.cohort as cohort using (stay_id)"
        " where labels.task = ? and labels.label is not null and cohort.split = ?"
        " order by labels.stay_id",
        [task, split],
    ).fetch_df()
    return Stays(
        stay_ids=found["stay_id"].to_numpy(np.int64),
        subject_ids=found["subject_id"].to_numpy(np.int64),
        y_true=found["label"].to_numpy(np.int64),
        populations={name: found[f"in_{name}"].to_numpy(bool) for name in POPULATIONS},
        groups={name: found[f"by_{name}"].to_numpy(object) for name in attributes},
    )


def read_scored(
    db: duckdb.DuckDBPyConnection,
    task: str,
    stays: Mapping[str, Stays],
    encoders: Mapping[str, EncoderSpec],
) -> list[Scored]:
    """Every arm's latest scores on the present cohort, in order of arm and fusion.

    Raises:
        CharthouseError: one has not scored every stay.
    """
    runs = db.execute(
        "select run_id, settings ->> 'arm' as arm, settings ->> 'fusion' as fusion"
        " from results.current_runs where kind = 'predict' and task = ?"
        " order by arm, fusion",
        [task],
    ).fetchall()
    return [
        Scored(
            run_id,
            parse_arm(arm, encoders),
            fusion,
            {
                split: _scores(db, run_id, f"{arm} by {fusion}", split, of_split)
                for split, of_split in stays.items()
            },
        )
        for run_id, arm, fusion in runs
    ]


def _scores(
    db: duckdb.DuckDBPyConnection, run_id: str, label: str, split: str, stays: Stays
) -> np.ndarray:
    found = db.execute(
        "select stay_id, y_true, y_score from results.predictions"
        " where run_id = ? and split = ? order by stay_id",
        [run_id, split],
    ).fetchnumpy()
    is_same = np.array_equal(found["stay_id"], stays.stay_ids)
    if not is_same or not np.array_equal(found["y_true"], stays.y_true):
        raise CharthouseError(
            f"{label}: its scores are not those of the {split} stays (run {run_id}). Run charthouse"
            " audit, which names the stays, and charthouse predict again."
        )
    return np.asarray(found["y_score"], np.float64)
