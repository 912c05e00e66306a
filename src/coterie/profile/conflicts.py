"""Where datasets contradict each other: the conflicts of a population, attribute by attribute, set-wise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from coterie.core.ids import person_id
from coterie.core.schema import KEY, VALUE, Leaf
from coterie.profile.fragments import folded, settled
from coterie.profile.latest import Group, groups
from coterie.profile.merge import path_text, paths
from coterie.profile.nest import Shape
from coterie.profile.policy import View
from coterie.profile.writes import rows_of
from coterie.store.history import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Win(msgspec.Struct, frozen=True):
    """For how many people one dataset won over another one that says something else."""

    winner: str
    loser: str
    people: int


class Rival(msgspec.Struct, frozen=True):
    """What one record says of an attribute."""

    dataset: str
    namespace: str
    value: str
    claim: Any


class ConflictSample(msgspec.Struct, frozen=True):
    """A person with a conflict, and what each record says, the winner first."""

    person: str
    claims: tuple[Rival, ...]


class AttributeConflicts(msgspec.Struct, frozen=True):
    """The conflicts of one attribute.

    `several` people have more than one record with a value, `conflicting` ones of them have different values.
    """

    path: str
    several: int
    conflicting: int
    wins: tuple[Win, ...]
    samples: tuple[ConflictSample, ...]


class Conflicts(msgspec.Struct, frozen=True):
    """All conflicts of a population, the attributes with the most of them first.

    `people` is the size of the population; `several` ones have more than one record, `conflicting` ones have an
    attribute about which their records differ.
    """

    view: str
    people: int
    several: int
    conflicting: int
    attributes: tuple[AttributeConflicts, ...]


class _Claims(NamedTuple):
    """An attribute, or the attributes of the keys of a map: where its claims are.

    `source` is a relation with ``person``, ``dataset``, ``place`` (1 is the winner) and the columns `keys`.
    """

    source: str
    keys: tuple[str, ...]
    group: Group
    opened: tuple[str, ...]


_RIVAL = "coterie_rival"
_TORN = "coterie_torn"


def conflicts(
    con: DuckDBPyConnection, view: View, leaves: Iterable[Leaf], among: str | None = None, samples: int = 3
) -> Conflicts:
    """Find where the records of people say different things.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    view : View
        Whose people, and who wins.
    leaves : iterable of Leaf
        Attributes of the profile union.
    among : str, optional
        A relation with the column ``person``; default everybody.
    samples : int
        How many people to show for each attribute.
    """
    leaves = list(leaves)
    profiles = f"{quote(f'profile_{view.name}')} p" + (f" SEMI JOIN {among} a ON a.person = p.person" if among else "")
    people = int(con.execute(f"SELECT count(*) FROM {profiles}").fetchall()[0][0])
    _gather(con, view, leaves, profiles)
    (several,) = con.execute(f"SELECT count(DISTINCT person) FROM {_RIVAL}").fetchall()[0]
    con.execute(f"CREATE OR REPLACE TEMP TABLE {_TORN} (person INTEGER)")
    found = [item for claims in _attributes(_RIVAL, (), leaves, ()) for item in _conflicts_of(con, claims, samples)]
    shown = _shown(con, leaves, {person for item in found for person in item.persons})
    (torn,) = con.execute(f"SELECT count(DISTINCT person) FROM {_TORN}").fetchall()[0]
    for table in (_RIVAL, _TORN):
        con.execute(f"DROP TABLE {table}")
    return Conflicts(
        view=view.name,
        people=people,
        several=int(several),
        conflicting=int(torn),
        attributes=tuple(
            AttributeConflicts(
                item.path,
                item.several,
                item.conflicting,
                item.wins,
                tuple(_sample(shown[person], item.path) for person in item.persons),
            )
            for item in sorted(found, key=lambda item: (-item.conflicting, -item.several, item.path))
        ),
    )


class _Found(NamedTuple):
    path: str
    several: int
    conflicting: int
    wins: tuple[Win, ...]
    persons: Sequence[int]


def _gather(con: DuckDBPyConnection, view: View, leaves: Sequence[Leaf], profiles: str) -> None:
    """Make the table of all fragments of people who have several, the best first."""
    columns = "".join(f", f.{quote(leaf.path)}" for leaf in leaves)
    order, listed = '"$rank" DESC', ""
    if (datasets := view.policy.attribute_datasets) is not None:
        order, listed = (
            'list_position($datasets::VARCHAR[], d.id), "$rank" DESC',
            "WHERE list_contains($datasets, d.id)",
        )
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE {_RIVAL} AS
        SELECT w.person, d.id AS dataset, f."$identity" AS identity,
               row_number() OVER (PARTITION BY w.person ORDER BY {order}) AS place{columns}
        FROM ({settled("live_record", leaves, folded(con))}) f
        JOIN {quote(f"person_of_{view.name}")} w ON w.identity = f."$identity"
        JOIN dataset d ON d.dataset = f."$dataset"
        SEMI JOIN (SELECT p.person FROM {profiles}) o ON o.person = w.person {listed}
        QUALIFY count(*) OVER (PARTITION BY w.person) > 1
        """,
        {} if datasets is None else {"datasets": list(datasets)},
    )


def _attributes(
    source: str, keys: tuple[str, ...], leaves: Sequence[Leaf], opened: tuple[str, ...]
) -> Iterator[_Claims]:
    """Yield the attributes of some leaves; maps are opened, so that every key is one of its own."""
    for group in groups(leaves, len(opened)):
        if group.map is None:
            yield _Claims(source, keys, group, opened)
            continue
        key, entry = f"{group.map}.{KEY}", f"$key{len(opened):d}"
        values = [leaf for leaf in group.leaves if leaf.path != key]
        columns = "".join(f", unnest({quote(leaf.path)}) AS {quote(leaf.path)}" for leaf in values)
        kept = "".join(f", {quote(name)}" for name in keys)
        inside = f"(SELECT person, dataset, place{kept}, unnest({quote(key)}) AS {quote(entry)}{columns} FROM {source})"
        yield from _attributes(inside, (*keys, entry), values, (*opened, group.map))


def _conflicts_of(con: DuckDBPyConnection, claims: _Claims, samples: int) -> Iterator[_Found]:
    """Yield the conflicts of an attribute, of each key for those of a map; note the people who have one."""
    names = [quote(leaf.path) for leaf in claims.group.leaves]
    value = names[0] if len(names) == 1 else f"row({', '.join(names)})"
    by = "".join(f"{quote(name)}, " for name in claims.keys)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE coterie_claim AS
        SELECT {by}person, dataset, place, {value} AS value FROM {claims.source}
        WHERE {" OR ".join(f"{name} IS NOT NULL" for name in names)}
        """
    )
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE coterie_best AS
        SELECT {by}person, min(value) IS DISTINCT FROM max(value) AS torn, arg_min(dataset, place) AS winner,
               arg_min(value, place) AS won
        FROM coterie_claim GROUP BY {by}person HAVING count(*) > 1
        """
    )
    counts = con.execute(
        f"SELECT {by}count(*), count(*) FILTER (torn), coalesce(min(person, {max(samples, 1):d}) FILTER (torn), []) "
        "FROM coterie_best GROUP BY ALL"
    ).fetchall()
    con.execute(f"INSERT INTO {_TORN} SELECT DISTINCT person FROM coterie_best WHERE torn")
    wins: dict[tuple[Any, ...], list[Win]] = {}
    same = " AND ".join([f"b.{quote(name)} = c.{quote(name)}" for name in claims.keys] + ["b.person = c.person"])
    listed = "".join(f"c.{quote(name)}, " for name in claims.keys)
    for *key, winner, loser, people in con.execute(
        f"SELECT {by}winner, loser, count(*) FROM (SELECT DISTINCT {listed}c.person, b.winner, c.dataset AS loser "
        f"FROM coterie_claim c JOIN coterie_best b ON {same} WHERE b.torn AND c.value IS DISTINCT FROM b.won) "
        "GROUP BY ALL ORDER BY count(*) DESC, winner, loser"
    ).fetchall():
        wins.setdefault(tuple(key), []).append(Win(winner, loser, people))
    for table in ("coterie_claim", "coterie_best"):
        con.execute(f"DROP TABLE {table}")
    for *key, several, conflicting, persons in counts:
        if several:
            path = _path(claims, key)
            yield _Found(path, several, conflicting, tuple(wins.get(tuple(key), ())), persons[:samples])


def _path(claims: _Claims, keys: Sequence[str]) -> str:
    """Return the path of an attribute as the provenance of a profile spells it."""
    first = claims.group.leaves[0]
    level = len(claims.opened)
    rest = first.levels[level] if len(first.levels) > level else first.path
    steps: list[str] = []
    begin = 0
    for map_, key in zip(claims.opened, keys, strict=True):
        steps += [*_names(rest[begin : len(map_)]), key]
        begin = len(map_) + 1
    return path_text((*steps, *_names(rest[begin:])))


def _names(path: str) -> list[str]:
    return [name for name in path.split(".") if name not in ("", VALUE)]


class _Record(NamedTuple):
    person: str
    dataset: str
    namespace: str
    value: str
    claims: Mapping[str, Any]


def _shown(con: DuckDBPyConnection, leaves: Sequence[Leaf], persons: Iterable[int]) -> dict[int, list[_Record]]:
    """Return the records of some people, the best first."""
    shape = Shape(leaves)
    rows = rows_of(
        con,
        f"""
        SELECT r.*, n.code AS "$namespace", i.value AS "$value", m.code AS "$first", j.value AS "$founder"
        FROM {_RIVAL} r JOIN identity i ON i.identity = r.identity JOIN namespace n ON n.namespace = i.namespace
        JOIN identity j ON j.identity = r.person JOIN namespace m ON m.namespace = j.namespace
        WHERE r.person IN (SELECT unnest($1::INTEGER[])) ORDER BY r.person, r.place
        """,
        [sorted(persons)],
    )
    found: dict[int, list[_Record]] = {}
    for row in rows:
        claims = {path_text(path): value for path, value in paths(shape.nest(row))}
        person = person_id(row["$first"], row["$founder"])
        record = _Record(person, row["dataset"], row["$namespace"], row["$value"], claims)
        found.setdefault(row["person"], []).append(record)
    return found


def _sample(records: Sequence[_Record], path: str) -> ConflictSample:
    claims = tuple(
        Rival(record.dataset, record.namespace, record.value, record.claims[path])
        for record in records
        if path in record.claims
    )
    return ConflictSample(records[0].person, claims)
