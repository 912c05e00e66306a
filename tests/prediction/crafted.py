"""Histories made for a purpose: few people, their visits and orders told by rules, loaded through the real intake."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import coterie
from coterie.core.clock import DAY, FixedClock, format_instant, parse_instant
from coterie.prediction.definition import Goal, GoalEvent, Model
from coterie.prediction.definition import Test as FieldTest
from coterie.prediction.trust.checks import Check
from coterie.prediction.trust.examination import examine
from coterie.workspace import Workspace

START = parse_instant("2026-01-01")
DAYS = 150
NOW = START + DAYS * DAY

SCHEMAS: tuple[dict[str, Any], ...] = (
    {
        "name": "event",
        "class": "event",
        "fields": {"who": "string", "value": {"type": "number", "decimals": 2}, "colour": "string"},
        "identities": [{"path": "who", "namespace": "CRMID", "primary": True}],
    },
    {
        "name": "person",
        "class": "profile",
        "fields": {"crm.id": "string", "tier": "string", "points": "integer", "city": "string"},
        "identities": [{"path": "crm.id", "namespace": "CRMID", "primary": True}],
    },
)

Happening = tuple[int, float, str]
"""Who, on which day, did what."""
ORDER = (FieldTest("eventType", "eq", "order"),)


def shop(
    folder: Path, events: Iterable[Happening], people: Sequence[dict[str, Any]] = (), *, at: int = NOW
) -> Workspace:
    """Open a workspace with events and attributes, all loaded at once."""
    workspace = coterie.open(folder / "ws", create=True, clock=FixedClock(at))
    for schema in SCHEMAS:
        workspace.schemas.put(schema)
        workspace.datasets.put(schema["name"], schema["name"])
    load(workspace, folder, "event", rows_of(events))
    load(workspace, folder, "person", people)
    return workspace


def load(workspace: Workspace, folder: Path, dataset: str, rows: Sequence[dict[str, Any]]) -> None:
    """Load rows of a dataset."""
    if rows:
        number = len(list(folder.glob("*.jsonl")))
        path = folder / f"{dataset}-{number}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        report = workspace.ingest.load(dataset, path)
        assert report.status == "active", report


def rows_of(events: Iterable[Happening], first: int = 0) -> list[dict[str, Any]]:
    """Return events as rows, with ids that begin with a number."""
    return [_event(f"{first}-{number}", number, *each) for number, each in enumerate(events)]


def _event(id_: str, number: int, who: int, day: float, type_: str) -> dict[str, Any]:
    at = format_instant(START + int(day * DAY))
    row = {"_id": id_, "timestamp": at, "eventType": type_, "who": f"p{who}"}
    return row | ({"value": 5.0 + number % 7} if type_ == "order" else {"colour": "red"})


def steady(people: int, *, days: int = DAYS, orders: Callable[[int, int], bool] | None = None) -> list[Happening]:
    """Return visits of everybody every few days, and an order on the days on which a rule holds of person and day.

    By default half of them order about every three weeks.
    """
    rule = orders or (lambda who, day: who % 2 == 0 and (day + 5 * who) % 21 == 0)
    visits = [(who, day + 0.3, "visit") for who in range(people) for day in range(who % 6, days, 6)]
    bought = [(who, day + 0.6, "order") for who in range(people) for day in range(days) if rule(who, day)]
    return [*visits, *bought]


def model(window: int = 14, **changes: Any) -> Model:
    """Return a model of who orders in a window."""
    goal = changes.pop("goal", None) or Goal(
        (GoalEvent("Order", ORDER),), window, changes.pop("polarity", "will_occur")
    )
    return Model("orders_soon", "Orders soon", goal, **changes)


def checked(workspace: Workspace, asked: Model, at: int = NOW, **how: Any) -> Check:
    """Return what a dry run finds."""
    sandbox = workspace.sandbox
    from coterie.pipeline.definitions import Definitions

    return examine(sandbox.history.con, Definitions(sandbox.catalog).union(), asked, at, **how).check


def told(check: Check) -> dict[int | None, str]:
    """Return the severities of what was found, by number; notes and what has no number are left out."""
    return {each.number: each.severity for each in check.problems if each.number is not None}
