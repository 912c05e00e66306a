"""The folder of Customer AI in a sandbox: what versions need to score, and what runs left or have left undone.

``predictions/<model>/versions/<n>/`` holds what a version learnt. ``predictions/<model>/runs/<n>/`` holds what a run
said of everybody; its folder ``work`` holds what its stages made of persons, so that a run that was interrupted can be
taken up, and goes when the run ends or a person is erased.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from coterie.store import staging

ROOT = "predictions"
WORK = "work"
CANCEL = "cancel"


def model(sandbox: Path, key: str) -> Path:
    """Return the folder of a model."""
    return sandbox / ROOT / key


def run(sandbox: Path, key: str, number: int) -> Path:
    """Return the folder of a run."""
    return model(sandbox, key) / "runs" / str(number)


def version(sandbox: Path, key: str, number: int) -> Path:
    """Return the folder of a version."""
    return model(sandbox, key) / "versions" / str(number)


def numbers(folder: Path) -> list[int]:
    """Return the numbers of the runs, or versions, that have a folder, ascending."""
    there = folder.iterdir() if folder.is_dir() else ()
    return sorted(int(item.name) for item in there if item.name.isdigit())


def work(sandbox: Path) -> Iterator[Path]:
    """Yield the folders that hold what unfinished runs made of persons."""
    yield from sorted((sandbox / ROOT).glob(f"*/runs/*/{WORK}"))


def forget(sandbox: Path) -> int:
    """Remove what unfinished runs made of persons, and say how many runs that were."""
    found = list(work(sandbox))
    for folder in found:
        shutil.rmtree(folder)
    return len(found)


def copy(source: Path, target: Path) -> None:
    """Copy what versions learnt and what runs said of everybody to another sandbox; what is unfinished stays."""
    if (source / ROOT).is_dir():
        shutil.copytree(source / ROOT, target / ROOT, ignore=shutil.ignore_patterns(WORK, "*.partial"))


def discard(sandbox: Path, key: str) -> None:
    """Remove the folder of a model."""
    shutil.rmtree(model(sandbox, key), ignore_errors=True)


def write(path: Path, content: bytes) -> None:
    """Write a file so that it is whole or not there, and survives a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    staging.sync(partial)
    partial.replace(path)
    staging.sync(path.parent)


def request_cancel(sandbox: Path, key: str) -> list[int]:
    """Ask the runs of a model that are under way to stop, from any process; return their numbers."""
    asked: list[int] = []
    if key not in {item.name for item in (sandbox / ROOT).glob("*")}:  # it is no path either
        return asked
    for number in numbers(model(sandbox, key) / "runs"):
        if (run(sandbox, key, number) / WORK).is_dir():
            write(run(sandbox, key, number) / WORK / CANCEL, b"")
            asked.append(number)
    return asked


def cancel_requested(sandbox: Path, key: str, number: int) -> bool:
    """Whether somebody asked a run to stop."""
    return (run(sandbox, key, number) / WORK / CANCEL).exists()
