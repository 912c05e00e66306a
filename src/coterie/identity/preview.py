"""What new identity settings would change, worked out as they would be applied, and nothing written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from coterie.core.ids import Identity
from coterie.core.shares import percent
from coterie.identity import graph
from coterie.identity.cluster import components, distinct
from coterie.identity.evidence import NOBODY, Evidence, ints
from coterie.identity.fold import Bools, Ints
from coterie.identity.namespaces import PERSON
from coterie.identity.persons import known
from coterie.identity.settings import IdentitySettings
from coterie.identity.stitch import Replayed, Scope, stitch

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SAMPLES = 10
"""How many changes of each kind are shown."""

SHOWN = 60
"""How many identities of a change are shown."""

_MERGE, _SPLIT, _EXCHANGE = 0, 1, 2


class ChangeKind(StrEnum):
    """What becomes of graphs: several become one, one becomes several, or some exchange identities."""

    MERGE = "merge"
    SPLIT = "split"
    EXCHANGE = "exchange"


class GraphChange(msgspec.Struct, frozen=True):
    """The same identities as graphs before and after; of a large change not all of them."""

    kind: ChangeKind
    before: tuple[tuple[Identity, ...], ...]
    after: tuple[tuple[Identity, ...], ...]


class SettingsPreview(msgspec.Struct, frozen=True):
    """What saving identity settings would do.

    A change is the smallest set of graphs before, and of graphs after, that have the same identities.

    Parameters
    ----------
    settings : IdentitySettings
        The settings asked about.
    graphs_before, graphs_after : int
        Graphs of two or more identities.
    staying : int
        Graphs of two or more that stay as they are.
    merges, splits, exchanges : int
        Changes by kind.
    renamed : int
        People who keep their identities, but are known by another one of them.
    profiles_before, profiles_after : int
        People with attributes or events.
    profiles_changed : int
        People of today whose attributes and events would be gathered from more, fewer or other identities.
    links_removed : int
        Links that would not be in force though they were seen.
    identities_evicted : int
        Identities that would have to leave a full graph at some time.
    lacking : int
        Graphs, of two or more, that would have no identity of the best unique namespace.
    dangling : int
        Identities of people in graphs, after, that hold none of a unique namespace: nobody can tell whose they are.
    samples : tuple of GraphChange
        Some changes of each kind, those of the smallest identities first.
    warnings : tuple of str
        What is odd about the settings.
    """

    settings: IdentitySettings
    graphs_before: int
    graphs_after: int
    staying: int
    merges: int
    splits: int
    exchanges: int
    renamed: int
    profiles_before: int
    profiles_after: int
    profiles_changed: int
    links_removed: int
    identities_evicted: int
    lacking: int
    dangling: int
    samples: tuple[GraphChange, ...]
    warnings: tuple[str, ...]


class Coverage(msgspec.Struct, frozen=True):
    """How well unique namespaces say who is who: graphs of two or more, those without the best one, dangling logins."""

    graphs: int
    lacking: int
    dangling: int

    def warnings(self, settings: IdentitySettings) -> Iterable[str]:
        """Yield what that means for the settings."""
        if self.lacking and self.graphs:
            yield (
                f"{self.lacking} of {self.graphs} graphs ({percent(self.lacking / self.graphs)}) have no identity of "
                f"{settings.unique[0]}, the best unique namespace: the rules cannot tell their people apart by it"
            )
        if self.dangling:
            yield (
                f"{self.dangling} identities of people were never seen with one of a unique namespace: whose they are "
                "is decided by the browsers they share"
            )


def preview(evidence: Evidence, warnings: Sequence[str] = ()) -> SettingsPreview:
    """Return what the settings of `evidence` would change if they were saved; `warnings` are passed on."""
    evidence, before = known(evidence, Scope())
    stitched = stitch(evidence, before, Scope())
    old, new = before.person, stitched.person
    there = np.flatnonzero((old != NOBODY) & (new != NOBODY)).astype(np.int32)
    joint, kinds = _compared(old, new, there)
    carrying = _carrying(evidence.con, len(new))
    _, profiles = _compared(old, new, np.flatnonzero(carrying).astype(np.int32))
    sizes = np.bincount(old[there], minlength=len(old))
    same = old[there[~kinds.changed[joint[there]]]]
    found = coverage(evidence, new)
    return SettingsPreview(
        settings=evidence.settings,
        graphs_before=int((sizes > 1).sum()),
        graphs_after=found.graphs,
        staying=len(distinct(same[sizes[same] > 1])),
        merges=int((kinds.kind == _MERGE).sum()),
        splits=int((kinds.kind == _SPLIT).sum()),
        exchanges=int((kinds.kind == _EXCHANGE).sum()),
        renamed=len(distinct(same[new[same] != same])),
        profiles_before=len(distinct(old[carrying])),
        profiles_after=len(distinct(new[carrying])),
        profiles_changed=int(profiles.before[profiles.changed].sum()),
        links_removed=_links_removed(stitched.replayed),
        identities_evicted=0 if stitched.replayed is None else len(distinct(stitched.replayed.evicted)),
        lacking=found.lacking,
        dangling=found.dangling,
        samples=tuple(_samples(evidence.con, old, new, there, joint, kinds)),
        warnings=(*warnings, *found.warnings(evidence.settings)),
    )


def coverage(evidence: Evidence, person: Ints) -> Coverage:
    """Return how well unique namespaces cover graphs, given the person of every identity."""
    there = np.flatnonzero(person != NOBODY)
    sizes = np.bincount(person[there], minlength=len(person))
    grouped = there[sizes[person[there]] > 1]
    graphs = int((sizes > 1).sum())
    settings = evidence.settings
    if not settings.optimized or not settings.unique:
        return Coverage(graphs, 0, 0)
    namespace = evidence.namespace[grouped]
    best = [number for number, code in evidence.codes.items() if code == settings.unique[0]]
    unique = np.flatnonzero(evidence.rules.unique)
    people = np.flatnonzero(evidence.rules.rank == PERSON)

    def held(numbers: Ints) -> Bools:
        found = np.zeros(len(person), np.bool_)
        found[person[grouped[np.isin(namespace, numbers)]]] = True
        return found

    lacking = graphs - int(held(np.array(best, np.int32)).sum())
    known_by = held(unique.astype(np.int32))
    dangling = np.isin(namespace, people) & ~known_by[person[grouped]]
    return Coverage(graphs, lacking, int(dangling.sum()))


class _Kinds(msgspec.Struct, frozen=True, eq=False):
    """By the number of a change: how many groups there were before, whether any changed, and of which kind."""

    before: Ints
    changed: Bools
    kind: Ints


def _compared(old: Ints, new: Ints, identities: Ints) -> tuple[Ints, _Kinds]:
    """Compare two groupings of identities; return the change that each identity is part of, and what changes are."""
    size = len(old)
    # the groups before and after are the nodes; an identity is a link between its two
    part = components(2 * size, old[identities], (new[identities] + size).astype(np.int32))
    number = np.full(size, NOBODY, np.int32)
    number[identities] = part[old[identities]]
    # the smallest node of a change is always one before, so its number is less than `size`
    before = np.bincount(part[distinct(old[identities])], minlength=size)
    after = np.bincount(part[distinct(new[identities]) + size], minlength=size)
    kind = np.full(size, -1, np.int32)
    kind[(before > 1) & (after == 1)] = _MERGE
    kind[(before == 1) & (after > 1)] = _SPLIT
    kind[(before > 1) & (after > 1)] = _EXCHANGE
    return number, _Kinds(before.astype(np.int32), kind >= 0, kind)


def _carrying(con: DuckDBPyConnection, size: int) -> Bools:
    """Tell which identities own records or events."""
    rows = con.execute(
        'SELECT DISTINCT "$identity" AS identity FROM live_event UNION SELECT DISTINCT "$identity" FROM live_record'
    ).fetchnumpy()
    found = np.zeros(size, np.bool_)
    found[ints(rows["identity"])] = True
    return found


def _links_removed(replayed: Replayed | None) -> int:
    """Count the pairs that were removed and did not come back."""
    if replayed is None:
        return 0
    a, b = replayed.removed
    removed = distinct(a.astype(np.int64) << 32 | b)
    return len(np.setdiff1d(removed, replayed.links.a.astype(np.int64) << 32 | replayed.links.b))


def _samples(
    con: DuckDBPyConnection, old: Ints, new: Ints, there: Ints, joint: Ints, kinds: _Kinds
) -> Iterable[GraphChange]:
    """Yield the first few changes of each kind."""
    kinds_by_number = {_MERGE: ChangeKind.MERGE, _SPLIT: ChangeKind.SPLIT, _EXCHANGE: ChangeKind.EXCHANGE}
    for place, kind in kinds_by_number.items():
        for change in np.flatnonzero(kinds.kind == place)[:SAMPLES]:
            mine = there[joint[there] == change][:SHOWN]
            names = graph.named(con, mine.tolist())
            yield GraphChange(kind, _groups(mine, old, names), _groups(mine, new, names))


def _groups(identities: Ints, person: Ints, names: dict[int, Identity]) -> tuple[tuple[Identity, ...], ...]:
    groups: dict[int, list[Identity]] = {}
    for identity in identities.tolist():
        groups.setdefault(int(person[identity]), []).append(names[identity])
    return tuple(tuple(group) for group in groups.values())
