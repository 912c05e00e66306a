"""The past on both axes: what had happened by an instant, and what had been recorded by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from coterie.identity.evidence import Evidence
from coterie.identity.fold import Pairs, fold, records_of, sort_records, usable
from coterie.identity.namespaces import Namespace
from coterie.identity.settings import IdentitySettings, priorities
from coterie.ingest.sql import literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Moment(msgspec.Struct, frozen=True):
    """A place in the past from which facts are looked at; either axis may be left at the present.

    Parameters
    ----------
    at : int, optional
        What had happened by then, ms: later events, and records taken in later, are left out.
    known : int, optional
        What had been recorded by then, ms: batches taken in later are left out, those reverted later count.
    """

    at: int | None = None
    known: int | None = None

    @property
    def present(self) -> bool:
        """Whether everything is looked at from now."""
        return self.at is None and self.known is None

    @property
    def latest(self) -> int | None:
        """The last instant at which something taken in, such as a record, counts on both axes."""
        return min((instant for instant in (self.at, self.known) if instant is not None), default=None)

    def in_force(self) -> str:
        """Return the SQL condition that something, by `recorded_at` and `withdrawn_at`, was known and not withdrawn."""
        if self.known is None:
            return "withdrawn_at IS NULL"
        return f"recorded_at <= {self.known:d} AND (withdrawn_at IS NULL OR withdrawn_at > {self.known:d})"

    def batches(self, *, records: bool = False) -> str:
        """Return the SELECT of the batches that count; with `records` of those whose records had been taken in."""
        taken_in = f" AND recorded_at <= {self.at:d}" if records and self.at is not None else ""
        return f"SELECT batch FROM batch WHERE {self.in_force()}{taken_in}"

    def events(self, whose: Iterable[int], datasets: Iterable[str] | None = None) -> str:
        """Return a SELECT of the events of some identities, all columns; those of some datasets alone when given."""
        # constants, so that zone maps leave out the others
        condition = f'"$identity" IN ({", ".join(map(str, whose)) or "NULL"})'
        if datasets is not None:
            listed = f"SELECT dataset FROM dataset WHERE list_contains({_texts(datasets)}, id)"
            condition += f' AND "$dataset" IN ({listed})'
        return self.events_where(condition, "live_event_by_identity")

    def events_where(self, condition: str, live: str = "live_event") -> str:
        """Return a SELECT of the events for which a condition on their system columns holds, all columns.

        `live` names the view of those in force, in the order that suits the condition.

        Of several events with one ``_id`` in a dataset the first that was known then counts. It stands in `event`: a
        duplicate takes the place of an event only when that is withdrawn, and stays there afterwards. So two of them
        are known only where the earlier one was withdrawn later.
        """
        happened = f' AND "timestamp" <= {self.at:d}' if self.at is not None else ""
        if self.known is None:
            return f"SELECT * FROM {live} WHERE {condition}{happened}"
        write = '("$batch"::BIGINT << 32) + "$row"'
        return f"""
            SELECT event.* FROM event ANTI JOIN (
                SELECT "$dataset" AS dataset, "_id" AS id, {write} AS number FROM event
                WHERE "$batch" IN ({self.batches()} AND withdrawn_at IS NOT NULL)
            ) earlier ON dataset = "$dataset" AND id = "_id" AND number < {write}
            WHERE {condition} AND "$batch" IN ({self.batches()}){happened}"""

    def records(self, whose: Iterable[int]) -> str:
        """Return a SELECT of all writes of records of some identities, all columns."""
        return self.records_where(f'"$identity" IN (SELECT unnest({_numbers(whose)}))')

    def records_where(self, condition: str) -> str:
        """Return a SELECT of the writes of records for which a condition on their system columns holds."""
        if self.present:
            return f"SELECT * FROM live_record WHERE {condition}"
        return f'SELECT * FROM record WHERE {condition} AND "$batch" IN ({self.batches(records=True)})'

    def pairs(self) -> str:
        """Return a SELECT of the pairs of identities, `a` and `b`, that records or decisions bring together."""
        happened = f" AND first_at <= {self.at:d}" if self.at is not None else ""
        return f"""
            SELECT a, b FROM link WHERE batch IN ({self.batches()}){happened}
            UNION ALL SELECT a, unnest(identities) FROM (
                SELECT identities, unnest(identities) AS a FROM ({self.decisions("merge")})
            )"""

    def decisions(self, kind: str) -> str:
        """Return a SELECT of the decisions of a kind that count: a merge from its instant on, others always."""
        made = f" AND recorded_at <= {self.at:d}" if self.at is not None and kind == "merge" else ""
        return f"SELECT * FROM decision WHERE kind = {literal(kind)} AND {self.in_force()}{made}"


class PastGraph(msgspec.Struct, frozen=True):
    """A graph as it was at some moment: its identities, the person's first, and its links with first and last time."""

    members: tuple[int, ...]
    links: tuple[tuple[int, int, int, int], ...] = ()


def graph_as_of(
    con: DuckDBPyConnection,
    identity: int,
    moment: Moment,
    settings: IdentitySettings,
    namespaces: Mapping[str, Namespace],
) -> PastGraph:
    """Return the graph that held an identity at some moment, replayed from the records that count then.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    identity : int
        Number of the identity.
    moment : Moment
        When.
    settings : IdentitySettings
        The settings known then.
    namespaces : mapping
        All namespaces by code.
    """
    rules = Evidence(con, settings, namespaces).rules
    codes = [code for code in priorities(settings, namespaces) if code not in settings.blocked_namespaces]
    component = _component(con, identity, moment, codes)
    if not component:
        return PastGraph((identity,))
    numbers = [item.number for item in component]
    place = {number: position for position, number in enumerate(numbers)}
    namespace = np.array([item.namespace for item in component], np.int32)
    sightings = (
        (time, [place[number] for number in seen if number in place]) for time, seen in _sightings(con, numbers, moment)
    )
    folded = fold(
        len(component),
        namespace,
        sort_records(usable(records_of(sightings), namespace, rules)),
        rules,
        apart=_apart(con, moment, place),
    )
    mine = folded.graph == folded.graph[place[identity]]
    kept = mine[folded.links.a]
    links = zip(
        (numbers[a] for a in folded.links.a[kept].tolist()),
        (numbers[b] for b in folded.links.b[kept].tolist()),
        folded.links.first_at[kept].tolist(),
        folded.links.last_at[kept].tolist(),
        strict=True,
    )
    members = [numbers[position] for position in np.flatnonzero(mine).tolist()]
    priority = rules.priority[namespace] if rules.optimized else np.zeros_like(namespace)
    person = min(members, key=lambda number: (priority[place[number]], number))
    return PastGraph((person, *sorted(number for number in members if number != person)), tuple(links))


class _Member(NamedTuple):
    """An identity, its namespace by number and code, and its value."""

    number: int
    namespace: int
    code: str
    value: str


def _component(con: DuckDBPyConnection, identity: int, moment: Moment, codes: Sequence[str]) -> list[_Member]:
    """Return the identities that records connect with one, in canonical order: those alone that may be linked."""
    never = _never(con, moment)
    found: dict[int, _Member] = {}
    frontier = [identity]
    while frontier:
        rows = con.execute(
            "SELECT i.identity, i.namespace, n.code, i.value "
            "FROM identity i JOIN namespace n ON n.namespace = i.namespace "
            "WHERE i.identity IN (SELECT unnest($1::INTEGER[])) AND list_contains($2::VARCHAR[], n.code)",
            [frontier, list(codes)],
        ).fetchall()
        added = {row[0]: _Member(*row) for row in rows if row[0] not in never}
        found |= added
        seen = con.execute(
            f"""
            WITH pair AS ({moment.pairs()}), frontier AS (SELECT unnest($1::INTEGER[]) AS identity)
            SELECT b FROM pair SEMI JOIN frontier f ON f.identity = a
            UNION SELECT a FROM pair SEMI JOIN frontier f ON f.identity = b
            """,
            [list(added)],
        ).fetchall()
        frontier = [number for (number,) in seen if number not in found]
    return sorted(found.values(), key=lambda item: (item.code, item.value))


def _sightings(con: DuckDBPyConnection, component: Sequence[int], moment: Moment) -> Iterator[tuple[int, list[int]]]:
    """Yield the records of a component: time and identities of each."""
    seen = f'"$identities" IS NOT NULL AND list_has_any("$identities", {_numbers(component)})'
    yield from con.execute(
        f"""
        SELECT "timestamp", "$identities" FROM ({moment.events_where(seen)})
        UNION ALL SELECT b.recorded_at, r."$identities" FROM ({moment.records_where(seen)}) r
            JOIN batch b ON b.batch = r."$batch"
        UNION ALL SELECT recorded_at, identities FROM ({moment.decisions("merge")})
            WHERE list_has_any(identities, {_numbers(component)})
        """
    ).fetchall()


def _never(con: DuckDBPyConnection, moment: Moment) -> set[int]:
    rows = con.execute(f"SELECT unnest(identities) FROM ({moment.decisions('never')})").fetchall()
    return {number for (number,) in rows}


def _apart(con: DuckDBPyConnection, moment: Moment, place: Mapping[int, int]) -> Pairs:
    rows = con.execute(f"SELECT identities[1], identities[2] FROM ({moment.decisions('split')})").fetchall()
    pairs = [(place[a], place[b]) for a, b in rows if a in place and b in place]
    ends = np.array(pairs, np.int32).reshape(-1, 2)
    return ends[:, 0], ends[:, 1]


def _numbers(identities: Iterable[int]) -> str:
    return f"[{', '.join(f'{identity:d}' for identity in identities)}]::INTEGER[]"


def _texts(names: Iterable[str]) -> str:
    return f"[{', '.join(map(literal, names))}]::VARCHAR[]"
