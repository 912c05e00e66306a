"""What a rule may be evaluated by under the published rules of Adobe Experience Platform, and why not.

Those of streaming and edge segmentation as of May 2025. They are information for people who know them: Coterie itself
has no such limits.
"""

from __future__ import annotations

from collections.abc import Sequence

from coterie.core.clock import DAY
from coterie.pql.analysis import analyse, analyse_condition
from coterie.pql.ast import Method
from coterie.pql.complexity import negated_events
from coterie.pql.conditions import Aggregate, Condition, Rule, conditions_of
from coterie.pql.conditions import Sequence as EventSequence
from coterie.pql.scopes import walk


def streaming(rule: Rule) -> tuple[str, ...]:
    """Return the reasons why a rule may not be evaluated as events arrive; none when it may."""
    conditions = conditions_of(rule)
    events = [condition for condition in conditions if analyse_condition(condition).reads_events]
    reasons = [*_common(conditions, events)]
    if len(events) > 1:
        reasons.append(f"it has {len(events)} event conditions without a strict order of time between them")
    reasons += [f"it takes several events together: {condition.text}" for condition in events if _gathers(condition)]
    negated = {condition.key for condition in negated_events(rule)}
    if events and all(condition.key in negated for condition in events):
        reasons.append("it has only events that must not be there")
    return tuple(reasons)


def edge(rule: Rule) -> tuple[str, ...]:
    """Return the reasons why a rule may not be evaluated with a request; none when it may."""
    several = (
        f"it has several events: {condition.text}"
        for condition in conditions_of(rule)
        if isinstance(condition.shape, EventSequence) and len(condition.shape.steps) > 1
    )
    return (*streaming(rule), *several)


def _common(conditions: Sequence[Condition], events: Sequence[Condition]) -> list[str]:
    reasons: list[str] = []
    for condition in events:
        age = analyse_condition(condition).look_back
        if age is None:
            reasons.append(f"an event has no window of at most 24 hours: {condition.text}")
        elif age > DAY:
            reasons.append(f"a window is longer than 24 hours: {condition.text}")
    audiences = sorted(analyse(conditions).audiences)
    if events and audiences:
        reasons.append(f"it joins events with the members of {', '.join(audiences)}")
    if any(_ignores_year(condition) for condition in conditions):
        reasons.append("it compares a month or a day without the year")
    return reasons


def _gathers(condition: Condition) -> bool:
    """Whether a condition counts or adds up events, beyond asking for one."""
    match condition.shape:
        case Aggregate("count", _, _, ">=", value):
            return value.value != 1
        case Aggregate():
            return True
        case EventSequence(steps):
            return any(step.count > 1 for step in steps)
        case _:
            return analyse_condition(condition).reads_events


def _ignores_year(condition: Condition) -> bool:
    names = {node.name for node, _ in walk(condition.expr) if isinstance(node, Method)}
    return bool(names & {"getMonth", "getDayOfMonth"}) and "getYear" not in names
