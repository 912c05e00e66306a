"""Marked events: one table of what happened, from which features, the population and labels are counted.

Times are told backwards from an *anchor*, a cut-off that all others lie whole days before: `elapsed` is the time since
the event, ms, and `age` its whole days, so that an event belongs to what was known at the cut-off `back` days before
the anchor if ``age >= back``. `seen` is the age at which it was known, for events that arrived late. Events of the same
day and kind can be added up once for all cut-offs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from pyroaring import BitMap

from coterie.core.clock import DAY
from coterie.core.schema import Leaf, Union, leaves
from coterie.engine import people as persons
from coterie.engine.sql import SqlEngine
from coterie.engine.sql.statements import PEOPLE
from coterie.ingest.sql import literal
from coterie.pql.ast import Expr
from coterie.pql.normal import event_form
from coterie.prediction.arrival import arrivals
from coterie.prediction.definition import Model
from coterie.prediction.features.subjects import Subjects
from coterie.prediction.predicates import condition, own, predicate
from coterie.prediction.vocabulary import Vocabulary

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

UNITS = 10_000
"""Sums are of whole ten-thousandths, so that their order does not matter."""
_MOST = 1e11
"""Amounts beyond are cut off; nothing that is bought costs as much, and their squares can still be added."""
_SHIFT = 100_000
"""Days added before whole days are counted, so that those after the anchor are rounded in the same direction."""


def age(elapsed: str) -> str:
    """Return the SQL of the whole days in a time before the anchor; less than 0 from the anchor on."""
    return f"(({elapsed} - 1 + {_SHIFT * DAY}) // {DAY} - {_SHIFT})::INTEGER"


def units(leaf: Leaf, column: str) -> str:
    """Return the SQL of a number of an event in whole units; of a list it is their sum."""
    for _ in range(leaf.depth - 1):
        column = f"flatten({column})"
    number = f"list_sum({column})::DOUBLE" if leaf.depth else f"{column}::DOUBLE"
    known = f"CASE WHEN isfinite({number}) THEN greatest(least({number}, {_MOST}), -{_MOST}) END"
    return f"round(({known}) * {UNITS})::BIGINT"


@dataclass(frozen=True)
class Compiled:
    """What the events of a model are asked, ready for every statement.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    union : Union
        The fields there are.
    model : Model
        The model.
    vocabulary : Vocabulary
        What its features are made of.
    """

    con: DuckDBPyConnection
    union: Union
    model: Model
    vocabulary: Vocabulary
    _statements: dict[tuple[bool, bool], str] = field(default_factory=dict)

    @cached_property
    def leaves(self) -> dict[str, Leaf]:
        """The values that events have, by path."""
        return {leaf.path: leaf for leaf in leaves(self.union.event)}

    @cached_property
    def conditions(self) -> dict[str, Expr | None]:
        """Conditions on one event: whether it is passed over, a person's own, and of each kind."""
        asked = {"passed": condition(self.model.exclusions), "own": own(self.model)}
        asked |= {f"k{number}": kind.pql or "true" for number, kind in enumerate(self.vocabulary.kinds)}
        return {name: event_form(text, self.union) for name, text in asked.items()}

    @cached_property
    def goals(self) -> dict[str, Expr | None]:
        """Conditions on one event: whether it is passed over, and of each event of the goal."""
        asked = {"passed": condition(self.model.exclusions)}
        asked |= {f"k{number}": predicate(event) for number, event in enumerate(self.model.goal.events)}
        return {name: event_form(text, self.union) for name, text in asked.items()}

    @cached_property
    def arrivals(self) -> dict[int, int]:
        """When each batch became known, for those of datasets that are filled as things happen."""
        return arrivals(self.con, self.model.view) if self.vocabulary.arrival == "recorded" else {}

    def source(self, *, goal: bool, restricted: bool) -> str:
        """Return the statement for the events, with all that is asked of them or only what the goal does."""
        key = (goal, restricted)
        if key not in self._statements:
            conditions = self.goals if goal else self.conditions
            found = SqlEngine(self.con, self.union).marks(
                conditions, self._columns(goal=goal), self.model.view, restricted=restricted
            )
            self._statements[key] = f"SELECT * FROM ({found}) WHERE NOT passed"
        return self._statements[key]

    def _columns(self, *, goal: bool) -> dict[str, str]:
        if goal:
            measured = [event.measure.sum for event in self.model.goal.events if event.measure is not None]
            return {f"v{number}": path for number, path in enumerate(dict.fromkeys(measured))}
        amounts = {f"v{number}": path for number, path in enumerate(self.amounted)}
        return amounts | {f"c{number}": found.field for number, found in enumerate(self.vocabulary.categories)}

    @cached_property
    def amounted(self) -> tuple[str, ...]:
        """The fields that are summed."""
        return tuple(dict.fromkeys(amount.field for amount in self.vocabulary.amounts))

    def late(self) -> str:
        """Return the SQL of what is added to the time of an event: events with a date alone count at its end."""
        if not self.vocabulary.dates:
            return "0"
        listed = ", ".join(map(literal, self.vocabulary.dates))
        found = self.con.execute(f"SELECT dataset FROM dataset WHERE id IN ({listed})").fetchall()
        numbers = ", ".join(str(number) for (number,) in sorted(found))
        return f"(CASE WHEN dataset IN ({numbers or 'NULL'}) THEN {DAY - 1} ELSE 0 END)"


@contextmanager
def marked(compiled: Compiled, anchor: int, upto: int, people: BitMap | None) -> Iterator[None]:
    """Let the table `prediction_mark` hold the events before an instant, while the block runs.

    Parameters
    ----------
    compiled : Compiled
        What is asked of them.
    anchor : int
        The instant from which their age is told, ms.
    upto : int
        Events from this instant on are left out, ms.
    people : BitMap or None
        Only those of some people.
    """
    con = compiled.con
    vocabulary = compiled.vocabulary
    extra = [f"k{number}" for number in range(len(vocabulary.kinds))]
    for number, path in enumerate(compiled.amounted):
        extra.append(f"{units(compiled.leaves[path], f'v{number}')} AS v{number}")
    for number, category in enumerate(vocabulary.categories):
        extra += _coded(number, compiled.leaves[category.field], category.values)
    extra.append(f"((happened // {DAY}) + 3) % 7 >= 5 AS weekend, (happened % {DAY}) // 3600000 AS hour")
    _make(compiled, anchor, upto, people, extra, goal=False)
    yield
    con.execute("DROP TABLE IF EXISTS prediction_mark")


@contextmanager
def goal_marked(compiled: Compiled, anchor: int, since: int, upto: int, people: BitMap | None) -> Iterator[None]:
    """Let the table `prediction_mark` hold the events of the goal between two instants, while the block runs."""
    measured = [event.measure.sum for event in compiled.model.goal.events if event.measure is not None]
    extra = [f"k{number}" for number in range(len(compiled.model.goal.events))]
    for number, path in enumerate(dict.fromkeys(measured)):
        extra.append(f"{units(compiled.leaves[path], f'v{number}')} AS v{number}")
    hit = " OR ".join(f"k{number}" for number in range(len(compiled.model.goal.events)))
    _make(compiled, anchor, upto, people, extra, goal=True, where=f"({hit}) AND elapsed <= {anchor - since}")
    yield
    compiled.con.execute("DROP TABLE IF EXISTS prediction_mark")


def _make(
    compiled: Compiled,
    anchor: int,
    upto: int,
    people: BitMap | None,
    extra: Sequence[str],
    *,
    goal: bool,
    where: str = "TRUE",
) -> None:
    con = compiled.con
    source = compiled.source(goal=goal, restricted=people is not None)
    own_column = "" if goal else ", own"
    seen, joined = age("elapsed"), ""
    known = {} if goal else compiled.arrivals
    if known:
        con.register(
            "prediction_batch",
            {"batch": np.array(list(known), np.int32), "arrived": np.array(list(known.values()), np.int64)},
        )
        joined = "LEFT JOIN prediction_batch b USING (batch)"
        seen = f"coalesce(least({seen}, {age(f'{anchor} - arrived')}), {seen})"
    statement = f"""
        CREATE OR REPLACE TEMP TABLE prediction_mark AS
        SELECT person, {age("elapsed")} AS age, {seen} AS seen, elapsed{own_column}, {", ".join(extra)}
        FROM (SELECT *, {anchor} - (happened + {compiled.late()}) AS elapsed FROM ({source})) {joined}
        WHERE elapsed > {anchor - upto} AND {where}
    """
    if people is None:
        con.execute(statement)
    else:
        with persons.lent(con, PEOPLE, people):
            con.execute(statement)
    if known:
        con.unregister("prediction_batch")


def _coded(number: int, leaf: Leaf, values: Sequence[str]) -> list[str]:
    """Return the SQL of the numbers (from 1) of the values that an event has of a field, and of hashes of all."""
    column = f"c{number}"
    for _ in range(leaf.depth - 1):
        column = f"flatten({column})"
    listed = f"[{', '.join(map(literal, values))}]::VARCHAR[]"
    if not leaf.depth:
        return [
            f"coalesce(list_position({listed}, {column}::VARCHAR), 0)::UTINYINT AS c{number}",
            f"hash({column}) AS h{number}, {column} IS NOT NULL AS p{number}",
        ]
    distinct = f"list_distinct({column}::VARCHAR[])"
    return [
        f"list_transform({distinct}, lambda x: coalesce(list_position({listed}, x), 0)::UTINYINT) AS c{number}",
        f"list_transform({distinct}, lambda x: hash(x)) AS h{number}",
    ]


# -- what is counted, of a part of the people -----------------------------------------------------------------------


def gather(compiled: Compiled, part: int, parts: int, *, rows_only: bool) -> None:
    """Make the tables that families of features read, of one of several parts of the people.

    `prediction_day` has how often each subject occurred on a day, `prediction_gap` the days of main kinds of events
    and the gap before each, `prediction_amount` the sums of each day, `prediction_habit` the times of day.
    """
    con = compiled.con
    where = "TRUE" if parts == 1 else f"person % {parts} = {part}"
    if rows_only:
        where += " AND person IN (SELECT person FROM prediction_row)"
    con.execute(f"CREATE OR REPLACE TEMP VIEW prediction_part AS SELECT * FROM prediction_mark WHERE {where}")
    con.execute(f"CREATE OR REPLACE TEMP TABLE prediction_day AS {_days(compiled)}")
    main = [number for number, kind in enumerate(compiled.vocabulary.kinds) if kind.main]
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE prediction_gap AS
        SELECT person, subject, age, before - age AS gap, least(known, coalesce(earlier, known)) AS seen FROM (
            SELECT person, subject, age, known, lag(age) OVER days AS before, lag(known) OVER days AS earlier FROM (
                SELECT person, subject, age, max(seen) AS known FROM prediction_day
                WHERE subject IN ({", ".join(map(str, main))}) GROUP BY person, subject, age
            ) WINDOW days AS (PARTITION BY person, subject ORDER BY age DESC)
        )
        """
    )
    if compiled.vocabulary.amounts:
        con.execute(f"CREATE OR REPLACE TEMP TABLE prediction_amount AS {_amounts(compiled)}")
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE prediction_habit AS
        SELECT person, seen, count(*) AS n, sum(weekend::INTEGER) AS weekend, sum("hour") AS hours
        FROM prediction_part WHERE own GROUP BY person, seen
        """
    )


def forget(con: DuckDBPyConnection) -> None:
    """Drop the tables that `gather` made."""
    con.execute("DROP VIEW IF EXISTS prediction_part")
    for name in ("day", "gap", "amount", "habit", "row"):
        con.execute(f"DROP TABLE IF EXISTS prediction_{name}")


def _days(compiled: Compiled) -> str:
    subjects = Subjects(compiled.vocabulary)
    happened = [
        f"SELECT person, {number}::SMALLINT AS subject, age, seen, elapsed FROM prediction_part WHERE k{number}"
        for number in range(len(compiled.vocabulary.kinds))
    ]
    varied = []
    for number, category in enumerate(compiled.vocabulary.categories):
        base = subjects.bases[number] - 1
        several = compiled.leaves[category.field].depth > 0
        code, value = (f"unnest(c{number})", f"unnest(h{number})") if several else (f"c{number}", f"h{number}")
        happened.append(
            f"SELECT person, ({base} + code)::SMALLINT, age, seen, elapsed FROM "
            f"(SELECT person, {code} AS code, age, seen, elapsed FROM prediction_part WHERE own) WHERE code > 0"
        )
        there = "" if several else f" AND p{number}"
        varied.append(
            f"SELECT person, {subjects.varied + number}::SMALLINT AS subject, seen AS age, seen, "
            f"count(*)::INTEGER AS n, seen::BIGINT * {DAY} + 1 AS elapsed FROM (SELECT person, max(seen) AS seen FROM "
            f"(SELECT person, {value} AS value, seen FROM prediction_part WHERE own{there}) GROUP BY person, value) "
            "GROUP BY person, seen"
        )
    counted = (
        "SELECT person, subject, age, seen, count(*)::INTEGER AS n, min(elapsed) AS elapsed "
        f"FROM ({' UNION ALL '.join(happened)}) GROUP BY person, subject, age, seen"
    )
    return " UNION ALL ".join([counted, *varied])


def _amounts(compiled: Compiled) -> str:
    numbers: Mapping[str, int] = Subjects(compiled.vocabulary).numbers
    parts = []
    for place, amount in enumerate(compiled.vocabulary.amounts):
        column = f"v{compiled.amounted.index(amount.field)}"
        parts.append(
            f"SELECT person, {place}::SMALLINT AS amount, age, seen, count(*)::INTEGER AS n, sum({column}) AS total, "
            f"sum({column}::HUGEINT * {column}) AS squares, max({column}) AS largest FROM prediction_part "
            f"WHERE k{numbers[amount.kind]} AND {column} IS NOT NULL GROUP BY person, age, seen"
        )
    return " UNION ALL ".join(parts)
