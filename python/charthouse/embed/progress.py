"""A bar with rate and time left for each encoder."""

from collections.abc import Iterator
from contextlib import contextmanager

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

from charthouse.embed.job import Progress as Told
from charthouse.embed.run import Say, Watch


class _Rate(ProgressColumn):
    """Stays a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f} stays/s" if task.speed else "", style="progress.data.speed")


@contextmanager
def bars() -> Iterator[tuple[Say, Watch]]:
    """What `charthouse.embed.run.embed` needs to speak to a terminal."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        transient=True,
    ) as progress:

        @contextmanager
        def watch(label: str, total: int) -> Iterator[Told]:
            bar = progress.add_task(label, total=total)
            yield lambda done, total: progress.update(bar, completed=done, total=total)
            progress.remove_task(bar)

        def say(line: str) -> None:
            progress.console.print(line, highlight=False, soft_wrap=True, markup=False)

        yield say, watch
