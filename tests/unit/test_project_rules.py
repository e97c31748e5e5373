"""The rules of dbt-project-evaluator, as queries over dbt's manifest, with what to do about each.

That package needs dbt's hub, or dbt 2.0. Limits are its defaults. A rule gives what offends against
it; EXCEPTIONS says which of that may stay, and why. One that nothing needs any more fails too.
"""

import re
from fnmatch import fnmatchcase
from typing import Any

import duckdb
import pandas as pd
import pytest

from bench import PROJECT

LAYERS = {
    "staging": ("stg_", ("raw", "seed")),
    "intermediate": ("int_", ("staging", "intermediate", "seed")),
    "marts": ("", ("intermediate", "marts", "seed")),
    "results": ("", ()),
    "current": ("current_", ("marts", "results", "current")),
    "reports": ("report_", ("marts", "results", "current", "reports", "checks", "seed")),
    "checks": ("audit_", ("marts", "results", "current", "reports", "checks", "seed")),
}
"""Of each layer: how its models are named, and what they may read; raw files, staging alone."""

FANOUT = 3  # direct children that nobody reads, from which on a model has too many
PARENTS = 7  # tables joined in one model, from which on they are too many
CHAIN = 5  # views on views

RULES: dict[str, tuple[str, str]] = {
    "reads another layer than the one below": (
        """
        select child, parent from edges
        where not list_contains(may_read, parent_layer)
        """,
        "Read a model of the layer between them, or make one.",
    ),
    "is not named for its layer": (
        "select name from models where not starts_with(name, prefix)",
        "Rename it: stg_<source>__<table>, int_<entity>_<verb>, report_<what>.",
    ),
    "has two readers of one raw file": (
        """
        select parent from edges where parent_layer = 'raw' group by all having count(*) > 1
        """,
        "Let the second read the staging model of the first.",
    ),
    "joins raw files": (
        """
        select child from edges where parent_layer = 'raw' group by all having count(*) > 1
        """,
        "Stage each by itself, and join them in models/intermediate.",
    ),
    "is read by nobody": (
        """
        select name from nodes anti join edges on nodes.name = edges.parent
        where layer in ('raw', 'staging', 'intermediate')
        """,
        "Take it out, or read it.",
    ),
    "reads nothing": (
        "select name from models anti join edges on models.name = edges.child",
        "Name what it reads by ref() or source().",
    ),
    "names a table itself": (
        """
        select name from models
        where regexp_matches(code, '\\b(from|join)\\s+"?(' || schemas || ')"?\\s*\\.', 'i')
        """,
        "Use ref() or source(), so that dbt builds it first.",
    ),
    "has too many children that are ends": (
        f"""
        select parent from edges anti join edges as further on edges.child = further.parent
        where parent_layer in (select layer from models)
        group by all having count(*) >= {FANOUT}
        """,
        "Let the tool that draws them filter one model.",
    ),
    "reads too many tables": (
        f"select child from edges group by all having count(*) >= {PARENTS}",
        "Put some of the joins into a model of models/intermediate.",
    ),
    "stands on too many views": (
        f"""
        with recursive chains(name, length) as (
            select name, 1 from models where materialized = 'view'
            union
            select child, length + 1 from chains
            inner join edges on chains.name = edges.parent
            inner join models on edges.child = models.name and materialized = 'view'
        )

        select name from chains where length >= {CHAIN}
        """,
        "Make one of them a table.",
    ),
    "has no test of its key": (
        "select name from models where not has_key",
        "Test it: unique and not_null, unique_combination, or a primary key of its contract.",
    ),
    "is not described": (
        "select name from nodes where trim(description) = ''",
        "Describe it in the yml beside it.",
    ),
    "is looked at from outside": (
        """
        select exposure, parent from exposures inner join nodes on exposures.parent = nodes.name
        where layer not in ('marts', 'reports', 'seed')
        """,
        "Let what depends on it read a mart or a report.",
    ),
}

WRITTEN = sorted(
    path.stem for path in (PROJECT / "models/results").glob("*.sql") if path.stem != "encoded"
)
"""Tables that jobs write."""

EXCEPTIONS: dict[str, dict[str, str]] = {
    "reads another layer than the one below": {
        "audit_* <- int_stays": "judges the rules of the marts by what they were made of",
        "stg_* <- stg_mimiciv__icustays": "of a table of all patients, keeps those of the ICU",
    },
    "has too many children that are ends": {
        "cohort": "every mart is about its stays, in their windows",
        "cohort_definition": "what belongs to the present cohort is asked by every report",
        "current_answers": "the answers that stand are those of every report of learners",
        "current_evaluations": "the figures that stand are those of every report",
        "report_arms": "the arms that stand are those of every report of arms",
        "report_learners": "the learners that stand are those of every report of learners",
    },
    "reads nothing": {
        **{name: "written by jobs; its model is its contract" for name in WRITTEN},
        "encoded": "a union of tables that jobs make",
        "declared_columns": "what the project declares, of dbt's graph",
        "modalities": "the rows of vars.modalities",
    },
    "names a table itself": {"encoded": "a union of tables that jobs make"},
    "reads too many tables": {
        "audit_fill_not_of_train": "a union of the time series, no join",
        "audit_rows_past_cutoff": "a union of the modalities, no join",
        "int_stay_modalities": "a union of the modalities, no join",
        "task_outcomes": "a union of the tasks, no join",
        "audit_numbers": "a union of columns, of every modality",
        "content_hashes": "hashes of every mart that results are made of",
        "data_quality": "a union of the findings, no join",
        "report_audit": "a union of the checks, no join",
        "report_arms": "its run, its fits, its inputs and its figures, a table each",
        "report_encoders": "what an encoder is, has encoded and has left out, a table each",
        "report_learners": "answers, their metrics, prices and controls, a table each",
    },
    "stands on too many views": {
        "audit_*_separate_classes": "views, so that what was changed after the build is seen",
        "report_audit": "a union of the checks, which are views too",
        "report_learner*": "views, so that what jobs write is seen at once",
    },
    "has no test of its key": {
        "sends": "one row a request, of which two may leave at once",
        "audit_*": "rows that offend, any number of them; report_audit counts them",
        "report_audit": "one row a row of seeds.audit_checks, whose names are unique",
        "int_chest_xrays": "a view; marts.chest_xrays has its rows, and a primary key",
        "int_radiology_reports": "a view; marts.radiology_reports has its rows, and a primary key",
        "profile_*": "views of lines of text; marts.patient_profiles has them, by stay",
        "int_ecgs": "a view; marts.ecgs has its rows, and a primary key",
        "int_earlier_diagnoses": "a view; marts.diagnoses has its rows",
        "int_medications_*": "a row of inputevents each, which has no key",
        "medications_events": "no key: two bags of one item may run at a time",
        "stg_mimiciv__diagnoses_icd": "no key: MIMIC promises none for codes of an admission",
        "stg_mimiciv__inputevents": "no key: two bags of one item may run at a time",
        "int_airway_evidence": "a view of distinct rows",
        "int_antibiotics": "a row of prescriptions each, which has no key",
        "int_blood_gases": "a view, grouped by specimen and joined with its stay",
        "int_gcs": "a view, grouped by stay and time",
        "int_inspired_oxygen": "a view, grouped by patient and time",
        "int_respiratory_support": "a view, grouped by stay and time",
        "int_sofa_measurements": "no key: a value may be measured twice in an hour",
        "int_urine_output": "a view, grouped by stay and time",
        "int_vasopressors_hourly": "a view, grouped by stay, hour and substance",
        "stg_mimiciv__microbiologyevents": "no key: a specimen has a row for each of its tests",
        "stg_mimiciv__outputevents": "no key: a stay, time and item may stand twice",
        "stg_mimiciv__prescriptions": "no key: a drug may be prescribed twice for a time",
        "stg_mimiciv__procedureevents": "no key: two lines may be placed at a time",
        "int_labs_cleaned": "a row of labevents each, which has no key once a value is gone",
        "int_vitals_cleaned": "a row of chartevents each, which has no key",
        "int_quality_*": "views; marts.data_quality has their rows, and a primary key",
        "stg_mimiciv__chartevents": "no key: a stay, time and item may stand twice",
        "stg_mimiciv__labevents": "no key: a patient, time and test may stand twice",
        "labs_events": "no key: a stay, time and test may stand twice",
        "vitals_events": "no key: a stay, time and variable may stand twice",
        "vitals_outliers": "no key, as vitals_events",
    },
}
"""Of a rule: what may offend against it (* stands for anything), and why."""


def layer_of(node: dict[str, Any]) -> str:
    if node["resource_type"] == "source":
        return "raw"
    if node["resource_type"] == "seed":
        return "seed"
    return next((name for name in ("checks", "current") if name in node["fqn"]), node["fqn"][1])


def name_of(node: dict[str, Any]) -> str:
    is_source = node["resource_type"] == "source"
    return f"{node['source_name']}.{node['name']}" if is_source else node["name"]


def keyed(manifest: dict) -> set[str]:
    """Models whose key something proves: a test, a contract, or a hook of the model itself."""
    found: set[str] = set()
    unique: dict[str, set[tuple[str, str]]] = {}
    for test in manifest["nodes"].values():
        if test["resource_type"] == "test" and test.get("attached_node"):
            kind, model = test["test_metadata"]["name"], test["attached_node"]
            unique.setdefault(model, set()).add((kind, test["column_name"] or ""))
    for model, tests in unique.items():
        columns = {column for kind, column in tests if kind == "unique"}
        if any(kind == "unique_combination" for kind, _ in tests) or any(
            ("not_null", column) in tests for column in columns
        ):
            found.add(model)
    for model in manifest["nodes"].values():
        if model["resource_type"] == "model":
            of_columns = [column["constraints"] for column in model["columns"].values()]
            kinds = {
                constraint["type"]
                for constraints in [model["constraints"], *of_columns]
                for constraint in constraints
            }
            hooks = " ".join(hook["sql"] for hook in model["config"]["post-hook"])
            if "primary_key" in kinds or "stop_at_bad_keys(" in hooks:
                found.add(model["unique_id"])
    return found


def tables_of(manifest: dict) -> dict[str, pd.DataFrame]:
    """nodes, models, edges and exposures, a row each."""
    keys = keyed(manifest)
    kinds = ("model", "seed", "source")
    found = {
        node["unique_id"]: node
        for node in [*manifest["nodes"].values(), *manifest["sources"].values()]
        if node["resource_type"] in kinds
    }
    nodes = [
        {"name": name_of(node), "layer": layer_of(node), "description": node["description"]}
        for node in found.values()
    ]
    schemas = "|".join(sorted({node["schema"] for node in found.values()}))
    models = [
        {
            "name": node["name"],
            "layer": layer_of(node),
            "prefix": LAYERS[layer_of(node)][0],
            "materialized": node["config"]["materialized"],
            "code": re.sub(r"--.*|\{\{.*?\}\}|\{#.*?#\}", "", node["raw_code"]),
            "schemas": schemas,
            "has_key": node["unique_id"] in keys,
        }
        for node in found.values()
        if node["resource_type"] == "model"
    ]
    edges = [
        {
            "child": node["name"],
            "may_read": list(LAYERS[layer_of(node)][1]),
            "parent": name_of(found[parent]),
            "parent_layer": layer_of(found[parent]),
        }
        for node in found.values()
        if node["resource_type"] == "model"
        for parent in sorted(set(node["depends_on"]["nodes"]))
    ]
    exposures = [
        {"exposure": exposure["name"], "parent": name_of(found[parent])}
        for exposure in manifest["exposures"].values()
        for parent in exposure["depends_on"]["nodes"]
    ]
    named = {"nodes": nodes, "models": models, "edges": edges, "exposures": exposures}
    return {name: pd.DataFrame(rows) for name, rows in named.items()}


@pytest.fixture(scope="module")
def tables(manifest: dict) -> dict[str, pd.DataFrame]:
    return tables_of(manifest)


def offenders(rule: str, tables: dict[str, pd.DataFrame]) -> set[str]:
    with duckdb.connect() as database:
        for name, table in tables.items():
            database.register(name, table)
        return {" <- ".join(row) for row in database.execute(RULES[rule][0]).fetchall()}


@pytest.mark.parametrize("rule", RULES)
def test_the_project_keeps_the_rule(rule: str, tables: dict[str, pd.DataFrame]) -> None:
    allowed, found = EXCEPTIONS.get(rule, {}), offenders(rule, tables)
    needed = {pattern for pattern in allowed for name in found if fnmatchcase(name, pattern)}
    kept = {name for name in found if any(fnmatchcase(name, pattern) for pattern in allowed)}
    assert sorted(found - kept) == [], f"{rule}. {RULES[rule][1]}"
    assert sorted(allowed.keys() - needed) == [], "exceptions that nothing needs any more"


def test_exceptions_are_of_rules_and_have_reasons() -> None:
    assert EXCEPTIONS.keys() <= RULES.keys()
    assert all(len(reason) > 20 for each in EXCEPTIONS.values() for reason in each.values())


def model(name: str, folder: str, *reads: str, code: str = "", tested: bool = True) -> dict:
    found = {
        "unique_id": f"model.{name}", "resource_type": "model", "name": name, "schema": folder,
        "fqn": ["charthouse", folder, name], "description": "What it holds.", "raw_code": code,
        "columns": {}, "constraints": [{"type": "primary_key"}] if tested else [],
        "config": {"materialized": "view", "post-hook": []}, "depends_on": {"nodes": list(reads)},
    }  # fmt: skip
    return {found["unique_id"]: found}


def test_what_offends_is_found() -> None:
    """In a project that breaks every rule."""
    raw = {
        f"source.s.{name}": {
            "unique_id": f"source.s.{name}", "resource_type": "source", "source_name": "s",
            "name": name, "schema": "s", "database": "raw_files", "description": "Rows.",
        }
        for name in ("a", "b", "c")
    }  # fmt: skip
    chain = [model(f"int_{n}", "intermediate", f"model.int_{n - 1}") for n in range(1, 6)]
    nodes = [
        model("stg_a", "staging", "source.s.a", "source.s.b"),
        model("a", "staging", "source.s.a", tested=False),
        model("int_0", "intermediate", "model.a"),
        *chain,
        *(model(f"end_{n}", "marts", "model.int_5") for n in range(3)),
        model("many", "marts", "model.stg_a", *(f"model.int_{n}" for n in range(6))),
        model("alone", "marts", code='select * from "staging"."stg_a"'),
        model("commented", "marts", "model.end_0", code="-- not from staging.stg_a\nselect 1"),
    ]
    nodes[1]["model.a"]["description"] = " "
    tables = tables_of({
        "nodes": {key: node for each in nodes for key, node in each.items()}, "sources": raw,
        "exposures": {"e": {"name": "e", "depends_on": {"nodes": ["model.int_0", "model.many"]}}},
    })  # fmt: skip
    assert {rule: offenders(rule, tables) for rule in RULES} == {
        "reads another layer than the one below": {"many <- stg_a"},
        "is not named for its layer": {"a"},
        "has two readers of one raw file": {"s.a"},
        "joins raw files": {"stg_a"},
        "is read by nobody": {"s.c"},
        "reads nothing": {"alone"},
        "names a table itself": {"alone"},
        "has too many children that are ends": {"int_5"},
        "reads too many tables": {"many"},
        "stands on too many views": {"int_3", "int_4", "int_5", "many", "commented"}
        | {f"end_{n}" for n in range(3)},
        "has no test of its key": {"a"},
        "is not described": {"a"},
        "is looked at from outside": {"e <- int_0"},
    }
