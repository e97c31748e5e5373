"""Pages: links lead somewhere, folders exist, and every command line is one that runs."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main
import yaml

import charthouse
from bench import PROJECT, Bench, fault_tests
from charthouse.cli import app

BESIDE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md")
PAGES = [*(PROJECT / name for name in BESIDE), *(PROJECT / "docs").rglob("*.md")]
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


def test_how_to_cite_is_of_this_version() -> None:
    """The keys that CFF 1.2.0 requires, and no other version than the package's."""
    cited = yaml.safe_load((PROJECT / "CITATION.cff").read_text())
    assert cited["cff-version"] == "1.2.0" and cited["type"] == "software"
    assert cited["title"] and cited["message"] and cited["authors"][0]["name"]
    assert cited["version"] == charthouse.__version__


def test_what_contributors_are_told_to_run_is_there() -> None:
    targets = set(re.findall(r"^(\w+):", (PROJECT / "Makefile").read_text(), re.M))
    told = re.findall(r"^make (\w+)", (PROJECT / "CONTRIBUTING.md").read_text(), re.M)
    assert "check" in told and set(told) <= targets


def test_the_tests_that_the_page_on_faults_names_are_there() -> None:
    source = "".join(path.read_text() for path in (PROJECT / "tests").glob("*/test_*.py"))
    named = fault_tests()
    assert len(named) > 50
    assert named - set(re.findall(r"^def (test_\w+)", source, re.M)) == set()


def test_the_page_on_architecture_names_what_is_there() -> None:
    page = (PROJECT / "docs/explanation/architecture.md").read_text()
    for path in re.findall(r"`((?:models|python|macros|tests)/[\w./]+)`", page):
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
    page = (PROJECT / "docs/how-to/add-a-task.md").read_text()
    row, model, described = (
        re.search(rf"```{kind}\n(.*?)```", page, re.S)[1] for kind in ("yaml", "sql", "yml")
    )
    settings = project / "dbt_project.yml"
    last = "    - {name: readmission_30d, model: task_readmission_30d}\n"
    settings.write_text(settings.read_text().replace(last, last + row))
    (project / "models/marts/tasks/task_icu_stay_over_a_week.sql").write_text(model)
    (project / "models/marts/tasks/task_icu_stay_over_a_week.yml").write_text(described)
    bench.project = project
    assert bench.build("unit_test").code == 0
    for line in command_lines(PROJECT / "docs/how-to/add-a-task.md"):
        words = shlex.split(PREFIX.sub("", line))
        if words[0] != "build":
            done = bench.charthouse(*words)
            assert done.returncode == 0, done.stderr
    assert bench.one(
        "select count(*) from marts.labels inner join marts.cohort using (stay_id)"
        " where task = 'icu_stay_over_a_week' and label = (los_days > 7)::int"
    ) == bench.one("select count(*) from marts.cohort")
    rows = bench.sql("select arm, n from reports.leaderboard where task = 'icu_stay_over_a_week'")
    assert "structured[summary]" in {arm for arm, _ in rows}


# Commands, run. Those of the pages on adding something and on learners are run by tests of their
# own; `dashboard` by tests/views/test_dashboard.py; `run` by the fixture.

ELSEWHERE = ("charthouse ask", "charthouse dashboard", "charthouse run",
             "last_hour", "icu_stay_over_a_week", "__nutrition", "nutrition[")  # fmt: skip
WANTS = {
    "charthouse embed --encoder cxr_foundation": "CHARTHOUSE_CXR_EMBEDDINGS",
    "charthouse embed --encoder text_embedding_3_large": "OPENAI_API_KEY",
    "charthouse predict --arm 'structured[gru,moment]+text[radbert]' --fusion late --fusion gated":
        "charthouse embed --encoder",
    "charthouse predict --arm 'structured[gru]+text[radbert]' --dry-run":
        "charthouse embed --encoder",
    "charthouse explain 30001234 --task in_hospital_mortality": "30001234",
}  # fmt: skip
"""What a command says where its weights, key or stay are not here."""
LONG = {
    "charthouse synth --stays 1000 --seed 7 --out data/demo": ("1000", "20"),
    "charthouse predict --fusion gated": ("gated", "gated --task in_hospital_mortality"),
}
"""Made smaller."""


@pytest.fixture(scope="module")
def run_through(built: Bench, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """`charthouse run`: all that the README names, from raw files to the audit."""
    folder = tmp_path_factory.mktemp("run")
    bench = Bench(built.raw, folder / "warehouse.duckdb", folder)
    for name in ("OPENAI_API_KEY", "CHARTHOUSE_CXR_EMBEDDINGS", "CHARTHOUSE_WEIGHTS"):
        bench.environment[name] = ""
    bench.environment["HF_HUB_OFFLINE"] = "1"
    bench.environment["CHARTHOUSE_PROJECT"] = str(PROJECT)
    bench.project = folder  # where --out and data/ are made
    done = bench.charthouse("run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "presence" in done.stdout and "checks:" in done.stdout
    return bench


@pytest.mark.parametrize(
    "line",
    sorted(
        {
            line.removeprefix(".venv/bin/")
            for line in COMMANDS
            if "charthouse" in line.split()[0] and not any(name in line for name in ELSEWHERE)
        },
        key=lambda line: (" build " in line, line),  # another cohort comes last
    ),
)
def test_every_command_of_a_page_runs(run_through: Bench, line: str) -> None:
    long, short = LONG.get(line, ("", ""))
    words = shlex.split(line.replace(long, short) if long else line)[1:]
    done = run_through.charthouse(*words)
    if line in WANTS:
        assert done.returncode == 1 and WANTS[line] in done.stderr, done.stderr
        assert done.stderr.count("\n") == 1
    else:
        assert done.returncode == 0, done.stdout + done.stderr
