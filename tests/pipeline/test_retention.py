"""Retention: expired events and pseudonymous profiles go, the same ones in a dry run, in a run and in a rebuild."""

from __future__ import annotations

import json

import pytest

import coterie
from coterie.core.clock import DAY, FixedClock, format_instant, parse_instant
from coterie.core.errors import Invalid, NotFound

NOW = parse_instant("2026-06-15T12:00:00Z")
SCHEMAS = [
    {
        "name": "crm",
        "class": "profile",
        "fields": {"crm": "string", "cookie": "string", "tier": "string"},
        "identities": [
            {"path": "crm", "namespace": "CRMID", "primary": True},
            {"path": "cookie", "namespace": "WebID"},
        ],
    },
    {
        "name": "web",
        "class": "event",
        "fields": {"browser": "string", "login": "string", "query": "string"},
        "identities": [
            {"path": "browser", "namespace": "WebID", "primary": True},
            {"path": "login", "namespace": "CRMID"},
        ],
    },
]


def event(id_, days, browser, **more):
    """An event so many days ago."""
    at = {"_id": id_, "timestamp": format_instant(int(NOW - days * DAY)), "eventType": "search", "browser": browser}
    return {**at, **more}


WEB = [
    event("e1", 40, "old", login="1"),  # joins the browser to a customer, who stays
    event("e2", 39, "gone"),
    event("e3", 35, "half"),
    event("e4", 5, "half"),
    event("e5", 1, "fresh", login="2"),
    event("e6", 29.5, "idle"),
]
CRM = [{"crm": "1", "tier": "gold"}, {"crm": "2", "tier": "basic"}]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def clock():
    return FixedClock(NOW)


@pytest.fixture
def ws(tmp_path, clock):
    with coterie.open(tmp_path / "ws", create=True, clock=clock) as workspace:
        workspace.identities.put_namespace({"code": "WebID", "name": "Browser", "type": "COOKIE"})
        for schema in SCHEMAS:
            workspace.schemas.put(schema)
            workspace.datasets.put(schema["name"], schema["name"])
        workspace.audiences.put("searched", "xEvent.count() >= 1")
        workspace.ingest.load("crm", write(tmp_path / "crm.jsonl", CRM))
        workspace.ingest.load("web", write(tmp_path / "web.jsonl", WEB))
        yield workspace


def expire(ws, written="30d"):
    return ws.datasets.put("web", "web", expire_events_after=written)


def browsers(ws):
    found = ws.sandbox.history.con.execute("SELECT value FROM identity WHERE value != '' ORDER BY value").fetchall()
    return {value for (value,) in found}


def state(ws):
    """Every row of what an expiry may change."""
    con = ws.sandbox.history.con
    tables = ("identity", "event", "event_duplicate", "record", "link", "person_of", "profile_default", "meta")
    return {table: con.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall() for table in tables}


def test_expired_events_go_with_what_followed_from_them(ws, tmp_path):
    assert {"old", "gone", "half", "fresh", "idle"} <= browsers(ws)
    assert ws.identities.graph("CRMID", "1").links
    expire(ws)
    before = state(ws)
    preview = ws.retention.preview()
    assert state(ws) == before
    assert preview.dry_run
    (found,) = preview.datasets
    assert (found.dataset, found.before, found.events) == ("web", NOW - 30 * DAY, 3)
    assert found.months == {"2026-05": 3}
    position = ws.sandbox.log.last
    done = ws.retention.run()
    assert (done.datasets, done.identities) == (preview.datasets, preview.identities)
    assert done.identities == 2
    assert browsers(ws) == {"1", "2", "half", "fresh", "idle"}
    assert [item.event["_id"] for item in ws.profiles.get("WebID", "half").events] == ["e4"]
    assert ws.identities.graph("CRMID", "1").links == ()
    assert ws.profiles.get("CRMID", "1").attributes["tier"] == "gold"
    with pytest.raises(NotFound):
        ws.profiles.get("WebID", "gone")
    assert len(ws.audiences.members("searched")) == 3
    assert [entry.kind for entry in ws.sandbox.log.entries(after=position)] == [
        "retention.applied",
        "audience.evaluated",
    ]
    assert ws.retention.run().datasets == ()
    rebuilt = ws.rebuild(tmp_path / "again")
    assert rebuilt.same, [table for table in rebuilt.tables if not table.same]


def test_old_events_are_put_aside_and_no_fault_of_the_file(ws, tmp_path):
    expire(ws)
    rows = [event(f"o{n}", 31 + n, "new") for n in range(20)] + [event("n", 1, "new")]
    report = ws.ingest.load("web", write(tmp_path / "more.jsonl", rows))
    assert (report.status, report.accepted, report.errors) == ("active", 1, {"event.expired": 20})
    row = ws.ingest.quarantine(report.batch)[0]
    assert (row.line, row.field, row.value, row.code) == (1, "timestamp", None, "event.expired")
    assert "2026-05-16T12:00:00Z" in row.reason
    again = ws.ingest.load("web", tmp_path / "more.jsonl")
    assert again.status == "unchanged"


def test_a_rebuild_long_after_takes_what_was_taken(ws, tmp_path, clock):
    expire(ws, {"count": 30, "unit": "day"})
    ws.ingest.load("web", write(tmp_path / "more.jsonl", [event("a", 29, "b1"), event("b", 31, "b2")]))
    clock.at += 60 * DAY
    rebuilt = ws.rebuild(tmp_path / "again")
    assert rebuilt.same
    assert {table.table: table.rows for table in rebuilt.tables}["event"] > 0


def test_it_runs_once_a_day_by_itself(ws, tmp_path, clock):
    def runs():
        return sum(entry.kind == "retention.applied" for entry in ws.sandbox.log.entries())

    expire(ws)
    ws.ingest.load("web", write(tmp_path / "a.jsonl", [event("a", 1, "half")]), dry_run=True)
    assert runs() == 0
    ws.ingest.load("web", write(tmp_path / "a.jsonl", [event("a", 1, "half")]))
    assert runs() == 1
    clock.at += DAY - 1
    ws.ingest.load("web", write(tmp_path / "b.jsonl", [event("b", 0, "half")]))
    assert runs() == 1
    clock.at += 1
    assert ws.retention.daily().datasets[0].events == 1
    assert runs() == 2
    root = ws.sandbox.path.parent
    clock.at += 10 * DAY
    ws.close()
    with coterie.open(root, clock=clock, upkeep=False) as later:
        assert len(later.profiles.get("WebID", "half").events) == 3
    with coterie.open(root, clock=clock) as later:
        assert [item.event["_id"] for item in later.profiles.get("WebID", "half").events] == ["b", "a", "e4"]
        clock.at += 19 * DAY
        assert [item.event["_id"] for item in later.profiles.get("WebID", "half").events] == ["b", "a", "e4"]
        assert later.retention.daily().datasets[0].events > 0
        assert [item.event["_id"] for item in later.profiles.get("WebID", "half").events] == ["b"]


def test_a_later_duplicate_takes_the_place_of_an_expired_event(ws, tmp_path):
    ws.ingest.load("web", write(tmp_path / "twice.jsonl", [event("e2", 3, "gone", query="again")]))
    expire(ws)
    ws.retention.run()
    (found,) = ws.profiles.get("WebID", "gone").events
    assert found.event["query"] == "again"
    assert ws.rebuild(tmp_path / "again").same


def test_an_expiry_is_of_events_and_a_number_of_days(ws):
    with pytest.raises(Invalid) as caught:
        ws.datasets.put("crm", "crm", expire_events_after="30d")
    assert caught.value.code == "dataset.expiry"
    for wrong in ("0d", "soon", -3, {"count": 1.5, "unit": "day"}, {"count": 3, "unit": "fortnight"}, True, 10**9):
        with pytest.raises(Invalid) as caught:
            expire(ws, wrong)
        assert caught.value.code == "retention.days"
    assert expire(ws, {"count": 2, "unit": "weeks"}).expire_events_after == 14


def test_audiences_that_look_further_back_are_named(ws):
    ws.audiences.put("short", "xEvent[timestamp occurs <= 20 days before now].count() >= 1")
    ws.audiences.put("long", 'xEvent[query = "a" and timestamp occurs <= 60 days before now].count() >= 1')
    ws.audiences.put("attributes", 'tier = "gold"')
    assert ws.retention.show().warnings == ()
    expire(ws)
    found = {item.audience: item for item in ws.retention.show().warnings}
    assert set(found) == {"long", "searched"}
    assert (found["long"].look_back, found["searched"].look_back) == (60, None)
    assert found["long"].message == (
        "audience long looks 60 days back, and dataset web keeps its events for 30 days only."
    )
    assert ws.audiences.describe("long").warnings == (found["long"],)
    assert ws.audiences.describe("short").warnings == ()
    assert ws.audiences.analyse("xEvent.count() > 3").warnings == (
        "it looks at events of any age, and dataset web keeps its events for 30 days only",
    )


# -- pseudonymous profiles --------------------------------------------------------------------------------------------


def test_pseudonymous_profiles_without_activity_go(ws, tmp_path):
    ws.retention.put(["WebID"], "14d")
    preview = ws.retention.preview()
    gone = preview.pseudonymous
    assert (gone.profiles, gone.events, gone.records) == (2, 2, 0)
    assert set(gone.sample) == {("WebID:gone",), ("WebID:idle",)}
    done = ws.retention.run()
    assert done.pseudonymous == gone
    assert browsers(ws) == {"1", "2", "old", "half", "fresh"}
    assert len(ws.profiles.get("WebID", "old").events) == 1  # a customer's browser is no pseudonym
    assert ws.sandbox.history.con.execute("SELECT count(*) FROM event").fetchall() == [(4,)]
    rebuilt = ws.rebuild(tmp_path / "again")
    assert rebuilt.same, [table for table in rebuilt.tables if not table.same]


def test_numbers_of_identities_are_not_given_twice(ws, tmp_path, clock):
    ws.ingest.load("web", write(tmp_path / "last.jsonl", [event("z", 20, "zz")]))
    ((last,),) = ws.sandbox.history.con.execute("SELECT max(identity) FROM identity").fetchall()
    ws.retention.put(["WebID"], 14)
    ws.retention.run()
    assert "zz" not in browsers(ws)
    ws.ingest.load("web", write(tmp_path / "next.jsonl", [event("y", 1, "yy")]))
    rows = dict(ws.sandbox.history.con.execute("SELECT value, identity FROM identity").fetchall())
    assert rows["yy"] > last
    clock.at += 30 * DAY
    ws.retention.run()
    assert browsers(ws) == {"1", "2", "old", "fresh"}
    assert ws.rebuild(tmp_path / "again").same


def test_new_attributes_are_activity_by_the_time_they_were_recorded(ws, tmp_path, clock):
    schema = {
        "name": "device",
        "class": "profile",
        "fields": {"device": "string", "kind": "string"},
        "identities": [{"path": "device", "namespace": "WebID", "primary": True}],
    }
    ws.schemas.put(schema)
    ws.datasets.put("device", "device")
    ws.ingest.load("device", write(tmp_path / "device.jsonl", [{"device": "gone", "kind": "phone"}]))
    ws.retention.put(["WebID"], 14)
    assert ws.retention.preview().pseudonymous.sample == (("WebID:idle",),)
    clock.at += 15 * DAY
    gone = ws.retention.run().pseudonymous
    assert (gone.profiles, gone.records) == (3, 1)
    with pytest.raises(NotFound):
        ws.profiles.get("WebID", "gone")


def test_both_rules_in_one_run(ws, tmp_path):
    """The browser of a customer is a pseudonym once the event that joined them is gone."""
    ws.ingest.load("web", write(tmp_path / "x.jsonl", [event("x", 20, "old")]))
    expire(ws)
    ws.retention.put(["WebID"], 14)
    preview = ws.retention.preview()
    assert set(preview.pseudonymous.sample) == {("WebID:old",), ("WebID:idle",)}
    done = ws.retention.run()
    assert (done.datasets, done.pseudonymous) == (preview.datasets, preview.pseudonymous)
    assert browsers(ws) == {"1", "2", "half", "fresh"}
    assert ws.rebuild(tmp_path / "again").same


def test_an_identity_that_others_name_beside_their_own_is_taken_out(ws, tmp_path):
    """A link that a rule cut leaves a pseudonym in the records of somebody else."""
    from coterie.pipeline.effects import retention

    con = ws.sandbox.history.con
    ((old,),) = con.execute("SELECT identity FROM identity WHERE value = 'old'").fetchall()
    con.execute("CREATE TEMP TABLE forgotten AS SELECT $1::INTEGER AS identity, $1::INTEGER AS person", [old])
    con.execute("CREATE TEMP TABLE concerned_identity (identity INTEGER)")
    con.execute("CREATE TEMP TABLE concerned_batch (batch INTEGER, dataset INTEGER)")
    con.execute("UPDATE event SET \"$identity\" = (SELECT identity FROM identity WHERE value = '1') WHERE _id = 'e1'")
    retention._unname(con)
    assert con.execute("SELECT \"$identities\" FROM event WHERE _id = 'e1'").fetchall() == [(None,)]
    assert len(con.execute("SELECT DISTINCT identity FROM concerned_identity").fetchall()) == 2


def test_settings_are_checked(ws):
    assert ws.retention.put(["WebID"], "2w").pseudonymous.after == 14
    assert ws.retention.show().pseudonymous.namespaces == ("WebID",)
    assert ws.retention.put("WebID", 14).pseudonymous.namespaces == ("WebID",)
    assert ws.retention.put().pseudonymous is None
    with pytest.raises(NotFound):
        ws.retention.put(["Webid"], 14)
    for wrong in ((["WebID"], None), ([], 14)):
        with pytest.raises(Invalid) as caught:
            ws.retention.put(*wrong)
        assert caught.value.code == "retention.settings"


# -- staged files -----------------------------------------------------------------------------------------------------


def staged(ws):
    return "".join(path.read_text() for path in sorted((ws.sandbox.path / "log" / "files").rglob("*.jsonl")))


def test_staged_files_are_written_again_without_what_is_kept_no_longer(ws, tmp_path, clock):
    more = [event("d1", 45, "half"), event("d2", 3, "half"), {"_id": "bad", "browser": "nowhere"}]
    ws.ingest.load("web", write(tmp_path / "more.jsonl", more), threshold=0.5)
    ws.ingest.load("web", write(tmp_path / "old.jsonl", [event("all", 50, "ancient")]))
    expire(ws)
    ws.retention.put(["WebID"], 14)
    ws.retention.run()
    people = {name: len(ws.profiles.get("WebID", name).events) for name in ("half", "fresh")}
    before = state(ws)
    assert all(name in staged(ws) for name in ("gone", "idle", "ancient", "d1"))
    done = ws.retention.run(erase=True)
    assert (done.datasets, done.purged.rows, done.purged.files) == ((), 6, 3)
    held = staged(ws)
    assert not any(f'"{name}"' in held for name in ("gone", "idle", "ancient", "old", "d1", "e1", "e3", "e6"))
    assert all(f'"{name}"' in held for name in ("e4", "e5", "d2", "nowhere"))
    assert {name: len(ws.profiles.get("WebID", name).events) for name in ("half", "fresh")} == people
    after = state(ws)
    assert [len(rows) for table, rows in after.items() if table != "identity"] == [
        len(rows) for table, rows in before.items() if table != "identity"
    ]
    assert ws.audiences.size("searched") == 2
    assert ws.retention.run(erase=True).purged.rows == 0
    assert ws.rebuild(tmp_path / "again").same
    ws.ingest.load("web", write(tmp_path / "new.jsonl", [event("n1", 1, "newcomer")]))
    assert ws.audiences.size("searched") == 3
