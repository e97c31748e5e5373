"""What is given by vein or mouth: itemids, units and orders as icu/inputevents has them."""

from dataclasses import dataclass

from charthouse.synth.infections import ANTIBIOTICS

VASOPRESSORS = (221906, 221289, 221749, 222315, 221662)
"""Norepinephrine, epinephrine, phenylephrine, vasopressin, dopamine; the rest are inotropes."""


@dataclass(frozen=True)
class Input:
    """One itemid, given in one way."""

    itemid: int
    label: str
    category: str
    unitname: str  # in d_items
    amount_unit: str
    order: str  # ordercategoryname
    secondary: str  # secondaryordercategoryname
    description: str  # ordercategorydescription
    rate_unit: str = ""  # empty where it is given at once
    per_hour: float = 1.0  # amount for a rate of 1 over an hour, of 1 kg where it is per kg
    dose: float = 0.0  # median rate, or amount where it is given at once
    spread: float = 0.3  # of its logarithm, from row to row
    decimals: int = 0  # of the rate or amount as ordered
    volume: float | None = None  # totalamount in ml
    # Unit of a few rows and its factor, which is the weight where there is none.
    other_rate: tuple[str, float | None] | None = None
    other_amount: tuple[str, float] | None = None  # the same of amounts

    @property
    def by_weight(self) -> bool:
        """Whether its rate is per kg."""
        return "/kg/" in self.rate_unit


_DRIP = ("01-Drips", "02-Fluids (Crystalloids)", "Continuous Med")
_FLUID = ("02-Fluids (Crystalloids)", "Additive (Crystalloid)", "Continuous IV")
_PUSH = ("05-Med Bolus", "", "Drug Push")
_BLOOD = ("07-Blood Products", "", "Continuous IV")
_ORAL = ("14-Oral/Gastric Intake", "", "Bolus")
_SC = ("06-Insulin (Non IV)", "", "Drug Push")
_AB = ("08-Antibiotics (IV)", "02-Fluids (Crystalloids)", "Drug Push")
_MED, _IN, _BP, _ABX = "Medications", "Fluids/Intake", "Blood Products/Colloids", "Antibiotics"
_I = Input


def _per_kg(
    itemid: int,
    label: str,
    dose: float,
    decimals: int,
    volume: float = 250,
    other_rate: tuple[str, float | None] | None = None,
) -> Input:
    """A drip in mcg/kg/min, of which the amount is in mg."""
    return Input(
        itemid, label, _MED, "mg", "mg", *_DRIP, rate_unit="mcg/kg/min", per_hour=0.06, dose=dose,
        decimals=decimals, volume=volume, other_rate=other_rate,
    )  # fmt: skip


DRIPS: dict[str, Input] = {
    "norepinephrine": _per_kg(221906, "Norepinephrine", 0.12, 2, 250, ("mg/kg/min", 0.001)),
    "epinephrine": _per_kg(221289, "Epinephrine", 0.05, 2),
    "phenylephrine": _per_kg(221749, "Phenylephrine", 0.9, 1, 250, ("mcg/min", None)),
    "vasopressin": _I(222315, "Vasopressin", _MED, "units", "units", *_DRIP,
                      rate_unit="units/hour", dose=2.4, spread=0.05, decimals=1, volume=100,
                      other_rate=("units/min", 1 / 60)),
    "dopamine": _per_kg(221662, "Dopamine", 5, 1),
    "dobutamine": _per_kg(221653, "Dobutamine", 3.5, 1),
    "milrinone": _per_kg(221986, "Milrinone", 0.25, 2, 100),
    "propofol": _per_kg(222168, "Propofol", 30, 0, 100),
    "midazolam": _I(221668, "Midazolam (Versed)", _MED, "mg", "mg", *_DRIP, rate_unit="mg/hour",
                    dose=2, decimals=1, volume=100),
    "dexmedetomidine": _I(225150, "Dexmedetomidine (Precedex)", _MED, "mcg", "mcg", *_DRIP,
                          rate_unit="mcg/kg/hour", dose=0.6, decimals=1, volume=50,
                          other_amount=("mg", 0.001)),
    "dexmedetomidine of late": _I(229420, "Dexmedetomidine (Precedex)", _MED, "mcg", "mcg", *_DRIP,
                                  rate_unit="mcg/kg/hour", dose=0.6, decimals=1, volume=100),
    "fentanyl": _I(225942, "Fentanyl (Concentrate)", _MED, "mg", "mg", *_DRIP,
                   rate_unit="mcg/hour", per_hour=0.001, dose=75, volume=50),
    "insulin": _I(223258, "Insulin - Regular", _MED, "units", "units", *_DRIP,
                  rate_unit="units/hour", dose=4, decimals=0, volume=100),
    "heparin": _I(225152, "Heparin Sodium", _MED, "units", "units", *_DRIP,
                  rate_unit="units/hour", dose=950, spread=0.15, volume=500),
    "saline": _I(225158, "NaCl 0.9%", _IN, "mL", "ml", *_FLUID, rate_unit="mL/hour", dose=75,
                 volume=1000),
    "ringer": _I(225828, "LR", _IN, "mL", "ml", *_FLUID, rate_unit="mL/hour", dose=100,
                 volume=1000),
    "red cells": _I(225168, "Packed Red Blood Cells", _BP, "mL", "ml", *_BLOOD,
                    rate_unit="mL/hour", dose=175, spread=0.2, volume=350),
    "plasma": _I(220970, "Fresh Frozen Plasma", _BP, "mL", "ml", *_BLOOD, rate_unit="mL/hour",
                 dose=300, spread=0.2, volume=300),
    "carrier": _I(225158, "NaCl 0.9%", _IN, "mL", "ml", *_DRIP, rate_unit="mL/hour", dose=15,
                  spread=0.6, decimals=0, volume=250),
    "other carrier": _I(220949, "Dextrose 5%", _IN, "mL", "ml", *_DRIP, rate_unit="mL/hour",
                        dose=18, spread=0.6, decimals=0, volume=250),
}  # fmt: skip
CARRIERS = ("carrier", "other carrier")

# Given at once: the mean number a day of stay.
PUSHES: dict[str, tuple[Input, float]] = {
    "saline": (_I(225158, "NaCl 0.9%", _IN, "mL", "ml", "03-IV Fluid Bolus", "", "Bolus",
                  dose=700, spread=0.4, decimals=-2, volume=1000), 0.5),
    "ringer": (_I(225828, "LR", _IN, "mL", "ml", "03-IV Fluid Bolus", "", "Bolus", dose=800,
                  spread=0.3, decimals=-2, volume=1000), 0.2),
    "oral": (_I(226452, "PO Intake", _IN, "mL", "ml", *_ORAL, dose=180, decimals=-1), 1.8),
    "flush": (_I(226453, "GT Flush", _IN, "mL", "ml", *_ORAL, dose=40, decimals=-1), 1.3),
    "potassium": (_I(225166, "Potassium Chloride", _MED, "mEq", "mEq", *_FLUID, dose=20,
                     spread=0.3, decimals=-1), 0.7),
    "calcium": (_I(221456, "Calcium Gluconate", _MED, "grams", "grams", *_FLUID, dose=2,
                   spread=0.2), 0.3),
    "fentanyl": (_I(221744, "Fentanyl", _MED, "mg", "mcg", *_PUSH, dose=50, decimals=-1), 1.2),
    "midazolam": (_I(221668, "Midazolam (Versed)", _MED, "mg", "mg", *_PUSH, dose=2, decimals=0),
                  0.4),
    "hydromorphone": (_I(221833, "Hydromorphone (Dilaudid)", _MED, "mg", "mg", *_PUSH, dose=0.5,
                         decimals=2), 0.5),
    "propofol": (_I(222168, "Propofol", _MED, "mg", "mg", *_PUSH, dose=20, decimals=-1), 0.3),
    "regular insulin": (_I(223258, "Insulin - Regular", _MED, "units", "units", *_SC, dose=4), 0.5),
    "humalog": (_I(223262, "Insulin - Humalog", _MED, "units", "units", *_SC, dose=4), 0.9),
    "glargine": (_I(223260, "Insulin - Glargine", _MED, "units", "units", *_SC, dose=13), 0.25),
}  # fmt: skip

ANTIBIOTIC_DOSES: tuple[Input, ...] = tuple(
    _I(each.itemid, each.label, _ABX, "dose", "dose", *_AB, dose=1, spread=0.0, volume=200,
       other_amount=(each.unit, each.amount))
    for each in ANTIBIOTICS
)  # fmt: skip

INPUTS: tuple[Input, ...] = (
    *DRIPS.values(),
    *(push for push, _ in PUSHES.values()),
    *ANTIBIOTIC_DOSES,
)
