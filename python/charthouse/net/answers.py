"""What services that speak OpenAI's API answer, as far as it is used, read by Pydantic.

OpenAI, "Embeddings" and "Chat Completions" API reference, as of openai 3.54. What is wrong with an
answer is said by place and kind alone: it may hold a patient's words, and Pydantic quotes them.
"""

import base64
import binascii
import json
from typing import Annotated, Any, Self, TypeVar

import numpy as np
from pydantic import (
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    OnErrorOmit,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

LEAST_LOGPROB, ROUNDING = -1e6, 1e-3  # of what can be a log-probability
UNUSABLE = "unusable"
"""Errors of this type are in our own words, without any of the answer."""
IN_WORDS = {
    "missing": "is missing",
    "model_type": "is no object",
    "list_type": "is no list",
    "string_type": "is no text",
    "int_type": "is no whole number",
    "greater_than_equal": "is negative",
}

Read = TypeVar("Read", bound=BaseModel)


def _none_if_wrong(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    try:
        return check(value)
    except ValidationError:
        return None


NoneIfWrong = WrapValidator(_none_if_wrong)
"""What stands beside an answer, and is left out where it makes no sense."""


class _Part(BaseModel):
    """Of an answer; what else it holds is ignored."""

    model_config = ConfigDict(strict=True, frozen=True, arbitrary_types_allowed=True)


def _vector(value: Any, info: ValidationInfo) -> np.ndarray:
    """Little-endian float32 in base64, which the client asks for, or a list of numbers."""
    dimension = info.context["dimension"]  # type: ignore[index]
    try:
        if isinstance(value, str):
            vector = np.frombuffer(base64.b64decode(value, validate=True), dtype="<f4")
        else:
            with np.errstate(over="ignore"):  # becomes infinite, which is caught below
                vector = np.asarray(value, dtype=np.float64).astype(np.float32)
    except (binascii.Error, TypeError, ValueError, OverflowError):
        raise PydanticCustomError(UNUSABLE, "is neither numbers nor base64") from None
    if vector.shape != (dimension,):
        raise PydanticCustomError(UNUSABLE, f"has not {dimension} dimensions")
    if not np.isfinite(vector).all():
        raise PydanticCustomError(UNUSABLE, "is not finite")
    if not vector.any():
        raise PydanticCustomError(UNUSABLE, "is zero")
    return vector.astype(np.float32)


class _Embedding(_Part):
    index: int
    embedding: Annotated[np.ndarray, PlainValidator(_vector)]


class Embeddings(_Part):
    """Answer of /embeddings; its context is the model, the dimension, and the count of inputs."""

    data: list[_Embedding]  # in any order
    model: Annotated[str | None, NoneIfWrong] = None  # as the service calls it
    prompt_tokens: int = Field(ge=0, validation_alias=AliasPath("usage", "prompt_tokens"))

    @model_validator(mode="after")
    def _of_the_inputs(self, info: ValidationInfo) -> Self:
        asked: Any = info.context
        if len(self.data) != asked["count"]:
            raise PydanticCustomError(
                UNUSABLE, f"has {len(self.data)} vectors for {asked['count']} inputs"
            )
        if sorted(each.index for each in self.data) != list(range(asked["count"])):
            raise PydanticCustomError(UNUSABLE, "has indices that are not those of the inputs")
        if self.model is not None and not self.model.startswith(asked["model"]):
            # an Azure deployment may hold any model, whatever it is called
            raise PydanticCustomError(UNUSABLE, f"is by another model than {asked['model']}")
        return self

    @property
    def vectors(self) -> list[np.ndarray]:
        """In the order of the inputs, each [dimension] float32, finite and not zero."""
        return [each.embedding for each in sorted(self.data, key=lambda each: each.index)]


class _Message(_Part):
    content: str

    @model_validator(mode="before")
    @classmethod
    def _content_or_refusal(cls, message: Any) -> Any:
        if not isinstance(message, dict):
            return message
        content = message.get("content")
        return {"content": message.get("refusal") or "" if content is None else content}


class _Candidate(_Part):
    token: str
    logprob: float = Field(gt=LEAST_LOGPROB, lt=ROUNDING)


Count = Annotated[Annotated[int, Field(ge=0, lt=2**31)] | None, NoneIfWrong]


class ChatCompletion(_Part):
    """Answer of /chat/completions.

    What the model or its service refuses to say in a well formed answer is a text like any other
    (empty, often), and no error. Tokens and what the first one might have been, with
    log-probabilities (`top`), are None if they are not told.
    """

    message: _Message = Field(validation_alias=AliasPath("choices", 0, "message"))
    top: Annotated[list[OnErrorOmit[_Candidate]] | None, NoneIfWrong] = Field(
        None, validation_alias=AliasPath("choices", 0, "logprobs", "content", 0, "top_logprobs")
    )
    model: Annotated[str | None, NoneIfWrong] = None
    prompt_tokens: Count = Field(None, validation_alias=AliasPath("usage", "prompt_tokens"))
    answer_tokens: Count = Field(None, validation_alias=AliasPath("usage", "completion_tokens"))


def read_answer(kind: type[Read], answer: bytes, **asked: Any) -> Read:
    """An answer as it came, checked against what was asked.

    Raises:
        ValueError: anything is amiss; says what, without any of the answer.

    Example:
        >>> said = b'{"choices": [{"message": {"content": "Yes."}}], "usage": {"prompt_tokens": 9}}'
        >>> found = read_answer(ChatCompletion, said)
        >>> found.message.content, found.prompt_tokens, found.answer_tokens
        ('Yes.', 9, None)
        >>> read_answer(ChatCompletion, b'{"choices": []}')
        Traceback (most recent call last):
        ValueError: its choices.0.message is missing
    """
    try:
        body = json.loads(answer)
    except (ValueError, RecursionError):  # of JSON, of its encoding or of its depth
        raise ValueError("it is not JSON") from None
    try:
        return kind.model_validate(body, context=asked)
    except ValidationError as error:
        # told: the first; a place is made of our own names and of numbers
        wrong = error.errors(include_input=False, include_context=False, include_url=False)[0]
    place = ".".join(str(part) for part in wrong["loc"])
    what = wrong["msg"] if wrong["type"] == UNUSABLE else IN_WORDS.get(wrong["type"], "is wrong")
    raise ValueError(f"{f'its {place}' if place else 'it'} {what}")
