"""The effect of an evaluation: intervals of memberships opened and closed."""

from __future__ import annotations

from collections.abc import Callable

from pyroaring import BitMap

from coterie.audience import ledger, plan
from coterie.audience.definition import Audience, Evaluated, Evaluation
from coterie.engine import people
from coterie.engine.protocol import Engine
from coterie.engine.sql import SqlEngine
from coterie.pipeline.definitions import Definitions
from coterie.store.log import Entry
from coterie.store.sandbox import Sandbox

EngineOf = Callable[[str, int | None], Engine]
"""Gives the engine for a view; events after an instant, if there is one, are left out."""


def evaluated(sandbox: Sandbox, entry: Entry, engine: EngineOf | None = None) -> Evaluation:
    """Evaluate the audiences that the entry names, as they are defined now, and settle their memberships."""
    definitions, con = Definitions(sandbox.catalog), sandbox.history.con
    union, at = definitions.union(), entry.body["at"]
    engine = engine or (lambda view, until: SqlEngine(con, union, definitions.audiences(view), until))
    versions = {item["id"]: item["version"] for item in entry.body["audiences"]}
    planned = [plan.plan(definitions.get(Audience, name), union) for name in versions]
    results: list[Evaluated] = []
    most = 0
    for view in sorted({item.audience.view for item in planned}):
        mine = [item for item in planned if item.audience.view == view]
        universe = everyone(sandbox, view)
        most = max(most, len(universe))
        read = frozenset().union(*(item.reads for item in mine)) - versions.keys()
        stored = {name: ledger.members(con, name) for name in read}
        for name, outcome in plan.evaluated(mine, engine(view, entry.body.get("until")), view, at, universe, stored):
            entered, exited = ledger.settle(
                con, name, outcome.members, at=at, version=versions[name], cause=entry.body["cause"]
            )
            found = Evaluated(
                name, versions[name], len(outcome.members), entered, exited, outcome.seconds, outcome.withheld
            )
            ledger.note(con, found, at)
            results.append(found)
    distinct = {condition.key for item in planned for condition in item.conditions}
    return Evaluation(at, most, len(distinct), sum(item.seconds for item in results), tuple(results))


def everyone(sandbox: Sandbox, view: str) -> BitMap:
    """Return all persons of a view."""
    return people.read(sandbox.history.con, f'SELECT person FROM "profile_{view}"')
