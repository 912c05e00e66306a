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

import coterie
import machine
from coterie.core.schema import Union, leaves
from coterie.pql import parse
from coterie.pql.analysis import analyse
from coterie.pql.conditions import conditions_of
from coterie.pql.normal import normalise

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


def count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    """Return the number of rows of a table."""
    ((rows,),) = con.execute(f'SELECT count(*) FROM "{table}"').fetchall()
    return int(rows)


def columns_of(rules: Iterable[str], union: Union, leaves: Iterable[str]) -> list[str]:
    """Return those of the event columns that the conditions of rules in PQL read.

    A path of an array or object stands for all its leaves, unless the rules read some leaf below it by name.
    """
    conditions = [condition for rule in rules for condition in conditions_of(normalise(parse(rule), union))]
    read = analyse(conditions).event_fields
    whole = tuple(f"{path}." for path in read if not any(other.startswith(f"{path}.") for other in read))
    return [leaf for leaf in leaves if leaf in read or leaf.startswith(whole)]


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
            seconds, rows = scan(con, options.table, columns), count(con, options.table)
    else:
        with coterie.open(options.path, options.sandbox) as ws:
            con, union = ws.sandbox.history.con, ws.schemas.union()
            rules = [audience.pql for audience in ws.audiences.list()]
            columns = columns_of(rules, union, [leaf.path for leaf in leaves(union.event)])
            seconds, rows = scan(con, options.table, columns), count(con, options.table)
    print(json.dumps({"floor_s": round(seconds, 4), "rows": rows, "columns": columns, "machine": machine.described()}))


if __name__ == "__main__":
    main()
