"""The examples of docstrings, by the module that they are in."""

import doctest
import importlib
import re
from collections.abc import Iterator

from bench import PROJECT

ON_A_WAREHOUSE = re.compile(r"warehouse_path\(\)|render_dictionary\(")
"""What an example calls that takes a warehouse, or dbt."""


def names_on_the_page() -> list[str]:
    """Functions and classes that docs/reference/python-api.md lists, with their modules."""
    page = (PROJECT / "docs/reference/python-api.md").read_text()
    return re.findall(r"^\| `(charthouse\.[\w.]+)` \|", page, re.M)


def modules_with_examples() -> list[str]:
    root = PROJECT / "python"
    return sorted(
        ".".join(path.relative_to(root).with_suffix("").parts)
        for path in (root / "charthouse").rglob("*.py")
        if ">>> " in path.read_text()
    )


def examples(module: str, *, on_a_warehouse: bool, **names: object) -> Iterator[doctest.DocTest]:
    """One for each docstring of the module that has any, with the module's names and these."""
    found = doctest.DocTestFinder().find(importlib.import_module(module), extraglobs=names)
    for test in found:
        if bool(ON_A_WAREHOUSE.search(test.docstring or "")) == on_a_warehouse:
            yield test


def run(test: doctest.DocTest) -> None:
    """Fails at the first line that does not give what the docstring says."""
    doctest.DebugRunner(optionflags=doctest.FAIL_FAST).run(test)
