"""Reads yes, no or neither from what a learner wrote in answer to a closed question.

A refusal is reported, a wrong reading is not; so in doubt it is none:

1. The explicit answer counts: the yes or no that opens the text or its last sentence, or that the
   text names as its answer ("the answer is no", "so no"). Openers may stand before it, such as
   "Final answer:", "Based on the reports," or "probably".
2. A no that belongs to the word behind it is no answer: "no evidence of", "no idea".
3. The first turn counts. Once the model puts a question itself or plays the user, it invents. What
   it thought before it answered, and the question repeated, are passed over.
4. Yes beside no ("Yes. No wait, no.") and an answer beside a plain statement of the opposite are
   none. So is one beside words that there can be none: the no of "No, I cannot answer that" is
   about the asking, not about the patient.
5. Where there is no answer, only the plainest statement is one: "The patient will not die."
6. Words of other languages count where they stand alone: the rest would not be understood.
7. All else is none: maybe, unlikely, numbers, silence.

Whoever changes how any text is read raises PARSER_VERSION.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import dropwhile, zip_longest
from typing import Literal

Parsed = Literal["yes", "no", "none"]
Clause = list[str]

PARSER_VERSION = 1
"""Answers that an older version has read are read again; nothing is asked."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_YES, _NO = _words("yes yep yup yeah"), _words("no nope nah")
_ENGLISH = _YES | _NO
_YES_ALONE = _words("sí si sì oui ja sim да 是 是的 会 會 はい 예 네 हाँ हां نعم")
_NO_ALONE = _words("non nein nee não nao нет 否 不 不是 不会 不會 いいえ 아니요 아니오 아뇨 नहीं لا")
_ANSWERS: dict[str, Parsed] = {
    word: "yes" if word in _YES | _YES_ALONE else "no" for word in _ENGLISH | _YES_ALONE | _NO_ALONE
}
_WHOLE: dict[str, Parsed] = {"y": "yes", "true": "yes", "n": "no", "false": "no"}
"""Answers only where there is no other word: "N/A" and "True, but" are none."""

_OPTIONS = "yes|no"  # "yes or no", "Yes/No": a choice, no answer; no word of a text is this
_NAMES = _words(
    "answer response prediction conclusion verdict decision assessment so thus therefore hence"
)
_OPENERS = _NAMES | _words(
    f"{_OPTIONS} the my your this that that's it it's final correct short is be would to for on"
    " question patient a b c 1 2 i i'd i'll think believe say go with in opinion probably likely"
    " most definitely absolutely certainly well ok okay sure and or but wait actually sorry rather"
    " mean oh hmm unfortunately assistant ai model json output result please respond reply using"
    " only just either one single word"
)
"""Words that may stand before an answer and leave it as it is."""

_CLAUSES_AFTER_NO = _words(
    "the this he he's she she's it it's they they're there i i'm we we're my our because since as"
    " given based according but so is wait actually sorry"
)
"""Words that begin something new behind a no; any other belongs to it."""

_CONTEXT = _words(
    "based given considering according looking from with in on for to at as by per upon after due"
    " despite although while since because"
)
_CONDITIONS = _words("if unless whether when should assuming")
_DENIALS = _CONDITIONS | _words(
    "no not nor neither never without cannot can't don't won't isn't unable impossible hard"
)
_UNABLE = _words("cannot can't unable impossible insufficient")
_ABLE = _words("able possible enough sufficient allow")
_TO_KNOW = _words(
    "determine determined predict predicted prediction answer answered conclude concluded assess"
    " assessed tell information"
)
_OTHER_TURN = _words("question q user human instruction prompt will")

# <unused94> and <unused95> are MedGemma's
_THOUGHTS_END = re.compile(r"</(?:think|thinking|thought|reasoning)>|<unused95>", re.I)
_THOUGHTS_BEGIN = re.compile(r"<(?:think|thinking|thought|reasoning)>|<unused94>", re.I)
_INLINE = re.compile(r"</?(?:b|i|u|em|strong|span|code)>|\\[a-z]+|_", re.I)
_TAG = re.compile(r"<[^<>\n]{1,40}>|\[/?INST\]", re.I)
_LETTER = r"[\w\u0300-\u036f\u0900-\u0963\u0966-\u097f]"  # with the vowel signs of Devanagari
_TOKEN = re.compile(
    rf"(?P<word>\d+(?:[.,]\d+)+|{_LETTER}+(?:['-]{_LETTER}+)*)|(?P<choice>[/|])|(?P<asks>[?؟])"
    r"|(?P<ends>[.!…。｡।\n])|(?P<pause>[-\u2013\u2014,;:=•()\[\]{}،、])"
)
_TO_ASCII = {0xFF01 + at: 0x21 + at for at in range(94)} | {0x2019: 0x27}  # full width, apostrophe
_CHOICE = re.compile(r"(?<!\S)(?:yes or no|no or yes)(?!\S)")
_LONGEST_WORD = 40  # to normalise a longer one may take time in proportion to its square

_REFUSAL = re.compile(
    r"(?:i'm |i am )?sorry\b|i apologi[sz]e|as an? (?:ai|\S+ model|\S+ assistant)\b"
    r"|(?:(?:i|i'm|we|it|it's|one|nobody|no one|there|there's)(?: \S+){0,2}? )?"
    r"(?:cannot|can't|can not|could not|couldn't|unable|not able|impossible|not possible|no way"
    r"|don't know|do not know|not sure|unsure|not certain|uncertain|unclear|hard to|difficult"
    r"|too early|not enough|insufficient)\b"
    r"|i (?:can|could|understand|see)\b"  # "Yes, I can help you with that."
)
_STATEMENT = re.compile(
    r"(?:(?:the |this )?patient|he|she|they) will (?P<end>die|survive)"
    r"(?: (?:during|in|the|this|their|his|her|current|hospital|icu|admission|stay))*"
    r"|(?:the |this )?(?:patient's )?(?:icu )?(?:length of )?stay will exceed (?:three|3) days"
)


@dataclass(frozen=True)
class _Sentence:
    clauses: list[Clause]  # at least one, and none is empty
    asks: bool  # ends in a question mark

    @cached_property
    def words(self) -> Clause:
        return [word for clause in self.clauses for word in clause]

    @cached_property
    def opens(self) -> bool:
        """Says nothing by itself."""
        return _OPENERS.issuperset(self.words)

    @cached_property
    def repeats(self) -> bool:
        """Is of the question that was put, or the beginning of another turn."""
        return self.words[0] in _OTHER_TURN or (self.opens and _OPTIONS in self.words)


def parse(answer: str) -> Parsed:
    """Reads any answer by the rules above, in time proportional to its length."""
    sentences = list(_sentences(_behind_thoughts(answer)))
    found: set[Parsed] = set()
    leads = True  # nothing has been said yet
    was_asked = False  # something else than the question that was put
    for sentence, following in zip_longest(sentences, sentences[1:]):
        if found and (sentence.asks or sentence.repeats):
            break
        if sentence.asks:
            was_asked = not sentence.repeats
            leads = leads and sentence.repeats
        elif sentence.opens:
            leads = leads or sentence.repeats or not _NAMES.isdisjoint(sentence.words)
        else:
            is_last = following is None or following.asks or following.repeats
            *before, word = sentence.words
            if leads and is_last and word in _WHOLE and _OPENERS.issuperset(before):
                found.add(_WHOLE[word])
            speaks = leads or bool(found) or (is_last and not was_asked)
            behind = following.clauses if following else []
            found |= _read(sentence.clauses, behind, leads, speaks)
            leads = was_asked = False
    return found.pop() if len(found) == 1 else "none"


def _read(clauses: list[Clause], following: list[Clause], leads: bool, speaks: bool) -> set[Parsed]:
    """The answers in a sentence.

    Args:
        clauses: Of the sentence.
        following: Of the one behind it.
        leads: It is the first that says anything: it may open with an answer and go on.
        speaks: It may open with an answer that is plain by itself, or be a plain statement.
    """
    found: set[Parsed] = set()
    opens, names, has_context = True, False, False
    for place, clause in enumerate(clauses):
        opener, rest = _behind_openers(clause)
        names = names or not _NAMES.isdisjoint(opener)
        if not rest:
            continue
        if rest[0] in _CONDITIONS:
            break
        answers = _answers(rest)
        more = [*dropwhile(_ANSWERS.__contains__, rest)]
        is_plain = not more or more[0] in _CLAUSES_AFTER_NO
        may_be_plain = has_context or bool(found) or (speaks and opens)
        if answers[0] and (names or (leads and opens) or (is_plain and may_be_plain)):
            if not found:  # once: it reads on to the end
                found |= _contradiction([more, *clauses[place + 1 :]], following)
            found |= {each for each in answers if each}
        elif speaks and (opens or has_context) and place + 1 == len(clauses):
            found |= _statement(clause)
        has_context = has_context or not _CONTEXT.isdisjoint([*opener, rest[0]])
        opens = names = False
    return found


def _behind_openers(clause: Clause) -> tuple[Clause, Clause]:
    """What opens a clause, and the rest; of "by all reports the answer is no" the rest is "no"."""
    rest = [*dropwhile(_OPENERS.__contains__, clause)]
    if "answer" in rest and rest[0] not in _ANSWERS:
        named = rest.index("answer")
        if _DENIALS.isdisjoint(rest[:named]):
            rest = [*dropwhile(_OPENERS.__contains__, rest[named:])]
    return clause[: len(clause) - len(rest)], rest


def _answers(words: Clause) -> list[Parsed | None]:
    """For each word the answer that it is, if it is one here."""
    known = _ENGLISH if any(word not in _ANSWERS for word in words) else _ANSWERS
    answers = [_ANSWERS[word] if word in known else None for word in words]
    for at, after in enumerate(words[1:]):
        if answers[at] == "no" and not answers[at + 1] and after not in _CLAUSES_AFTER_NO:
            answers[at] = None
    return answers


def _contradiction(beside: list[Clause], following: list[Clause]) -> set[Parsed]:
    """What stands beside an answer; that there can be none counts as both."""
    said: set[Parsed] = set()
    for clause in beside + [each for each in following if not _OPENERS.issuperset(each)][:1]:
        if _refuses(clause):
            return {"yes", "no"}
        said |= _statement(clause)
    return said


def _refuses(clause: Clause) -> bool:
    words = set(clause)
    unable = words & _UNABLE or ("not" in words and words & _ABLE)
    return bool(unable and words & _TO_KNOW) or bool(_REFUSAL.match(" ".join(clause)))


def _statement(clause: Clause) -> set[Parsed]:
    """Yes or no, if the clause plainly says that the patient will die, or will not, or the like."""
    text = " ".join(clause).replace("won't", "will not")
    said = _STATEMENT.fullmatch(text.replace("will not", "will"))
    if not said:
        return set()
    return {"no"} if ("will not" in text) != (said["end"] == "survive") else {"yes"}


def _sentences(text: str) -> Iterator[_Sentence]:
    clauses: list[Clause] = [[]]
    for token in _TOKEN.finditer(text + "\n"):
        match token.lastgroup:
            case "word":
                clauses[-1].append(_word(token[0]))
            case "choice":
                clauses[-1].append("or")
            case "pause":
                clauses.append([])
            case kind:
                told = [_CHOICE.sub(_OPTIONS, " ".join(clause)).split() for clause in clauses]
                if told := [clause for clause in told if clause]:
                    yield _Sentence(told, asks=kind == "asks")
                clauses = [[]]


def _word(text: str) -> str:
    """In the one form in which it stands in the lists above; "NoNoNo" is one no."""
    if len(text) > _LONGEST_WORD:
        return "…"
    word = unicodedata.normalize("NFKC", text).casefold()
    repeated = re.fullmatch(r"(yes|no)\1+", word)
    return repeated[1] if repeated else word


def _behind_thoughts(answer: str) -> str:
    """The answer itself, without markup; thoughts without an end have no answer behind them."""
    answer = _THOUGHTS_BEGIN.split(_THOUGHTS_END.split(answer)[-1])[0]
    return _TAG.sub("\n", _INLINE.sub(" ", answer)).translate(_TO_ASCII)
