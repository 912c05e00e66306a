"""What is known of people themselves: attributes of their profiles, as of each cut-off where that can be told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from coterie.computed.kind import value_field
from coterie.core.clock import DAY
from coterie.core.schema import COMPUTED, PREDICTED, Field, FieldType, Leaf, Union, leaves
from coterie.engine.people import bitmap, read_table
from coterie.engine.sql import SqlEngine
from coterie.pql.ast import Expr
from coterie.pql.printer import path as path_of
from coterie.prediction.data.cutoffs import Cutoffs
from coterie.prediction.data.features.sheet import Sheet
from coterie.prediction.data.vocabulary import Known, Source, Vocabulary
from coterie.prediction.definition import Model
from coterie.prediction.frame import Family, Feature
from coterie.profile.bulk import known_at
from coterie.profile.policy import View
from coterie.store.history import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FEW = 50_000
"""People up to whom only they are asked about."""
COVERED = 0.3
"""The least share of people whose value was known at the earliest cut-off of an attribute with a history."""
VALUES = 30
"""Values of a text that are told apart."""
_TRUTHS = ("false", "true")
_TIMES = (FieldType.DATE, FieldType.DATETIME)
_NUMBERS = (FieldType.INTEGER, FieldType.NUMBER)


def known(
    con: DuckDBPyConnection, union: Union, model: Model, cutoffs: Cutoffs, policy: View | None
) -> tuple[Known, ...]:
    """Return the attributes that a model names, with how they are known and their most frequent values.

    Values of texts are those of the newest training cut-off, or as they are now where only that is known. Scores are
    never learnt from, nor what the model protects. An attribute has a history when, at the earliest cut-off, records
    taken in before it tell of at least `COVERED` of the people of whom it is known at the instant of scoring; `policy`
    says how records are merged, and without it nothing has a history.
    """
    newest = cutoffs.training[0] if cutoffs.training else cutoffs.scoring
    found = []
    for attribute in model.attributes:
        path = attribute.field
        if path.startswith(f"{PREDICTED}.") or path in model.protected:
            continue
        field, expr = read(path, union)
        source: Source = "computed" if path.startswith(f"{COMPUTED}.") else "snapshot"
        leaf = _leaves(union).get(path)
        if policy is not None and leaf is not None and _covered(con, policy, leaf, cutoffs) >= COVERED:
            source = "history"
        values: tuple[str, ...] = ()
        if field.type is FieldType.BOOLEAN:
            values = _TRUTHS
        elif field.type is FieldType.STRING:
            if source == "history" and policy is not None and leaf is not None:
                told = f"SELECT {quote(path)} AS value FROM ({known_at(con, policy, [leaf], newest)})"
            else:
                told = SqlEngine(con, union, until=newest - 1).projection({"value": expr}, model.view, newest)
            rows = con.execute(
                f"SELECT value FROM ({told}) WHERE value IS NOT NULL "
                f"GROUP BY value ORDER BY count(*) DESC, value LIMIT {VALUES}"
            ).fetchall()
            values = tuple(str(value) for (value,) in rows)
        elif field.type not in (*_TIMES, *_NUMBERS):
            continue
        found.append(Known(path, source, values))
    return tuple(found)


def _leaves(union: Union) -> dict[str, Leaf]:
    return {leaf.path: leaf for leaf in leaves(union.profile) if not leaf.depth}


def _covered(con: DuckDBPyConnection, policy: View, leaf: Leaf, cutoffs: Cutoffs) -> float:
    """Return of how many people a value was known at the earliest cut-off, for each of whom it is known at the last."""
    early, late = (
        int(
            con.execute(f"SELECT count({quote(leaf.path)}) FROM ({known_at(con, policy, [leaf], at)})").fetchall()[0][0]
        )
        for at in (cutoffs.earliest, cutoffs.scoring)
    )
    return early / late if late else 0.0


def read(path: str, union: Union) -> tuple[Field, Expr]:
    """Return the type of an attribute, and the expression that reads it; raises `PqlError` for an unknown one."""
    return value_field(path_of(path.split(".")), union)


def features(vocabulary: Vocabulary) -> Iterator[Feature]:
    """Yield a feature for each attribute."""
    for found in vocabulary.attributes:
        path = found.field
        yield Feature(f"attribute:{path}", Family.ATTRIBUTES, path, f"attribute:{path}", values=found.values)


def fill(
    con: DuckDBPyConnection,
    union: Union,
    vocabulary: Vocabulary,
    view: str,
    policy: View | None,
    sheet: Sheet,
    people: npt.NDArray[np.int32],
    cutoffs: npt.NDArray[np.int64],
) -> None:
    """Fill in the features of this family, for rows of people at cut-offs."""
    past = [found for found in vocabulary.attributes if found.source == "history" and policy is not None]
    present = [found for found in vocabulary.attributes if found not in past]
    fields = {found.field: read(found.field, union) for found in vocabulary.attributes}
    for cutoff in np.unique(cutoffs).tolist() if vocabulary.attributes else ():
        rows = np.flatnonzero(cutoffs == cutoff)
        few = bitmap(people[rows]) if len(rows) <= FEW else None
        tables = []
        if present:
            exprs = {found.field: fields[found.field][1] for found in present}
            tables.append((present, SqlEngine(con, union, until=cutoff - 1).values(exprs, view, cutoff, few)))
        if past:
            assert policy is not None
            asked = [_leaves(union)[found.field] for found in past]
            tables.append((past, read_table(con, known_at(con, policy, asked, cutoff, few))))
        for attributes, table in tables:
            persons = table["person"].to_numpy()
            order = np.argsort(persons)
            if not len(order):
                continue
            place = np.minimum(np.searchsorted(persons[order], people[rows]), len(order) - 1)
            there = persons[order][place] == people[rows]
            for found in attributes:
                values = numbers(table[found.field], fields[found.field][0], found.values, cutoff)
                sheet.column(f"attribute:{found.field}")[rows[there]] = values[order][place[there]]


def age(union: Union, vocabulary: Vocabulary, sheet: Sheet, days: npt.NDArray[np.float64]) -> None:
    """Let days pass for attributes that are dates: what was so many days ago is longer ago."""
    for found in vocabulary.attributes:
        if read(found.field, union)[0].type in _TIMES:
            sheet.column(f"attribute:{found.field}")[:] += days.astype(np.float32)


def numbers(column: Any, field: Field, values: Sequence[str], cutoff: int) -> npt.NDArray[np.float32]:
    """Return the values of an attribute as numbers: of text its place among the values, of times days before a cut-off.

    Parameters
    ----------
    column : pyarrow.ChunkedArray
        The values.
    field : Field
        Their type.
    values : sequence of str
        The values that are told apart.
    cutoff : int
        The cut-off, ms.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if field.type in (FieldType.STRING, FieldType.BOOLEAN):
        text = pc.cast(column, pa.string())
        column = pc.index_in(text, value_set=pa.array(list(values), pa.string()))
    found: npt.NDArray[np.float64] = pc.cast(column, pa.float64(), safe=False).to_numpy()
    if field.type in _TIMES:
        found = (cutoff - found) / DAY
    return found.astype(np.float32)
