"""Several encoders in turn: which, on what device, and what is said about it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from charthouse.core.cohort import Cohort, read_cohort
from charthouse.core.device import choose_device
from charthouse.core.errors import CharthouseError, require_known
from charthouse.core.progress import PrintLine, ProgressBar
from charthouse.core.warehouse import open_warehouse
from charthouse.jobs.embed.job import Outcome, run_plan
from charthouse.jobs.embed.plan import EmbedPlan, EmbedRequest, context_of, make_plan
from charthouse.jobs.predict.arms import default_arms
from charthouse.models.encoders.registry import (
    encoder_class,
    encoder_spec,
    encoder_specs,
    why_not_ready,
)
from charthouse.models.encoders.spec import EncoderSpec
from charthouse.net.outbox import recover


def embed(
    project: Path, warehouse: Path, request: EmbedRequest, *, say: PrintLine, watch: ProgressBar
) -> None:
    """Encodes the cohort with each encoder asked for, or with every one that is ready.

    Raises:
        CharthouseError: some encoders cannot run, and all others are done.
    """
    request = replace(request, device=choose_device(request.device))
    require_known("--precision", request.precision, ("float32", "bfloat16"))
    with open_warehouse(warehouse) as db:
        cohort = read_cohort(db)
    say(f"{cohort.describe()} in {warehouse}")
    if not request.dry_run:
        recover(warehouse, say)
    for task in request.tasks:
        require_known("--task", task, cohort.tasks)
    named = [encoder_spec(project, name) for name in request.encoders]
    failed = []
    for spec in named or _ready(project, cohort, say):
        try:
            _embed_with(spec, warehouse, cohort, request, say, watch)
        except CharthouseError as error:
            if len(named) == 1:
                raise
            say(f"  {spec.encoder}: FAILED, {error}")
            failed.append(spec.encoder)
    if failed:
        raise CharthouseError(f"{', '.join(failed)} could not run: the lines above say why.")


def _embed_with(
    spec: EncoderSpec,
    warehouse: Path,
    cohort: Cohort,
    request: EmbedRequest,
    say: PrintLine,
    watch: ProgressBar,
) -> None:
    """One encoder, for each task where it is trained per task."""
    for task in _tasks(spec, cohort, request):
        if request.dry_run and (refusal := _fetches(spec, cohort)):
            say(f"  {spec.encoder}: not ready, {refusal}")
            continue
        plan = make_plan(warehouse, cohort, spec, task, request)
        used = plan.encoder.settings().get("precision", "float32")
        if request.encoders and used != request.precision:
            say(f"  {plan.target.label}: --precision is not for it; its vectors are {used}")
        if request.dry_run:
            say(f"  {_intention(plan, request.limit)}")
            continue
        with plan.outbox, watch(plan.target.label, len(plan.todo[: request.limit])) as progress:
            outcome = run_plan(
                plan, limit=request.limit, chunk_stays=request.chunk_stays, progress=progress
            )
        say(f"  {plan.target.label}: {_summary(outcome)}")


def _ready(project: Path, cohort: Cohort, say: PrintLine) -> list[EncoderSpec]:
    """Encoders that suit the cohort and need nothing from outside; says why others are left out.

    Of a modality that is not the first of its kind, only those that an arm of the seed reads: every
    encoder for every modality would be hours of training that nobody asked for.
    """
    specs, ready = encoder_specs(project), []
    in_arms = {name for default in default_arms(project, specs) for name in default.arm.encoders}
    for spec in specs.values():
        if spec.encoder != spec.name and spec.encoder not in in_arms:
            continue
        reason = why_not_ready(context_of(cohort, spec))
        if reason is None:
            ready.append(spec)
        else:
            say(f"  {spec.encoder}: left out, {reason}")
    return ready


def _fetches(spec: EncoderSpec, cohort: Cohort) -> str | None:
    """Why a dry run stops here: it would have to fetch weights to know what they are."""
    if not encoder_class(spec.name).weight_files:
        return None
    return why_not_ready(context_of(cohort, spec))


def _tasks(spec: EncoderSpec, cohort: Cohort, request: EmbedRequest) -> Sequence[str | None]:
    if encoder_class(spec.name).per_task:
        return list(request.tasks) or list(cohort.tasks)
    return [None]


def _intention(plan: EmbedPlan, limit: int | None) -> str:
    now = len(plan.todo[:limit])
    later = len(plan.todo) - now
    item = plan.encoder.context.spec.modality.item
    return (
        f"{plan.target.label}: would encode {now} stays on {plan.encoder.context.device}"
        + (f" ({later} more are left by the limit)" if later else "")
        + f"; {plan.encoded} are encoded already, {plan.skipped} have nothing to encode."
        + (f" Sends {item}s to {host}." if (host := plan.encoder.sends_to()) else "")
        + (f" That would not go: {plan.refusal}" if plan.refusal else "")
    )


def _summary(outcome: Outcome) -> str:
    rate = f", {outcome.encoded / outcome.seconds:.0f} stays/s" if outcome.encoded else ""
    return (
        f"{outcome.encoded} encoded{rate}, {outcome.kept} kept, {outcome.skipped} skipped"
        + (f" (and {outcome.items_skipped} single items)" if outcome.items_skipped else "")
        + (f", {outcome.left} left by the limit" if outcome.left else "")
        + "".join(f", {value} {name}" for name, value in outcome.used.items())
        + f", {outcome.seconds:.1f} s"
    )
