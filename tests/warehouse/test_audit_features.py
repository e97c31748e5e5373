"""The audit, on what features tell: each leak of the label into one of them is found, and neither
chance nor an honest signal; words of outcomes, copies of reports and of vital signs are counted."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest

from bench import Bench
from charthouse.core.cohort import read_cohort
from charthouse.core.warehouse import open_warehouse
from charthouse.jobs.embed import store
from charthouse.jobs.embed.store import Target
from charthouse.models.encoders.base import Encoded
from charthouse.stats.bootstrap import MIN_PATIENTS

MORTALITY, LONG_STAY = "in_hospital_mortality", "icu_stay_over_3_days"
Db = duckdb.DuckDBPyConnection


@pytest.fixture
def db(built: Bench, tmp_path: Path) -> Iterator[Db]:
    """A copy of the warehouse, for a test to spoil."""
    shutil.copy(built.warehouse, tmp_path / "warehouse.duckdb")
    with open_warehouse(tmp_path / "warehouse.duckdb", read_only=False) as db:
        yield db


def problems(db: Db, check: str) -> set[str]:
    return {problem for _, problem in found(db, check)}


def found(db: Db, check: str) -> set[tuple[int | None, str]]:
    """Stays and problems of a check; deaths in the ICU, which are found with the others, aside."""
    query = f"select stay_id, problem from reports.audit_{check} where problem is not null"
    rows = db.execute(query).fetchall()
    return {row for row in rows if not row[1].startswith("icu_mortality: ")}


def embed(db: Db, vectors: dict[int, np.ndarray], encoder: str = "swin", task: str | None = None):
    stays = sorted(vectors)
    store.append(
        db,
        Target(encoder, task),
        Encoded(np.array(stays), np.stack([vectors[stay] for stay in stays]).astype(np.float32)),
        {stay: f"of {stay}" for stay in stays},
        reads=read_cohort(db).reads(("modality", "image")),
        run_id=f"embed-{encoder}",
    )


def labels(db: Db, task: str = MORTALITY, having: str = "split = 'train'") -> dict[int, int]:
    return dict(
        db.execute(
            "select stay_id, label from marts.labels inner join marts.cohort using (stay_id)"
            f" where task = ? and {having} order by 1",
            [task],
        ).fetchall()
    )


def patients(db: Db, n_positive: int, n_negative: int) -> dict[int, int]:
    """The labels of so many train patients, by the stay of each that the audit looks at."""
    rows = db.execute(
        "select stay_id, label from marts.labels inner join marts.cohort using (stay_id)"
        f" where split = 'train' and task = '{MORTALITY}' qualify row_number() over (partition by"
        " subject_id order by label desc, md5(stay_id::varchar)) = 1 order by 1"
    ).fetchall()
    positive, negative = ([row for row in rows if row[1] == label] for label in (1, 0))
    chosen = positive[:n_positive] + negative[:n_negative]
    assert len(chosen) == n_positive + n_negative
    return dict(chosen)


def noise(n: int, dimension: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, dimension))


def test_nothing_is_found_in_the_synthetic_data(db: Db) -> None:
    for check in (
        "columns_separate_classes", "words_separate_classes", "outcome_words",
        "report_near_copies_in_two_splits", "vitals_under_two_patients",
    ):  # fmt: skip
        assert problems(db, check) == set()
        assert db.execute(f"select count(*) from reports.audit_{check}").fetchall() > [(100,)]


# One feature alone that separates the classes


def test_a_label_copied_into_a_component_is_found_whichever_way_it_points(db: Db) -> None:
    truth = labels(db)
    vectors = noise(len(truth))
    vectors[:, 2] = list(truth.values())
    vectors[:, 5] += -100.0 * np.array(list(truth.values()))
    embed(db, dict(zip(truth, vectors, strict=True)))
    assert problems(db, "vectors_separate_classes") == {
        f"{MORTALITY}: swin component 2 (AUROC 1.00)",
        f"{MORTALITY}: swin component 5 (AUROC 1.00)",
    }


def test_a_noisy_copy_is_found_and_an_honest_signal_is_not(db: Db) -> None:
    truth = labels(db, LONG_STAY)
    y = np.array(list(truth.values()))
    vectors = noise(len(truth))
    vectors[:, 0] += 2.6 * y  # AUROC of Phi(shift / sqrt 2): 0.97
    vectors[:, 1] += 1.2 * y  # 0.80
    embed(db, dict(zip(truth, vectors, strict=True)))
    (problem,) = problems(db, "vectors_separate_classes")
    assert problem.startswith(f"{LONG_STAY}: swin component 0 (AUROC 0.9")


def test_half_of_the_stays_in_ties_are_counted_half(db: Db) -> None:
    """All positives and a tenth of the negatives share a value: AUROC 0.95."""
    truth = patients(db, 12, 80)
    y = np.array(list(truth.values()))
    vectors = noise(len(truth))
    vectors[:, 3] = y
    vectors[np.flatnonzero(y == 0)[:8], 3] = 1
    embed(db, dict(zip(truth, vectors, strict=True)))
    assert problems(db, "vectors_separate_classes") == {
        f"{MORTALITY}: swin component 3 (AUROC 0.95)"
    }


def test_of_thousands_of_components_some_are_over_0_9_by_chance_and_pass(db: Db) -> None:
    truth = patients(db, 10, 10)
    vectors = noise(len(truth), 3000)
    y = np.array(list(truth.values()))
    wins = (vectors[y == 1][:, None] > vectors[y == 0][None]).mean(axis=(0, 1))
    assert wins.max() > 0.9
    embed(db, dict(zip(truth, vectors, strict=True)), "gru", MORTALITY)
    assert problems(db, "vectors_separate_classes") == set()
    assert db.execute("select count(*) from reports.audit_vectors_separate_classes").fetchall() == [
        (3000,)
    ]


def test_fewer_than_10_patients_of_a_class_say_nothing(db: Db) -> None:
    for n_positive, checked in ((MIN_PATIENTS - 1, 0), (MIN_PATIENTS, 8)):
        truth = patients(db, n_positive, 80)
        vectors = noise(len(truth))
        vectors[:, 0] = list(truth.values())
        db.execute("drop table if exists embeddings.gru")
        embed(db, dict(zip(truth, vectors, strict=True)), "gru", MORTALITY)
        rows = "select count(*), count(problem) from reports.audit_vectors_separate_classes"
        assert db.execute(rows).fetchall() == [(checked, checked // 8)]


def test_vectors_that_are_trained_for_a_task_are_judged_by_it_alone(db: Db) -> None:
    for task, other in ((MORTALITY, LONG_STAY), (LONG_STAY, MORTALITY)):
        truth = labels(db, other)
        vectors = noise(len(truth))
        vectors[:, 0] = list(truth.values())
        embed(db, dict(zip(truth, vectors, strict=True)), "gru", task)
    assert problems(db, "vectors_separate_classes") == set()


def test_vectors_of_other_stays_than_train_or_of_another_cohort_do_not_count(db: Db) -> None:
    everybody, train = labels(db, having="true"), labels(db)
    vectors = noise(len(everybody))
    vectors[:, 0] = [y * (stay not in train) for stay, y in everybody.items()]
    embed(db, dict(zip(everybody, vectors, strict=True)))
    assert problems(db, "vectors_separate_classes") == set()
    vectors[:, 0] = list(everybody.values())
    embed(db, dict(zip(everybody, vectors, strict=True)))
    assert len(problems(db, "vectors_separate_classes")) == 1
    db.execute("update embeddings.swin set reads = ['modality image of another']")
    assert problems(db, "vectors_separate_classes") == set()


DEAD = f"stay_id in (select stay_id from marts.labels where task = '{MORTALITY}' and label = 1)"
COLUMNS = [
    (f"update marts.cohort set insurance = 'Plan of Jane Roe' where {DEAD}", "insurance category"),
    (f"update marts.cohort set first_careunit = null where {DEAD}", "first_careunit category"),
    (f"update marts.cohort set age = 105 where {DEAD}", "age number"),
    (
        "update marts.vitals_hourly set value = 999 where variable = 'spo2' and hour = 7"
        f" and {DEAD}",
        "spo2 at hour 7.0 value",
    ),
    (
        f"update marts.vitals_hourly set measured = {DEAD} where variable = 'temperature'"
        " and hour = 23",
        "temperature at hour 23.0 measured",
    ),
    (
        "update marts.vitals_events set value = -1 where variable = 'heart_rate' and (stay_id,"
        " hours) in (select (stay_id, max(hours)) from marts.vitals_events where"
        f" variable = 'heart_rate' group by stay_id) and {DEAD}",
        "heart_rate last",
    ),
]


@pytest.mark.parametrize(("leak", "name"), COLUMNS, ids=[name for _, name in COLUMNS])
def test_a_column_that_gives_the_label_is_found_without_what_stands_in_it(
    db: Db, leak: str, name: str
) -> None:
    assert db.execute(leak).fetchall()[0][0] > 0
    told = problems(db, "columns_separate_classes")
    assert any(problem.startswith(f"{MORTALITY}: {name}") for problem in told)
    assert all(MORTALITY in problem and "Roe" not in problem for problem in told)


DOCUMENTS = {
    "reports": ("marts.radiology_reports", "text"),
    "profiles": ("marts.patient_profiles", "profile"),
}


@pytest.mark.parametrize("source", DOCUMENTS)
@pytest.mark.parametrize(
    ("dead", "alive", "name"),
    [
        ("... Outcome:\n EXPIRED.", "", "expired"),
        ("seen by Jane Roexyz", "", "word with md5"),
        ("hospital_expire_flag: 1", "hospital_expire_flag: 0", "word with md5"),
        ("", "discharge planned", "word with md5"),
    ],
)
def test_a_word_that_gives_the_label_is_found_and_not_told(
    db: Db, source: str, dead: str, alive: str, name: str
) -> None:
    table, column = DOCUMENTS[source]
    db.execute(f"update {table} set {column} = {column} || ' ' || if({DEAD}, ?, ?)", [dead, alive])
    told = problems(db, "words_separate_classes")
    assert any(
        problem.startswith(f"{MORTALITY}: {source} {name}") and problem.endswith("(AUROC 1.00)")
        for problem in told
    )
    assert all(source in problem for problem in told)
    assert not any("roexyz" in problem for problem in told)


def test_a_word_in_one_of_several_reports_is_enough(db: Db) -> None:
    one = (
        "insert into marts.radiology_reports by name select * replace ('nr ' || note_id as note_id,"
        " {} as text) from marts.radiology_reports"
        " qualify row_number() over (partition by stay_id) = 1"
    )
    db.execute(one.format(f"if({DEAD}, 'xyzzy', 'plugh')"))
    told = problems(db, "words_separate_classes")
    assert len(told) == 2 and all("reports word with md5" in problem for problem in told)


# Words of an outcome


OUTCOME = [
    ("Patient EXPIRED at 03:00", {"expired"}),
    ("now comfort\n   measures only", {"comfort measures"}),
    ("Comfort-focused care, then hospice.", {"comfort measures", "hospice"}),
    ("code status: DNR/DNI", {"do not resuscitate"}),
    ("do not\nresuscitate", {"do not resuscitate"}),
    ("pronounced dead; post-mortem film", {"dead", "post-mortem"}),
    ("plan for withdrawal of care", {"withdrawal of care"}),
    ("support was withdrawn", {"withdrawal of care"}),
    ("terminally extubated, died", {"terminal extubation", "died"}),
    ("brain death protocol for organ donation", {"death", "organ procurement"}),
    ("ICU day 12 film", {"hospital day"}),
    ("discharged to rehab", {"discharged"}),
    ("hospital_expire_flag=1", {"hospital_expire_flag"}),
    # other meanings, and other people
    ("expired air, unexpired, diagonal line, dead space, dnrx", set()),
    ("kidney from a deceased donor; father died of a stroke", set()),
    ("aborted sudden cardiac death, now with ICD", set()),
    ("hospital day 2, alcohol withdrawal, discharge from the wound", set()),
    ("the tube was withdrawn 2 cm; comfortable", set()),
    ("expired air, later he expired", {"expired"}),
]


def test_words_of_an_outcome_are_told_from_their_other_meanings(db: Db) -> None:
    notes = [
        note for (note,) in db.execute("select note_id from marts.radiology_reports").fetchall()
    ]
    expected = set()
    for note, (text, words) in zip(sorted(notes), OUTCOME, strict=False):
        db.execute("update marts.radiology_reports set text = ? where note_id = ?", [text, note])
        ((stay,),) = db.execute(
            "select stay_id from marts.radiology_reports where note_id = ?", [note]
        ).fetchall()
        expected |= {(stay, f"reports: {word}") for word in words}
    assert found(db, "outcome_words") == expected


def test_words_of_an_outcome_in_a_profile_only_warn(db: Db) -> None:
    ((stay,),) = db.execute("select min(stay_id) from marts.patient_profiles").fetchall()
    db.execute(
        "update marts.patient_profiles set profile = profile || ' Made CMO.' where stay_id = ?",
        [stay],
    )
    assert found(db, "outcome_words") == {(stay, "profiles: comfort measures")}
    assert db.execute(
        "select state, failing, stay_ids, detail from reports.audit where check_name ="
        " 'outcome_words'"
    ).fetchall() == [("warning", 1, [stay], "profiles: comfort measures")]


# Copies


WORDS = [f"{first}{last}" for first in "bcdfghklmnprstvw" for last in ("alm", "ered", "io", "ust")]


def long_text(seed: int, n_words: int = 150) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=n_words)) + "."


def put_texts(db: Db, texts: dict[str, str]) -> dict[str, int]:
    """Into a report of one stay each; the key begins with the split. Gives the stays."""
    stays: dict[str, int] = {}
    for name, text in texts.items():
        ((stay, note),) = db.execute(
            "select stay_id, min(note_id) from marts.radiology_reports inner join marts.cohort"
            " using (stay_id) where split = ? and stay_id not in (select unnest(?::integer[]))"
            " and subject_id not in (select subject_id from marts.cohort where stay_id in"
            " (select unnest(?::integer[]))) group by stay_id order by 1 limit 1",
            [name.split()[0], list(stays.values()), list(stays.values())],
        ).fetchall()
        db.execute("update marts.radiology_reports set text = ? where note_id = ?", [text, note])
        stays[name] = stay
    return stays


def near_copies(db: Db, texts: dict[str, str]) -> set[str]:
    stays = put_texts(db, texts)
    told = found(db, "report_near_copies_in_two_splits")
    return {name for name, stay in stays.items() if stay in {stay for stay, _ in told}}


TEXT = long_text(1)
ONE_WORD = TEXT.replace(TEXT.split()[70], "otherwise", 1)


@pytest.mark.parametrize(
    "copy",
    [
        ONE_WORD,
        "\n".join(ONE_WORD.upper().split()),
        TEXT.replace(" ", ", ").replace(".", "!"),
        long_text(2, 60) + " " + TEXT,
        " ".join([*TEXT.split()[75:], *TEXT.split()[:75]]),
    ],
    ids=["one word", "letter case and line breaks", "punctuation", "an addendum", "halves swapped"],
)
def test_a_long_report_that_is_nearly_another_is_found_in_both_splits(db: Db, copy: str) -> None:
    texts = {"train": TEXT, "test": copy, "validation": long_text(3)}
    assert near_copies(db, texts) == {"train", "test"}
    assert problems(db, "report_near_copies_in_two_splits") == {"test and train"}


def test_the_very_same_text_warns_where_it_is_too_short_to_fail(db: Db) -> None:
    """And where it is not, the other check has it."""
    short, long = long_text(4, 90), long_text(5, 120)
    assert 400 < len(short) < 500 < len(long)
    assert near_copies(db, {"train": short, "test": short}) == {"train", "test"}
    assert near_copies(db, {"train": long, "test": long}) == set()


def test_what_is_no_near_copy_is_not_found(db: Db) -> None:
    half = " ".join([*TEXT.split()[:75], *long_text(4).split()[:75]])
    short = long_text(5, 40)
    texts = {
        "train": TEXT, "test half": half, "train again": ONE_WORD,  # one split
        "train short": short, "test short": short.replace(short.split()[20], "otherwise", 1),
        "train same": long_text(6), "test same": long_text(6).upper(),  # another check's
    }  # fmt: skip
    assert near_copies(db, texts) == set()


def test_many_copies_of_one_report_are_all_found(db: Db) -> None:
    texts = {"train": TEXT} | {f"test {i}": TEXT.replace(".", f" {i}.") for i in range(12)}
    assert near_copies(db, texts) == set(texts)


def test_near_copies_of_one_patient_are_by_the_setting_that_splits_him(db: Db) -> None:
    stays = put_texts(db, {"train": TEXT, "test": ONE_WORD})
    db.execute(
        "update marts.cohort set subject_id = (select subject_id from marts.cohort where stay_id ="
        " ?) where stay_id = ?",
        list(stays.values()),
    )
    chosen = (
        "select bool_and(is_chosen) from reports.audit_report_near_copies_in_two_splits"
        " where problem is not null"
    )
    assert db.execute(chosen).fetchall() == [(False,)]
    db.execute(
        "update marts.cohort_definition set variables = json_merge_patch(variables,"
        ' \'{"split_unit": "stay"}\')'
    )
    assert db.execute(chosen).fetchall() == [(True,)]


def two_stays(db: Db) -> tuple[int, int]:
    """Of two patients, with vital signs."""
    rows = db.execute(
        "select min(stay_id) from marts.cohort where has_vitals group by subject_id order by 1"
    ).fetchall()
    return rows[0][0], rows[1][0]


def copy_vitals(db: Db, shift: str, where: str = "true", value: str = "value") -> tuple[int, int]:
    one, other = two_stays(db)
    db.execute("delete from marts.vitals_events where stay_id = ?", [other])
    db.execute(
        f"insert into marts.vitals_events by name select * replace ({other} as stay_id,"
        f" observed_at + {shift} as observed_at, {value} as value)"
        f" from marts.vitals_events where stay_id = {one} and {where} order by hours desc"
    )
    return one, other


def test_the_same_vital_signs_under_two_patients_are_found_at_any_date(db: Db) -> None:
    stays = copy_vitals(db, "interval 400 days + interval 17 seconds")
    told = found(db, "vitals_under_two_patients")
    assert {stay for stay, _ in told} == set(stays)
    assert (stays[0], "heart_rate") in told
    db.execute(
        "update marts.cohort set subject_id = (select subject_id from marts.cohort where stay_id"
        " = ?) where stay_id = ?",
        stays,
    )
    assert found(db, "vitals_under_two_patients") == set()


def test_one_variable_of_them_is_enough(db: Db) -> None:
    stays = copy_vitals(db, "interval 1 hour", "variable = 'heart_rate'")
    assert found(db, "vitals_under_two_patients") == {(stay, "heart_rate") for stay in stays}


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("variable = 'heart_rate'", "value + (row_number() over (order by hours) = 5)::integer"),
        ("variable = 'heart_rate' and hours < 5", "value"),  # few
        ("starts_with(variable, 'gcs')", "value"),  # few different ones
    ],
)
def test_what_two_patients_may_share_is_no_copy(db: Db, where: str, value: str) -> None:
    copy_vitals(db, "interval 0 hours", where, value)
    assert found(db, "vitals_under_two_patients") == set()
