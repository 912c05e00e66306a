"""Two views side by side: who would have another profile, and in what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from coterie.core.ids import person_id
from coterie.core.schema import Leaf
from coterie.profile.latest import groups
from coterie.profile.merge import path_text, paths
from coterie.profile.nest import Shape
from coterie.profile.policy import View
from coterie.profile.writes import rows_of
from coterie.store.history import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Differing(msgspec.Struct, frozen=True):
    """An attribute, and how many profiles differ in it; a map is one attribute here."""

    path: str
    profiles: int


class AttributeDifference(msgspec.Struct, frozen=True):
    """An attribute with both values; None where there is none."""

    path: str
    left: Any
    right: Any


class ComparedSample(msgspec.Struct, frozen=True):
    """A profile that differs: its identity, the persons it is in either view, and all attributes that differ."""

    namespace: str
    value: str
    left_person: str
    right_person: str
    differences: tuple[AttributeDifference, ...]


class Comparison(msgspec.Struct, frozen=True):
    """What is otherwise under another merge policy.

    `by` says what is compared: persons, where both views stitch alike, else identities, each with the profile it leads
    to. `left` and `right` are the numbers of profiles. Of what is compared, `same` is the same in both views,
    `different` has other attributes, and `only_left` and `only_right` have a profile in one view alone.
    """

    left_view: str
    right_view: str
    by: Literal["person", "identity"]
    left: int
    right: int
    same: int
    different: int
    only_left: int
    only_right: int
    attributes: tuple[Differing, ...]
    samples: tuple[ComparedSample, ...]


def compare(con: DuckDBPyConnection, left: View, right: View, leaves: Iterable[Leaf], samples: int = 5) -> Comparison:
    """Compare the profiles of two views, exactly.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    left, right : View
        The views.
    leaves : iterable of Leaf
        Attributes of the profile union.
    samples : int
        How many profiles that differ to show.
    """
    leaves = list(leaves)
    parts = groups(leaves, 0)
    by: Literal["person", "identity"] = "person" if left.stitched is right.stitched else "identity"
    unequal = [" OR ".join(_unequal(leaf) for leaf in part.leaves) for part in parts]
    both = "l.person IS NOT NULL AND r.person IS NOT NULL"
    anything = " OR ".join(unequal) or "false"
    joined = _joined(left, right, leaves, by)
    counts = con.execute(
        f"SELECT count(*) FILTER ({both}), count(*) FILTER ({both} AND ({anything})), "
        "count(*) FILTER (r.person IS NULL), count(*) FILTER (l.person IS NULL)"
        + "".join(f", count(*) FILTER ({both} AND ({condition}))" for condition in unequal)
        + f" FROM {joined}"
    ).fetchall()[0]
    paired, different, only_left, only_right, *each = map(int, counts)
    attributes = [
        Differing(_path(part.map, part.leaves[0]), count) for part, count in zip(parts, each, strict=True) if count
    ]
    return Comparison(
        left_view=left.name,
        right_view=right.name,
        by=by,
        left=_count(con, left),
        right=_count(con, right),
        same=paired - different,
        different=different,
        only_left=only_left,
        only_right=only_right,
        attributes=tuple(sorted(attributes, key=lambda item: (-item.profiles, item.path))),
        samples=_samples(con, joined, leaves, f"{both} AND ({anything})", samples),
    )


def _unequal(leaf: Leaf) -> str:
    return f"l.{quote(leaf.path)} IS DISTINCT FROM r.{quote(leaf.path)}"


def _path(map_: str | None, leaf: Leaf) -> str:
    return map_ or (leaf.levels[0] if leaf.levels else leaf.path)


def _count(con: DuckDBPyConnection, view: View) -> int:
    return int(con.execute(f"SELECT count(*) FROM {quote(f'profile_{view.name}')}").fetchall()[0][0])


def _joined(left: View, right: View, leaves: Iterable[Leaf], by: str) -> str:
    """Return the join of two views: `l` and `r` have the key ``whose``, the person and the leaves."""
    columns = "".join(f", p.{quote(leaf.path)}" for leaf in leaves)

    def side(view: View) -> str:
        profiles = quote(f"profile_{view.name}")
        if by == "person":
            return f"(SELECT p.person AS whose, p.person{columns} FROM {profiles} p)"
        persons = quote(f"person_of_{view.name}")
        return (
            f"(SELECT w.identity AS whose, p.person{columns} FROM {persons} w JOIN {profiles} p ON p.person = w.person)"
        )

    return f"{side(left)} l FULL JOIN {side(right)} r ON r.whose = l.whose"


def _samples(
    con: DuckDBPyConnection, joined: str, leaves: list[Leaf], condition: str, count: int
) -> tuple[ComparedSample, ...]:
    if count < 1:
        return ()
    columns = "".join(
        f", {side}.{quote(leaf.path)} AS {quote(f'{side}.{leaf.path}')}" for side in ("l", "r") for leaf in leaves
    )
    rows = rows_of(
        con,
        f"""
        SELECT n.code AS "$namespace", i.value AS "$value", ln.code AS "$left", li.value AS "$left_value",
               rn.code AS "$right", ri.value AS "$right_value", c.*
        FROM (
            SELECT l.whose AS "$whose", l.person AS "$l", r.person AS "$r"{columns} FROM {joined}
            WHERE {condition} ORDER BY l.whose LIMIT $1
        ) c
        JOIN identity i ON i.identity = c."$whose" JOIN namespace n ON n.namespace = i.namespace
        JOIN identity li ON li.identity = c."$l" JOIN namespace ln ON ln.namespace = li.namespace
        JOIN identity ri ON ri.identity = c."$r" JOIN namespace rn ON rn.namespace = ri.namespace
        ORDER BY c."$whose"
        """,
        [count],
    )
    shape = Shape(leaves)
    return tuple(
        ComparedSample(
            row["$namespace"],
            row["$value"],
            person_id(row["$left"], row["$left_value"]),
            person_id(row["$right"], row["$right_value"]),
            tuple(_differences(_attributes(shape, row, "l"), _attributes(shape, row, "r"))),
        )
        for row in rows
    )


def _attributes(shape: Shape, row: Mapping[str, Any], side: str) -> dict[str, Any]:
    values = shape.nest({leaf.path: row[f"{side}.{leaf.path}"] for leaf in shape.leaves})
    return {path_text(path): value for path, value in paths(values)}


def _differences(left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterable[AttributeDifference]:
    for path in sorted(left.keys() | right.keys()):
        if left.get(path) != right.get(path):
            yield AttributeDifference(path, left.get(path), right.get(path))
