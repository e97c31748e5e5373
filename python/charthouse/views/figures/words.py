"""Names of the warehouse in words, on lines that fit."""

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
_WIDE = 46  # characters of a line that is not broken


def worded(name: str, names: Mapping[str, str] | None = None) -> str:
    """A name of the warehouse, for people."""
    known = METRICS | dict(names or {})
    for over in ("_gap", "_worst_group"):
        if name.removesuffix(over) in known:
            return known[name.removesuffix(over)] + name[len(name.removesuffix(over)) :].replace(
                "_", " "
            )
    plain = name.replace("_", " ").replace("icu ", "ICU ")
    return plain[:1].upper() + plain[1:]


def wrapped(name: str, width: int = 44) -> str:
    """A name on as many lines as it takes, broken before a plus sign where that does."""
    lines: list[str] = []
    for part in (f"+{part}" for part in name.split("+")):
        if lines and len(lines[-1]) + len(part) <= width:
            lines[-1] += part
        else:
            lines.append(part)
    lines[0] = lines[0][1:]
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
    return "\n".join(shortened(line, _WIDE) for line in (top, below) if line)


def _slot(part: str) -> str:
    return part.partition("[")[0]
