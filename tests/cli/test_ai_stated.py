"""Models stated in files and by options: what is wrong is told with its line."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from coterie.cli.ai import stated
from coterie.core.errors import Invalid

from . import crowd


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return crowd.write_files(tmp_path_factory.mktemp("crowd"))


def test_a_file_states_a_model(files: Path) -> None:
    spec = stated.read_model(files / "buys_soon.yaml")
    assert (spec["key"], spec["goal"]["window_days"], spec["population"]) == ("buys_soon", 14, {"lookback_days": 60})


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("op: eq", "op: equals", 8, "goal.events[0].where[0].op cannot be 'equals'."),
        ("window_days: 14", "window_days: 400", 4, "goal.window_days cannot be 400."),
        ("lookback_days: 60", "lookback_days: soon", 10, "population.lookback_days cannot be 'soon'."),
        ("population:", "popularity:", 9, "'popularity' is no part of a model."),
        ("goal:\n  window_days: 14\n", "goal:\n", 3, "goal.window_days is missing."),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    files: Path, tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    file = tmp_path / "model.yaml"
    file.write_text((files / "buys_soon.yaml").read_text().replace(old, new))
    with pytest.raises(Invalid) as caught:
        stated.read_model(file)
    assert caught.value.code == "model.spec"
    assert caught.value.where == {"file": str(file), "line": line}
    assert caught.value.message == said


def test_a_misspelt_part_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_text("key: a\nname: A\ngaol: {}\n")
    with pytest.raises(Invalid) as caught:
        stated.read_model(tmp_path / "model.yaml")
    assert "goal" in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["- a\n- b\n", "12\n", ""])
def test_a_file_without_a_model_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.yaml").write_text(text)
    with pytest.raises(Invalid, match="holds no model"):
        stated.read_model(tmp_path / "model.yaml")


def test_json_has_lines_too(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text('{"key": "m", "name": "M",\n "goal": {\n  "events": [],\n  "window_days": 7}}')
    with pytest.raises(Invalid) as caught:
        stated.read_model(tmp_path / "m.json")
    assert caught.value.where["line"] == 3


@pytest.mark.parametrize(
    ("text", "days"), [("30d", 30), ("30", 30), ("4w", 28), ("1 day", 1), ("2 weeks", 14), (None, None)]
)
def test_spans_of_days(text: str | None, days: int | None) -> None:
    assert stated.days(text, "--within") == days


@pytest.mark.parametrize("text", ["soon", "-3d", "3 months", "1.5d", ""])
def test_other_spans_are_refused(text: str) -> None:
    with pytest.raises(Invalid, match="--within"):
        stated.days(text, "--within")


@pytest.mark.parametrize("text", ["a: [\n- b: {", "a: \x07"])
def test_what_is_no_yaml_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    file = tmp_path / "model.yaml"
    file.write_text(text)
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    for path in (file, Path("-")):
        with pytest.raises(Invalid) as caught:
            stated.read_model(path)
        assert caught.value.code == "file.yaml"


@pytest.mark.parametrize("text", ["900d", "9" * 5000 + "d", "60w", "", "-3d"])
def test_windows_that_cannot_be_are_told(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        stated.days(text, "--within", 365)
    assert caught.value.code == "model.days"
    assert stated.days("4w", "--within", 365) == 28
