"""What random rules compare, as computed attributes: named, it is what it is written out, on the engine and off it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest

from coterie.audience import plan
from coterie.audience.definition import Audience
from coterie.computed.definition import ComputedAttribute, extended
from coterie.computed.kind import value_field
from coterie.computed.values import values, values_of
from coterie.core.errors import CoterieError
from coterie.core.schema import FieldType, Union
from coterie.engine.sql import SqlEngine
from coterie.pql import parse, to_text
from coterie.pql.ast import Binary, Expr, Literal, Method, Occurs, Unary
from coterie.pql.interpreter import holds
from coterie.pql.scopes import PREDICATES
from coterie.testing import people

from .rules import rules
from .worlds import World, world

PEOPLE, RULES = 10, 80
TESTS = ("=", "!=", "<", "<=", ">", ">=", "in", "notIn", "like", "matches")
PLAIN = (FieldType.STRING, FieldType.INTEGER, FieldType.NUMBER, FieldType.BOOLEAN)


def predicates_of(rule: Expr) -> Iterator[tuple[Expr, Expr, str]]:
    """Yield the predicates of a rule, each with the value that it tests and the name of that part."""
    match rule:
        case Binary("and" | "or", left, right):
            yield from predicates_of(left)
            yield from predicates_of(right)
        case Unary("not", operand):
            yield from predicates_of(operand)
        case Binary(op, left, _) if op in TESTS and not isinstance(left, Literal):
            yield rule, left, "left"
        case Method(receiver, name, _) if name in PREDICATES:
            yield rule, receiver, "receiver"
        case Occurs(value, _):
            yield rule, value, "value"
        case _:
            return


def attributes(place: World, random: Random) -> dict[str, tuple[ComputedAttribute, Expr, Expr]]:
    """Return computed attributes of what rules test, each with the predicate as it is and with the name in it."""
    found: dict[str, tuple[ComputedAttribute, Expr, Expr]] = {}
    for rule in rules(place, random, RULES):
        for predicate, value, part in predicates_of(rule):
            name, text = f"a{len(found)}", to_text(value)
            try:
                field, _ = value_field(text, place.union)
            except CoterieError:  # an array of objects, a membership: no attribute
                continue
            if field.type in PLAIN:
                attribute = ComputedAttribute(name, text, field)
                found[name] = (attribute, predicate, replace(predicate, **{part: parse(attribute.path)}))
    return found


@pytest.mark.parametrize("seed", [3, 11])
def test_a_named_value_is_the_value_written_out(seed):
    random = Random(seed)
    place = world(random, PEOPLE)
    chosen = attributes(place, random)
    assert len(chosen) > RULES / 8
    union = extended(place.union, [attribute for attribute, _, _ in chosen.values()])
    with people(place.profiles, place.now, place.union) as group:
        persons = {number: id_ for id_, number in group._person.items()}
        records = {profile["id"]: profile for profile in place.profiles}
        table = {persons[row["person"]]: row for row in _values(group._con, union, chosen, place.at)}
        engine, universe = SqlEngine(group._con, union), group._universe
        for attribute, predicate, named in chosen.values():
            of = {each for each, record in records.items() if holds(predicate, record, place.at, union)}
            assert {each for each, record in records.items() if holds(named, record, place.at, union)} == of, predicate
            planned = plan.plan(Audience("rule", to_text(named), exclude_opt_out=False), union)
            members = plan.evaluate([planned], engine, "default", place.at, universe, {})["rule"].members
            assert {persons[number] for number in members} == of, attribute.pql
        for id_, record in records.items():
            expected = values_of(record, union, place.at)
            for name, (attribute, _, _) in chosen.items():
                assert _same(table[id_][name], expected.get(name)), (id_, attribute.pql)


def _values(con, union: Union, chosen, at: int) -> list[dict]:
    names, found = list(chosen), {}
    for start in range(0, len(names), 8):
        for row in values(con, union, names[start : start + 8], "default", None, at).to_pylist():
            found.setdefault(row["person"], {}).update(row)
    return list(found.values())


def _same(one: object, other: object) -> bool:
    if isinstance(one, int | float | Decimal) and isinstance(other, int | float | Decimal):
        return one == other or float(one) == pytest.approx(float(other))
    return one == other
