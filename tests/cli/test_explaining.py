"""`coterie audience explain`: the same answer on the terminal, as JSON, and through a server."""

from __future__ import annotations

from pathlib import Path

import pytest

import coterie as library
from coterie.core.clock import FixedClock
from coterie.core.errors import Invalid, NotFound

from . import shop
from .conftest import Run, serving
from .conftest import coterie as command

TWICE = 'xEvent[eventType = "purchase" and timestamp occurs <= 30 days before now].count() >= 2'


def test_on_the_terminal(run: Run) -> None:
    done = run("audience", "explain", "CustomerID:c1", "--rule", f'{TWICE} and loyalty.tier = "gold"')
    assert done.code == 0
    lines = [line.rstrip() for line in done.out.splitlines()]
    assert " is not in the people of this rule " in lines[0]
    assert "People who had at least 2 events “purchase” in the last 30 days and whose loyalty tier is “gold”." in lines
    assert "├── ✗ had at least 2 events “purchase” in the last 30 days" in lines
    assert "│   ├── found 1, asked for at least 2" in lines
    assert "│   └── 2026-06-03T10:00:00Z  purchase  e3" in lines
    assert "└── ✓ loyalty tier is “gold”" in lines
    assert "    └── loyalty tier: gold  from customers" in lines
    assert any(
        line.startswith("To be in: one more event “purchase” in the last 30 days, before 3 July") for line in lines
    )


def test_members_are_explained_as_members(run: Run, loaded: Path) -> None:
    for name in ("buyers", "gold"):
        members = {item["person"] for item in run("audience", "members", name, "--json").data["items"]}
        for identity in ("c1", "c2", "c3"):
            found = run("audience", "explain", f"CustomerID:{identity}", name, "--json").data
            assert found["holds"] == (found["person"] in members)
            assert (found["stored"]["status"] == "realized") == found["holds"]
            assert run("audience", "explain", found["person"], name, "--json").data == found
            assert command(loaded, "audience", "explain", f"CustomerID:{identity}", name).code == 0


def test_any_identity_finds_the_person(run: Run) -> None:
    found = [
        run("audience", "explain", name, "buyers", "--json").data for name in ("Email:ann@example.org", "BrowserID:b1")
    ]
    assert found[0] == found[1]
    assert found[0]["root"]["evidence"]["events"][0]["id"] == "e3"


def test_a_past_instant(run: Run) -> None:
    found = run("audience", "explain", "CustomerID:c1", "buyers", "--at", "2026-06-02", "--json").data
    assert not found["holds"]
    assert found["notes"] == [
        "As of that instant: 2 later events left out. Attributes and identities are the present ones."
    ]
    assert found["stored"]["status"] == "never"


def test_through_a_server(own: Path) -> None:
    words = ("audience", "explain", "CustomerID:c2", "--rule", TWICE, "--zone", "Europe/Paris")
    alone, plain = command(own, *words, "--json"), command(own, *words)
    with serving(own):
        assert command(own, *words, "--json") == alone
        assert command(own, *words) == plain
    assert "The calendar is that of Europe/Paris." in plain.out


def test_what_cannot_be_explained(run: Run) -> None:
    for words, code in (
        (("CustomerID:none", "buyers"), "identity.not-found"),
        (("nobody", "buyers"), "identity.not-found"),
        (("CustomerID:c1", "byers"), "audience.not-found"),
        (("CustomerID:c1",), "audience.rule"),
        (("CustomerID:c1", "buyers", "--rule", TWICE), "audience.rule"),
        (("CustomerID:c1", "buyers", "--view", "unstitched"), "audience.other-view"),
        (("CustomerID:c1", "--rule", "loyalty.tier ="), "pql.invalid"),
        (("CustomerID:c1", "--rule", TWICE, "--zone", "Mars"), "pql.zone"),
    ):
        done = run("audience", "explain", *words, "--json")
        assert (done.code != 0, done.error["code"]) == (True, code), words


def test_the_facade(loaded: Path) -> None:
    with library.open(loaded, clock=FixedClock(shop.NOW)) as ws:
        found = ws.audiences.explain("CustomerID:c3", pql=TWICE)
        assert (found.holds, found.needs) == (False, ("2 events “purchase” in the last 30 days",))
        with pytest.raises(NotFound):
            ws.audiences.explain("CustomerID:c3", "none")
        with pytest.raises(Invalid):
            ws.audiences.explain("CustomerID:c3", "gold", pql=TWICE)
