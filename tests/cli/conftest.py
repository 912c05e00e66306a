"""A loaded shop, the command line on it, and a server over it."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from coterie import workspace
from coterie.api.server import Server
from coterie.cli import app
from coterie.core.clock import FixedClock

from . import shop


@dataclass(frozen=True)
class Done:
    """What a run of the command line gave."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Its standard output as JSON."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """Its standard error as an error body."""
        return json.loads(self.err)["error"]


Run = Callable[..., Done]


def coterie(root: Path, *arguments: str, now: str | None = shop.NOW, stdin: str | None = None) -> Done:
    """Run the command line on a workspace, in this process."""
    clock = ["--now", now] if now else []
    done = CliRunner().invoke(app, ["--workspace", str(root), *clock, *arguments], input=stdin)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Done(done.exit_code, done.stdout, done.stderr)


def fill(root: Path, files: Path) -> None:
    """Make the shop with the command line alone."""
    for words in (
        "init",
        "identity add-namespace CustomerID --type CROSS_DEVICE --name Customer",
        "identity add-namespace BrowserID --type COOKIE",
        f"schema put {files}/customer.yaml",
        f"schema put {files}/click.yaml",
        f"dataset create customers --schema customer --mapping {files}/mapping.yaml",
        "dataset create clicks --schema click",
        f"ingest load customers {files}/customers.csv --threshold 0.5",
        f"ingest load clicks {files}/clicks.jsonl",
    ):
        done = coterie(root, *words.split())
        assert done.code == 0, (words, done.err)
    for name, rule, title in (("buyers", shop.BUYERS, "Have bought"), ("gold", shop.GOLD, "Gold customers")):
        assert coterie(root, "audience", "put", name, rule, "--title", title).code == 0
    assert coterie(root, "audience", "evaluate").code == 0


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the shop's files."""
    return shop.write_files(tmp_path_factory.mktemp("shop") / "files")


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Path:
    """The root of a loaded shop; not to be changed."""
    root = tmp_path_factory.mktemp("shop") / "workspace"
    fill(root, files)
    return root


@pytest.fixture
def own(tmp_path: Path, loaded: Path) -> Path:
    """The root of a loaded shop of the test's own."""
    return Path(shutil.copytree(loaded, tmp_path / "own"))


@pytest.fixture
def run(loaded: Path) -> Run:
    """Run the command line on the loaded shop."""
    return partial(coterie, loaded)


@contextmanager
def serving(root: Path, sandbox: str = "prod") -> Iterator[str]:
    """Serve a workspace on a free port while the block runs; gives the URL."""
    server = Server(lambda: workspace.open(root, sandbox, clock=FixedClock(shop.NOW)), port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server.url
    finally:
        server.stop()
        thread.join(timeout=30)
        assert not thread.is_alive()
