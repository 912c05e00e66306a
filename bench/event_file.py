"""A file of events as anybody has it: read, put into one form, divided at an instant, and looked at by plain SQL.

What is asked of a file: the columns `customer_id`, `timestamp` and `event_type`; all others are fields of the events.
Time stamps may be dates, instants with or without a zone (UTC then), text of either, or numbers: seconds to nanoseconds
since 1970, or days such as 20240131. Text is read as ISO 8601, else in that one of `FORMS` that fits the most rows.
Where a kind of events has dates only, they stand at the end of their day, as it is not known before that they happened.

What a column holds is told by the rows before the instant of the prediction: what is learnt from would otherwise depend
on what came later.

The truth that models are judged by is worked out here, by SQL of its own and not by the program.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from coterie.core.schema import Field, FieldType
from coterie.ingest.sql import literal

REQUIRED = ("customer_id", "timestamp", "event_type")
FIXED = {"event_type": "eventType", "timestamp": "timestamp"}
"""Columns that are fields of every event."""
RESERVED = {"_id", "eventtype", "timestamp", "identitymap", "customer_id", "customerai", "person", "producedby"}
"""Names, in small letters, that fields of events cannot have."""
TAKEN = ("__row", "__customer", "__ts", "__type")
"""Columns that are made of others."""
DECIMALS = (2, 4)
"""Numbers of decimals that are tried: money, and prices of parts."""
COMPARING = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
WHOLE = re.compile(r"U?(TINY|SMALL|BIG)?INT(EGER)?")
BROKEN = re.compile(r"FLOAT|DOUBLE|REAL|DECIMAL.*|U?HUGEINT")
TIMED = re.compile(r"TIMESTAMP.*|DATETIME")
FORMS = tuple(
    f"{day}{time}"
    for day in ("%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y")
    for time in ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
)
"""Forms of dates and instants beside those of ISO 8601."""
TYPES = {
    "BOOLEAN": ("lower({0}) IN ('true', 'false')", "try_cast({0} AS BOOLEAN)"),
    "BIGINT": (r"regexp_full_match({0}, '-?(0|[1-9]\d{{0,17}})')", "try_cast({0} AS BIGINT)"),
    "DOUBLE": (
        r"regexp_full_match({0}, '(?i)[-+]?((0|[1-9]\d*)?([.]\d+|,\d{{1,2}})?(e[-+]?\d+)?|inf(inity)?|nan)')",
        "try_cast(replace({0}, ',', '.') AS DOUBLE)",
    ),
    "DATE": ("regexp_full_match({0}, '....-..-..') AND try_cast({0} AS DATE) IS NOT NULL", "try_cast({0} AS DATE)"),
    "TIMESTAMPTZ": ("try_cast({0} AS TIMESTAMPTZ) IS NOT NULL", "try_cast({0} AS TIMESTAMPTZ)"),
}
"""What the texts of a column may be: a test that all of them pass, and how they are read. A comma may stand for the
point of a number, but not before thousands."""


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
    before : str, optional
        The instant, in UTC, whose past tells what columns hold; all rows do without it.
    """

    def __init__(self, path: Path, before: str | None = None) -> None:
        if not path.is_file():
            raise Unreadable(f"there is no file {path}.")
        self.con = duckdb.connect(config={"threads": 2})
        self.con.execute("SET TimeZone = 'UTC'")
        self.con.execute("SET preserve_insertion_order = true")
        try:
            types = self._read(path)
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise Unreadable(f"{path} can be read neither as Parquet nor as CSV ({reason})") from error
        missing = [name for name in REQUIRED if name not in types]
        if missing:
            raise Unreadable(f"{path} has no column {', '.join(missing)}; it has {', '.join(types)}.")
        self.con.execute("ALTER TABLE raw ADD COLUMN __ts TIMESTAMP")
        self.con.execute(f"UPDATE raw SET __ts = {self._instant(types['timestamp'])}")
        self._past = "TRUE" if before is None else f"__ts < TIMESTAMP '{before}'"
        if self._text:
            self._understand([name for name in types if name not in REQUIRED])
            types = self._types()
        self.columns = list(self._columns({name: type_ for name, type_ in types.items() if name not in REQUIRED}))
        self._normalise(types)

    def _read(self, path: Path) -> dict[str, str]:
        """Read the file as it is, columns of CSV as text, but for time stamps; returns the types of its columns."""
        with path.open("rb") as file:
            start = file.read(4)
        self._text = start != b"PAR1"
        source = f"read_csv({self._dialect(path, start)})" if self._text else "read_parquet(?)"
        names = [name for name, *_ in self.con.execute(f"DESCRIBE FROM {source}", [str(path)]).fetchall()]
        taken = [name for name in names if name.lower() in TAKEN]
        if taken:
            raise Unreadable(f"{path} has a column {taken[0]}; that name is taken. Call it otherwise.")
        self.con.execute(f"CREATE TEMP TABLE raw AS SELECT row_number() OVER () AS __row, * FROM {source}", [str(path)])
        return self._types()

    def _types(self) -> dict[str, str]:
        described = self.con.execute("DESCRIBE raw").fetchall()
        return {name: str(type_) for name, type_, *_ in described if name not in TAKEN}

    def _dialect(self, path: Path, start: bytes) -> str:
        """Return how a CSV file is read: in UTF-8, in UTF-16 where a mark says so, else in Latin-1."""
        said = "?, sample_size = -1"
        if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
            said += ", encoding = 'utf-16'"
        try:
            names = self.con.execute(f"DESCRIBE FROM read_csv({said})", [str(path)]).fetchall()
        except duckdb.Error as error:
            if "utf-8" not in str(error):
                raise
            said += ", encoding = 'latin-1'"
            names = self.con.execute(f"DESCRIBE FROM read_csv({said})", [str(path)]).fetchall()
        texts = ", ".join(f"{literal(name)}: 'VARCHAR'" for name, *_ in names if name != "timestamp")
        return f"{said}, types = {{{texts}}}" if texts else said

    def _understand(self, names: list[str]) -> None:
        """Give texts the type that all of the past have, and codes with leading zeros none."""
        for name in names:
            column = quoted(name)
            tests = ", ".join(f"coalesce(bool_and({test.format(column)}), false)" for test, _ in TYPES.values())
            told = self.con.execute(f"SELECT {tests} FROM raw WHERE {self._past}").fetchall()[0]
            fitting = next((type_ for type_, fits in zip(TYPES, told, strict=True) if fits), None)
            if fitting is not None:
                read = TYPES[fitting][1].format(column)
                self.con.execute(f"ALTER TABLE raw ALTER COLUMN {column} TYPE {fitting} USING {read}")

    def _columns(self, types: Mapping[str, str]) -> Iterator[Column]:
        """Yield the columns that become fields, each with a path that no other has."""
        taken = set(RESERVED)
        for name, type_ in types.items():
            field = self._field(name, type_)
            path = re.sub(r"[.\s$`\"\[\]{}]+", "_", name)
            while path.lower() in taken:
                path += "_"
            taken.add(path.lower())
            if field.type is not FieldType.OBJECT:
                yield Column(name, path, field)

    def _field(self, name: str, type_: str) -> Field:
        """Return the field that holds a column; an object for what is passed over."""
        if type_ == "BOOLEAN":
            return Field(FieldType.BOOLEAN)
        if WHOLE.fullmatch(type_) and type_ != "UBIGINT":
            return Field(FieldType.INTEGER)
        if BROKEN.fullmatch(type_) or type_ == "UBIGINT":
            return Field(FieldType.NUMBER, decimals=self._decimals(name, self._past))
        if type_ == "DATE":
            return Field(FieldType.DATE)
        if TIMED.fullmatch(type_):
            return Field(FieldType.DATETIME)
        if type_ == "VARCHAR" or type_.startswith("ENUM"):
            return Field(FieldType.STRING)
        print(f"Column {name} is of type {type_} and passed over.", file=sys.stderr)
        return Field(FieldType.OBJECT)

    def _decimals(self, name: str, where: str) -> int | None:
        """Return how few decimals hold every value of a column in some rows; None when many are needed."""
        column = quoted(name)
        for decimals in DECIMALS:
            misfit = f"abs({column}) >= 1e12 OR {column}::DOUBLE <> round({column}::DOUBLE, {decimals})"
            found = f"SELECT bool_or({misfit}) FROM raw WHERE isfinite({column}::DOUBLE) AND {where}"
            if not self.con.execute(found).fetchall()[0][0]:
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
            f"__ts, coalesce(\"event_type\"::VARCHAR, 'event') AS __type{others} FROM raw"
        )
        self.con.execute("DROP TABLE raw")
        unread = self.con.execute("SELECT count(*) FROM event WHERE __ts IS NULL").fetchall()[0][0]
        if unread == self.con.execute("SELECT count(*) FROM event").fetchall()[0][0]:
            raise Unreadable("no time stamp of the file can be read as a date or an instant.")
        if unread:
            print(f"{unread} rows without a time stamp that can be read will be set aside.", file=sys.stderr)
        dated = "GROUP BY __type HAVING bool_and(__ts = date_trunc('day', __ts))"
        self.con.execute(
            "UPDATE event SET __ts = __ts + INTERVAL 86399999 MILLISECOND "
            f"WHERE __type IN (SELECT __type FROM event WHERE {self._past} {dated})"
        )

    def _value(self, column: Column, type_: str) -> str:
        name = quoted(column.name)
        match column.field.type:
            case FieldType.NUMBER:
                decimals = self._decimals(column.name, "TRUE")
                exact = "DOUBLE" if decimals is None else f"DECIMAL(18, {decimals})"
                value = f"CASE WHEN isfinite({name}::DOUBLE) THEN {name}::{exact} END"
            case FieldType.DATETIME:
                value = f"{name}::TIMESTAMPTZ::TIMESTAMP" if _zoned(type_) else f"{name}::TIMESTAMP"
            case FieldType.STRING:
                value = f"{name}::VARCHAR"
            case _:
                value = name
        return f"{value} AS {quoted(column.path)}"

    def _instant(self, type_: str) -> str:
        """Return the SQL that reads the column of time stamps as an instant of UTC."""
        name = '"timestamp"'
        if _zoned(type_):
            return f"{name}::TIMESTAMPTZ::TIMESTAMP"  # in the session's zone, UTC
        if type_ == "DATE" or TIMED.fullmatch(type_):
            return f"{name}::TIMESTAMP"
        if WHOLE.fullmatch(type_) or BROKEN.fullmatch(type_):
            number = f"{name}::BIGINT"
            return (
                f"CASE WHEN {number} BETWEEN 19000101 AND 22000101 THEN strptime({number}::VARCHAR, '%Y%m%d') "
                f"WHEN abs({name}) < 1e11 THEN make_timestamp(({name} * 1000000)::BIGINT) "
                f"WHEN abs({name}) < 1e14 THEN make_timestamp(({name} * 1000)::BIGINT) "
                f"WHEN abs({name}) < 1e17 THEN make_timestamp({number}) ELSE make_timestamp({number} // 1000) END"
            )
        ways = [f"try_cast({name} AS TIMESTAMPTZ)::TIMESTAMP"]
        ways += [f"try_strptime({name}::VARCHAR, '{form}')" for form in FORMS]
        fitting = self.con.execute(f"SELECT {', '.join(f'count({way})' for way in ways)} FROM raw").fetchall()[0]
        return ways[fitting.index(max(fitting))]

    # -- what is asked of it ------------------------------------------------------------------------------------------

    def span(self) -> tuple[str, str]:
        """Return the first and the last instant."""
        low, high = self.con.execute("SELECT min(__ts)::VARCHAR, max(__ts)::VARCHAR FROM event").fetchall()[0]
        return low, high

    def write(self, target: Path, before: str, since: str | None = None) -> int:
        """Write the events before an instant, and not before another, as Parquet; returns how many."""
        late = "" if since is None else f" AND __ts >= TIMESTAMP '{since}'"
        names = "".join(f", {_written(column)}" for column in self.columns)
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
        columns = {column.name: quoted(column.path) for column in self.columns}
        fixed = {
            "event_type": "__type",
            FIXED["event_type"]: "__type",
            "timestamp": "__ts",
            "customer_id": "__customer",
        }
        taken = {name.lower() for name in columns}
        columns |= {name: column for name, column in fixed.items() if name.lower() not in taken}
        seen = ", ".join(["__customer", *(f"{column} AS {quoted(name)}" for name, column in columns.items())])
        least = "" if lookback is None else f" AND __ts >= {instant} - INTERVAL {lookback} DAY"
        least += "" if since is None else f" AND __ts >= TIMESTAMP '{since}'"
        rows = self.con.execute(
            f"WITH pop AS (SELECT DISTINCT __customer FROM event "
            f"WHERE __ts < {instant}{least} AND __customer IS NOT NULL), "
            f"win AS (SELECT {seen} FROM event WHERE __ts >= {opens} AND __ts < {closes}), "
            f"hit AS (SELECT __customer, {joined} AS hit FROM win GROUP BY __customer), "
            f"nothing AS (SELECT {joined} AS hit FROM win WHERE FALSE) "
            "SELECT __customer, coalesce(hit.hit, nothing.hit) FROM pop LEFT JOIN hit USING (__customer), nothing "
            "ORDER BY 1",
            [*parameters, *parameters],
        ).fetchall()
        return Outcome([customer for customer, _ in rows], [bool(hit) for _, hit in rows])


def _written(column: Column) -> str:
    """Return the SQL of a column as the intake is given it."""
    name = quoted(column.path)
    if column.field.decimals is None:
        return name
    return f"{name}::DECIMAL(18, {column.field.decimals}) AS {name}"


def _zoned(type_: str) -> bool:
    return "TIME ZONE" in type_ or type_.startswith("TIMESTAMPTZ")


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
