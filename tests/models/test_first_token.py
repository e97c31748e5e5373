"""P(yes) of the first token: from a service's list, and from all logits."""

import math
import re

import pytest
import torch

from charthouse.models.learners.first_token import (
    FirstToken,
    answer_ids,
    from_logits,
    from_top,
    kind_of,
)


@pytest.mark.parametrize("text", ["yes", "Yes", "YES", " Yes", "\u2581Yes", "\u0120yes", "yes\n"])
def test_a_bare_yes_in_any_form(text: str) -> None:
    assert kind_of(text) == "yes"
    assert kind_of(re.sub("yes", "No", text, flags=re.IGNORECASE)) == "no"


@pytest.mark.parametrize(
    "text",
    ["", " ", "\u2581", "Yes,", "yes.", '"Yes', "*No", "**", "Y", "Yess", "not", "none", "n o"],
)
def test_all_else_is_neither(text: str) -> None:
    assert kind_of(text) is None


def logs(**shares: float) -> dict[str, float]:
    return {text: math.log(share) for text, share in shares.items()}


def test_all_forms_of_a_word_count_together() -> None:
    top = [("Yes", math.log(0.3)), (" yes", math.log(0.1)), ("No", math.log(0.2)),
           ("Based", math.log(0.15)), ("no", math.log(0.05))]  # fmt: skip
    found = from_top(top)
    assert found is not None
    assert found.p_yes == pytest.approx(0.4 / 0.65) and found.mass == pytest.approx(0.65)
    assert from_top(dict(top)) == found == from_top(list(reversed(top)))


def test_a_word_that_is_not_told_is_no_likelier_than_the_last_that_is() -> None:
    found = from_top(logs(Yes=0.9, The=0.05, Maybe=0.01))
    assert found is not None
    assert found.p_yes == pytest.approx(0.9 / 0.91) and found.mass == pytest.approx(0.91)
    found = from_top(logs(no=0.6, I=0.3))
    assert found is not None and found.p_yes == pytest.approx(0.3 / 0.9)


def test_nor_likelier_than_what_the_other_word_leaves() -> None:
    found = from_top(logs(Yes=0.999))
    assert found is not None
    assert found.p_yes == pytest.approx(0.999) and found.mass == pytest.approx(1)
    assert from_top([("No", 0.0)]) == FirstToken(0.0, 1.0)
    assert from_top([("Yes", 0.0), ("No", -9999.0)]) == FirstToken(1.0, 1.0)


def test_where_neither_is_told_nothing_is_known() -> None:
    assert from_top([]) is None
    assert from_top(logs(Based=0.6, The=0.3)) is None
    assert from_top([("Based", 0.0), ("Yes", -9999.0), ("No", -9999.0)]) is None


class Vocabulary:
    def __init__(self, *texts: str) -> None:
        self.texts = texts

    def get_vocab(self) -> dict[str, int]:
        return {text: place for place, text in reversed(list(enumerate(self.texts)))}


def test_the_whole_vocabulary_is_searched() -> None:
    tokenizer = Vocabulary("<s>", "\u2581Yes", "No", "yes", "Yes,", "\u2581no", "not")
    assert answer_ids(tokenizer) == ([1, 3], [2, 5])
    assert answer_ids(Vocabulary("Yes", "maybe")) == ([0], [])


def test_from_logits_is_the_softmax_whatever_the_precision() -> None:
    logits = torch.tensor([2.0, 1.0, 0.5, -3.0, 4.0])
    shares = logits.double().softmax(0).tolist()
    found = from_logits(logits, [0, 3], [1])
    assert found is not None
    assert found.p_yes == pytest.approx(
        (shares[0] + shares[3]) / (shares[0] + shares[3] + shares[1]), rel=1e-12
    )
    assert found.mass == pytest.approx(shares[0] + shares[3] + shares[1], rel=1e-12)
    assert from_logits(logits.bfloat16(), [0, 3], [1]) == found  # these numbers are exact in it


def test_from_logits_tells_stays_apart_that_both_words_are_unlikely_for() -> None:
    far = torch.tensor([0.0, -900.0, -901.0])
    found = from_logits(far, [1], [2])
    assert found is not None and found.p_yes == pytest.approx(1 / (1 + math.exp(-1)))
    assert found.mass == 0.0
    certain = from_logits(torch.tensor([-2000.0, 0.0]), [0], [1])
    assert certain is not None and 0 <= certain.p_yes < 1e-300 and certain.mass == 1.0


def test_from_logits_says_nothing_where_a_word_or_a_number_is_missing() -> None:
    assert from_logits(torch.zeros(3), [0], []) is None
    assert from_logits(torch.zeros(3), [], [1]) is None
    assert from_logits(torch.full((3,), float("nan")), [0], [1]) is None
