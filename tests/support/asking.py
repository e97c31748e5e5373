"""How tests ask: a command without its terminal, against a server on this machine."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import duckdb

from bench import PROJECT, Bench
from charthouse.jobs.ask.run import Options, ask
from charthouse.net.patience import Patience
from fake_chat import Chat

MORTALITY = "in_hospital_mortality"
LEARNER = "llava_1_5_7b"
IMPATIENT = Patience(tries=2, sleep=lambda seconds: None)


def put(
    bench: Bench,
    chat: Chat | None = None,
    *,
    project: Path = PROJECT,
    patience: Patience = IMPATIENT,
    **options: Any,
) -> list[str]:
    """Asks one learner about mortality unless told otherwise, and gives back what was said."""
    said: list[str] = []
    if chat is not None:
        options = {"base_url": chat.url} | options
    options = {"learners": [LEARNER], "tasks": [MORTALITY]} | options
    ask(
        project,
        bench.warehouse,
        Options(**options),
        say=said.append,
        watch=lambda label, total: nullcontext(lambda done, total: None),
        patience=patience,
    )
    return said


def write(bench: Bench, statement: str) -> None:
    with duckdb.connect(str(bench.warehouse)) as database:
        database.execute(statement)


def stays_of_test(bench: Bench) -> list[int]:
    rows = bench.sql("select stay_id from marts.cohort where split = 'test' order by stay_id")
    return [row[0] for row in rows]
