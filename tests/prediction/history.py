"""A small history in DuckDB, made directly: events of people with a type, an amount, a shelf and tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np

from coterie.core.clock import DAY
from coterie.core.schema import Schema, SchemaClass, Union, read_fields, union_of

UNION: Union = union_of(
    [
        Schema(
            "shop",
            SchemaClass.EVENT,
            read_fields(
                {
                    "value": {"type": "number", "decimals": 2},
                    "weight": "number",
                    "shelf": "string",
                    "paid": "boolean",
                    "items[].sku": "string",
                    "items[].price": {"type": "number", "decimals": 2},
                },
                "shop",
            ),
        ),
        Schema("people", SchemaClass.PROFILE, read_fields({"tier": "string", "points": "integer"}, "people")),
    ]
)


@dataclass(frozen=True)
class Event:
    """What a person did, `at` ms, recorded by a batch."""

    person: int
    at: int
    type: str = "order"
    value: float | None = None
    shelf: str | None = None
    skus: tuple[str, ...] | None = None
    prices: tuple[float, ...] | None = None
    batch: int = 1


def history(
    events: Iterable[Event],
    *,
    recorded: Mapping[int, int] | None = None,
    profiles: Mapping[int, tuple[str | None, int | None]] | None = None,
) -> duckdb.DuckDBPyConnection:
    """Return a history; `recorded` has the instants of batches, `profiles` the tier and points of people.

    Each person has two identities, whose events alternate.
    """
    con = duckdb.connect(config={"threads": 2})
    con.execute("SET TimeZone = 'UTC'")
    con.execute(
        """
        CREATE TABLE dataset (dataset INTEGER, id VARCHAR); INSERT INTO dataset VALUES (1, 'shop'), (2, 'people');
        CREATE TABLE batch (batch INTEGER, id VARCHAR, dataset INTEGER, recorded_at BIGINT, withdrawn_at BIGINT);
        CREATE TABLE person_of_default (identity INTEGER, person INTEGER);
        CREATE TABLE membership (audience VARCHAR, person INTEGER, entered_at BIGINT, exited_at BIGINT,
            version INTEGER, cause VARCHAR, namespace VARCHAR, valid_until BIGINT);
        CREATE TABLE event_of_default ("$dataset" INTEGER, "$batch" INTEGER, "$row" BIGINT, "$identity" INTEGER,
            _id VARCHAR, "timestamp" BIGINT, "eventType" VARCHAR, "producedBy" VARCHAR, "value" DECIMAL(18, 2),
            weight DOUBLE, shelf VARCHAR, paid BOOLEAN, "items.sku" VARCHAR[], "items.price" DECIMAL(18, 2)[]);
        CREATE VIEW event_by_identity_of_default AS FROM event_of_default;
        CREATE TABLE profile_default (person INTEGER, tier VARCHAR, points BIGINT);
        """
    )
    listed = list(events)
    for batch, at in (recorded or dict.fromkeys({event.batch for event in listed} | {1}, 10**14)).items():
        con.execute("INSERT INTO batch VALUES (?, ?, 1, ?, NULL)", [batch, f"b{batch}", at])
    people = sorted({event.person for event in listed} | set(profiles or {}))
    con.register("people", {"person": np.array(people, np.int32)})
    con.execute("INSERT INTO person_of_default SELECT person, person FROM people")
    con.execute("INSERT INTO person_of_default SELECT person + 1000000, person FROM people")
    con.execute("INSERT INTO profile_default SELECT person, NULL, NULL FROM people")
    con.unregister("people")
    for person, (tier, points) in (profiles or {}).items():
        con.execute("UPDATE profile_default SET tier = ?, points = ? WHERE person = ?", [tier, points, person])
    rows = [
        [1, event.batch, row, event.person + 1_000_000 * (row % 2), f"e{row}", event.at, event.type, None, event.value,
         None, event.shelf, None, event.skus, event.prices]
        for row, event in enumerate(listed)
    ]  # fmt: skip
    for start in range(0, len(rows), 500):
        part = rows[start : start + 500]
        marks = ", ".join([f"({', '.join('?' * 14)})"] * len(part))
        con.execute(f"INSERT INTO event_of_default VALUES {marks}", [value for row in part for value in row])
    return con


def shop(seed: int, people: int = 60, days: int = 200, start: int = 20_000 * DAY) -> list[Event]:
    """Return events of a small shop: visits, orders with a value on a shelf, and mails that people are sent."""
    rng = np.random.default_rng(seed)
    found = []
    for person in range(people):
        pace = rng.gamma(2.0, 5.0) + 1
        at = start + int(rng.uniform(0, 20) * DAY)
        while at < start + days * DAY:
            kind = rng.choice(["order", "visit", "mail"], p=[0.4, 0.45, 0.15])
            shelf = rng.choice(["tea", "coffee", "bread"]) if kind == "order" else None
            value = round(float(rng.gamma(2, 10)), 2) if kind == "order" else None
            skus = tuple(rng.choice(["a", "b", "c"], size=2)) if kind == "order" else None
            prices = (1.25, 2.5) if kind == "order" else None
            found.append(Event(person, at, str(kind), value, None if shelf is None else str(shelf), skus, prices))
            at += int(rng.exponential(pace) * DAY) + 1
    return found


def described(values: Any) -> dict[str, float]:
    """Return a row of a frame by the names of its features."""
    return {feature.name: float(value) for feature, value in zip(values[0], values[1], strict=True)}
