"""Faults: everything that is wrong with the bad rows of a file, a row of ``stage_error`` each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coterie.ingest.column import Column, flat
from coterie.ingest.delimited import BAD_ENCODING
from coterie.ingest.plan import ROW_TEXT, Plan
from coterie.ingest.sql import literal
from coterie.ingest.text import MARK

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LONGEST_VALUE = 1000
_SHOWN = f"replace(left({{value}}, {LONGEST_VALUE}), {literal(MARK)}, chr(65533))"


def record(con: DuckDBPyConnection, plan: Plan, relation: str, number: int) -> None:
    """Write the faults of the rows of file `number` that ``stage`` marks as not ok.

    Parameters
    ----------
    con : DuckDBPyConnection
        Where ``stage`` and ``stage_error`` are.
    plan : Plan
        The plan of the file.
    relation : str
        A query for its rows.
    number : int
        Its number.
    """
    bad = f'SELECT "$row" FROM stage WHERE "$file" = {number:d} AND NOT "$ok"'
    chosen = f'SELECT * FROM ({relation}) WHERE "$row" IN ({bad})'
    con.execute(f"CREATE OR REPLACE TEMP TABLE stage_bad AS {plan.rows(chosen)}")
    _insert(
        con,
        number,
        f'SELECT "$row", "$line", NULL, {ROW_TEXT}, '
        f"CASE \"$fault\" WHEN {literal(BAD_ENCODING)} THEN 'encoding' ELSE 'row.malformed' END, \"$fault\" "
        'FROM stage_bad WHERE "$fault" IS NOT NULL',
    )
    con.execute('DELETE FROM stage_bad WHERE "$fault" IS NOT NULL')
    if plan.document is not None:
        malformed = plan.document.malformed
        _insert(con, number, _row_fault("", ROW_TEXT, malformed, "row.malformed", "expected a JSON object"))
        con.execute(f"DELETE FROM stage_bad WHERE {malformed}")
    for column in plan.columns:
        if not column.converter.total:
            _insert(con, number, _value_faults(column))
    for field, value, fault in plan.faults:
        _insert(con, number, _row_fault(field, value, *fault))
    con.execute("DROP TABLE stage_bad")


def _insert(con: DuckDBPyConnection, number: int, query: str) -> None:
    value = _SHOWN.format(value="value")
    con.execute(
        f"INSERT INTO stage_error SELECT r, {number:d}, l, field, {value}, code, reason"
        f" FROM ({query}) AS t(r, l, field, value, code, reason) ORDER BY r"
    )


def _row_fault(field: str, value: str, condition: str, code: str, reason: str) -> str:
    name = literal(field) if field else "NULL"
    return (
        f'SELECT "$row", "$line", {name}, {value}, {literal(code)}, {literal(reason)} FROM stage_bad WHERE {condition}'
    )


def _value_faults(column: Column) -> str:
    raw = column.raw_name
    values = f'SELECT "$row", "$line", {raw} AS x FROM stage_bad'
    if column.depth:
        values = f'SELECT "$row", "$line", unnest({flat(raw, column.depth)}) AS x FROM stage_bad'
    found = (
        f'SELECT "$row", "$line", x, unnest({column.converter.faults("x")}) AS f FROM ({values}) WHERE x IS NOT NULL'
    )
    return f'SELECT "$row", "$line", {literal(column.leaf.path)}, CAST(x AS VARCHAR), f.code, f.reason FROM ({found})'
