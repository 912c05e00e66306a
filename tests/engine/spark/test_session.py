"""What Spark needs, and what is said where it is not."""

from __future__ import annotations

import pytest

from coterie.core.errors import Unsupported
from coterie.engine.sql.spark import session


def test_without_java_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert session.missing() == "Java"
    with pytest.raises(Unsupported) as refused:
        session.local(tmp_path)
    assert refused.value.code == "engine.spark"
    assert "Java" in str(refused.value)


def test_java_is_found_by_its_home(monkeypatch, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert session.missing() is None
