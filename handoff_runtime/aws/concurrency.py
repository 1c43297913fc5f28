"""Several calls at a time; the first that fails ends the others."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from typing import TypeVar

    From = TypeVar("From")
    To = TypeVar("To")

WORKERS = 12


def map_concurrently(work: Callable[[From], To], given: Iterable[From], workers: int = WORKERS) -> Generator[To]:
    """What `work` makes of each, in their order; what has not begun when one fails is never begun."""
    from concurrent.futures import ThreadPoolExecutor
    from threading import Event

    over = Event()

    def do(one: From) -> To:
        if over.is_set():
            raise RuntimeError("over")  # one that is earlier in the order has failed, and its error is raised
        try:
            return work(one)
        except BaseException:
            over.set()
            raise

    with ThreadPoolExecutor(workers) as pool:
        try:
            for future in [pool.submit(do, one) for one in given]:
                yield future.result()
        finally:
            over.set()
