"""Kinds of events that a model names and that never happened: most often a value that is written otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from coterie.core.errors import suggestion
from coterie.core.schema import Union
from coterie.prediction.definition import GoalEvent, Kind, Model
from coterie.prediction.problems import Problem, event_never_seen, goal_never_before
from coterie.prediction.trust.extent import Extent, values_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def problems_of(con: DuckDBPyConnection, union: Union, model: Model, seen: Extent) -> Iterator[Problem]:
    """Yield what is to be said of the kinds of events of a model that have not happened once.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    union : Union
        The fields there are.
    model : Model
        The model.
    seen : Extent
        How often each of them happened.
    """
    if seen.first is None or seen.last is None:
        return
    never = [kind for kind, hits in zip(model.kinds, seen.hits, strict=True) if not hits]
    goals = [event for event in model.goal.events if event in never]
    if goals and (model.goal.combiner == "all_of" or len(goals) == len(model.goal.events)):
        meant = _meant(con, union, model, goals)
        yield goal_never_before([event.name for event in goals], seen.first, seen.last, meant)
        goals = []
    told: tuple[tuple[str, Iterable[Kind | GoalEvent]], ...] = (
        ("the event of the goal", goals),
        ("the custom event", model.custom_events),
        ("the exposure", model.exposures),
        ("the exclusion", model.exclusions),
    )
    for what, kinds in told:
        for kind in kinds:
            if kind in never:
                yield event_never_seen(kind.name, what, seen.first, seen.last, _meant(con, union, model, [kind]))


def _meant(con: DuckDBPyConnection, union: Union, model: Model, kinds: Iterable[Kind | GoalEvent]) -> str | None:
    """Return a suggestion when a text that is asked for is nearly one that events have."""
    for kind in kinds:
        for test in kind.where:
            asked = test.value if isinstance(test.value, list | tuple) else [test.value]
            texts = [value for value in asked if isinstance(value, str)] if test.op in ("eq", "in") else []
            there = values_of(con, union, model.view, test.field) if texts else []
            for text in texts:
                if text not in there and (meant := suggestion(text, there)):
                    return f"No event has {text!r} as its {test.field}. {meant}"
    return None
