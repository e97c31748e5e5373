"""Graded phrases of radiology reports: for each finding, several wordings of each grade.

Grade 0 is normal and grade 3 worst. `{side}`, `{lobe}` and `{change}` are filled in by the
report; `{change}` itself shows how things move, so no one word carries the signal.
"""

import re
from dataclasses import dataclass

GRADES = 4


@dataclass(frozen=True)
class Finding:
    """One finding of one family of exams."""

    severity: float  # loading of the grade on severity
    own: float  # loading of the grade on the text's own latent
    findings: tuple[tuple[str, ...], ...]  # sentences of the FINDINGS section, by grade
    impressions: tuple[tuple[str, ...], ...]  # lines of the IMPRESSION; grade 0 says nothing


def wordings(text: str) -> tuple[str, ...]:
    """Phrases between bars; how the text is broken into lines means nothing."""
    return tuple(" ".join(phrase.split()) for phrase in text.split("|"))


def by_grade(text: str) -> tuple[tuple[str, ...], ...]:
    """The wordings behind `0: ` to `3: `, by grade; none of a grade that is not there."""
    _, *parts = re.split(r"(\d): ", text)
    said = dict(zip(map(int, parts[::2]), map(wordings, parts[1::2]), strict=True))
    return tuple(said.get(grade, ()) for grade in range(GRADES))


def _finding(text: str) -> Finding:
    loadings, findings, impressions = re.split("FINDINGS|IMPRESSION", text)
    severity, own = map(float, re.findall(r"-?[\d.]+", loadings))
    return Finding(severity, own, by_grade(findings), by_grade(impressions))


CHANGE: tuple[tuple[str, ...], ...] = (
    ("improved", "decreased", "resolving", "less conspicuous"),
    ("unchanged", "stable", "similar", "not significantly changed"),
    ("slightly increased", "more prominent", "new", "mildly progressed"),
    ("worsened", "markedly increased", "substantially progressed", "rapidly enlarging"),
)
HEDGES = by_grade("""
    0: No acute process. | No acute findings. | Unremarkable examination for age.
    1: Clinical correlation is recommended. | Attention on followup is advised. | Superimposed
       infection cannot be excluded.
    2: Short interval followup is recommended. | An infectious process is suspected. | Findings are
       concerning in the appropriate clinical setting.
    3: Findings discussed with Dr. ___ by telephone at the time of discovery. | Critical results
       were communicated to the team at ___. | The ICU team was notified of the findings at ___.
""")

_EDEMA = _finding("""severity 0.75, own 0.25
    FINDINGS
    0: Pulmonary vasculature is normal. | No vascular congestion. | There is no edema. | The
       pulmonary vascularity is within normal limits.
    1: Mild vascular congestion, {change}. | Pulmonary vessels are minimally engorged. | Slight
       prominence of the interstitial markings. | Borderline interstitial edema.
    2: Moderate pulmonary edema, {change}. | Perihilar haze and Kerley B lines. | Diffuse
       interstitial abnormality favors edema. | Cephalization with moderate edema.
    3: Severe pulmonary edema, {change}. | Diffuse bilateral airspace opacities. | Widespread
       alveolar edema; ARDS is a consideration. | Confluent consolidation throughout both lungs.
    IMPRESSION
    1: Mild pulmonary vascular congestion. | Minimal interstitial edema.
    2: Moderate pulmonary edema, {change}. | Interstitial edema, {change}.
    3: Severe edema or ARDS, {change}. | Diffuse bilateral airspace disease, {change}.
""")
_OPACITY = _finding("""severity 0.45, own 0.65
    FINDINGS
    0: The lungs are clear. | No focal consolidation. | Lungs are well expanded and clear. | There
       is no airspace opacity to suggest pneumonia.
    1: Streaky {lobe} opacity, likely atelectasis. | Mild {side} basilar atelectasis. | Linear
       densities at the {side} base. | Subsegmental atelectasis, {change}.
    2: {lobe} opacity, {change}, may represent pneumonia or aspiration. | Patchy consolidation in
       the {lobe}. | Retrocardiac density is {change}. | Airspace opacity in the {lobe}, atelectasis
       versus infection.
    3: Dense consolidation of the {lobe}, {change}. | Multifocal pneumonia, {change}. | Near
       complete opacification of the {side} lung. | Cavitating {lobe} consolidation with air
       bronchograms.
    IMPRESSION
    1: {side} basilar atelectasis. | Low lung volumes with atelectasis.
    2: Possible {lobe} pneumonia. | {lobe} opacity, pneumonia cannot be excluded.
    3: Multifocal pneumonia, {change}. | Extensive {lobe} consolidation, {change}.
""")
_EFFUSION = _finding("""severity 0.3, own 0.7
    FINDINGS
    0: No pleural effusion. | Costophrenic angles are sharp. | No effusion is seen. | The pleural
       surfaces are clear.
    1: Trace {side} pleural effusion. | Blunting of the {side} costophrenic angle. | Small {side}
       effusion is possible, {change}. | Minimal pleural fluid.
    2: Moderate {side} pleural effusion, {change}. | Layering {side} effusion. | Bilateral
       effusions, {side} greater. | Pleural fluid has {change}.
    3: Large {side} pleural effusion with collapse of the underlying lung. | Massive {side} effusion
       and mediastinal shift. | Large bilateral effusions, {change}. | Loculated {side} hydrothorax,
       {change}.
    IMPRESSION
    1: Trace {side} effusion. | Small effusion.
    2: Moderate {side} pleural effusion, {change}. | Bilateral effusions, {change}.
    3: Large {side} effusion, {change}. | Large effusions with compressive collapse.
""")
_HEART = _finding("""severity 0.3, own 0.35
    FINDINGS
    0: Heart size is normal. | The cardiac silhouette is not enlarged. | Cardiomediastinal contours
       are normal.
    1: Heart is top normal in size. | Mild cardiomegaly, {change}. | Mildly tortuous aorta, heart
       size upper limits of normal.
    2: Moderate cardiomegaly, {change}. | The heart is moderately enlarged. | Cardiac silhouette is
       {change} and enlarged.
    3: Severe cardiomegaly, {change}. | Marked enlargement of the cardiac silhouette. | Globular
       heart, pericardial effusion is a consideration.
    IMPRESSION
    2: Moderate cardiomegaly. | Cardiomegaly, {change}.
    3: Severe cardiomegaly. | Marked cardiomegaly, {change}.
""")
_TUBES = _finding("""severity 0.75, own -0.1
    FINDINGS
    0: No lines or tubes. | No support devices are seen. | Median sternotomy wires are intact.
    1: {side} PICC terminates in the SVC. | {side} IJ line tip in the mid SVC. | Central venous
       catheter in standard position.
    2: ET tube ends ___ cm above the carina. | Endotracheal and enteric tubes in place. | Tip of the
       endotracheal tube in standard position; enteric tube courses below.
    3: Right mainstem intubation, repositioned. | Swan-Ganz catheter and balloon pump noted. | ECMO
       cannulae, endotracheal tube and {side} chest tube are in place.
    IMPRESSION
    2: Support devices in standard position.
    3: Multiple support devices as above.
""")
_BLEED = _finding("""severity 0.6, own 0.5
    FINDINGS
    0: No acute intracranial hemorrhage. | No hemorrhage, edema, or mass. | There is no evidence of
       infarction or bleed. | No acute intracranial abnormality.
    1: Small chronic {side} lacunar infarct. | Periventricular hypodensities, {change}. | Chronic
       small vessel ischemic disease. | Thin {side} subdural collection, {change}.
    2: {side} subdural hematoma, {change}. | Acute {side} MCA territory infarct. | Subarachnoid
       blood in the {side} sulci. | Evolving {side} parietal infarction.
    3: Large {side} intraparenchymal hemorrhage, {change}. | Diffuse cerebral edema. | Loss of
       grey-white differentiation, concerning for anoxic injury. | Massive {side} infarct with
       hemorrhagic conversion.
    IMPRESSION
    1: Chronic small vessel disease. | Chronic {side} infarct.
    2: Acute {side} infarct. | {side} subdural hematoma, {change}.
    3: Large hemorrhage, {change}. | Diffuse cerebral edema, {change}.
""")
_SHIFT = _finding("""severity 0.5, own 0.6
    FINDINGS
    0: Ventricles and sulci are normal in size. | Basal cisterns are patent. | No shift of midline
       structures.
    1: Mild global atrophy. | Prominent ventricles, age-related. | Minimal mass effect.
    2: Effacement of the {side} lateral ventricle, {change}. | Midline shift of ___ mm. | Sulcal
       effacement on the {side}.
    3: Uncal herniation. | Midline shift has {change}; cisterns are effaced. | Downward
       transtentorial herniation and hydrocephalus.
    IMPRESSION
    2: Mass effect, {change}. | Midline shift of ___ mm.
    3: Herniation. | Worsening herniation and hydrocephalus.
""")
_FLUID = _finding("""severity 0.4, own 0.65
    FINDINGS
    0: No ascites. | No free fluid in the pelvis. | There is no free air or free fluid.
    1: Trace perihepatic fluid. | Small volume ascites, {change}. | Trace free pelvic fluid.
    2: Moderate ascites, {change}. | Moderate free fluid and mesenteric stranding. | Fluid around
       the {side} paracolic gutter, {change}.
    3: Large volume ascites, {change}. | Hemoperitoneum, {change}. | Extensive free fluid with
       peritoneal enhancement.
    IMPRESSION
    1: Trace ascites.
    2: Moderate ascites, {change}.
    3: Large ascites, {change}. | Hemoperitoneum.
""")
_ORGANS = _finding("""severity 0.65, own 0.4
    FINDINGS
    0: Liver, spleen and pancreas are normal. | Normal bowel gas pattern. | Kidneys are normal
       without hydronephrosis. | Gallbladder is normal.
    1: Echogenic liver consistent with steatosis. | Cholelithiasis without cholecystitis. | Mild
       {side} hydronephrosis. | Mildly dilated bowel loops, likely ileus.
    2: Dilated small bowel loops, {change}. | Findings suggest acute cholecystitis. | Acute
       pancreatitis with peripancreatic stranding. | Cirrhosis and splenomegaly.
    3: Pneumatosis and portal venous gas, concerning for ischemia. | Free air, perforation. |
       Necrotizing pancreatitis, {change}. | Multiple infarcts of spleen and kidneys.
    IMPRESSION
    1: Cholelithiasis. | Mild {side} hydronephrosis. | Hepatic steatosis.
    2: Small bowel obstruction, {change}. | Acute cholecystitis. | Pancreatitis.
    3: Bowel ischemia. | Perforated viscus. | Necrotizing pancreatitis, {change}.
""")

FAMILIES: dict[str, tuple[Finding, ...]] = {
    "chest": (_EDEMA, _OPACITY, _EFFUSION, _HEART, _TUBES),
    "head": (_BLEED, _SHIFT),
    "abdomen": (_FLUID, _ORGANS),
}

SIDES = ("left", "right", "left greater than right")
LOBES = ("left lower lobe", "right lower lobe", "right middle lobe", "left upper lobe", "lingula")

INDICATIONS: dict[str, tuple[str, ...]] = {
    "chest": wordings("""
        ___ year old {who} with dyspnea // eval for pneumonia | ___ year old {who} with "chest
        tightness" // acute process? | ___ year old {who} s/p CABG // interval change | ___ year old
        {who} with hypoxia // ?edema, effusion | History: {who} with fever and cough | {who} who
        states "I can't catch my breath" // eval infiltrate
    """),
    "head": wordings("""
        ___ year old {who} with altered mental status // bleed? | ___ year old {who} with "worst
        headache of my life" // ?SAH | ___ year old {who} s/p fall on warfarin // ICH?
    """),
    "abdomen": wordings("""
        ___ year old {who} with abdominal pain // obstruction, perforation? | ___ year old {who}
        with rising LFTs // eval liver, bile ducts | ___ year old {who} with "belly pain" and
        lactate ___ // ischemia?
    """),
}
TECHNIQUES: dict[str, tuple[str, ...]] = {
    "chest": ("Portable AP chest radiograph.", "Chest, frontal view.", "Semi-upright AP chest."),
    "head": ("Contiguous axial images of the brain were obtained.", "Routine multiplanar brain."),
    "abdomen": ("Axial images from lung bases to pubis.", "Grey scale and Doppler images."),
}
COMPARISONS = ("None.", "Chest radiograph ___.", "___", "Prior study from ___.", "CT from ___.")
