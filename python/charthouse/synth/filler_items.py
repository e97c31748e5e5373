"""Other chartevents items: the bulk of the table.

Of these, ventilation reads the oxygen device and fraction, which say of nobody here that they are
ventilated: icu/procedureevents does. Itemids, labels and categories are MIMIC-IV's own; shares are
rough.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class FillerItem:
    """One itemid with the values it takes, most frequent first."""

    itemid: int
    label: str
    category: str
    weight: float  # relative number of rows
    choices: tuple[str, ...]  # as charted; of `numeric` items, texts of numbers
    unit: str = ""
    param_type: str = "Text"

    @property
    def numeric(self) -> bool:
        """Whether rows carry valuenum."""
        return self.param_type != "Text"


def numbers(first: float, last: float, step: float) -> tuple[str, ...]:
    """Texts of numbers from ``first`` to ``last``."""
    count = round((last - first) / step) + 1
    return tuple(f"{first + i * step:g}" for i in range(count))


_LUNGS = ("Clear", "Diminished", "Rhonchi", "Crackles", "Exp Wheeze", "Bronchial")
_PULSES = ("Easily Palpable", "Weak Palpable", "Doppler", "Not Applicable", "Absent")
_DONE = ("1",)
_PUPILS = ("2 mm", "3 mm", "4 mm", "Pinpoint", "5 mm", "6 mm")
_REACTION = ("Brisk", "Sluggish", "Non-reactive", "Unable to assess")
_STRENGTH = ("Normal strength", "Lifts against gravity - no resistance", "Lifts - falls back",
             "Moves on bed", "No movement")  # fmt: skip
_SKIN, _RT, _TX = "Skin - Assessment", "Respiratory", "Treatments"
_PS, _NR, _LB, _AL = "Pain/Sedation", "Neurological", "Labs", "Alarms"
_F = FillerItem

FILLER_ITEMS: tuple[FillerItem, ...] = (
    _F(227969, "Safety Measures", "Restraint/Support Systems", 27,
       ("Adequate lighting", "Call light within reach", "Bed in low position", "Side rails")),
    _F(220048, "Heart Rhythm", "Routine Vital Signs", 19,
       ("SR (Sinus Rhythm)", "ST (Sinus Tachycardia)", "AF (Atrial Fibrillation)",
        "SB (Sinus Bradycardia)", "V Paced", "1st AV (First degree AV Block)")),
    _F(224650, "Ectopy Type 1", "Routine Vital Signs", 17, ("None", "PVCs", "PACs")),
    _F(224080, "Head of Bed", _TX, 8, ("30 Degrees", "45 Degrees", "Flat", "60 Degrees")),
    _F(224082, "Turn", _TX, 8, ("Side to Side", "Self", "Left Side", "Right Side", "Back")),
    _F(224086, "Activity Tolerance", _TX, 7, ("Good", "Fair", "Poor")),
    _F(224093, "Position", _TX, 7, ("Left Side", "Right Side", "Supine", "Sitting", "Chair")),
    _F(223792, "Pain Management", _PS, 7, ("Repositioning", "Relaxation", "Music", "Heat")),
    _F(224642, "Temperature Site", "Routine Vital Signs", 6,
       ("Oral", "Axillary", "Blood", "Rectal", "Temporal")),
    _F(224073, "Education Topic", "Restraint/Support Systems", 5,
       ("Plan of care", "Medications", "Safety", "Procedures")),
    _F(224087, "Therapeutic Bed", _TX, 5, ("Hill-Rom Versacare", "Sport", "Bari-rite")),
    _F(223781, "Pain Present", _PS, 5, ("No", "Yes", "Unable to assess"), ),
    _F(223795, "Pain Assessment Method", _PS, 5, ("Self Report", "CPOT", "Pain scale")),
    _F(224089, "Anti Embolic Device", _TX, 5, ("Compression boots", "None", "TEDs")),
    _F(226732, "O2 Delivery Device(s)", _RT, 6,
       ("None", "Nasal cannula", "Venti mask", "Face tent", "High flow nasal cannula",
        "Aerosol-cool", "Non-rebreather", "Medium conc mask")),
    _F(223987, "RLL Lung Sounds", "Pulmonary", 5, _LUNGS),
    _F(223989, "LLL Lung Sounds", "Pulmonary", 5, _LUNGS),
    _F(223986, "RUL Lung Sounds", "Pulmonary", 5, _LUNGS),
    _F(223988, "LUL Lung Sounds", "Pulmonary", 5, _LUNGS),
    _F(227944, "Side Rails", "Restraint/Support Systems", 5, ("2 rails up", "3 rails up")),
    _F(224641, "Alarms On", _AL, 5, _DONE, "", "Checkbox"),
    _F(224168, "Parameters Checked", _AL, 5, _DONE, "", "Checkbox"),
    _F(228305, "ST Segment Monitoring On", _AL, 4, _DONE, "", "Checkbox"),
    _F(220046, "Heart rate Alarm - High", _AL, 3, ("120", "130", "140", "110", "150"), "bpm",
       "Numeric"),
    _F(220047, "Heart Rate Alarm - Low", _AL, 3, ("50", "60", "45", "40"), "bpm", "Numeric"),
    _F(223751, "Non-Invasive Blood Pressure Alarm - High", _AL, 3, ("160", "180", "170", "150"),
       "mmHg", "Numeric"),
    _F(223752, "Non-Invasive Blood Pressure Alarm - Low", _AL, 3, ("90", "100", "85"), "mmHg",
       "Numeric"),
    _F(223769, "O2 Saturation Pulseoxymetry Alarm - High", _AL, 3, ("100", "105"), "%",
       "Numeric"),
    _F(223770, "O2 Saturation Pulseoxymetry Alarm - Low", _AL, 3, ("90", "88", "92"), "%",
       "Numeric"),
    _F(224161, "Resp Alarm - High", _AL, 3, ("35", "30", "40"), "insp/min", "Numeric"),
    _F(224162, "Resp Alarm - Low", _AL, 3, ("8", "6", "10"), "insp/min", "Numeric"),
    _F(223835, "Inspired O2 Fraction", _RT, 4, ("50", "40", "60", "35", "100", "70", "30"), "",
       "Numeric"),
    _F(223834, "O2 Flow", _RT, 4, ("2", "3", "4", "5", "6", "10", "15", "1"), "L/min",
       "Numeric"),
    _F(220339, "PEEP set", _RT, 3, ("5", "8", "10", "12", "14"), "cmH2O", "Numeric"),
    _F(224685, "Tidal Volume (observed)", _RT, 3, numbers(320, 680, 7), "mL", "Numeric"),
    _F(224695, "Peak Insp. Pressure", _RT, 3, numbers(9, 38, 1), "cmH2O", "Numeric"),
    _F(224690, "Respiratory Rate (Total)", _RT, 3, numbers(10, 34, 1), "insp/min", "Numeric"),
    _F(224687, "Minute Volume", _RT, 3, numbers(5, 16, 0.1), "L/min", "Numeric"),
    _F(224003, "Abdominal Assessment", "GI/GU", 4, ("Soft", "Distended", "Obese", "Firm")),
    _F(224004, "Bowel Sounds", "GI/GU", 4, ("Present", "Hypoactive", "Absent", "Hyperactive")),
    _F(224001, "Diet Type", "GI/GU", 4, ("NPO", "Regular", "Tube feeding", "Cardiac")),
    _F(224015, "Urine Source", "GI/GU", 4, ("Foley", "Void", "Condom cath", "Incontinent")),
    _F(224016, "Urine Color", "GI/GU", 3, ("Yellow", "Amber", "Light Yellow", "Red")),
    _F(223783, "Pain Location", _PS, 4, ("Abdominal", "Back", "Chest", "Headache", "Incision")),
    _F(223791, "Pain Level", _PS, 4, ("0", "4", "5", "6", "2", "3", "7", "8"), "", "Numeric"),
    _F(228096, "Richmond-RAS Scale", _PS, 4, ("0", "-1", "-2", "-3", "1", "-4", "-5", "2"), "",
       "Numeric"),
    _F(228299, "Goal Richmond-RAS Scale", _PS, 4, ("0", "-1", "-2"), "", "Numeric"),
    _F(223907, "Pupil Size Right", _NR, 4, _PUPILS),
    _F(224733, "Pupil Size Left", _NR, 4, _PUPILS),
    _F(227121, "Pupil Response Right", _NR, 4, _REACTION),
    _F(227288, "Pupil Response Left", _NR, 4, _REACTION),
    _F(228409, "Strength L Arm", _NR, 3, _STRENGTH),
    _F(228412, "Strength R Arm", _NR, 3, _STRENGTH),
    _F(228398, "Commands", _NR, 3, ("All", "Some", "None")),
    _F(223999, "Oral Cavity", "GI/GU", 3, ("Pink", "Dry", "Teeth/Tissue WNL")),
    _F(226168, "Oral Care", _TX, 3, ("1 Teeth brushed", "2 Swabbed", "3 Suctioned")),
    _F(223934, "Dorsal PedPulse R", "Cardiovascular (Pulses)", 4, _PULSES),
    _F(223943, "Dorsal PedPulse L", "Cardiovascular (Pulses)", 4, _PULSES),
    _F(224026, "Skin Integrity", _SKIN, 3, ("Impaired", "Intact")),
    _F(224027, "Skin Temperature", _SKIN, 3, ("Warm", "Cool", "Hot")),
    _F(224028, "Skin Color", _SKIN, 3, ("Normal for ethnicity", "Pale", "Jaundiced", "Mottled")),
    _F(224054, "Braden Sensory Perception", _SKIN, 2,
       ("No Impairment", "Sl. Impaired", "Very Limited", "Comp. Limited"), "", "Text"),
    _F(224056, "Braden Activity", _SKIN, 2, ("Bedfast", "Chairfast", "Walks Occasionally")),
    _F(224057, "Braden Mobility", _SKIN, 2, ("Sl. Limited", "Very Limited", "No Limitations")),
    _F(225664, "Glucose finger stick (range 70-100)", _LB, 4, numbers(72, 290, 3), "mg/dL",
       "Numeric with tag"),
    _F(220615, "Creatinine (serum)", _LB, 1, numbers(0.4, 4.5, 0.1), "mg/dL",
       "Numeric with tag"),
    _F(220546, "WBC", _LB, 1, numbers(3, 24, 0.1), "K/uL", "Numeric with tag"),
    _F(220645, "Sodium (serum)", _LB, 1, numbers(128, 150, 1), "mEq/L", "Numeric with tag"),
    _F(227442, "Potassium (serum)", _LB, 1, numbers(3, 5.8, 0.1), "mEq/L", "Numeric with tag"),
)  # fmt: skip

# In d_items but never charted here: some that lie near a vital sign.
UNUSED_ITEMS: tuple[tuple[int, str, str, str, str, str], ...] = (
    (220056, "Arterial Blood Pressure Alarm - Low", "chartevents", _AL, "mmHg", "Numeric"),
    (220058, "Arterial Blood Pressure Alarm - High", "chartevents", _AL, "mmHg", "Numeric"),
    (226512, "Admission Weight (Kg)", "chartevents", "General", "kg", "Numeric"),
    (226707, "Height", "chartevents", "General", "Inch", "Numeric"),
    (226730, "Height (cm)", "chartevents", "General", "cm", "Numeric"),
    (226329, "Blood Temperature CCO (C)", "chartevents", "Routine Vital Signs", "°C", "Numeric"),
)
