"""Whether an expression reads the calendar, so that a time zone is part of its meaning."""

from __future__ import annotations

from coterie.core.schema import Field, FieldType
from coterie.pql.ast import Binary, Call, Chain, DistanceTail, Expr, Method, Name, Occurs, RelativeUnit, Tail, TimeWord
from coterie.pql.calendar import MONTHS
from coterie.pql.scopes import Scopes, children, field_of, item_field, owner_of, times_of

_PARTS = frozenset({"getYear", "getMonth", "getDayOfMonth"})


def reads_calendar(expr: Expr, scopes: Scopes, events: Field) -> bool:
    """Return whether a core expression may mean another thing in another time zone.

    Parameters
    ----------
    expr : Expr
        A canonical core expression.
    scopes : tuple of Field
        The objects around it, outermost first.
    events : Field
        What an item of `xEvent` is.

    Returns
    -------
    bool
        True for words such as ``today``, steps of months and longer, parts of dates, and comparisons with a field that
        holds days, which are local ones. Distances up to weeks have fixed lengths everywhere.
    """
    if _reads(expr, scopes, events):
        return True
    owner = owner_of(expr)
    for child, inner in children(expr):
        inside = scopes
        if inner:
            item = item_field(field_of(owner, scopes, events)) if owner is not None else None
            inside = (*scopes, item or Field(FieldType.OBJECT))
        if reads_calendar(child, inside, events):
            return True
    return False


def _reads(expr: Expr, scopes: Scopes, events: Field) -> bool:
    match expr:
        case Name("today") | Call("date" | "currentYear" | "currentMonth" | "currentDayOfMonth"):
            return True
        case Method(_, name, ()) if name in _PARTS:
            return True
        case Occurs(value, tail):
            return _is_day(value, scopes, events) or _tail_reads(tail, scopes, events)
        case Binary("=" | "!=" | "<" | "<=" | ">" | ">=", left, right):
            return _is_day(left, scopes, events) or _is_day(right, scopes, events)
        case Chain(_, _, elements):
            return any(_tail_reads(tail, scopes, events) for element in elements for tail in element.when)
        case _:
            return False


def _tail_reads(tail: Tail, scopes: Scopes, events: Field) -> bool:
    if isinstance(tail, DistanceTail) and tail.unit in MONTHS:
        return True
    for time in times_of(tail):
        if isinstance(time, RelativeUnit) or (isinstance(time, TimeWord) and time.word != "now"):
            return True
        if not isinstance(time, TimeWord | RelativeUnit) and _is_day(time, scopes, events):
            return True
    return False


def _is_day(expr: Expr, scopes: Scopes, events: Field) -> bool:
    """Whether an expression names days, alone or as items; what is not known counts as none unless it says so."""
    found = field_of(expr, scopes, events)
    while found is not None and found.items is not None:
        found = found.items
    return found is not None and found.type is FieldType.DATE
