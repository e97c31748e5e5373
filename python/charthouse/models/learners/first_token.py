"""P(yes) of the first token of an answer: one rule for served learners and for those in process."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch

WORD_STARTS = "\u2581\u0120"  # as SentencePiece and byte-level tokenizers write a blank


@dataclass(frozen=True)
class FirstToken:
    """What the distribution of the first token says to a closed question."""

    p_yes: float  # P(yes) / (P(yes) + P(no))
    mass: float  # P(yes) + P(no): small where the learner was about to say something else


def kind_of(token_text: str) -> Literal["yes", "no"] | None:
    """Whether a token is the bare word yes or no, in any case, white space around it or not.

    A token with a quotation mark or an asterisk before the word is neither.
    """
    match token_text.strip().lstrip(WORD_STARTS).lower():
        case "yes":
            return "yes"
        case "no":
            return "no"
        case _:
            return None


def from_top(
    logprobs: Mapping[str, float] | Sequence[tuple[str, float]],
) -> FirstToken | None:
    """From the likeliest first tokens, as services tell them.

    All forms of a word count together. Of a word that is not in the list its upper bound is taken:
    it is no likelier than the last of the list, nor than what the other word leaves. Logarithms are
    natural ones. None where neither word is in the list, or both are out of the question.
    """
    pairs = list(logprobs.items()) if isinstance(logprobs, Mapping) else list(logprobs)
    told: dict[str, list[float]] = {"yes": [], "no": []}
    for text, logprob in pairs:
        if (kind := kind_of(text)) is not None:
            told[kind].append(logprob)
    if not told["yes"] and not told["no"]:
        return None
    p_yes, p_no = (math.fsum(map(math.exp, told[kind])) for kind in ("yes", "no"))
    least = math.exp(min(logprob for _, logprob in pairs))
    if not told["yes"]:
        p_yes = min(least, max(0.0, 1 - p_no))
    if not told["no"]:
        p_no = min(least, max(0.0, 1 - p_yes))
    mass = p_yes + p_no
    return FirstToken(p_yes / mass, min(mass, 1.0)) if mass > 0 else None


def from_logits(
    logits: "torch.Tensor", yes_ids: Sequence[int], no_ids: Sequence[int]
) -> FirstToken | None:
    """From the whole distribution, logits [vocabulary] of any precision, in float64.

    None where the vocabulary lacks either word (answer_ids), or the logits are no numbers.
    """
    if not yes_ids or not no_ids:
        return None
    logprobs = logits.double().log_softmax(0)
    yes, no = (float(logprobs[list(ids)].logsumexp(0)) for ids in (yes_ids, no_ids))
    if not (math.isfinite(yes) and math.isfinite(no)):
        return None
    # through their difference: exact where both probabilities are too small for a float
    return FirstToken(1 / (1 + math.exp(min(no - yes, 700.0))), math.exp(yes) + math.exp(no))


def answer_ids(tokenizer: Any) -> tuple[list[int], list[int]]:
    """All tokens of a vocabulary that are a yes, and all that are a no, in order."""
    ids: dict[str, list[int]] = {"yes": [], "no": []}
    for text, place in tokenizer.get_vocab().items():
        if (kind := kind_of(text)) is not None:
            ids[kind].append(place)
    return sorted(ids["yes"]), sorted(ids["no"])
