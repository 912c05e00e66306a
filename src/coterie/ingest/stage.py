"""Staging: source files become typed rows in the TEMP table ``stage``, and faults in ``stage_error``.

The first pass over a file computes the leaves of every row and whether all is well with it. Only when some rows are
bad does a second pass look at those, and say everything that is wrong with each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from coterie.core.clock import format_instant
from coterie.core.progress import Progress, Quiet
from coterie.core.schema import Schema, SchemaClass
from coterie.ingest import faults
from coterie.ingest.column import Input
from coterie.ingest.identities import MAP_TYPE
from coterie.ingest.mapping import Mapping as FieldMapping
from coterie.ingest.operation import TARGET as OPERATION
from coterie.ingest.operation import Operation
from coterie.ingest.plan import Plan, compile_plan
from coterie.ingest.relation import offered, opened
from coterie.ingest.source import Source
from coterie.store.history import column_type, quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class StagedFile(msgspec.Struct, frozen=True):
    """A file and how its rows fared."""

    name: str
    rows_read: int
    quarantined: int


class Staged(msgspec.Struct, frozen=True):
    """What staging did.

    `errors` counts faults by code (a bad row may have several), `warnings` rows by code. Of the `quarantined` rows
    nothing is wrong with those `expired`: their events are too old to be kept.
    """

    rows_read: int
    accepted: int
    quarantined: int
    errors: dict[str, int]
    files: list[StagedFile]
    warnings: dict[str, int] = {}
    expired: int = 0


def stage(
    con: DuckDBPyConnection,
    source: Source,
    mapping: FieldMapping,
    schema: Schema,
    *,
    namespaces: Mapping[str, str],
    progress: Progress | None = None,
    now: int | None = None,
    operation: Operation = Operation.CREATE,
    ordered_by: str | None = None,
    keep_from: int | None = None,
    priority: Sequence[str] = (),
    inspect: Callable[[], None] | None = None,
) -> Staged:
    """Fill the TEMP tables ``stage`` and ``stage_error`` from files.

    Parameters
    ----------
    con : DuckDBPyConnection
        Where the tables are made; earlier ones of those names are replaced.
    source : Source
        The files, in order.
    mapping : Mapping
        Which source part becomes which field.
    schema : Schema
        What a row must be.
    namespaces : mapping
        Types of all namespaces by code.
    progress : Progress, optional
        Receiver of progress reports (bytes).
    now : int, optional
        The present instant: events after it are taken, and counted as ``event.future``.
    operation : Operation
        What a row does to the record that is there, if it does not say it itself.
    ordered_by : str, optional
        The path of a date without which a row is bad.
    keep_from : int, optional
        Events before this instant are put aside as ``event.expired``.
    priority : sequence of str
        Codes of namespaces, best first, where they decide whose an event is: one with two values of its best namespace
        is bad.
    inspect : callable, optional
        Called when all rows have been read and the bad ones are still in ``stage``, with ``"$ok"`` false.

    Returns
    -------
    Staged
        Numbers of rows, and of faults by code.

    Raises
    ------
    Invalid
        ``mapping.…`` for rules that do not fit, ``ingest.unreadable-file``, ``ingest.encoding``,
        ``schema.no-identity``.

    Notes
    -----
    ``stage`` holds the good rows: ``"$row"`` (0-based among all rows read), ``"$file"``, ``"$line"`` (1-based; the row
    number for Parquet), the leaves under their paths, the usable identities ``"$id0"``, ``"$id1"``, … in the order of
    ``schema.identities``, and ``"$identityMap"`` if the schema has one; rows of records have ``"$operation"``, as
    `record` keeps it. ``stage_error`` holds one row a fault.
    """
    progress = progress or Quiet()
    plans = _plans(
        con,
        source,
        lambda given: compile_plan(
            con, given, mapping, schema, namespaces, operation=operation, ordered_by=ordered_by, priority=priority
        ),
    )
    _create(con, schema)
    files: list[StagedFile] = []
    rows = done = 0
    for number, (file, plan) in enumerate(zip(source.files, plans, strict=True)):
        start = done
        progress.report("reading", start, source.bytes)
        with opened(
            con,
            source,
            file,
            rows,
            lambda at: progress.report("reading", start + at, source.bytes),  # noqa: B023
        ) as relation:
            read = con.execute(_insert(plan, relation, number)).fetchall()[0][0]
        bad = con.execute('SELECT count(*) FROM stage WHERE "$file" = $1 AND NOT "$ok"', [number]).fetchall()[0][0]
        if bad:
            with opened(con, source, file, rows) as relation:
                faults.record(con, plan, relation, number)
        files.append(StagedFile(file.name, read, bad))
        rows, done = rows + read, done + file.bytes
    progress.report("reading", done, source.bytes)
    if inspect is not None:
        inspect()
    return _finish(con, schema, files, now, keep_from)


def _plans(con: DuckDBPyConnection, source: Source, compiled: Callable[[Input], Plan]) -> list[Plan]:
    """Return a plan for each file: the same one for files with the same columns."""
    made: dict[str, Plan] = {}
    out = []
    for file in source.files:
        given = offered(con, source, file)
        key = repr(given.columns)
        if key not in made:
            made[key] = compiled(given)
        out.append(made[key])
    return out


def _create(con: DuckDBPyConnection, schema: Schema) -> None:
    columns = ['"$row" BIGINT', '"$file" INTEGER', '"$line" BIGINT']
    columns += [f"{quote(path)} {column_type(leaf)}" for path, leaf in schema.leaves().items()]
    columns += [f"{quote(OPERATION)} UTINYINT"] if schema.class_ is SchemaClass.PROFILE else []
    columns += [f'"$id{n}" VARCHAR' for n in range(len(schema.identities))]
    columns += [f'"$identityMap" {MAP_TYPE}'] if schema.identity_map else []
    con.execute(f'CREATE OR REPLACE TEMP TABLE stage ({", ".join(columns)}, "$ok" BOOLEAN, "$unknown" BOOLEAN)')
    con.execute(
        'CREATE OR REPLACE TEMP TABLE stage_error ("$row" BIGINT, "$file" INTEGER, "$line" BIGINT,'
        " field VARCHAR, value VARCHAR, code VARCHAR, reason VARCHAR)"
    )


def _insert(plan: Plan, relation: str, number: int) -> str:
    leaves = [quote(path) for path in plan.values]
    owners = [quote(name) for name, _ in plan.identities] + (['"$identityMap"'] if plan.schema.identity_map else [])
    columns = ", ".join(['"$row"', f"{number:d}", '"$line"', *leaves, *owners, plan.ok, plan.unknown])
    return f"INSERT INTO stage SELECT {columns} FROM ({plan.rows(relation)})"


def _finish(
    con: DuckDBPyConnection,
    schema: Schema,
    files: list[StagedFile],
    now: int | None,
    keep_from: int | None,
) -> Staged:
    rows, bad = sum(file.rows_read for file in files), sum(file.quarantined for file in files)
    if bad:
        con.execute('DELETE FROM stage WHERE NOT "$ok"')
    expired = 0 if keep_from is None else _expire(con, keep_from)
    unknown = con.execute('SELECT count(*) FROM stage WHERE "$unknown"').fetchall()[0][0]
    warnings: dict[str, int] = {"field.unknown": unknown} if unknown else {}
    for column in ("$ok", "$unknown"):
        con.execute(f"ALTER TABLE stage DROP COLUMN {quote(column)}")
    if now is not None and schema.class_ is SchemaClass.EVENT:
        future = con.execute('SELECT count(*) FROM stage WHERE "timestamp" > $1', [now]).fetchall()[0][0]
        warnings |= {"event.future": future} if future else {}
    errors = con.execute("SELECT code, count(*) FROM stage_error GROUP BY code ORDER BY 2 DESC, 1").fetchall()
    bad += expired
    return Staged(rows, rows - bad, bad, dict(errors), files, warnings, expired)


def _expire(con: DuckDBPyConnection, keep_from: int) -> int:
    """Put the events before an instant aside, without their values, which are not to be kept; return how many."""
    reason = f"expected an event of {format_instant(keep_from)} or later: the dataset keeps none that are older"
    old = '"timestamp" < $1'
    con.execute(
        'INSERT INTO stage_error SELECT "$row", "$file", "$line", $2, NULL, $3, $4 '
        f'FROM stage WHERE {old} ORDER BY "$row"',
        [keep_from, "timestamp", "event.expired", reason],
    )
    return int(con.execute(f"DELETE FROM stage WHERE {old}", [keep_from]).fetchall()[0][0])
