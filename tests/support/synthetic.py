"""A synthetic MIMIC that the tests of its writer read: how it is written, and its columns."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from charthouse.synth.mimic import write_synthetic_mimic
from charthouse.synth.population import Population
from charthouse.synth.vital_signs import VITAL_SIGNS

STAYS, SEED, ROWS, PIXELS, WAVEFORMS = 220, 3, 300.0, 48, 60


LAB_SEED = Path(__file__).parents[2] / "seeds/concepts/lab_tests.csv"


BEFORE_ICU = "charttime >= s.intime - interval 6 hour and charttime < s.intime"


VITAL_ITEMS = ", ".join(str(sign.itemid) for sign in VITAL_SIGNS)


COLUMNS = {
    "mimic-iv/hosp/patients": "subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod",
    "mimic-iv/hosp/admissions": "subject_id,hadm_id,admittime,dischtime,deathtime,"
    "admission_type,admit_provider_id,admission_location,discharge_location,insurance,language,"
    "marital_status,race,edregtime,edouttime,hospital_expire_flag",
    "mimic-iv/hosp/d_labitems": "itemid,label,fluid,category",
    "mimic-iv/hosp/labevents": "labevent_id,subject_id,hadm_id,specimen_id,itemid,"
    "order_provider_id,charttime,storetime,value,valuenum,valueuom,ref_range_lower,"
    "ref_range_upper,flag,priority,comments",
    "mimic-iv/hosp/microbiologyevents": "microevent_id,subject_id,hadm_id,micro_specimen_id,"
    "order_provider_id,chartdate,charttime,spec_itemid,spec_type_desc,test_seq,storedate,"
    "storetime,test_itemid,test_name,org_itemid,org_name,isolate_num,quantity,ab_itemid,ab_name,"
    "dilution_text,dilution_comparison,dilution_value,interpretation,comments",
    "mimic-iv/hosp/prescriptions": "subject_id,hadm_id,pharmacy_id,poe_id,poe_seq,"
    "order_provider_id,starttime,stoptime,drug_type,drug,formulary_drug_cd,gsn,ndc,prod_strength,"
    "form_rx,dose_val_rx,dose_unit_rx,form_val_disp,form_unit_disp,doses_per_24_hrs,route",
    "mimic-iv/hosp/diagnoses_icd": "subject_id,hadm_id,seq_num,icd_code,icd_version",
    "mimic-iv/hosp/d_icd_diagnoses": "icd_code,icd_version,long_title",
    "mimic-iv/icu/icustays": "subject_id,hadm_id,stay_id,first_careunit,last_careunit,intime,"
    "outtime,los",
    "mimic-iv/icu/chartevents": "subject_id,hadm_id,stay_id,caregiver_id,charttime,storetime,"
    "itemid,value,valuenum,valueuom,warning",
    "mimic-iv/icu/procedureevents": "subject_id,hadm_id,stay_id,caregiver_id,starttime,endtime,"
    "storetime,itemid,value,valueuom,location,locationcategory,orderid,linkorderid,"
    "ordercategoryname,ordercategorydescription,patientweight,isopenbag,continueinnextdept,"
    "statusdescription,ORIGINALAMOUNT,ORIGINALRATE",
    "mimic-iv/icu/inputevents": "subject_id,hadm_id,stay_id,caregiver_id,starttime,endtime,"
    "storetime,itemid,amount,amountuom,rate,rateuom,orderid,linkorderid,ordercategoryname,"
    "secondaryordercategoryname,ordercomponenttypedescription,ordercategorydescription,"
    "patientweight,totalamount,totalamountuom,isopenbag,continueinnextdept,statusdescription,"
    "originalamount,originalrate",
    "mimic-iv/icu/outputevents": "subject_id,hadm_id,stay_id,caregiver_id,charttime,storetime,"
    "itemid,value,valueuom",
    "mimic-iv/icu/d_items": "itemid,label,abbreviation,linksto,category,unitname,param_type,"
    "lownormalvalue,highnormalvalue",
    "mimic-iv-note/note/radiology": "note_id,subject_id,hadm_id,note_type,note_seq,charttime,"
    "storetime,text",
    "mimic-iv-note/note/discharge": "note_id,subject_id,hadm_id,note_type,note_seq,charttime,"
    "storetime,text",
    "mimic-iv-note/note/radiology_detail": "note_id,subject_id,field_name,field_value,"
    "field_ordinal",
    "mimic-iv-note/note/discharge_detail": "note_id,subject_id,field_name,field_value,"
    "field_ordinal",
    "mimic-cxr/mimic-cxr-2.0.0-metadata": "dicom_id,subject_id,study_id,"
    "PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime,"
    "ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,"
    "PatientOrientationCodeSequence_CodeMeaning",
    "mimic-cxr/mimic-cxr-2.0.0-chexpert": "subject_id,study_id,Atelectasis,Cardiomegaly,"
    "Consolidation,Edema,Enlarged Cardiomediastinum,Fracture,Lung Lesion,Lung Opacity,"
    "No Finding,Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax,Support Devices",
    "mimic-cxr/mimic-cxr-2.0.0-split": "dicom_id,study_id,subject_id,split",
    "mimic-cxr/cxr-record-list": "subject_id,study_id,dicom_id,path",
    "mimic-cxr/cxr-study-list": "subject_id,study_id,path",
    "mimic-iv-ecg/record_list": "subject_id,study_id,file_name,ecg_time,path",
    "mimic-iv-ecg/machine_measurements": "subject_id,study_id,cart_id,ecg_time,"
    + "".join(f"report_{number}," for number in range(18))
    + "bandwidth,filtering,rr_interval,p_onset,p_end,qrs_onset,qrs_end,t_end,p_axis,qrs_axis,"
    "t_axis",
}


COLUMNS["mimic-cxr/mimic-cxr-2.0.0-negbio"] = COLUMNS["mimic-cxr/mimic-cxr-2.0.0-chexpert"]


@dataclass(frozen=True)
class Made:
    """A written data set, opened."""

    root: Path
    truth: dict[str, Any]
    sql: duckdb.DuckDBPyConnection
    population: Population

    def one(self, query: str) -> Any:
        row = self.sql.execute(query).fetchone()
        assert row is not None
        return row[0]


def write(out: Path, **changes: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "stays": STAYS, "seed": SEED, "rows_per_stay": ROWS, "image_pixels": PIXELS,
        "ecg_waveforms": WAVEFORMS,
    }  # fmt: skip
    return write_synthetic_mimic(out, **(settings | changes))


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


BEGINNINGS = {
    "invasively_ventilated": ("procedureevents", "225792"),
    "ventilated": ("procedureevents", "225792, 225794"),
    "given_vasopressors": ("inputevents", "221906, 221289, 221749, 222315, 221662"),
}


def by_stay(made: Made, query: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows of Stays and a number for each, from a query that gives (stay_id, number)."""
    found = dict(made.sql.execute(query).fetchall())
    stay_ids = made.population.stays.stay_id
    rows = np.array([i for i, stay in enumerate(stay_ids) if found.get(stay) is not None])
    return rows, np.array([float(found[stay_ids[i]]) for i in rows])


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(x, y)[0, 1])
