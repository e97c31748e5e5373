"""What a learner wrote, and whether it is a yes, a no or neither."""

import random
import sys
import unicodedata

import pytest

from charthouse.jobs.ask.parse import Parsed, parse

QUESTION = "Will the patient die during current hospital admission?"
INSTRUCTION = "Answer the question using only yes or no."


def wide(text: str) -> str:
    """In the full-width letters of East Asian fonts."""
    return "".join(chr(ord(letter) + 0xFEE0) if letter > " " else letter for letter in text)


YES = [
    "Yes", "yes.", "YES!", " yes\n", "Yes...", "yes yes yes", "YesYesYes", "Yep", "Yeah.", "Yup!",
    "Y", "True", "**Yes**", "__Yes__", "<b>Yes</b>", "'Yes'", "“Yes.”", "> Yes", "- Yes", "✅ Yes",
    "(A) Yes", "1. Yes", "### Answer\nYes", "Answer - yes", "Final answer: **Yes**",
    "Based on the information, the answer is: yes.",
    "Based on the information provided, yes, the patient is likely to die.",
    "Given the vital signs, the labs and the reports, I would say yes.",
    "By all the reports the answer is yes.", "The answer to the question is yes",
    "The correct answer is (A) Yes.", "I think the answer would be yes.", "Most likely yes.",
    "Unfortunately, yes.", "In my opinion, yes.", "It's a yes.", "Yes is the answer.",
    "<answer>Yes</answer>", "\\boxed{Yes}", "The answer is $\\boxed{\\text{Yes}}$.",
    '{"answer": "yes"}', '```json\n{"answer": "Yes"}\n```', '{"answer": true}',
    '{"reasoning": "no urine for 12 h", "answer": "yes"}',
    "Yes - because there is no sign of recovery.", "Yes, no doubt", "Yes (no CPR)", "Yes. No CPR.",
    "Yes because there is no urine", "Yes, the patient will not survive.",
    "Yes. Unfortunately, the patient is critically ill.", "Yes, it is possible.",
    "Yes\n\nExplanation: there is no sign that the lungs recover.",
    "Yes.\n\nPlease note that I'm not able to provide medical advice.",
    "Yes\\n\\nExplanation: shock", "No urine for hours. Therefore, yes.",
    "The lactate is rising.\n\nFinal answer:\nYes", "The patient is in shock.\n\n**Yes**",
    "The lactate is rising.\n\nFinal answer:\nYes. The kidneys fail. He is cold.",
    "The lactate is rising. The patient will die.",
    "<think>maybe no</think> Yes", "no, or is it?</think>\n\nYes.",
    "<unused94>thought\nNo?<unused95>Yes", "Sure! Here is the answer: Yes",
    "The patient will die.", "He will die in the hospital.", "The patient will not survive",
    "Answer: The patient will die.", "The patient's ICU stay will exceed three days.",
    "This patient's ICU stay will exceed 3 days", wide("Yes."), "Sí", "si.",
    "SÍ", "Oui", "Ja", "Да", "Sim.", "是", "会。", "はい", "はい。", "예", "हाँ", "हाँ।", "نعم",
    "Sí, el paciente no respira.", "Ja, der Patient wird sterben.",
]  # fmt: skip

NO = [
    "No", "no.", "NO!!!", "\n\n no \n", "No No No No", "NoNoNo", "no, no, no", "Nope", "Nah.", "N",
    "False.", "**No**", "`No`", '"No."', "*No*.", "_no_", "[No]", "No ❌", "No 😊", "• No",
    "(B) No", "Answer: No", "**Answer:** No", "A: no", "Response:\nNo", "assistant\n\nNo",
    "ASSISTANT: No", "The answer is no.", "So the answer is: no", "My final answer is No",
    "Prediction = No", "Answer (yes/no): No", "Yes or no? No.",
    "Short answer: no. Long answer: it depends.", "As a critical care physician, I would say no.",
    "At this time, no.", "nope he's fine", "No, the patient is not expected to die.",
    "No, the patient is stable and improving.", "No - the patient is stable", "No: he is stable",
    "No the patient is stable", "No because he is stable", "No\nThe patient is stable.",
    "No, because there is no sign of sepsis.", "No, there is no evidence of infection.",
    "No, I don't think so.", "No, it is unlikely that the patient will die.",
    "No, probably not.", "No, the patient will survive.", "No. The patient will not die.",
    "No, but I can't be certain.", "The answer is no, not yes.", "Probably no.", "I'd say no.",
    "Based on the vitals, labs, and reports, no, the patient will recover.",
    "According to the X-ray: no.", "There is no pneumothorax, so the answer is no.",
    "The patient is improving. Hence, no.", "Although shock cannot be excluded, the answer is no.",
    "No<|eot_id|>", "No</s>", "No<end_of_turn>\n<start_of_turn>user\nAnd now? Yes",
    "<|start_header_id|>assistant<|end_header_id|>\n\nNo<|eot_id|>", "[/INST] No",
    "<answer>\nNo\n</answer>", "<think>maybe yes</think> No", "<THINK>yes</THINK>no",
    "<think>a</think>Hmm.<think>yes</think> No", "\\boxed{No}", "{'answer': 'No'}",
    f"{INSTRUCTION} No", f"{QUESTION} No", f"{QUESTION} {INSTRUCTION} No",
    f"Question: {QUESTION} Answer: No", f"{QUESTION}\n{INSTRUCTION}\nNo, he is stable.",
    "Based on the information collected during current ICU stay, Demographics: age 50; gender M."
    f" - 23.5 h: Heart Rate 82 bpm. Question: {QUESTION} {INSTRUCTION} No",
    f"He is ill. {INSTRUCTION} No. He is stable. He eats.",
    "He is ill. Reply with yes or no. No. He is stable. He eats.",
    "With no fever, no.", "For now, no.",
    "No\nQuestion: Will the patient need dialysis?\nAnswer: Yes",
    "No\n\nQ: Is he ventilated?\nA: Yes", "No\nuser\nWhy?\nassistant\nYes, because",
    "No. Is there sepsis? Yes.", f"No. {QUESTION} {INSTRUCTION} Yes", f"No\n{INSTRUCTION} Yes",
    "The patient will not die.", "The patient won't die during the current hospital admission.",
    "They will survive", "Based on the information, the patient will not die.",
    "The stay will not exceed three days.", wide("NO"), wide("No, she is stable"), "No。",
    "Non.", "Nein", "Nein, der Patient ist stabil.", "Nee", "Não", "NÃO!", "Нет", "нет.",
    "否", "不会", "不会。",
    "不会" + wide(",") + "患者病情稳定。", "いいえ", "いいえ、安定しています。",
    "아니요", "아니요.", "नहीं", "नहीं।", "لا",
]  # fmt: skip

NONE = [
    "", " ", "\n\t\u3000", "...", "?!", "**", "🤷", "👍", "\u200b", "</s>", "<think>", "{}",
    # refusals
    "I cannot predict", "I'm sorry, but I can't provide medical advice.", "I don't know.",
    "As an AI language model I cannot say yes or no", "It is not possible to determine",
    "I have no way of knowing", "There is not enough information to answer yes or no.",
    "no idea", "No comment.", "No answer", "No one can say.", "No way to know", "None", "N/A",
    "I cannot say whether the answer is yes or no.", "I can't say that the answer is no.",
    "Neither yes nor no.", "Unable to give a definitive answer",
    # a refusal that opens with no: it denies that it can answer, not that the patient will die
    "No, I cannot answer that.", "No. I'm sorry, I can't help with that.", "No I can't say",
    "No, as an AI model I do not make predictions.", "No, it is impossible to tell.",
    "No, there is not enough information.", "No, I'm not sure.", "No - insufficient data",
    "No, based on the image alone, it is not possible to determine this.",
    "No, the information is not sufficient to predict it.", "No, the X-ray cannot predict that.",
    "As an AI model, no, I cannot say.", "No, I don\u2019t know.",
    "No. Unfortunately, I cannot say more.", "Yes, I can help you with that.",
    "Yes, it is difficult to say.",
    # neither the one nor the other
    "yes or no", "Yes/No", "Yes or no.", "No / Yes", "[Yes/No]", "yes and no", "Yes. No wait, no.",
    "Yes. Wait, no. He is stable.", "No. He is ill. The patient will die.",
    "No. Yes.", "Yes\nNo", "Yes, no", "Yes - no, the patient is stable", "No, actually yes",
    "Yes (or no)", "No I mean yes", "Yes, but actually no.", "A. Yes\nB. No", "Yes: 20 %, No: 80 %",
    '{"yes": 0.2, "no": 0.8}', "No\nAnswer: Yes",
    "Yes. All in all, he is stable. The answer is no.",
    "No, the patient will die.", "Yes, the patient will not die.", "No. He will not survive.",
    "Answer: yes. Final answer: no", "~~Yes~~ No", "Yes/No/Unsure", "Oui. Non.", "No? Yes.", "Yes?",
    # no decision
    "Unlikely", "Probably not", "Likely", "Most likely.", "Not necessarily", "Maybe",
    "Possibly yes",
    "Maybe yes, maybe no", "It depends.", "Perhaps", "Hard to say", "Not yes",
    "The answer is not yes.",
    "The patient will likely survive.", "The patient will die unless treated.",
    "The patient will die, if untreated.", "If she is not treated, the answer is yes.",
    "The patient might die.", "Worst case: the patient will die.", "That is not true.",
    "Septic shock. The patient will die. So says his family.",
    "Will the patient die?", "50 %", "0.3", "1", "0", "True, but old.",
    # other words
    "There is no evidence of pneumothorax.", "No evidence of pneumothorax.",
    "**No** evidence of it",
    "No acute cardiopulmonary process.", "No 5 mm nodule", "In conclusion, no acute findings",
    "The answer is no longer clear", "Based on the CT, no effusion, no fracture",
    "Based on the CT, yes a fracture", "Therefore he is stable, yes a bit pale",
    "N. meningitidis was found", "Ventilated\nY",
    "yesterday", "noon", "Know", "nobody", "Noted.", "not", "Eyes", "north",
    "Yes-or-no", "non-survivor",
    "Is there sepsis? Yes.", "Ventilated: yes", "The X-ray shows no change",
    "No se puede determinar.",
    "Non applicable", "Si el paciente muere", "Ja nicht", "是否", "不知道", "わからない",
    "모르겠습니다",
    INSTRUCTION, QUESTION, f"{QUESTION} {INSTRUCTION}", f"{INSTRUCTION} I do not know.",
    "<think>The answer is yes", "Yes is possible, I think... <think>hm</think>",
]  # fmt: skip

TABLE: list[tuple[str, Parsed]] = [
    *((answer, "yes") for answer in YES),
    *((answer, "no") for answer in NO),
    *((answer, "none") for answer in NONE),
]


@pytest.mark.parametrize(("answer", "parsed"), TABLE, ids=lambda value: repr(value)[:60])
def test_an_answer_is_read_as_a_person_would(answer: str, parsed: Parsed) -> None:
    assert parse(answer) == parsed


def test_the_table_is_right_in_any_case_and_any_form_of_unicode() -> None:
    for answer, parsed in TABLE:
        if answer.isascii() and "\\n" not in answer:
            assert parse(answer.upper()) == parse(answer.lower()) == parsed, answer
        for form in ("NFC", "NFD"):
            assert parse(unicodedata.normalize(form, answer)) == parsed, (form, answer)
        assert parse(f"\ufeff \n{answer}\n\n\t") == parsed, answer
        assert parse(answer.replace("\n", "\r\n")) == parsed, answer


def test_markup_around_an_answer_changes_nothing() -> None:
    marks = ["**{}**", "`{}`", '"{}"', "<p>{}</p>", "<answer>{}</answer>", "\\boxed{{{}}}", "({})",
             "Answer: {}", "The answer is: {}", "{}<|im_end|>",
             "<think>yes, no</think>{}"]  # fmt: skip
    for answer, parsed in [("Yes", "yes"), ("No.", "no"), ("Maybe", "none"), ("No idea", "none")]:
        for mark in marks:
            assert parse(mark.format(answer)) == parsed, mark


def test_no_turn_that_the_model_invents_changes_its_answer() -> None:
    turns = ["Question: Is he ill?\nAnswer: {}", "User: and now?\nAssistant: {}",
             f"{QUESTION} {{}}", f"{INSTRUCTION} {{}}", "Is he ventilated?\n\n{}"]  # fmt: skip
    for answer, parsed in TABLE:
        if parsed != "none":
            for turn in turns:
                for other in ("Yes", "No"):
                    assert parse(f"{answer}\n\n{turn.format(other)}") == parsed, (answer, turn)


def test_no_text_is_too_strange() -> None:
    """Random text of all of Unicode, halves of pairs too, and of the pieces that have a meaning."""
    rng = random.Random(20)
    pieces = [*"YesNo \n.,?!:-*_`'\"<>/|\\[](){}", *(answer for answer, _ in TABLE), "<think>",
              "</think>", "answer", "the", "I", "cannot", "if", "as", " "]  # fmt: skip
    read = set()
    for _ in range(3000):
        count = rng.randrange(12)
        everything = (chr(rng.randrange(sys.maxunicode + 1)) for _ in range(count))
        meaningful = rng.choices(pieces, k=count)
        for text in ("".join(everything), "".join(meaningful), " ".join(meaningful)):
            read.add(parse(text))
    assert read == {"yes", "no", "none"}


@pytest.mark.parametrize(
    "part",
    ["a", "no ", "answer ", "the answer so ", "No. ", "\n", "<", "<think>", "</think>", "1,1", "a-",
     "\u0301\u0316", "yes/", "if, ", "as, ", "as an ", "no, i ", "the patient will ", "is it? "],
)  # fmt: skip
def test_a_very_long_answer_is_read_in_time(part: str) -> None:
    """Were the time to grow much faster than the length, this would not end."""
    much = part * (100_000 // len(part))
    assert parse(f"Yes.\n{much}") in ("yes", "none")
    assert parse(f"{much}\nAnswer: no.") in ("no", "none")
