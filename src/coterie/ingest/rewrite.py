"""Data files again, without some rows or with some changed; every other row keeps its bytes.

Text is taken apart at line ends only: what lies between two rows is never interpreted. Parquet files are written row
group by row group, with the compression they had.
"""

from __future__ import annotations

import codecs
import gzip
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from coterie.ingest import text

Range = tuple[int, int]
"""First and last line, counted from 1."""
Document = dict[str, Any]


def texts(path: Path, encoding: str | None, ranges: Sequence[Range]) -> list[bytes]:
    """Return the text of each range of lines, as UTF-8; the ranges are in order and do not overlap."""
    found = [bytearray() for _ in ranges]
    for first, block, ends in numbered(path, encoding):
        for at, (start, stop) in enumerate(ranges):
            if start < first + len(ends) and stop >= first:
                begin, end = _bytes(ends, start - first, stop - first)
                found[at] += block[begin:end]
    return [bytes(item) for item in found]


def rewrite(
    path: Path,
    target: Path,
    encoding: str | None,
    changes: Sequence[tuple[Range, bytes | None]],
    edit: Callable[[bytes], bytes] | None = None,
) -> int:
    """Write a text file again.

    Parameters
    ----------
    path, target : Path
        The file and where it is written; compressed and encoded as it was.
    encoding : str, optional
        Its encoding; default what its byte order mark says, else UTF-8.
    changes : sequence
        Ranges of lines, in order and without overlap, each with what stands in their place: a text (UTF-8), or None for
        as many empty lines, which leaves the numbers of the lines behind them as they were.
    edit : callable, optional
        What is done to the remaining text, in pieces that end at line ends.

    Returns
    -------
    int
        Bytes of text that were written (before compression).
    """
    packed, codec = _form(path, encoding)
    encoder = None if codec is None else codecs.getincrementalencoder(codec)()
    written = 0
    with ExitStack() as stack:
        out = cast(IO[bytes], stack.enter_context(target.open("wb")))
        if packed:
            out = cast(IO[bytes], stack.enter_context(gzip.GzipFile("", "wb", fileobj=out, mtime=0)))

        def put(piece: bytes) -> None:
            nonlocal written
            written += len(piece)
            out.write(piece if encoder is None else encoder.encode(piece.decode()))

        for first, block, ends in numbered(path, encoding):
            at = 0
            for (start, stop), instead in changes:
                if start >= first + len(ends) or stop < first:
                    continue
                begin, end = _bytes(ends, start - first, stop - first)
                put(edit(block[at:begin]) if edit else block[at:begin])
                if instead is None:
                    put(b"\n" * block.count(b"\n", begin, end))
                elif start >= first:
                    put(instead)
                at = end
            put(edit(block[at:]) if edit else block[at:])
    return written


def numbered(path: Path, encoding: str | None) -> Iterator[tuple[int, bytes, Any]]:
    """Yield the number of the first line of each block, the block, and where its lines end."""
    line = 1
    for block in _blocks(path, encoding):
        ends = np.flatnonzero(np.frombuffer(block, np.uint8) == 10) + 1
        if not len(ends) or ends[-1] != len(block):
            ends = np.append(ends, len(block))
        yield line, block, ends
        line += len(ends)


def _bytes(ends: Any, first: int, last: int) -> tuple[int, int]:
    """Return where the lines `first` to `last` of a block begin and end."""
    begin = int(ends[first - 1]) if first > 0 else 0
    return begin, int(ends[min(last, len(ends) - 1)])


def _blocks(path: Path, encoding: str | None) -> Iterator[bytes]:
    """Yield the text as UTF-8 in blocks that end at line ends, its bytes unchanged when it is UTF-8."""
    packed, codec = _form(path, encoding)
    decoder = None if codec is None else codecs.getincrementaldecoder(codec)()
    rest = b""
    with path.open("rb") as raw:
        stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if packed else raw
        while block := stream.read(text.BLOCK):
            data = rest + (block if decoder is None else decoder.decode(block).encode())
            cut = data.rfind(b"\n") + 1
            if cut:
                yield data[:cut]
            rest = data[cut:]
    if rest:
        yield rest


def _form(path: Path, encoding: str | None) -> tuple[bool, str | None]:
    """Return whether a file is compressed, and its encoding unless that is UTF-8."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    codec = encoding or text.marked(text.head(str(path), path.name)) or "utf-8"
    return packed, None if codecs.lookup(codec).name in ("utf-8", "utf-8-sig") else codec


def rewrite_parquet(
    path: Path,
    target: Path,
    removed: Iterable[int],
    edits: Mapping[int, Callable[[Document], Document]] | None = None,
    edit: Callable[[pa.Table], pa.Table] | None = None,
) -> int:
    """Write a Parquet file again.

    Parameters
    ----------
    path, target : Path
        The file and where it is written.
    removed : iterable of int
        Rows that go, counted from 0.
    edits : mapping, optional
        Rows that are changed, each with what makes the new row of the old one.
    edit : callable, optional
        What is done to the remaining rows.

    Returns
    -------
    int
        Number of rows that were written.
    """
    gone, edits = np.array(sorted(removed), np.int64), edits or {}
    changed = np.array(sorted(edits), np.int64)
    start = written = 0
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        meta = file.metadata
        some = meta.num_row_groups and meta.num_columns
        packed: Any = str(meta.row_group(0).column(0).compression if some else "SNAPPY").replace("UNCOMPRESSED", "NONE")
        with pq.ParquetWriter(target, schema, compression=packed) as out:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group)
                rows = np.arange(start, start + table.num_rows)
                start += table.num_rows
                same = ~np.isin(rows, gone) & ~np.isin(rows, changed)
                rest = table.take(np.flatnonzero(same))
                parts, places = [edit(rest) if edit else rest], [rows[same]]
                for row in rows[np.isin(rows, changed)]:
                    (document,) = table.slice(int(row - rows[0]), 1).to_pylist()
                    parts.append(pa.Table.from_pylist([edits[int(row)](document)], schema=schema))
                    places.append(np.array([row]))
                together = pa.concat_tables(parts).take(np.argsort(np.concatenate(places), kind="stable"))
                if together.num_rows:
                    out.write_table(together.cast(schema))
                    written += together.num_rows
    return written
