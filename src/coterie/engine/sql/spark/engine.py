"""The SQL engine on Spark: the statements of the same compiler, written in Spark's dialect."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
from pyroaring import BitMap

from coterie.core.errors import Unsupported
from coterie.core.schema import Union
from coterie.engine.people import bitmap, numbers, truths_of
from coterie.engine.sql.constructs import render
from coterie.engine.sql.engine import members, members_of
from coterie.engine.sql.plan import plan
from coterie.engine.sql.statements import PEOPLE, Pass, Statement, Statements, refusals
from coterie.pql.conditions import Condition, Membership

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_AT_ONCE = 12
"""Statements in one query: Spark takes longer to start a query than to read a small table."""


class SparkEngine:
    """Evaluates conditions by SQL on Spark. When their truth next changes, only `SqlEngine` tells.

    Parameters
    ----------
    session : SparkSession
        A session with the tables of the history, as `coterie.engine.sql.spark.tables.lend` makes it.
    union : Union
        The fields there are.
    audiences : collection of str, optional
        The audiences of the view, whose memberships ``segmentMembership`` holds; default all there are.
    """

    def __init__(self, session: SparkSession, union: Union, audiences: Collection[str] | None = None) -> None:
        self.session = session
        self.union = union
        self.audiences = audiences

    def evaluate(
        self,
        conditions: Sequence[Condition],
        view: str,
        at: int,
        memberships: Mapping[str, BitMap],
        people: BitMap | None = None,
    ) -> dict[str, BitMap]:
        """Return the persons for whom each condition holds; see `Engine`."""
        statements = Statements(self.union, view, at, restricted=people is not None, audiences=self.audiences)
        known = [condition for condition in conditions if isinstance(condition.shape, Membership)]
        asked = {condition.key: condition for condition in conditions if not isinstance(condition.shape, Membership)}
        planned = plan(statements, asked.values())
        passes = [self._pass(many, asked, view, at) for many in planned.passes]
        texts = {key: _text(asked[key], statement) for key, statement in planned.singles.items()}
        if people is not None:
            self._lend(PEOPLE, people)
        [universe] = self._persons([statements.universe().text("spark")])
        found = {condition.key: members(condition, memberships) & universe for condition in known}
        for many, text in zip(planned.passes, passes, strict=True):
            batches = self.session.sql(text).toArrow().to_batches()
            found |= many.among(universe, truths_of(batches, many.widths))
        alone = {key: statement for key, statement in planned.singles.items() if statement.audiences}
        alike = [key for key in planned.singles if key not in alone]
        singles = dict(zip(alike, self._persons([texts[key] for key in alike]), strict=True))
        for key, statement in alone.items():
            for audience, name in statement.audiences.items():
                self._lend(name, members_of(audience, memberships))
            [singles[key]] = self._persons([texts[key]])
        for key, holds in singles.items():
            found[key] = planned.singles[key].among(universe, holds)
        return found

    def _pass(self, many: Pass, asked: Mapping[str, Condition], view: str, at: int) -> str:
        """Return the text of a query for many conditions; the error that refuses one of them says which."""
        try:
            return render(many.query, "spark")
        except Unsupported:
            self.check([asked[answer.key] for group in many.answers for answer in group], view, at)
            raise

    def check(self, conditions: Sequence[Condition], view: str, at: int) -> None:
        """Raise `Unsupported` for a condition that this engine cannot answer; nothing is run."""
        statements = Statements(self.union, view, at, audiences=self.audiences)
        for condition in conditions:
            if not isinstance(condition.shape, Membership):
                _text(condition, statements.statement(condition))

    def _lend(self, name: str, people: BitMap) -> None:
        """Let a table `name` with the column ``person`` hold these persons."""
        lent = pa.table({"person": pa.array(numbers(people))})
        self.session.createDataFrame(lent).createOrReplaceTempView(name)

    def _persons(self, texts: Sequence[str]) -> list[BitMap]:
        """Return the persons of each statement; many are asked in one query."""
        found: list[BitMap] = []
        for start in range(0, len(texts), _AT_ONCE):
            part = texts[start : start + _AT_ONCE]
            asked = (f"SELECT {place} AS place, s.person FROM ({text}) AS s" for place, text in enumerate(part))
            answer = self.session.sql(" UNION ALL ".join(asked)).toArrow()
            places, persons = (answer[name].to_numpy() for name in ("place", "person"))
            found += (bitmap(persons[places == place]) for place in range(len(part)))
        return found


def _text(condition: Condition, statement: Statement) -> str:
    """Return the text for Spark; the error that refuses it says where the condition stands."""
    with refusals(condition):
        return statement.text("spark")
