"""Work that threads do ahead of its consumer."""

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar, cast

Given = TypeVar("Given")
Made = TypeVar("Made")


def prefetch_map(
    function: Callable[[Given], Made], items: Iterable[Given], workers: int, depth: int
) -> Iterator[Made]:
    """Yields function(item) of each item, in order, while threads work on the next ones.

    Unlike Executor.map it takes items only as fast as results are consumed. However the iteration
    ends, no thread outlives it: what has not started is cancelled.

    Items are taken one by one, in the caller's thread, at most `depth` ahead: that many results are
    ready or in progress before they are consumed, which bounds the memory.

    Raises:
        ValueError: workers or depth is below 1. An exception of the function is raised where its
            result was due.

    Example:
        >>> list(prefetch_map(abs, [-3, -2, -1], workers=2, depth=2))
        [3, 2, 1]
    """
    if workers < 1 or depth < 1:
        raise ValueError(f"workers and depth must be at least 1, not {workers} and {depth}")
    due: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="ahead") as pool:
        try:
            for item in items:
                due.append(pool.submit(function, item))
                if len(due) > depth:
                    yield due.popleft().result()
            while due:
                yield due.popleft().result()
        finally:
            for future in due:
                future.cancel()


def prefetch(items: Iterable[Given], depth: int) -> Generator[Given]:
    """Yields the items, in order, while one thread draws the next ones.

    They are drawn in that thread, at most `depth` ahead, and their exceptions raised in turn.
    """
    end = cast("Given", object())
    draw = iter(items)
    for item in prefetch_map(lambda _: next(draw, end), itertools.count(), 1, depth):
        if item is end:
            return
        yield item
