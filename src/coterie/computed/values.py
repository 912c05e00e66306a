"""Values of computed attributes: of one person by the interpreter, of many at once by one statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pyroaring import BitMap

from coterie.core.errors import NotFound
from coterie.core.schema import COMPUTED, Union
from coterie.engine.sql import SqlEngine
from coterie.pql import interpreter
from coterie.pql.ast import Name, Property
from coterie.pql.computed import parsed
from coterie.pql.local import UTC, zone_of
from coterie.pql.normal import value_form

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection


def values_of(record: Mapping[str, Any], union: Union, at: int, zone: str = UTC) -> dict[str, Any]:
    """Return the values that a person's computed attributes have, by name; those that have none are left out.

    Parameters
    ----------
    record : mapping
        The person's record, with all events, as `coterie.profile.record` gives it.
    union : Union
        The fields there are, with the computed attributes.
    at : int
        The instant, ms.
    zone : str
        IANA name of the time zone whose calendar is meant.
    """
    person = interpreter.read_profile(record, union, zone)
    found = {
        name: interpreter.value(Property(Name(COMPUTED), name), person, at, union, zone=zone) for name in union.computed
    }
    return {name: value for name, value in found.items() if value is not None}


def values(
    con: DuckDBPyConnection,
    union: Union,
    names: Iterable[str],
    view: str,
    people: BitMap | None,
    at: int,
    zone: str = UTC,
    until: int | None = None,
) -> pa.Table:
    """Return the values of computed attributes for many persons at once, by one statement.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    union : Union
        The fields there are, with the computed attributes.
    names : iterable of str
        Which of them.
    view : str
        The view: whose persons, merged how.
    people : BitMap or None
        The persons; None for all of the view.
    at : int
        The instant, ms.
    zone : str
        IANA name of the time zone whose calendar is meant.
    until : int, optional
        An instant, ms: events after it are left out.

    Returns
    -------
    pyarrow.Table
        The column ``person`` and one for each name; see `SqlEngine.values`.
    """
    zone_of(zone)
    chosen = list(names)
    for name in chosen:
        if name not in union.computed:
            raise NotFound.named("computed_attribute", name, union.computed)
    exprs = {name: value_form(parsed(union.computed[name]), union) for name in chosen}
    return SqlEngine(con, union, until=until).values(exprs, view, at, people, zone)
