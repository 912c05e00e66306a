"""Graphs and persons from the evidence of a history: of the components that a change touches, or of all.

Evidence components come from pairs by union-find. Most are graphs as they are. One that holds two values of a unique
namespace, more identities than the limit, or both ends of a split is *replayed*: folded from its records, or continued
from its links in force when the new records come after all it has.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from coterie.identity import saved
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
    prepared,
    sliced,
)
from coterie.identity.saved import Saved, State

KINDS = {CUT_UNIQUE: "rule", CUT_SPLIT: "split", CUT_EVICTED: "evicted"}
"""Words for why a link was removed."""


class Scope(msgspec.Struct, frozen=True, eq=False):
    """What changed.

    Parameters
    ----------
    batch : int, optional
        A batch that was added.
    identities : array of int32, optional
        Identities of which facts or decisions were added or taken away. Without either, everything is worked out anew.
    facts_of : sequence of int
        The batches whose facts these are, if nothing else changed: what was before the first of them stands.
    """

    batch: int | None = None
    identities: Ints | None = None
    facts_of: Sequence[int] = ()

    @property
    def batches(self) -> Sequence[int]:
        """The batches whose facts changed, if nothing else did."""
        return self.facts_of if self.batch is None else (self.batch,)


class Known(msgspec.Struct, frozen=True, eq=False):
    """Persons as they were: by the place of the identity in the evidence, `NOBODY` where there is none.

    `component` is the evidence component of identities that were replayed, `NOBODY` for the others; `saved` the states
    there are of giant ones. `changed` are the places of the identities that the facts or decisions are about which
    changed, if that was not everything.
    """

    person: Ints
    component: Ints
    saved: Saved
    changed: Ints


class Causes(msgspec.Struct, frozen=True, eq=False):
    """The records that caused something: when, and where each stands."""

    at: Longs
    batch: Ints
    row: Longs
    decision: Ints


class Replayed(msgspec.Struct, frozen=True, eq=False):
    """Components that were replayed, as rows of the tables that tell of them.

    `identities` are all of theirs, with the component of each, and the instant up to which earlier removals and
    evictions stand.
    """

    identities: Ints
    component: Ints
    stands: Longs
    links: Links
    removed: tuple[Ints, Ints]
    removed_kind: Ints
    removed_namespace: Ints
    removed_by: Causes
    evicted: Ints
    evicted_by: Causes


class Stitched(msgspec.Struct, frozen=True, eq=False):
    """Persons as they are, by the place of the identity in the evidence.

    `touched` are the identities of all components that were looked at: what was told of their replays holds no more,
    and what `replayed` tells holds instead. `states` are those of `saved` that are new.
    """

    person: Ints
    touched: Ints
    replayed: Replayed | None
    saved: Saved
    states: Sequence[State]


def stitch(evidence: Evidence, known: Known, scope: Scope) -> Stitched:
    """Work out persons after a change.

    Parameters
    ----------
    evidence : Evidence
        The facts, decisions and settings, about all identities of the components that the change touches.
    known : Known
        Persons before the change.
    scope : Scope
        What changed.
    """
    forest, seeds = _components(evidence, known, scope)
    there = forest != NOBODY
    hit = np.zeros(len(forest), np.bool_)
    hit[forest[seeds]] = True
    touched = np.flatnonzero(there & hit[np.where(there, forest, 0)]).astype(np.int32)
    graph = forest.copy()
    replayed = None
    new: Sequence[State] = ()
    bad = _conflicted(evidence, forest, touched) if touched.size else touched
    states = saved.sound(known.saved, forest, touched, bad, _changed_at(evidence, known, forest, touched, scope))
    if bad.size:
        replayed, graph[bad], states, new = _replay(evidence, known, forest, bad, states, scope.batch)
    person = known.person.copy()
    person[~there] = NOBODY
    person[touched] = _persons(evidence, graph, touched)
    if scope.identities is not None:
        touched = distinct(np.concatenate([touched, known.changed]))
    return Stitched(person, touched, replayed, states, new)


# -- components -------------------------------------------------------------------------------------------------------


def _components(evidence: Evidence, known: Known, scope: Scope) -> tuple[Ints, Ints]:
    """Return the evidence component of every identity, and identities of all those that may be other than before.

    An identity may be named more than once.
    """
    if scope.batch is not None:
        forest, fresh = _with(_before(known), known.changed)
        a, b = evidence.pairs(scope.batch)
        return _extended(forest, a, b), np.concatenate([a, fresh])
    if scope.identities is None:
        forest, fresh = _with(np.full(len(known.person), NOBODY, np.int32), evidence.occurring())
        return _extended(forest, *evidence.pairs()), fresh
    forest = _before(known)
    mine = known.changed
    parts = np.zeros(len(forest) + 1, np.bool_)
    parts[forest[mine]] = True
    parts[NOBODY] = False
    among = parts[forest]
    among[mine] = evidence.still(mine)
    members = np.flatnonzero(among).astype(np.int32)
    forest[mine] = NOBODY
    forest[members] = members
    return _extended(forest, *evidence.pairs()), members


def _before(known: Known) -> Ints:
    """Return the components that the persons before came from: a graph that was not replayed is one."""
    forest = known.component.copy()
    plain = np.flatnonzero((known.person != NOBODY) & (known.component == NOBODY)).astype(np.int32)
    smallest = np.empty(len(forest), np.int32)
    smallest[known.person[plain][::-1]] = plain[::-1]  # of several, the last one written stands: the smallest
    forest[plain] = smallest[known.person[plain]]
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


def _changed_at(evidence: Evidence, known: Known, forest: Ints, touched: Ints, scope: Scope) -> Longs:
    """Return the instant of the first change in the component of each identity."""
    changed = np.full(len(forest), saved.ALWAYS, np.int64)
    if not known.saved.instants:
        return changed
    if not scope.batches:
        changed[touched] = saved.NEVER
        return changed
    whose, at = evidence.first_seen(scope.batches)
    # facts that went were in a component that was there, those that came are in one that is
    for component in (_before(known), forest):
        first = np.full(len(forest) + 1, saved.ALWAYS, np.int64)  # one more for identities that have none
        np.minimum.at(first, component[whose], at)
        first[NOBODY] = saved.ALWAYS
        np.minimum(changed, first[component], out=changed)
    return changed


def _replay(
    evidence: Evidence, known: Known, forest: Ints, bad: Ints, states: Saved, batch: int | None
) -> tuple[Replayed, Ints, Saved, Sequence[State]]:
    """Fold the records of components.

    Returns the rows that tell of it, the graph of each identity of `bad`, and what states are saved then, with the new
    ones.
    """
    numbers = evidence.canonical(bad)
    rank = np.full(len(forest) + 1, len(numbers), np.int32)  # one more for those that it is not about
    rank[numbers] = np.arange(len(numbers), dtype=np.int32)
    covered = states.covered
    course = _course(evidence, forest, bad, covered, batch)
    state, sightings = _start(evidence, known, bad, course, states, batch)
    records, source = _prepared(evidence, numbers, rank, sightings)
    apart = evidence.decisions.apart
    mine = (rank[apart[0]] < len(numbers)) & (rank[apart[1]] < len(numbers))
    due, instants = _due(records, forest[numbers], course)
    folded, slices = sliced(
        len(numbers),
        evidence.namespace[numbers],
        records,
        evidence.rules,
        (rank[apart[0][mine]], rank[apart[1][mine]]),
        _renumbered(state, rank),
        instants,
    )
    graph = np.full(len(numbers), len(forest), np.int32)
    np.minimum.at(graph, folded.graph, numbers)
    label = np.empty(len(forest), np.int32)
    label[numbers] = graph[folded.graph]
    stands = np.where(course.later, saved.ALWAYS, covered)
    told = _told(folded, numbers, forest, stands, sightings, source)
    return told, label[bad], *_saved(states, forest, bad, numbers, due, instants, slices, course.floor)


class _Course(msgspec.Struct, frozen=True, eq=False):
    """How components are replayed.

    `later` tells by identity whether the records of the batch come after all others of its component; `links` are those
    that the components had before. By component, `floor` is the instant after which states may be saved, and `unsaved`
    about how many records there are after the last state that are not folded again.
    """

    later: Bools
    floor: Longs
    unsaved: Longs
    links: Links


def _course(evidence: Evidence, forest: Ints, bad: Ints, covered: Longs, batch: int | None) -> _Course:
    size = len(forest)
    later = np.zeros(size, np.bool_)
    floor = np.full(size, saved.NEVER, np.int64)
    np.maximum.at(floor, forest[bad], covered[bad])
    unsaved = np.zeros(size, np.int64)
    if batch is None:
        return _Course(later, floor, unsaved, Links.none())
    last = np.full(size, saved.NEVER, np.int64)
    links, records = evidence.earlier(bad, covered[bad], batch)
    np.maximum.at(last, forest[links.a], links.last_at)
    first_new = np.full(size, saved.ALWAYS, np.int64)
    new, at = evidence.first_seen([batch])
    np.minimum.at(first_new, forest[new], at)
    components = distinct(forest[bad])
    chosen = components[(first_new[components] > last[components]) & (last[components] != saved.NEVER)]
    whole = np.zeros(size, np.bool_)
    whole[chosen] = True
    later[bad] = whole[forest[bad]]
    floor[chosen] = last[chosen]
    np.add.at(unsaved, forest[links.a], np.where(later[links.a], records, 0))
    return _Course(later, floor, unsaved, links)


def _due(records: Records, component: Ints, course: _Course) -> tuple[Ints, list[int]]:
    """Return the components of which to save states, and at which instants.

    A component that is folded again has them saved when that are many records. One that continues had none of them
    read: it has one saved when what came since the last one has become much, compared with what is saved.
    """
    nowhere = np.empty(0, np.int32), list[int]()
    if not len(records):
        return nowhere
    of_record = component[records.identities[records.offsets[:-1]]]
    fresh = records.time > course.floor[of_record]
    came = np.bincount(of_record[fresh], minlength=len(course.floor))
    much = np.where(course.unsaved > 0, np.bincount(component, minlength=len(course.floor)) // 4, 0)
    due = (came > 0) & (came + course.unsaved > np.maximum(saved.GIANT, much))
    if not due.any():
        return nowhere
    times = records.time[fresh & due[of_record]]
    return np.flatnonzero(due).astype(np.int32), saved.cuts(times) or [int(times[-1])]


def _saved(
    states: Saved,
    forest: Ints,
    bad: Ints,
    numbers: Ints,
    due: Ints,
    instants: Sequence[int],
    slices: Sequence[Links],
    floor: Longs,
) -> tuple[Saved, Sequence[State]]:
    """Return what is saved after a fold in slices, and the states that are new."""
    found: dict[int, list[tuple[int, Links]]] = {}
    for instant, links in zip(instants, slices, strict=True):
        a, b = numbers[links.a], numbers[links.b]
        component = forest[a]
        for mine in due[floor[due] < instant].tolist():
            held = np.flatnonzero(component == mine)
            if held.size:
                state = Links(np.minimum(a, b)[held], np.maximum(a, b)[held], links.first_at[held], links.last_at[held])
                found.setdefault(mine, []).append((instant, state))
    members = {component: bad[forest[bad] == component] for component in found}
    after, parts = saved.extended(states, members, {mine: [at for at, _ in new] for mine, new in found.items()})
    return after, [State(part, at, links) for part, new in zip(parts, found.values(), strict=True) for at, links in new]


def _start(
    evidence: Evidence, known: Known, bad: Ints, course: _Course, states: Saved, batch: int | None
) -> tuple[Links, Sightings]:
    """Return what to continue from and the records to take.

    Those of the batch where it continues; all others from the last saved state, or from the start.
    """
    later = course.later
    continued, anew = bad[later[bad]], bad[~later[bad]]
    parts, starts = [], [Links.none()]
    if anew.size:
        covered = states.covered
        parts.append(evidence.sightings(anew, covered[anew]))
        if states.instants:
            wanted = np.zeros(len(covered), np.bool_)
            wanted[anew] = covered[anew] != saved.NEVER
            starts.append(saved.links(evidence, states, wanted))
    if continued.size and batch is not None:
        parts.append(evidence.sightings(continued, np.full(len(continued), saved.NEVER), batch))
        plain = course.links.take(later[course.links.a] & (known.component[course.links.a] == NOBODY))
        starts += [evidence.in_force(continued[known.component[continued] != NOBODY]), plain]
    columns = zip(*((each.a, each.b, each.first_at, each.last_at) for each in starts), strict=True)
    return Links(*map(np.concatenate, columns)), joined(parts)


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


def _told(folded: Folded, numbers: Ints, forest: Ints, stands: Longs, sightings: Sightings, source: Longs) -> Replayed:
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
        stands[numbers],
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
