"""Sightings: the records that show identities together, found again to say why a link is there or is not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from coterie.core.ids import Identity

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Sighting(msgspec.Struct, frozen=True):
    """A record, found again.

    Parameters
    ----------
    dataset, batch : str
        Where it came in.
    row : int
        Its place in the files of the batch, from 1.
    at : int
        When it happened; of attributes, when they were taken in.
    id, event_type : str, optional
        ``_id`` and ``eventType`` of an event; None for attributes.
    identities : tuple of Identity
        All that it links, in the order of their numbers.
    """

    dataset: str
    batch: str
    row: int
    at: int
    id: str | None = None
    event_type: str | None = None
    identities: tuple[Identity, ...] = ()


_COLUMNS = """d.id, b.id, s."row" + 1, s."at", s.id, s."type", (
    SELECT list([n.code, i.value] ORDER BY i.identity) FROM identity i JOIN namespace n ON n.namespace = i.namespace
    WHERE list_contains(s.identities, i.identity)
)"""
_NAMED = "JOIN batch b ON b.batch = s.batch JOIN dataset d ON d.dataset = s.dataset"


def _seen(condition: str) -> str:
    """Return a SELECT of the live rows for which a condition holds, as sightings by number."""
    return f"""
        SELECT "$dataset" AS dataset, "$batch" AS batch, "$row" AS "row", "timestamp" AS "at", "_id" AS id,
               "eventType" AS "type", "$identities" AS identities
        FROM live_event WHERE {condition}
        UNION ALL
        SELECT "$dataset", "$batch", "$row", (SELECT recorded_at FROM batch WHERE batch = "$batch"), NULL, NULL,
               "$identities"
        FROM live_record WHERE {condition}"""


def first_and_last(con: DuckDBPyConnection, a: int, b: int) -> tuple[Sighting, Sighting] | None:
    """Return the first and the last live record that shows two identities together; None when there is none."""
    # the batches are few and known from the links, and their rows lie together
    condition = (
        '"$batch" IN (SELECT batch FROM live_link WHERE a = $a AND b = $b) AND "$identities" IS NOT NULL '
        'AND list_contains("$identities", $a) AND list_contains("$identities", $b)'
    )
    rows = con.execute(
        f"""
        SELECT {_COLUMNS} FROM ({_seen(condition)}) s {_NAMED}
        QUALIFY row_number() OVER (ORDER BY s."at", s.batch, s."row") = 1
             OR row_number() OVER (ORDER BY s."at" DESC, s.batch DESC, s."row" DESC) = 1
        ORDER BY s."at", s.batch, s."row"
        """,
        {"a": min(a, b), "b": max(a, b)},
    ).fetchall()
    return (_sighting(*rows[0]), _sighting(*rows[-1])) if rows else None


def find(con: DuckDBPyConnection, places: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Sighting]:
    """Return the records at places, each the number of a batch and a row of it (from 0)."""
    wanted = sorted(set(places))
    if not wanted:
        return {}
    condition = (
        '"$batch" IN (SELECT unnest($batches::INTEGER[])) AND "$row" IN (SELECT unnest($rows::BIGINT[]))'
        ' AND ("$batch", "$row") IN (SELECT unnest($batches::INTEGER[]), unnest($rows::BIGINT[]))'
    )
    rows = con.execute(
        f'SELECT s.batch, s."row", {_COLUMNS} FROM ({_seen(condition)}) s {_NAMED}',
        {"batches": [batch for batch, _ in wanted], "rows": [row for _, row in wanted]},
    ).fetchall()
    return {(batch, row): _sighting(*rest) for batch, row, *rest in rows}


def _sighting(*columns: Any) -> Sighting:
    dataset, batch, row, at, id_, event_type, identities = columns
    return Sighting(dataset, batch, row, at, id_, event_type, tuple(Identity(*pair) for pair in identities or ()))
