"""Report texts: latent variables give grades, and grades give phrases."""

import random

import numpy as np
from numpy.typing import NDArray

import charthouse.synth.phrases as phrases
from charthouse.synth.phrases import FAMILIES, Finding, wordings
from charthouse.synth.signal import Floats

BANNER = "SYNTHETIC REPORT, NOT A REAL PATIENT"
GRADE_EDGES = (0.1, 0.9, 1.7)  # of a score that is N(0, 1): about 54, 27, 14 and 5 %

Grades = NDArray[np.int64]


def draw_grades(
    rng: np.random.Generator, severity: Floats, own: Floats, findings: tuple[Finding, ...]
) -> Grades:
    """Grades 0 to 3 of every finding, and of change and alarm, shape ``(r, len(findings) + 2)``."""
    columns = []
    for a, b in [*((f.severity, f.own) for f in findings), (0.5, 0.6), (0.6, 0.6)]:
        noise = rng.standard_normal(len(severity))
        columns.append(a * severity + b * own + np.sqrt(1 - a**2 - b**2) * noise)
    return np.searchsorted(GRADE_EDGES, np.stack(columns, axis=1)).astype(np.int64)


def radiology_text(
    pick: random.Random, family: str, exam: str, gender: str, grades: list[int], addendum: bool
) -> str:
    """The text of one radiology report.

    Args:
        pick: Chooses among wordings.
        family: Key of FAMILIES.
        exam: The EXAMINATION line.
        gender: 'M' or 'F', for the indication.
        grades: One for each finding of the family, then change, then alarm.
        addendum: Whether this is a late addition to an earlier report.
    """
    findings = FAMILIES[family]
    change, alarm = grades[-2], grades[-1]
    side, lobe = pick.choice(phrases.SIDES), pick.choice(phrases.LOBES)
    who = {"M": ("man", "male", "M"), "F": ("woman", "female", "F")}[gender]

    def say(bank: tuple[str, ...]) -> str:
        text = pick.choice(bank)
        if "{" not in text:
            return text
        moved = pick.choice(phrases.CHANGE[change])
        text = text.format(side=side, lobe=lobe, change=moved)
        return text[0].upper() + text[1:]

    told = list(zip(findings, grades, strict=False))
    body = [say(finding.findings[grade]) for finding, grade in told]
    if family == "chest":
        body.append("There is no pneumothorax." if pick.random() < 0.8 else "No bony abnormality.")
    pick.shuffle(body)
    lines = [
        say(finding.impressions[grade]) for finding, grade in told if finding.impressions[grade]
    ]
    hedge = pick.choice(phrases.HEDGES[alarm])
    if not lines or (alarm and pick.random() < 0.7):
        lines.append(hedge if alarm or not lines else "No other change.")
    impression = "\n".join(f"{number}.  {line}" for number, line in enumerate(lines, 1))
    indication = pick.choice(phrases.INDICATIONS[family]).format(who=pick.choice(who))
    heading = f"{BANNER}\n"
    if addendum:
        heading += "ADDENDUM  The report has been amended after review with the prior study.\n"
    return (
        f"{heading}EXAMINATION:  {exam}\n\nINDICATION:  {indication}\n\n"
        f"TECHNIQUE:  {pick.choice(phrases.TECHNIQUES[family])}\n\n"
        f"COMPARISON:  {pick.choice(phrases.COMPARISONS)}\n\n"
        f"FINDINGS:\n\n{' '.join(body)}\n\nIMPRESSION:\n\n{impression}"
    )


COURSE: tuple[tuple[str, ...], ...] = (
    ("The patient did well and was called out of the unit.", "Uncomplicated course."),
    ("Required brief pressor support, weaned on day ___.", "Course notable for mild hypoxia."),
    ("Treated for septic shock with broad antibiotics.", "Prolonged respiratory failure."),
    ("Multiorgan failure with CRRT.", "Refractory shock on three pressors."),
)
COMPLAINTS = wordings("""
    "I can't breathe" | shortness of breath | "crushing" chest pain | altered mental status | fall |
    abdominal pain | fever
""")


def discharge_text(
    pick: random.Random, gender: str, grade: int, died: bool, destination: str | None
) -> str:
    """The text of one discharge summary; it tells the outcome, as real ones do."""
    disposition = "Expired" if died else (destination or "Home").title()
    condition = "Expired" if died else "Mental Status: Clear and coherent.\nStable."
    return (
        f"{BANNER}\n \nName:  ___                     Unit No:   ___\n \n"
        f"Admission Date:  ___              Discharge Date:   ___\n \n"
        f"Date of Birth:  ___             Sex:   {gender}\n \nService: MEDICINE\n \n"
        f'Allergies: \nNo Known Allergies / Adverse Drug Reactions; "sulfa" listed in error\n \n'
        f"Chief Complaint:\n{pick.choice(COMPLAINTS)}\n \n"
        f"Brief Hospital Course:\n{pick.choice(COURSE[grade])}\n \n"
        f"Discharge Disposition:\n{disposition}\n \nDischarge Condition:\n{condition}\n \n"
        f"Followup Instructions:\n___"
    )
