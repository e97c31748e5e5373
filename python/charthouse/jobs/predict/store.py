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
from charthouse.jobs.predict.job import FitKey, FitResult, TaskStays
from charthouse.jobs.predict.vectors import find_sources
from charthouse.models.fusions.base import Component, Fusion
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

    Args:
        db: The warehouse.
        cohort: Its present cohort.
        run_id: Of the run.
        asked: What it fitted.
        fusion: How, by the code as it is now.

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
    predicted: FitResult,
) -> str:
    """Predictions, models, coefficients and inputs of a run, in the caller's transaction.

    Args:
        db: The warehouse.
        run_id: Of the run.
        asked: What it fitted.
        stays: Of the task.
        sources: By encoder, the runs whose vectors it read.
        vectors_hashes: By encoder, of the bytes of these vectors.
        predicted: What came of it.

    Returns:
        A hash of the predictions: the audit sees by it whether they were changed.
    """
    scored = np.isfinite(predicted.fused.y_score)
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
            "y_score": predicted.fused.y_score[scored],
            "out_of_fold": stays.fitted_on[scored],
        },
    )
    for component in predicted.fused.components:
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
    logistic = component.logistic
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
        for candidate in (logistic.candidates if logistic else ())
    ]
    cv_auroc = None
    if logistic:
        cv_auroc = next(c.mean_auroc for c in logistic.candidates if c.choice == logistic.choice)
    row = {
        "run_id": run_id,
        "component": component.name,
        "penalty": logistic.choice.penalty if logistic else None,
        "c": logistic.choice.C if logistic else None,
        "cv_auroc": _or_none(cv_auroc),
        "converged": component.converged,
        "iterations": component.iterations,
        "residual": _or_none(logistic.residual) if logistic else None,
        "reason": component.reason,
        "intercept": logistic.intercept if logistic else None,
        "features": component.features,
        "candidates": json.dumps(candidates),
        "fitted_on": stays.stay_ids[component.fitted_on].tolist(),
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


def _or_none(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
