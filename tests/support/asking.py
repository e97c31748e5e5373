"""How tests ask: a command without its terminal, against a server on this machine."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb

from bench import PROJECT, Bench
from charthouse.jobs.ask.request import AskRequest
from charthouse.jobs.ask.run import ask
from charthouse.net import retry
from fake_chat import Chat

MORTALITY = "in_hospital_mortality"
OF_THE_PAPER = (MORTALITY, "icu_stay_over_3_days")  # each asks about every stay
LEARNER = "llava_1_5_7b"


def put(
    bench: Bench,
    chat: Chat | None = None,
    *,
    project: Path = PROJECT,
    waits: list[float] | None = None,
    **options: Any,
) -> list[str]:
    """Asks one learner about mortality unless told otherwise, and gives back what was said.

    Nothing is waited for; `waits` is given the seconds.
    """
    said: list[str] = []
    if chat is not None:
        options = {"base_url": chat.url} | options
    options = {"learners": [LEARNER], "tasks": [MORTALITY], "max_retries": 1} | options
    seconds = [] if waits is None else waits
    with patch.object(retry, "wait", lambda stop, each: seconds.append(each)):
        ask(
            project,
            bench.warehouse,
            AskRequest(**options),
            say=said.append,
            watch=lambda label, total: nullcontext(lambda done, total: None),
        )
    return said


def write(bench: Bench, statement: str) -> None:
    with duckdb.connect(str(bench.warehouse)) as database:
        database.execute(statement)


def stays_of_test(bench: Bench) -> list[int]:
    rows = bench.sql("select stay_id from marts.cohort where split = 'test' order by stay_id")
    return [row[0] for row in rows]
