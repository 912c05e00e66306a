"""The sample world, built once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import coterie
from coterie.core.progress import Quiet
from coterie.demo import files, source, web, world
from coterie.workspace import Workspace

from .oracle import Oracle


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The delivered source files."""
    return files.deliver(tmp_path_factory.mktemp("sample") / "files", Quiet())


@pytest.fixture(scope="session")
def lines() -> pa.Table:
    """The basket lines that the web channel is generated from."""
    return source.basket_lines()


@pytest.fixture(scope="session")
def again(lines: pa.Table) -> web.Web:
    """The web channel, generated once more."""
    return web.generate(lines)


@pytest.fixture(scope="session")
def oracle(folder: Path) -> Oracle:
    """The raw files, independently read."""
    return Oracle(folder)


@pytest.fixture(scope="session")
def loaded(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, world.DemoReport]]:
    """A workspace with the sample world, and the report of building it."""
    with coterie.open(tmp_path_factory.mktemp("sample") / "workspace", clock=world.CLOCK, create=True) as ws:
        yield ws, world.load(ws, folder=folder)
