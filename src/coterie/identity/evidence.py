"""Evidence: what the history holds of which identities were seen together, as arrays by the numbers of identities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from coterie.identity.cluster import distinct
from coterie.identity.fold import Bools, Ints, Links, Longs, Pairs, Records, Rules
from coterie.identity.namespaces import Namespace
from coterie.identity.settings import IdentitySettings, priorities

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

NOBODY = -1
"""Stands for the person, or the component, of an identity that does not occur."""


class Sightings(msgspec.Struct, frozen=True, eq=False):
    """Records of the store, by the numbers of their identities, with where each stands.

    The record of a merge decision has -1 for its batch and row, the others for their decision.
    """

    records: Records
    batch: Ints
    row: Longs
    decision: Ints


class Decisions(msgspec.Struct, frozen=True, eq=False):
    """What people decided, as far as it was not taken back."""

    merges: Sightings
    apart: Pairs
    never: Ints


class Evidence:
    """What a history says of identities, read when it is asked for.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    settings : IdentitySettings
        The settings that decide what is taken for evidence.
    namespaces : mapping
        All namespaces by code.
    """

    def __init__(
        self, con: DuckDBPyConnection, settings: IdentitySettings, namespaces: Mapping[str, Namespace]
    ) -> None:
        self.con = con
        self.settings = settings
        self._namespaces = namespaces

    @cached_property
    def size(self) -> int:
        """One more than the largest number of an identity."""
        return int(self.con.execute("SELECT coalesce(max(identity) + 1, 0) FROM identity").fetchall()[0][0])

    @cached_property
    def codes(self) -> dict[int, str]:
        """The codes of the namespaces that occur, by number."""
        return dict(self.con.execute("SELECT namespace, code FROM namespace ORDER BY namespace").fetchall())

    @cached_property
    def rules(self) -> Rules:
        """The rules of the fold; the place of a namespace is its number."""
        places = max(self.codes, default=0) + 1
        order = priorities(self.settings, self._namespaces)
        priority, rank = np.zeros(places, np.int32), np.zeros(places, np.int8)
        unique = np.zeros(places, np.bool_)
        for number, code in self.codes.items():
            priority[number] = order.get(code, 0)
            rank[number] = self._namespaces[code].type.rank
            unique[number] = code in self.settings.unique
        return Rules(priority, unique, rank, self.settings.graph_limit, self.settings.optimized)

    @cached_property
    def namespace(self) -> Ints:
        """The number of the namespace of every identity."""
        found = self.con.execute("SELECT identity, namespace FROM identity").fetchnumpy()
        namespace = np.zeros(self.size, np.int32)
        namespace[ints(found["identity"])] = ints(found["namespace"])
        return namespace

    @cached_property
    def decisions(self) -> Decisions:
        """What people decided: who is one person, who is not, who is never linked."""
        rows = self.con.execute(
            "SELECT decision, kind, identities, recorded_at FROM decision WHERE withdrawn_at IS NULL ORDER BY decision"
        ).fetchall()
        merges = [(decision, mine, at) for decision, kind, mine, at in rows if kind == "merge"]
        apart = np.array([mine for _, kind, mine, _ in rows if kind == "split"], np.int32).reshape(-1, 2)
        never = [identity for _, kind, mine, _ in rows if kind == "never" for identity in mine]
        nowhere = np.full(len(merges), -1)
        return Decisions(
            Sightings(
                Records(
                    np.array([at for *_, at in merges], np.int64),
                    np.cumsum([0, *(len(mine) for _, mine, _ in merges)], dtype=np.int64),
                    np.array([identity for _, mine, _ in merges for identity in mine], np.int32),
                ),
                nowhere.astype(np.int32),
                nowhere.astype(np.int64),
                np.array([decision for decision, _, _ in merges], np.int32),
            ),
            (apart[:, 0], apart[:, 1]),
            np.array(never, np.int32),
        )

    @cached_property
    def unlinkable(self) -> Bools | None:
        """Which identities take no part in linking; None when all do."""
        blocked = [number for number, code in self.codes.items() if self._is_blocked(code)]
        never = self.decisions.never
        if not blocked and not never.size:
            return None
        found = np.isin(self.namespace, blocked)
        found[never] = True
        return found

    def _is_blocked(self, code: str) -> bool:
        return code in self.settings.blocked_namespaces or not self._namespaces[code].type.links

    # -- who occurs ---------------------------------------------------------------------------------------------------

    def occurring(self, batch: int | None = None) -> Ints:
        """Return the identities that occur in live facts and merge decisions, or in the live facts of a batch.

        Some perhaps more than once.
        """
        where = "true" if batch is None else f"batch = {batch:d}"
        found = self._found("live_event", "live_record", "live_link", where)
        return found if batch is not None else np.concatenate([found, self.decisions.merges.records.identities])

    def concerned(self, batches: Sequence[int]) -> Ints:
        """Return the identities that occur in the facts of batches, live or withdrawn."""
        listed = ", ".join(f"{batch:d}" for batch in batches)
        return ints(distinct(self._found("event", "record", "link", f"batch IN ({listed})")))

    def _found(self, event: str, record: str, link: str, where: str) -> Ints:
        of_rows = where.replace("batch", '"$batch"')
        rows = self.con.execute(
            f'SELECT DISTINCT "$identity" AS identity FROM {event} WHERE {of_rows} '
            f'UNION SELECT DISTINCT "$identity" FROM {record} WHERE {of_rows}'
        ).fetchnumpy()
        links = self.con.execute(f"SELECT DISTINCT a, b FROM {link} WHERE {where}").fetchnumpy()
        return np.concatenate([ints(rows["identity"]), ints(links["a"]), ints(links["b"])])

    def still(self, identities: Ints) -> Ints:
        """Return which of some identities occur in live facts."""
        with lent(self.con, "asked", identity=identities):
            sources = [
                f"SELECT {column} AS identity FROM {table} WHERE {column} IN (SELECT identity FROM asked)"
                for column, table in (
                    ('"$identity"', "live_event"),
                    ('"$identity"', "live_record"),
                    ("a", "live_link"),
                    ("b", "live_link"),
                )
            ]
            rows = self.con.execute(f"SELECT DISTINCT identity FROM ({' UNION ALL '.join(sources)})").fetchnumpy()
        decided = self.decisions.merges.records.identities
        return np.union1d(ints(rows["identity"]), np.intersect1d(decided, identities)).astype(np.int32)

    # -- pairs --------------------------------------------------------------------------------------------------------

    def pairs(self, batch: int | None = None) -> Pairs:
        """Return the pairs seen together in live facts, or in those of a batch; some perhaps more than once."""
        where = "" if batch is None else f"WHERE batch = {batch:d}"
        found = self.con.execute(f"SELECT DISTINCT a, b FROM live_link {where}").fetchnumpy()
        return self._usable(ints(found["a"]), ints(found["b"]), decided=batch is None)

    def pairs_of(self, identities: Ints) -> Pairs:
        """Return the pairs seen together in live facts of which some identities are one end, or both."""
        with lent(self.con, "asked", identity=identities):
            found = self.con.execute(
                "SELECT DISTINCT a, b FROM live_link "
                "WHERE a IN (SELECT identity FROM asked) OR b IN (SELECT identity FROM asked)"
            ).fetchnumpy()
        return self._usable(ints(found["a"]), ints(found["b"]), decided=True)

    def _usable(self, a: Ints, b: Ints, *, decided: bool) -> Pairs:
        if self.unlinkable is not None:
            kept = ~(self.unlinkable[a] | self.unlinkable[b])
            a, b = a[kept], b[kept]
        if not decided:
            return a, b
        left, right = self._merged
        return np.concatenate([a, left]), np.concatenate([b, right])

    @cached_property
    def _merged(self) -> Pairs:
        """Links that connect those identities of each merge that may be linked."""
        merges = self.decisions.merges.records
        owner, identities = np.repeat(np.arange(len(merges)), np.diff(merges.offsets)), merges.identities
        if self.unlinkable is not None:
            kept = ~self.unlinkable[identities]
            owner, identities = owner[kept], identities[kept]
        same = owner[1:] == owner[:-1]
        return identities[:-1][same], identities[1:][same]

    def links_of(self, identities: Ints, before: int) -> Links:
        """Return the links among some identities as they were before a batch, each with its first and last time.

        They are those in force where no link was ever cut.
        """
        with lent(self.con, "asked", identity=identities):
            found = self.con.execute(
                """
                WITH merged AS (
                    SELECT decision, recorded_at, unnest(identities) AS identity
                    FROM decision WHERE kind = 'merge' AND withdrawn_at IS NULL
                ), sighting AS (
                    SELECT a, b, first_at, last_at FROM live_link WHERE batch <> $1
                    UNION ALL
                    SELECT l.identity, r.identity, l.recorded_at, l.recorded_at
                    FROM merged l JOIN merged r ON r.decision = l.decision AND r.identity > l.identity
                )
                SELECT a, b, min(first_at) AS first_at, max(last_at) AS last_at FROM sighting
                WHERE a IN (SELECT identity FROM asked) GROUP BY a, b
                """,
                [before],
            ).fetchnumpy()
        a, b = ints(found["a"]), ints(found["b"])
        links = Links(a, b, longs(found["first_at"]), longs(found["last_at"]))
        if self.unlinkable is None:
            return links
        kept = ~(self.unlinkable[a] | self.unlinkable[b])
        return Links(a[kept], b[kept], links.first_at[kept], links.last_at[kept])

    def in_force(self, identities: Ints) -> Links:
        """Return the links in force among identities of components that were replayed."""
        with lent(self.con, "asked", identity=identities):
            found = self.con.execute(
                "SELECT a, b, first_at, last_at FROM graph_link WHERE a IN (SELECT identity FROM asked)"
            ).fetchnumpy()
        return Links(ints(found["a"]), ints(found["b"]), longs(found["first_at"]), longs(found["last_at"]))

    def last_seen(self, identities: Ints, after: Longs, before: int) -> tuple[Ints, Longs, Longs]:
        """Return identities with the last time of a link of each before a batch; the smaller end of a link only.

        And about how many records there are of those links since an instant of each.
        """
        with lent(self.con, "asked", identity=identities, after=after):
            found = self.con.execute(
                "SELECT l.a, max(l.last_at) AS last_at, "
                "coalesce(sum(l.records) FILTER (l.last_at > q.after), 0)::BIGINT AS records "
                "FROM live_link l JOIN asked q ON q.identity = l.a WHERE l.batch <> $1 GROUP BY l.a",
                [before],
            ).fetchnumpy()
        return ints(found["a"]), longs(found["last_at"]), longs(found["records"])

    def first_seen(self, batches: Sequence[int]) -> tuple[Ints, Longs]:
        """Return identities with the first time of a link of each in batches, live or withdrawn.

        Only the smaller end of a link is told.
        """
        listed = ", ".join(f"{batch:d}" for batch in batches)
        found = self.con.execute(
            f"SELECT a, min(first_at) AS first_at FROM link WHERE batch IN ({listed}) GROUP BY a"
        ).fetchnumpy()
        return ints(found["a"]), longs(found["first_at"])

    # -- records ------------------------------------------------------------------------------------------------------

    def sightings(self, identities: Ints, after: Longs, batch: int | None = None) -> Sightings:
        """Return the live records in which some identities occur, or those of a batch, in the order of the store.

        Merge decisions are among them, unless a batch is asked for. Records are left out that are not after the
        instant given for each identity; of the identities of a record, all have one that it is not after, or none.
        """
        first = after.min(initial=np.iinfo(np.int64).max)
        # apart, so that a few that ask for all records do not let those of many that ask for late ones be read
        groups = [group for group in (after > first, after == first) if group.any()]
        parts = [
            self._sightings(table, time, identities[group], after[group], batch)
            for table, time in (
                ("live_event", '"timestamp"'),
                ("live_record", '(SELECT recorded_at FROM batch b WHERE b.batch = "$batch")'),
            )
            for group in groups
        ]
        return joined([*parts, *([self._merges(identities, after)] if batch is None else [])])

    def _merges(self, identities: Ints, after: Longs) -> Sightings:
        merges = self.decisions.merges
        of_identity = np.full(self.size, np.iinfo(np.int64).max, np.int64)
        of_identity[identities] = after
        given = merges.records
        owner = np.repeat(np.arange(len(given)), np.diff(given.offsets))
        places = np.unique(owner[given.time[owner] > of_identity[given.identities]])
        return Sightings(given.take(places), merges.batch[places], merges.row[places], merges.decision[places])

    def _sightings(self, table: str, time: str, identities: Ints, after: Longs, batch: int | None) -> Sightings:
        since = int(after.min())
        if batch is not None:
            few = f'"$batch" = {batch:d}'
        elif since > np.iinfo(np.int64).min:  # blocks of earlier records are not read
            few = f"{time} > {since:d}"
        else:  # few batches are read where the links of the identities come from few
            few = '"$batch" IN (SELECT batch FROM live_link WHERE a IN (SELECT identity FROM asked))'
        # the linked identities of a record are in one component: where all are linked, the first tells whose it is
        mine = 'SEMI JOIN asked q ON q.identity = r.identities[1] AND r."at" > q.after'
        if self.unlinkable is not None:
            mine = (
                'WHERE (batch, "row") IN (SELECT (s.batch, s."row") FROM ('
                'SELECT batch, "row", "at", unnest(identities) AS identity FROM sighting) s '
                'JOIN asked q ON q.identity = s.identity AND s."at" > q.after)'
            )
        with lent(self.con, "asked", identity=identities, after=after):
            found = self.con.execute(
                f"""
                WITH sighting AS (
                    SELECT {time} AS "at", "$batch" AS batch, "$row" AS "row", "$identities" AS identities
                    FROM {table} WHERE "$identities" IS NOT NULL AND {few}
                )
                SELECT "at", batch, "row", unnest(identities) AS identity FROM (
                    FROM sighting r {mine} ORDER BY batch, "row"
                )
                """
            ).fetchnumpy()
        batches, rows = ints(found["batch"]), longs(found["row"])
        begins = np.ones(len(rows), np.bool_)
        begins[1:] = (batches[1:] != batches[:-1]) | (rows[1:] != rows[:-1])
        first = np.flatnonzero(begins)
        offsets = np.concatenate([first, [len(rows)]]).astype(np.int64)
        return Sightings(
            Records(longs(found["at"])[first], offsets, ints(found["identity"])),
            batches[first],
            rows[first],
            np.full(len(first), -1, np.int32),
        )

    def canonical(self, identities: Ints) -> Ints:
        """Return identities in canonical order: by namespace code, then by value."""
        with lent(self.con, "asked", identity=identities):
            found = self.con.execute(
                "SELECT i.identity FROM identity i JOIN namespace n ON n.namespace = i.namespace "
                "WHERE i.identity IN (SELECT identity FROM asked) ORDER BY n.code, i.value"
            ).fetchnumpy()
        return ints(found["identity"])


def joined(parts: Iterable[Sightings]) -> Sightings:
    """Return sightings one after the other."""
    each = list(parts)
    sizes = np.concatenate([np.diff(part.records.offsets) for part in each])
    return Sightings(
        Records(
            np.concatenate([part.records.time for part in each]),
            np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            np.concatenate([part.records.identities for part in each]),
        ),
        np.concatenate([part.batch for part in each]),
        np.concatenate([part.row for part in each]),
        np.concatenate([part.decision for part in each]),
    )


@contextmanager
def lent(con: DuckDBPyConnection, table: str, **columns: Any) -> Iterator[None]:
    """Let statements read arrays as a table."""
    con.register(table, columns)
    try:
        yield
    finally:
        con.unregister(table)


def ints(column: Any) -> Ints:
    """Return a column of an answer as numbers of identities, batches, …"""
    return np.asarray(column, dtype=np.int32)


def longs(column: Any) -> Longs:
    """Return a column of an answer as instants or row numbers."""
    return np.asarray(column, dtype=np.int64)
