"""Commands that read marts and write embeddings and results."""

from typing import Annotated

import typer

from charthouse.cli.app import app, resumable
from charthouse.core.errors import CharthouseError, require_between, require_seed

MOST_BOOTSTRAPS = 100_000  # each is a number a patient, in memory


@app.command(epilog="Example: charthouse embed --encoder radbert --limit 100 --dry-run")
def embed(
    encoder: Annotated[
        list[str] | None,
        typer.Option(help="Which; may be given several times. Default: every one that is ready."),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(help="For encoders that are trained per task; default: all tasks."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Encode no more stays than this.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of whatever is random: same seed, same vectors.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    precision: Annotated[
        str,
        typer.Option(
            help="float32; or bfloat16, of moment, swin and radbert alone: faster, and vectors move"
            " by about 1 %."
        ),
    ] = "float32",
    chunk_stays: Annotated[
        int | None, typer.Option(min=1, help="Stays appended at a time.")
    ] = None,
) -> None:
    """Marts to vectors: fills embeddings.<encoder>. Stop it at any time; run again, it goes on."""
    from charthouse.core.progress import progress_bars
    from charthouse.core.project import project_dir
    from charthouse.core.warehouse import warehouse_path
    from charthouse.jobs.embed.run import EmbedRequest, embed

    require_seed(seed)
    request = EmbedRequest(
        encoders=encoder or (),
        tasks=task or (),
        limit=limit,
        dry_run=dry_run,
        seed=seed,
        device=device,
        precision=precision,
        chunk_stays=chunk_stays,
    )
    with resumable("batches"), progress_bars() as (say, watch):
        embed(project_dir(), warehouse_path(), request, say=say, watch=watch)


@app.command(epilog="Example: charthouse predict --arm 'structured[gru]+text[radbert]' --dry-run")
def predict(
    arm: Annotated[
        list[str] | None,
        typer.Option(
            help="Which, like structured[gru]+image[swin]; may be given several times. Default:"
            " those of seeds/registries/arms.csv whose encoders have run."
        ),
    ] = None,
    task: Annotated[list[str] | None, typer.Option(help="Default: all tasks.")] = None,
    fusion: Annotated[
        list[str] | None,
        typer.Option(
            help="How modalities become one score (seeds/registries/fusions.csv); several allowed."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of folds and networks: same seed, same scores.")] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
) -> None:
    """Vectors to scores: fits arms on train, fills results.predictions; current scores are kept."""
    from charthouse.core.progress import progress_bars
    from charthouse.core.project import project_dir
    from charthouse.core.warehouse import warehouse_path
    from charthouse.jobs.predict.run import PredictRequest, predict

    require_seed(seed)
    request = PredictRequest(
        arms=arm or (), tasks=task or (), fusions=fusion or (), seed=seed, dry_run=dry_run
    )
    with resumable("arms"), progress_bars("arms") as (say, watch):
        predict(project_dir(), warehouse_path(), request, say=say, watch=watch)


@app.command(epilog="Example: charthouse ask --learner llava_1_5_7b --stays 200 --dry-run")
def ask(
    context: typer.Context,
    learners: Annotated[
        list[str] | None,
        typer.Option(
            "--learner", help="Which (seeds/registries/learners.csv); may be given several times."
        ),
    ] = None,
    tasks: Annotated[
        list[str] | None,
        typer.Option(
            "--task",
            help="Default: those that seeds/registries/tasks.csv asks by default, the paper's two.",
        ),
    ] = None,
    all_tasks: Annotated[
        bool, typer.Option("--all-tasks", help="Every task that has a question.")
    ] = False,
    conditions: Annotated[
        list[str] | None,
        typer.Option(
            "--condition",
            help="What is shown: full (default), text_only, image_only, blank_image, other_image,"
            " given[demographics+image]; several allowed.",
        ),
    ] = None,
    controls: Annotated[
        bool, typer.Option("--controls", help="full, and each of the four controls.")
    ] = False,
    shapley: Annotated[
        int,
        typer.Option(
            min=0,
            help="So many stays under all coalitions of what is known: 16, or as the setting"
            " shapley_groups joins sections.",
        ),
    ] = 0,
    shots: Annotated[int, typer.Option(min=0, help="Examples of the train split before.")] = 0,
    stays: Annotated[
        int | None, typer.Option(min=1, help="Of the test split, drawn; default: all.")
    ] = None,
    prompt: Annotated[
        str, typer.Option(help="Name of a prompt, or a .toml file of your own.")
    ] = "paper",
    base_url: Annotated[
        str | None,
        typer.Option(help="Of a server that speaks OpenAI's API; default: in process."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="What the server calls the learner.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests at a time.")] = 8,
    timeout: Annotated[float, typer.Option(min=1, max=86_400, help="Seconds for an answer.")] = 120,
    with_log_probabilities: Annotated[
        bool,
        typer.Option(
            "--log-probabilities/--no-log-probabilities",
            help="Ask the server for them: P(yes) rests on them.",
        ),
    ] = True,
    device: Annotated[str, typer.Option(help="In process: cpu, cuda or auto.")] = "auto",
    dtype: Annotated[
        str, typer.Option(help="In process: float32, bfloat16, float16, 4bit or auto.")
    ] = "auto",
    batch: Annotated[int | None, typer.Option(min=1, help="In process: at a time.")] = None,
    max_requests: Annotated[
        int | None, typer.Option(min=1, help="No more than these, repetitions included.")
    ] = None,
    max_cost: Annotated[float | None, typer.Option(min=0, help="US dollars, at most.")] = None,
    seed: Annotated[int, typer.Option(help="Of whatever is drawn.")] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be asked, and ask nothing.")
    ] = False,
    parse_only: Annotated[
        bool, typer.Option("--parse-only", help="Read kept answers again, and ask nothing.")
    ] = False,
) -> None:
    """Questions to multimodal learners: fills results.answers. Stop it at any time; it goes on."""
    from charthouse.core.progress import progress_bars
    from charthouse.core.project import project_dir
    from charthouse.core.warehouse import warehouse_path
    from charthouse.jobs.ask.request import AskRequest
    from charthouse.jobs.ask.run import ask

    require_seed(seed)
    given = {name: value for name, value in context.params.items() if value is not None}
    with resumable("answers"), progress_bars("questions") as (say, watch):
        ask(project_dir(), warehouse_path(), AskRequest(**given), say=say, watch=watch)


@app.command(epilog="Example: charthouse evaluate --by first_careunit --bootstraps 2000")
def evaluate(
    task: Annotated[list[str] | None, typer.Option(help="Default: all tasks.")] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(help="Subgroups: columns of marts.cohort. Default: age, gender, race groups."),
    ] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(help="One more pair of arms, as 'structured[gru] - structured[moment]'."),
    ] = None,
    bootstraps: Annotated[int, typer.Option(help="Resamples of the patients, 2 or more.")] = 1000,
    min_group: Annotated[
        int, typer.Option(min=1, help="Stays; smaller groups get no metric.")
    ] = 10,
    seed: Annotated[int, typer.Option(help="Of the resamples.")] = 0,
) -> None:
    """Scores to metrics with intervals: comparisons, fairness, contributions, curves."""
    from charthouse.core.progress import progress_bars
    from charthouse.core.project import project_dir
    from charthouse.core.warehouse import warehouse_path
    from charthouse.jobs.evaluate.run import evaluate
    from charthouse.jobs.evaluate.task import ATTRIBUTES, EvaluateRequest
    from charthouse.views.leaderboard import print_leaderboard

    require_seed(seed)
    require_between("--bootstraps", bootstraps, 2, MOST_BOOTSTRAPS)
    request = EvaluateRequest(
        tasks=task or (),
        attributes=by or ATTRIBUTES,
        compare=[_pair(text) for text in compare or ()],
        n_bootstrap=bootstraps,
        min_group=min_group,
        seed=seed,
    )
    with resumable("tasks"), progress_bars("arms") as (say, watch):
        evaluate(project_dir(), warehouse_path(), request, say=say, watch=watch)
    print_leaderboard(warehouse_path(), task or ())


def _pair(text: str) -> tuple[str, str]:
    first, minus, second = text.partition(" - ")
    if not minus:
        raise CharthouseError(f"--compare '{text}': write two arms as 'one - other'.")
    return first.strip(), second.strip()


@app.command(epilog="Example: charthouse audit")
def audit(
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Evaluate again too: intervals, p-values, comparisons, curves, contributions,"
            " learners. Takes as long as charthouse evaluate.",
        ),
    ] = False,
) -> None:
    """Does the warehouse hold what it should? Computes it again, names the stays, exits 1 if not.

    Patients, X-rays and texts in two splits, rows past the cutoff, fits on stays that they must
    not see; marts that the models do not give again, scores that their coefficients do not give,
    metrics that their predictions do not give, vectors whose bytes have changed.
    """
    from charthouse.core.progress import progress_bars
    from charthouse.core.project import project_dir
    from charthouse.core.warehouse import warehouse_path
    from charthouse.jobs.audit.run import audit

    with progress_bars("arms") as (say, watch):
        failed = audit(project_dir(), warehouse_path(), say, watch if full else None)
    if failed:
        raise typer.Exit(1)
