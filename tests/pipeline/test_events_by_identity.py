"""The copy of events by identity: whatever happens to a workspace, what is read of it is what `event` holds."""

import random
from contextlib import suppress

import pytest

import coterie
from coterie.core.errors import Conflict, NotFound
from coterie.store.history import by_identity

from .conftest import SCHEMAS, define
from .test_as_of import HOUR, IDENTITIES, act, write
from .test_history_independence import batch


def differences(con, views=("default", "unstitched", "web_only")):
    """Return the relations that have other rows by identity than in their own order."""
    pairs = {f'"event_of_{view}"': f'"event_by_identity_of_{view}"' for view in views}
    pairs |= {"live_event": "live_event_by_identity"}
    last = by_identity.upto(con)
    if last is not None:
        pairs[f'(SELECT * FROM event WHERE "$batch" <= {last})'] = by_identity.TABLE
    found = []
    for left, right in pairs.items():
        for here, there in ((left, right), (right, left)):
            if con.execute(f"SELECT count(*) FROM (FROM {here} EXCEPT ALL FROM {there})").fetchall() != [(0,)]:
                found.append((here, there))
    return found


def change(ws, chance, active, step, folder):
    """Do one of the things that change events or what is seen of them: often load, revert, copy."""
    match chance.choice(
        ["any"] * 6 + ["repeat"] * 2 + ["revert"] * 2 + ["copy"] * 4 + ["schema", "view", "retain", "erase"]
    ):
        case "repeat":  # of another file with the same events nothing counts until the first is taken back
            rows = batch(random.Random(chance.randint(0, 2)), 0)[1]
            if "_id" in rows[0]:
                rows.append({**rows[0], "_id": f"r{step}"})
                report = ws.ingest.load("web", write(folder / f"{step}.jsonl", rows), evaluate=False)
                active += [report.batch] if report.status == "active" else []
        case "revert" if active:
            ws.ingest.revert(active.pop(chance.randrange(len(active))))
        case "copy":
            ws.sandbox.history.copy_events(least=0)
        case "schema":
            (web,) = (schema for schema in SCHEMAS if schema["name"] == "web")
            ws.schemas.put({**web, "fields": web["fields"] | {f"more.f{n}": "string" for n in range(step)}})
        case "view":
            ws.policies.put("web_only", {"eventDatasets": chance.choice([["web"], ["app"], ["web", "app"]])})
        case "retain":
            ws.datasets.put("web", "web", expire_events_after=f"{chance.randint(3, 12)}d")
            ws.retention.run()
        case "erase":
            ws.privacy.erase([chance.choice(IDENTITIES)])
        case _:
            act(ws, chance, active, step, folder)


@pytest.mark.parametrize("seed", range(3))
def test_events_by_identity_are_those_of_the_history(tmp_path, clock, seed):
    chance, active, copied = random.Random(seed), [], 0
    with coterie.open(tmp_path / "ws", create=True, clock=clock) as ws:
        define(ws)
        for name in ("spenders", "searched-not-bought", "gold-or-lyon", "lyon"):
            ws.audiences.delete(name)
        ws.datasets.put("app", "web")
        ws.policies.put("web_only", {"eventDatasets": ["web"]})
        for step in range(25):
            clock.at += HOUR
            with suppress(Conflict, NotFound):
                change(ws, chance, active, step, tmp_path)
            con = ws.sandbox.history.con
            assert differences(con) == [], step
            copied += by_identity.upto(con) is not None
        assert copied > 2
        assert ws.rebuild(tmp_path / "again").same
    with coterie.open(tmp_path / "ws", clock=clock) as ws:
        assert differences(ws.sandbox.history.con) == []


def load(ws, path, rows):
    return ws.ingest.load("web", write(path, rows), evaluate=False).batch


def test_the_copy_is_made_when_it_is_worth_while(loaded, tmp_path, clock):
    history = loaded.sandbox.history
    assert not history.copy_events()  # six events are scanned at once
    assert not history.copy_events(least=6)
    assert history.copy_events(least=5)
    assert not history.copy_events(least=5)
    event = {"timestamp": "2026-06-07T10:00:00Z", "eventType": "search", "browser": "w1"}
    clock.at += 1000
    load(loaded, tmp_path / "a.jsonl", [event | {"_id": f"a{n}"} for n in range(34)])
    assert history.copy_events(least=5)
    clock.at += 1000
    load(loaded, tmp_path / "b.jsonl", [event | {"_id": f"b{n}"} for n in range(4)])
    assert not history.copy_events(least=5)  # four are a tenth of forty
    clock.at += 1000
    load(loaded, tmp_path / "c.jsonl", [event | {"_id": "c"}])
    assert history.copy_events(least=5)
    assert differences(history.con, ["default"]) == []


def test_a_copy_lasts_until_events_of_earlier_batches_change(loaded, tmp_path, clock):
    history = loaded.sandbox.history
    assert history.copy_events(least=0)
    last = by_identity.upto(history.con)
    event = {"_id": "e1", "timestamp": "2026-06-01T10:00:00Z", "eventType": "search", "browser": "w1"}
    clock.at += 1000
    load(loaded, tmp_path / "late.jsonl", [event, event | {"_id": "x"}])
    loaded.identities.merge([("CRMID", "1"), ("CRMID", "2")])
    loaded.audiences.evaluate()
    clock.at += 1000
    loaded.ingest.revert(load(loaded, tmp_path / "gone.jsonl", [event | {"_id": "y"}]))
    assert by_identity.upto(history.con) == last
    assert differences(history.con, ["default"]) == []
    loaded.ingest.revert(
        min(item.id for item in loaded.ingest.batches("web"))
    )  # the second event called e1 counts from here on
    assert by_identity.upto(history.con) is None
    assert differences(history.con, ["default"]) == []
    assert history.con.execute("SELECT count(*) FROM live_event_by_identity").fetchall() == [(2,)]


def test_what_does_not_say_that_it_leaves_events_alone_lets_the_copy_go_unless_it_fails(loaded):
    history = loaded.sandbox.history
    history.copy_events(least=0)
    last = by_identity.upto(history.con)
    with suppress(ZeroDivisionError), history.transaction():
        assert by_identity.upto(history.con) is None
        raise ZeroDivisionError
    assert by_identity.upto(history.con) == last
    assert differences(history.con, ["default"]) == []
    with history.transaction(rewrites=False):
        history.add_batch(last + 5, "later", 1, 0)
    assert by_identity.upto(history.con) == last
    with history.transaction(rewrites=False):
        history.add_batch(last - 5, "earlier", 1, 0)
    assert by_identity.upto(history.con) is None
    with history.transaction():
        assert by_identity.upto(history.con) is None


def test_a_machine_without_room_does_without(loaded, monkeypatch):
    import duckdb

    def full(con):
        by_identity.drop(con)
        raise duckdb.OutOfMemoryException("no room")

    history = loaded.sandbox.history
    monkeypatch.setattr(by_identity, "make", full)
    assert not history.copy_events(least=0)
    assert differences(history.con, ["default"]) == []
