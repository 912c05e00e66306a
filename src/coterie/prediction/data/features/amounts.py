"""How much: sums of fields in windows, their mean, spread and change."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from coterie.prediction.data.events import UNITS
from coterie.prediction.data.features.sheet import Columns, Sheet
from coterie.prediction.data.gathering import Gathered
from coterie.prediction.data.vocabulary import Vocabulary
from coterie.prediction.frame import Family, Feature

CHANGES = ((30, 90), (90, 180))
"""Windows whose daily amounts are compared."""


def features(vocabulary: Vocabulary) -> Iterator[Feature]:
    """Yield what is told of every amount."""
    names = {kind.key: kind.name for kind in vocabulary.kinds}
    for amount in vocabulary.amounts:
        key, subject = amount.key, f"{amount.field} of {names[amount.kind]}"
        code = f"spend:{subject}"
        for days in vocabulary.windows:
            yield Feature(f"{key}:sum_{days}d", Family.MONETARY, subject, code, days)
        for what in ("sum_all", "mean", "max", "sd", "last"):
            yield Feature(f"{key}:{what}", Family.MONETARY, subject, code)
        for short, long in _changes(vocabulary):
            yield Feature(f"{key}:change_{short}_{long}", Family.TREND, subject, f"trend:{subject}", long)


def _changes(vocabulary: Vocabulary) -> list[tuple[int, int]]:
    return [pair for pair in CHANGES if set(pair) <= set(vocabulary.windows)]


def statement(vocabulary: Vocabulary, read_from: Gathered) -> str:
    """Return the statement that sums what happened before each cut-off; a row for each row and amount."""
    windows = vocabulary.windows
    within = "".join(f", sum(total) FILTER (WHERE age < {days}) AS sum_{days}" for days in windows)
    return f"""
        SELECT "row", amount, sum(n) AS n, sum(total) AS total, sum(squares) AS squares, max(largest) AS largest,
               arg_min(total, "order") AS latest{within}
        FROM (
            SELECT r."row", a.amount, a.n, a.total, a.squares, a.largest, a.age - r.back AS age,
                   a.age::BIGINT * 100000 - a.seen AS "order"
            FROM {read_from.row} r JOIN {read_from.amount} a ON a.person = r.person AND a.seen >= r.back
        ) GROUP BY "row", amount
    """


def fill(found: Columns, vocabulary: Vocabulary, sheet: Sheet) -> None:
    """Fill in the features of this family by what its statement found."""
    rows, kinds, n = found["row"], found["amount"], found["n"].astype(np.float64)
    keys = [amount.key for amount in vocabulary.amounts]
    sums = {"sum_all": "total"} | {f"sum_{days}d": f"sum_{days}" for days in vocabulary.windows}
    for what, column in sums.items():
        names = [f"{key}:{what}" for key in keys]
        sheet.zero(names)
        sheet.scatter(rows, kinds, names, np.nan_to_num(found[column].astype(np.float64)) / UNITS)
    mean = found["total"].astype(np.float64) / n
    variance = np.maximum(found["squares"].astype(np.float64) / n - mean**2, 0)
    told = {"mean": mean, "max": found["largest"], "sd": np.sqrt(variance), "last": found["latest"]}
    for what, values in told.items():
        sheet.scatter(rows, kinds, [f"{key}:{what}" for key in keys], values / UNITS)
    for key in keys:
        for short, long in _changes(vocabulary):
            rates = [sheet.column(f"{key}:sum_{days}d") / np.float32(days) for days in (short, long)]
            sheet.column(f"{key}:change_{short}_{long}")[:] = rates[0] - rates[1]
