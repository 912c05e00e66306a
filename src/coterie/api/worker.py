"""The one thread that owns the workspace: all calls run on it, one after another.

Connections to the stores belong to the thread that opened them, and a connection answers one question at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from coterie.core.errors import Busy

if TYPE_CHECKING:
    from coterie.workspace import Workspace

T = TypeVar("T")

WAITING = 64


class Worker:
    """A thread with an open workspace.

    Parameters
    ----------
    opening : callable
        Opens the workspace; runs on the thread.
    waiting : int
        How many calls may wait; one more raises ``server.busy``.
    """

    def __init__(self, opening: Callable[[], Workspace], waiting: int = WAITING) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="workspace")
        self._waiting = waiting
        self._under_way = 0
        try:
            self._workspace = self._thread.submit(opening).result()
        except BaseException:
            self._thread.shutdown()
            raise

    async def ask(self, call: Callable[[Workspace], T]) -> T:
        """Run `call` with the workspace and return what it returns."""
        if self._under_way >= self._waiting:
            raise Busy("server.busy", f"{self._under_way} requests are waiting already.", hint="Try again in a moment.")
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call, self._workspace)
        finally:
            self._under_way -= 1

    def run(self, call: Callable[[Workspace], T]) -> T:
        """Do the same from outside an event loop."""
        return self._thread.submit(call, self._workspace).result()

    def close(self) -> None:
        """Close the workspace after what is under way."""
        self._thread.submit(self._workspace.close).result()
        self._thread.shutdown()
