"""One person at one cut-off: the events are read, and one statement that is planned once says all that is counted.

To plan the statements of features takes longer than to run them over the events of one person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from coterie.engine.sql.marks import FEW
from coterie.prediction.data.events import Compiled, arriving, few_marked
from coterie.prediction.data.features.sheet import Columns
from coterie.prediction.data.gathering import Gathered, inline
from coterie.prediction.data.population import active_at
from coterie.prediction.frame import Family
from coterie.store.history import by_identity, quote
from coterie.store.history.columns import columns
from coterie.store.history.planned import handed, planned

MOST = 2_000
"""Events that are handed over: the values of more take longer to hand over than statements to plan."""
_EVENTS, _BATCHES = "coterie_events", "coterie_batches"


@dataclass(frozen=True)
class Found:
    """What the statements of features found of a person, and whether the person had done something in the look-back."""

    active: bool
    families: Mapping[Family, Columns]


@dataclass(frozen=True)
class Single:
    """Tells what was known of one person at a time.

    Parameters
    ----------
    compiled : Compiled
        What is asked of events.
    statements : callable
        Gives the statement of each family of features.
    """

    compiled: Compiled
    statements: Callable[[Gathered], Mapping[Family, str]]

    def find(self, identities: Sequence[tuple[int, int]], cutoff: int) -> Found | None:
        """Return what was known of a person at a cut-off; None where there are too many events for that.

        Parameters
        ----------
        identities : sequence of pairs of int
            The person with each identity.
        cutoff : int
            Instant, ms: only what happened before it is told.
        """
        con = self.compiled.con
        with ExitStack() as stack:
            read = by_identity.events_of(
                self.compiled.model.view, identities, [quote(name) for name in self.compiled.read]
            )
            events = stack.enter_context(handed(con, _EVENTS, read))
            if con.execute(f"SELECT coalesce(len({events}), 0)").fetchall()[0][0] > MOST:
                return None
            arguments = {"events": events, "person": str(identities[0][0]), "anchor": str(cutoff)}
            late = stack.enter_context(arriving(self.compiled))
            if late:
                arguments["batches"] = stack.enter_context(handed(con, _BATCHES, "SELECT * FROM prediction_batch"))
            name = planned(con, self._late if late else self._timely)
            listed = ", ".join(f"{key} := {value}" for key, value in arguments.items())
            answer = con.execute(f"EXECUTE {name}({listed})")
            kinds = [dict(column[1].children)["child"] for column in answer.description]
            (row,) = answer.fetchall()
        told = [_columns(kind, rows or []) for kind, rows in zip(kinds, row, strict=True)]
        return Found(bool(len(told[0]["person"])), dict(zip(self._asked, told[1:], strict=True)))

    @cached_property
    def _asked(self) -> Mapping[Family, str]:
        return self.statements(inline(self.compiled.vocabulary))

    @cached_property
    def _timely(self) -> str:
        return self._statement([])

    @cached_property
    def _late(self) -> str:
        batch = "STRUCT(batch INTEGER, arrived BIGINT)[]"
        return self._statement([f"prediction_batch AS (SELECT unnest($batches::{batch}, max_depth := 2))"])

    def _statement(self, more: list[str]) -> str:
        """Return the statement that reads its parameters alone, and answers with a list for each that is asked."""
        there = columns(self.compiled.con, f"event_by_identity_of_{self.compiled.model.view}") | {"person": "INTEGER"}
        event = ", ".join(f"{quote(name)} {there[name]}" for name in ("person", *self.compiled.read))
        parts = [
            f"{FEW} AS (SELECT unnest($events::STRUCT({event})[], max_depth := 2))",
            *more,
            f"prediction_mark AS MATERIALIZED ({few_marked(self.compiled, '$anchor::BIGINT')})",
            'prediction_asked AS (SELECT 0::INTEGER AS "row", $person::INTEGER AS person, 0::INTEGER AS back)',
        ]
        asked = [active_at(self.compiled.model, 0), *self._asked.values()]
        return f"WITH {', '.join(parts)} SELECT {', '.join(f'(SELECT list(a) FROM ({query}) a)' for query in asked)}"


def _columns(kind: Any, rows: Sequence[Mapping[str, Any]]) -> Columns:
    """Return rows, each a struct of a kind, as columns of numbers; a null is NaN."""
    found: Columns = {}
    for name, _ in kind.children:
        column = np.array([np.nan if row[name] is None else row[name] for row in rows], None if rows else np.int64)
        found[name] = column.astype(np.float64) if column.dtype == object else column
    return found
