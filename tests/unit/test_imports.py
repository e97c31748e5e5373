"""The house by its imports: ten rooms, one direction, no circle (architecture.md)."""

import ast
import re
from pathlib import Path

from bench import PROJECT

ROOMS = ("core", "synth", "data", "net", "stats", "models", "jobs", "views", "extras", "cli")
"""From the ground up: a room may import those before it."""

FACES = {"charthouse.synth": "mimic", "charthouse.stats.logistic": "grid_search"}
"""Packages of which the rest of the code knows one module."""

READS_ECGS = "charthouse.data.ecg_files"
COMES_WITH_WFDB = {"aiohttp", "fsspec", "matplotlib", "requests", "soundfile"}
"""What the extra `ecg` installs besides; whoever sends does it by charthouse.net."""


def modules() -> dict[str, Path]:
    root = PROJECT / "python"
    return {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for path in (root / "charthouse").rglob("*.py")
    }


def imports() -> dict[str, set[str]]:
    """Of each module those of ours that it imports, inside functions too."""
    known = modules()
    found = {}
    for name, path in known.items():
        named: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                named |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                named |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        found[name] = named & known.keys() - {name}
    return found


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else "charthouse"


def test_there_are_no_other_rooms() -> None:
    assert {room(name) for name in modules()} == {*ROOMS, "charthouse"}


def test_imports_go_down() -> None:
    """What is built on can be read, tested and changed without what is built on it."""
    upward = [
        (importer, imported)
        for importer, those in imports().items()
        for imported in those
        if room(importer) in ROOMS and room(imported) in ROOMS
        and ROOMS.index(room(importer)) < ROOMS.index(room(imported))
    ]  # fmt: skip
    assert not upward


def test_nothing_imports_an_extra() -> None:
    """An extra can be thrown away, and costs nobody an import who does not run it."""
    assert not [
        (importer, imported)
        for importer, those in imports().items()
        for imported in those
        if room(imported) == "extras" and room(importer) not in ("extras", "cli")
    ]


def test_wfdb_is_imported_where_an_ecg_is_read_and_what_it_brings_nowhere() -> None:
    """It is an extra, so no import of ours may fail without it; and it has HTTP clients."""
    found = []
    for name, path in modules().items():
        tree = ast.parse(path.read_text())
        in_functions = {
            id(node)
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
            for node in ast.walk(function)
        }
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            found += [
                (name, package, id(node) in in_functions)
                for package in (each.split(".")[0] for each in names)
                if package in {"wfdb", *COMES_WITH_WFDB}
            ]
    assert found == [(READS_ECGS, "wfdb", True)]


def test_no_imports_go_in_a_circle() -> None:
    left = imports()
    while leaves := [name for name, those in left.items() if not those]:
        left = {name: those - set(leaves) for name, those in left.items() if those}
    assert not left


def test_a_package_with_a_face_is_not_reached_into() -> None:
    """What writes the synthetic MIMIC, and what solves logistic regressions, could each be a
    library of its own."""
    inside = [
        (importer, imported)
        for importer, those in imports().items()
        for imported in those
        for package, face in FACES.items()
        if imported.startswith(f"{package}.") and not importer.startswith(package)
        and imported != f"{package}.{face}"
    ]  # fmt: skip
    assert not inside


def test_the_page_draws_the_rooms_in_this_order() -> None:
    page = (PROJECT / "docs/explanation/architecture.md").read_text()
    drawn = re.findall(r"^\| `python/charthouse/(\w+)` \|", page, re.M)
    assert drawn == [*reversed(ROOMS)]
