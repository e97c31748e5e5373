"""Commands that show results, and write nothing to the warehouse."""

from pathlib import Path
from typing import Annotated

import typer

from charthouse.cli.app import app


@app.command(epilog="Example: charthouse encoders")
def encoders() -> None:
    """Every encoder: what it is, whether its weights are here, how far it has come."""
    from rich.console import Console

    from charthouse.core.project import project_dir
    from charthouse.core.warehouse import warehouse_path
    from charthouse.jobs.embed.listing import encoder_table

    heading, table, lines = encoder_table(project_dir(), warehouse_path())
    print(heading)  # not by rich, nor the lines: it would break the paths and commands in them
    Console().print(table)
    for line in lines:
        print(line)


@app.command(epilog="Example: charthouse leaderboard --task icu_mortality --format csv")
def leaderboard(
    task: Annotated[list[str] | None, typer.Option(help="Default: all tasks.")] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format", help="table, or every metric of reports.leaderboard as csv or json."
        ),
    ] = "table",
) -> None:
    """Tables II and III: each arm on the present cohort, with the published AUROC beside it."""
    from charthouse.core.warehouse import warehouse_path
    from charthouse.views.leaderboard import print_leaderboard

    print_leaderboard(warehouse_path(), task or (), form)


@app.command(epilog="Example: charthouse explain 30001234 --task in_hospital_mortality")
def explain(
    stay_id: Annotated[int, typer.Argument(help="A stay of marts.cohort.")],
    task: Annotated[str, typer.Option(help="Which outcome.")] = "in_hospital_mortality",
    arm: Annotated[
        str | None, typer.Option(help="Default: the best on validation, by the fusion.")
    ] = None,
    fusion: Annotated[
        str | None,
        typer.Option(help="concatenate_presence or concatenate. Default: the setting fusion."),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many features to list.")] = 15,
) -> None:
    """Why a stay has its score: contributions by modality, then feature by feature."""
    from rich.console import Console

    from charthouse.core.project import project_dir
    from charthouse.core.warehouse import warehouse_path
    from charthouse.jobs.evaluate.explain import explain, show

    found = explain(project_dir(), warehouse_path(), stay_id, task, arm, fusion)
    lines, table = show(found, top)
    for line in lines:
        print(line)
    Console().print(table)


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
    tripod: Annotated[
        bool,
        typer.Option("--tripod", help="Add the checklist of TRIPOD+AI, filled from the tables."),
    ] = False,
) -> None:
    """Figures to a page: one self-contained HTML file, and its pictures as PNG."""
    from charthouse.core.local_paths import require_local
    from charthouse.core.warehouse import warehouse_path
    from charthouse.views.report.run import write_report

    require_local("--out", out)
    write_report(warehouse_path(), out, arms=arm or (), tripod=tripod, say=print)


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
            help="Copy reports, profiles and answers of real patients too: mind who can read"
            " the copy.",
        ),
    ] = False,
) -> None:
    """A read-only copy, DuckDB and Parquet, for the dashboard and BI tools while jobs run."""
    from charthouse.core.warehouse import warehouse_path
    from charthouse.views.publish import Options, publish

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
        typer.Option("--show-stays", help="Show single stays of real patients too."),
    ] = False,
) -> None:
    """The published copy in a browser; it never blocks a job."""
    from charthouse.core.local_paths import require_local
    from charthouse.core.warehouse import warehouse_path
    from charthouse.views.dashboard.launch import launch
    from charthouse.views.publish import published_dir

    require_local("--published", published or "")
    folder = published or published_dir(warehouse_path())
    launch(folder, warehouse_path(), address=address, port=port, show_stays=show_stays, say=print)
