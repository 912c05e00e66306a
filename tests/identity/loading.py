"""Loading rows with identities by the steps of a batch: assign, insert, link, refresh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coterie.core.schema import CLASS_FIELDS, IdentityDescriptor, Schema, SchemaClass, read_fields
from coterie.identity import assign, links
from coterie.identity.assign import Assigned
from coterie.identity.evidence import Evidence
from coterie.identity.namespaces import STANDARD
from coterie.identity.persons import Cause, Changes, refresh
from coterie.identity.settings import IdentitySettings
from coterie.identity.stitch import Scope
from coterie.store.history import History, quote

NAMESPACES = {namespace.code: namespace for namespace in STANDARD}
Entries = Sequence[tuple[str, str, bool]]


def schema(
    *identities: IdentityDescriptor, class_: SchemaClass = SchemaClass.EVENT, identity_map: bool = False
) -> Schema:
    fields = CLASS_FIELDS[class_] | read_fields({item.path: "string" for item in identities} or {"x": "string"}, "test")
    return Schema("test", class_, fields, identities, identity_map)


class Load:
    """Loads rows of (time, identity values by descriptor, entries of the identity map)."""

    def __init__(self, history: History) -> None:
        self.history, self.con, self.batch = history, history.con, 0
        self.settings = IdentitySettings()

    def __call__(
        self,
        schema: Schema,
        rows: Sequence[tuple[int, Sequence[str | None], Entries]],
        dataset: str = "web",
        priorities: Sequence[str] | None = None,
        unique: Sequence[str] = (),
    ) -> tuple[Assigned, Changes]:
        self.batch += 1
        event = schema.class_ is SchemaClass.EVENT
        table = "event" if event else "record"
        number = self.history.number("dataset", dataset)
        self.history.ensure_leaves("event" if event else "record", schema.leaves().values())
        self._stage(schema, rows)
        with self.history.transaction():
            self.history.add_batch(self.batch, f"b{self.batch}", number, 1000 * self.batch)
            assigned = assign.assign(self.con, schema, NAMESPACES, priorities, unique, batch=self.batch)
            paths = ", ".join(quote(path) for path in schema.leaves())
            self.con.execute(
                f'INSERT INTO {table} ("$dataset", "$batch", "$row", "$identity", "$identities", {paths}) '
                f'SELECT $1, $2, "$row", "$identity", "$identities", {paths} FROM identified ORDER BY "$row"',
                [number, self.batch],
            )
            links.add(self.con, self.batch, number, "event" if event else "record")
            return assigned, self.refresh()

    def _stage(self, schema: Schema, rows: Sequence[tuple[int, Sequence[str | None], Entries]]) -> None:
        ids = "".join(f', "$id{place}" VARCHAR' for place in range(len(schema.identities)))
        leaves = "".join(
            f", {quote(path)} {'BIGINT' if path == 'timestamp' else 'VARCHAR'}" for path in schema.leaves()
        )
        self.con.execute(
            f'CREATE OR REPLACE TEMP TABLE stage ("$row" BIGINT{ids}{leaves}, '
            '"$identityMap" STRUCT(namespace VARCHAR, id VARCHAR, "primary" BOOLEAN)[])'
        )
        for row, (at, values, entries) in enumerate(rows):
            cells: Mapping[str, Any] = {
                "$row": row,
                **{f"$id{place}": value for place, value in enumerate(values)},
                **({"_id": str(row), "timestamp": at} if schema.class_ is SchemaClass.EVENT else {}),
                "$identityMap": [{"namespace": code, "id": id_, "primary": flag} for code, id_, flag in entries],
            }
            names = ", ".join(map(quote, cells))
            marks = ", ".join(f"${place}" for place in range(1, len(cells) + 1))
            self.con.execute(f"INSERT INTO stage ({names}) VALUES ({marks})", list(cells.values()))

    def evidence(self) -> Evidence:
        return Evidence(self.con, self.settings, NAMESPACES)

    def refresh(self) -> Changes:
        return refresh(self.evidence(), Scope(self.batch), Cause(1000 * self.batch, self.batch))

    def anew(self) -> Changes:
        return refresh(self.evidence(), Scope(), Cause(9000))

    def revert(self, batch: int) -> Changes:
        with self.history.transaction():
            self.history.withdraw_batch(batch, 9000)
            evidence = self.evidence()
            return refresh(
                evidence, Scope(identities=evidence.concerned([batch]), facts_of=[batch]), Cause(9000, batch)
            )

    def identities(self) -> list[tuple[int, str, str, int]]:
        return self.con.execute(
            "SELECT identity, code, value, batch FROM identity JOIN namespace USING (namespace) ORDER BY identity"
        ).fetchall()

    def rows(self, table: str = "event") -> list[tuple[int, list[int] | None]]:
        return self.con.execute(f'SELECT "$identity", "$identities" FROM {table} ORDER BY "$batch", "$row"').fetchall()

    def persons(self, view: str = "default") -> dict[int, int]:
        return dict(self.con.execute(f"SELECT identity, person FROM person_of_{view} ORDER BY identity").fetchall())
