"""The cohort as the marts hold it, and the check that they still hold the same one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from charthouse.core.data_kind import DataKind, data_kind_of
from charthouse.core.errors import CharthouseError

IS_CURRENT = (
    "list_has_all((select list(concat_ws(' ', kind, name, content_hash))"
    " from marts.content_hashes), reads)"
)
"""SQL: whether what a row of results has read is unchanged; macros/content_hash.sql has it too."""


@dataclass(frozen=True)
class Cohort:
    """The stays of the marts, and the settings that they were built with."""

    cohort_hash: str
    content_hashes: Mapping[tuple[str, str], str]  # of marts.content_hashes, by kind and name
    protocol: str
    data_kind: DataKind
    data_source: str | None  # name and licence of open data
    variables: Mapping[str, Any]
    stays: Mapping[int, tuple[int, str]]  # stay_id to (subject_id, split), in order of stay_id
    tasks: tuple[str, ...]
    channels: Mapping[str, tuple[str, ...]]  # of each modality that is a time series
    columns: Mapping[str, tuple[tuple[str, str], ...]]  # of each that has numbers: name, kind
    groups: Mapping[str, tuple[tuple[str, int], ...]]  # of each that is codes: name, weight

    @property
    def bins(self) -> int:
        """Number of time bins in the window."""
        of = self.variables
        return round((of["window_end_hours"] - of["window_start_hours"]) / of["bin_hours"])

    @property
    def profile_sections(self) -> tuple[str, ...]:
        """The modalities of patient profiles, each of which a learner may be shown or not."""
        return tuple(self.variables["profile_sections"])

    @property
    def shapley_groups(self) -> tuple[str, ...]:
        """Groups of these between which Shapley values are divided, each as vitals+labs.

        By the setting shapley_groups, whose forms macros/settings.sql checks; without it each
        section is a group.
        """
        groups = self.variables.get("shapley_groups")  # absent from a warehouse of before
        if groups is None:
            return self.profile_sections
        lists = [each.split("+") if isinstance(each, str) else each for each in groups]
        return tuple(
            "+".join(
                section for section in self.profile_sections if section in map(str.strip, members)
            )
            for members in lists
        )

    @property
    def is_synthetic(self) -> bool:
        """Whether no stay is of a real patient."""
        return self.data_kind == "synthetic"

    def reads(self, *parts: tuple[str, str]) -> list[str]:
        """What results.runs.reads holds for a run that reads these parts of marts.content_hashes.

        Args:
            parts: Kind and name of each part, in any order; repetitions are dropped.

        Returns:
            One line per part, sorted: kind, name and content hash.
        """
        return sorted(f"{kind} {name} {self.content_hashes[kind, name]}" for kind, name in {*parts})

    def describe(self) -> str:
        """The cohort in one line, for people."""
        kind = {"synthetic": "SYNTHETIC, ", "open": f"OPEN DATA: {self.data_source}, "}
        return (
            f"Cohort {self.cohort_hash[:12]} ({kind.get(self.data_kind, '')}"
            f"protocol {self.protocol}, {len(self.stays)} stays)"
        )


def read_cohort(db: duckdb.DuckDBPyConnection) -> Cohort:
    """Reads the current cohort from the marts of the warehouse.

    Raises:
        CharthouseError: The warehouse has no marts yet.

    Example:
        >>> from charthouse.core.warehouse import open_warehouse, warehouse_path
        >>> with open_warehouse(warehouse_path()) as db:
        ...     cohort = read_cohort(db)
        >>> cohort.protocol, cohort.data_kind, cohort.bins
        ('strict', 'synthetic', 24)
        >>> cohort.tasks[:2]
        ('icu_mortality', 'icu_stay_over_3_days')
    """
    require_result_tables(db)
    columns = ("cohort_hash", "protocol", "variables", "is_synthetic", "data_kind", "data_source")
    definitions = db.execute(f"select {', '.join(columns)} from marts.cohort_definition").fetchall()
    if len(definitions) != 1:
        raise CharthouseError(
            f"marts.cohort_definition has {len(definitions)} rows where it has one. Run"
            " charthouse build."
        )
    definition = dict(zip(columns, definitions[0], strict=True))
    stays = db.execute(
        "select stay_id, subject_id, split from marts.cohort order by stay_id"
    ).fetchall()
    return Cohort(
        cohort_hash=definition["cohort_hash"],
        content_hashes=_content_hashes(db),
        protocol=definition["protocol"],
        data_kind=data_kind_of(definition),
        data_source=definition["data_source"],
        variables=json.loads(definition["variables"]),
        stays={stay_id: (subject_id, split) for stay_id, subject_id, split in stays},
        tasks=_column(db, "select distinct task from marts.labels order by task"),
        channels={
            modality: _column(db, f"select distinct variable from marts.{mart} order by 1")
            for modality, mart in _of_kind(db, "time_series", "coalesce(grid, mart)")
        },
        columns={
            **{
                modality: _rows(db, f"select variable, kind from seeds.{seed} order by position")
                for modality, seed in _of_kind(db, "tabular", "seed")
            },
            **{
                modality: _rows(db, f"select variable, 'numeric' from seeds.{seed} order by 1")
                for modality, seed in _of_kind(db, "waveform", "seed")
                if _has_column(db, seed, "variable")
            },
        },
        groups={
            modality: _rows(
                db, f"select distinct charlson_group, weight from seeds.{seed} order by all"
            )
            for modality, seed in _of_kind(db, "codes", "seed")
            if _has_column(db, seed, "charlson_group")
        },
    )


def require_same_cohort(db: duckdb.DuckDBPyConnection, cohort: Cohort) -> None:
    """Stops if the marts no longer hold the cohort that was read. New parts are no change.

    Raises:
        CharthouseError: The marts were rebuilt in the meantime, for another cohort or with other
            content.
    """
    ((now,),) = db.execute("select cohort_hash from marts.cohort_definition").fetchall()
    if now != cohort.cohort_hash:
        raise CharthouseError(
            f"The marts were built again meanwhile (cohort {now[:12]}, not"
            f" {cohort.cohort_hash[:12]}). What was written is kept; run again for the new cohort."
        )
    hashes = _content_hashes(db)
    for (kind, name), content_hash in cohort.content_hashes.items():
        if hashes.get((kind, name)) != content_hash:
            raise CharthouseError(
                f"The marts were built again meanwhile, with other content ({kind} {name}). What"
                " was written is kept; run again."
            )


def require_result_tables(db: duckdb.DuckDBPyConnection) -> None:
    """Stops if the warehouse lacks a table that jobs read or write.

    Raises:
        CharthouseError: The warehouse was built by an older version, or has no marts.
    """
    found = db.execute(
        "select count(*) from duckdb_columns() where schema_name || '.' || table_name || '.' ||"
        " column_name in ('marts.cohort_definition.cohort_hash', 'results.runs.run_id',"
        " 'results.predictions.run_id', 'embeddings.fitted.fitted_on', 'results.answers.run_id',"
        " 'marts.patient_profiles.sections', 'results.comparisons.is_primary',"
        " 'marts.cohort.in_mimic_cxr_years', 'marts.cohort_definition.data_kind',"
        " 'marts.content_hashes.content_hash', 'results.runs.reads', 'marts.modalities.seed',"
        " 'marts.declared_columns.is_free_text', 'results.current_prediction_hashes.scores_hash',"
        " 'seeds.tasks.asked_by_default')"
    ).fetchall()[0][0]
    if found < 15:
        raise CharthouseError(
            "The warehouse lacks the marts or the tables of results. Run charthouse build first."
        )


def _of_kind(db: duckdb.DuckDBPyConnection, kind: str, column: str) -> list[tuple[str, str]]:
    return db.execute(
        f"select modality, {column} from marts.modalities where kind = ? order by position", [kind]
    ).fetchall()


def _content_hashes(db: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], str]:
    rows = db.execute("select kind, name, content_hash from marts.content_hashes").fetchall()
    return {(kind, name): content_hash for kind, name, content_hash in rows}


def _rows(db: duckdb.DuckDBPyConnection, query: str) -> tuple[tuple, ...]:
    return tuple(db.execute(query).fetchall())


def _column(db: duckdb.DuckDBPyConnection, query: str) -> tuple[str, ...]:
    return tuple(row[0] for row in _rows(db, query))


def _has_column(db: duckdb.DuckDBPyConnection, seed: str | None, column: str) -> bool:
    """Whether a modality's seed has a column: one of a user's own may be about other things."""
    found = db.execute(
        "select 1 from duckdb_columns() where schema_name = 'seeds' and table_name = ?"
        " and column_name = ?",
        [seed, column],
    ).fetchone()
    return found is not None
