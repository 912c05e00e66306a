"""The form of a computed attribute: a function of some events, within a look-back; it is turned to PQL."""

from __future__ import annotations

from typing import Literal, assert_never

import msgspec

from coterie.core.errors import Invalid, suggestion
from coterie.core.faults import fault
from coterie.core.schema import Field, FieldType, Union
from coterie.pql import parse, to_text
from coterie.pql.ast import Unit
from coterie.pql.printer import path as path_of
from coterie.pql.printer import quoted, step
from coterie.pql.words import PLURALS

Function = Literal[
    "count",
    "sum",
    "average",
    "min",
    "max",
    "mostRecent",
    "first",
    "exists",
    "distinctCount",
    "topValue",
    "list",
]
"""What is made of the events."""

MOST_LISTED = 1_000
_ALL = 1_000_000
"""More values than any person has."""
_WITHOUT_FIELD = ("count", "exists")


class LookBack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How old events may be: a count of a unit of time, such as 30 days."""

    count: int
    unit: Unit


class Form(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A function of the events of a type that satisfy a filter, within a look-back.

    `field` is what the function is of: ``count`` and ``exists`` need none, and with one they are of events that have
    it. `filter` is a condition on an event, in PQL. `n` is the length of a ``list``, whose values are the newest first.
    """

    function: Function
    field: str | None = None
    event: str | None = None
    filter: str | None = None
    look_back: LookBack | None = None
    n: int = 10


def to_pql(form: Form, union: Union) -> str:
    """Return the expression that a form states.

    Parameters
    ----------
    form : Form
        The form.
    union : Union
        The fields there are.

    Raises
    ------
    Invalid
        ``computed.form`` for a form that is not complete, or names a field that events do not have.
    PqlError
        For a filter that does not follow the grammar.
    """
    if form.field is None and form.function not in _WITHOUT_FIELD:
        raise _wrong(f"{form.function} needs a field of the events.", "Name it, such as commerce.order.priceTotal.")
    if form.look_back is not None and form.look_back.count < 1:
        raise _wrong(f"a look-back of {form.look_back.count} {form.look_back.unit}s.", "It is of 1 or more.")
    if not 1 <= form.n <= MOST_LISTED:
        raise _wrong(f"a list of {form.n} values.", f"It holds 1 to {MOST_LISTED:,}.")
    return to_text(parse(_text(form, union)))


def _text(form: Form, union: Union) -> str:
    path = _Path(form.field, union) if form.field is not None else None
    events = f"xEvent{_filter(form, path)}"
    if path is None:
        return f"{events}.count()" if form.function == "count" else f"{events}.count() > 0"
    match form.function:
        case "count":
            return f"{events}.count()"
        case "exists":
            return f"{events}.count() > 0"
        case "sum" | "average" | "min" | "max":
            return f"{events}{path.items}.{form.function}({path.of_item})"
        case "mostRecent":
            return f"{events}.topN(timestamp, 1).head().{path.whole}"
        case "first":
            return f"{events}.head().{path.whole}"
        case "distinctCount":
            return f"{events}.{path.whole}.distinct().count()"
        case "topValue":
            return _most_frequent(form, path)
        case "list":
            return f"{events}.topN(timestamp, {form.n}).{path.whole}"
        case _:
            assert_never(form.function)


def _most_frequent(form: Form, path: _Path) -> str:
    """Return the value that most events have; of several, the one seen last, then the one that was seen first."""
    events = f"xEvent{_filter(form, path)}"
    if path.items:
        item = f"I.{path.of_item}" if path.of_item else "I"
        grouped = f"(select E from {events}, I from E{path.items}).groupBy({item})"
    else:
        grouped = f"{events}.groupBy({path.bare})"
    last = "E.timestamp" if path.items else "timestamp"
    counted = f'{{"value": K, "count": G.count(), "last": G.max({last})}}'
    ranked = f"topN(last, {_ALL}).topN(count, 1)"
    return f"{grouped}.map((K, G) => {counted}).{ranked}.head().value"


def _filter(form: Form, path: _Path | None) -> str:
    parts = []
    if form.event is not None:
        parts.append(f"eventType = {quoted(form.event)}")
    if form.filter is not None:
        parse(form.filter)
        parts.append(f"({form.filter})")
    if form.look_back is not None:
        count, unit = form.look_back.count, form.look_back.unit
        parts.append(f"timestamp occurs <= {count} {unit if count == 1 else PLURALS[unit]} before now")
    if path is not None and form.function in ("count", "exists", "mostRecent", "first", "topValue", "list"):
        parts.append(f"{path.bare}.isNotNull()")
    return f"[{' and '.join(parts)}]" if parts else ""


class _Path:
    """A path of an event: `items` up to the last array of objects on it, with a dot, and `of_item` what is below."""

    def __init__(self, path: str, union: Union) -> None:
        names = path.split(".")
        field: Field = union.event
        last = 0
        for place, name in enumerate(names):
            found = _below(field).get(name)
            if found is None:
                hint = suggestion(name, _below(field)) or "`coterie schema union` lists the fields of an event."
                raise _wrong(f"events have no field {path!r}.", hint)
            field = found
            if field.type is FieldType.ARRAY and place < len(names) - 1:
                last = place + 1
        steps = [step(name) for name in names]
        self.whole = ".".join(steps)
        self.bare = path_of(names)
        several = field.type is FieldType.ARRAY
        above = len(names) if several else last
        self.items = "".join(f".{name}" for name in steps[:above])
        below = names[above:]
        self.of_item = path_of(below) if below else ""


def _below(field: Field) -> dict[str, Field]:
    while field.items is not None:
        field = field.items
    return field.properties


def _wrong(what: str, hint: str | None) -> Invalid:
    return Invalid("computed.form", f"the form of a computed attribute: {what}", hint=hint)


def read_form(spec: object) -> Form:
    """Return a form from plain data; raises ``computed.form``."""
    try:
        return msgspec.convert(spec, Form)
    except msgspec.ValidationError as error:
        found = fault(error, spec, Form)
        raise _wrong(f"{found.message}.", found.hint) from error
