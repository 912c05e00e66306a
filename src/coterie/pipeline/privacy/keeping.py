"""What staged files hold and the history no longer keeps: expired events, and rows of nobody who is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coterie.core.schema import Schema, SchemaClass
from coterie.ingest.sql import literal
from coterie.store.history import quote
from coterie.store.sandbox import Sandbox

_KNOWN = "known_identity"


@dataclass(frozen=True)
class Keeping:
    """Which rows of staged files are kept no longer.

    Parameters
    ----------
    before : mapping of str to int
        By dataset, the instant before which its events are expired.
    """

    before: Mapping[str, int]

    def lend(self, source: Sandbox, target: Sandbox) -> None:
        """Make the TEMP table of the identities that the history knows, where batches will be staged."""
        path = target.tmp / "known.parquet"
        source.history.con.execute(
            "COPY (SELECT n.code AS namespace, i.value FROM identity i JOIN namespace n USING (namespace) "
            f"WHERE i.value != '') TO {literal(str(path))} (FORMAT parquet)"
        )
        target.history.con.execute(
            f"CREATE OR REPLACE TEMP TABLE {_KNOWN} AS SELECT * FROM read_parquet($1)", [str(path)]
        )
        path.unlink()

    def rows(self, dataset: str, schema: Schema) -> str:
        """Return SQL for the ``"$row"`` of the staged rows that go; to be asked while the bad rows are still there.

        The identities are those that a row was taken in with, so that nobody who is known loses a row.
        """
        known = f'SELECT i."$row" FROM ({_identities(schema)}) i SEMI JOIN {_KNOWN} USING (namespace, value)'
        gone = f'SELECT "$row" FROM stage WHERE "$ok" AND "$row" NOT IN ({known})'
        if schema.class_ is SchemaClass.EVENT and dataset in self.before:
            gone += f' UNION SELECT "$row" FROM stage WHERE "timestamp" < {self.before[dataset]:d}'
        return gone


def _identities(schema: Schema) -> str:
    parts = [
        f'SELECT "$row", {literal(item.namespace)} AS namespace, {quote(f"$id{place}")} AS value FROM stage '
        f"WHERE {quote(f'$id{place}')} IS NOT NULL"
        for place, item in enumerate(schema.identities)
    ]
    if schema.identity_map:
        parts.append(
            'SELECT "$row", entry.namespace, entry.id AS value FROM '
            '(SELECT "$row", unnest("$identityMap") AS entry FROM stage)'
        )
    return " UNION ALL ".join(parts)
