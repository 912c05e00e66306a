"""Access to what is held, and deleting batches and datasets without a trace."""

import json

import pytest

import coterie
from coterie.core.clock import format_instant
from coterie.core.errors import Conflict, NotFound
from coterie.governance.traces import Sought
from coterie.pipeline.privacy.access import readable
from coterie.pipeline.privacy.finding import find, find_raw
from coterie.profile.policy import AttributeMerge, MergePolicy


def test_instants_of_the_program_are_readable_and_fields_of_sources_stay():
    told = {"first_at": 1_780_308_000_000, "last_at": None, "valid_until": 0, "events": [{"made_at": 5}]}
    found = readable({"graph": [told], "attributes": {"made_at": 5}, "at": 0})
    readably = {"first_at": "2026-06-01T10:00:00Z", "valid_until": "1970-01-01T00:00:00Z"}
    assert found == {"graph": [told | readably], "attributes": {"made_at": 5}, "at": "1970-01-01T00:00:00Z"}


def test_access_gives_everything_that_is_held(loaded, tmp_path, clock):
    clock.at += 1000
    loaded.audiences.evaluate()
    loaded.audiences.export("lyon", loaded.sandbox.exports / "lyon.csv")
    bad = tmp_path / "bad.jsonl"
    bad.write_text(json.dumps({"crm": {"id": "1", "email": "ann@example.org"}, "loyalty": {"points": "many"}}) + "\n")
    loaded.ingest.load("crm", bad, threshold=1)
    loaded.identities.split(("CRMID", "1"), ("CRMID", "3"), reason="not Ann")
    told = loaded.privacy.access([("WebID", "w1")], tmp_path / "ann.json")
    held = json.loads((tmp_path / "ann.json").read_text())
    assert sorted(map(tuple, held["identities"])) == [("CRMID", "1"), ("Email", "ann@example.org"), ("WebID", "w1")]
    (person,) = held["persons"]
    assert person["profile"]["attributes"]["loyalty"]["tier"] == "gold"
    assert person["profile"]["provenance"]
    assert len(person["graph"]["links"]) == 2
    assert {row["dataset"] for row in held["fragments"]} == {"crm", "loyalty"}
    assert [row["_id"] for row in held["events"]] == ["e1", "e2"]
    assert held["events"][0]["timestamp"] == "2026-06-01T10:00:00Z"
    assert {row["audience"] for row in held["memberships"]} == {"searched-not-bought", "lyon", "gold-or-lyon"}
    assert [row["field"] for row in held["quarantine"]] == ["loyalty.points"]
    assert [(item["kind"], item["reason"], item["recorded_at"]) for item in held["decisions"]] == [
        ("split", "not Ann", format_instant(clock.at))
    ]
    assert [(row["file"], row["line"]) for row in held["rows"]] == [
        ("crm.jsonl", 1),
        ("loyalty.jsonl", 1),
        ("web.jsonl", 1),
        ("web.jsonl", 2),
        ("bad.jsonl", 1),
    ]
    assert [entry["kind"] for entry in held["log"]] == ["identity.decided"]
    assert held["exports"] == ["exports/lyon.csv"]
    assert (told.rows, told.events, told.memberships) == (5, 2, 3)
    assert "bob@" not in (tmp_path / "ann.json").read_text()


def test_an_erased_batch_leaves_nothing(loaded, tmp_path, clock, picture):
    before = picture(loaded)
    clock.at += 1000
    path = tmp_path / "secret-name.jsonl"
    rows = [{"crm": {"id": "33", "email": "secret@example.org"}}, {"crm": {"id": "1", "email": "ann@example.org"}}]
    rows.append({"crm": {"id": "34"}, "loyalty": {"points": "secret-points"}})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    batch = loaded.ingest.load("crm", path, threshold=1).batch
    sought = Sought.of([], ["secret-name", "secret@example.org", "secret-points"])
    assert {item.store for item in find(loaded.sandbox, sought)} == {"log", "staged files", "catalog", "history"}
    done = loaded.privacy.delete_batch(batch, "not ours")
    assert (done.batches, done.entries) == ((batch,), 2)
    assert find(loaded.sandbox, sought) == []
    assert picture(loaded) == before
    assert loaded.ingest.batch(batch).status == "deleted"
    assert loaded.ingest.load("crm", path, threshold=1, evaluate=False).batch == "b000005"
    loaded.privacy.delete_batch("b000005")
    assert loaded.rebuild(tmp_path / "again").same
    root = loaded.sandbox.path.parent
    loaded.close()
    assert find_raw(root, sought) == []
    with coterie.open(root, clock=clock) as again:
        assert picture(again) == before


@pytest.mark.parametrize("erase", [False, True])
def test_a_deleted_dataset_takes_its_batches_along(loaded, tmp_path, erase):
    done = loaded.privacy.delete_dataset("loyalty", "sold", erase=erase)
    assert (done.batches, done.erased) == (("b000002",), erase)
    assert [item.name for item in loaded.datasets.list()] == ["crm", "web"]
    assert "tier" not in loaded.profiles.get("Email", "ann@example.org").attributes.get("loyalty", {})
    with pytest.raises(NotFound):
        loaded.profiles.get("Email", "dee@example.org")
    assert loaded.sandbox.log.staged("b000002").exists() is not erase
    assert loaded.audiences.size("gold-or-lyon") == 1
    held = loaded.privacy.access([("Email", "dee@example.org")], tmp_path / "dee.json")
    assert held.rows == (0 if erase else 1)
    report = loaded.privacy.erase([("Email", "dee@example.org")])
    assert report.rows == (0 if erase else 1)
    assert loaded.rebuild(tmp_path / "again").same


def test_a_dataset_that_a_policy_names_is_not_deleted(loaded):
    loaded.policies.put("crm_first", MergePolicy(AttributeMerge.DATASET_PRECEDENCE, order=("crm", "loyalty")))
    with pytest.raises(Conflict) as caught:
        loaded.privacy.delete_dataset("loyalty")
    assert caught.value.code == "dataset.in-use"


def test_files_keep_their_numbers_in_a_rebuild(loaded, files, tmp_path, clock):
    """Of two files the first is known already, so the batch holds only the second one."""
    later = tmp_path / "later.jsonl"
    later.write_text(json.dumps({"card": {"email": "zoe@example.org"}, "loyalty": {"tier": "gold"}}) + "\n")
    clock.at += 1000
    assert loaded.ingest.load("loyalty", [files["loyalty"], later]).accepted == 1
    assert loaded.rebuild(tmp_path / "again").same
