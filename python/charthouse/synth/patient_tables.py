"""Write hosp/patients, hosp/admissions, icu/icustays and icu/d_items."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa

from charthouse.synth.categories import CAREUNITS
from charthouse.synth.csv_gz import write_table
from charthouse.synth.filler_items import FILLER_ITEMS, UNUSED_ITEMS
from charthouse.synth.input_items import INPUTS
from charthouse.synth.outputevents import OUTPUTS
from charthouse.synth.population import DAY, Ints, Population
from charthouse.synth.procedureevents import PROCEDURES
from charthouse.synth.vital_signs import ABP_DIA, ABP_SYS, VITAL_SIGNS


def _times(seconds: Ints) -> pa.Array:
    return pa.array(seconds.astype("datetime64[s]"))


def write_population(
    folder: Path, population: Population, pool: ThreadPoolExecutor
) -> dict[str, int]:
    """Write the three tables below ``folder`` (mimic-iv); returns row counts by file name."""
    patients, admissions, stays = population.patients, population.admissions, population.stays
    subject = patients.subject_id
    units = np.array(list(CAREUNITS), dtype=object)
    tables = {
        "hosp/patients.csv.gz": {
            "subject_id": subject,
            "gender": patients.gender,
            "anchor_age": patients.anchor_age,
            "anchor_year": patients.anchor_year,
            "anchor_year_group": patients.anchor_year_group,
            "dod": _times(patients.dod).cast(pa.date32()),
        },
        "hosp/admissions.csv.gz": {
            "subject_id": subject[admissions.patient],
            "hadm_id": admissions.hadm_id,
            "admittime": _times(admissions.admittime),
            "dischtime": _times(admissions.dischtime),
            "deathtime": _times(admissions.deathtime),
            "admission_type": admissions.admission_type,
            "admit_provider_id": admissions.provider,
            "admission_location": admissions.admission_location,
            "discharge_location": admissions.discharge_location,
            "insurance": admissions.insurance,
            "language": admissions.language,
            "marital_status": admissions.marital_status,
            "race": admissions.race,
            "edregtime": _times(admissions.edregtime),
            "edouttime": _times(admissions.edouttime),
            "hospital_expire_flag": admissions.died.astype(np.int64),
        },
        "icu/icustays.csv.gz": {
            "subject_id": subject[stays.patient],
            "hadm_id": admissions.hadm_id[stays.admission],
            "stay_id": stays.stay_id,
            "first_careunit": units[stays.unit],
            "last_careunit": units[stays.last_unit],
            "intime": _times(stays.intime),
            "outtime": _times(stays.outtime),
            "los": stays.seconds / DAY,
        },
    }
    return {
        name: write_table(folder / name, pa.table(columns), pool)
        for name, columns in tables.items()
    }


def write_items(path: Path, pool: ThreadPoolExecutor) -> int:
    """Write d_items: every item charted and some that are not."""
    rows = [
        (s.itemid, s.label, s.abbreviation, "chartevents", s.category, s.unit, s.param_type)
        for s in VITAL_SIGNS
    ]
    rows += [
        (f.itemid, f.label, f.label, "chartevents", f.category, f.unit, f.param_type)
        for f in FILLER_ITEMS
    ]
    rows += [(item[0], item[1], *item[1:]) for item in UNUSED_ITEMS]
    rows += [
        (p.itemid, p.label, p.label, "procedureevents", p.category, "None", "Processes")
        for p in PROCEDURES
    ]
    of_inputs = {i.itemid: i for i in INPUTS}.values()
    rows += [
        (i.itemid, i.label, i.label, "inputevents", i.category, i.unitname, "Solution")
        for i in of_inputs
    ]
    rows += [
        (o.itemid, o.label, o.label, "outputevents", o.category, "mL", "Numeric") for o in OUTPUTS
    ]
    normal = {ABP_SYS: (90.0, 140.0), ABP_DIA: (60.0, 90.0)}
    names = ("itemid", "label", "abbreviation", "linksto", "category", "unitname", "param_type",
             "lownormalvalue", "highnormalvalue")  # fmt: skip
    columns = zip(*((*row, *normal.get(row[0], (None, None))) for row in sorted(rows)), strict=True)
    return write_table(path, pa.table([pa.array(column) for column in columns], names), pool)
