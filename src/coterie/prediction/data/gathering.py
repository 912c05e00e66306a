"""What families of features read: marked events added up by day, the gaps between days, amounts and times of day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coterie.core.clock import DAY
from coterie.prediction.data.vocabulary import Vocabulary

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Gathered:
    """Relations, as statements name them.

    Parameters
    ----------
    row : str
        The rows asked about: ``row``, ``person``, ``back`` (days from the cut-off to the anchor).
    day : str
        How often each subject occurred: ``person``, ``subject``, ``age``, ``seen``, ``n``, ``latest``, ``earliest``.
    gap : str
        The days of main kinds of events: ``person``, ``subject``, ``age``, ``seen``, and ``gap``, the days since the
        one before.
    amount : str
        Sums: ``person``, ``amount``, ``age``, ``seen``, ``n``, ``total``, ``squares``, ``largest``.
    habit : str
        Times: ``person``, ``seen``, ``n``, ``weekend``, ``hours``.
    """

    row: str
    day: str
    gap: str
    amount: str
    habit: str


def inline(vocabulary: Vocabulary) -> Gathered:
    """Return relations over `prediction_mark` that are worked out where they are read: for few people."""
    return _gathered(vocabulary, "prediction_mark", summed=False)


def kept(con: DuckDBPyConnection, vocabulary: Vocabulary, part: int, parts: int, *, summed: bool) -> Gathered:
    """Return relations over one of several parts of the people in `prediction_mark`, those with rows.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    vocabulary : Vocabulary
        What features are made of.
    part, parts : int
        Which part.
    summed : bool
        Whether the events of a day are added up first, which pays when there are many cut-offs.
    """
    mine = "" if parts == 1 else f"person % {parts} = {part} AND "
    where = f"{mine}person IN (SELECT person FROM prediction_asked)"
    told = _gathered(vocabulary, f"(SELECT * FROM prediction_mark WHERE {where})", summed=summed)
    con.execute("CREATE OR REPLACE TEMP TABLE prediction_row AS SELECT * FROM prediction_asked")
    con.execute(f"CREATE OR REPLACE TEMP TABLE prediction_day AS SELECT * FROM {told.day}")
    con.execute(f"CREATE OR REPLACE TEMP TABLE prediction_gap AS SELECT * FROM {_gaps(vocabulary, 'prediction_day')}")
    return Gathered("prediction_row", "prediction_day", "prediction_gap", told.amount, told.habit)


def forget(con: DuckDBPyConnection) -> None:
    """Drop what `kept` made."""
    for name in ("day", "gap", "row"):
        con.execute(f"DROP TABLE IF EXISTS prediction_{name}")


def _gathered(vocabulary: Vocabulary, marks: str, *, summed: bool) -> Gathered:
    each = f"(SELECT person, unnest(subjects) AS subject, age, seen FROM {marks})"
    return Gathered(
        "prediction_asked",
        _days(vocabulary, marks, summed=summed),
        _gaps(vocabulary, each),
        _amounts(marks),
        _habits(marks),
    )


def _days(vocabulary: Vocabulary, marks: str, *, summed: bool) -> str:
    each = f"SELECT person, unnest(subjects) AS subject, age, seen, elapsed FROM {marks}"
    if summed:
        counted = (
            "SELECT person, subject, age, seen, count(*)::INTEGER AS n, min(elapsed) AS latest, "
            f"max(elapsed) AS earliest FROM ({each}) GROUP BY person, subject, age, seen"
        )
    else:
        counted = f"SELECT person, subject, age, seen, 1 AS n, elapsed AS latest, elapsed AS earliest FROM ({each})"
    if not vocabulary.categories:
        return f"({counted})"
    # a value is new once: when it was first seen
    varied = (
        f"SELECT person, v.subject AS subject, seen AS age, seen, 1 AS n, seen::BIGINT * {DAY} + 1 AS latest, "
        f"seen::BIGINT * {DAY} + 1 AS earliest FROM (SELECT person, v, max(seen) AS seen "
        f"FROM (SELECT person, seen, unnest(varied) AS v FROM {marks}) GROUP BY person, v)"
    )
    return f"({counted} UNION ALL {varied})"


def _gaps(vocabulary: Vocabulary, day: str) -> str:
    main = ", ".join(str(number) for number, kind in enumerate(vocabulary.kinds) if kind.main)
    days = (
        f"SELECT person, subject, age, max(seen) AS known FROM {day} WHERE subject IN ({main}) "
        "GROUP BY person, subject, age"
    )
    return f"""(
        SELECT person, subject, age, before - age AS gap, least(known, coalesce(earlier, known)) AS seen FROM (
            SELECT person, subject, age, known, lag(age) OVER days AS before, lag(known) OVER days AS earlier
            FROM ({days}) WINDOW days AS (PARTITION BY person, subject ORDER BY age DESC)
        )
    )"""


def _amounts(marks: str) -> str:
    return f"""(
        SELECT person, a.amount AS amount, age, seen, count(*) AS n, sum(a.value) AS total,
               sum(a.value::HUGEINT * a.value) AS squares, max(a.value) AS largest
        FROM (SELECT person, age, seen, unnest(amounts) AS a FROM {marks}) GROUP BY person, a.amount, age, seen
    )"""


def _habits(marks: str) -> str:
    return f"""(
        SELECT person, seen, 1 AS n, weekend::INTEGER AS weekend, "hour" AS hours FROM {marks} WHERE own
    )"""
