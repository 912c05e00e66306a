"""Parts of a training that do not wait for each other, side by side on the processors there are.

What comes of them does not depend on how many run at once: each is worked out by one thread, from its own seed, and
they are put together in a fixed order.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Event
from typing import Any, ParamSpec, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

MOST = 4
"""Threads at most: as many as there are back-tests, and one for all that is fitted by linear algebra."""
LOOK = 0.05
"""Seconds after which the thread that waits looks whether it is to stop."""


class Abandoned(Exception):
    """Nobody waits for this part any longer."""


@contextmanager
def single_threaded() -> Iterator[None]:
    """Keep linear algebra to the thread that asks for it, until the end of the block.

    By itself it takes every processor. Its threads wait for each other by running in circles: beside other work that
    takes several times the processor time of one thread, and more time by the clock as well. And how many there are
    shows in the last digits of what is learnt.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        yield


class Lanes:
    """Threads for the parts of a training, of which only the thread that waits for them hears.

    Parameters
    ----------
    stop : callable
        Called often by the thread that waits; what it raises ends all parts.
    threads : int, optional
        How many; as many as there are processors, four at most, when not given.
    """

    def __init__(self, stop: Callable[[], None], threads: int | None = None) -> None:
        self.stop = stop
        self._abandoned = Event()
        self._pool = ThreadPoolExecutor(threads or min(MOST, os.cpu_count() or 1), thread_name_prefix="training")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._abandoned.set()
        self._pool.shutdown(cancel_futures=True)

    def begin(self, work: Callable[P, T], *given: P.args, **named: P.kwargs) -> Future[T]:
        """Have a part worked out as soon as a thread is free."""
        return self._pool.submit(work, *given, **named)

    def check(self) -> None:
        """End the part that calls it if nobody waits for it any longer."""
        if self._abandoned.is_set():
            raise Abandoned

    def join(self, *parts: Future[Any], tell: Callable[[], None] | None = None) -> None:
        """Wait for parts; raises what the first of them that failed raised.

        Parameters
        ----------
        *parts : Future
            What `begin` returned.
        tell : callable, optional
            Called again and again meanwhile, to report how far they are.
        """
        waiting = set(parts)
        while waiting:
            self.stop()
            if tell is not None:
                tell()
            done, waiting = wait(waiting, LOOK, FIRST_COMPLETED)
            for part in done:
                part.result()
