"""A small shop to predict purchases of: some customers come often, some seldom, some have left."""

import json
import shutil

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
PEOPLE = 240
EVENTS = {"customer": "string", "total": {"type": "number", "decimals": 2}, "channel": "string"}


def events(people, *, first=240, last=0, seed=0):
    """Return what customers did from so many days before `NOW` on until so many before it."""
    rows = []
    for customer in range(people):
        random = np.random.default_rng([seed, customer])
        gap, left = _habits(random)
        at = NOW - first * DAY + int(random.integers(0, 60)) * DAY
        while (at := at + int(random.exponential(gap))) < NOW - max(left, last) * DAY:
            if random.random() < 0.6:
                rows.append(
                    _event("visit", at - 3_600_000, customer, len(rows), channel=("mail", "web")[len(rows) % 2])
                )
            rows.append(_event("purchase", at, customer, len(rows), total=round(float(random.gamma(2, 20)), 2)))
    return rows


def later(people, days, *, seed=0):
    """Return what the same customers did in so many days after `NOW`."""
    rows = []
    for customer in range(people):
        gap, left = _habits(np.random.default_rng([seed, customer]))
        random, at = np.random.default_rng([seed + 1, customer]), NOW
        while not left and (at := at + int(random.exponential(gap)) + 1) < NOW + days * DAY:
            rows.append(_event("purchase", at, customer, f"later-{len(rows)}", total=20.0))
    return rows


def _habits(random):
    """Return the mean time between the purchases of a customer, and how many days before `NOW` the last one is."""
    rate = random.gamma(1.2, 1 / 25)
    return DAY / rate, 0 if random.random() < 0.6 else int(random.integers(1, 150))


def name(customer):
    """Return the id of a customer: long enough to be looked for in texts."""
    return f"customer-{customer:04d}"


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


def copied(source, folder):
    """Copy the workspace of a shop, which nobody has open, into a folder; return where it is."""
    shutil.copytree(source, folder / "ws", ignore=shutil.ignore_patterns("lock", "tmp"))
    return folder / "ws"
