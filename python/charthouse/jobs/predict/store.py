"""What `predict` reads of the marts, and the rows of results that it writes."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence

import duckdb
import numpy as np

from charthouse.core.cohort import Cohort
from charthouse.core.errors import CharthouseError
from charthouse.core.warehouse import insert_columns
from charthouse.jobs.predict.job import FitKey, TaskStays
from charthouse.jobs.predict.vectors import find_sources
from charthouse.models.fusions.base import Component, Fused, Fusion
from charthouse.models.fusions.block import Source


def read_task(db: duckdb.DuckDBPyConnection, cohort: Cohort, task: str, seed: int) -> TaskStays:
    """The stays of the cohort that have a label for the task."""
    found = db.execute(
        "select labels.stay_id, cohort.subject_id, cohort.split, labels.label"
        " from marts.labels as labels inner join marts.cohort as cohort using (stay_id)"
        " where labels.task = ? and labels.label is not null order by labels.stay_id",
        [task],
    ).fetchnumpy()
    return TaskStays(
        task=task,
        stay_ids=np.asarray(found["stay_id"], np.int64),
        subject_ids=np.asarray(found["subject_id"], np.int64),
        splits=np.asarray(found["split"], str),
        y_true=np.asarray(found["label"], np.int64),
        fit_splits=tuple(cohort.variables["fit_splits"]),
        seed=seed,
    )


def current_run(db: duckdb.DuckDBPyConnection, asked: FitKey, fingerprint: str) -> str | None:
    """The run that has just these scores, if it is current."""
    found = db.execute(
        "select run_id from results.current_runs where kind = 'predict' and name = ? and task = ?"
        " and fingerprint = ?",
        [asked.name, asked.task, fingerprint],
    ).fetchall()
    return found[0][0] if found else None


def require_as_fitted(
    db: duckdb.DuckDBPyConnection, cohort: Cohort, run_id: str, asked: FitKey, fusion: Fusion
) -> None:
    """Stops where a run cannot be taken apart: its coefficients are of other numbers.

    Raises:
        CharthouseError: a vector has changed since it was read, or the code of the fusion has.
    """
    read = dict(
        db.execute(
            "select distinct encoder, content_hash from results.run_inputs where run_id = ?",
            [run_id],
        ).fetchall()
    )
    ((version,),) = db.execute(
        "select cast(settings ->> 'fusion_version' as integer) from results.runs where run_id = ?",
        [run_id],
    ).fetchall()
    changed = [
        f"vectors of {encoder}"
        for encoder in asked.arm.encoders
        if find_sources(db, cohort, encoder, asked.task)[0].content_hash != read.get(encoder)
    ]
    if version != fusion.version:
        changed.append(f"code of {asked.fusion}")
    if changed:
        raise CharthouseError(
            f"{asked.task}, {asked.name}: other {' and '.join(changed)} than those of its scores"
            f" (run {run_id}). Run charthouse predict again."
        )


def read_scores(
    db: duckdb.DuckDBPyConnection, run_id: str, split: str
) -> tuple[np.ndarray, np.ndarray]:
    """y_true and y_score of a split, each [n], in order of stay_id."""
    found = db.execute(
        "select y_true, y_score from results.predictions where run_id = ? and split = ?"
        " order by stay_id",
        [run_id, split],
    ).fetchnumpy()
    return np.asarray(found["y_true"], np.int64), np.asarray(found["y_score"], np.float64)


def write(
    db: duckdb.DuckDBPyConnection,
    run_id: str,
    asked: FitKey,
    stays: TaskStays,
    sources: Mapping[str, Sequence[Source]],
    vectors_hashes: Mapping[str, str | None],
    fused: Fused,
) -> str:
    """Predictions, models, coefficients and inputs of a run, in the caller's transaction.

    `sources` and `vectors_hashes` are by encoder: the runs whose vectors it read, and a hash of
    their bytes. Returns a hash of the predictions: the audit sees by it whether they were changed.
    """
    scored = np.isfinite(fused.y_score)
    n = int(scored.sum())
    insert_columns(
        db,
        "results.predictions",
        {
            "run_id": [run_id] * n,
            "task": [asked.task] * n,
            "arm": [asked.arm.name] * n,
            "fusion": [asked.fusion] * n,
            "stay_id": stays.stay_ids[scored],
            "split": stays.splits[scored].tolist(),
            "y_true": stays.y_true[scored],
            "y_score": fused.y_score[scored],
            "out_of_fold": stays.fitted_on[scored],
        },
    )
    for component in fused.components:
        _write_component(db, run_id, stays, component)
    for found in sources.values():
        for source in found:
            db.execute(
                "insert into results.run_inputs (run_id, encoder, encoder_task, input_run_id,"
                " stays, content_hash, vectors_hash) values (?, ?, ?, ?, ?, ?, ?)",
                [run_id, *dataclasses.astuple(source), vectors_hashes[source.encoder]],
            )
    ((scores_hash,),) = db.execute(
        "select scores_hash from results.current_prediction_hashes where run_id = ?", [run_id]
    ).fetchall()
    return str(scores_hash)


def _write_component(
    db: duckdb.DuckDBPyConnection, run_id: str, stays: TaskStays, component: Component
) -> None:
    row = {
        "run_id": run_id,
        "component": component.name,
        "converged": component.converged,
        "iterations": component.iterations,
        "reason": component.reason,
        "features": component.features,
        "candidates": "[]",
        "fitted_on": stays.stay_ids[component.fitted_on].tolist(),
    }
    if logistic := component.logistic:
        candidates = [
            {
                "penalty": candidate.choice.penalty,
                "C": candidate.choice.C,
                "mean_auroc": _or_none(candidate.mean_auroc),
                "fold_auroc": [_or_none(auroc) for auroc in candidate.fold_auroc],
                "converged": candidate.converged,
                "iterations": candidate.iterations,
                "reason": candidate.reason,
            }
            for candidate in logistic.candidates
        ]
        chosen = next(each for each in logistic.candidates if each.choice == logistic.choice)
        row |= {
            "penalty": chosen.choice.penalty,
            "c": chosen.choice.C,
            "cv_auroc": _or_none(chosen.mean_auroc),
            "residual": _or_none(logistic.residual),
            "intercept": logistic.intercept,
            "candidates": json.dumps(candidates),
        }
    insert_columns(db, "results.fits", {name: [value] for name, value in row.items()})
    if logistic:
        n = len(component.columns)
        insert_columns(
            db,
            "results.coefficients",
            {
                "run_id": [run_id] * n,
                "component": [component.name] * n,
                "position": np.arange(n),
                "modality": [column.modality for column in component.columns],
                "encoder": [column.encoder for column in component.columns],
                "feature": [column.name for column in component.columns],
                "coefficient": logistic.coefficients,
                "mean": logistic.mean,
                "sd": logistic.sd,
            },
        )


def _or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
