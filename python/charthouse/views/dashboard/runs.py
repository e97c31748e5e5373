"""Every run with all that made it, and the way from a metric back to its rows."""

import json
from typing import Any

import pandas as pd
import streamlit as st

from charthouse.core.warehouse import text_literal
from charthouse.views.dashboard import parts
from charthouse.views.dashboard.data import Copy, Site, frame
from charthouse.views.figures.leaderboard import labels

ROWS = """select predictions.stay_id, predictions.y_true, predictions.y_score, cohort.split,
    (
        select string_agg(modality, ', ' order by modality) from marts.stay_modalities as has
        where has.stay_id = predictions.stay_id and has.in_window
    ) as modalities
from results.predictions inner join marts.cohort using (stay_id)
where predictions.run_id = {run_id} and predictions.split = 'test'
order by predictions.y_score desc"""


NAMING = frozenset(
    f"{name}{ending}" for name in ("stay", "subject", "hadm", "note", "dicom")
    for ending in ("_id", "_ids")
)  # fmt: skip
"""Keys of settings that stay hidden where stays are."""


@parts.page(
    "runs", "Runs and provenance",
    "What ran, with which code, weights, settings and seed; and from a metric of the leaderboard"
    " back to the rows that it is of.",
    "results.runs",
)  # fmt: skip
def page(site: Site, copy: Copy) -> None:
    """From a metric to its rows; all runs; requests to servers."""
    found = frame(copy, "select * from results.runs order by started_at desc, run_id desc")
    if found.empty:
        parts.empty("Nothing has run yet.", "charthouse embed", "charthouse publish")
        return
    st.subheader("From a metric to its rows", anchor=False)
    _provenance(site, copy)
    st.subheader("Runs", anchor=False)
    _runs(site, copy, found)
    st.subheader("Requests to servers", anchor=False)
    _sends(copy)


def _provenance(site: Site, copy: Copy) -> None:
    if not parts.has_tables(copy, "reports.leaderboard", "reports.arms"):
        return
    task, row = parts.choose_task(copy)
    board = frame(
        copy,
        "select * from reports.leaderboard where task = ? and run_id is not null"
        " and population = 'all' order by auroc_value desc nulls last, arm, fusion",
        task,
    )
    if board.empty:
        parts.not_evaluated(task)
        return
    names = dict(zip(board["run_id"], labels(board), strict=True))
    with row:
        run_id = parts.choose("Arm", list(names), names, key="arm_run")
    cell = board[board["run_id"] == run_id].iloc[0]
    fit = frame(copy, "select * from reports.arms where run_id = ?", run_id).iloc[0]
    parts.text(
        f" on {cell['n']:,} test stays, {cell['n_positive']:,} positive"
        f" · fitted by {run_id} (code {fit['code_version']}, seed {fit['seed']})"
        f" · evaluated by {cell['evaluation_run_id']}",
        bold=f"AUROC {cell['auroc']}",
    )
    penalty = "" if pd.isna(fit["penalty"]) else f", penalty {fit['penalty']}, C {fit['c']:g}"
    parts.text(
        f"Fitted on {fit['fitted_on']:,} stays, {fit['features']:,} features{penalty};"
        f" {'converged' if fit['converged'] else 'NOT converged: ' + str(fit['not_converged'])}."
    )
    inputs = frame(
        copy,
        "select inputs.encoder, inputs.encoder_task, inputs.stays, inputs.content_hash,"
        " runs.run_id, runs.revision, runs.fingerprint, runs.code_version, runs.seed, runs.device,"
        " runs.finished_at from results.run_inputs as inputs left join results.runs as runs"
        " on inputs.input_run_id = runs.run_id where inputs.run_id = ? order by 1, 2, 5",
        run_id,
    )
    st.caption("The vectors that it read, and the runs that made them")
    parts.table(copy, inputs, f"inputs-{run_id}")
    if site.show_stays or copy.is_synthetic:
        st.caption("The stays that the metric is of, as this query gives them")
        st.code(ROWS.format(run_id=text_literal(run_id)), language="sql", wrap_lines=True)
        parts.table(copy, frame(copy, ROWS.format(run_id="?"), run_id), f"rows-{run_id}")
    else:
        st.caption("The stays that the metric is of: hidden, unless asked for by --show-stays")


def _runs(site: Site, copy: Copy, found: pd.DataFrame) -> None:
    kinds = parts.choose_some("Kind", sorted(set(found["kind"])), key="kind")
    shown = found[found["kind"].isin(kinds)]
    columns = ["run_id", "kind", "name", "task", "started_at", "finished_at", "code_version",
               "seed", "device", "revision"]  # fmt: skip
    parts.table(copy, shown[columns], "runs")
    run_id = parts.choose("One run", list(shown["run_id"]), _same(shown), key="one_run")
    run = shown[shown["run_id"] == run_id].iloc[0]
    for column, name in zip(st.columns(3), ("settings", "counts", "packages"), strict=True):
        with column:
            st.caption(name.capitalize())
            told = json.loads(run[name]) if isinstance(run[name], str) else {}
            # the run's own cohort counts: it may be another than the one that is published
            shows_stays = site.show_stays or run["is_synthetic"]
            st.json(told if shows_stays else _without_stays(told), expanded=1)


def _without_stays(told: Any) -> Any:
    """Settings without the keys that name a patient or what is theirs, at any depth."""
    if isinstance(told, dict):
        return {key: _without_stays(of) for key, of in told.items() if key not in NAMING}
    return [_without_stays(of) for of in told] if isinstance(told, list) else told


def _same(found: pd.DataFrame) -> dict[str, str]:
    return {row.run_id: f"{row.name_} · {row.run_id}"
            for row in found.rename(columns={"name": "name_"}).itertuples()}  # fmt: skip


def _sends(copy: Copy) -> None:
    found = frame(
        copy,
        "select runs.name, sends.host, sends.allowed_because, count(*) as requests,"
        " sum(sends.items)::bigint as items, sum(sends.bytes)::bigint as bytes,"
        " max(sends.sent_at) as last from results.sends inner join results.runs using (run_id)"
        " group by all order by last desc",
    )
    if found.empty:
        st.markdown("None has been sent.")
    else:
        parts.table(copy, found, "requests")
