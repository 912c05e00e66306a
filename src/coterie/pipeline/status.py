"""Counts of what a sandbox holds."""

from __future__ import annotations

import msgspec

from coterie.audience.definition import Audience
from coterie.ingest.dataset import Dataset
from coterie.pipeline.definitions import Definitions
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


class IdentityStats(msgspec.Struct, frozen=True):
    """Identities by namespace, links, and profiles by size; `collapsed` ones hold two values of one namespace."""

    view: str
    namespaces: tuple[NamespaceCount, ...]
    links: int
    sizes: tuple[SizeCount, ...]
    collapsed: int


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
    collapsed = con.execute(
        f"SELECT count(DISTINCT person) FROM (SELECT p.person FROM (SELECT p.* FROM {live}) p "
        "JOIN identity i ON i.identity = p.identity GROUP BY p.person, i.namespace HAVING count(*) > 1)"
    ).fetchall()
    links = con.execute("SELECT count(*) FROM (SELECT DISTINCT a, b FROM live_link)").fetchall()
    return IdentityStats(
        view,
        tuple(NamespaceCount(*row) for row in namespaces),
        links[0][0],
        tuple(SizeCount(*row) for row in sizes),
        collapsed[0][0],
    )
