"""The dashboard: every page with everything, with nothing, of credentialed data, in a browser."""

import itertools
import re
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import PIL.Image
import pytest
from pytest_httpserver import HTTPServer
from streamlit.testing.v1 import AppTest

from asking import write
from bench import Bench
from charthouse.core.errors import CharthouseError
from charthouse.views.dashboard import launch as launching
from charthouse.views.dashboard.app import PAGES
from charthouse.views.dashboard.data import Site, find_copy, others_beside
from charthouse.views.figures.style import limits_of
from charthouse.views.figures.words import MINUS, short_arm, worded
from charthouse.views.publish import Options, publish, published_dir
from shown import BASE, IMAGE, TEXT, shown_warehouse

WIDTHS = (1440, 1024)
NAMES = [page.name for page in PAGES]
BANNER = "SYNTHETIC DATA"
DEATH = "in_hospital_mortality"


def script(name: str | None, folder: str, warehouse: str, show_stays: bool) -> None:
    """What Streamlit's test runner runs; it sees nothing of this module."""
    from pathlib import Path

    from charthouse.views.dashboard.app import run
    from charthouse.views.dashboard.data import Site

    run(Site(Path(folder), Path(warehouse), show_stays), name)


def page(
    bench: Bench, name: str | None, *, show_stays: bool = False, **address: str | list[str]
) -> AppTest:
    """A page as it opens, from an address that may say what is chosen."""
    told = {"name": name, "folder": str(published_dir(bench.warehouse)),
            "warehouse": str(bench.warehouse), "show_stays": show_stays}  # fmt: skip
    app = AppTest.from_function(script, kwargs=told, default_timeout=60)
    for key, value in address.items():
        app.query_params[key] = value
    return checked(app.run())


def checked(app: AppTest) -> AppTest:
    assert not app.exception, [error.value for error in app.exception]
    return app


def words(app: AppTest) -> str:
    """All that a page says, its tables and charts included."""
    kinds = ("title", "subheader", "markdown", "caption", "info", "warning", "code", "json")
    said = [str(element.value) for kind in kinds for element in app.get(kind)]
    said += [element.proto.body for element in app.get("html")]
    said += [table.value.to_csv() for table in app.dataframe]
    said += [element.proto.SerializeToString().decode("latin-1")
             for element in app.get("vega_lite_chart")]  # fmt: skip
    for kind in ("selectbox", "multiselect"):
        said += [option for element in app.get(kind) for option in element.options]
    return "\n".join(said)


def facts(app: AppTest) -> dict[str, str]:
    """The numbers in large type: name to value."""
    lines = [re.sub("<[^>]+>", "|", element.proto.body) for element in app.get("html")]
    cells = [cell for line in lines for cell in line.split("|") if cell]
    return dict(itertools.pairwise(cells))


def tables(app: AppTest) -> list[pd.DataFrame]:
    return [table.value for table in app.dataframe]


def with_copy(bench: Bench, **options: Any) -> Bench:
    publish(bench.warehouse, Options(**options), say=lambda line: None)
    return bench


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """Streamlit puts the script in its place, and processes that tests fork later would run it."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@pytest.fixture(scope="module")
def shown(built: Bench, chat_server: HTTPServer, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Everything there is to show, published with vectors; read only."""
    made = shown_warehouse(built, chat_server, tmp_path_factory.mktemp("shown"))
    return with_copy(made, embeddings=True)


@pytest.fixture(scope="module")
def bare(built: Bench, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Marts and nothing more, published; read only."""
    return with_copy(cloned(built, tmp_path_factory.mktemp("bare")))


@pytest.fixture(scope="module")
def credentialed(shown: Bench, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """As if of real patients, and with a leak for the audit to find; read only."""
    bench = cloned(shown, tmp_path_factory.mktemp("credentialed"))
    for table in ("marts.cohort_definition", "results.runs"):
        write(bench, f"update {table} set is_synthetic = false")
    write(bench, "update marts.chest_xrays set available_at = available_at + interval 9 days"
                 " where stay_id = (select min(stay_id) from marts.chest_xrays)")  # fmt: skip
    # what `evaluate --by subject_id` and `ask --shots` leave behind
    write(bench, "insert into results.learner_metrics select metrics.* replace ('subject_id' as"
                 " attribute, subject_id::varchar as subgroup) from results.learner_metrics as"
                 " metrics cross join (select distinct subject_id from marts.cohort)"
                 " where attribute = 'gender' and subgroup = 'F'")  # fmt: skip
    write(bench, "insert into results.learner_fairness select * replace ('subject_id' as attribute,"
                 " (select list(distinct subject_id::varchar) from marts.cohort) as left_out)"
                 " from results.learner_fairness where attribute = 'gender'")  # fmt: skip
    write(bench, "update results.runs set settings = json_merge_patch(settings, json_object("
                 "'shots', [{'task': 'any', 'stay_id': (select min(stay_id) from marts.cohort)}]))"
                 " where kind = 'ask'")  # fmt: skip
    return with_copy(bench, embeddings=True)


def cloned(bench: Bench, folder: Path) -> Bench:
    shutil.copy(bench.warehouse, folder / "warehouse.duckdb")
    return Bench(bench.raw, folder / "warehouse.duckdb", folder)


# Every page


@pytest.mark.parametrize("name", NAMES)
def test_every_page_shows_what_there_is_and_that_it_is_synthetic(shown: Bench, name: str) -> None:
    app = page(shown, name)
    said = words(app)
    assert BANNER in said
    assert len(app.title) == 1
    if name != "copies":  # there is one; of the others nothing is missing
        assert "charthouse p" not in "".join(block.value for block in app.code)
    assert facts(app) or app.dataframe or name == "copies"


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("leaderboard", "charthouse predict"),
        ("comparisons", "charthouse evaluate"),
        ("subgroups", "charthouse evaluate"),
        ("contributions", "charthouse evaluate"),
        ("learners", "charthouse ask"),
        ("stay", "charthouse predict"),
        ("runs", "charthouse embed"),
    ],
)
def test_a_page_with_nothing_to_show_says_what_to_run(bare: Bench, name: str, command: str) -> None:
    commands = [block.value for block in page(bare, name).code]
    assert any(command in block and "charthouse publish" in block for block in commands)


@pytest.mark.parametrize("name", ["overview", "audit"])
def test_pages_of_the_cohort_need_no_results(bare: Bench, name: str) -> None:
    app = page(bare, name)
    assert not app.code and not app.info and facts(app).keys() & {"Stays", "Passed"}


def test_pages_name_the_cohort_that_has_been_evaluated(shown: Bench, tmp_path: Path) -> None:
    """The marts are of another by now: nothing is shown, and why."""
    bench = cloned(shown, tmp_path)
    former = str(bench.one("select cohort_hash from marts.cohort_definition"))[:12]
    write(bench, "update marts.cohort_definition set cohort_hash = md5('another')")
    app = page(with_copy(bench), "leaderboard")
    assert f"cohort {former} (protocol strict" in app.info[0].value
    assert "Nothing has been evaluated" in app.info[1].value


def test_without_a_copy_it_says_how_to_make_one(built: Bench, tmp_path: Path) -> None:
    bench = cloned(built, tmp_path)
    (code,) = page(bench, None).code
    assert code.value == "charthouse publish"
    bench.warehouse.unlink()
    (code,) = page(bench, None).code
    assert code.value == "charthouse run\ncharthouse publish"


def test_a_view_that_the_warehouse_lacks_is_no_error(shown: Bench, tmp_path: Path) -> None:
    bench = cloned(shown, tmp_path)
    built_on_it = ("subgroups", "fairness", "comparisons", "contributions")
    for view in ("learners", *(f"learner_{name}" for name in built_on_it)):
        write(bench, f"drop view reports.{view}")
    app = page(with_copy(bench), "learners")
    assert "has no reports.learners" in app.info[0].value
    assert app.code[0].value == "charthouse build\ncharthouse publish"


def test_a_newer_warehouse_is_named_and_a_newer_copy_is_read(shown: Bench, tmp_path: Path) -> None:
    bench = with_copy(cloned(shown, tmp_path))
    app = page(bench, "overview")
    assert not app.info
    stays = facts(app)["Stays"]
    write(bench, "delete from marts.cohort where split = 'train'")
    app = checked(app.run())
    assert "has been written to since" in app.info[0].value and facts(app)["Stays"] == stays
    with_copy(bench)
    app = checked(app.run())
    assert not app.info
    assert facts(app)["Stays"] == str(bench.one("select count(*) from marts.cohort")) != stays


# What pages say is what the tables say


def test_the_overview_counts_the_cohort(shown: Bench) -> None:
    app = page(shown, "overview")
    assert facts(app)["Stays"] == str(shown.one("select count(*) from marts.cohort"))
    said = words(app)
    for criterion, stays, patients in shown.sql(
        "select criterion, stays_dropped, patients_dropped from marts.cohort_attrition"
        " where stays_dropped > 0"
    ):
        assert f"{worded(criterion)}<" in said
        assert f"{MINUS}{stays:,} stays, {MINUS}{patients:,} patients" in said
    rates = shown.sql(
        "select printf('%.1f%%', 100 * avg(label)) from marts.labels inner join marts.cohort"
        " using (stay_id) group by task, split"
    )
    assert all(rate in said for (rate,) in rates)


def test_the_leaderboard_filters_by_task_modality_and_run(shown: Bench) -> None:
    app = page(shown, "leaderboard")
    everything = dict(
        shown.sql(
            "select arm, auroc from reports.leaderboard where run_id is not null"
            f" and population = 'all' and task = '{DEATH}'"
        )
    )
    (table,) = tables(app)
    assert dict(zip(table["Arm in full"], table["AUROC"], strict=True)) == everything
    assert "fixed_interval + pixel_pca" in set(table["Arm"])
    assert set(everything) == {BASE, IMAGE, TEXT}
    assert "0.8778" in table.to_csv() or "0.8544" in table.to_csv()  # the paper's, beside ours

    app.multiselect(key="modalities").select("structured + image")
    (table,) = tables(checked(app.run()))
    assert list(table["Arm in full"]) == [IMAGE]
    assert f"Filters leave 1 of {len(everything)} runs." in words(app)
    app.multiselect(key="modalities").set_value([])
    run_id = shown.one(f"select run_id from reports.arms where arm = '{TEXT}' and task = '{DEATH}'")
    app.multiselect(key="run").set_value([run_id])
    (table,) = tables(checked(app.run()))
    assert list(table["Arm in full"]) == [TEXT] and list(table["Run"]) == [run_id]
    app.multiselect(key="run").set_value([])
    app.selectbox(key="task").set_value("icu_stay_over_3_days")
    app.selectbox(key="metric").set_value("brier")
    (table,) = tables(checked(app.run()))
    assert set(table["Brier score"].str[:6]) == {
        value for (value,) in shown.sql(
            "select printf('%.4f', brier_value) from reports.leaderboard where population = 'all'"
            " and task = 'icu_stay_over_3_days' and run_id is not null"
        )
    }  # fmt: skip
    app.selectbox(key="stays").set_value("complete")
    (table,) = tables(checked(app.run()))
    assert set(table["Stays"]) == {
        shown.one("select max(n) from reports.leaderboard where population = 'complete'")
    }
    app.multiselect(key="saw_mimic").set_value(["yes", "unknown"])
    assert "No arm of ours is left by these filters." in words(checked(app.run()))


def charts_of(app: AppTest) -> str:
    return "".join(
        element.proto.SerializeToString().decode("latin-1")
        for element in app.get("vega_lite_chart")
    )


def test_what_has_no_interval_is_a_cross_with_its_reason(shown: Bench) -> None:
    """4 patients died in the test split: values, and why there is no interval, on every page."""
    few = "no interval, conclude nothing: fewer than 10 patients of a class ("
    for name in ("leaderboard", "comparisons", "subgroups"):
        app = page(shown, name)
        assert few in words(app), name
        assert "isValid(datum.low)" in charts_of(app), name
    (board,) = tables(page(shown, "leaderboard"))
    assert board["AUROC"].str.endswith(" (no interval)").all()
    assert "(4)" in board["Why no interval"].iloc[0]
    ((majority,),) = shown.sql(
        "select distinct round(majority_accuracy, 4) from reports.leaderboard"
        f" where task = '{DEATH}' and population = 'all' and run_id is not null"
    )
    assert set(board["Accuracy of the larger class"]) == {majority}
    app = page(shown, "leaderboard")
    app.selectbox(key="task").set_value("icu_stay_over_3_days")
    checked(app.run())  # 14 stayed and 23 did not
    assert "conclude nothing: fewer than 10" not in words(app)
    (board,) = tables(app)
    assert board["AUROC"].str.endswith("]").all()


def test_comparisons_are_filtered_by_question_and_by_what_is_sure(shown: Bench) -> None:
    app = page(shown, "comparisons")
    app.multiselect(key="question").set_value(["adds image"])
    (table,) = tables(checked(app.run()))
    assert set(table["Question"]) == {"adds image"}
    assert set(table["The other in full"]) == {BASE}
    app.multiselect(key="question").set_value([])
    app.toggle(key="sure").set_value(True)
    checked(app.run())
    sure = shown.one(
        "select count(*) from reports.comparisons where p_adjusted < 0.05 and metric = 'auroc'"
        f" and population = 'all' and attribute is null and task = '{DEATH}'"
    )
    assert sum(len(table) for table in tables(app)) == sure
    assert bool(sure) != ("No comparison is left" in words(app))
    app.toggle(key="sure").set_value(False)
    app.multiselect(key="saw_mimic").set_value(["no"])
    (table,) = tables(checked(app.run()))
    assert set(table["Saw MIMIC"]) == set(table["The other saw MIMIC"]) == {"no"}
    app.multiselect(key="saw_mimic").set_value(["yes"])
    assert "No comparison is left" in words(checked(app.run()))


def test_subgroups_show_the_arms_that_are_chosen(shown: Bench) -> None:
    app = page(shown, "subgroups")
    arms = app.multiselect(key=f"arms-{DEATH}")
    assert set(arms.value) == {BASE, IMAGE, TEXT}  # one for each set of modalities
    arms.set_value([TEXT])
    app.multiselect(key="attribute").set_value(["gender"])
    for table in tables(checked(app.run())):
        assert set(table["Arm"]) == {"fixed_interval + tfidf_svd"}
        assert set(table["Attribute"]) == {"Gender"}
    arms = app.multiselect(key=f"arms-{DEATH}")
    arms.set_value([])
    assert "No arm is chosen" in words(checked(app.run()))


def test_arms_and_tabs_stand_in_the_address_too(shown: Bench) -> None:
    app = page(shown, "subgroups", **{f"arms-{DEATH}": [short_arm(TEXT)]})
    assert app.multiselect(key=f"arms-{DEATH}").value == [TEXT]
    app = page(shown, "learners", section="Refusals and errors")
    assert "A refusal is an answer that is neither yes nor no." in words(app)


def test_contributions_stand_for_every_population(shown: Bench) -> None:
    app = page(shown, "contributions")
    (table,) = tables(app)
    assert set(table["Stays"]) == {"all stays", "complete cases", "MIMIC-CXR years"}
    assert len(app.get("vega_lite_chart")) == 3
    shares = table["Share"].str.split(" ").str[0].astype(float)
    sums = shares.groupby([table["Arm"], table["Stays"]]).sum()
    assert len(sums) == 9 and ((sums - 1).abs() < 0.01).all()


def test_a_learner_stands_beside_the_best_arm(shown: Bench) -> None:
    app = page(shown, "learners")
    (table,) = tables(app)
    ((technique, accuracy, best),) = shown.sql(
        "select technique, accuracy_as_wrong, best_arm from reports.learners"
        f" where condition = 'full' and task = '{DEATH}'"
    )
    assert list(table["Learner"]) == [technique]
    assert list(table["Accuracy, each refusal as wrong"]) == [accuracy]
    assert best in words(app)
    other = app.selectbox(key="task").set_value("icu_stay_over_3_days").run()
    assert "No learner has been asked" in words(checked(other))


def test_a_figure_leads_back_to_its_rows(shown: Bench) -> None:
    app = page(shown, "runs")
    run_id = app.selectbox(key="arm_run").value
    inputs, rows, *_ = tables(app)
    assert set(inputs["Encoder"]) == {
        encoder for (encoder,) in shown.sql(
            f"select encoder from results.run_inputs where run_id = '{run_id}'"
        )
    }  # fmt: skip
    query = next(block.value for block in app.code if run_id in block.value)
    assert len(shown.sql(query)) == len(rows) > 20
    assert rows["Y score"].is_monotonic_decreasing


@pytest.mark.parametrize(
    "name",
    ["leaderboard", "comparisons", "subgroups", "contributions", "learners", "stay", "runs"],
)
def test_pages_with_metrics_warn_of_few_patients(shown: Bench, name: str) -> None:
    ((n, n_positive, patients),) = shown.sql(
        "select count(*), sum(label), count(distinct subject_id) from marts.labels"
        f" inner join marts.cohort using (stay_id) where split = 'test' and task = '{DEATH}'"
    )
    few = f"With {patients} test patients ({n_positive} of {n} stays positive) conclude nothing"
    assert few in words(page(shown, name))


def test_the_overview_is_filtered_by_unit(shown: Bench) -> None:
    ((unit, stays),) = shown.sql(
        "select first_careunit, count(*) from marts.cohort group by 1 order by 2 desc, 1 limit 1"
    )
    app = page(shown, "overview", unit=[unit])
    assert facts(app)["Stays"] == str(stays) != facts(page(shown, "overview"))["Stays"]
    ((positive, of),) = shown.sql(
        "select sum(label), count(*) from marts.labels inner join marts.cohort using (stay_id)"
        f" where task = '{DEATH}' and split = 'train' and first_careunit = '{unit}'"
    )
    assert f"({positive:,} of {of:,})" in words(app)
    units = [shown.one(f"select first_careunit from marts.cohort where stay_id = {stay[:8]}")
             for stay in page(shown, "stay", unit=[unit]).selectbox[2].options]  # fmt: skip
    assert set(units) == {unit}


@pytest.fixture(scope="module")
def two(shown: Bench, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A copy with two others beside it: of another protocol, and of real patients; read only."""
    folder = tmp_path_factory.mktemp("two")
    for name, change in (
        ("other", "update marts.cohort_definition set protocol = 'paper', variables ="
                  " json_merge_patch(variables, json_object('bin_hours', 2))"),
        ("real", "update marts.cohort_definition set is_synthetic = false"),
    ):  # fmt: skip
        (folder / name).mkdir()
        other = cloned(shown, folder / name)
        write(other, change)
        write(other, f"delete from marts.labels where task = '{DEATH}' and stay_id = (select"
                     " min(stay_id) from marts.cohort)")  # fmt: skip
        publish(other.warehouse, Options(out=folder / f"{name}.duckdb.published"), say=str)
    return with_copy(cloned(shown, folder))


def test_two_copies_stand_side_by_side_and_nothing_is_subtracted(two: Bench) -> None:
    app = page(two, "copies")
    assert app.selectbox(key="beside").options == ["other"]  # not the one of real patients
    arms, differs = tables(app)
    ours, theirs = arms.columns[1:3]
    assert (ours, theirs) == ("warehouse (strict)", "other (paper)")
    board = dict(
        two.sql(
            "select arm, printf('%.4f', auroc_value) from reports.leaderboard"
            f" where population = 'all' and task = '{DEATH}' and run_id is not null"
        )
    )
    assert set(arms["Arm in full"]) == set(board)
    for _, row in arms.iterrows():
        assert row[ours].startswith(board[row["Arm in full"]]) and row[theirs] == row[ours]
    told = differs.set_index(differs.columns[0])
    assert list(told.loc["Protocol"]) == ["strict", "paper"]
    assert told.loc["Setting bin_hours", theirs] == "2"
    assert "Stays" not in told.index  # the same in both
    assert "SYNTHETIC DATA" in words(app)


def test_a_copy_of_real_patients_may_stand_beside_synthetic_data(
    two: Bench, tmp_path: Path
) -> None:
    """But not the other way round: whoever may see synthetic data may not see these."""
    folder = two.warehouse.parent
    site = Site(folder / "real.duckdb.published", two.warehouse)
    found = find_copy(site.folder)
    assert found is not None and found.data_kind == "credentialed"
    assert set(others_beside(site, found)) == {"other.duckdb.published",
                                               "warehouse.duckdb.published"}  # fmt: skip


# One stay


def test_every_variable_of_the_seeds_has_its_place(shown: Bench, tmp_path: Path) -> None:
    bench = cloned(shown, tmp_path)
    write(bench, "insert into seeds.vital_signs by name select * replace ('cvp' as variable,"
                 " 'Central Venous Pressure' as label) from seeds.vital_signs"
                 " where variable = 'heart_rate'")  # fmt: skip
    said = words(page(with_copy(bench), "stay"))
    for title in ("Heart rate, bpm", "Arterial blood pressure, mmHg", "GCS, points", "SpO2, %",
                  "Cvp, bpm: not measured"):  # fmt: skip
        assert f">{title}</b>" in said, title
    stay_id = bench.one("select min(stay_id) from marts.vitals_hourly where stay_id not in"
                        " (select stay_id from marts.vitals_outliers)")  # fmt: skip
    write(bench, f"delete from marts.vitals_events where stay_id = {stay_id}")
    app = page(with_copy(bench), "stay")
    app.text_input[0].set_value(str(stay_id))
    drawn = charts_of(checked(app.run()))
    read = bench.sql(
        f"select value from marts.vitals_hourly where variable ^@ 'gcs_' and stay_id = {stay_id}"
    )
    low, high = limits_of([value for (value,) in read])
    assert f'"domain": [{low}, {high}]' in drawn  # what models read, where nothing was measured


def test_groups_of_medications_have_their_own_names_and_units(shown: Bench) -> None:
    rows = [
        (row.Label, row.Unit)
        for table in page(shown, "stay").dataframe
        if "At the end" in table.value
        for row in table.value.itertuples()
    ]
    assert ("Vasopressors", "mcg/kg/min norepinephrine equivalents") in rows
    assert ("Lactate", "mmol/L") in rows
    assert len(rows) == shown.one(
        "select count(*) from marts.time_series_variables where modality != 'vitals'"
    )


def test_a_stay_has_its_earlier_diagnoses_and_its_ecgs(shown: Bench) -> None:
    stay_id, codes = shown.sql(
        "select stay_id, list(printf('ICD-%d %s', icd_version, icd_code))"
        " from marts.diagnoses"
        " where stay_id in (select stay_id from marts.ecgs where qrs_axis is not null)"
        " group by stay_id order by count(*) desc, stay_id limit 1"
    )[0]
    app = page(shown, "stay")
    app.text_input[0].set_value(str(stay_id))
    tables = [table.value for table in checked(app.run()).dataframe]
    (of_codes,) = (table for table in tables if "Charlson groups" in table)
    assert sorted(of_codes["Code"]) == sorted(codes) and (of_codes["Days before"] >= 0).all()
    axes = shown.sql(
        "select count(qrs_axis), min(qrs_axis), max(qrs_axis), arg_max(qrs_axis, hours)"
        f" from marts.ecgs where stay_id = {stay_id}"
    )
    (of_ecgs,) = (table[table["Label"] == "QRS axis"] for table in tables if "Last" in table)
    assert [*of_ecgs[["Values", "Lowest", "Highest", "Last"]].itertuples(index=False)] == axes


def test_xrays_stand_in_order_of_time(
    shown: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARTHOUSE_CXR", shown.raw["CHARTHOUSE_CXR"])
    stay_id, pictures = shown.sql(
        "select stay_id, list(dicom_id order by hours, dicom_id) from marts.chest_xrays"
        " group by stay_id order by count(*) desc, stay_id limit 1"
    )[0]
    assert len(pictures) > 1
    app = page(shown, "stay")
    app.text_input[0].set_value(str(stay_id))
    said = words(checked(app.run()))
    places = [said.index(dicom_id) for dicom_id in pictures[-4:]]
    assert places == sorted(places)


def test_a_stay_is_shown_with_outliers_and_where_its_score_came_from(shown: Bench) -> None:
    stay_id, variable = shown.sql(
        "select stay_id, variable from marts.vitals_outliers"
        " where fate = 'outlier, removed' limit 1"
    )[0]
    app = page(shown, "stay")
    app.text_input[0].set_value(str(stay_id))
    said = words(checked(app.run()))
    assert "outlier, removed" in said and variable in said
    taken_apart = app.selectbox(key="taken_apart").value
    score = shown.one(
        f"select printf('%.4f', y_score) from results.predictions where run_id = '{taken_apart}'"
        f" and stay_id = {stay_id}"
    )
    assert f"<b>Score {score}</b>" in said
    assert "log odds" in said and "@" in said  # feature by feature: variable and hour
    for unknown in ("1", "1" * 45, "²"):
        app.text_input[0].set_value(unknown)
        assert f"has no stay {unknown}." in words(checked(app.run()))


def test_misses_can_be_looked_for(shown: Bench) -> None:
    app = page(shown, "stay")
    app.selectbox(key="order").set_value("negatives")
    options = checked(app.run()).selectbox[2].options
    scores = [float(option.rsplit(" ", 1)[1]) for option in options]
    assert all("negative" in option for option in options)
    assert scores == sorted(scores, reverse=True)


def test_without_vectors_the_page_says_how_to_get_the_parts_of_a_score(
    shown: Bench, tmp_path: Path
) -> None:
    app = page(with_copy(cloned(shown, tmp_path)), "stay")
    assert "charthouse publish --embeddings" in words(app)


def test_single_stays_of_credentialed_data_are_hidden_unless_asked_for(
    credentialed: Bench,
) -> None:
    stays = {str(stay_id) for (stay_id,) in credentialed.sql("select stay_id from marts.cohort")}
    for name in NAMES:
        said = words(page(credentialed, name))
        assert BANNER not in said
        assert not [stay_id for stay_id in stays if stay_id in said], name
    app = page(credentialed, "stay")
    assert "Single stays are hidden" in app.info[0].value
    assert app.code[0].value == "charthouse dashboard --show-stays"
    assert not app.selectbox
    for name in ("stay", "runs", "audit"):
        said = words(page(credentialed, name, show_stays=True))
        assert any(stay_id in said for stay_id in stays), name
    stay_id = credentialed.one("select min(stay_id) from marts.radiology_reports")
    app = page(credentialed, "stay", show_stays=True)
    app.text_input[0].set_value(str(stay_id))
    assert "text was not published" in words(checked(app.run()))


def test_settings_of_a_run_name_stays_only_where_stays_are_shown(credentialed: Bench) -> None:
    ((run_id, stay_id),) = credentialed.sql(
        "select run_id, settings -> 'shots' -> 0 ->> 'stay_id' from results.runs"
        " where kind = 'ask' order by started_at limit 1"
    )
    for show_stays in (False, True):
        app = page(credentialed, "runs", show_stays=show_stays)
        checked(app.selectbox(key="one_run").set_value(run_id).run())
        said = "".join(element.value for element in app.get("json"))
        assert (stay_id in said) == show_stays
        assert '"any"' in said  # what names nobody is shown


def test_subgroups_of_learners_do_not_list_patients(credentialed: Bench) -> None:
    patients = [str(row[0]) for row in credentialed.sql("select subject_id from marts.cohort")]
    said = words(page(credentialed, "learners", section="Subgroups and fairness"))
    assert not [patient for patient in patients if patient in said]
    assert "Too many groups to draw: subject_id" in said
    assert "Gender" in said and "How far apart" in said


# The server


def test_it_listens_on_this_machine_only_and_calls_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[list[str]] = []
    cli = ModuleType("streamlit.web.cli")
    cli.main = lambda arguments, **more: told.append(arguments)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "streamlit.web.cli", cli)
    asked = {"address": "127.0.0.1", "port": 8501, "show_stays": False}
    launching.launch(tmp_path, tmp_path / "w.duckdb", **asked, say=print)
    for option in (
        "--server.address=127.0.0.1", "--browser.gatherUsageStats=false",
        "--client.showErrorDetails=none",
    ):  # fmt: skip
        assert option in told[0]
    assert "--show-stays" not in told[0]
    launching.launch(tmp_path, tmp_path / "w.duckdb", **(asked | {"show_stays": True}), say=print)
    assert "--show-stays" in told[1]
    monkeypatch.setattr(launching, "find_spec", lambda name: None)
    with pytest.raises(CharthouseError, match=r"needs streamlit.*pip install"):
        launching.launch(tmp_path, tmp_path / "w.duckdb", **asked, say=print)


@pytest.mark.parametrize(
    ("address", "others_can_read"),
    [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True), ("::", True)],
)
def test_that_others_can_read_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, others_can_read: bool
) -> None:
    cli = ModuleType("streamlit.web.cli")
    cli.main = lambda arguments, **more: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "streamlit.web.cli", cli)

    async def listen(address: str, port: int) -> None:
        """As where nothing is in the way."""

    monkeypatch.setattr(launching, "_listen", listen)
    said: list[str] = []
    launching.launch(
        tmp_path,
        tmp_path / "w.duckdb",
        address=address,
        port=8501,
        show_stays=False,
        say=said.append,
    )
    assert any("others on the network can read" in line for line in said) == others_can_read


@pytest.fixture(scope="module")
def address(shown: Bench) -> Iterator[str]:
    """A dashboard as a user starts it."""
    with served(shown) as address:
        yield address


@contextmanager
def served(bench: Bench) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = bench.start_charthouse("dashboard", "--port", str(port))
    assert process.stdout is not None
    process.stdout.readline()
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.communicate(timeout=30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        # in a container there is no other user to be sandboxed as
        opened = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened.new_context(viewport={"width": 1400, "height": 1000})
        opened.close()


class Tab:
    """A page of the browser that keeps what went wrong."""

    def __init__(self, browser: Any, address: str) -> None:
        self.page = browser.new_page()
        self.address = address
        self.elsewhere: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", self._asked)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _asked(self, request: Any) -> None:
        url = urlsplit(request.url)
        if url.scheme in ("http", "https", "ws", "wss") and url.hostname != "127.0.0.1":
            self.elsewhere.append(request.url)

    def go(self, path: str) -> None:
        for _ in range(100):  # until the server listens
            try:
                self.page.goto(f"{self.address}/{path}")
                break
            except Exception:
                self.page.wait_for_timeout(200)
        self.settled()

    def settled(self) -> None:
        self.page.wait_for_selector("h1", timeout=60_000)
        running = '[data-testid="stApp"][data-test-script-state="running"]'
        self.page.wait_for_timeout(300)
        self.page.wait_for_selector(running, state="detached", timeout=60_000)
        assert not self.page.locator('[data-testid="stException"]').count()
        assert not self.errors and not self.elsewhere


@pytest.mark.parametrize("name", NAMES)
def test_in_a_browser_every_page_opens_and_nothing_is_asked_of_others(
    browser: Any, address: str, name: str
) -> None:
    tab = Tab(browser, address)
    tab.go("" if name == NAMES[0] else name)
    title = next(page.title for page in PAGES if page.name == name)
    current = tab.page.locator('[data-testid="stSidebarNavLink"][aria-current="page"]')
    assert current.inner_text().strip() == title
    assert BANNER in tab.page.locator('[role="alert"]').first.inner_text()
    for width in WIDTHS:
        tab.page.set_viewport_size({"width": width, "height": 900})
        tab.settled()
        main = tab.page.locator('[data-testid="stMain"]')
        assert main.evaluate("main => main.scrollWidth <= main.clientWidth"), "all of it in sight"
        (edge,) = (at["x"] + at["width"] for at in [main.bounding_box()])
        numbers = tab.page.locator('[data-testid="stHtml"] span, [data-testid="stHtml"] div')
        ends = numbers.evaluate_all("all => all.map(each => each.getBoundingClientRect().right)")
        assert max(ends) <= edge, "no number is cut"
        charts = tab.page.locator('[data-testid="stVegaLiteChart"]').all()
        for chart in charts:
            panel = chart.locator("svg g.mark-group path.background").first
            panel.wait_for(timeout=60_000)
            assert panel.bounding_box()["width"] > 200, "no plot has collapsed"
            written = chart.locator("svg text").evaluate_all(
                "all => all.map(each => each.getBoundingClientRect())"
                ".map(box => [box.left, box.right])"
            )
            box = chart.bounding_box()
            for left, right in written:
                assert box["x"] - 1 <= left and right <= box["x"] + box["width"] + 1
            if width == max(WIDTHS) and chart is charts[0] and name != "stay":
                assert box["y"] < 700, "the first chart is above the fold"
    tab.page.close()


def test_in_a_browser_labels_are_whole_and_filters_work(browser: Any, address: str) -> None:
    tab = Tab(browser, address)
    tab.go("leaderboard")
    labels = tab.page.locator('[data-testid="stVegaLiteChart"] svg text')
    labels.first.wait_for(timeout=60_000)
    said = " ".join(labels.all_text_contents())
    assert "fixed_interval + pixel_pca" in said and "…" not in said and "structured" not in said
    charts = '[data-testid="stVegaLiteChart"]'
    assert tab.page.locator(charts).count() == 1
    assert "Arms of the paper" in said and "Classical" in said and "tfidf_svd" in said
    gone = (
        "(drawn => drawn.length && !drawn.includes('tfidf_svd'))"
        f"([...document.querySelectorAll('{charts} svg text')].map(x => x.textContent).join(' '))"
    )
    tab.page.get_by_role("button", name="Filters").click()
    tab.page.locator(".stMultiSelect input").first.click()
    tab.page.get_by_role("option", name="Structured + image", exact=True).click()
    tab.page.keyboard.press("Escape")
    tab.settled()
    tab.page.wait_for_function("location.search.includes('modalities')")
    tab.page.get_by_text("The paper's metrics", exact=True).click()
    tab.page.wait_for_function(gone)
    said = " ".join(labels.all_text_contents())
    assert "pixel_pca" in said
    # the address keeps what was chosen: the same page for whom it is sent to
    other = Tab(browser, address)
    other.page.goto(tab.page.url)
    other.settled()
    other.page.wait_for_function(gone)
    tab.page.close()
    other.page.close()


def test_in_a_browser_a_download_is_what_is_shown(browser: Any, address: str, shown: Bench) -> None:
    tab = Tab(browser, address)
    tab.go("leaderboard?metric=brier")
    with tab.page.expect_download() as waited:
        tab.page.get_by_role("button", name="Download this table").click()
    (table,) = tables(page(shown, "leaderboard", metric="brier"))
    told = pd.read_csv(waited.value.path())
    pd.testing.assert_frame_equal(told, table.reset_index(drop=True), check_dtype=False)
    assert waited.value.suggested_filename.startswith("synthetic-")
    assert "-strict-leaderboard-" in waited.value.suggested_filename
    tab.page.close()


def test_in_a_browser_pages_are_light_or_dark_as_the_system_is(browser: Any, address: str) -> None:
    tab = Tab(browser, address)
    inks = []
    for scheme in ("light", "dark"):
        tab.page.emulate_media(color_scheme=scheme)
        tab.go("leaderboard")
        label = tab.page.locator('[data-testid="stVegaLiteChart"] svg text').first
        label.wait_for(timeout=60_000)
        inks.append(label.evaluate("text => getComputedStyle(text).fill"))
        app = tab.page.locator('[data-testid="stApp"]')
        inks.append(app.evaluate("app => getComputedStyle(app).backgroundColor"))
    lightness = [sum(map(int, re.findall(r"\d+", ink)[:3])) / 765 for ink in inks]
    assert lightness[0] < 0.3 < 0.9 < lightness[1] and lightness[2] > 0.7 > 0.2 > lightness[3]
    tab.page.close()


def test_in_a_browser_a_page_prints(browser: Any, address: str) -> None:
    """Portrait A4: charts, tables and the banner, as wide as the paper, without the navigation."""
    tab = Tab(browser, address)
    tab.page.set_viewport_size({"width": 720, "height": 1000})
    tab.page.emulate_media(media="print")
    tab.go("leaderboard")
    chart = tab.page.locator('[data-testid="stVegaLiteChart"]').first
    chart.locator("svg").wait_for(timeout=60_000)
    assert tab.page.locator('[data-testid="stSidebar"]').is_hidden()
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 720
    box = chart.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 720
    assert tab.page.pdf(format="A4").startswith(b"%PDF")
    tab.page.close()


# What comes from data is text

EVIL = (
    "<img src=http://evil.test/h.png onerror=alert(1)><script>alert(2)</script>"
    " ![p](http://evil.test/m.png) [l](javascript:alert(3)) **b** _i_ `c` $x^2$ :red[r] :smile:"
    " :material/home: www.evil.test -> &lt; C:\\x"
)
HOSTILE = """
    update marts.cohort set first_careunit = $evil, race = $evil, insurance = $evil,
        language = $evil, marital_status = $evil;
    update marts.cohort_attrition set criterion = $evil || step;
    update marts.data_quality set finding = $evil || finding;
    insert into marts.labels by name select * replace ($evil as task) from marts.labels
        where task = 'in_hospital_mortality';
    update marts.chest_xrays set dicom_id = $evil || dicom_id, view_position = $evil;
    update marts.radiology_reports set note_id = $evil || note_id, text = $evil;
    update marts.patient_profiles set profile = $evil;
    update seeds.tasks set question = $evil;
    update results.runs set name = name || $evil where kind in ('embed', 'evaluate');
    update results.runs set code_version = $evil, device = $evil, revision = $evil,
        settings = json_merge_patch(settings, json_object('more', $evil));
    update results.metrics set reason = $evil where reason is not null;
    update results.comparisons set reason = $evil where reason is not null;
    update results.subgroup_metrics set subgroup = $evil || subgroup;
    update results.fairness set worst_group = $evil, reason = $evil;
    update results.contributions set reason = $evil;
    update results.learner_metrics set subgroup = $evil || subgroup where subgroup is not null;
    update results.answers set image_note = $evil
"""


@pytest.fixture(scope="module")
def hostile(shown: Bench, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The same, with Markdown, HTML and addresses wherever a text comes from data."""
    bench = cloned(shown, tmp_path_factory.mktemp("hostile"))
    evil = "'" + EVIL.replace("'", "''") + "'"
    for statement in HOSTILE.replace("$evil", evil).split(";\n"):
        write(bench, statement)
    return with_copy(bench, embeddings=True)


@pytest.mark.parametrize("name", NAMES)
def test_what_comes_from_data_is_shown_as_written(hostile: Bench, name: str) -> None:
    """Whatever Streamlit would read as Markdown stands between backticks, or is escaped HTML."""
    app = page(hostile, name)
    kinds = ("title", "subheader", "markdown", "caption", "info", "warning", "error")
    said = [str(element.value) for kind in kinds for element in app.get(kind)]
    said += [expander.label for expander in app.expander]
    for words in said:
        beside = re.sub(r"(`+)[^`].*?(?<!`)\1(?!`)", "", words)
        assert "evil" not in beside, words
    for element in app.get("html"):
        assert not re.search("<(?!/?(div|span|b)\\b)", element.proto.body), element.proto.body


@pytest.fixture(scope="module")
def hostile_address(hostile: Bench) -> Iterator[str]:
    with served(hostile) as address:
        yield address


@pytest.mark.parametrize("name", NAMES)
def test_in_a_browser_hostile_text_is_text_and_asks_nobody(
    browser: Any, hostile_address: str, name: str
) -> None:
    tab = Tab(browser, hostile_address)
    said: list[str] = []
    tab.page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    tab.go("" if name == NAMES[0] else name)
    tabs = tab.page.locator('[role="tab"]')
    for place in range(max(tabs.count(), 1)):
        if tabs.count():
            tabs.nth(place).click()
            tab.settled()
        closed = tab.page.locator("details:not([open]) > summary:visible")
        while closed.count():
            closed.first.click()
            tab.settled()
        for mark in tab.page.locator('[data-testid="stVegaLiteChart"] path').all()[:40]:
            mark.hover(force=True, timeout=500) if mark.is_visible() else None
        found = tab.page.evaluate(
            "[...document.querySelectorAll('img, a, script, iframe')]"
            ".map(each => each.src || each.href || each.textContent)"
        )
        assert not [each for each in found if "evil" in each or "alert" in each]
        assert not tab.page.locator(".katex").count()
        shown = tab.page.locator("body").inner_text()
        if name in ("overview", "stay", "runs"):
            assert EVIL in shown
        tab.settled()
    assert not said
    tab.page.close()


def test_a_picture_whose_path_leads_out_is_not_shown(
    shown: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = cloned(shown, tmp_path)
    stay_id = bench.one("select min(stay_id) from marts.chest_xrays")
    monkeypatch.setenv("CHARTHOUSE_CXR", shown.raw["CHARTHOUSE_CXR"])
    for out in (False, True):
        if out:
            write(bench, "update marts.chest_xrays set path = 'files/../' || path")
        app = page(with_copy(bench), "stay")
        app.text_input[0].set_value(str(stay_id))
        assert (": its path leads out of the folder" in words(checked(app.run()))) == out
        assert bool(app.get("image")) != out


def test_a_picture_that_is_not_the_synthetic_one_is_not_shown_as_one(
    shown: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = with_copy(cloned(shown, tmp_path))
    stay_id, path = bench.sql("select stay_id, path from marts.chest_xrays order by 1, 2")[0]
    root = tmp_path / "cxr"
    shutil.copytree(shown.raw["CHARTHOUSE_CXR"], root)
    monkeypatch.setenv("CHARTHOUSE_CXR", str(root))
    n_pictures = []
    for spoilt in (False, True):
        if spoilt:
            PIL.Image.new("L", (40, 40), 90).save(root / path)
        app = page(bench, "stay")
        app.text_input[0].set_value(str(stay_id))
        said = words(checked(app.run()))
        assert ("it is not the file that SYNTHETIC.txt lists" in said) == spoilt
        n_pictures.append(len(app.get("image")))
    assert n_pictures[1] == n_pictures[0] - 1
