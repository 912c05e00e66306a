"""Mentions: the lines and rows of data files whose text holds what is sought for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from coterie.governance.traces import Sought, text_columns
from coterie.ingest.rewrite import numbered


def lines_with(path: Path, encoding: str | None, sought: Sought) -> list[int]:
    """Return the numbers of the lines of a text file that hold a value."""
    return [line for line, told in held_lines(path, encoding, sought) if sought.mentions(told)]


def held_lines(path: Path, encoding: str | None, sought: Sought) -> Iterator[tuple[int, str]]:
    """Yield number and text of the lines of a text file that may hold a value."""
    if not sought.values:
        return
    for first, block, ends in numbered(path, encoding):
        offsets = np.concatenate(([0], ends)).astype(np.int64)
        lines = pa.LargeBinaryArray.from_buffers(
            pa.large_binary(), len(ends), [None, pa.py_buffer(offsets.data), pa.py_buffer(block)]
        )
        for at in np.flatnonzero(sought.held(lines)).tolist():
            yield first + at, block[offsets[at] : offsets[at + 1]].decode(errors="replace")


def rows_with(path: Path, sought: Sought) -> list[int]:
    """Return the numbers, from 0, of the rows of a Parquet file that hold a value."""
    found: list[int] = []
    start = 0
    if not sought.values:
        return found
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            some = np.flatnonzero(_may_hold(table, sought))
            rows = table.take(some).to_pylist()
            found += [start + int(at) for at, row in zip(some, rows, strict=True) if sought.mentions(_text(row))]
            start += table.num_rows
    return found


def _may_hold(table: pa.Table, sought: Sought) -> npt.NDArray[np.bool_]:
    """Say which rows of a table may hold a value; all of them where it is inside lists or objects."""
    found = np.zeros(table.num_rows, bool)
    for field in table.schema:
        column = table.select([field.name]).combine_chunks()
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            found |= sought.held(column.column(0))
        elif any(sought.held(array).any() for _, array in text_columns(column)):
            found[:] = True
    return found


def _text(value: Any) -> str:
    match value:
        case dict():
            return "\0".join(f"{key}\0{_text(item)}" for key, item in value.items())
        case list() | tuple():
            return "\0".join(map(_text, value))
        case bytes():
            return value.decode(errors="replace")
        case _:
            return str(value)


def redacting(sought: Sought) -> Callable[[bytes], bytes]:
    """Return what takes the values out of text that is UTF-8, whatever other bytes are in it."""

    def edit(piece: bytes) -> bytes:
        if not sought.held(pa.array([piece], pa.large_binary())).any():
            return piece
        return sought.redacted(piece.decode(errors="surrogateescape")).encode(errors="surrogateescape")

    return edit


def redacting_table(sought: Sought) -> Callable[[pa.Table], pa.Table]:
    """Return what takes the values out of the texts of a table."""

    def edit(table: pa.Table) -> pa.Table:
        if not any(sought.held(array).any() for _, array in text_columns(table)):
            return table
        return pa.Table.from_pylist([redacted_row(row, sought) for row in table.to_pylist()], schema=table.schema)

    return edit


def redacted_row(value: Any, sought: Sought) -> Any:
    """Return a row, or a part of one, without the values in its texts."""
    match value:
        case str():
            return sought.redacted(value)
        case bytes():
            return sought.redacted(value.decode(errors="surrogateescape")).encode(errors="surrogateescape")
        case dict():
            return {key: redacted_row(item, sought) for key, item in value.items()}
        case list():
            return [redacted_row(item, sought) for item in value]
        case tuple():
            return tuple(redacted_row(item, sought) for item in value)
        case _:
            return value
