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

from charthouse.core.data_kind import DataKind
from charthouse.core.errors import CharthouseError
from charthouse.core.warehouse import text_literal
from charthouse.data.ecg_files import ROOT as ECGS
from charthouse.data.ecg_files import files_of, record_check
from charthouse.data.xray_files import ROOT as XRAYS
from charthouse.data.xray_files import files_below, picture_check, stat_of
from charthouse.models.encoders.base import Code, Context, Ecg, Events, Image, Report
from charthouse.models.encoders.cxr_foundation import RELEASED_ROOT
from charthouse.models.encoders.summary import STATISTICS


class Reader(ABC):
    """One kind of content."""

    hashed: ClassVar[str] = ""
    """Columns that a stay's hash is of."""

    selected: ClassVar[str] = ""
    """Columns or aggregates that make one row of a stay."""

    def hashes(self, db: duckdb.DuckDBPyConnection, context: Context) -> dict[int, str]:
        """A hash of the content of each stay of the cohort that has any."""
        return _hashes_of_rows(db, self.hashed, _rows(context))

    def read(
        self, db: duckdb.DuckDBPyConnection, context: Context, stay_ids: Sequence[int]
    ) -> dict[int, Any]:
        """The content of those stays."""
        if not stay_ids:
            return {}
        # the range lets DuckDB skip most of a table sorted by stay
        found = db.execute(
            f"select stay_id, {self._selected(context)} from {self._table(context)}"
            " where stay_id between ? and ? and stay_id in (select unnest(?)) group by all",
            [min(stay_ids), max(stay_ids), list(stay_ids)],
        ).fetchall()
        content = self._content(context)
        return {stay_id: content(*values) for stay_id, *values in found}

    def _table(self, context: Context) -> str:
        return _rows(context)

    def _selected(self, context: Context) -> str:
        return self.selected

    @abstractmethod
    def _content(self, context: Context) -> Callable[..., Any]:
        """Makes the content of a stay from what was selected."""


class Tabular(Reader):
    """tuple[str | None, ...]: the values of Context.columns."""

    def hashes(self, db: duckdb.DuckDBPyConnection, context: Context) -> dict[int, str]:
        """See Reader.hashes."""
        return _hashes_of_rows(db, ", ".join(name for name, _ in context.columns), _rows(context))

    def _selected(self, context: Context) -> str:
        return ", ".join(f"cast({name} as varchar)" for name, _ in context.columns)

    def _content(self, context: Context) -> Callable[..., tuple[str | None, ...]]:
        return lambda *values: values


class Grid(Reader):
    """float32 [channels, bins]: the imputed grid of stays with at least one measurement."""

    selected = "list(cast(value as float) order by variable, hour)"

    def hashes(self, db: duckdb.DuckDBPyConnection, context: Context) -> dict[int, str]:
        """See Reader.hashes."""
        return _hashes_of_rows(
            db,
            "variable, hour, value",
            f"{_bins(context)} where stay_id in (select stay_id from"
            " marts.stay_modalities where in_window"
            f" and modality = {text_literal(context.spec.modality.name)})",
        )

    def _table(self, context: Context) -> str:
        return _bins(context)

    def _content(self, context: Context) -> Callable[..., np.ndarray]:
        shape = (len(context.channels), context.bins)
        return lambda values: np.array(values, np.float32).reshape(shape)


class Charted(Reader):
    """Events: a time series as charted."""

    hashed = "variable, hours, value"
    selected = ", ".join(
        f"list({column} order by hours, variable, value)"
        for column in ("hours", "variable", "value")
    )

    def _content(self, context: Context) -> Callable[..., Events]:
        places = {name: place for place, name in enumerate(context.channels)}
        return lambda hours, variables, values: Events(
            hours=np.array(hours, np.float32),
            variable=np.array([places[name] for name in variables], np.int16),
            value=np.array(values, np.float32),
        )


class Summary(Grid):
    """float32 [channels x 7]: count, mean, sd, min, max, first, last; NaN where not measured.

    Of what was charted; of a modality with `fill: zero`, of which a row lasts, of the bins of its
    grid, and count is that of the bins above 0.
    """

    def hashes(self, db: duckdb.DuckDBPyConnection, context: Context) -> dict[int, str]:
        """See Reader.hashes."""
        if context.spec.modality.fill:
            return super().hashes(db, context)
        return _hashes_of_rows(db, Charted.hashed, _rows(context))

    def _table(self, context: Context) -> str:
        lasts = context.spec.modality.fill
        table, order = (_bins(context), "hour") if lasts else (_rows(context), "hours")
        # of ordered lists: a plain avg() adds in the order of threads
        return (
            f"(select stay_id, variable, list(value order by {order}, value) as v"
            f" from {table} group by all)"
        )

    def _selected(self, context: Context) -> str:
        lasts = context.spec.modality.fill
        count = "len(list_filter(v, lambda x: x > 0))" if lasts else "len(v)"
        sd = "coalesce(list_stddev_samp(v), 0)" if lasts else "list_stddev_samp(v)"
        return (
            f"list((variable, [{count}, list_avg(v), {sd}, list_min(v), list_max(v), v[1], v[-1]]))"
        )

    def _content(self, context: Context) -> Callable[..., np.ndarray]:
        def content(measured: list[tuple[str, list[float | None]]]) -> np.ndarray:
            statistics = dict(measured)
            missing = [None] * len(STATISTICS)
            rows = [statistics.get(name, missing) for name in context.channels]
            return np.array(rows, np.float32).ravel()  # None is NaN

        return content


class Texts(Reader):
    """tuple[Report, ...], in order of time."""

    hashed = "note_id, hours, text"
    selected = "list((note_id, hours, text) order by hours, note_id)"

    def _content(self, context: Context) -> Callable[..., tuple[Report, ...]]:
        return lambda reports: tuple(Report(*report) for report in reports)


class Codes(Reader):
    """tuple[Code, ...], by admission, version and code."""

    hashed = "hadm_id, icd_version, icd_code, charlson_groups"
    selected = (
        "list((icd_version, icd_code, hadm_id, coalesce(string_split(charlson_groups, ', '), []))"
        " order by hadm_id, icd_version, icd_code)"
    )

    def _content(self, context: Context) -> Callable[..., tuple[Code, ...]]:
        return lambda codes: tuple(
            Code(version, code, hadm_id, tuple(groups)) for version, code, hadm_id, groups in codes
        )


class Measurements(Reader):
    """float64 [columns]: the numbers of a stay's last ECG that has any, NaN where not measured."""

    def hashes(self, db: duckdb.DuckDBPyConnection, context: Context) -> dict[int, str]:
        """See Reader.hashes."""
        return _hashes_of_rows(db, self._selected(context), self._table(context))

    def _table(self, context: Context) -> str:
        return (
            f"(select * from {_rows(context)} qualify row_number() over (partition by stay_id"
            f" order by coalesce({self._selected(context)}) is null, hours desc, study_id desc)"
            " = 1)"
        )

    def _selected(self, context: Context) -> str:
        return ", ".join(name for name, _ in context.columns)

    def _content(self, context: Context) -> Callable[..., np.ndarray]:
        return lambda *values: np.array(values, np.float64)  # None is NaN


class Files(Reader):
    """Items of a stay that are files, in order of time."""

    root: ClassVar[str]
    """The variable that names their folder."""

    key: ClassVar[str]
    """The column that tells an item from the others."""

    item: ClassVar[type]
    """Makes the item from its key and the path of its file."""

    def hashes(self, db: duckdb.DuckDBPyConnection, context: Context) -> dict[int, str]:
        """Of names, sizes and times of last change: reading every file would take hours."""
        found = db.execute(
            f"select stay_id, list(({self.key}, path) order by {self.key})"
            f" from {_rows(context)} group by stay_id"
        ).fetchall()
        if not found:
            return {}
        place = self._places(context)

        def with_stats(of_stay: tuple) -> list[tuple]:
            return [(key, self._stat(place(path))) for key, path in of_stay[1]]

        with ThreadPoolExecutor(16) as pool:  # the files may be on a slow share
            stats = list(pool.map(with_stats, found))
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

    def check(self, kind: DataKind) -> Callable[[Path | None], None] | None:
        """What each file has to pass before it is opened, where the data are of that kind."""
        return None

    def _selected(self, context: Context) -> str:
        return f"list(({self.key}, path) order by hours, {self.key})"

    def _content(self, context: Context) -> Callable[..., tuple[Any, ...]]:
        place = self._places(context)
        return lambda files: tuple(self.item(key, place(path)) for key, path in files)

    def _places(self, context: Context) -> Callable[[str], Path | None]:
        return files_below(self.root, context.spec.modality.rows)

    def _stat(self, path: Path | None) -> tuple | None:
        return stat_of(path)


class Images(Files):
    """tuple[Image, ...], in order of time."""

    root = XRAYS
    key = "dicom_id"
    item = Image

    def check(self, kind: DataKind) -> Callable[[Path | None], None] | None:
        """See Files.check."""
        return picture_check(kind)


class ReleasedImages(Images):
    """The same, with the path of the vector that PhysioNet released in place of the JPG's."""

    root = RELEASED_ROOT

    def check(self, kind: DataKind) -> Callable[[Path | None], None] | None:
        """None: no picture is opened."""
        return None

    def _places(self, context: Context) -> Callable[[str], Path | None]:
        place = super()._places(context)
        return lambda path: place(str(Path(path).with_suffix(".tfrecord")))


class Ecgs(Files):
    """tuple[Ecg, ...], in order of time."""

    root = ECGS
    key = "study_id"
    item = Ecg

    def check(self, kind: DataKind) -> Callable[[Path | None], None] | None:
        """See Files.check."""
        return record_check(kind)

    def _places(self, context: Context) -> Callable[[str], Path | None]:
        place = super()._places(context)

        def of_record(path: str) -> Path | None:
            files = [place(str(file)) for file in files_of(Path(path))]
            return files[0].with_suffix("") if files[0] and all(files) else None

        return of_record

    def _stat(self, path: Path | None) -> tuple | None:
        stats = tuple(map(stat_of, files_of(path))) if path else ()
        return stats if any(stats) else None


READERS: dict[str, Reader] = {
    "tabular": Tabular(),
    "grid": Grid(),
    "summary": Summary(),
    "events": Charted(),
    "images": Images(),
    "released_images": ReleasedImages(),
    "texts": Texts(),
    "codes": Codes(),
    "measurements": Measurements(),
    "ecgs": Ecgs(),
}
"""By Encoder.reads."""


def _rows(context: Context) -> str:
    return f"marts.{context.spec.modality.rows}"


def _bins(context: Context) -> str:
    return f"marts.{context.spec.modality.grid}"


def _hashes_of_rows(db: duckdb.DuckDBPyConnection, columns: str, table: str) -> dict[int, str]:
    """Sums a hash of each row: the order does not count, memory stays flat, twice is not once.

    A missing value is not an empty text: encoders tell them apart.
    """
    texts = ", ".join(
        f"coalesce(cast({column.strip()} as varchar), chr(30))" for column in columns.split(",")
    )
    row_hash = f"cast(md5_number_lower(concat_ws(chr(31), {texts})) as hugeint)"
    content_hash = f"md5(concat(count(*), ':', sum({row_hash})))"
    return dict(
        db.execute(f"select stay_id, {content_hash} from {table} group by stay_id").fetchall()
    )
