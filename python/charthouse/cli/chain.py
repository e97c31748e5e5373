"""The command that calls the others in turn."""

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
) -> None:
    """All of it in turn: build, embed, predict, evaluate, audit. What is done is not done again."""
    from charthouse.build import run_dbt_build
    from charthouse.project import project_dir

    run_dbt_build(project_dir(), [])
    embed(encoder=encoder)
    predict(fusion=fusion)
    evaluate()
    audit()
