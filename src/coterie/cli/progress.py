"""Long work on a terminal: a line that says what is under way, with a bar when its size is known."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Display

from coterie.core.progress import Progress, Quiet


class Shown:
    """A receiver of progress reports that draws them; a stage is a task of the display."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._stage: str | None = None
        self._task: TaskID | None = None

    def report(self, stage: str, done: float | None = None, total: float | None = None) -> None:
        """Show that `stage` is running; the stage before it is finished and goes away."""
        if stage != self._stage or self._task is None:
            if self._task is not None:
                self._display.remove_task(self._task)
            self._stage, self._task = stage, self._display.add_task(stage, total=total)
        self._display.update(self._task, completed=done or 0, total=total)


@contextmanager
def shown(*, enabled: bool = True) -> Iterator[Progress]:
    """Give a receiver that draws on stderr, or a quiet one when stderr is no terminal."""
    if not enabled or not sys.stderr.isatty():
        yield Quiet()
        return
    from coterie.cli.session import console

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Display(*columns, console=console(stderr=True), transient=True) as display:
        yield Shown(display)
