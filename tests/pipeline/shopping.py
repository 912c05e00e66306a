"""A small shop to predict purchases of: some customers come often, some seldom, some have left."""

import json

import numpy as np

from coterie.core.clock import DAY, format_instant, parse_instant

NOW = parse_instant("2026-06-15T00:00:00Z")
BUYS = {
    "key": "buys",
    "name": "Buys in 30 days",
    "goal": {
        "events": [{"name": "Purchase", "where": [{"field": "eventType", "op": "eq", "value": "purchase"}]}],
        "window_days": 30,
    },
    "population": {"lookback_days": 90},
}
EVENTS = {"customer": "string", "total": {"type": "number", "decimals": 2}, "channel": "string"}


def events(people, *, first=240, last=0, seed=0):
    """Return what customers did from so many days before `NOW` on until so many before it."""
    random = np.random.default_rng(seed)
    rows = []
    for customer in range(people):
        rate = random.gamma(1.2, 1 / 25)
        at = NOW - first * DAY + int(random.integers(0, 60)) * DAY
        left = 0 if random.random() < 0.6 else int(random.integers(0, 150))
        while (at := at + int(random.exponential(1 / rate) * DAY)) < NOW - max(left, last) * DAY:
            if random.random() < 0.6:
                rows.append(
                    _event("visit", at - 3_600_000, customer, len(rows), channel=("mail", "web")[len(rows) % 2])
                )
            rows.append(_event("purchase", at, customer, len(rows), total=round(float(random.gamma(2, 20)), 2)))
    return rows


def name(customer):
    """Return the id of a customer: long enough to be looked for in texts."""
    return f"customer-{customer:04d}"


def week(people, *, seed=1):
    """Return what some customers did in the week after `NOW`, one event each."""
    random = np.random.default_rng(seed)
    some = np.flatnonzero(random.random(people) < 0.2).tolist()
    ages = random.integers(1, 7 * DAY, len(some)).tolist()
    return [
        _event("purchase", NOW + age, customer, number, total=20.0)
        for number, (customer, age) in enumerate(zip(some, ages, strict=True))
    ]


def _event(type_, at, customer, number, **more):
    return {
        "_id": f"{type_}-{customer}-{at}-{number}",
        "timestamp": format_instant(at),
        "eventType": type_,
        "customer": name(customer),
    } | more


def load(ws, folder, rows, name="events"):
    """Load events into the shop."""
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = ws.ingest.load("shop", path)
    assert report.status == "active"
    return report


def define(ws):
    """Save the schema and the dataset of the shop."""
    identities = [{"path": "customer", "namespace": "CRMID", "primary": True}]
    ws.schemas.put({"name": "shop", "class": "event", "fields": EVENTS, "identities": identities})
    ws.datasets.put("shop", "shop")
