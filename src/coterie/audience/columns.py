"""Columns of an exported file beyond identities: values of expressions over the members."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from coterie.computed.kind import value_field
from coterie.core.errors import Invalid
from coterie.core.schema import Field, FieldType, Union
from coterie.engine.sql import SqlEngine
from coterie.ingest.sql import IT, literal
from coterie.pql.analysis import Analysis, analyse_expr
from coterie.pql.ast import Expr
from coterie.store.history import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyroaring import BitMap

DIVIDER = ";"
"""What stands between values that share a text."""

INSTANT = "%Y-%m-%dT%H:%M:%S.%gZ"
"""How an instant is written in a file, as `strftime` has it."""
_DAY = "%Y-%m-%d"


def escaped(value: str) -> str:
    r"""Return SQL for a text that may stand beside others: a ``;`` or ``\`` inside it has a ``\`` before it."""
    return rf"regexp_replace({value}, '([;\\])', '\\\1', 'g')"


class Column(msgspec.Struct, frozen=True):
    """A column: its name, the kind of its values, the canonical core tree that gives them, and what that reads."""

    name: str
    field: Field
    expr: Expr
    reads: Analysis


class Columns(msgspec.Struct, frozen=True):
    """Columns of a file, the fields they may read, and the instant and the time zone they are asked in."""

    columns: tuple[Column, ...]
    union: Union
    at: int
    zone: str

    def values(self, con: DuckDBPyConnection, view: str, people: BitMap, *, joined: bool) -> str:
        """Return SQL for ``person`` and the values of each column, by its name, as a file shows them.

        Instants and days are texts; with `joined` an array is one text, as identities are. `people` must be lent as
        `PEOPLE` when it is run.
        """
        exprs = {f"c{place:d}": column.expr for place, column in enumerate(self.columns)}
        asked = SqlEngine(con, self.union).projection(exprs, view, self.at, people, self.zone)
        shown = "".join(
            f", {_shown(name, column.field, joined=joined)} AS {quote(column.name)}"
            for name, column in zip(exprs, self.columns, strict=True)
        )
        return f"SELECT person{shown} FROM ({asked})"


def read_columns(given: Mapping[str, str], union: Union, taken: Iterable[str]) -> tuple[Column, ...]:
    """Return the columns that expressions give.

    Parameters
    ----------
    given : mapping of str to str
        Expressions in PQL by the name of their column.
    union : Union
        The fields there are, with the computed attributes.
    taken : iterable of str
        Names that the file has already; letter case makes no difference.

    Raises
    ------
    PqlError
        With all problems of an expression.
    Invalid
        ``export.column`` for a name that is taken or empty; ``computed.type``, ``computed.membership``.
    """
    found: list[Column] = []
    names = {name.lower() for name in taken}
    for name, pql in given.items():
        if not name.strip() or name.lower() in names:
            raise Invalid(
                "export.column",
                f"the file has a column {name} already." if name.strip() else "a column has no name.",
                hint="Name the column, and otherwise than others: spend=computedAttributes.spend90.",
                where={"column": name},
            )
        names.add(name.lower())
        kind, expr = value_field(pql, union)
        found.append(Column(name, kind, expr, analyse_expr(expr)))
    return tuple(found)


def _shown(value: str, field: Field, *, joined: bool) -> str:
    """Return SQL for a value as a file shows it."""
    if field.items is None:
        return _single(value, field)
    if not joined:
        return f"list_transform({value}, lambda {IT}: {_single(IT, field.items)})"
    text = escaped(f"CAST({_single(IT, field.items)} AS VARCHAR)")
    return f"array_to_string(list_transform({value}, lambda {IT}: {text}), '{DIVIDER}')"


def _single(value: str, field: Field) -> str:
    match field.type:
        case FieldType.DATE | FieldType.DATETIME:
            form = _DAY if field.type is FieldType.DATE else INSTANT
            return f"strftime(make_timestamp_ms({value}), {literal(form)})"
        case _:
            return value
