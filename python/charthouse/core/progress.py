"""How a job reports to a terminal: lines, and a progress bar for each of its parts.

Where the output is no terminal, the bars are lines, one every few seconds.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from charthouse.core.interrupts import discard_output

PrintLine = Callable[[str], None]
ProgressCallback = Callable[[int, int], None]
"""Called as ``progress(done, total)``."""
ProgressBar = Callable[[str, int], AbstractContextManager[ProgressCallback]]
"""Shows a bar: called with a label and the number of things to do."""

SECONDS_BETWEEN_LINES = 5.0


class Bars(Progress):
    """Progress bars on standard output, gone when they are done; elsewhere, lines.

    The lines come from a thread of their own, so that a step that reports nothing for a while, such
    as the training of a network, is seen to go on.

    Args:
        columns: Of a bar, as rich has them.
        unit: What is counted, in the plural.
    """

    def __init__(self, *columns: ProgressColumn, unit: str) -> None:
        console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        super().__init__(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._unit = unit
        self._stopped = threading.Event()

    def start(self) -> None:
        """Shows the bars."""
        super().start()
        if self.disable:
            threading.Thread(target=self._print_lines, daemon=True).start()

    def stop(self) -> None:
        """Takes the bars away; another time it does nothing."""
        self._stopped.set()
        super().stop()

    def say(self, line: str) -> None:
        """Prints a line above the bars, as it is; work goes on where nobody reads it any more."""
        try:
            self.console.print(line, markup=False, crop=False)
        except BrokenPipeError:
            discard_output()

    def _print_lines(self) -> None:
        while not self._stopped.wait(SECONDS_BETWEEN_LINES):
            for task in self.tasks:
                if task.total and not task.finished and (task.elapsed or 0) > 2:
                    of = f"{int(task.total)} {self._unit}".rstrip()
                    # a network is trained before its first stay is done
                    where = f"{int(task.completed)} of {of}" if task.completed else f"begun, {of}"
                    self.say(f"  {task.elapsed:5.0f} s  {task.description}: {where}")


class _Rate(ProgressColumn):
    """Items per second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        rate = f"{task.speed:.1f} {self._unit}/s" if task.speed else ""
        return Text(rate, style="progress.data.speed")


@contextmanager
def progress_bars(unit: str = "stays") -> Iterator[tuple[PrintLine, ProgressBar]]:
    """Gives a job what it needs to report: a function that prints a line, and one that opens a bar.

    Args:
        unit: What is counted, in the plural.

    Yields:
        PrintLine and ProgressBar.
    """
    with Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        _Rate(unit),
        TimeRemainingColumn(),
        unit=unit,
    ) as bars:

        @contextmanager
        def watch(label: str, total: int) -> Iterator[ProgressCallback]:
            bar = bars.add_task(label, total=total)
            yield lambda done, total: bars.update(bar, completed=done, total=total)
            bars.remove_task(bar)

        yield bars.say, watch
