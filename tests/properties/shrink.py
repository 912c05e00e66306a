"""Making a disagreement small: the rule first, then the people, then the schema."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from coterie.core.errors import CoterieError
from coterie.core.schema import Field, FieldType, Union
from coterie.pql import ast, to_text
from coterie.pql.ast import Expr, Literal, Node
from coterie.pql.tree import walk

from .agreement import asked
from .roundtrips import accepted
from .worlds import Profile, World

_PARTS = (
    ast.Declaration,
    ast.Element,
    ast.DistanceTail,
    ast.DirectionTail,
    ast.BetweenTail,
    ast.OnTail,
    ast.TimeWord,
    ast.RelativeUnit,
)
"""Nodes that are no expressions."""


def smaller_rule(expr: Expr, fails: Callable[[Expr], bool]) -> Expr:
    """Return the smallest rule found that still fails."""
    size = sum(1 for _ in walk(expr))
    while True:
        for candidate in _smaller(expr):
            if sum(1 for _ in walk(candidate)) < size and fails(candidate):
                expr = candidate
                size = sum(1 for _ in walk(expr))
                break
        else:
            return expr


def _smaller(node: Any) -> Iterator[Any]:
    """Yield what is like `node` but has less in it."""
    if not isinstance(node, _PARTS):
        below = [child for child in walk(node) if child is not node and not isinstance(child, _PARTS)]
        yield from below
        if not isinstance(node, Literal):
            yield Literal(True, "boolean")
            yield Literal(1, "integer")
    for field in dataclasses.fields(node):
        if field.name == "span":
            continue
        value = getattr(node, field.name)
        for changed in _changed(value):
            yield dataclasses.replace(node, **{field.name: changed})


def _changed(value: Any) -> Iterator[Any]:
    if isinstance(value, Node):
        yield from _smaller(value)
    elif isinstance(value, tuple):
        for place in range(len(value)):
            yield value[:place] + value[place + 1 :]
        for place, item in enumerate(value):
            for changed in _changed(item):
                yield (*value[:place], changed, *value[place + 1 :])
    if value is not None and isinstance(value, Node):
        yield None


def smaller_world(world: World, names: set[str], fails: Callable[[World], bool]) -> World:
    """Return a world with fewer people and less about each, in which a rule that uses the given names still fails."""
    for profile in world.profiles:
        alone = dataclasses.replace(world, profiles=(profile,))
        if fails(alone):
            world = alone
            break
    pruned = dataclasses.replace(
        world,
        union=Union(_pruned_union(world.union.profile, names), _pruned_union(world.union.event, names)),
        profiles=tuple(_reduced(profile, names, world.union) for profile in world.profiles),
    )
    world = pruned if fails(pruned) else world
    changed = True
    while changed:
        changed = False
        for candidate in _less(list(world.profiles)):
            smaller = dataclasses.replace(world, profiles=tuple(candidate))
            if fails(smaller):
                world, changed = smaller, True
                break
    return world


def _pruned_union(root: Field, names: set[str]) -> Field:
    kept = names | {"id", "_id", "timestamp", "eventType", "producedBy", "identityMap", "segmentMembership"}
    properties = {name: _pruned(field, names) for name, field in root.properties.items() if name in kept}
    return Field(FieldType.OBJECT, properties={name: field for name, field in properties.items() if field is not None})


def _pruned(field: Field, names: set[str]) -> Field | None:
    if field.type is FieldType.OBJECT:
        properties = {name: _pruned(below, names) for name, below in field.properties.items() if name in names}
        kept = {name: below for name, below in properties.items() if below is not None}
        if not kept:
            name, first = next(
                ((n, f) for n, f in field.properties.items() if f.scalar), next(iter(field.properties.items()))
            )
            kept = {name: first}
        return Field(FieldType.OBJECT, properties=kept)
    if field.items is not None:
        items = _pruned(field.items, names)
        return None if items is None else Field(field.type, items=items)
    return field


def _reduced(profile: Profile, names: set[str], union: Union) -> Profile:
    schema = Union(_pruned_union(union.profile, names), _pruned_union(union.event, names))
    made: Profile = _only(profile, schema.profile)
    made["events"] = [_only(event, schema.event) for event in profile["events"]]
    return made


def _only(value: Any, field: Field) -> Any:
    if value is None:
        return None
    match field.type:
        case FieldType.OBJECT:
            return {name: _only(value[name], below) for name, below in field.properties.items() if name in value}
        case FieldType.ARRAY:
            return [_only(item, field.items) for item in value]
        case FieldType.MAP:
            return {key: _only(item, field.items) for key, item in value.items()}
        case _:
            return value


def _less(value: Any) -> Iterator[Any]:
    """Yield values with something left out."""
    if isinstance(value, list):
        for place in range(len(value)):
            yield value[:place] + value[place + 1 :]
        for place, item in enumerate(value):
            for changed in _less(item):
                yield [*value[:place], changed, *value[place + 1 :]]
    elif isinstance(value, dict):
        for key in value:
            if key not in ("id", "_id", "timestamp", "events"):
                yield {name: item for name, item in value.items() if name != key}
        for key, item in value.items():
            for changed in _less(item):
                if changed or isinstance(item, list):
                    yield {**value, key: changed}


def smaller_case(expr: Expr, world: World, seconds: float = 90) -> dict[str, Any]:
    """Return a row for a case file: a small world in which the ways to ask a rule disagree.

    What the row expects is what the interpreter says of the rule as written; the specification has the last word.
    """
    ends = time.monotonic() + seconds

    def fails(candidate: World) -> bool:
        if time.monotonic() > ends or accepted(expr, candidate):
            return False
        try:
            with asked(candidate) as group:
                return not group.answer(expr).agreed
        except CoterieError:
            return False

    small = smaller_world(world, _names(expr), fails)
    with asked(small) as group:
        expected = sorted(group.answer(expr).surface)
    return {
        "now": small.now,
        "pql": to_text(expr),
        "schema": [
            {"name": "profiles", "class": "profile", "fields": _written(small.union.profile)},
            {"name": "events", "class": "event", "fields": _written(small.union.event)},
        ],
        "profiles": list(small.profiles),
        "expect": expected,
    }


def _names(expr: Expr) -> set[str]:
    found: set[str] = set()
    for node in walk(expr):
        match node:
            case ast.Name(name) | ast.Up(_, name) | ast.Property(_, name):
                found.add(name)
            case ast.Chain(_, timestamp):
                found.update(timestamp)
    return found


def _written(root: Field) -> dict[str, Any]:
    own = ("identityMap", "segmentMembership", "_id", "timestamp", "eventType", "producedBy")
    return {name: msgspec.to_builtins(field) for name, field in root.properties.items() if name not in own}
