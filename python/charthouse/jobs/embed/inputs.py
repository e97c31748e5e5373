"""What encoders read: for each kind of content, SQL over the marts, and its hash for each stay.

The hashes say which stays must be encoded again; none depends on the order of rows or on the number
of threads. They are of values as DuckDB writes them: a version of it that writes a number otherwise
has all encoded again.
"""

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import numpy as np

from charthouse.core.errors import CharthouseError
from charthouse.core.warehouse import text_literal
from charthouse.data.xray_files import ROOT, files_below, stat_of
from charthouse.models.encoders.base import Context, Events, Image, Report
from charthouse.models.encoders.cxr_foundation import RELEASED_ROOT
from charthouse.models.encoders.vitals_summary import STATISTICS


class Reader(ABC):
    """One kind of content."""

    @abstractmethod
    def hashes(self, db: duckdb.DuckDBPyConnection, context: Context) -> dict[int, str]:
        """A hash of the content of each stay of the cohort that has any."""

    @abstractmethod
    def read(
        self, db: duckdb.DuckDBPyConnection, context: Context, stay_ids: Sequence[int]
    ) -> dict[int, Any]:
        """The content of those stays."""


class Tabular(Reader):
    """tuple[str | None, ...]: the values of Context.columns."""

    def hashes(self, db: duckdb.DuckDBPyConnection, context: Context) -> dict[int, str]:
        """See Reader.hashes."""
        columns = ", ".join(name for name, _ in context.columns)
        return _hashes_of_rows(db, columns, _rows(context))

    def read(
        self, db: duckdb.DuckDBPyConnection, context: Context, stay_ids: Sequence[int]
    ) -> dict[int, tuple[str | None, ...]]:
        """See Reader.read."""
        columns = ", ".join(f"cast({name} as varchar)" for name, _ in context.columns)
        rows = _of_stays(
            db, f"select stay_id, {columns} from {_rows(context)} where true", stay_ids
        )
        return {row[0]: tuple(row[1:]) for row in rows}


class Grid(Reader):
    """float32 [channels, bins]: the imputed grid of stays with at least one measurement."""

    def hashes(self, db: duckdb.DuckDBPyConnection, context: Context) -> dict[int, str]:
        """See Reader.hashes."""
        return _hashes_of_rows(
            db,
            "variable, hour, value",
            f"marts.{context.spec.modality.grid} where stay_id in (select stay_id from"
            " marts.stay_modalities where in_window"
            f" and modality = {text_literal(context.spec.modality.name)})",
        )

    def read(
        self, db: duckdb.DuckDBPyConnection, context: Context, stay_ids: Sequence[int]
    ) -> dict[int, np.ndarray]:
        """See Reader.read."""
        shape = (len(context.channels), context.bins)
        rows = _of_stays(
            db,
            "select stay_id, list(cast(value as float) order by variable, hour)"
            f" from marts.{context.spec.modality.grid} where true",
            stay_ids,
            "group by stay_id",
        )
        return {stay_id: np.array(values, np.float32).reshape(shape) for stay_id, values in rows}


class Charted(Reader):
    """Events: a time series as charted."""

    def hashes(self, db: duckdb.DuckDBPyConnection, context: Context) -> dict[int, str]:
        """See Reader.hashes."""
        return _hashes_of_rows(db, "variable, hours, value", _rows(context))

    def read(
        self, db: duckdb.DuckDBPyConnection, context: Context, stay_ids: Sequence[int]
    ) -> dict[int, Events]:
        """See Reader.read."""
        places = {name: place for place, name in enumerate(context.channels)}
        order = "order by hours, variable, value"
        rows = _of_stays(
            db,
            f"select stay_id, list(hours {order}), list(variable {order}), list(value {order})"
            f" from {_rows(context)} where true",
            stay_ids,
            "group by stay_id",
        )
        return {
            stay_id: Events(
                hours=np.array(hours, np.float32),
                variable=np.array([places[name] for name in variables], np.int16),
                value=np.array(values, np.float32),
            )
            for stay_id, hours, variables, values in rows
        }


class Summary(Charted):
    """float32 [channels x 7]: count, mean, sd, min, max, first, last; NaN where not measured."""

    def read(
        self, db: duckdb.DuckDBPyConnection, context: Context, stay_ids: Sequence[int]
    ) -> dict[int, Any]:
        """See Charted.read."""
        # of ordered lists: a plain avg() adds in the order of threads
        rows = _of_stays(
            db,
            "select stay_id, variable, len(v), list_avg(v), list_stddev_samp(v), list_min(v),"
            " list_max(v), v[1], v[-1] from ("
            "select stay_id, variable, list(value order by hours, value) as v"
            f" from {_rows(context)} where true",
            stay_ids,
            "group by stay_id, variable) as lists",
        )
        places = {name: place for place, name in enumerate(context.channels)}
        summaries: dict[int, np.ndarray] = {}
        for stay_id, variable, *statistics in rows:
            table = summaries.setdefault(
                stay_id, np.full((len(places), len(STATISTICS)), np.nan, np.float32)
            )
            table[places[variable]] = [np.nan if x is None else x for x in statistics]
        return {stay_id: table.ravel() for stay_id, table in summaries.items()}


class Texts(Reader):
    """tuple[Report, ...], in order of time."""

    def hashes(self, db: duckdb.DuckDBPyConnection, context: Context) -> dict[int, str]:
        """See Reader.hashes."""
        return _hashes_of_rows(db, "note_id, hours, text", _rows(context))

    def read(
        self, db: duckdb.DuckDBPyConnection, context: Context, stay_ids: Sequence[int]
    ) -> dict[int, tuple[Report, ...]]:
        """See Reader.read."""
        rows = _of_stays(
            db,
            "select stay_id, list(struct_pack(note_id := note_id, hours := hours, text := text)"
            f" order by hours, note_id) from {_rows(context)} where true",
            stay_ids,
            "group by stay_id",
        )
        return {stay_id: tuple(Report(**report) for report in reports) for stay_id, reports in rows}


class Images(Reader):
    """tuple[Image, ...], in order of time."""

    root: ClassVar[str] = ROOT

    def hashes(self, db: duckdb.DuckDBPyConnection, context: Context) -> dict[int, str]:
        """Of names, sizes and times of last change: reading every picture would take hours."""
        found = db.execute(
            "select stay_id, list(struct_pack(dicom_id := dicom_id, path := path)"
            f" order by dicom_id) from {_rows(context)} group by stay_id"
        ).fetchall()
        if not found:
            return {}
        place = self._places()
        with ThreadPoolExecutor(16) as pool:  # the files may be on a slow share
            stats = list(
                pool.map(
                    lambda row: [
                        (image["dicom_id"], stat_of(place(image["path"]))) for image in row[1]
                    ],
                    found,
                )
            )
        if not any(stat for of_stay in stats for _, stat in of_stay):
            # else every vector would be thrown away because a disk is not mounted
            raise CharthouseError(
                f"None of the {sum(map(len, stats))} files of {_rows(context)} is below"
                f" {os.environ[self.root]}. Mount the disk, or correct {self.root}."
            )
        return {
            row[0]: hashlib.md5(repr(stat).encode(), usedforsecurity=False).hexdigest()
            for row, stat in zip(found, stats, strict=True)
        }

    def read(
        self, db: duckdb.DuckDBPyConnection, context: Context, stay_ids: Sequence[int]
    ) -> dict[int, tuple[Image, ...]]:
        """See Reader.read."""
        place = self._places()
        rows = _of_stays(
            db,
            "select stay_id, list(struct_pack(dicom_id := dicom_id, path := path)"
            f" order by hours, dicom_id) from {_rows(context)} where true",
            stay_ids,
            "group by stay_id",
        )
        return {
            stay_id: tuple(Image(image["dicom_id"], place(image["path"])) for image in images)
            for stay_id, images in rows
        }

    def _places(self) -> Callable[[str], Path | None]:
        return files_below(self.root)


class ReleasedImages(Images):
    """The same, with the path of the vector that PhysioNet released in place of the JPG's."""

    root = RELEASED_ROOT

    def _places(self) -> Callable[[str], Path | None]:
        place = super()._places()
        return lambda path: place(str(Path(path).with_suffix(".tfrecord")))


READERS: dict[str, Reader] = {
    "tabular": Tabular(),
    "grid": Grid(),
    "summary": Summary(),
    "events": Charted(),
    "images": Images(),
    "released_images": ReleasedImages(),
    "texts": Texts(),
}
"""By Encoder.reads."""


def _rows(context: Context) -> str:
    return f"marts.{context.spec.modality.rows}"


def _pairs(db: duckdb.DuckDBPyConnection, query: str) -> dict[int, Any]:
    return dict(db.execute(query).fetchall())


def _hashes_of_rows(db: duckdb.DuckDBPyConnection, columns: str, table: str) -> dict[int, str]:
    """Sums a hash of each row: the order does not count, memory stays flat, twice is not once.

    A missing value is not an empty text: encoders tell them apart.
    """
    texts = ", ".join(
        f"coalesce(cast({column.strip()} as varchar), chr(30))" for column in columns.split(",")
    )
    row_hash = f"cast(md5_number_lower(concat_ws(chr(31), {texts})) as hugeint)"
    content_hash = f"md5(concat(count(*), ':', sum({row_hash})))"
    return _pairs(db, f"select stay_id, {content_hash} from {table} group by stay_id")


def _of_stays(
    db: duckdb.DuckDBPyConnection, query: str, stay_ids: Sequence[int], rest: str = ""
) -> list[tuple]:
    """Runs the query for some stays; the range lets DuckDB skip most of a table sorted by stay."""
    if not stay_ids:
        return []
    wanted = "and stay_id between ? and ? and stay_id in (select unnest(?))"
    return db.execute(
        f"{query} {wanted} {rest}", [min(stay_ids), max(stay_ids), list(stay_ids)]
    ).fetchall()
