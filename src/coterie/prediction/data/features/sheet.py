"""The columns of features while they are filled in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from coterie.prediction.frame import Feature

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Columns = dict[str, npt.NDArray[Any]]


class Sheet:
    """Values of features for numbered rows.

    Parameters
    ----------
    features : sequence of Feature
        The columns.
    rows : int
        How many rows.
    """

    def __init__(self, features: Sequence[Feature], rows: int) -> None:
        self.rows = rows
        self.values = np.full((rows, len(features)), np.nan, dtype=np.float32, order="F")
        self._places = {feature.name: place for place, feature in enumerate(features)}

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def place(self, name: str) -> int:
        """Return the number of a column, -1 when there is none."""
        return self._places.get(name, -1)

    def column(self, name: str) -> npt.NDArray[np.float32]:
        """Return a column, to be read or written."""
        column: npt.NDArray[np.float32] = self.values[:, self._places[name]]
        return column

    def zero(self, names: Iterable[str]) -> None:
        """Fill columns with 0, as nothing was counted yet."""
        for name in names:
            if name in self:
                self.column(name)[:] = 0

    def scatter(
        self,
        rows: npt.NDArray[Any],
        kinds: npt.NDArray[Any],
        names: Sequence[str],
        values: npt.NDArray[Any],
    ) -> None:
        """Write values at rows, each in the column of its kind.

        Parameters
        ----------
        rows, kinds, values : array, shape (n,)
            Number of the row, number of the kind, and the value.
        names : sequence of str
            The name of the column of each kind; one that there is no column of is passed over.
        """
        places = np.array([self.place(name) for name in names], dtype=np.intp)
        if not (places >= 0).any():
            return
        target = places[kinds]
        kept = target >= 0
        if kept.all():
            self.values[rows, target] = values
        else:
            self.values[rows[kept], target[kept]] = values[kept]


def read(con: DuckDBPyConnection, statement: str) -> Columns:
    """Return the columns of an answer; a null is NaN."""
    found = con.execute(statement).fetchnumpy()
    return {
        name: np.ma.filled(column.astype(np.float64), np.nan)
        if isinstance(column, np.ma.MaskedArray) and column.mask is not np.ma.nomask and column.mask.any()
        else np.asarray(column)
        for name, column in found.items()
    }


def ratio(above: npt.NDArray[Any], below: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return a quotient; NaN where it would be by nothing."""
    result = np.full(len(above), np.nan, dtype=np.float32)
    np.divide(above, below, out=result, where=below > 0)
    return result
