"""What the dbt project promises about itself, read off its manifest and its own files."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest
import yaml

from bench import PROJECT
from charthouse.core.errors import CharthouseError
from charthouse.core.modalities import modalities
from charthouse.core.project import published_row_counts
from charthouse.core.registry import class_named, seed_path, seed_rows
from charthouse.jobs.predict.arms import default_arms, parse_arm
from charthouse.models import encoders
from charthouse.models.encoders.registry import encoder_specs
from charthouse.models.fusions.registry import fusion_names
from charthouse.models.learners.registry import learner_specs


def models(manifest: dict) -> list[dict]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]


def test_every_model_says_its_grain(manifest: dict) -> None:
    for model in models(manifest):
        assert "Grain" in model["description"], model["name"]
        assert "-- Grain: one row" in model["raw_code"], model["name"]


def test_every_mart_has_a_contract_that_describes_each_column(manifest: dict) -> None:
    for model in models(manifest):
        if model["fqn"][1] == "marts":
            assert model["config"]["contract"]["enforced"]
            assert all(column["description"] for column in model["columns"].values())


def test_every_source_its_tables_and_columns_are_described(manifest: dict) -> None:
    """Of raw files, whose columns are declared where the models that read them stand."""
    raw = [node for node in manifest["sources"].values() if node["database"] == "raw_files"]
    assert len(raw) == 18
    for table in raw:
        assert table["source_description"] and table["description"], table["unique_id"]
        assert table["columns"] and all(
            len(column["description"]) > 10 and column["data_type"]
            for column in table["columns"].values()
        ), table["unique_id"]
        folder = f"models/staging/{table['source_name']}"
        assert table["original_file_path"] == f"{folder}/_sources.yml"
        readers = [
            model for model in models(manifest)
            if table["unique_id"] in model["depends_on"]["nodes"]
        ]  # fmt: skip
        assert {Path(reader["original_file_path"]).parent.as_posix() for reader in readers} == {
            folder
        }


def test_no_description_is_cut_at_a_comma() -> None:
    """In {name: x, description: This, that} YAML takes `that` for a key, and dbt says nothing."""
    known = {"name", "description", "data_type", "constraints", "data_tests", "config"}
    files = [*PROJECT.glob("models/**/*.yml"), *PROJECT.glob("seeds/*/*.yml")]
    entries = 0
    for file in files:
        page = yaml.safe_load(file.read_text())
        tables = [table for source in page.get("sources", []) for table in source["tables"]]
        for table in [*tables, *page.get("models", []), *page.get("seeds", [])]:
            for column in table.get("columns", []):
                entries += 1
                assert column.keys() <= known, (file.name, table["name"], column)
    assert entries > 500


def test_the_contract_of_names_holds(manifest: dict) -> None:
    """Others rely on these: columns may be added, not renamed."""
    promised = {
        "cohort": "stay_id subject_id hadm_id intime outtime window_start window_end age age_group"
        " gender race race_group marital_status language insurance first_careunit los_days"
        " has_vitals has_image has_text split",
        "cohort_attrition": "step criterion stays patients stays_dropped patients_dropped",
        "cohort_definition": "cohort_hash protocol variables built_at",
        "labels": "stay_id task label",
        "vitals_events": "stay_id variable observed_at available_at hours value",
        "vitals_hourly": "stay_id hour variable value measured",
        "chest_xrays": "stay_id study_id dicom_id observed_at available_at hours view_position"
        " path",
        "radiology_reports": "stay_id note_id observed_at available_at hours text",
        "patient_profiles": "stay_id profile latest_dicom_id",
    }
    columns = {model["name"]: set(model["columns"]) for model in models(manifest)}
    for mart, names in promised.items():
        assert set(names.split()) <= columns[mart]


def test_every_setting_is_documented_with_its_defaults_under_both_protocols() -> None:
    settings = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"]["settings"]
    page = (PROJECT / "docs/reference/settings.md").read_text()
    rows = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("| `")]
    documented = {
        row[0].strip(" `"): (row[1].strip(), row[2].strip()) for row in rows if len(row) == 4
    }
    written = {
        name: tuple(
            re.sub(r'"', "", json.dumps(values[protocol])) for protocol in ("strict", "paper")
        )
        for name, values in settings.items()
    }
    assert documented == written


@pytest.mark.parametrize("given", [None, ""])
def test_a_variable_that_is_empty_is_one_that_is_not_set(given: str | None) -> None:
    """As our own code takes it (charthouse.core.warehouse)."""

    def env_var(name: str, default: str) -> str:
        return default if given is None else given

    profile = yaml.safe_load((PROJECT / "profiles/profiles.yml").read_text())
    output = profile["charthouse"]["outputs"]["local"]
    rendered = [
        jinja2.Template(text).render(env_var=env_var)
        for text in (output["path"], output["settings"]["memory_limit"])
    ]
    assert rendered == ["warehouse.duckdb", "1500MB"]


def test_a_seed_may_be_saved_by_excel_as_utf8(tmp_path: Path) -> None:
    (tmp_path / "seeds/registries").mkdir(parents=True)
    (tmp_path / "seeds/registries/arms.csv").write_bytes("\ufeffarm,note\r\nä,b\r\n".encode())
    assert list(seed_rows(tmp_path, "arms")) == [(2, {"arm": "ä", "note": "b"})]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("arm,note\na,b\nä,b\n".encode("latin-1"),
         r"arms\.csv, line 3: a letter that is not UTF-8. Save the file as CSV UTF-8\.$"),
        (b"arm,note\na,b,c\n", r"arms\.csv, line 2: wrong number of columns"),
        (b'arm,note\na,"' + b"b\n" * 100_000, r"arms\.csv is no CSV \(field larger"),
    ],
)  # fmt: skip
def test_a_seed_that_cannot_be_read_is_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "seeds/registries").mkdir(parents=True)
    (tmp_path / "seeds/registries/arms.csv").write_bytes(content)
    with pytest.raises(CharthouseError, match=said):
        list(seed_rows(tmp_path, "arms"))


def test_a_seed_that_is_not_there_says_how_to_get_it_back(tmp_path: Path) -> None:
    with pytest.raises(
        CharthouseError,
        match=r"arms\.csv is missing: take it from a new project \(charthouse init FOLDER\)",
    ):
        list(seed_rows(tmp_path, "arms"))


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (None, r"Add python/charthouse/models/encoders/my_own\.py\.$"),
        ("import no_such_package", r"It needs no_such_package: pip install 'charthouse\[models\]'"),
        ("import json.no_such", r"It needs json\.no_such: pip install "),
        (
            "raise ModuleNotFoundError(name='wfdb')",
            r"It needs wfdb: pip install 'charthouse\[ecg\]', or make \.venv/installed\.$",
        ),
        ("raise OSError('libcudart.so: cannot open')", r"\(OSError libcudart\.so: cannot open\)"),
        ("class Myown: pass", r"my_own\.py has no class MyOwn\. Name it so\.$"),
    ],
)
def test_a_row_without_a_class_that_can_be_imported_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str | None, said: str
) -> None:
    if module is not None:
        (tmp_path / "my_own.py").write_text(module)
    monkeypatch.setattr(encoders, "__path__", [*encoders.__path__, str(tmp_path)])
    said = said.replace("LAST", str(len(modalities(PROJECT)) + 1))
    with pytest.raises(CharthouseError, match=said) as caught:
        class_named("encoders", "encoder", "my_own")
    assert "\n" not in str(caught.value)
    sys.modules.pop("charthouse.models.encoders.my_own", None)


SPECS = encoder_specs(PROJECT)


def test_every_encoder_of_texts_reads_the_whole_profile() -> None:
    of_texts = {spec.name for spec in SPECS.values() if spec.kind == "text"}
    assert {"radbert", "text_embedding_3_large", "tfidf_svd"} <= of_texts
    for name in of_texts:
        arm = parse_arm(f"profile[{name}]", SPECS)
        assert (arm.name, arm.encoders) == (f"profile[{name}]", (f"{name}__profile",))
        assert SPECS[f"{name}__profile"].part == ("modality", "profile")


WORDS_OF_A_CODE_BOOK = {"diagnosis_titles"}
"""Modalities of texts that nobody wrote about a patient."""


def test_texts_of_patients_are_marked_so_that_no_published_copy_has_them(manifest: dict) -> None:
    named = {model["name"]: model for model in models(manifest)}
    unmarked = {
        each.name
        for each in modalities(PROJECT)
        if each.kind == "text"
        and not named[each.rows]["columns"]["text"]["config"]["meta"].get("free_text")
    }
    assert unmarked == WORDS_OF_A_CODE_BOOK


READS = {
    "learners": learner_specs,
    "encoders": encoder_specs,
    "fusions": fusion_names,
    "arms": lambda project: default_arms(project, SPECS),
    "known_row_counts": published_row_counts,
}
"""Seeds that Python reads, and what reads them."""


def clone_with(tmp_path: Path, seed: str, change: tuple[str, str]) -> Path:
    """Of a project what registries read, with one seed changed in one place."""
    shutil.copytree(PROJECT / "seeds", tmp_path / "seeds")
    shutil.copy(PROJECT / "dbt_project.yml", tmp_path)
    path = seed_path(tmp_path, seed)
    text = path.read_text()
    assert change[0] in text
    path.write_text(text.replace(*change, 1))
    return tmp_path


@pytest.mark.parametrize(
    ("seed", "change", "said"),
    [
        ("learners", ("4096", "4k"), "wrong context_tokens"),
        ("learners", ("4096", "4_096"), "wrong context_tokens"),
        ("learners", ("128000", "128000.0"), "line 2: wrong context_tokens"),
        ("learners", ("llava_1_5_7b,", "LLaVA-1.5,"), "line 3: wrong learner"),
        ("learners", (",unknown,", ",perhaps,"),
         r"wrong saw_mimic \(yes, no, unknown\)\. docs/how-to/add-a-learner\.md shows a row\."),
        ("learners", ("usd_per_million_input", "usd"), "must have the columns learner, "),
        ("learners", (",0.15,0.60,", ",0.15,,"), "wrong usd_per_million_output"),
        ("learners", (",0.15,0.60,", ",,0.60,"), "wrong usd_per_million_output"),
        ("learners", (",0.15,0.60,", ",.15,6e1,"),
         "wrong usd_per_million_input and usd_per_million_output"),
        ("learners", (",0.15,", ",\u0660.15,"), "wrong usd_per_million_input"),
        ("learners", (",4096,", ",0,"), "wrong context_tokens"),
        ("encoders", (",time_series,", ",time series,"),
         r"wrong kind \(tabular, time_series, codes, image, text, waveform\)"),
        ("encoders", (",1024,", ",1.024e3,"), "line 4: wrong dimension"),
        ("encoders", ("gru,", "fixed_interval,"),
         r"encoders\.csv, line 4: fixed_interval stands in line 3 too\. Keep one of them\.$"),
        ("encoders", ("citation", "cite"), "must have the columns encoder, technique, kind, "),
        ("encoders", (",citation", ",citation,citation"), "must have the columns encoder, "),
        ("fusions", ("late,", "Late,"), r"line 4: wrong fusion\. Correct it, or take it"),
        ("fusions", ("fusion,", "name,"), "must have the columns fusion, description, source"),
        ("arms", (",paper,", ",papers,"),
         r"line 2: wrong purpose \(paper, honest, classical, added\)"),
        ("arms", ("structured[gru]", "structured[gro]"),
         r"line 3: 'structured\[gro\]': 'gro' is no encoder for structured\. Did you mean 'gru'"),
        ("arms", ("[gru]", "[fixed_interval]"), "line 3: .* stands in line 2 too"),
        ("known_row_counts", ("hosp/patients,100", "hosp/patients,1e2"), "line 3: wrong rows"),
        ("known_row_counts", ("hosp/patients,", "hosp/admissions,"),
         "line 3: demo-2.2 hosp/admissions stands in line 2 too"),
    ],
)  # fmt: skip
def test_a_row_of_a_seed_that_is_wrong_is_one_line(
    tmp_path: Path, seed: str, change: tuple[str, str], said: str
) -> None:
    project = clone_with(tmp_path, seed, change)
    said = said.replace("LAST", str(len(modalities(PROJECT)) + 1))
    with pytest.raises(CharthouseError, match=said) as caught:
        READS[seed](project)
    assert "\n" not in str(caught.value) and str(seed_path(project, seed)) in str(caught.value)


@pytest.mark.parametrize("seed", READS)
def test_a_seed_without_a_word_in_it_lacks_its_columns(tmp_path: Path, seed: str) -> None:
    text = seed_path(PROJECT, seed).read_text()
    with pytest.raises(CharthouseError, match="must have the columns"):
        READS[seed](clone_with(tmp_path, seed, (text, "")))


@pytest.mark.parametrize("seed", READS)
def test_a_seed_as_excel_saves_it_is_the_same(tmp_path: Path, seed: str) -> None:
    text = seed_path(PROJECT, seed).read_text()
    project = clone_with(tmp_path, seed, (text, text))
    seed_path(project, seed).write_bytes(("\ufeff" + text.replace("\n", "\r\n")).encode())
    assert READS[seed](project) == READS[seed](PROJECT)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            "{kind: image, rows: chest_xrays}",
            r"row LAST: wrong name \(missing\)\. docs/how-to/add-a-modality",
        ),
        ("{name: CT, kind: image, rows: x}", "row LAST: wrong name"),
        ("{name: 5, kind: image, rows: x}", "row LAST: wrong name"),
        ("{name: ct, kind: picture, rows: x}", r"row LAST: wrong kind \(tabular, time_series, "),
        ("{name: ct, kind: image}", r"row LAST: wrong rows \(missing\)"),
        ("{name: ct, kind: image, rows: x, in_paper: 'no'}", "row LAST: wrong in_paper"),
        ("ct", "row LAST: wrong form"),
    ],
)
def test_a_row_of_the_modalities_that_is_wrong_is_one_line_of_python_too(
    tmp_path: Path, row: str, said: str
) -> None:
    text = (PROJECT / "dbt_project.yml").read_text()
    before = "\n  # What is predicted"
    assert before in text
    (tmp_path / "dbt_project.yml").write_text(text.replace(before, f"    - {row}\n{before}"))
    said = said.replace("LAST", str(len(modalities(PROJECT)) + 1))
    with pytest.raises(CharthouseError, match=said) as caught:
        modalities(tmp_path)
    assert "\n" not in str(caught.value) and "dbt_project.yml, vars" in str(caught.value)


def test_a_modality_needs_but_name_kind_and_rows(tmp_path: Path) -> None:
    row = {"name": "ecg", "kind": "waveform", "rows": "ecgs"}
    declared = {"vars": {"modality_kinds": ["waveform"], "modalities": [row]}}
    (tmp_path / "dbt_project.yml").write_text(yaml.safe_dump(declared))
    (found,) = modalities(tmp_path)
    assert (found.position, found.item, found.slot) == (1, "row of ecg", "ecg")
    assert found.grid is None and not found.in_paper


@pytest.mark.parametrize("text", ["vars: [", "- a", "", "name: charthouse", "vars: \u0000"])
def test_a_project_file_that_is_no_yaml_with_vars_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "dbt_project.yml").write_text(text)
    with pytest.raises(CharthouseError, match=r"dbt_project\.yml is no YAML with vars") as caught:
        modalities(tmp_path)
    assert "\n" not in str(caught.value)


def test_no_file_is_secret_data_or_names_a_machine() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, cwd=PROJECT
    ).stdout.split()
    if not tracked:
        pytest.skip("not a git checkout")
    assert not [name for name in tracked if name.endswith((".csv.gz", ".duckdb", ".jpg", ".env"))]
    machine = re.compile("/" + "work/|/" + "root/|pypi" + r"\.org")
    for name in tracked:
        path = Path(PROJECT / name)
        if path.is_file() and path.suffix in (".py", ".md", ".sql", ".yml", ".toml", ".lock", ""):
            assert not machine.search(path.read_text()), name


def test_no_description_says_credentialed_where_it_means_all_real_patients() -> None:
    """Open data are of real patients too: what holds for both is not said of one of them."""
    words = {path: path.read_text() for path in (PROJECT / "models").rglob("*.yml")}
    assert not [path for path, text in words.items() if "credentialed data" in text]
