"""Catalogs to test on: SQLite, and a PostgreSQL started on a free port in a temporary directory."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

_schemas = (f"s{number}" for number in count())


def _binaries() -> Path | None:
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda found: int(found.parts[-3]))
    on_path = shutil.which("initdb")
    return debian[-1].parent if debian else Path(on_path).parent if on_path else None


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """URL of a running PostgreSQL with an empty database."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed (no initdb in /usr/lib/postgresql or on PATH)")
    home = Path(tempfile.mkdtemp(prefix="coterie-pg-"))  # not tmp_path: its parents are closed to the server's user
    as_server: list[str] = []
    if os.geteuid() == 0:  # the server refuses to run as root
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        shutil.chown(home, "postgres", "postgres")
        as_server = ["runuser", "-u", "postgres", "--"]

    def run(program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*as_server, str(binaries / program), *arguments], cwd=home, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data, options = str(home / "data"), f"-c listen_addresses=127.0.0.1 -p {port} -k {home} -c fsync=off"
    try:
        run("initdb", "-D", data, "-U", "coterie", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
        run("pg_ctl", "-D", data, "-w", "-l", str(home / "server.log"), "-o", options, "start")
        try:
            yield f"postgresql://coterie@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(home, ignore_errors=True)


Place = tuple[str, str]


@pytest.fixture(params=["sqlite", "postgresql"])
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Place]:
    """Give addresses of empty catalogs: URL and database schema."""
    if request.param == "sqlite":
        return lambda: (f"sqlite:///{tmp_path / next(_schemas)}.db", "unused")
    url = request.getfixturevalue("postgresql")
    return lambda: (url, f"a-{next(_schemas)}")
