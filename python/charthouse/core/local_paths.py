"""Which paths are accepted: local files only, and for the warehouse names that DuckDB can use."""

import os
import re

from charthouse.core.errors import CharthouseError

RAW_FOLDERS = ("CHARTHOUSE_MIMICIV", "CHARTHOUSE_NOTE", "CHARTHOUSE_CXR", "CHARTHOUSE_ECG")
RAW_DATABASE = "raw_files"
"""What the raw files are attached to the warehouse as (charthouse.data.raw.database)."""
SCHEMAS = ("seeds", "staging", "intermediate", "marts", "embeddings", "results", "reports")

# DuckDB takes any word before a colon for an extension that it should load: md:, s3://, sqlite:
_SCHEME = re.compile(r"\s*([a-z][a-z0-9+._-]+):", re.IGNORECASE)
_RESERVED = (RAW_DATABASE, "temp", "system", "main", "information_schema", "pg_catalog")
_LONGEST_NAME = 150  # bytes; the names of the files beside the warehouse are longer by up to 100


def require_local(name: str, path: object) -> None:
    """Stops at a path that is not a local file or folder; name is that of its variable or option.

    Raises:
        CharthouseError: The path is an address (such as s3://), begins with ~, or cannot be printed
            in one line.
    """
    text = str(path)
    if scheme := _SCHEME.match(text):  # and not the rest, which may hold a key
        raise CharthouseError(
            f"{name} begins with '{scheme[1]}:'. Only files of this machine are read and written."
            " Name a path on it (if that is the name of a folder here, its whole path from /)."
        )
    if not text.isprintable():
        raise CharthouseError(
            f"{name} has a line break or another character in it that cannot be shown. Take it out."
        )
    if text.startswith("~"):
        raise CharthouseError(
            f"{name} begins with '~', which is not expanded. Write the whole path."
        )


def require_warehouse_path(path: str | os.PathLike[str]) -> None:
    """Stops at a path that DuckDB, dbt and SQL would not resolve to the same database.

    Raises:
        CharthouseError: As for require_local; or the path is not a file, or DuckDB reserves the
            name.
    """
    variable, text = "CHARTHOUSE_WAREHOUSE", str(path)
    if text.startswith(":"):
        raise CharthouseError(
            f"{variable}: {text} is no file, and nothing would be kept. Name a file."
        )
    require_local(variable, text)
    name = os.path.basename(text)
    if found := sorted(set(name) & set("'\"\\;") | set(text) & set("#?\\")):
        raise CharthouseError(
            f"{text}: a warehouse cannot have {' or '.join(found)} in its name. Rename the file."
        )
    if len(os.fsencode(name)) > _LONGEST_NAME:
        raise CharthouseError(
            f"{variable}: the name of the file is longer than {_LONGEST_NAME} bytes. Shorten it."
        )
    # DuckDB names the database after its file, up to the first dot, and does not mind case
    called = name.lower().lstrip(".").split(".")[0]
    if not called.strip():
        raise CharthouseError(
            f"{variable}: '{text}' names no file. Call it warehouse.duckdb, say, or unset it."
        )
    for names, what in (
        (SCHEMAS, "one of its schemas"),
        (_RESERVED, "what DuckDB has of its own"),
    ):
        if called in names:
            raise CharthouseError(
                f"{text}: a warehouse cannot be called as {what} ({', '.join(names)}). Rename the"
                " file."
            )
