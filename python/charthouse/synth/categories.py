"""Category strings of MIMIC-IV 2.2, with rough shares of each."""

import numpy as np
from numpy.typing import NDArray

Shares = dict[str | None, float]


def _shares(text: str) -> Shares:
    """Category and share of each; `-` stands for a missing one."""
    pairs = (each.split(":") for each in text.split(";"))
    return {None if name.strip() == "-" else name.strip(): float(share) for name, share in pairs}


CAREUNITS = _shares("""
    Medical Intensive Care Unit (MICU): 21; Medical/Surgical Intensive Care Unit (MICU/SICU): 18;
    Cardiac Vascular Intensive Care Unit (CVICU): 16; Surgical Intensive Care Unit (SICU): 15;
    Trauma SICU (TSICU): 12; Coronary Care Unit (CCU): 11; Neuro Intermediate: 3;
    Neuro Surgical Intensive Care Unit (Neuro SICU): 2.4; Neuro Stepdown: 1.4
""")
# Chance that a stay has an arterial line, by unit in the order of CAREUNITS.
ARTERIAL_LINE_BY_UNIT = (0.33, 0.30, 0.74, 0.42, 0.44, 0.32, 0.08, 0.50, 0.06)

RACES = _shares("""
    WHITE: 62.5; BLACK/AFRICAN AMERICAN: 8.8; UNKNOWN: 7.6; OTHER: 3.6; WHITE - OTHER EUROPEAN: 2.1;
    UNABLE TO OBTAIN: 1.7; HISPANIC/LATINO - PUERTO RICAN: 1.5; WHITE - RUSSIAN: 1.4; ASIAN: 1.4;
    HISPANIC OR LATINO: 1.3; ASIAN - CHINESE: 1.2; HISPANIC/LATINO - DOMINICAN: 1;
    BLACK/CAPE VERDEAN: 0.9; PATIENT DECLINED TO ANSWER: 0.8; BLACK/CARIBBEAN ISLAND: 0.7;
    BLACK/AFRICAN: 0.6; PORTUGUESE: 0.5; ASIAN - SOUTH EAST ASIAN: 0.5;
    WHITE - EASTERN EUROPEAN: 0.4; WHITE - BRAZILIAN: 0.4; ASIAN - ASIAN INDIAN: 0.4;
    HISPANIC/LATINO - GUATEMALAN: 0.3; HISPANIC/LATINO - SALVADORAN: 0.2;
    AMERICAN INDIAN/ALASKA NATIVE: 0.2; HISPANIC/LATINO - CUBAN: 0.15;
    HISPANIC/LATINO - MEXICAN: 0.15; HISPANIC/LATINO - COLUMBIAN: 0.15;
    NATIVE HAWAIIAN OR OTHER PACIFIC ISLANDER: 0.15; SOUTH AMERICAN: 0.15;
    HISPANIC/LATINO - HONDURAN: 0.1; HISPANIC/LATINO - CENTRAL AMERICAN: 0.1;
    MULTIPLE RACE/ETHNICITY: 0.1; ASIAN - KOREAN: 0.1
""")
ADMISSION_TYPES = _shares("""
    EW EMER.: 48; URGENT: 17; OBSERVATION ADMIT: 15; SURGICAL SAME DAY ADMISSION: 10;
    DIRECT EMER.: 4; ELECTIVE: 3; EU OBSERVATION: 1.4; DIRECT OBSERVATION: 1;
    AMBULATORY OBSERVATION: 0.6
""")
EMERGENCY_TYPES = ("EW EMER.", "OBSERVATION ADMIT", "EU OBSERVATION")
EMERGENCY_LOCATIONS = _shares("""
    EMERGENCY ROOM: 80; TRANSFER FROM HOSPITAL: 9; WALK-IN/SELF REFERRAL: 6;
    TRANSFER FROM SKILLED NURSING FACILITY: 4; INFORMATION NOT AVAILABLE: 1
""")
OTHER_LOCATIONS = _shares("""
    PHYSICIAN REFERRAL: 52; TRANSFER FROM HOSPITAL: 36; PROCEDURE SITE: 4; CLINIC REFERRAL: 4;
    PACU: 2; INTERNAL TRANSFER TO OR FROM PSYCH: 1; AMBULATORY SURGERY TRANSFER: 1
""")
DISCHARGE_LOCATIONS = _shares("""
    HOME HEALTH CARE: 28; HOME: 26; SKILLED NURSING FACILITY: 20; REHAB: 9;
    CHRONIC/LONG TERM ACUTE CARE: 6; HOSPICE: 3; -: 3; PSYCH FACILITY: 1.5; AGAINST ADVICE: 1.5;
    ACUTE HOSPITAL: 1.2; OTHER FACILITY: 0.8
""")
INSURANCE_YOUNG = _shares("Other: 76; Medicaid: 14; Medicare: 10")
INSURANCE_OLD = _shares("Medicare: 70; Other: 28; Medicaid: 2")
LANGUAGES = _shares("ENGLISH: 90; ?: 10")
MARITAL_YOUNG = _shares("SINGLE: 46; MARRIED: 38; DIVORCED: 7; WIDOWED: 1; -: 8")
MARITAL_OLD = _shares("MARRIED: 49; WIDOWED: 21; SINGLE: 15; DIVORCED: 7; -: 8")
YEAR_GROUPS = _shares(
    "2008 - 2010: 31; 2011 - 2013: 23; 2014 - 2016: 22; 2017 - 2019: 17; 2020 - 2022: 7"
)


def draw(rng: np.random.Generator, shares: Shares, n: int) -> NDArray[np.object_]:
    """Draw ``n`` category strings (None for a missing one) by their shares."""
    return np.array(list(shares), dtype=object)[draw_index(rng, shares, n)]


def draw_index(rng: np.random.Generator, shares: Shares, n: int) -> NDArray[np.int64]:
    """Draw ``n`` positions in ``shares``."""
    edges = np.cumsum(list(shares.values()))
    return np.searchsorted(edges[:-1] / edges[-1], rng.random(n), side="right").astype(np.int64)
