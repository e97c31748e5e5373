"""`charthouse report`: on results made by hand, so that every number on the page is known."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import numpy as np
import pytest
from PIL import Image
from pytest_httpserver import HTTPServer

from bench import Bench
from charthouse.core.errors import CharthouseError
from charthouse.core.warehouse import open_warehouse
from charthouse.views.figures import style
from charthouse.views.figures.learners import BEST_ARM
from charthouse.views.figures.rows import Figure
from charthouse.views.figures.sheet import SCALE, sheet
from charthouse.views.figures.words import MINUS, pair_label, short_arm
from charthouse.views.report import pictures as report_pictures
from charthouse.views.report import run as report_run
from charthouse.views.report.choose import chosen
from charthouse.views.report.page import Picture, TaskPart, render, width_in_words
from charthouse.views.report.pictures import (
    MOST_ROWS,
    attrition_picture,
    cohort_footer,
    figures,
    footer,
    task_part,
)
from charthouse.views.report.read import Found, TaskResults, read
from charthouse.views.report.run import PAGE, PART, write_report
from drawn import is_cross, points_of, svg_of, words_of
from shown import shown_warehouse

DEATH, LONG = "in_hospital_mortality", "icu_stay_over_3_days"
GRU, FIXED = "structured[gru]", "structured[fixed_interval]"
IMAGE, TEXT, BOTH = (f"{GRU}{more}" for more in ("+image[swin]", "+text[radbert]",
                                                 "+image[swin]+text[radbert]"))  # fmt: skip
ODD = "structured[summary,gru,moment]+image[pixel_pca,swin]+text[tfidf_svd,radbert]"
AUROC = {GRU: 0.8123, FIXED: 0.7011, IMAGE: 0.8234, TEXT: 0.8345, BOTH: 0.8456, ODD: 0.6543}
SHARES = {"demographics": 0.1, "vitals": 0.6, "image": 0.0, "text": 0.2, "presence": 0.1}
SMALL = "7 stays, fewer than 10"
RARE = "undefined in 131 of 1000 resamples"


class Rows:
    """Appends to the result tables of a warehouse."""

    def __init__(self, warehouse: Path) -> None:
        self.db = duckdb.connect(str(warehouse))
        self.cohort_hash, self.synthetic = self.db.execute(
            "select cohort_hash, is_synthetic from marts.cohort_definition"
        ).fetchall()[0]
        self.db.execute("begin")

    def done(self) -> None:
        self.db.execute("commit")
        self.db.close()

    def add(self, table: str, **row: object) -> None:
        marks = ", ".join("?" for _ in row)
        self.db.execute(
            f"insert into results.{table} ({', '.join(row)}) values ({marks})", list(row.values())
        )

    def run(self, run_id: str, kind: str, name: str, task: str, settings: dict) -> None:
        self.add(
            "runs", run_id=run_id, kind=kind, name=name, task=task, cohort_hash=self.cohort_hash,
            protocol="strict", is_synthetic=self.synthetic, code_version="9.9.9+test", seed=4,
            reads=[], settings=json.dumps(settings), packages="{}", device="cpu",
            started_at="2030-01-01 00:00:00", finished_at="2030-01-01 01:00:00",
        )  # fmt: skip

    def evaluation(self, task: str) -> str:
        run_id = f"evaluate-{task}"
        self.run(run_id, "evaluate", "evaluate", task, {"n_bootstrap": 1000, "min_group": 10})
        return run_id

    def arm(self, task: str, arm: str, auroc: float | None, fusion: str = "late") -> dict:
        """A run of predict with all its figures; auroc None: there are none, for a reason."""
        place = sum(map(ord, arm + fusion))
        run_id = f"predict-{task}-{place}"
        self.run(run_id, "predict", f"{arm}|{fusion}", task, {"arm": arm, "fusion": fusion})
        self.add(
            "fits", run_id=run_id, component="model", penalty="l2", c=0.125, cv_auroc=0.7777,
            converged=arm != FIXED, iterations=9, features=12, candidates="[]", fitted_on=[1, 2],
            reason="stopped at 9 steps" if arm == FIXED else None,
        )  # fmt: skip
        scored = {"run_id": run_id, "task": task, "arm": arm, "fusion": fusion,
                  "evaluation_run_id": f"evaluate-{task}"}  # fmt: skip
        self._metrics(scored, auroc)
        test = scored | {"split": "test", "population": "all"}
        self._groups(test, auroc)
        for population in ("all", "complete", "mimic_cxr_years"):
            for method in ("net", "absolute"):
                for modality, share in SHARES.items():
                    self.add(
                        "contributions", **(test | {"population": population}), method=method,
                        modality=modality, mean_absolute=share, share=share, n=33,
                    )  # fmt: skip
        for curve in ("roc", "precision_recall", "calibration"):
            for x in (0.0, 0.5, 1.0):
                y = None if auroc is None else x if curve != "roc" else (0.3 + 0.7 * x)
                low = None if y is None or x == 0.5 else y / 2
                high = None if low is None else min(1.0, low * 2.2)
                self.add("curves", **test, curve=curve, x=x, y=y, ci_low=low, ci_high=high,
                         n=11 + int(2 * x), reason="one class only" if y is None else
                         RARE if low is None else None)  # fmt: skip
        return scored

    def _metrics(self, scored: dict, auroc: float | None) -> None:
        for split, population, down in [
            ("validation", "all", 0.01), ("test", "all", 0), ("test", "complete", 0.11),
            ("test", "mimic_cxr_years", 0.07),
        ]:  # fmt: skip
            for metric, less in [
                ("auroc", 0.0),
                ("auprc", 0.3),
                ("accuracy", 0.05),
                ("brier", 0.5),
            ]:
                value = None if auroc is None else auroc - less - down
                lacking = value is None or population == "complete"
                self.add(
                    "metrics", **scored, split=split, population=population, metric=metric,
                    value=value, ci_low=None if lacking else value - 0.1234,
                    ci_high=None if lacking else value + 0.1166, n=60, n_positive=9,
                    n_undefined=0, reason="one class only" if value is None else
                    RARE if lacking else None,
                )  # fmt: skip

    def _groups(self, test: dict, auroc: float | None) -> None:
        groups = {"age_group": ["<=65", "65-85", ">85"], "gender": ["F", "M"],
                  "race_group": ["WHITE", "ASIAN"], "subject_id": ["10000001"],
                  "first_careunit": [f"unit {at}" for at in range(13)]}  # fmt: skip
        for attribute, names in groups.items():
            for at, group in enumerate(names):
                few = group == "ASIAN" or auroc is None
                value = None if few else auroc - 0.02 * at
                lacking = few or group == ">85"
                self.add(
                    "subgroup_metrics", **test, attribute=attribute, subgroup=group, metric="auroc",
                    value=value, ci_low=None if lacking else value - 0.1,
                    ci_high=None if lacking else value + 0.1, n=7 if few else 20, n_positive=3,
                    n_undefined=0, reason=SMALL if few else RARE if lacking else None,
                )  # fmt: skip
            for metric in ("demographic_parity_ratio", "equalized_odds_ratio", "auroc_gap"):
                self.add(
                    "fairness", **test, attribute=attribute, metric=metric,
                    value=None if auroc is None else 0.5, ci_low=None, ci_high=None, n_groups=2,
                    left_out=["ASIAN"] if attribute == "race_group" else [], n_undefined=0,
                    reason="no stay predicted positive" if auroc is None else RARE,
                )  # fmt: skip

    def compare(self, one: dict, other: dict, question: str, difference: float | None) -> None:
        for population in ("all", "complete", "mimic_cxr_years"):
            lacking = difference is None or population == "complete"
            self.add(
                "comparisons", **one, split="test", population=population, question=question,
                other_run_id=other["run_id"], other_arm=other["arm"], other_fusion=other["fusion"],
                metric="auroc", difference=difference,
                ci_low=None if lacking else difference - 0.01,
                ci_high=None if lacking else difference + 0.01, p_value=None if lacking else 0.001,
                p_adjusted=None if lacking else 0.002, n_asked=1, n=60, n_positive=9,
                n_undefined=0, reason="one class only" if difference is None else None,
            )  # fmt: skip


@pytest.fixture(scope="module")
def empty(built: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The marts, and nothing evaluated."""
    warehouse = tmp_path_factory.mktemp("empty") / "warehouse.duckdb"
    shutil.copy(built.warehouse, warehouse)
    return warehouse


@pytest.fixture(scope="module")
def filled(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tasks: one with six arms, one with a single arm that has no figure at all."""
    warehouse = tmp_path_factory.mktemp("filled") / "warehouse.duckdb"
    shutil.copy(empty, warehouse)
    rows = Rows(warehouse)
    rows.evaluation(DEATH)
    scored = {arm: rows.arm(DEATH, arm, auroc) for arm, auroc in AUROC.items()}
    rows.compare(scored[IMAGE], scored[GRU], "adds image", 0.0111)
    rows.compare(scored[BOTH], scored[GRU], "adds image and text", None)
    rows.evaluation(LONG)
    rows.arm(LONG, "presence", None)
    rows.done()
    return warehouse


@pytest.fixture(scope="module")
def found(filled: Path) -> Found:
    return read(filled)


@pytest.fixture(scope="module")
def report(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report of that warehouse; never changed by a test."""
    out = tmp_path_factory.mktemp("report") / "new" / "folder"
    assert write_report(filled, out, say=lambda line: None) == out / PAGE
    return out


class Links(HTMLParser):
    """What a page would fetch, its pictures, and whether its tags are balanced."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.open: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        named = dict(attrs)
        if tag == "img":
            self.images.append(named)
        self.fetched += [
            value for name in ("src", "href", "srcset", "data", "poster")
            if (value := named.get(name))
        ]  # fmt: skip
        if tag not in ("meta", "img", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def links(page: str) -> Links:
    parser = Links()
    parser.feed(page)
    assert not parser.open
    return parser


def without_pictures(page: str) -> str:
    return re.sub(r"base64,[\w+/=]+", "", page)


def pictures_of(results: TaskResults, *arms: str) -> dict[str, Figure]:
    """What is drawn, by the names of the files."""
    drawn = figures(results, chosen(results, arms))
    return {found[0]: found[2] for found in drawn if not isinstance(found, str)}


def of_task(found: Found, task: str) -> TaskResults:
    return next(results for results in found.tasks if results.task == task)


def as_real(found: Found) -> Found:
    cohort = replace(found.cohort, data_kind="credentialed")
    return replace(
        found, cohort=cohort, tasks=[replace(each, cohort=cohort) for each in found.tasks]
    )


def test_the_page_is_self_contained(report: Path) -> None:
    page = (report / PAGE).read_text()
    parsed = links(page)
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in parsed.fetched)
    assert not parsed.tags & {"script", "link", "iframe", "object", "base"}
    assert not re.search(r"https?:|url\(|@import", without_pictures(page))
    assert all(image["alt"] for image in parsed.images)
    assert {image["data-file"] for image in parsed.images} == {
        file.name for file in report.glob("*.png")
    }
    assert {file.name for file in report.iterdir()} == {
        PAGE, "attrition.png", f"leaderboard-{DEATH}.png", f"leaderboard-{LONG}.png",
        f"comparisons-{DEATH}.png", f"subgroups-{DEATH}.png", f"subgroups-{LONG}.png",
        f"fairness-{DEATH}.png", f"fairness-{LONG}.png", f"shares-{DEATH}.png",
        f"shares-{LONG}.png", f"curves-{DEATH}.png", f"curves-{LONG}.png",
    }  # fmt: skip


def test_what_comes_from_data_is_text_on_the_page(found: Found) -> None:
    evil = """<script>alert(1)</script><img src="http://evil.test/x" onerror='a()'> & {{ 7 * 7 }}"""
    first = found.tasks[0]
    cohort = replace(
        found.cohort, variables=dict(found.cohort.variables) | {evil: evil}, protocol=evil
    )
    results = replace(
        first, cohort=cohort, question=evil, task=evil,
        leaderboard=[row | {"arm": evil, "auroc_reason": evil} for row in first.leaderboard],
        runs=[run | {"arm": evil, "run_id": evil, "not_converged": evil} for run in first.runs],
    )  # fmt: skip
    picture = Picture("a.png", b"", evil, evil)
    hostile = replace(found, cohort=cohort, tasks=[results], not_evaluated=[evil])
    page = render(hostile, picture, [TaskPart(results, [picture], [evil])])
    parsed = links(page)
    assert "script" not in parsed.tags
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in parsed.fetched)
    assert {image["alt"] for image in parsed.images} == {evil}
    assert unescape(page).count(evil) > 10


def test_pictures_are_whole_and_not_blank(found: Found, report: Path) -> None:
    wide = {"attrition": 960.0} | {
        f"{name}-{results.task}": figure.width
        for results in found.tasks
        for name, figure in pictures_of(results).items()
    }
    for file in report.glob("*.png"):
        with Image.open(io.BytesIO(file.read_bytes())) as image:
            image.load()
            width, height = image.size
            pixels = np.asarray(image.convert("L"))
        expected = wide[file.stem] + 48  # and nothing sticks out but half a number
        assert 0 <= width / SCALE - expected <= 12, file.name
        assert 300 < height < 6000, file.name
        assert 0.005 < (pixels < 200).mean() < 0.5, file.name
        # a margin all around is white: nothing is cut off at an edge
        edge = np.concatenate([pixels[:4].ravel(), pixels[-4:].ravel(),
                               pixels[:, :4].ravel(), pixels[:, -4:].ravel()])  # fmt: skip
        assert edge.min() == 255, file.name


def test_every_number_of_the_leaderboard_is_on_the_page(report: Path, filled: Path) -> None:
    page = without_pictures((report / PAGE).read_text())
    with duckdb.connect(str(filled), read_only=True) as db:
        board = db.execute(
            "select arm, auroc, auprc, accuracy, published_auroc, published_auprc,"
            " published_accuracy from reports.leaderboard"
        ).fetchall()
        runs = db.execute("select run_id, arm, code_version from reports.arms").fetchall()
    assert "0.8456 [0.7222, 0.9622]" in page
    assert "0.8778 [0.8700, 0.8865]" in page  # published
    for words in {word for row in [*board, *runs] for word in row if word}:
        assert f">{words}<" in page or f">{words} <small>" in page, words
    assert "NO <small>model: stopped at 9 steps</small>" in page  # a fit that did not converge
    assert f"0.7356 (no interval) <small>{RARE}</small>" in page
    assert "<small>one class only</small>" in page  # neither
    assert ">l2<" in page and ">0.125<" in page and ">9.9.9+test<" in page


def test_no_stay_and_no_patient_is_on_the_page(report: Path, filled: Path) -> None:
    page = without_pictures((report / PAGE).read_text())
    with duckdb.connect(str(filled), read_only=True) as db:
        people = db.execute("select stay_id, subject_id, hadm_id from marts.cohort").fetchall()
        texts = db.execute("select distinct left(text, 40) from marts.radiology_reports").fetchall()
    numbers = set(re.findall(r"\d{6,}", page))
    assert people and not numbers & {str(number) for row in people for number in row}
    assert "10000001" not in page
    assert texts and not any(text in page for (text,) in texts)


def test_the_same_results_are_the_same_bytes(report: Path, filled: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("mine")
    (tmp_path / "gone-task.png").write_text("of the report before")
    (tmp_path / PAGE).write_text('<img data-file="gone-task.png">')
    (tmp_path / PART).mkdir()
    (tmp_path / PART / "half.png").write_text("of a run that was killed")
    code = "import sys; from charthouse.cli import main; sys.exit(main())"
    lines = subprocess.run(
        [sys.executable, "-c", code, "report", "--out", str(tmp_path)], check=True, text=True,
        capture_output=True, env=os.environ | {"CHARTHOUSE_WAREHOUSE": str(filled),
                                               "PYTHONHASHSEED": "7"},
    ).stdout.splitlines()  # fmt: skip
    first = {file.name: file.read_bytes() for file in report.iterdir()}
    again = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert again.pop("notes.png") == b"mine"
    assert again == first
    assert len(lines) == 1 and lines[0].startswith("SYNTHETIC")


@pytest.mark.parametrize("at", ["drawing", "the page", "writing"])
def test_a_failure_leaves_the_old_report_whole(
    at: str, filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / PAGE).write_text("old")
    (tmp_path / "attrition.png").write_text("old picture")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report_run, "task_part", lambda results, arms: TaskPart(results, [], []))
    write, target = Path.write_bytes, None
    if at == "writing":
        target = PAGE  # the last of the files
        monkeypatch.setattr(
            Path, "write_bytes",
            lambda path, data: fail() if path.name == target else write(path, data),
        )  # fmt: skip
    else:
        monkeypatch.setattr(report_run, "task_part" if at == "drawing" else "render", fail)
    with pytest.raises(CharthouseError if at == "writing" else OSError, match="No space"):
        write_report(filled, tmp_path, say=print)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        PAGE: "old", "attrition.png": "old picture",
    }  # fmt: skip


def test_out_that_is_a_file_is_one_line(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_run, "task_part", lambda results, arms: TaskPart(results, [], []))
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(CharthouseError, match="cannot be written"):
        write_report(filled, tmp_path / "taken", say=print)
    assert (tmp_path / "taken").read_text() == "mine"


def test_nothing_evaluated_says_what_to_run(empty: Path, tmp_path: Path) -> None:
    with pytest.raises(CharthouseError, match=r"Run charthouse evaluate") as error:
        write_report(empty, tmp_path / "out", say=print)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_learners_alone_are_no_reason_to_say_that_nothing_was_evaluated(
    empty: Path, tmp_path: Path
) -> None:
    warehouse = Path(shutil.copy(empty, tmp_path / "warehouse.duckdb"))
    with duckdb.connect(str(warehouse)) as database:
        database.execute("create or replace view reports.learners as select 'llava_med' as learner")
    with pytest.raises(CharthouseError, match=r"^No arm has been evaluated.*reports\.learners"):
        read(warehouse)


def test_only_what_builds_on_a_baseline_of_the_paper_is_of_the_paper(
    empty: Path, tmp_path: Path
) -> None:
    warehouse = Path(shutil.copy(empty, tmp_path / "warehouse.duckdb"))
    rows = Rows(warehouse)
    rows.evaluation(DEATH)
    purposes = {
        "structured[gru]+image[swin]": "paper",
        "structured[moment]+image[pixel_pca]": "classical",
        "structured[demographics]+image[swin]": "other",
        "structured[demographics]": "honest",
    }
    for arm in purposes:
        rows.arm(DEATH, arm, 0.6)
    rows.done()
    found = of_task(read(warehouse), DEATH).leaderboard
    assert {row["arm"]: row["purpose"] for row in found if row["run_id"]} == purposes
    swin = next(row for row in found if row["arm"] == "structured[gru]+image[swin]")
    assert (swin["published_auroc_value"], swin["published_auroc_high"]) == (0.8794, 0.8873)


def test_synthetic_is_said_everywhere_and_only_when_it_is(found: Found) -> None:
    for which, said in [(found, True), (as_real(found), False)]:
        results = of_task(which, DEATH)
        for words in (footer(results), cohort_footer(which.cohort)):
            assert ("SYNTHETIC" in words) is said
            assert which.cohort.cohort_hash[:12] in words and "protocol strict" in words
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(report_pictures, "png", lambda chart: words_of(chart).encode())
            pictures = [attrition_picture(which.cohort), *task_part(results, ()).pictures]
        assert len(pictures) == 7
        assert all((b"SYNTHETIC DATA" in picture.png) is said for picture in pictures)
        picture = Picture("a.png", b"", "alt", "caption")
        page = render(which, picture, [TaskPart(results, [], [])])
        assert ("SYNTHETIC" in page) is said


def test_the_footer_says_what_a_picture_is_of(found: Found) -> None:
    words = footer(of_task(found, DEATH))
    counts = of_task(found, DEATH).counts["all"]
    assert f"test split: {counts.n} stays, {counts.n_positive} positive" in words
    assert f"{counts.patients} patients" in words
    assert "95 %, 1,000 resamples" in words and f"evaluate-{DEATH}" in words
    assert f"task {DEATH}" in words


def test_how_well_auroc_is_known_is_said_of_enough_patients_only(
    found: Found, report: Path
) -> None:
    results = of_task(found, DEATH)  # each interval is 0.24 wide
    counts = results.counts["all"]

    def of(rarer: int, results: TaskResults = results) -> str:
        enough = results.counts | {"all": replace(counts, rarer=rarer)}
        return width_in_words(replace(results, counts=enough))

    assert f"{counts.patients} test patients" in of(20) and "about ±0.12" in of(20)
    assert "there is no interval" in of(20, of_task(found, LONG))
    assert "fewer than 20 patients of a class (19), so all intervals are too narrow" in of(19)
    assert "fewer than 10 patients of a class (9), so nothing has an interval" in of(9)
    assert not any("±" in of(rarer) for rarer in (0, 9, 10, 19))
    words = width_in_words(results)
    assert "conclude nothing" in words  # as the terminal says after evaluate
    assert words in (report / PAGE).read_text()


def crosses(figure: Figure) -> int:
    return sum(map(is_cross, points_of(figure.chart)))


def test_what_has_no_interval_is_a_cross_and_the_picture_says_why(
    found: Found,
) -> None:
    few = "fewer than 10 patients of a class (3)"
    warned = f"\N{MULTIPLICATION SIGN} no interval, conclude nothing: {few}"
    results = of_task(found, DEATH)
    none = {f"{metric}_{end}": None for metric in ("auroc", "auprc") for end in ("low", "high")}
    why = {f"{metric}_reason": few for metric in ("auroc", "auprc")}
    ours = [row for row in results.leaderboard if row["run_id"]]
    board = [row | none | why if row["run_id"] else row for row in results.leaderboard]
    without = pictures_of(replace(results, leaderboard=board))["leaderboard"]
    assert without.warning == warned
    assert crosses(without) == 2 * len(ours)  # beside what was published, dots still
    every = [row for row in board if not row["run_id"]] + [
        row for row in ours if row["auroc_low"] is not None
    ]
    known = pictures_of(replace(results, leaderboard=every))["leaderboard"]
    assert known.warning is None and not crosses(known)

    rows = [dict(row, difference=0.1, ci_low=None, reason=few) for row in results.comparisons]
    forest = pictures_of(replace(results, comparisons=rows))["comparisons"]
    assert forest.warning == warned
    assert crosses(forest) == len(rows)
    picture = sheet(forest, title="t", footer="f", kind="credentialed")
    assert words_of(picture).count(warned) == 1

    bands = [dict(row, ci_low=None, reason=few) for row in results.curves]
    words = words_of(pictures_of(replace(results, curves=bands))["curves"].chart)
    assert words.replace("\n", " ").count(f"no band: {few}") == 3 * len(chosen(results, ()))
    assert "no band" not in words_of(pictures_of(results)["curves"].chart)


def test_accuracy_stands_beside_that_of_the_larger_class(found: Found, report: Path) -> None:
    rows = [row for row in of_task(found, DEATH).leaderboard if row["run_id"]]
    assert {row["majority_accuracy"] for row in rows} == {51 / 60}
    page = without_pictures((report / PAGE).read_text())
    assert "<th>accuracy of the larger class</th>" in page and ">0.8500<" in page


def test_the_paper_is_subtracted_from_real_data_alone(filled: Path, tmp_path: Path) -> None:
    """Of synthetic data the page says that the two cannot be compared."""
    header = "<th>auroc minus published</th>"
    assert header not in without_pictures(
        write_report(filled, tmp_path / "made_up", say=lambda line: None).read_text()
    )
    real = tmp_path / "real.duckdb"
    shutil.copy(filled, real)
    with duckdb.connect(str(real)) as db:
        for table in ("results.runs", "marts.cohort_definition"):
            db.execute(f"update {table} set is_synthetic = false")
        ((count, one),) = db.execute(
            "select count(auroc_minus_published), printf('%+.4f', max(auroc_minus_published))"
            " from reports.leaderboard"
        ).fetchall()
    assert count == 5
    page = write_report(real, tmp_path / "real", say=lambda line: None).read_text()
    assert header in page and f">{one}<" in page


def test_nothing_is_better_than_the_paper_that_has_no_interval(filled: Path) -> None:
    with duckdb.connect(str(filled)) as db:
        db.execute("begin")
        db.execute("update results.metrics set ci_low = null, ci_high = null, reason = 'few'")
        found = db.execute(
            "select count(auroc_minus_published), count(published_auroc_value), count(auroc_value),"
            " bool_and(auroc like '%(no interval)'), bool_and(auroc_reason = 'few')"
            " from reports.leaderboard where published_auroc is not null and run_id is not null"
        ).fetchone()
        db.execute("rollback")
    assert (
        found is not None
        and found[0] == 0
        and found[1] == found[2] > 0
        and found[3:] == (True, True)
    )


def test_one_arm_for_each_set_of_modalities_is_chosen(found: Found) -> None:
    results = of_task(found, DEATH)
    assert [run["arm"] for run in chosen(results, ())] == [GRU, IMAGE, TEXT, BOTH]
    # the other baseline is better on validation, but nothing is built on it
    better = [
        run | {"validation_auroc": 0.99} if run["arm"] == FIXED else run for run in results.runs
    ]
    lead = replace(results, runs=better)
    assert [run["arm"] for run in chosen(lead, ())] == [GRU, IMAGE, TEXT, BOTH]
    assert [run["arm"] for run in chosen(results, (BOTH, FIXED))] == [BOTH, FIXED]
    without = replace(results, runs=[run for run in results.runs if run["arm"] in (FIXED, ODD)])
    assert [run["arm"] for run in chosen(without, ())] == [FIXED]
    assert [run["arm"] for run in chosen(of_task(found, LONG), ())] == ["presence"]


def test_an_unknown_arm_is_one_line(filled: Path, tmp_path: Path) -> None:
    with pytest.raises(CharthouseError, match=r"--arm 'structured\[nope\]' has no figures"):
        write_report(filled, tmp_path / "out", arms=["structured[nope]"], say=print)
    with pytest.raises(CharthouseError, match="at most 6"):
        write_report(filled, tmp_path / "out", arms=list("abcdefg"), say=print)


def test_groups_without_a_figure_are_named_with_the_reason(found: Found) -> None:
    results = of_task(found, DEATH)
    drawn = pictures_of(results)
    words = words_of(drawn["subgroups"].chart)
    # said once of all arms of a group, and once more behind it, so that no line strikes it
    assert "Asian" in words and words.count(f"no figure: {SMALL}") == 2
    assert words.count(f"no interval: {RARE}") == 1
    assert "conclude nothing" in str(drawn["subgroups"].warning)
    assert words.index("65 and under") < words.index("66 to 85") < words.index("Over 85")
    assert "unit 1" not in words and "subject" not in words.lower()
    fair = words_of(drawn["fairness"].chart)
    assert "without Asian" in fair and "Equalized odds ratio" in fair
    none = pictures_of(of_task(found, LONG))
    assert "no figure: no stay predicted positive" in words_of(none["fairness"].chart)
    assert "no curve: one class only" in words_of(none["curves"].chart)
    assert "one class only" in words_of(none["leaderboard"].chart)


def test_what_is_not_drawn_is_said(report: Path) -> None:
    page = without_pictures((report / PAGE).read_text())
    assert "Too many groups to draw: first_careunit" in page
    assert "No comparisons" in page


def test_pairs_show_what_differs(found: Found) -> None:
    results = of_task(found, DEATH)
    words = words_of(pictures_of(results)["comparisons"].chart)
    assert "+0.011 [+0.001, +0.021]\N{EN SPACE}p 0.002" in words
    assert "+0.011 no interval" in words and "one class only" in words
    assert "+swin\nto gru" in words
    row = dict(results.comparisons[0])
    swapped = row | {"arm": TEXT, "other_arm": f"{FIXED}+text[radbert]"}
    label = pair_label(swapped, several_fusions=results.several_fusions)
    assert label.split("\n") == [f"gru {MINUS} fixed_interval",
                                 "structured with radbert"]  # fmt: skip
    many = [dict(row, arm=f"{GRU}+image[e{at}]") for at in range(MOST_ROWS * 2 + 1)]
    drawn = pictures_of(replace(results, comparisons=many))
    pages = [words_of(drawn[f"comparisons-{at}"].chart) for at in (1, 2, 3)]
    assert "comparisons-4" not in drawn
    assert all(f"+e{at}\n" in "".join(pages) for at in range(len(many)))


def test_arms_are_grouped_and_named_whole(found: Found) -> None:
    results = of_task(found, DEATH)
    drawn = pictures_of(results)["leaderboard"]
    words = words_of(sheet(drawn, title="t", footer="f", kind="credentialed"))
    assert words.index("Arms of the paper") < words.index("Asked for by name")
    assert "published" in words
    joined = words.replace("\n", "").replace(" ", "")
    assert all(short_arm(arm).replace(" ", "") in joined for arm in AUROC)
    ours = [
        row | {f"published_{name}_value": None for name in ("auroc", "auprc")}
        for row in results.leaderboard
        if row["run_id"]
    ]
    drawn = pictures_of(replace(results, leaderboard=ours))["leaderboard"]
    assert not [name for name in drawn.keys if "published" in name]


def test_a_dot_is_filled_only_where_p_is_small(found: Found) -> None:
    results = of_task(found, DEATH)

    def faces(p: float) -> set[str]:
        rows = [dict(row, p_adjusted=p) for row in results.comparisons if row["ci_low"] is not None]
        drawn = pictures_of(replace(results, comparisons=rows))["comparisons"]
        return {point["fill"] for point in points_of(drawn.chart)}

    assert faces(0.049) == {style.BLUE}
    assert faces(0.05) == {style.PAPER}


def test_the_roc_starts_at_the_corner(found: Found) -> None:
    results = of_task(found, DEATH)
    chart = pictures_of(results, GRU)["curves"].chart
    lines = [
        path.get("d", "") for path in svg_of(chart).iter("{http://www.w3.org/2000/svg}path")
        if path.get("stroke") == style.BLUE and "line" in path.get("aria-roledescription", "")
    ]  # fmt: skip
    corner, *more = re.findall(r"[\d.]+,[\d.]+", lines[0])
    left, bottom = map(float, corner.split(","))
    assert len(more) == 3 and more[0].startswith(f"{corner.split(',')[0]},")
    assert left < 6 and bottom > 270  # pixels
    counts = results.counts["all"]
    assert f"prevalence {counts.n_positive / counts.n:.2f}" in words_of(chart)


def test_several_fusions_are_told_apart(empty: Path, tmp_path: Path) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    shutil.copy(empty, warehouse)
    rows = Rows(warehouse)
    rows.evaluation(LONG)
    late = rows.arm(LONG, "image[swin]", 0.61)
    gated = rows.arm(LONG, "image[swin]", 0.62, fusion="gated")
    rows.compare(gated, late, "fusion", 0.01)
    rows.done()
    found = read(warehouse)
    assert DEATH in found.not_evaluated and LONG not in found.not_evaluated
    results = of_task(found, LONG)
    drawn = pictures_of(results)
    words = words_of(drawn["leaderboard"].chart)
    assert "swin (gated)" in words and "swin (late)" in words
    assert f"gated {MINUS} late\nswin" in words_of(drawn["comparisons"].chart)
    assert [run["fusion"] for run in chosen(results, ())] == [results.fusion]
    page = render(found, Picture("a.png", b"", "a", "c"), [TaskPart(results, [], [])])
    assert f"{DEATH} has not been evaluated" in page


# TRIPOD+AI


def test_every_item_of_tripod_is_answered_or_for_the_authors(filled: Path, tmp_path: Path) -> None:
    """Each query runs; the lines that it gives, and it itself, stand on the page."""
    items = read(filled, tripod=True).checklist
    assert [item.number for item in items][:4] == ["1", "2", "3a", "3b"] and len(items) == 52
    assert len({item.number for item in items}) == len(items)
    page = unescape(write_report(filled, tmp_path, tripod=True, say=lambda line: None).read_text())
    with open_warehouse(filled) as db:
        for item in items:
            if item.sql is None:
                continue
            assert list(item.answers) == [row[0] for row in db.execute(item.sql).fetchall()]
            assert None not in item.answers and "None" not in item.answers, item.number
            for line in item.answers[:12]:
                assert line in page, item.number
            assert item.sql in page, item.number
    assert page.count("<em>for the authors</em>") == sum(item.sql is None for item in items)
    assert "TRIPOD" not in write_report(filled, tmp_path, say=lambda line: None).read_text()


def test_tripod_tells_nothing_that_the_audit_found_in_the_data(
    filled: Path, tmp_path: Path
) -> None:
    """Its details name stays, and words that were written about patients."""
    spoilt = tmp_path / "spoilt.duckdb"
    shutil.copy(filled, spoilt)
    with duckdb.connect(str(spoilt)) as db:
        db.execute("update marts.cohort set split = 'train' where stay_id in (select stay_id"
                   " from marts.cohort where split = 'test' order by stay_id limit 1)")  # fmt: skip
        found = db.execute(
            "select severity || ': ' || question || ' ' || state, state from reports.audit"
            " where state <> 'passed' order by position"
        ).fetchall()
    (limits,) = (
        item.answers for item in read(spoilt, tripod=True).checklist if item.number == "26"
    )
    assert "failed" in {state for _, state in found}
    assert list(limits) == [line for line, _ in found]  # and no detail


def test_tripod_has_the_attrition_and_the_figures_of_the_leaderboard(filled: Path) -> None:
    answers = {item.number: item.answers for item in read(filled, tripod=True).checklist}
    with open_warehouse(filled) as db:
        last = db.execute("select max_by(stays, step) from marts.cohort_attrition").fetchone()
        arms = db.execute(
            "select arm, auroc from reports.leaderboard where run_id is not null and"
            " population = 'all'"
        ).fetchall()
    assert last and f": {last[0]} stays of " in answers["6b"][-1]
    assert len(answers["23a"]) == len(arms)
    for arm, auroc in arms:
        said = f"AUROC {auroc or 'not defined'}, "
        assert any(f"{arm} by " in line and said in line for line in answers["23a"])


# Learners: Figures 6 and 7


@pytest.fixture(scope="module")
def asked(
    built: Bench, chat_server: HTTPServer, tmp_path_factory: pytest.TempPathFactory
) -> TaskResults:
    """What the report reads of a task about which a learner was asked."""
    made = shown_warehouse(built, chat_server, tmp_path_factory.mktemp("asked"))
    return of_task(read(made.warehouse), DEATH)


def test_learners_stand_beside_the_best_arm(asked: TaskResults) -> None:
    """Each with the figures of its own row; the arm is drawn like no learner."""
    (learner,) = asked.learners
    assert learner["condition"] == "full"
    (arm,) = (
        row for row in asked.leaderboard
        if row["run_id"] == learner["best_arm_run_id"] and row["population"] == "all"
    )  # fmt: skip
    drawn = pictures_of(asked)["learners"]
    assert set(drawn.keys) == {learner["domain"], BEST_ARM}
    rows = rows_of(drawn)
    assert {(row["panel"], row["series"]): row["value"] for row in rows} == {
        ("accuracy_as_wrong", learner["domain"]): learner["accuracy_as_wrong_value"],
        ("accuracy_as_wrong", BEST_ARM): arm["accuracy_value"],
        ("auroc", learner["domain"]): learner["auroc_value"],
        ("auroc", BEST_ARM): arm["auroc_value"],
    }
    said = words_of(drawn.chart)
    assert short_arm(arm["arm"]).split(" + ")[-1] in said and learner["technique"] in said


def test_learners_stand_by_subgroup(asked: TaskResults) -> None:
    drawn = rows_of(pictures_of(asked)["learner-subgroups"])
    groups = [row for row in asked.learner_groups if row["attribute"] == "gender"]
    assert groups and {row["counting"] for row in groups} == {"as_wrong"}
    found = {row["key"]: row["value"] for row in drawn}
    for row in groups:
        assert found[f"gender|{row['subgroup']}"] == row["value"]


def test_a_task_without_learners_says_so_on_the_page(report: Path) -> None:
    assert (
        "No learners (Figures 6 and 7 of the paper): none has been asked"
        in (report / PAGE).read_text()
    )


def rows_of(figure: Figure) -> list[dict]:
    """The rows that the points of a figure are drawn of."""
    datasets = figure.chart.to_dict(validate=False)["datasets"].values()
    return [row for rows in datasets for row in rows if "series" in row]
