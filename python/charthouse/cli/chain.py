"""The command that calls the others in turn."""

import json
from typing import Annotated

import typer

from charthouse.cli.app import app
from charthouse.cli.jobs import audit, embed, evaluate, predict


@app.command(epilog="Example: charthouse run --encoder demographics --encoder fixed_interval")
def run(
    encoder: Annotated[
        list[str] | None,
        typer.Option(help="Which to embed with. Default: every one that is ready."),
    ] = None,
    fusion: Annotated[
        list[str] | None,
        typer.Option(help="How to predict (seeds/fusions.csv); several allowed, each compared."),
    ] = None,
    variables: Annotated[
        str,
        typer.Option(
            "--vars",
            help="Settings, as '{window_end_hours: 48}' (docs/configuration.md). Default: those"
            " that the warehouse was built with.",
        ),
    ] = "{}",
) -> None:
    """All of it in turn: build, embed, predict, evaluate, audit. What is done is not done again."""
    from charthouse.build import run_dbt_build
    from charthouse.encoders.registry import encoder_spec
    from charthouse.fusions.registry import make_fusion
    from charthouse.project import project_dir
    from charthouse.settings import settings_for
    from charthouse.warehouse import warehouse_path

    project = project_dir()
    for name in encoder or ():  # not after an hour of building
        encoder_spec(project, name)
    for name in fusion or ():
        make_fusion(project, name)
    settings = settings_for(project, warehouse_path(), variables, say=print)
    run_dbt_build(project, ["--vars", json.dumps(settings)])
    embed(encoder=encoder)
    predict(fusion=fusion)
    evaluate()
    audit()
