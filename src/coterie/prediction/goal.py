"""A goal in words and in PQL: it opens as an audience of the people who met it, and back."""

from __future__ import annotations

from typing import Any, Literal, cast

from msgspec.structs import replace

from coterie.core.errors import Invalid
from coterie.core.schema import FieldType, Union, lookup
from coterie.pql import check
from coterie.pql.ast import Binary, DistanceTail, Expr, Filter, Method, Name, Occurs, Property, TimeWord, Unary
from coterie.pql.logic import operands_of
from coterie.pql.predicates import INVERSE
from coterie.pql.printer import path as path_of
from coterie.pql.printer import step
from coterie.prediction.definition import Goal, GoalEvent, Kind, Measure, Test
from coterie.prediction.predicates import COMPARING, all_tests, literal, predicate, value_of

_OPS: dict[str, Literal["gt", "gte", "lt", "lte", "eq"]] = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte", "=": "eq"}
_WORDS = {"gt": "more than", "gte": "at least", "lt": "less than", "lte": "at most", "eq": "exactly"}


def to_pql(goal: Goal, union: Union, days: int | None = None) -> str:
    """Return the rule of the people for whom the goal came true in the last days.

    Parameters
    ----------
    goal : Goal
        The goal.
    union : Union
        The fields there are.
    days : int, optional
        How many days; those of the goal's window when left out.
    """
    parts = [_of_event(event, union, days or goal.window_days) for event in goal.events]
    joined = (" and " if goal.combiner == "all_of" else " or ").join(parts)
    return f"not ({joined})" if goal.polarity == "will_not_occur" else joined


def _of_event(event: GoalEvent, union: Union, days: int) -> str:
    unit = "day" if days == 1 else "days"
    events = f"xEvent[{predicate(event)} and timestamp occurs <= {days} {unit} before now]"
    if event.measure is None:
        return f"{events}.count() >= {event.at_least}"
    op, value = COMPARING[event.op], literal(event.value)
    items, inner = _summed(event.measure.sum, union)
    return f"{events}{items}.sum({inner}) {op} {value}"


def _summed(path: str, union: Union) -> tuple[str, str]:
    """Return the steps to the last array of objects on a path, and the path below it."""
    names = path.split(".")
    last = 0
    for place in range(1, len(names)):
        field = lookup(union.event, ".".join(names[:place]))
        if field is not None and field.type is FieldType.ARRAY:
            last = place
    return "".join(f".{step(name)}" for name in names[:last]), path_of(names[last:])


# -- back -----------------------------------------------------------------------------------------------------------


def from_pql(text: str, union: Union) -> Goal:
    """Return the goal that the people of a rule met.

    Parameters
    ----------
    text : str
        A rule of the form that `to_pql` writes: numbers, or sums, of events in the last days, joined by `and` or `or`,
        perhaps with `not` before the whole.
    union : Union
        The fields there are.

    Raises
    ------
    PqlError
        For a rule with problems.
    Invalid
        ``model.goal`` for any other rule.
    """
    expr = check(text, union).require()
    negated = isinstance(expr, Unary) and expr.op == "not"
    inner = expr.operand if isinstance(expr, Unary) and expr.op == "not" else expr
    op: Literal["and", "or"] = "or" if isinstance(inner, Binary) and inner.op == "or" else "and"
    read = [_event(part, text) for part in operands_of(op, inner)]
    nothing = {never for _, _, never in read}
    if len(nothing) > 1 or (True in nothing and (negated or (op == "or" and len(read) > 1))):
        raise _unlike(text, "some of its parts ask for events and others for none")
    windows = {days for _, days, _ in read}
    if len(windows) > 1:
        raise _unlike(text, f"its parts look at different windows ({', '.join(map(str, sorted(windows)))} days)")
    never = True in nothing
    events = tuple(event for event, _, _ in read)
    return Goal(
        _distinct(events),
        windows.pop(),
        polarity="will_not_occur" if negated or never else "will_occur",
        combiner="any_of" if len(events) > 1 and (op == "or" or never) else "all_of",
    )


def _event(expr: Expr, text: str) -> tuple[GoalEvent, int, bool]:
    """Return an event of a goal, its window in days, and whether there must be none."""
    match expr:
        case Binary(op, Method(array, "count", ()), right) if op in ("=", "<", "<=", ">", ">="):
            number = _number(right)
            event, days = _events(array, text)
            if number is not None and number == int(number):
                least = int(number) + (op == ">")
                if op in (">", ">=") and least >= 1:
                    return replace(event, at_least=least), days, False
                if (op, number) in (("=", 0), ("<=", 0), ("<", 1)):
                    return event, days, True
            raise _unlike(text, "it counts events in another way than `>=` a number, or `= 0`")
        case Binary(op, Method(array, "sum", (operand,)), right) if op in _OPS:
            value = _number(right)
            items, below = _array(array), _names(operand)
            if value is None or items is None or below is None:
                raise _unlike(text, "it sums something else than a field")
            event, days = _events(items[0], text)
            measure = Measure(".".join((*items[1], *below)))
            return replace(event, measure=measure, op=_OPS[op], value=float(value)), days, False
        case Binary(op, left, Method() as right) if op in INVERSE and _number(left) is not None:
            turned = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(op, op)
            return _event(Binary(cast("Any", turned), right, left), text)
        case Filter():
            event, days = _events(expr, text)
            return event, days, False
        case _:
            raise _unlike(text, "a part of it is no number and no sum of events")


def _events(expr: Expr, text: str) -> tuple[GoalEvent, int]:
    """Return the kind of events that `xEvent[…]` names, and the days of its window."""
    if not (isinstance(expr, Filter) and expr.array == Name("xEvent")):
        raise _unlike(text, "a part of it is no number and no sum of events")
    parts = list(operands_of("and", expr.condition))
    windows = [days for days in map(_window, parts) if days is not None]
    rest = [part for part in parts if _window(part) is None]
    if len(windows) != 1:
        raise _unlike(text, "its events need one window of days up to now, `timestamp occurs <= 30 days before now`")
    if not 1 <= windows[0] <= 365:
        raise _unlike(text, f"a window of {windows[0]} days is not between 1 and 365")
    found = all_tests(rest) if rest else None
    if found is None:
        raise _unlike(text, "its events are not described by tests of fields that must all hold, or any of them")
    tests, match = found
    kind = Kind("", tests, match)
    return GoalEvent(named(kind), tests, kind.match), windows[0]


def _window(expr: Expr) -> int | None:
    match expr:
        case Occurs(Name("timestamp"), DistanceTail("<=", count, "day" | "week" as unit, "before", TimeWord("now"))):
            return count * (7 if unit == "week" else 1)
        case _:
            return None


def _array(expr: Expr) -> tuple[Expr, tuple[str, ...]] | None:
    """Return the events that are summed over, and the names of the arrays of theirs that are."""
    names: list[str] = []
    while isinstance(expr, Property):
        names.insert(0, expr.name)
        expr = expr.object
    return (expr, tuple(names)) if isinstance(expr, Filter) else None


def _names(expr: Expr) -> tuple[str, ...] | None:
    match expr:
        case Name(name):
            return (name,)
        case Property(owner, name):
            above = _names(owner)
            return None if above is None else (*above, name)
        case _:
            return None


def _number(expr: Expr) -> float | int | None:
    value = value_of(expr)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _distinct(events: tuple[GoalEvent, ...]) -> tuple[GoalEvent, ...]:
    """Return the events with names that tell them apart."""
    seen: dict[str, int] = {}
    found = []
    for event in events:
        number = seen[event.name] = seen.get(event.name, 0) + 1
        found.append(event if number == 1 else replace(event, name=f"{event.name} ({number})"))
    return tuple(found)


def _unlike(text: str, why: str) -> Invalid:
    return Invalid(
        "model.goal",
        f"the rule cannot be a goal: {why}.",
        hint='A goal is such as `xEvent[eventType = "order" and timestamp occurs <= 30 days before now].count() >= 1`;'
        " several are joined by `and` or by `or`, and `not (…)` stands for that none of it happens.",
        where={"pql": text},
    )


# -- words ----------------------------------------------------------------------------------------------------------


def words(goal: Goal) -> str:
    """Return the goal in English.

    Examples
    --------
    >>> order = GoalEvent("Order", (Test("eventType", "eq", "order"),))
    >>> words(Goal((order,), 30))
    'Order within 30 days'
    >>> words(Goal((replace(order, at_least=3),), 30, polarity="will_not_occur", gap_days=2))
    'fewer than 3 of Order within 30 days, beginning 2 days later'
    """
    never = goal.polarity == "will_not_occur"
    if len(goal.events) == 1:
        said = _event_words(goal.events[0], never=never)
    else:
        ahead = {(False, "all_of"): "all of", (True, "all_of"): "not all of", (False, "any_of"): "any of"}
        parts = "; ".join(_event_words(event) for event in goal.events)
        said = f"{ahead.get((never, goal.combiner), 'none of')}: {parts}"
    window = "1 day" if goal.window_days == 1 else f"{goal.window_days} days"
    start = f", beginning {goal.gap_days} {'day' if goal.gap_days == 1 else 'days'} later" if goal.gap_days else ""
    return f"{said} within {window}{start}"


def _event_words(event: GoalEvent, *, never: bool = False) -> str:
    if event.measure is not None:
        return f"{'not ' if never else ''}{_WORDS[event.op]} {event.value:g} of {event.measure.sum} over {event.name}"
    if event.at_least == 1:
        return f"no {event.name}" if never else event.name
    return f"{'fewer than' if never else 'at least'} {event.at_least} of {event.name}"


def named(kind: Kind) -> str:
    """Return a name for a kind of events, made of its tests."""
    return (" and " if kind.match == "all" else " or ").join(map(_test_words, kind.where))


def _test_words(test: Test) -> str:
    match test.op:
        case "exists":
            return f"has {test.field}"
        case "not_exists":
            return f"has no {test.field}"
        case "between":
            return f"{test.field} from {test.value[0]} to {test.value[1]}"
        case "in" | "not_in":
            listed = ", ".join(map(str, test.value))
            return f"{test.field} {'one' if test.op == 'in' else 'none'} of {listed}"
        case "eq":
            return f"{test.field} {test.value}"
        case "neq":
            return f"{test.field} not {test.value}"
        case "gt" | "gte" | "lt" | "lte":
            return f"{test.field} {_WORDS[test.op]} {test.value}"
        case _:
            return f"{test.field} {test.op.replace('_', ' ')} {test.value}"
