"""What a rule reads, and how time alone can change it: fields, audiences, look-back, words relative to now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from coterie.core.clock import DAY
from coterie.pql.ast import (
    Binary,
    Call,
    Chain,
    DirectionTail,
    DistanceTail,
    Expr,
    Filter,
    Literal,
    Method,
    Name,
    Occurs,
    Property,
    RelativeUnit,
    Tail,
    TimeWord,
    Unit,
    Up,
)
from coterie.pql.calendar import LENGTHS, MONTHS
from coterie.pql.conditions import Condition, Sequence
from coterie.pql.logic import operands_of
from coterie.pql.scopes import RESERVED, XEVENT, children, owner_of, reads_events, times_of
from coterie.pql.tree import walk as walk_tree

_MONTH = 31 * DAY
Root = tuple[str, str]
_CALENDAR_WORDS = frozenset({"now", "today", "currentYear", "currentMonth", "currentDayOfMonth"})


@dataclass(frozen=True)
class Analysis:
    """What a condition, or several, read.

    `look_back` is an upper limit, in ms before the evaluation instant, of the age of events that matter: 0 when no
    events are read, None when any age does. `relative` tells that the truth can change with no new data.
    """

    profile_fields: frozenset[str] = frozenset()
    event_fields: frozenset[str] = frozenset()
    audiences: frozenset[str] = frozenset()
    reads_events: bool = False
    look_back: int | None = 0
    relative: bool = False

    @property
    def reads_memberships(self) -> bool:
        """Whether the truth depends on who is in which audience."""
        return bool(self.audiences) or any(path.split(".")[0] == "segmentMembership" for path in self.profile_fields)

    def __or__(self, other: Analysis) -> Analysis:
        return Analysis(
            self.profile_fields | other.profile_fields,
            self.event_fields | other.event_fields,
            self.audiences | other.audiences,
            self.reads_events or other.reads_events,
            None if self.look_back is None or other.look_back is None else max(self.look_back, other.look_back),
            self.relative or other.relative,
        )


def audiences_read(expr: Expr) -> set[str]:
    """Return the audiences that an expression names, in `inSegment` or as keys of ``segmentMembership.get("ups")``."""
    found: set[str] = set()
    for node in walk_tree(expr):
        match node:
            case Call("inSegment", (Literal(str(name)), *_)):
                found.add(name)
            case Method(
                Method(
                    Name("segmentMembership") | Property(_, "segmentMembership") | Up(_, "segmentMembership"),
                    "get",
                    (Literal("ups"),),
                ),
                "get",
                (Literal(str(name)),),
            ):
                found.add(name)
            case _:
                pass
    return found


def analyse(conditions: Iterable[Condition]) -> Analysis:
    """Return what the conditions read together (see `conditions_of` for those of a rule)."""
    total = Analysis()
    for condition in conditions:
        total |= analyse_condition(condition)
    return total


@lru_cache(maxsize=16_384)
def analyse_condition(condition: Condition) -> Analysis:
    """Return what a condition reads."""
    found = analyse_expr(condition.expr)
    shape = condition.shape
    return replace(found, look_back=_sequence_age(shape)) if isinstance(shape, Sequence) else found


def analyse_expr(expr: Expr) -> Analysis:
    """Return what a canonical core expression reads."""
    profile: set[str] = set()
    events: set[str] = set()
    for root, path in paths_of(expr):
        (events if root == "xEvent" else profile).add(path)
    reads = reads_events(expr)
    return Analysis(
        frozenset(profile),
        frozenset(events),
        frozenset(audiences_read(expr)),
        reads,
        look_back(expr) if reads else 0,
        is_relative(expr),
    )


def is_relative(expr: Expr) -> bool:
    """Whether the value of a core expression can change with no new data."""
    return any(
        isinstance(node, TimeWord | RelativeUnit) or (isinstance(node, Name | Call) and node.name in _CALENDAR_WORDS)
        for node in walk_tree(expr)
    )


def paths_of(expr: Expr) -> Iterator[Root]:
    """Yield the paths a core expression reads, each with its root: ``profile`` or ``xEvent``.

    Paths go through arrays and maps (`productListItems.SKU`); the path of an array or object stands for all below it.
    """
    yield from _paths(expr, (("profile", ""),), prefix=False)


def _paths(expr: Expr, scopes: tuple[Root, ...], *, prefix: bool) -> Iterator[Root]:
    place = _place(expr, scopes)
    if place is not None and all(place) and not prefix:
        yield place
    owner = owner_of(expr)
    item = (owner and _place(owner, scopes)) or ("", "")  # no root: what the query itself makes
    if isinstance(expr, Chain):
        yield (item[0], ".".join(expr.timestamp))
    for child, inner in children(expr):
        inside = (*scopes, item) if inner else scopes
        yield from _paths(child, inside, prefix=place is not None and child is owner)


def _place(expr: Expr, scopes: tuple[Root, ...]) -> Root | None:
    """Return the root and path that an expression stands for, when it stands for a place in a record."""
    match expr:
        case Name("xEvent"):
            return ("xEvent", "")
        case Name(name) if name in RESERVED:
            return None
        case Name(name) | Up(_, name):
            root, path = scopes[-1 - (expr.levels if isinstance(expr, Up) else 0)]
            return (root, path if name == "this" else f"{path}.{name}" if path else name)
        case Property(target, name):
            owner = _place(target, scopes)
            return owner and (owner[0], f"{owner[1]}.{name}" if owner[1] else name)
        case Filter(owner_expr, _) | Method(
            owner_expr, "head" | "distinct" | "topN" | "bottomN" | "get" | "values" | "intersection" | "groupBy", _
        ):
            return _place(owner_expr, scopes)
        case _:
            return None


def look_back(expr: Expr) -> int | None:
    """Return an upper limit of the age (ms) of events that matter to a core expression; None when any age does."""
    match expr:
        case Filter(array, condition) if array == XEVENT:
            ages = [_age(condition), *(look_back(child) for child, _ in children(condition))]
        case Chain(array, _, elements) if array == XEVENT:
            ages = [_age(element.what) for element in elements]
        case _:
            if expr == XEVENT:
                return None
            ages = [look_back(child) for child, _ in children(expr)]
    return _greatest(ages)


def _sequence_age(sequence: Sequence) -> int | None:
    """Return how old an event may be that matters to a sequence: steps bound one another by their distances."""
    steps = sequence.steps
    ages = [_age(step.where) for step in steps]
    for place in range(1, len(steps)):
        ages[place] = _least(ages[place], _less(ages[place - 1], steps[place].gap.least))
    for place in range(len(steps) - 1, 0, -1):
        most = steps[place].gap.most
        if most is not None and steps[place - 1].count == 1:
            ages[place - 1] = _least(ages[place - 1], _less(ages[place], -most))
    bounds = list(ages)
    for place, step in enumerate(steps):
        before = ages[place - 1] if place else None
        bounds += [_least(_age(excluded.where), before) for excluded in step.between]
        bounds += [_least(_age(excluded.where), _less(ages[place], excluded.gap.least)) for excluded in step.around]
    return _greatest(bounds)


def _less(age: int | None, later: int | None) -> int | None:
    """Return the age of an event that comes at least so much later than one of that age."""
    return None if age is None or later is None else max(0, age - later)


def _least(*ages: int | None) -> int | None:
    return min((age for age in ages if age is not None), default=None)


def _greatest(ages: Iterable[int | None]) -> int | None:
    greatest = 0
    for age in ages:
        if age is None:
            return None
        greatest = max(greatest, age)
    return greatest


def _age(condition: Expr) -> int | None:
    """Return how old an event may be that satisfies the condition."""
    match condition:
        case Binary("and"):
            return _least(*(_age(part) for part in operands_of("and", condition)))
        case Binary("or"):
            return _greatest(_age(part) for part in operands_of("or", condition))
        case Occurs(Name("timestamp"), tail):
            return _tail_age(tail)
        case _:
            return None


def _tail_age(tail: Tail) -> int | None:
    match tail:
        case DirectionTail("before"):
            return None
        case DistanceTail(op, count, unit, direction):
            age = _time_age(tail.time)
            if direction == "after":
                return None if op == "!=" else age
            return None if age is None or op in ("!=", ">", ">=") else age + count * _length(unit)
        case _:
            return _time_age(times_of(tail)[0])


def _time_age(time: TimeWord | RelativeUnit | Expr) -> int | None:
    match time:
        case TimeWord(word):
            return {"now": 0, "today": DAY, "yesterday": 2 * DAY, "tomorrow": 0}[word]
        case RelativeUnit(which, unit):
            return {"last": 2, "this": 1, "next": 0}[which] * _length(unit)
        case _:
            return None


def _length(unit: Unit) -> int:
    """Return the greatest length of a unit."""
    return LENGTHS[unit] if unit in LENGTHS else MONTHS[unit] * _MONTH
