"""The correctly rounded sum of binary doubles: the double nearest to the exact sum, whatever the order.

The exact sum is kept as doubles that do not overlap (Shewchuk 1997), as `math.fsum` does, compiled over the flat values
of all lists at once. DuckDB knows it as a function of lists.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from duckdb.func import PythonUDFType

if TYPE_CHECKING:
    from collections.abc import Callable

    from duckdb import DuckDBPyConnection

SUM_DOUBLES: Final = "COTERIE_SUM_DOUBLES"


def known_to(con: DuckDBPyConnection) -> None:
    """Let the database of a connection know the function, if it does not."""
    asked = "SELECT count(*) FROM duckdb_functions() WHERE upper(function_name) = $1"
    if not con.execute(asked, [SUM_DOUBLES]).fetchall()[0][0]:
        con.create_function(SUM_DOUBLES, _of_lists, ["DOUBLE[]"], "DOUBLE", type=PythonUDFType.ARROW)


def _of_lists(column: Any) -> Any:  # the connection evaluates what is written here
    return pa.chunked_array([_of_array(chunk) for chunk in column.chunks], type=pa.float64())


def _of_array(lists: Any) -> pa.Array[Any]:
    offsets = np.asarray(lists.offsets, dtype=np.int64)
    flat = lists.values
    values = flat.fill_null(0.0).to_numpy(zero_copy_only=False) if flat.null_count else flat.to_numpy()
    sums: pa.Array[Any] = pa.array(_kernel()(values, offsets))
    return sums


@cache
def _kernel() -> Callable[..., Any]:
    from numba import njit

    @njit(cache=True, nogil=True)
    def sums(values: Any, offsets: Any) -> Any:
        out = np.empty(len(offsets) - 1, dtype=np.float64)
        partials = np.empty(64, dtype=np.float64)
        for row in range(len(offsets) - 1):
            used = 0
            special = 0.0
            rough = 0.0
            overflowed = False
            for place in range(offsets[row], offsets[row + 1]):
                x = values[place]
                rough += x
                if not np.isfinite(x):
                    special += x
                    overflowed = True
                    continue
                kept = 0
                for other in range(used):
                    y = partials[other]
                    if abs(x) < abs(y):
                        x, y = y, x
                    high = x + y
                    low = y - (high - x)
                    if low != 0.0:
                        partials[kept] = low
                        kept += 1
                    x = high
                if not np.isfinite(x):
                    overflowed = True
                    special = rough
                    used = 0
                    continue
                partials[kept] = x
                used = kept + 1
            if overflowed:
                out[row] = special
                continue
            high = 0.0
            low = 0.0
            if used > 0:
                used -= 1
                high = partials[used]
                while used > 0:
                    x = high
                    used -= 1
                    y = partials[used]
                    high = x + y
                    low = y - (high - x)
                    if low != 0.0:
                        break
                if used > 0 and ((low < 0.0 and partials[used - 1] < 0.0) or (low > 0.0 and partials[used - 1] > 0.0)):
                    y = low * 2.0
                    x = high + y
                    if y == x - high:
                        high = x
            out[row] = high
        return out

    compiled: Callable[..., Any] = sums
    return compiled
