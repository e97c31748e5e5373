"""Examples in docstrings that read a warehouse, on the one that all tests share."""

import pytest

from bench import PROJECT, Bench
from examples import examples, modules_with_examples, run

MODULES = [name for name in modules_with_examples() if any(examples(name, on_a_warehouse=True))]


def test_some_examples_read_a_warehouse() -> None:
    assert {"charthouse.core.warehouse", "charthouse.core.cohort"} <= {*MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_examples_run_on_a_warehouse(
    module: str, built: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (built.raw | {"CHARTHOUSE_WAREHOUSE": str(built.warehouse)}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CHARTHOUSE_PROJECT", str(PROJECT))
    for test in examples(module, on_a_warehouse=True):
        run(test)
