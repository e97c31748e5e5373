"""Several encoders in turn: which, on what device, and what is said about it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from charthouse.cohort import Cohort, read_cohort
from charthouse.device import choose_device
from charthouse.embed.job import Outcome, run_plan
from charthouse.embed.plan import Plan, make_plan
from charthouse.encoders.registry import EncoderSpec, encoder_class, encoder_spec, encoder_specs
from charthouse.errors import CharthouseError, require_known
from charthouse.progress import Say, Watch
from charthouse.warehouse import open_warehouse


@dataclass(frozen=True)
class Options:
    """What a user may ask of `charthouse embed`."""

    encoders: Sequence[str] = ()  # none: every one that is ready
    tasks: Sequence[str] = ()  # none: all, for encoders that are trained per task
    limit: int | None = None
    dry_run: bool = False
    seed: int = 0
    device: str = "auto"
    precision: str = "float32"
    chunk_stays: int | None = None


def embed(project: Path, warehouse: Path, options: Options, *, say: Say, watch: Watch) -> None:
    """Encodes the cohort with each encoder asked for, or with every one that is ready.

    Args:
        project: folder of dbt_project.yml.
        warehouse: the DuckDB file.
        options: what the user asked.
        say: told one line at a time.
        watch: shows progress.

    Raises:
        CharthouseError: an encoder that was named cannot run, and those before it are done; or,
            where none was named, some of them could not, and all others are done.
    """
    options = replace(options, device=choose_device(options.device))
    require_known("--precision", options.precision, ("float32", "bfloat16"))
    with open_warehouse(warehouse) as db:
        cohort = read_cohort(db)
    say(f"{cohort.describe()} in {warehouse}")
    for task in options.tasks:
        require_known("--task", task, cohort.tasks)
    if options.encoders:
        for spec in [encoder_spec(project, name) for name in options.encoders]:
            _embed_with(spec, warehouse, cohort, options, say, watch)
        return
    failed = []
    for spec in _ready(project, say):
        try:
            _embed_with(spec, warehouse, cohort, options, say, watch)
        except CharthouseError as error:
            say(f"  {spec.encoder}: FAILED, {error}")
            failed.append(spec.encoder)
    if failed:
        raise CharthouseError(f"{', '.join(failed)} could not run: the lines above say why.")


def _embed_with(
    spec: EncoderSpec, warehouse: Path, cohort: Cohort, options: Options, say: Say, watch: Watch
) -> None:
    """One encoder, for each task where it is trained per task."""
    for task in _tasks(spec, cohort, options):
        if options.dry_run and (refusal := _fetches(spec)):
            say(f"  {spec.encoder}: not ready, {refusal}")
            continue
        plan = make_plan(
            warehouse,
            cohort,
            spec,
            task=task,
            seed=options.seed,
            device=options.device,
            precision=options.precision,
        )
        if options.dry_run:
            say(f"  {_intention(plan, options.limit)}")
            continue
        with watch(plan.target.label, len(plan.todo[: options.limit])) as progress:
            outcome = run_plan(
                plan, limit=options.limit, chunk_stays=options.chunk_stays, progress=progress
            )
        say(f"  {plan.target.label}: {_summary(outcome)}")


def _ready(project: Path, say: Say) -> list[EncoderSpec]:
    """Encoders that need nothing from outside; says of the others why they are left out."""
    ready = []
    for spec in encoder_specs(project).values():
        reason = why_not_ready(spec)
        if reason is None:
            ready.append(spec)
        else:
            say(f"  {spec.encoder}: left out, {reason}")
    return ready


def why_not_ready(spec: EncoderSpec) -> str | None:
    """Why the encoder cannot run now, without fetching or sending; None if it can."""
    try:
        return encoder_class(spec.encoder).not_ready(spec)
    except CharthouseError as error:
        return str(error)


def _fetches(spec: EncoderSpec) -> str | None:
    """Why a dry run stops here: it would have to fetch weights to know what they are."""
    return why_not_ready(spec) if encoder_class(spec.encoder).weight_files else None


def _tasks(spec: EncoderSpec, cohort: Cohort, options: Options) -> Sequence[str | None]:
    if encoder_class(spec.encoder).per_task:
        return list(options.tasks) or list(cohort.tasks)
    return [None]


def _intention(plan: Plan, limit: int | None) -> str:
    now = len(plan.todo[:limit])
    later = len(plan.todo) - now
    return (
        f"{plan.target.label}: would encode {now} stays on {plan.encoder.context.device}"
        + (f" ({later} more are left by the limit)" if later else "")
        + f"; {plan.encoded} are encoded already, {plan.skipped} have nothing to encode."
        + (f" Sends reports to {host}." if (host := plan.encoder.sends_to()) else "")
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
