"""Learners on this machine: every family is asked in the same way, by its own chat template."""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

import PIL.Image
import torch

from charthouse.core.errors import CharthouseError, require_known
from charthouse.models.learners.base import Failed, Keep, LearnerBackend, Message, Question, Reply
from charthouse.models.learners.checkpoint import (
    FILES,
    hash_of_checkpoint,
    is_out_of_memory,
    load_model,
    load_processor,
    positions,
    require_4bit,
    require_family,
)
from charthouse.models.learners.first_token import answer_ids, from_logits
from charthouse.models.learners.registry import LearnerSpec, family_of
from charthouse.models.weights import find_weights, published_revision

DTYPES = ("auto", "float32", "bfloat16", "float16", "4bit")
BATCH_ON_GPU = 8
MOST_FAILURES = 8  # in a row, one question at a time, before the run is called off
OUT_OF_MEMORY = "out of memory"
PROBE = "system-probe"


class InProcess(LearnerBackend):
    """A learner by its weights: a folder of CHARTHOUSE_WEIGHTS, the hub's cache, or the hub.

    Answers are greedy, whatever the checkpoint's generation_config.json says; P(yes) is that of the
    first token. Where the chat template takes no system role (it raises, or leaves it out), that
    text comes before the first user's, with an empty line between them.

    The dtype auto is float32 on a CPU and bfloat16 on a GPU; 4bit is NF4 by bitsandbytes, on a GPU
    only. `batch` questions are asked at a time, by default 1 on a CPU and 8 on a GPU; halved for
    good where the memory does not suffice. In float32 it changes no answer.

    Raises:
        CharthouseError: the weights are absent or of another family.
    """

    def __init__(
        self,
        spec: LearnerSpec,
        *,
        device: str = "cpu",
        dtype: str = "auto",
        batch: int | None = None,
    ) -> None:
        require_known("--device", device, ("cpu", "cuda"))
        require_known("--dtype", dtype, DTYPES)
        self.family = family_of(spec)
        if not self.family.model_types:
            raise CharthouseError(
                f"{spec.learner} is only served, its weights are not published: name its server by"
                " --base-url or OPENAI_BASE_URL."
            )
        if dtype == "4bit":
            require_4bit(device)
        on_gpu = device == "cuda"
        self._spec, self._device = spec, device
        self._dtype = dtype if dtype != "auto" else "bfloat16" if on_gpu else "float32"
        self._batch = batch or (BATCH_ON_GPU if on_gpu else 1)
        self._folder = find_weights(spec, FILES)
        self._revision = published_revision(spec, FILES)
        require_family(self._folder, self.family.model_types, spec.learner)
        self.context_tokens = min(spec.context_tokens, positions(self._folder))
        self._failures = 0
        # questions are counted in other threads, and a tokenizer cannot be used by two at a time
        self._processing = threading.RLock()

    def identity(self) -> dict[str, Any]:
        """With a hash of the weights, the processor and their configuration."""
        return {
            "model": self._spec.hub_id,
            "revision": self._revision,
            "dtype": self._dtype,
            "by": "transformers",
            "weights": self._hash,
        }

    def count_tokens(self, messages: Sequence[Message], picture: PIL.Image.Image | None) -> int:
        """Exactly those that the model is given, by its own template and processor."""
        inputs = self.prepare([Question("", tuple(messages), picture)])
        return int(inputs["input_ids"].shape[1])

    def ask(self, questions: Iterable[Question], keep: Keep) -> None:
        """As `answers`; in the caller's thread."""
        for question, outcome in self.answers(questions):
            keep(question, outcome)

    def answers(self, questions: Iterable[Question]) -> Iterator[tuple[Question, Reply | Failed]]:
        """In the order of the questions, a batch at a time.

        Loads the model before the first question is taken. `seconds` is the mean of the questions
        that were answered together.

        Raises:
            CharthouseError: the weights are damaged or do not fit into the memory, or nothing can
                be answered.
        """
        _ = self.model
        left = iter(questions)
        while asked := list(islice(left, self._batch)):
            yield from self._answer(asked)

    def prepare(self, questions: Sequence[Question]) -> dict[str, torch.Tensor]:
        """What the model is given: input_ids and attention_mask, [n, longest], padded on the left.

        And the pixels of all pictures, as its family wants them.
        """
        with self._processing:
            turns = [self._turns(each.messages, each.picture) for each in questions]
            inputs = self.processor.apply_chat_template(
                turns,
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                processor_kwargs={"padding": True, "padding_side": "left"},
            )
        return dict(inputs)

    def rendered(self, messages: Sequence[Message], picture: PIL.Image.Image | None) -> str:
        """The text that the chat template makes of a question, before it is cut into tokens."""
        with self._processing:
            turns = self._turns(messages, picture)
            return str(self.processor.apply_chat_template(turns, add_generation_prompt=True))

    @cached_property
    def processor(self) -> Any:
        """Of transformers, with its tokenizer."""
        return load_processor(self._folder)

    @cached_property
    def model(self) -> Any:
        """Of transformers, on its device."""
        return load_model(self._folder, self.processor.tokenizer, self._device, self._dtype)

    @cached_property
    def _hash(self) -> str:
        return hash_of_checkpoint(self._folder)

    @cached_property
    def _answer_ids(self) -> tuple[list[int], list[int]]:
        return answer_ids(self.processor.tokenizer)

    @cached_property
    def _has_system_role(self) -> bool:
        turns = [_turn("system", PROBE), _turn("user", "?")]
        try:
            return PROBE in self.processor.apply_chat_template(turns, add_generation_prompt=True)
        except Exception:  # what a template raises is up to it
            return False

    @cached_property
    def _controls(self) -> tuple[str, ...]:
        """Texts that are more than text to the tokenizer or the processor, the longest first."""
        tokenizer = self.processor.tokenizer
        special = [each.content for each in tokenizer.added_tokens_decoder.values() if each.special]
        shown = [getattr(each, "image_token", None) for each in (self.processor, tokenizer)]
        found = {each for each in (*special, *shown) if each and len(each) > 1}
        return tuple(sorted(found, key=lambda each: (-len(each), each)))

    def _turns(
        self, messages: Sequence[Message], picture: PIL.Image.Image | None
    ) -> list[dict[str, Any]]:
        """A conversation as chat templates take it."""
        turns = [
            _turn(each.role, self._plain(each.text), picture if each.has_picture else None)
            for each in messages
        ]
        if self._has_system_role:
            return turns
        told = [turn["content"][-1]["text"] for turn in turns if turn["role"] == "system"]
        turns = [turn for turn in turns if turn["role"] != "system"]
        first = turns[0]["content"][-1]
        first["text"] = "\n\n".join([*told, first["text"]])
        return turns

    def _plain(self, text: str) -> str:
        """The text, with a blank in what would steer the model, such as <image> in a report."""
        for control in self._controls:
            text = text.replace(control, f"{control[0]} {control[1:]}")
        return text

    def _answer(self, group: list[Question]) -> Iterator[tuple[Question, Reply | Failed]]:
        """Together if possible, else in halves, so that a question fails by itself alone."""
        waiting = [group]
        while waiting:
            now = waiting.pop(0)
            began = time.monotonic()
            replies, reason = self._try(now)
            if replies:
                self._failures = 0
                seconds = (time.monotonic() - began) / len(now)
                for question, reply in zip(now, replies, strict=True):
                    yield question, Reply(**reply, seconds=seconds)
            elif len(now) > 1:
                half = len(now) // 2
                waiting[:0] = [now[:half], now[half:]]
                if reason == OUT_OF_MEMORY:
                    self._batch = half
            else:
                self._failures += 1
                yield now[0], Failed(reason, time.monotonic() - began)
                if self._failures >= MOST_FAILURES:
                    raise CharthouseError(
                        f"{self._failures} questions in a row had no answer, the last because:"
                        f" {reason}. See to it, then run again: answers are kept."
                    )

    def _try(self, questions: list[Question]) -> tuple[list[dict[str, Any]], str]:
        """Arguments of Reply, or the reason why there are none; never text of a question."""
        try:
            return self._generate(questions), ""
        except Exception as error:  # as many kinds as there are models
            is_memory = is_out_of_memory(error)
            reason = OUT_OF_MEMORY if is_memory else f"the model failed ({type(error).__name__})"
        if is_memory and self._device == "cuda":  # not in `except`, where the tensors still live
            torch.cuda.empty_cache()
        return [], reason

    def _generate(self, questions: list[Question]) -> list[dict[str, Any]]:
        model, tokenizer = self.model, self.processor.tokenizer
        inputs = {
            name: tensor.to(self._device, model.dtype if tensor.is_floating_point() else None)
            for name, tensor in self.prepare(questions).items()
        }
        with torch.inference_mode():
            told = model.generate(**inputs)
        lengths = inputs["attention_mask"].sum(1).tolist()
        ends = model.generation_config.eos_token_id
        ends = {ends} if isinstance(ends, int) else set(ends)
        replies = []
        for place, ids in enumerate(told.sequences[:, inputs["input_ids"].shape[1] :].tolist()):
            n = next((n for n, each in enumerate(ids, 1) if each in ends), len(ids))
            with self._processing:
                text = tokenizer.decode(ids[:n], skip_special_tokens=True)
            first = from_logits(told.logits[0][place], *self._answer_ids)
            replies.append(
                {
                    "text": text.strip(),
                    "p_yes": first.p_yes if first else None,
                    "yes_no_mass": first.mass if first else None,
                    "prompt_tokens": lengths[place],
                    "answer_tokens": n,
                }
            )
        return replies


def _turn(role: str, text: str, picture: PIL.Image.Image | None = None) -> dict[str, Any]:
    part = {"type": "text", "text": text}
    if picture is None:
        return {"role": role, "content": [part]}
    return {"role": role, "content": [{"type": "image", "image": picture.convert("RGB")}, part]}
