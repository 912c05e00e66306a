"""Members of an audience as a file: one row a member, its identities by namespace. It appears whole or not at all."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from pyroaring import BitMap

from coterie.audience import ledger
from coterie.audience.columns import DIVIDER, INSTANT, Columns, escaped
from coterie.core.errors import Invalid
from coterie.core.ids import xid_sql
from coterie.engine import people
from coterie.engine.sql.statements import PEOPLE
from coterie.ingest.sql import literal
from coterie.store import exported

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

OWN = ("person", "entered_at")
"""The columns that stand before those of the namespaces."""

FORMATS = {
    "csv": "FORMAT csv, HEADER",
    "jsonl": "FORMAT json",
    "parquet": "FORMAT parquet, COMPRESSION zstd",
}


class Export(msgspec.Struct, frozen=True):
    """A written file.

    Members who chose otherwise since the last evaluation are `withheld` from it. `labels` are those of the audience,
    `column_labels` those of what its `columns` read, `identity_labels` those of the identities in the file.
    """

    audience: str
    path: str
    format: str
    members: int
    bytes: int
    withheld: int = 0
    labels: tuple[str, ...] = ()
    identity_labels: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    column_labels: tuple[str, ...] = ()


def format_of(path: Path, format_: str | None) -> str:
    """Return the named format, or the one the file name ends with; raises ``export.format``."""
    name = format_ or {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}.get(path.suffix, path.suffix)
    if name not in FORMATS:
        raise Invalid(
            "export.format",
            f"cannot export to format {name!r}.",
            hint=f"Formats are {', '.join(FORMATS)}.",
            where={"file": path.name},
        )
    return name


def member_rows(
    view: str, namespaces: list[str], *, joined: bool, without: str | None = None, more: str | None = None
) -> str:
    r"""Return SQL for the open members of audience ``$audience``: person, entered_at, and a column a namespace.

    With `joined` several identities of one namespace stand in one text, divided by ``;`` (a ``;`` or ``\`` inside a
    value is escaped by ``\``); otherwise they are a list. Persons in the table `without` are left out. `more` is a
    query for ``person`` and what else is told of each.
    """
    left_out = f"AND m.person NOT IN (SELECT person FROM {without})" if without else ""
    columns = []
    for position, code in enumerate(namespaces):
        value = escaped("i.value") if joined else "i.value"
        among = f"FILTER (WHERE n.code = $namespace{position})"
        gathered = (
            f"string_agg({value}, '{DIVIDER}' ORDER BY i.identity) {among}"
            if joined
            else f"list({value} ORDER BY i.identity) {among}"
        )
        quoted = code.replace('"', '""')
        columns.append(f', {gathered} AS "{quoted}"')
    rows = f"""
        SELECT 'p-' || any_value({xid_sql("founder_ns.code", "founder.value")}) AS person,
               strftime(make_timestamp_ms(m.entered_at), '{INSTANT}') AS entered_at{"".join(columns)}
               {', m.person AS "$person"' if more else ""}
        FROM membership m
        JOIN "person_of_{view}" p ON p.person = m.person
        JOIN identity i ON i.identity = p.identity
        JOIN namespace n ON n.namespace = i.namespace
        JOIN identity founder ON founder.identity = m.person
        JOIN namespace founder_ns ON founder_ns.namespace = founder.namespace
        WHERE m.audience = $audience AND m.namespace = 'ups' AND m.exited_at IS NULL {left_out}
        GROUP BY m.person, m.entered_at
        ORDER BY m.person"""
    if more is None:
        return rows
    return (
        f'SELECT m.* EXCLUDE ("$person"), v.* EXCLUDE (person) FROM ({rows}) m LEFT JOIN ({more}) v '
        'ON v.person = m."$person" ORDER BY m."$person"'
    )


class Member(msgspec.Struct, frozen=True):
    """A present member: public person id, instant of entry, identity values by namespace."""

    person: str
    entered_at: str
    identities: dict[str, list[str]]


def members(con: DuckDBPyConnection, audience: str, view: str, limit: int, after: str | None = None) -> list[Member]:
    """Return up to `limit` present members in the order of their public ids, those after `after`."""
    namespaces, parameters = _namespaces(con, audience)
    rows = con.execute(
        f"SELECT * FROM ({member_rows(view, namespaces, joined=False)}) "
        "WHERE person > $after ORDER BY person LIMIT $limit",
        {**parameters, "after": after or "", "limit": limit},
    ).fetchall()
    return [
        Member(row[0], row[1], {code: values for code, values in zip(namespaces, row[2:], strict=True) if values})
        for row in rows
    ]


def _namespaces(con: DuckDBPyConnection, audience: str) -> tuple[list[str], dict[str, Any]]:
    """Return the namespace codes and the parameters that `member_rows` refers to."""
    codes = [row[0] for row in con.execute("SELECT code FROM namespace ORDER BY namespace").fetchall()]
    return codes, {"audience": audience} | {f"namespace{position}": code for position, code in enumerate(codes)}


def export(
    con: DuckDBPyConnection,
    audience: str,
    view: str,
    path: Path,
    format_: str | None = None,
    without: BitMap | None = None,
    columns: Columns | None = None,
) -> Export:
    """Write the present members of an audience to `path`.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    audience, view : str
        The audience and the view it is asked of.
    path : Path
        The file; replaced when it exists.
    format_ : {"csv", "jsonl", "parquet"}, optional
        Default: what the file name ends with.
    without : BitMap, optional
        Members who are left out.
    columns : Columns, optional
        What else is written of each.

    Returns
    -------
    Export
        What was written.
    """
    name = format_of(path, format_)
    namespaces, parameters = _namespaces(con, audience)
    without = BitMap() if without is None else without
    present = ledger.members(con, audience)
    written = present - without
    with (
        exported.whole(path) as partial,
        people.lent(con, "coterie_withheld", without) as withheld,
        nullcontext() if columns is None else people.lent(con, PEOPLE, written),
    ):
        joined = name == "csv"
        more = None if columns is None else columns.values(con, view, written, joined=joined)
        rows = member_rows(view, namespaces, joined=joined, without=withheld, more=more)
        con.execute(f"COPY ({rows}) TO {literal(str(partial))} ({FORMATS[name]})", parameters)
    return Export(
        audience,
        str(path),
        name,
        len(written),
        path.stat().st_size,
        len(present) - len(written),
        columns=() if columns is None else tuple(column.name for column in columns.columns),
    )
