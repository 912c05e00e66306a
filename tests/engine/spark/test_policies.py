"""Events that a merge policy leaves out do not exist for its rules: on DuckDB, on Spark and for the interpreter."""

import json

import coterie
from coterie.core.clock import FixedClock, parse_instant
from coterie.engine.algebra import fold
from coterie.engine.sql import SqlEngine
from coterie.engine.sql.spark.engine import SparkEngine
from coterie.engine.sql.spark.tables import lend
from coterie.pipeline.effects.evaluations import everyone
from coterie.pql import parse
from coterie.pql.conditions import conditions_of
from coterie.pql.interpreter import holds
from coterie.pql.normal import normalise
from coterie.profile.record import records

AT = "2026-06-15T12:00:00Z"
CLICK = {
    "name": "click",
    "class": "event",
    "fields": {"login": "string", "price": {"type": "number", "decimals": 2}},
    "identities": [{"path": "login", "namespace": "Email", "primary": True}],
}
RULES = {
    'xEvent[eventType = "buy"].count() > 0': (["a", "b"], ["a"]),
    'xEvent[eventType = "buy"].count() = 0': (["c"], ["b"]),
    "xEvent.sum(price) > 5": (["a", "b"], []),
    'chain(xEvent, timestamp, [A: WHAT(eventType = "view"), B: WHAT(eventType = "buy")])': (["b"], []),
    "xEvent[price > 1].max(price) >= 4": (["a", "b"], ["a"]),
}


def test_engines_see_the_events_of_the_policy_alone(spark, tmp_path):
    with coterie.open(tmp_path / "ws", create=True, clock=FixedClock(AT)) as ws:
        ws.schemas.put(CLICK)
        for dataset, rows in {
            "web": [("1", "a", "buy", 1, 4), ("2", "b", "view", 1, 0)],
            "app": [("3", "a", "buy", 2, 2), ("4", "b", "buy", 2, 6), ("5", "c", "view", 1, 1)],
        }.items():
            ws.datasets.put(dataset, "click")
            file = tmp_path / f"{dataset}.jsonl"
            keys = ("_id", "login", "eventType", "timestamp", "price")
            events = [dict(zip(keys, row, strict=True)) | {"timestamp": f"2026-06-0{row[3]}T00:00:00Z"} for row in rows]
            file.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
            assert ws.ingest.load(dataset, file).accepted == len(rows)
        ws.policies.put("web_only", {"eventDatasets": ["web"]})
        con, union, at = ws.sandbox.history.con, ws.schemas.union(), parse_instant(AT)
        names = dict(con.execute("SELECT identity, value FROM identity").fetchall())
        for place, view in enumerate(("default", "web_only")):
            folder = tmp_path / view
            folder.mkdir()
            people = everyone(ws.sandbox, view)
            profiles = dict(records(con, union, view, people))
            engines = [SqlEngine(con, union), SparkEngine(lend(con, spark, folder, view), union)]
            for text, expected in RULES.items():
                expr = parse(text)
                rule = normalise(expr, union)
                for engine in engines:
                    found = fold(rule, engine.evaluate(conditions_of(rule), view, at, {}), people)
                    assert (text, sorted(names[person] for person in found)) == (text, expected[place])
                read = [names[person] for person, record in profiles.items() if holds(expr, record, at, union)]
                assert (text, sorted(read)) == (text, expected[place])
