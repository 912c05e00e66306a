"""One run of the CLI: which workspace, how to show results, and who answers: its stores or the server that holds it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import Console
from rich.text import Text

from coterie.cli.console import console
from coterie.core.clock import FixedClock
from coterie.core.errors import Busy

if TYPE_CHECKING:
    from coterie.core.clock import Clock
    from coterie.workspace import Workspace

Show = Callable[[Console, Any], None]

_decoder = msgspec.json.Decoder(float_hook=Decimal)  # numbers are shown as they are written


def tell_recovered(workspace: Workspace) -> None:
    """Say what opening the workspace had to bring to its end after a crash."""
    for message in workspace.recovered:
        console(stderr=True).print(Text.assemble(("recovered  ", "yellow"), message))


@dataclass
class Session:
    """What the shared options say.

    Parameters
    ----------
    root : Path
        Directory of the workspace.
    sandbox : str
        Name of the sandbox.
    json : bool
        Whether to print JSON instead of tables.
    now : str, optional
        Instant to take for the present one.
    """

    root: Path
    sandbox: str
    json: bool = False
    now: str | None = None
    text: str | None = field(default=None, init=False)
    """The rule under way, to point into when it is wrong."""

    @property
    def clock(self) -> Clock | None:
        """The clock that `now` asks for; None for that of the workspace."""
        return None if self.now is None else FixedClock(self.now)

    @property
    def server(self) -> str | None:
        """URL of the server that holds the sandbox, if one does."""
        from coterie.store import lock
        from coterie.store.sandbox import locate

        holder = lock.holder(locate(self.root, self.sandbox) / "lock")
        return holder.url if holder else None

    def read(self, name: str, /, **arguments: Any) -> bytes:
        """Return the answer to a reading as JSON, from the server when one holds the sandbox."""
        from coterie.api.readings import READINGS

        reading = READINGS[name]
        if (url := self.server) is not None:
            from coterie.cli.remote import ask

            return ask(url, reading, arguments)
        with self.open() as workspace:
            return reading(workspace, **arguments)

    def change(
        self, call: Callable[[Workspace], Any], *, create: bool = False, stages: Mapping[str, str] | None = None
    ) -> bytes:
        """Return the result of a call that needs the stores themselves, as JSON; raises ``workspace.served``.

        `stages` are words for the stages of long work that leave a line each.
        """
        from coterie.api.reading import encode

        with self.open(create=create, stages=stages) as workspace:
            return encode(call(workspace))

    @contextmanager
    def open(self, *, create: bool = False, stages: Mapping[str, str] | None = None) -> Iterator[Workspace]:
        """Open the workspace, showing how long work goes on; raises ``workspace.served`` when a server holds it."""
        from coterie import workspace
        from coterie.cli.progress import shown

        if (url := self.server) is not None:
            raise Busy(
                "workspace.served",
                f"a server holds the sandbox {self.root / self.sandbox}, and it does not offer this verb.",
                hint=f"Stop the server at {url}, or use its reading verbs: {url}/docs",
                where={"url": url, "path": str(self.root / self.sandbox)},
            )
        with (
            shown(enabled=not self.json, stages=stages) as progress,
            workspace.open(
                self.root,
                self.sandbox,
                clock=self.clock,
                create=create,
                progress=progress,
                upkeep=self.now is None,
            ) as opened,
        ):
            tell_recovered(opened)
            yield opened

    def print(self, answer: bytes, show: Show) -> None:
        """Print an answer: the JSON itself, or what `show` makes of it."""
        if self.json:
            sys.stdout.write(msgspec.json.format(answer, indent=2).decode() + "\n")
        else:
            show(console(), _decoder.decode(answer))
