"""The laboratory tests: itemids, how values lie, which latents they show, planted values, panels.

Values are held as whole steps of their last digit, so that each is one position in a table of
ready-made CSV text.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class LabTest:
    """One itemid, as ``seeds/concepts/lab_tests.csv`` names it."""

    itemid: int
    label: str
    category: str
    unit: str
    reference: tuple[float, float] | None  # as printed; beyond it a value is flagged
    decimals: int
    median: float  # level of a stay with all latents at 0
    between: float  # standard deviation of the level between stays, from no latent
    within: float  # standard deviation from draw to draw
    natural: tuple[float, float]  # values drawn are kept within these; planted ones are not
    bounds: tuple[float, float, float, float]  # outlier, valid; valid, outlier
    log: bool = False  # deviations and shifts are of the logarithm
    death: float = 0.0  # shift of the level per unit of the latent of death
    long_stay: float = 0.0  # per unit of the latent of a stay over 3 days
    severity: float = 0.0  # per unit of severity
    kidney: float = 0.0  # per unit of the kidneys' failing, which grows within some stays
    below: str = ""  # comment in place of a value below the natural range
    comment: str = ""  # of every row, which then has ___ for its value
    other_unit: tuple[str, float] | None = None  # of a few rows, and its factor

    @property
    def steps(self) -> range:
        """The values that have a CSV text, in steps of the last digit."""
        low, high = (round(bound * 10**self.decimals) for bound in self.natural)
        return range(low, high + 1)

    @property
    def planted(self) -> tuple[float, ...]:
        """Deliberate values: beyond, on and between the bounds."""
        low, valid_low, valid_high, high = self.bounds
        beyond = (low - 1, low, (low + valid_low) / 2, valid_low)
        above = (valid_high, (valid_high + high) / 2, high, high + 1)
        return tuple(sorted({round(value, 4) for value in (*beyond, *above)}))


_BG, _CH, _HE = "Blood Gas", "Chemistry", "Hematology"
_TROPONIN = "cTropnT > 0.10 ng/mL suggests Acute MI."
_FASTING = "IF FASTING, 70-100 NORMAL, >125 PROVISIONAL DIABETES."
_T = LabTest

LAB_TESTS: tuple[LabTest, ...] = (
    _T(50862, "Albumin", _CH, "g/dL", (3.5, 5.2), 1, 3.2, 0.35, 0.12, (1.0, 5.5),
       (0, 0.6, 6, 60), long_stay=-0.3),
    _T(50863, "Alkaline Phosphatase", _CH, "IU/L", (40, 130), 0, 92, 0.4, 0.08, (21, 1200),
       (0, 20, 3625, 4000), log=True),
    _T(50861, "Alanine Aminotransferase (ALT)", _CH, "IU/L", (0, 40), 0, 30, 0.8, 0.2, (4, 3000),
       (0, 2, 10000, 11000), log=True),
    _T(50868, "Anion Gap", _CH, "mEq/L", (8, 20), 0, 14, 2.0, 1.4, (6, 38),
       (0, 5, 50, 55), death=1.0, severity=0.4),
    _T(50878, "Asparate Aminotransferase (AST)", _CH, "IU/L", (0, 40), 0, 40, 0.8, 0.2, (7, 3000),
       (0, 6, 20000, 22000), log=True, death=0.15),
    _T(50802, "Base Excess", _BG, "mEq/L", None, 0, -0.5, 2.8, 1.5, (-25, 20),
       (-60, -40, 40, 60), death=-1.6, severity=-0.5),
    _T(50882, "Bicarbonate", _CH, "mEq/L", (22, 32), 0, 25, 2.5, 1.3, (5, 45),
       (0, 0, 60, 66), death=-1.7, severity=-0.5),
    _T(50885, "Bilirubin, Total", _CH, "mg/dL", (0, 1.5), 1, 0.7, 0.6, 0.1, (0.2, 35),
       (0, 0.1, 60, 66), log=True, death=0.4, other_unit=("umol/L", 17.1)),
    _T(50893, "Calcium, Total", _CH, "mg/dL", (8.4, 10.3), 1, 8.5, 0.5, 0.25, (5.5, 13),
       (0, 0, 20, 30)),
    _T(50808, "Free Calcium", _BG, "mmol/L", (1.12, 1.32), 2, 1.13, 0.06, 0.03, (0.7, 1.6),
       (0, 0, 5, 10)),
    _T(50902, "Chloride", _CH, "mEq/L", (96, 108), 0, 102, 4.0, 1.8, (80, 130),
       (0, 50, 175, 200)),
    _T(50911, "Creatine Kinase, MB Isoenzyme", _CH, "ng/mL", (0, 10), 0, 4, 0.9, 0.3, (1, 300),
       (0, 0, 1000, 1200), log=True, below="<1."),
    _T(50912, "Creatinine", _CH, "mg/dL", (0.5, 1.2), 1, 0.95, 0.42, 0.06, (0.2, 14),
       (0, 0.1, 60, 66), log=True, death=0.33, kidney=0.5, other_unit=("umol/L", 88.4)),
    _T(51214, "Fibrinogen, Functional", _HE, "mg/dL", (180, 400), 0, 300, 0.35, 0.1, (60, 900),
       (0, 0, 2000, 2500), log=True),
    _T(50931, "Glucose", _CH, "mg/dL", (70, 100), 0, 126, 0.22, 0.18, (40, 800),
       (0, 33, 2000, 2200), log=True, severity=0.03, comment=_FASTING,
       other_unit=("mmol/L", 0.0555)),
    _T(50809, "Glucose", _BG, "mg/dL", (70, 105), 0, 128, 0.22, 0.18, (40, 800),
       (0, 33, 2000, 2200), log=True, severity=0.03),
    _T(51221, "Hematocrit", _HE, "%", (40, 51), 1, 31.5, 4.0, 1.2, (14, 58),
       (0, 0, 75, 100), long_stay=-2.4),
    _T(51222, "Hemoglobin", _HE, "g/dL", (13.7, 17.5), 1, 10.4, 1.4, 0.35, (4.5, 19),
       (0, 0, 25, 30), long_stay=-0.9),
    _T(51237, "INR(PT)", _HE, "", (0.9, 1.1), 1, 1.2, 0.2, 0.05, (0.8, 12),
       (0, 0.5, 20, 50), log=True, death=0.18),
    _T(50813, "Lactate", _BG, "mmol/L", (0.5, 2), 1, 1.6, 0.32, 0.18, (0.5, 22),
       (0, 0.4, 30, 33), log=True, death=0.32, severity=0.12),
    _T(50954, "Lactate Dehydrogenase (LD)", _CH, "IU/L", (94, 250), 0, 260, 0.5, 0.12, (90, 5000),
       (0, 54, 33000, 35000), log=True, death=0.1),
    _T(51244, "Lymphocytes", _HE, "%", (19, 53), 1, 12, 0.5, 0.2, (0.5, 80),
       (0, 0, 100, 100), log=True),
    _T(50960, "Magnesium", _CH, "mg/dL", (1.6, 2.6), 1, 2.0, 0.2, 0.15, (1.0, 4.5),
       (0, 0, 20, 22)),
    _T(51256, "Neutrophils", _HE, "%", (34, 71), 1, 77, 8.0, 4.0, (15, 97),
       (0, 0, 100, 100)),
    _T(50818, "pCO2", _BG, "mm Hg", (35, 45), 0, 41, 6.0, 4.0, (16, 110),
       (0, 0, 200, 220)),
    _T(50820, "pH", _BG, "units", (7.35, 7.45), 2, 7.39, 0.04, 0.025, (6.8, 7.7),
       (6.3, 6.3, 8.4, 10), death=-0.03, severity=-0.008),
    _T(50970, "Phosphate", _CH, "mg/dL", (2.7, 4.5), 1, 3.4, 0.25, 0.15, (0.8, 12),
       (0, 0.5, 20, 22), log=True, kidney=0.15),
    _T(51265, "Platelet Count", _HE, "K/uL", (150, 400), 0, 205, 0.38, 0.07, (6, 1000),
       (0, 0, 2000, 2200), log=True, death=-0.25),
    _T(50821, "pO2", _BG, "mm Hg", (85, 105), 0, 105, 0.35, 0.25, (33, 550),
       (0, 32, 700, 770), log=True),
    _T(50971, "Potassium", _CH, "mEq/L", (3.3, 5.1), 1, 4.1, 0.35, 0.3, (2.3, 7.8),
       (0, 0, 12, 15), kidney=0.15),
    _T(50822, "Potassium, Whole Blood", _BG, "mEq/L", (3.3, 5.1), 1, 4.1, 0.4, 0.3, (2.3, 7.8),
       (0, 0, 12, 15), kidney=0.15),
    _T(51274, "PT", _HE, "sec", (9.4, 12.5), 1, 13.4, 0.18, 0.05, (10, 96),
       (0, 9.9, 97.1, 150), log=True, death=0.17),
    _T(51275, "PTT", _HE, "sec", (25, 36.5), 1, 33, 0.28, 0.15, (19, 149),
       (0, 18.8, 150, 150), log=True),
    _T(50983, "Sodium", _CH, "mEq/L", (133, 145), 0, 138.5, 3.8, 1.4, (112, 168),
       (0, 50, 225, 250)),
    _T(50824, "Sodium, Whole Blood", _BG, "mEq/L", (133, 145), 0, 137, 3.8, 1.4, (112, 168),
       (0, 50, 225, 250)),
    _T(51003, "Troponin T", _CH, "ng/mL", (0, 0.01), 2, 0.02, 1.6, 0.3, (0.01, 18),
       (0, 0.01, 20.85, 24), log=True, below=f"<0.01.  {_TROPONIN}", comment=_TROPONIN),
    _T(51006, "Urea Nitrogen", _CH, "mg/dL", (6, 20), 0, 20, 0.5, 0.07, (3, 220),
       (0, 0, 250, 275), log=True, death=0.32, kidney=0.35),
    _T(51301, "White Blood Cells", _HE, "K/uL", (4, 10), 1, 9.6, 0.38, 0.12, (0.2, 90),
       (0, 0, 1000, 1100), log=True, long_stay=0.28),
)  # fmt: skip

PLACES = {test.itemid: place for place, test in enumerate(LAB_TESTS)}


@dataclass(frozen=True)
class Panel:
    """Tests of one specimen."""

    minutes: float  # median from draw to result
    spread: float  # of its logarithm
    tests: dict[int, float]  # share of the specimens that each itemid is measured in


PANELS: dict[str, Panel] = {
    "chemistry": Panel(78, 0.6, {
        50983: 1, 50971: 1, 50902: 1, 50882: 1, 50868: 1, 51006: 1, 50912: 1, 50931: 1,
        50960: 0.85, 50893: 0.8, 50970: 0.8,
    }),
    "count": Panel(40, 0.7, {51221: 1, 51222: 1, 51301: 1, 51265: 1}),
    "differential": Panel(62, 0.9, {51256: 1, 51244: 1}),
    "coagulation": Panel(63, 0.5, {51237: 1, 51274: 1, 51275: 0.97, 51214: 0.12}),
    "liver": Panel(80, 0.7, {50861: 1, 50878: 1, 50863: 1, 50885: 1, 50862: 0.6, 50954: 0.55}),
    "cardiac": Panel(89, 0.6, {51003: 1, 50911: 0.7}),
    "gas": Panel(3, 0.5, {
        50820: 1, 50818: 1, 50821: 1, 50802: 1, 50808: 0.5, 50809: 0.3, 50822: 0.33, 50824: 0.18,
    }),
    "lactate": Panel(3, 0.5, {50813: 1}),
}  # fmt: skip
