"""Pages: links lead somewhere, folders exist, and every command line is one that runs."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from charthouse.cli import app
from conftest import PROJECT, Bench

PAGES = [PROJECT / "README.md", PROJECT / "benchmarks/README.md", *(PROJECT / "docs").glob("*.md")]
BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.S)
PREFIX = re.compile(r"^(\.venv/bin/)?(charthouse|dbt) ")


def command_lines(page: Path) -> list[str]:
    """Lines of blocks without a language, or of the shell's, that call us or dbt."""
    return [
        line.split("#")[0].strip()
        for language, block in BLOCK.findall(page.read_text())
        if language in ("", "sh")
        for line in block.splitlines()
        if PREFIX.match(line)
    ]


COMMANDS = sorted({line for page in PAGES for line in command_lines(page)})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


def test_the_pages_know_the_folders_of_the_tree() -> None:
    """architecture.md names every package of ours, and none that is gone."""
    page = (PROJECT / "docs/architecture.md").read_text()
    packages = {
        path.parent.name
        for path in (PROJECT / "python/charthouse").glob("*/__init__.py")
        if path.parent.name != "synth"
    }
    rows = "\n".join(re.findall(r"^\| `(?:models|python)/.*$", page, re.M))
    named = set(re.findall(r"`(?:python/charthouse/)?(\w+)`", rows))
    assert packages - named == set()
    for path in re.findall(r"`((?:models|python|macros)/[\w./]+)`", page):
        assert (PROJECT / path).exists(), path


@pytest.mark.parametrize("line", [each for each in COMMANDS if "charthouse" in each.split()[0]])
def test_every_command_of_a_page_has_its_name_and_options(line: str) -> None:
    """Parsed as the command line would, without running it."""
    words = shlex.split(PREFIX.sub("", line))
    group = typer.main.get_command(app)
    assert words[0] in group.commands, line  # type: ignore[attr-defined]
    command = group.commands[words[0]]  # type: ignore[attr-defined]
    command.make_context(words[0], words[1:], resilient_parsing=False)


def test_every_command_of_the_tool_is_on_a_page() -> None:
    group = typer.main.get_command(app)
    shown = {shlex.split(PREFIX.sub("", line))[0] for line in COMMANDS if "charthouse" in line}
    assert set(group.commands) - shown == set()  # type: ignore[attr-defined]


def test_the_page_on_adding_a_task_does_what_it_says(bench: Bench, project: Path) -> None:
    page = (PROJECT / "docs/add-a-task.md").read_text()
    row, label = (re.search(rf"```{kind}\n(.*?)```", page, re.S)[1] for kind in ("csv", "sql"))
    with (project / "seeds/tasks.csv").open("a") as seed:
        seed.write(row)
    labels = project / "models/marts/labels.sql"
    text = labels.read_text()
    end = text.index(")\n\nselect * from final")
    labels.write_text(f"{text[:end]}\n{label}{text[end:]}")
    bench.project = project
    assert bench.build().code == 0
    for line in command_lines(PROJECT / "docs/add-a-task.md"):
        words = shlex.split(PREFIX.sub("", line))
        if words[0] != "build":
            done = bench.charthouse(*words)
            assert done.returncode == 0, done.stderr
    assert bench.one(
        "select count(*) from marts.labels inner join marts.cohort using (stay_id)"
        " where task = 'icu_stay_over_a_week' and label = (los_days > 7)::int"
    ) == bench.one("select count(*) from marts.cohort")
    rows = bench.sql("select arm, n from reports.leaderboard where task = 'icu_stay_over_a_week'")
    assert "structured[vitals_summary]" in {arm for arm, _ in rows}
