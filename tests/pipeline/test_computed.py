"""Computed attributes in a workspace: saved, read by rules, shown, refused, deleted, rebuilt."""

from __future__ import annotations

import pytest

from coterie.core.errors import Conflict, Invalid, NotFound
from coterie.pql import PqlError

SPEND = 'xEvent[eventType = "purchase" and timestamp occurs <= 30 days before now].sum(order.total)'


def test_a_rule_reads_it_like_any_attribute(loaded, members):
    loaded.computed.put("spend", SPEND, title="Spend of 30 days")
    loaded.audiences.put("big", "computedAttributes.spend >= 30")
    loaded.audiences.put("big-written-out", f"{SPEND} >= 30")
    loaded.audiences.evaluate()
    assert members(loaded, "big") == members(loaded, "big-written-out") != set()
    assert loaded.audiences.count("computedAttributes.spend > 0 and computedAttributes.spend < 29").count == 0
    assert loaded.audiences.overlap(["big", "spenders"]).pairs[0].both == 1
    field = loaded.schemas.union().profile.properties["computedAttributes"].properties["spend"]
    assert (field.type, field.title) == ("number", "Spend of 30 days")


def test_the_conditions_of_two_spellings_are_one(loaded):
    loaded.computed.put("spend", SPEND)
    written = loaded.audiences.analyse(f"{SPEND} >= 30 and {SPEND} < 99")
    named = loaded.audiences.analyse("computedAttributes.spend >= 30 and computedAttributes.spend < 99")
    assert (named.event_fields, named.look_back) == (written.event_fields, written.look_back)
    both = loaded.audiences.diff(f"{SPEND} >= 30", "computedAttributes.spend >= 30")
    assert [change.change for change in both.conditions] == ["kept"]


def test_time_passes_with_no_new_data(loaded, clock):
    loaded.computed.put("spend", SPEND)
    assert loaded.audiences.count("computedAttributes.spend >= 30").count == 1
    assert loaded.audiences.count("computedAttributes.spend >= 30", at="2026-06-04T12:00:00Z").count == 0
    clock.at += 25 * 86_400_000
    assert loaded.audiences.count("computedAttributes.spend >= 30").count == 0


def test_a_changed_expression_changes_the_audiences_that_read_it(loaded, clock):
    loaded.computed.put("spend", 'xEvent[eventType = "purchase"].max(order.total)')
    loaded.audiences.put("big", "computedAttributes.spend >= 30")
    loaded.audiences.evaluate()
    clock.at += 1000
    loaded.computed.put("spend", SPEND)
    assert loaded.audiences.history("big")[0].cause == "computed attribute spend"
    assert loaded.audiences.size("big") == 1


def test_attributes_may_read_one_another_but_not_in_a_circle(loaded):
    loaded.computed.put("spend", SPEND)
    loaded.computed.put("orders", 'xEvent[eventType = "purchase"].count()')
    loaded.computed.put("mean", "computedAttributes.spend / computedAttributes.orders")
    assert loaded.audiences.count("computedAttributes.mean = 15").count == 1
    with pytest.raises(Invalid, match="spend → mean → spend") as caught:
        loaded.computed.put("spend", "computedAttributes.mean + 1")
    assert caught.value.code == "computed.cycle"
    with pytest.raises(Invalid, match="self → self"):
        loaded.computed.put("self", "computedAttributes.self + 1")
    with pytest.raises(PqlError) as unknown:
        loaded.computed.put("other", "computedAttributes.orderz + 1")
    assert unknown.value.problems[0].suggestion == "orders"
    assert loaded.computed.readers("spend") == ["computedAttributes.mean"]


def test_one_that_is_read_stays(ws):
    ws.computed.put("spend", SPEND)
    ws.computed.put("twice", "computedAttributes.spend * 2")
    ws.audiences.put("big", "let C = computedAttributes in C.twice >= 60")
    with pytest.raises(Conflict, match="twice, big") as caught:
        ws.computed.delete("spend")
    assert caught.value.code == "computed.in-use"
    with pytest.raises(Conflict, match="computed attribute twice reads it"):
        ws.computed.put("spend", "xEvent.head().eventType")
    with pytest.raises(Conflict, match="audience big reads it"):
        ws.computed.put("twice", "xEvent.head().eventType")
    ws.audiences.delete("big")
    ws.computed.delete("twice")
    ws.computed.delete("spend")
    assert ws.computed.list() == []
    with pytest.raises(NotFound, match="no computed attribute 'spend'"):
        ws.computed.get("spend")
    assert [problem.code for problem in ws.audiences.check("computedAttributes.spend > 1")] == ["pql.unknown-field"]


@pytest.mark.parametrize(
    ("code", "name", "pql"),
    [
        ("computed.name", "a-b", "1"),
        ("computed.name", "9a", "1"),
        ("computed.type", "a", "xEvent"),
        ("computed.type", "a", "xEvent.head()"),
        ("computed.type", "a", "identityMap"),
        ("computed.membership", "a", 'inSegment("lyon")'),
        ("computed.membership", "a", 'segmentMembership.get("ups").get("lyon").status'),
        ("computed.type", "a", "null"),
    ],
)
def test_what_cannot_be_one_is_refused(ws, code, name, pql):
    with pytest.raises(Invalid) as caught:
        ws.computed.put(name, pql)
    assert caught.value.code == code
    assert ws.computed.list() == []


def test_an_expression_or_a_form_and_only_one(ws):
    for given in ({}, {"pql": "1", "form": {"function": "count"}}):
        with pytest.raises(Invalid) as caught:
            ws.computed.put("a", **given)
        assert caught.value.code == "computed.expression"


def test_a_form_is_kept_beside_its_expression(ws):
    form = {"function": "sum", "field": "order.total", "event": "purchase", "look_back": {"count": 30, "unit": "day"}}
    saved = ws.computed.put("spend", form=form)
    assert saved.pql == SPEND
    assert ws.computed.get("spend").form == saved.form
    assert saved.form.look_back.count == 30


def test_a_preview_is_exact_and_saves_nothing(loaded):
    found = loaded.computed.preview(SPEND)
    assert (found.people, found.with_value, found.distinct) == (loaded.profiles.count(), found.people, 2)
    assert [(float(item.value), item.people) for item in found.top] == [(0, found.people - 1), (30, 1)]
    assert float(found.spread.greatest) == 30
    assert len(found.sample) == min(10, found.people)
    cities = loaded.computed.preview("homeAddress.city")
    assert (cities.with_value, cities.spread) == (2, None)
    assert [(item.value, item.people) for item in cities.top] == [("Lyon", 1), ("Nice", 1)]
    last = loaded.computed.preview("xEvent.max(timestamp)")
    assert last.spread.greatest == "2026-06-06T10:00:00Z"
    types = loaded.computed.preview("xEvent.map(eventType)")
    assert types.top[0].value == "search"
    assert types.spread.greatest == 3
    assert loaded.computed.preview(SPEND, at="2026-06-04T12:00:00Z").spread.greatest != found.spread.greatest
    assert loaded.computed.list() == []


def test_values_of_many_people_are_those_of_the_rules(loaded):
    loaded.computed.put("spend", SPEND)
    loaded.computed.put("city", "homeAddress.city")
    rows = loaded.computed.values().to_pylist()
    assert sorted(float(row["spend"]) for row in rows)[-2:] == [0, 30]
    (big,) = (row["person"] for row in rows if row["spend"] == 30)
    assert loaded.computed.values(["city"], people=[big]).to_pylist() == [{"person": big, "city": "Nice"}]
    with pytest.raises(NotFound, match="Did you mean city"):
        loaded.computed.values(["citty"])


def test_a_rebuilt_workspace_has_them_too(loaded, tmp_path):
    loaded.computed.put("spend", SPEND)
    loaded.audiences.put("big", "computedAttributes.spend >= 30")
    loaded.audiences.evaluate()
    loaded.computed.put("spend", 'xEvent[eventType = "purchase"].max(order.total)')
    assert loaded.rebuild(tmp_path / "again").same


def test_explanations_name_it_and_show_its_expression(loaded):
    loaded.computed.put("spend", SPEND, title="Spend of 30 days")
    found = loaded.audiences.explain("CRMID:2", pql="computedAttributes.spend >= 40")
    assert found.sentence == "People whose spend of 30 days is at least 40."
    (value,) = found.root.evidence.values
    assert (value.name, float(value.value), value.computed) == ("spend of 30 days", 30, SPEND)
    assert found.needs == ("spend of 30 days is 30.00, needs 10.00 more",)
    assert found.turn is None
    passing = loaded.audiences.explain("CRMID:2", pql="computedAttributes.spend >= 30")
    assert passing.holds
    assert passing.turn.at > passing.at


def test_the_name_of_the_field_is_taken(ws):
    with pytest.raises(Invalid) as caught:
        ws.schemas.put({"name": "x", "class": "profile", "fields": {"computedAttributes.a": "string"}})
    assert caught.value.code == "schema.reserved"


def test_a_profile_shows_its_values_now_and_as_of(loaded):
    loaded.computed.put("spend", SPEND)
    loaded.computed.put("city", "homeAddress.city")
    loaded.computed.put("browsers", 'identityMap.get("WebID").count()')
    found = loaded.profiles.get("CRMID", "2", events=1)
    assert found.computed == {"spend": 30, "city": "Nice", "browsers": 1}
    assert len(found.events) == 1
    then = loaded.profiles.get("CRMID", "2", at="2026-06-04T12:00:00Z")
    assert float(then.computed["spend"]) == 10.1
    rows = {row["person"]: row for row in loaded.computed.values(["spend"]).to_pylist()}
    assert max(row["spend"] for row in rows.values()) == found.computed["spend"]
    assert loaded.profiles.why("CRMID", "2", "homeAddress.city").path == "homeAddress.city"
