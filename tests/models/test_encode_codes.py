"""Encoders of codes: earlier diagnoses as terms, and as the groups of the Charlson index."""

from typing import Any

import duckdb
import numpy as np
import pytest

from charthouse.jobs.embed.inputs import READERS
from charthouse.models.encoders.base import Code, NothingToFit, Stay
from charthouse.models.encoders.charlson import Charlson
from charthouse.models.encoders.code_tfidf_svd import CodeTfidfSvd
from charthouse.models.encoders.registry import unsuited
from encoding import (
    assert_fit_ignores_order,
    assert_same_in_any_company,
    by_stay,
    context,
    fitted,
    stays,
)

GROUPS = (
    ("congestive_heart_failure", 1),
    ("diabetes_with_cc", 2),
    ("diabetes_without_cc", 1),
    ("renal_disease", 2),
)
HEART, KIDNEY = ("congestive_heart_failure",), ("renal_disease",)


def make_charlson() -> Charlson:
    return Charlson(context("charlson", groups=GROUPS))


def make_codes() -> CodeTfidfSvd:
    return CodeTfidfSvd(context("code_tfidf_svd"))


def histories() -> list[Stay]:
    return stays(
        [
            (Code(9, "4280", 71, HEART), Code(10, "I10", 71, ())),
            (
                Code(10, "I5022", 80, HEART),
                Code(10, "I5022", 81, HEART),
                Code(10, "I130", 81, HEART + KIDNEY),
            ),
            (Code(10, "I10", 90, ()),),
            (
                Code(10, "E119", 95, ("diabetes_without_cc",)),
                Code(10, "E1122", 95, ("diabetes_with_cc", *KIDNEY)),
            ),
        ]
    )


# reading


def diagnoses(order: str = "") -> duckdb.DuckDBPyConnection:
    db = duckdb.connect()
    db.execute("create schema marts")
    db.execute(
        "create table marts.diagnoses as select * from (values"
        " (1, 72, 2, 10, 'I10', null),"
        " (1, 71, 1, 9, '4280', 'congestive_heart_failure'),"
        " (1, 72, 1, 9, '40403', 'congestive_heart_failure, renal_disease'),"
        " (2, 73, 1, 10, 'I10', null))"
        " as t(stay_id, hadm_id, seq_num, icd_version, icd_code, charlson_groups)" + order
    )
    return db


def test_codes_are_read_in_one_order_with_their_groups() -> None:
    reader, of = READERS["codes"], context("charlson")
    found, hashes = [], []
    for order in ("", " order by icd_code", " order by stay_id desc, seq_num"):
        with diagnoses(order) as db:
            found.append(reader.read(db, of, [1, 2, 3]))
            hashes.append(reader.hashes(db, of))
    assert found[0] == found[1] == found[2] and hashes[0] == hashes[1] == hashes[2]
    assert found[0] == {
        1: (
            Code(9, "4280", 71, HEART),
            Code(9, "40403", 72, HEART + KIDNEY),
            Code(10, "I10", 72, ()),
        ),
        2: (Code(10, "I10", 73, ()),),
    }


@pytest.mark.parametrize(
    "change",
    ["icd_version = 9", "icd_code = 'I11'", "hadm_id = 71", "charlson_groups = 'renal_disease'"],
)
def test_all_that_is_read_of_a_code_changes_the_hash(change: str) -> None:
    reader, of = READERS["codes"], context("charlson")
    with diagnoses() as db:
        before = reader.hashes(db, of)
        db.execute(f"update marts.diagnoses set {change} where stay_id = 1 and icd_code = 'I10'")
        after = reader.hashes(db, of)
    assert after[1] != before[1] and after[2] == before[2]


# the Charlson index


def test_groups_index_and_counts_of_earlier_admissions() -> None:
    encoder = make_charlson()
    learned = encoder.fit(histories())
    encoder.restore(learned)
    numbers = encoder.encode(histories()).vectors * learned["sd"] + learned["mean"]
    assert encoder.feature_names(learned) == [
        "congestive_heart_failure", "diabetes_with_cc", "diabetes_without_cc", "renal_disease",
        "charlson_index", "earlier_admissions", "distinct_codes",
    ]  # fmt: skip
    np.testing.assert_allclose(
        numbers,
        [
            [1, 0, 0, 0, 1, 1, 2],
            [1, 0, 0, 1, 3, 2, 2],  # a code of two admissions is one code
            [0, 0, 0, 0, 0, 1, 1],
            [0, 1, 1, 1, 4, 1, 2],  # of two grades of diabetes the graver alone counts
        ],
        atol=1e-6,
    )
    vectors = encoder.encode(histories()).vectors
    np.testing.assert_allclose(vectors.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(vectors.std(axis=0), 1, rtol=1e-6)


def test_one_code_in_both_versions_is_two() -> None:
    train = stays([(Code(9, "V10", 1, ()), Code(10, "V10", 2, ())), (Code(9, "V10", 1, ()),)])
    encoder = make_charlson()
    learned = encoder.fit(train)
    assert learned["mean"][-1] == 1.5


def test_train_stays_that_are_all_alike_divide_nothing_by_zero() -> None:
    train = stays([(Code(10, "I10", 1, ()),)] * 3)
    found = fitted(make_charlson(), train).encode(histories())
    assert np.isfinite(found.vectors).all() and len(found.vectors) == 4


def test_a_seed_without_groups_is_for_the_other_encoder() -> None:
    variables = {"protocol": "strict"}
    refusal = unsuited(Charlson, context("charlson", variables=variables))
    assert refusal and "names no charlson_group" in refusal and "\n" not in refusal
    assert unsuited(Charlson, context("charlson", variables=variables, groups=GROUPS)) is None
    assert unsuited(CodeTfidfSvd, context("code_tfidf_svd", variables=variables)) is None


# codes as terms


def many_histories(n: int = 80) -> list[Stay]:
    """Stays of one to nine codes, some more frequent than others."""
    rng = np.random.default_rng(3)
    known = [(10, f"I{k:02}{k % 10}") for k in range(20)] + [(9, str(4100 + k)) for k in range(20)]
    shares = np.arange(len(known), 0, -1.0)
    made = []
    for _ in range(n):
        picked = rng.choice(len(known), size=rng.integers(1, 10), p=shares / shares.sum())
        made.append(tuple(Code(*known[k], int(rng.integers(1, 4)), ()) for k in picked))
    return stays(made)


def test_a_code_is_a_term_and_so_is_its_category() -> None:
    codes = (
        Code(9, "4280", 1, ()),
        Code(9, "E8800", 1, ()),
        Code(10, "E880", 1, ()),
        Code(10, "I10", 2, ()),
    )
    assert list(CodeTfidfSvd.terms(codes)) == [
        "9 4280", "9 428-", "9 E8800", "9 E880-", "10 E880", "10 E88-", "10 I10", "10 I10-",
    ]  # fmt: skip


def test_unseen_codes_of_a_known_category_are_near_it() -> None:
    train = stays(
        [(Code(10, f"I50{k % 3}", k, ()), Code(10, "N185", k, ())) for k in range(12)]
        + [(Code(10, f"J44{k % 3}", k, ()), Code(10, "F172", k, ())) for k in range(12)]
    )
    encoder = fitted(make_codes(), train)
    new, heart, lung = encoder.encode(
        stays([(Code(10, "I509", 1, ()),), train[0].content, train[12].content])
    ).vectors
    assert new @ heart > 0.3 > new @ lung


def test_the_versions_of_icd_are_kept_apart() -> None:
    encoder = fitted(make_codes(), many_histories())
    known = next(iter(many_histories()[0].content))
    turned = Code(19 - known.version, known.code, 1, ())
    found = encoder.encode(stays([(known,), (turned,)]))
    assert found.stay_ids.tolist() == [100]
    assert [(s.stay_id, s.item, s.reason) for s in found.skipped] == [
        (101, None, "the train split knows none of its codes")
    ]


@pytest.mark.parametrize("make", [make_charlson, make_codes])
def test_codes_in_any_company_and_order(make: Any) -> None:
    train = many_histories()
    encoder = fitted(make(), train)
    assert_same_in_any_company(encoder, train)
    turned = [Stay(s.stay_id, 0, "test", s.content[::-1]) for s in train]
    assert by_stay(encoder.encode(turned)) == by_stay(encoder.encode(train))
    if make is make_charlson:
        assert_fit_ignores_order(make, train)


@pytest.mark.parametrize("make", [make_charlson, make_codes])
def test_no_earlier_diagnosis_in_train_is_nothing_to_fit(make: Any) -> None:
    with pytest.raises(NothingToFit, match="train split"):
        make().fit([])
