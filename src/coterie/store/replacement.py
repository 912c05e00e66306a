"""Replacement: stores that were built beside the old ones take their place, all of them or none.

The new stores are a sandbox of its own in the folder ``replacement``. The file ``ready`` in that folder, written when
they are whole and durable, is the point of no return: without it the folder is thrown away at the next opening, with
it the opening puts every store in its place. Each step can be repeated, so a crash between two of them does no harm.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from coterie.core.progress import Progress, Quiet
from coterie.store import staging
from coterie.store.catalog import Catalog

FOLDER = "replacement"
READY = "ready"
CATALOG = "catalog.db"
STORES = ("log", CATALOG, "history.duckdb", "exports")
"""What is replaced, by its name in the directory of a sandbox."""

_BESIDE = ("-wal", "-shm", ".wal")
"""Endings of the files that the databases keep beside their own while they are open."""


def discard(sandbox: Path) -> None:
    """Throw away stores that are not ready, if there are any."""
    if not (sandbox / FOLDER / READY).exists():
        shutil.rmtree(sandbox / FOLDER, ignore_errors=True)


def ready(sandbox: Path) -> None:
    """Say that the new stores are whole and closed: from here on they are the sandbox's."""
    folder = sandbox / FOLDER
    for path in (folder / sandbox.name).rglob("*"):
        staging.sync(path)
    staging.sync(folder / sandbox.name)
    partial = folder / f"{READY}.partial"
    partial.touch()
    staging.sync(partial)
    partial.rename(folder / READY)
    staging.sync(folder)
    staging.sync(sandbox)


def finish(sandbox: Path, catalog_url: str | None = None, progress: Progress | None = None) -> bool:
    """Put the new stores in place of the old ones, which must be closed; return whether there were any.

    Parameters
    ----------
    sandbox : Path
        Directory of the sandbox; its lock is held.
    catalog_url : str, optional
        Database URL of the catalog when it does not lie in the sandbox; it then takes over what the new one holds.
    progress : Progress, optional
        Told each store.
    """
    discard(sandbox)
    folder = sandbox / FOLDER
    if not folder.exists():
        return False
    for name in STORES:
        new = folder / sandbox.name / name
        if not new.exists():
            continue  # it is in its place already
        (progress or Quiet()).report(f"replacing {name}")
        if name == CATALOG and catalog_url is not None:
            _hand_over(new, catalog_url, sandbox.name)
        else:
            _remove(sandbox / name)
            new.rename(sandbox / name)
            staging.sync(sandbox)
    (folder / READY).unlink()
    shutil.rmtree(folder)
    staging.sync(sandbox)
    return True


def _hand_over(new: Path, url: str, name: str) -> None:
    source = Catalog.open(f"sqlite:///{new}")
    target = Catalog.open(url, name)
    try:
        target.take_over(source)
    finally:
        target.close()
        source.close()
    _remove(new)


def _remove(store: Path) -> None:
    for beside in _BESIDE:
        store.with_name(store.name + beside).unlink(missing_ok=True)
    if store.is_dir():
        shutil.rmtree(store)
    else:
        store.unlink(missing_ok=True)
