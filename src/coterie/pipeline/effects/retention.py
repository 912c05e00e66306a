"""The effect of retention: expired events go, and pseudonymous profiles without activity, with what followed from them.

The log names rules and instants, not people: whom a rule meets is worked out from what the history holds at that entry,
so that a rebuild removes the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from coterie.core.progress import Progress
from coterie.governance.retention import META
from coterie.identity import links
from coterie.identity.evidence import ints, lent
from coterie.identity.fold import Ints
from coterie.identity.persons import Cause
from coterie.identity.stitch import Scope
from coterie.ingest.dataset import Dataset
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.effects import batches, graphs
from coterie.store.log import Entry
from coterie.store.sandbox import Sandbox

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SAMPLE = 5
"""How many of the pseudonymous profiles are shown, and how many identities of each."""

_FACTS = ("event", "event_duplicate", "record")
_EVENTS = _FACTS[:2]
_OLD = '"$dataset" = (SELECT dataset FROM dataset WHERE id = $dataset) AND "timestamp" < $before'
_LINKED: tuple[Literal["event", "record"], ...] = ("event", "record")


class Expired(msgspec.Struct, frozen=True):
    """Events of a dataset that went: those before an instant, counted by month (``2026-01``)."""

    dataset: str
    before: int
    events: int
    months: dict[str, int]


class Forgotten(msgspec.Struct, frozen=True):
    """Pseudonymous profiles that went: those without activity since an instant, with what was held of them.

    `sample` shows the identities of some of them.
    """

    namespaces: tuple[str, ...]
    before: int
    profiles: int
    events: int
    records: int
    sample: tuple[tuple[str, ...], ...]


class Purged(msgspec.Struct, frozen=True):
    """How many rows were taken out of how many staged files, because the history keeps them no longer."""

    rows: int
    files: int


class Retained(msgspec.Struct, frozen=True):
    """What retention took away at an instant: expired events, pseudonymous profiles, and identities known no more.

    `purged` tells what then was taken out of the staged files, if that was asked for.
    """

    at: int
    datasets: tuple[Expired, ...]
    pseudonymous: Forgotten | None
    identities: int
    dry_run: bool = False
    purged: Purged | None = None


def applied(sandbox: Sandbox, entry: Entry, progress: Progress) -> Retained:
    """Remove what the rules of the entry meet; return what went."""
    con, body = sandbox.history.con, entry.body
    con.execute("CREATE OR REPLACE TEMP TABLE concerned_identity (identity INTEGER)")
    con.execute("CREATE OR REPLACE TEMP TABLE concerned_batch (batch INTEGER, dataset INTEGER)")
    progress.report("expired events")
    expired = tuple(_expire(sandbox, item["dataset"], item["before"]) for item in body["datasets"])
    promoted = batches.promote(sandbox) if any(item.events for item in expired) else []
    touched = _settle(sandbox, entry, progress, promoted)
    forgotten = None
    if (rule := body.get("pseudonymous")) is not None:
        progress.report("pseudonymous profiles")
        forgotten = _forget(con, tuple(rule["namespaces"]), rule["before"], own_datasets(sandbox))
        touched = np.union1d(touched, _settle(sandbox, entry, progress, [])).astype(np.int32)
    gone = _drop_identities(con, touched)
    con.execute("DROP TABLE concerned_identity")
    con.execute("DROP TABLE concerned_batch")
    con.execute("DELETE FROM meta WHERE key = $1", [META])
    con.execute("INSERT INTO meta VALUES ($1, $2)", [META, body["at"]])
    return Retained(body["at"], expired, forgotten, gone)


def _expire(sandbox: Sandbox, dataset: str, before: int) -> Expired:
    """Delete the events of a dataset before an instant, also those of batches taken back."""
    con, asked = sandbox.history.con, {"dataset": dataset, "before": before}
    months = con.execute(
        "SELECT strftime(make_timestamp_ms(\"timestamp\"), '%Y-%m') AS month, count(*) FROM live_event "
        f"WHERE {_OLD} GROUP BY ALL ORDER BY month",
        asked,
    ).fetchall()
    for table in _EVENTS:
        _note(con, table, _OLD, asked)
        con.execute(f"DELETE FROM {table} WHERE {_OLD}", asked)
    return Expired(dataset, before, sum(count for _, count in months), dict(months))


def has_expired(con: DuckDBPyConnection, dataset: str, before: int) -> bool:
    """Whether the history holds events of a dataset before an instant."""
    asked = {"dataset": dataset, "before": before}
    return any(con.execute(f"SELECT 1 FROM {table} WHERE {_OLD} LIMIT 1", asked).fetchall() for table in _EVENTS)


def own_datasets(sandbox: Sandbox) -> list[int]:
    """Return the numbers of the datasets that Coterie fills itself: what it writes there is no activity of anybody."""
    own = [item.name for item in Definitions(sandbox.catalog).list(Dataset) if item.system]
    asked = "SELECT dataset FROM dataset WHERE list_contains($1::VARCHAR[], id) ORDER BY dataset"
    return [number for (number,) in sandbox.history.con.execute(asked, [own]).fetchall()]


def _forget(con: DuckDBPyConnection, namespaces: tuple[str, ...], before: int, own: Sequence[int]) -> Forgotten:
    """Delete what is held of profiles known by pseudonyms alone to whom nothing has happened since an instant."""
    profiles = pseudonymous(con, namespaces, before, own)
    owned = '"$identity" IN (SELECT identity FROM forgotten)'
    events, records = (
        int(con.execute(f"SELECT count(*) FROM {table} WHERE {owned}").fetchall()[0][0])
        for table in ("live_event", "live_record")
    )
    sample = con.execute(
        f"""
        SELECT list(n.code || ':' || i.value ORDER BY i.identity)[:{SAMPLE}] FROM forgotten f
        JOIN identity i ON i.identity = f.identity JOIN namespace n ON n.namespace = i.namespace
        GROUP BY f.person ORDER BY f.person LIMIT {SAMPLE}
        """
    ).fetchall()
    _unname(con)
    for table in _FACTS:
        _note(con, table, owned)
        con.execute(f"DELETE FROM {table} WHERE {owned}")
    con.execute("INSERT INTO concerned_identity SELECT identity FROM forgotten")
    con.execute("DROP TABLE forgotten")
    return Forgotten(namespaces, before, profiles, events, records, tuple(tuple(row[0]) for row in sample))


def pseudonymous(con: DuckDBPyConnection, namespaces: Sequence[str], before: int, own: Sequence[int]) -> int:
    """Make the TEMP table ``forgotten`` of the identities of such profiles; return how many profiles there are.

    Records of the datasets `own`, which Coterie fills itself, are no activity.
    """
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE forgotten AS
        WITH pseudonymous AS (
            SELECT p.person FROM person_of p
            JOIN identity i ON i.identity = p.identity JOIN namespace n ON n.namespace = i.namespace
            GROUP BY p.person HAVING bool_and(list_contains($1::VARCHAR[], n.code))
        ), mine AS (
            SELECT p.identity, p.person FROM person_of p SEMI JOIN pseudonymous s ON s.person = p.person
        ), activity AS (
            SELECT "$identity" AS identity, max("timestamp") AS latest FROM live_event GROUP BY ALL
            UNION ALL
            SELECT r."$identity", max(b.recorded_at) FILTER (WHERE NOT list_contains($3::INTEGER[], b.dataset))
            FROM live_record r JOIN batch b ON b.batch = r."$batch" GROUP BY ALL
        ), idle AS (
            SELECT m.person FROM mine m JOIN activity a ON a.identity = m.identity
            GROUP BY m.person HAVING coalesce(max(a.latest) < $2, TRUE)
        )
        SELECT identity, person FROM mine SEMI JOIN idle USING (person)
        """,
        [list(namespaces), before, list(own)],
    )
    ((profiles,),) = con.execute("SELECT count(DISTINCT person) FROM forgotten").fetchall()
    return int(profiles)


def _unname(con: DuckDBPyConnection) -> None:
    """Take identities out of the records of others that name them beside their own."""
    mine = "IN (SELECT identity FROM forgotten)"
    beside = f'"$batch" IN (SELECT batch FROM link WHERE (a {mine}) != (b {mine}))'
    for table in _FACTS:
        rows = (
            f'SELECT rowid AS place, unnest("$identities") AS identity FROM {table} '
            f'WHERE {beside} AND "$identity" NOT IN (SELECT identity FROM forgotten)'
        )
        con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE named AS
            SELECT place, list(identity ORDER BY identity) FILTER (WHERE identity NOT {mine}) AS identities
            FROM ({rows}) GROUP BY place HAVING bool_or(identity {mine})
            """
        )
        _note(con, table, "rowid IN (SELECT place FROM named)")
        con.execute(
            f'UPDATE {table} SET "$identities" = CASE WHEN len(n.identities) > 1 THEN n.identities END '
            f"FROM named n WHERE {table}.rowid = n.place"
        )
        con.execute("DROP TABLE named")


def _note(con: DuckDBPyConnection, table: str, which: str, asked: dict[str, Any] | None = None) -> None:
    """Note the identities and batches of rows that are about to change."""
    con.execute(
        'INSERT INTO concerned_identity SELECT DISTINCT unnest(coalesce("$identities", ["$identity"])) '
        f"FROM {table} WHERE {which}",
        asked,
    )
    con.execute(f'INSERT INTO concerned_batch SELECT DISTINCT "$batch", "$dataset" FROM {table} WHERE {which}', asked)


def _settle(sandbox: Sandbox, entry: Entry, progress: Progress, promoted: list[int]) -> Ints:
    """Bring links, graphs and profiles to the facts that are left; return the identities concerned."""
    con = sandbox.history.con
    if promoted:
        con.execute(
            'INSERT INTO concerned_identity SELECT DISTINCT unnest(coalesce(e."$identities", [e."$identity"])) '
            'FROM event e SEMI JOIN promoted p ON p."$batch" = e."$batch" AND p."$row" = e."$row"'
        )
    rows = con.execute("SELECT DISTINCT batch, dataset FROM concerned_batch ORDER BY ALL").fetchall()
    for batch, dataset in rows:
        con.execute("DELETE FROM link WHERE batch = $1", [batch])
        for table in _LINKED:
            links.add(con, batch, dataset, table)
    concerned = con.execute(
        "SELECT DISTINCT identity FROM concerned_identity WHERE identity IS NOT NULL ORDER BY ALL"
    ).fetchnumpy()
    identities = ints(concerned["identity"])
    con.execute("DELETE FROM concerned_identity")
    con.execute("DELETE FROM concerned_batch")
    if identities.size:
        graphs.refresh(sandbox, Scope(identities=identities), Cause(entry.accepted_at), progress)
    return identities


def _drop_identities(con: DuckDBPyConnection, identities: Ints) -> int:
    """Delete the identities, of those given, that nothing names any more; return how many.

    Numbers are not given twice: of the last one its number stays, without a value, until there is another one.
    """
    named = " UNION ALL ".join(
        f'SELECT unnest(coalesce("$identities", ["$identity"])) AS identity FROM {table}' for table in _FACTS
    )
    with lent(con, "asked", identity=identities):
        con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE unnamed AS
            SELECT identity FROM asked WHERE identity NOT IN (
                SELECT identity FROM ({named}) WHERE identity IN (SELECT identity FROM asked)
                UNION ALL SELECT unnest(identities) FROM decision
            )
            UNION SELECT identity FROM identity WHERE value = ''
            """
        )
    of_unnamed = "IN (SELECT identity FROM unnamed)"
    con.execute(f'DELETE FROM lineage WHERE person {of_unnamed} OR "into" {of_unnamed}')
    ((kept,),) = con.execute(f"SELECT count(*) FROM identity WHERE value != '' AND identity {of_unnamed}").fetchall()
    con.execute(f"UPDATE identity SET value = '' WHERE identity {of_unnamed}")
    con.execute("DELETE FROM identity WHERE value = '' AND identity < (SELECT max(identity) FROM identity)")
    con.execute("DROP TABLE unnamed")
    return int(kept)
