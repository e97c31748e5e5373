"""What every learner is given and gives back."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import PIL.Image

from charthouse.models.chunking import estimate_tokens

Role = Literal["system", "user", "assistant"]

ANSWER_TOKENS = 32
"""Tokens that an answer may have, for every learner: enough for "No, the patient is stable."."""


@dataclass(frozen=True)
class Message:
    """A turn of the conversation; the learner's own chat template makes a text of it."""

    role: Role
    text: str = field(repr=False)
    has_picture: bool = False  # the question's picture stands before this text


@dataclass(frozen=True, eq=False)
class Question:
    """What is put to a learner; never the outcome."""

    key: str  # of the row of results.answers that the reply belongs to
    # the system role, examples if any (user and assistant in turn), the question
    messages: tuple[Message, ...] = field(repr=False)
    # 8-bit gray, of the size at which the learner sees it; None if there is none
    picture: PIL.Image.Image | None = field(repr=False)


@dataclass(frozen=True)
class Reply:
    """What a learner answered."""

    text: str = field(repr=False)  # as it was given, special tokens left out
    # P(yes) / (P(yes) + P(no)) of the first token; None where it is not known
    p_yes: float | None = None
    yes_no_mass: float | None = None  # P(yes) + P(no) of the first token
    resolved_model: str | None = None  # what answered, by its own account
    prompt_tokens: int | None = None  # those of the picture included
    answer_tokens: int | None = None  # generated
    seconds: float = 0.0  # of this question; its share where several were asked together
    attempts: int = 1  # requests that it took


@dataclass(frozen=True)
class Failed:
    """Why a question has no answer; never text of the question, the patient or the service."""

    reason: str  # in a line
    seconds: float = 0.0  # until it was given up
    attempts: int = 1  # requests that it took
    is_about_it: bool = False  # the question itself is at fault; others may fare better
    is_answered: bool = False  # an answer came, but cannot be used


Keep = Callable[[Question, Reply | Failed], None]


class Family(ABC):
    """What differs between families of vision-language models."""

    model_types: ClassVar[tuple[str, ...]]
    """`model_type` of the config.json of its checkpoints; () for one that is only served."""

    detail: str | None = None
    """How closely a service is told to look at a picture; None: it knows no such thing."""

    def at_detail(self, detail: str) -> "Family":
        """The family as it sees pictures at that detail: low, high or auto."""
        return self

    @abstractmethod
    def picture_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height at which the model sees a picture of that size: no larger one is sent.

        The shape is kept; the model's own processor does the rest.
        """

    @abstractmethod
    def picture_tokens(self, width: int, height: int) -> int:
        """How many tokens of the context a picture of that size takes, at most."""

    def text_tokens(self, text: str) -> int:
        """How many tokens a text takes at most, all but surely, where no tokenizer is at hand.

        Their vocabularies have each digit by itself; otherwise they cut no finer than is estimated.
        """
        return estimate_tokens(text) + sum(map(str.isdigit, text))


class LearnerBackend(ABC):
    """A learner that can be asked: by a server, or in process."""

    family: Family
    context_tokens: int
    """Tokens that question and answer may have together."""

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What the answers depend on, for the hash of a question and results.answers.

        Returns:
            model, revision and dtype (None where they cannot be known), and whatever else of the
            way it is asked changes an answer.
        """

    @abstractmethod
    def count_tokens(self, messages: Sequence[Message], picture: PIL.Image.Image | None) -> int:
        """Tokens of a question by the model's own template and tokenizer, or an upper estimate."""

    @abstractmethod
    def ask(self, questions: Iterable[Question], keep: Keep) -> None:
        """Asks; takes no more questions ahead than it works on, in the caller's thread.

        `keep` is called with each question and its outcome the moment it is there, in any thread.

        Raises:
            CharthouseError: no question can be answered (no such model, the key is refused, no
                memory), or one of `questions` or `keep`; what came was given to keep.
        """

    def sends_to(self) -> str | None:
        """The server that gets the questions; None where it runs in this process."""
        return None

    def stop(self) -> None:
        """Nobody shall wait long for what is asked now; no more questions will be given."""
        return


def shrunk(width: int, height: int, *, longest: int) -> tuple[int, int]:
    """The same shape with no side longer than that; never enlarged."""
    scale = min(1.0, longest / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
