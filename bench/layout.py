"""Three layouts of an event with an array of objects, measured: the figures of docs/adr/0001-event-layout.md.

* ``structs``: one event table, the array as a column LIST(STRUCT(…))
* ``lists``: one event table, each leaf of the array a list of its own, aligned by position (what the history does)
* ``items``: an event table without the array, and a table of items that names the event

Each is written from the same Parquet file in the order (event type, time) and asked the same questions; that all give
the same counts is checked before any time is reported. ``python bench/layout.py [--events N]``; the last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import duckdb

import machine

THREADS = 2
RUNS = 5

SOURCE = """
SELECT 'e' || n AS id,
    1_700_000_000_000 + (hash(n, 1) % 15_552_000_000)::BIGINT AS ts,
    ['view', 'view', 'view', 'search', 'cart', 'purchase'][1 + (hash(n, 2) % 6)::BIGINT] AS type,
    'c' || hash(n, 3) % 200_000 AS browser,
    'p' || hash(n, 4) % 1_000 AS page,
    [{'sku': 's' || hash(n, i, 5) % 5_000,
      'quantity': 1 + (hash(n, i, 6) % 4)::BIGINT,
      'price': ((hash(n, i, 7) % 10_000)::BIGINT / 100)::DECIMAL(18, 2)}
     FOR i IN range((hash(n, 8) % 5)::BIGINT)] AS items
FROM range(?) AS source(n)
"""

PLAIN = "id, ts, type, browser, page"
ORDER = "ORDER BY type, ts"
LAYOUTS = {
    "structs": [f"CREATE TABLE event AS SELECT {PLAIN}, items FROM source {ORDER}"],
    "lists": [
        f"""CREATE TABLE event AS SELECT {PLAIN}, [x.sku FOR x IN items] AS "items.sku",
        [x.quantity FOR x IN items] AS "items.quantity", [x.price FOR x IN items] AS "items.price"
        FROM source {ORDER}"""
    ],
    "items": [
        f"CREATE TABLE event AS SELECT row_number() OVER () AS event, * FROM (SELECT {PLAIN} FROM source {ORDER})",
        """CREATE TABLE item AS SELECT event, i AS place, items[i].sku AS sku, items[i].quantity AS quantity,
        items[i].price AS price FROM (SELECT event, items, unnest(range(1, len(items) + 1)) AS i
        FROM event JOIN source USING (id)) ORDER BY event, place""",
    ],
}
SAME = "sku = 's42' AND price > 20"
PAIRS = """len(list_filter(list_zip("items.sku", "items.price"), lambda x: x[1] = 's42' AND x[2] > 20)) > 0"""
HOLDS = """list_contains("items.sku", 's42')"""
EXISTS = "EXISTS (FROM item WHERE item.event = event.event AND {})"
QUESTIONS = {
    # did a purchase hold the product
    "one_leaf": {
        "structs": "len(list_filter(items, lambda x: x.sku = 's42')) > 0",
        "lists": HOLDS,
        "items": EXISTS.format("sku = 's42'"),
    },
    # did a purchase hold the product, at a price, in one and the same item
    "same_item": {
        "structs": "len(list_filter(items, lambda x: x.sku = 's42' AND x.price > 20)) > 0",
        "lists": PAIRS,
        "items": EXISTS.format(SAME),
    },
    # the same, after the test of one leaf has left few events
    "same_item_after_one_leaf": {
        "structs": "len(list_filter(items, lambda x: x.sku = 's42' AND x.price > 20)) > 0",
        "lists": f"CASE WHEN {HOLDS} THEN {PAIRS} ELSE false END",
        "items": EXISTS.format(SAME),
    },
}


def timed(con: duckdb.DuckDBPyConnection, statement: str) -> float:
    """Return the seconds that a statement takes."""
    began = time.perf_counter()
    con.execute(statement).fetchall()
    return time.perf_counter() - began


def measure(layout: str, source: Path, file: Path) -> tuple[dict[str, float], dict[str, int]]:
    """Write a layout to `file` and ask the questions; return the times and the answers."""
    with duckdb.connect(str(file), config={"threads": THREADS, "memory_limit": "4GB"}) as con:
        con.execute(f"CREATE TEMP VIEW source AS FROM read_parquet('{source}')")
        times = {"write": sum(timed(con, statement) for statement in [*LAYOUTS[layout], "CHECKPOINT"])}
        answers = {}
        for name, forms in QUESTIONS.items():
            query = f"SELECT count(*) FROM event WHERE type = 'purchase' AND {forms[layout]}"
            (answers[name],) = con.execute(query).fetchone() or (-1,)
            times[name] = statistics.median(timed(con, query) for _ in range(RUNS))
    return times, answers


def main() -> None:
    """Measure all layouts and print a table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=5_000_000)
    events = parser.parse_args().events
    times: dict[str, dict[str, float]] = {}
    answers: dict[str, dict[str, int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.parquet"
        with duckdb.connect(config={"threads": THREADS}) as con:
            con.execute(f"COPY ({SOURCE}) TO '{source}' (FORMAT parquet)", [events])
        for layout in LAYOUTS:
            file = Path(folder) / f"{layout}.duckdb"
            times[layout], answers[layout] = measure(layout, source, file)
            file.unlink()
    assert answers["lists"] == answers["structs"] == answers["items"], answers
    assert 0 < answers["lists"]["same_item"] < answers["lists"]["one_leaf"], answers

    print(f"{'seconds':26}" + "".join(f"{layout:>10}" for layout in LAYOUTS))
    for what in times["lists"]:
        print(f"{what:26}" + "".join(f"{times[layout][what]:10.3f}" for layout in LAYOUTS))
    ratios = {
        f"{what}_over_{layout}": round(times["lists"][what] / times[layout][what], 2)
        for what in times["lists"]
        for layout in ("structs", "items")
    }
    print(json.dumps({**ratios, "seconds": times, "events": events, "machine": machine.described()}))


if __name__ == "__main__":
    main()
