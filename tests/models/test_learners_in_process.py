"""Learners in process: small checkpoints of the true architectures, through transformers itself."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from bench import PROJECT
from charthouse.jobs.ask.pictures import blank_like
from charthouse.models.learners.base import ANSWER_TOKENS, Message, Question, Reply
from charthouse.models.learners.in_process import InProcess
from charthouse.models.learners.registry import learner_spec
from tiny_learners import (
    disc,
    one_thread,  # noqa: F401
    question,
    train_llava,
    write_gemma3,
    write_llava,
    write_qwen2_5_vl,
)

pytestmark = pytest.mark.usefixtures("one_thread")
WRITE = {"llava_1_5_7b": write_llava, "gemma3_4b": write_gemma3, "qwen2_5_vl_7b": write_qwen2_5_vl}
TEXT = "heart rate 88, blood pressure 120/80. Will the patient die?"
SYSTEM = "You are a critical care physician."
RENDERED = {
    "llava_1_5_7b": f"{SYSTEM} USER: A? ASSISTANT: No USER: <image>\n{TEXT} ASSISTANT:",
    "gemma3_4b": f"<bos><start_of_turn>user\n{SYSTEM}\n\nA?<end_of_turn>\n<start_of_turn>model\nNo"
    f"<end_of_turn>\n<start_of_turn>user\n<start_of_image>{TEXT}<end_of_turn>\n<start_of_turn>model\n",
    "qwen2_5_vl_7b": f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\nA?<|im_end|>\n"
    "<|im_start|>assistant\nNo<|im_end|>\n<|im_start|>user\n<|vision_start|><|image_pad|>"
    f"<|vision_end|>{TEXT}<|im_end|>\n<|im_start|>assistant\n",
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("learners")
    for name, write in WRITE.items():
        write(root / name)
    return root


@pytest.fixture(params=WRITE)
def name(request: pytest.FixtureRequest, weights: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("CHARTHOUSE_WEIGHTS", str(weights))
    return str(request.param)


def load(name: str, batch: int | None = None, dtype: str = "auto") -> InProcess:
    return InProcess(learner_spec(PROJECT, name), batch=batch, dtype=dtype)


def replies(learner: InProcess, *questions: Question) -> list[Reply]:
    found = list(learner.answers(questions))
    assert [each.key for each, _ in found] == [each.key for each in questions]
    assert all(isinstance(reply, Reply) for _, reply in found), found
    return [reply for _, reply in found if isinstance(reply, Reply)]


def several() -> list[Question]:
    """Long and short, with pictures of several shapes and without."""
    return [
        question(TEXT, disc(True, 1), "a"),
        question("Will the patient die?", None, "b"),
        question("Answer only yes or no. " * 9, disc(False, 2, 80).resize((80, 60)), "c"),
        question(TEXT * 3, None, "d"),
        question("die?", disc(True, 3, 120).resize((60, 120)), "e"),
    ]


def continued(inputs: dict[str, torch.Tensor], token: int) -> dict[str, torch.Tensor]:
    """The inputs with a token more; it is of the text, and is attended to."""
    values = {"input_ids": token, "attention_mask": 1, "token_type_ids": 0, "mm_token_type_ids": 0}
    return {
        name: torch.nn.functional.pad(tensor, (0, 1), value=values[name])
        if name in values
        else tensor
        for name, tensor in inputs.items()
    }


def test_p_yes_and_text_are_those_of_the_bare_model_whatever_its_generation_config(
    name: str,
) -> None:
    learner = load(name)
    asked = question(TEXT, disc(True, 1))
    reply = replies(learner, asked)[0]
    vocabulary = learner.processor.tokenizer.get_vocab()
    ids = {
        word: [place for text, place in vocabulary.items()
               if re.fullmatch(rf"[\u2581\u0120]?{word}", text, re.IGNORECASE)]
        for word in ("yes", "no")
    }  # fmt: skip
    assert len(ids["yes"]) > 1 and len(ids["no"]) > 1
    inputs, tokens = learner.prepare([asked]), []
    with torch.inference_mode():
        shares = learner.model(**inputs).logits[0, -1].double().softmax(0)
        while len(tokens) < ANSWER_TOKENS and (not tokens or tokens[-1] not in ends(learner)):
            tokens.append(int(learner.model(**inputs).logits[0, -1].argmax()))
            inputs = continued(inputs, tokens[-1])
    p_yes, p_no = (float(shares[ids[word]].sum()) for word in ("yes", "no"))
    assert reply.p_yes == pytest.approx(p_yes / (p_yes + p_no), rel=1e-6)
    assert reply.yes_no_mass == pytest.approx(p_yes + p_no, rel=1e-6)
    assert 0 < reply.yes_no_mass <= 1
    text = learner.processor.tokenizer.decode(tokens, skip_special_tokens=True).strip()
    assert reply.text == text and reply.answer_tokens == len(tokens)


def ends(learner: InProcess) -> list[int]:
    found = learner.model.generation_config.eos_token_id
    return found if isinstance(found, list) else [found]


def test_questions_together_are_answered_as_each_by_itself(name: str) -> None:
    alone = replies(load(name, batch=1), *several())
    together = replies(load(name, batch=5), *several())
    for one, other in zip(alone, together, strict=True):
        assert (one.text, one.prompt_tokens) == (other.text, other.prompt_tokens)
        assert one.answer_tokens == other.answer_tokens
        assert one.p_yes == pytest.approx(other.p_yes, abs=1e-5)
        assert one.yes_no_mass == pytest.approx(other.yes_no_mass, abs=1e-5)
    assert len({reply.p_yes for reply in alone}) == len(alone)


def test_the_picture_is_seen_and_only_where_a_message_shows_it(name: str) -> None:
    learner = load(name)
    bright, dark = disc(True, 1), disc(False, 2)
    hidden = Question("c", question(TEXT).messages, bright)
    seen, other, unseen, none = replies(
        learner, question(TEXT, bright, "a"), question(TEXT, dark, "b"), hidden,
        question(TEXT, None, "d"),
    )  # fmt: skip
    assert len({seen.p_yes, other.p_yes, none.p_yes}) == 3
    assert (unseen.p_yes, unseen.prompt_tokens) == (none.p_yes, none.prompt_tokens)


def test_the_chat_template_gets_system_role_examples_and_picture_in_turn(name: str) -> None:
    asked = question(TEXT, disc(True, 1))
    shot = (Message("user", "A?"), Message("assistant", "No"))
    messages = (asked.messages[0], *shot, asked.messages[1])
    learner = load(name)
    assert learner.rendered(messages, asked.picture) == RENDERED[name]
    without, with_shot = replies(learner, asked, Question("shot", messages, asked.picture))
    assert with_shot.prompt_tokens > without.prompt_tokens and with_shot.p_yes != without.p_yes


def test_tokens_are_counted_as_the_model_gets_them(name: str) -> None:
    learner = load(name)
    for asked, reply in zip(several(), replies(learner, *several()), strict=True):
        counted = learner.count_tokens(asked.messages, asked.picture)
        assert counted == learner.prepare([asked])["input_ids"].shape[1] == reply.prompt_tokens
        ids = learner.prepare([asked])["input_ids"][0].tolist()
        pictures = ids.count(learner.model.config.image_token_id)
        assert (pictures > 0) == (asked.picture is not None)


def test_questions_are_counted_in_other_threads_while_answers_are_made(name: str) -> None:
    learner = load(name, batch=2)
    expected = [learner.count_tokens(each.messages, each.picture) for each in several()]
    with ThreadPoolExecutor(4) as pool:
        counts = [
            pool.submit(learner.count_tokens, each.messages, each.picture)
            for each in several() * 20
        ]
        answered = list(learner.answers(several()))
    assert [count.result() for count in counts] == expected * 20
    assert all(isinstance(reply, Reply) for _, reply in answered)


def test_what_would_steer_the_model_is_plain_text(name: str) -> None:
    learner = load(name)
    controls = [
        *learner.processor.tokenizer.all_special_tokens, "<image>", "<start_of_image>", "</s>",
        "<|image_pad|>", "<|im_end|>", "<end_of_turn>", "<image_soft_token>",
    ]  # fmt: skip
    asked = question("A " + " ".join(controls) + " B", disc(True, 1))
    ids = learner.prepare([asked])["input_ids"][0].tolist()
    usual = learner.prepare([question("A B", asked.picture)])["input_ids"][0].tolist()
    special = set(learner.processor.tokenizer.all_special_ids)
    special.add(learner.model.config.image_token_id)
    assert [each for each in ids if each in special] == [each for each in usual if each in special]
    assert replies(learner, asked)[0].p_yes is not None


def test_no_more_questions_are_taken_than_are_answered_together(name: str) -> None:
    taken: list[str] = []

    def questions() -> Iterator[Question]:
        for each in several():
            taken.append(each.key)
            yield each

    answered = 0
    for _ in load(name, batch=2).answers(questions()):
        answered += 1
        assert len(taken) <= answered + 1
    assert answered == len(taken) == 5


def test_other_precisions_answer_and_are_other_learners(name: str) -> None:
    exact, rough = load(name), load(name, dtype="bfloat16")
    asked = question(TEXT, disc(True, 1))
    one, other = replies(exact, asked)[0], replies(rough, asked)[0]
    assert next(rough.model.parameters()).dtype == torch.bfloat16
    assert one.p_yes != other.p_yes and one.p_yes == pytest.approx(other.p_yes, abs=0.25)
    assert exact.identity() | {"dtype": "bfloat16"} == rough.identity()


def test_what_a_picture_takes_is_no_more_than_its_family_says(name: str) -> None:
    """With the processors as published, but for their vocabulary."""
    learner = load(name)
    processor = learner.processor
    if name == "llava_1_5_7b":
        processor.image_processor.size = {"shortest_edge": 336}
        processor.image_processor.crop_size = {"height": 336, "width": 336}
    elif name == "gemma3_4b":
        whole = type(processor)(processor.image_processor, processor.tokenizer, None, 256)
        processor.full_image_sequence = whole.full_image_sequence
    without = learner.count_tokens(question(TEXT).messages, None)
    most = 0
    for width, height in ((3056, 2544), (2544, 3056), (336, 336), (897, 500), (90, 30), (5, 400)):
        size = learner.family.picture_size(width, height)
        asked = question(TEXT, disc(True, 1).resize(size))
        taken = learner.count_tokens(asked.messages, asked.picture) - without
        # the line break that LLaVA's template puts behind a picture is the message's, not its own
        assert 0 < taken - 3 * (name == "llava_1_5_7b") <= learner.family.picture_tokens(*size)
        most = max(most, taken)
    assert most > {"llava_1_5_7b": 570, "gemma3_4b": 250, "qwen2_5_vl_7b": 800}[name]


def test_qwen_never_takes_more_tokens_than_are_reckoned(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARTHOUSE_WEIGHTS", str(weights))
    learner = load("qwen2_5_vl_7b")
    patches = learner.processor.image_processor.get_number_of_image_patches
    random = np.random.default_rng(0)
    for width, height in random.integers(1, 3500, (2000, 2)).tolist():
        if max(width, height) / min(width, height) < 100:  # it refuses narrower ones
            wide, high = learner.family.picture_size(width, height)
            taken = patches(high, wide) // 4 + 2
            assert taken <= learner.family.picture_tokens(wide, high), (width, height)
            assert taken <= 1026


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "llava_1_5_7b"
    train_llava(folder)
    return folder.parent


def test_p_yes_of_a_trained_learner_rests_on_the_picture(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARTHOUSE_WEIGHTS", str(trained))
    learner = load("llava_1_5_7b", batch=16)
    seeds = range(1000, 1080)
    truth = np.array([seed % 2 for seed in seeds])
    shown = [disc(bool(seed % 2), seed) for seed in seeds]
    random = np.random.default_rng(0)
    conditions = {
        "own": shown,
        "blank": [blank_like(picture) for picture in shown],
        "another's": [shown[place] for place in random.permutation(len(shown))],
        "none": [None] * len(shown),
    }
    found = {}
    for condition, pictures in conditions.items():
        asked = [question("Will the patient die?", each, str(n)) for n, each in enumerate(pictures)]
        found[condition] = replies(learner, *asked)
    scores = {
        condition: roc_auc_score(truth, [reply.p_yes for reply in each])
        for condition, each in found.items()
    }
    assert scores["own"] > 0.95
    assert all(0.3 < scores[condition] < 0.7 for condition in ("blank", "another's", "none")), (
        scores
    )
    said = [reply.text == ("Yes" if is_yes else "No")
            for reply, is_yes in zip(found["own"], truth, strict=True)]  # fmt: skip
    assert np.mean(said) > 0.9
    assert {reply.answer_tokens for reply in found["own"]} == {2}  # the word, and the end
