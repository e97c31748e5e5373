"""Graded phrases of radiology reports: for each finding, several wordings of each grade.

Grade 0 is normal and grade 3 worst. `{side}`, `{lobe}` and `{change}` are filled in by the
report; `{change}` itself shows how things move, so no one word carries the signal.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One finding of one family of exams.

    Attributes:
        severity: Loading of the grade on severity.
        own: Loading of the grade on the text's own latent.
        findings: Sentences of the FINDINGS section, by grade.
        impressions: Lines of the IMPRESSION, by grade; grade 0 says nothing.
    """

    severity: float
    own: float
    findings: tuple[tuple[str, ...], ...]
    impressions: tuple[tuple[str, ...], ...]


CHANGE: tuple[tuple[str, ...], ...] = (
    ("improved", "decreased", "resolving", "less conspicuous"),
    ("unchanged", "stable", "similar", "not significantly changed"),
    ("slightly increased", "more prominent", "new", "mildly progressed"),
    ("worsened", "markedly increased", "substantially progressed", "rapidly enlarging"),
)
HEDGES: tuple[tuple[str, ...], ...] = (
    ("No acute process.", "No acute findings.", "Unremarkable examination for age."),
    (
        "Clinical correlation is recommended.",
        "Attention on followup is advised.",
        "Superimposed infection cannot be excluded.",
    ),
    (
        "Short interval followup is recommended.",
        "An infectious process is suspected.",
        "Findings are concerning in the appropriate clinical setting.",
    ),
    (
        "Findings discussed with Dr. ___ by telephone at the time of discovery.",
        "Critical results were communicated to the team at ___.",
        "The ICU team was notified of the findings at ___.",
    ),
)

_EDEMA = Finding(
    0.75,
    0.25,
    (
        (
            "Pulmonary vasculature is normal.",
            "No vascular congestion.",
            "There is no edema.",
            "The pulmonary vascularity is within normal limits.",
        ),
        (
            "Mild vascular congestion, {change}.",
            "Pulmonary vessels are minimally engorged.",
            "Slight prominence of the interstitial markings.",
            "Borderline interstitial edema.",
        ),
        (
            "Moderate pulmonary edema, {change}.",
            "Perihilar haze and Kerley B lines.",
            "Diffuse interstitial abnormality favors edema.",
            "Cephalization with moderate edema.",
        ),
        (
            "Severe pulmonary edema, {change}.",
            "Diffuse bilateral airspace opacities.",
            "Widespread alveolar edema; ARDS is a consideration.",
            "Confluent consolidation throughout both lungs.",
        ),
    ),
    (
        (),
        ("Mild pulmonary vascular congestion.", "Minimal interstitial edema."),
        ("Moderate pulmonary edema, {change}.", "Interstitial edema, {change}."),
        ("Severe edema or ARDS, {change}.", "Diffuse bilateral airspace disease, {change}."),
    ),
)
_OPACITY = Finding(
    0.45,
    0.65,
    (
        (
            "The lungs are clear.",
            "No focal consolidation.",
            "Lungs are well expanded and clear.",
            "There is no airspace opacity to suggest pneumonia.",
        ),
        (
            "Streaky {lobe} opacity, likely atelectasis.",
            "Mild {side} basilar atelectasis.",
            "Linear densities at the {side} base.",
            "Subsegmental atelectasis, {change}.",
        ),
        (
            "{lobe} opacity, {change}, may represent pneumonia or aspiration.",
            "Patchy consolidation in the {lobe}.",
            "Retrocardiac density is {change}.",
            "Airspace opacity in the {lobe}, atelectasis versus infection.",
        ),
        (
            "Dense consolidation of the {lobe}, {change}.",
            "Multifocal pneumonia, {change}.",
            "Near complete opacification of the {side} lung.",
            "Cavitating {lobe} consolidation with air bronchograms.",
        ),
    ),
    (
        (),
        ("{side} basilar atelectasis.", "Low lung volumes with atelectasis."),
        ("Possible {lobe} pneumonia.", "{lobe} opacity, pneumonia cannot be excluded."),
        ("Multifocal pneumonia, {change}.", "Extensive {lobe} consolidation, {change}."),
    ),
)
_EFFUSION = Finding(
    0.3,
    0.7,
    (
        (
            "No pleural effusion.",
            "Costophrenic angles are sharp.",
            "No effusion is seen.",
            "The pleural surfaces are clear.",
        ),
        (
            "Trace {side} pleural effusion.",
            "Blunting of the {side} costophrenic angle.",
            "Small {side} effusion is possible, {change}.",
            "Minimal pleural fluid.",
        ),
        (
            "Moderate {side} pleural effusion, {change}.",
            "Layering {side} effusion.",
            "Bilateral effusions, {side} greater.",
            "Pleural fluid has {change}.",
        ),
        (
            "Large {side} pleural effusion with collapse of the underlying lung.",
            "Massive {side} effusion and mediastinal shift.",
            "Large bilateral effusions, {change}.",
            "Loculated {side} hydrothorax, {change}.",
        ),
    ),
    (
        (),
        ("Trace {side} effusion.", "Small effusion."),
        ("Moderate {side} pleural effusion, {change}.", "Bilateral effusions, {change}."),
        ("Large {side} effusion, {change}.", "Large effusions with compressive collapse."),
    ),
)
_HEART = Finding(
    0.3,
    0.35,
    (
        (
            "Heart size is normal.",
            "The cardiac silhouette is not enlarged.",
            "Cardiomediastinal contours are normal.",
        ),
        (
            "Heart is top normal in size.",
            "Mild cardiomegaly, {change}.",
            "Mildly tortuous aorta, heart size upper limits of normal.",
        ),
        (
            "Moderate cardiomegaly, {change}.",
            "The heart is moderately enlarged.",
            "Cardiac silhouette is {change} and enlarged.",
        ),
        (
            "Severe cardiomegaly, {change}.",
            "Marked enlargement of the cardiac silhouette.",
            "Globular heart, pericardial effusion is a consideration.",
        ),
    ),
    (
        (),
        (),
        ("Moderate cardiomegaly.", "Cardiomegaly, {change}."),
        ("Severe cardiomegaly.", "Marked cardiomegaly, {change}."),
    ),
)
_TUBES = Finding(
    0.75,
    -0.1,
    (
        (
            "No lines or tubes.",
            "No support devices are seen.",
            "Median sternotomy wires are intact.",
        ),
        (
            "{side} PICC terminates in the SVC.",
            "{side} IJ line tip in the mid SVC.",
            "Central venous catheter in standard position.",
        ),
        (
            "ET tube ends ___ cm above the carina.",
            "Endotracheal and enteric tubes in place.",
            "Tip of the endotracheal tube in standard position; enteric tube courses below.",
        ),
        (
            "Right mainstem intubation, repositioned.",
            "Swan-Ganz catheter and balloon pump noted.",
            "ECMO cannulae, endotracheal tube and {side} chest tube are in place.",
        ),
    ),
    ((), (), ("Support devices in standard position.",), ("Multiple support devices as above.",)),
)
_BLEED = Finding(
    0.6,
    0.5,
    (
        (
            "No acute intracranial hemorrhage.",
            "No hemorrhage, edema, or mass.",
            "There is no evidence of infarction or bleed.",
            "No acute intracranial abnormality.",
        ),
        (
            "Small chronic {side} lacunar infarct.",
            "Periventricular hypodensities, {change}.",
            "Chronic small vessel ischemic disease.",
            "Thin {side} subdural collection, {change}.",
        ),
        (
            "{side} subdural hematoma, {change}.",
            "Acute {side} MCA territory infarct.",
            "Subarachnoid blood in the {side} sulci.",
            "Evolving {side} parietal infarction.",
        ),
        (
            "Large {side} intraparenchymal hemorrhage, {change}.",
            "Diffuse cerebral edema.",
            "Loss of grey-white differentiation, concerning for anoxic injury.",
            "Massive {side} infarct with hemorrhagic conversion.",
        ),
    ),
    (
        (),
        ("Chronic small vessel disease.", "Chronic {side} infarct."),
        ("Acute {side} infarct.", "{side} subdural hematoma, {change}."),
        ("Large hemorrhage, {change}.", "Diffuse cerebral edema, {change}."),
    ),
)
_SHIFT = Finding(
    0.5,
    0.6,
    (
        (
            "Ventricles and sulci are normal in size.",
            "Basal cisterns are patent.",
            "No shift of midline structures.",
        ),
        ("Mild global atrophy.", "Prominent ventricles, age-related.", "Minimal mass effect."),
        (
            "Effacement of the {side} lateral ventricle, {change}.",
            "Midline shift of ___ mm.",
            "Sulcal effacement on the {side}.",
        ),
        (
            "Uncal herniation.",
            "Midline shift has {change}; cisterns are effaced.",
            "Downward transtentorial herniation and hydrocephalus.",
        ),
    ),
    (
        (),
        (),
        ("Mass effect, {change}.", "Midline shift of ___ mm."),
        ("Herniation.", "Worsening herniation and hydrocephalus."),
    ),
)
_FLUID = Finding(
    0.4,
    0.65,
    (
        ("No ascites.", "No free fluid in the pelvis.", "There is no free air or free fluid."),
        ("Trace perihepatic fluid.", "Small volume ascites, {change}.", "Trace free pelvic fluid."),
        (
            "Moderate ascites, {change}.",
            "Moderate free fluid and mesenteric stranding.",
            "Fluid around the {side} paracolic gutter, {change}.",
        ),
        (
            "Large volume ascites, {change}.",
            "Hemoperitoneum, {change}.",
            "Extensive free fluid with peritoneal enhancement.",
        ),
    ),
    (
        (),
        ("Trace ascites.",),
        ("Moderate ascites, {change}.",),
        ("Large ascites, {change}.", "Hemoperitoneum."),
    ),
)
_ORGANS = Finding(0.65, 0.4,
    (("Liver, spleen and pancreas are normal.", "Normal bowel gas pattern.",
      "Kidneys are normal without hydronephrosis.", "Gallbladder is normal."),
     ("Echogenic liver consistent with steatosis.", "Cholelithiasis without cholecystitis.",
      "Mild {side} hydronephrosis.", "Mildly dilated bowel loops, likely ileus."),
     ("Dilated small bowel loops, {change}.", "Findings suggest acute cholecystitis.",
      "Acute pancreatitis with peripancreatic stranding.", "Cirrhosis and splenomegaly."),
     ("Pneumatosis and portal venous gas, concerning for ischemia.", "Free air, perforation.",
      "Necrotizing pancreatitis, {change}.", "Multiple infarcts of spleen and kidneys.")),
    ((), ("Cholelithiasis.", "Mild {side} hydronephrosis.", "Hepatic steatosis."),
     ("Small bowel obstruction, {change}.", "Acute cholecystitis.", "Pancreatitis."),
     ("Bowel ischemia.", "Perforated viscus.", "Necrotizing pancreatitis, {change}.")))  # fmt: skip

FAMILIES: dict[str, tuple[Finding, ...]] = {
    "chest": (_EDEMA, _OPACITY, _EFFUSION, _HEART, _TUBES),
    "head": (_BLEED, _SHIFT),
    "abdomen": (_FLUID, _ORGANS),
}

SIDES = ("left", "right", "left greater than right")
LOBES = ("left lower lobe", "right lower lobe", "right middle lobe", "left upper lobe", "lingula")

INDICATIONS: dict[str, tuple[str, ...]] = {
    "chest": (
        "___ year old {who} with dyspnea // eval for pneumonia",
        '___ year old {who} with "chest tightness" // acute process?',
        "___ year old {who} s/p CABG // interval change",
        "___ year old {who} with hypoxia // ?edema, effusion",
        "History: {who} with fever and cough",
        '{who} who states "I can\'t catch my breath" // eval infiltrate',
    ),
    "head": (
        "___ year old {who} with altered mental status // bleed?",
        '___ year old {who} with "worst headache of my life" // ?SAH',
        "___ year old {who} s/p fall on warfarin // ICH?",
    ),
    "abdomen": (
        "___ year old {who} with abdominal pain // obstruction, perforation?",
        "___ year old {who} with rising LFTs // eval liver, bile ducts",
        '___ year old {who} with "belly pain" and lactate ___ // ischemia?',
    ),
}
TECHNIQUES: dict[str, tuple[str, ...]] = {
    "chest": ("Portable AP chest radiograph.", "Chest, frontal view.", "Semi-upright AP chest."),
    "head": ("Contiguous axial images of the brain were obtained.", "Routine multiplanar brain."),
    "abdomen": ("Axial images from lung bases to pubis.", "Grey scale and Doppler images."),
}
COMPARISONS = ("None.", "Chest radiograph ___.", "___", "Prior study from ___.", "CT from ___.")
