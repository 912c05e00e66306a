"""Saved states of giant components, so that a late record does not let all their records be folded again.

A state holds the links in force after all records of a *part* with a time up to an instant. A part is identities of
one evidence component, each with the instant since which states tell of it. Every record that names one of them, and
is not later than such a state, names no identity that the state does not tell of. So a part stays what it is when its
component grows by later records: who joins it is covered by later states only. A change of records voids the states
that are not before it, a change of decisions or settings all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from coterie.identity.cluster import distinct
from coterie.identity.evidence import NOBODY, Evidence, ints, lent, longs
from coterie.identity.fold import Bools, Ints, Links, Longs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GIANT = 5_000
"""A component of which more records are folded at once has states saved."""

STATES = 6
"""Most states of a part."""

NEVER, ALWAYS = np.iinfo(np.int64).min, np.iinfo(np.int64).max
"""Before and after all instants."""


class Saved(msgspec.Struct, frozen=True, eq=False):
    """Which states are saved.

    `part` is the part of each identity, `NOBODY` where it has none; states at `since` and later tell of it.
    `instants` are those of the states of each part, ascending. Parts of other identities have numbers below `free`.
    """

    part: Ints
    since: Longs
    instants: Mapping[int, tuple[int, ...]]
    free: int = 0

    @property
    def last(self) -> dict[int, int]:
        """The instant of the last state of each part."""
        return {part: instants[-1] for part, instants in self.instants.items()}

    @property
    def covered(self) -> Longs:
        """Up to which instant the last state tells of each identity; `NEVER` where none does."""
        last = np.full(max(self.instants, default=NOBODY) + 2, NEVER, np.int64)  # one more for those without a part
        last[[*self.last]] = [*self.last.values()]
        found = last[self.part]
        return np.where(self.since <= found, found, NEVER)


class State(msgspec.Struct, frozen=True, eq=False):
    """A new state: links in force of a part after its records up to an instant."""

    part: int
    upto: int
    links: Links


def none(size: int, free: int = 0) -> Saved:
    """Return that no states are saved."""
    return Saved(np.full(size, NOBODY, np.int32), np.full(size, NEVER, np.int64), {}, free)


def saved(evidence: Evidence) -> Saved:
    """Return which states the history holds of the identities that evidence is about."""
    con = evidence.con
    ((free,),) = con.execute("SELECT coalesce(max(part) + 1, 0) FROM graph_part").fetchall()
    found = none(evidence.size, free)
    if not free:
        return found
    with evidence.asked() as mine:
        covered = con.execute(f"SELECT identity, part, since FROM graph_part {mine}").fetchnumpy()
    places, parts = evidence.places(ints(covered["identity"])), ints(covered["part"])
    found.part[places], found.since[places] = parts, longs(covered["since"])
    states = con.execute(
        "SELECT part, list(DISTINCT upto ORDER BY upto) FROM graph_state "
        "WHERE part IN (SELECT unnest($1::INTEGER[])) GROUP BY part",
        [distinct(parts).tolist()],
    ).fetchall()
    return msgspec.structs.replace(found, instants={part: tuple(instants) for part, instants in states})


def sound(before: Saved, forest: Ints, touched: Ints, folded: Ints, changed_at: Longs) -> Saved:
    """Return the states that still hold after a change.

    Parameters
    ----------
    before : Saved
        The states before it.
    forest : array of int32
        The component of every identity after it, `NOBODY` where there is none.
    touched : array of int32
        Identities of the components that are perhaps other than before.
    folded : array of int32
        Those of them whose components are folded.
    changed_at : array of int64
        The instant of the first change in the component of each identity.
    """
    if not before.instants:
        return none(len(forest), before.free)
    plain = forest == NOBODY
    plain[touched] = True
    plain[folded] = False
    part, instants = np.full(len(forest), NOBODY, np.int32), {}
    for number, all_ in before.instants.items():
        members = np.flatnonzero((before.part == number) & ~plain)
        if not members.size:
            continue
        # of a component that fell apart, the largest piece keeps the states
        pieces, sizes = np.unique(forest[members], return_counts=True)
        members = members[forest[members] == pieces[sizes.argmax()]]
        kept = tuple(instant for instant in all_ if instant < changed_at[members[0]])
        if kept:
            instants[number] = kept
            part[members[before.since[members] <= kept[-1]]] = number
    return Saved(part, before.since, instants, before.free)


def links(evidence: Evidence, states: Saved, wanted: Bools) -> Links:
    """Return the links of the last state of each part, those of identities that are `wanted`."""
    last = states.last
    parts, instants = np.array([*last], np.int32), np.array([*last.values()], np.int64)
    with lent(evidence.con, "asked", part=parts, upto=instants):
        found = evidence.con.execute(
            "SELECT part, a, b, first_at, last_at FROM graph_state SEMI JOIN asked USING (part, upto)"
        ).fetchnumpy()
    a, b = evidence.places(ints(found["a"])), evidence.places(ints(found["b"]))
    held = Links(a, b, longs(found["first_at"]), longs(found["last_at"]))
    return held.take(wanted[a] & (states.part[a] == ints(found["part"])))


def cuts(times: Longs) -> list[int]:
    """Return the instants at which to save states, given times ascending: the nearer to the end, the closer together.

    Each is the time of a record; no later one has the same.
    """
    found: list[int] = []
    begin = 0
    while len(found) < STATES and len(times) - begin > GIANT:
        begin += max((len(times) - begin) // 2, 1)
        found.append(int(times[begin - 1]))
        begin = int(np.searchsorted(times, times[begin - 1], "right"))
    return found


def extended(
    states: Saved, components: Mapping[int, Ints], new: Mapping[int, Sequence[int]]
) -> tuple[Saved, list[int]]:
    """Note new states.

    Parameters
    ----------
    states : Saved
        The states so far.
    components : mapping
        The identities of each component that has new states.
    new : mapping
        Their instants, ascending, later than those of all states of the component.

    Returns
    -------
    tuple
        What is saved then, and the part of each component.
    """
    part, since, instants = states.part.copy(), states.since.copy(), dict(states.instants)
    free = max(states.free, int(part.max(initial=NOBODY)) + 1, *(number + 1 for number in instants))
    parts = []
    for component, members in components.items():
        there = part[members]
        numbers, sizes = np.unique(there[there != NOBODY], return_counts=True)
        if numbers.size:
            mine = int(numbers[sizes.argmax()])
        else:
            mine, free = free, free + 1
        for other in distinct(numbers[numbers != mine]).tolist():
            instants.pop(other)
        joining = members[there != mine]
        part[joining] = mine
        since[joining] = new[component][0]
        instants[mine] = _thinned((*instants.get(mine, ()), *new[component]))
        parts.append(mine)
    return Saved(part, since, instants, free), parts


def _thinned(instants: tuple[int, ...]) -> tuple[int, ...]:
    while len(instants) > STATES:
        instants = instants[1:STATES:2] + instants[STATES:]
    return instants


def write(evidence: Evidence, before: Saved, after: Saved, new: Sequence[State]) -> None:
    """Bring the tables from what was saved to what is saved now, given the states that are new."""
    con = evidence.con
    fresh = {(state.part, state.upto) for state in new}
    void = [
        (part, instant)
        for part, instants in before.instants.items()
        for instant in instants
        if instant not in after.instants.get(part, ()) or (part, instant) in fresh
    ]
    if void:
        parts, instants = np.array([part for part, _ in void], np.int32), np.array([at for _, at in void], np.int64)
        with lent(con, "void", part=parts, upto=instants):
            con.execute("DELETE FROM graph_state WHERE (part, upto) IN (SELECT (part, upto) FROM void)")
    moved = (before.part != after.part) | (before.since != after.since)
    gone = np.flatnonzero(moved & (before.part != NOBODY)).astype(np.int32)
    if gone.size:
        with lent(con, "gone", identity=evidence.numbers(gone), part=before.part[gone]):
            con.execute("DELETE FROM graph_part WHERE identity IN (SELECT identity FROM gone)")
            con.execute("DELETE FROM graph_state WHERE (part, a) IN (SELECT (part, identity) FROM gone)")
    come = np.flatnonzero(moved & (after.part != NOBODY)).astype(np.int32)
    if come.size:
        with lent(con, "come", identity=evidence.numbers(come), part=after.part[come], since=after.since[come]):
            con.execute("INSERT INTO graph_part BY NAME SELECT * FROM come")
    for state in new:
        if state.upto in after.instants.get(state.part, ()):
            held = state.links
            a, b = evidence.numbers(held.a), evidence.numbers(held.b)
            with lent(con, "held", a=a, b=b, first_at=held.first_at, last_at=held.last_at):
                con.execute(
                    "INSERT INTO graph_state BY NAME SELECT $1::INTEGER AS part, $2::BIGINT AS upto, * FROM held",
                    [state.part, state.upto],
                )
