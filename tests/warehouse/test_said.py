"""What commands say is true: what is kept, what has been evaluated, what an option does."""

import json
import socket
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from asking import write
from bench import PROJECT, Bench
from charthouse.cli import app, pipeline
from charthouse.core.errors import CharthouseError
from charthouse.core.settings import merge_settings, parse_vars
from charthouse.jobs.embed.run import EmbedRequest, embed
from charthouse.jobs.evaluate.explain import explain
from charthouse.views.dashboard.launch import launch
from charthouse.views.leaderboard import print_leaderboard
from charthouse.views.report.run import write_report


def built_with(bench: Bench, **settings: object) -> None:
    """As if the warehouse had been built with other settings."""
    protocol = settings.get("protocol", "strict")
    declared = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"]["settings"]
    changed = json.dumps({name: of[protocol] for name, of in declared.items()} | settings)
    write(bench, "update marts.cohort_definition set protocol = coalesce("
                 f"'{changed}'::json ->> 'protocol', protocol),"
                 f" variables = json_merge_patch(variables, '{changed}')")  # fmt: skip


# `charthouse run` keeps the settings of the warehouse


@pytest.mark.parametrize(
    ("before", "given", "passed", "said"),
    [
        ({}, "{}", {}, []),
        ({"window_end_hours": 48}, "{}", {"window_end_hours": 48}, ["window_end_hours 48"]),
        ({"window_end_hours": 48}, "{min_age: 65}", {"window_end_hours": 48, "min_age": 65},
         ["window_end_hours 48"]),
        ({"window_end_hours": 48}, "{window_end_hours: 24}", {"window_end_hours": 24}, []),
        ({"window_end_hours": 48}, "{protocol: paper}",
         {"window_end_hours": 48, "protocol": "paper"}, ["window_end_hours 48"]),
        ({"protocol": "paper", "celsius": "convert"}, "{}",
         {"protocol": "paper", "celsius": "convert"}, ['protocol "paper"', 'celsius "convert"']),
        ({"protocol": "paper"}, "{protocol: strict}", {"protocol": "strict"}, []),
        ({"of_an_older_clone": 1}, "{}", {}, []),
    ],
)  # fmt: skip
def test_run_keeps_the_settings_of_the_warehouse_and_says_so(
    own: Bench, before: dict, given: str, passed: dict, said: list[str]
) -> None:
    built_with(own, **before)
    lines: list[str] = []
    assert merge_settings(PROJECT, own.warehouse, parse_vars([given]), lines.append) == passed
    assert len(lines) == bool(said)
    assert all(words in lines[0] for words in said)


def test_without_a_warehouse_run_takes_the_defaults(tmp_path: Path) -> None:
    assert merge_settings(PROJECT, tmp_path / "none.duckdb", {"min_age": 65}, print) == {
        "min_age": 65
    }


def test_run_passes_settings_on_and_looks_at_names_before_it_builds(
    own: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    built_with(own, window_end_hours=48)
    monkeypatch.setenv("CHARTHOUSE_WAREHOUSE", str(own.warehouse))
    passed: list[list[str]] = []
    monkeypatch.setattr(
        "charthouse.data.build.run_dbt_build", lambda _, words: passed.append(words)
    )
    asked: dict[str, list[str] | None] = {}
    for job in ("embed", "predict", "evaluate", "audit"):
        monkeypatch.setattr(
            pipeline, job, lambda job=job, **options: asked.update({job: options.get("task")})
        )
    words = ["run", "--vars", "{min_age: 65}", "--task", "icu_stay_over_3_days"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0
    tasks = ["icu_stay_over_3_days"]
    assert asked == {"embed": tasks, "predict": tasks, "evaluate": tasks, "audit": None}
    ((name, settings),) = passed
    assert name == "--vars" and json.loads(settings) == {"window_end_hours": 48, "min_age": 65}
    assert result.output == (
        "Kept from the warehouse, where --vars names no other: window_end_hours 48.\n"
    )
    for words, line in [
        (["--encoder", "demographic"], "Did you mean 'demographics'?"),
        (["--fusion", "gate"], "Did you mean 'gated'?"),
        (["--task", "icu_mortalty"], "Did you mean 'icu_mortality'?"),
        (
            ["--task", "icu_stay_over_3_days", "--vars", "{los_threshold_days: 7.0}"],
            "Did you mean 'icu_stay_over_7_days'?",
        ),
        (["--vars", "48"], "--vars '48' are no settings. Write them as"),
    ]:
        result = CliRunner().invoke(app, ["run", *words])
        assert isinstance(result.exception, CharthouseError) and line in str(result.exception)
    assert len(passed) == 1


NO_SETTINGS = "are no settings. Write them as '{window_end_hours: 48}'."


@pytest.mark.parametrize("command", ["build", "run"])
@pytest.mark.parametrize(
    ("given", "line"),
    [
        (["[1,2]"], f"--vars '[1,2]' {NO_SETTINGS}"),
        (["5"], f"--vars '5' {NO_SETTINGS}"),
        (["null"], f"--vars 'null' {NO_SETTINGS}"),
        ([""], f"--vars '' {NO_SETTINGS}"),
        (["{a: [}"], f"--vars '{{a: [}}' {NO_SETTINGS}"),
        (["a: 1\n---\nb: 2"], f"--vars 'a: 1 --- b: 2' {NO_SETTINGS}"),
        (["{min_age: 2020-13-45}"], f"--vars '{{min_age: 2020-13-45}}' {NO_SETTINGS}"),
        (["{min_age: !!bool x}"], f"--vars '{{min_age: !!bool x}}' {NO_SETTINGS}"),
        (["&a {min_age: *a}"], f"--vars '&a {{min_age: *a}}' {NO_SETTINGS}"),
        (["{{1: 2}: 3}"], f"--vars '{{{{1: 2}}: 3}}' {NO_SETTINGS}"),
        (["{1: 2}"], "--vars: 1 is no name of a setting. Write them as '{window_end_hours: 48}'."),
        (["{no: 2}"], "--vars: False is no name of a setting. Write them as"),
        (["{min_age: 18, 'min_age': 65}"], "--vars: 'min_age' occurs twice. Keep one of them."),
        (["{min_age: 18}", "{max_age: 65}"], "--vars is given twice. Put all settings in one."),
    ],
)  # fmt: skip
def test_vars_that_are_no_settings_are_one_line(
    monkeypatch: pytest.MonkeyPatch, command: str, given: list[str], line: str
) -> None:
    """dbt, which would have words of its own or take the last, is not even begun."""
    monkeypatch.setattr(
        "charthouse.data.build.run_dbt_build", lambda *_: pytest.fail("dbt was begun")
    )
    result = CliRunner().invoke(
        app, [command, *(word for text in given for word in ("--vars", text))]
    )
    assert isinstance(result.exception, CharthouseError)
    assert str(result.exception).startswith(line) and "\n" not in str(result.exception)


@pytest.mark.parametrize("command", ["build", "run", "encoders"])
@pytest.mark.parametrize("named", [" ", "w/ ", "w/"])
def test_a_warehouse_of_blanks_is_one_line(
    monkeypatch: pytest.MonkeyPatch, command: str, named: str
) -> None:
    monkeypatch.setenv("CHARTHOUSE_WAREHOUSE", named)
    monkeypatch.setattr(
        "charthouse.data.build.run_dbt_build", lambda *_: pytest.fail("dbt was begun")
    )
    result = CliRunner().invoke(app, [command])
    line = f"CHARTHOUSE_WAREHOUSE: '{named}' names no file. Call it warehouse.duckdb, say, or"
    assert str(result.exception) == f"{line} unset it."


def test_build_hands_settings_and_options_of_dbt_on(monkeypatch: pytest.MonkeyPatch) -> None:
    passed: list[list[str]] = []
    monkeypatch.setattr(
        "charthouse.data.build.run_dbt_build", lambda _, words: passed.append(words)
    )
    for words in (
        ["--select", "labels", "--vars", "{min_age: 2150-01-02}", "--full-refresh"],
        ["--vars={min_age: 65}", "--select", "labels", "--full-refresh"],
        ["--select", "labels"],
    ):
        assert CliRunner().invoke(app, ["build", *words]).exit_code == 0
    assert passed == [
        ["--vars", '{"min_age": "2150-01-02"}', "--select", "labels", "--full-refresh"],
        ["--vars", '{"min_age": 65}', "--select", "labels", "--full-refresh"],
        ["--select", "labels"],
    ]


# What has been evaluated


def evaluated(bench: Bench, cohort_hash: str) -> None:
    """As `charthouse predict` and `evaluate` leave it for a cohort."""
    for kind in ("predict", "evaluate"):
        write(bench, "insert into results.runs by name select"
                     f" '{kind}-1' as run_id, '{kind}' as kind, 'x' as name, '{cohort_hash}' as"
                     " cohort_hash, 'strict' as protocol, true as is_synthetic, '' as code_version,"
                     " 0 as seed, [] as reads, '{}' as settings, '{}' as packages, 'cpu' as device,"
                     " timestamp '2026-01-02' as started_at, timestamp '2026-01-02' as finished_at"
                     )  # fmt: skip
    write(bench, "insert into results.predictions by name select 'predict-1' as run_id, stay_id,"
                 " 'x' as task, 'x' as arm, 'x' as fusion, 'test' as split, 1 as y_true,"
                 " 0.5 as y_score, false as out_of_fold"
                 " from marts.cohort order by stay_id limit 7")  # fmt: skip


def test_what_has_been_evaluated_is_named_under_other_settings(own: Bench, tmp_path: Path) -> None:
    present = str(own.one("select cohort_hash from marts.cohort_definition"))
    with pytest.raises(CharthouseError, match=r"^Nothing has been evaluated yet\."):
        print_leaderboard(own.warehouse)
    evaluated(own, "f" * 32)
    line = (
        f"Cohort {present[:12]}, which the marts hold now, has not been evaluated; cohort"
        " ffffffffffff (protocol strict, 7 stays) has, on 02 January 2026. Run charthouse embed,"
        " predict and evaluate, or build again with the settings of that one."
    )
    for asked in (print_leaderboard, lambda path: write_report(path, tmp_path / "r", say=print)):
        with pytest.raises(CharthouseError) as caught:
            asked(own.warehouse)
        assert str(caught.value) == line


def test_what_was_scored_again_since_is_named(own: Bench) -> None:
    present = str(own.one("select cohort_hash from marts.cohort_definition"))
    evaluated(own, present)
    again = f"^Cohort {present[:12]}, which the marts hold, has been evaluated; labels,"
    with pytest.raises(CharthouseError, match=again):
        print_leaderboard(own.warehouse)


def test_explain_says_what_it_does_not_know(own: Bench) -> None:
    stay_id = int(str(own.one("select min(stay_id) from marts.cohort")))
    with pytest.raises(CharthouseError, match=r"is none of .* mean 'in_hospital_mortality'\?$"):
        explain(PROJECT, own.warehouse, stay_id, "in_hospital_mortalty", None)
    arm = "structured[demographics]"
    with pytest.raises(CharthouseError) as caught:
        explain(PROJECT, own.warehouse, stay_id, "in_hospital_mortality", arm)
    assert str(caught.value).endswith(
        f"Run charthouse predict --arm '{arm}' --fusion concatenate_presence first."
    )


# An option that does nothing says so


def test_a_precision_that_an_encoder_has_not_is_said(own: Bench) -> None:
    said: list[str] = []
    options = EmbedRequest(encoders=["demographics"], precision="bfloat16", dry_run=True)
    embed(PROJECT, own.warehouse, options, say=said.append, watch=lambda label, total: None)  # type: ignore[arg-type]
    assert "  demographics: --precision is not for it; its vectors are float32" in said


def test_with_no_answer_to_read_again_ask_says_so(own: Bench) -> None:
    done = own.charthouse("ask", "--parse-only")
    assert done.returncode == 0
    assert "nothing is to be done" in done.stdout


def test_a_busy_port_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(CharthouseError) as caught:
            launch(tmp_path, tmp_path, address="127.0.0.1", port=port, show_stays=False, say=print)
    assert str(caught.value).startswith(f"127.0.0.1:{port} is in use. Name another: --port ")


def test_an_address_that_is_not_of_this_machine_is_one_line(tmp_path: Path) -> None:
    address = "192.0.2.1"  # for documentation: nobody's
    with pytest.raises(CharthouseError, match=r"^192\.0\.2\.1:8501 cannot be listened on \("):
        launch(tmp_path, tmp_path, address=address, port=8501, show_stays=False, say=print)


def test_an_empty_address_is_not_every_address(tmp_path: Path) -> None:
    with pytest.raises(CharthouseError, match="--address is empty"):
        launch(tmp_path, tmp_path, address="", port=8501, show_stays=False, say=print)
