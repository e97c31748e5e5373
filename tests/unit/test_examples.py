"""Each function that users call has an example in its docstring, and every example runs."""

import importlib
from pathlib import Path

import pytest

from bench import PROJECT
from examples import examples, modules_with_examples, names_on_the_page, run
from small_warehouse import COHORT, make_small_warehouse


@pytest.mark.parametrize("name", names_on_the_page())
def test_what_the_page_lists_is_there_and_has_an_example(name: str) -> None:
    module, _, function = name.rpartition(".")
    documented = getattr(importlib.import_module(module), function)
    assert "Example:" in documented.__doc__ and ">>> " in documented.__doc__


@pytest.mark.parametrize("module", modules_with_examples())
def test_examples_run(module: str, tmp_path: Path) -> None:
    """But those of marts: tests/warehouse has these. All know `project`, `warehouse`, `cohort`."""
    make_small_warehouse(tmp_path / "warehouse.duckdb")
    names = {"project": PROJECT, "warehouse": tmp_path / "warehouse.duckdb", "cohort": COHORT}
    for test in examples(module, on_a_warehouse=False, **names):
        run(test)
