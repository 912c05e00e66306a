"""A file of events as anybody has it: read, put into one form, divided at an instant, and looked at by plain SQL.

What is asked of a file: the columns `customer_id`, `timestamp` and `event_type`; all others are fields of the events.
Time stamps may be dates, instants with or without a zone (UTC then), text of either, or numbers: seconds, milliseconds
or microseconds since 1970, or days such as 20240131. Where a kind of events has dates only, they stand at the end of
their day, as it is not known before that they happened.

The truth that models are judged by is worked out here, by SQL of its own and not by the program.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from coterie.core.schema import Field, FieldType

REQUIRED = ("customer_id", "timestamp", "event_type")
FIXED = {"event_type": "eventType", "timestamp": "timestamp"}
"""Columns that are fields of every event."""
RESERVED = {"_id", "eventType", "timestamp", "identityMap", "customer_id", "customerAI"}
DECIMALS = (2, 4)
"""Numbers of decimals that are tried: money, and prices of parts."""
COMPARING = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
WHOLE = re.compile(r"U?(TINY|SMALL|BIG)?INT(EGER)?")
BROKEN = re.compile(r"FLOAT|DOUBLE|REAL|DECIMAL.*|U?HUGEINT")
TIMED = re.compile(r"TIMESTAMP.*|DATETIME")


class Unreadable(Exception):
    """A file is not what was asked for; the message says what is."""


@dataclass(frozen=True)
class Column:
    """A column of the file: its name there, the path of the field that it becomes, and the field."""

    name: str
    path: str
    field: Field


@dataclass(frozen=True)
class Outcome:
    """Who was there at an instant and what they did after it: customers, in order, and whether the goal was met."""

    customers: list[str]
    hit: list[bool]


def quoted(name: str) -> str:
    """Return a name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


class EventFile:
    """The events of a file, in a DuckDB of their own.

    Parameters
    ----------
    path : Path
        CSV (plain or gzipped) or Parquet.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise Unreadable(f"there is no file {path}.")
        self.con = duckdb.connect(config={"threads": 2})
        self.con.execute("SET TimeZone = 'UTC'")
        self.con.execute("SET preserve_insertion_order = true")
        types = self._read(path)
        missing = [name for name in REQUIRED if name not in types]
        if missing:
            raise Unreadable(f"{path} has no column {', '.join(missing)}; it has {', '.join(types)}.")
        self.columns = [self._column(name, type_) for name, type_ in types.items() if name not in REQUIRED]
        self.columns = [column for column in self.columns if column.field.type is not FieldType.OBJECT]
        self._normalise(types)

    def _read(self, path: Path) -> dict[str, str]:
        """Read the file as it is; returns the types of its columns."""
        if ".parquet" in path.suffixes or path.suffix == ".pq":
            source = "read_parquet(?)"
        else:
            named = {name for name, *_ in self.con.execute("DESCRIBE FROM read_csv(?)", [str(path)]).fetchall()}
            texts = ", ".join(f"'{name}': 'VARCHAR'" for name in ("customer_id", "event_type") if name in named)
            types = f", types = {{{texts}}}" if texts else ""
            # What is a number in the first rows may be text in the last; codes keep their leading zeros.
            source = f"read_csv(?, sample_size = -1{types})"
        self.con.execute(f"CREATE TEMP TABLE raw AS SELECT row_number() OVER () AS __row, * FROM {source}", [str(path)])
        described = self.con.execute("DESCRIBE raw").fetchall()
        return {name: str(type_) for name, type_, *_ in described if name != "__row"}

    def _column(self, name: str, type_: str) -> Column:
        path = re.sub(r"[.\s$`\"\[\]]+", "_", name)
        return Column(name, f"{path}_" if path in RESERVED else path, self._field(name, type_))

    def _field(self, name: str, type_: str) -> Field:
        """Return the field that holds a column; an object for what is passed over."""
        if type_ == "BOOLEAN":
            return Field(FieldType.BOOLEAN)
        if WHOLE.fullmatch(type_) and type_ != "UBIGINT":
            return Field(FieldType.INTEGER)
        if BROKEN.fullmatch(type_) or type_ == "UBIGINT":
            return Field(FieldType.NUMBER, decimals=self._decimals(name))
        if type_ == "DATE":
            return Field(FieldType.DATE)
        if TIMED.fullmatch(type_):
            return Field(FieldType.DATETIME)
        if type_ == "VARCHAR" or type_.startswith("ENUM"):
            return Field(FieldType.STRING)
        print(f"Column {name} is of type {type_} and passed over.", file=sys.stderr)
        return Field(FieldType.OBJECT)

    def _decimals(self, name: str) -> int | None:
        """Return how few decimals hold every value of a column; None when many are needed."""
        column = quoted(name)
        for decimals in DECIMALS:
            misfit = f"abs({column}) >= 1e12 OR {column}::DOUBLE <> round({column}::DOUBLE, {decimals})"
            if not self.con.execute(f"SELECT bool_or({misfit}) FROM raw WHERE isfinite({column}::DOUBLE)").fetchall()[
                0
            ][0]:
                return decimals
        return None

    def _normalise(self, types: Mapping[str, str]) -> None:
        """Make the table `event`: __row, __customer, __ts, __type, and the other columns with their types."""
        customer = '"customer_id"'
        if types["customer_id"] in ("DOUBLE", "FLOAT"):  # whole numbers in a column that once had gaps
            customer = f"{customer}::BIGINT"
        others = "".join(f", {self._value(column, types[column.name])}" for column in self.columns)
        self.con.execute(
            f"CREATE TEMP TABLE event AS SELECT __row, nullif(trim({customer}::VARCHAR), '') AS __customer, "
            f"{_instant(types['timestamp'])} AS __ts, "
            f"coalesce(\"event_type\"::VARCHAR, 'event') AS __type{others} FROM raw"
        )
        self.con.execute("DROP TABLE raw")
        unread = self.con.execute("SELECT count(*) FROM event WHERE __ts IS NULL").fetchall()[0][0]
        if unread == self.con.execute("SELECT count(*) FROM event").fetchall()[0][0]:
            raise Unreadable("no time stamp of the file can be read as a date or an instant.")
        if unread:
            print(f"{unread} rows without a time stamp that can be read will be set aside.", file=sys.stderr)
        self.con.execute(
            "UPDATE event SET __ts = __ts + INTERVAL 86399999 MILLISECOND WHERE __type IN "
            "(SELECT __type FROM event GROUP BY __type HAVING bool_and(__ts IS NULL OR __ts = date_trunc('day', __ts)))"
        )

    @staticmethod
    def _value(column: Column, type_: str) -> str:
        name = quoted(column.name)
        match column.field.type:
            case FieldType.NUMBER if column.field.decimals is not None:
                value = f"CASE WHEN isfinite({name}::DOUBLE) THEN {name}::DECIMAL(18, {column.field.decimals}) END"
            case FieldType.NUMBER:
                value = f"CASE WHEN isfinite({name}::DOUBLE) THEN {name}::DOUBLE END"
            case FieldType.DATETIME:
                value = f"{name}::TIMESTAMPTZ::TIMESTAMP" if "TIME ZONE" in type_ else f"{name}::TIMESTAMP"
            case FieldType.STRING:
                value = f"{name}::VARCHAR"
            case _:
                value = name
        return f"{value} AS {quoted(column.path)}"

    # -- what is asked of it ------------------------------------------------------------------------------------------

    def span(self) -> tuple[str, str]:
        """Return the first and the last instant."""
        low, high = self.con.execute("SELECT min(__ts)::VARCHAR, max(__ts)::VARCHAR FROM event").fetchall()[0]
        return low, high

    def write(self, target: Path, before: str, since: str | None = None) -> int:
        """Write the events before an instant, and not before another, as Parquet; returns how many."""
        late = "" if since is None else f" AND __ts >= TIMESTAMP '{since}'"
        names = "".join(f", {quoted(column.path)}" for column in self.columns)
        wanted = (
            f"SELECT __row, __customer, __ts, __type{names} FROM event "
            f"WHERE __ts IS NULL OR (__ts < TIMESTAMP '{before}'{late})"
        )
        self.con.execute(f"COPY ({wanted} ORDER BY __row) TO '{target}' (FORMAT parquet)")
        found: int = self.con.execute(f"SELECT count(*) FROM read_parquet('{target}')").fetchall()[0][0]
        return found

    def outcome(self, goal: Mapping[str, Any], cutoff: str, lookback: int | None, since: str | None = None) -> Outcome:
        """Return who did something in the look-back before an instant, and for whom the goal's events came after it.

        Parameters
        ----------
        goal : mapping
            A goal, with the columns of the file as its fields.
        cutoff : str
            The instant, in UTC.
        lookback : int, optional
            Days; None for everybody who ever did anything.
        since : str, optional
            Events before it are left out.
        """
        instant = f"TIMESTAMP '{cutoff}'"
        events: list[Mapping[str, Any]] = list(goal["events"])
        parameters: list[Any] = []
        parts = [_achieved(event, parameters) for event in events]
        joined = (" AND " if goal.get("combiner", "all_of") == "all_of" else " OR ").join(parts)
        opens = f"{instant} + INTERVAL {int(goal.get('gap_days', 0))} DAY"
        closes = f"{opens} + INTERVAL {int(goal['window_days'])} DAY"
        aliases = [f"{quoted(column.path)} AS {quoted(column.name)}" for column in self.columns]
        seen = ", ".join(
            ["__type AS event_type", "__ts AS timestamp", "__customer AS customer_id", "__customer", *aliases]
        )
        least = "" if lookback is None else f" AND __ts >= {instant} - INTERVAL {lookback} DAY"
        least += "" if since is None else f" AND __ts >= TIMESTAMP '{since}'"
        rows = self.con.execute(
            f"WITH pop AS (SELECT DISTINCT __customer FROM event "
            f"WHERE __ts < {instant}{least} AND __customer IS NOT NULL), "
            f"win AS (SELECT {seen} FROM event WHERE __ts >= {opens} AND __ts < {closes}), "
            f"hit AS (SELECT __customer, coalesce({joined}, false) AS hit FROM win GROUP BY __customer) "
            "SELECT __customer, coalesce(hit, false) FROM pop LEFT JOIN hit USING (__customer) ORDER BY 1",
            parameters,
        ).fetchall()
        return Outcome([customer for customer, _ in rows], [bool(hit) for _, hit in rows])


def _instant(type_: str) -> str:
    """Return the SQL that reads the column of time stamps as an instant of UTC."""
    name = '"timestamp"'
    if type_ == "DATE" or (TIMED.fullmatch(type_) and "TIME ZONE" not in type_):
        return f"{name}::TIMESTAMP"
    if "TIME ZONE" in type_:
        return f"{name}::TIMESTAMP"  # in the session's zone, UTC
    if WHOLE.fullmatch(type_) or BROKEN.fullmatch(type_):
        number = f"{name}::BIGINT"
        return (
            f"CASE WHEN {number} BETWEEN 19000101 AND 22000101 THEN strptime({number}::VARCHAR, '%Y%m%d') "
            f"WHEN abs({name}) < 1e11 THEN make_timestamp(({name} * 1000000)::BIGINT) "
            f"WHEN abs({name}) < 1e14 THEN make_timestamp(({name} * 1000)::BIGINT) "
            f"ELSE make_timestamp({number}) END"
        )
    return f"try_cast({name} AS TIMESTAMPTZ)::TIMESTAMP"


def _achieved(event: Mapping[str, Any], parameters: list[Any]) -> str:
    """Return the SQL of one event of a goal, over the events of a customer in the window."""
    measure = event.get("measure")
    if measure is not None:
        summed = quoted(measure["sum"])
        tests = _tests(event, parameters)
        parameters.append(event["value"])
        return f"coalesce(sum({summed}) FILTER (WHERE {tests}), 0) {COMPARING[event.get('op', 'gte')]} ?"
    return f"count(*) FILTER (WHERE {_tests(event, parameters)}) >= {int(event.get('at_least', 1))}"


def _tests(event: Mapping[str, Any], parameters: list[Any]) -> str:
    glue = " AND " if event.get("match", "all") == "all" else " OR "
    return "(" + glue.join(_test(test, parameters) for test in event["where"]) + ")"


def _test(test: Mapping[str, Any], parameters: list[Any]) -> str:
    """Return the SQL of one condition; what is missing meets none but `not_exists`."""
    field, op = quoted(test["field"]), test["op"]
    value: Any = test.get("value")
    match op:
        case "exists":
            return f"({field} IS NOT NULL)"
        case "not_exists":
            return f"({field} IS NULL)"
        case "in" | "not_in":
            parameters.extend(value)
            return f"coalesce({field} {'NOT ' * (op == 'not_in')}IN ({', '.join('?' * len(value))}), false)"
        case "between":
            parameters.extend(value)
            return f"coalesce({field} BETWEEN ? AND ?, false)"
        case "starts_with" | "ends_with" | "contains":
            parameters.append(value)
            return f"coalesce({op}({field}, ?), false)"
        case "matches":
            parameters.append(value)
            return f"coalesce(regexp_matches({field}, ?), false)"
        case _:
            parameters.append(value)
            return f"coalesce({field} {COMPARING[op]} ?, false)"
