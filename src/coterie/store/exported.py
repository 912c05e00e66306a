"""Files written for others: whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coterie.core.errors import Invalid
from coterie.store.staging import sync


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Lend a file beside `path` to write to; it takes the place of `path` once it is written, else nothing is left.

    Parameters
    ----------
    path : Path
        The file; replaced when it exists.

    Raises
    ------
    Invalid
        ``export.unwritable``.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
    except OSError as error:
        raise Invalid(
            "export.unwritable",
            f"{path} cannot be written: {error.strerror}.",
            hint="Name a file in a folder that this process may write to.",
            where={"file": str(path)},
        ) from error
    try:
        yield partial
        sync(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
