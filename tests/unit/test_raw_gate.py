"""The gate for raw files: what is as declared comes in unchanged, all else is one line."""

import bz2
import codecs
import gzip
import hashlib
import io
import lzma
import math
import os
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from charthouse.core.duckdb_errors import redact_errors
from charthouse.core.errors import CharthouseError
from charthouse.core.project import RawColumn
from charthouse.core.warehouse import in_memory_database
from charthouse.data.raw import csv_blocks, csv_file
from charthouse.data.raw.reader import read_rows
from charthouse.data.raw.stream import RawStream
from fake_openai import SECRET

COLUMNS = [
    RawColumn("id", "INTEGER", optional=False),
    RawColumn("At", "TIMESTAMP", optional=False),
    RawColumn("number", "DOUBLE", optional=False),
    RawColumn("text", "VARCHAR", optional=False),
    RawColumn("extra", "INTEGER", optional=True),
]
HEADER = "id,other,at,number,text"
GOOD = "634,x,2150-01-31 08:05:00,98.6,calm"


DAY = [RawColumn("day", "DATE", optional=False)]


def read(path: Path, columns: Sequence[RawColumn] = COLUMNS) -> list[dict[str, Any]]:
    return [row for batch in read_rows(path, columns) for row in batch.to_pylist()]


def refusal(path: Path, columns: Sequence[RawColumn] = COLUMNS) -> str:
    with pytest.raises(CharthouseError) as caught:
        read(path, columns)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message and SECRET not in message
    return message.removeprefix(str(path))


def as_csv(path: Path, *lines: str, header: str = HEADER, end: str = "\n") -> Path:
    path.write_bytes(gzip.compress((end.join([header, *lines]) + end).encode()))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.csv.gz"


# What comes in


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        ("id", "634", 634),
        ("id", "-5", -5),
        ("id", "007", 7),
        ("id", "2147483647", 2**31 - 1),
        ("id", "", None),
        ("id", '""', None),
        ("id", '"634"', 634),
        ("at", "2150-01-31 08:05:00", datetime(2150, 1, 31, 8, 5)),
        ("at", "2150-01-31T08:05", datetime(2150, 1, 31, 8, 5)),
        ("at", "2150-01-31 08:05:00.250000", datetime(2150, 1, 31, 8, 5, 0, 250_000)),
        ("at", "2096-02-29 00:00:00", datetime(2096, 2, 29)),
        ("at", "", None),
        ("number", "98.6", 98.6),
        ("number", "1e3", 1000.0),
        ("number", "-.5", -0.5),
        ("number", "inf", float("inf")),
        ("number", "-2.5e-7", -2.5e-7),
        ("number", "0080556.875", 80556.875),
        ("number", "", None),
        ("text", "634", "634"),
        ("text", "2150-01-31 08:05:00+05:00", "2150-01-31 08:05:00+05:00"),
        ("text", '"a ""quote"", a comma\nand\r\na line"', 'a "quote", a comma\nand\r\na line'),
        ("text", "NA", "NA"),
        ("text", " blanks ", " blanks "),
        ("text", "naïve ½", "naïve ½"),
        ("text", "", None),
    ],
)  # fmt: skip
def test_a_value_of_its_type_comes_in_unchanged(
    file: Path, column: str, text: str, value: object
) -> None:
    fields = dict(zip(HEADER.split(","), GOOD.split(","), strict=True)) | {column: text}
    rows = read(as_csv(file, GOOD, ",".join(fields.values()), GOOD))
    assert [row[column] for row in rows] == [rows[0][column], value, rows[0][column]]
    assert rows[0] | {column: None} == rows[1] | {column: None}


def test_a_date_comes_in_unchanged(file: Path) -> None:
    as_csv(file, "2150-01-31", '""', "2096-02-29", '"0001-01-01"', "9999-12-31", header="day")
    days = [date(2150, 1, 31), None, date(2096, 2, 29), date(1, 1, 1), date(9999, 12, 31)]
    assert [row["day"] for row in read(file, DAY)] == days


def test_columns_are_found_by_name_and_an_optional_one_may_be_absent(file: Path) -> None:
    expected = {"id": 1, "at": datetime(2150, 1, 1, 8), "number": 2.0, "text": "x", "extra": None}
    assert read(as_csv(file, "x,2,1,2150-01-01 08:00:00", header="TEXT,Number,ID,at")) == [expected]
    line = "x,2,1,2150-01-01 08:00:00,5"
    with_extra = as_csv(file, line, header='\ufefftext,"number",id,at,extra', end="\r\n")
    assert read(with_extra) == [expected | {"extra": 5}]


def test_infinite_numbers_do_not_slow_the_others_down(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking at each record of a block would take 18 times as long."""
    seen = []
    monkeypatch.setattr(csv_file, "_look_at_records", lambda *given: seen.append(given))
    texts = ["inf", "-Infinity", "+INF", "nan", "-NaN", "98.6", ""]
    found = read(as_csv(file, *[GOOD.replace("98.6", text) for text in texts]))
    numbers = [row["number"] for row in found]
    assert not seen and numbers[:3] == [math.inf, -math.inf, math.inf]
    assert math.isnan(numbers[3]) and math.isnan(numbers[4]) and numbers[5:] == [98.6, None]


def test_a_number_that_is_too_large_is_found_among_infinite_ones(file: Path) -> None:
    numbers = ["inf", "nan", "98.6", "1e999", "-inf", "9" * 400]
    found = refusal(as_csv(file, *[GOOD.replace("98.6", number) for number in numbers]))
    assert found.startswith(", line 5, column number: a number that is too large; 2 faulty lines")


def test_blank_lines_and_a_last_line_without_an_end_are_no_fault(file: Path) -> None:
    file.write_bytes(gzip.compress(f"{HEADER}\n\n{GOOD}\n\n{GOOD}".encode()))
    assert len(read(file)) == 2
    plain = file.with_name("events.csv")
    plain.write_text(f"{HEADER}\n{GOOD}\n\n")
    assert len(read(plain)) == 1


def test_a_file_with_a_header_only_has_no_rows(file: Path) -> None:
    assert read(as_csv(file)) == []
    file.write_bytes(gzip.compress(HEADER.encode()))
    assert read(file) == []


def test_a_value_over_32_mb_comes_in_whole(file: Path) -> None:
    """DuckDB 2.0.1's own reader leaves such a row out, without a word."""
    large = "a line of a report, and more\n" * 1_500_000
    rows = read(as_csv(file, GOOD, f'1,x,2150-01-01 08:00:00,2,"{large}"', GOOD))
    assert [len(row["text"]) for row in rows] == [4, len(large), 4]


def test_whatever_the_size_of_the_pieces_the_rows_are_the_same(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quoted = [f'{n},"o\n{n}",2150-01-31 08:05:00,{n / 8},"' for n in range(50)]
    text = 'a ""b""\n, ""c""'
    lines = [f'{line}{text * (n % 4)}\n"' for n, line in enumerate(quoted)]
    lines[::3] = [GOOD.replace("calm", "\ufeffcalm")] * len(lines[::3])
    expected = read(as_csv(file, *lines))
    assert len(expected) == 50
    for size in (1, 7, 64, 250, 1000):
        monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", size)
        assert read(file) == expected
    plain = file.with_suffix("")
    plain.write_bytes(gzip.decompress(file.read_bytes()))
    assert read(plain) == expected


def test_several_gz_in_one_file_are_whole(file: Path) -> None:
    """As pigz and cat write them; zeros behind the last are tar's."""
    rows = "".join(f"{GOOD}\n" for _ in range(100_000))
    members = [gzip.compress(text.encode()) for text in (HEADER + "\n", rows, GOOD)]
    file.write_bytes(b"".join(members) + bytes(512))
    assert len(read(file)) == 100_001
    damaged = bytearray(b"".join(members))
    damaged[len(members[0]) + len(members[1]) - 6] ^= 1
    file.write_bytes(damaged)
    assert refusal(file) == " is damaged: its checksum is wrong. Fetch it again."


# What does not


WHOLE = "a number where a whole one belongs, in plain digits. Nothing is rounded"
NO_DATE = "a date or time that does not exist. Correct"
ZONE = "a time with a zone or offset. MIMIC's times have no zone: write them without one"


@pytest.mark.parametrize(
    ("column", "text", "line"),
    [
        ("id", "45.5", WHOLE),
        ("id", "634.0", WHOLE),
        ("id", "0.4", WHOLE),
        ("id", "1e3", WHOLE),
        ("id", "0x1F", WHOLE),
        ("id", "+5", WHOLE),
        ("id", SECRET, "text where a number belongs. Correct"),
        ("id", " 5", "text where a number belongs. Correct"),
        ("id", "1_000", "text where a number belongs. Correct"),
        ("id", "1٣", "text where a number belongs. Correct"),
        ("id", "2147483648", "a whole number that is too large. Correct"),
        ("id", "9" * 45, "a whole number that is too large. Correct"),
        ("id", "0" * 5000 + "9" * 11, "a whole number that is too large. Correct"),
        ("id", "-2147483649", "a whole number that is too large. Correct"),
        ("number", SECRET, "text where a number belongs. Correct"),
        ("number", '"1,5"', "text where a number belongs. Correct"),
        ("number", "0x1F", "text where a number belongs. Correct"),
        ("number", "1e400", "a number that is too large. Correct"),
        ("number", "9" * 400, "a number that is too large. Correct"),
        ("at", "2150-01-31 08:05:00+05:00", ZONE),
        ("at", "2150-01-31 08:05:00-0500", ZONE),
        ("at", "2150-01-31T08:05:00Z", ZONE),
        ("at", "2150-01-31 08:05:00 UTC", ZONE),
        ("at", "2150-01-31 08:05:00 EST", ZONE),
        ("at", "2150-01-31 08:05:00 America/New_York", ZONE),
        ("at", "2150-01-31", "a date where a date and a time belong. Write the time too"),
        ("at", "2150-01-31 08", "no date and time. Correct"),
        ("at", "2150-02-30 08:05:00", NO_DATE),
        ("at", "2150-01-31 24:05:00", NO_DATE),
        ("at", "0000-01-31 08:05:00", NO_DATE),
        ("at", "01/31/2150 08:05", "no date and time. Correct"),
        ("at", "5680000000", "no date and time. Correct"),
        ("at", SECRET, "no date and time. Correct"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_named_by_line_and_column(
    file: Path, column: str, text: str, line: str
) -> None:
    fields = dict(zip(HEADER.split(","), GOOD.split(","), strict=True)) | {column: text}
    as_csv(file, GOOD, GOOD, ",".join(fields.values()), GOOD)
    assert refusal(file).startswith(f", line 4, column {column}: {line}")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("2150-02-29", "a date that does not exist. Correct"),
        ("0000-01-31", "a date that does not exist. Correct"),
        ("2150-1-31", "no date. Write dates as 2150-01-31"),
        ("21500131", "no date. Write dates as 2150-01-31"),
        ("2150-01-31 08:05:00", "no date. Write dates as 2150-01-31"),
        ("12150-01-31", "no date. Write dates as 2150-01-31"),
        ("31/01/2150", "no date. Write dates as 2150-01-31"),
        ("54000", "no date. Write dates as 2150-01-31"),
        (SECRET, "no date. Write dates as 2150-01-31"),
    ],
)
def test_what_is_no_date_is_named_by_line(file: Path, text: str, line: str) -> None:
    as_csv(file, "2150-01-31", text, header="day")
    assert refusal(file, DAY).startswith(f", line 3, column day: {line}")


def test_the_line_is_that_of_an_editor_and_faulty_lines_are_counted(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quoted = '1,x,2150-01-31 08:05:00,2,"two\nlines"'
    as_csv(file, quoted, "", quoted, GOOD, GOOD.replace("98.6", "x"), GOOD.replace("98.6", "y"))
    line = ", line 8, column number: text where a number belongs"
    assert refusal(file).startswith(f"{line}; 2 faulty lines up to line 9. Correct")
    monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", 20)  # each of these lines in a block of its own
    assert refusal(file).startswith(f"{line}. Correct")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("634,x", "a row with too few fields"),
        (f"{GOOD},x", "a row with too many fields"),
        ("   ", "a row with too few fields"),
        (GOOD.replace("calm", 'ca"lm'), "a quote inside a value that is not quoted"),
        (GOOD.replace("calm", 'ca"l"m'), "a quote inside a value that is not quoted"),
        (GOOD.replace("calm", '"ca"lm'), "a quote inside a quoted value that is not doubled"),
        (GOOD.replace("calm", '"calm'), "a quote that is never closed"),
        (GOOD.replace("calm", "ca\rlm"), "a carriage return inside a line"),
        (f"634,x\r{GOOD}", "a carriage return inside a line"),
    ],
)  # fmt: skip
def test_a_row_that_is_not_that_of_a_csv_is_named_by_line(file: Path, text: str, line: str) -> None:
    as_csv(file, GOOD, text, GOOD)
    assert refusal(file) == f", line 3: {line}. Correct the file or fetch it again."


def test_a_quote_that_is_never_closed_does_not_fill_the_memory(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_blocks, "LARGEST_RECORD", 10_000)
    monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", 1000)
    longest = 0
    cut = csv_blocks._end_of_records

    def watched(data: bytes, quotes: Any) -> int:
        nonlocal longest
        longest = max(longest, len(data))
        return cut(data, quotes)

    monkeypatch.setattr(csv_blocks, "_end_of_records", watched)
    as_csv(file, GOOD, GOOD.replace("calm", '"calm'), *[GOOD] * 10_000)
    assert refusal(file).startswith(", line 3: a quote that is never closed, or ")
    assert longest <= 11_000
    as_csv(file, GOOD, GOOD.replace("calm", '"calm' + '""' * 20_000 + '"'))
    assert refusal(file).startswith(", line 3: a quote that is never closed, or ")


def test_text_that_is_not_utf8_is_named_by_line_and_column(file: Path) -> None:
    line = GOOD.encode().replace(b"calm", SECRET.encode() + b"\xe9")
    file.write_bytes(gzip.compress(f"{HEADER}\n{GOOD}\n".encode() + line + b"\n"))
    assert refusal(file).startswith(", line 3, column text: bytes that are not UTF-8. Write")


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("id,at,number,text,id", ": column id occurs 2 times. Keep one of them"),
        ("id,at,number,text,ID,other", ": column id occurs 2 times. Keep one of them"),
        (f"id,at,number,text,{SECRET},{SECRET}", ": a column occurs 2 times. Keep one of them"),
        (f"{SECRET},{SECRET}", ": column id is missing. Fetch the file again"),
    ],
)
def test_a_column_twice_is_refused(file: Path, header: str, line: str) -> None:
    """By its name only where that was declared: a first line may be missing."""
    as_csv(file, ",".join(["1"] * header.count(",")), header=header)
    assert refusal(file).startswith(line)


def test_a_missing_column_is_refused(file: Path) -> None:
    as_csv(file, "1,2,x", header="id,number,text")
    assert refusal(file).startswith(": column At is missing. Fetch the file again")


def zipped(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("events.csv", data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (zipped, " is a zip and no gz."),
        (lambda data: pa.compress(data, "zstd", asbytes=True), " is a zstd and no gz."),
        (bz2.compress, " is a bzip2 and no gz."),
        (lzma.compress, " is an xz and no gz."),
        (lambda data: data, " is plain text and no gz."),
        (lambda data: bytes(range(1, 32)), " is something else and no gz."),
        (lambda data: gzip.compress(data) + b"rubbish",
         " is damaged: other bytes follow the end of its gz. Fetch it again."),
        (lambda data: gzip.compress(data) + b"\n",
         " is damaged: other bytes follow the end of its gz. Fetch it again."),
        (lambda data: gzip.compress(data) + bytes(9) + b"A",
         " is damaged: other bytes follow the end of its gz. Fetch it again."),
        (lambda data: gzip.compress(data) + data * 99,
         " is damaged: other bytes follow the end of its gz. Fetch it again."),
        (lambda data: gzip.compress(data)[:-4], " is cut short. Fetch it again."),
        (lambda data: gzip.compress(data)[:-12], " is cut short. Fetch it again."),
        (lambda data: gzip.compress(data, mtime=0)[:-8] + bytes(8), " is damaged: its checksum is"),
        (lambda data: gzip.compress(gzip.compress(data)), " holds a gz and no csv. Fetch it again"),
        (lambda data: b"", " is empty, damaged or not readable by you: it has no first line."),
        (lambda data: gzip.compress(b""), " is empty, damaged or not readable by you: it has no"),
    ],
)  # fmt: skip
def test_a_gz_that_is_none_or_not_whole_is_refused(
    file: Path, made: Callable[[bytes], bytes], line: str
) -> None:
    file.write_bytes(made(f"{HEADER}\n{GOOD}\n{SECRET}".encode()))
    assert refusal(file).startswith(line)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"{HEADER}\n{GOOD}\n".replace(",", ";"), "has semicolons between its columns in place of"),
        ('"id";"at";"number";"text"\n1;;98,6;\n', "has semicolons between its columns in place of"),
        (HEADER.replace(",", "\t"), "has tabs between its columns in place of commas. Write it"),
        (HEADER.replace(",", "|"), "has bars between its columns in place of commas. Write it"),
        (f"\n{HEADER}\n{GOOD}\n", "has a blank first line, where the names of the columns belong."),
        (f"\ufeff \r\n{HEADER}\r\n", "has a blank first line, where the names of the columns"),
        ("\n", "has a blank first line, where the names of the columns belong. Take it away"),
        (f"{HEADER}\r{GOOD}\r", "has a first line that is none of a csv. Fetch it again."),
    ],
)  # fmt: skip
def test_a_first_line_that_is_no_header_is_called_what_it_is(
    file: Path, text: str, line: str
) -> None:
    file.write_bytes(gzip.compress(text.encode()))
    assert refusal(file).startswith(f" {line}")
    plain = file.with_suffix("")
    plain.write_text(text, newline="")
    assert refusal(plain).startswith(f" {line}")


def test_a_name_may_hold_another_separator(file: Path) -> None:
    assert len(read(as_csv(file, GOOD, header="id,a;b|c;d,at,number,text"))) == 1


@pytest.mark.parametrize("header", [f'{HEADER},o"o', f'{HEADER},"oo', f'{HEADER},"o"o'])
def test_a_quote_in_the_header_that_is_none_of_a_csv_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    """It would turn what is inside of quotes and what is not, and whole rows be taken for one."""
    monkeypatch.setattr(csv_blocks, "LARGEST_RECORD", 10_000)
    monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", 1000)
    for rows in (3, 1000):
        as_csv(file, *[f"{GOOD},x"] * rows, header=header)
        line = refusal(file)
        assert " has a first line that is none of a csv" in line or "line 1: a quote that" in line


def test_damage_that_is_met_while_a_row_is_looked_at_is_called_damage(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks are drawn ahead of the row that is refused, and the end may be among them."""

    def slowly(data: bytearray) -> csv_blocks.Block:
        time.sleep(0.02)
        return csv_blocks.inspect_block(data)

    monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", 20_000)
    monkeypatch.setattr(csv_file, "inspect_block", slowly)
    for blocks in range(1, 9):
        lines = [HEADER, GOOD.replace("98.6", "x"), *[GOOD] * (20_000 * blocks // len(GOOD))]
        file.write_bytes(gzip.compress("\n".join(lines).encode())[:-8] + bytes(8))
        assert refusal(file) == " is damaged: its checksum is wrong. Fetch it again."


def test_blocks_that_are_looked_at_at_once_do_not_share_the_limit_of_csv() -> None:
    long = csv_blocks.inspect_block(bytearray(b"1\n" + b"c" * 150_000 + b"\n"))
    short = csv_blocks.inspect_block(bytearray(b"1\n2\n"))
    begun, done = threading.Event(), threading.Event()

    def another() -> None:
        begun.set()
        for _ in csv_file._records(short):
            done.wait(10)

    records = csv_file._records(long)
    next(records)
    thread = threading.Thread(target=another)
    thread.start()
    begun.wait(10)
    time.sleep(0.05)
    try:
        assert [len(fields[0]) for _, fields in records] == [150_000]
    finally:
        done.set()
        thread.join()


def test_a_quote_that_damage_made_is_called_damage(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_blocks, "LARGEST_RECORD", 10_000)
    monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", 1000)
    as_csv(file, GOOD, GOOD.replace("calm", '"calm'), *[GOOD] * 10_000)
    file.write_bytes(file.read_bytes()[:-8] + bytes(8))
    assert refusal(file) == " is damaged: its checksum is wrong. Fetch it again."


def test_a_row_that_damage_made_is_called_damage(file: Path) -> None:
    """Its checksum is known only at the end, which then explains more than the row does."""
    text = f"{HEADER}\n{GOOD}\n" + f"{GOOD}\n" * 1000
    file.write_bytes(gzip.compress(text.replace("calm", "calm,", 1).encode()))
    assert refusal(file).startswith(", line 2: a row with too many fields")
    data = bytearray(file.read_bytes())
    data[-8] ^= 1
    file.write_bytes(data)
    assert refusal(file) == " is damaged: its checksum is wrong. Fetch it again."


@pytest.mark.parametrize(
    ("name", "data", "line"),
    [
        ("events.csv", gzip.compress(HEADER.encode(), mtime=0), " is a gz and no csv."),
        ("events.csv", HEADER.encode("utf-16"), " is UTF-16 text and no csv."),
        ("events.csv", HEADER.encode("utf-32"), " is UTF-32 text and no csv."),
        ("events.csv", codecs.BOM_UTF32_BE + HEADER.encode("utf-32-be"), " is UTF-32 text"),
        ("events.csv", HEADER.encode("utf-16-le"), " has NUL bytes in its first line, as UTF-16"),
        ("events.csv", HEADER.encode("utf-32-be"), " has NUL bytes in its first line, as UTF-16"),
        ("events.parquet", HEADER.encode(), " is plain text and no Parquet file."),
        ("events.parquet", gzip.compress(b"x", mtime=0), " is a gz and no Parquet file."),
        ("events.parquet", b"PAR1 and rubbish", " is cut, damaged or no Parquet file."),
    ],
)  # fmt: skip
def test_a_file_of_another_kind_than_its_ending_says_is_refused(
    tmp_path: Path, name: str, data: bytes, line: str
) -> None:
    (tmp_path / name).write_bytes(data)
    assert refusal(tmp_path / name).startswith(line)


# Parquet, by the same rules

AT = [datetime(2150, 1, 31, 8, 5), None]


def as_parquet(path: Path, **columns: Any) -> Path:
    good = {
        "id": pa.array([1, None], pa.int32()),
        "At": pa.array(AT, pa.timestamp("us")),
        "number": pa.array([98.6, None], pa.float64()),
        "text": pa.array(["calm", None], pa.string()),
    }
    pq.write_table(pa.table(good | columns), path)
    return path


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    return tmp_path / "events.parquet"


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"id": pa.array([1, None], pa.int64())},
        {"id": pa.array([1, None], pa.uint8())},
        {"id": pa.array([1.0, None], pa.float64())},
        {"id": pa.array([Decimal("1"), None], pa.decimal128(9, 0))},
        {"At": pa.array(AT, pa.timestamp("ms"))},
        {"At": pa.array(AT, pa.timestamp("ns"))},
        {"text": pa.array(["calm", None], pa.large_string())},
        {"text": pa.array(["calm", ""], pa.string())},
        {"text": pa.array(["calm", None], pa.string()).dictionary_encode()},
        {"extra": pa.array([None, None], pa.null())},
        {"other": pa.array([b"\xff", b""], pa.binary())},
    ],
)  # fmt: skip
def test_a_column_of_parquet_whose_values_are_of_the_type_comes_in(
    parquet: Path, columns: dict[str, pa.Array]
) -> None:
    none = {"id": None, "at": None, "number": None, "text": None, "extra": None}
    first = {"id": 1, "at": AT[0], "number": 98.6, "text": "calm", "extra": None}
    assert read(as_parquet(parquet, **columns)) == [first, none]


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        ({"id": pa.array(["1", "2"])}, ", column id: text where INTEGER belongs. Write the file"),
        ({"id": pa.array([True, None])}, ", column id: BOOLEAN where INTEGER belongs."),
        ({"id": pa.array([1.0, 45.5])}, ", row 2, column id: a number that is not whole. Correct"),
        ({"id": pa.array([1.0, float("nan")])}, ", row 2, column id: a number that is not whole."),
        ({"id": pa.array([1, 2**31])}, ", row 2, column id: a number that is no INTEGER."),
        ({"id": pa.array([1.0, 1e300])}, ", row 2, column id: a number that is no INTEGER."),
        ({"number": pa.array(["1", "2"])}, ", column number: text where DOUBLE belongs."),
        ({"At": pa.array([AT[0], None], pa.timestamp("us", "America/New_York"))},
         ", column At: times with a zone (America/New_York). MIMIC's times have no zone"),
        ({"At": pa.array([datetime(2150, 1, 1, tzinfo=UTC), None])}, ", column At: times with a"),
        ({"At": pa.array([date(2150, 1, 1), None])}, ", column At: DATE where TIMESTAMP belongs."),
        ({"At": pa.array(["2150-01-01 08:00:00", None])}, ", column At: text where TIMESTAMP"),
        ({"At": pa.array([1, 2], pa.int64())}, ", column At: INTEGER where TIMESTAMP belongs."),
        ({"At": pa.array([1, 2], pa.int64()).cast(pa.timestamp("ns"))},
         ", row 1, column At: a time finer than a microsecond"),
        ({"text": pa.array([634, 2])}, ", column text: INTEGER where VARCHAR belongs. Write"),
        ({"text": pa.array([b"x", b"y"])}, ", column text: BLOB where VARCHAR belongs."),
        ({"text": pa.array([["x"], ["y"]])}, ", column text: LIST"),
        ({"text": pa.array([1, 1]).dictionary_encode()}, ", column text: INTEGER where VARCHAR"),
        ({"ID": pa.array([1, 2])}, ": column id occurs 2 times."),
        ({"id": pa.array([1.0, float("inf")])}, ", row 2, column id: a number that is not whole."),
        ({"id": pa.array([Decimal("1.5"), None])}, ", row 1, column id: a number that is not who"),
        ({"At": pa.array([0, 2**63 - 1], pa.int64()).cast(pa.timestamp("us"))},
         ", row 2, column At: a time finer than a microsecond, or of no year from 1 to 9999."),
        ({"At": pa.array([0, -(2**56)], pa.int64()).cast(pa.timestamp("us"))},
         ", row 2, column At: a time finer than a microsecond, or of no year from 1 to 9999."),
        ({"At": pa.array([datetime(2150, 1, 1), None], pa.timestamp("us", f"{SECRET}\n"))},
         ", column At: times with a zone. MIMIC's"),
        ({"text": pa.array([{f"{SECRET}\n": 1}, None])}, ", column text: STRUCT where VARCHAR"),
    ],
)  # fmt: skip
def test_a_column_of_parquet_of_another_type_is_refused(
    parquet: Path, columns: dict[str, pa.Array], line: str
) -> None:
    assert refusal(as_parquet(parquet, **columns)).startswith(line)


def test_dates_of_parquet(parquet: Path) -> None:
    days = [date(2150, 1, 31), None]
    for kind in (pa.date32(), pa.date64()):
        pq.write_table(pa.table({"day": pa.array(days, kind)}), parquet)
        assert [row["day"] for row in read(parquet, DAY)] == days
    pq.write_table(pa.table({"day": pa.array(AT, pa.timestamp("us"))}), parquet)
    assert refusal(parquet, DAY).startswith(", column day: TIMESTAMP where DATE belongs. Write")
    pq.write_table(pa.table({"day": pa.array([0, 2**31 - 1], pa.date32())}), parquet)
    assert refusal(parquet, DAY).startswith(", row 2, column day: a date of no year from 1 to 9999")


def test_text_of_parquet_that_is_not_utf8_is_named_by_row(parquet: Path) -> None:
    values = pa.array([b"x", SECRET.encode() + b"\xff"])
    text = pa.Array.from_buffers(pa.string(), 2, values.buffers())
    line = ", row 2, column text: bytes that are not UTF-8. Correct"
    assert refusal(as_parquet(parquet, text=text)).startswith(line)


def test_old_times_of_parquet_are_refused(parquet: Path) -> None:
    """INT96 says nothing of its zone; Spark and pyarrow wrote instants of UTC in it."""
    at = pa.array([datetime(2150, 1, 1, 8, tzinfo=UTC)], pa.timestamp("us", "America/New_York"))
    table = pa.table({"id": [1], "at": at, "number": [1.0], "text": ["x"]})
    pq.write_table(table, parquet, use_deprecated_int96_timestamps=True)
    line = ", column at: times of the old type INT96, which are those of a zone. MIMIC's times"
    assert refusal(parquet).startswith(line)


def test_rows_of_parquet_that_its_footer_does_not_count_are_damage(parquet: Path) -> None:
    table = pa.table({
        "id": pa.array(range(40), pa.int32()), "at": pa.array([AT[0]] * 40, pa.timestamp("us")),
        "number": [1.5] * 40, "text": ["x"] * 40,
    })  # fmt: skip
    pq.write_table(table, parquet, row_group_size=10, write_page_checksum=True)
    data = parquet.read_bytes()
    expected = read(parquet)
    for position in range(len(data)):
        parquet.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        try:
            rows = read(parquet)
        except CharthouseError as error:
            assert "\n" not in str(error) and "disk" not in str(error)
        else:
            assert len(rows) == len(expected)


def test_a_file_that_changes_while_it_is_read_is_refused(file: Path) -> None:
    as_csv(file, *[GOOD] * 300_000)
    rows = read_rows(file, COLUMNS)
    next(rows)
    as_csv(file.with_name("other"), GOOD).replace(file)
    with pytest.raises(CharthouseError, match="was changed while it was read"):
        list(rows)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "events.csv")
    (tmp_path / "events.csv.gz").mkdir()
    for name in ("events.csv", "events.csv.gz", "gone.csv"):
        assert refusal(tmp_path / name) == " is missing, or no file. Correct its folder."


def test_a_block_that_was_looked_at_row_by_row_leaves_the_next_file_readable(file: Path) -> None:
    """csv's largest field is one for the whole process."""
    assert read(as_csv(file, "1,x,,nan,", header=HEADER))
    assert len(read(as_csv(file, GOOD.replace("calm", "c" * 200_000)))) == 1


def test_an_empty_row_group_does_not_make_the_others_be_read_row_by_row(parquet: Path) -> None:
    table = pa.table({"id": pa.array(range(5000), pa.int32())})
    with pq.ParquetWriter(parquet, table.schema) as writer:
        for part in (table, table.slice(0, 0), table):
            writer.write_table(part)
    found = list(read_rows(parquet, [RawColumn("id", "INTEGER", optional=False)]))
    assert [batch.num_rows for batch in found] == [5000, 5000]


def test_damage_in_the_middle_of_a_parquet_file_is_refused(parquet: Path) -> None:
    """Pages have a checksum where the writer gave them one."""
    n = 100_000
    table = pa.table({
        "id": pa.array(range(n), pa.int32()), "at": pa.array([AT[0]] * n, pa.timestamp("us")),
        "number": pa.array([float(i) for i in range(n)]), "text": ["calm"] * n,
    })  # fmt: skip
    pq.write_table(table, parquet, use_dictionary=False, write_page_checksum=True)
    data = bytearray(parquet.read_bytes())
    data[len(data) // 2] ^= 4
    parquet.write_bytes(data)
    assert refusal(parquet) == " is cut, damaged or no Parquet file. Write or fetch it again."


# As a table of DuckDB


@pytest.fixture
def database() -> Iterator[Any]:
    with in_memory_database() as opened:
        yield opened


def registered(database: Any, path: Path | None) -> RawStream:
    made = RawStream(COLUMNS, lambda: path)
    database.register("raw", made)
    return made


def test_long_texts_of_a_parquet_file_are_read_a_few_at_a_time(parquet: Path) -> None:
    texts = [f"{n}{'x' * 1_000_000}" for n in range(64)]
    ids, times = pa.array(range(64), pa.int32()), pa.nulls(64, pa.timestamp("us"))
    numbers = pa.nulls(64, pa.float64())
    as_parquet(parquet, id=ids, At=times, number=numbers, text=pa.array(texts))
    batches = list(read_rows(parquet, COLUMNS))
    assert max(batch.nbytes for batch in batches) < 32 << 20
    assert [text for batch in batches for text in batch["text"].to_pylist()] == texts


def test_what_duckdb_reads_are_all_rows_and_only_a_whole_scan_counts(
    file: Path, database: Any
) -> None:
    made = registered(database, as_csv(file, *[GOOD] * 300_000))
    for _ in range(2):  # each scan opens the file anew
        assert database.execute("select count(*), sum(id) from raw").fetchall() == [
            (300_000, 634 * 300_000)
        ]
        assert made.sha256() is not None
    database.execute("select * from raw limit 1").fetchall()
    assert made.sha256() is None

    as_csv(file, *[GOOD] * 300_000, GOOD.replace("634", "634.5"))
    with pytest.raises(duckdb.Error) as caught, redact_errors():
        database.execute("select count(*) from raw").fetchall()
    assert str(caught.value).startswith(f"{file}, line 300002, column id: a number where a whole")
    assert "\n" not in str(caught.value) and "634" not in str(caught.value)
    assert made.sha256() is None


@pytest.mark.parametrize("name", ["events.csv.gz", "events.csv", "events.parquet"])
def test_the_sum_is_that_of_the_bytes_that_were_read(
    tmp_path: Path, database: Any, name: str
) -> None:
    path = tmp_path / name
    if path.suffix == ".parquet":
        as_parquet(path)
    else:
        text = f"{HEADER}\n{GOOD}\n".encode()
        several = gzip.compress(text) + gzip.compress(f"{GOOD}\n".encode()) + bytes(100)
        path.write_bytes(several if path.suffix == ".gz" else text)
    made = registered(database, path)
    assert made.sha256() is None
    rows = database.execute("select * from raw").fetchall()
    assert len(rows) == 2 or path.suffix != ".gz"
    assert made.sha256() == hashlib.sha256(path.read_bytes()).hexdigest()


def test_no_file_is_no_rows(database: Any) -> None:
    made = registered(database, None)
    assert database.execute("select count(*) from raw").fetchall() == [(0,)]
    assert made.sha256() is None
