"""Commands of the data: raw files, real or synthetic, to marts."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from charthouse.cli.app import VarsOption, app


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog="Example: charthouse build --vars '{window_end_hours: 48}'",
)
def build(context: typer.Context, settings: VarsOption = None) -> None:
    """Raw files to marts: dbt build, its options passed on, one line at the end if it fails."""
    from charthouse.core.project import project_dir
    from charthouse.core.settings import parse_vars, vars_arguments
    from charthouse.core.warehouse import warehouse_path
    from charthouse.data.build import run_dbt_build

    warehouse_path()  # dbt's own message for an invalid path would be hard to read
    run_dbt_build(project_dir(), [*vars_arguments(parse_vars(settings or ())), *context.args])


@app.command(epilog="Example: charthouse init my-project")
def init(
    folder: Annotated[Path, typer.Argument(help="New; the dbt project is written there.")],
) -> None:
    """A dbt project of your own, with models, macros and seeds that you can edit."""
    from charthouse.core.local_paths import require_local
    from charthouse.data.new_project import init_project

    require_local("FOLDER", folder)
    init_project(folder)
    print(f"A Charthouse project is in {folder}: settings are in dbt_project.yml. Next:")
    print(f"  cd {folder}")
    print("  export CHARTHOUSE_MIMICIV=...    # the folder of MIMIC-IV that holds hosp and icu")
    print("  charthouse doctor                # is all there, and whole?")
    print("  charthouse build                 # raw files to marts")


@app.command(epilog="Example: charthouse doctor --full")
def doctor(
    full: Annotated[
        bool,
        typer.Option("--full", help="Read every file to its end: exact counts, damage found."),
    ] = False,
) -> None:
    """Are the raw files there and whole? Prints what is missing, what is short, and what to do."""
    from charthouse.core.project import project_dir
    from charthouse.data.doctor import examine, print_diagnoses

    findings = examine(project_dir(else_shipped=True), full=full)
    print_diagnoses(findings)
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(1)


@app.command(epilog="Example: charthouse synth --stays 1000 --seed 7 --out data/demo")
def synth(
    stays: Annotated[int, typer.Option(help="ICU stays; 73181 is MIMIC-IV 2.2.")],
    out: Annotated[Path, typer.Option(help="New folder for the four data sets.")],
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 0,
    rows_per_stay: Annotated[
        float,
        typer.Option(help="Mean rows of chartevents a stay; fewer thins only what no model reads."),
    ] = 4286.0,
    image_pixels: Annotated[
        int, typer.Option(help="Side of the X-rays; 0 writes their metadata but no files.")
    ] = 256,
    ecg_waveforms: Annotated[
        int,
        typer.Option(
            help="How many ECGs get waveform files (120 kB each), those of stays' first day first;"
            " 0 writes their lists alone."
        ),
    ] = 200,
) -> None:
    """Write a synthetic MIMIC-IV with notes, X-rays and ECGs: true in form, no real patient."""
    from charthouse.core.local_paths import require_local
    from charthouse.core.progress import ProgressCallback, progress_bars
    from charthouse.synth.mimic import write_synthetic_mimic

    require_local("--out", out)
    with progress_bars("") as (_, watch), ExitStack() as opened:
        bars: dict[str, ProgressCallback] = {}

        def progress(label: str, done: int, total: int) -> None:
            if label not in bars:
                bars[label] = opened.enter_context(watch(label, total))
            bars[label](done, total)

        truth = write_synthetic_mimic(
            out,
            stays=stays,
            seed=seed,
            rows_per_stay=rows_per_stay,
            image_pixels=image_pixels,
            ecg_waveforms=ecg_waveforms,
            progress=progress,
        )
    print(f"SYNTHETIC data of {stays} stays, {truth['patients']} patients, in {out}:")
    for variable, folder in [
        ("CHARTHOUSE_MIMICIV", "mimic-iv"),
        ("CHARTHOUSE_NOTE", "mimic-iv-note"),
        ("CHARTHOUSE_CXR", "mimic-cxr"),
        ("CHARTHOUSE_ECG", "mimic-iv-ecg"),
    ]:
        print(f"  export {variable}={out / folder}")
