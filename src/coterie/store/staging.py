"""Staged files: copies of what a batch loads, beside the log, immutable.

A staged file is called by its number and the suffixes of the original, so that copying it again (a rebuild) gives
the same path and no character of a stranger's file name ever reaches a glob.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from hashlib import sha256
from io import BufferedReader
from pathlib import Path

import msgspec

from coterie.core.errors import Conflict, Invalid
from coterie.core.progress import Progress

BLOCK = 4 << 20
_BATCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_PLAIN = re.compile(r"[^A-Za-z0-9]")


class StagedFile(msgspec.Struct, frozen=True):
    """A copied file: the original's `name`, its `path` from the sandbox's directory, size and SHA-256."""

    name: str
    path: str
    bytes: int
    sha256: str


def folder(files: Path, batch: str) -> Path:
    """Return the folder of a batch's staged files; raises ``batch.id`` for an id that is no file name."""
    if not _BATCH.fullmatch(batch):
        raise Invalid(
            "batch.id", f"{batch!r} cannot be a batch id.", hint="Use letters, digits, dots, dashes, underscores."
        )
    return files / batch


def copy(sandbox: Path, target: Path, sources: Sequence[Path], progress: Progress) -> list[StagedFile]:
    """Copy `sources` into the new folder `target` and make them durable; all of them, or an error and no folder."""
    try:
        target.mkdir(parents=True)
    except FileExistsError as error:
        raise Conflict(
            "batch.staged", f"files of batch {target.name} were staged before.", where={"path": str(target)}
        ) from error
    staged: list[StagedFile] = []
    try:
        total, done = sum(_size(source) for source in sources), 0
        for number, source in enumerate(sources):
            copied = target / f"{number:05}{_suffixes(source)}"
            digest, size = sha256(), 0
            with _open(source) as reader, copied.open("xb") as writer:
                while block := reader.read(BLOCK):
                    digest.update(block)
                    writer.write(block)
                    size += len(block)
                    progress.report("copying", done + size, total)
                writer.flush()
                os.fsync(writer.fileno())
                os.fchmod(writer.fileno(), 0o444)
            done += size
            staged.append(StagedFile(source.name, str(copied.relative_to(sandbox)), size, digest.hexdigest()))
    except BaseException:
        remove(target)
        raise
    sync(target)
    sync(target.parent)
    return staged


def adopt(source: Path, target: Path, path: str, *, link: bool = False) -> None:
    """Put a staged file of one sandbox into another one at the same `path`: as a copy, or by a second name.

    A file keeps its number, so that the log entry that names it holds in both sandboxes.
    """
    old, new = source / path, target / path
    new.parent.mkdir(parents=True, exist_ok=True)
    if link:
        try:
            os.link(old, new)
        except OSError:  # a file system without second names
            pass
        else:
            return
    shutil.copy2(old, new)
    sync(new)
    sync(new.parent)


def remove(target: Path) -> None:
    """Remove a folder of staged files, if it is there."""
    if target.exists():
        shutil.rmtree(target)


def sync(path: Path) -> None:
    """Make a file durable, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _suffixes(source: Path) -> str:
    return "".join(f".{plain}" for suffix in source.suffixes[-2:] if (plain := _PLAIN.sub("", suffix)))


def _size(source: Path) -> int:
    try:
        return source.stat().st_size
    except OSError as error:
        raise _unreadable(source, error) from error


def _open(source: Path) -> BufferedReader:
    try:
        return source.open("rb")
    except OSError as error:
        raise _unreadable(source, error) from error


def _unreadable(source: Path, error: OSError) -> Invalid:
    return Invalid(
        "ingest.unreadable-file",
        f"{source} cannot be read: {error.strerror}.",
        hint="Check that the path is a file that this process may read.",
        where={"file": str(source)},
    )
