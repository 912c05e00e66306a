"""Profiles on terminals of different widths."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from coterie.cli import profiles

from .conftest import Run, coterie

VERBS: dict[str, Callable[[Console, Any], None]] = {
    "profile show BrowserID b1": profiles.profile,
    "profile show BrowserID b1 --as-of 2026-06-02T12:00:00Z --known 2030-01-01 --events 1": profiles.profile,
    "profile why CustomerID c1 loyalty.tier": profiles.attribute,
    "profile conflicts": profiles.conflicts,
    "profile report": profiles.report,
    "policy compare default unstitched": profiles.comparison,
}


def printed(call: Callable[[Console, Any], None], data: Any, width: int) -> str:
    out = io.StringIO()
    call(Console(file=out, width=width), data)
    return out.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("line", VERBS)
def test_everything_fits(loaded: Path, line: str, width: int) -> None:
    text = printed(VERBS[line], coterie(loaded, *line.split(), "--json").data, width)
    assert text.strip()
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text


def test_a_profile_reads_from_its_name_to_its_newest_event(loaded: Path) -> None:
    data = coterie(loaded, "profile", "show", "BrowserID", "b1", "--json").data
    narrow, wide = (printed(profiles.profile, data, width) for width in (80, 120))
    parts = ["Profile p-", "Attributes", "loyalty.tier", "gold", "Identities", "BrowserID:b1", "Audiences", "Events"]
    for text in (narrow, wide):
        places = [text.index(part) for part in parts]
        assert places == sorted(places)
        assert "customers" in text
        assert text.index("2026-06-03T10:00:00Z") < text.index("2026-06-01T10:00:00Z")
    assert "customers CustomerID:c1" in wide


def test_the_moment_is_said(loaded: Path) -> None:
    line = ["profile", "show", "BrowserID", "b1", "--as-of", "2026-06-02T12:00:00Z"]
    text = printed(profiles.profile, coterie(loaded, *line, "--json").data, 80)
    assert "as of" in text
    assert "2026-06-02T12:00:00Z: what had happened by then" in text
    assert "no record says anything" in text
    assert "2026-06-03" not in text


def test_values_of_events_have_short_names_that_are_clear() -> None:
    told = profiles.told({"store": {"id": 7}, "order": {"id": 8, "paid": 1}, "a": {"paid": 2}, "lines": [{"sku": "x"}]})
    assert told == "store id 7, order id 8, order paid 1, a paid 2, lines sku: x"


def test_what_there_is_not_is_named(run: Run) -> None:
    show = ("profile", "show", "BrowserID", "b1", "--json")
    other = run(*show, "--dataset", "click")
    assert (other.code, other.error["code"]) == (3, "dataset.not-found")
    assert other.error["hint"] == "Did you mean clicks?"
    early = run(*show, "--as-of", "1999-01-01")
    assert (early.code, early.error["code"]) == (3, "identity.not-found")
    assert early.error["message"] == "no profile had the identity BrowserID:b1 at that moment."
    policy = run(*show, "--policy", "defalt").error
    assert (policy["message"], policy["hint"]) == ("there is no merge policy 'defalt'.", "Did you mean default?")
