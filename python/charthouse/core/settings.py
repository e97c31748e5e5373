"""The settings of a warehouse, and how to build it again with the same ones."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any

import yaml

from charthouse.core.errors import CharthouseError
from charthouse.core.progress import PrintLine
from charthouse.core.project import project_vars
from charthouse.core.warehouse import open_warehouse


def merge_settings(
    project: Path, warehouse: Path, given: Mapping[str, Any], say: PrintLine
) -> dict[str, Any]:
    """The settings for a build: those that the user gives, else those of the warehouse.

    Only differences from the defaults of the warehouse's protocol are kept, so that the user can
    change the protocol and still keep, say, a window of 48 hours.

    The warehouse need not exist yet. `say` prints a line that names what is kept.
    """
    built_with = _built_with(warehouse) if warehouse.exists() else {}
    declared = project_vars(project)
    protocol = built_with.get("protocol", declared["protocol"])
    usual = {name: values.get(protocol) for name, values in declared["settings"].items()}
    kept = {
        name: built_with[name]
        for name in usual
        if name in built_with and built_with[name] != usual[name] and name not in given
    }
    if protocol != declared["protocol"] and "protocol" not in given:
        kept = {"protocol": protocol, **kept}
    if kept:
        words = ", ".join(f"{name} {json.dumps(value)}" for name, value in kept.items())
        say(f"Kept from the warehouse, where --vars names no other: {words}.")
    return kept | dict(given)


def parse_vars(options: Sequence[str]) -> dict[str, Any]:
    """The settings of the option --vars.

    dbt itself would not name these mistakes, and would silently use the last of two options.

    Raises:
        CharthouseError: The text is not a YAML mapping, a name occurs twice, or --vars does.

    Example:
        >>> parse_vars(["{window_end_hours: 48}"])
        {'window_end_hours': 48}
    """
    if len(options) > 1:
        raise CharthouseError("--vars is given twice. Put all settings in one.")
    if not options:
        return {}
    text = options[0]
    form = "Write them as '{window_end_hours: 48}'."
    try:
        node, found = yaml.compose(text, yaml.SafeLoader), yaml.safe_load(text)
        json.dumps(found, default=str)
    except Exception:  # of many classes: of its scanner, of dates, of what contains itself
        node, found = None, None
    if not (isinstance(node, yaml.MappingNode) and isinstance(found, dict)):
        raise CharthouseError(f"--vars {shorten(text, 60)!r} are no settings. {form}")
    names = [key.value for key, _ in node.value]
    if twice := [name for name in names if names.count(name) > 1]:
        raise CharthouseError(f"--vars: {twice[0]!r} occurs twice. Keep one of them.")
    if nameless := [name for name in found if not isinstance(name, str)]:
        raise CharthouseError(f"--vars: {nameless[0]} is no name of a setting. {form}")
    return found


def task_names(project: Path, settings: Mapping[str, Any]) -> list[str]:
    """What vars.tasks names, as a build with these settings will call them.

    Example:
        >>> from charthouse.core.project import project_dir
        >>> task_names(project_dir(), {"los_threshold_days": 7})[:2]
        ['in_hospital_mortality', 'icu_stay_over_7_days']
    """
    declared = project_vars(project)
    protocol = settings.get("protocol", declared["protocol"])
    usual = {name: values.get(protocol) for name, values in declared["settings"].items()}
    whole = {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in (usual | dict(settings)).items()
    }
    return [task["name"].format_map(whole) for task in declared["tasks"]]


def vars_arguments(settings: Mapping[str, Any]) -> list[str]:
    """Settings as arguments of dbt. YAML dates become text, which dbt understands the same.

    Example:
        >>> vars_arguments({"window_end_hours": 48})
        ['--vars', '{"window_end_hours": 48}']
    """
    return ["--vars", json.dumps(settings, default=str)] if settings else []


def _built_with(warehouse: Path) -> Mapping[str, Any]:
    """Settings of the marts; of a build that was killed, those that will be put back."""
    with open_warehouse(warehouse) as db:
        names = db.execute(
            "select table_name from duckdb_tables() where schema_name = 'marts'"
            " and starts_with(table_name, 'cohort_definition') order by len(table_name) desc"
        ).fetchall()
        if not names:
            return {}
        found = db.execute(f"select variables from marts.{names[0][0]}").fetchall()
    return json.loads(found[0][0]) if found else {}
