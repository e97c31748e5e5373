"""The commands that run the others in turn."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from shutil import which
from typing import Annotated

import typer

from charthouse.cli.app import VarsOption, app
from charthouse.cli.data import synth
from charthouse.cli.jobs import audit, embed, evaluate, predict
from charthouse.cli.views import publish, report
from charthouse.core.errors import CharthouseError, require_known

DEMO_ENCODERS = (
    "demographics", "fixed_interval", "gru", "summary", "summary__labs", "tfidf_svd", "pixel_pca"
)  # fmt: skip
"""Those that need no weights."""
PAPER_TASKS = ["in_hospital_mortality", "icu_stay_over_3_days"]
PAPER_ARMS = [
    "structured[fixed_interval]", "structured[gru]", "presence", "structured[demographics]",
    "structured[summary]", "structured[best]+image[pixel_pca]", "structured[best]+text[tfidf_svd]",
    "structured[best]+image[pixel_pca]+text[tfidf_svd]",
]  # fmt: skip
"""The demo's of the paper's tasks. Beside the GRU's vectors those of laboratory values cost half a
minute."""
ADDED_TASKS = ["invasive_ventilation"]
"""What the demo adds: it excludes stays and has laboratory values, but no GRU, which learns each
task anew."""


@app.command(epilog="Example: charthouse run --task in_hospital_mortality --encoder summary")
def run(
    encoder: Annotated[
        list[str] | None,
        typer.Option(help="Which to embed with. Default: every one that is ready."),
    ] = None,
    fusion: Annotated[
        list[str] | None,
        typer.Option(
            help="How to predict (seeds/registries/fusions.csv); several allowed, each compared."
        ),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(help="Which to predict; several allowed. Default: all. Marts have all."),
    ] = None,
    settings: VarsOption = None,
) -> None:
    """All of it in turn: build, embed, predict, evaluate, audit. What is done is not done again.

    Settings that are not given stay those that the warehouse was built with.
    """
    from charthouse.core.project import project_dir
    from charthouse.core.settings import merge_settings, parse_vars, task_names, vars_arguments
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
    merged = merge_settings(project, warehouse_path(), given, say=print)
    for name in task or ():
        require_known("--task", name, task_names(project, merged))
    run_dbt_build(project, vars_arguments(merged))
    embed(encoder=encoder, task=task)
    predict(fusion=fusion, task=task)
    evaluate(task=task)
    audit()


@app.command(epilog="Example: charthouse demo charthouse-demo --stays 300")
def demo(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Of the project; made there if it is new. Default: the one that you are in, else"
            " charthouse-demo."
        ),
    ] = None,
    stays: Annotated[int, typer.Option(min=50, help="ICU stays to make up.")] = 1000,
) -> None:
    """A synthetic MIMIC, from raw files to the leaderboard; run it again, and it goes on."""
    from importlib.util import find_spec

    from charthouse.core.local_paths import require_local
    from charthouse.core.project import SHIPPED_PROJECT, project_dir
    from charthouse.data.build import run_dbt_build
    from charthouse.data.new_project import init_project

    require_local("FOLDER", folder or "")
    if not (find_spec("torch") and find_spec("sklearn")):
        raise CharthouseError("The demo trains models: pip install 'charthouse[models]' first.")
    project = folder or project_dir(else_shipped=True)
    if project == SHIPPED_PROJECT:  # which may be read only
        project = Path("charthouse-demo")
    if not os.path.exists(project / "dbt_project.yml"):
        init_project(project)
    here = Path.cwd()
    command = "charthouse" if which("charthouse") else os.path.relpath(sys.argv[0], project)
    os.chdir(project)  # so that what follows can be said in short paths
    raw, warehouse, page = Path(f"data/synthetic-{stays}"), "data/demo.duckdb", "data/report"
    folders = {"CHARTHOUSE_MIMICIV": "mimic-iv", "CHARTHOUSE_NOTE": "mimic-iv-note"}
    folders |= {"CHARTHOUSE_CXR": "mimic-cxr", "CHARTHOUSE_ECG": "mimic-iv-ecg"}
    os.environ |= {name: str(raw / part) for name, part in folders.items()}
    os.environ |= {"CHARTHOUSE_WAREHOUSE": warehouse, "CHARTHOUSE_PROJECT": "."}
    tasks = PAPER_TASKS + ADDED_TASKS

    def predict_both() -> None:
        predict(PAPER_ARMS, PAPER_TASKS)
        predict(task=ADDED_TASKS)

    steps: list[tuple[str, Callable[[], None]]] = [
        ("build: raw files to marts", lambda: run_dbt_build(Path(), [])),
        ("embed: marts to vectors", lambda: embed(list(DEMO_ENCODERS), PAPER_TASKS)),
        ("predict: vectors to scores", predict_both),
        ("evaluate: scores to metrics", lambda: evaluate(task=tasks)),
        ("report: metrics to pictures", lambda: report(Path(page))),
        ("publish: a read-only copy, for the dashboard", lambda: publish(embeddings=True)),
    ]
    missing = [part for part in folders.values() if not (raw / part).exists()]
    if missing and len(missing) < len(folders):
        raise CharthouseError(
            f"{project / raw} has no {missing[0]}: it is of an earlier version. Remove it, and run"
            " charthouse demo again."
        )
    if missing:
        steps.insert(0, ("synth: raw files", lambda: synth(stays, raw, seed=7)))
    began = time.monotonic()
    for number, (what, step) in enumerate(steps, 1):
        print(f"[{number}/{len(steps)}] {what}", flush=True)
        step_began = time.monotonic()
        step()
        print(f"      {time.monotonic() - step_began:.0f} s\n", flush=True)
    print(f"Done in {time.monotonic() - began:.0f} s. Look at it, in a browser:")
    if Path.cwd() != here:
        print(f"  cd {os.path.relpath(Path.cwd(), here)}")
    print(f"  CHARTHOUSE_WAREHOUSE={warehouse} CHARTHOUSE_CXR={raw}/mimic-cxr {command} dashboard")
    print(f"  xdg-open {page}/report.html")
