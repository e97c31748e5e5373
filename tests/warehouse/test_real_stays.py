"""4,000 real ICU stays (PhysioNet challenge 2012, set a), where they are at hand."""

from pathlib import Path

import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bench import UNTESTED, Bench


def test_laboratory_values_tell_of_death_what_vital_signs_do_not(
    challenge_2012: Path, tmp_path: Path
) -> None:
    """Out of fold over all stays. benchmarks/what_labs_add.py asks the same of our own arms."""
    warehouse = tmp_path / "stays.duckdb"
    bench = Bench({"CHARTHOUSE_MIMICIV": str(challenge_2012)}, warehouse, tmp_path)
    outcome = bench.build(*UNTESTED)
    assert outcome.code == 0, outcome.output
    asked = pd.DataFrame(
        bench.sql(
            "select stay_id, subject_id, label from marts.labels inner join marts.cohort"
            " using (stay_id) where task = 'in_hospital_mortality' order by stay_id"
        ),
        columns=["stay_id", "subject_id", "label"],
    )
    assert (len(asked), asked["label"].sum()) == (3994, 554)
    of_modality = {}
    for modality in ("vitals", "labs"):
        rows = bench.sql(
            "select stay_id, variable, list_avg(v), list_min(v), list_max(v), v[-1] from (select"
            " stay_id, variable, list(value order by hours, value) as v"
            f" from marts.{modality}_events group by all) order by all"
        )
        columns = ["stay_id", "variable", "mean", "lowest", "highest", "last"]
        table = pd.DataFrame(rows, columns=columns).pivot(index="stay_id", columns="variable")
        of_modality[modality] = table.reindex(asked["stay_id"])

    def auroc(*modalities: str) -> float:
        model = make_pipeline(
            SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
            StandardScaler(),
            LogisticRegression(C=0.01, max_iter=500),
        )
        features = pd.concat([of_modality[name] for name in modalities], axis=1).to_numpy()
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
        score = cross_val_predict(
            model, features, asked["label"], groups=asked["subject_id"], cv=folds,
            method="predict_proba",
        )[:, 1]  # fmt: skip
        return float(roc_auc_score(asked["label"], score))

    assert auroc("vitals", "labs") - auroc("vitals") > 0.04
