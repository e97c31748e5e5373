"""Every run with all that made it, and the way from a figure back to its rows."""

import json
from typing import Any

import pandas as pd
import streamlit as st

from charthouse.core.warehouse import text_literal
from charthouse.views.dashboard import parts
from charthouse.views.dashboard.data import Copy, Site, frame, tasks
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


def show(site: Site, copy: Copy) -> None:
    """The page."""
    parts.head(
        site, copy, "Runs and provenance",
        "What ran, with which code, weights, settings and seed; and from a figure of the"
        " leaderboard back to the rows that it is of.",
    )  # fmt: skip
    if not parts.has_tables(copy, "results.runs"):
        return
    found = frame(copy, "select * from results.runs order by started_at desc, run_id desc")
    if found.empty:
        parts.empty("Nothing has run yet.", "charthouse embed", "charthouse publish")
        return
    st.subheader("From a figure to its rows", anchor=False)
    _provenance(site, copy)
    st.subheader("Runs", anchor=False)
    _runs(site, found)
    st.subheader("Requests to servers", anchor=False)
    _sends(copy)


def _provenance(site: Site, copy: Copy) -> None:
    if not parts.has_tables(copy, "reports.leaderboard", "reports.arms"):
        return
    task = parts.choose_task(tasks(copy))
    board = frame(
        copy,
        "select * from reports.leaderboard where task = ? and run_id is not null"
        " and population = 'all' order by auroc_value desc nulls last, arm, fusion",
        task,
    )
    if board.empty:
        parts.empty(
            f"Nothing has been evaluated for {parts.as_written(task)} on this cohort.",
            *parts.EVALUATED,
        )  # fmt: skip
        return
    names = dict(zip(board["run_id"], labels(board), strict=True))
    run_id = parts.choose_long("Arm", list(names), names, key="arm_run")
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
    parts.table(inputs)
    if site.show_stays or copy.is_synthetic:
        st.caption("The stays that the figure is of, as this query gives them")
        st.code(ROWS.format(run_id=text_literal(run_id)), language="sql")
        parts.table(frame(copy, ROWS.format(run_id="?"), run_id))
    else:
        st.caption("The stays that the figure is of: hidden, unless asked for by --show-stays")


def _runs(site: Site, found: pd.DataFrame) -> None:
    kinds = parts.choose_some("Kind", sorted(set(found["kind"])), key="kind")
    shown = found[found["kind"].isin(kinds)]
    columns = ["run_id", "kind", "name", "task", "started_at", "finished_at", "code_version",
               "seed", "device", "revision"]  # fmt: skip
    parts.table(shown[columns])
    run_id = parts.choose_long("One run", list(shown["run_id"]), _same(shown), key="one_run")
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
        parts.table(found)
