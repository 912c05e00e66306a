"""Marked events mean what audiences of the same words mean."""

from __future__ import annotations

import pytest
from pyroaring import BitMap
from tests.prediction.history import UNION, Event, history, shop

from coterie.core.clock import DAY
from coterie.engine import people
from coterie.engine.algebra import fold
from coterie.engine.sql import SqlEngine
from coterie.engine.sql.marks import FEW
from coterie.engine.sql.statements import PEOPLE
from coterie.pql import PqlError, parse
from coterie.pql.conditions import conditions_of
from coterie.pql.normal import event_form, normalise
from coterie.store.history import by_identity

CONDITIONS = [
    'eventType = "order"',
    'eventType != "order" or value > 20',
    "value.isNull()",
    'not (shelf in ["tea", "coffee"])',
    'items.sku = "a" and items.sku != "b"',
    "items[price >= 2].count() > 0",
    'shelf.startsWith("t") or shelf matches "^b"',
    'timestamp >= "2024-12-01"',
    "true",
    "false",
]
EVENTS = [*shop(7, people=20, days=60), Event(30, 20_001 * DAY, "visit")]


def test_a_truth_of_an_event_is_what_an_audience_asks_of_it() -> None:
    con = history(EVENTS)
    engine = SqlEngine(con, UNION)
    asked = {f"t{place}": event_form(text, UNION) for place, text in enumerate(CONDITIONS)}
    marks = engine.marks(asked, {"worth": "value"}, "default")
    assert (
        con.execute(f"SELECT count(*), sum(worth) FROM ({marks})").fetchall()
        == con.execute('SELECT count(*), sum("value") FROM event_of_default').fetchall()
    )
    for name, text in zip(asked, CONDITIONS, strict=True):
        found = people.read(con, f"SELECT DISTINCT person FROM ({marks}) WHERE {name}")
        rule = normalise(parse(f"xEvent[{text}].count() > 0"), UNION)
        universe = BitMap(range(31))
        answers = engine.evaluate(conditions_of(rule), "default", 30_000 * DAY, {})
        everybody = people.read(con, "SELECT person FROM profile_default")
        assert found == fold(rule, answers, universe & everybody), text
        assert not con.execute(f"SELECT 1 FROM ({marks}) WHERE {name} IS NULL LIMIT 1").fetchall()


def test_marks_of_some_people_are_those_of_all_that_are_theirs() -> None:
    con = history(EVENTS)
    engine = SqlEngine(con, UNION)
    asked = {"order": event_form('eventType = "order"', UNION)}
    order = 'ORDER BY "row"'
    whole = con.execute(f"SELECT * FROM ({engine.marks(asked, {}, 'default')}) WHERE person IN (3, 5) {order}")
    rows = whole.fetchall()
    with people.lent(con, PEOPLE, BitMap([3, 5])):
        some = con.execute(f"SELECT * FROM ({engine.marks(asked, {}, 'default', 'lent')}) {order}").fetchall()
    assert some == rows != []
    theirs = by_identity.events_of("default", by_identity.of_people(con, "default", [3, 5]))
    few = engine.marks(asked, {}, "default", "few")
    assert con.execute(f"WITH {FEW} AS ({theirs}) SELECT * FROM ({few}) {order}").fetchall() == rows
    assert engine.marks_read(asked, {}, "default") == ("$batch", "$dataset", "$row", "eventType", "timestamp")


def test_a_condition_on_an_event_is_checked() -> None:
    with pytest.raises(PqlError, match="shelv"):
        event_form('shelv = "tea"', UNION)
