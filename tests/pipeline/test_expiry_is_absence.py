"""After expired events are gone, people are as if those events had never come; also where graphs are replayed."""

from __future__ import annotations

import json
import random

import pytest

import coterie
from coterie.core.clock import DAY, FixedClock, format_instant, parse_instant

NOW = parse_instant("2026-06-15T12:00:00Z")
SCHEMA = {
    "name": "web",
    "class": "event",
    "fields": {"browser": "string", "login": "string", "mail": "string"},
    "identities": [
        {"path": "browser", "namespace": "WebID"},
        {"path": "login", "namespace": "CRMID"},
        {"path": "mail", "namespace": "Email"},
    ],
}
RULES = {
    "algorithm": "optimized",
    "namespaces": [{"code": "CRMID", "unique": True}, {"code": "Email"}],
    "graph_limit": 4,
}


def events(seed):
    """Events of few browsers that many log in from, so that rules cut links."""
    draw = random.Random(seed)
    for number in range(60):
        made = {"_id": f"e{number}", "timestamp": format_instant(NOW - draw.randrange(60 * DAY))}
        for field, share, of in (("browser", 0.9, 6), ("login", 0.5, 5), ("mail", 0.4, 5)):
            if draw.random() < share or (field == "mail" and len(made) == 2):
                made[field] = f"{field}{draw.randrange(of)}"
        yield made


def opened(root, rows, settings, expire=None):
    ws = coterie.open(root, create=True, clock=FixedClock(NOW))
    ws.identities.put_namespace({"code": "WebID", "name": "Browser", "type": "COOKIE"})
    ws.schemas.put(SCHEMA)
    ws.datasets.put("web", "web")
    if settings:
        ws.identities.put_settings(settings)
    for part in range(3):
        mine = rows[part::3]
        path = root.with_suffix(f".{part}.jsonl")
        path.write_text("".join(json.dumps(row) + "\n" for row in mine))
        assert not mine or ws.ingest.load("web", path).status == "active"
    if expire:
        ws.datasets.put("web", "web", expire_events_after=expire)
    return ws


def people(ws):
    """Who is one person, with the links in force, what was removed and whose the events are: by values."""

    def read(statement):
        return ws.sandbox.history.con.execute(statement).fetchall()

    named = dict(read("SELECT identity, code || ':' || value FROM identity JOIN namespace USING (namespace)"))
    graphs: dict[int, set[str]] = {}
    for identity, person in read("SELECT identity, person FROM person_of"):
        graphs.setdefault(person, set()).add(named[identity])
    whose = 'SELECT _id, person FROM live_event JOIN person_of ON identity = "$identity"'
    return {
        "graphs": {named[person]: names for person, names in graphs.items()},
        "events": {id_: named[person] for id_, person in read(whose)},
        "removed": {
            (frozenset((named[a], named[b])), kind, at)
            for a, b, kind, at in read('SELECT a, b, kind, "at" FROM removed_link')
        },
        "evicted": {(named[identity], at) for identity, at in read('SELECT identity, "at" FROM evicted')},
        "profiles": {named[person] for (person,) in read("SELECT person FROM profile_default")},
    }


@pytest.mark.parametrize(("seed", "settings"), [(1, None), (2, RULES)])
def test_people_are_as_if_expired_events_had_never_come(tmp_path, seed, settings):
    rows = list(events(seed))
    kept = [row for row in rows if row["timestamp"] >= format_instant(NOW - 30 * DAY)]
    assert 10 < len(kept) < 50
    with (
        opened(tmp_path / "whole", rows, settings, expire="30d") as ws,
        opened(tmp_path / "part", kept, settings) as less,
    ):
        before = people(ws)
        ws.retention.run()
        assert people(ws) != before
        found, expected = people(ws), people(less)
        if settings is None:  # a person is then called by the oldest identity, and which one that is differs
            assert sorted(map(sorted, found["graphs"].values())) == sorted(map(sorted, expected["graphs"].values()))
            assert set(found["events"]) == set(expected["events"])
        else:
            assert found == expected
            assert found["removed"]
        assert ws.rebuild(tmp_path / "again").same
