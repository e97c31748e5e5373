"""The progress of a dbt build, for people: a bar, and dbt's messages.

It leaves out dbt's line for each of hundreds of nodes; those are in logs/dbt.log.
"""

import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

SECONDS = 5.0
"""Between two lines, where the output is no terminal."""


class BuildProgress:
    """A bar on a terminal, elsewhere a line every few seconds; it needs every event of dbt."""

    def __init__(self) -> None:
        console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._began = self._printed = time.monotonic()
        self._begun_nodes = 0
        self._bar = Progress(
            TextColumn("  {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("dbt build", total=None)
        self._bar.start()

    def on_event(self, event: Any) -> None:
        """Shows an event of dbt, if people need it."""
        name = event.info.name
        if name == "LogStartLine":
            self._show(event.data.description, event.data.total)
        elif name in ("Note", "JinjaLogInfo") or event.info.level == "warn":
            self._bar.console.print(event.info.msg, markup=False)
        elif name == "CommandCompleted":
            self.stop()

    def stop(self) -> None:
        """Takes the bar away; another time it does nothing."""
        self._bar.stop()

    def _show(self, node: str, total: int) -> None:
        self._begun_nodes += 1
        what = node.split()[-1]
        self._bar.update(self._task, description=what, completed=self._begun_nodes, total=total)
        now = time.monotonic()
        if self._bar.disable and now - self._printed >= SECONDS:
            self._printed = now
            elapsed = f"{now - self._began:.0f} s"
            print(f"  {elapsed:>6}  {self._begun_nodes} of {total}: {what}", flush=True)
