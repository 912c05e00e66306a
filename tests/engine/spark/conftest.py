"""One Spark a test process, started when a test first asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from coterie.engine.sql.spark import session

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    """Put the tests here first: workers take the list in parts, and only the first then starts a Spark."""
    items.sort(key=lambda item: HERE not in item.path.parents)


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    lacking = session.missing()
    if lacking is not None:
        pytest.skip(f"{lacking} is not installed")
    found = session.local(Path(tmp_path_factory.mktemp("spark")))
    yield found
    found.stop()
