"""The command that runs the others in turn."""

from typing import Annotated

import typer

from charthouse.cli.app import VarsOption, app
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
    settings: VarsOption = None,
) -> None:
    """All of it in turn: build, embed, predict, evaluate, audit. What is done is not done again.

    Settings that are not given stay those that the warehouse was built with.
    """
    from charthouse.core.project import project_dir
    from charthouse.core.settings import merge_settings, parse_vars, vars_arguments
    from charthouse.core.warehouse import warehouse_path
    from charthouse.data.build import run_dbt_build
    from charthouse.models.encoders.registry import encoder_spec
    from charthouse.models.fusions.registry import make_fusion

    project = project_dir()
    given = parse_vars(settings or ())
    for name in encoder or ():  # not after an hour of building
        encoder_spec(project, name)
    for name in fusion or ():
        make_fusion(project, name)
    run_dbt_build(
        project, vars_arguments(merge_settings(project, warehouse_path(), given, say=print))
    )
    embed(encoder=encoder)
    predict(fusion=fusion)
    evaluate()
    audit()
