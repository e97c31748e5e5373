"""What a declared type admits, the same for csv and for Parquet: that type exactly, or nothing.

Text becomes a type in two steps. Arrow converts a whole column at once; it is strict but for the
few forms that `plain` looks for (a number in hexadecimal digits, a date where a time belongs, a
number so large that it becomes infinite). Where a column is not plain, or does not convert, its
rows are looked at one by one with `fault`, the definition, which says what is wrong.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.types as kinds

CORRECT = "Correct the file or fetch it again."
NO_ZONE = (
    "MIMIC's times have no zone: write them without one, as the hospital's clock showed them"
    " (pandas: .dt.tz_localize(None))."
)


@dataclass(frozen=True)
class Fault:
    """Why a value, or a column of Parquet, is not of its declared type; it never quotes a value."""

    what: str
    mend: str = CORRECT


@dataclass(frozen=True)
class ColumnType:
    """A type that _staging__sources.yml may declare."""

    name: str  # as SQL calls it
    arrow: pa.DataType
    plain: Callable[[pa.StringArray], bool]
    """Whether Arrow's conversion of these texts, where it succeeds, is exact."""
    fault: Callable[[bytes], Fault | None]
    """What is wrong with one text, which is not empty; None where nothing is."""
    column_fault: Callable[[pa.DataType], Fault | None]
    """What is wrong with a column of Parquet of this type; None where its values may be."""


# Arrow lets a value's bytes, and where each begins, be looked at as arrays of numbers.


def _bytes_of(texts: pa.StringArray) -> np.ndarray:
    _, offsets, data = texts.buffers()
    if data is None:
        return np.empty(0, np.uint8)
    bounds = np.frombuffer(offsets, np.int32)[[texts.offset, texts.offset + len(texts)]]
    return np.frombuffer(data, np.uint8)[bounds[0] : bounds[1]]


def _lengths(texts: pa.StringArray) -> np.ndarray:
    offsets = np.frombuffer(texts.buffers()[1], np.int32)
    return np.diff(offsets[texts.offset : texts.offset + len(texts) + 1])


def _only_digits(texts: pa.StringArray) -> bool:
    data = _bytes_of(texts)
    return not data.size or bool(data.min() >= ord("0") and data.max() <= ord("9"))


_WHOLE = re.compile(rb"-?\d+")
_DECIMAL = re.compile(rb"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_NOT_FINITE = re.compile(rb"[-+]?(inf|infinity|nan)", re.IGNORECASE)
_HEXADECIMAL = re.compile(rb"[-+]?0[xX][0-9a-fA-F]+")
_DATE = re.compile(rb"\d{4}-\d\d-\d\d")
_TIME = re.compile(rb"(\d{4}-\d\d-\d\d)[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?")
_ZONED = re.compile(
    rb"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?"
    rb"\s*(Z|[A-Z]{3,4}|[A-Z]\w+/\w+|[-+]\d\d:?(\d\d)?)",
    re.IGNORECASE,
)


def _whole_number_fault(largest: int) -> Callable[[bytes], Fault | None]:
    def fault(text: bytes) -> Fault | None:
        if _WHOLE.fullmatch(text):
            too_large = not -largest - 1 <= int(text[:4000]) <= largest
            return Fault("a whole number that is too large") if too_large else None
        if _DECIMAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
            return Fault(
                "a number where a whole one belongs, in plain digits",
                "Nothing is rounded: correct the file, or write it again with whole numbers.",
            )
        return Fault("text where a number belongs")

    return fault


def _number_fault(text: bytes) -> Fault | None:
    if _DECIMAL.fullmatch(text):
        return Fault("a number that is too large") if np.isinf(float(text)) else None
    return None if _NOT_FINITE.fullmatch(text) else Fault("text where a number belongs")


def _no_exponent(texts: pa.StringArray) -> bool:
    """Neither an exponent, nor inf, nor so many digits that they become infinite."""
    data = _bytes_of(texts)
    return not data.size or bool(data.max() <= ord("9") and _lengths(texts).max() < 300)


def _time_fault(text: bytes) -> Fault | None:
    if found := _TIME.fullmatch(text):
        try:
            datetime.fromisoformat(text.decode())
        except ValueError:
            return Fault("a date or time that does not exist")
        return None
    if _ZONED.fullmatch(text):
        return Fault("a time with a zone or offset", NO_ZONE)
    if found := _DATE.fullmatch(text):
        return Fault(
            "a date where a date and a time belong",
            "Write the time too (2150-01-31 08:05:00), or fetch the file again.",
        )
    return Fault("a date or time that does not exist" if found else "no date and time")


def _with_minutes(texts: pa.StringArray) -> bool:
    lengths = _lengths(texts)
    lengths = lengths[lengths > 0]
    return not lengths.size or bool(lengths.min() >= len("2150-01-31 08:05"))


def _text_fault(text: bytes) -> Fault | None:
    try:
        text.decode()
    except UnicodeDecodeError:
        return Fault(
            "bytes that are not UTF-8", "Write the file again as UTF-8, or fetch it again."
        )
    return None


def _found_where(found: str, belongs: str, mend: str) -> Fault:
    return Fault(f"{found} where {belongs} belongs", mend)


def _is_text(found: pa.DataType) -> bool:
    return kinds.is_string(found) or kinds.is_large_string(found) or kinds.is_string_view(found)


def _numbers(name: str) -> Callable[[pa.DataType], Fault | None]:
    def column_fault(found: pa.DataType) -> Fault | None:
        number = kinds.is_integer(found) or kinds.is_floating(found) or kinds.is_decimal(found)
        if number or kinds.is_null(found):
            return None
        return _found_where(_called(found), name, "Write the file again with that type.")

    return column_fault


def _times(found: pa.DataType) -> Fault | None:
    if kinds.is_timestamp(found) and found.tz is not None:
        return Fault(f"times with a zone ({found.tz})", NO_ZONE)
    if kinds.is_timestamp(found) or kinds.is_null(found):
        return None
    mend = "Write the file again with that type, without a zone."
    return _found_where(_called(found), "TIMESTAMP", mend)


def _texts(found: pa.DataType) -> Fault | None:
    if kinds.is_dictionary(found):
        return _texts(found.value_type)
    if _is_text(found) or kinds.is_null(found):
        return None
    return _found_where(_called(found), "VARCHAR", "Write the file again with that type.")


def _called(found: pa.DataType) -> str:
    """A type of Parquet as SQL calls it, where it has a name there."""
    if _is_text(found):
        return "text"
    if kinds.is_integer(found):
        return "INTEGER"
    if kinds.is_date(found):
        return "DATE"
    if kinds.is_binary(found) or kinds.is_large_binary(found) or kinds.is_fixed_size_binary(found):
        return "BLOB"
    names = {"double": "DOUBLE", "float": "FLOAT", "bool": "BOOLEAN"}
    return names.get(str(found), str(found).upper())


_INTEGER = ColumnType(
    "INTEGER", pa.int32(), _only_digits, _whole_number_fault(2**31 - 1), _numbers("INTEGER")
)
_BIGINT = ColumnType(
    "BIGINT", pa.int64(), _only_digits, _whole_number_fault(2**63 - 1), _numbers("BIGINT")
)
_DOUBLE = ColumnType("DOUBLE", pa.float64(), _no_exponent, _number_fault, _numbers("DOUBLE"))
_TIMESTAMP = ColumnType("TIMESTAMP", pa.timestamp("us"), _with_minutes, _time_fault, _times)
_VARCHAR = ColumnType("VARCHAR", pa.string(), lambda texts: True, _text_fault, _texts)

COLUMN_TYPES = {kind.name: kind for kind in (_INTEGER, _BIGINT, _DOUBLE, _TIMESTAMP, _VARCHAR)}
