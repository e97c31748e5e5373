"""Write the tables of what is measured in, done to and found in patients beside chartevents.

Several tell of the same plan: an infection is in cultures, prescriptions and infusions, failing
kidneys are in creatinine, urine, dialysis and diagnoses.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from charthouse.synth.chartevents import Outliers
from charthouse.synth.diagnoses import write_code_titles, write_diagnoses
from charthouse.synth.infections import plan_infections
from charthouse.synth.inputevents import write_inputevents
from charthouse.synth.lab_rows import LabPlan, plan_labs
from charthouse.synth.labevents import ROWS_TO_CHARTEVENTS, write_lab_items, write_labevents
from charthouse.synth.microbiologyevents import write_microbiologyevents
from charthouse.synth.outputevents import write_outputevents
from charthouse.synth.own_time import own_time
from charthouse.synth.population import Ints, Population
from charthouse.synth.prescriptions import write_prescriptions
from charthouse.synth.procedureevents import write_procedureevents
from charthouse.synth.treatments import draw_weights, plan_vasopressors, plan_ventilation


@dataclass(frozen=True)
class Clinical:
    """What was written."""

    rows: dict[str, int]  # by the file's name below mimic-iv
    counts: dict[str, int]  # planted effects among them
    lab_outliers: Outliers
    labs: LabPlan


def write_clinical_tables(
    folder: Path,
    population: Population,
    tube_seen: Ints,
    rows_per_stay: float,
    seed: int,
    pool: ThreadPoolExecutor,
    progress: Callable[[str, int, int], None],
) -> Clinical:
    """Write all of them below ``folder`` (mimic-iv).

    Args:
        folder: An existing folder, with hosp and icu below it.
        population: Who is in the data.
        tube_seen: As chartevents has it, which procedureevents is to agree with.
        rows_per_stay: Of chartevents; labevents is in proportion.
        seed: Seed of every random choice.
        pool: Threads for compression.
        progress: Called with what is being written, and how many stays of all are.
    """
    stays = population.stays
    weight, labs = draw_weights(stays, seed), plan_labs(population, seed)
    infections = plan_infections(population, seed)
    ventilation = plan_ventilation(stays, tube_seen, seed)
    of_all = population, infections
    counts: dict[str, int] = {}

    def path(name: str) -> Path:
        return folder / f"{name}.csv.gz"

    def watch(label: str) -> Callable[[int], None]:
        return lambda done: progress(label, done, len(stays))

    of_labs, lab_outliers = write_labevents(
        path("hosp/labevents"), population, labs, rows_per_stay * ROWS_TO_CHARTEVENTS,
        seed, pool, watch("laboratory values"),
    )  # fmt: skip
    written = {
        "hosp/labevents": of_labs,
        "icu/procedureevents": write_procedureevents(
            path("icu/procedureevents"), population, ventilation, infections, labs, weight,
            seed, pool, watch("procedures"),
        ),
        "icu/inputevents": write_inputevents(
            path("icu/inputevents"), population, plan_vasopressors(stays, seed), ventilation,
            infections, weight, seed, pool, watch("infusions"),
        ),
        "icu/outputevents": write_outputevents(
            path("icu/outputevents"), population, labs, weight, seed, pool, watch("urine"),
        ),
        "hosp/microbiologyevents": write_microbiologyevents(
            path("hosp/microbiologyevents"), *of_all, seed, pool, watch("cultures"),
        ),
        "hosp/prescriptions": write_prescriptions(
            path("hosp/prescriptions"), *of_all, own_time(population), seed, pool,
            watch("prescriptions"),
        ),
        "hosp/diagnoses_icd": write_diagnoses(
            path("hosp/diagnoses_icd"), population, labs, seed, pool
        ),
    }  # fmt: skip
    rows = {
        "hosp/d_labitems": write_lab_items(path("hosp/d_labitems"), pool),
        "hosp/d_icd_diagnoses": write_code_titles(path("hosp/d_icd_diagnoses"), pool),
    }
    for name, of_table in written.items():
        rows[name] = of_table.pop("rows")
        counts |= of_table
    return Clinical(rows, counts, lab_outliers, labs)
