"""Persons between DuckDB and bitmaps: a column read as a bitmap, a bitmap lent to statements as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyroaring import BitMap

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def read(con: DuckDBPyConnection, statement: str, parameters: Sequence[Any] = ()) -> BitMap:
    """Return the persons in the column ``person`` of an answer."""
    columns = con.execute(statement, list(parameters)).fetchnumpy()
    return BitMap(np.ascontiguousarray(columns["person"], dtype=np.uint32))


@contextmanager
def lent(con: DuckDBPyConnection, name: str, people: BitMap) -> Iterator[str]:
    """Let a table `name` with the column ``person`` hold these persons while the block runs.

    After an error the name is left standing: a transaction that failed takes no statement, and the error is to be seen.
    """
    con.register(name, pa.table({"person": pa.array(np.array(people, dtype=np.int32))}))
    yield name
    con.unregister(name)
