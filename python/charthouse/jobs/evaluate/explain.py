"""`charthouse explain`: why one stay has the score that it has."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from charthouse.core.cohort import read_cohort
from charthouse.core.errors import CharthouseError, require_known
from charthouse.core.warehouse import open_warehouse
from charthouse.jobs.evaluate.attribution import read_linear
from charthouse.jobs.predict.arms import parse_arm
from charthouse.jobs.predict.job import FitKey
from charthouse.jobs.predict.store import require_as_fitted
from charthouse.jobs.predict.vectors import read_block
from charthouse.models.encoders.registry import encoder_specs
from charthouse.models.fusions.registry import make_fusion


@dataclass(frozen=True)
class Explained:
    """One score, taken apart; contributions in log odds."""

    task: str
    arm: str
    fusion: str
    run_id: str
    split: str
    y_true: int  # its outcome
    y_score: float
    out_of_fold: bool  # whether the score is of a model that was not fitted on the stay's patient
    at_mean: float  # log odds of a stay whose every feature is the mean
    by_modality: dict[str, float]  # sum of the contributions of each
    # (modality, name, value, contribution) of all features, the largest first
    features: Sequence[tuple[str, str, float, float]]


def explain(
    project: Path,
    warehouse: Path,
    stay_id: int,
    task: str,
    arm_name: str | None,
    fusion_name: str | None = None,
) -> Explained:
    """Takes the score of one stay apart.

    By the arm of the best validation AUROC, and by the default fusion, where none is named.

    Raises:
        CharthouseError: there is no such task, stay, fusion or prediction; or the fusion has no
            contributions; or the vectors are not those that the score is of.
    """
    specs = encoder_specs(project)
    with open_warehouse(warehouse) as db:
        cohort = read_cohort(db)
        require_known("--task", task, cohort.tasks)
        if stay_id not in cohort.stays:
            raise CharthouseError(
                f"Stay {stay_id} is not in the cohort. See select stay_id from marts.cohort."
            )
        wanted = parse_arm(arm_name, specs).name if arm_name else None
        by = fusion_name or cohort.variables["fusion"]
        fusion = make_fusion(project, by)
        if not fusion.explains:
            raise CharthouseError(
                f"{by} has no contributions. Name another: --fusion concatenate_presence, after"
                " charthouse predict with the same."
            )
        runs = db.execute(
            "select run_id, arm from reports.arms where task = ? and arm = coalesce(?, arm)"
            " and fusion = ? order by validation_auroc desc nulls last, arm limit 1",
            [task, wanted, by],
        ).fetchall()
        if not runs:
            which = f" --arm '{wanted}'" if wanted else ""
            raise CharthouseError(
                f"{task}: {wanted or 'no arm'} has {'not ' if wanted else ''}scored this cohort by"
                f" {by}. Run charthouse predict{which} --fusion {by} first."
            )
        run_id, arm = runs[0]
        scores = db.execute(
            "select split, y_true, y_score, out_of_fold from results.predictions"
            " where run_id = ? and stay_id = ?",
            [run_id, stay_id],
        ).fetchall()
        if not scores:
            why = db.execute(
                "select excluded_because from marts.task_outcomes where stay_id = ? and task = ?",
                [stay_id, task],
            ).fetchall()
            because = f": {why[0][0]}" if why and why[0][0] else ""
            raise CharthouseError(
                f"Stay {stay_id} has no score for {task} (run {run_id}){because}."
            )
        split, y_true, y_score, out_of_fold = scores[0]
        asked = FitKey(task, parse_arm(arm, specs), by)
        require_as_fitted(db, cohort, run_id, asked, fusion)
        linear = read_linear(db, run_id)
        blocks = [
            read_block(db, cohort, specs, encoder, task, np.array([stay_id]))
            for encoder in asked.arm.reads
        ]
    x = fusion.matrix(blocks, linear.columns, linear.mean)
    contributions = linear.contributions(x)[0]
    columns = linear.columns
    of_modality = np.array([column.modality for column in columns])
    by_modality = {
        modality: float(contributions[of_modality == modality].sum())
        for modality in linear.modalities
    }
    order = np.argsort(-np.abs(contributions), kind="stable")
    features = [
        (columns[i].modality, columns[i].name, float(x[0, i]), float(contributions[i]))
        for i in order
    ]
    return Explained(
        task,
        arm,
        by,
        run_id,
        split,
        y_true,
        y_score,
        out_of_fold,
        linear.at_mean,
        by_modality,
        features,
    )


def show(found: Explained, top: int) -> tuple[list[str], Table]:
    """Lines, and a table of the features that move the score most."""
    lines = [
        f"{found.task}: score {found.y_score:.4f}, outcome {found.y_true}, split {found.split}",
        f"  {found.arm} by {found.fusion} ({found.run_id})",
        *(["  out of fold: of another model than this one"] if found.out_of_fold else []),
        f"  log odds {found.at_mean:+.3f} at the mean of all features",
        *(f"           {value:+.3f} {modality}" for modality, value in found.by_modality.items()),
    ]
    table = Table(box=SIMPLE_HEAD, padding=0, pad_edge=False)
    for name in ("modality", "feature", "value", "log odds"):
        is_number = name in ("value", "log odds")
        table.add_column(name, justify="right" if is_number else "left", no_wrap=True)
    for modality, feature, value, contribution in found.features[:top]:
        table.add_row(modality, feature, f"{value:.4g}", f"{contribution:+.3f}")
    return lines, table
