"""Who is eligible at each cut-off: people who did something of their own in the look-back, for whom a rule holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from coterie.audience import ledger
from coterie.core.clock import DAY
from coterie.core.schema import Union
from coterie.engine import people as persons
from coterie.engine.algebra import fold
from coterie.engine.sql import SqlEngine
from coterie.pql import check
from coterie.pql.analysis import audiences_read
from coterie.pql.conditions import conditions_of
from coterie.pql.normal import normalise
from coterie.prediction.definition import Model
from coterie.store.history import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Rows:
    """People at cut-offs, ordered by cut-off and person."""

    people: npt.NDArray[np.int32]
    cutoffs: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.people)

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Rows:
        """Return some of the rows."""
        return Rows(self.people[rows], self.cutoffs[rows])


def eligible(
    con: DuckDBPyConnection,
    union: Union,
    model: Model,
    rule: str | None,
    cutoffs: Sequence[int],
    anchor: int,
    people: BitMap | None = None,
) -> Rows:
    """Return who is eligible at each cut-off, by the events in `prediction_mark`.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    union : Union
        The fields there are.
    model : Model
        The model.
    rule : str or None
        The rule of the population, in PQL; memberships are those that the ledger has for the cut-off.
    cutoffs : sequence of int
        Instants, ms.
    anchor : int
        The instant from which the age of events is told, ms.
    people : BitMap, optional
        The only people asked about.
    """
    found: list[tuple[int, BitMap]] = []
    for cutoff in sorted(cutoffs):
        active = persons.read(con, active_at(model, (anchor - cutoff) // DAY))
        if rule is not None and active:
            active &= holding(con, union, model.view, rule, cutoff, active if people is not None else None)
        found.append((cutoff, active))
    return rows_of(found)


def active_at(model: Model, back: int) -> str:
    """Return the statement for who had done something in the look-back, so many days before the anchor."""
    lookback = model.population.lookback_days
    recent = "" if lookback is None else f" AND age < {back + lookback}"
    return f"SELECT DISTINCT person FROM prediction_mark WHERE own AND seen >= {back}{recent}"


def rows_of(found: Sequence[tuple[int, BitMap]]) -> Rows:
    """Return the rows of people at cut-offs."""
    if not found:
        return Rows(np.zeros(0, np.int32), np.zeros(0, np.int64))
    return Rows(
        np.concatenate([persons.numbers(people) for _, people in found]).astype(np.int32),
        np.concatenate([np.full(len(people), cutoff, np.int64) for cutoff, people in found]),
    )


def holding(con: DuckDBPyConnection, union: Union, view: str, rule: str, cutoff: int, people: BitMap | None) -> BitMap:
    """Return the people for whom a rule held at a cut-off, by what had happened before it."""
    expr = check(rule, union).require()
    conditions = normalise(expr, union)
    members = {name: ledger.members_at(con, name, cutoff) for name in sorted(audiences_read(expr))}
    engine = SqlEngine(con, union, until=cutoff - 1)
    universe = persons.read(con, f"SELECT person FROM {quote(f'profile_{view}')}") if people is None else people
    answers = engine.evaluate(conditions_of(conditions), view, cutoff, members, people)
    return fold(conditions, answers, universe)
