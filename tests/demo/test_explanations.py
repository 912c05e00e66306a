"""Explanations agree with the members that the engine found, for people of the sample world picked at random."""

from __future__ import annotations

import random

import pytest

from coterie.audience import ledger
from coterie.demo.world import DemoReport
from coterie.pipeline.effects.evaluations import everyone
from coterie.pql import parse
from coterie.pql.interpreter import holds
from coterie.profile.record import records
from coterie.workspace import Workspace

from .expected import EXPECTED

Loaded = tuple[Workspace, DemoReport]


@pytest.fixture(scope="module")
def people(loaded: Loaded) -> list[int]:
    """Twenty persons, with few events and with many."""
    return sorted(random.Random(17).sample(list(everyone(loaded[0].sandbox, "default")), 20))


def test_the_interpreter_finds_the_members(loaded: Loaded, people: list[int]) -> None:
    ws, _ = loaded
    union, con = ws.schemas.union(), ws.sandbox.history.con
    found = dict(records(con, union, "default", people))
    for audience in ws.audiences.list():
        expr, now = parse(audience.pql), ws.sandbox.clock.now()
        members = ledger.members(con, audience.name)
        assert {p for p in people if holds(expr, found[p], now, union)} == {p for p in people if p in members}


@pytest.mark.parametrize("name", EXPECTED)
def test_explanations(name: str, loaded: Loaded, people: list[int]) -> None:
    ws, _ = loaded
    inside = {member.person for member in ws.audiences.members(name, limit=10_000)}
    for person in (min(inside), *ids(ws, people[:1])):
        found = ws.audiences.explain(person, name)
        assert (found.person, found.holds) == (person, person in inside)
        assert found.stored is not None
        assert (found.stored.status == "realized") == found.holds
        assert found.needs


def ids(ws: Workspace, people: list[int]) -> list[str]:
    rows = ws.sandbox.history.con.execute(
        "SELECT n.code, i.value FROM identity i JOIN namespace n ON n.namespace = i.namespace "
        "WHERE list_contains($1::INTEGER[], i.identity) ORDER BY i.identity",
        [people],
    ).fetchall()
    return [ws.profiles.get(*row, events=0).person for row in rows]
