"""Persons kept up to date step by step are those worked out anew: loads, reverts, decisions, in any mixture."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from coterie.identity import links, saved
from coterie.identity.fold import Folded, Links, Records, sliced
from coterie.identity.persons import Cause, refresh
from coterie.identity.settings import Algorithm, IdentitySettings, NamespaceRule
from coterie.identity.stitch import Scope

from .loading import Load, schema

TABLES = ("person_of", "folded", "graph_link", "removed_link", "evicted")
RULES = IdentitySettings(
    Algorithm.OPTIMIZED,
    (NamespaceRule("CRMID", unique=True), NamespaceRule("Email"), NamespaceRule("FPID")),
    graph_limit=6,
    blocked_namespaces=("AAID",),
)
PLAIN = IdentitySettings(Algorithm.NONE, (NamespaceRule("CRMID", unique=True),), graph_limit=5)
MAPPED = schema(identity_map=True)
LINKS = saved.links


def told(load: Load) -> dict[str, list[Any]]:
    return {table: load.con.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall() for table in TABLES}


def rows(chance: random.Random, at: int, late: bool) -> list[Any]:
    """Return some records after `at`, or around it; people few, browsers shared, some identities blocked."""
    found: list[Any] = []
    for _ in range(chance.randint(1, 8)):
        mine = [("CRMID", str(chance.randint(1, 3)), False)] if chance.random() < 0.4 else []
        mine += [("CRMID", "4", False)] if chance.random() < 0.1 else []
        mine += [("Email", chance.choice("abc"), False)] if chance.random() < 0.4 else []
        mine += [("AAID", "x", False)] if chance.random() < 0.2 else []
        mine += [("FPID", str(chance.randint(1, 8)), False) for _ in range(chance.randint(0, 2))]
        when = chance.randint(0, at + 20) if late else at + chance.randint(1, 20)
        found.append((when, [], mine or [("FPID", "1", False)]))
    return found


def decide(load: Load, chance: random.Random, number: int) -> None:
    """Note a decision about identities that are there, or withdraw one."""
    made = load.con.execute("SELECT decision, identities FROM decision WHERE withdrawn_at IS NULL").fetchall()
    if made and chance.random() < 0.5:
        decision, mine = chance.choice(made)
        load.con.execute("UPDATE decision SET withdrawn_at = 1 WHERE decision = $1", [decision])
    else:
        kind = chance.choice(["merge", "split", "never"])
        there = [identity for (identity,) in load.con.execute("SELECT identity FROM identity ORDER BY 1").fetchall()]
        mine = sorted(chance.sample(there, min(len(there), 1 if kind == "never" else 2)))
        load.con.execute(
            "INSERT INTO decision VALUES ($1, $2, $3::INTEGER[], NULL, 'user', NULL, $4, NULL)",
            [number, kind, mine, 50 * number],
        )
    refresh(load.evidence(), Scope(identities=np.array(mine, np.int32)), Cause(9000, decision=number))


def anew(load: Load) -> dict[str, list[Any]]:
    """Return what is told once persons are worked out anew, and take that back, so that saved states stay."""
    load.con.begin()
    assert load.anew().touched.size == 0
    found = told(load)
    load.con.rollback()
    return found


@pytest.mark.parametrize(
    ("seed", "giant"), [*((seed, 5_000) for seed in range(3)), *((seed, 4) for seed in (0, 1, 3, 5))]
)
def test_step_by_step_is_as_anew(load: Load, seed: int, giant: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved, "GIANT", giant)
    resumed: list[Links] = []

    def links(*given: Any) -> Links:
        resumed.append(LINKS(*given))
        return resumed[-1]

    monkeypatch.setattr(saved, "links", links)
    chance = random.Random(seed)
    load.settings = PLAIN if seed % 3 == 2 else RULES
    at, replayed = 0, 0
    live: list[int] = []
    for step in range(9 if giant > 4 else 16):
        choice = chance.random()
        if live and choice < 0.2:
            load.revert(live.pop(chance.randrange(len(live))))
        elif live and choice < 0.45:
            with load.history.transaction():
                decide(load, chance, step)
        else:
            late = chance.random() < 0.4
            load(MAPPED, rows(chance, at, late))
            live.append(load.batch)
            at += 20
        kept = told(load)
        assert anew(load) == kept, step
        replayed += len(kept["folded"])
    assert replayed
    assert any(map(len, resumed)) == (giant == 4)


def test_a_late_record_of_a_giant_component_costs_those_after_the_last_state(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved, "GIANT", 20)
    folded: list[int] = []

    def counted(n: int, namespace: Any, records: Records, *given: Any) -> tuple[Folded, list[Links]]:
        folded.append(len(records))
        return sliced(n, namespace, records, *given)

    monkeypatch.setattr("coterie.identity.stitch.sliced", counted)
    load.settings = RULES

    def pairs(begin: int, end: int) -> list[Any]:
        return [(at, [], [("CRMID", str(at % 7), False), ("FPID", str(at // 3), False)]) for at in range(begin, end)]

    load(MAPPED, pairs(0, 400))
    load(MAPPED, [(390, [], [("FPID", "20", False), ("FPID", "110", False)])])
    late = load.batch
    load(MAPPED, [(500, [], [("FPID", "20", False), ("FPID", "new", False)])])
    load.revert(late)
    load(MAPPED, [(300, [], [("FPID", "0", False), ("FPID", "100", False)])])
    load(MAPPED, [(1, [], [("FPID", "0", False), ("FPID", "90", False)])])
    whole, tail, continued, reverted, middle, first = folded
    assert (whole, continued, first) == (400, 1, 404 - 1)
    assert tail <= 20 + 1
    assert reverted <= 20 + 2
    assert middle <= 100 + 2
    assert anew(load) == told(load)


def test_a_record_is_found_by_what_it_links_where_its_owner_was_left_out(load: Load) -> None:
    load.settings = RULES
    web = [("FPID", "1", False), ("FPID", "2", False)]
    load(MAPPED, [(10, [], [("CRMID", "1", True), *web]), (30, [], [("CRMID", "2", False), web[0]])])
    found = {(code, value): number for number, code, value, _ in load.identities()}
    left = [found["FPID", "1"], found["FPID", "2"]]
    load.con.execute('UPDATE event SET "$identities" = $1::INTEGER[] WHERE "timestamp" = 10', [left])
    load.con.execute("DELETE FROM link WHERE batch = 1")
    links.add(load.con, 1, 1, "event")
    load.anew()
    assert told(load)["folded"] == []
    load(MAPPED, [(20, [], [("CRMID", "3", False), web[1]])])
    assert [row[:2] for row in told(load)["removed_link"]] == [tuple(left)]
    assert len(told(load)["folded"]) == 4
