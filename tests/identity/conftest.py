"""A history to load into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from coterie.store.history import History

from .loading import Load


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    (tmp_path / "tmp").mkdir()
    history = History.open(tmp_path / "history.duckdb", tmp_path / "tmp", memory_limit="1GB", threads=1)
    history.ensure_view("default")
    history.ensure_view("unstitched", stitched=False)
    yield history
    history.close()


@pytest.fixture
def load(history: History) -> Load:
    return Load(history)
