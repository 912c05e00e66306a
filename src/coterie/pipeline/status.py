"""Counts of what a sandbox holds."""

from __future__ import annotations

import msgspec

from coterie.audience.definition import Audience
from coterie.identity.persons import known
from coterie.identity.preview import coverage
from coterie.identity.stitch import Scope
from coterie.ingest.dataset import Dataset
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.effects import graphs
from coterie.store.sandbox import Sandbox


class DatasetStatus(msgspec.Struct, frozen=True):
    """A dataset with its live rows and batches."""

    dataset: str
    schema: str
    rows: int
    batches: int


class ViewStatus(msgspec.Struct, frozen=True):
    """A view with its number of profiles."""

    view: str
    profiles: int


class Status(msgspec.Struct, frozen=True):
    """Counts of everything; `position` is the last log entry."""

    sandbox: str
    position: int
    datasets: tuple[DatasetStatus, ...]
    events: int
    records: int
    identities: int
    links: int
    audiences: int
    quarantined: int
    views: tuple[ViewStatus, ...]


class NamespaceCount(msgspec.Struct, frozen=True):
    """A namespace with the number of its identities that belong to a profile."""

    namespace: str
    identities: int


class SizeCount(msgspec.Struct, frozen=True):
    """How many profiles have a number of identities."""

    identities: int
    profiles: int


class CollapseCount(msgspec.Struct, frozen=True):
    """How many profiles hold two or more identities of a namespace, and the most that one of them holds."""

    namespace: str
    profiles: int
    most: int


class IdentityStats(msgspec.Struct, frozen=True):
    """Identities by namespace, links, profiles by size, and how the rules work.

    Parameters
    ----------
    view : str
        The view whose profiles are counted.
    namespaces : tuple of NamespaceCount
        Identities of profiles.
    links : int
        Pairs of identities that were seen together.
    sizes : tuple of SizeCount
        Profiles by number of identities.
    collapsed : int
        Profiles with two or more identities of one namespace, whichever it is.
    collapsed_by : tuple of CollapseCount
        The same by namespace.
    graphs : int
        Graphs of two or more identities.
    replayed : int
        Identities whose graphs were worked out record by record, because a rule, the limit or a split mattered.
    links_removed : int
        Pairs that were seen together and whose link is not in force.
    identities_evicted : int
        Identities that had to leave a full graph at some time.
    lacking : int
        Graphs of two or more without an identity of the best unique namespace.
    dangling : int
        Identities of people in graphs without any of a unique namespace.
    """

    view: str
    namespaces: tuple[NamespaceCount, ...]
    links: int
    sizes: tuple[SizeCount, ...]
    collapsed: int
    collapsed_by: tuple[CollapseCount, ...] = ()
    graphs: int = 0
    replayed: int = 0
    links_removed: int = 0
    identities_evicted: int = 0
    lacking: int = 0
    dangling: int = 0


def status(sandbox: Sandbox) -> Status:
    """Return the counts of everything a sandbox holds."""
    con, definitions = sandbox.history.con, Definitions(sandbox.catalog)

    def count(table: str) -> int:
        return int(con.execute(f'SELECT count(*) FROM "{table}"').fetchall()[0][0])

    rows = dict(
        con.execute(
            "SELECT d.id, sum(c.n)::BIGINT FROM dataset d JOIN ("
            'SELECT "$dataset" AS dataset, count(*) AS n FROM live_event GROUP BY ALL UNION ALL '
            'SELECT "$dataset", count(*) FROM live_record GROUP BY ALL) c USING (dataset) GROUP BY ALL'
        ).fetchall()
    )
    datasets = tuple(
        DatasetStatus(
            item.name,
            item.schema,
            int(rows.get(item.name, 0)),
            sum(batch.status == "active" for batch in sandbox.catalog.batches(item.name)),
        )
        for item in definitions.list(Dataset)
    )
    return Status(
        sandbox=sandbox.path.name,
        position=sandbox.log.last,
        datasets=datasets,
        events=count("live_event"),
        records=count("live_record"),
        identities=count("identity"),
        links=count("live_link"),
        audiences=len(definitions.list(Audience)),
        quarantined=count("quarantine"),
        views=tuple(ViewStatus(view, count(f"profile_{view}")) for view in definitions.views()),
    )


def identities(sandbox: Sandbox, view: str) -> IdentityStats:
    """Return counts of the identities and graphs of a view."""
    con = sandbox.history.con
    live = f'"person_of_{view}" p SEMI JOIN "profile_{view}" f ON f.person = p.person'
    namespaces = con.execute(
        f"SELECT n.code, count(*) FROM (SELECT p.* FROM {live}) p JOIN identity i ON i.identity = p.identity "
        "JOIN namespace n ON n.namespace = i.namespace GROUP BY n.code ORDER BY 2 DESC, 1"
    ).fetchall()
    sizes = con.execute(
        f"SELECT size, count(*) FROM (SELECT count(*) AS size FROM {live} GROUP BY p.person) GROUP BY ALL ORDER BY size"
    ).fetchall()
    of_namespace = (
        f"SELECT p.person, i.namespace, count(*) AS size FROM (SELECT p.* FROM {live}) p "
        "JOIN identity i ON i.identity = p.identity GROUP BY p.person, i.namespace HAVING count(*) > 1"
    )
    collapsed = con.execute(f"SELECT count(DISTINCT person) FROM ({of_namespace})").fetchall()
    collapsed_by = con.execute(
        f"SELECT n.code, count(*), max(c.size) FROM ({of_namespace}) c JOIN namespace n ON n.namespace = c.namespace "
        "GROUP BY n.code ORDER BY 2 DESC, 1"
    ).fetchall()
    counts = con.execute(
        "SELECT (SELECT count(*) FROM (SELECT DISTINCT a, b FROM live_link)), (SELECT count(*) FROM folded), "
        "(SELECT count(*) FROM (SELECT a, b FROM removed_link EXCEPT SELECT a, b FROM graph_link)), "
        "(SELECT count(DISTINCT identity) FROM evicted)"
    ).fetchall()
    links, replayed, removed, evicted = counts[0]
    evidence, told = known(graphs.evidence(sandbox), Scope())
    covered = coverage(evidence, told.person)
    return IdentityStats(
        view=view,
        namespaces=tuple(NamespaceCount(*row) for row in namespaces),
        links=links,
        sizes=tuple(SizeCount(*row) for row in sizes),
        collapsed=collapsed[0][0],
        collapsed_by=tuple(CollapseCount(*row) for row in collapsed_by),
        graphs=covered.graphs,
        replayed=replayed,
        links_removed=removed,
        identities_evicted=evicted,
        lacking=covered.lacking,
        dangling=covered.dangling,
    )
