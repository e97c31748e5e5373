"""A raw csv, plain or gz, as typed columns: read once, strictly, in constant memory.

Arrow parses each block. Where Arrow may have read something other than what is meant, each row is
checked (see column_types.py). A fault is named by line and column, never by its content.
"""

import codecs
import csv
import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv

from charthouse.core.errors import CharthouseError
from charthouse.core.prefetch import prefetch, prefetch_map
from charthouse.data.raw.column_types import CORRECT, ColumnType
from charthouse.data.raw.csv_blocks import LARGEST_RECORD, Block, inspect_block, split_records
from charthouse.data.raw.file_bytes import Hasher, detect_kind, open_text

LARGEST_HEADER = 1 << 20
_LIMITED = threading.Lock()  # csv's limit on a field is of the whole process
_TOO_LARGE = f": a quote that is never closed, or {LARGEST_RECORD >> 20} MB in one row"
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
ARROW_BLOCK_BYTES = 2 << 20  # what Arrow parses at a time


class CsvFile:
    """An open .csv or .csv.gz."""

    def __init__(self, path: Path, digest: Hasher) -> None:
        """Reads the first line. The digest receives the file's bytes as they are read.

        Raises:
            CharthouseError: The file cannot be read, or its first line is not that of a csv.
        """
        self._path = path
        self._blocks = _blocks(path, digest)
        first = next(self._blocks, bytearray())
        if first is None:
            raise _Refused(0, _TOO_LARGE).at(path, 1)
        line, _, self._first = first.partition(b"\n")
        self.header = _names_in(path, line) if first else []

    def batches(self, wanted: Mapping[str, ColumnType]) -> Iterator[pa.RecordBatch]:
        """The rows, in the file's order; can be called once.

        Args:
            wanted: Columns, as the header names them, with their declared types.

        Raises:
            CharthouseError: The file is damaged, or a value is not of its type; names line and
                column.
        """
        body = itertools.chain([self._first] if self._first else [], self._blocks)
        line = 2
        with closing(prefetch(body, 2)) as blocks:
            read = prefetch_map(lambda block: _typed(block, self.header, wanted), blocks, 2, 3)
            try:
                for table, lines in read:
                    yield from table.to_batches()
                    line += lines
            except _Refused as refused:
                for _ in blocks:  # damage is known at the end of a gz, and explains more
                    pass
                raise refused.at(self._path, line) from None


def _names_in(path: Path, line: bytearray) -> list[str]:
    """Names of the columns, in order, of a first line; refuses one that is none of a csv."""
    text = line.decode("utf-8-sig", errors="replace").strip()
    others = [name for sign, name in _SEPARATORS.items() if text.count(sign) > text.count(",")]
    fault, mend = "has a first line that is none of a csv", "Fetch it again."
    if found := detect_kind(line):
        fault, mend = f"holds {found} and no csv", "Fetch it again, or write it as csv in UTF-8."
    elif b"\0" in line:
        fault = "has NUL bytes in its first line, as UTF-16 and UTF-32 text has"
        mend = "Write it again as UTF-8, or fetch it again."
    elif not text:
        fault = "has a blank first line, where the names of the columns belong"
        mend = "Take it away, or fetch the file again."
    elif others:
        fault = f"has {others[0]} between its columns in place of commas"
        mend = "Write it again with commas, or fetch it again."
    elif (
        len(line) <= LARGEST_HEADER and not inspect_block(line.removeprefix(codecs.BOM_UTF8)).fault
    ):
        with suppress(csv.Error):
            return [name.strip() for name in next(csv.reader([text], strict=True))]
    raise CharthouseError(f"{path} {fault}. {mend}")


def _blocks(path: Path, digest: Hasher) -> Iterator[bytearray | None]:
    with open_text(path, digest) as file:
        yield from split_records(file)


@dataclass
class _Refused(Exception):
    """What a block holds that was not declared; its lines are counted from the block's first, 0."""

    line: int
    what: str
    mend: str = CORRECT
    faulty: int = 1  # lines
    last: int = 0  # line of the block

    def at(self, path: Path, first_line: int) -> CharthouseError:
        """The error for the user, of a block that begins with that line of the file."""
        many = f"; {self.faulty} faulty lines up to line {first_line + self.last}"
        where = f"{path}, line {first_line + self.line}{self.what}{many if self.faulty > 1 else ''}"
        return CharthouseError(f"{where}. {self.mend}")


def _typed(
    data: bytearray | None, header: Sequence[str], wanted: Mapping[str, ColumnType]
) -> tuple[pa.Table, int]:
    """The columns of whole records, and how many lines they have; None is a record given up.

    Raises:
        _Refused: a row is none of a csv, or a value is not of its type.
    """
    if data is None:
        raise _Refused(0, _TOO_LARGE)
    block = inspect_block(data)
    if block.fault:
        position, what = block.fault
        raise _Refused(data.count(b"\n", 0, position), f": {what}")
    table, is_certain = _converted(block, header, wanted)
    if not is_certain:
        records = _look_at_records(block, header, wanted)
        if table is None or table.num_rows != records:
            raise _Refused(0, " and what follows: this cannot be read as csv")
    return table, block.lines


def _converted(
    block: Block, header: Sequence[str], wanted: Mapping[str, ColumnType]
) -> tuple[pa.Table | None, bool]:
    """The block's columns, if Arrow can read them; and whether they are what is meant."""
    try:
        texts = _parsed(block, header, list(wanted))
        certain, columns = True, {}
        for name, kind in wanted.items():
            made = [chunk.cast(kind.arrow) for chunk in texts[name].chunks]
            certain &= all(map(kind.is_exact, texts[name].chunks, made))
            columns[name] = pa.chunked_array(made, kind.arrow)
        table = pa.table(columns)
    except pa.ArrowInvalid:
        return None, False
    return table, certain and table.num_rows == block.records


def _parsed(block: Block, header: Sequence[str], names: Sequence[str]) -> pa.Table:
    """The block's columns as texts, empty ones null; whether they are UTF-8 is not looked at."""
    # Arrow takes a byte order mark off a block's first line; behind a blank line it is text
    data = b"\n" + block.data if block.data.startswith(codecs.BOM_UTF8) else block.data
    for block_size in (ARROW_BLOCK_BYTES, len(data)):
        try:
            return arrow_csv.read_csv(
                pa.py_buffer(data),
                arrow_csv.ReadOptions(
                    column_names=header, block_size=block_size, use_threads=False
                ),
                arrow_csv.ParseOptions(newlines_in_values=block.has_quotes),
                arrow_csv.ConvertOptions(
                    include_columns=names,
                    column_types=dict.fromkeys(names, pa.string()),
                    strings_can_be_null=True,
                    null_values=[""],
                    check_utf8=False,
                ),
            )
        except pa.ArrowInvalid as error:
            if "straddl" not in str(error):  # a record that is larger than Arrow's own blocks
                raise
    raise AssertionError("one block straddles nothing")


def _look_at_records(block: Block, header: Sequence[str], wanted: Mapping[str, ColumnType]) -> int:
    """How many records the block has.

    Raises:
        _Refused: names the first that is not as declared, and how many there are.
    """
    count, first, faulty_lines = 0, None, set()
    kinds = [(header.index(name), name, kind) for name, kind in wanted.items()]
    for line, fields in _records(block):
        count += 1
        for where, what, mend in _faults_of(fields, len(header), kinds):
            first = first or (line, f"{where}: {what}", mend)
            faulty_lines.add(line)
    if first:
        last = block.data.rstrip(b"\n").count(b"\n")
        raise _Refused(*first, faulty=len(faulty_lines), last=last)
    return count


def _records(block: Block) -> Iterator[tuple[int, list[bytes]]]:
    """Each record's first line, from 0, and its fields."""
    # latin-1 takes each byte for a letter and gives it back
    lines = (f"{line}\n" for line in block.data.decode("latin-1").split("\n"))
    reader = csv.reader(lines, strict=True)
    line = 0
    with _LIMITED:
        usual = csv.field_size_limit(len(block.data) + 1)
        try:
            for fields in reader:
                if fields:  # none: a blank line
                    yield line, [field.encode("latin-1") for field in fields]
                line = reader.line_num
        finally:
            csv.field_size_limit(usual)


def _faults_of(
    fields: Sequence[bytes], width: int, kinds: Sequence[tuple[int, str, ColumnType]]
) -> Iterator[tuple[str, str, str]]:
    """Where in a record (its column), what is wrong there, and how to mend it."""
    if len(fields) != width:
        few_or_many = "few" if len(fields) < width else "many"
        yield "", f"a row with too {few_or_many} fields", CORRECT
        return
    for position, name, kind in kinds:
        if fields[position] and (fault := kind.fault(fields[position])):
            yield f", column {name}", fault.what, fault.mend
