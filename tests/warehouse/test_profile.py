"""Profiles in sections: the mart's own text, and what is left of it when lines are dropped."""

import json
import random
from pathlib import Path

import pytest

from bench import UNTESTED, Bench
from charthouse.core.warehouse import open_warehouse
from charthouse.jobs.ask.profile import (
    LEFT_OUT,
    Line,
    Section,
    droppable,
    read_profiles,
    render,
    shown,
    without_oldest,
)

Profile = tuple[Section, ...]
SECTIONS = ("demographics", "vitals", "text")


def of_cohort(bench: Bench) -> dict[int, Profile]:
    stay_ids = [row[0] for row in bench.sql("select stay_id from marts.cohort")]
    with open_warehouse(bench.warehouse) as db:
        return read_profiles(db, stay_ids)


def left(profile: Profile) -> list[tuple[str, str]]:
    return [(each.section, line.text) for each in profile for line in each.lines]


@pytest.fixture(scope="module")
def profiles(built: Bench) -> dict[int, Profile]:
    return of_cohort(built)


@pytest.fixture
def profile() -> Profile:
    return (
        Section("demographics", "Demographics: age 70.", ()),
        Section("vitals", "Vital signs:", (Line(5.0, "v5"), Line(23.0, "v23"), Line(23.0, "w23"))),
        Section("text", "Reports:", (Line(-1.0, "r-1"), Line(5.0, "r5\nmore"), Line(8.0, "r8"))),
    )


def test_sections_render_as_the_mart_has_the_profile(
    built: Bench, profiles: dict[int, Profile]
) -> None:
    texts = built.sql("select stay_id, profile from marts.patient_profiles")
    assert {stay_id: render(profile) for stay_id, profile in profiles.items()} == dict(texts)
    assert {tuple(each.section for each in profile) for profile in profiles.values()} == {SECTIONS}


def test_so_do_those_of_real_stays(real_demo: Path, tmp_path: Path) -> None:
    demo = Bench({"CHARTHOUSE_MIMICIV": str(real_demo)}, tmp_path / "demo.duckdb", tmp_path)
    outcome = demo.build("--select", "+patient_profiles", *UNTESTED)
    assert outcome.code == 0, outcome.output
    texts = demo.sql("select stay_id, profile from marts.patient_profiles")
    read = {stay_id: render(profile) for stay_id, profile in of_cohort(demo).items()}
    assert read == dict(texts) and len(read) == 117


def test_what_the_paper_lacks_is_told_of_all_who_have_it_where_it_is_asked_for(
    bench: Bench,
) -> None:
    added = ["labs", "medications", "diagnoses", "ecg"]
    settings = {
        "profile_sections": ["demographics", "vitals", "image", "text", *added],
        "shapley_groups": ["demographics+vitals", "image+text", "labs+medications", "diagnoses",
                           "ecg"],
    }  # fmt: skip
    outcome = bench.build("--vars", json.dumps(settings), *UNTESTED)
    assert outcome.code == 0, outcome.output
    told = of_cohort(bench)
    without_numbers = {row[0] for row in bench.sql(
        "select stay_id from marts.ecgs group by stay_id having count(coalesce(heart_rate,"
        " p_duration, pr_interval, qrs_duration, qt_interval, p_axis, qrs_axis, t_axis)) = 0"
    )}  # fmt: skip
    for modality in added:
        having = {row[0] for row in bench.sql(
            "select stay_id from marts.stay_modalities inner join marts.cohort using (stay_id)"
            f" where modality = '{modality}' and in_window"
        )}  # fmt: skip
        lines = {
            stay_id: [line.hours for line in section.lines if line.hours is not None]
            for stay_id, profile in told.items()
            for section in profile
            if section.section == modality
        }
        assert len(lines) == len(told)
        of_whom = {stay_id for stay_id, hours in lines.items() if hours}
        assert of_whom == having - (without_numbers if modality == "ecg" else set()), modality
        every = [hour for hours in lines.values() for hour in hours]
        latest = 0 if modality == "diagnoses" else 24
        assert len(of_whom) > 10 and max(every) <= latest


def test_lines_have_the_hours_that_they_tell(profiles: dict[int, Profile]) -> None:
    told = {"none recorded": 0, "none available": 0}
    for profile in profiles.values():
        for section in profile:
            hours = [line.hours for line in section.lines]
            if None in hours:
                [line] = section.lines
                told[line.text] += 1
            else:
                assert hours == sorted(hours)
                assert all(
                    line.text.startswith(f"- {line.hours:.1f} h: ") for line in section.lines
                )
    assert min(told.values()) > 0


def test_each_variable_has_its_last_value_and_one_line(
    built: Bench, profiles: dict[int, Profile]
) -> None:
    latest = built.sql(
        "select stay_id, label, max(hours) from (select stay_id, variable, hours"
        " from marts.vitals_events union all select stay_id, variable, hours from"
        " intermediate.int_vitals_cleaned inner join marts.cohort using (stay_id)"
        " where is_intubated and observed_at >= window_start and available_at < window_end)"
        " as charted"
        " inner join marts.time_series_variables using (variable) group by all"
    )
    told = [
        (stay_id, line.text.split(":")[1].strip(), line.hours)
        for stay_id, profile in profiles.items()
        for section in profile
        if section.section == "vitals"
        for line in section.lines
        if line.hours is not None
    ]
    assert len(told) == len(latest) > len(profiles)
    hours = {(stay_id, label): hours for stay_id, label, hours in latest}
    for stay_id, text, at in told:
        [label] = [label for of, label in hours if of == stay_id and text.startswith(f"{label} ")]
        assert at == hours[stay_id, label]


def test_the_picture_is_spoken_of_only_where_it_is_shown(profile: Profile) -> None:
    sentence = Section("image", "Images:", (Line(None, "- The uploaded image."),))
    whole = (*profile[:2], sentence, profile[2])
    assert shown(whole, SECTIONS, with_picture=True) == whole
    assert shown(whole, SECTIONS, with_picture=False) == profile
    assert shown(whole, (), with_picture=True) == (sentence,)
    assert shown(profile, ("text",), with_picture=True) == profile[2:]
    assert sentence in without_oldest(whole, 1000)  # it has no hours to be old by


def test_only_stays_that_are_asked_for_are_read(built: Bench, profiles: dict[int, Profile]) -> None:
    one, other, *_ = profiles
    with open_warehouse(built.warehouse) as db:
        assert read_profiles(db, []) == {}
        read = read_profiles(db, [other, one, other, -1])
    assert read == {one: profiles[one], other: profiles[other]}


def test_the_oldest_lines_go_first_whatever_section_they_stand_in(profile: Profile) -> None:
    order = [("text", "r-1"), ("vitals", "v5"), ("text", "r5\nmore"), ("text", "r8"),
             ("vitals", "v23"), ("vitals", "w23")]  # fmt: skip
    assert droppable(profile) == len(order)
    for n in range(len(order) + 1):
        kept = [line for line in left(without_oldest(profile, n)) if line[1] != LEFT_OUT]
        assert sorted(kept) == sorted(order[n:])
    assert without_oldest(profile, 0) == profile
    assert left(without_oldest(profile, 2))[:2] == [("vitals", "v23"), ("vitals", "w23")]


def test_a_section_that_lost_everything_says_so(profile: Profile) -> None:
    assert render(without_oldest(profile, 4)) == (
        "Demographics: age 70.\nVital signs:\nv23\nw23\nReports:\n(left out: too long)"
    )
    bare = without_oldest(profile, 6)
    assert render(bare) == (
        "Demographics: age 70.\nVital signs:\n(left out: too long)\nReports:\n(left out: too long)"
    )
    assert without_oldest(profile, 1000) == bare
    assert droppable(bare) == 0 and without_oldest(bare, 1) == bare


def test_what_was_not_recorded_is_never_called_left_out() -> None:
    profile = (Section("vitals", "Vital signs:", (Line(None, "none recorded"),)),)
    assert droppable(profile) == 0
    assert without_oldest(profile, 3) == profile


def test_to_drop_twice_is_to_drop_the_sum(profiles: dict[int, Profile]) -> None:
    rng = random.Random(3)
    for profile in profiles.values():
        first, second = rng.randrange(droppable(profile) + 2), rng.randrange(droppable(profile) + 2)
        twice = without_oldest(without_oldest(profile, first), second)
        assert twice == without_oldest(profile, first + second)
        assert droppable(twice) == max(0, droppable(profile) - first - second)


def test_some_sections_render_alone_and_none_as_nothing(profile: Profile) -> None:
    assert render(profile[:1]) == "Demographics: age 70."
    assert render(()) == ""


def test_no_representation_shows_what_a_patient_has(profile: Profile) -> None:
    shown = repr(profile) + repr(profile[1].lines)
    assert "v5" not in shown and "age 70" not in shown
