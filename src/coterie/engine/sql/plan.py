"""Many conditions in few statements: those that read the same rows share a query with a truth for each of them.

Conditions on aggregates of events are grouped by what they read (`groups`), predicates on profiles are columns of one
query; whatever is left, or alone, has a statement of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from coterie.engine.sql.constructs import defined, whole
from coterie.engine.sql.groups import UNITED, Branch, Column, branches, united
from coterie.engine.sql.profiles import Profiles
from coterie.engine.sql.statements import Answer, Pass, Statement, Statements, refusals
from coterie.pql.ast import Expr
from coterie.pql.conditions import Aggregate, Attribute, Condition

PREDICATES = 48
"""Predicates on profiles that one query answers."""


@dataclass(frozen=True)
class Plan:
    """What answers some conditions: queries for many at a time, and statements for those that are left, by key."""

    passes: tuple[Pass, ...]
    singles: dict[str, Statement]


def plan(statements: Statements, conditions: Iterable[Condition]) -> Plan:
    """Plan statements for distinct conditions that are no memberships.

    Raises
    ------
    Unsupported
        ``engine.unsupported`` for a condition that cannot be answered; nothing has been run.
    """
    attributes: list[Condition] = []
    aggregates: list[Condition] = []
    left: list[Condition] = []
    for condition in conditions:
        match condition.shape:
            case Attribute() if condition.zone == statements.zone:
                attributes.append(condition)
            case Aggregate(function, _, operand) if function != "distinct" and not _is_wide(
                statements, operand, condition
            ):
                aggregates.append(condition)
            case _:
                left.append(condition)
    passes: list[Pass] = []
    for start in range(0, len(attributes), PREDICATES):
        some = attributes[start : start + PREDICATES]
        left += some if len(some) == 1 else _predicates(statements, some, passes)
    alike: dict[tuple[Column, ...], list[Branch]] = defaultdict(list)
    for branch in branches(statements, aggregates):
        alike[branch.columns].append(branch)
    for found in alike.values():
        for start in range(0, len(found), UNITED):
            together = found[start : start + UNITED]
            asked = [condition for branch in together for _, condition in branch.asked]
            if len(asked) == 1:
                left += asked
            else:
                passes.append(united(statements, together))
    return Plan(tuple(passes), {condition.key: statements.statement(condition) for condition in left})


def _is_wide(statements: Statements, operand: Expr | None, condition: Condition) -> bool:
    with refusals(condition):
        return statements.in_zone(condition.zone).is_wide(operand, condition.expr)


def _predicates(statements: Statements, conditions: Sequence[Condition], passes: list[Pass]) -> list[Condition]:
    """Add the query for predicates on profiles; return those that read more than the profile's row."""
    profiles = Profiles(statements)
    query = profiles.query().select(whole(0).as_("group"))
    answers: list[Answer] = []
    left: list[Condition] = []
    for condition in conditions:
        with refusals(condition):
            alone = Profiles(statements.in_zone(condition.zone))
            truth = alone.truth(condition.expr)
        if alone.reads_more:
            left.append(condition)
        else:
            query = query.select(defined(truth).as_(f"t{len(answers)}"), copy=False)
            answers.append(Answer(condition.key))
    if answers:
        passes.append(Pass(query, (tuple(answers),)))
    return left
