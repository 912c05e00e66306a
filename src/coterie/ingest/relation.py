"""Files as relations: rows with their number, line and what breaks them, in the order of the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from coterie.ingest import delimited, lines, text
from coterie.ingest.column import Input
from coterie.ingest.source import Kind, Source, SourceFile, engine_fault, escaped
from coterie.ingest.sql import literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FEED = "$source"


def offered(con: DuckDBPyConnection, source: Source, file: SourceFile) -> Input:
    """Return what the rows of a file offer to a plan."""
    match source.kind:
        case Kind.CSV:
            columns = source.describe(con, file)
            names = {column: f"c{n}" for n, column in enumerate(columns)}
            return Input(file.name, columns, names.__getitem__, source.format.null)
        case Kind.JSONL:
            return Input(file.name, {}, document=True)
        case Kind.PARQUET:
            return Input(file.name, source.describe(con, file))


@contextmanager
def opened(
    con: DuckDBPyConnection,
    source: Source,
    file: SourceFile,
    base: int = 0,
    report: Callable[[int], None] | None = None,
) -> Iterator[str]:
    """Open a file for one query.

    Parameters
    ----------
    con : DuckDBPyConnection
        Where the query will run.
    source, file : Source, SourceFile
        The file and how it is written.
    base : int
        Number of the first row.
    report : callable, optional
        Told the number of bytes read so far (text files).

    Yields
    ------
    str
        A query for ``"$row"``, ``"$line"``, ``"$fault"``, ``"$text"`` and the columns, named as in `offered`.

    Raises
    ------
    Invalid
        ``ingest.unreadable-file`` or ``ingest.encoding``, also when the fault comes to light in the middle.
    """
    if source.kind is Kind.PARQUET:
        relation = (
            f"read_parquet({literal(escaped(file.path))}, binary_as_string=true, hive_partitioning=false, "
            "file_row_number=true)"
        )
        try:
            yield (
                f'SELECT file_row_number + {base:d} AS "$row", file_row_number + 1 AS "$line", '
                f'CAST(NULL AS VARCHAR) AS "$fault", CAST(NULL AS VARCHAR) AS "$text", * FROM {relation}'
            )
        except Exception as error:
            raise engine_fault(error, file.name) from error
        return
    pieces = text.pieces(file.path, file.name, source.format.encoding, report)
    if source.kind is Kind.CSV:
        dialect = source.dialect(file)
        feed = _Feed(delimited.batches(pieces, dialect), delimited.schema(dialect), base)
    else:
        feed = _Feed(lines.batches(pieces), lines.SCHEMA, base)
    con.register(_FEED, feed.reader())
    try:
        yield f'SELECT * FROM "{_FEED}"'
    except Exception as error:
        raise (feed.error or error) from error
    finally:
        con.unregister(_FEED)


class _Feed:
    """Batches with row numbers, and the error that broke them off."""

    def __init__(self, batches: Iterator[pa.RecordBatch], schema: pa.Schema, base: int) -> None:
        self._batches = batches
        self._schema = pa.schema([pa.field("$row", pa.int64()), *schema])
        self._base = base
        self.error: Exception | None = None

    def reader(self) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(self._schema, self._numbered())

    def _numbered(self) -> Iterator[pa.RecordBatch]:
        row = self._base
        try:
            for batch in self._batches:
                rows = pa.array(np.arange(row, row + batch.num_rows))
                row += batch.num_rows
                yield pa.RecordBatch.from_arrays([rows, *batch.columns], schema=self._schema)
        except Exception as error:
            self.error = error
            raise
