"""Forms of constructs in DuckDB that are more than the call of a function."""

from __future__ import annotations

from sqlglot import exp

from coterie.core.clock import DAY
from coterie.engine.sql.trees import NULL, Sql, calls, choose, function, pairs, part, text, variable, whole, wrapped

_OFFSET = r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?"


def distinct_in_order(items: Sql) -> Sql:
    """Return the first of each equal item; nulls are left out."""
    whole_list, item, placed = variable("whole_list"), variable("item"), variable("placed")
    at = pairs(p=calls("list_position")(whole_list, item), i=item)
    found = calls("list_transform")(calls("list_distinct")(whole_list), function(item.name, at))
    ordered = calls("list_transform")(calls("list_sort")(found), function(placed.name, part(placed, "i")))
    once = calls("list_transform")(exp.Array(expressions=[items]), function(whole_list.name, ordered))
    return calls("list_extract")(once, whole(1))


def escaped_pattern(pattern: Sql) -> Sql:
    """Return a pattern of ``like`` in which the escape stands before `%`, `_` and itself only."""
    replaced = calls("regexp_replace")
    closed = replaced(pattern, text(r"^((?:[^\\]|\\.)*)\\$"), text(r"\1\\\\"), text("s"))
    return replaced(closed, text(r"(\\[%_\\])|\\(.)"), text(r"\1\2"), text("gs"))


def read_instant(value: Sql) -> Sql:
    """Return the instant that ISO 8601 text names, rounded down to the millisecond; null for other text."""
    matches = calls("regexp_matches")
    zoned = matches(value, text(_TIME + _OFFSET + "$"))
    local = exp.Or(this=matches(value, text(_DATE)), expression=matches(value, text(_TIME + "$")))

    def ms(type_: str) -> Sql:
        point = calls("replace")(value, text(","), text("."))
        micros = calls("epoch_us")(exp.TryCast(this=point, to=exp.DataType.build(type_, dialect="duckdb")))
        thousand = whole(1000)
        over = exp.Mod(
            this=wrapped(exp.Add(this=exp.Mod(this=micros, expression=thousand), expression=thousand)),
            expression=thousand,
        )
        return exp.IntDiv(this=exp.Paren(this=exp.Sub(this=micros, expression=over)), expression=thousand)

    return choose(zoned, ms("TIMESTAMPTZ"), choose(exp.Paren(this=local), ms("TIMESTAMP"), NULL))


def local_time(at: Sql, zone: Sql) -> Sql:
    """Return what clocks of a time zone show at an instant, as ms; null beyond the years that there are."""
    micros = exp.Mul(this=wrapped(at), expression=whole(1000))
    shown = calls("epoch_ms")(calls("timezone")(zone, calls("make_timestamptz")(micros)))
    return calls("try")(shown)


def instant_of_local(shown: Sql, zone: Sql) -> Sql:
    """Return the first instant at which clocks show a local time; in a gap, by the clock before it."""
    wanted = variable("wanted")

    def by_clock_of(other: Sql) -> Sql:
        ahead = exp.Sub(this=local_time(other, zone), expression=other)
        return exp.Paren(this=exp.Sub(this=wanted, expression=exp.Paren(this=ahead)))

    before = by_clock_of(exp.Paren(this=exp.Sub(this=wanted, expression=whole(DAY))))
    after = by_clock_of(exp.Paren(this=exp.Add(this=wanted, expression=whole(DAY))))
    found = choose(
        exp.EQ(this=local_time(before, zone), expression=wanted),
        before,
        choose(exp.EQ(this=local_time(after, zone), expression=wanted), after, before),
    )
    once = calls("list_transform")(exp.Array(expressions=[shown]), function(wanted.name, found))
    return calls("list_extract")(once, whole(1))


def listed(value: Sql, *order: Sql) -> Sql:
    """Return the aggregate that lists values, nulls among them, in the order of others."""
    keys = exp.Order(this=value, expressions=[exp.Ordered(this=key, nulls_first=False) for key in order])
    return exp.Anonymous(this="list", expressions=[keys if order else value])
