"""Names of the warehouse in words, on lines that fit."""

import re
import textwrap
from collections.abc import Mapping
from typing import Any

MINUS = "\N{MINUS SIGN}"
METRICS = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "accuracy": "Accuracy",
    "sensitivity_at_alert_rate": "Sensitivity at the alert rate",
    "ppv_at_alert_rate": "PPV at the alert rate",
    "specificity_at_sensitivity": "Specificity at the fixed sensitivity",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "PPV",
    "f1": "F1",
    "brier": "Brier score",
    "calibration_slope": "Calibration slope",
    "calibration_intercept": "Calibration intercept",
    "ece": "Calibration error",
    "tpr": "True positive rate",
    "fpr": "False positive rate",
    "p_yes": "P(yes)",
}
_OTHERS = {"spo2": "SpO2", "first_careunit": "First care unit", "race": "Race, as recorded",
           "age_group": "Age", "race_group": "Race"}  # fmt: skip
_WIDE = 46  # characters of a line that is not broken


def worded(name: str, names: Mapping[str, str] | None = None) -> str:
    """A name of the warehouse, for people."""
    known = METRICS | _OTHERS | dict(names or {})
    for over in ("_gap", "_worst_group"):
        if name.removesuffix(over) in known:
            return known[name.removesuffix(over)] + name[len(name.removesuffix(over)) :].replace(
                "_", " "
            )
    plain = name.replace("_", " ").replace("icu ", "ICU ").replace("+", " + ")
    return plain[:1].upper() + plain[1:]


def short_arm(arm: str) -> str:
    """An arm, or words with arms in them, by encoders alone: they say where they belong.

    Example:
        >>> short_arm("structured[gru,moment]+image[swin] (late)")
        'gru,moment + swin (late)'
    """
    return re.sub(r"\w+\[([^\]]*)\](\+?)", lambda of: of[1] + (" + " if of[2] else ""), arm)


def group_words(attribute: str, group: str) -> str:
    """A subgroup for people: ages are whole years; what is in capitals is a name.

    Example:
        >>> [group_words("age_group", group) for group in ("<=65", "65-85", ">85")]
        ['65 and under', '66 to 85', 'Over 85']
    """
    if group == "(missing)":
        return "Missing"
    if attribute == "age_group" and (age := re.fullmatch(r"(<=|>|(\d+)-)(\d+)", group)):
        sign, first, last = age.groups()
        if first:
            return f"{int(first) + 1} to {last}"
        return f"{last} and under" if sign == "<=" else f"Over {last}"
    return group.title() if group.isupper() and len(group) > 3 else group


def reason_words(attribute: str, reason: str | None) -> str | None:
    """Why a measure over groups has no interval, its groups for people.

    Example:
        >>> reason_words("race_group", "BLACK: fewer than 10 patients of a class (3)")
        'Black: fewer than 10 patients of a class (3)'
    """
    if not isinstance(reason, str):
        return None
    told = []
    for part in reason.split("; "):
        group, colon, why = part.partition(": ")
        told.append(group_words(attribute, group) + colon + why if colon else part)
    return "; ".join(told)


def wrapped(name: str, width: int = 44) -> str:
    """A name, arms by their encoders, on as many lines as it takes, broken at a plus sign."""
    lines: list[str] = []
    for part in re.split(r"(?<=\+ )", short_arm(name)):
        if lines and len(lines[-1] + part.rstrip(" +")) <= width:
            lines[-1] += part
        else:
            lines.append(part)
    return "\n".join(line for long in lines for line in textwrap.wrap(long, width))


def shortened(words: str, most: int) -> str:
    """No longer than so many characters: the middle goes, the ends say most."""
    half = (most - 1) // 2
    return words if len(words) <= most else f"{words[:half]}…{words[-half:]}"


def asked_under(question: str, fusion: str, default_fusion: str | None) -> str:
    """The question, and the fusion that it is asked under where that is not the default."""
    if fusion == default_fusion or question == "fusion":
        return question
    return f"{question}, by {fusion}"


def pair_label(row: Mapping[str, Any], *, several_fusions: bool) -> str:
    """What differs on the first line, what is common to both on the second."""
    arm, other = (row[name].split("+") for name in ("arm", "other_arm"))
    common = "+".join(part for part in arm if part in other)
    first, second = ([part for part in one if part not in two] for one, two in
                     [(arm, other), (other, arm)])  # fmt: skip
    by = row["fusion"] if several_fusions else ""
    if not first and not second:
        top, below = f"{row['fusion']} {MINUS} {row['other_fusion']}", row["arm"]
    elif not second:
        top, below = f"+{'+'.join(first)}", " ".join(filter(None, (f"to {common}", by)))
    elif len(first) == len(second) == 1 and _slot(first[0]) == _slot(second[0]):
        slot = _slot(first[0])
        encoders = [part.removeprefix(f"{slot}[").removesuffix("]") for part in first + second]
        top = f"{encoders[0]} {MINUS} {encoders[1]}"
        below = " ".join(filter(None, (slot, f"with {common}" if common else "", by)))
    else:
        top = f"{'+'.join(first)} {MINUS} {'+'.join(second)}"
        below = " ".join(filter(None, (f"with {common}" if common else "", by)))
    return "\n".join(shortened(short_arm(line), _WIDE) for line in (top, below) if line)


def _slot(part: str) -> str:
    return part.partition("[")[0]
