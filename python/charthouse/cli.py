"""The command line: one thin function a command; the work is in the modules they import."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from charthouse.errors import CharthouseError

app = typer.Typer(
    help="From raw MIMIC files to stay-level marts, and a benchmark of foundation models on them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Entry point of `charthouse`: a user's mistake is one line and exit 1, never a traceback."""
    try:
        app()
    except CharthouseError as error:
        print(f"charthouse: {error}", file=sys.stderr)
        raise SystemExit(1) from None


@contextmanager
def _kept_when_interrupted(parts: str) -> Iterator[None]:
    """Ctrl-C is one line: what it leaves, and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        raise CharthouseError(
            f"interrupted. Finished {parts} are kept: run the same command again and it goes on."
        ) from None


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog="Example: charthouse build --vars '{window_end_hours: 48}'",
)
def build(context: typer.Context) -> None:
    """Raw files to marts: dbt build, its options passed on, one line at the end if it fails."""
    from charthouse.build import run_dbt_build
    from charthouse.project import project_dir

    run_dbt_build(project_dir(), context.args)


@app.command(epilog="Example: charthouse doctor --full")
def doctor(
    full: Annotated[
        bool,
        typer.Option("--full", help="Read every file to its end: exact counts, damage found."),
    ] = False,
) -> None:
    """Are the raw files there and whole? Says what is missing, what is small, and what to do."""
    from charthouse.doctor import examine, show
    from charthouse.project import project_dir

    findings = examine(project_dir(), full=full)
    show(findings)
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(1)


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
        str, typer.Option(help="float32; or bfloat16, for networks: faster, other last digits.")
    ] = "float32",
    chunk_stays: Annotated[
        int | None, typer.Option(min=1, help="Stays appended at a time.")
    ] = None,
) -> None:
    """Marts to vectors: fills embeddings.<encoder>. Stop it at any time; run again, it goes on."""
    from charthouse.embed.run import Options, embed
    from charthouse.progress import bars
    from charthouse.project import project_dir
    from charthouse.warehouse import warehouse_path

    options = Options(
        encoders=encoder or (),
        tasks=task or (),
        limit=limit,
        dry_run=dry_run,
        seed=seed,
        device=device,
        precision=precision,
        chunk_stays=chunk_stays,
    )
    with _kept_when_interrupted("batches"), bars() as (say, watch):
        embed(project_dir(), warehouse_path(), options, say=say, watch=watch)


@app.command(epilog="Example: charthouse predict --arm 'structured[gru]+text[radbert]' --dry-run")
def predict(
    arm: Annotated[
        list[str] | None,
        typer.Option(
            help="Which, like structured[gru]+image[swin]; may be given several times. Default:"
            " those of seeds/arms.csv whose encoders have run."
        ),
    ] = None,
    task: Annotated[list[str] | None, typer.Option(help="Default: all tasks.")] = None,
    fusion: Annotated[
        list[str] | None,
        typer.Option(help="How modalities become one score (seeds/fusions.csv); several allowed."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of folds and networks: same seed, same scores.")] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
) -> None:
    """Vectors to scores: fits arms on train, fills results.predictions; what stands is kept."""
    from charthouse.predict.run import Options, predict
    from charthouse.progress import bars
    from charthouse.project import project_dir
    from charthouse.warehouse import warehouse_path

    options = Options(
        arms=arm or (), tasks=task or (), fusions=fusion or (), seed=seed, dry_run=dry_run
    )
    with _kept_when_interrupted("arms"), bars("arms") as (say, watch):
        predict(project_dir(), warehouse_path(), options, say=say, watch=watch)


@app.command(epilog="Example: charthouse ask --learner llava_1_5_7b --stays 200 --dry-run")
def ask(
    learner: Annotated[
        list[str] | None,
        typer.Option(help="Which (seeds/learners.csv); may be given several times."),
    ] = None,
    task: Annotated[list[str] | None, typer.Option(help="Default: all tasks.")] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            help="What is shown: full (default), text_only, image_only, blank_image, other_image,"
            " given[demographics+image]; several allowed."
        ),
    ] = None,
    controls: Annotated[
        bool, typer.Option("--controls", help="full, and each of the four controls.")
    ] = False,
    shapley: Annotated[
        int, typer.Option(min=0, help="So many stays under all 16 coalitions of what is known.")
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
    timeout: Annotated[float, typer.Option(min=1, help="Seconds for an answer.")] = 120,
    log_probabilities: Annotated[
        bool, typer.Option(help="Ask the server for them: P(yes) rests on them.")
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
    from charthouse.ask.conditions import CONTROLS, FULL
    from charthouse.ask.run import Options, ask
    from charthouse.progress import bars
    from charthouse.project import project_dir
    from charthouse.warehouse import warehouse_path

    options = Options(
        learners=learner or (),
        tasks=task or (),
        conditions=[*(condition or [FULL]), *((FULL, *CONTROLS) if controls else ())],
        shapley=shapley,
        shots=shots,
        stays=stays,
        prompt=prompt,
        base_url=base_url,
        model=model,
        concurrency=concurrency,
        timeout=timeout,
        with_log_probabilities=log_probabilities,
        device=device,
        dtype=dtype,
        batch=batch,
        max_requests=max_requests,
        max_cost=max_cost,
        seed=seed,
        dry_run=dry_run,
        parse_only=parse_only,
    )
    with _kept_when_interrupted("answers"), bars("questions") as (say, watch):
        ask(project_dir(), warehouse_path(), options, say=say, watch=watch)


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
    bootstraps: Annotated[int, typer.Option(min=2, help="Resamples of the patients.")] = 1000,
    min_group: Annotated[
        int, typer.Option(min=1, help="Stays; smaller groups get no figure.")
    ] = 10,
    seed: Annotated[int, typer.Option(help="Of the resamples.")] = 0,
) -> None:
    """Scores to figures: metrics with intervals, comparisons, fairness, contributions, curves."""
    from charthouse.evaluate.leaderboard import print_leaderboard
    from charthouse.evaluate.run import ATTRIBUTES, Options, evaluate
    from charthouse.progress import bars
    from charthouse.project import project_dir
    from charthouse.warehouse import warehouse_path

    options = Options(
        tasks=task or (),
        attributes=by or ATTRIBUTES,
        compare=[_pair(text) for text in compare or ()],
        n_bootstrap=bootstraps,
        min_group=min_group,
        seed=seed,
    )
    with _kept_when_interrupted("arms"), bars("arms") as (say, watch):
        evaluate(project_dir(), warehouse_path(), options, say=say, watch=watch)
    print_leaderboard(warehouse_path())


def _pair(text: str) -> tuple[str, str]:
    first, minus, second = text.partition(" - ")
    if not minus:
        raise CharthouseError(f"--compare '{text}': write two arms as 'one - other'.")
    return first.strip(), second.strip()


@app.command(epilog="Example: charthouse leaderboard")
def leaderboard() -> None:
    """Tables II and III: each arm on the present cohort, the published figures beside it."""
    from charthouse.evaluate.leaderboard import print_leaderboard
    from charthouse.warehouse import warehouse_path

    print_leaderboard(warehouse_path())


@app.command(epilog="Example: charthouse explain 30001234 --task in_hospital_mortality")
def explain(
    stay_id: Annotated[int, typer.Argument(help="A stay of marts.cohort.")],
    task: Annotated[str, typer.Option(help="Which outcome.")] = "in_hospital_mortality",
    arm: Annotated[
        str | None, typer.Option(help="Default: the best on validation, by the default fusion.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many features to list.")] = 15,
) -> None:
    """Why a stay has its score: contributions by modality, then feature by feature."""
    from rich.console import Console

    from charthouse.evaluate.explain import explain, show
    from charthouse.project import project_dir
    from charthouse.warehouse import warehouse_path

    lines, table = show(explain(project_dir(), warehouse_path(), stay_id, task, arm), top)
    for line in lines:
        print(line)
    Console().print(table)


@app.command(epilog="Example: charthouse run --encoder demographics --encoder fixed_interval")
def run(
    encoder: Annotated[
        list[str] | None,
        typer.Option(help="Which to embed with. Default: every one that is ready."),
    ] = None,
) -> None:
    """All of it in turn: build, embed, predict, evaluate, audit. What is done is not done again."""
    from charthouse.build import run_dbt_build
    from charthouse.project import project_dir

    run_dbt_build(project_dir(), [])
    embed(encoder=encoder)
    predict()
    evaluate()
    audit()


@app.command(epilog="Example: charthouse audit")
def audit() -> None:
    """Are there leaks? Runs every check, names the stays where one fails, and then exits 1."""
    from charthouse.audit import audit
    from charthouse.warehouse import warehouse_path

    if audit(warehouse_path(), print):
        raise typer.Exit(1)


@app.command(epilog="Example: charthouse report --out report")
def report(
    out: Annotated[
        Path, typer.Option(help="Folder for report.html and its pictures; other files stay.")
    ],
    arm: Annotated[
        list[str] | None,
        typer.Option(
            help="Drawn where only a few can be; may be given several times, at most 6. Default:"
            " one for each set of modalities, chosen on validation."
        ),
    ] = None,
) -> None:
    """Figures to a page: one self-contained HTML file, and its pictures as PNG."""
    from charthouse.report.run import write_report
    from charthouse.warehouse import warehouse_path

    write_report(warehouse_path(), out, arms=arm or (), say=print)


@app.command(epilog="Example: charthouse publish --embeddings")
def publish(
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the copy. Default: beside the warehouse, <name>.published."),
    ] = None,
    embeddings: Annotated[bool, typer.Option("--embeddings", help="Copy the vectors too.")] = False,
    with_text: Annotated[
        bool,
        typer.Option(
            "--with-text",
            help="Copy reports, profiles and answers of credentialed data too: mind who can read"
            " the copy.",
        ),
    ] = False,
) -> None:
    """A read-only copy, DuckDB and Parquet, for the dashboard and BI tools while jobs run."""
    from charthouse.publish import Options, publish
    from charthouse.warehouse import warehouse_path

    options = Options(out=out, embeddings=embeddings, with_text=with_text)
    publish(warehouse_path(), options, say=print)


@app.command(epilog="Example: charthouse dashboard --port 8502")
def dashboard(
    published: Annotated[
        Path | None, typer.Option(help="Folder of the copy, if publish was given another by --out.")
    ] = None,
    address: Annotated[
        str, typer.Option(help="Where to listen; only this machine can reach the default.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8501,
    show_stays: Annotated[
        bool,
        typer.Option("--show-stays", help="Show single stays of credentialed data too."),
    ] = False,
) -> None:
    """The published copy in a browser; it never blocks a job."""
    from charthouse.dashboard.launch import launch
    from charthouse.publish import published_dir
    from charthouse.warehouse import warehouse_path

    folder = published or published_dir(warehouse_path())
    launch(folder, warehouse_path(), address=address, port=port, show_stays=show_stays, say=print)


@app.command(epilog="Example: charthouse encoders")
def encoders() -> None:
    """Every encoder: what it is, whether its weights are here, how far it has come."""
    from rich.console import Console

    from charthouse.embed.listing import encoder_table
    from charthouse.project import project_dir
    from charthouse.warehouse import warehouse_path

    table, lines = encoder_table(project_dir(), warehouse_path())
    Console().print(table)
    for line in lines:  # not by rich: it would break the commands in them
        print(line)


@app.command(epilog="Example: charthouse synth --stays 1000 --seed 7 --out data/demo")
def synth(
    stays: Annotated[int, typer.Option(help="ICU stays; 73181 is MIMIC-IV 2.2.")],
    out: Annotated[Path, typer.Option(help="New folder for the three data sets.")],
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 0,
    rows_per_stay: Annotated[
        float,
        typer.Option(
            help="Mean rows of chartevents a stay; fewer thins only what is no vital sign."
        ),
    ] = 4286.0,
    image_pixels: Annotated[
        int, typer.Option(help="Side of the X-rays; 0 writes their metadata but no files.")
    ] = 256,
) -> None:
    """Write a synthetic MIMIC-IV, MIMIC-IV-Note and MIMIC-CXR: true in form, no real patient."""
    from rich.progress import Progress

    from charthouse.synth import write_synthetic_mimic

    with Progress(transient=True) as bars:
        tasks = {}

        def progress(label: str, done: int, total: int) -> None:
            if label not in tasks:
                tasks[label] = bars.add_task(label, total=total)
            bars.update(tasks[label], completed=done)

        truth = write_synthetic_mimic(
            out,
            stays=stays,
            seed=seed,
            rows_per_stay=rows_per_stay,
            image_pixels=image_pixels,
            progress=progress,
        )
    print(f"SYNTHETIC data of {stays} stays, {truth['patients']} patients, in {out}:")
    for variable, folder in [
        ("CHARTHOUSE_MIMICIV", "mimic-iv"),
        ("CHARTHOUSE_NOTE", "mimic-iv-note"),
        ("CHARTHOUSE_CXR", "mimic-cxr"),
    ]:
        print(f"  export {variable}={out / folder}")
