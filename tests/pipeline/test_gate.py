"""The gate of audiences, end to end: who is withheld, how many are counted, what is said and exported; and labels."""

from __future__ import annotations

import json

import duckdb
import pytest

import coterie
from coterie.core.clock import FixedClock
from coterie.core.errors import Conflict, Invalid, NotFound

NOW = "2026-06-15T12:00:00Z"
OUT = {"optOutType": "general_opt_out", "optOutValue": "out", "timestamp": "2026-05-01T08:00:00Z"}


def person(id_, email=None, out=False, tier="gold", time=None):
    found = {"crm": {"id": id_, "email": f"{id_}@example.org"}, "tier": tier}
    if email:
        found["consents"] = {"marketing": {"email": {"val": email}}}
    if time:
        found["consents"]["marketing"]["email"]["time"] = time
    if out:
        found["privacyOptOuts"] = [OUT]
    return found


PEOPLE = [
    person("yes", "y"),
    person("no", "n", time="2026-04-02T00:00:00Z"),
    person("unknown"),
    person("out", "y", out=True),
    person("both", "n", out=True),
    person("silver", "y", tier="silver"),
]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def clock():
    return FixedClock(NOW)


@pytest.fixture(scope="module")
def ws(tmp_path_factory, clock):
    folder = tmp_path_factory.mktemp("gate")
    with coterie.open(folder / "ws", create=True, clock=clock) as workspace:
        workspace.schemas.put(
            {
                "name": "crm",
                "class": "profile",
                "field_groups": ["consents", "privacy-opt-outs"],
                "fields": {
                    "crm.id": "string",
                    "crm.email": {"type": "string", "labels": ["I1"]},
                    "tier": {"type": "string", "labels": ["C2"]},
                },
                "identities": [
                    {"path": "crm.id", "namespace": "CRMID", "primary": True},
                    {"path": "crm.email", "namespace": "Email"},
                ],
            }
        )
        workspace.schemas.put(
            {
                "name": "web",
                "class": "event",
                "fields": {"login": "string", "query": "string"},
                "identities": [{"path": "login", "namespace": "CRMID", "primary": True}],
            }
        )
        workspace.datasets.put("crm", "crm")
        workspace.datasets.put("web", "web", labels=["S2"])
        workspace.audiences.put("gold", 'tier = "gold"')
        workspace.audiences.put("mail", 'tier = "gold"', consent={"channels": ["email"]})
        workspace.audiences.put("lenient", 'tier = "gold"', consent={"channels": ["email"], "unknown": "yes"})
        workspace.audiences.put("all", 'tier = "gold"', exclude_opt_out=False)
        workspace.audiences.put("reader", 'inSegment("gold") and xEvent.count() = 0')
        workspace.ingest.load("crm", write(folder / "crm.jsonl", PEOPLE))
        yield workspace


def members(ws, name):
    return {member.identities["CRMID"][0] for member in ws.audiences.members(name)}


@pytest.mark.parametrize(
    ("name", "expected", "withheld"),
    [
        ("gold", {"yes", "no", "unknown"}, (2, 2, 0)),
        ("mail", {"yes"}, (4, 2, 2)),
        ("lenient", {"yes", "unknown"}, (3, 2, 1)),
        ("all", {"yes", "no", "unknown", "out", "both"}, (0, 0, 0)),
        ("reader", {"yes", "no", "unknown"}, (0, 0, 0)),
    ],
)
def test_members_are_those_who_match_and_are_not_withheld(ws, name, expected, withheld):
    assert members(ws, name) == expected
    last = ws.audiences.describe(name).last
    counts = (last.withheld.people, last.withheld.opted_out, last.withheld.no_consent)
    assert (last.members, counts) == (len(expected), withheld)
    run = {item.audience: item for item in ws.audiences.evaluate().audiences}
    assert run[name].withheld == last.withheld


def test_a_count_tells_who_matches_and_who_is_withheld(ws):
    found = ws.audiences.count('tier = "gold"')
    assert (found.count, found.members, found.withheld.opted_out) == (5, 3, 2)
    assert found.steps[0].left == 5
    found = ws.audiences.count('tier = "gold"', consent={"channels": ["email"]}, exclude_opt_out=False)
    assert (found.count, found.members, found.withheld.no_consent) == (5, 2, 3)


def test_a_difference_is_of_members(ws):
    found = ws.audiences.diff("mail", 'tier = "silver" or tier = "gold"')
    assert (found.old.members, found.old.withheld) == (1, 4)
    assert (found.new.members, found.entering, found.leaving) == (2, 1, 0)
    assert found.stored == found.old.members


def test_an_explanation_names_the_choice_and_its_date(ws):
    found = ws.audiences.explain("CRMID:both", "mail")
    assert found.holds
    assert [(held.cause, held.words) for held in found.withheld] == [
        ("opt-out", "general opt-out of 2026-05-01"),
        ("consent", "no consent to the channel email"),
    ]
    assert found.withheld[0].values[0].value == [OUT]
    assert (found.withheld[1].values[0].text, found.withheld[1].values[0].value) == (
        "consents.marketing.email.val",
        "n",
    )
    assert found.withheld[0].values[0].source == "crm"
    assert ws.audiences.explain("CRMID:no", "mail").withheld[0].words.endswith("email of 2026-04-02")
    assert ws.audiences.explain("CRMID:yes", "mail").withheld == ()
    assert ws.audiences.explain("CRMID:both", "all").withheld == ()


def test_who_opts_out_later_is_left_out_of_the_next_export(ws, tmp_path, clock):
    before = ws.audiences.export("gold", tmp_path / "before.csv")
    assert (before.members, before.withheld) == (3, 0)
    report = ws.ingest.load("crm", write(tmp_path / "later.jsonl", [person("yes", "y", out=True)]), evaluate=False)
    assert members(ws, "gold") == {"yes", "no", "unknown"}
    after = ws.audiences.export("gold", tmp_path / "after.csv")
    assert (after.members, after.withheld) == (2, 1)
    lines = (tmp_path / "after.csv").read_text().splitlines()
    assert len(lines) == 3
    assert "yes@" not in "".join(lines)
    ws.ingest.revert(report.batch)
    assert members(ws, "gold") == {"yes", "no", "unknown"}


def test_labels_are_inherited_from_fields_datasets_and_audiences(ws):
    assert ws.audiences.describe("gold").labels == ("C2",)
    assert ws.audiences.describe("reader").labels == ("C2", "S2")
    assert {item.name: item.labels for item in ws.audiences.describe_all()}["mail"] == ("C2",)


def test_labels_are_inherited_through_computed_attributes(ws):
    ws.computed.put("logins", "xEvent[login.isNotNull()].count()")
    ws.computed.put("active", "computedAttributes.logins >= 3")
    ws.audiences.put("active", "computedAttributes.active = true")
    assert ws.audiences.describe("active").labels == ("S2",)
    ws.audiences.delete("active")
    ws.computed.delete("active")
    ws.computed.delete("logins")


def test_an_export_refuses_labels(ws, tmp_path):
    written = ws.audiences.export("gold", tmp_path / "gold.csv", refuse_labels=["C9"])
    assert (written.labels, written.identity_labels) == (("C2",), ("I1", "S2"))  # S2 is that of the dataset with logins
    for label in ("C2", "I1"):
        with pytest.raises(Conflict) as caught:
            ws.audiences.export("gold", tmp_path / "no.csv", refuse_labels=["C9", label])
        assert (caught.value.code, caught.value.where["label"]) == ("export.label", label)
    assert not (tmp_path / "no.csv").exists()


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_an_export_has_the_columns_that_are_asked_for(ws, tmp_path, suffix):
    ws.computed.put("logins", "xEvent.count()")
    ws.audiences.put("everyone-gold", 'tier = "gold"', exclude_opt_out=False)
    ws.audiences.evaluate(["everyone-gold"])
    columns = {
        "tier": "tier",
        "since": "consents.marketing.email.time",
        "opt;outs": "privacyOptOuts.optOutValue",
        "twice": "computedAttributes.logins * 2",
    }
    file = tmp_path / f"gold.{suffix}"
    written = ws.audiences.export("everyone-gold", file, columns=columns)
    assert (written.columns, written.column_labels) == (tuple(columns), ("C2", "S2"))
    read = {"csv": "read_csv('{}', all_varchar := true)", "jsonl": "read_json('{}')", "parquet": "read_parquet('{}')"}
    who = "CRMID" if suffix == "csv" else "CRMID[1]"
    shown = f'{who}, tier, left(since::VARCHAR, 10), "opt;outs", twice::INTEGER'
    rows = duckdb.sql(f"SELECT {shown} FROM {read[suffix].format(file)} ORDER BY 1").fetchall()
    opted_out = "out" if suffix == "csv" else ["out"]
    assert rows == [
        ("both", "gold", None, opted_out, 0),
        ("no", "gold", "2026-04-02", None, 0),
        ("out", "gold", None, opted_out, 0),
        ("unknown", "gold", None, None, 0),
        ("yes", "gold", None, None, 0),
    ]
    with pytest.raises(Conflict) as caught:
        ws.audiences.export("everyone-gold", file, columns=columns, refuse_labels=["S2"])
    assert caught.value.code == "export.label"
    ws.audiences.delete("everyone-gold")
    ws.computed.delete("logins")


@pytest.mark.parametrize("names", [["person"], ["email"], ["GAID"], [" "], ["a", "A"]])
def test_a_column_has_a_name_of_its_own(ws, tmp_path, names):
    with pytest.raises(Invalid) as caught:
        ws.audiences.export("gold", tmp_path / "gold.csv", columns=dict.fromkeys(names, "tier"))
    assert (caught.value.code, caught.value.where["column"]) == ("export.column", names[-1])


def test_labels_of_a_saved_schema_may_change(ws):
    schema = ws.schemas.get("web")
    spec = {
        "name": "web",
        "class": "event",
        "fields": {"login": "string", "query": {"type": "string", "labels": ["C9"]}},
        "identities": [{"path": "login", "namespace": "CRMID", "primary": True}],
    }
    ws.schemas.put(spec)
    ws.audiences.put("searched", 'xEvent[query = "a"].count() >= 1')
    assert ws.audiences.describe("searched").labels == ("C9", "S2")
    ws.audiences.delete("searched")
    ws.schemas.put(schema)
    assert ws.schemas.get("web").fields["query"].labels == ()


def test_what_cannot_be_is_refused(ws):
    with pytest.raises(NotFound) as caught:
        ws.audiences.put("x", 'tier = "gold"', consent={"channels": ["carrier-pigeon"]})
    assert caught.value.code == "consent.not-found"
    with pytest.raises(Invalid) as caught:
        ws.audiences.put("x", 'tier = "gold"', consent={"chanels": ["email"]})
    assert caught.value.code == "audience.consent"
    for nothing in ({}, "email"):
        with pytest.raises(Invalid) as caught:
            ws.audiences.put("x", 'tier = "gold"', consent=nothing)
        assert caught.value.code == "audience.consent"


def test_a_rebuild_withholds_the_same(ws, tmp_path):
    rebuilt = ws.rebuild(tmp_path / "again")
    assert rebuilt.same
    assert {table.table: table.rows for table in rebuilt.tables}["evaluated"] == 5
