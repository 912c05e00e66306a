"""Exported files of a sandbox: which rows hold an identity, and the file again without them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from coterie.core.errors import CoterieError
from coterie.governance.traces import Sought
from coterie.ingest import owners
from coterie.ingest.relation import offered, opened
from coterie.ingest.rewrite import rewrite, rewrite_parquet
from coterie.ingest.source import Kind, Source, SourceFile, SourceFormat, detect
from coterie.ingest.sql import literal
from coterie.pipeline.privacy.mentions import lines_with, rows_with
from coterie.store.history import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_DATA = {".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"}


def files(folder: Path) -> Iterator[Path]:
    """Yield the exported files, in order."""
    yield from sorted(path for path in folder.rglob("*") if path.is_file())


def members(con: DuckDBPyConnection, path: Path, sought: Sought) -> int:
    """Return how many rows of a file hold an identity of the TEMP table ``concerned`` or a person sought for."""
    source = _source(path)
    return 0 if source is None else len(_rows(con, source, sought))


def holds(con: DuckDBPyConnection, path: Path, sought: Sought) -> bool:
    """Return whether a file holds what is sought for, given the TEMP table ``concerned``."""
    source = _source(path)
    return any(sought.in_bytes([path.read_bytes()])) if source is None else bool(_rows(con, source, sought))


def without(con: DuckDBPyConnection, path: Path, target: Path, sought: Sought) -> int | None:
    """Write an exported file again without the rows that hold what is sought for; a link to it when there are none.

    Returns
    -------
    int or None
        How many rows went; None when the file is not written, because it holds what is sought for elsewhere than in
        rows of data.
    """
    source = _source(path)
    rows = [] if source is None else _rows(con, source, sought)
    if not rows:
        os.link(path, target)
    elif source is not None and source.kind is Kind.PARQUET:
        rewrite_parquet(path, target, [first - 1 for first, _ in rows])
    else:
        rewrite(path, target, None, [(row, b"") for row in rows])
    if any(sought.in_bytes([target.read_bytes()])):
        target.unlink()
        return None
    return len(rows)


def _source(path: Path) -> Source | None:
    """Return a file as data; None for one that does not call itself so, or is not what it says."""
    if not _DATA & set(path.suffixes):
        return None
    try:
        file = SourceFile(str(path), path.name, path.stat().st_size)
        return Source((file,), SourceFormat(kind=detect(file))) if file.bytes else None
    except CoterieError:
        return None


def _rows(con: DuckDBPyConnection, source: Source, sought: Sought) -> list[tuple[int, int]]:
    """Return the lines of the rows to go, in order."""
    (file,) = source.files
    given = offered(con, source, file)
    with opened(con, source, file) as relation:
        con.execute(f'CREATE OR REPLACE TEMP TABLE stage AS SELECT 0 AS "$file", * FROM ({relation})')
    columns = {name: given.name(name) for name in given.columns}
    codes = sorted({item.namespace for item in sought.identities})
    parts = [_holding(source.kind, columns, code, literal(code)) for code in codes]
    persons = ", ".join(map(literal, sorted(sought.persons)))
    if source.kind is Kind.JSONL:
        parts.append(f"""SELECT "$row" FROM stage WHERE TRY("$text" ->> '$.person') IN ({persons})""")
    elif "person" in columns:
        parts.append(f'SELECT "$row" FROM stage WHERE CAST({columns["person"]} AS VARCHAR) IN ({persons})')
    told = " UNION ".join(part for part in parts if part)
    path = Path(file.path)
    starts = con.execute('SELECT "$line" FROM stage ORDER BY "$row"').fetchnumpy()["$line"]
    mentioned = rows_with(path, sought) if source.kind is Kind.PARQUET else _at(starts, lines_with(path, None, sought))
    con.execute(
        'CREATE OR REPLACE TEMP TABLE stage_concerned AS SELECT unnest($1::BIGINT[]) AS "$row"'
        + (f" UNION {told}" if told else ""),
        [mentioned],
    )
    return owners.lines(con, 0)


def _at(starts: npt.ArrayLike, lines: list[int]) -> list[int]:
    """Return the rows that hold some lines, given where each row starts."""
    rows = np.searchsorted(np.asarray(starts), np.array(lines, np.int64), side="right") - 1
    return sorted({int(row) for row in rows if row >= 0})


def _holding(kind: Kind, columns: dict[str, str], code: str, told: str) -> str:
    """Return SQL for the rows whose column of a namespace holds an identity of the TEMP table ``concerned``."""
    if kind is Kind.JSONL:
        path = literal(f"$.{quote(code)}"), literal(f"$.{quote(code)}[*]")
        values = f'TRY(list_append(json_extract_string("$text", {path[1]}), json_extract_string("$text", {path[0]})))'
    elif code not in columns:
        return ""
    elif kind is Kind.CSV:
        # an exported list: values divided by ";", with "\" before a ";" or "\" that belongs to a value
        plain = f"replace(replace({columns[code]}, '\\\\', chr(2)), '\\;', chr(1))"
        values = f"list_transform(string_split({plain}, ';'), lambda v: replace(replace(v, chr(1), ';'), chr(2), '\\'))"
    else:
        values = f"TRY_CAST({columns[code]} AS VARCHAR[])"
        values = f"coalesce({values}, [CAST({columns[code]} AS VARCHAR)])"
    return (
        f'SELECT "$row" FROM (SELECT "$row", unnest({values}) AS value FROM stage) s '
        f"SEMI JOIN {owners.CONCERNED} c ON c.value = s.value AND c.namespace = {told}"
    )
