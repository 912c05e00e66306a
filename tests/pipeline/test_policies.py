"""Merge policies as views: profiles by each, the default one, events of some datasets only."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import coterie
from coterie.core.clock import FixedClock
from coterie.core.errors import CoterieError
from coterie.pipeline.definitions import Definitions, profile_leaves
from coterie.profile import bulk
from coterie.workspace import Workspace

PRECEDENCE = {"attributeMerge": "dataSetPrecedence"}


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with coterie.open(tmp_path / "ws", create=True, clock=FixedClock("2026-06-15T12:00:00Z")) as ws:
        for name, fields in {"crm": {"city": "string", "tier": "string"}, "mail": {"city": "string"}}.items():
            ws.schemas.put(
                {
                    "name": name,
                    "class": "profile",
                    "fields": {"mail": "string"} | fields,
                    "identities": [{"path": "mail", "namespace": "Email", "primary": True}],
                }
            )
            ws.datasets.put(name, name)
        ws.schemas.put(
            {
                "name": "click",
                "class": "event",
                "fields": {"browser": "string", "login": "string"},
                "identities": [
                    {"path": "browser", "namespace": "ECID", "primary": True},
                    {"path": "login", "namespace": "Email"},
                ],
            }
        )
        ws.datasets.put("web", "click")
        ws.datasets.put("app", "click")
        load(ws, "crm", {"mail": "a@x", "city": "Lyon", "tier": "gold"}, {"mail": "b@x", "city": "Rome"})
        load(ws, "mail", {"mail": "a@x", "city": "Nice"}, {"mail": "c@x", "city": "Bonn"})
        load(ws, "web", click("1", "login", 1, login="a@x"), click("2", "view", 2))
        load(ws, "app", click("3", "login", 3, login="b@x"), click("4", "view", 1))
        yield ws


def click(id_: str, type_: str, browser: int, **rest: str) -> dict[str, Any]:
    return {
        "_id": id_,
        "timestamp": "2026-06-01T00:00:00Z",
        "eventType": type_,
        "browser": f"{browser:038d}",
    } | rest


def load(ws: Workspace, dataset: str, *rows: dict[str, Any]) -> None:
    file = ws.sandbox.path.parent / f"{dataset}{len(ws.ingest.batches())}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert ws.ingest.load(dataset, file).quarantined == 0


def city(ws: Workspace, mail: str, policy: str | None = None) -> Any:
    return ws.profiles.get("Email", mail, policy).attributes.get("city")


def same_after_rebuild(ws: Workspace, folder: Path) -> None:
    assert [table.table for table in ws.rebuild(folder).tables if not table.same] == []


def test_profiles_follow_the_order_of_datasets_from_the_first_moment_and_after(ws: Workspace, tmp_path: Path) -> None:
    saved = ws.policies.put("crm_first", PRECEDENCE | {"order": ["crm", "mail"]})
    assert (saved.version, saved.default, saved.built_in, saved.warnings) == (1, False, False, ())
    assert (city(ws, "a@x"), city(ws, "a@x", "crm_first")) == ("Nice", "Lyon")
    assert [item.attributes.get("city") for item in ws.profiles.sample(10, "crm_first")][:1] == ["Lyon"]
    load(ws, "crm", {"mail": "a@x", "city": "Metz"})
    load(ws, "mail", {"mail": "a@x", "city": "Paris"})
    assert (city(ws, "a@x"), city(ws, "a@x", "crm_first")) == ("Paris", "Metz")
    changed = ws.policies.put("crm_first", PRECEDENCE | {"order": ["mail"]}, description="Only the shop's mail")
    assert changed.version == 2
    assert city(ws, "a@x", "crm_first") == "Paris"
    assert "tier" not in ws.profiles.get("Email", "a@x", "crm_first").attributes
    same_after_rebuild(ws, tmp_path / "again")


def test_who_has_nothing_that_counts_is_nobody(ws: Workspace) -> None:
    everybody = ws.profiles.count()
    ws.policies.put("mail_only", PRECEDENCE | {"order": ["mail"], "eventDatasets": []})
    assert everybody == 4
    assert ws.profiles.count("mail_only") == 2  # b@x has a record of crm and an event, neither of which counts
    ws.policies.put("mail_and_app", PRECEDENCE | {"order": ["mail"], "eventDatasets": ["app"]})
    assert ws.profiles.count("mail_and_app") == 3
    ws.policies.put("alone", PRECEDENCE | {"order": ["crm"], "identityGraph": "none", "eventDatasets": ["web"]})
    assert ws.profiles.count("alone") == 4  # two mail addresses, two browsers


def test_profiles_after_loads_and_reverts_are_those_merged_anew(ws: Workspace) -> None:
    ws.policies.put("web_only", {"eventDatasets": ["web"]})
    ws.policies.put("alone", PRECEDENCE | {"order": ["mail"], "identityGraph": "none", "eventDatasets": ["app"]})
    chance, con = random.Random(5), ws.sandbox.history.con
    definitions = Definitions(ws.sandbox.catalog)
    come_and_gone: set[int] = set()
    for step in range(14):
        active = [batch.id for batch in ws.ingest.batches() if batch.status == "active"]
        if chance.random() < 0.5:
            ws.ingest.revert(chance.choice(active))
        elif chance.random() < 0.3:
            load(ws, chance.choice(["crm", "mail"]), {"mail": f"{chance.choice('abcd')}@x", "city": f"{step}"})
        else:
            logins = [{"login": f"{chance.choice('abcd')}@x"} if chance.random() < 0.3 else {} for _ in range(3)]
            clicks = (click(str(chance.randint(1, 9)), "view", chance.randint(1, 6), **login) for login in logins)
            load(ws, chance.choice(["web", "app"]), *clicks)
        for view in definitions.views().values():
            told = f"SELECT * FROM profile_{view.name} ORDER BY ALL"
            kept = con.execute(told).fetchall()
            con.begin()
            bulk.refresh(con, view, profile_leaves(definitions))
            anew = con.execute(told).fetchall()
            con.rollback()
            assert kept == anew, (step, view.name)
            come_and_gone.add(len(kept))
    assert len(come_and_gone) > 5


def test_events_of_other_datasets_do_not_exist(ws: Workspace) -> None:
    ws.policies.put("web_only", {"eventDatasets": ["web"]})
    rules = [
        'xEvent[eventType = "view"].count() > 0',
        'xEvent[eventType = "view"].count() = 0',
        'xEvent[eventType != "x"].count() > 1',
    ]
    assert [ws.audiences.count(rule).count for rule in rules] == [2, 2, 1]
    assert [ws.audiences.count(rule, "web_only").count for rule in rules] == [1, 3, 0]
    profile = ws.profiles.get("Email", "a@x", "web_only")
    assert [event.event["_id"] for event in profile.events] == ["1"]
    load(ws, "app", click("5", "view", 2))
    load(ws, "web", click("6", "view", 1))
    assert [ws.audiences.count(rule, "web_only").count for rule in rules] == [2, 2, 1]


def test_the_default_policy_takes_the_audiences_of_the_former_one(ws: Workspace, tmp_path: Path) -> None:
    ws.audiences.put("lyon", 'city = "Lyon"')
    ws.audiences.put("alone", 'city = "Lyon"', view="unstitched")
    ws.audiences.put("both", 'inSegment("lyon")')
    ws.audiences.evaluate()
    assert [ws.audiences.size(name) for name in ("lyon", "alone", "both")] == [0, 0, 0]
    ws.policies.put("crm_first", PRECEDENCE | {"order": ["crm", "mail"]}, default=True)
    assert [(item.name, item.default, item.audiences) for item in ws.policies.list()] == [
        ("crm_first", True, ("both", "lyon")),
        ("default", False, ()),
        ("unstitched", False, ("alone",)),
    ]
    assert [ws.audiences.size(name) for name in ("lyon", "alone", "both")] == [1, 0, 1]
    assert city(ws, "a@x") == "Lyon"
    assert ws.audiences.get("lyon").view == "crm_first"
    ws.audiences.put("later", 'tier = "gold"')
    assert ws.audiences.get("later").view == "crm_first"
    ws.policies.put("crm_first", PRECEDENCE | {"order": ["crm"]})  # stays the default
    assert ws.policies.get().name == "crm_first"
    ws.policies.set_default("default")
    assert [item.name for item in ws.policies.list() if item.default] == ["default"]
    assert ws.audiences.get("lyon").view == "default"
    assert ws.audiences.size("lyon") == 0
    same_after_rebuild(ws, tmp_path / "again")
    ws.policies.delete("crm_first")
    with pytest.raises(CoterieError) as caught:
        ws.policies.get("crm_first")
    assert caught.value.code == "view.not-found"
    same_after_rebuild(ws, tmp_path / "once_more")


def test_a_policy_can_be_made_anew_after_its_deletion(ws: Workspace) -> None:
    for order in (["crm"], ["mail"]):
        ws.policies.put("one", PRECEDENCE | {"order": order, "eventDatasets": []})
        assert ws.profiles.count("one") == 2
        ws.policies.delete("one")


def test_what_a_policy_may_not_be(ws: Workspace) -> None:
    ws.policies.put("used", {"identityGraph": "none"})
    ws.audiences.put("users", 'city = "Lyon"', view="used")
    refused: list[tuple[str, Any]] = [
        ("policy.order", lambda: ws.policies.put("p", PRECEDENCE)),
        ("policy.order", lambda: ws.policies.put("p", {"order": ["crm"]})),
        ("policy.dataset", lambda: ws.policies.put("p", PRECEDENCE | {"order": ["web"]})),
        ("policy.dataset", lambda: ws.policies.put("p", PRECEDENCE | {"order": ["crm", "crm"]})),
        ("policy.dataset", lambda: ws.policies.put("p", {"eventDatasets": ["crm"]})),
        ("dataset.not-found", lambda: ws.policies.put("p", {"eventDatasets": ["shop"]})),
        ("policy.spec", lambda: ws.policies.put("p", {"attributeMerge": "alphabetical"})),
        ("view.name", lambda: ws.policies.put("Not a name")),
        ("policy.built-in", lambda: ws.policies.put("default", {"identityGraph": "none"})),
        ("policy.built-in", lambda: ws.policies.delete("default")),
        ("policy.in-use", lambda: ws.policies.delete("used")),
        ("policy.default", lambda: ws.policies.delete(ws.policies.set_default("used").name)),
    ]
    for code, act in refused:
        with pytest.raises(CoterieError) as caught:
            act()
        assert caught.value.code == code
    assert {item.name for item in ws.policies.list()} == {"default", "unstitched", "used"}


def test_many_policies_are_worth_a_warning(ws: Workspace) -> None:
    warnings = [ws.policies.put(f"p{n}").warnings for n in range(4)]
    assert [len(found) for found in warnings] == [0, 0, 0, 1]
