"""What dbt prints last: the cohort that was built, or what failed and how to mend it.

charthouse.data.dbt_plugin passes every event of dbt to it, also of a plain `dbt build`.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.factory import get_adapter_by_type
from dbt.flags import get_flags
from dbt_common.events.functions import fire_event
from dbt_common.events.types import Note

from charthouse.core.data_kind import headline
from charthouse.core.errors import CharthouseError
from charthouse.core.warehouse import open_warehouse
from charthouse.data.atomic_build import build_file

_FAILED = ("error", "fail", "runtime error")
_ADVICE = {
    "No space left|out of disk": (
        "Free space on the disk of the warehouse, or set CHARTHOUSE_WAREHOUSE to another."
    ),
    "^IO Error.*[Pp]ermission denied": "Give yourself the right to read it.",
    "Out of Memory": "Give more with CHARTHOUSE_MEMORY=4GB.",
}


class BuildSummary:
    """The summary of one dbt command.

    Attributes:
        failures: Name of each node that failed, and what to do about it.
    """

    def __init__(self) -> None:
        """The summary of a command that has not started yet."""
        self.failures: list[tuple[str, str]] = []
        self._is_defined_anew = False

    def on_event(self, event: Any) -> None:
        """Records an event of dbt."""
        if event.info.name != "NodeFinished":
            return
        node, result = event.data.node_info, event.data.run_result
        if result.status in _FAILED:
            self.failures.append((node.node_name, _advice(node, result)))
        elif node.resource_type == "model" and node.node_name == "cohort_definition":
            builds = get_flags().WHICH in ("build", "run") and not get_flags().EMPTY
            self._is_defined_anew = builds and result.status == "success"

    def emit(self) -> None:
        """Prints the summary through dbt's own log: nothing with --quiet, JSON where requested."""
        warehouse = _warehouse()
        if self.failures:
            lines = ["", *(f"FAILED {name}: {advice}" for name, advice in self.failures)]
            if get_flags().WHICH in ("build", "run"):
                is_kept = build_file(warehouse).parent.exists()
                kept = " What it has read whole from raw files is kept for the next."
                lines.append(
                    f"{warehouse} is as it was before this run." + (kept if is_kept else "")
                )
        else:
            lines = []
        if self._is_defined_anew and not self.failures:
            # the build is done, even if another process has it open by now, or only part was built
            with (
                suppress(CharthouseError, duckdb.CatalogException),
                open_warehouse(warehouse) as db,
            ):
                lines = ["", *cohort_lines(db, warehouse)]
        for line in lines:
            fire_event(Note(msg=line))


def _warehouse() -> Path:
    return Path(get_adapter_by_type("duckdb").config.credentials.path)


def _advice(node: Any, result: Any) -> str:
    if "enforced contract" in result.message:
        return f"{node.node_name}: {_contract_broken(result.message)}"
    if (node.resource_type, result.status) != ("test", "fail"):
        return advice_for(result.message)
    # what it looked at is gone, but where the run itself stores the rows
    rows = f"{result.num_failures} row{'s' if result.num_failures != 1 else ''}"
    table = f"{node.node_relation.schema}.{node.node_relation.alias}"
    stores = getattr(get_flags(), "STORE_FAILURES", False)
    how = "" if stores else "dbt build --profiles-dir profiles --store-failures, then "
    return (
        f"the promise {node.node_name} is broken by {rows}. See them: {how}the table {table} of"
        f" {build_file(_warehouse())}. Correct the raw data, the seed or the model behind them."
    )


def _contract_broken(message: str) -> str:
    """What dbt says of it in a table: | column_name | definition_type | ... |."""
    rows = [line.strip(" |").split("|") for line in message.splitlines() if "|" in line]
    columns = [f"{row[0].strip()} ({row[-1].strip()})" for row in rows[2:]]
    found = "; ".join(columns) or "it has none in a yml"
    return f"its columns are not those of its contract: {found}. Correct the yml or the model."


def advice_for(message: str) -> str:
    r"""The relevant line of dbt's error, and what to do unless the line already says so.

    Example:
        >>> advice_for("Runtime Error in model x\n  Out of Memory Error: could not allocate")
        'Out of Memory Error: could not allocate. Give more with CHARTHOUSE_MEMORY=4GB.'
    """
    lines = [line.strip() for line in message.splitlines()]
    lines = [line for line in lines if line and " Error in " not in line] or [message]
    line = lines[-1 if "execution of unit test" in lines[0] else 0]  # there the reason is the last
    if message.startswith("Compilation Error"):
        return line
    line = f"{line.rstrip('.')}."
    found = (advice for words, advice in _ADVICE.items() if re.search(words, line))
    return " ".join([line, *found][:2])


def cohort_lines(db: duckdb.DuckDBPyConnection, warehouse: Path) -> Iterator[str]:
    """Describes the cohort: kind of data, attrition step by step, tasks and modalities.

    Args:
        db: The warehouse.
        warehouse: Its path, for the text.

    Yields:
        Lines without line ends.
    """
    ((cohort_hash, protocol, kind, source, because),) = db.execute(
        "select cohort_hash[:12], protocol, data_kind, data_source, data_kind_because"
        " from marts.cohort_definition"
    ).fetchall()
    if banner := headline(kind, source):
        yield banner
    if because:
        yield f"NOT SYNTHETIC, counted as {kind} data: {because}."
    yield f"Cohort {cohort_hash}, protocol {protocol}, in {warehouse}"
    steps = db.execute(
        "select criterion, stays, patients, stays_dropped, patients_dropped"
        " from marts.cohort_attrition order by step"
    ).fetchall()
    criterion, stays, patients, *_ = steps[0]
    yield _counts(stays, patients, criterion)
    for criterion, _, _, stays, patients in steps:
        if stays:
            yield _counts(-stays, -patients, f"not {criterion}")
    _, stays, patients, *_ = steps[-1]
    yield _counts(stays, patients, "in the cohort")
    for task, positive, percent in db.execute(
        "select task, sum(label), 100 * avg(label) from marts.labels group by all order by task"
    ).fetchall():
        yield f"  {positive:8d} positive ({percent:4.1f} %)  {task}"
    for task, because in db.execute(
        "select task, any_value(excluded_because) from marts.task_outcomes group by task"
        " having count(label) = 0 and count(distinct excluded_because) = 1 order by task"
    ).fetchall():
        yield f"{'none included':>17}            {task}: {because}"
    shares = db.execute(
        "select modality, 100 * avg(in_window::int) from marts.stay_modalities"
        " inner join marts.modalities using (modality) group by modality, position"
        " order by position"
    ).fetchall()
    yield "  with " + ", ".join(f"{modality} {percent:.0f} %" for modality, percent in shares)


def _counts(stays: int, patients: int, words: str) -> str:
    return f"  {stays:8d} stays {patients:8d} patients  {words}"
