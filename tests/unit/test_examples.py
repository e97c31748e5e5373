"""Every example in a docstring does what it says."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

from bench import PROJECT
from small_warehouse import COHORT, make_small_warehouse

ROOT = PROJECT / "python"
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "charthouse").rglob("*.py"))
    if ">>> " in path.read_text()
]


@pytest.mark.parametrize("name", MODULES)
def test_an_example_does_what_it_says(name: str, tmp_path: Path) -> None:
    """The names `project`, `warehouse` and `cohort` are there for all of them."""
    make_small_warehouse(tmp_path / "warehouse.duckdb")
    names = {"project": PROJECT, "warehouse": tmp_path / "warehouse.duckdb", "cohort": COHORT}
    done = doctest.testmod(import_module(name), extraglobs=names)
    assert done.attempted and not done.failed
