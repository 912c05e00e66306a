"""The SQL engine on Spark: the statements of the same compiler, written in Spark's dialect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyroaring import BitMap

from coterie.core.schema import Union
from coterie.engine.sql.engine import members
from coterie.engine.sql.statements import PEOPLE, Statement, Statements, refusals
from coterie.pql.conditions import Condition, Membership

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_AT_ONCE = 30
"""Statements in one query: Spark takes longer to start a query than to read a small table."""


class SparkEngine:
    """Evaluates conditions by SQL on Spark.

    Parameters
    ----------
    session : SparkSession
        A session with the tables of the history, as `coterie.engine.sql.spark.tables.lend` makes it.
    union : Union
        The fields there are.
    """

    def __init__(self, session: SparkSession, union: Union) -> None:
        self.session = session
        self.union = union

    def evaluate(
        self,
        conditions: Sequence[Condition],
        view: str,
        at: int,
        memberships: Mapping[str, BitMap],
        people: BitMap | None = None,
    ) -> dict[str, BitMap]:
        """Return the persons for whom each condition holds; see `Engine`."""
        statements = Statements(self.union, view, at, restricted=people is not None)
        asked = [condition for condition in conditions if not isinstance(condition.shape, Membership)]
        planned = [(condition, statements.statement(condition)) for condition in asked]
        texts = [statements.universe().text("spark"), *(_text(condition, found) for condition, found in planned)]
        if people is not None:
            lent = pa.table({"person": pa.array(np.array(people, dtype=np.int32))})
            self.session.createDataFrame(lent).createOrReplaceTempView(PEOPLE)
        universe, *answers = self.persons(texts)
        found = {
            condition.key: universe - holds if statement.complement else universe & holds
            for (condition, statement), holds in zip(planned, answers, strict=True)
        }
        for condition in conditions:
            if isinstance(condition.shape, Membership):
                found[condition.key] = members(condition, memberships) & universe
        return found

    def check(self, conditions: Sequence[Condition], view: str, at: int) -> None:
        """Raise `Unsupported` for a condition that this engine cannot answer; nothing is run."""
        statements = Statements(self.union, view, at)
        for condition in conditions:
            if not isinstance(condition.shape, Membership):
                _text(condition, statements.statement(condition))

    def persons(self, texts: Sequence[str]) -> list[BitMap]:
        """Return the persons of each statement; many are asked in one query."""
        found: list[BitMap] = []
        for start in range(0, len(texts), _AT_ONCE):
            part = texts[start : start + _AT_ONCE]
            asked = (f"SELECT {place} AS place, s.person FROM ({text}) AS s" for place, text in enumerate(part))
            answer = self.session.sql(" UNION ALL ".join(asked)).toArrow()
            places, persons = (answer[name].to_numpy() for name in ("place", "person"))
            found += (BitMap(persons[places == place].astype(np.uint32)) for place in range(len(part)))
        return found


def _text(condition: Condition, statement: Statement) -> str:
    """Return the text for Spark; the error that refuses it says where the condition stands."""
    with refusals(condition):
        return statement.text("spark")
