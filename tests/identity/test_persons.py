"""Persons kept up to date step by step are those worked out anew: loads, reverts, decisions, in any mixture."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

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


@pytest.mark.parametrize("seed", range(6))
def test_step_by_step_is_as_anew(load: Load, seed: int) -> None:
    chance = random.Random(seed)
    load.settings = PLAIN if seed % 3 == 2 else RULES
    at, replayed = 0, 0
    live: list[int] = []
    for step in range(9):
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
        assert load.anew().touched.size == 0
        assert told(load) == kept, step
        replayed += len(kept["folded"])
    assert replayed
