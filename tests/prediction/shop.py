"""A shop whose customers buy for known reasons: because they searched lately, and because of their tier.

What they read, their shoe size and the e-mails that are sent to them have nothing to do with it. Purchases are
otherwise without memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

import coterie
from coterie.core.clock import DAY, FixedClock, parse_instant
from coterie.prediction.definition import Attribute, Goal, GoalEvent, Kind, Model, Population
from coterie.prediction.definition import Test as Condition

NOW = parse_instant("2026-06-15T00:00:00Z")
DAYS = 220
TIERS = ("bronze", "silver", "gold")
LATELY = 10
"""Days for which a search makes a purchase likelier."""

SCHEMAS: list[dict[str, Any]] = [
    {
        "name": "clicks",
        "class": "event",
        "fields": {"customer": "string", "category": "string", "order.total": {"type": "number", "decimals": 2}},
        "identities": [{"path": "customer", "namespace": "CRMID", "primary": True}],
    },
    {
        "name": "customers",
        "class": "profile",
        "fields": {"crm": "string", "loyalty.tier": "string", "shoeSize": "integer", "boughtSoon": "boolean"},
        "identities": [{"path": "crm", "namespace": "CRMID", "primary": True}],
    },
]

MODEL = Model(
    key="buys",
    name="Buys within two weeks",
    goal=Goal((GoalEvent("Purchase", (Condition("eventType", "eq", "purchase"),)),), 14),
    population=Population(lookback_days=60),
    exposures=(Kind("E-mail", (Condition("eventType", "eq", "mail"),)),),
    attributes=(Attribute("loyalty.tier", confirmed=True), Attribute("shoeSize", confirmed=True)),
)


Made = dict[str, npt.NDArray[Any]]


def simulate(people: int, seed: int, days: int = DAYS, *, end: int = NOW, searching: float = 0.22) -> Made:
    """Return events and attributes of a shop whose last day ends at `end`.

    A spell of searching begins so often a week.
    """
    rng = np.random.default_rng(seed)
    tier, shoe = rng.integers(0, 3, people), rng.integers(36, 47, people)
    # spells of searching begin by chance, the same for everybody
    begins = rng.random((people, days)) < searching / 7
    searched = np.zeros((people, days), dtype=bool)
    for later in range(4):
        searched[:, later:] |= begins[:, : days - later] & (rng.random((people, days - later)) < 0.7)
    lately = np.zeros((people, days), dtype=bool)
    for later in range(1, LATELY + 1):
        lately[:, later:] |= searched[:, : days - later]
    odds = -4.6 + 2.4 * lately + np.array([-1.1, 0.0, 1.1])[tier][:, None]
    bought = rng.random((people, days)) < 1 / (1 + np.exp(-odds))
    read = rng.random((people, days)) < 0.12
    mailed = rng.random((people, days)) < 0.1
    parts = []
    for name, happened in (("search", searched), ("purchase", bought), ("read", read), ("mail", mailed)):
        who, day = np.nonzero(happened)
        parts.append((np.full(len(who), name), who, end - (days - day) * DAY + rng.integers(0, DAY, len(who))))
    kind, who, at = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(at, kind="stable")
    return {
        "kind": kind[order],
        "who": who[order],
        "at": at[order].astype(np.int64),
        "tier": np.array(TIERS)[tier],
        "shoe": shoe,
        "lately": searched[:, -LATELY:].any(axis=1),
        "bought": bought[:, -14:].any(axis=1),
        "total": np.round(rng.gamma(2, 20, len(at)), 2),
        "category": np.array(["SOAP", "TEA", "SHOES"])[rng.integers(0, 3, len(at))],
    }


def only(made: Made, kept: npt.NDArray[np.bool_]) -> Made:
    """Return some of the events, and everybody."""
    events = ("kind", "who", "at", "total", "category")
    return made | {name: made[name][kept] for name in events}


def load(path: Path, made: Made) -> Any:
    """Load a simulated shop into a new workspace."""
    ws = coterie.open(path / "ws", clock=FixedClock(NOW), create=True)
    for schema in SCHEMAS:
        ws.schemas.put(schema)
        ws.datasets.put(schema["name"], schema["name"])
    columns = {
        "crm": np.char.add("c", np.arange(len(made["tier"])).astype(str)),
        "loyalty": pa.StructArray.from_arrays([pa.array(made["tier"])], names=["tier"]),
        "shoeSize": made["shoe"],
        "boughtSoon": made["bought"],
    }
    pq.write_table(pa.table(columns), path / "customers.parquet")
    assert not ws.ingest.load("customers", path / "customers.parquet").quarantined
    load_events(ws, path, made)
    return ws


def load_events(ws: Any, path: Path, made: Made) -> None:
    """Load the events of a simulated shop."""
    buys = made["kind"] == "purchase"
    ids = np.char.add(np.char.add(made["kind"], made["who"].astype(str)), made["at"].astype(str))
    table = pa.table(
        {
            "_id": ids,
            "timestamp": pa.array(made["at"], pa.int64()).cast(pa.timestamp("ms", "UTC")),
            "eventType": made["kind"],
            "customer": np.char.add("c", made["who"].astype(str)),
            "category": pa.array(made["category"], mask=~np.isin(made["kind"], ["purchase", "read"])),
            "order": pa.StructArray.from_arrays(
                [pa.array(made["total"], mask=~buys)], names=["total"], mask=pa.array(~buys)
            ),
        }
    )
    pq.write_table(table, path / "clicks.parquet")
    assert not ws.ingest.load("clicks", path / "clicks.parquet").quarantined
