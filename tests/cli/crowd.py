"""A crowd that buys by habit: enough people and time to learn from, quick to load and to train on."""

from __future__ import annotations

import csv
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

PEOPLE = 420
START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 165
NOW = "2026-06-15T00:00:00Z"
"""The day after the last event."""

CUSTOMER = """name: customer
class: profile
title: Customers
fields:
  customerID: string
  tier: {type: string, title: Tier}
identities:
  - {path: customerID, namespace: CustomerID, primary: true}
"""

VISIT = """name: visit
class: event
title: Visits
fields:
  customer: string
  total: {type: number, decimals: 2}
  category: string
identities:
  - {path: customer, namespace: CustomerID, primary: true}
"""

MODEL = """key: buys_soon
name: Buys within two weeks
goal:
  window_days: 14
  events:
    - name: Purchase
      where:
        - {field: eventType, op: eq, value: purchase}
population:
  lookback_days: 60
"""

WRONG = """key: buys_soon
name: Buys within two weeks
goal:
  window_days: 14
  events:
    - name: Purchase
      where:
        - {field: eventType, op: equals, value: purchase}
"""
"""An operator that does not exist, in line 8."""


def write_files(folder: Path) -> Path:
    """Write the schemas, the data and the models; the same every time."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("customer.yaml", CUSTOMER),
        ("visit.yaml", VISIT),
        ("buys_soon.yaml", MODEL),
        ("wrong.yaml", WRONG),
    ):
        (folder / name).write_text(text)
    dice = random.Random(7)
    with (folder / "customers.csv").open("w") as people, (folder / "visits.jsonl").open("w") as visits:
        table = csv.writer(people)
        table.writerow(["customerID", "tier"])
        number = 0
        for who in range(PEOPLE):
            keen = dice.random()
            table.writerow([f"c{who}", "gold" if keen > 0.5 else "plain"])
            every, day = 4 + 30 * (1 - keen) ** 2, dice.uniform(0, 30)
            while day < DAYS and dice.random() > 0.015:
                kind = "purchase" if dice.random() < 0.08 + 0.6 * keen**2 else "view"
                visits.write(json.dumps(_visit(number, who, day, kind, dice)) + "\n")
                number += 1
                day += dice.expovariate(1 / every) + 0.3
    return folder


def _visit(number: int, who: int, day: float, kind: str, dice: random.Random) -> dict[str, object]:
    at = START + timedelta(days=day)
    visit: dict[str, object] = {
        "_id": f"v{number}",
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventType": kind,
        "customer": f"c{who}",
        "category": dice.choice(["shoes", "hats", "coats"]),
    }
    return visit | ({"total": round(dice.uniform(5, 80), 2)} if kind == "purchase" else {})
