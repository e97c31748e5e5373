"""What there is to ask: which questions of which stays, and which of them have their answer."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from charthouse.core.cohort import Cohort, require_same_cohort
from charthouse.core.digest import digest
from charthouse.core.errors import CharthouseError
from charthouse.core.warehouse import open_warehouse
from charthouse.data.xray_files import ROOT, files_below, stat_of
from charthouse.jobs.ask import store
from charthouse.jobs.ask.conditions import Condition, conditions
from charthouse.jobs.ask.pictures import seeded_order, swapped
from charthouse.jobs.ask.request import AskSession

SPLIT = "test"


@dataclass(frozen=True)
class Shown:
    """The X-ray that a question shows, and what its file was like when it was planned."""

    dicom_id: str
    path: Path | None  # None: it must not be opened
    stat: tuple[int, int] | None = None  # None: it is not there


@dataclass(frozen=True)
class PlannedQuestion:
    """A question about a stay."""

    task: str
    condition: Condition
    stay_id: int
    shown: Shown | None
    question_hash: str
    attempts: int  # so far


@dataclass(frozen=True)
class Plan:
    """The questions to one learner."""

    todo: Sequence[PlannedQuestion]  # what has no answer yet; what has failed before comes last
    # all questions of the present cohort under these settings, whoever asks: the hash of each to
    # what it follows from (results.answers.reads)
    current: Mapping[str, list[str]] = field(repr=False)
    answered: int  # questions asked for that have their answer already


@dataclass(frozen=True)
class _Stay:
    subject_id: int
    profile_hash: str
    is_complete: bool
    shown: Shown | None


def make_plan(session: AskSession, learner: str, fingerprint: str) -> Plan:
    """Compares the questions asked for with those answered under settings of this fingerprint.

    Raises:
        CharthouseError: the marts were built again, or no stay has a label of a task.
    """
    request, cohort, sections = session.request, session.cohort, session.cohort.profile_sections
    of_every_stay = request.conditions_of_every_stay(sections)
    of_a_sample = request.conditions_of_a_sample(sections, cohort.shapley_groups)
    task_hashes = {task: session.hash_of_words(task) for task in session.questions}
    with open_warehouse(session.warehouse) as db:
        require_same_cohort(db, cohort)
        stays = _read_stays(db)
        labelled = {task: _labelled(db, task) for task in task_hashes}
        before = store.asked_before(db, learner, fingerprint)
    subjects = {stay_id: stay.subject_id for stay_id, stay in stays.items() if stay.shown}
    others = {
        stay_id: stays[other].shown for stay_id, other in swapped(subjects, request.seed).items()
    }
    kinds_before = {kind for *_, kind in before.values()}
    drawn = sorted(stays, key=lambda stay_id: seeded_order(stay_id, request.seed))
    some = set(drawn[: request.stays])
    sample = set([stay_id for stay_id in drawn if stays[stay_id].is_complete][: request.shapley])
    todo: list[PlannedQuestion] = []
    current: dict[str, list[str]] = {}
    answered = 0
    reads = {task: what_is_read(cohort, task) for task in task_hashes}
    for task in task_hashes:
        for condition in conditions(sections).values():
            chosen = (some if condition in of_every_stay else set()) | (
                sample if condition in of_a_sample else set()
            )
            is_asked = task in request.tasks and bool(chosen)
            if not is_asked and (task, condition.name) not in kinds_before:
                continue
            for stay_id, stay in stays.items():
                if stay_id not in labelled[task] or (condition.needs_picture and not stay.shown):
                    continue
                # a blank rests on the stay's own, for its size
                shown = None if condition.picture == "none" else stay.shown
                if condition.picture == "other":
                    if stay_id not in others:  # there is no other patient
                        continue
                    shown = others[stay_id]
                question_hash = digest(
                    fingerprint, task, task_hashes[task], stay_id, condition.name,
                    condition.sections, condition.picture, stay.profile_hash,
                    shown and (shown.dicom_id, shown.stat),
                )  # fmt: skip
                current[question_hash] = reads[task]
                if not is_asked or stay_id not in chosen:
                    continue
                status, attempts, _ = before.get(question_hash, ("", 0, ()))
                if status == "answered":
                    answered += 1
                else:
                    todo.append(
                        PlannedQuestion(task, condition, stay_id, shown, question_hash, attempts)
                    )
    if not todo and not answered:
        raise CharthouseError(
            "There is nothing to ask: no test stay has what was asked for. See marts.labels and"
            " marts.chest_xrays."
        )
    todo.sort(key=lambda asked: asked.attempts > 0)
    return Plan(todo, current, answered)


def what_is_read(cohort: Cohort, *tasks: str) -> list[str]:
    """What answers about tasks follow from, as results.runs has it."""
    return cohort.reads(
        ("profile", "patient_profiles"), ("modality", "image"), *(("task", task) for task in tasks)
    )


def _read_stays(db: duckdb.DuckDBPyConnection) -> dict[int, _Stay]:
    """Of the test split, in order of stay_id, with size and time of change of each file.

    So a picture that has come since is asked about anew.
    """
    rows = db.execute(
        "select cohort.stay_id, cohort.subject_id, md5(profiles.profile),"
        " cohort.is_complete, profiles.latest_dicom_id, images.path"
        " from marts.cohort as cohort inner join marts.patient_profiles as profiles using (stay_id)"
        " left join marts.chest_xrays as images on images.stay_id = cohort.stay_id"
        " and images.dicom_id = profiles.latest_dicom_id"
        " where cohort.split = ? order by cohort.stay_id",
        [SPLIT],
    ).fetchall()
    named = [row[5] for row in rows if row[5]]
    paths = list(map(files_below(ROOT), named)) if named else []
    with ThreadPoolExecutor(16) as pool:  # the files may be on a slow share
        stats = dict(zip(named, zip(paths, pool.map(stat_of, paths), strict=True), strict=True))
    if named and not any(stat for _, stat in stats.values()):
        # else every question would go out without its picture
        raise CharthouseError(
            f"None of the {len(named)} X-rays is there. Mount the disk, or correct {ROOT}."
        )
    return {
        stay_id: _Stay(subject_id, hashed, complete, Shown(dicom, *stats[path]) if path else None)
        for stay_id, subject_id, hashed, complete, dicom, path in rows
    }


def _labelled(db: duckdb.DuckDBPyConnection, task: str) -> set[int]:
    rows = db.execute(
        "select stay_id from marts.labels where task = ? and label is not null", [task]
    ).fetchall()
    return {row[0] for row in rows}
