"""Writes docs/reference/tables.md from dbt's manifest: every table that people query, by column.

Run ``python -m charthouse.data.dictionary``. A test fails while the page is out of date.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from charthouse.core.errors import CharthouseError
from charthouse.core.project import project_dir
from charthouse.core.registry import seed_rows

PAGE = "docs/reference/tables.md"
SCHEMAS = {
    "seeds": "What a clinician would edit, as CSV files in `seeds/`.",
    "marts": "What people query: the cohort and its data.",
    "embeddings": "Vectors, by stay: one table an encoder besides these, with its name.",
    "results": "What the jobs write: every run, failed ones too, on every cohort.",
    "reports": "Views over the current results, those of the present cohort.",
}
HEAD = """# Data dictionary

Every table that people query. Written by `python -m charthouse.data.dictionary` from dbt's
manifest: edit the descriptions beside the models, not here. They are comments in the database too.
"""

Node = Mapping[str, Any]


def render_dictionary(project: Path) -> str:
    """The page as Markdown; project is the folder of dbt_project.yml.

    Raises:
        CharthouseError: dbt cannot parse the project.

    Example:
        >>> from charthouse.core.project import project_dir
        >>> page = render_dictionary(project_dir())
        >>> "### marts.cohort" in page
        True
    """
    manifest = _manifest(project)
    parts = [HEAD]
    for schema, words in SCHEMAS.items():
        parts.append(f"## {schema}\n\n{words}\n")
        for name, node in sorted(_tables(manifest, schema)):
            parts.append(f"### {schema}.{name}\n\n{node['description']}\n")
            if columns := list(_columns(project, node)):
                parts.append("\n".join(_table(columns)) + "\n")
    return "\n".join(parts)


def _manifest(project: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", "from dbt.cli.main import cli; cli()", "parse", "--quiet",
             "--project-dir", str(project), "--profiles-dir", str(project / "profiles"),
             "--target-path", folder, "--log-path", folder],
            capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise CharthouseError(f"{project}: dbt cannot parse it. Run dbt parse to see why.")
        found: dict[str, Any] = json.loads(Path(folder, "manifest.json").read_text("utf-8"))
    return found


def _tables(manifest: Node, schema: str) -> Iterator[tuple[str, Node]]:
    """Name as in the database, and what dbt knows of it."""
    for node in manifest["nodes"].values():
        is_table = node["resource_type"] in ("model", "seed") and node["schema"] == schema
        if is_table and "checks" not in node["fqn"]:  # of the audit: all alike
            yield node["alias"], node


def _columns(project: Path, node: Node) -> Iterator[tuple[str, str, str]]:
    """Name, type and description; the two last may be empty."""
    known = node["columns"]
    names = list(known)
    if node["resource_type"] == "seed":
        _, row = next(seed_rows(project, node["name"]))
        names = list(row)
    for name in names:
        column = known.get(name, {})
        required = any(each["type"] == "not_null" for each in column.get("constraints", ()))
        kind = column.get("data_type") or ""
        yield name, f"{kind} not null" if kind and required else kind, column.get("description", "")


def _table(columns: list[tuple[str, str, str]]) -> Iterator[str]:
    """Lines of a table, without columns that would be empty."""
    titles = ("column", "type", "description")
    used = [at for at in range(3) if any(column[at] for column in columns)]
    yield f"| {' | '.join(titles[at] for at in used)} |"
    yield "|" + "---|" * len(used)
    for name, *others in columns:
        cells = [(f"`{name}`", *others)[at].replace("|", "\\|").replace("\n", " ") for at in used]
        yield f"| {' | '.join(cells)} |"


def main() -> None:
    """Writes the page to the project's docs."""
    project = project_dir()
    (project / PAGE).write_text(render_dictionary(project), "utf-8")
    print(project / PAGE)


if __name__ == "__main__":
    main()
