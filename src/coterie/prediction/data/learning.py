"""Choosing a vocabulary from the data: which events there are, which values of their fields, which amounts."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from coterie.core.clock import DAY
from coterie.core.schema import FieldType, Leaf, Union, leaves
from coterie.engine.sql import SqlEngine
from coterie.ingest.sql import literal as sql_literal
from coterie.pql.printer import path as path_of
from coterie.prediction.data.arrival import arrivals
from coterie.prediction.data.cutoffs import LEAST_DAYS, YEAR, Cutoffs
from coterie.prediction.data.events import units
from coterie.prediction.data.features.attributes import known
from coterie.prediction.data.vocabulary import Amount, Category, EventKind, Vocabulary
from coterie.prediction.definition import Model
from coterie.prediction.predicates import asked, countable_paths, literal, own, predicate
from coterie.profile.policy import View
from coterie.store.history import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WINDOWS = (7, 14, 30, 60, 90, 180, 365)
VALUES = 15
"""Values of a field that are counted one by one."""
TYPES = 20
"""Types of events that are counted one by one, the most frequent."""
TELLING = 10
"""Types beyond those that are counted because the goal follows them more, or less, often than other events."""
BEYOND_CHANCE = 4.0
"""Standard errors by which it must."""
FIELDS = 6
"""Fields whose values are counted, unless the model names them."""
AMOUNTS = 8
"""Amounts that are summed."""
SEEN = 10
"""Events of a kind, and people with a value, below which nothing can be learnt from it."""
AMPLE = 1_000
"""Events before the earliest cut-off that are enough to choose from."""
_DISTINCT = 50
"""Whole numbers of which there are no more are no names, however few events there are."""
SAMPLE = 2_000_000
"""Events that are looked at; of more, those of some people."""

STANDARD = {
    "Order": "commerce.order.purchaseID",
    "Purchase": "commerce.purchases.value",
    "Checkout": "commerce.checkouts.value",
    "Product view": "commerce.productViews.value",
    "Product list view": "commerce.productListViews.value",
    "Product list opened": "commerce.productListOpens.value",
    "Removal from a product list": "commerce.productListRemovals.value",
    "Web visit": "web.webPageDetails.name",
    "Link clicked": "web.webInteraction.linkClicks.value",
    "Application installed": "application.installs.value",
    "Application launched first": "application.firstLaunches.value",
    "Application launched": "application.launches.value",
    "Application feature used": "application.featureUsages.value",
    "Application upgraded": "application.upgrades.value",
    "Application crashed": "application.crashes.value",
    "Application closed": "application.closes.value",
    "Search": "search.keywords",
}
"""Standard kinds of events, and the field that such events have (Adobe, Customer AI data requirements)."""

_NUMBERS = (FieldType.INTEGER, FieldType.NUMBER)
_CODE = re.compile(r"(?:^|[._])(?:id|code|zip|phone|index|year|month|day|week)$|[a-z]I[Dd]$|[a-z]Code$", re.ASCII)
"""Names of fields whose numbers are names, so that their sum means nothing."""


def learn(
    con: DuckDBPyConnection,
    union: Union,
    model: Model,
    cutoffs: Cutoffs,
    policy: View | None = None,
    forbidden: Collection[str] = (),
) -> Vocabulary:
    """Choose what the features of a model are made of.

    Only events before the earliest cut-off are looked at. Where these are few, it is those before the oldest test, so
    that no test knows a word that was not known then; without a test, those before the newest training cut-off.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    union : Union
        The fields there are.
    model : Model
        The model.
    cutoffs : Cutoffs
        Its cut-offs.
    policy : View, optional
        How records are merged, to tell attributes as of each cut-off; without it they are taken as they are now.
    forbidden : collection of str
        Paths of fields of events that may not be learnt from; none of them is chosen.
    """
    view = quote(f"event_of_{model.view}")
    learned = _until(con, view, cutoffs)
    count, first, last = con.execute(
        f'SELECT count(*), min("timestamp"), max("timestamp") FROM {view} WHERE "timestamp" < {learned}'
    ).fetchall()[0]
    first, last = (learned if instant is None else int(instant) for instant in (first, last))
    study = _Study(con, union, model, learned, forbidden)
    with_time = study.start(int(count))
    kinds = study.kinds()
    vocabulary = Vocabulary(
        kinds=kinds,
        categories=study.categories(),
        amounts=study.amounts(kinds),
        attributes=known(con, union, model, cutoffs, policy),
        windows=tuple(days for days in WINDOWS if days * DAY <= cutoffs.earliest - first),
        dates=study.dates(),
        hours=with_time >= 0.5,
        months=last - first >= 2 * YEAR,
        arrival="recorded" if arrivals(con, model.view) else "assumed",
        learned=learned,
        first=first,
    )
    study.stop()
    return vocabulary


def _until(con: DuckDBPyConnection, view: str, cutoffs: Cutoffs) -> int:
    """Return the instant before which a vocabulary is chosen; `view` is the quoted name of the events."""
    before = f'SELECT count(*), min("timestamp") FROM {view} WHERE "timestamp" < {cutoffs.earliest}'
    count, first = con.execute(before).fetchall()[0]
    if count >= AMPLE and cutoffs.earliest - int(first) >= LEAST_DAYS * DAY:
        return cutoffs.earliest
    return min([fold.test for fold in cutoffs.folds] or [*cutoffs.training[:1], cutoffs.scoring])


@dataclass
class _Study:
    """The events of some people, with all that could be asked of them."""

    con: DuckDBPyConnection
    union: Union
    model: Model
    learned: int
    forbidden: Collection[str]

    def start(self, count: int) -> float:
        """Make the table `prediction_study`; return the share of events at another time of day than most are."""
        self.leaves: dict[str, Leaf] = {
            leaf.path: leaf for leaf in leaves(self.union.event) if leaf.path not in self.forbidden and leaf.depth <= 1
        }
        self.names = [path for path in countable_paths(self.union) if path in self.leaves]
        numbers = [path for path, leaf in self.leaves.items() if leaf.field.type in _NUMBERS and not _CODE.search(path)]
        self.numbers = list(dict.fromkeys([*self.model.goal.measured, *numbers]))
        self.every = {leaf.path: leaf for leaf in leaves(self.union.event)}
        self.candidates = list(self._candidates())
        kinds = {f"k{place}": kind.pql or "true" for place, kind in enumerate(self.candidates)}
        columns = {f"s{place}": path for place, path in enumerate(self.names)}
        columns |= {f"v{place}": path for place, path in enumerate(self.numbers)}
        marks = SqlEngine(self.con, self.union).marks(asked(self.model, self.union, kinds), columns, self.model.view)
        told = [f"k{place}" for place in range(len(self.candidates))] + [f"s{n}" for n in range(len(self.names))]
        told += [f"{units(self.every[path], f'v{place}')} AS v{place}" for place, path in enumerate(self.numbers)]
        parts = -(-count // SAMPLE)
        some = "TRUE" if parts <= 1 else f"hash(person) % {parts} = 0"
        self.con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE prediction_study AS
            SELECT person, own, happened, hash("batch", "row") AS "id"{"".join(f", {column}" for column in told)}
            FROM ({marks}) WHERE happened < {self.learned} AND NOT passed AND {some}
            """
        )
        ((total, people),) = self.con.execute(
            "SELECT count(*), count(DISTINCT person) FROM prediction_study WHERE own"
        ).fetchall()
        self.events, self.people = int(total), int(people)
        usual = self.con.execute(
            f"SELECT count(*) FROM prediction_study WHERE own GROUP BY happened % {DAY} ORDER BY 1 DESC LIMIT 1"
        ).fetchall()
        return 1 - int(usual[0][0]) / self.events if usual else 0.0

    def stop(self) -> None:
        self.con.execute("DROP TABLE IF EXISTS prediction_study")

    # -- kinds of events --------------------------------------------------------------------------------------------

    def _candidates(self) -> Iterator[EventKind]:
        """Yield the kinds of events there may be, those first that are kept of several that mean the same."""
        events = self.model.goal.events
        for number, event in enumerate(events):
            yield EventKind(f"goal{number + 1}" if len(events) > 1 else "goal", event.name, predicate(event), "goal")
        mine = self.model.exposures or self.model.exclusions
        for kind in self.model.custom_events:
            yield EventKind(f"custom.{kind.name}", kind.name, predicate(kind), "custom")
        for kind in self.model.exposures:
            yield EventKind(f"exposure.{kind.name}", kind.name, predicate(kind), "exposure")
        yield EventKind("activity", "Activity", own(self.model) if mine else "", "activity")
        for name, path in STANDARD.items():
            if path in self.leaves:
                yield EventKind(f"standard.{name}", name, f"{path_of(path.split('.'))}.isNotNull()", "standard")

    def kinds(self) -> tuple[EventKind, ...]:
        """Return the kinds of events that occurred, each once, however many descriptions fit the same events."""
        found: list[EventKind] = []
        taken: set[tuple[int, int]] = set()
        for kind, (count, people, identity) in zip(self.candidates, self._signatures(), strict=True):
            often = count >= SEEN and people >= SEEN and (count, identity) not in taken
            if kind.role == "goal" or often:
                found.append(kind)
                taken.add((count, identity))
        return (*found, *self._types(taken))

    def _signatures(self) -> Iterator[tuple[int, int, int]]:
        for start in range(0, len(self.candidates), 16):
            places = range(start, min(start + 16, len(self.candidates)))
            asked = ", ".join(
                f"count(*) FILTER (WHERE k{place}), count(DISTINCT person) FILTER (WHERE k{place}), "
                f"coalesce(sum(id::HUGEINT) FILTER (WHERE k{place}), 0)"
                for place in places
            )
            row = self.con.execute(f"SELECT {asked} FROM prediction_study").fetchall()[0]
            for place in range(len(places)):
                yield int(row[3 * place]), int(row[3 * place + 1]), int(row[3 * place + 2])

    def _types(self, taken: set[tuple[int, int]]) -> list[EventKind]:
        """Return the types of events: the values of `eventType`, or of the first field that divides all events."""
        field = self.type_field()
        if field is None:
            return []
        column = f"s{self.names.index(field)}"
        rows = self.con.execute(
            f"""
            SELECT {column}, count(*), count(DISTINCT person), sum(id::HUGEINT) FROM prediction_study
            WHERE own AND {column} IS NOT NULL GROUP BY {column} ORDER BY 2 DESC, 1
            """
        ).fetchall()
        if len(rows) > TYPES:
            telling = self._telling(column)
            rows = rows[:TYPES] + [row for row in rows[TYPES:] if row[0] in telling]
        path = path_of(field.split("."))
        return [
            EventKind(f"type.{value}", str(value), f"{path} = {literal(value)}", "type")
            for value, count, people, identity in rows
            if count >= SEEN and people >= SEEN and (count, identity) not in taken
        ]

    def _telling(self, column: str) -> set[str]:
        """Return the rarer types of events that tell most of whether the goal comes within its window."""
        hit = " OR ".join(f"k{place}" for place in range(len(self.model.goal.events)))
        lead = self.model.goal.lead_days * DAY
        rows = self.con.execute(
            f"""
            SELECT {column}, count(*), count(*) FILTER (WHERE coming - happened <= {lead})
            FROM (
                SELECT {column}, own, happened, min(CASE WHEN {hit} THEN happened END) OVER (
                    PARTITION BY person ORDER BY happened RANGE BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
                ) AS coming FROM prediction_study
            ) WHERE own AND happened < {self.learned - lead} GROUP BY {column} ORDER BY 2 DESC, 1
            """
        ).fetchall()
        count, followed = (np.array([row[place] for row in rows], np.float64) for place in (1, 2))
        rate = followed.sum() / max(count.sum(), 1)
        beyond = np.abs(followed - count * rate) / np.sqrt(np.maximum(count * rate * (1 - rate), 1))
        order = np.argsort(-beyond, kind="stable")
        rarer = [place for place in order if place >= TYPES and beyond[place] >= BEYOND_CHANCE and rows[place][0]]
        return {rows[place][0] for place in rarer[:TELLING]}

    def type_field(self) -> str | None:
        """Return the field that tells of what type events are."""
        if not hasattr(self, "_type_field"):
            self._type_field = self._find_type_field()
        return self._type_field

    def _find_type_field(self) -> str | None:
        scalar = [path for path in self.names if not self.leaves[path].depth]
        scalar = [path for path in scalar if self.leaves[path].field.type is FieldType.STRING]
        told = self._told(scalar)
        if told.get("eventType", (0, 0))[0]:
            return "eventType"
        whole = [path for path, (count, distinct) in told.items() if count == self.events and 2 <= distinct <= TYPES]
        return whole[0] if whole else None

    def _told(self, paths: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Return how many events have each of some fields, and how many values there are."""
        found: dict[str, tuple[int, int]] = {}
        for start in range(0, len(paths), 16):
            chosen = paths[start : start + 16]
            columns = [f"s{self.names.index(path)}" for path in chosen]
            asked = ", ".join(f"count({column}), count(DISTINCT {column})" for column in columns)
            row = self.con.execute(f"SELECT {asked} FROM prediction_study WHERE own").fetchall()[0]
            found |= {path: (int(row[2 * n]), int(row[2 * n + 1])) for n, path in enumerate(chosen)}
        return found

    # -- values and amounts -----------------------------------------------------------------------------------------

    def categories(self) -> tuple[Category, ...]:
        """Return the fields whose values are counted, with their most frequent values."""
        chosen = self.model.categories
        asked = [path for path in self.names if path != self.type_field()] if chosen is None else chosen
        found = []
        for path in asked:
            if path not in self.names:
                continue
            total, distinct, values = self._values(path)
            kept = [value for value, count, people in values if people >= SEEN]
            top = sum(count for _, count, people in values if people >= SEEN)
            telling = distinct >= 2 and total >= 0.01 * self.events and top >= 0.2 * total
            named = distinct <= max(VALUES, min(0.3 * total, 0.5 * self.people))
            if kept and (chosen is not None or (telling and named)):
                found.append((total, Category(path, tuple(kept))))
        found.sort(key=lambda each: (-each[0], each[1].field))
        limit = len(found) if chosen is not None else FIELDS
        return tuple(category for _, category in found[:limit])

    def _values(self, path: str) -> tuple[int, int, list[tuple[str, int, int]]]:
        """Return how many values events have of a field, how many different ones, and the most frequent."""
        column = f"s{self.names.index(path)}"
        value = f"unnest({column}::VARCHAR[])" if self.leaves[path].depth else f"{column}::VARCHAR"
        rows = self.con.execute(
            f"""
            SELECT value, count(*) AS n, count(DISTINCT person) AS people, sum(count(*)) OVER (), count(*) OVER ()
            FROM (SELECT person, {value} AS value FROM prediction_study WHERE own AND {column} IS NOT NULL)
            WHERE value IS NOT NULL GROUP BY value ORDER BY n DESC, value LIMIT {VALUES}
            """
        ).fetchall()
        if not rows:
            return 0, 0, []
        return int(rows[0][3]), int(rows[0][4]), [(str(row[0]), int(row[1]), int(row[2])) for row in rows]

    def amounts(self, kinds: Sequence[EventKind]) -> tuple[Amount, ...]:
        """Return what is summed: what the goal measures, then numbers that most events of a kind have."""
        goal = [kind for kind in kinds if kind.role == "goal"]
        asked = zip(goal, self.model.goal.events, strict=True)
        found = [Amount(kind.key, event.measure.sum) for kind, event in asked if event.measure is not None]
        ranked = []
        for place, kind in enumerate(kinds):
            if kind.role == "exposure" or not self.numbers:
                continue
            for path, count in self._summable(kind):
                ranked.append((kind.role != "goal", kind.role == "activity", -count, place, path, kind.key))
        # whatever people do is summed only where nothing more definite has amounts
        definite = [each for each in ranked if not each[1]]
        found += [Amount(key, path) for *_, path, key in sorted(definite or ranked)]
        return tuple(dict.fromkeys(found))[:AMOUNTS]

    def _summable(self, kind: EventKind) -> Iterator[tuple[str, int]]:
        where = self._where(kind)
        asked = ", ".join(f"count(v{n}), min(v{n}), max(v{n}), count(DISTINCT v{n})" for n in range(len(self.numbers)))
        total, *told = self.con.execute(f"SELECT count(*), {asked} FROM prediction_study WHERE {where}").fetchall()[0]
        for place, path in enumerate(self.numbers):
            count, least, most, distinct = told[4 * place : 4 * place + 4]
            whole = self.union_type(path) is FieldType.INTEGER
            numbered = whole and distinct > max(_DISTINCT, 0.5 * count)  # a number of its own for most: a name
            if count >= max(SEEN, 0.5 * total) and least != most and not numbered:
                yield path, int(count)

    def union_type(self, path: str) -> FieldType:
        """Return the type of a value that events have."""
        return self.every[path].field.type

    def _where(self, kind: EventKind) -> str:
        if kind.role != "type":
            return f"k{self.candidates.index(kind)}"
        field = self.type_field()
        assert field is not None
        return f"own AND s{self.names.index(field)} = {sql_literal(kind.key.removeprefix('type.'))}"

    def dates(self) -> tuple[str, ...]:
        """Return the datasets whose events have a date and no time."""
        rows = self.con.execute(
            f"""
            SELECT d.id FROM {quote(f"event_of_{self.model.view}")} e JOIN dataset d ON d.dataset = e."$dataset"
            WHERE e."timestamp" < {self.learned}
            GROUP BY d.id HAVING bool_and(e."timestamp" % {DAY} = 0) ORDER BY d.id
            """
        ).fetchall()
        return tuple(name for (name,) in rows)
