"""What laboratory values add to vital signs, on real stays of a folder laid out as MIMIC-IV.

    python benchmarks/what_labs_add.py --mimic /a/folder/with/hosp/and/icu --data /a/scratch/folder

Runs `dbt build`, `charthouse embed` and `charthouse predict` as a user does, on a warehouse of its
own. Each stay is scored once by a model that has not seen its patient: those of train out of fold,
the others by the model that is fitted on train. The arms are compared as a pair over all stays, on
the same resamples of patients.
"""

import argparse
import shutil
import sys
from pathlib import Path

from charthouse.core.warehouse import open_warehouse
from charthouse.stats.bootstrap import bootstrap_metrics
from measure import dbt_build_of, run

TASK = "in_hospital_mortality"
ARMS = (
    "structured[demographics]",
    "structured[summary]",
    "labs[summary]",
    "structured[summary]+labs[summary]",
)
PAIR = ARMS[3], ARMS[1]


def main() -> None:
    """Prints the AUROC of each arm over all stays, and the difference that labs make."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mimic", type=Path, required=True, help="folder with hosp/ and icu/")
    parser.add_argument("--data", type=Path, required=True, help="folder for the warehouse")
    arguments = parser.parse_args()
    shutil.rmtree(arguments.data, ignore_errors=True)
    arguments.data.mkdir(parents=True)
    warehouse = arguments.data / "labs.duckdb"
    roots = {"CHARTHOUSE_MIMICIV": str(arguments.mimic.resolve())}
    cost = dbt_build_of(roots, warehouse)
    print(f"dbt build: {cost.seconds:.0f} s, {cost.peak_gb:.2f} GB", flush=True)
    charthouse = str(Path(sys.executable).with_name("charthouse"))
    environment = {**roots, "CHARTHOUSE_WAREHOUSE": str(warehouse)}
    encoders = [f"--encoder={name}" for name in ("demographics", "summary", "summary__labs")]
    arms = [word for arm in ARMS for word in ("--arm", arm)]
    for words in (["embed", *encoders], ["predict", "--task", TASK, *arms]):
        cost = run([charthouse, *words], **environment)
        print(f"charthouse {words[0]}: {cost.seconds:.0f} s", flush=True)

    found = {}
    with open_warehouse(warehouse) as db:
        for arm in ARMS:
            y_true, y_score, subject_id = db.execute(
                "select y_true, y_score, subject_id from results.predictions"
                " inner join results.current_runs using (run_id) inner join marts.cohort"
                " using (stay_id) where settings ->> 'arm' = ? order by stay_id",
                [arm],
            ).fetchnumpy().values()  # fmt: skip
            found[arm] = bootstrap_metrics(y_true, y_score, subject_id, 0.5, ["auroc"])
    print("| arm | stays | deaths | AUROC |\n|---|---|---|---|")
    for arm, result in found.items():
        of = result.intervals()["auroc"]
        interval = f"{of.value:.3f} [{of.ci_low:.3f}, {of.ci_high:.3f}]"
        print(f"| `{arm}` | {of.n:,} | {of.n_positive:,} | {interval} |")
    added = found[PAIR[0]].minus(found[PAIR[1]])["auroc"]
    print(
        f"Laboratory values add {added.difference:.3f}"
        f" [{added.ci_low:.3f}, {added.ci_high:.3f}], p = {added.p_value:.3f}"
    )


if __name__ == "__main__":
    main()
