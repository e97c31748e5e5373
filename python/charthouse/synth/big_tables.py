"""Tables of many rows a stay: cut into chunks of stays, and written as ready-made text.

Every piece that a row can have is made once as text; a row is then a few references joined by
commas, and the joined Arrow buffer is the CSV itself. That is several times faster than formatting
columns.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from charthouse.synth.population import HOUR, Ints, Population

# Chunks are cut by hours of stay, not by rows, so that what is measured does not depend on how
# much filler is asked for. At the default rate this is about 400,000 rows of chartevents.
CHUNK_HOURS = 7700
LUT = 1 << 16  # draws by table: a 16-bit random number picks the entry


def cut_by_hours(seconds: Ints) -> Iterator[slice]:
    """Splits consecutive stays into chunks of about CHUNK_HOURS of charting each."""
    ends = np.cumsum(seconds // HOUR + 1)
    start = 0
    while start < len(seconds):
        done = ends[start - 1] if start else 0
        stop = max(int(np.searchsorted(ends, done + CHUNK_HOURS, side="right")), start + 1)
        yield slice(start, stop)
        start = stop


def joined(*pieces: pa.StringArray) -> pa.StringArray:
    """Pieces of the same rows, with a comma between."""
    return pc.binary_join_element_wise(*pieces, ",")


def join_pieces(*pieces: pa.StringArray) -> memoryview:
    """The CSV text of rows whose last piece ends in a newline: the data of one joined array."""
    rows = joined(*pieces)
    return memoryview(rows.buffers()[2])[: pc.sum(pc.binary_length(rows)).as_py()]


def csv_rows(*columns: pa.Array | pa.Scalar | str) -> memoryview:
    """The CSV text of rows by their columns; nulls are empty fields, a single text is all rows'.

    Texts that need quotes have them already.
    """
    pieces = []
    for column in columns:
        if isinstance(column, str):
            pieces.append(pa.scalar(column))
        else:
            pieces.append(column.cast(pa.string()).fill_null(""))
    return join_pieces(*pieces[:-1], pc.binary_join_element_wise(pieces[-1], "\n", ""))


def pick(texts: Sequence[str | None], place: Ints) -> pa.Array:
    """One of the texts for each row."""
    return pa.array(texts, pa.string()).take(pa.array(place))


def stay_text(population: Population, chosen: slice) -> list[str]:
    """Text 'subject,hadm,stay' of each stay."""
    stays = population.stays
    subject = population.patients.subject_id[stays.patient[chosen]]
    hadm = population.admissions.hadm_id[stays.admission[chosen]]
    ids = zip(subject, hadm, stays.stay_id[chosen], strict=True)
    return [",".join(map(str, three)) for three in ids]


def time_text(seconds: Ints) -> pa.StringArray:
    """Times as MIMIC has them, NO_TIME as an empty field."""
    times = pa.array(seconds.astype("datetime64[s]"))
    return times.cast(pa.string()).fill_null("")
