"""Merging 3 M fragments of 11 attributes for everybody, and for 10 k people after a load, against a bare group-by.

A million people have a million and a half identities, and each identity a record in each of two datasets; a tenth of
the records was written twice. That the profiles are those of the pure function is checked on a sample before any time
is reported. The bare group-by joins the same fragments to the persons and takes the maximum of each attribute, into a
table.
``python bench/merge.py [--fragments N]``; the last line is JSON:

* ``over_group_by``: time of the merge of all profiles over that of the bare group-by, medians
* ``touched_over_full``: time of the merge of 10 k people over that of all
* ``equal``: whether the sample was equal; nothing else is reported when it was not
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import machine
from coterie.core.schema import Field, FieldType, Leaf, leaves, read_fields
from coterie.profile import bulk
from coterie.profile.merge import Fragment, Source, Write, merge, settle
from coterie.profile.nest import Shape
from coterie.profile.policy import STITCHED, AttributeMerge, MergePolicy, View
from coterie.store.history import History, quote

RUNS = 3
TOUCHED = 10_000
SAMPLE = 2_000
DISTINCT = {"name.first": 1_000, "name.last": 20_000, "address.city": 2_000, "address.street": 50_000}
"""How many values the attributes of text have; e-mail addresses are of one identity each."""
FIELDS = {
    "name.first": "string",
    "name.last": "string",
    "address.city": "string",
    "address.street": "string",
    "email": "string",
    "age": "integer",
    "points": "integer",
    "spent": {"type": "number", "decimals": 2},
    "born": "date",
    "seen": "date-time",
    "active": "boolean",
}
ORDERED = View("b_first", MergePolicy(AttributeMerge.DATASET_PRECEDENCE, order=("b", "a")))


def filled(folder: Path, fragments: int) -> tuple[History, list[Leaf]]:
    """Return a history of so many fragments."""
    (folder / "tmp").mkdir()
    history = History.open(folder / "history.duckdb", folder / "tmp")
    con = history.con
    attributes = list(leaves(Field(FieldType.OBJECT, properties=read_fields(FIELDS, "bench"))))
    history.ensure_leaves("record", attributes)
    for view in (STITCHED, ORDERED):
        history.ensure_view(view.name, stitched=view.stitched)
    identities = fragments // 2
    con.execute("INSERT INTO namespace VALUES (1, 'CRMID')")
    con.execute("INSERT INTO identity SELECT i, 1, 'c' || i, 1 FROM range($1) t(i)", [identities])
    con.execute("INSERT INTO person_of SELECT i, i % ($1 * 2 // 3) FROM range($1) t(i)", [identities])
    loads = [(1, "a", 1), (2, "b", 1), (3, "a", 10)]  # batch, dataset, one identity in so many
    for batch, dataset, each in loads:
        number = history.number("dataset", dataset)
        history.add_batch(batch, f"b{batch}", number, 1_000 * batch)
        # a fifth of the values is missing, so that gaps are filled from other fragments
        values = ""
        for place, leaf in enumerate(attributes):
            value = _value(leaf, f"hash(i, {batch:d}, -{place + 1:d})")
            values += f", CASE WHEN hash(i, {batch:d}, {place:d}) % 5 > 0 THEN {value} END AS {quote(leaf.path)}"
        con.execute(
            f'CREATE OR REPLACE TEMP TABLE loaded AS SELECT {number:d} AS "$dataset", {batch:d} AS "$batch", '
            f'i AS "$row", ((i * 7919) % $1)::INTEGER AS "$identity"{values} '
            f"FROM range($1) t(i) WHERE i % {each:d} = 0",
            [identities],
        )
        history.fit_texts(attributes, "loaded")
        con.execute("INSERT INTO record BY NAME SELECT * FROM loaded")
    con.execute("DROP TABLE loaded")
    con.execute("CHECKPOINT")
    # as the process of the next load finds it: of plain texts that it wrote itself DuckDB 2.0 decodes whole vectors,
    # of those that it found in the file the rows asked for
    history.close()
    return History.open(folder / "history.duckdb", folder / "tmp"), attributes


_EMAIL = "'customer' || (i * 7919) % $1 || '@example.org'"


def _value(leaf: Leaf, number: str) -> str:
    match leaf.field.type:
        case FieldType.STRING:
            return f"'{leaf.path} ' || {number} % {DISTINCT[leaf.path]}" if leaf.path in DISTINCT else _EMAIL
        case FieldType.NUMBER:
            return f"({number} % 1_000_000)::DECIMAL(18, 2) / 100"
        case FieldType.BOOLEAN:
            return f"{number} % 2 = 0"
        case _:
            return f"({number} % 1_000_000_000)::BIGINT"


def pure(history: History, attributes: list[Leaf], people: list[int], policy: MergePolicy) -> dict[int, Any]:
    """Merge the profiles of some people by the pure function."""
    shape = Shape(attributes)
    writes: dict[int, list[Write]] = {}
    cursor = history.con.execute(
        'SELECT p.person AS "$person", d.id AS "$id", r.* FROM record r JOIN person_of p ON p.identity = r."$identity" '
        'JOIN dataset d ON d.dataset = r."$dataset" WHERE list_contains($1::INTEGER[], p.person)',
        [people],
    )
    names = [column[0] for column in cursor.description or ()]
    for values in cursor.fetchall():
        row = dict(zip(names, values, strict=True))
        source = Source(row["$id"], "CRMID", str(row["$identity"]), 1_000 * row["$batch"])
        write = Write(Fragment(source, shape.nest(row), (row["$batch"], row["$row"])))
        writes.setdefault(row["$person"], []).append(write)
    merged = {person: merge(settle(mine), policy) for person, mine in writes.items()}
    return {person: found.attributes for person, found in merged.items() if found is not None}


def stored(history: History, attributes: list[Leaf], people: list[int], view: View) -> dict[int, Any]:
    """Return the profiles of some people as they are kept."""
    shape = Shape(attributes)
    cursor = history.con.execute(
        f"SELECT * FROM profile_{view.name} WHERE list_contains($1::INTEGER[], person)", [people]
    )
    names = [column[0] for column in cursor.description or ()]
    rows = [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
    return {row["person"]: shape.nest(row) for row in rows}


def timed(run: Callable[[], Any]) -> float:
    """Return how long a run took."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fragments", type=int, default=3_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        history, attributes = filled(Path(folder), given.fragments)
        people = int(history.con.execute("SELECT count(DISTINCT person) FROM person_of").fetchall()[0][0])
        rng = np.random.default_rng(1)
        sample = [int(person) for person in rng.choice(people, min(SAMPLE, people), replace=False)]
        for view in (ORDERED, STITCHED):
            bulk.refresh(history.con, view, attributes)
            if stored(history, attributes, sample, view) != pure(history, attributes, sample, view.policy):
                print(json.dumps({"equal": False}))
                raise SystemExit(f"profiles of {view.name} differ from those of the pure function")
        maxima = ", ".join(f"max(r.{quote(leaf.path)})" for leaf in attributes)
        bare = (
            f"CREATE OR REPLACE TEMP TABLE bare AS SELECT p.person, {maxima} FROM record r "
            'JOIN person_of p ON p.identity = r."$identity" WHERE r."$batch" < 3 GROUP BY p.person'
        )

        def merged(view: View, touched: npt.NDArray[np.int32] | None = None) -> None:
            with history.transaction():  # as a load does, of which this is a part
                bulk.refresh(history.con, view, attributes, touched)

        def touch() -> None:
            touched = rng.choice(people, min(TOUCHED, people), replace=False).astype(np.int32)
            merged(STITCHED, touched)

        runs = {
            "group_by_s": lambda: history.con.execute(bare),
            "full_s": lambda: merged(STITCHED),
            "touched_s": touch,
            "precedence_s": lambda: merged(ORDERED),
        }
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(RUNS):
            for name, run in runs.items():
                # small runs are taken more often: one after the other, as loads come
                times[name] += [timed(run) for _ in range(5 if run is touch else 1)]
        median = {name: statistics.median(each) for name, each in times.items()}
        history.close()
    print(
        json.dumps(
            {
                "equal": True,
                "over_group_by": round(median["full_s"] / median["group_by_s"], 2),
                "touched_over_full": round(median["touched_s"] / median["full_s"], 4),
                **{name: round(seconds, 3) for name, seconds in median.items()},
                "fragments": given.fragments,
                "people": people,
                "leaves": len(attributes),
                "peak_gb": round(machine.peak_gb(), 2),
                "machine": machine.described(),
            }
        )
    )


if __name__ == "__main__":
    main()
