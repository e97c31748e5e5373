"""docs/reference/queries.sql runs as it stands, and docs/reference/tables.md is not stale."""

import re
from pathlib import Path

import duckdb
import pytest
from pytest_httpserver import HTTPServer

from bench import PROJECT, Bench
from charthouse.data.dictionary import PAGE, render_dictionary
from shown import ARMS, BASE, shown_warehouse

QUERIES = {
    int(found[1]): (found[2], query)
    for query in re.split(r";\n", (PROJECT / "docs/reference/queries.sql").read_text())
    if (found := re.search(r"^-- (\d+)\. (.+)$", query, flags=re.MULTILINE))
}


@pytest.fixture(scope="module")
def shown(built: Bench, chat_server: HTTPServer, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return shown_warehouse(built, chat_server, tmp_path_factory.mktemp("shown"))


def answer(bench: Bench, number: int) -> list[dict]:
    with duckdb.connect(str(bench.warehouse), read_only=True) as database:
        found = database.execute(QUERIES[number][1])
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def test_there_are_thirteen_and_each_says_what_it_answers() -> None:
    assert list(QUERIES) == list(range(1, 14))
    for title, _ in QUERIES.values():
        assert title.endswith(("?", ".")), title


@pytest.mark.parametrize("number", QUERIES)
def test_every_query_runs(shown: Bench, number: int) -> None:
    rows = answer(shown, number)
    # whether anything withstands the correction is a matter of chance on so few stays
    assert rows or number == 7


def test_units_hold_every_stay_once(shown: Bench) -> None:
    stays = {
        row["first_careunit"]: row["stays"]
        for row in answer(shown, 1)
        if row["task"] == "in_hospital_mortality"
    }
    assert sum(stays.values()) == shown.one("select count(*) from marts.cohort")
    assert sum(row["stays"] for row in answer(shown, 5)) == sum(stays.values())


def test_the_nearest_neighbours_are_nearest(shown: Bench) -> None:
    rows = answer(shown, 2)
    distances = dict(
        shown.sql(
            "select stay_id, array_cosine_distance(embedding, (select embedding from"
            f" embeddings.fixed_interval where stay_id = {rows[0]['of_stay']}))"
            " from embeddings.fixed_interval"
        )
    )
    del distances[rows[0]["of_stay"]]
    assert [row["distance"] for row in rows] == sorted(distances.values())[:10]


def test_comparisons_that_are_sure_come_when_there_are_any(shown: Bench) -> None:
    level = shown.one("select max(p_adjusted) from reports.comparisons")
    query = QUERIES[7][1].replace("0.05", str(level + 1))
    assert len(shown.sql(query)) == shown.one("select count(p_adjusted) from reports.comparisons")


def test_misses_are_of_both_kinds_and_the_worst_first(shown: Bench) -> None:
    rows = [row for row in answer(shown, 8) if row["task"] == "in_hospital_mortality"]
    for kind, sign in (("negative, high score", -1), ("positive, low score", 1)):
        scores = [sign * row["y_score"] for row in rows if row["miss"] == kind]
        assert scores == sorted(scores) and 0 < len(scores) <= 10
    assert {row["arm"] for row in rows} <= set(ARMS)


def test_provenance_finds_every_vector_that_was_read(shown: Bench) -> None:
    rows = [row for row in answer(shown, 9) if row["arm"] == BASE]
    assert {row["encoder"] for row in rows} == {"demographics", "fixed_interval"}
    assert all(row["stays_read"] > 0 and row["vectors_hash"] for row in rows)


def test_the_dictionary_is_not_stale() -> None:
    page = Path(PROJECT / PAGE).read_text("utf-8")
    assert page == render_dictionary(PROJECT), "run python -m charthouse.data.dictionary"
    for table in ("marts.cohort", "results.answers", "reports.learners", "seeds.tasks"):
        assert f"### {table}\n" in page
