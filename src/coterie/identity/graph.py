"""The identity graph of one person: its identities and the links between them, with what made each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from coterie.core.ids import person_id
from coterie.identity.persons import Changes, refresh
from coterie.store.history import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Changes", "Graph", "GraphIdentity", "GraphLink", "find", "graph", "members", "refresh"]


class GraphIdentity(msgspec.Struct, frozen=True):
    """An identity of a graph, with the first and last instants at which it was seen."""

    namespace: str
    value: str
    first_at: int | None
    last_at: int | None


class GraphLink(msgspec.Struct, frozen=True):
    """A link: its ends as places in `Graph.identities`, and the records, datasets and batches that made it."""

    a: int
    b: int
    first_at: int
    last_at: int
    records: int
    datasets: tuple[str, ...]
    batches: tuple[str, ...]


class Graph(msgspec.Struct, frozen=True):
    """All that is known of which identities are one person; the first identity founded the person."""

    person: str
    view: str
    identities: tuple[GraphIdentity, ...]
    links: tuple[GraphLink, ...]


def find(con: DuckDBPyConnection, namespace: str, value: str) -> int | None:
    """Return the number of an identity, or None when it was never seen."""
    rows = con.execute(
        "SELECT i.identity FROM identity i WHERE i.value = $value "
        "AND i.namespace = (SELECT n.namespace FROM namespace n WHERE n.code = $namespace)",
        {"namespace": namespace, "value": value},
    ).fetchall()
    return rows[0][0] if rows else None


def members(con: DuckDBPyConnection, view: str, identity: int) -> tuple[int, ...]:
    """Return the identities of the person that an identity belongs to, the founding one first; empty when none."""
    table = quote(f"person_of_{view}")
    rows = con.execute(
        f"SELECT identity FROM {table} WHERE person = (SELECT person FROM {table} WHERE identity = $1) ORDER BY ALL",
        [identity],
    ).fetchall()
    return tuple(row[0] for row in rows)


def graph(con: DuckDBPyConnection, view: str, namespace: str, value: str) -> Graph | None:
    """Return the graph that holds an identity.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    view : str
        Name of the view; in one without stitching every graph is a single identity.
    namespace, value : str
        Any identity of the graph.

    Returns
    -------
    Graph or None
        None when no live record holds the identity.
    """
    identity = find(con, namespace, value)
    mine = members(con, view, identity) if identity is not None else ()
    if not mine:
        return None
    identities = con.execute(
        """
        WITH sighting AS (
            SELECT a AS identity, first_at, last_at FROM live_link WHERE a IN (SELECT unnest($1::INTEGER[]))
            UNION ALL SELECT b, first_at, last_at FROM live_link WHERE b IN (SELECT unnest($1::INTEGER[]))
            UNION ALL SELECT "$identity", "timestamp", "timestamp" FROM live_event
                WHERE "$identity" IN (SELECT unnest($1::INTEGER[]))
            UNION ALL SELECT r."$identity", b.recorded_at, b.recorded_at
                FROM live_record r JOIN batch b ON b.batch = r."$batch"
                WHERE r."$identity" IN (SELECT unnest($1::INTEGER[]))
        )
        SELECT n.code, i.value, min(s.first_at), max(s.last_at)
        FROM identity i JOIN namespace n ON n.namespace = i.namespace LEFT JOIN sighting s ON s.identity = i.identity
        WHERE i.identity IN (SELECT unnest($1::INTEGER[]))
        GROUP BY i.identity, n.code, i.value ORDER BY i.identity
        """,
        [mine],
    ).fetchall()
    links = con.execute(
        """
        SELECT l.a, l.b, min(l.first_at), max(l.last_at), sum(l.records)::BIGINT,
               list_sort(list(DISTINCT d.id)), list(DISTINCT b.id ORDER BY b.id)
        FROM live_link l JOIN dataset d ON d.dataset = l.dataset JOIN batch b ON b.batch = l.batch
        WHERE l.a IN (SELECT unnest($1::INTEGER[])) AND l.b IN (SELECT unnest($1::INTEGER[]))
        GROUP BY l.a, l.b ORDER BY l.a, l.b
        """,
        [mine],
    ).fetchall()
    place = {member: position for position, member in enumerate(mine)}
    founder = identities[0]
    return Graph(
        person_id(founder[0], founder[1]),
        view,
        tuple(GraphIdentity(*row) for row in identities),
        tuple(
            GraphLink(place[a], place[b], first, last, records, tuple(datasets), tuple(batches))
            for a, b, first, last, records, datasets, batches in links
        ),
    )
