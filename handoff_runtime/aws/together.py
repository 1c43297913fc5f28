"""Several calls at a time; the first that fails ends the others."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from threading import Event
    from typing import TypeVar

    From = TypeVar("From")
    To = TypeVar("To")

WORKERS = 12


def each(work: Callable[[From], To], given: Iterable[From], workers: int = WORKERS) -> Generator[To]:
    """What `work` makes of each, in their order; what has not begun when one fails is never begun."""
    from concurrent.futures import ThreadPoolExecutor
    from threading import Event

    over = Event()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for future in [pool.submit(_unless, over, work, one) for one in given]:
                yield future.result()
        finally:
            over.set()


def _unless(over: Event, work: Callable[[From], To], one: From) -> To:
    """The result; whoever fails says that it is over, and is earlier in the order than all that heed it."""
    if over.is_set():
        raise RuntimeError("over")  # nobody looks at it
    try:
        return work(one)
    except BaseException:
        over.set()
        raise
