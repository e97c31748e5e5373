"""The progress of a dbt build, for people: a bar, and dbt's messages.

It leaves out dbt's line for each of hundreds of nodes; those are in logs/dbt.log.
"""

from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

from charthouse.core.progress import Bars


class BuildProgress:
    """Shows the events of dbt that people need; it needs every one."""

    def __init__(self) -> None:
        self._bar = Bars(
            TextColumn("  {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            unit="steps",
        )
        self._task = self._bar.add_task("dbt build", total=None)
        self._begun_nodes = 0
        self._bar.start()

    def on_event(self, event: Any) -> None:
        """Shows an event of dbt, if people need it."""
        name = event.info.name
        if name == "LogStartLine":
            self._begun_nodes += 1
            words = event.data.description.split()  # such as: sql table model marts.cohort
            self._bar.update(
                self._task,
                description="tests" if words[0] in ("test", "unit_test") else words[-1],
                completed=self._begun_nodes,
                total=event.data.total,
            )
        elif event.info.level == "warn" or (
            name in ("Note", "JinjaLogInfo") and event.info.level != "debug"
        ):
            self._bar.say(event.info.msg)
        elif name == "CommandCompleted":
            self.stop()

    def stop(self) -> None:
        """Takes the bar away; another time it does nothing."""
        self._bar.stop()
