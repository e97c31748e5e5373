"""A raw csv, plain or gz, as typed columns: read once, strictly, in memory that does not grow.

Arrow parses each block; whatever it may have read otherwise than it is meant is then looked for row
by row (charthouse.raw.column_types says why), and named by line and column, never by its content.
"""

import csv
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv

from charthouse.ahead import ahead
from charthouse.errors import CharthouseError
from charthouse.raw.column_types import CORRECT, ColumnType
from charthouse.raw.csv_blocks import LARGEST_RECORD, Block, blocks
from charthouse.raw.damage import contents

ARROW_BLOCK_BYTES = 1 << 20  # what one of Arrow's threads parses at a time


def csv_header(path: Path) -> list[str]:
    """Names of the columns of a .csv or .csv.gz, in order; none where there is no first line.

    Raises:
        CharthouseError: the file cannot be read.
    """
    first = _first_line(contents(path))[0]
    line = first.decode("utf-8-sig", errors="replace").strip()
    try:
        names = next(csv.reader([line], strict=True)) if line else []
    except csv.Error:
        names = ["\0"]
    if "\0" in "".join(names):
        raise CharthouseError(f"{path} has a first line that is none of a csv. Fetch it again.")
    return [name.strip() for name in names]


def _first_line(pieces: Iterator[bytes]) -> tuple[bytes, bytes]:
    """The first line without its end, and what of the pieces was taken besides."""
    taken = b""
    for piece in pieces:
        taken += piece
        if b"\n" in piece or len(taken) > LARGEST_RECORD:
            break
    line, _, rest = taken.partition(b"\n")
    return line, rest


def csv_batches(
    path: Path, header: Sequence[str], wanted: Mapping[str, ColumnType]
) -> Iterator[pa.RecordBatch]:
    """The rows of a csv, in the file's order.

    Args:
        path: the file.
        header: as csv_header gives it; each name once.
        wanted: columns of the header, as they are called there, with the types that they are of.

    Raises:
        CharthouseError: the file is damaged, or a value is not of its type: line and column.
    """
    pieces = contents(path)
    _, rest = _first_line(pieces)
    body = itertools.chain([rest], pieces)
    read = ahead(lambda block: _typed(path, block, header, wanted), blocks(body, 2), 1, 1)
    try:
        for table in read:
            yield from table.to_batches()
    except CharthouseError:
        for _ in pieces:  # a gz that is damaged says so at its end, which explains more than a row
            pass
        raise


def _typed(
    path: Path, block: Block, header: Sequence[str], wanted: Mapping[str, ColumnType]
) -> pa.Table:
    if block.fault:
        position, what = block.fault
        line = block.first_line + block.data.count(b"\n", 0, position)
        raise CharthouseError(f"{path}, line {line}: {what}. {CORRECT}")
    table, is_certain = _converted(block, header, wanted)
    if not is_certain:
        records = _look_at_records(path, block, header, wanted)
        if table is None or table.num_rows != records:
            raise CharthouseError(
                f"{path}: what follows line {block.first_line} cannot be read as csv. {CORRECT}"
            )
    return table


def _converted(
    block: Block, header: Sequence[str], wanted: Mapping[str, ColumnType]
) -> tuple[pa.Table | None, bool]:
    """The block's columns, if Arrow can read them; and whether they are what is meant."""
    try:
        texts = _parsed(block, header, list(wanted))
        plain = all(
            kind.plain(chunk) for name, kind in wanted.items() for chunk in texts[name].chunks
        )
        table = pa.table({name: texts[name].cast(kind.arrow) for name, kind in wanted.items()})
        table.validate(full=True)  # that texts are UTF-8
    except pa.ArrowInvalid:
        return None, False
    return table, plain and table.num_rows == block.records


def _parsed(block: Block, header: Sequence[str], names: Sequence[str]) -> pa.Table:
    """The block's columns as texts, empty ones null; whether they are UTF-8 is not looked at."""
    for block_size in (ARROW_BLOCK_BYTES, len(block.data)):
        try:
            return arrow_csv.read_csv(
                pa.py_buffer(block.data),
                arrow_csv.ReadOptions(column_names=header, block_size=block_size),
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


def _look_at_records(
    path: Path, block: Block, header: Sequence[str], wanted: Mapping[str, ColumnType]
) -> int:
    """How many records the block has.

    Raises:
        CharthouseError: names the first that is not as declared, and how many there are.
    """
    count, first, rest, faulty_lines = 0, "", "", set()
    kinds = [(header.index(name), name, kind) for name, kind in wanted.items()]
    for line, fields in _records(block):
        count += 1
        for where, what, mend in _faults_of(fields, len(header), kinds):
            if not first:
                first, rest = f"{path}, line {line}{where}: {what}", f". {mend}"
            faulty_lines.add(line)
    if first:
        n, last_line = len(faulty_lines), block.first_line + block.data.count(b"\n") - 1
        many = f"; {n} faulty lines up to line {last_line}" if n > 1 else ""
        raise CharthouseError(first + many + rest)
    return count


def _records(block: Block) -> Iterator[tuple[int, list[bytes]]]:
    """Each record's first line, as the file counts them, and its fields."""
    csv.field_size_limit(len(block.data) + 1)
    # latin-1 takes each byte for a letter and gives it back
    lines = (f"{line}\n" for line in block.data.decode("latin-1").split("\n"))
    reader = csv.reader(lines, strict=True)
    line = block.first_line
    for fields in reader:
        if fields:  # none: a blank line
            yield line, [field.encode("latin-1") for field in fields]
        line = block.first_line + reader.line_num


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
