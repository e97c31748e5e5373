"""Write MIMIC-CXR: metadata, labels, lists, and the JPGs at their PhysioNet paths."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from charthouse.core.synthetic_marker import PICTURE_COMMENT
from charthouse.synth.csv_gz import write_table
from charthouse.synth.phantom import draw_chest
from charthouse.synth.population import Ints, Objects, Patients
from charthouse.synth.random_streams import RandomStream, rng_for
from charthouse.synth.studies import FEATURES, VIEWS, Images, Studies

FINDINGS = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Enlarged Cardiomediastinum",
            "Fracture", "Lung Lesion", "Lung Opacity", "No Finding", "Pleural Effusion",
            "Pleural Other", "Pneumonia", "Pneumothorax", "Support Devices")  # fmt: skip
# The feature of the picture that a finding reads, and the level above which it is there.
FINDING_READS = {
    "Atelectasis": ("low_volume", 0.6),
    "Cardiomegaly": ("heart", 0.6),
    "Consolidation": ("opacity", 1.2),
    "Edema": ("edema", 0.7),
    "Enlarged Cardiomediastinum": ("heart", 1.6),
    "Lung Opacity": ("opacity", 0.5),
    "Pleural Effusion": ("effusion", 0.5),
    "Pneumonia": ("opacity", 1.0),
    "Support Devices": ("devices", 0.1),
}
VIEW_WORDS = {"AP": "antero-posterior", "PA": "postero-anterior", "LATERAL": "lateral"}
JPEG_QUALITY = 90
BATCH = 128  # pictures between two reports of progress
BLANK = np.array(None, dtype=object)  # an empty field


def study_time_number(time: Ints, millis: Ints) -> NDArray[np.float64]:
    """StudyTime as MIMIC-CXR has it, HHMMSS.fff, from seconds since 1970 and milliseconds [n]."""
    second = time % 86400
    hhmmss = second // 3600 * 10000 + second // 60 % 60 * 100 + second % 60
    return np.round(hhmmss + millis / 1000.0, 3)


def study_date_number(time: Ints) -> Ints:
    """StudyDate as in MIMIC-CXR, the integer YYYYMMDD, from seconds since 1970 [n]."""
    date = time.astype("datetime64[s]").astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    day = (date - month.astype("datetime64[D]")).astype(np.int64) + 1
    months = month.astype(np.int64)
    return (1970 + months // 12) * 10000 + (months % 12 + 1) * 100 + day


def _study_paths(patients: Patients, studies: Studies) -> list[str]:
    both = zip(patients.subject_id[studies.patient], studies.study_id, strict=True)
    return [f"files/p{str(person)[:2]}/p{person}/s{study}" for person, study in both]


def write_cxr_tables(
    folder: Path,
    patients: Patients,
    studies: Studies,
    images: Images,
    image_pixels: int,
    seed: int,
    pool: ThreadPoolExecutor,
) -> dict[str, int]:
    """Write the six .csv.gz files; returns their row counts by file name."""
    rng = rng_for(seed, RandomStream.STUDIES, 2)
    subject = patients.subject_id[studies.patient]
    paths = _study_paths(patients, studies)
    of = images.study
    m = len(images)
    time = studies.time[of]
    pair = np.array(["PA" in views for views in VIEWS])[studies.views[of]]
    procedure = np.where(pair, "CHEST (PA AND LAT)", "CHEST (PORTABLE AP)").astype(object)
    tall = rng.random(m) < 0.45
    high = np.full(m, image_pixels) if image_pixels else np.where(tall, 3056, 2544)
    wide = np.full(m, image_pixels) if image_pixels else np.where(tall, 2544, 3056)
    position = np.where(rng.random(m) < 0.85, np.where(pair, "Erect", "Recumbent"), BLANK)
    files = [f"{paths[study]}/{name}.dcm" for study, name in zip(of, images.dicom_id, strict=True)]
    part = np.searchsorted((0.97, 0.98), rng.random(len(patients)))
    split = np.array(["train", "validate", "test"], dtype=object)[part][studies.patient[of]]
    tables = {
        "mimic-cxr-2.0.0-metadata": {
            "dicom_id": images.dicom_id,
            "subject_id": subject[of],
            "study_id": studies.study_id[of],
            "PerformedProcedureStepDescription": np.where(rng.random(m) < 0.94, procedure, BLANK),
            "ViewPosition": np.where(images.view == "", BLANK, images.view),
            "Rows": high,
            "Columns": wide,
            "StudyDate": study_date_number(time),
            "StudyTime": study_time_number(time, studies.millis[of]),
            "ProcedureCodeSequence_CodeMeaning": procedure,
            "ViewCodeSequence_CodeMeaning": [VIEW_WORDS.get(view) for view in images.view],
            "PatientOrientationCodeSequence_CodeMeaning": position,
        },
        "mimic-cxr-2.0.0-chexpert": _labels(rng, subject, studies, doubt=0.06),
        "mimic-cxr-2.0.0-negbio": _labels(rng, subject, studies, doubt=0.04),
        "mimic-cxr-2.0.0-split": {
            "dicom_id": images.dicom_id,
            "study_id": studies.study_id[of],
            "subject_id": subject[of],
            "split": split,
        },
        "cxr-record-list": {
            "subject_id": subject[of],
            "study_id": studies.study_id[of],
            "dicom_id": images.dicom_id,
            "path": files,
        },
        "cxr-study-list": {
            "subject_id": subject,
            "study_id": studies.study_id,
            "path": [f"{path}.txt" for path in paths],
        },
    }
    return {
        f"{name}.csv.gz": write_table(folder / f"{name}.csv.gz", pa.table(columns), pool)
        for name, columns in tables.items()
    }


def _labels(
    rng: np.random.Generator, subject: Ints, studies: Studies, doubt: float
) -> dict[str, Ints | Objects]:
    """Labels as text: 1.0 yes, 0.0 no, -1.0 uncertain, blank not mentioned."""
    k = len(studies)
    columns: dict[str, Ints | Objects] = {"subject_id": subject, "study_id": studies.study_id}
    anything = np.zeros(k, bool)
    for finding in FINDINGS:
        if finding == "No Finding":
            columns[finding] = np.full(k, None, object)  # keeps its place; filled in below
            continue
        if finding in FINDING_READS:
            feature, least = FINDING_READS[finding]
            score = studies.content[:, FEATURES.index(feature)] + rng.normal(0, 0.3, k)
        else:
            score, least = rng.standard_normal(k), 2.1
        there = score > least
        said_no = ~there & (rng.random(k) < 0.25)
        label = np.where(there, "1.0", np.where(said_no, "0.0", BLANK))
        unsure = (np.abs(score - least) < 0.5) & (rng.random(k) < 4 * doubt)
        columns[finding] = np.where(unsure, "-1.0", label)
        if finding != "Support Devices":
            anything |= there | unsure
    columns["No Finding"] = np.where(anything, BLANK, "1.0")
    return columns


def write_pictures(
    folder: Path,
    patients: Patients,
    studies: Studies,
    images: Images,
    image_pixels: int,
    seed: int,
    pool: ThreadPoolExecutor,
) -> Iterator[int]:
    """Write every JPG; yields the number written after each batch."""
    paths = _study_paths(patients, studies)

    def draw(place: int) -> None:
        study = int(images.study[place])
        target = folder / paths[study] / f"{images.dicom_id[place]}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        rng = rng_for(seed, RandomStream.PICTURES, place)
        picture = draw_chest(rng, image_pixels, studies.content[study], images.view[place])
        picture.save(target, quality=JPEG_QUALITY, comment=PICTURE_COMMENT)

    for start in range(0, len(images), BATCH):
        stop = min(start + BATCH, len(images))
        list(pool.map(draw, range(start, stop)))  # raises what went wrong in a thread
        yield stop
