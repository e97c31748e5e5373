"""Splits a csv into blocks of whole records, strictly by RFC 4180, with its quotes checked."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedIOBase

import numpy as np

BLOCK_BYTES = 4 << 20  # small enough to stay in the processor's cache, large enough for Arrow

LARGEST_RECORD = 64 << 20
"""Bytes. What goes on for longer is taken for a quote that is never closed."""

_NEWLINE, _RETURN, _QUOTE, _COMMA = b"\n"[0], b"\r"[0], b'"'[0], b","[0]


@dataclass(frozen=True)
class Block:
    """Consecutive whole records of a csv, and what their bytes show before parsing."""

    data: bytearray
    lines: int  # line ends, those inside of quotes too
    has_quotes: bool
    records: int  # line ends outside of quotes, blank lines among them
    fault: tuple[int, str] | None
    """The first place where the quotes are not those of a csv: position in data, and what it is."""


def split_records(file: BufferedIOBase) -> Iterator[bytearray | None]:
    """Splits a csv between records.

    A block has about BLOCK_BYTES, or a single larger record, so memory is bounded by a few blocks.

    Yields:
        Blocks of whole records. A record of more than LARGEST_RECORD bytes is not read: None comes
        in its place, and nothing after it.
    """
    rest, is_end = bytearray(), False
    while not is_end:
        data = bytearray(len(rest) + BLOCK_BYTES)
        data[: len(rest)] = rest
        # straight into the block: of tens of gigabytes each copy takes seconds
        read = len(rest) + file.readinto(memoryview(data)[len(rest) :])
        is_end = read < len(data)
        del data[read:]
        end = read if is_end else _end_of_records(data, _positions(data, _QUOTE))
        if not end and read > LARGEST_RECORD:
            yield None
            while file.read(BLOCK_BYTES):  # to the end, where damage shows
                pass
            return
        rest = data[end:]
        del data[end:]
        if data:
            yield data


def _positions(data: bytearray, byte: int) -> np.ndarray:
    if data.find(byte) < 0:  # the fastest way to see it, and most blocks of numbers have none
        return np.empty(0, np.int64)
    return np.flatnonzero(np.frombuffer(data, np.uint8) == byte)


def _end_of_records(data: bytearray, quotes: np.ndarray) -> int:
    """Where the last whole record ends; 0 where none does."""
    end = data.rfind(b"\n") + 1
    while (before := int(np.searchsorted(quotes, end))) % 2:
        # that line end is inside quotes: take the one before them
        opening = before - 1
        while opening >= 2 and quotes[opening] == quotes[opening - 1] + 1:  # a doubled one
            opening -= 2
        end = data.rfind(b"\n", 0, int(quotes[opening])) + 1
    return end


def inspect_block(data: bytearray) -> Block:
    """Counts lines and records of a block, and finds the first fault of its quotes."""
    quotes = _positions(data, _QUOTE)
    if quotes.size:
        ends = _positions(data, _NEWLINE)
        lines = len(ends)
        records = int(np.count_nonzero(np.searchsorted(quotes, ends) % 2 == 0))
    else:
        lines = records = int(np.count_nonzero(np.frombuffer(data, np.uint8) == _NEWLINE))
    return Block(
        data=data,
        lines=lines,
        has_quotes=bool(quotes.size),
        records=records + (not data.endswith(b"\n")),
        fault=_fault(np.frombuffer(data, np.uint8), quotes, _positions(data, _RETURN)),
    )


def _fault(data: np.ndarray, quotes: np.ndarray, returns: np.ndarray) -> tuple[int, str] | None:
    """The first place where quotes, or a carriage return, are not those of a csv."""
    # opening, closing, opening ... where "" inside of quotes closes and opens again
    opening, closing = quotes[::2], quotes[1::2]
    before = data[np.maximum(opening - 1, 0)]
    begins = (opening == 0) | np.isin(before, (_COMMA, _NEWLINE, _RETURN, _QUOTE))
    after = data[np.minimum(closing + 1, len(data) - 1)]
    ends = (closing == len(data) - 1) | np.isin(after, (_COMMA, _NEWLINE, _RETURN, _QUOTE))
    # outside of quotes a carriage return belongs to a line end
    bare = data[np.minimum(returns + 1, len(data) - 1)] != _NEWLINE
    bare &= np.searchsorted(quotes, returns) % 2 == 0
    bare &= returns != len(data) - 1
    found = [
        (int(places[0]), what)
        for places, what in (
            (opening[~begins], "a quote inside a value that is not quoted"),
            (closing[~ends], "a quote inside a quoted value that is not doubled"),
            (quotes[-1:] if quotes.size % 2 else quotes[:0], "a quote that is never closed"),
            (returns[bare], "a carriage return inside a line"),
        )
        if places.size
    ]
    return min(found, default=None)
