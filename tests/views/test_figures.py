"""Pictures from frames: where rows stand, what becomes of an estimate and of text, and bytes."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pandas as pd
import pytest

from bench import PROJECT
from charthouse.views.figures import style
from charthouse.views.figures.curves import curves
from charthouse.views.figures.leaderboard import OURS, PUBLISHED, leaderboard
from charthouse.views.figures.moved import by_attribute
from charthouse.views.figures.rows import Figure, Panel, place, whiskers
from charthouse.views.figures.shares import shares
from charthouse.views.figures.sheet import png, sheet
from charthouse.views.figures.subgroups import fairness
from charthouse.views.figures.words import group_words, pair_label, short_arm, wrapped
from drawn import is_cross, points_of, svg_of, words_of

LONG = "structured[summary,gru,moment]+image[pixel_pca,swin]+text[tfidf_svd,radbert]"
EVIL = """</text><script>alert(1)</script> "q" \\' \\u0041 ${x} {{ y }} $z$ & datum.value"""


def estimates(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {"label": "a", "value": 0.5, "low": 0.4, "high": 0.6, "note": None}
    return pd.DataFrame([usual | row for row in rows]).astype(
        {"value": float, "low": float, "high": float}
    )


def drawn(found: pd.DataFrame, *names: str) -> Figure:
    return whiskers(found, [Panel("p", (0, 1))], style.series_of(names or ("s",)), width=300)


def test_rows_of_one_label_are_told_apart_by_their_key() -> None:
    found = pd.DataFrame(
        {"group": "", "label": "Race", "key": ["race", "race_group"], "panel": "p", "series": "s"}
    )
    assert len(place(found, ["s"]).ticks) == 2


@pytest.mark.parametrize("reasons", [(None, "too few"), ("too few", None)])
def test_a_reason_of_one_series_is_never_lost(reasons: tuple[str | None, ...]) -> None:
    found = estimates(
        *(
            {"series": name, "beside": reason, **({} if reason is None else {"low": None})}
            for name, reason in zip("ab", reasons, strict=True)
        )
    )
    assert "too few" in words_of(drawn(found, "a", "b").chart)


def test_an_estimate_without_value_or_reason_says_so() -> None:
    assert "no value" in words_of(
        drawn(estimates({"value": None, "low": None, "high": None})).chart
    )


def test_a_line_of_reference_outside_of_its_panel_is_not_drawn_beside_it() -> None:
    series, found = style.series_of(["s"]), estimates({"value": 0.85})
    inside, outside = (
        svg_of(whiskers(found, [Panel("p", (0.8, 0.9), reference=at)], series, width=300).chart)
        for at in (0.85, 0.5)
    )
    assert inside.get("width") == outside.get("width")


def test_seven_series_look_different() -> None:
    assert len(set(style.series_of("abcdefghijkl").values())) == 12


def test_rows_with_many_series_and_long_names_do_not_overlap() -> None:
    names = [f"arm {at}" for at in range(6)]
    found = pd.DataFrame(
        [
            {"group": group, "label": wrapped(label), "panel": "p", "series": name}
            for group in ("Age", "Race\n(two lines)") for label in ("F", LONG) for name in names
        ]
    )  # fmt: skip
    placed = place(found, names)
    assert len(placed.ticks) == 6  # a label of two groups is two rows
    boxes = [(y - 7 * len(words.split("\n")), y + 7 * len(words.split("\n")))
             for y, words, _ in placed.ticks]  # fmt: skip
    assert boxes[0][0] >= 0 and boxes[-1][1] <= placed.height
    assert all(above[1] <= below[0] for above, below in pairwise(boxes))
    lanes = sorted(placed.rows["y"])
    assert min(b - a for a, b in pairwise(lanes)) >= 12
    assert list(placed.rows["y"]) == lanes  # series in their order, below one another


def test_every_name_is_whole_and_from_above_in_the_order_of_the_rows() -> None:
    names = [f"{LONG}+image[e{at}]" for at in range(60)]
    words = words_of(drawn(estimates(*({"label": name} for name in names))).chart)
    whole = words.replace("\n", "").replace(" ", "")
    places = [whole.index(short_arm(name).replace(" ", "")) for name in names]
    assert places == sorted(places) and "…" not in words


def test_arms_are_named_by_their_encoders_and_whole_where_one_points() -> None:
    arm = "structured[gru,moment]+image[swin]"
    figure = drawn(estimates({"label": arm}))
    assert "gru,moment + swin" in words_of(figure.chart)
    assert arm in str(points_of(figure.chart)[0])  # its tooltip
    pair = {"arm": arm, "other_arm": "structured[gru,moment]", "fusion": "late"}
    assert pair_label(pair, several_fusions=False) == "+swin\nto gru,moment"


@pytest.mark.parametrize(
    ("attribute", "group", "words"),
    [
        ("age_group", "<=65", "65 and under"),
        ("age_group", "65-85", "66 to 85"),
        ("age_group", ">85", "Over 85"),
        ("anchor_year_group", "2008-2010", "2008-2010"),
        ("race_group", "WHITE", "White"),
        ("gender", "F", "F"),
        ("insurance", "(missing)", "Missing"),
    ],
)
def test_groups_are_in_words(attribute: str, group: str, words: str) -> None:
    assert group_words(attribute, group) == words


def test_a_place_that_decides_the_width_has_the_reason_below_the_label() -> None:
    """Where all of a row lacks an interval for one reason; a narrow panel has no room beside."""
    lacking = {"low": None, "high": None, "note": "fewer than 10 patients of a class (3)"}
    series = style.series_of("ab")
    both = estimates({"series": "a", **lacking}, {"series": "b", **lacking})
    words = words_of(whiskers(both, [Panel("p", (0, 1))], series).chart)
    assert "no interval: fewer than 10 patients\nof a class (3)" in words
    one = estimates({"series": "a", **lacking}, {"series": "b"})
    assert "fewer" not in words_of(whiskers(one, [Panel("p", (0, 1))], series).chart)


def test_contributions_are_added_up_by_attribute() -> None:
    found = by_attribute(
        [
            ("demographics", "insurance=Medicaid", 1.0, 0.25),
            ("demographics", "insurance unseen", 0.0, -0.5),
            ("demographics", "age", 0.3, 0.125),
            ("vitals", "heart_rate @ 0 h", 1.0, 1.0),
            ("vitals", "heart_rate @ 1 h", 1.0, 1.0),
            ("image", "swin 0", 1.0, 0.0625),
            ("image", "swin 1", 1.0, 0.0625),
            ("presence", "has image", 1.0, -0.0625),
        ],
        most=1,
    )
    assert list(found.itertuples(index=False, name=None)) == [
        ("vitals", "heart_rate", 2, 2.0),
        ("demographics", "insurance", 2, -0.25),
        ("demographics", "all others", 1, 0.125),
        ("image", "swin", 2, 0.125),
        ("presence", "has image", 1, -0.0625),
    ]


@pytest.mark.parametrize(
    ("row", "cross", "fill"),
    [
        ({}, False, style.BLUE),
        ({"filled": False}, False, style.PAPER),
        ({"low": None, "high": None, "note": "few"}, True, None),
    ],
)
def test_an_estimate_is_a_dot_and_without_interval_a_cross(
    row: dict[str, Any], cross: bool, fill: str | None
) -> None:
    figure = drawn(estimates(row))
    (point,) = points_of(figure.chart)
    assert is_cross(point) == cross and point["stroke"] == style.BLUE
    assert fill is None or point["fill"] == fill
    assert (figure.warning or "").endswith("conclude nothing: few") == cross


def test_without_a_value_there_is_the_reason_once_for_all() -> None:
    lacking = {"value": None, "low": None, "high": None}
    shared = [lacking | {"series": name, "note": "3 stays"} for name in "xyz"]
    figure = drawn(estimates(*shared), *"xyz")
    assert not points_of(figure.chart) and figure.warning is None
    assert words_of(figure.chart).count("no figure: 3 stays") == 2  # and behind it, in white
    each = [row | {"note": row["series"] * 3} for row in shared]
    words = words_of(drawn(estimates(*each), *"xyz").chart)
    assert all(f"no figure: {name * 3}" in words for name in "xyz")


def test_series_have_each_their_colour_and_shape() -> None:
    names = [f"arm {at}" for at in range(len(style.SERIES))]
    points = points_of(drawn(estimates(*({"series": name} for name in names)), *names).chart)
    assert len({point["stroke"] for point in points}) == len(names)
    assert len({point["d"] for point in points}) == len(names)


def board(**more: Any) -> pd.DataFrame:
    of = {"fusion": "late", "purpose": "paper", "population": "all", "n": 40, "n_positive": 10}
    rows = [
        of | {"arm": "low", "run_id": "r1", "auroc_value": 0.6},
        of | {"arm": "high", "run_id": "r2", "auroc_value": 0.8},
        of | {"arm": "theirs", "run_id": None, "published_auroc_value": 0.9},
    ]
    names = ["auroc_value", "auroc_low", "auroc_high", "auroc_reason", "published_auroc_value",
             "published_auroc_low", "published_auroc_high"]  # fmt: skip
    return pd.DataFrame([dict.fromkeys(names) | row | more for row in rows])


def test_the_leaderboard_has_the_best_of_ours_first_and_the_papers_last() -> None:
    figure = leaderboard(board(), [("auroc", "all")])
    words = words_of(figure.chart)
    assert words.index("high") < words.index("low") < words.index("theirs")
    assert list(figure.keys) == [OURS, PUBLISHED]
    alone = leaderboard(board(), [("auroc", "all")], published=False)
    assert list(alone.keys) == [OURS] and "theirs" not in words_of(alone.chart)


def test_shares_stand_one_after_another_and_small_ones_have_no_number() -> None:
    found = pd.DataFrame({"label": ["a"] * 3, "modality": ["image", "text", "vitals"],
                          "share": [0.05, 0.25, 0.7]})  # fmt: skip
    colours = style.modality_colours(["vitals", "image", "text", "labs"])
    figure = shares(found, colours, {"": ""}, width=100)
    assert list(figure.keys) == ["Vitals", "Image", "Text"]
    words = words_of(figure.chart).split("\n")
    assert "70%" in words and "25%" in words and "5%" not in words
    bars = [
        path.get("d", "") for path in svg_of(figure.chart).iter("{http://www.w3.org/2000/svg}path")
        if path.get("aria-roledescription") == "bar"
    ]  # fmt: skip
    starts = [float(bar[1:].split(",")[0]) for bar in bars]
    assert starts == pytest.approx([0, 70, 75])


def test_groups_of_modalities_have_colours_of_their_own_and_their_sections_in_words() -> None:
    names = ["demographics", "vitals", "image", "text", "labs", "medications", "diagnoses"]
    own = style.modality_colours(names)
    alone = {"text", "demographics", "image", "vitals"}
    assert style.group_colours(alone, names) == {name: own[name] for name in names[:4]}
    groups = {"diagnoses", "demographics", "image+text", "vitals+labs", "medications"}
    colours = style.group_colours(groups, names)
    assert own["diagnoses"] == own["vitals"] == colours["vitals+labs"]
    assert len(set(colours.values())) == 5
    found = pd.DataFrame({"label": "a", "modality": [*groups], "share": 0.2})
    assert list(shares(found, colours, {"": ""}, width=100).keys) == [
        "Demographics", "Vitals + labs", "Image + text", "Medications", "Diagnoses",
    ]  # fmt: skip


def test_numbers_in_bars_can_be_read_on_a_light_page_and_on_a_dark_one() -> None:
    names = ["demographics", "vitals", "image", "text", "labs", "ecg", "presence"]
    found = pd.DataFrame({"label": "a", "modality": names, "share": 1 / len(names)})
    colours = style.modality_colours(names[1:-1])
    spec = style.adapted(style.spec(shares(found, colours, {"": ""}).chart))
    (rows,) = (rows for rows in spec["datasets"].values() if "ink" in rows[0])

    def luminance(colour: str) -> float:
        colour = {"black": "#000000", "white": "#ffffff"}.get(colour, colour)
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        return sum(
            share * (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)
            for share, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True)
        )

    for row in rows:
        for page in (0, 1):  # light, dark
            pair = [style.adaptive(colours[row["modality"]]), row["ink"]]
            pair = [of[11:-1].split(", ")[page] if of.startswith("light") else of for of in pair]
            low, high = sorted(map(luminance, pair))
            assert (high + 0.05) / (low + 0.05) > 4.5, (row["modality"], page)  # WCAG 2.2, AA


def test_fairness_says_for_people_which_groups_are_too_small() -> None:
    reason = (
        "65-85: fewer than 10 patients of a class (8); >85: fewer than 10 patients of a class (2)"
    )
    row = {"attribute": "age_group", "metric": "equalized_odds_ratio", "value": 0.4, "ci_low": None,
           "ci_high": None, "left_out": [], "reason": reason}  # fmt: skip
    figure = fairness(pd.DataFrame([{**row, "series": name} for name in "ab"]),
                      style.series_of("ab"))  # fmt: skip
    words = " ".join(words_of(figure.chart).split())
    assert "66 to 85: fewer" in words and "Over 85: fewer" in words and "65-85" not in words
    assert figure.warning and figure.warning.endswith("why stands in the table")


def test_fairness_names_the_groups_that_a_ratio_is_without() -> None:
    row = {"metric": "equalized_odds_ratio", "attribute": "race_group", "series": "a",
           "value": 0.5, "ci_low": 0.4, "ci_high": 0.6, "reason": None}  # fmt: skip
    found = pd.DataFrame([row | {"left_out": ["OTHER"]}, row | {"left_out": [], "series": "b"}])
    words = words_of(fairness(found, style.series_of("ab"), width=300).chart)
    assert "Race\nwithout Other" in words and "Equalized odds ratio" in words


def test_a_curve_of_one_point_and_a_curve_of_none_are_drawn() -> None:
    row = {"run_id": "r", "curve": "roc", "x": 0.5, "y": 0.7, "ci_low": None, "ci_high": None,
           "n": 1, "reason": None}  # fmt: skip
    figure = curves(pd.DataFrame([row]), {"r": "an arm"}, style.series_of(["an arm"]), 0.0)
    assert words_of(figure.chart).count("no curve: no value") == 2


def charts() -> Iterator[Figure]:
    yield drawn(estimates({"label": EVIL, "note": EVIL, "value": None}, {"label": "b"}))
    yield leaderboard(board(arm=EVIL, auroc_reason=EVIL), [("auroc", "all")], width=150)


def test_what_comes_from_data_is_text_in_a_chart() -> None:
    for figure in charts():
        svg = svg_of(figure.chart)
        assert not [each for each in svg.iter() if each.tag.endswith(("script", "image", "a"))]
        assert EVIL in words_of(figure.chart).replace("\n", " ")
    picture = sheet(next(charts()), title=EVIL, footer=EVIL, kind="open")
    assert words_of(picture).replace("\n", " ").count(EVIL) == 3  # title, label, footer


BYTES = """
import hashlib, sys
sys.path[:0] = ["tests/support", "tests/views"]
from test_figures import charts
from charthouse.views.figures.sheet import png, sheet
for figure in charts():
    drawn = png(sheet(figure, title="t", footer="f", kind="synthetic"))
    print(hashlib.md5(drawn).hexdigest())
"""


def test_the_same_frame_is_the_same_bytes_in_another_process() -> None:
    once, again = (
        subprocess.run(
            [sys.executable, "-c", BYTES], check=True, capture_output=True, text=True,
            cwd=PROJECT, env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    )  # fmt: skip
    assert once == again and once.strip()


def test_a_picture_is_as_wide_as_its_figure_and_alone() -> None:
    figure = drawn(estimates({}))
    assert figure.width == figure.left + 300
    assert png(sheet(figure, title="t", footer="f", kind="synthetic")).startswith(b"\x89PNG")


def test_drawing_asks_neither_a_warehouse_nor_a_page() -> None:
    """Frame in, chart out: so the same figure serves the report, a page and a notebook."""
    others = ("streamlit", "duckdb", "charthouse.core.warehouse", "charthouse.views.report",
              "charthouse.views.dashboard")  # fmt: skip
    for path in (PROJECT / "python/charthouse/views/figures").glob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        named = {alias.name for node in nodes if isinstance(node, ast.Import)
                 for alias in node.names}  # fmt: skip
        named |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
        assert not [name for name in named if name.startswith(others)], path.name
