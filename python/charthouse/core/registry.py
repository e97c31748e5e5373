"""Rows of a seed, typed, and the classes they name: what all registries (encoders, ...) share."""

import csv
import importlib
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from charthouse.core.errors import CharthouseError, did_you_mean

NOT_IN_THE_EXTRA = {
    "momentfm": "--no-deps momentfm==0.1.4",  # its pins fit nothing else
    "wfdb": "'charthouse[ecg]'",
}
"""What to give to pip for a package that the extra `models` does not have."""

TAKE_IT_BACK = "take it from a new project (charthouse init FOLDER)"

Spec = TypeVar("Spec")


def written_as(pattern: str) -> BeforeValidator:
    """How a seed may write it: Python takes 1_000 and digits of any script for numbers too."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(pattern)
        return text

    return BeforeValidator(check)


Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
Filled = Annotated[str, Field(pattern=r"\S")]
Positive = Annotated[int, written_as("[1-9][0-9]*")]
Count = Annotated[int, written_as("[0-9]+")]
YesNo = Annotated[bool, BeforeValidator(lambda text: {"true": True, "false": False}.get(text))]
BLANK_IS_NONE = BeforeValidator(lambda text: text or None)
SawMimic = Literal["yes", "no", "unknown"]
"""Whether a model was trained on any MIMIC before; of test patients then, for all that is known."""


def read_seed(
    project: Path,
    seed: str,
    spec: type[Spec],
    *,
    key: Iterable[str] = (),
    mend: str = "",
    context: Any = None,
) -> list[Spec]:
    """The rows of a seed, each checked and of its type.

    Args:
        project: folder of dbt_project.yml.
        seed: its name.
        spec: a dataclass, of which each field is a column, and its type what may stand there.
        key: columns that are alike in no two rows; the first one if none is named.
        mend: where a row is shown; else the seed is to be taken anew.
        context: of validators that need one.

    Raises:
        CharthouseError: as seed_rows; or columns are others than those of the spec, or a row is
            not what the spec says, or two have the same key; says where and what.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Published:
        ...     release: str
        ...     file: str
        ...     rows: Count
        >>> read_seed(project, "known_row_counts", Published, key=("release", "file"))[0]
        Published(release='demo-2.2', file='hosp/admissions', rows=275)
    """
    path = seed_path(project, seed)
    mend = mend or f"Correct it, or {TAKE_IT_BACK}."
    adapter = TypeAdapter(spec)
    columns = [field.name for field in fields(spec)]  # type: ignore[arg-type]
    lines: dict[tuple[str, ...], int] = {}
    found = []
    for line, row in seed_rows(project, seed, columns):
        found.append(checked(adapter, row, f"{path}, line {line}", mend, context))
        name = tuple(row[column] for column in key or columns[:1])
        if name in lines:
            raise CharthouseError(
                f"{path}, line {line}: {' '.join(name)} stands in line {lines[name]} too. Keep one"
                " of them."
            )
        lines[name] = line
    return found


def checked(
    adapter: TypeAdapter[Spec], row: object, where: str, mend: str, context: Any = None
) -> Spec:
    """What a row of a registry, columns to what stands there, says by its type.

    A validator of the type may need the context, and may raise CharthouseError in its own words.

    Raises:
        CharthouseError: says where (file and line), which columns are wrong, and how to mend it.
    """
    try:
        return adapter.validate_python(row, context=context)
    except CharthouseError as error:
        raise CharthouseError(f"{where}: {error}") from None
    except ValidationError as error:
        wrong = dict.fromkeys(map(_column_and_why, error.errors(include_url=False)))
        raise CharthouseError(f"{where}: wrong {' and '.join(wrong)}. {mend}") from None


def _column_and_why(error: Any) -> str:
    column = str(error["loc"][0]) if error["loc"] else "form"
    expected = error.get("ctx", {}).get("expected", "")
    why = "missing" if error["type"] == "missing" else expected.replace("'", "")
    return f"{column} ({why.replace(' or ', ', ')})" if why else column


def seed_path(project: Path, seed: str) -> Path:
    """The file of a seed, in whichever folder of seeds/ it is.

    Raises:
        CharthouseError: it is not there.
    """
    for path in project.glob(f"seeds/*/{seed}.csv"):
        return path
    raise CharthouseError(f"{project / 'seeds'}: {seed}.csv is missing: {TAKE_IT_BACK}.")


def seed_rows(
    project: Path, seed: str, columns: Iterable[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and row of a seed, as it is written there.

    The columns are those that it must have, in any order, and no others; any if none is named.

    Raises:
        CharthouseError: it is not there, is no CSV in UTF-8, has other columns or one of them
            twice, or a row of it has too few or too many.
    """
    path = seed_path(project, seed)
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")  # without the mark that Excel puts before UTF-8
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CharthouseError(
            f"{path}, line {line}: a letter that is not UTF-8. Save the file as CSV UTF-8."
        ) from None
    rows = csv.DictReader(io.StringIO(text, newline=""))
    try:
        header = list(rows.fieldnames or ())
        if (wanted := list(columns)) and sorted(header) != sorted(wanted):
            raise CharthouseError(f"{path} must have the columns {', '.join(wanted)}.")
        for row in rows:
            if None in row or None in row.values():
                raise CharthouseError(
                    f"{path}, line {rows.line_num}: wrong number of columns. It has"
                    f" {', '.join(header)}."
                )
            yield rows.line_num, row
    except csv.Error as error:
        raise CharthouseError(
            f"{path} is no CSV ({error}). Correct it, or {TAKE_IT_BACK}."
        ) from None


def require_registered(kind: str, asked: str, known: Iterable[str]) -> None:
    """Stops at a name that is none of those known.

    Raises:
        CharthouseError: says which is near.
    """
    names = list(known)
    if asked not in names:
        advice = did_you_mean(asked, names) or f"Known: {', '.join(names)}."
        raise CharthouseError(f"Unknown {kind} '{asked}'. {advice}")


def how_to_install(package: str) -> str:
    """A package that is not installed, and how to mend that."""
    what = NOT_IN_THE_EXTRA.get(package, "'charthouse[models]'")
    return f"{package}: pip install {what}, or make .venv/installed."


def class_named(package: str, kind: str, name: str) -> Any:
    """The class of an entry: TfidfSvd in charthouse.models.encoders.tfidf_svd for tfidf_svd.

    The package is one below charthouse.models; its kind (encoder, ...) stands in messages.

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
            mend = f"It needs {how_to_install(error.name or '')}"
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
