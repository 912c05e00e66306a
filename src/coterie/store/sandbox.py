"""A sandbox: a directory with a lock, a log, a catalog, a history and exports; neighbours share nothing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import msgspec

from coterie.core.clock import Clock, FixedClock, SystemClock, format_instant
from coterie.core.errors import Damaged, Invalid, NotFound
from coterie.core.progress import Progress
from coterie.store import replacement, staging
from coterie.store.catalog import Catalog
from coterie.store.formats import refuse
from coterie.store.history import History
from coterie.store.lock import Lock
from coterie.store.log import Log

FORMAT = 1
MARK = "coterie.json"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """What ``coterie.json`` says: the format, and the instant at which time stands still here, if it does."""

    format: int
    clock: str | None = None


Stores = tuple[Log, Catalog, History]


class Sandbox:
    """An open sandbox; made by `Sandbox.open`, closed by `close` or at the end of a ``with`` block.

    Attributes
    ----------
    path : Path
        The sandbox's directory.
    clock : Clock
        The source of all instants.
    lock : Lock
        Held until the sandbox is closed.
    log, catalog, history
        The stores; other ones after `replace`.
    exports : Path
        Where exported files go.
    tmp : Path
        Spill space, emptied at opening.
    discarded : list of str
        Batches whose staged files were removed at opening, because no log entry mentions them.
    """

    def __init__(
        self, path: Path, clock: Clock, lock: Lock, catalog_url: str | None, stores: Callable[[ExitStack], Stores]
    ) -> None:
        self.path = path
        self.clock = clock
        self.lock = lock
        self._catalog_url = catalog_url
        self._stores = stores
        self._opened = ExitStack()
        self.exports = path / "exports"
        self.tmp = path / "tmp"
        self.discarded: list[str] = []

    @classmethod
    def open(
        cls,
        root: Path,
        name: str,
        *,
        clock: Clock | None,
        create: bool,
        catalog_url: str | None = None,
        memory_limit: str = "4GB",
        threads: int | None = None,
    ) -> Sandbox:
        """Open the sandbox `name` of the workspace at `root`.

        Parameters
        ----------
        root : Path
            The workspace's directory.
        name : str
            A lower-case letter, then lower-case letters, digits and dashes; at most 63 characters.
        clock : Clock, optional
            The source of all instants; None for the instant that the workspace keeps (`keep_clock`), or the machine's.
        create : bool
            Whether to make the workspace and the sandbox when they are not there.
        catalog_url : str, optional
            Database URL of the catalog instead of SQLite in the sandbox; ``{sandbox}`` in it stands for `name`. On
            PostgreSQL the catalog lies in a database schema of that name.
        memory_limit, threads
            Limits of the history (see `History.open`).

        Raises
        ------
        NotFound
            ``workspace.not-found`` or ``sandbox.not-found``, when not to be created.
        Busy
            ``workspace.locked`` when another process holds the sandbox.
        Unsupported
            ``store.format`` when a newer version wrote it.
        Damaged
            When a store cannot be read, or has applied more than the log holds (``store.ahead``).
        """
        path = locate(root, name)
        if create:
            path.mkdir(parents=True, exist_ok=True)
            if not (root / MARK).exists():
                _write(root, Mark(FORMAT))
        mark = _check(root, path)
        clock = clock or (FixedClock(mark.clock) if mark.clock is not None else SystemClock())
        url = catalog_url.replace("{sandbox}", name) if catalog_url else None

        def stores(stack: ExitStack) -> Stores:
            log = Log.open(path / "log", clock)
            stack.callback(log.close)
            catalog = Catalog.open(url or f"sqlite:///{path / 'catalog.db'}", name)
            stack.callback(catalog.close)
            history = History.open(path / "history.duckdb", path / "tmp", memory_limit=memory_limit, threads=threads)
            stack.callback(history.close)
            return log, catalog, history

        with ExitStack() as stack:
            lock = stack.enter_context(Lock.acquire(path / "lock"))
            replacement.finish(path, url)
            shutil.rmtree(path / "tmp", ignore_errors=True)
            for folder in ("tmp", "exports"):
                (path / folder).mkdir(exist_ok=True)
            sandbox = cls(path, clock, lock, url, stores)
            sandbox._open()
            stack.pop_all()
        return sandbox

    def _open(self) -> None:
        with ExitStack() as stack:
            self.log, self.catalog, self.history = self._stores(stack)
            self._align()
            self.discarded = self.log.discard_orphans()
            self._opened = stack.pop_all()

    def replace(self, progress: Progress | None = None) -> None:
        """Let the stores in the folder ``replacement``, which must be whole and closed, take the place of these.

        From here on `log`, `catalog` and `history` are the new ones. A crash in between is made good by the next
        opening.
        """
        replacement.ready(self.path)
        self._opened.close()
        replacement.finish(self.path, self._catalog_url, progress)
        self._open()

    def _align(self) -> None:
        for store, position in (("catalog", self.catalog.position), ("history", self.history.position)):
            if position > self.log.last:
                raise Damaged(
                    "store.ahead",
                    f"the {store} of {self.path} stands at log entry {position}, but the log ends at {self.log.last}.",
                    hint=f"They do not belong together: restore the log that belongs to it, or move the {store} away.",
                    where={"store": store, "path": str(self.path)},
                )
        if self.history.position < self.catalog.position - 1:
            # the history was lost or restored: its entries are applied again, each under the definitions of its day
            self.catalog.reset()

    def keep_clock(self, at: int) -> None:
        """Let time stand still in this workspace: later openings without a clock of their own are at the instant `at`.

        For sample worlds, whose data end in the past.
        """
        _write(self.path.parent, Mark(FORMAT, format_instant(at)))

    def close(self) -> None:
        """Close the stores, then give the lock back."""
        try:
            self._opened.close()
        finally:
            self.lock.release()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def locate(root: Path, name: str) -> Path:
    """Return the directory of a sandbox; raises ``sandbox.name`` for a name that none can have."""
    if not _NAME.fullmatch(name):
        raise Invalid(
            "sandbox.name",
            f"{name!r} cannot name a sandbox.",
            hint="Use a lower-case letter, then lower-case letters, digits and dashes, at most 63 in all.",
            where={"sandbox": name},
        )
    return root / name


def sandboxes(root: Path) -> list[str]:
    """Return the names of the sandboxes in a workspace, sorted."""
    return sorted(log.parent.name for log in root.glob("*/log") if _NAME.fullmatch(log.parent.name))


def _write(root: Path, mark: Mark) -> None:
    partial = root / f"{MARK}.partial"
    partial.write_bytes(msgspec.json.encode(mark) + b"\n")
    partial.replace(root / MARK)
    staging.sync(root)


def _check(root: Path, path: Path) -> Mark:
    mark = root / MARK
    if not mark.is_file():
        raise NotFound(
            "workspace.not-found",
            f"there is no workspace at {root}.",
            hint="Make one with: coterie init",
            where={"path": str(root)},
        )
    try:
        found = msgspec.json.decode(mark.read_bytes(), type=Mark)
    except msgspec.DecodeError as error:
        raise Damaged(
            "workspace.damaged",
            f"{mark} cannot be read: {error}.",
            hint=f'Write {{"format": {FORMAT}}} into it, if the directory is a workspace of this version.',
            where={"path": str(mark)},
        ) from error
    if found.format != FORMAT:
        raise refuse("workspace", root, found.format, FORMAT)
    if not path.is_dir():
        raise NotFound.named("sandbox", path.name, sandboxes(root))
    return found
