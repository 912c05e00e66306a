"""Graphs and persons from the evidence of a history: of the components that a change touches, or of all.

Evidence components come from pairs by union-find. Most are graphs as they are. One that holds two values of a unique
namespace, more identities than the limit, or both ends of a split is *replayed*: folded from its records, or continued
from its links in force when the new records come after all it has.
"""

from __future__ import annotations

import msgspec
import numpy as np

from coterie.identity.cluster import distinct, extend
from coterie.identity.evidence import NOBODY, Evidence, Sightings, joined
from coterie.identity.fold import (
    CUT_EVICTED,
    CUT_SPLIT,
    CUT_UNIQUE,
    Bools,
    Folded,
    Ints,
    Links,
    Longs,
    Records,
    conflicted,
    fold,
    prepared,
)

KINDS = {CUT_UNIQUE: "rule", CUT_SPLIT: "split", CUT_EVICTED: "evicted"}
"""Words for why a link was removed."""

_NEVER = np.iinfo(np.int64).min


class Scope(msgspec.Struct, frozen=True, eq=False):
    """What changed.

    Parameters
    ----------
    batch : int, optional
        A batch that was added.
    identities : array of int32, optional
        Identities of which facts or decisions were added or taken away. Without either, everything is worked out anew.
    """

    batch: int | None = None
    identities: Ints | None = None


class Known(msgspec.Struct, frozen=True, eq=False):
    """Persons as they were: by number of the identity, `NOBODY` where there is none.

    `component` is the evidence component of identities that were replayed, `NOBODY` for the others.
    """

    person: Ints
    component: Ints


class Causes(msgspec.Struct, frozen=True, eq=False):
    """The records that caused something: when, and where each stands."""

    at: Longs
    batch: Ints
    row: Longs
    decision: Ints


class Replayed(msgspec.Struct, frozen=True, eq=False):
    """Components that were replayed, as rows of the tables that tell of them.

    `identities` are all of theirs, with the component of each. `continued` says whose earlier removals and evictions
    stand.
    """

    identities: Ints
    component: Ints
    continued: Bools
    links: Links
    removed: tuple[Ints, Ints]
    removed_kind: Ints
    removed_namespace: Ints
    removed_by: Causes
    evicted: Ints
    evicted_by: Causes


class Stitched(msgspec.Struct, frozen=True, eq=False):
    """Persons as they are.

    `touched` are the identities of all components that were looked at: what was told of their replays holds no more,
    and what `replayed` tells holds instead.
    """

    person: Ints
    touched: Ints
    replayed: Replayed | None


def stitch(evidence: Evidence, known: Known, scope: Scope) -> Stitched:
    """Work out persons after a change.

    Parameters
    ----------
    evidence : Evidence
        The facts, decisions and settings.
    known : Known
        Persons before the change.
    scope : Scope
        What changed. What it does not touch is taken over.
    """
    forest, seeds = _components(evidence, known, scope)
    there = forest != NOBODY
    hit = np.zeros(len(forest), np.bool_)
    hit[forest[seeds]] = True
    touched = np.flatnonzero(there & hit[np.where(there, forest, 0)]).astype(np.int32)
    graph = forest.copy()
    replayed = None
    if touched.size:
        bad = _conflicted(evidence, forest, touched)
        if bad.size:
            replayed, graph[bad] = _replay(evidence, known, forest, bad, scope.batch)
    person = grown(known.person, len(forest))
    person[~there] = NOBODY
    person[touched] = _persons(evidence, graph, touched)
    return Stitched(person, _union(touched, scope.identities), replayed)


def _union(touched: Ints, given: Ints | None) -> Ints:
    return touched if given is None else np.union1d(touched, given).astype(np.int32)


# -- components -------------------------------------------------------------------------------------------------------


def _components(evidence: Evidence, known: Known, scope: Scope) -> tuple[Ints, Ints]:
    """Return the evidence component of every identity, and identities of all those that may be other than before.

    An identity may be named more than once.
    """
    size = max(evidence.size, len(known.person))
    if scope.batch is not None:
        forest, fresh = _with(_before(known, size), evidence.occurring(scope.batch))
        a, b = evidence.pairs(scope.batch)
        return _extended(forest, a, b), np.concatenate([a, fresh])
    if scope.identities is None:
        forest, fresh = _with(np.full(size, NOBODY, np.int32), evidence.occurring())
        return _extended(forest, *evidence.pairs()), fresh
    forest = _before(known, size)
    mine = scope.identities
    parts = np.zeros(size + 1, np.bool_)
    parts[forest[mine]] = True
    parts[NOBODY] = False
    members = _union(np.flatnonzero(parts[forest]).astype(np.int32), mine)
    forest[members] = members
    gone = np.setdiff1d(mine, evidence.still(mine))
    forest[gone] = NOBODY
    members = np.setdiff1d(members, gone).astype(np.int32)
    return _extended(forest, *evidence.pairs_of(members)), members


def _before(known: Known, size: int) -> Ints:
    """Return the components that the persons before came from: a graph that was not replayed is one."""
    forest = np.full(size, NOBODY, np.int32)
    plain = np.flatnonzero((known.person != NOBODY) & (grown(known.component, len(known.person)) == NOBODY))
    smallest = np.empty(size, np.int32)
    smallest[known.person[plain][::-1]] = plain[::-1]  # of several, the last one written stands: the smallest
    forest[plain] = smallest[known.person[plain]]
    folded = np.flatnonzero(known.component != NOBODY)
    forest[folded] = known.component[folded]
    return forest


def _with(forest: Ints, occurring: Ints) -> tuple[Ints, Ints]:
    """Give each identity that occurs and was not there a component of its own; return those too."""
    there = np.zeros(len(forest), np.bool_)
    there[occurring] = True
    fresh = np.flatnonzero(there & (forest == NOBODY)).astype(np.int32)
    forest[fresh] = fresh
    return forest, fresh


def _extended(forest: Ints, a: Ints, b: Ints) -> Ints:
    if not a.size:
        return forest
    gaps = np.flatnonzero(forest == NOBODY).astype(np.int32)
    forest[gaps] = gaps
    forest = extend(forest, a, b)
    forest[gaps] = NOBODY
    return forest


def _conflicted(evidence: Evidence, forest: Ints, touched: Ints) -> Ints:
    """Return the identities of touched components that are not simply graphs."""
    rules = evidence.rules
    apart = evidence.decisions.apart
    if not rules.unique.any() and not apart[0].size:
        # the common case reads no namespaces
        large = np.bincount(forest[touched]) > (rules.limit or len(touched))
        return touched[large[forest[touched]]]
    place = np.full(len(forest), -1, np.int32)
    place[touched] = np.arange(len(touched), dtype=np.int32)
    left, right = place[apart[0]], place[apart[1]]
    both = (left >= 0) & (right >= 0)
    # also where graphs are not kept unique: a record with two values of a unique namespace links nobody
    rules = msgspec.structs.replace(rules, optimized=True)
    namespace = evidence.namespace[touched]
    return touched[conflicted(place[forest[touched]], namespace, rules, (left[both], right[both]))]


# -- replays ----------------------------------------------------------------------------------------------------------


def _replay(evidence: Evidence, known: Known, forest: Ints, bad: Ints, batch: int | None) -> tuple[Replayed, Ints]:
    """Fold the records of components; return the rows that tell of it, and the graph of each identity of `bad`."""
    numbers = evidence.canonical(bad)
    rank = np.full(len(forest), len(numbers), np.int32)
    rank[numbers] = np.arange(len(numbers), dtype=np.int32)
    later = _continuable(evidence, forest, bad, batch)
    state, sightings = _start(evidence, known, bad, later, batch)
    records, source = _prepared(evidence, numbers, rank, sightings)
    namespace = evidence.namespace[numbers]
    apart = evidence.decisions.apart
    mine = (rank[apart[0]] < len(numbers)) & (rank[apart[1]] < len(numbers))
    folded = fold(
        len(numbers),
        namespace,
        records,
        evidence.rules,
        apart=(rank[apart[0][mine]], rank[apart[1][mine]]),
        state=_renumbered(state, rank),
    )
    graph = np.full(len(numbers), len(forest), np.int32)
    np.minimum.at(graph, folded.graph, numbers)
    label = np.empty(len(forest), np.int32)
    label[numbers] = graph[folded.graph]
    return _told(folded, numbers, forest, later, sightings, source), label[bad]


def _continuable(evidence: Evidence, forest: Ints, bad: Ints, batch: int | None) -> Bools:
    """Tell by identity number whether the records of a batch come after all others of its component."""
    later = np.zeros(len(forest), np.bool_)
    if batch is None:
        return later
    last = np.full(len(forest), _NEVER, np.int64)
    whose, at = evidence.last_seen(bad, batch)
    np.maximum.at(last, forest[whose], at)
    merges = evidence.decisions.merges.records
    occur = forest[merges.identities] != NOBODY
    when = np.repeat(merges.time, np.diff(merges.offsets))
    np.maximum.at(last, forest[merges.identities[occur]], when[occur])
    first_new = np.full(len(forest), np.iinfo(np.int64).max, np.int64)
    whose, at = evidence.first_seen(batch)
    np.minimum.at(first_new, forest[whose], at)
    components = distinct(forest[bad])
    chosen = components[(first_new[components] > last[components]) & (last[components] != _NEVER)]
    whole = np.zeros(len(forest), np.bool_)
    whole[chosen] = True
    later[bad] = whole[forest[bad]]
    return later


def _start(evidence: Evidence, known: Known, bad: Ints, later: Bools, batch: int | None) -> tuple[Links, Sightings]:
    """Return what to continue from and the records to take: those of the batch, or all where it does not continue."""
    continued, anew = bad[later[bad]], bad[~later[bad]]
    parts, state = [], Links.none()
    if anew.size:
        parts.append(evidence.sightings(anew))
    if continued.size and batch is not None:
        parts.append(evidence.sightings(continued, batch))
        replayed = grown(known.component, len(later))[continued] != NOBODY
        old = evidence.in_force(continued[replayed])
        plain = evidence.links_of(continued[~replayed], batch)
        state = Links(
            np.concatenate([old.a, plain.a]),
            np.concatenate([old.b, plain.b]),
            np.concatenate([old.first_at, plain.first_at]),
            np.concatenate([old.last_at, plain.last_at]),
        )
    return state, joined(parts)


def _prepared(evidence: Evidence, numbers: Ints, rank: Ints, sightings: Sightings) -> tuple[Records, Longs]:
    """Return records by rank in the order of the fold, and the place of each among the sightings."""
    given = sightings.records
    # one more rank stands for all who are not asked for: unlinkable identities
    namespace = np.append(evidence.namespace[numbers], 0).astype(np.int32)
    linkable = np.arange(len(numbers) + 1) < len(numbers)
    ranked = Records(given.time, given.offsets, rank[given.identities])
    return prepared(ranked, namespace, evidence.rules, linkable)


def _renumbered(links: Links, rank: Ints) -> Links:
    a, b = rank[links.a], rank[links.b]
    low, high = np.minimum(a, b), np.maximum(a, b)
    order = np.argsort(low.astype(np.int64) << 32 | high)
    return Links(low[order], high[order], links.first_at[order], links.last_at[order])


def _told(folded: Folded, numbers: Ints, forest: Ints, later: Bools, sightings: Sightings, source: Longs) -> Replayed:
    def causes(record: Ints) -> Causes:
        where = source[record]
        return Causes(
            sightings.records.time[where], sightings.batch[where], sightings.row[where], sightings.decision[where]
        )

    def ends(a: Ints, b: Ints) -> tuple[Ints, Ints]:
        return np.minimum(numbers[a], numbers[b]), np.maximum(numbers[a], numbers[b])

    a, b = ends(folded.links.a, folded.links.b)
    return Replayed(
        numbers,
        forest[numbers],
        later[numbers],
        Links(a, b, folded.links.first_at, folded.links.last_at),
        ends(folded.removals.a, folded.removals.b),
        folded.removals.kind.astype(np.int32),
        folded.removals.namespace,
        causes(folded.removals.record),
        numbers[folded.evictions.identity],
        causes(folded.evictions.record),
    )


# -- persons ----------------------------------------------------------------------------------------------------------


def _persons(evidence: Evidence, graph: Ints, identities: Ints) -> Ints:
    """Return the person of identities: of their graph the one of best priority, if there are rules, or the smallest."""
    mine = graph[identities]
    if not evidence.settings.optimized:
        return mine
    key = evidence.rules.priority[evidence.namespace[identities]].astype(np.int64) << 32 | identities
    best = np.full(len(graph), np.iinfo(np.int64).max)
    np.minimum.at(best, mine, key)
    return (best[mine] & 0xFFFFFFFF).astype(np.int32)


def grown(numbers: Ints, size: int) -> Ints:
    """Return numbers by identity for at least so many identities, nobody for those that are new."""
    out = np.full(max(size, len(numbers)), NOBODY, np.int32)
    out[: len(numbers)] = numbers
    return out
