"""What the dbt project promises about itself, read off its manifest and its own files."""

import json
import re
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest
import yaml

from bench import PROJECT
from charthouse.core.errors import CharthouseError
from charthouse.core.registry import class_named, seed_rows
from charthouse.models import encoders
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
    assert len(raw) == 7
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
    files = [*PROJECT.glob("models/**/*.yml"), *PROJECT.glob("seeds/*.yml")]
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
    page = (PROJECT / "docs/configuration.md").read_text()
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
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds/arms.csv").write_bytes("\ufeffarm,note\r\nä,b\r\n".encode())
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
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds/arms.csv").write_bytes(content)
    with pytest.raises(CharthouseError, match=said):
        list(seed_rows(tmp_path, "arms"))


def test_a_seed_that_is_not_there_says_how_to_get_it_back(tmp_path: Path) -> None:
    with pytest.raises(CharthouseError, match=r"git checkout seeds/arms\.csv"):
        list(seed_rows(tmp_path, "arms"))


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (None, r"Add python/charthouse/models/encoders/my_own\.py\.$"),
        ("import no_such_package", r"It needs no_such_package: pip install 'charthouse\[models\]'"),
        ("import json.no_such", r"It needs json\.no_such: pip install "),
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
    with pytest.raises(CharthouseError, match=said) as caught:
        class_named("encoders", "encoder", "my_own")
    assert "\n" not in str(caught.value)
    sys.modules.pop("charthouse.models.encoders.my_own", None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("4096", "4k"), "wrong context_tokens"),
        (("llava_1_5_7b,", "LLaVA-1.5,"), "wrong learner"),
        ((",unknown,", ",perhaps,"), r"wrong saw_mimic \(yes, no, unknown\)\. docs/add-a-learner"),
        (("usd_per_million_input", "usd"), "must have the columns learner, "),
    ],
)
def test_a_learner_that_is_described_wrongly_is_one_line(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    (tmp_path / "seeds").mkdir()
    text = (PROJECT / "seeds/learners.csv").read_text()
    assert change[0] in text
    (tmp_path / "seeds/learners.csv").write_text(text.replace(*change, 1))
    with pytest.raises(CharthouseError, match=said) as caught:
        learner_specs(tmp_path)
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
        if path.exists() and path.suffix in (".py", ".md", ".sql", ".yml", ".toml", ".lock", ""):
            assert not machine.search(path.read_text()), name
