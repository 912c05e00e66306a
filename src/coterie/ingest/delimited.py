"""Delimited text (CSV) as Arrow batches in which every row knows its line.

A row that breaks the rules of the format takes only its own line with it: reading goes on at the next line, so a
quote that never closes does not swallow the rows behind it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from coterie.core.errors import Invalid
from coterie.ingest.text import MARK

LINE, FAULT, TEXT = "$line", "$fault", "$text"
"""System columns of the batches: line number, what breaks the row (or null), and the text of a broken row."""

FAULTS = (
    "",
    "the row has fewer values than the header has columns",
    "the row has more values than the header has columns",
    "a quoted value is followed by text",
    "a quoted value does not end",
)
BAD_ENCODING = "the row holds bytes that are not UTF-8"
_LONGEST = 1 << 20
_DELIMITERS = ",;\t|"
_MARK = MARK.encode()

Bytes = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int32]


class Dialect(msgspec.Struct, frozen=True):
    """How a delimited file is written, and the names of its columns."""

    delimiter: str
    quote: str
    header: bool
    columns: tuple[str, ...]


def detect(first: bytes, delimiter: str | None, quote: str, header: bool, name: str) -> Dialect:
    r"""Return the dialect of a file by the beginning of its text; raises ``ingest.header``, ``ingest.encoding``.

    Examples
    --------
    >>> detect(b"id;name\n1;Ada\n", None, '"', True, "people.csv").columns
    ('id', 'name')
    """
    for what, mark in (("delimiter", delimiter or ","), ("quote", quote)):
        if len(mark.encode()) != 1 or mark in "\r\n":
            raise Invalid("ingest.format", f"the {what} {mark!r} is not one ASCII character.")
    text = first[:_LONGEST].decode(errors="replace")
    line = text.lstrip("\r\n").split("\n", 1)[0]
    if MARK in line:
        raise Invalid(
            "ingest.encoding",
            f"{name}, line 1: the header holds bytes that are not UTF-8.",
            hint="Name the file's encoding, e.g. latin-1.",
            where={"file": name, "line": 1},
        )
    if delimiter is None:
        delimiter = max(_DELIMITERS, key=lambda mark: len(next(csv.reader([line], delimiter=mark, quotechar=quote))))
    row = next(csv.reader(io.StringIO(text.lstrip("\r\n"), newline=""), delimiter=delimiter, quotechar=quote), [])
    if not header:
        return Dialect(delimiter, quote, header, tuple(f"column{n}" for n in range(1, len(row) + 1)))
    columns = tuple(value.strip() or f"column{n}" for n, value in enumerate(row, 1))
    twice = next((value for n, value in enumerate(columns) if value in columns[:n]), None)
    if not columns or twice is not None:
        raise Invalid(
            "ingest.header",
            f"{name}, line 1: {'there is no header' if not columns else f'two columns are called {twice!r}'}.",
            hint="Every column needs a name of its own.",
            where={"file": name, "line": 1},
        )
    return Dialect(delimiter, quote, header, columns)


def schema(dialect: Dialect) -> pa.Schema:
    """Return the Arrow schema of the batches of a file: system columns, then those of the header as `c0`, `c1`, …"""
    system: dict[str, pa.DataType] = {LINE: pa.int64(), FAULT: pa.string(), TEXT: pa.string()}
    named: dict[str, pa.DataType] = dict.fromkeys((f"c{n}" for n in range(len(dialect.columns))), pa.string())
    return pa.schema(system | named)


def batches(pieces: Iterator[bytes], dialect: Dialect) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file as text values, with their lines.

    Parameters
    ----------
    pieces : iterator of bytes
        The file's text, in pieces that end at line ends.
    dialect : Dialect
        How it is written.
    """
    from coterie.ingest import scan  # its compiler loads slowly, and most runs read no CSV

    shape, width = schema(dialect), len(dialect.columns)
    delimiter, quote = ord(dialect.delimiter), ord(dialect.quote)
    line, rest, heading = 1, b"", dialect.header
    piece: bytes | None = next(pieces, None)
    while piece is not None:
        after = next(pieces, None)
        data = np.frombuffer(rest + piece if rest else piece, np.uint8)
        most = int(np.count_nonzero(data == 10))
        starts, ends = np.empty((width, most), np.int32), np.empty((width, most), np.int32)
        lines, bounds = np.empty(most, np.int64), np.empty((2, most), np.int32)
        faults, doubled = np.zeros(most, np.int8), np.zeros((width, most), np.bool_)
        count, used, line = scan.split(
            data, delimiter, quote, after is None, line, _LONGEST, starts, ends, lines, bounds, faults, doubled
        )
        first = 1 if heading and count else 0
        heading = heading and not count
        if count > first:
            cut = slice(first, count)
            yield _batch(
                data,
                quote,
                shape,
                starts[:, cut],
                ends[:, cut],
                lines[cut],
                bounds[:, cut],
                faults[cut],
                doubled[:, cut],
            )
        rest = data[used:].tobytes()
        piece = after


def _batch(
    data: Bytes,
    quote: int,
    shape: pa.Schema,
    starts: npt.NDArray[np.int32],
    ends: npt.NDArray[np.int32],
    lines: npt.NDArray[np.int64],
    bounds: npt.NDArray[np.int32],
    faults: npt.NDArray[np.int8],
    doubled: npt.NDArray[np.bool_],
) -> pa.RecordBatch:
    from coterie.ingest import scan

    broken = faults > 0
    marks = _marked(data, bounds)
    reasons: Any = pa.array(FAULTS).take(pa.array(faults, pa.int8(), mask=~broken))
    if marks.any():
        reasons = pc.if_else(pa.array(marks), BAD_ENCODING, reasons)
        broken = broken | marks
    plain = np.zeros(len(lines), np.bool_)
    shown = np.where(broken, bounds, 0)
    columns: list[Any] = [pa.array(lines), reasons, _strings(*scan.gather(data, shown[0], shown[1], plain, quote))]
    columns += [_strings(*scan.gather(data, *value, quote)) for value in zip(starts, ends, doubled, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=shape)


def _marked(data: Bytes, bounds: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Say which rows hold a byte that was no UTF-8."""
    found = np.zeros(bounds.shape[1], np.bool_)
    at = np.flatnonzero(data == _MARK[0])
    at = at[(data[at + 1] == _MARK[1]) & (data[at + 2] == _MARK[2])] if at.size else at
    if at.size:
        rows = np.searchsorted(bounds[0], at, side="right") - 1
        found[rows[(rows >= 0) & (at < bounds[1][rows])]] = True
    return found


def _strings(offsets: Counts, data: Bytes) -> pa.StringArray:
    return pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets.data), pa.py_buffer(data.data))
