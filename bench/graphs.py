"""Graphs in the history: the persons of 5 M identities worked out from the facts, and kept when batches come and go.

The world is that of ``identity.py``, written into the tables of a history: each record is an event of two identities.
What is measured is what a load runs after its rows are written (`identity.persons.refresh`): reading the evidence, the
fold of what is in conflict, writing persons, links in force, removals and evictions. That persons and links kept are
those worked out anew is checked before any time is reported.
``python bench/graphs.py [--identities N] [--links N]``; the last line is JSON:

* ``rules_over_plain``: everything worked out with rules and limit over the same without
* ``incremental_over_full``: a batch of 10,000 records, a hundred of them late, over everything with rules
* ``withdraw_over_full``: taking that batch back over everything with rules
* ``incremental_processor``, ``withdraw_processor``: the same of processor time, which a busy machine changes less
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import identity as worlds
import machine
from coterie.identity import links
from coterie.identity.evidence import Evidence, lent
from coterie.identity.fold import Records
from coterie.identity.namespaces import STANDARD
from coterie.identity.persons import Cause, refresh
from coterie.identity.settings import Algorithm, IdentitySettings, NamespaceRule
from coterie.identity.stitch import Scope
from coterie.store.history import History

if TYPE_CHECKING:
    from collections.abc import Iterable

    from duckdb import DuckDBPyConnection

CODES = ("CRMID", "Email", "IDFA", "FPID")
PLAIN = IdentitySettings(graph_limit=0)
RULES = IdentitySettings(
    algorithm=Algorithm.OPTIMIZED, namespaces=tuple(NamespaceRule(code, code == "CRMID") for code in CODES)
)
NAMESPACES = {namespace.code: namespace for namespace in STANDARD}
TOLD = ("person_of", "folded", "graph_link", "removed_link", "evicted", "graph_state", "graph_part", "lineage")
RUNS = 3


def identities(history: History, given: worlds.World) -> None:
    """Write the identities of the world."""
    numbers = np.array([history.number("namespace", code) for code in CODES], np.int32)
    each = np.arange(len(given.namespace), dtype=np.int32)
    with lent(history.con, "given", identity=each, namespace=numbers[given.namespace]):
        history.con.execute("INSERT INTO identity SELECT identity, namespace, 'v' || identity, 1 FROM given")


def load(history: History, batch: int, records: Records) -> None:
    """Write records as the events of a batch, with their links."""
    dataset = history.number("dataset", "web")
    pairs = records.identities.reshape(-1, 2)
    pairs = np.sort(pairs, axis=1)
    with (
        history.transaction() as con,
        lent(con, "given", a=pairs[:, 0].copy(), b=pairs[:, 1].copy(), time=records.time, place=np.arange(len(pairs))),
    ):
        history.add_batch(batch, f"b{batch}", dataset, 0)
        con.execute(
            'INSERT INTO event ("$dataset", "$batch", "$row", "$identity", "$identities", "_id", "timestamp") '
            "SELECT $1, $2, place, a, [a, b], 'e' || place, time FROM given WHERE a <> b ORDER BY time",
            [dataset, batch],
        )
        links.add(con, batch, dataset, "event")


class Taken(NamedTuple):
    """Seconds by the clock, and of processor time."""

    clock: float
    processor: float


def timed(history: History, settings: IdentitySettings, scope: Scope | None) -> Taken:
    """Bring persons up to date and return what it took; a scope of None starts from nothing."""
    began = Taken(time.perf_counter(), time.process_time())
    with history.transaction() as con:
        if scope is None:
            for table in TOLD:
                con.execute(f"DELETE FROM {table}")
        refresh(Evidence(con, settings, NAMESPACES), scope or Scope(), Cause(1))
    return Taken(time.perf_counter() - began.clock, time.process_time() - began.processor)


def least(taken: Iterable[Taken]) -> Taken:
    """Return the least of each."""
    return Taken(*map(min, zip(*taken, strict=True)))


def digest(con: DuckDBPyConnection) -> list[tuple[object, ...]]:
    """Return counts and hashes of what is told of graphs."""
    return [
        con.execute(f"SELECT count(*), sum(hash({columns})) FROM {table}").fetchall()[0]
        for table, columns in (
            ("person_of", "identity, person"),
            ("folded", "identity, component"),
            ("graph_link", "a, b, first_at, last_at"),
        )
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identities", type=int, default=5_000_000)
    parser.add_argument("--links", type=int, default=6_000_000)
    asked = parser.parse_args()
    given = worlds.world(asked.identities, asked.links)
    with tempfile.TemporaryDirectory() as folder:
        history = History.open(Path(folder) / "history.duckdb", Path(folder))
        con = history.con
        identities(history, given)
        load(history, 1, given.records)
        timed(history, RULES, None)  # the compiler has done its work after this
        plain = least(timed(history, PLAIN, None) for _ in range(RUNS))
        full = least(timed(history, RULES, None) for _ in range(RUNS))
        before = digest(con)
        added, withdrawn = [], []
        for batch in range(2, 2 + RUNS):
            load(history, batch, worlds.later(given, 10_000, seed=batch))
            added.append(timed(history, RULES, Scope(batch=batch)))
            kept = digest(con)
            if batch == 2:
                timed(history, RULES, None)
                if digest(con) != kept:
                    raise SystemExit("graphs that were kept are not those worked out anew")
            with history.transaction():
                history.withdraw_batch(batch, 2)
            concerned = Evidence(con, RULES, NAMESPACES).concerned([batch])
            withdrawn.append(timed(history, RULES, Scope(identities=concerned, facts_of=[batch])))
            if digest(con) != before:
                raise SystemExit("graphs after a batch was taken back are not those before it")
        history.close()
    incremental, withdraw = least(added), least(withdrawn)
    print(
        json.dumps(
            {
                "rules_over_plain": round(full.clock / plain.clock, 2),
                "incremental_over_full": round(incremental.clock / full.clock, 4),
                "withdraw_over_full": round(withdraw.clock / full.clock, 4),
                "incremental_processor": round(incremental.processor / full.processor, 4),
                "withdraw_processor": round(withdraw.processor / full.processor, 4),
                "equal": True,
                "plain_s": round(plain.clock, 2),
                "rules_s": round(full.clock, 2),
                "incremental_s": round(incremental.clock, 3),
                "withdraw_s": round(withdraw.clock, 3),
                "identities": asked.identities,
                "links": asked.links,
                "machine": machine.described(),
            }
        )
    )


if __name__ == "__main__":
    main()
