"""The identity graph of a person as it was at some moment, with what had made its links by then."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING

from coterie.core.ids import person_id
from coterie.identity.graph import Graph, GraphIdentity, GraphLink, named

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from coterie.identity.past import Moment, PastGraph


def graph(con: DuckDBPyConnection, view: str, found: PastGraph, moment: Moment) -> Graph | None:
    """Return a past graph with its evidence; None when no record had shown any of its identities by then.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    view : str
        Name of the view.
    found : PastGraph
        The graph, from `graph_as_of`.
    moment : Moment
        When.
    """
    members = frozenset(found.members)
    listed = f"[{', '.join(map(str, sorted(members)))}]::INTEGER[]"
    mine = f'"$identity" IN (SELECT unnest({listed})) OR coalesce(list_has_any("$identities", {listed}), false)'
    rows = con.execute(
        f"""
        SELECT d.id, b.id, s."at", s."$identity", s."$identities", s.n FROM (
            SELECT "$dataset", "$batch", "timestamp" AS "at", "$identity", "$identities", count(*) AS n
            FROM ({moment.events_where(f"({mine})")}) GROUP BY ALL
            UNION ALL
            SELECT "$dataset", "$batch", (SELECT recorded_at FROM batch WHERE batch = "$batch"), "$identity",
                   "$identities", count(*)
            FROM ({moment.records_where(f"({mine})")}) GROUP BY ALL
        ) s JOIN batch b ON b.batch = s."$batch" JOIN dataset d ON d.dataset = s."$dataset"
        """
    ).fetchall()
    times: dict[int, list[int]] = defaultdict(list)
    records: dict[tuple[int, int], int] = defaultdict(int)
    datasets: dict[tuple[int, int], set[str]] = defaultdict(set)
    batches: dict[tuple[int, int], set[str]] = defaultdict(set)
    for dataset, batch, at, primary, linked, count in rows:
        seen = sorted(members.intersection([*(linked or ()), primary]))
        for identity in seen:
            times[identity].append(at)
        for pair in combinations(sorted(members.intersection(linked or ())), 2):
            records[pair] += count
            datasets[pair].add(dataset)
            batches[pair].add(batch)
    decided = con.execute(
        f"SELECT decision, identities FROM ({moment.decisions('merge')}) WHERE list_has_any(identities, {listed})"
    ).fetchall()
    if not times and not decided:
        return None
    order = sorted(members)
    place = {identity: position for position, identity in enumerate(order)}
    names = named(con, order)
    pairs = {(min(a, b), max(a, b)): (first, last) for a, b, first, last in found.links}
    return Graph(
        person_id(*names[found.members[0]]),
        view,
        tuple(
            GraphIdentity(*names[identity], min(times[identity], default=None), max(times[identity], default=None))
            for identity in order
        ),
        tuple(
            GraphLink(
                place[a],
                place[b],
                first,
                last,
                records[a, b],
                tuple(sorted(datasets[a, b])),
                tuple(sorted(batches[a, b])),
                tuple(number for number, identities in decided if {a, b} <= set(identities)),
            )
            for (a, b), (first, last) in sorted(pairs.items())
        ),
    )
