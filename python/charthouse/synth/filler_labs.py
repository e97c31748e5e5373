"""Other tests of labevents: the bulk of the table, which no model reads, and what a gas is of.

Itemids, labels and categories are MIMIC-IV's own; shares are rough. Every panel has as many tests.
"""

from dataclasses import dataclass

from charthouse.synth.filler_items import numbers

PANEL_SIZE = 9


@dataclass(frozen=True)
class FillerLab:
    """One itemid with the values it takes, most frequent first."""

    itemid: int
    label: str
    fluid: str
    category: str
    unit: str
    reference: str  # lower and upper, with a comma between
    choices: tuple[str, ...]
    written: str = "number"  # choices are a value and its valuenum, a value only, or a comment


def _words(
    itemid: int, label: str, fluid: str, category: str, choices: tuple[str, ...], unit: str = ""
) -> FillerLab:
    return FillerLab(itemid, label, fluid, category, unit, ",", choices, "comment")


_BL, _UR = "Blood", "Urine"
_BG, _CH, _HE = "Blood Gas", "Chemistry", "Hematology"
_F = FillerLab
_SMEAR = ("OCCASIONAL.", "1+.", "NORMAL.", "2+.")
_AMOUNTS = ("NEG.", "TR.", "SM .", "MOD.", "LG.")

FILLER_PANELS: tuple[tuple[FillerLab, ...], ...] = (
    (
        _F(51250, "MCV", _BL, _HE, "fL", "82,98", numbers(75, 111, 1)),
        _F(51249, "MCHC", _BL, _HE, "g/dL", "32,37", numbers(29, 35.8, 0.1)),
        _F(51248, "MCH", _BL, _HE, "pg", "26,32", numbers(24, 35, 0.1)),
        _F(51277, "RDW", _BL, _HE, "%", "10.5,15.5", numbers(12.3, 22.8, 0.1)),
        _F(51279, "Red Blood Cells", _BL, _HE, "m/uL", "4.6,6.1", numbers(2.13, 5.34, 0.01)),
        _F(52172, "RDW-SD", _BL, _HE, "fL", "35.1,46.3", numbers(39, 84, 0.1)),
        _words(51137, "Anisocytosis", _BL, _HE, _SMEAR),
        _words(51267, "Poikilocytosis", _BL, _HE, _SMEAR),
        _words(51266, "Platelet Smear", _BL, _HE, ("NORMAL.", "LOW.", "VERY LOW.")),
    ),
    (
        _F(51254, "Monocytes", _BL, _HE, "%", "5,13", numbers(1, 29, 0.1)),
        _F(51200, "Eosinophils", _BL, _HE, "%", "1,7", numbers(0, 11.6, 0.1)),
        _F(51146, "Basophils", _BL, _HE, "%", "0,1", numbers(0, 3, 0.1)),
        _F(51143, "Atypical Lymphocytes", _BL, _HE, "%", "0,0", numbers(0, 4, 1)),
        _F(51144, "Bands", _BL, _HE, "%", "0,5", numbers(0, 12, 1)),
        _F(51251, "Metamyelocytes", _BL, _HE, "%", "0,0", numbers(0, 8, 1)),
        _F(51255, "Myelocytes", _BL, _HE, "%", "0,0", numbers(0, 7, 1)),
        _F(52075, "Absolute Neutrophil Count", _BL, _HE, "K/uL", "1.6,6.1", numbers(1, 30, 0.01)),
        _F(51133, "Absolute Lymphocyte Count", _BL, _HE, "K/uL", "1.2,3.7", numbers(0.2, 9, 0.01)),
    ),
    (
        _F(50947, "I", _BL, _CH, "", "0,10", numbers(0, 4, 1)),
        _F(51678, "L", _BL, _CH, "", "0,60", numbers(3, 62, 1)),
        _F(50934, "H", _BL, _CH, "", "0,40", numbers(0, 60, 1)),
        _F(51007, "Uric Acid", _BL, _CH, "mg/dL", "3.4,7", numbers(1.1, 13.4, 0.1)),
        _F(50910, "Creatine Kinase (CK)", _BL, _CH, "IU/L", "47,322", numbers(14, 900, 1)),
        _F(50956, "Lipase", _BL, _CH, "IU/L", "0,60", numbers(11, 239, 1)),
        _F(50976, "Protein, Total", _BL, _CH, "g/dL", "6.4,8.3", numbers(4.6, 8, 0.1)),
        _F(50930, "Globulin", _BL, _CH, "g/dL", "2,4", numbers(2, 4.1, 0.1)),
        _F(50867, "Amylase", _BL, _CH, "IU/L", "0,100", numbers(16, 264, 1)),
    ),
    (
        _F(50801, "Alveolar-arterial Gradient", _BL, _BG, "mm Hg", ",", numbers(100, 640, 1)),
        _F(50804, "Calculated Total CO2", _BL, _BG, "mEq/L", "21,30", numbers(11, 37, 1)),
        _F(50817, "Oxygen Saturation", _BL, _BG, "%", ",", numbers(45, 99, 1)),
        _F(50825, "Temperature", _BL, _BG, "", ",", numbers(35.4, 39.3, 0.1)),
        _F(50814, "Methemoglobin", _BL, _BG, "%", ",", numbers(0, 2, 1)),
        _F(50819, "PEEP", _BL, _BG, "", ",", numbers(5, 16, 1)),
        _F(50826, "Tidal Volume", _BL, _BG, "", ",", numbers(300, 650, 10)),
        _words(50827, "Ventilation Rate", _BL, _BG, ("14/0", "16/2", "20/.", "24/.")),
        _words(50812, "Intubated", _BL, _BG, ("INTUBATED.", "NOT INTUBATED.")),
    ),
    (
        _words(51508, "Urine Color", _UR, _HE, ("Yellow.", "Straw.", "DkAmb.", "Red.")),
        _words(51506, "Urine Appearance", _UR, _HE, ("Clear.", "Hazy.", "Cloudy.")),
        _F(51498, "Specific Gravity", _UR, _HE, " ", "1.001,1.035", numbers(1.005, 1.048, 0.001)),
        _words(51487, "Nitrite", _UR, _HE, ("NEG.", "POS.")),
        _words(51478, "Glucose", _UR, _HE, ("NEG.", "TR."), "mg/dL"),
        _words(51484, "Ketone", _UR, _HE, ("NEG.", "TR."), "mg/dL"),
        _F(51492, "Protein", _UR, _HE, "mg/dL", "0,0", ("30", "100", "300", "600")),
        _words(51466, "Blood", _UR, _HE, _AMOUNTS),
        _F(51491, "pH", _UR, _HE, "units", "5,8", numbers(5, 8.5, 0.5)),
    ),
    (
        _F(50852, "% Hemoglobin A1c", _BL, _CH, "%", "4.8,5.9", numbers(4.9, 12, 0.1)),
        _F(51613, "eAG", _BL, _CH, "mg/dL", "91,123", numbers(96, 298, 1)),
        _F(50993, "Thyroid Stimulating Hormone", _BL, _CH, "uIU/mL", "0.27,4.2",
           numbers(0.2, 12, 0.1)),
        _F(51000, "Triglycerides", _BL, _CH, "mg/dL", "0,149", numbers(28, 400, 1)),
        _F(50907, "Cholesterol, Total", _BL, _CH, "mg/dL", "0,199", numbers(93, 294, 1)),
        _F(50904, "Cholesterol, HDL", _BL, _CH, "mg/dL", "41,999", numbers(16, 95, 1)),
        _F(50905, "Cholesterol, LDL, Calculated", _BL, _CH, "mg/dL", "0,129", numbers(37, 204, 1)),
        _F(50924, "Ferritin", _BL, _CH, "ng/mL", "30,400", numbers(8, 1200, 1)),
        _F(51010, "Vitamin B12", _BL, _CH, "pg/mL", "240,900", numbers(212, 1398, 1)),
    ),
)  # fmt: skip
PANEL_SHARES = (0.4, 0.14, 0.16, 0.12, 0.12, 0.06)
PANEL_MINUTES = (45.0, 63.0, 79.0, 3.0, 50.0, 290.0)

_KINDS = (*["ART."] * 7, *["VEN."] * 2, "MIX.")
GAS_FACTS: dict[FillerLab, float] = {  # and the share of blood gases that has it
    _F(52033, "Specimen Type", _BL, _BG, "", ",", _KINDS, "value"): 0.93,
    _F(50816, "Oxygen", _BL, _BG, "%", ",", numbers(30, 100, 5)): 0.4,
}

# In d_labitems but never measured here: some that share the label of a test that models read.
UNUSED_LABS: tuple[tuple[int, str, str, str], ...] = (
    (50811, "Hemoglobin", _BL, _BG),
    (50831, "pH", "Other Body Fluid", _BG),
    (51002, "Troponin I", _BL, _CH),
    (51094, "pH", _UR, _CH),
    (51516, "WBC", _UR, _HE),
    (51638, "Hematocrit", _BL, _CH),
    (51640, "Hemoglobin", _BL, _CH),
    (51675, "INR(PT)", _BL, _CH),
    (51704, "Platelet Count", _BL, _CH),
    (51755, "White Blood Cells", _BL, _CH),
    (52024, "Creatinine, Whole Blood", _BL, _BG),
    (52442, "Lactate", _BL, _BG),
    (52546, "Creatinine", _BL, _CH),
    (52569, "Glucose", _BL, _CH),
    (52610, "Potassium", _BL, _CH),
    (52623, "Sodium", _BL, _CH),
    (53085, "Albumin", _BL, _CH),
    (53154, "Lactate", _BL, _CH),
)
