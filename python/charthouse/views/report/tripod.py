"""The TRIPOD+AI checklist, filled from the tables: each item with the query behind its answer."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import duckdb


@dataclass(frozen=True)
class Item:
    """An item of the checklist.

    Attributes:
        number: As the statement counts them, such as 12a.
        section: The part of a paper that it belongs to.
        asks: What it asks to be reported.
        sql: The query whose one column of text answers it; None where the authors must.
        answers: What the query gave.
    """

    number: str
    section: str
    asks: str
    sql: str | None = None
    answers: Sequence[str] = ()


def checklist(db: duckdb.DuckDBPyConnection) -> list[Item]:
    """Every item of the statement, in its order, answered where the warehouse can.

    Args:
        db: A warehouse on whose cohort something has been evaluated.

    Raises:
        duckdb.CatalogException: A table is missing: the warehouse is of an earlier version.
    """
    text = resources.files("charthouse.views.report").joinpath("tripod.toml").read_text("utf-8")
    items = []
    for fields in tomllib.loads(text)["item"]:
        sql = fields.pop("sql", "").strip() or None
        answers = [str(row[0]) for row in db.execute(sql).fetchall()] if sql else []
        items.append(Item(**fields, sql=sql, answers=answers))
    return items
