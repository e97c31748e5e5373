"""Work done in threads ahead of who consumes it."""

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

    An exception of the function is raised where its result was due. However the iteration ends, no
    thread outlives it: what has not been started is cancelled.

    Args:
        function: called in one of the threads.
        items: taken one by one, in the caller's thread, no further than `depth` ahead.
        workers: number of threads.
        depth: results made, or being made, before they are asked for; bounds the memory.
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

    Args:
        items: drawn in that thread, no further than `depth` ahead; what they raise comes in turn.
        depth: items drawn, or being drawn, before they are asked for; bounds the memory.
    """
    end = cast("Given", object())
    draw = iter(items)
    for item in prefetch_map(lambda _: next(draw, end), itertools.count(), 1, depth):
        if item is end:
            return
        yield item
