"""The charted vital signs: itemids, how they look, which latents they show, planted values.

Numbers are held as integers scaled by 100 ("hundredths"), so that a bound such as 57.56 degrees
is exact and every value of an item is one position in a table of ready-made CSV text.
"""

from dataclasses import dataclass

ETT = 900  # hundredths that stand for 'No Response-ETT', which MIMIC scores as 1


@dataclass(frozen=True)
class VitalSign:
    """One itemid."""

    itemid: int
    label: str
    abbreviation: str
    category: str
    unit: str
    param_type: str
    mean: float  # level of a stay with all latents at 0, in the item's unit
    severity: float  # shift of the level per unit of severity
    own: float  # shift of the level per unit of the vitals' own latent
    between: float  # standard deviation of the level between stays, from neither
    within: float  # standard deviation from hour to hour
    natural: tuple[float, float]  # values drawn are kept within these; planted ones are not
    decimals: int  # digits after the point as charted
    planted: tuple[float, ...]  # deliberately, at and beyond the bounds of the paper's table

    @property
    def hundredths(self) -> range:
        """The values that have a CSV text."""
        lowest = round(min(*self.planted, self.natural[0]) * 100)
        highest = round(max(*self.planted, self.natural[1]) * 100)
        return range(lowest, (max(highest, ETT) if self.texts else highest) + 1)

    @property
    def texts(self) -> tuple[str, ...]:
        """Words of a scored item, from score 1 upwards."""
        return SCORE_TEXTS.get(self.itemid, ())


HEART_RATE, RESP_RATE, SPO2 = 220045, 220210, 220277
NBP_SYS, NBP_DIA, NBP_MEAN = 220179, 220180, 220181
ABP_SYS, ABP_DIA, ABP_MEAN = 220050, 220051, 220052
ART_SYS, ART_DIA, ART_MEAN = 225309, 225310, 225312
GCS_EYE, GCS_VERBAL, GCS_MOTOR = 220739, 223900, 223901
TEMP_F, TEMP_C = 223761, 223762

CUFF = (NBP_SYS, NBP_DIA, NBP_MEAN)
LINE, SECOND_LINE = (ABP_SYS, ABP_DIA, ABP_MEAN), (ART_SYS, ART_DIA, ART_MEAN)

SCORE_TEXTS: dict[int, tuple[str, ...]] = {
    GCS_EYE: ("None", "To Pain", "To Speech", "Spontaneously"),
    GCS_VERBAL: ("No Response", "Incomprehensible sounds", "Inappropriate Words", "Confused",
                 "Oriented"),
    GCS_MOTOR: ("No response", "Abnormal extension", "Abnormal Flexion", "Flex-withdraws",
                "Localizes Pain", "Obeys Commands"),
}  # fmt: skip

# Below the outlier bound, on it, between the two, on the valid bound, and the same above. Where
# both bounds are the same number there is nothing between them. The mean pressures' bounds
# (0, 14, 330, 375) and the GCS scales are the usual ones; the paper's code has none for them.
_HEART = (-1, 0, 350, 365, 390, 400)
_RESP = (-1, 0, 300, 315, 330, 345)
_SPO2 = (-1, 0, 100, 125, 150, 155)
_PRESSURE = (-1, 0, 375, 380)
_MEAN_PRESSURE = (-1, 0, 7, 14, 330, 350, 375, 380)
_CELSIUS = (12.5, 14.2, 20, 26, 45, 46, 47, 49)
_FAHRENHEIT = (54.5, 57.56, 68, 78.8, 113, 114.8, 116.6, 120.2)  # the same temperatures

_RV, _NEURO = "Routine Vital Signs", "Neurological"

VITAL_SIGNS: tuple[VitalSign, ...] = (
    VitalSign(HEART_RATE, "Heart Rate", "HR", _RV, "bpm", "Numeric",
              86, 6.5, 5.0, 9, 7, (32, 190), 0, _HEART),
    VitalSign(RESP_RATE, "Respiratory Rate", "RR", "Respiratory", "insp/min", "Numeric",
              19.5, 2.2, 0.6, 2.2, 3.2, (5, 55), 0, _RESP),
    VitalSign(SPO2, "O2 saturation pulseoxymetry", "SpO2", "Respiratory", "%", "Numeric",
              96.8, -0.5, -0.9, 1.1, 1.6, (68, 100), 0, _SPO2),
    VitalSign(NBP_SYS, "Non Invasive Blood Pressure systolic", "NBPs", _RV, "mmHg", "Numeric",
              120, -7.0, -1.5, 13, 10, (52, 230), 0, _PRESSURE),
    VitalSign(NBP_DIA, "Non Invasive Blood Pressure diastolic", "NBPd", _RV, "mmHg", "Numeric",
              65, -2.5, -4.0, 8, 8, (22, 140), 0, _PRESSURE),
    VitalSign(NBP_MEAN, "Non Invasive Blood Pressure mean", "NBPm", _RV, "mmHg", "Numeric",
              78, 0, 0, 0, 3, (28, 170), 0, _MEAN_PRESSURE),
    VitalSign(ABP_SYS, "Arterial Blood Pressure systolic", "ABPs", _RV, "mmHg", "Numeric",
              118, -7.0, -1.5, 13, 11, (48, 235), 0, _PRESSURE),
    VitalSign(ABP_DIA, "Arterial Blood Pressure diastolic", "ABPd", _RV, "mmHg", "Numeric",
              60, -2.5, -4.0, 7, 6, (20, 135), 0, _PRESSURE),
    VitalSign(ABP_MEAN, "Arterial Blood Pressure mean", "ABPm", _RV, "mmHg", "Numeric",
              78, 0, 0, 0, 2.5, (26, 165), 0, _MEAN_PRESSURE),
    VitalSign(GCS_EYE, "GCS - Eye Opening", "Eye Opening", _NEURO, "", "Text",
              4.1, -0.55, -0.45, 0.6, 0.5, (1, 4), 0, (0, 1, 4, 5)),
    VitalSign(GCS_VERBAL, "GCS - Verbal Response", "Verbal Response", _NEURO, "", "Text",
              5.0, -0.7, -0.5, 0.8, 0.6, (1, 5), 0, (0, 1, 5, 6)),
    VitalSign(GCS_MOTOR, "GCS - Motor Response", "Motor Response", _NEURO, "", "Text",
              6.4, -0.6, -0.55, 0.7, 0.5, (1, 6), 0, (0, 1, 6, 7)),
    VitalSign(TEMP_F, "Temperature Fahrenheit", "Temperature F", _RV, "°F", "Numeric",
              98.5, 0.15, 0.55, 0.5, 0.6, (89.5, 106.5), 1, _FAHRENHEIT),
    VitalSign(TEMP_C, "Temperature Celsius", "Temperature C", _RV, "°C", "Numeric",
              37.0, 0.08, 0.3, 0.3, 0.35, (32, 41.4), 1, _CELSIUS),
    # drawn as the first line's
    VitalSign(ART_SYS, "ART BP Systolic", "ART BP Systolic", _RV, "mmHg", "Numeric",
              118, -7.0, -1.5, 13, 11, (48, 235), 0, _PRESSURE),
    VitalSign(ART_DIA, "ART BP Diastolic", "ART BP Diastolic", _RV, "mmHg", "Numeric",
              60, -2.5, -4.0, 7, 6, (20, 135), 0, _PRESSURE),
    VitalSign(ART_MEAN, "ART BP Mean", "ART BP Mean", _RV, "mmHg", "Numeric",
              78, 0, 0, 0, 2.5, (26, 165), 0, _MEAN_PRESSURE),
)  # fmt: skip

INDEX = {sign.itemid: place for place, sign in enumerate(VITAL_SIGNS)}
