"""Stream the MIMIC-IV-Note tables: radiology, discharge, and their detail tables."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from charthouse.synth.csv_table import csv_quoted
from charthouse.synth.gzip_writer import GzipWriter
from charthouse.synth.population import Ints, Population
from charthouse.synth.random_streams import RandomStream, rng_for
from charthouse.synth.report_text import FAMILIES, discharge_text, draw_grades, radiology_text
from charthouse.synth.schedule import EXAMS, Reports, Summaries

CHUNK = 5000
NOTE_HEADER = b"note_id,subject_id,hadm_id,note_type,note_seq,charttime,storetime,text\n"
DETAIL_HEADER = b"note_id,subject_id,field_name,field_value,field_ordinal\n"


def _time_texts(seconds: Ints) -> list[str]:
    texts = np.char.replace(seconds.astype("datetime64[s]").astype(str), "T", " ")
    return list(texts)


def _slices(n: int) -> Iterator[tuple[int, slice]]:
    for chunk, start in enumerate(range(0, n, CHUNK)):
        yield chunk, slice(start, min(start + CHUNK, n))


def write_radiology(
    folder: Path, population: Population, reports: Reports, seed: int, pool: ThreadPoolExecutor
) -> Iterator[int]:
    """Write radiology and radiology_detail; yields the reports done after every chunk."""
    patients = population.patients
    hadm_ids = population.admissions.hadm_id
    with (
        GzipWriter(folder / "radiology.csv.gz", pool) as notes,
        GzipWriter(folder / "radiology_detail.csv.gz", pool) as details,
    ):
        notes.write(NOTE_HEADER)
        details.write(DETAIL_HEADER)
        for chunk, part in _slices(len(reports)):
            rng = rng_for(seed, RandomStream.WORDING, chunk)
            pick = random.Random(int(rng.integers(1 << 62)))
            # Every family's grades for every report: simpler than sorting by family, and cheap.
            grades = {
                family: draw_grades(rng, reports.severity[part], reports.own[part], findings)
                for family, findings in FAMILIES.items()
            }
            charted, stored = (
                _time_texts(reports.charttime[part]),
                _time_texts(reports.storetime[part]),
            )
            subjects = patients.subject_id[reports.patient[part]].tolist()
            genders = patients.gender[reports.patient[part]]
            hadms = np.where(reports.admission[part] >= 0, hadm_ids[reports.admission[part]], 0)
            rows: list[str] = []
            more: list[str] = []
            for i, (exam_no, seq, addendum, hadm) in enumerate(
                zip(
                    reports.exam[part].tolist(),
                    reports.seq[part].tolist(),
                    reports.addendum[part].tolist(),
                    hadms.tolist(),
                    strict=True,
                )
            ):
                family, exam, code = EXAMS[exam_no]
                grade = grades[family][i].tolist()
                text = radiology_text(pick, family, exam, genders[i], grade, addendum)
                kind = "AR" if addendum else "RR"
                note = f"{subjects[i]}-{kind}-{seq}"
                rows.append(
                    f"{note},{subjects[i]},{hadm or ''},{kind},{seq},"
                    f"{charted[i]},{stored[i]},{csv_quoted(text)}\n"
                )
                more.append(
                    f"{note},{subjects[i]},exam_code,{code},1\n"
                    f"{note},{subjects[i]},exam_name,{exam},1\n"
                )
            notes.write("".join(rows).encode())
            details.write("".join(more).encode())
            yield part.stop


def write_discharge(
    folder: Path, population: Population, summaries: Summaries, seed: int, pool: ThreadPoolExecutor
) -> Iterator[int]:
    """Write discharge and discharge_detail; yields the summaries done after every chunk."""
    patients, admissions = population.patients, population.admissions
    latents = population.stays.latents
    with (
        GzipWriter(folder / "discharge.csv.gz", pool) as notes,
        GzipWriter(folder / "discharge_detail.csv.gz", pool) as details,
    ):
        notes.write(NOTE_HEADER)
        details.write(DETAIL_HEADER)
        for chunk, part in _slices(len(summaries.admission)):
            rng = rng_for(seed, RandomStream.WORDING, 1_000_000 + chunk)
            pick = random.Random(int(rng.integers(1 << 62)))
            admission = summaries.admission[part]
            person = admissions.patient[admission]
            stay = admissions.last_stay[admission]
            grades = draw_grades(rng, latents.severity[stay], latents.text[stay], ())[:, 1]
            charted = _time_texts(summaries.charttime[part])
            stored = _time_texts(summaries.storetime[part])
            rows: list[str] = []
            more: list[str] = []
            for i, (which, who, grade, seq) in enumerate(
                zip(
                    admission.tolist(),
                    person.tolist(),
                    grades.tolist(),
                    summaries.seq[part].tolist(),
                    strict=True,
                )
            ):
                subject = patients.subject_id[who]
                text = discharge_text(
                    pick,
                    patients.gender[who],
                    grade,
                    bool(admissions.died[which]),
                    admissions.discharge_location[which],
                )
                note = f"{subject}-DS-{seq}"
                rows.append(
                    f"{note},{subject},{admissions.hadm_id[which]},DS,{seq},"
                    f"{charted[i]},{stored[i]},{csv_quoted(text)}\n"
                )
                more.append(f"{note},{subject},author,___,1\n")
            notes.write("".join(rows).encode())
            details.write("".join(more).encode())
            yield part.stop
