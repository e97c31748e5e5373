"""DuckDB's error messages without the value that could not be read: it may be a patient's text.

DuckDB quotes values: `Could not convert string 'Mrs Smith ...' to INT32`. Kept is only what is
known to contain none: the class of the error; the whole message where it is about names, SQL, files
or the machine; and, of known phrases, the words outside the value. The rest is redacted.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from charthouse.core.errors import CharthouseError

REDACTED = "the rest is left out, as it may quote a patient's data"

# Raised before any row is read, or whatever it contains.
_WITHOUT_VALUES = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConnectionException,
    duckdb.DependencyException,
    duckdb.HTTPException,
    duckdb.InterruptException,
    duckdb.IOException,
    duckdb.OutOfMemoryException,
    duckdb.ParserException,
    duckdb.PermissionException,
    duckdb.SyntaxException,
)

_TYPE = (
    r"(?:U?INT(?:8|16|32|64|128|EGER)?|U?(?:TINY|SMALL|BIG|HUGE)INT|BOOL(?:EAN)?|DOUBLE|FLOAT"
    r"|DECIMAL|VARCHAR|BLOB|BIT|UUID|JSON|INTERVAL|DATE"
    r"|TIME(?:STAMP)?(?:_S|_MS|_NS| WITH TIME ZONE)?)\b"
)
_COLUMN = r"(?: when casting from source column (?P<column>\w+))?"
_FILE = r"""["'](?P<file>[^"'\n]+\.parquet)["']"""
# By class, phrases of DuckDB from their first word to their last, and what is kept of each. `.*`
# stands for a value and takes as much as it can: what follows is DuckDB's own, whatever a value
# imitates. The function error() makes an InvalidInputException of a value alone: nothing is kept of
# those but types, numbers of lines and names of files.
_PHRASES: dict[type[duckdb.Error], dict[str, str]] = {
    duckdb.Error: {
        r".*No space left on device.*": "No space left on device",
        r"File \S+ requires the extension (?P<word>httpfs|azure|motherduck) to be loaded.*": (
            "a file needs the extension {word}, which is not loaded"
        ),
    },
    duckdb.ConversionException: {
        rf"Could not convert string .* to (?P<type>{_TYPE}).*?{_COLUMN}": "text that is no {type}",
        rf"Could not cast value .* to (?P<type>{_TYPE}).*?{_COLUMN}": (
            "a value out of the range of {type}"
        ),
        rf"Casting value .* to type (?P<type>{_TYPE}).* failed: value is out of range!{_COLUMN}": (
            "a value out of the range of {type}"
        ),
        rf"Type (?P<of>{_TYPE}) with value .* can't be cast (?:because the value is out of range"
        rf" for|to) the destination type (?P<type>{_TYPE}).*?{_COLUMN}": (
            "{of} that is no {type}, or out of its range"
        ),
        rf"invalid (?P<what>timestamp|date|time) field format: .*?{_COLUMN}": (
            "text that is no {what}"
        ),
        rf"(?P<what>timestamp|date|time) field value out of range: .*?{_COLUMN}": (
            "a {what} that does not exist"
        ),
        rf"Malformed JSON .*?{_COLUMN}": "text that is no JSON",
        r"Date out of range.*": "a date out of range",
        r"CSV Error on Line: (?P<line>\d+)\n.*": "line {line} of a csv cannot be read",
    },
    duckdb.OutOfRangeException: {
        rf"Overflow in (?P<what>[a-z]+) of (?P<type>{_TYPE}).*": "overflow in {what} of {type}",
        r"Overflow (?:in|on) .*": "overflow",
        r"Date out of range.*": "a date out of range",
    },
    duckdb.InvalidInputException: {
        rf"Invalid string encoding found in Parquet file {_FILE}: value .*": (
            "a text in the Parquet file '{file}' is not UTF-8"
        ),
        rf"Failed to read file {_FILE}: .*": "the Parquet file '{file}' is damaged",
        rf"No magic bytes found at end of file {_FILE}": "'{file}' is no Parquet file, or is cut",
        rf"File {_FILE} too small to be a Parquet file": "'{file}' is no Parquet file, or is cut",
        r"CSV Error on Line: (?P<line>\d+)\n.*": "line {line} of a csv cannot be read",
        r"Invalid unicode .*": "text that is not UTF-8",
        r"Malformed JSON .*": "text that is no JSON",
        r"Could not parse string .* according to format specifier .*": "text of another format",
        rf"Type (?P<of>{_TYPE}) with value .* can't be cast .* type (?P<type>{_TYPE})": (
            "{of} that is no {type}, or out of its range"
        ),
        r"Division by zero in expression .*": "division by zero",
        r"More than one row returned by a subquery .*": "a subquery that gives more than one row",
    },
    duckdb.ConstraintException: {
        r"(?:.* )?[Dd]uplicate key .*": "a row whose key is there already",
        r"Data contains duplicates on indexed column.*": "two rows of one key",
        r"NOT NULL constraint failed: (?P<column>\w+\.\w+)": "null where none may be",
        r'CHECK constraint failed on table "?(?P<word>\w+)"? .*': "a check of {word} failed",
    },
    duckdb.TransactionException: {
        r"Current transaction is aborted.*": "the transaction is aborted",
    },
    duckdb.FatalException: {
        r"Failed: database has been invalidated .*": "the database is closed after another error",
    },
}
_COMPILED = [
    (kind, re.compile(phrase, re.DOTALL), kept)
    for kind, phrases in _PHRASES.items()
    for phrase, kept in phrases.items()
]
_HEAD = re.compile(r"([A-Za-z][A-Za-z ]* Error): ")
_IN_SQL = re.compile(r"\n\nLINE \d+: [^\n]*\n *\^+\s*\Z")


_ours: set[str] = set()


class _Cut(str):
    """What redacted_message has returned."""


def mark_as_safe(error: CharthouseError) -> CharthouseError:
    """Marks an error of ours as free of patient data, before DuckDB wraps it in one of its own.

    Example:
        >>> ours = mark_as_safe(CharthouseError("x.csv: line 2: no number."))
        >>> redacted_message(duckdb.InvalidInputException(f"Invalid Input Error: failed: {ours}"))
        'x.csv: line 2: no number.'
    """
    _ours.add(str(error))
    return error


def redacted_message(error: BaseException) -> str:
    """The message of a DuckDB error, without any value.

    Example:
        >>> said = "Conversion Error: Could not convert string 'Mrs Smith' to INT32"
        >>> redacted_message(duckdb.ConversionException(said))
        'Conversion Error: text that is no INT32'
    """
    said = error.args[0] if error.args else ""
    if isinstance(said, _Cut) or isinstance(error, _WITHOUT_VALUES):
        return str(said)
    for line in _ours:
        if line in said:
            return line
    head = _HEAD.match(said)
    kind = head[1] if head and type(error) is not duckdb.Error else "DuckDB"
    rest = _IN_SQL.sub("", said[head.end() if head else 0 :]).strip()
    for of, phrase, kept in _COMPILED:
        if isinstance(error, of) and (found := phrase.fullmatch(rest)):
            slots = found.groupdict()
            where = f" (column {slots['column']})" if slots.get("column") else ""
            return f"{kind}: {kept.format_map(slots)}{where}"
    return f"{kind}: {REDACTED}"


@contextmanager
def redact_errors() -> Iterator[None]:
    """Within this context, errors of DuckDB are raised with a redacted message, class unchanged."""
    try:
        yield
    except duckdb.Error as error:
        error.args = (_Cut(redacted_message(error)),)
        raise
