"""JSON lines as Arrow batches in which every row knows its line."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from coterie.ingest.delimited import BAD_ENCODING, FAULT, LINE, TEXT
from coterie.ingest.text import MARK

_COLUMNS: dict[str, pa.DataType] = {LINE: pa.int64(), FAULT: pa.string(), TEXT: pa.string()}
SCHEMA = pa.schema(_COLUMNS)
_MARK = MARK.encode()


def batches(pieces: Iterator[bytes]) -> Iterator[pa.RecordBatch]:
    """Yield the lines of a file that are not blank, with their numbers.

    Parameters
    ----------
    pieces : iterator of bytes
        The file's text, in pieces that end at line ends.
    """
    line = 1
    for piece in pieces:
        data = np.frombuffer(piece, np.uint8)
        ends = np.flatnonzero(data == 10) + 1
        starts = np.concatenate(([0], ends[:-1]))
        lengths = ends - starts
        blank = (lengths == 1) | ((lengths == 2) & (data[starts] == 13))
        offsets = np.concatenate((starts, ends[-1:])).astype(np.int32)
        texts = pa.StringArray.from_buffers(len(starts), pa.py_buffer(offsets.data), pa.py_buffer(piece))
        marks = np.zeros(len(starts), np.bool_)
        at = piece.find(_MARK)
        if at >= 0:
            found = np.flatnonzero(data == _MARK[0])
            found = found[(data[found + 1] == _MARK[1]) & (data[found + 2] == _MARK[2])]
            marks[np.searchsorted(starts, found, side="right") - 1] = True
        faults = pa.array([BAD_ENCODING]).take(pa.array(np.zeros(len(starts), np.int8), pa.int8(), mask=~marks))
        batch = pa.RecordBatch.from_arrays(
            [pa.array(np.arange(line, line + len(starts))), faults, texts], schema=SCHEMA
        )
        line += len(starts)
        yield batch.filter(pa.array(~blank)) if blank.any() else batch
