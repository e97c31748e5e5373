"""What the synthetic MIMIC tells of outcomes: each modality by its own latent, and how much."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from charthouse.synth.diagnoses import ACUTE, CHRONIC, draw_chronic
from charthouse.synth.lab_tests import LAB_TESTS
from charthouse.synth.population import NO_TIME, build_population
from charthouse.synth.shifted import (
    LAB_SHIFTS,
    lab_latents,
    log_odds,
    outcomes_of,
)
from charthouse.synth.signal import (
    COEFFICIENTS,
    INTERACTIONS,
    LATENTS,
    auroc,
    oracle_auroc,
    scaled_age,
)
from charthouse.synth.treatments import LOG_ODDS, plan_ventilation, started
from synthetic import BEGINNINGS, PIXELS, SEED, Made, by_stay, correlation, write


def test_codes_of_earlier_admissions_tell_of_death_and_those_of_the_present_give_it_away() -> None:
    population = build_population(30_000, 5)
    visits = population.admissions
    dies = np.bincount(visits.patient, visits.died, len(population.patients)) > 0
    chronic = draw_chronic(population, 5)
    shifts = np.array([each.shift for each in CHRONIC.values()])
    logit = LogisticRegression(C=np.inf).fit(chronic, dies).coef_[0]
    assert np.abs(logit - shifts).max() < 0.35
    by_history = auroc(dies, chronic @ shifts)
    assert by_history is not None and 0.58 < by_history < 0.75
    of_death = np.array([each.shift for each in ACUTE.values()])
    assert of_death.max() > 2.5


def test_what_begins_after_a_day_follows_the_latents_of_vital_signs() -> None:
    population = build_population(12_000, 5)
    stays = population.stays
    never = np.full(len(stays), NO_TIME)
    ventilation = plan_ventilation(stays, never, 5)
    before, after = started(ventilation.invasive, stays)
    rows = ~before & (stays.seconds >= 86400)
    by = LOG_ODDS["invasive_ventilation_after_24h"]
    score = by["severity"] * stays.latents.severity + by["vitals"] * stays.latents.vitals
    best = auroc(after[rows], score[rows])
    assert best is not None and best > 0.7
    assert auroc(after[rows], stays.latents.text[rows]) == pytest.approx(0.5, abs=0.05)


def test_vitals_show_severity_and_their_own_latent(made: Made) -> None:
    latents = made.population.stays.latents
    query = (
        "select stay_id, {sign}median(valuenum) from chartevents where itemid = {item}"
        " group by stay_id"
    )
    rows, rate = by_stay(made, query.format(sign="", item=220210))
    assert correlation(rate, latents.severity[rows]) > 0.3
    rows, saturation = by_stay(made, query.format(sign="-", item=220277))
    assert correlation(saturation, latents.vitals[rows]) > 0.25
    assert abs(correlation(saturation, latents.text[rows])) < 0.25


def test_laboratory_values_show_the_latents_of_the_outcomes(made: Made) -> None:
    stays = made.population.stays
    shown = lab_latents(stays, SEED)
    query = (
        "select stay_id, median(valuenum) from labevents join icustays using (subject_id)"
        " where itemid = {item} and valuenum between {low} and {high}"
        " and charttime between intime and outtime group by stay_id"
    )
    signs = {
        "in_hospital_mortality": {50912: 1, 51006: 1, 50885: 1, 50820: -1, 50882: -1, 51265: -1},
        "icu_stay_over_3_days": {51222: -1, 51301: 1},
    }
    for task, items in signs.items():
        for item, sign in items.items():
            low, high = next(test.natural for test in LAB_TESTS if test.itemid == item)
            rows, value = by_stay(made, query.format(item=item, low=low, high=high))
            assert sign * correlation(value, shown[task][rows]) > 0.2, item
            other = next(name for name in signs if name != task)
            assert abs(correlation(value, shown[other][rows])) < 0.25, item


def test_a_latent_drawn_given_the_outcome_is_the_log_likelihood_ratio() -> None:
    stays = build_population(40_000, 5).stays
    shown = lab_latents(stays, 5)
    for task, outcome in outcomes_of(stays).items():
        latent, shift = shown[task], LAB_SHIFTS[task]
        assert latent[~outcome].mean() == pytest.approx(0, abs=0.03)
        assert latent[outcome].mean() == pytest.approx(shift, abs=0.05)
        assert latent[outcome].std() == pytest.approx(1, abs=0.03)
        slope = LogisticRegression(C=np.inf).fit(latent[:, None], outcome).coef_[0, 0]
        assert slope == pytest.approx(shift, abs=0.05)


def test_log_odds_are_calibrated_whatever_is_seen() -> None:
    """What is not seen is integrated out, so the mean chance is the rate, in every fifth."""
    population = build_population(40_000, 5)
    stays = population.stays
    cohort = stays.seconds > 86400
    latents, age = stays.latents.take(cohort), scaled_age(stays.age[cohort])
    long_stay = outcomes_of(stays)["icu_stay_over_3_days"][cohort]
    for seen_names in ((), ("severity", "image"), ("severity", "vitals"), LATENTS):
        seen = {name: np.full(len(age), name in seen_names) for name in LATENTS}
        chance = 1 / (1 + np.exp(-log_odds("icu_stay_over_3_days", age, latents, seen)))
        fifth = np.digitize(chance, np.quantile(chance, (0.2, 0.4, 0.6, 0.8)))
        for each in range(5):
            rows = fifth == each
            assert long_stay[rows].mean() == pytest.approx(chance[rows].mean(), abs=0.025)


def test_notes_show_severity_and_their_own_latent(made: Made) -> None:
    latents = made.population.stays.latents
    bad = "(large|severe|marked|moderate|dense|multifocal|worsened|increased|extensive|progressed)"
    rows, words = by_stay(
        made,
        f"select stay_id, avg(len(regexp_extract_all(lower(text), '{bad}'))) from icustays"
        " join radiology using (subject_id) where charttime between intime and outtime"
        " group by stay_id",
    )
    assert correlation(words, latents.severity[rows]) > 0.2
    assert correlation(words, latents.text[rows]) > 0.2
    assert abs(correlation(words, latents.image[rows])) < 0.25


def test_pictures_show_severity_and_their_own_latent(made: Made) -> None:
    taken = made.sql.execute(
        "select stay_id, path from icustays join metadata using (subject_id) join cxr_record_list"
        " using (dicom_id, subject_id) where ViewPosition = 'AP' and strptime(StudyDate::varchar,"
        " '%Y%m%d') between intime and outtime"
    ).fetchall()
    by_stay: dict[int, list[float]] = {}
    for stay, path in taken:
        with Image.open(made.root / "mimic-cxr" / Path(path).with_suffix(".jpg")) as picture:
            pixels = np.asarray(picture, dtype=float)
        middle = pixels[PIXELS // 5 : PIXELS * 3 // 4, PIXELS // 5 : PIXELS * 4 // 5]
        # The lungs against the body: exposure differs from picture to picture.
        by_stay.setdefault(stay, []).append(middle.mean() - pixels[-PIXELS // 3 : -8].mean())
    stay_ids = made.population.stays.stay_id
    rows = np.array([i for i, stay in enumerate(stay_ids) if stay in by_stay])
    bright = np.array([np.mean(by_stay[stay_ids[i]]) for i in rows])
    latents = made.population.stays.latents
    assert len(rows) > 30
    assert correlation(bright, latents.severity[rows] + latents.image[rows]) > 0.25


def test_outcomes_follow_all_latents_with_own_signal_beyond_shared() -> None:
    stays = build_population(20_000, 5).stays
    latents = stays.latents
    for outcome in (stays.died, stays.seconds > 3 * 86400):
        best = auroc(outcome, latents.severity)
        assert best is not None and best > 0.6
        for own in (latents.vitals, latents.image, latents.text):
            more = auroc(outcome, latents.severity + 0.55 * own)
            assert more is not None and more > best + 0.01


def test_a_picture_tells_the_more_the_more_deranged_the_vital_signs_are() -> None:
    """The declared interaction; it adds nothing to what either modality tells by itself."""
    stays = build_population(40_000, 5).stays
    latents = stays.latents
    outcomes = {
        "in_hospital_mortality": stays.died,
        "icu_stay_over_3_days": stays.seconds > 3 * 86400,
    }
    for task, outcome in outcomes.items():
        by = COEFFICIENTS[task]
        inner = np.abs(latents.severity) < 1  # else a mixture of high and low risks
        calm, deranged = inner & (latents.vitals < -1), inner & (latents.vitals > 1)
        tells = [auroc(outcome[rows], latents.image[rows]) for rows in (calm, deranged)]
        assert tells[0] is not None and tells[0] < 0.58
        assert tells[1] is not None and tells[1] > 0.8
        names = ("severity", "vitals", "image")
        x = np.column_stack([getattr(latents, name) for name in names])
        slopes = LogisticRegression(C=np.inf).fit(x, outcome).coef_[0]
        assert slopes[1] / slopes[0] == pytest.approx(by["vitals"] / by["severity"], abs=0.08)
        assert slopes[2] / slopes[0] == pytest.approx(by["image"] / by["severity"], abs=0.08)


def test_the_interaction_is_in_the_oracle_of_those_who_see_both_modalities() -> None:
    latents = build_population(2000, 5).stays.latents
    n = len(latents.image)
    score = INTERACTIONS["in_hospital_mortality"].of(latents)
    everywhere = {name: np.ones(n, bool) for name in ("vitals", "image", "text")}
    outcome = {"in_hospital_mortality": score > np.quantile(score, 0.9)}
    best, of_sums = (
        oracle_auroc(outcome, np.zeros(n), latents, everywhere, interaction=read)[
            "in_hospital_mortality"
        ]
        for read in (True, False)
    )
    for arm in ("age", "vitals", "vitals+text"):
        assert best[arm] == of_sums[arm]
    for arm in ("vitals+image", "vitals+image+text"):
        assert (best[arm] or 0) > (of_sums[arm] or 1) + 0.05
    unseen = everywhere | {"image": np.zeros(n, bool)}
    blind = oracle_auroc(outcome, np.zeros(n), latents, unseen, interaction=True)
    assert blind["in_hospital_mortality"]["vitals+image"] == best["vitals"]


def test_oracle_gains_from_every_modality(tmp_path: Path) -> None:
    truth = write(tmp_path / "many", stays=4000, rows_per_stay=0, image_pixels=0)
    for arms in truth["oracle_auroc"].values():
        assert arms["age"] < arms["vitals"] < arms["vitals+image"] < arms["vitals+image+text"]
        assert arms["vitals"] < arms["vitals+text"] < arms["vitals+image+text"]
    for task, arms in truth["oracle_auroc_with_labs"].items():
        for arm, without in truth["oracle_auroc"][task].items():
            if arm != "age":
                assert arms[f"{arm}+labs"] > without + 0.02, (task, arm)
        assert truth["oracle_auroc"][task]["age"] < arms["labs"] < arms["vitals+labs"]
    of_death = truth["oracle_auroc_with_labs"]["in_hospital_mortality"]["vitals+image+text+labs"]
    gain = of_death - truth["oracle_auroc"]["in_hospital_mortality"]["vitals+image+text"]
    assert 0.03 < gain < 0.07
    planted, rates = truth["planted"], truth["rates"]
    for name in BEGINNINGS:
        begun = planted[f"first_{name}_after_24h"] / planted[f"not_{name}_before_24h"]
        assert 0.07 < begun < 0.11  # so that a demo of 1,000 stays has 10 in test
        assert 0.2 < planted[f"{name}_before_24h"] / 4000 < 0.4
    for name in ("septic_shock", "cardiac_arrest", "palliative_care"):
        coded, in_deaths = planted[f"{name}_coded"], planted[f"{name}_coded_in_deaths"]
        deaths = rates["mortality"] * truth["admissions"]  # nearly
        assert in_deaths / deaths > 5 * (coded - in_deaths) / (truth["admissions"] - deaths)
    assert 0.08 < rates["mortality"] < 0.14
    assert 1.7 < rates["los_median_days"] < 2.3
    assert 0.28 < rates["los_over_3_days"] < 0.39
    assert 0.15 < rates["under_24h"] < 0.25
    assert 0.005 < rates["first_day_deaths"] < 0.03
    assert 0.64 < rates["patients_per_stay"] < 0.76
    assert 0.09 < rates["null_hadm_reports"] < 0.16
    assert 0.16 < 1 - rates["stays_without_image_first_day"] < 0.28
    assert 0.15 < rates["stays_without_report_first_day"] < 0.26
    assert 4.8 < rates["radiology_reports_per_stay"] < 6.4
    assert not list((tmp_path / "many").rglob("*.jpg"))
