"""What a computed attribute would be, before it is saved: how its values are spread over the people of a view."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from coterie.core.clock import format_date, format_instant
from coterie.core.ids import xid_sql
from coterie.core.schema import Field, FieldType, Union
from coterie.core.shares import share
from coterie.engine.sql import SqlEngine
from coterie.pql.ast import Expr
from coterie.pql.local import zone_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TOP = 10
"""How many values, and how many persons, are shown."""
_ORDERED = frozenset({FieldType.INTEGER, FieldType.NUMBER, FieldType.DATE, FieldType.DATETIME})
_VALUE = "value"


class Spread(msgspec.Struct, frozen=True):
    """Values in order: a quarter of them is at most `lower`, half at most `median`, three quarters at most `upper`."""

    least: Any
    lower: Any
    median: Any
    upper: Any
    greatest: Any


class Frequent(msgspec.Struct, frozen=True):
    """A value, and how many people have it."""

    value: Any
    people: int


class Sample(msgspec.Struct, frozen=True):
    """A person, and the value of the person."""

    person: str
    value: Any


class Preview(msgspec.Struct, frozen=True):
    """The values of an expression over the people of a view at an instant.

    `spread` is of numbers and times, of arrays that of their lengths. `top` are the values that most people have, of
    arrays the items; `distinct` is how many values there are.
    """

    pql: str
    value: Field
    view: str
    zone: str
    at: int
    people: int
    with_value: int
    share: float
    distinct: int
    spread: Spread | None
    top: tuple[Frequent, ...]
    sample: tuple[Sample, ...]
    seconds: float


def preview(
    con: DuckDBPyConnection,
    union: Union,
    pql: str,
    field: Field,
    core: Expr,
    *,
    view: str,
    at: int,
    zone: str,
    until: int | None = None,
) -> Preview:
    """Return how the values of an expression are spread; exact, and nothing is saved.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    union : Union
        The fields there are.
    pql : str
        The expression, as it is shown.
    field, core : Field, Expr
        What `value_field` found of it.
    view : str
        The view.
    at : int
        The instant, ms.
    zone : str
        IANA name of the time zone whose calendar is meant.
    until : int, optional
        An instant, ms: events after it are left out.

    Raises
    ------
    Invalid
        ``pql.zone`` for a time zone that there is none of.
    """
    zone_of(zone)
    began = time.perf_counter()
    values = SqlEngine(con, union, until=until).projection({_VALUE: core}, view, at, None, zone)
    of_items = field.items is not None
    single = field.items or field
    ranked = "len(value)" if of_items else "value" if field.type in _ORDERED else None
    item = "unnest(list_distinct(value))" if of_items else "value"
    quarters = "NULL" if ranked is None else f"(SELECT quantile_disc({ranked}, [0, 0.25, 0.5, 0.75, 1]) FROM had)"
    have = "len(value) > 0" if of_items else "value IS NOT NULL"
    (row,) = con.execute(
        f"""
        WITH v AS MATERIALIZED ({values}),
        had AS (SELECT * FROM v WHERE {have}),
        frequent AS (
            SELECT item, count(*) AS people FROM (SELECT {item} AS item FROM had) WHERE item IS NOT NULL GROUP BY item
        ),
        top AS (SELECT item, people FROM frequent ORDER BY people DESC, item LIMIT {TOP}),
        few AS (
            SELECT 'p-' || {xid_sql("n.code", "i.value")} AS id, h.person, h.value
            FROM had h JOIN identity i ON i.identity = h.person JOIN namespace n ON n.namespace = i.namespace
            ORDER BY h.person LIMIT {TOP}
        )
        SELECT
            (SELECT count(*) FROM v), (SELECT count(*) FROM had), (SELECT count(*) FROM frequent),
            {quarters},
            (SELECT list({{'value': item, 'people': people}} ORDER BY people DESC, item) FROM top),
            (SELECT list({{'person': id, 'value': value}} ORDER BY person) FROM few)
        """
    ).fetchall()
    people, with_value, distinct, spread, top, sample = row
    length = Field(FieldType.INTEGER) if of_items else field
    return Preview(
        pql=pql,
        value=field,
        view=view,
        zone=zone,
        at=at,
        people=people,
        with_value=with_value,
        share=share(with_value, people),
        distinct=distinct,
        spread=None if spread is None else Spread(*(_plain(value, length) for value in spread)),
        top=tuple(Frequent(_plain(each["value"], single), each["people"]) for each in top or ()),
        sample=tuple(Sample(each["person"], _plain(each["value"], field)) for each in sample or ()),
        seconds=time.perf_counter() - began,
    )


def _plain(value: Any, field: Field) -> Any:
    """Return a value in the form of profiles: days and instants as text."""
    if value is None:
        return None
    match field.type:
        case FieldType.DATE:
            return format_date(value)
        case FieldType.DATETIME:
            return format_instant(value)
        case FieldType.ARRAY:
            assert field.items is not None
            return [_plain(item, field.items) for item in value]
        case _:
            return value
