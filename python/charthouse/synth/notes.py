"""Stream the MIMIC-IV-Note tables: radiology, discharge, and their detail tables."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from charthouse.synth.csv_gz import GzipWriter, csv_quoted
from charthouse.synth.population import Ints, Population
from charthouse.synth.random_streams import RandomStream, rng_for
from charthouse.synth.report_text import FAMILIES, discharge_text, draw_grades, radiology_text
from charthouse.synth.schedule import EXAMS, Reports, Summaries

CHUNK = 5000
NOTE_HEADER = b"note_id,subject_id,hadm_id,note_type,note_seq,charttime,storetime,text\n"
DETAIL_HEADER = b"note_id,subject_id,field_name,field_value,field_ordinal\n"

Note = tuple[int, int, str, str, list[str]]
"""subject_id, hadm_id (0 for none), note_type, text, and field,value,ordinal of its details."""
Notes = Callable[[slice, np.random.Generator, random.Random], Iterator[Note]]
"""The notes of a slice; grades are drawn by the one, words chosen by the other."""


def write_radiology(
    folder: Path, population: Population, reports: Reports, seed: int, pool: ThreadPoolExecutor
) -> Iterator[int]:
    """Write radiology and radiology_detail; yields the reports done after every chunk."""
    patients, hadm_ids = population.patients, population.admissions.hadm_id

    def notes(part: slice, rng: np.random.Generator, pick: random.Random) -> Iterator[Note]:
        # Every family's grades for every report: simpler than sorting by family, and cheap.
        grades = {
            family: draw_grades(rng, reports.severity[part], reports.own[part], findings)
            for family, findings in FAMILIES.items()
        }
        for i in range(part.start, part.stop):
            person, admission = reports.patient[i], reports.admission[i]
            addendum = bool(reports.addendum[i])
            family, exam, code = EXAMS[reports.exam[i]]
            grade = grades[family][i - part.start].tolist()
            text = radiology_text(pick, family, exam, patients.gender[person], grade, addendum)
            details = [f"exam_code,{code},1", f"exam_name,{exam},1"]
            hadm_id = hadm_ids[admission] if admission >= 0 else 0
            yield patients.subject_id[person], hadm_id, "AR" if addendum else "RR", text, details

    return _write(folder, "radiology", reports, notes, seed, 0, pool)


def write_discharge(
    folder: Path, population: Population, summaries: Summaries, seed: int, pool: ThreadPoolExecutor
) -> Iterator[int]:
    """Write discharge and discharge_detail; yields the summaries done after every chunk."""
    patients, admissions = population.patients, population.admissions
    latents = population.stays.latents

    def notes(part: slice, rng: np.random.Generator, pick: random.Random) -> Iterator[Note]:
        stay = admissions.last_stay[summaries.admission[part]]
        grades = draw_grades(rng, latents.severity[stay], latents.text[stay], ())[:, 1]
        for which, grade in zip(summaries.admission[part], grades.tolist(), strict=True):
            person = admissions.patient[which]
            text = discharge_text(
                pick,
                patients.gender[person],
                grade,
                bool(admissions.died[which]),
                admissions.discharge_location[which],
            )
            details = ["author,___,1"]
            yield patients.subject_id[person], admissions.hadm_id[which], "DS", text, details

    return _write(folder, "discharge", summaries, notes, seed, 1_000_000, pool)


def _write(
    folder: Path,
    name: str,
    planned: Reports | Summaries,
    notes_of: Notes,
    seed: int,
    first_stream: int,
    pool: ThreadPoolExecutor,
) -> Iterator[int]:
    n = len(planned)
    with (
        GzipWriter(folder / f"{name}.csv.gz", pool) as notes,
        GzipWriter(folder / f"{name}_detail.csv.gz", pool) as details,
    ):
        notes.write(NOTE_HEADER)
        details.write(DETAIL_HEADER)
        for chunk, start in enumerate(range(0, n, CHUNK)):
            part = slice(start, min(start + CHUNK, n))
            rng = rng_for(seed, RandomStream.WORDING, first_stream + chunk)
            pick = random.Random(int(rng.integers(1 << 62)))
            times = _time_texts(planned.charttime[part]), _time_texts(planned.storetime[part])
            rows: list[str] = []
            more: list[str] = []
            for (subject, hadm, kind, text, fields), seq, charted, stored in zip(
                notes_of(part, rng, pick), planned.seq[part], *times, strict=True
            ):
                note = f"{subject}-{kind}-{seq}"
                rows.append(
                    f"{note},{subject},{hadm or ''},{kind},{seq},{charted},{stored},"
                    f"{csv_quoted(text)}\n"
                )
                more.extend(f"{note},{subject},{field}\n" for field in fields)
            notes.write("".join(rows).encode())
            details.write("".join(more).encode())
            yield part.stop


def _time_texts(seconds: Ints) -> list[str]:
    return list(np.char.replace(seconds.astype("datetime64[s]").astype(str), "T", " "))
