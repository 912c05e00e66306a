"""Surveys: what the values of each part of a source look like."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from coterie.ingest import structure
from coterie.ingest.column import flat
from coterie.ingest.convert import ISO_DATE, ISO_TIME, NUMBER
from coterie.ingest.document import shape_of, type_sql
from coterie.ingest.relation import offered, opened
from coterie.ingest.shape import Reach, Shape, reach
from coterie.ingest.source import Source
from coterie.ingest.sql import literal, literals
from coterie.store.history import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SAMPLE = 200_000
"""Rows that are looked at."""

DATES = ("%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d-%m-%Y", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y")
TIMES = ("%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")
EMAIL = r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}"
PHONE = r"\+?[0-9][0-9 ()./-]{5,}[0-9]"
WHOLE = r"\s*[+-]?(0|[1-9][0-9]{0,17})\s*"
COMMA = r"\s*[+-]?([0-9]{1,3}(\.[0-9]{3})+|[0-9]+),[0-9]+\s*"
TRUTHS = ("true", "false", "yes", "no", "t", "f", "y", "n")


class Part(msgspec.Struct, frozen=True):
    """The values of one part of a source: how many there are, and how many look like what."""

    path: str
    shape: Shape
    depth: int
    values: int
    distinct: int
    whole: int = 0
    number: int = 0
    comma: int = 0
    decimals: int = 0
    exponents: int = 0
    smallest: float | None = None
    largest: float | None = None
    truth: int = 0
    date: int = 0
    instant: int = 0
    zoned: int = 0
    email: int = 0
    phone: int = 0
    format: str | None = None
    ambiguous: bool = False

    def all(self, count: int) -> bool:
        """Whether `count` is the number of all values, and there are some."""
        return 0 < self.values == count


def survey(con: DuckDBPyConnection, source: Source) -> tuple[list[Part], int, bool, list[str]]:
    """Look at the first rows of a source.

    Returns
    -------
    tuple
        The scalar parts, the number of rows looked at, whether that was less than all, and notes.
    """
    file = source.files[0]
    given = offered(con, source, file)
    with opened(con, source, file) as relation:
        con.execute(f"CREATE OR REPLACE TEMP TABLE survey AS SELECT * FROM ({relation}) LIMIT {SAMPLE + 1:d}")
    rows = _one(con, "SELECT count(*) FROM survey")
    con.execute(f'DELETE FROM survey WHERE "$row" >= {SAMPLE:d} OR "$fault" IS NOT NULL')
    columns, name = given.columns, given.name
    notes: list[str] = []
    if given.document:
        paths, notes = structure.paths(con, 'SELECT "$text" AS text FROM survey')
        shapes = shape_of(paths)
        assert not isinstance(shapes, str)
        columns = shapes
        made = literal(json.dumps(type_sql(Shape("struct", shapes)))) if shapes else ""
        doc = f'TRY(json_transform("$text", {made}))' if shapes else "NULL"
        con.execute(f"CREATE OR REPLACE TEMP TABLE survey AS SELECT {doc} AS doc FROM survey")
        name = _of_document
    parts = []
    for path, reached in _scalars(columns, name):
        nulls = source.format.null if not given.document else ()
        parts.append(_part(con, path, reached, nulls))
    con.execute("DROP TABLE survey")
    return parts, min(rows, SAMPLE), rows > SAMPLE or len(source.files) > 1, notes


def _of_document(name: str) -> str:
    return f"doc.{quote(name)}"


def _scalars(columns: Mapping[str, Shape], name: Any) -> Iterator[tuple[str, Reach]]:
    for column, shape in columns.items():
        for path, _ in shape.parts(column):
            found = reach(path, columns, name)
            if found is not None:
                yield path, found


def _one(con: DuckDBPyConnection, query: str) -> int:
    return int(con.execute(query).fetchall()[0][0])


def _part(con: DuckDBPyConnection, path: str, found: Reach, nulls: tuple[str, ...]) -> Part:
    values = f"SELECT {found.sql} AS x FROM survey"
    if found.depth:
        values = f"SELECT unnest({flat(found.sql, found.depth)}) AS x FROM survey"
    textual = found.shape.kind in ("text", "json")
    kept = f"x IS NOT NULL AND x NOT IN ({literals(nulls)})" if nulls and textual else "x IS NOT NULL"
    con.execute(f"CREATE OR REPLACE TEMP TABLE survey_part AS SELECT x FROM ({values}) WHERE {kept}")
    basic = con.execute("SELECT count(*), count(DISTINCT x) FROM survey_part").fetchall()[0]
    part = Part(path, found.shape, found.depth, *basic)
    if not part.values:
        return part
    if textual:
        part = _textual(con, part)
    elif found.shape.kind in ("float", "decimal", "integer"):
        part = _numeric(con, part)
    con.execute("DROP TABLE survey_part")
    return part


_DECIMALS = "coalesce(max(length(split_part({x}, '.', 2))), 0)"
_LENGTH = "coalesce(max(length(trim(split_part(x, '{point}', 2)))) FILTER (regexp_full_match(x, {pattern})), 0)"


def _textual(con: DuckDBPyConnection, part: Part) -> Part:
    def like(pattern: str) -> str:
        return f"count(*) FILTER (regexp_full_match(x, {literal(pattern)}))"

    columns = {
        "whole": like(WHOLE),
        "number": like(NUMBER),
        "comma": like(COMMA),
        "exponents": f"count(*) FILTER (regexp_full_match(x, {literal(NUMBER)}) AND regexp_matches(x, '[eE]'))",
        "decimals": _LENGTH.format(point=".", pattern=literal(NUMBER)),
        "smallest": "min(TRY_CAST(x AS DOUBLE))",
        "largest": "max(TRY_CAST(x AS DOUBLE))",
        "truth": f"count(*) FILTER (lower(trim(x)) IN ({literals(TRUTHS)}))",
        "date": like(ISO_DATE),
        "instant": like(ISO_TIME),
        "zoned": "count(*) FILTER (regexp_matches(substr(x, 11), '[Zz+-]|UTC'))",
        "email": like(EMAIL),
        "phone": like(PHONE),
    }
    part = _measured(con, part, columns)
    if part.all(part.comma):
        decimals = con.execute("SELECT max(length(trim(split_part(x, ',', 2)))) FROM survey_part").fetchall()[0][0]
        return msgspec.structs.replace(part, decimals=int(decimals))
    if part.all(part.number) or part.all(part.instant) or part.all(part.truth):
        return part
    fits = [form for form in _formats() if _parses(con, form)]
    if not fits:
        return part
    return msgspec.structs.replace(part, format=fits[0], ambiguous=len(fits) > 1)


def _formats() -> Iterator[str]:
    for date in DATES:
        yield date
        for clock in TIMES:
            yield f"{date} {clock}"


def _parses(con: DuckDBPyConnection, form: str) -> bool:
    try_one = f"try_strptime(x, {literal(form)}) IS NULL"
    return not con.execute(f"SELECT 1 FROM survey_part WHERE {try_one} LIMIT 1").fetchall()


def _numeric(con: DuckDBPyConnection, part: Part) -> Part:
    shown = "split_part(CAST(x AS VARCHAR), 'e', 1)"
    columns = {
        "whole": "count(*) FILTER (TRY_CAST(x AS DOUBLE) = trunc(TRY_CAST(x AS DOUBLE)))",
        "number": "count(*) FILTER (isfinite(TRY_CAST(x AS DOUBLE)))",
        "exponents": "count(*) FILTER (contains(CAST(x AS VARCHAR), 'e'))",
        "decimals": _DECIMALS.format(x=shown if part.shape.kind == "decimal" else f"rtrim({shown}, '0')"),
        "smallest": "min(TRY_CAST(x AS DOUBLE))",
        "largest": "max(TRY_CAST(x AS DOUBLE))",
    }
    return _measured(con, part, columns)


def _measured(con: DuckDBPyConnection, part: Part, columns: Mapping[str, str]) -> Part:
    row = con.execute(f"SELECT {', '.join(columns.values())} FROM survey_part").fetchall()[0]
    return msgspec.structs.replace(part, **dict(zip(columns, row, strict=True)))
