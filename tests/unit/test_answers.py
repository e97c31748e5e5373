"""What services answer, read by Pydantic (charthouse.net.answers), without a server."""

import base64
import json
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from charthouse.net.answers import ChatCompletion, Embeddings, read_answer

SECRET = "Jane Roe, MRN 123"


def embeddings(**changed: Any) -> dict[str, Any]:
    text = base64.b64encode(np.array([4, 5, 6], "<f4").tobytes()).decode()
    data = [{"index": 1, "embedding": [1, 2, 3]}, {"index": 0, "embedding": text}]
    return {"data": data, "model": "m-1", "usage": {"prompt_tokens": 7}} | changed


def completion(message: Any, **beside: Any) -> dict[str, Any]:
    return {"choices": [{"message": message} | beside]}


def read_embeddings(body: object) -> Embeddings:
    return read_answer(Embeddings, json.dumps(body).encode(), count=2, model="m", dimension=3)


def read_chat(body: object) -> ChatCompletion:
    return read_answer(ChatCompletion, json.dumps(body).encode())


def test_embeddings_come_in_the_order_of_the_inputs_as_base64_or_as_numbers() -> None:
    found = read_embeddings(embeddings())
    assert [vector.tolist() for vector in found.vectors] == [[4, 5, 6], [1, 2, 3]]
    assert {vector.dtype for vector in found.vectors} == {np.dtype(np.float32)}
    assert found.prompt_tokens == 7


@pytest.mark.parametrize("model", [None, 3, ["m"], "m-of-some-date"])
def test_a_model_that_is_not_told_is_not_held_against_an_answer(model: object) -> None:
    assert read_embeddings(embeddings(model=model)).prompt_tokens == 7


@pytest.mark.parametrize(
    ("read", "body", "said"),
    [
        (read_embeddings, embeddings(usage={"prompt_tokens": SECRET}),
         "its usage.prompt_tokens is no whole number"),
        (read_embeddings, embeddings(usage=SECRET), "its usage.prompt_tokens is missing"),
        (read_embeddings, embeddings(model=SECRET), "it is by another model than m"),
        (read_embeddings, embeddings(data={SECRET: SECRET}), "its data is no list"),
        (read_embeddings, embeddings(data=[SECRET]), "its data.0 is no object"),
        (read_embeddings, embeddings(data=[{"index": 0, "embedding": SECRET}]),
         "its data.0.embedding is neither numbers nor base64"),
        (read_embeddings, {SECRET: SECRET}, "its data is missing"),
        (read_chat, SECRET, "it is no object"),
        (read_chat, {"choices": {SECRET: SECRET}}, "its choices.0.message is missing"),
        (read_chat, completion(SECRET), "its choices.0.message is no object"),
        (read_chat, completion({"content": [SECRET]}), "its choices.0.message.content is no text"),
        (read_chat, completion({"content": None, "refusal": {SECRET: 1}}),
         "its choices.0.message.content is no text"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_by_place_and_kind_and_not_a_word_of_the_answer(
    read: Callable[[object], object], body: object, said: str
) -> None:
    with pytest.raises(ValueError) as caught:
        read(body)
    assert str(caught.value) == said
    assert "Jane" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b'{"choices": [', b"[" * 200_000])
def test_what_is_no_json_is_called_so(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"^it is not JSON$"):
        read_answer(ChatCompletion, body)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": "Yes."}, "Yes."),
        ({"content": "Yes.", "refusal": 7}, "Yes."),
        ({"content": ""}, ""),
        ({"content": None, "refusal": "I cannot."}, "I cannot."),
        ({"content": None, "refusal": None}, ""),
        ({}, ""),
        ({"content": "lone \ud800"}, "lone \ud800"),
    ],
)
def test_the_text_of_an_answer_is_what_was_said_or_why_nothing_was(
    message: object, text: str
) -> None:
    assert read_chat(completion(message)).message.content == text


def test_of_the_first_token_only_what_can_be_a_log_probability_is_taken() -> None:
    top = [
        {"token": "yes", "logprob": -1},
        {"token": "no", "logprob": 1000.0},
        {"token": "no", "logprob": 10**400},
        {"token": "no", "logprob": float("nan")},
        {"token": "no", "logprob": float("-inf")},
        {"token": "no", "logprob": "-1"},
        {"token": 4, "logprob": -1},
        "no",
    ]
    found = read_chat(completion({}, logprobs={"content": [{"top_logprobs": top}]})).top
    assert found is not None
    assert [(each.token, each.logprob) for each in found] == [("yes", -1.0)]


@pytest.mark.parametrize(
    "logprobs", [None, 7, {"content": []}, {"content": ["x"]}, {"content": [{"top_logprobs": "x"}]}]
)
def test_log_probabilities_that_make_no_sense_are_none(logprobs: object) -> None:
    assert read_chat(completion({"content": "Yes"}, logprobs=logprobs)).top is None


@pytest.mark.parametrize("usage", [None, 7, {"prompt_tokens": True, "completion_tokens": -1},
                                   {"prompt_tokens": 2**31, "completion_tokens": "3"}])  # fmt: skip
def test_counts_that_make_no_sense_are_not_told(usage: object) -> None:
    found = read_chat(completion({"content": "Yes"}) | {"usage": usage, "model": 3})
    assert (found.prompt_tokens, found.answer_tokens, found.model) == (None, None, None)
