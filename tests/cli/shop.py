"""A small shop that is quick to load: customers as CSV, clicks as JSON lines, with a few faults."""

from __future__ import annotations

from pathlib import Path

NOW = "2026-06-15T12:00:00Z"

CUSTOMERS = """id,email,tier,spent,since
c1,ann@example.org,gold,120.50,2024-01-10
c2,bob@example.org,silver,19.99,2025-03-01
c3,eve@example.org,gold,0.10,2026-01-31
c4,joe@example.org,bronze,never,2026-02-01
"""

CLICKS = """{"_id":"e1","timestamp":"2026-06-01T10:00:00Z","eventType":"view","browser":"b1","page":"/shoes"}
{"_id":"e2","timestamp":"2026-06-02T10:00:00Z","eventType":"login","browser":"b1","customer":"c1"}
{"_id":"e3","timestamp":"2026-06-03T10:00:00Z","eventType":"purchase","browser":"b1","customer":"c1","total":"30.10"}
{"_id":"e4","timestamp":"2026-06-04T10:00:00Z","eventType":"purchase","browser":"b2","customer":"c2","total":"9.90"}
{"_id":"e5","timestamp":"2026-06-05T10:00:00Z","eventType":"view","browser":"b3","page":"/hats"}
{"_id":"e5","timestamp":"2026-06-05T10:00:00Z","eventType":"view","browser":"b3","page":"/hats"}
"""

CUSTOMER_SCHEMA = """name: customer
class: profile
title: Customers
fields:
  customerID: string
  email: {type: string, title: E-mail}
  loyalty.tier: {type: string, enum: [bronze, silver, gold]}
  loyalty.spent: {type: number, decimals: 2}
  loyalty.since: date
identities:
  - {path: customerID, namespace: CustomerID, primary: true}
  - {path: email, namespace: Email}
"""

CLICK_SCHEMA = """name: click
class: event
title: Web clicks
fields:
  browser: string
  customer: string
  page: string
  total: {type: number, decimals: 2}
identities:
  - {path: browser, namespace: BrowserID, primary: true}
  - {path: customer, namespace: CustomerID}
"""

CUSTOMER_MAPPING = """fields:
  customerID: id
  email: email
  loyalty.tier: tier
  loyalty.spent: spent
  loyalty.since: since
"""

BUYERS = 'xEvent[eventType = "purchase"].count() > 0'
GOLD = 'loyalty.tier = "gold"'
FILES = {
    "customers.csv": CUSTOMERS,
    "clicks.jsonl": CLICKS,
    "customer.yaml": CUSTOMER_SCHEMA,
    "click.yaml": CLICK_SCHEMA,
    "mapping.yaml": CUSTOMER_MAPPING,
}


def write_files(folder: Path) -> Path:
    """Write the shop's files and return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder
