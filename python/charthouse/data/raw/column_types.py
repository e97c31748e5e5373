"""What a declared type accepts, the same for csv and Parquet: exactly that type, or nothing.

Text is converted in two steps. Arrow converts a whole column at once. Arrow is strict except for a
few forms that `is_exact` looks for (a number in hexadecimal digits, a date where a time belongs, a
number so large that it becomes infinite). Where the conversion is not exact or fails, each value is
checked with `fault`, the definition of the type, which says what is wrong.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as compute
import pyarrow.types as kinds

CORRECT = "Correct the file or fetch it again."
NO_ZONE = (
    "MIMIC's times have no zone: write them without one, as the hospital's clock showed them"
    " (pandas: .dt.tz_localize(None) keeps the clock that is shown; where that is another, as UTC"
    " is, .dt.tz_convert first)."
)


@dataclass(frozen=True)
class Fault:
    """Why a value, or a Parquet column, is not of its declared type. It never quotes a value."""

    what: str
    mend: str = CORRECT


@dataclass(frozen=True)
class ColumnType:
    """A type that _sources.yml may declare."""

    name: str  # as SQL calls it
    arrow: pa.DataType
    is_exact: Callable[[pa.StringArray, pa.Array], bool]
    """Whether these texts are for certain what Arrow made of them; may raise pa.ArrowInvalid."""
    fault: Callable[[bytes], Fault | None]
    """What is wrong with one text, which is not empty; None where nothing is."""
    holds: Callable[[pa.DataType], bool]
    """Whether a column of Parquet of this type may have its values; each is looked at then."""

    def column_fault(self, found: pa.DataType) -> Fault | None:
        """What is wrong with a column of Parquet of that type; None where its values may be."""
        if self.name == "VARCHAR" and kinds.is_dictionary(found):
            return self.column_fault(found.value_type)
        if kinds.is_null(found) or self.holds(found):
            return None
        is_timestamp = self.name == "TIMESTAMP"
        if is_timestamp and kinds.is_timestamp(found):
            zone = f" ({found.tz})" if _ZONE.fullmatch(found.tz) else ""
            return Fault(f"times with a zone{zone}", NO_ZONE)
        without = ", without a zone" if is_timestamp else ""
        mend = f"Write the file again with that type{without}."
        return Fault(f"{_called(found)} where {self.name} belongs", mend)


# Arrow lets a value's bytes, and where each begins, be looked at as arrays of numbers.


def _bytes_of(texts: pa.StringArray) -> np.ndarray:
    _, offsets, data = texts.buffers()
    if data is None:
        return np.empty(0, np.uint8)
    bounds = np.frombuffer(offsets, np.int32)[[texts.offset, texts.offset + len(texts)]]
    return np.frombuffer(data, np.uint8)[bounds[0] : bounds[1]]


def _of_digits(texts: pa.StringArray, numbers: pa.Array) -> bool:
    data = _bytes_of(texts)  # between - and 9 stand . and / besides, which Arrow refuses
    return not data.size or bool(data.min() >= ord("-") and data.max() <= ord("9"))


# microseconds since 1970
_FIRST_MOMENT, _LAST_MOMENT = -62_135_596_800_000_000, 253_402_300_799_999_999
_DAY = 86_400_000_000

_LARGEST = 2**31 - 1  # of INTEGER
_WHOLE = re.compile(rb"-?\d+")
_DECIMAL = re.compile(rb"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_NOT_FINITE = re.compile(rb"[-+]?(inf|infinity|nan)", re.IGNORECASE)
_HEXADECIMAL = re.compile(rb"[-+]?0[xX][0-9a-fA-F]+")
_DATE = re.compile(rb"\d{4}-\d\d-\d\d")
_TIME = re.compile(rb"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?")
_ZONE = re.compile(r"[A-Za-z0-9_/+:-]{1,40}")
_ZONED = re.compile(
    rb"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?"
    rb"\s*(Z|[A-Z]{3,4}|[A-Z]\w+/\w+|[-+]\d\d:?(\d\d)?)",
    re.IGNORECASE,
)


def _whole_number_fault(text: bytes) -> Fault | None:
    if _WHOLE.fullmatch(text):
        is_negative, digits = text[:1] == b"-", text.lstrip(b"-").lstrip(b"0")
        too_large = len(digits) > 10 or int(digits or b"0") > _LARGEST + is_negative
        return Fault("a whole number that is too large") if too_large else None
    if _DECIMAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
        return Fault(
            "a number where a whole one belongs, in plain digits",
            "Nothing is rounded: correct the file, or write it again with whole numbers.",
        )
    return Fault("text where a number belongs")


def _number_fault(text: bytes) -> Fault | None:
    if _DECIMAL.fullmatch(text):
        return Fault("a number that is too large") if np.isinf(float(text)) else None
    return None if _NOT_FINITE.fullmatch(text) else Fault("text where a number belongs")


def _none_too_large(texts: pa.StringArray, numbers: pa.Array) -> bool:
    found = texts.filter(compute.invert(compute.is_finite(numbers)))
    # written so, and not a number of so many digits that it becomes infinite
    return all(map(_NOT_FINITE.fullmatch, found.cast(pa.binary()).unique().to_pylist()))


def _time_fault(text: bytes) -> Fault | None:
    if _TIME.fullmatch(text):
        try:
            datetime.fromisoformat(text.decode())
        except ValueError:
            return Fault("a date or time that does not exist")
        return None
    if _ZONED.fullmatch(text):
        return Fault("a time with a zone or offset", NO_ZONE)
    if _DATE.fullmatch(text):
        return Fault(
            "a date where a date and a time belong",
            "Write the time too (2150-01-31 08:05:00), or fetch the file again.",
        )
    return Fault("no date and time")


def _with_minutes(texts: pa.StringArray, times: pa.Array) -> bool:
    least = compute.min(compute.binary_length(texts)).as_py()  # of those that are not null
    return (least is None or least >= len("2150-01-31 08:05")) and within_years(times)


def _date_fault(text: bytes) -> Fault | None:
    if not _DATE.fullmatch(text):
        return Fault("no date", "Write dates as 2150-01-31, or fetch the file again.")
    try:
        date.fromisoformat(text.decode())
    except ValueError:
        return Fault("a date that does not exist")
    return None


def within_years(times: pa.Array) -> bool:
    """Whether all times are within the years 1 to 9999; Arrow and Parquet allow others too."""
    is_date = times.type == pa.date32()
    bounds = compute.min_max(times.cast(pa.int32() if is_date else pa.int64()))
    first, last = bounds["min"].as_py(), bounds["max"].as_py()
    unit = _DAY if is_date else 1
    return first is None or (first * unit >= _FIRST_MOMENT and last * unit <= _LAST_MOMENT)


def _is_date(texts: pa.StringArray, dates: pa.Array) -> bool:
    """Of what Arrow takes for a date only the year can be wrong."""
    return within_years(dates)


def _utf8(texts: pa.StringArray, same: pa.Array) -> bool:
    data = _bytes_of(texts)
    if data.size and data.max() > 127:  # Arrow looks at each value, which takes its time
        texts.validate(full=True)
    return True


def _text_fault(text: bytes) -> Fault | None:
    try:
        text.decode()
    except UnicodeDecodeError:
        return Fault(
            "bytes that are not UTF-8", "Write the file again as UTF-8, or fetch it again."
        )
    return None


def _is_text(found: pa.DataType) -> bool:
    return kinds.is_string(found) or kinds.is_large_string(found) or kinds.is_string_view(found)


def _is_number(found: pa.DataType) -> bool:
    return kinds.is_integer(found) or kinds.is_floating(found) or kinds.is_decimal(found)


def _is_time(found: pa.DataType) -> bool:
    return kinds.is_timestamp(found) and found.tz is None


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
    # of nested and extended types only the kind: their parts have names, which are data
    return names.get(str(found), re.split(r"\W", str(found), maxsplit=1)[0].upper()[:20])


COLUMN_TYPES = {
    kind.name: kind
    for kind in (
        ColumnType("INTEGER", pa.int32(), _of_digits, _whole_number_fault, _is_number),
        ColumnType("DOUBLE", pa.float64(), _none_too_large, _number_fault, _is_number),
        ColumnType("TIMESTAMP", pa.timestamp("us"), _with_minutes, _time_fault, _is_time),
        ColumnType(
            "DATE", pa.date32(), lambda _, dates: within_years(dates), _date_fault, kinds.is_date
        ),
        ColumnType("VARCHAR", pa.string(), _utf8, _text_fault, _is_text),
    )
}
