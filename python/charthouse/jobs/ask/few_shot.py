"""Examples before the question: stays of the train split, with their outcomes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from charthouse.core.errors import CharthouseError
from charthouse.jobs.ask.conditions import IMAGE
from charthouse.jobs.ask.pictures import seeded_order
from charthouse.jobs.ask.profile import read_profiles, render, shown
from charthouse.jobs.ask.prompt import Prompt
from charthouse.models.learners.base import Message

MOST_CHARACTERS = 2000
"""Of an example's profile: longer ones would leave no room for the question itself."""


@dataclass(frozen=True)
class Examples:
    """Examples of one task, without pictures: many learners take one picture only."""

    stay_ids: tuple[int, ...]  # of the train split
    messages: tuple[Message, ...] = field(repr=False)  # user and assistant in turn


def draw_examples(
    db: duckdb.DuckDBPyConnection, prompt: Prompt, task: str, question: str, n: int, seed: int
) -> Examples:
    """Draws as many of each outcome (one more without, if n is odd), and mixes them.

    Raises:
        CharthouseError: the train split has too few.
    """
    if not n:
        return Examples((), ())
    rows = db.execute(
        "select labels.stay_id, labels.label from marts.labels as labels"
        " inner join marts.cohort as cohort using (stay_id)"
        " inner join marts.patient_profiles as profiles using (stay_id)"
        " where labels.task = ? and cohort.split = 'train' and labels.label is not null"
        " and length(profiles.profile) <= ?",
        [task, MOST_CHARACTERS],
    ).fetchall()
    drawn = _first(rows, 1, n // 2, seed) + _first(rows, 0, n - n // 2, seed)
    if len(drawn) < n:
        raise CharthouseError(
            f"--shots {n}: train has too few stays of both outcomes of {task} with a profile of at"
            f" most {MOST_CHARACTERS} characters. Ask for fewer."
        )
    labels = dict(rows)
    drawn.sort(key=lambda stay_id: seeded_order(stay_id, seed + 1))
    profiles = read_profiles(db, drawn)
    messages = []
    for stay_id in drawn:
        names = [each.section for each in profiles[stay_id] if each.section != IMAGE]
        told = shown(profiles[stay_id], names, with_picture=False)
        messages += [
            Message("user", prompt.ask(render(told), question)),
            Message("assistant", "Yes" if labels[stay_id] else "No"),
        ]
    return Examples(tuple(drawn), tuple(messages))


def _first(rows: Sequence[tuple[int, int]], outcome: int, n: int, seed: int) -> list[int]:
    stays = [stay_id for stay_id, label in rows if label == outcome]
    return sorted(stays, key=lambda stay_id: seeded_order(stay_id, seed))[:n]
