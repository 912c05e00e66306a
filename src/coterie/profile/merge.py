"""The meaning of a merge, as a pure function over fragments; `coterie.profile.bulk` does the same for everybody.

An attribute is a leaf path: objects and maps are merged key by key, arrays are one value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, assert_never

import msgspec

from coterie.ingest.operation import Operation as Operation
from coterie.profile.policy import AttributeMerge, MergePolicy

Path = tuple[str, ...]
_PLAIN = re.compile(r"[^.\"\[\]]+")


class Source(msgspec.Struct, frozen=True):
    """Where a value comes from: the record of an identity in a dataset, and when and by which batch it was taken in."""

    dataset: str
    namespace: str
    value: str
    recorded_at: int
    batch: str = ""


class Fragment(msgspec.Struct, frozen=True):
    """What one dataset says of one identity; `offset` is the place of its last write among those of one instant.

    `joined` has the arrays that were appended to, and of how many writes each is made.
    """

    source: Source
    attributes: Mapping[str, Any]
    offset: tuple[int, ...] = ()
    joined: Mapping[Path, int] = {}


class Write(NamedTuple):
    """A write of a record.

    `time` is the date that orders the writes of its dataset, if one does: a write that is not newer than all before it
    is passed over. `unset` are paths that a merge or an append takes away, before it gives its own.
    """

    fragment: Fragment
    operation: Operation = Operation.CREATE
    time: int | None = None
    unset: tuple[str, ...] = ()


class Reason(StrEnum):
    """What settled an attribute, or a claim that lost: see the members."""

    ONLY = "only"
    """Nothing else has a value."""
    NEWEST = "newest"
    """The record written last wins."""
    DATASET = "dataset"
    """The dataset that comes first in the order of the policy wins."""
    UNLISTED = "unlisted"
    """The dataset is not in the order of the policy, so it contributes nothing."""


class Claim(msgspec.Struct, frozen=True):
    """A value that an attribute would have, had others not been there; `reason` is the rule by which it lost."""

    source: Source
    value: Any
    reason: Reason = Reason.NEWEST


class Attribute(msgspec.Struct, frozen=True):
    """Why an attribute has its value: the source that won, by which rule, and the claims that lost, best first.

    `writes` is of how many writes of that record the value is made: more than one where an array was appended to.
    """

    winner: Source
    losers: tuple[Claim, ...] = ()
    reason: Reason = Reason.ONLY
    writes: int = 1


class Merged(msgspec.Struct, frozen=True):
    """A merged profile, and the reason of each attribute by its path."""

    attributes: dict[str, Any]
    provenance: dict[str, Attribute]


def settle(writes: Iterable[Write]) -> list[Fragment]:
    """Return the fragments that a history of writes leaves, in any order of the list."""
    fragments: dict[tuple[str, str, str], Fragment] = {}
    newest: dict[tuple[str, str, str], int] = {}
    for fragment, operation, time, unset in sorted(writes, key=lambda write: _age(write.fragment)):
        key = (fragment.source.dataset, fragment.source.namespace, fragment.source.value)
        if time is not None:
            if key in newest and time <= newest[key]:
                continue
            newest[key] = time
        before = fragments.pop(key, None)
        match operation:
            case Operation.CREATE:
                fragments[key] = fragment
            case Operation.MERGE:
                fragments[key] = _patched(before, fragment, unset, appends=False)
            case Operation.APPEND:
                fragments[key] = _patched(before, fragment, unset, appends=True)
            case Operation.DELETE:
                pass
            case _:
                assert_never(operation)
    return list(fragments.values())


def merge(fragments: Iterable[Fragment], policy: MergePolicy) -> Merged | None:
    """Merge the fragments of one person.

    Parameters
    ----------
    fragments : iterable of Fragment
        One for each dataset and identity, in any order.
    policy : MergePolicy
        Who wins: the newest, or the dataset named first.

    Returns
    -------
    Merged or None
        None when no fragment counts.
    """
    ranked = _ranked(fragments, policy)
    if not ranked:
        return None
    winners: dict[Path, Claim] = {}
    losers: dict[Path, list[Claim]] = {}
    inner: dict[Path, Path] = {}
    made: dict[Path, int] = {}
    for fragment in ranked:
        for path, value in paths(fragment.attributes):
            claim = Claim(fragment.source, value)
            taken = _taken(path, winners, inner)
            if taken is None:
                winners[path] = claim
                made[path] = fragment.joined.get(path, 1)
                inner.update(dict.fromkeys(_above(path), path))
            else:
                lost = _lost(winners[taken].source, fragment.source, policy)
                losers.setdefault(taken, []).append(msgspec.structs.replace(claim, reason=lost))
    return Merged(
        nested({path: claim.value for path, claim in winners.items()}),
        {
            path_text(path): _attribute(claim.source, losers.get(path, ()), made[path])
            for path, claim in sorted(winners.items())
        },
    )


def _lost(winner: Source, loser: Source, policy: MergePolicy) -> Reason:
    by_order = policy.attribute_merge is AttributeMerge.DATASET_PRECEDENCE
    return Reason.DATASET if by_order and winner.dataset != loser.dataset else Reason.NEWEST


def _attribute(winner: Source, losers: Sequence[Claim], writes: int) -> Attribute:
    return Attribute(winner, tuple(losers), losers[0].reason if losers else Reason.ONLY, writes)


def paths(attributes: Mapping[str, Any], above: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield the attributes of a nested object; null and empty objects are no values."""
    for name, value in attributes.items():
        if isinstance(value, Mapping):
            yield from paths(value, (*above, name))
        elif value is not None:
            yield (*above, name), value


def nested(values: Mapping[Path, Any]) -> dict[str, Any]:
    """Return attributes as a nested object."""
    out: dict[str, Any] = {}
    for path, value in values.items():
        level = out
        for name in path[:-1]:
            level = level.setdefault(name, {})
        level[path[-1]] = value
    return out


def path_text(path: Path) -> str:
    """Return a path as text: names joined by dots, and map keys that are no plain names as ``["…"]``."""
    text = path[0]
    for name in path[1:]:
        text += f".{name}" if _PLAIN.fullmatch(name) else f"[{json.dumps(name, ensure_ascii=False)}]"
    return text


def _ranked(fragments: Iterable[Fragment], policy: MergePolicy) -> list[Fragment]:
    newest_first = sorted(fragments, key=_age, reverse=True)
    if policy.attribute_merge is AttributeMerge.TIMESTAMP_ORDERED:
        return newest_first
    place = {dataset: position for position, dataset in enumerate(policy.order)}
    listed = [fragment for fragment in newest_first if fragment.source.dataset in place]
    return sorted(listed, key=lambda fragment: place[fragment.source.dataset])


def _age(fragment: Fragment) -> tuple[int, tuple[int, ...], str, str, str]:
    source = fragment.source
    return source.recorded_at, fragment.offset, source.dataset, source.namespace, source.value


def _without(attributes: Mapping[str, Any], unset: Sequence[str]) -> Mapping[str, Any]:
    """Return an object without what lies at some paths or below them."""
    gone = [tuple(path.split(".")) for path in unset]
    kept = {path: value for path, value in paths(attributes) if not any(path[: len(p)] == p for p in gone)}
    return nested(kept) if gone else attributes


def _patched(before: Fragment | None, given: Fragment, unset: Sequence[str], *, appends: bool) -> Fragment:
    """Return a fragment after a write that leaves what it does not give."""
    if before is None:
        return given
    old = _without(before.attributes, unset)
    standing, values = dict(paths(old)), dict(paths(given.attributes))
    joined = {path: writes for path, writes in before.joined.items() if path in standing and path not in values}
    if appends:
        for path, value in values.items():
            if isinstance(value, list) and isinstance(there := standing.get(path), list):
                values[path] = [*there, *value]
                joined[path] = before.joined.get(path, 1) + 1
    return msgspec.structs.replace(given, attributes=_united([nested(values), old]), joined=joined)


def _united(objects: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Unite objects leaf by leaf, the first that has a leaf winning."""
    winners: dict[Path, Any] = {}
    inner: dict[Path, Path] = {}
    for item in objects:
        for path, value in paths(item):
            if _taken(path, winners, inner) is None:
                winners[path] = value
                inner.update(dict.fromkeys(_above(path), path))
    return nested(winners)


def _taken(path: Path, winners: Mapping[Path, Any], inner: Mapping[Path, Path]) -> Path | None:
    """Return the attribute that stands where `path` would go: itself, one above it or one below it."""
    if path in winners:
        return path
    return next((above for above in _above(path) if above in winners), inner.get(path))


def _above(path: Path) -> list[Path]:
    return [path[:length] for length in range(1, len(path))]
