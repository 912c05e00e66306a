"""The lock of a sandbox: one process holds it, and anyone may ask who does.

The lock is an advisory `flock` on a file, which the kernel drops when the holder dies, however it dies. The first
line of the file is JSON with the holder's pid and, for a server, its URL; it counts only while the lock is held.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

import msgspec

from coterie.core.errors import Busy

PATIENCE = 0.2
"""Seconds for which an opener tries again, because `holder` takes the lock for an instant to ask."""


class Holder(msgspec.Struct, frozen=True):
    """Who holds a lock: the process and, for a server, where it listens."""

    pid: int
    url: str | None = None


class Lock:
    """A held lock; made by `Lock.acquire`, released by `release` or at the end of a ``with`` block."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor

    @classmethod
    def acquire(cls, path: Path) -> Lock:
        """Take the lock at `path`; raises ``workspace.locked``, with the holder's pid and URL, when it is held."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            deadline = time.monotonic() + PATIENCE
            while not _try(descriptor, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise _busy(path, _read(descriptor))
                time.sleep(0.02)
            lock = cls(path, descriptor)
            lock._write(Holder(os.getpid()))
        except BaseException:
            os.close(descriptor)
            raise
        return lock

    def announce(self, url: str) -> None:
        """Say at which URL the holder answers."""
        self._write(Holder(os.getpid(), url))

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def _write(self, holder: Holder) -> None:
        assert self._descriptor is not None, "the lock was released"
        line = msgspec.json.encode(holder) + b"\n"
        os.pwrite(self._descriptor, line, 0)
        os.ftruncate(self._descriptor, len(line))

    def __enter__(self) -> Lock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def holder(path: Path) -> Holder | None:
    """Return who holds the lock at `path`, or None when nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return None if _try(descriptor, fcntl.LOCK_SH) else _read(descriptor)
    finally:
        os.close(descriptor)


def _try(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(descriptor: int) -> Holder:
    line = os.pread(descriptor, 4096, 0).split(b"\n", 1)[0]
    try:
        return msgspec.json.decode(line, type=Holder)
    except msgspec.DecodeError:
        return Holder(0)  # taken this instant; the holder has not written yet


def _busy(path: Path, by: Holder) -> Busy:
    served = f", which serves it at {by.url}" if by.url else ""
    return Busy(
        "workspace.locked",
        f"the sandbox {path.parent} is held by process {by.pid or '?'}{served}.",
        hint=f"Use the server at {by.url}, or stop it." if by.url else "Wait until that process ends, or stop it.",
        where={"path": str(path.parent), "pid": by.pid, "url": by.url},
    )
