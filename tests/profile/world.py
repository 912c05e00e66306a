"""A history filled by hand: records and events with given identities, as a load leaves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from coterie.core.schema import CLASS_FIELDS, Field, FieldType, Leaf, SchemaClass, leaves, read_fields
from coterie.identity import links, persons
from coterie.identity.evidence import Evidence
from coterie.identity.namespaces import Namespace, NamespaceType
from coterie.identity.settings import IdentitySettings
from coterie.identity.stitch import Scope
from coterie.profile import bulk
from coterie.profile.nest import Shape
from coterie.profile.policy import VIEWS, View
from coterie.store.history import History, column_type, quote

PROFILE = {
    "name.first": "string",
    "name.last": "string",
    "age": "integer",
    "since": "date",
    "seen": "date-time",
    "score": {"type": "number", "decimals": 2},
    "tags[]": "string",
    "orders[].id": "string",
    "orders[].total": {"type": "number", "decimals": 2},
    "orders[].lines[].sku": "string",
    "consents{}": "boolean",
    "prices{}{}": "integer",
    "shops{}.name": "string",
    "shops{}.visits[]": "integer",
    "shops{}.visited": "date-time",
}
EVENT = {"page.name": "string", "items[].sku": "string", "items[].price": {"type": "number", "decimals": 2}}

Pair = tuple[str, str]


def root(spec: Mapping[str, Any], class_: SchemaClass = SchemaClass.PROFILE) -> Field:
    fields = CLASS_FIELDS[class_] | read_fields(spec, "test")
    return Field(FieldType.OBJECT, properties=fields)


class World:
    """A history with numbered identities; `load` does what a batch does after intake."""

    def __init__(
        self,
        folder: Path,
        profile: Mapping[str, Any] = PROFILE,
        event: Mapping[str, Any] = EVENT,
        views: Sequence[View] = VIEWS,
    ) -> None:
        (folder / "tmp").mkdir()
        self.history = History.open(folder / "history.duckdb", folder / "tmp", memory_limit="1GB", threads=1)
        self.con = self.history.con
        self.profile, self.event = root(profile), root(event, SchemaClass.EVENT)
        self.leaves: list[Leaf] = list(leaves(self.profile))
        self.history.ensure_leaves("record", self.leaves)
        self.history.ensure_leaves("event", leaves(self.event))
        self.views = views
        for view in views:
            self.history.ensure_view(view.name, stitched=view.stitched)
            if view.policy.event_datasets is not None:
                numbers = [self.history.number("dataset", name) for name in view.policy.event_datasets]
                self.history.limit_events(view.name, numbers)
        self.numbers: dict[Pair, int] = {}
        self.batches = 0

    def close(self) -> None:
        self.history.close()

    def identity(self, pair: Pair, batch: int) -> int:
        if pair not in self.numbers:
            self.numbers[pair] = len(self.numbers)
            namespace = self.history.number("namespace", pair[0])
            self.con.execute(
                "INSERT INTO identity VALUES ($1, $2, $3, $4)", [self.numbers[pair], namespace, pair[1], batch]
            )
        return self.numbers[pair]

    def load(
        self,
        dataset: str,
        rows: Sequence[tuple[Sequence[Pair], Mapping[str, Any]]],
        at: int,
        kind: str,
        operations: Sequence[tuple[int | None, Sequence[str]]] = (),
    ) -> int:
        """Load rows of (identities, the primary one first; the object); `kind` is ``record`` or ``event``.

        Records may have operations, as they are stored, each with the paths to take away.
        """
        self.batches += 1
        batch, number = self.batches, self.history.number("dataset", dataset)
        shape = Shape(leaves(self.profile if kind == "record" else self.event))
        columns: dict[str, list[Any]] = {
            name: [] for name in ("$dataset", "$batch", "$row", "$identity", "$identities")
        } | {leaf.path: [] for leaf in shape.leaves}
        with self.history.transaction():
            self.history.add_batch(batch, f"b{batch}", number, at)
            for row, (pairs, value) in enumerate(rows):
                mine = [self.identity(pair, batch) for pair in pairs]
                linked = sorted(set(mine)) if len(set(mine)) > 1 else None
                flat = shape.flatten(value)
                for name, cell in zip(
                    list(columns), (number, batch, row, mine[0], linked, *flat.values()), strict=True
                ):
                    columns[name].append(cell)
            if operations:
                columns["$operation"] = [operation for operation, _ in operations]
                columns["$unset"] = [list(unset) or None for _, unset in operations]
            self._insert(kind, shape.leaves, columns)
            links.add(self.con, batch, number, "record" if kind == "record" else "event")
            self.refresh(batch, at)
        return batch

    def _insert(self, table: str, shape: Sequence[Leaf], columns: Mapping[str, list[Any]]) -> None:
        self.con.execute(f'CREATE OR REPLACE TEMP TABLE filling AS SELECT * FROM "{table}" LIMIT 0')
        types = {leaf.path: column_type(leaf) for leaf in shape}
        names = ", ".join(map(quote, columns))
        for cells in zip(*columns.values(), strict=True):
            marks = ", ".join(
                f"${place}::{types[name]}" if name in types else f"${place}"
                for place, name in enumerate(columns, start=1)
            )
            self.con.execute(f"INSERT INTO filling ({names}) VALUES ({marks})", list(cells))
        self.con.execute(f'INSERT INTO "{table}" BY NAME SELECT * FROM filling')

    def revert(self, batch: int, at: int) -> None:
        with self.history.transaction():
            self.history.withdraw_batch(batch, at)
            self.refresh(batch, at, Scope(identities=self.evidence().concerned([batch])))

    def evidence(self) -> Evidence:
        namespaces = {code: Namespace(code, NamespaceType.CROSS_DEVICE) for code, _ in self.numbers}
        return Evidence(self.con, IdentitySettings(), namespaces)

    def refresh(self, batch: int, at: int, scope: Scope | None = None) -> None:
        """As after a load or a revert: persons, then the profiles of those touched."""
        changes = persons.refresh(self.evidence(), scope or Scope(batch), persons.Cause(at, batch))
        for view in self.views:
            rows = self.con.execute(
                f'SELECT DISTINCT person FROM "person_of_{view.name}" WHERE identity IN ('
                'SELECT "$identity" FROM record WHERE "$batch" = $1 '
                'UNION ALL SELECT "$identity" FROM event WHERE "$batch" = $1)',
                [batch],
            ).fetchnumpy()
            touched = pa.chunked_array(
                [
                    pa.array(changes.touched if view.stitched else changes.identities),
                    pa.array(rows["person"], pa.int32()),
                ]
            ).unique()
            bulk.refresh(self.con, view, self.leaves, touched.to_numpy())

    def profiles(self, view: str) -> dict[int, dict[str, Any]]:
        """Return the stored profiles as objects."""
        shape = Shape(self.leaves)
        cursor = self.con.execute(f'SELECT * FROM "profile_{view}"')
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        return {row["person"]: shape.nest(row) for row in rows}
