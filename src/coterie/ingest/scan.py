"""The compiled loops of the reader of delimited text; imported only where they run, because numba loads slowly."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def split(  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    data, delimiter, quote, last, line, longest, starts, ends, lines, bounds, faults, doubled
):
    """Find rows and values in text that ends at a line end; return the rows, the bytes used and the next line."""
    size, width = data.size, starts.shape[0]
    at, row = 0, 0
    while at < size:
        if data[at] == 10:
            at, line = at + 1, line + 1
            continue
        if data[at] == 13 and data[at + 1] == 10:
            at, line = at + 2, line + 1
            continue
        begin, column, fault, breaks = at, 0, 0, 0
        while True:
            twice = False
            if data[at] == quote:
                left, right = at + 1, at + 1
                while right < size:
                    if data[right] == quote:
                        if right + 1 < size and data[right + 1] == quote:
                            twice = True
                            right += 1
                        else:
                            break
                    elif data[right] == 10:
                        breaks += 1
                        if right - begin > longest:
                            right = size
                            fault = 4
                            break
                    right += 1
                if right >= size:
                    if fault == 0 and not last:
                        return row, begin, line
                    fault = 4
                    break
                at = right + 1
                if not (data[at] == delimiter or data[at] == 10 or (data[at] == 13 and data[at + 1] == 10)):
                    fault = 3
                    break
            else:
                left = at
                while data[at] != delimiter and data[at] != 10:
                    at += 1
                right = at
                if data[at] == 10 and right > left and data[right - 1] == 13:
                    right -= 1
            if column < width:
                starts[column, row], ends[column, row], doubled[column, row] = left, right, twice
            column += 1
            if data[at] == delimiter:
                at += 1
                continue
            if data[at] == 13:
                at += 1
            break
        if fault == 0:
            fault = 1 if column < width else (2 if column > width else 0)
            end = at
            at, following = at + 1, line + breaks + 1
        else:
            at = begin
            while data[at] != 10:
                at += 1
            end = at
            at, following = at + 1, line + 1
        if data[end - 1] == 13 and end > begin:
            end -= 1
        lines[row], bounds[0, row], bounds[1, row], faults[row] = line, begin, end, fault
        if fault:
            for c in range(width):
                starts[c, row], ends[c, row], doubled[c, row] = 0, 0, False
        line = following
        row += 1
    return row, size, line


@njit(cache=True, nogil=True)
def gather(data, starts, ends, doubled, quote):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Copy values out of the text, a doubled quote as one; return their offsets and bytes."""
    offsets = np.empty(starts.size + 1, np.int32)
    total = 0
    for row in range(starts.size):
        total += ends[row] - starts[row]
    out = np.empty(total, np.uint8)
    at = 0
    for row in range(starts.size):
        offsets[row] = at
        if doubled[row]:
            source = starts[row]
            while source < ends[row]:
                out[at] = data[source]
                at += 1
                source += 2 if data[source] == quote else 1
        else:
            for source in range(starts[row], ends[row]):
                out[at] = data[source]
                at += 1
    offsets[starts.size] = at
    return offsets, out[:at]
