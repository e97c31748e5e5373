"""How a job reports to a terminal: lines, and a progress bar for each of its parts."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

PrintLine = Callable[[str], None]
ProgressCallback = Callable[[int, int], None]
"""Called as ``progress(done, total)``."""
ProgressBar = Callable[[str, int], AbstractContextManager[ProgressCallback]]
"""Shows a bar: called with a label and the number of things to do."""


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
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(unit),
        TimeRemainingColumn(),
        transient=True,
    ) as progress:

        @contextmanager
        def watch(label: str, total: int) -> Iterator[ProgressCallback]:
            bar = progress.add_task(label, total=total)
            yield lambda done, total: progress.update(bar, completed=done, total=total)
            progress.remove_task(bar)

        def say(line: str) -> None:
            progress.console.print(line, highlight=False, soft_wrap=True, markup=False)

        yield say, watch
