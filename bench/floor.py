"""The bare scan that every ratio refers to: the least that reading a set of conditions' columns can cost.

It takes ``max()`` of every event column that any condition of the given rules reads, in one query over the events
clustered by (event type, time), with two threads, warm, and gives the median of five runs.

``python bench/floor.py WORKSPACE [--sandbox NAME]`` measures it for all audiences of a workspace,
``python bench/floor.py FILE.duckdb --table NAME --columns a,b,c`` for columns of a table.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterable
from pathlib import Path

import duckdb

import machine

THREADS = 2
RUNS = 5


def scan(con: duckdb.DuckDBPyConnection, table: str, columns: Iterable[str], runs: int = RUNS) -> float:
    """Return the median seconds of one pass over the columns of a table, after a pass to warm up."""
    wanted = ", ".join(f'max("{name}")' for name in columns)
    con.execute(f"SET threads = {THREADS}")
    taken = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        con.execute(f'SELECT {wanted} FROM "{table}"').fetchall()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


def columns_of(rules: Iterable[str], con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """Return the columns of `table` that hold the event fields read by rules in PQL, in the order of the table."""
    from coterie import pql

    read = set().union(*(pql.analyse(pql.parse(rule)).events for rule in rules))
    there = [
        row[0] for row in con.execute("SELECT column_name FROM (DESCRIBE SELECT * FROM " + f'"{table}")').fetchall()
    ]
    return [name for name in there if name in read or any(name.startswith(f"{path}.") for path in read)]


def main() -> None:
    """Measure the floor of a workspace or of a table and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="a workspace, or a DuckDB file")
    parser.add_argument("--sandbox", default="prod")
    parser.add_argument("--table", default="event")
    parser.add_argument("--columns", default="", help="names divided by commas; needed for a DuckDB file")
    options = parser.parse_args()
    if options.path.is_file():
        columns = options.columns.split(",")
        with duckdb.connect(str(options.path), read_only=True) as con:
            seconds = scan(con, options.table, columns)
            rows = con.execute(f'SELECT count(*) FROM "{options.table}"').fetchall()[0][0]
    else:
        import coterie

        with coterie.open(options.path, options.sandbox) as ws:
            con = ws.sandbox.history.con
            columns = columns_of([audience.pql for audience in ws.audiences.list()], con, options.table)
            seconds = scan(con, options.table, columns)
            rows = con.execute(f'SELECT count(*) FROM "{options.table}"').fetchall()[0][0]
    print(json.dumps({"floor_s": round(seconds, 4), "rows": rows, "columns": columns, "machine": machine.described()}))


if __name__ == "__main__":
    main()
