"""Long work on a terminal: a line that says what is under way, with a bar when its size is known."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Display
from rich.text import Text

from coterie.cli.console import console
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


class Noted:
    """A receiver that leaves a line for each of the named stages when it is done, with its time.

    Parameters
    ----------
    out : Console
        Where.
    stages : mapping of str to str
        The stages that are worth a line, in words; others are parts of them.
    inner : Progress
        Shows what is under way.
    """

    def __init__(self, out: Console, stages: Mapping[str, str], inner: Progress) -> None:
        self._out = out
        self._stages = stages
        self._inner = inner
        self._stage: str | None = None
        self._since = 0.0

    def report(self, stage: str, done: float | None = None, total: float | None = None) -> None:
        """Show that `stage` is running."""
        if stage in self._stages and stage != self._stage:
            self.end()
            self._stage, self._since = stage, monotonic()
        part = self._stages.get(stage, stage)
        whole = self._stages.get(self._stage or "", "")
        self._inner.report(part if part == whole or not whole else f"{whole}: {part}", done, total)

    def end(self, mark: str = "✓") -> None:
        """Leave the line of the stage under way."""
        if self._stage is not None:
            seconds = monotonic() - self._since
            self._out.print(Text.assemble((f"{mark} ", "green"), f"{self._stages[self._stage]:24}{seconds:7.1f} s"))
            self._stage = None


@contextmanager
def shown(*, enabled: bool = True, stages: Mapping[str, str] | None = None) -> Iterator[Progress]:
    """Give a receiver that draws on stderr, or a quiet one when stderr is no terminal.

    Parameters
    ----------
    enabled : bool
        Whether to show anything.
    stages : mapping of str to str, optional
        Stages that leave a line when they are done, with their words; also where there is no terminal.
    """
    out = console(stderr=True)
    if not enabled:
        yield Quiet()
    elif not sys.stderr.isatty():
        with _noted(out, stages, Quiet()) as progress:
            yield progress
    else:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with (
            Display(*columns, console=out, transient=True) as display,
            _noted(display.console, stages, Shown(display)) as progress,
        ):
            yield progress


@contextmanager
def _noted(out: Console, stages: Mapping[str, str] | None, inner: Progress) -> Iterator[Progress]:
    if stages is None:
        yield inner
        return
    progress = Noted(out, stages, inner)
    try:
        yield progress
    except BaseException:
        progress.end("✗")
        raise
    progress.end()
