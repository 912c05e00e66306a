"""From files to profiles and audiences."""

import json

import pytest

from coterie.core.errors import Conflict, Invalid, NotFound

ANN = frozenset({("CRMID", "1"), ("Email", "ann@example.org"), ("WebID", "w1")})
BOB = frozenset({("CRMID", "2"), ("Email", "bob@example.org"), ("WebID", "w2")})
CID = frozenset({("CRMID", "3"), ("Email", "cid@example.org")})
DEE = frozenset({("Email", "dee@example.org")})
W9 = frozenset({("WebID", "w9")})


def test_fragments_of_three_sources_become_one_profile(loaded):
    profile = loaded.profiles.get("WebID", "w1")
    assert profile.attributes["person"]["name"] == "Ann"
    assert profile.attributes["homeAddress"]["city"] == "Lyon"
    assert profile.attributes["loyalty"] == {"points": 700, "tier": "gold"}
    assert [item.event["_id"] for item in profile.events] == ["e2", "e1"]
    assert loaded.profiles.get("Email", "ann@example.org").person == profile.person
    assert loaded.profiles.count() == 5


def test_audiences_hold_whom_their_rules_describe(loaded, members):
    assert members(loaded, "searched-not-bought") == {ANN, W9}
    assert members(loaded, "spenders") == {BOB}  # 10.10 + 19.90 is exactly 30
    assert members(loaded, "lyon") == {ANN}
    assert members(loaded, "gold-or-lyon") == {ANN}


def test_the_last_write_wins_and_the_loser_is_told(loaded, files, clock, tmp_path):
    again = tmp_path / "later.jsonl"
    again.write_text(json.dumps({"crm": {"id": "1", "email": "ann@example.org"}, "loyalty": {"points": 1}}) + "\n")
    clock.at += 1000
    loaded.ingest.load("crm", again)
    profile = loaded.profiles.get("CRMID", "1")
    assert profile.attributes["loyalty"]["points"] == 1
    assert "homeAddress" not in profile.attributes  # the new record replaces the old one of its dataset whole
    won = profile.provenance["loyalty.points"]
    assert won.winner.dataset == "crm"
    assert [loser.source.dataset for loser in won.losers] == ["loyalty"]


def test_the_unstitched_view_keeps_identities_apart(loaded):
    alone = loaded.profiles.get("CRMID", "1", view="unstitched")
    assert "tier" not in alone.attributes.get("loyalty", {})
    assert [item.event["_id"] for item in alone.events] == []
    browser = loaded.profiles.get("WebID", "w1", view="unstitched")
    assert [item.event["_id"] for item in browser.events] == ["e2", "e1"]
    with pytest.raises(NotFound):
        loaded.profiles.get("Email", "ann@example.org" + "x", view="unstitched")


@pytest.mark.parametrize("name", ["crm", "loyalty", "web"])
def test_loading_the_same_file_twice_changes_nothing(loaded, files, name, picture, clock, tmp_path):
    before = picture(loaded)
    copied = tmp_path / "another-name.jsonl"
    copied.write_bytes(files[name].read_bytes())
    clock.at += 5000
    report = loaded.ingest.load(name, copied)
    assert report.status == "unchanged"
    assert report.accepted == 0
    assert picture(loaded) == before


def test_an_event_seen_before_is_a_duplicate_and_the_first_counts(loaded, tmp_path, clock):
    path = tmp_path / "again.jsonl"
    rows = [
        {
            "_id": "e6",
            "timestamp": "2026-06-06T10:00:00Z",
            "eventType": "purchase",
            "browser": "w9",
            "order": {"total": 99},
        },
        {"_id": "e7", "timestamp": "2026-06-07T10:00:00Z", "eventType": "search", "browser": "w9"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = loaded.ingest.load("web", path)
    assert (report.accepted, report.duplicates) == (2, 1)
    assert [(item.event["_id"], item.event["eventType"]) for item in loaded.profiles.get("WebID", "w9").events] == [
        ("e7", "search"),
        ("e6", "search"),
    ]


def test_reverting_a_batch_makes_it_as_if_it_had_never_come(loaded, picture, clock, tmp_path):
    before = picture(loaded)
    path = tmp_path / "later.jsonl"
    rows = [
        {"_id": "x1", "timestamp": "2026-06-10T10:00:00Z", "eventType": "login", "browser": "w9", "login": "2"},
        {
            "_id": "x2",
            "timestamp": "2026-06-10T11:00:00Z",
            "eventType": "purchase",
            "browser": "w1",
            "order": {"total": 70},
        },
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    clock.at += 1000
    report = loaded.ingest.load("web", path)
    assert picture(loaded) != before
    clock.at += 1000
    reverted = loaded.ingest.revert(report.batch, "wrong file")
    assert reverted.status == "inactive"
    assert picture(loaded) == before
    with pytest.raises(Conflict, match=report.batch):
        loaded.ingest.revert(report.batch)
    clock.at += 1000
    assert loaded.ingest.load("web", path).status == "active"  # a reverted file may come again


def test_reverting_an_attribute_batch_brings_the_older_value_back(loaded, picture, clock, tmp_path):
    before = picture(loaded)
    path = tmp_path / "later.jsonl"
    path.write_text(json.dumps({"card": {"email": "ann@example.org"}, "loyalty": {"tier": "platinum"}}) + "\n")
    clock.at += 1000
    report = loaded.ingest.load("loyalty", path)
    assert loaded.profiles.get("CRMID", "1").attributes["loyalty"] == {"tier": "platinum"}
    loaded.ingest.revert(report.batch)
    assert picture(loaded) == before


def test_the_duplicate_takes_the_place_of_a_withdrawn_event(ws, files, tmp_path, clock):
    first = ws.ingest.load("web", files["web"])
    path = tmp_path / "second.jsonl"
    row = {"_id": "e6", "timestamp": "2026-06-09T10:00:00Z", "eventType": "login", "browser": "w9", "login": "7"}
    path.write_text(json.dumps(row) + "\n")
    assert ws.ingest.load("web", path).duplicates == 1
    with pytest.raises(NotFound):
        ws.profiles.get("CRMID", "7")
    ws.ingest.revert(first.batch)
    profile = ws.profiles.get("CRMID", "7")
    assert [(item.event["_id"], item.event["eventType"]) for item in profile.events] == [("e6", "login")]
    assert ws.profiles.count() == 1


def test_past_the_threshold_a_batch_is_refused_whole(loaded, picture, tmp_path):
    before = picture(loaded)
    path = tmp_path / "bad.jsonl"
    path.write_text('{"_id": "y1", "timestamp": "never", "browser": "w1"}\n' + "{broken\n")
    report = loaded.ingest.load("web", path)
    assert report.status == "failed"
    assert "100" in report.reason
    assert picture(loaded) == before
    rows = loaded.ingest.quarantine(report.batch)
    assert next((row.file, row.line, row.field) for row in rows) == ("bad.jsonl", 1, "timestamp")
    assert {row.line for row in rows} == {1, 2}


def test_below_the_threshold_the_good_rows_go_on(loaded, tmp_path):
    path = tmp_path / "mixed.jsonl"
    path.write_text(
        '{"_id": "y1", "timestamp": "2026-06-11T00:00:00Z", "browser": "w8"}\n{"_id": "y2", "timestamp": "never"}\n'
    )
    report = loaded.ingest.load("web", path, threshold=0.5)
    assert (report.status, report.accepted, report.quarantined) == ("active", 1, 1)
    assert [item.event["_id"] for item in loaded.profiles.get("WebID", "w8").events] == ["y1"]


def test_a_dry_run_says_what_would_happen_and_changes_nothing(loaded, picture, tmp_path):
    before, position = picture(loaded), loaded.status().position
    path = tmp_path / "mixed.jsonl"
    path.write_text(
        '{"_id": "y1", "timestamp": "2026-06-11T00:00:00Z", "browser": "w8"}\n{"_id": "y2", "timestamp": "never"}\n'
    )
    report = loaded.ingest.load("web", path, dry_run=True)
    assert (report.dry_run, report.rows_read, report.accepted, report.quarantined) == (True, 2, 1, 1)
    assert "50" in report.reason  # it would be refused
    assert (picture(loaded), loaded.status().position) == (before, position)
    assert len(loaded.ingest.batches()) == 3


def test_what_cannot_be_loaded_says_so_and_leaves_nothing_behind(loaded, tmp_path):
    with pytest.raises(NotFound, match="wbe") as caught:
        loaded.ingest.load("wbe", tmp_path)
    assert "web" in caught.value.hint
    with pytest.raises(Invalid):
        loaded.ingest.load("web", tmp_path / "nothing.jsonl")
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1" + b"\0" * 50)
    with pytest.raises(Invalid) as unreadable:
        loaded.ingest.load("web", broken)
    assert unreadable.value.code == "ingest.unreadable-file"
    assert {batch.status for batch in loaded.ingest.batches()} <= {"active", "failed"}
    assert not [
        path for path in loaded.sandbox.log.files.iterdir() if path.name not in {"b000001", "b000002", "b000003"}
    ]
