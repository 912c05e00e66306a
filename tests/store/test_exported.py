"""Files written for others appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from coterie.core.errors import Invalid
from coterie.store.exported import whole


def test_a_file_appears_when_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "it's.csv"
    with whole(path) as partial:
        partial.write_text("a")
        assert not path.exists()
    assert path.read_text() == "a"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_text("old")
    with pytest.raises(IsADirectoryError), whole(path) as partial:
        partial.write_bytes(tmp_path.read_bytes())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_where_nothing_can_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Invalid) as caught, whole(tmp_path / "file" / "x.csv"):
        pass
    assert caught.value.code == "export.unwritable"
