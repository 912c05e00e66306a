"""Erasing a person leaves nothing in any store, and everybody else as they were."""

import csv
import gzip
import json
import signal
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import coterie
from coterie.core.errors import Conflict, Damaged, Invalid, NotFound
from coterie.core.ids import Identity
from coterie.governance.traces import Sought
from coterie.identity.suggest import Suggestion
from coterie.pipeline.privacy.finding import HOLDERS, find, find_raw, holder_of
from coterie.pipeline.privacy.rewriting import REMOVED, VERIFIED
from coterie.store import replacement

MAIL = "ann@example.org"
ANN = [("CRMID", "1"), ("Email", MAIL), ("WebID", "w1")]
KEY = "cust-00042-xk"
"""A value that is planted in every store and form."""


def write_csv(path, rows, encoding="utf-8", pack=False):
    text = "".join(f"{','.join(row)}\n" for row in rows).encode(encoding)
    path.write_bytes(gzip.compress(text) if pack else text)
    return path


def everywhere(root):
    """Return the raw bytes of all files of a workspace, compressed ones also unpacked."""
    told = []
    for path in sorted(root.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            told.append((str(path.relative_to(root)), data))
            if data[:2] == b"\x1f\x8b":
                told.append((f"{path.relative_to(root)} unpacked", gzip.decompress(data)))
            if data[:4] == b"PAR1":
                told.append(
                    (
                        f"{path.relative_to(root)} rows",
                        json.dumps(pq.read_table(path).to_pylist(), default=str).encode(),
                    )
                )
    return told


@pytest.fixture
def planted(loaded, tmp_path, clock):
    """Put a customer into every store, in each form, beside others who stay."""
    clock.at += 1000
    folder = tmp_path / "planted"
    folder.mkdir()
    header = ["crm.id", "crm.email", "person.name", "homeAddress.city", "loyalty.points"]
    own = [KEY, f"{KEY}@example.org", "Dora", "Lyon", "5"]
    other = ["77", "gus@example.org", "Gus", "Lyon", "7"]
    load = loaded.ingest.load
    load("crm", write_csv(folder / "packed.csv", [header, other, own], pack=True))
    load("crm", write_csv(folder / "wide.csv", [header, own, ["78", *other[1:]]], "utf-16"))
    bad = [*own, "one value too many"]
    load("crm", write_csv(folder / "bad.csv", [header, *[[f"8{n}", *other[1:]] for n in range(30)], bad]))
    table = {"browser": [KEY, "w9", "w9"], "login": [None, "3", None], "_id": ["p1", "p2", "p3"]}
    table |= {"timestamp": ["2026-06-07T00:00:00Z"] * 3, "eventType": ["search"] * 3}
    dictionary = pa.table(table | {"search.query": pa.array(["x", f"about {KEY}!", "y"]).dictionary_encode()})
    pq.write_table(dictionary, folder / "events.parquet", compression="zstd")
    load("web", folder / "events.parquet")
    mention = {"crm": {"id": "90", "email": "eva@example.org"}, "person": {"name": f"friend of {KEY}"}}
    path = folder / f"of-{KEY}.jsonl"
    path.write_text(json.dumps(mention) + "\n")
    batch = load("crm", path).batch
    loaded.ingest.revert(batch, f"wrong for {KEY}")
    loaded.audiences.put("her", f'crm.id = "{KEY}"')
    loaded.audiences.put("lyon", 'homeAddress.city = "Lyon"')
    loaded.audiences.evaluate()
    for suffix in ("csv", "jsonl", "parquet"):
        loaded.audiences.export("lyon", loaded.sandbox.exports / f"lyon.{suffix}")
    (loaded.sandbox.exports / "note.bin").write_bytes(b"\0\x01" + KEY.encode("utf-16-le"))
    assert loaded.sandbox.history.copy_events(least=0)
    return loaded


PLACES = {
    "log": ["entry 22 (batch.reverted)", "(definition.put)", "(batch.accepted)"],
    "staged files": ["b000004", "b000005", "b000006", "b000007", "b000008"],
    "catalog": ["definition.body", "batch.metrics"],
    "history": [
        "identity.value",
        "record.crm.id",
        "quarantine.value",
        "event.search.query",
        "event_by_identity.search.query",
        "profile_default.crm.id",
    ],
    "exports": ["lyon.csv", "lyon.jsonl", "lyon.parquet"],
}


def test_what_is_planted_is_found_everywhere_before_and_nowhere_after(planted, clock):
    identities = [("CRMID", KEY), ("WebID", KEY)]
    root = planted.sandbox.path.parent
    preview = planted.privacy.preview(identities)
    assert ("Email", f"{KEY}@example.org") in preview.identities
    sought = Sought.of(preview.identities)
    for store, places in PLACES.items():
        found = [item.place for item in preview.findings if item.store == store]
        for place in places:
            if not place.startswith("entry"):
                assert any(place in item for item in found), (store, place, found)
    assert any(item.place.endswith("(batch.reverted)") for item in preview.findings)
    forms = {item.form for item in preview.findings if item.store == "staged files"}
    assert {"compressed text", "text", "column search.query", "column browser"} <= forms
    assert preview.definitions == ("audience her",)
    with pytest.raises(Conflict) as refused:
        planted.privacy.erase(identities)
    assert refused.value.code == "privacy.in-definition"
    assert planted.privacy.preview(identities).findings == preview.findings  # nothing was changed

    stay = {code: planted.profiles.get("CRMID", code) for code in ("77", "78", "2", "3", "80")}
    report = planted.privacy.erase(identities, definitions="redact", reason=f"letter of {KEY}")
    assert {item.store: item.after for item in report.stores} == dict.fromkeys((holder.name for holder in HOLDERS), 0)
    assert all(item.before for item in report.stores if item.store in PLACES)
    assert report.removed == ("note.bin",)
    assert set(report.exports) == {"lyon.csv", "lyon.jsonl", "lyon.parquet"}
    assert report.spoiled == 0
    assert find(planted.sandbox, sought) == []
    kept = planted.privacy.reports()
    assert [item.request for item in kept] == [report.request]
    _others_are_as_they_were(planted, stay)
    _every_file_has_a_holder(planted.sandbox.path)
    clock.at += 1000
    assert planted.rebuild(root.parent / "again").same
    planted.close()
    assert find_raw(root, sought) == []
    for name, data in everywhere(root):
        assert KEY.encode() not in data, name
        assert KEY.encode("utf-16-le") not in data, name


def _others_are_as_they_were(planted, before):
    for code, profile in before.items():
        after = planted.profiles.get("CRMID", code)
        assert after.attributes == profile.attributes
        assert after.person == profile.person
        assert [item.event["_id"] for item in after.events] == [item.event["_id"] for item in profile.events]
    queries = [item.event.get("search", {}).get("query") for item in planted.profiles.get("WebID", "w9").events]
    assert "about erased!" in queries
    with pytest.raises(NotFound):
        planted.profiles.get("CRMID", KEY)
    assert planted.audiences.get("her").pql == 'crm.id = "erased"'
    rows = list(csv.reader((planted.sandbox.exports / "lyon.csv").read_text().splitlines()))
    assert len(rows) == 1 + planted.audiences.size("lyon")
    assert len(pq.read_table(planted.sandbox.exports / "lyon.parquet")) == planted.audiences.size("lyon")


def test_an_erased_sandbox_is_one_that_never_had_the_person(loaded, tmp_path, clock, members):
    """Erasing gives the same profiles and members as loading files without the person's rows."""
    from tests.pipeline import conftest as company

    with coterie.open(tmp_path / "without", create=True, clock=clock) as never:
        company.define(never)
        mine = {"crm": company.CRM[1:], "loyalty": company.LOYALTY[1:], "web": company.WEB[2:]}
        for name, rows in mine.items():
            never.ingest.load(name, company.write(tmp_path / f"without-{name}.jsonl", rows))
        loaded.privacy.erase([("Email", MAIL)])
        assert loaded.profiles.count() == never.profiles.count() == 4
        for name in company.AUDIENCES:
            assert members(loaded, name) == members(never, name), name
        for pair in (("CRMID", "2"), ("CRMID", "3"), ("WebID", "w9")):
            here, there = loaded.profiles.get(*pair), never.profiles.get(*pair)
            assert (here.person, here.attributes) == (there.person, there.attributes)
            graphs = [world.identities.graph(*pair).identities for world in (loaded, never)]
        assert len({tuple((item.namespace, item.value) for item in graph) for graph in graphs}) == 1


def test_many_persons_and_unknown_ones_in_one_request(loaded):
    report = loaded.privacy.erase([("Email", MAIL), ("CRMID", "2"), ("Phone", "+49 171 000")])
    assert (report.counts.persons, report.unknown, loaded.profiles.count()) == (2, 1, 3)
    assert loaded.profiles.get("CRMID", "3").attributes["person"]["name"] == "Cid"


def test_without_expanding_only_what_is_named_goes(loaded):
    report = loaded.privacy.erase([("WebID", "w1")], expand=False)
    assert report.counts.identities == 1
    assert report.counts.shared == 1  # the login, which names the customer too
    assert len(loaded.profiles.get("CRMID", "1").events) == 0
    assert loaded.profiles.get("CRMID", "1").attributes["person"]["name"] == "Ann"


def test_an_erased_person_does_not_come_back_until_asked_for(loaded, files, tmp_path, clock):
    loaded.privacy.erase([("Email", MAIL)])
    assert loaded.ingest.load("crm", files["crm"]).status == "unchanged"  # the file is known as it came
    rows = [
        {"crm": {"id": "1", "email": MAIL}, "person": {"name": "Ann"}},
        {"crm": {"id": "5", "email": "fay@example.org"}, "loyalty": {"points": 3}},
        {"crm": {"id": "6", "email": MAIL}},
    ]
    again = tmp_path / "again.jsonl"
    again.write_text("".join(json.dumps(row) + "\n" for row in rows))
    dry = loaded.ingest.load("crm", again, dry_run=True)
    assert (dry.accepted, dry.errors) == (1, {"identity.suppressed": 2})
    clock.at += 1000
    report = loaded.ingest.load("crm", again)
    assert (report.status, report.accepted, report.errors) == ("active", 1, {"identity.suppressed": 2})
    aside = loaded.ingest.quarantine(report.batch)
    assert [(row.line, row.code, row.value) for row in aside] == [
        (1, "identity.suppressed", None),
        (3, "identity.suppressed", None),
    ]
    assert find(loaded.sandbox, Sought.of(ANN)) == []
    with pytest.raises(NotFound):
        loaded.profiles.get("Email", MAIL)
    rebuilt = loaded.rebuild(tmp_path / "rebuilt")
    assert rebuilt.same
    with coterie.open(tmp_path / "rebuilt", clock=clock) as other:
        again.write_text(json.dumps(rows[0]) + "\n")
        assert other.ingest.load("crm", again).accepted == 0
        assert other.privacy.unsuppress([("CRMID", "1"), ("Email", MAIL)], "asked to") == 2
        again.write_text(json.dumps(rows[0] | {"loyalty": {"points": 9}}) + "\n")
        assert other.ingest.load("crm", again).accepted == 1
        assert other.profiles.get("Email", MAIL).attributes["loyalty"]["points"] == 9


def test_bad_rows_of_a_second_erasure_are_told_by_the_lines_of_the_file_as_it_came(loaded, tmp_path):
    rows = [["crm.id", "crm.email", "loyalty.points"]]
    rows += [[f"n{n}", f"n{n}@example.org", "many" if n in (2, 5, 8) else "1"] for n in range(60)]
    path = write_csv(tmp_path / "many.csv", rows)
    batch = loaded.ingest.load("crm", path).batch
    assert [row.line for row in loaded.ingest.quarantine(batch)] == [4, 7, 10]
    loaded.privacy.erase([("CRMID", "n0"), ("CRMID", "n2")])
    assert [row.line for row in loaded.ingest.quarantine(batch)] == [7, 10]
    loaded.privacy.erase([("CRMID", "n5"), ("CRMID", "n7")])
    assert [row.line for row in loaded.ingest.quarantine(batch)] == [10]


def test_rows_of_parquet_keep_the_numbers_they_came_with(loaded, tmp_path):
    points = pa.array(["many" if n in (2, 5, 8) else "1" for n in range(60)])
    ids = [f"n{n}" for n in range(60)]
    table = pa.table({"crm.id": ids, "crm.email": [f"{name}@example.org" for name in ids], "loyalty.points": points})
    pq.write_table(table, tmp_path / "many.parquet")
    batch = loaded.ingest.load("crm", tmp_path / "many.parquet").batch
    assert [row.line for row in loaded.ingest.quarantine(batch)] == [3, 6, 9]
    loaded.privacy.erase([("CRMID", "n0"), ("CRMID", "n2")])
    loaded.privacy.erase([("CRMID", "n5"), ("CRMID", "n7")])
    assert [row.line for row in loaded.ingest.quarantine(batch)] == [9]
    assert loaded.ingest.batch(batch).metrics["outputRecordCount"] == 55


def test_decisions_about_an_erased_person_go_and_the_others_stay(loaded, clock):
    clock.at += 1000
    loaded.identities.merge([("CRMID", "2"), ("CRMID", "3")], reason="one household")
    loaded.identities.merge([("Email", MAIL), ("Email", "dee@example.org")], reason=f"{MAIL} moved")
    assert loaded.profiles.count() == 3
    loaded.privacy.erase([("CRMID", "1")], expand=False)
    loaded.privacy.erase([("Email", MAIL)], expand=False)
    assert loaded.identities.graph("CRMID", "2").person == loaded.identities.graph("CRMID", "3").person
    kinds = [entry.kind for entry in loaded.sandbox.log.entries()]
    assert (kinds.count("identity.decided"), kinds.count(REMOVED)) == (1, 1)
    assert loaded.profiles.get("Email", "dee@example.org").attributes["loyalty"]["points"] == 10


def test_of_decisions_made_together_those_of_others_stay(loaded, clock):
    clock.at += 1000
    ends = [(("CRMID", "2"), ("CRMID", "3")), (("Email", MAIL), ("Email", "dee@example.org"))]
    loaded.identities.accept(
        Suggestion(MAIL, Identity(*a), Identity(*b), 0.99, 9.0 - place, ()) for place, (a, b) in enumerate(ends)
    )
    loaded.identities.undo_all([1, 2])
    loaded.privacy.erase([("Email", MAIL)], expand=False)
    bodies = {entry.kind: entry.body for entry in loaded.sandbox.log.entries()}
    assert [item["decision"] for item in bodies["identities.decided"]["decisions"]] == [1]
    assert bodies["identities.undone"] == {"decisions": [1]}
    assert not list(find(loaded.sandbox, Sought.of([("Email", MAIL)])))


def test_kept_definitions_are_told_and_left_alone(loaded):
    loaded.audiences.put("her", f'crm.id = "{KEY}"')
    report = loaded.privacy.erase([("CRMID", KEY)], definitions="keep")
    assert report.definitions == ("audience her",)
    assert KEY in loaded.audiences.get("her").pql
    left = find(loaded.sandbox, Sought.of([("CRMID", KEY)]))
    assert {(item.store, item.place.split("(")[-1]) for item in left} == {
        ("log", "definition.put)"),
        ("catalog", "definition.body"),
    }


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_an_anonymous_person_keeps_counts_and_loses_the_rest(ws, tmp_path, clock, kind):
    schema = {
        "name": "people",
        "class": "profile",
        "fields": {
            "no": "string",
            "mail": "string",
            "surname": {"type": "string", "labels": ["I1"]},
            "spent": {"type": "number", "decimals": 2},
            "note": "string",
        },
        "identities": [
            {"path": "no", "namespace": "CRMID", "primary": True},
            {"path": "mail", "namespace": "Email"},
        ],
    }
    ws.schemas.put(schema)
    ws.datasets.put("people", "people")
    rows = [
        {"no": "7", "mail": "a@b.org", "surname": "Noether", "spent": "7.10", "note": "7 letters to a@b.org"},
        {"no": "8", "mail": "c@d.org", "surname": "Gauss", "spent": "2.50", "note": "knows a@b.org"},
    ]
    path = tmp_path / f"people.{kind}"
    if kind == "csv":
        write_csv(path, [list(rows[0]), *([*row.values()] for row in rows)])
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row | {"no": int(row["no"])}) + "\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist([row | {"no": int(row["no"])} for row in rows]), path)
    ws.ingest.load("people", path)
    report = ws.privacy.erase([("Email", "a@b.org")], mode="anonymise")
    assert (report.mode, report.rows, report.spoiled, ws.profiles.count()) == ("anonymise", 1, 0, 2)
    con = ws.sandbox.history.con
    told = con.execute("SELECT no, mail, surname, spent::VARCHAR, note FROM record ORDER BY spent DESC").fetchall()
    assert told[1] == ("8", "c@d.org", "Gauss", "2.50", "knows erased")
    no, mail, surname, spent, note = told[0]
    assert (surname, spent, note) == (None, "7.10", "7 letters to erased")
    assert no.isdigit()
    assert no != "7"
    assert mail.startswith("anonymous-")
    assert ws.identities.graph("CRMID", no).person == ws.identities.graph("Email", mail).person
    assert find(ws.sandbox, Sought.of([("Email", "a@b.org"), ("CRMID", "7")])) == []
    assert ws.rebuild(tmp_path / "again").same


def _every_file_has_a_holder(root):
    (root / "tmp" / "spill").write_text("")
    paths = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]
    paths += [f"../{path.name}" for path in root.parent.iterdir() if path.is_file()]
    assert len(paths) > 12
    assert [path for path in paths if holder_of(path) is None] == []
    assert holder_of("new-store.db") is None
    assert holder_of("log/other.db") is None


def test_a_request_must_make_sense(loaded):
    with pytest.raises(Invalid, match="names no identity"):
        loaded.privacy.erase([])
    with pytest.raises(Invalid, match="no namespace Mail"):
        loaded.privacy.preview([("Mail", MAIL)])


def test_what_would_be_left_stops_it(loaded, monkeypatch):
    """Were anything found in the new stores, the old ones would stay."""
    from coterie.pipeline.privacy import rewriting

    monkeypatch.setattr(rewriting.Rewriting, "_written", lambda self, surgery, body: body["files"])
    before = loaded.privacy.preview(ANN).findings
    with pytest.raises(Damaged) as caught:
        loaded.privacy.erase(ANN)
    assert caught.value.code == "privacy.incomplete"
    assert loaded.privacy.preview(ANN).findings == before
    assert not (loaded.sandbox.path / replacement.FOLDER).exists()


ERASER = """
import os, signal, sys, coterie
from coterie.core.clock import FixedClock

class Killer:
    def report(self, stage, done=None, total=None):
        if stage == sys.argv[2]:
            print("killed at", stage, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

with coterie.open(sys.argv[1], clock=FixedClock("2026-06-16T00:00:00Z"), progress=Killer()) as ws:
    ws.privacy.erase([("Email", "ann@example.org")])
"""


@pytest.mark.parametrize("stage", ["rewriting", VERIFIED, "replacing log", "replacing history.duckdb"])
def test_a_person_is_there_or_erased_after_sigkill(loaded, clock, stage, picture):
    root = loaded.sandbox.path.parent
    before = picture(loaded)
    loaded.close()
    done = subprocess.run(
        [sys.executable, "-c", ERASER, str(root), stage], stdout=subprocess.PIPE, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, f"killed at {stage}\n")
    with coterie.open(root, clock=clock) as ws:
        assert not (ws.sandbox.path / replacement.FOLDER).exists()
        if stage.startswith("replacing"):
            assert find(ws.sandbox, Sought.of(ANN)) == []
            assert ws.profiles.count() == 4
            assert len(ws.privacy.reports()) == 1
        else:
            assert picture(ws) == before
            assert ws.privacy.reports() == []
            ws.privacy.erase([("Email", MAIL)])
            assert ws.profiles.count() == 4
