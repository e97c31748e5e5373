"""Rows of a seed and the classes they name: what all registries (encoders, ...) share."""

import csv
import importlib
import io
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from charthouse.core.errors import CharthouseError

SAW_MIMIC = ("yes", "no", "unknown")
"""Whether a model was trained on any MIMIC before; of test patients then, for all that is known."""
NOT_IN_THE_EXTRA = {"momentfm": "--no-deps momentfm==0.1.4"}  # its pins fit nothing else


def seed_rows(project: Path, seed: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and row of seeds/<seed>.csv.

    Raises:
        CharthouseError: it is not there, is no CSV in UTF-8, or a row of it has too few or too
            many columns.
    """
    path = project / f"seeds/{seed}.csv"
    if not path.exists():
        raise CharthouseError(f"{path} is missing: get it back (git checkout seeds/{path.name}).")
    rows = csv.DictReader(io.StringIO(_text_of(path), newline=""))
    try:
        for row in rows:
            if None in row or None in row.values():
                raise CharthouseError(
                    f"{path}, line {rows.line_num}: wrong number of columns. It has"
                    f" {', '.join(rows.fieldnames or ())}."
                )
            yield rows.line_num, row
    except csv.Error as error:
        raise CharthouseError(
            f"{path} is no CSV ({error}). Correct it, or get it back (git checkout"
            f" seeds/{path.name})."
        ) from None


def _text_of(path: Path) -> str:
    """Without the mark that Excel puts before UTF-8.

    Raises:
        CharthouseError: it has another encoding.
    """
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CharthouseError(
            f"{path}, line {line}: a letter that is not UTF-8. Save the file as CSV UTF-8."
        ) from None


def require_registered(kind: str, asked: str, known: Iterable[str]) -> None:
    """Stops at a name that is none of those known.

    Raises:
        CharthouseError: says which is near.
    """
    names = list(known)
    if asked in names:
        return
    near = get_close_matches(asked, names, n=1)
    advice = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(names)}."
    raise CharthouseError(f"Unknown {kind} '{asked}'. {advice}")


def contamination_faults(row: Mapping[str, str | None]) -> dict[str, bool]:
    """What to call a fault of saw_mimic or its source, and whether the row is right there."""
    return {
        f"saw_mimic ({', '.join(SAW_MIMIC)})": row.get("saw_mimic") in SAW_MIMIC,
        "saw_mimic_source": bool((row.get("saw_mimic_source") or "").strip()),
    }


def class_named(package: str, kind: str, name: str) -> Any:
    """The class of an entry: TfidfSvd in charthouse.models.encoders.tfidf_svd for tfidf_svd.

    Args:
        package: below charthouse.models.
        kind: for messages: encoder, fusion, family.
        name: of the entry, and of its module.

    Raises:
        CharthouseError: a row without a class, or a package that is not installed or is broken.
    """
    module_name = f"charthouse.models.{package}.{name}"
    class_name = "".join(word.capitalize() for word in name.split("_"))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name == module_name:
            mend = f"Add python/charthouse/models/{package}/{name}.py."
        else:
            what = NOT_IN_THE_EXTRA.get(error.name or "", "'charthouse[models]'")
            mend = f"It needs {error.name}: pip install {what}, or make .venv/installed."
        raise CharthouseError(f"{kind.capitalize()} '{name}' cannot be imported. {mend}") from error
    except Exception as error:  # a package of another build raises whatever it likes
        said = " ".join([type(error).__name__, *str(error).splitlines()[:1]])
        raise CharthouseError(
            f"{kind.capitalize()} '{name}' cannot be imported ({said}). Install what it imports"
            " again: rm -r .venv && make .venv/installed."
        ) from error
    found = getattr(module, class_name, None)
    if found is None:
        raise CharthouseError(f"{module.__file__} has no class {class_name}. Name it so.")
    return found
