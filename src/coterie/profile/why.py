"""One attribute of a profile, looked at whole: who won and why, who lost, and what was written over time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from coterie.core.errors import NotFound, suggestion
from coterie.profile.merge import Claim, Fragment, Operation, Reason, Source, Write, merge, paths, settle
from coterie.profile.merge import path_text as text_of
from coterie.profile.policy import AttributeMerge, MergePolicy

_KEY = re.compile(r'\["((?:[^"\\]|\\.)*)"\]')


class Written(msgspec.Struct, frozen=True):
    """A write that changed what its fragment says of an attribute; `value` is None where it took the value away."""

    source: Source
    operation: Operation
    value: Any


class AttributeView(msgspec.Struct, frozen=True):
    """An attribute with everything that is said of it.

    `value` is None when nothing counts, and so is `winner`. `order` is that of the policy, when it decides by datasets.
    `losers` come best first, those of datasets that the policy leaves out last. `history` has the writes of all
    fragments, oldest first. `writes` is of how many of them the value is made: more than one where an array was
    appended to.
    """

    person: str
    view: str
    path: str
    value: Any
    winner: Source | None
    reason: Reason | None
    policy: AttributeMerge
    order: tuple[str, ...]
    losers: tuple[Claim, ...]
    history: tuple[Written, ...]
    writes: int = 1


def why(person: str, view: str, writes: Sequence[Write], policy: MergePolicy, path: str) -> AttributeView:
    """Tell all that the writes of a person say of one attribute.

    Parameters
    ----------
    person, view : str
        Whose profile, in which view.
    writes : sequence of Write
        Everything that was written of the person.
    policy : MergePolicy
        Who wins.
    path : str
        The attribute, as the provenance of a profile names it.

    Raises
    ------
    NotFound
        ``profile.attribute`` when nothing was ever written there.
    """
    named = _spelled(path)
    history = _history(writes, named)
    if not history:
        raise _unknown(person, path, writes)
    fragments = settle(writes)
    merged = merge(fragments, policy)
    found = merged.provenance.get(named) if merged else None
    winner, losers = (found.winner, found.losers) if found else (None, ())
    return AttributeView(
        person=person,
        view=view,
        path=named,
        value=_value(merged.attributes if merged else {}, named),
        winner=winner,
        reason=found.reason if found else None,
        policy=policy.attribute_merge,
        order=policy.attribute_datasets or (),
        losers=(*losers, *_unlisted(fragments, policy, named)),
        history=history,
        writes=found.writes if found else 1,
    )


def _history(writes: Iterable[Write], path: str) -> tuple[Written, ...]:
    """Return the writes after which their fragment says something else of the attribute."""
    told: list[Written] = []
    standing: dict[tuple[str, str, str], Write] = {}
    for write in writes:
        source = write.fragment.source
        place = (source.dataset, source.namespace, source.value)
        earlier = [standing[place]] if place in standing else []
        before, after = settle(earlier), settle([*earlier, write])
        times = [item.time for item in (*earlier, write) if item.time is not None]
        standing[place] = Write(
            after[0] if after else write.fragment,
            Operation.CREATE if after else Operation.DELETE,
            max(times, default=None),
        )
        if (value := _said(after, path)) != _said(before, path):
            told.append(Written(source, write.operation, value))
    return tuple(told)


def _said(fragments: Sequence[Fragment], path: str) -> Any:
    return _value(fragments[0].attributes, path) if fragments else None


def _value(attributes: Mapping[str, Any], path: str) -> Any:
    return next((value for steps, value in paths(attributes) if text_of(steps) == path), None)


def _unlisted(fragments: Iterable[Fragment], policy: MergePolicy, path: str) -> tuple[Claim, ...]:
    listed = policy.attribute_datasets
    if listed is None:
        return ()
    claims = [
        Claim(fragment.source, value, Reason.UNLISTED)
        for fragment in fragments
        if fragment.source.dataset not in listed and (value := _value(fragment.attributes, path)) is not None
    ]
    return tuple(sorted(claims, key=lambda claim: claim.source.recorded_at, reverse=True))


def _spelled(path: str) -> str:
    """Return the path as `path_text` spells it: keys that are plain names need no brackets."""
    return _KEY.sub(lambda match: f".{match[1]}" if re.fullmatch(r'[^."\[\]\\]+', match[1]) else match[0], path)


def _unknown(person: str, path: str, writes: Iterable[Write]) -> NotFound:
    known = sorted({text_of(steps) for write in writes for steps, _ in paths(write.fragment.attributes)})
    below = [name for name in known if name.startswith((f"{path}.", f"{path}["))]
    hint = f"It is an object; ask for one of {', '.join(below[:5])}." if below else suggestion(path, known)
    return NotFound(
        "profile.attribute",
        f"nothing was ever written of {path!r} for {person}.",
        hint=hint or "`coterie profile show` lists the attributes.",
        where={"attribute": path, "person": person},
    )
