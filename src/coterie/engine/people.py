"""Persons between DuckDB and memory: a column read as a bitmap, a bitmap lent to statements as a table."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyroaring import BitMap

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


ROWS = 1 << 20
"""Rows of an answer that are held at a time."""


def bitmap(people: npt.NDArray[np.integer[Any]]) -> BitMap:
    """Return persons in any order as a bitmap; it takes an `array` whole, anything else number by number."""
    numbers = array("I")
    numbers.frombytes(np.sort(people.astype(np.uint32)).tobytes())
    return BitMap(numbers)


def numbers(people: BitMap) -> npt.NDArray[np.int32]:
    """Return persons in ascending order."""
    return np.asarray(people.to_array()).astype(np.int32)


def read(con: DuckDBPyConnection, statement: str, parameters: Sequence[Any] = ()) -> BitMap:
    """Return the persons in the column ``person`` of an answer."""
    columns = con.execute(statement, list(parameters)).fetchnumpy()
    return bitmap(np.asarray(columns["person"]))


def read_truths(con: DuckDBPyConnection, statement: str, widths: Sequence[int]) -> list[list[BitMap]]:
    """Return for each group of an answer, and for each of its truths, the persons for whom it holds.

    Parameters
    ----------
    con : DuckDBPyConnection
        Where to ask.
    statement : str
        Gives the columns ``group`` (0, 1, …), ``person`` and the truths ``t0``, ``t1``, …, which are never null.
    widths : sequence of int
        How many of the truths mean something in each group.
    """
    reader = con.sql(statement).to_arrow_reader(ROWS)
    assert reader is not None
    return truths_of(reader, widths)


def read_table(con: DuckDBPyConnection, statement: str) -> pa.Table:
    """Return an answer whole."""
    reader = con.sql(statement).to_arrow_reader(ROWS)
    assert reader is not None
    table: pa.Table = reader.read_all()
    return table


def truths_of(batches: Iterable[pa.RecordBatch], widths: Sequence[int]) -> list[list[BitMap]]:
    """Return for each group of an answer, and for each of its truths, the persons for whom it holds."""
    found: list[list[list[npt.NDArray[np.integer[Any]]]]] = [[[] for _ in range(width)] for width in widths]
    for batch in batches:
        people = batch["person"].to_numpy()
        truths = [batch[f"t{place}"].to_numpy(zero_copy_only=False) for place in range(max(widths))]
        if len(widths) > 1:
            groups = batch["group"].to_numpy()
            order = np.argsort(groups, kind="stable")
            people, truths = people[order], [truth[order] for truth in truths]
            edges = np.searchsorted(groups[order], np.arange(len(widths) + 1))
        else:
            edges = np.array([0, len(people)])
        for group, (low, high) in enumerate(pairwise(edges)):
            for chosen, truth in zip(found[group], truths, strict=False):
                chosen.append(people[low:high][truth[low:high]])
    none = np.zeros(0, np.uint32)
    return [[bitmap(np.concatenate([none, *chosen])) for chosen in group] for group in found]


@dataclass(frozen=True)
class Instants:
    """Persons in ascending order, and an instant (ms) of each."""

    people: npt.NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    instants: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


def read_instants(con: DuckDBPyConnection, statement: str) -> Instants:
    """Return the persons in the column ``person`` of an answer, each with what stands under ``instant``."""
    columns = con.execute(statement).fetchnumpy()
    people, instants = np.asarray(columns["person"], np.int32), np.asarray(columns["instant"], np.int64)
    order = np.argsort(people)
    return Instants(people[order], instants[order])


def earliest(found: Iterable[Instants]) -> Instants:
    """Return the earliest instant of each person."""
    parts = list(found)
    if not parts:
        return Instants()
    people, instants = (np.concatenate([getattr(part, name) for part in parts]) for name in ("people", "instants"))
    order = np.lexsort((instants, people))
    people, instants = people[order], instants[order]
    first = np.ones(len(people), bool)
    first[1:] = people[1:] != people[:-1]
    return Instants(people[first], instants[first])


@contextmanager
def lent(con: DuckDBPyConnection, name: str, people: BitMap) -> Iterator[str]:
    """Let a table `name` with the column ``person`` hold these persons while the block runs.

    After an error the name is left standing: a transaction that failed takes no statement, and the error is to be seen.
    """
    con.register(name, {"person": numbers(people)})  # DuckDB imports pandas, a second, to register an Arrow table
    yield name
    con.unregister(name)
