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

_NEVER = np.iinfo(np.int64).min
"""Before all instants."""


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

    Evidence of some identities (`within`) knows them by their *places* among them, so that what is worked out from it
    is as large as they are many. Evidence of all knows them by their numbers.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    settings : IdentitySettings
        The settings that decide what is taken for evidence.
    namespaces : mapping
        All namespaces by code.
    among : array of int32, optional
        The numbers of the identities that it is about, ascending; all of them if not given.
    """

    def __init__(
        self,
        con: DuckDBPyConnection,
        settings: IdentitySettings,
        namespaces: Mapping[str, Namespace],
        among: Ints | None = None,
    ) -> None:
        self.con = con
        self.settings = settings
        self._namespaces = namespaces
        self.among = among

    def within(self, among: Ints | None) -> Evidence:
        """Return what the history says of some identities, given by number and ascending; None for all."""
        return Evidence(self.con, self.settings, self._namespaces, among)

    def places(self, numbers: Ints) -> Ints:
        """Return the places of identities, `NOBODY` for those that it is not about."""
        if self.among is None:
            return numbers
        at = np.searchsorted(self.among, numbers)
        at[at == len(self.among)] = NOBODY
        found: Ints = np.where(np.append(self.among, NOBODY)[at] == numbers, at, NOBODY).astype(np.int32)
        return found

    def numbers(self, places: Ints) -> Ints:
        """Return the numbers of identities, given their places."""
        return places if self.among is None else self.among[places]

    @cached_property
    def size(self) -> int:
        """How many places there are: of all identities, one more than the largest number."""
        if self.among is not None:
            return len(self.among)
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
        with self.asked() as mine:
            found = self.con.execute(f"SELECT identity, namespace FROM identity {mine}").fetchnumpy()
        namespace = np.zeros(self.size, np.int32)
        namespace[self.places(ints(found["identity"]))] = ints(found["namespace"])
        return namespace

    @contextmanager
    def asked(self, column: str = "identity") -> Iterator[str]:
        """Give SQL for the rows of a table that have the identities that it is about in a column."""
        if self.among is None:
            yield ""
            return
        with lent(self.con, "asked", number=self.among):
            yield f"SEMI JOIN asked ON {column} = number"

    @cached_property
    def decisions(self) -> Decisions:
        """What people decided: who is one person, who is not, who is never linked."""
        rows = self.con.execute(
            "SELECT decision, kind, identities, recorded_at FROM decision WHERE withdrawn_at IS NULL ORDER BY decision"
        ).fetchall()
        merges = [(decision, mine, at) for decision, kind, mine, at in rows if kind == "merge"]
        apart = self._placed([mine for _, kind, mine, _ in rows if kind == "split"]).reshape(-1, 2)
        apart = apart[(apart != NOBODY).all(axis=1)]
        never = self._placed([mine for _, kind, mine, _ in rows if kind == "never"])
        nowhere = np.full(len(merges), -1)
        return Decisions(
            Sightings(
                Records(
                    np.array([at for *_, at in merges], np.int64),
                    np.cumsum([0, *(len(mine) for _, mine, _ in merges)], dtype=np.int64),
                    self._placed([mine for _, mine, _ in merges]),
                ),
                nowhere.astype(np.int32),
                nowhere.astype(np.int64),
                np.array([decision for decision, _, _ in merges], np.int32),
            ),
            (apart[:, 0], apart[:, 1]),
            never[never != NOBODY],
        )

    def _placed(self, listed: Iterable[Sequence[int]]) -> Ints:
        return self.places(np.array([identity for mine in listed for identity in mine], np.int32))

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

    def occurring(self) -> Ints:
        """Return the identities that occur in live facts and merge decisions; some perhaps more than once."""
        found = self._found("live_event", "live_record", "live_link", "true")
        return np.concatenate([found, self.decisions.merges.records.identities])

    def concerned(self, batches: Sequence[int]) -> Ints:
        """Return the numbers of the identities that occur in the facts of batches, live or withdrawn."""
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

    def still(self, places: Ints) -> Bools:
        """Tell of some identities whether they occur in live facts."""
        found = np.zeros(self.size + 1, np.bool_)  # one more for those that are nobody
        for each in (*self._linked, self.decisions.merges.records.identities):
            found[each] = True
        left = places[~found[places]]
        if left.size:
            with lent(self.con, "asked", identity=self.numbers(left)):
                rows = self.con.execute(
                    'SELECT DISTINCT "$identity" AS identity FROM live_event SEMI JOIN asked ON "$identity" = identity '
                    'UNION SELECT DISTINCT "$identity" FROM live_record SEMI JOIN asked ON "$identity" = identity '
                    "UNION SELECT DISTINCT b FROM live_link SEMI JOIN asked ON b = identity"
                ).fetchnumpy()
            found[self.places(ints(rows["identity"]))] = True
        return found[places]

    # -- pairs --------------------------------------------------------------------------------------------------------

    def pairs(self, batch: int | None = None) -> Pairs:
        """Return the pairs seen together in live facts, or in those of a batch; some perhaps more than once."""
        if batch is None:
            return self._usable(*self._linked, decided=True)
        found = self.con.execute(f"SELECT a, b FROM live_link WHERE batch = {batch:d}").fetchnumpy()
        return self._usable(self.places(ints(found["a"])), self.places(ints(found["b"])), decided=False)

    @cached_property
    def _linked(self) -> Pairs:
        """The ends of the live links that the identities have, `NOBODY` for one that it is not about.

        Those that link with each other are all told; of the others, some.
        """
        with self.asked("a") as mine:
            found = self.con.execute(f"SELECT DISTINCT a, b FROM live_link {mine}").fetchnumpy()
        return self.places(ints(found["a"])), self.places(ints(found["b"]))

    def beside(self, numbers: Ints) -> Ints:
        """Return the numbers of the identities that live facts, or merge decisions, name together with some."""
        with lent(self.con, "asked", identity=numbers):
            found = self.con.execute(
                """
                WITH merged AS (
                    SELECT decision, unnest(identities) AS identity
                    FROM decision WHERE kind = 'merge' AND withdrawn_at IS NULL
                ), theirs AS (FROM merged SEMI JOIN asked USING (identity))
                SELECT b AS identity FROM live_link SEMI JOIN asked ON a = identity
                UNION SELECT a FROM live_link SEMI JOIN asked ON b = identity
                UNION SELECT identity FROM merged SEMI JOIN theirs USING (decision)
                """
            ).fetchnumpy()
        return ints(found["identity"])

    def _usable(self, a: Ints, b: Ints, *, decided: bool) -> Pairs:
        # those it is not about cannot be linked with those it is about: else they would be among them
        kept = (a != NOBODY) & (b != NOBODY)
        if self.unlinkable is not None:
            kept &= ~(self.unlinkable[a] | self.unlinkable[b])
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
        kept = identities != NOBODY
        if self.unlinkable is not None:
            kept &= ~self.unlinkable[identities]
        owner, identities = owner[kept], identities[kept]
        same = owner[1:] == owner[:-1]
        return identities[:-1][same], identities[1:][same]

    def earlier(self, places: Ints, after: Longs, before: int) -> tuple[Links, Longs]:
        """Return the links among identities of whole components as they were before a batch, with first and last time.

        They are those in force where no link was ever cut. And about how many records of each are after an instant
        that is given for each identity.
        """
        with lent(self.con, "asked", identity=self.numbers(places), after=after):
            found = self.con.execute(
                """
                WITH merged AS (
                    SELECT decision, recorded_at, unnest(identities) AS identity
                    FROM decision WHERE kind = 'merge' AND withdrawn_at IS NULL
                ), sighting AS (
                    SELECT a, b, first_at, last_at, records FROM live_link WHERE batch <> $1
                    UNION ALL
                    SELECT l.identity, r.identity, l.recorded_at, l.recorded_at, 0
                    FROM merged l JOIN merged r ON r.decision = l.decision AND r.identity > l.identity
                )
                SELECT a, b, min(first_at) AS first_at, max(last_at) AS last_at,
                       coalesce(sum(records) FILTER (last_at > after), 0)::BIGINT AS records
                FROM sighting JOIN asked ON a = identity GROUP BY a, b
                """,
                [before],
            ).fetchnumpy()
        a, b = self.places(ints(found["a"])), self.places(ints(found["b"]))
        kept = b != NOBODY
        if self.unlinkable is not None:
            kept &= ~(self.unlinkable[a] | self.unlinkable[b])
        links = Links(a[kept], b[kept], longs(found["first_at"])[kept], longs(found["last_at"])[kept])
        return links, longs(found["records"])[kept]

    def in_force(self, places: Ints) -> Links:
        """Return the links in force among identities of components that were replayed."""
        with lent(self.con, "asked", identity=self.numbers(places)):
            found = self.con.execute(
                "SELECT a, b, first_at, last_at FROM graph_link SEMI JOIN asked ON a = identity"
            ).fetchnumpy()
        a, b = self.places(ints(found["a"])), self.places(ints(found["b"]))
        return Links(a, b, longs(found["first_at"]), longs(found["last_at"]))

    def first_seen(self, batches: Sequence[int]) -> tuple[Ints, Longs]:
        """Return identities with the first time of a link of each in batches, live or withdrawn.

        Only the smaller end of a link is told.
        """
        listed = ", ".join(f"{batch:d}" for batch in batches)
        found = self.con.execute(
            f"SELECT a, min(first_at) AS first_at FROM link WHERE batch IN ({listed}) GROUP BY a"
        ).fetchnumpy()
        return self.places(ints(found["a"])), longs(found["first_at"])

    # -- records ------------------------------------------------------------------------------------------------------

    def sightings(self, places: Ints, after: Longs, batch: int | None = None) -> Sightings:
        """Return the live records in which some identities occur, or those of a batch, in the order of the store.

        Those identities of them that it is not about are `NOBODY`. Merge decisions are among them, unless a batch is
        asked for. Records are left out that are not after the instant given for each identity; of the identities of a
        record, all have one that it is not after, or none.
        """
        if batch is not None:
            return joined(self._read(f"batch = {batch:d}", places, after))
        late = after > _NEVER
        # apart, so that a few that ask for all records do not let those of many that ask for late ones be read
        parts = self._read_all(places[~late])
        if late.any():  # blocks of earlier records are not read
            parts += self._read(f'"at" > {after[late].min():d}', places[late], after[late])
        return joined([*parts, self._merges(places, after)])

    def _read_all(self, places: Ints) -> list[Sightings]:
        """Return all live records of identities."""
        if not places.size:
            return []
        with lent(self.con, "asked", identity=self.numbers(places)):
            found = self.con.execute(
                "SELECT batch, sum(records)::BIGINT AS records FROM live_link SEMI JOIN asked ON a = identity "
                "GROUP BY batch"
            ).fetchnumpy()
        some = f"batch IN ({', '.join(map(str, found['batch'].tolist())) or 'NULL'})"
        # nearly always a record belongs to an identity that it links: that one is read in a third of the time
        owned = self._read(some, places, None)
        mine = np.zeros(self.size + 1, np.bool_)  # one more for those that are nobody
        mine[places] = True
        if sum(_pairs(each.records, mine) for each in owned) == longs(found["records"]).sum():
            return owned
        return self._read(some, places, np.full(len(places), _NEVER))

    def _merges(self, asked: Ints, after: Longs) -> Sightings:
        merges = self.decisions.merges
        of_identity = np.full(self.size + 1, np.iinfo(np.int64).max, np.int64)  # one more for those that are nobody
        of_identity[asked] = after
        given = merges.records
        owner = np.repeat(np.arange(len(given)), np.diff(given.offsets))
        places = np.unique(owner[given.time[owner] > of_identity[given.identities]])
        return Sightings(given.take(places), merges.batch[places], merges.row[places], merges.decision[places])

    def _read(self, some: str, places: Ints, after: Longs | None) -> list[Sightings]:
        """Return the live records that link some identities and are after an instant of each, events and attributes.

        Without instants, those that belong to one of the identities and link it.
        """
        if after is None:
            mine, given = "SEMI JOIN asked q ON q.identity = r.owner", {}
            some += " AND list_contains(identities, owner)"
        elif self.unlinkable is None:
            # the linked identities of a record are in one component: where all are linked, the first tells whose it is
            mine, given = 'SEMI JOIN asked q ON q.identity = r.identities[1] AND r."at" > q.after', {"after": after}
        else:
            given = {"after": after}
            mine = (
                'SEMI JOIN (SELECT DISTINCT s.batch, s."row" FROM ('
                f'SELECT batch, "row", "at", unnest(identities) AS identity FROM sighting WHERE {some}) s '
                'JOIN asked q ON q.identity = s.identity AND s."at" > q.after) USING (batch, "row")'
            )
        with lent(self.con, "asked", identity=self.numbers(places), **given):
            return [
                self._sightings(table, time, f"{mine} WHERE {some}")
                for table, time in (
                    ("live_event", '"timestamp"'),
                    ("live_record", '(SELECT recorded_at FROM batch b WHERE b.batch = "$batch")'),
                )
            ]

    def _sightings(self, table: str, time: str, which: str) -> Sightings:
        found = self.con.execute(
            f"""
            WITH sighting AS (
                SELECT {time} AS "at", "$batch" AS batch, "$row" AS "row", "$identity" AS owner,
                       "$identities" AS identities
                FROM {table} WHERE "$identities" IS NOT NULL
            )
            SELECT "at", batch, "row", unnest(identities) AS identity FROM (
                FROM sighting r {which} ORDER BY batch, "row"
            )
            """
        ).fetchnumpy()
        batches, rows = ints(found["batch"]), longs(found["row"])
        begins = np.ones(len(rows), np.bool_)
        begins[1:] = (batches[1:] != batches[:-1]) | (rows[1:] != rows[:-1])
        first = np.flatnonzero(begins)
        offsets = np.concatenate([first, [len(rows)]]).astype(np.int64)
        return Sightings(
            Records(longs(found["at"])[first], offsets, self.places(ints(found["identity"]))),
            batches[first],
            rows[first],
            np.full(len(first), -1, np.int32),
        )

    def canonical(self, places: Ints) -> Ints:
        """Return identities in canonical order: by namespace code, then by value."""
        with lent(self.con, "asked", identity=self.numbers(places)):
            found = self.con.execute(
                "SELECT i.identity FROM identity i JOIN namespace n ON n.namespace = i.namespace "
                "WHERE i.identity IN (SELECT identity FROM asked) ORDER BY n.code, i.value"
            ).fetchnumpy()
        return self.places(ints(found["identity"]))


def _pairs(records: Records, chosen: Bools) -> int:
    """Count the pairs that records, with identities ascending, show of which the first identity is chosen."""
    sizes = np.diff(records.offsets)
    following = np.repeat(records.offsets[1:], sizes) - np.arange(len(records.identities)) - 1
    return int(following[chosen[records.identities]].sum())


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
