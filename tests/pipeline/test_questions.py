"""Counts, overlaps, analyses and differences of a small company, against what its few people are."""

from __future__ import annotations

import pytest

from coterie.core.errors import Invalid, NotFound
from coterie.pql import PqlError

SCHEMA = {
    "name": "more",
    "class": "profile",
    "identities": [{"path": "more.id", "namespace": "CRMID", "primary": True}],
}
SEARCHED = 'xEvent[eventType = "search" and timestamp occurs <= 30 days before now].count() >= 1'
LYON = 'homeAddress.city = "Lyon"'
GOLD = 'loyalty.tier = "gold"'


@pytest.fixture
def calls(loaded, monkeypatch):
    """The conditions that the SQL engine is asked for from now on, a list a call."""
    from coterie.engine.sql import SqlEngine

    asked: list[list[str]] = []
    evaluate = SqlEngine.evaluate

    def noted(self, conditions, *rest, **more):
        asked.append(sorted(condition.text for condition in conditions))
        return evaluate(self, conditions, *rest, **more)

    monkeypatch.setattr(SqlEngine, "evaluate", noted)
    return asked


def test_count_has_a_funnel_in_the_order_of_the_rule(loaded):
    # Ann (Lyon, gold, searched), Bob (searched), Cid, Dee, and a browser that searched
    found = loaded.audiences.count(f"{SEARCHED} and {LYON} and {GOLD}")
    assert (found.count, found.people, found.share) == (1, 5, 0.2)
    assert [(step.alone, step.left, step.withheld) for step in found.steps] == [(3, 3, 0), (1, 1, 0), (1, 1, 0)]
    assert [step.of_previous for step in found.steps] == [0.6, 1 / 3, 1.0]
    assert found.branches == ()
    assert found.seconds > 0
    found = loaded.audiences.count(f"{GOLD} or {SEARCHED}")
    assert [(branch.alone, branch.adds, branch.together, branch.only) for branch in found.branches] == [
        (1, 1, 1, 0),
        (3, 2, 3, 2),
    ]


def test_count_reads_stored_members_and_says_how_many(loaded):
    found = loaded.audiences.count('inSegment("lyon") or inSegment("spenders")')
    assert found.memberships == {"lyon": 1, "spenders": 1}
    assert found.count == 2


def test_a_wrong_rule_is_refused_before_anything_is_asked(loaded, calls):
    for ask in (loaded.audiences.count, loaded.audiences.analyse):
        with pytest.raises(PqlError):
            ask('homeAddress.citty = "Lyon"')
    with pytest.raises(PqlError) as caught:
        loaded.audiences.diff('homeAddress.citty = "Lyon"', LYON)
    assert caught.value.where["rule"] == "old"
    assert "audience" not in caught.value.message
    with pytest.raises(PqlError) as caught:
        loaded.audiences.diff("liyon", LYON)
    assert caught.value.message.startswith("there is no audience liyon, and as a rule: ")
    assert calls == []


def test_every_question_shares_what_is_known(loaded, calls, clock):
    tier, points = 'loyalty.tier = "basic"', "loyalty.points > 3"
    loaded.audiences.count(f"{LYON} and {tier}")  # the evaluation after the load has asked for Lyon
    loaded.audiences.count(f"{LYON} and not ({tier}) and {points}")
    loaded.audiences.diff(f"{LYON} and {GOLD}", f"{LYON} or {points}")
    loaded.audiences.evaluate()
    assert calls == [[tier], [points]]
    clock.at += 1000
    loaded.audiences.evaluate()
    loaded.audiences.count(f"{SEARCHED} and {tier}")
    assert len(calls) == 3
    assert len(calls[2]) == 2  # searches and purchases
    assert all("now" in text for text in calls[2])  # the others are true at any instant


def test_new_data_is_seen_at_once(loaded, calls, files, clock):
    assert loaded.audiences.count(GOLD).count == 1
    (row,) = (line for line in files["loyalty"].read_text().splitlines() if "dee" in line)
    path = files["loyalty"].with_name("more.jsonl")
    path.write_text(row.replace('"basic"', '"gold"') + "\n")
    clock.at += 1000
    batch = loaded.ingest.load("loyalty", path, evaluate=False).batch
    assert loaded.audiences.count(GOLD).count == 2
    clock.at += 1000
    loaded.ingest.revert(batch)
    assert loaded.audiences.count(GOLD).count == 1


def test_overlap_is_of_stored_members_or_of_a_fresh_evaluation(loaded):
    found = loaded.audiences.overlap(["lyon", "gold-or-lyon", "spenders"])
    assert {item.audience: item.members for item in found.audiences} == {"lyon": 1, "gold-or-lyon": 1, "spenders": 1}
    by_pair = {(pair.a, pair.b): pair for pair in found.pairs}
    assert by_pair["lyon", "gold-or-lyon"].finding == "lyon and gold-or-lyon are the same people"
    assert by_pair["lyon", "spenders"].finding == "lyon and spenders have no one in common"
    loaded.audiences.put("lyon", 'homeAddress.city = "Nice"')
    assert loaded.audiences.overlap(["lyon", "spenders"]).pairs[0].both == 0
    fresh = loaded.audiences.overlap(["lyon", "spenders", "gold-or-lyon"], fresh=True)
    assert [pair.both for pair in fresh.pairs] == [1, 1, 1]
    assert {item.audience: item.members for item in fresh.audiences}["gold-or-lyon"] == 2  # reads the fresh members
    assert loaded.audiences.size("gold-or-lyon") == 1
    assert len(loaded.audiences.overlap().pairs) == 6


def test_an_overlap_needs_two_audiences_that_exist(loaded):
    with pytest.raises(Invalid) as few:
        loaded.audiences.overlap(["lyon", "lyon"])
    assert few.value.code == "audience.few"
    with pytest.raises(NotFound):
        loaded.audiences.overlap(["lyon", "lion"])


def test_audiences_of_another_view_are_not_mixed_in(loaded):
    loaded.audiences.put("apart", GOLD, view="unstitched")
    asking = [
        lambda: loaded.audiences.overlap(["lyon", "apart"]),
        lambda: loaded.audiences.count('inSegment("apart")'),
        lambda: loaded.audiences.put("reader", 'inSegment("apart")'),
        lambda: loaded.audiences.put("lyon", LYON, view="unstitched"),  # read by gold-or-lyon
        lambda: loaded.audiences.diff("apart", GOLD, view="default"),
    ]
    for ask in asking:
        with pytest.raises(Invalid) as caught:
            ask()
        assert caught.value.code == "audience.other-view"
    assert loaded.audiences.diff("apart", GOLD).view == "unstitched"


def test_a_circle_is_refused_when_it_is_saved(loaded):
    with pytest.raises(Invalid) as caught:
        loaded.audiences.put("lyon", 'inSegment("gold-or-lyon")')
    assert caught.value.code == "pql.cycle"
    assert "lyon → gold-or-lyon → lyon" in caught.value.message or "gold-or-lyon → lyon → gold-or-lyon" in str(
        caught.value
    )
    with pytest.raises(Invalid) as caught:
        loaded.audiences.put("self", 'not inSegment("self")')
    assert (caught.value.code, "self → self" in caught.value.message) == ("pql.cycle", True)


def test_a_difference_tells_who_enters_and_who_leaves(loaded):
    found = loaded.audiences.diff("lyon", f'{GOLD} and loyalty.points > 5000 or homeAddress.city in ["Nice"]')
    assert (found.audience, found.old.members, found.new.members) == ("lyon", 1, 1)
    assert (found.entering, found.leaving, found.staying, found.stored) == (1, 1, 0, 1)
    assert found.dependents == ("gold-or-lyon",)
    (ann,), (bob,) = found.leavers, found.entrants
    assert ann.identities["CRMID"] == ["1"]
    assert bob.identities["Email"] == ["bob@example.org"]
    assert ann.person == loaded.profiles.get("CRMID", "1").person
    assert {(item.change, item.people) for item in found.conditions} == {("removed", 1), ("added", 1), ("added", 0)}
    assert loaded.audiences.size("lyon") == 1


def test_a_sample_of_persons_is_bounded(loaded):
    found = loaded.audiences.diff("false", "true", sample=2)
    assert (found.entering, len(found.entrants), found.leavers) == (5, 2, ())
    same = loaded.audiences.diff(LYON, f"{LYON} and {LYON}")
    assert [(item.change, item.text) for item in same.conditions] == [("kept", LYON)]


def test_an_analysis_says_what_is_read_and_what_it_costs(loaded, clock):
    clock.at += 1000
    found = loaded.audiences.analyse(f'{SEARCHED} and {GOLD} and inSegment("lyon")')
    assert found.sentence.startswith("People who ")
    assert found.profile_fields == ("loyalty.tier",)
    assert found.event_fields == ("eventType", "timestamp")
    assert found.audiences == ("lyon",)
    assert (found.look_back, found.look_back_words, found.relative) == (30 * 86_400_000, "30 days", True)
    assert found.shapes == {"aggregate": 1, "attribute": 1, "membership": 1}
    assert [(method.name, method.able, method.offered) for method in found.methods] == [
        ("batch", True, True),
        ("streaming", True, False),
        ("edge", True, False),
    ]
    assert [(method.name, method.able) for method in found.adobe] == [
        ("batch", True),
        ("streaming", False),
        ("edge", False),
    ]
    assert found.cost.events == 3  # searches; a purchase and a login need not be read
    loaded.audiences.count(f"{SEARCHED} and {GOLD}")
    again = loaded.audiences.analyse(f"{SEARCHED} and {GOLD}").cost
    assert (again.known, again.events, again.seconds) == (2, 0, 0.0)
    other = loaded.audiences.analyse('loyalty.tier = "basic"').cost
    assert other.seconds is not None
    assert other.seconds > 0
    assert "divided evenly" in other.basis


def test_words_of_a_look_back(loaded):
    words = {
        'xEvent[eventType = "search"].count() > 0': "unbounded",
        GOLD: "no events",
        "xEvent[timestamp occurs <= 36 hours before now].count() > 0": "36 hours",
        "xEvent[timestamp occurs today].count() > 0": "1 day",
    }
    assert {rule: loaded.audiences.analyse(rule).look_back_words for rule in words} == words


def test_audiences_without_a_zone_are_of_utc(loaded):
    import msgspec

    from coterie.audience.definition import Audience

    assert msgspec.convert({"name": "old", "pql": "true"}, Audience).zone == "UTC"
    loaded.audiences.put("paris", "xEvent[timestamp occurs today].count() > 0", zone="Europe/Paris")
    assert loaded.audiences.get("paris").zone == "Europe/Paris"
    conditions = loaded.audiences.diff("paris", "xEvent[timestamp occurs today].count() > 0", zone="UTC").conditions
    assert [(item.change, item.zone) for item in conditions] == [("removed", "Europe/Paris"), ("added", "UTC")]


def test_an_unknown_zone_is_refused(loaded):
    for ask in (
        lambda: loaded.audiences.put("x", LYON, zone="Europe/Pariss"),
        lambda: loaded.audiences.count(LYON, zone="Europe/Pariss"),
        lambda: loaded.audiences.analyse(LYON, zone="Europe/Pariss"),
        lambda: loaded.audiences.diff("lyon", LYON, zone="Europe/Pariss"),
    ):
        with pytest.raises(Invalid) as caught:
            ask()
        assert caught.value.code == "pql.zone"


def test_what_changes_no_data_leaves_what_is_known(loaded, clock):
    def known():
        return loaded.audiences.analyse(LYON).cost.known

    loaded.audiences.count(LYON)
    loaded.audiences.put("more", GOLD)
    loaded.audiences.evaluate()
    loaded.audiences.delete("more")
    assert known() == 1
    loaded.schemas.put({**SCHEMA, "fields": {"more.id": "string", "homeAddress.city": "string"}})
    assert known() == 0


HISTORY = 'segmentMembership.get("ups").get("lyon").status = "realized"'


def test_the_map_of_memberships_is_read_in_order_too(loaded):
    loaded.audiences.put("mapped", f"{HISTORY} and {GOLD}")
    assert loaded.audiences.count(HISTORY).memberships == {"lyon": 1}
    loaded.audiences.put("lyon", 'homeAddress.city = "Nice" or ' + LYON)
    loaded.audiences.put("mapped", HISTORY)
    first = {item.audience: item.members for item in loaded.audiences.evaluate().audiences}
    again = loaded.audiences.evaluate(["mapped"]).audiences  # a second run over the same data changes nothing
    assert first["mapped"] == first["lyon"] == 2
    assert {(item.members, item.entered, item.exited) for item in again} == {(2, 0, 0)}
    with pytest.raises(Invalid) as caught:
        loaded.audiences.put("lyon", 'segmentMembership.get("ups").get("mapped").status = "realized"')
    assert caught.value.code == "pql.cycle"


def test_memberships_of_another_view_are_nobody_s_here(loaded):
    loaded.audiences.put("apart", "true", view="unstitched")
    loaded.audiences.evaluate(["apart"])
    assert loaded.audiences.size("apart") > 0
    keys = 'segmentMembership.get("ups").keys().includes("apart")'
    assert loaded.audiences.count(keys).count == 0
    assert loaded.audiences.count(keys, view="unstitched").count == loaded.profiles.count("unstitched")
