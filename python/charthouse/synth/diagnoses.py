"""Stream hosp/diagnoses_icd, and write the dictionary of its codes.

Chronic conditions belong to patients, and each admission records most of them: of those who will
die in hospital more have some. Acute ones are of the admission; some of them follow death, so the
codes of an admission tell its outcome, as they are given after discharge.
"""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from charthouse.synth.big_tables import csv_rows, pick
from charthouse.synth.csv_gz import GzipWriter, write_dictionary
from charthouse.synth.lab_rows import LabPlan
from charthouse.synth.population import Population, year_of
from charthouse.synth.random_streams import RandomStream, rng_for
from charthouse.synth.signal import Bools, Floats

HEADER = b"subject_id,hadm_id,seq_num,icd_code,icd_version\n"
CHUNK = 20_000  # admissions
RECORDED = 0.85  # share of admissions with a code of each chronic condition that the patient has


@dataclass(frozen=True)
class Condition:
    """One diagnosis by its codes in both versions, with their titles."""

    icd9: str
    title9: str
    icd10: str
    title10: str
    share: float  # of patients, or of admissions, that do not end in death
    shift: float = 0.0  # log odds more of those that do
    severity: float = 0.0  # log odds more per unit of severity


_C = Condition
CHRONIC: dict[str, Condition] = {
    "myocardial_infarction": _C("412", "Old myocardial infarction", "I252",
        "Old myocardial infarction", 0.12, 0.2),
    "heart_failure": _C("42822", "Chronic systolic heart failure", "I5022",
        "Chronic systolic (congestive) heart failure", 0.22, 0.6),
    "peripheral_vascular": _C("4439", "Peripheral vascular disease, unspecified", "I739",
        "Peripheral vascular disease, unspecified", 0.09, 0.3),
    "hemiplegia": _C("34290", "Hemiplegia, unspecified, affecting unspecified side", "G8190",
        "Hemiplegia, unspecified affecting unspecified side", 0.03, 0.5),
    "dementia": _C("29420", "Dementia, unspecified, without behavioral disturbance", "F0390",
        "Unspecified dementia without behavioral disturbance", 0.05, 0.5),
    "chronic_pulmonary": _C("496", "Chronic airway obstruction, not elsewhere classified", "J449",
        "Chronic obstructive pulmonary disease, unspecified", 0.18, 0.3),
    "rheumatic": _C("7140", "Rheumatoid arthritis", "M069",
        "Rheumatoid arthritis, unspecified", 0.03),
    "peptic_ulcer": _C("53190", "Gastric ulcer, unspecified as acute or chronic, without mention of"
        " hemorrhage or perforation, without mention of obstruction", "K259",
        "Gastric ulcer, unspecified as acute or chronic, without hemorrhage or perforation", 0.03),
    "mild_liver": _C("5715", "Cirrhosis of liver without mention of alcohol", "K7460",
        "Unspecified cirrhosis of liver", 0.06, 0.7),
    "severe_liver": _C("5722", "Hepatic encephalopathy", "K7290",
        "Hepatic failure, unspecified without coma", 0.03, 1.2),
    "diabetes": _C("25000", "Diabetes mellitus without mention of complication, type II or"
        " unspecified type, not stated as uncontrolled", "E119",
        "Type 2 diabetes mellitus without complications", 0.22),
    "diabetes_with_complications": _C("25040", "Diabetes with renal manifestations, type II or"
        " unspecified type, not stated as uncontrolled", "E1122",
        "Type 2 diabetes mellitus with diabetic chronic kidney disease", 0.08, 0.2),
    "renal": _C("5859", "Chronic kidney disease, unspecified", "N189",
        "Chronic kidney disease, unspecified", 0.16, 0.5),
    "cancer": _C("1629", "Malignant neoplasm of bronchus and lung, unspecified", "C3490",
        "Malignant neoplasm of unspecified part of unspecified bronchus or lung", 0.08, 0.7),
    "metastatic": _C("1977", "Malignant neoplasm of liver, secondary", "C787",
        "Secondary malignant neoplasm of liver and intrahepatic bile duct", 0.04, 1.5),
    "hiv": _C("042", "Human immunodeficiency virus [HIV] disease", "B20",
        "Human immunodeficiency virus [HIV] disease", 0.008),
    # Not of Charlson's index, and of no effect.
    "hypertension": _C("4019", "Unspecified essential hypertension", "I10",
        "Essential (primary) hypertension", 0.5),
    "hyperlipidemia": _C("2724", "Other and unspecified hyperlipidemia", "E785",
        "Hyperlipidemia, unspecified", 0.4),
    "atrial_fibrillation": _C("42731", "Atrial fibrillation", "I4891",
        "Unspecified atrial fibrillation", 0.24),
    "coronary": _C("41401", "Coronary atherosclerosis of native coronary artery", "I2510",
        "Atherosclerotic heart disease of native coronary artery without angina pectoris", 0.28),
    "reflux": _C("53081", "Esophageal reflux", "K219",
        "Gastro-esophageal reflux disease without esophagitis", 0.2),
    "smoking": _C("V1582", "Personal history of tobacco use", "Z87891",
        "Personal history of nicotine dependence", 0.25),
    "hypothyroid": _C("2449", "Unspecified acquired hypothyroidism", "E039",
        "Hypothyroidism, unspecified", 0.13),
    "depression": _C("311", "Depressive disorder, not elsewhere classified", "F329",
        "Major depressive disorder, single episode, unspecified", 0.16),
    "anxiety": _C("30000", "Anxiety state, unspecified", "F419",
        "Anxiety disorder, unspecified", 0.17),
    "gout": _C("2749", "Gout, unspecified", "M109", "Gout, unspecified", 0.1),
    "sleep_apnea": _C("32723", "Obstructive sleep apnea (adult)(pediatric)", "G4733",
        "Obstructive sleep apnea (adult) (pediatric)", 0.16),
    "insulin": _C("V5867", "Long-term (current) use of insulin", "Z794",
        "Long term (current) use of insulin", 0.22),
    "anticoagulants": _C("V5861", "Long-term (current) use of anticoagulants", "Z7901",
        "Long term (current) use of anticoagulants", 0.22),
    "tobacco": _C("3051", "Tobacco use disorder", "F17210",
        "Nicotine dependence, cigarettes, uncomplicated", 0.15),
    "bypass": _C("V4581", "Aortocoronary bypass status", "Z951",
        "Presence of aortocoronary bypass graft", 0.13),
    "osteoporosis": _C("73300", "Osteoporosis, unspecified", "M810",
        "Age-related osteoporosis without current pathological fracture", 0.1),
    "osteoarthritis": _C("71590", "Osteoarthrosis, unspecified whether generalized or localized,"
        " site unspecified", "M1990", "Unspecified osteoarthritis, unspecified site", 0.12),
}  # fmt: skip

ACUTE: dict[str, Condition] = {
    "septic_shock": _C("78552", "Septic shock", "R6521", "Severe sepsis with septic shock",
        0.04, 2.3, 0.3),
    "cardiac_arrest": _C("4275", "Cardiac arrest", "I469", "Cardiac arrest, cause unspecified",
        0.02, 2.8),
    "cardiogenic_shock": _C("78551", "Cardiogenic shock", "R570", "Cardiogenic shock", 0.04, 1.2),
    "palliative_care": _C("V667", "Encounter for palliative care", "Z515",
        "Encounter for palliative care", 0.03, 2.8),
    "do_not_resuscitate": _C("V4986", "Do not resuscitate status", "Z66", "Do not resuscitate",
        0.07, 2.1),
    "acidosis": _C("2762", "Acidosis", "E872", "Acidosis", 0.12, 1.2, 0.4),
    "respiratory_failure": _C("51881", "Acute respiratory failure", "J9601",
        "Acute respiratory failure with hypoxia", 0.22, 0.9, 0.7),
    "kidney_failure": _C("5849", "Acute kidney failure, unspecified", "N179",
        "Acute kidney failure, unspecified", 0.1, 0.5),
    "pneumonia": _C("486", "Pneumonia, organism unspecified", "J189",
        "Pneumonia, unspecified organism", 0.14, 0.3, 0.3),
    "urinary_infection": _C("5990", "Urinary tract infection, site not specified", "N390",
        "Urinary tract infection, site not specified", 0.15),
    "anemia_of_bleeding": _C("2851", "Acute posthemorrhagic anemia", "D62",
        "Acute posthemorrhagic anemia", 0.16),
    "hyponatremia": _C("2761", "Hyposmolality and/or hyponatremia", "E871",
        "Hypo-osmolality and hyponatremia", 0.12),
    "hypokalemia": _C("2768", "Hypopotassemia", "E876", "Hypokalemia", 0.1),
    "thrombocytopenia": _C("2875", "Thrombocytopenia, unspecified", "D696",
        "Thrombocytopenia, unspecified", 0.1),
    "anemia": _C("2859", "Anemia, unspecified", "D649", "Anemia, unspecified", 0.2),
    "hypernatremia": _C("2760", "Hyperosmolality and/or hypernatremia", "E870",
        "Hyperosmolality and hypernatremia", 0.1),
    "pleural_effusion": _C("5119", "Unspecified pleural effusion", "J90",
        "Pleural effusion, not elsewhere classified", 0.2),
    "hypotension": _C("4589", "Hypotension, unspecified", "I959", "Hypotension, unspecified", 0.2),
    "hypovolemia": _C("27652", "Hypovolemia", "E861", "Hypovolemia", 0.14),
    "altered_mental_status": _C("78097", "Altered mental status", "R4182",
        "Altered mental status, unspecified", 0.12, 0.3),
    "bacteremia": _C("7907", "Bacteremia", "R7881", "Bacteremia", 0.06),
    "collapsed_lung": _C("5180", "Pulmonary collapse", "J9811", "Atelectasis", 0.16),
    "constipation": _C("56400", "Constipation, unspecified", "K5900",
        "Constipation, unspecified", 0.18),
    "obesity": _C("27800", "Obesity, unspecified", "E669", "Obesity, unspecified", 0.15),
}  # fmt: skip
CONDITIONS = (*CHRONIC.values(), *ACUTE.values())
KIDNEY, ANEMIA = (len(CHRONIC) + list(ACUTE).index(name) for name in ("kidney_failure", "anemia"))
FAILING = 0.8  # from which on kidneys fail badly enough to be coded


def _log_odds(conditions: dict[str, Condition]) -> tuple[Floats, Floats, Floats]:
    """Log odds without death, shifts by death and by severity."""
    share = np.array([each.share for each in conditions.values()])
    shift = np.array([each.shift for each in conditions.values()])
    severity = np.array([each.severity for each in conditions.values()])
    return np.log(share / (1 - share)), shift, severity


def draw_chronic(population: Population, seed: int) -> Bools:
    """Which patients have which chronic conditions, ``(p, len(CHRONIC))``, given who dies."""
    rng = rng_for(seed, RandomStream.DIAGNOSES)
    visits, patients = population.admissions, len(population.patients)
    dies = np.bincount(visits.patient, visits.died, patients) > 0
    base, shift, _ = _log_odds(CHRONIC)
    logit = base + shift * dies[:, None]
    return np.asarray(rng.random(logit.shape) < 1 / (1 + np.exp(-logit)))


def uses_icd9(population: Population) -> Bools:
    """Whether each admission is coded in ICD-9, as all were up to September 2015, ``(a,)``."""
    visits = population.admissions
    year = year_of(visits.admittime) - population.patients.years_shifted[visits.patient]
    month = visits.admittime.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64) % 12
    return np.asarray((year < 2015) | ((year == 2015) & (month < 9)))


def write_diagnoses(
    path: Path, population: Population, labs: LabPlan, seed: int, pool: ThreadPoolExecutor
) -> Counter[str]:
    """Write the table.

    Returns:
        Counts of what was written.
    """
    patients, visits = population.patients, population.admissions
    chronic, icd9 = draw_chronic(population, seed), uses_icd9(population)
    last = visits.last_stay
    severity, failing = population.stays.latents.severity[last], labs.failing[last] > FAILING
    base, shift, by_severity = _log_odds(ACUTE)
    codes = [each.icd9 for each in CONDITIONS] + [each.icd10 for each in CONDITIONS]
    counts: Counter[str] = Counter()
    with GzipWriter(path, pool) as out:
        out.write(HEADER)
        for chunk, start in enumerate(range(0, len(visits), CHUNK)):
            rng = rng_for(seed, RandomStream.DIAGNOSES, chunk + 1)
            some = slice(start, start + CHUNK)
            logit = base + shift * visits.died[some, None] + by_severity * severity[some, None]
            acute = rng.random(logit.shape) < 1 / (1 + np.exp(-logit))
            has = np.concatenate((chronic[visits.patient[some]], acute), axis=1)
            has[:, : len(CHRONIC)] &= rng.random((len(has), len(CHRONIC))) < RECORDED
            has[:, KIDNEY] |= failing[some] & (rng.random(len(has)) < 0.75)
            has[:, ANEMIA] |= ~has.any(axis=1)  # no admission is without a code
            admission, condition = np.nonzero(has)
            order = np.lexsort((rng.random(len(admission)), admission))
            admission, condition = admission[order], condition[order]
            number = np.arange(len(admission)) - np.searchsorted(admission, admission) + 1
            ninth = icd9[some][admission]
            out.write(
                csv_rows(
                    pa.array(patients.subject_id[visits.patient[some]][admission]),
                    pa.array(visits.hadm_id[some][admission]),
                    pa.array(number),
                    pick(codes, condition + len(CONDITIONS) * ~ninth),
                    pick(["10", "9"], ninth.astype(np.int64)),
                )
            )
            counts["rows"] += len(admission)
            counts["icd9_diagnoses"] += int(ninth.sum())
            for place, name in enumerate(ACUTE):
                coded = has[:, len(CHRONIC) + place]
                counts[f"{name}_coded"] += int(coded.sum())
                counts[f"{name}_coded_in_deaths"] += int((coded & visits.died[some]).sum())
    return counts


def write_code_titles(path: Path, pool: ThreadPoolExecutor) -> int:
    """Write d_icd_diagnoses: every code used, of both versions."""
    rows = [(each.icd9, 9, each.title9) for each in CONDITIONS]
    rows += [(each.icd10, 10, each.title10) for each in CONDITIONS]
    return write_dictionary(path, ("icd_code", "icd_version", "long_title"), sorted(rows), pool)
