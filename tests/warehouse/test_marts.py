"""Raw files to marts on synthetic data: what was planted is found, pandas agrees with SQL."""

import json
import os
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from bench import PROJECT, UNTESTED, Bench, rewrite, roots_of

MARTS = ("--exclude", "path:models/reports")  # all that these tests look at


@pytest.fixture(scope="module")
def truth(synthetic: Path) -> dict:
    return json.loads((synthetic / "SYNTHETIC.json").read_text())


def raw(synthetic: Path, table: str, **options: object) -> pd.DataFrame:
    return pd.read_csv(synthetic / f"{table}.csv.gz", **options)


def test_every_stay_and_row_of_the_raw_files_arrives(built: Bench, truth: dict) -> None:
    rows = {
        "stg_mimiciv__icustays": truth["rows"]["mimic-iv/icu/icustays.csv.gz"],
        "stg_mimiciv__chartevents semi join seeds.vital_signs using (itemid)": truth["planted"][
            "vital_rows"
        ],
        "stg_mimiciv__radiology": truth["rows"]["mimic-iv-note/note/radiology.csv.gz"],
        "stg_mimic_cxr__metadata": truth["rows"]["mimic-cxr/mimic-cxr-2.0.0-metadata.csv.gz"],
        "stg_mimiciv_ecg__record_list": truth["planted"]["ecgs"],
        "stg_mimiciv_ecg__machine_measurements": truth["rows"][
            "mimic-iv-ecg/machine_measurements.csv.gz"
        ],
    }
    for table, expected in rows.items():
        assert built.one(f"select count(*) from staging.{table}") == expected


def test_dirty_rows_are_counted_as_planted(built: Bench, synthetic: Path, truth: dict) -> None:
    planted = truth["planted"]
    found = {
        (table, finding): rows
        for table, finding, rows in built.sql(
            "select split_part(source, ':', 1), finding, sum(rows_found) from marts.data_quality"
            " group by all"
        )
    }
    vitals = raw(synthetic, "mimic-iv/icu/chartevents")
    vitals = vitals[
        vitals.itemid.isin(pd.read_csv(PROJECT / "seeds/concepts/vital_signs.csv").itemid)
    ]
    expected = {
        ("chartevents", "no number"): planted["null_valuenum_rows"],
        ("chartevents", "same stay, time and item again"): planted["duplicate_rows"],
        ("chartevents", "stored before it was charted"): (
            vitals.storetime < vitals.charttime
        ).sum(),
        ("radiology", "hadm_id is null: matched by time"): planted["null_hadm_reports"],
        ("metadata", "no view position"): planted["empty_view_positions"],
        ("labevents", "no hadm_id: matched by patient and time alone"): planted[
            "lab_null_hadm_rows"
        ],
        ("labevents", "same patient, time and test again"): planted["lab_duplicate_rows"],
        ("labevents", "stored before it was drawn"): planted["lab_stored_before_drawn_rows"],
        ("labevents", "never stored: counts as available when drawn"): planted[
            "lab_null_storetime_rows"
        ],
        ("prescriptions", "stoptime before starttime: counts from its start"): planted[
            "prescriptions_that_stop_before_they_start"
        ],
        ("record_list", "no row in machine_measurements"): planted["ecgs_without_measurements"],
        ("record_list", "a time outside the years that MIMIC shifts to"): planted[
            "ecgs_outside_shifted_years"
        ],
        (
            "record_list",
            "counted per stay: within the clock margin of the start of the window, perhaps taken"
            " before it",
        ): planted["ecgs_dated_in_first_hour"],
        (
            "record_list",
            "counted per stay: within the clock margin of the end of the window, left out",
        ): planted["ecgs_dated_from_hour_23_to_24"],
    }
    assert {place: found[place] for place in expected} == expected
    assert min(expected.values()) > 0


def test_planted_outliers_meet_the_fate_that_the_seed_gives_them(built: Bench, truth: dict) -> None:
    seed = pd.read_csv(PROJECT / "seeds/concepts/vital_signs.csv").set_index("itemid")
    expected: dict[str, int] = {"outlier, removed": 0, "pulled to the valid bound": 0}
    zeros = truth["planted"]["outliers"]["220210"]["0"]
    for itemid, values in truth["planted"]["outliers"].items():
        bounds = seed.loc[int(itemid)]
        for text, count in values.items():
            value = float(text)
            if value < bounds.outlier_low or value > bounds.outlier_high:
                expected["outlier, removed"] += count
            elif value < bounds.valid_low or value > bounds.valid_high:
                expected["pulled to the valid bound"] += count
    found = dict(
        built.sql("select fate, count(*) from intermediate.int_vitals_cleaned group by all")
    )
    assert {fate: found[fate] for fate in expected} == expected
    assert min(expected.values()) > len(seed)  # each item has some of each that it can have
    assert found["zero, no measurement"] == zeros > 0


def test_outliers_stand_beside_the_events_that_were_pulled_to_a_bound(built: Bench) -> None:
    """What is shown as pulled is an event, what is shown as removed is none."""
    found = built.sql(
        """
        select fate, outliers.value is null, events.stay_id is null, count(*) > 0
        from marts.vitals_outliers as outliers
        left join
            (select distinct stay_id, itemid, observed_at, value from marts.vitals_events) as events
            on outliers.stay_id = events.stay_id and outliers.itemid = events.itemid
            and outliers.observed_at = events.observed_at and outliers.value = events.value
        group by all order by 1
        """
    )
    assert found == [
        ("outlier, removed", True, True, True), ("pulled to the valid bound", False, False, True),
    ]  # fmt: skip


def test_a_score_with_a_tube_reaches_no_mart_and_the_tube_is_still_told(
    built: Bench, truth: dict
) -> None:
    found = built.sql(
        """
        select variable, value, fate, count(*) from intermediate.int_vitals_cleaned
        where is_intubated and fate != 'no number' group by all
        """
    )
    tubes = truth["planted"]["no_response_ett_rows"]
    assert found == [("gcs_verbal", None, "intubated, missing", tubes)]
    for mart in ("vitals_events", "vitals_hourly"):
        assert built.one(f"select count(*) from marts.{mart} where is_intubated") == 0
    # the stays that had nothing but tubes have no measured score, and the median
    silent = built.sql(
        """
        select stays.stay_id, count(distinct grid.value), bool_or(grid.measured)
        from (
            select stay_id from intermediate.int_vitals_cleaned
            where variable = 'gcs_verbal' and fate != 'no number'
            group by stay_id having bool_and(is_intubated)
        ) as stays inner join marts.vitals_hourly as grid using (stay_id)
        where grid.variable = 'gcs_verbal' group by all
        """
    )
    assert silent and {row[1:] for row in silent} == {(1, False)}


def test_a_second_arterial_line_is_pooled_into_the_first(built: Bench, truth: dict) -> None:
    found = built.sql(
        """
        select variable, count(*) from intermediate.int_vitals_cleaned
        where itemid in (225309, 225310, 225312) group by all
        """
    )
    assert {variable for variable, _ in found} == {"abp_systolic", "abp_diastolic", "abp_mean"}
    assert sum(rows for _, rows in found) == truth["planted"]["second_line_rows"]
    pooled = "select count(distinct itemid) from marts.vitals_events where variable = 'abp_mean'"
    assert built.one(pooled) == 2


def test_study_times_get_their_leading_zeros_back(built: Bench, synthetic: Path) -> None:
    metadata = raw(synthetic, "mimic-cxr/mimic-cxr-2.0.0-metadata")
    text = metadata.StudyTime.map(lambda time: f"{time:010.3f}")
    expected = pd.to_datetime(metadata.StudyDate.astype(str) + text, format="%Y%m%d%H%M%S.%f")
    found = built.sql("select dicom_id, study_at from staging.stg_mimic_cxr__metadata")
    assert (metadata.StudyTime < 100000).any()  # a time whose first zero is lost
    assert dict(found) == dict(zip(metadata.dicom_id, expected, strict=True))


def test_images_have_the_paths_of_the_record_list_and_are_there(
    built: Bench, synthetic: Path
) -> None:
    listed = raw(synthetic, "mimic-cxr/cxr-record-list").set_index("dicom_id").path
    found = built.sql("select dicom_id, path from marts.chest_xrays")
    assert len(found) > 20
    for dicom_id, path in found:
        assert path == listed[dicom_id].replace(".dcm", ".jpg")
        assert (synthetic / "mimic-cxr" / path).exists()


def test_cohort_and_labels_agree_with_pandas(built: Bench, synthetic: Path) -> None:
    times = ["intime", "outtime"]
    stays = raw(synthetic, "mimic-iv/icu/icustays", parse_dates=times)
    admissions = raw(
        synthetic, "mimic-iv/hosp/admissions", parse_dates=["admittime", "deathtime"]
    ).drop(columns="subject_id")
    patients = raw(synthetic, "mimic-iv/hosp/patients")
    joined = stays.merge(admissions, on="hadm_id").merge(patients, on="subject_id")
    joined["age"] = joined.anchor_age + joined.admittime.dt.year - joined.anchor_year
    end = joined.intime + pd.Timedelta(hours=24)
    kept = joined[(joined.age >= 18) & (joined.outtime >= end) & ~(joined.deathtime <= end)]
    assert 0 < len(kept) < len(stays)

    found = built.sql(
        """
        select stay_id, age, max(label) filter (where task = 'in_hospital_mortality'),
            max(label) filter (where task = 'icu_stay_over_3_days')
        from marts.cohort join marts.labels using (stay_id) group by all
        """
    )
    long = (kept.outtime - kept.intime) > pd.Timedelta(days=3)
    expected = zip(kept.stay_id, kept.age, kept.hospital_expire_flag, long.astype(int), strict=True)
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("protocol", ["strict", "paper"])
def test_the_grid_agrees_with_pandas(
    protocol: str, synthetic: Path, request: pytest.FixtureRequest
) -> None:
    """The whole way from raw rows to the imputed grid, written a second time, stay by stay."""
    paper = protocol == "paper"
    built: Bench = request.getfixturevalue("papers" if paper else "built")
    seed = pd.read_csv(PROJECT / "seeds/concepts/vital_signs.csv")
    cohort = pd.DataFrame(
        built.sql("select stay_id, intime, outtime, split from marts.cohort order by stay_id"),
        columns=["stay_id", "intime", "outtime", "split"],
    )
    events = raw(
        synthetic, "mimic-iv/icu/chartevents", parse_dates=["charttime", "storetime"]
    ).merge(seed, on="itemid")
    events = events.merge(cohort, on="stay_id")
    celsius = events.conversion == "celsius_to_fahrenheit"
    value = events.valuenum.where(
        events.valuenum.between(events.outlier_low, events.outlier_high)
    ).clip(events.valid_low, events.valid_high)
    events["clean"] = value.where(~celsius, value * 9 / 5 + 32)
    hours = (events.charttime - events.intime) / pd.Timedelta(hours=1)
    if paper:
        events["hour"] = np.ceil(hours) - 1
        inside = (hours > 0) & (hours <= 24) & (events.charttime <= events.outtime)
        inside &= ~celsius & events.second_line.isna()
    else:
        available = events[["charttime", "storetime"]].max(axis=1)
        events["hour"] = np.floor(hours)
        inside = (hours >= 0) & ((available - events.intime) / pd.Timedelta(hours=1) < 24)
        inside &= (events.value != "No Response-ETT") & ~(
            (events.itemid == 220210) & (events.valuenum == 0)
        )
    events = events[events.clean.notna() & inside]
    means = events.groupby(["stay_id", "variable", "hour"]).clean.mean()

    train = set(cohort.stay_id[cohort.split == "train"])
    of_train = means[means.index.get_level_values("stay_id").isin(train)]
    medians = of_train.groupby("variable").median()
    grid = means.unstack("hour").reindex(columns=range(24))
    everything = pd.MultiIndex.from_product([cohort.stay_id, medians.index])
    filled = grid.reindex(everything).ffill(axis=1)
    if paper:
        filled = filled.bfill(axis=1)
        known = filled[filled.index.get_level_values(0).isin(train)]
        by_hour = known.groupby(level=1).median()
    for variable, median in medians.items():
        rows = filled.index.get_level_values(1) == variable
        filled.loc[rows] = filled.loc[rows].fillna(by_hour.loc[variable] if paper else median)

    found = pd.DataFrame(
        built.sql("select stay_id, variable, hour, value, measured from marts.vitals_hourly"),
        columns=["stay_id", "variable", "hour", "value", "measured"],
    ).pivot(index=["stay_id", "variable"], columns="hour", values=["value", "measured"])
    assert len(medians) == 13
    pd.testing.assert_frame_equal(
        found["value"].astype(float).sort_index(), filled.sort_index(),
        check_names=False, check_column_type=False, rtol=1e-12,
    )  # fmt: skip
    assert found["measured"].sum().sum() == len(means)


def test_reports_stored_after_the_window_are_out(built: Bench, truth: dict) -> None:
    late = built.sql(
        """
        select stays.stay_id, reports.note_id
        from intermediate.int_stays as stays
        join staging.stg_mimiciv__radiology as reports using (subject_id)
        where reports.charttime >= stays.intime
            and reports.charttime < stays.intime + interval 24 hour
            and reports.storetime >= stays.intime + interval 24 hour
        """
    )
    assert len(late) == truth["planted"]["reports_stored_late"] > 0
    in_mart = built.sql("select stay_id, note_id from marts.radiology_reports")
    assert in_mart and not set(in_mart) & set(late)


def test_discharge_summaries_are_nowhere(built: Bench) -> None:
    texts = built.sql(
        """
        select count(*) filter (where profile ilike '%discharge disposition%'), count(*)
        from marts.patient_profiles
        """
    )
    assert texts[0][0] == 0 < texts[0][1]


def test_one_folder_that_is_not_marked_synthetic_makes_the_whole_credentialed(
    bench: Bench, tmp_path: Path
) -> None:
    """Else a demo's CHARTHOUSE_CXR, left in the environment, would let real reports out."""
    notes = tmp_path / "data/mimic-iv-note/SYNTHETIC.txt"
    marker = notes.read_bytes()
    real = "select is_synthetic, data_kind from marts.cohort_definition"

    def is_refused(*arguments: str) -> bool:
        outcome = bench.build(*arguments, *UNTESTED)
        return outcome.code != 0 and "Build all (dbt build without --select)" in outcome.output

    notes.unlink()
    assert is_refused("--select", "path:models/staging")  # beside marts that are called synthetic
    outcome = bench.build(*MARTS, *UNTESTED)
    assert outcome.code == 0 and bench.sql(real) == [(False, "credentialed")]
    why = "note/radiology is neither listed by a SYNTHETIC.txt beside it nor open data"
    assert outcome.output.count("NOT SYNTHETIC") == 1 and why in outcome.output
    of_real = bench.one("select cohort_hash from marts.cohort_definition")
    notes.write_bytes(marker)
    assert is_refused("--select", "stg_mimiciv__radiology", "cohort_definition", "content_hashes")
    assert bench.build(*MARTS, *UNTESTED).code == 0
    assert bench.one("select cohort_hash from marts.cohort_definition") != of_real
    notes.unlink()
    before = bench.md5()
    assert bench.build("--vars", "{min_age: 150}").code != 0  # it fails once the files are read
    assert bench.md5() == before and bench.sql(real) == [(True, "synthetic")]


def test_what_results_stand_on_is_built_with_its_hash(bench: Bench, built: Bench) -> None:
    """Else vectors of a report as it was before a correction would still count as current."""
    note = bench.one("select min(note_id) from marts.radiology_reports")
    reports = Path(bench.raw["CHARTHOUSE_NOTE"]) / "note/radiology.csv.gz"
    rewrite(reports, lambda text: text.replace(f"{note},", f"{note}9,", 1))
    alone = bench.build(
        "--select", "stg_mimiciv__radiology", "int_radiology_reports", "radiology_reports"
    )
    assert alone.code != 0 and "Build content_hashes with it" in alone.output
    assert bench.marts() == built.marts()


def test_it_says_that_it_is_synthetic(built: Bench) -> None:
    assert built.one("select is_synthetic from marts.cohort_definition") is True


def test_descriptions_reach_the_database_as_comments(built: Bench) -> None:
    bare = built.sql(
        """
        select table_name, column_name from duckdb_columns()
        where schema_name = 'marts' and comment is null
        union all
        select table_name, null from duckdb_tables()
        where schema_name in ('marts', 'seeds', 'staging', 'intermediate') and comment is null
        """
    )
    assert bare == []


@pytest.fixture(scope="module")
def papers(built: Bench, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The same raw data under the paper's protocol."""
    folder = tmp_path_factory.mktemp("papers")
    shutil.copy(built.warehouse, folder)
    bench = Bench(built.raw, folder / built.warehouse.name, folder)
    outcome = bench.build(*MARTS, "--vars", "{protocol: paper}")
    assert outcome.code == 0, outcome.output
    return bench


def test_the_papers_protocol_differs_by_its_named_settings_only(papers: Bench) -> None:
    variables = json.loads(str(papers.one("select variables from marts.cohort_definition")))
    expected = {
        "landmark": False,
        "availability": "observed",
        "window_closed": "right",
        "celsius": "drop",
        "zero_respiratory_rate": "keep",
        "second_arterial_line": "drop",
        "intubated_verbal": "keep",
        "imputation": "forward_backward",
        "median_fill": "variable_and_hour",
        "report_match": "admission",
        "split_unit": "stay",
    }
    assert {name: variables[name] for name in expected} == expected
    assert papers.one("select count(*) from marts.cohort") == 300
    assert papers.one(
        """
        select count(*) from (
            select subject_id from marts.cohort group by all having count(distinct split) > 1
        )
        """
    )


@pytest.mark.parametrize("mart", ["vitals_events", "chest_xrays", "radiology_reports"])
def test_the_papers_rows_end_with_the_stay(papers: Bench, mart: str) -> None:
    """Where it ends within the window, by death or not."""
    after = f"select count(*) from marts.{mart} inner join marts.cohort using (stay_id)"
    assert papers.one(f"{after} where outtime < window_end") != 0
    assert papers.one(f"{after} where observed_at > outtime or observed_at > window_end") == 0
    assert papers.one(f"{after} where observed_at <= window_start") == 0


def test_the_papers_reports_name_their_admission(papers: Bench, built: Bench, truth: dict) -> None:
    found = dict(papers.sql("select finding, rows_found from marts.data_quality"))
    assert found["hadm_id is null: not matched"] == truth["planted"]["null_hadm_reports"] > 0
    unnamed = (
        "select count(*) from marts.radiology_reports"
        " inner join staging.stg_mimiciv__radiology as raw using (note_id)"
        " where raw.hadm_id is null"
    )
    assert papers.one(unnamed) == 0 != built.one(unnamed)


def test_the_split_of_a_patient_does_not_change_with_the_cohort(bench: Bench, built: Bench) -> None:
    assert bench.build(*MARTS, *UNTESTED, "--vars", "{min_age: 60, window_end_hours: 12}").code == 0
    before = dict(built.sql("select subject_id, split from marts.cohort"))
    after = dict(bench.sql("select subject_id, split from marts.cohort"))
    both = before.keys() & after.keys()
    assert len(both) > 30
    assert {key: before[key] for key in both} == {key: after[key] for key in both}
    assert bench.one("select cohort_hash from marts.cohort_definition") != built.one(
        "select cohort_hash from marts.cohort_definition"
    )


def test_neither_row_order_nor_threads_nor_file_form_change_a_mart(
    built: Bench, synthetic: Path, tmp_path: Path
) -> None:
    """The same data in shuffled rows and columns, as csv and parquet, on one thread."""
    for source in sorted(synthetic.rglob("*.csv.gz")):
        target = tmp_path / "data" / source.relative_to(synthetic)
        target.parent.mkdir(parents=True, exist_ok=True)
        stem = target.with_name(target.name.removesuffix(".csv.gz"))
        parquet = stem.name in ("chartevents", "radiology", "icustays")
        with duckdb.connect() as database:
            table = f"read_csv('{source}', header = true, all_varchar = {not parquet})"
            names = [row[0] for row in database.execute(f"describe from {table}").fetchall()]
            columns = ", ".join(f'"{name}"' for name in reversed(names))
            form = "parquet" if parquet else "csv, header"
            ending = ".parquet" if parquet else ".csv"
            database.execute(
                f"copy (select {columns} from {table} order by hash(columns(*)))"
                f" to '{stem}{ending}' (format {form})"
            )
    shuffled = Bench(roots_of(tmp_path / "data"), tmp_path / "warehouse.duckdb", tmp_path)
    outcome = shuffled.build(*MARTS, *UNTESTED, CHARTHOUSE_THREADS="1")
    assert outcome.code == 0, outcome.output
    # other files than the marker lists are not synthetic, which the hash stands for too
    assert shuffled.marts() | {"hashes": ""} == built.marts() | {"hashes": ""}


def test_columns_that_no_model_needs_may_be_absent_and_others_added(
    bench: Bench, built: Bench
) -> None:
    """As between releases 2.2, 3.0 and 3.1."""
    icu = Path(bench.raw["CHARTHOUSE_MIMICIV"])
    for table, drop in [
        ("hosp/admissions", ["admit_provider_id", "edouttime", "discharge_location"]),
        ("icu/chartevents", ["caregiver_id", "warning", "valueuom", "hadm_id"]),
        ("icu/icustays", ["los", "last_careunit"]),
    ]:
        # "None" is an oxygen device, too
        frame = pd.read_csv(icu / f"{table}.csv.gz", dtype=str, keep_default_na=False)
        frame = frame.drop(columns=drop)
        frame.insert(0, "a_new_column", "x")
        frame.rename(columns=str.upper).to_csv(icu / f"{table}.csv.gz", index=False)
    outcome = bench.build(*MARTS)
    assert outcome.code == 0, outcome.output
    # other files than the marker lists are not synthetic, which the hash stands for too
    assert bench.marts() | {"hashes": ""} == built.marts() | {"hashes": ""}


def test_notes_and_images_may_be_absent(bench: Bench) -> None:
    del bench.raw["CHARTHOUSE_NOTE"], bench.raw["CHARTHOUSE_CXR"]
    outcome = bench.build(*MARTS, *UNTESTED)
    assert outcome.code == 0, outcome.output
    assert bench.sql("select max(has_image), max(has_text), max(has_vitals) from marts.cohort") == [
        (False, False, True)
    ]


def test_a_task_without_a_file_that_it_needs_asks_about_nobody(bench: Bench) -> None:
    for file in ("icu/procedureevents", "hosp/prescriptions"):
        path = Path(bench.raw["CHARTHOUSE_MIMICIV"]) / f"{file}.csv.gz"
        path.unlink(missing_ok=True)
    outcome = bench.build(*MARTS, *UNTESTED)
    assert outcome.code == 0, outcome.output
    reasons = dict(
        bench.sql(
            "select task, excluded_because from marts.task_attrition"
            " where task in ('invasive_ventilation', 'sepsis3', 'sepsis3_onset')"
        )
    )
    assert reasons["invasive_ventilation"] == "no icu/procedureevents"
    for task in ("sepsis3", "sepsis3_onset"):
        assert reasons[task].startswith("no hosp/")
        assert "hosp/prescriptions" in reasons[task] and "icu/procedureevents" in reasons[task]
    assert bench.sql(
        "select count(*) from marts.labels"
        " where task in ('invasive_ventilation', 'sepsis3', 'sepsis3_onset')"
    ) == [(0,)]
    assert bench.one("select count(distinct task) from marts.labels") == 4


def test_what_is_not_read_is_empty_and_its_tasks_say_so(bench: Bench) -> None:
    left_out = [
        "labevents",
        "d_labitems",
        "inputevents",
        "diagnoses_icd",
        "d_icd_diagnoses",
        "procedureevents",
        "outputevents",
        "prescriptions",
        "microbiologyevents",
    ]
    settings = json.dumps({"not_read": left_out})
    outcome = bench.build("--vars", settings, CHARTHOUSE_ECG="")  # data tests included
    assert outcome.code == 0, outcome.output
    for table in ("labs_events", "labs_hourly", "medications_events", "medications_hourly",
                  "diagnoses", "diagnosis_titles", "ecgs"):  # fmt: skip
        assert bench.one(f"select count(*) from marts.{table}") == 0, table
    reasons = dict(bench.sql(
        "select task, any_value(excluded_because) from marts.task_outcomes"
        " group by task having count(label) = 0"
    ))  # fmt: skip
    assert set(reasons) == {"invasive_ventilation", "sepsis3", "sepsis3_onset"}
    assert reasons["invasive_ventilation"] == "no icu/procedureevents"
    assert "none included            invasive_ventilation: no icu/procedureevents" in outcome.output
    for encoder in ("summary__labs", "fixed_interval__labs", "summary__medications", "charlson"):
        done = bench.charthouse("embed", "--encoder", encoder)
        assert "Traceback" not in done.stderr and "0 encoded" in done.stdout + done.stderr, encoder
    assert bench.charthouse("embed", "--encoder", "fixed_interval").returncode == 0


def test_another_window_reads_no_raw_chartevents(bench: Bench) -> None:
    """Nor are files that were copied: the warehouse of the bench was built from other folders."""
    rows = bench.one("select count(*) from staging.stg_mimiciv__chartevents")
    chartevents = Path(bench.raw["CHARTHOUSE_MIMICIV"]) / "icu/chartevents.csv.gz"
    for settings in ("{window_end_hours: 48, min_age: 30}", "{protocol: paper}"):
        outcome = bench.build(*MARTS, *UNTESTED, "--vars", settings)
        assert outcome.code == 0, outcome.output
        assert f"unchanged, not read again: {chartevents}" in outcome.output
    assert bench.one("select count(*) from staging.stg_mimiciv__chartevents") == rows

    # rubbish of the same size and time
    before = chartevents.stat()
    chartevents.write_bytes(b"rubbish".ljust(before.st_size, b"!"))
    os.utime(chartevents, ns=(before.st_atime_ns, before.st_mtime_ns))
    outcome = bench.build(*MARTS, *UNTESTED)
    assert outcome.code != 0
    assert str(chartevents) in outcome.output


def test_seeds_may_be_edited(bench: Bench, project: Path) -> None:
    """As docs/reference/settings.md says, with every test of the build: the unit tests too."""
    bench.project = project
    seeds = project / "seeds/concepts"

    def edit(seed: str, before: str, after: str) -> None:
        text = (seeds / seed).read_text()
        assert before in text
        (seeds / seed).write_text(text.replace(before, after))

    edit("vital_signs.csv", "bpm,,0,0,350,390", "bpm,,0,0,300,390")
    # pooled with the first
    second = "220046,abp_systolic,Heart rate Alarm - High,mmHg,,0,0,375,375,118,,,,mine\n"
    (seeds / "vital_signs.csv").write_text((seeds / "vital_signs.csv").read_text() + second)
    lines = (seeds / "vital_signs.csv").read_text().splitlines(keepends=True)
    lines = [line for line in lines if ",gcs_eye," not in line and ",nbp_mean," not in line]
    (seeds / "vital_signs.csv").write_text("".join(lines))
    edit("tabular_variables.csv", "6,insurance,categorical,insurance,hosp/admissions\n", "")
    edit("age_groups.csv", "<=65,,65\n65-85,65,85", "<=50,,50\n50-85,50,85")
    edit("race_groups.csv", "4,BLACK,BLACK\n", "")
    outcome = bench.build("unit_test", *MARTS)
    assert outcome.code == 0, outcome.output
    assert bench.one("select count(distinct variable) from marts.vitals_hourly") == 11
    assert (
        bench.one("select max(value) from marts.vitals_events where variable = 'heart_rate'") == 300
    )
    assert bench.one("select count(*) from marts.vitals_events where itemid = 220046") != 0
    assert "insurance" not in str(bench.one("select profile from marts.patient_profiles limit 1"))


def test_blank_demographics_are_unknown_and_odd_times_counted(bench: Bench, built: Bench) -> None:
    patients = Path(bench.raw["CHARTHOUSE_MIMICIV"]) / "hosp/patients.csv.gz"
    frame = pd.read_csv(patients, dtype=str)
    blank = built.sql("select subject_id from marts.cohort order by stay_id limit 2")
    frame.loc[frame.subject_id == str(blank[0][0]), "gender"] = None
    frame.loc[frame.subject_id == str(blank[1][0]), "anchor_age"] = None
    frame.to_csv(patients, index=False)
    metadata = Path(bench.raw["CHARTHOUSE_CXR"]) / "mimic-cxr-2.0.0-metadata.csv.gz"
    frame = pd.read_csv(metadata, dtype=str)
    frame.loc[0, "StudyTime"] = None
    (in_other_letters,) = frame.index[frame.ViewPosition == "AP"][:1]
    frame.loc[in_other_letters, "ViewPosition"] = " ap"
    frame.to_csv(metadata, index=False)
    reports = Path(bench.raw["CHARTHOUSE_NOTE"]) / "note/radiology.csv.gz"
    frame = pd.read_csv(reports, dtype=str)
    frame.loc[0, "text"] = "\n \n"
    frame.loc[1, "charttime"] = "1990-01-01 00:00:00"
    frame.to_csv(reports, index=False)
    stays = Path(bench.raw["CHARTHOUSE_MIMICIV"]) / "icu/icustays.csv.gz"
    frame = pd.read_csv(stays, dtype=str)
    frame.loc[0, "los"] = str(float(frame.loc[0, "los"]) + 0.5)
    frame.to_csv(stays, index=False)
    events = Path(bench.raw["CHARTHOUSE_MIMICIV"]) / "icu/chartevents.csv.gz"
    frame = pd.read_csv(events, dtype=str)
    (beats,) = frame.index[(frame.itemid == "220045") & (frame.valuenum == "80")][:1]
    frame.loc[beats, "valuenum"] = "inf"
    frame.to_csv(events, index=False)
    ended = built.sql(
        "select hadm_id, stay_id, deathtime is not null from marts.cohort"
        " inner join staging.stg_mimiciv__admissions as admissions using (hadm_id)"
        " where hadm_id in"
        " (select hadm_id from intermediate.int_stays group by all having count(*) = 1)"
        " order by stay_id"
    )
    died, lived = ([row for row in ended if row[2] is is_dead] for is_dead in (True, False))
    admissions = Path(bench.raw["CHARTHOUSE_MIMICIV"]) / "hosp/admissions.csv.gz"
    frame = pd.read_csv(admissions, dtype=str).set_index("hadm_id", drop=False)
    frame.loc[str(died[0][0]), ["deathtime", "dischtime"]] = None
    frame.loc[str(died[1][0]), "deathtime"] = None
    frame.loc[str(died[2][0]), "hospital_expire_flag"] = "0"
    frame.loc[str(died[3][0]), "deathtime"] = "2001-01-01 00:00:00"
    frame.loc[str(lived[0][0]), "dischtime"] = "2001-01-01 00:00:00"
    frame.loc[str(lived[1][0]), "admittime"] = frame.loc[str(lived[1][0]), "dischtime"]
    frame.to_csv(admissions, index=False)
    outcome = bench.build(*MARTS)
    assert outcome.code == 0, outcome.output
    assert (
        bench.one(f"select gender from marts.cohort where subject_id = {blank[0][0]}") == "UNKNOWN"
    )
    assert bench.one("select stays_dropped from marts.cohort_attrition where step = 1")
    found = bench.sql("select finding, rows_found from marts.data_quality where rows_found = 1")
    assert {finding for finding, _ in found} >= {
        "no study time, dropped",
        "empty text, dropped",
        "gender is blank: UNKNOWN",
        "no anchor age or year: no age, stays dropped",
        "deathtime, but hospital_expire_flag is 0: label negative",
        "hospital_expire_flag is 1 without deathtime: dischtime counts as the death",
        "hospital_expire_flag is 1 without deathtime or dischtime: not alive at the landmark",
        "dischtime before admittime",
        "intime before admittime",
        "intime after the death",
        "los is not outtime - intime: the times count",
        "view position in small letters or with blanks: read as without",
        "infinite, removed",
    }
    assert ("a time outside the years that MIMIC shifts to", 1) in found  # the report's
    assert not bench.one("select count(*) from marts.vitals_events where isinf(value)")
    assert bench.sql(
        f"select dropped_for_not from intermediate.int_stays_screened where stay_id = {died[0][1]}"
    ) == [("alive at hour 24",)]


def test_ecgs_reach_the_mart_up_to_a_margin_before_the_end_of_the_window(
    built: Bench, synthetic: Path, truth: dict
) -> None:
    """Counted from the raw list, which knows nothing of models."""
    planted = truth["planted"]
    assert (
        built.one("select count(*) from intermediate.int_ecgs")
        == (planted["ecgs_dated_within_stays"])
    )
    by_hour_23 = built.one(
        "select count(*) from intermediate.int_ecgs join intermediate.int_stays using (stay_id)"
        " where hours >= 0 and available_at < least(intime + interval 24 hour, outtime)"
    )
    assert by_hour_23 == planted["ecgs_dated_by_hour_23"] > 100
    records = raw(synthetic, "mimic-iv-ecg/record_list", parse_dates=["ecg_time"])
    stays = built.sql("select stay_id, subject_id, intime, outtime from marts.cohort")
    cohort = pd.DataFrame(stays, columns=["stay_id", "subject_id", "intime", "outtime"])
    both = cohort.merge(records, on="subject_id")
    end = np.minimum(both.intime + pd.Timedelta(hours=24), both.outtime)
    both = both[(both.ecg_time >= both.intime) & (both.ecg_time + pd.Timedelta(hours=1) < end)]
    found = built.sql("select stay_id, study_id, observed_at, path from marts.ecgs")
    expected = both[["stay_id", "study_id", "ecg_time", "path"]]
    assert sorted(found) == sorted(expected.itertuples(index=False, name=None))
    files = [synthetic / "mimic-iv-ecg" / f"{path}.dat" for _, _, _, path in found]
    assert 20 < sum(file.exists() for file in files) <= planted["ecg_waveforms"]


def test_what_a_cart_could_not_have_measured_is_missing(built: Bench, synthetic: Path) -> None:
    measured = raw(synthetic, "mimic-iv-ecg/machine_measurements").set_index("study_id")
    rows = built.sql(
        "select study_id, heart_rate, pr_interval, qrs_duration, qt_interval, t_axis"
        " from intermediate.int_ecgs"
    )
    names = ["study_id", "heart_rate", "pr_interval", "qrs_duration", "qt_interval", "t_axis"]
    ecgs = pd.DataFrame(rows, columns=names).set_index("study_id").astype(float)
    raw_rows = measured.reindex(ecgs.index)
    whole = raw_rows.rr_interval.between(1, 29998)
    assert (ecgs.heart_rate[whole] == 60000 / raw_rows.rr_interval[whole]).all()
    assert ecgs.heart_rate[~whole].isna().all() and (~whole).sum() > 5
    p_first = raw_rows.p_onset < raw_rows.qrs_onset
    assert ecgs.pr_interval[p_first & (raw_rows.p_onset < 29999)].notna().all()
    assert ecgs.pr_interval[~p_first].isna().all() and (~p_first).sum() > 50
    axis = raw_rows.t_axis.between(-360, 360)
    assert ecgs.t_axis[axis].notna().all() and ecgs.t_axis[~axis].isna().all()
    assert (~axis).sum() > 5 < ecgs.qt_interval.isna().sum()
