"""Consent, labels and retention on the command line and over HTTP."""

from __future__ import annotations

import json
from functools import partial

import pytest

from .conftest import Done, Run, coterie, serving

CRM = """
name: crm
class: profile
field_groups: [consents, privacy-opt-outs]
fields:
  crm.id: string
  crm.email: {type: string, labels: [I1]}
  tier: {type: string, labels: [C2]}
identities:
  - {path: crm.id, namespace: CRMID, primary: true}
  - {path: crm.email, namespace: Email}
"""
WEB = """
name: web
class: event
fields: {login: string, query: string}
identities: [{path: login, namespace: CRMID, primary: true}]
"""
PEOPLE = [
    {"crm": {"id": "1", "email": "a@example.org"}, "tier": "gold", "consents": {"marketing": {"email": {"val": "y"}}}},
    {"crm": {"id": "2", "email": "b@example.org"}, "tier": "gold"},
    {"crm": {"id": "3"}, "tier": "gold", "privacyOptOuts": [
        {"optOutType": "general_opt_out", "optOutValue": "out", "timestamp": "2026-05-01T08:00:00Z"}]},
]  # fmt: skip
EVENTS = [
    {"_id": "e1", "timestamp": "2026-01-01T00:00:00Z", "login": "1"},
    {"_id": "e2", "timestamp": "2026-06-01T00:00:00Z", "login": "1"},
]
RULE = 'tier = "gold" and xEvent.count() < 5'


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    files = tmp_path_factory.mktemp("governed")
    for name, text in (("crm.yaml", CRM), ("web.yaml", WEB)):
        (files / name).write_text(text)
    for name, rows in (("crm.jsonl", PEOPLE), ("web.jsonl", EVENTS)):
        (files / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    go = partial(coterie, files / "ws", now="2026-06-15T12:00:00Z")
    for words in (
        "init",
        f"schema put {files}/crm.yaml",
        f"schema put {files}/web.yaml",
        "dataset create crm -s crm",
        "dataset create web -s web --label S2",
        f"ingest load crm {files}/crm.jsonl",
        f"ingest load web {files}/web.jsonl",
    ):
        done = go(*words.split())
        assert done.code == 0, done.err
    for done in (
        go("audience", "put", "mail", RULE, "--consent", "email", "--unknown", "no"),
        go("audience", "put", "everyone", RULE, "--no-exclude-opt-out"),
        go("audience", "evaluate"),
    ):
        assert done.code == 0, done.err
    return go


def ok(done: Done) -> str:
    assert done.code == 0, done.err
    return done.out


def test_an_audience_shows_its_gate_labels_and_last_evaluation(run: Run) -> None:
    shown = ok(run("audience", "show", "mail"))
    for words in ("email", "left out", "C2, S2", "3 match, 2 withheld (1 by a general opt-out, 1 without consent)"):
        assert words in " ".join(shown.split())
    data = run("audience", "show", "mail", "--json").data
    assert data["consent"] == {"channels": ["email"]}
    assert (data["last"]["members"], data["last"]["withheld"]["people"]) == (1, 2)
    listed = {item["name"]: item for item in run("audience", "list", "--json").data}
    assert listed["everyone"]["exclude_opt_out"] is False
    assert (listed["everyone"]["last"]["members"], listed["everyone"]["labels"]) == (3, ["C2", "S2"])
    assert "withheld" in ok(run("audience", "list"))


def test_a_count_takes_the_gate_of_a_saved_audience_or_its_own(run: Run) -> None:
    found = run("audience", "count", "-a", "mail", "--json").data
    assert (found["count"], found["members"], found["withheld"]) == (
        3,
        1,
        {"people": 2, "opted_out": 1, "no_consent": 1},
    )
    assert "3 match, 2 withheld" in ok(run("audience", "count", "-a", "mail"))
    assert run("audience", "count", "-a", "everyone", "--json").data["members"] == 3
    assert run("audience", "count", RULE, "--json").data["members"] == 2
    asked = ("--consent", "email", "--unknown", "yes", "--no-exclude-opt-out")
    assert run("audience", "count", RULE, *asked, "--json").data["members"] == 3
    assert run("audience", "count", RULE, "--purpose", "share", "--json").data["members"] == 0
    failed = run("audience", "count", RULE, "--consent", "pigeon", "--json")
    assert (failed.code, failed.error["code"]) == (3, "consent.not-found")


def test_a_server_counts_with_the_same_gate(run: Run) -> None:
    alone = run("audience", "count", "-a", "mail", "--json").data
    with serving(run.args[0]):
        served = run("audience", "count", "-a", "mail", "--json").data
        assert run("retention", "show", "--json").data["warnings"] == []
    assert {**served, "seconds": 0, "at": 0} == {**alone, "seconds": 0, "at": 0}


def test_an_explanation_says_that_a_person_is_withheld(run: Run) -> None:
    shown = " ".join(ok(run("audience", "explain", "CRMID:3", "mail")).split())
    assert "satisfies the rule, but is withheld from the audience mail" in shown
    assert "Withheld: general opt-out of 2026-05-01" in shown
    assert "Withheld: no consent to the channel email (no choice is known)" in shown
    assert "To be out" not in shown
    assert "is in the audience mail" in " ".join(ok(run("audience", "explain", "CRMID:1", "mail")).split())


def test_an_export_tells_and_refuses_labels(run: Run, tmp_path) -> None:
    told = " ".join(ok(run("audience", "export", "mail", str(tmp_path / "mail.csv"))).split())
    assert "1 member of mail" in told
    assert "Labels of the audience: C2, S2" in told
    assert "Labels of the identities in the file: I1, S2" in told
    failed = run("audience", "export", "mail", str(tmp_path / "no.csv"), "--refuse-labels", "C2", "--json")
    assert (failed.code, failed.error["code"]) == (4, "export.label")
    assert not (tmp_path / "no.csv").exists()


def test_an_export_has_columns(run: Run, tmp_path) -> None:
    asked = ("-c", "visits=xEvent.count()", "-c", "tier", "-c", 'gold=tier = "gold"')
    told = " ".join(ok(run("audience", "export", "mail", str(tmp_path / "mail.csv"), *asked)).split())
    assert "Labels of the columns: C2, S2" in told
    header = (tmp_path / "mail.csv").read_text().splitlines()[0]
    assert header.split(",")[-3:] == ["visits", "tier", "gold"]
    plain = run("audience", "export", "mail", str(tmp_path / "plain.csv"), "-c", 'tier = "gold"', "--json")
    assert plain.data["columns"] == ['tier = "gold"'], "an expression without a name is its own name"


def test_labels_and_groups_are_shown(run: Run) -> None:
    lines = {row.split("│")[1].strip(): row for row in ok(run("schema", "show", "crm")).splitlines() if "│" in row}
    assert "I1" in lines["crm.email"]
    assert "C2" in lines["tier"]
    assert "labels" not in ok(run("schema", "show", "web"))
    assert {item["name"] for item in run("schema", "groups", "--json").data} == {
        "consents",
        "privacy-opt-outs",
        "opt-in-out",
    }
    assert "Privacy opt-outs" in ok(run("schema", "groups"))


def test_retention_is_set_tried_and_run(run: Run) -> None:
    assert "Kept for ever" in ok(run("retention", "show"))
    ok(run("dataset", "create", "web", "-s", "web", "--label", "S2", "--expire-events-after", "90d"))
    shown = " ".join(ok(run("retention", "set", "--pseudonymous", "ECID", "--after", "14d")).split())
    assert "90 days" in shown
    assert "14 days" in shown
    assert "audience mail looks at events of any age" in shown
    warned = run("audience", "show", "mail", "--json").data["warnings"]
    assert [(item["code"], item["dataset"]) for item in warned] == [("retention.lookback", "web")]
    tried = run("retention", "run", "--dry-run", "--json").data
    assert (tried["dry_run"], tried["datasets"][0]["months"]) == (True, {"2026-01": 1})
    assert "would go" in ok(run("retention", "run", "--dry-run"))
    done = run("retention", "run", "--json").data
    assert (done["datasets"], done["pseudonymous"]) == (tried["datasets"], tried["pseudonymous"])
    assert "None." in ok(run("retention", "run"))
    assert "Something last went" in ok(run("retention", "show"))
    assert "Staged files written again: 1; rows taken out of them: 1." in ok(run("retention", "run", "--erase"))
    shown = " ".join(ok(run("audience", "explain", "CRMID:3", "mail")).split())
    assert "satisfies the rule, but is withheld" in shown
    assert run("retention", "set", "--json").data["pseudonymous"] is None
    failed = run("retention", "set", "--pseudonymous", "ECID", "--json")
    assert (failed.code, failed.error["code"]) == (2, "retention.settings")
