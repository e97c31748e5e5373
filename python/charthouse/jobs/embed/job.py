"""Runs an encoder over the stays of its plan: read, let go, encode, append, again."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np

from charthouse.core.errors import CharthouseError
from charthouse.core.progress import ProgressCallback
from charthouse.core.runs import Run
from charthouse.core.warehouse import open_warehouse
from charthouse.jobs.embed import store
from charthouse.jobs.embed.plan import EmbedPlan, FitStays
from charthouse.models.encoders.base import Encoded, FittedEncoder, NothingToFit, Skipped
from charthouse.net.retry import REFUSED


@dataclass
class Outcome:
    """What a run has done so far, in stays."""

    kept: int  # had their embedding already
    skipped: int  # have none, each with its reason in embeddings.skipped
    left: int  # still to do, because of a limit
    encoded: int = 0
    items_skipped: int = 0  # images or reports left out of stays that were encoded
    seconds: float = 0.0
    used: dict[str, Any] = field(default_factory=dict)  # requests, tokens and cost, of who sends


def run_plan(
    plan: EmbedPlan,
    *,
    limit: int | None = None,
    chunk_stays: int | None = None,
    progress: ProgressCallback,
) -> Outcome:
    """Encodes at most `limit` of the plan's stays; what is appended stays, however the run ends.

    Raises:
        CharthouseError: something the user can mend; the run can be started again and goes on.
    """
    started = time.monotonic()
    todo = plan.todo[:limit]
    if todo and plan.refusal:
        raise CharthouseError(plan.refusal)
    outcome = Outcome(kept=plan.encoded, skipped=plan.skipped, left=len(plan.todo) - len(todo))
    with _run(plan) as run:
        try:
            refusal = _prepare(plan, run) if todo else None
            size = chunk_stays or plan.encoder.chunk_stays
            length: int | None = None
            for start in range(0, len(todo), size):
                chunk = todo[start : start + size]
                if refusal:
                    skips = [Skipped(stay_id, None, refusal) for stay_id in chunk]
                    found = Encoded(np.empty(0, np.int64), np.empty((0, 0), np.float32), skips)
                else:
                    found = plan.encoder.encode(plan.read(chunk))
                    length = _require_sound(plan, found, chunk, length)
                    found = _without_invalid(plan, found)
                with _transaction(plan, run) as db:
                    store.append(
                        db,
                        plan.target,
                        _without_known(plan, found),
                        plan.input_hashes,
                        reads=plan.reads,
                        run_id=plan.run_id,
                    )
                outcome.encoded += len(found.stay_ids)
                outcome.skipped += sum(skip.item is None for skip in found.skipped)
                outcome.items_skipped += sum(skip.item is not None for skip in found.skipped)
                progress(start + len(chunk), len(todo))
                plan.outbox.flush()
        finally:  # what was paid for is noted, however the run ends
            outcome.seconds = round(time.monotonic() - started, 3)
            outcome.used = plan.encoder.used()
            run.counts = vars(outcome)
    return outcome


def _run(plan: EmbedPlan) -> Run:
    """Notes with its start which vectors are current, and which stays have nothing to encode."""

    def on_start(db: duckdb.DuckDBPyConnection) -> None:
        store.mark_current(db, plan.target, plan.input_hashes, plan.reads)
        store.note_absent(
            db,
            plan.target,
            [Skipped(stay_id, None, plan.absent_because) for stay_id in plan.absent_anew],
            plan.input_hashes,
            reads=plan.reads,
            run_id=plan.run_id,
        )

    context = plan.encoder.context
    return Run(
        warehouse=plan.warehouse,
        cohort=plan.cohort,
        kind="embed",
        name=plan.target.encoder,
        task=plan.target.task,
        seed=context.seed,
        settings={**plan.encoder.settings(), "fit_hash": plan.fit_hash or None},
        fingerprint=plan.fingerprint,
        reads=plan.reads,
        revision=plan.encoder.revision(),
        device=context.device,
        on_start=on_start,
        run_id=plan.run_id,
    )


def _prepare(plan: EmbedPlan, run: Run) -> str | None:
    """Loads and fits; the reason why nothing can be encoded, if there is one."""
    encoder = plan.encoder
    encoder.load()
    if not isinstance(encoder, FittedEncoder):
        return None
    with open_warehouse(plan.warehouse) as db:
        learned = store.learned(db, plan.target, plan.fit_hash)
    if learned is None:
        stays = FitStays(plan, encoder.fits_on)
        try:
            learned = encoder.fit(stays)
        except NothingToFit as error:
            return f"nothing to fit on: {error}"
        with _transaction(plan, run) as db:
            store.keep_learned(db, plan.target, plan.fit_hash, learned, stays.stay_ids, plan.run_id)
    encoder.restore(learned)
    return None


def _require_sound(
    plan: EmbedPlan, found: Encoded, chunk: Sequence[int], length: int | None
) -> int | None:
    """An encoder must not lose or double a stay, or give vectors of changing length.

    Returns:
        The length of the vectors; `length`, that of the chunks before, where there is none.
    """
    answered = [*map(int, found.stay_ids), *(s.stay_id for s in found.skipped if s.item is None)]
    if sorted(answered) != sorted(chunk) or len(found.vectors) != len(found.stay_ids):
        raise CharthouseError(
            f"{plan.target.label} must give each of {len(chunk)} stays one vector or one reason,"
            f" and gave {len(found.vectors)} vectors and {len(answered)} answers. Correct its"
            " encode."
        )
    if not len(found.stay_ids):
        return length
    given, due = found.vectors.shape[1], plan.encoder.dimension() or length
    if due and given != due:
        source = (
            "seeds/registries/encoders.csv says" if plan.encoder.dimension() else "before it were"
        )
        raise CharthouseError(
            f"{plan.target.label} gave vectors of {given} numbers, but {source} {due}."
            " Give it the right weights, or correct the seed."
        )
    return given


def _without_invalid(plan: EmbedPlan, found: Encoded) -> Encoded:
    """Refuses all-zero and non-finite vectors."""
    finite = np.isfinite(found.vectors).all(axis=1)
    good = finite & (found.vectors.any(axis=1) | plan.encoder.zero_is_a_value)
    if good.all():
        return found
    refused = [
        Skipped(int(stay_id), None, f"refused: {'all' if is_finite else 'some'} numbers of its"
                f" vector are {'zero' if is_finite else 'not finite'}")
        for stay_id, is_finite in zip(found.stay_ids[~good], finite[~good], strict=True)
    ]  # fmt: skip
    return Encoded(found.stay_ids[good], found.vectors[good], [*found.skipped, *refused])


def _without_known(plan: EmbedPlan, found: Encoded) -> Encoded:
    """Leaves out stays of which the service refuses just what it refused before.

    Their earlier rows, and predictions that read them, stay current.
    """
    refused: dict[int, set[str | None]] = {}
    for skip in found.skipped:
        if skip.reason.startswith(REFUSED):
            refused.setdefault(skip.stay_id, set()).add(skip.item)
    known = {stay_id for stay_id, items in plan.refused.items() if refused.get(stay_id) == items}
    new = ~np.isin(found.stay_ids, list(known))
    skipped = [skip for skip in found.skipped if skip.stay_id not in known]
    return Encoded(found.stay_ids[new], found.vectors[new], skipped)


@contextmanager
def _transaction(plan: EmbedPlan, run: Run) -> Iterator[duckdb.DuckDBPyConnection]:
    """That of the run, and never beside another run."""
    with run.transaction() as db:
        newest = store.newest_run(db, plan.target)
        if newest != plan.run_id:  # its settings may be others, and rows of both would mix
            raise CharthouseError(
                f"Another run of {plan.target.label} has begun meanwhile ({newest}) and takes over."
                " What this one wrote is kept where it fits."
            )
        yield db
