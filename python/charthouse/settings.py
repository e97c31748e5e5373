"""The settings that a warehouse was built with, and how to build it with the same ones again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from charthouse.errors import CharthouseError
from charthouse.progress import Say
from charthouse.warehouse import open_warehouse


def settings_for(project: Path, warehouse: Path, given: str, say: Say) -> dict[str, Any]:
    """What to pass to dbt as --vars: what the user gives, else what the warehouse was built with.

    Only what differs from the defaults of its protocol is kept, so that another protocol can be
    given: a window of 48 hours stays one.

    Args:
        project: folder of dbt_project.yml.
        warehouse: the DuckDB file; it may not be there yet.
        given: by the user, as dbt takes them.
        say: told in a line what is kept.

    Raises:
        CharthouseError: what is given are no settings.
    """
    asked = _parsed(given)
    built_with = _built_with(warehouse) if warehouse.exists() else {}
    declared = yaml.safe_load((project / "dbt_project.yml").read_text("utf-8"))["vars"]
    protocol = built_with.get("protocol", declared["protocol"])
    usual = {name: values.get(protocol) for name, values in declared["settings"].items()}
    kept = {
        name: built_with[name]
        for name in usual
        if name in built_with and built_with[name] != usual[name] and name not in asked
    }
    if protocol != declared["protocol"] and "protocol" not in asked:
        kept = {"protocol": protocol, **kept}
    if kept:
        words = ", ".join(f"{name} {json.dumps(value)}" for name, value in kept.items())
        say(f"Kept from the warehouse, where --vars names no other: {words}.")
    return kept | asked


def _parsed(given: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(given)
    except yaml.YAMLError:
        found = None
    if not isinstance(found, dict):
        raise CharthouseError(
            f"--vars '{given}' are no settings. Write them as '{{window_end_hours: 48}}'."
        )
    return found


def _built_with(warehouse: Path) -> Mapping[str, Any]:
    """Settings of the marts; of a build that was killed, those that will be put back."""
    with open_warehouse(warehouse, whole=False) as db:
        names = db.execute(
            "select table_name from duckdb_tables() where schema_name = 'marts'"
            " and starts_with(table_name, 'cohort_definition') order by len(table_name) desc"
        ).fetchall()
        if not names:
            return {}
        found = db.execute(f"select variables from marts.{names[0][0]}").fetchall()
    return json.loads(found[0][0]) if found else {}
