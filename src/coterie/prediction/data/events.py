"""Marked events: one table of what happened, from which features, the population and labels are counted.

Times are told backwards from an *anchor*, a cut-off that all others lie whole days before: `elapsed` is the time since
the event, ms, and `age` its whole days, so that an event belongs to what was known at the cut-off `back` days before
the anchor if ``age >= back``. `seen` is the age at which it was known, for events that arrived late. Events of the same
day and kind can be added up once for all cut-offs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal, assert_never

import numpy as np
from pyroaring import BitMap

from coterie.core.clock import DAY
from coterie.core.schema import Leaf, Union, leaves
from coterie.engine import people as persons
from coterie.engine.sql import SqlEngine
from coterie.engine.sql.marks import FEW, Whose
from coterie.engine.sql.statements import PEOPLE
from coterie.ingest.sql import literal
from coterie.pql.ast import Expr
from coterie.prediction import predicates
from coterie.prediction.data.arrival import arrivals
from coterie.prediction.data.features.subjects import Subjects
from coterie.prediction.data.vocabulary import Vocabulary
from coterie.prediction.definition import Model
from coterie.prediction.predicates import predicate
from coterie.store.history import by_identity, quote

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


Asked = Literal["own", "goal", "all"]
"""What is asked of events: whether people did them, whether they are of the goal, or all that features are made of."""


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
    _statements: dict[tuple[Asked, Whose], str] = field(default_factory=dict)
    _arrivals: dict[tuple[int, ...], dict[int, int]] = field(default_factory=dict)

    @cached_property
    def leaves(self) -> dict[str, Leaf]:
        """The values that events have, by path."""
        return {leaf.path: leaf for leaf in leaves(self.union.event)}

    @property
    def arrivals(self) -> dict[int, int]:
        """When each batch became known, for those of datasets that are filled as things happen."""
        if self.vocabulary.arrival != "recorded":
            return {}
        batches = self.con.execute("SELECT count(*), max(batch), count(withdrawn_at) FROM batch").fetchall()[0]
        if batches not in self._arrivals:
            self._arrivals.clear()
            self._arrivals[batches] = arrivals(self.con, self.model.view)
        return self._arrivals[batches]

    def source(self, asked: Asked, whose: Whose) -> str:
        """Return the statement for the events, with all that is asked of them or a part of it."""
        key = (asked, whose)
        if key not in self._statements:
            found = SqlEngine(self.con, self.union).marks(
                self._conditions(asked), self._columns(asked), self.model.view, whose
            )
            self._statements[key] = f"SELECT * FROM ({found}) WHERE NOT passed"
        return self._statements[key]

    @cached_property
    def read(self) -> tuple[str, ...]:
        """The columns of events that are read where all is asked of few people."""
        engine = SqlEngine(self.con, self.union)
        return engine.marks_read(self._conditions("all"), self._columns("all"), self.model.view)

    def _conditions(self, asked: Asked) -> dict[str, Expr | None]:
        """Return conditions on one event: whether it is passed over, a person's own, and of each kind."""
        match asked:
            case "own":
                return predicates.asked(self.model, self.union, {})
            case "goal":
                kinds = {f"k{number}": predicate(event) for number, event in enumerate(self.model.goal.events)}
                return predicates.asked(self.model, self.union, kinds, by_whom=False)
            case "all":
                kinds = {f"k{number}": kind.pql or "true" for number, kind in enumerate(self.vocabulary.kinds)}
                return predicates.asked(self.model, self.union, kinds)
            case _:
                assert_never(asked)

    def _columns(self, asked: Asked) -> dict[str, str]:
        match asked:
            case "own":
                return {}
            case "goal":
                return {f"v{number}": path for number, path in enumerate(self.model.goal.measured)}
            case "all":
                amounts = {f"v{number}": path for number, path in enumerate(self.amounted)}
                return amounts | {f"c{number}": found.field for number, found in enumerate(self.vocabulary.categories)}
            case _:
                assert_never(asked)

    @cached_property
    def amounted(self) -> tuple[str, ...]:
        """The fields that are summed."""
        return tuple(dict.fromkeys(amount.field for amount in self.vocabulary.amounts))

    @cached_property
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

    Of each it has the numbers of its subjects, the values of its fields by which it is different from others, and its
    amounts, as lists.

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
    with _table(compiled, "all", _all_columns(compiled), anchor, upto, people):
        yield


def few_marked(compiled: Compiled, anchor: str) -> str:
    """Return the query for what `prediction_mark` holds, of the events in `FEW` before an instant, given in SQL."""
    return _query(compiled, "all", _all_columns(compiled), "few", anchor, 0)


def _all_columns(compiled: Compiled) -> dict[str, str]:
    columns = {"own": "own", "subjects": _subjects(compiled)}
    if compiled.vocabulary.categories:
        columns["varied"] = _varied(compiled)
    if compiled.vocabulary.amounts:
        columns["amounts"] = _amounts(compiled)
    return columns | {"weekend": f"((happened // {DAY}) + 3) % 7 >= 5", "hour": f"(happened % {DAY}) // 3600000"}


@contextmanager
def own_marked(compiled: Compiled, anchor: int, upto: int, people: BitMap | None) -> Iterator[None]:
    """Let the table `prediction_mark` hold what people did of their own before an instant, while the block runs."""
    with _table(compiled, "own", {"own": "own"}, anchor, upto, people, "own"):
        yield


@contextmanager
def goal_marked(compiled: Compiled, anchor: int, since: int, upto: int, people: BitMap | None) -> Iterator[None]:
    """Let the table `prediction_mark` hold the events of the goal between two instants, while the block runs."""
    columns = {f"k{number}": f"k{number}" for number in range(len(compiled.model.goal.events))}
    columns |= {f"v{number}": f"u{number}" for number in range(len(compiled.model.goal.measured))}
    hit = " OR ".join(f"k{number}" for number in range(len(compiled.model.goal.events)))
    where = f"({hit}) AND elapsed <= {anchor - since}"
    with _table(compiled, "goal", columns, anchor, upto, people, where):
        yield


@contextmanager
def _table(
    compiled: Compiled,
    asked: Asked,
    columns: Mapping[str, str],
    anchor: int,
    upto: int,
    people: BitMap | None,
    where: str = "TRUE",
) -> Iterator[None]:
    con = compiled.con
    with arriving(compiled) if asked != "goal" else nullcontext():
        table = "CREATE OR REPLACE TEMP TABLE prediction_mark AS"
        query = partial(_query, compiled, asked, columns, anchor=str(anchor), least=anchor - upto, where=where)
        view = compiled.model.view
        identities = [] if people is None else by_identity.of_people(con, view, people)
        if identities:
            con.execute(f"{table} WITH {FEW} AS ({by_identity.events_of(view, identities)}) {query(whose='few')}")
        else:
            with nullcontext() if people is None else persons.lent(con, PEOPLE, people):
                con.execute(f"{table} {query(whose='everybody' if people is None else 'lent')}")
    yield
    con.execute("DROP TABLE IF EXISTS prediction_mark")


@contextmanager
def arriving(compiled: Compiled) -> Iterator[bool]:
    """Let the table `prediction_batch` tell when batches became known while the block runs; give whether any are."""
    arrived = compiled.arrivals
    if arrived:
        compiled.con.register(
            "prediction_batch",
            {"batch": np.array(list(arrived), np.int32), "arrived": np.array(list(arrived.values()), np.int64)},
        )
    yield bool(arrived)
    if arrived:
        compiled.con.unregister("prediction_batch")


def _query(
    compiled: Compiled,
    asked: Asked,
    columns: Mapping[str, str],
    whose: Whose,
    anchor: str,
    least: int,
    where: str = "TRUE",
) -> str:
    """Return the query for marked events that happened more than a time, ms, before the anchor."""
    seen, joined = age("elapsed"), ""
    if asked != "goal" and compiled.arrivals:
        joined = "LEFT JOIN prediction_batch b USING (batch)"
        seen = f"coalesce(least({seen}, {age(f'{anchor} - arrived')}), {seen})"
    more = "".join(f", {sql} AS {quote(name)}" for name, sql in columns.items())
    whole = "".join(f", {sql} AS {quote(name)}" for name, sql in _units(compiled, asked).items())
    return f"""
        SELECT person, {age("elapsed")} AS age, {seen} AS seen, elapsed{more}
        FROM (
            SELECT *, {anchor} - (happened + {compiled.late}) AS elapsed{whole}
            FROM ({compiled.source(asked, whose)})
        )
        {joined} WHERE elapsed > {least} AND {where}
    """


def _units(compiled: Compiled, asked: Asked) -> dict[str, str]:
    """Return the SQL of the numbers that are read of events in whole units, each said once."""
    fields = {"own": (), "goal": compiled.model.goal.measured, "all": compiled.amounted}[asked]
    return {f"u{number}": units(compiled.leaves[path], f"v{number}") for number, path in enumerate(fields)}


def _subjects(compiled: Compiled) -> str:
    """Return the SQL of the numbers of the subjects of an event: its kinds, and the values it has of fields."""
    vocabulary = compiled.vocabulary
    single = [f"CASE WHEN k{number} THEN {number} END" for number in range(len(vocabulary.kinds))]
    lists = []
    for number, category in enumerate(vocabulary.categories):
        base = Subjects(vocabulary).bases[number] - 1
        listed = f"[{', '.join(map(literal, category.values))}]::VARCHAR[]"
        several = _several(compiled, number)
        if several is None:
            single.append(f"CASE WHEN own THEN nullif(list_position({listed}, c{number}::VARCHAR), 0) + {base} END")
        else:
            places = f"list_transform({several}, lambda x: nullif(list_position({listed}, x), 0) + {base})"
            lists.append(f"CASE WHEN own THEN {places} ELSE [] END")
    joined = f"[{', '.join(single)}]::SMALLINT[]"
    for each in lists:
        joined = f"list_concat({joined}, ({each})::SMALLINT[])"
    return f"list_filter({joined}, lambda x: x IS NOT NULL)"


def _several(compiled: Compiled, number: int) -> str | None:
    """Return the SQL of the different values that an event has of a category; None where it has one at most."""
    depth = compiled.leaves[compiled.vocabulary.categories[number].field].depth
    column = f"c{number}"
    for _ in range(depth - 1):
        column = f"flatten({column})"
    return f"list_distinct({column}::VARCHAR[])" if depth else None


def _varied(compiled: Compiled) -> str:
    """Return the SQL of the values of an event, whatever they are: the number of the field and a hash of each."""
    first = Subjects(compiled.vocabulary).varied
    single, joined = [], ""
    for number in range(len(compiled.vocabulary.categories)):
        several = _several(compiled, number)
        subject = f"{first + number}::SMALLINT"
        if several is None:
            pair = f"{{'subject': {subject}, 'hash': hash(c{number}::VARCHAR)}}"
            single.append(f"CASE WHEN own AND c{number} IS NOT NULL THEN {pair} END")
        else:
            pair = f"{{'subject': {subject}, 'hash': hash(x)}}"
            found = f"CASE WHEN own THEN list_transform({several}, lambda x: {pair}) ELSE [] END"
            joined = f"list_concat({joined}, {found})" if joined else found
    listed = f"list_filter([{', '.join(single)}], lambda x: x IS NOT NULL)"
    if not single:
        return joined
    return f"list_concat({listed}, {joined})" if joined else listed


def _amounts(compiled: Compiled) -> str:
    """Return the SQL of the amounts of an event: their numbers and values."""
    numbers = Subjects(compiled.vocabulary).numbers
    found = []
    for place, amount in enumerate(compiled.vocabulary.amounts):
        value = f"u{compiled.amounted.index(amount.field)}"
        pair = f"{{'amount': {place}::SMALLINT, 'value': {value}}}"
        found.append(f"CASE WHEN k{numbers[amount.kind]} AND {value} IS NOT NULL THEN {pair} END")
    return f"list_filter([{', '.join(found)}], lambda x: x IS NOT NULL)"
