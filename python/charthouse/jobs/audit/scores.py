"""Recomputes scores from the stored coefficients and vectors, and compares.

Only for stays that no model was fitted on. The scores of the others come from fold models, which
are not kept; the check predictions_changed_since detects whether they were changed.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from charthouse.core.cohort import Cohort
from charthouse.core.errors import CharthouseError
from charthouse.jobs.audit.findings import Finding, finding
from charthouse.jobs.evaluate.attribution import read_linear
from charthouse.jobs.predict.arms import Arm, parse_arm
from charthouse.jobs.predict.vectors import read_block
from charthouse.models.encoders.registry import encoder_specs
from charthouse.models.encoders.spec import EncoderSpec
from charthouse.models.fusions.base import Fusion, Regression
from charthouse.models.fusions.block import Block
from charthouse.models.fusions.registry import fusion_names, make_fusion

CHECK = "scores_not_of_the_coefficients"
TOLERANCE = 1e-8  # of a probability: the order of a sum may differ
STAYS_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class _Kept:
    """A current run of `predict`, with the models that it keeps."""

    run_id: str
    label: str
    arm: Arm
    fusion: Fusion
    models: Mapping[str, Regression]


def recompute_scores(db: duckdb.DuckDBPyConnection, project: Path, cohort: Cohort) -> Finding:
    """Compares y_score of every current arm that keeps coefficients."""
    specs = encoder_specs(project)
    checked = 0
    problems: list[tuple[int | None, str]] = []
    for task in cohort.tasks:
        arms, lost = _kept(db, project, specs, task)
        problems += [(None, words) for words in lost]
        stays = _held_out(db, [each.run_id for each in arms])
        for first in range(0, len(stays), STAYS_AT_ONCE):
            chunk = stays[first : first + STAYS_AT_ONCE]
            blocks: dict[str, Block | None] = {}
            for each in arms:
                for encoder in each.arm.reads:
                    if encoder not in blocks:
                        blocks[encoder] = None  # where there are not all vectors any more
                        with suppress(CharthouseError):
                            blocks[encoder] = read_block(db, cohort, specs, encoder, task, chunk)
                n, wrong = _compare(db, each, [blocks[name] for name in each.arm.reads], chunk)
                checked += n
                problems += wrong
    return finding(CHECK, checked, problems)


def _kept(
    db: duckdb.DuckDBPyConnection, project: Path, specs: Mapping[str, EncoderSpec], task: str
) -> tuple[list[_Kept], list[str]]:
    """Arms whose scores can be computed again, and why others cannot that should."""
    runs = db.execute(
        "select run_id, settings ->> 'arm', settings ->> 'fusion',"
        " cast(settings ->> 'fusion_version' as integer) from results.current_runs"
        " where kind = 'predict' and task = ? order by all",
        [task],
    ).fetchall()
    kept: list[_Kept] = []
    lost: list[str] = []
    for run_id, arm, name, version in runs:
        label = f"{task} {arm} by {name}"
        fusion = make_fusion(project, name) if name in fusion_names(project) else None
        if fusion is None or fusion.version != version:
            lost.append(f"{label}: fitted by another version of the fusion")
            continue
        if type(fusion).rescored is Fusion.rescored:  # it keeps no coefficients
            continue
        components = db.execute(
            "select component, component in (select component from results.coefficients"
            " where run_id = $1) from results.fits where run_id = $1 and intercept is not null",
            [run_id],
        ).fetchall()
        if not components:
            lost.append(f"{label}: no fit")
            continue
        models = {part: read_linear(db, run_id, part) for part, has_any in components if has_any}
        kept.append(_Kept(run_id, label, parse_arm(arm, specs), fusion, models))
    return kept, lost


def _held_out(db: duckdb.DuckDBPyConnection, run_ids: Sequence[str]) -> np.ndarray:
    """Stays of the cohort that any of the runs scored without being fitted on them."""
    rows = db.execute(
        "select distinct stay_id from results.predictions inner join marts.cohort using (stay_id)"
        " where not out_of_fold and run_id in (select unnest(?::varchar[])) order by 1",
        [list(run_ids)],
    ).fetchnumpy()
    return np.asarray(rows["stay_id"], np.int64)


def _compare(
    db: duckdb.DuckDBPyConnection, kept: _Kept, blocks: Sequence[Block | None], stays: np.ndarray
) -> tuple[int, list[tuple[int | None, str]]]:
    """How many scores were looked at, and those that differ."""
    rows = db.execute(
        "select stay_id, y_score from results.predictions where run_id = ? and not out_of_fold"
        " and stay_id between ? and ? order by stay_id",
        [kept.run_id, int(stays[0]), int(stays[-1])],
    ).fetchnumpy()
    scored = np.asarray(rows["stay_id"], np.int64)
    present = [block for block in blocks if block is not None]
    if not len(scored):
        return 0, []
    if len(present) < len(blocks):
        return len(scored), [(None, f"{kept.label}: vectors that are not there")]
    try:
        again = kept.fusion.rescored(present, kept.models)
    except (KeyError, ValueError):  # a model or a column that is not there, or one too many
        return len(scored), [(None, f"{kept.label}: coefficients of other vectors")]
    if again is None:
        return 0, []
    place = np.minimum(np.searchsorted(stays, scored), len(stays) - 1)
    known = stays[place] == scored
    difference = np.abs(again[place[known]] - np.asarray(rows["y_score"], np.float64)[known])
    wrong = scored[known][~(difference <= TOLERANCE)]  # NaN is none that is close
    return int(known.sum()), [(int(stay), kept.label) for stay in wrong]
