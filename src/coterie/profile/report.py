"""Profiles counted: by namespace, by dataset, by how little is known of them. Exact, from the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from coterie.core.clock import DAY
from coterie.profile.policy import View
from coterie.store.history import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

QUIET_DAYS = (7, 30, 60, 90, 120)
"""For how many days without an event profiles of a single fragment are counted."""


class NamespaceProfiles(msgspec.Struct, frozen=True):
    """A namespace: its identities that belong to profiles, those profiles, and the fragments kept under it."""

    namespace: str
    identities: int
    profiles: int
    fragments: int


class DatasetProfiles(msgspec.Struct, frozen=True):
    """A dataset: the profiles it has something of, and its fragments."""

    dataset: str
    profiles: int
    fragments: int


class Combination(msgspec.Struct, frozen=True):
    """How many profiles have exactly these; the combinations of a report add up to all profiles."""

    names: tuple[str, ...]
    profiles: int


class Quiet(msgspec.Struct, frozen=True):
    """Profiles of a single fragment that had no event for so many days."""

    days: int
    profiles: int
    events: int


class ProfileReport(msgspec.Struct, frozen=True):
    """Profiles of a view, counted.

    A fragment is what a dataset holds of an identity: its record, or all of its events. `single` profiles have one
    fragment. Sums by namespace or dataset may exceed the total, since a profile has several.
    """

    view: str
    at: int
    profiles: int
    identities: int
    fragments: int
    single: int
    namespaces: tuple[NamespaceProfiles, ...]
    datasets: tuple[DatasetProfiles, ...]
    namespace_overlap: tuple[Combination, ...]
    dataset_overlap: tuple[Combination, ...]
    quiet: tuple[Quiet, ...]


def report(con: DuckDBPyConnection, view: View, records: str, at: int, combinations: int = 20) -> ProfileReport:
    """Count the profiles of a view.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    view : View
        Whose profiles.
    records : str
        A SELECT of ``$dataset`` and ``$identity`` of all fragments of records that count in the view.
    at : int
        The present instant, ms.
    combinations : int
        How many combinations of namespaces and of datasets to tell, the most frequent first.
    """
    persons, profiles = quote(f"person_of_{view.name}"), quote(f"profile_{view.name}")
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE coterie_fragment AS
        SELECT w.person, f.* FROM (
            SELECT "$dataset" AS dataset, "$identity" AS identity, count(*) AS events, max("timestamp") AS last
            FROM {quote(f"event_of_{view.name}")} GROUP BY ALL
            UNION ALL SELECT "$dataset", "$identity", 0, NULL FROM ({records})
        ) f JOIN {persons} w ON w.identity = f.identity
        """
    )
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE coterie_member AS
        SELECT w.person, w.identity, i.namespace FROM {persons} w SEMI JOIN {profiles} p ON p.person = w.person
        JOIN identity i ON i.identity = w.identity
        """
    )
    try:
        return _report(con, view, at, combinations)
    finally:
        con.execute("DROP TABLE coterie_fragment")
        con.execute("DROP TABLE coterie_member")


def _report(con: DuckDBPyConnection, view: View, at: int, combinations: int) -> ProfileReport:
    def one(statement: str) -> tuple[int, ...]:
        return tuple(int(value) for value in con.execute(statement).fetchall()[0])

    (profiles,) = one(f"SELECT count(*) FROM {quote(f'profile_{view.name}')}")
    (identities,) = one("SELECT count(*) FROM coterie_member")
    (fragments,) = one("SELECT count(*) FROM coterie_fragment")
    (single,) = one("SELECT count(*) FROM (SELECT 1 FROM coterie_fragment GROUP BY person HAVING count(*) = 1)")
    namespaces = con.execute(
        """
        SELECT n.code, m.identities, m.profiles, coalesce(f.fragments, 0) FROM (
            SELECT namespace, count(*) AS identities, count(DISTINCT person) AS profiles
            FROM coterie_member GROUP BY ALL
        ) m JOIN namespace n ON n.namespace = m.namespace LEFT JOIN (
            SELECT i.namespace, count(*) AS fragments FROM coterie_fragment f JOIN identity i ON i.identity = f.identity
            GROUP BY ALL
        ) f ON f.namespace = m.namespace ORDER BY m.profiles DESC, n.code
        """
    ).fetchall()
    datasets = con.execute(
        "SELECT d.id, count(DISTINCT f.person), count(*) FROM coterie_fragment f "
        "JOIN dataset d ON d.dataset = f.dataset GROUP BY d.id ORDER BY 2 DESC, 1"
    ).fetchall()
    quiet = con.execute(
        """
        SELECT t.days, count(*), coalesce(sum(s.events), 0)::BIGINT FROM (SELECT unnest($days::INTEGER[]) AS days) t
        JOIN (
            SELECT sum(events) AS events, max(last) AS last FROM coterie_fragment GROUP BY person HAVING count(*) = 1
        ) s ON s.last IS NULL OR s.last < $at - t.days * $day::BIGINT GROUP BY t.days ORDER BY t.days
        """,
        {"days": list(QUIET_DAYS), "at": at, "day": DAY},
    ).fetchall()
    return ProfileReport(
        view=view.name,
        at=at,
        profiles=profiles,
        identities=identities,
        fragments=fragments,
        single=single,
        namespaces=tuple(NamespaceProfiles(*row) for row in namespaces),
        datasets=tuple(DatasetProfiles(*row) for row in datasets),
        namespace_overlap=_overlap(
            con,
            "SELECT DISTINCT m.person, n.code AS name FROM coterie_member m "
            "JOIN namespace n ON n.namespace = m.namespace",
            combinations,
        ),
        dataset_overlap=_overlap(
            con,
            "SELECT DISTINCT f.person, d.id AS name FROM coterie_fragment f JOIN dataset d ON d.dataset = f.dataset",
            combinations,
        ),
        quiet=tuple(Quiet(*row) for row in quiet),
    )


def _overlap(con: DuckDBPyConnection, names: str, count: int) -> tuple[Combination, ...]:
    rows = con.execute(
        f"SELECT names, count(*) FROM (SELECT list(name ORDER BY name) AS names FROM ({names}) GROUP BY person) "
        "GROUP BY names ORDER BY 2 DESC, names LIMIT $1",
        [count],
    ).fetchall()
    return tuple(Combination(tuple(combination), profiles) for combination, profiles in rows)
