"""An answer as of a past instant: what happened later is left out of counts, evaluations and explanations alike."""

from __future__ import annotations

import pytest

from coterie.core.clock import parse_instant
from coterie.core.errors import Conflict

PAST = "2026-06-04T12:00:00Z"
NOW = "2026-06-15T12:00:00Z"

# rule: (as of the past instant, now). Bob bought on 4 and 5 June, for 10.10 and 19.90
RULES = {
    "xEvent.count() >= 3": (0, 1),
    'xEvent[eventType = "purchase"].sum(order.total) >= 30 or homeAddress.city = "Rome"': (0, 1),
    'not xEvent[eventType = "purchase"].count() >= 2': (5, 4),
    'chain(xEvent, timestamp, [A: WHAT(eventType = "purchase"), B: WHAT(eventType = "purchase")])': (0, 1),
    'chain(xEvent, timestamp, [A: WHAT(eventType = "search"), N: EXCLUDE(eventType = "login"), '
    'B: WHAT(eventType = "purchase") WHEN(>= 2 days after A)])': (0, 1),
    'xEvent.topN(timestamp, 1).eventType = "login"': (1, 1),
    'xEvent[eventType = "search" and search.query = "hats"]': (0, 1),
    "xEvent[timestamp occurs after now]": (0, 0),
}


def test_what_happened_later_is_left_out_everywhere(loaded):
    ask = loaded.audiences
    names = [f"x{number}" for number in range(len(RULES))]
    for name, rule in zip(names, RULES, strict=True):
        ask.put(name, rule)
    for at, wanted in zip((PAST, None), zip(*RULES.values(), strict=True), strict=True):
        assert [ask.count(rule, at=at).count for rule in RULES] == list(wanted)
        assert [ask.diff("false", rule, at=at).entering for rule in RULES] == list(wanted)
        assert [item.members for item in ask.overlap(names, fresh=True, at=at).audiences] == list(wanted)
        assert [item.members for item in ask.evaluate(names, at=at).audiences] == list(wanted)
        members = [{member.person for member in ask.members(name)} for name in names]
        explained = [ask.explain("CRMID:2", pql=rule, at=at) for rule in RULES]
        assert [item.holds for item in explained] == [
            item.person in found for item, found in zip(explained, members, strict=True)
        ]
    assert [ask.count(rule, at=NOW).count for rule in RULES] == list(wanted)


def test_what_is_known_of_the_present_is_no_answer_about_the_past(loaded, clock):
    rule = 'xEvent[timestamp occurs after now].count() = 1 or xEvent[eventType = "purchase"].count() = 2'
    then = loaded.sandbox.clock.now()
    clock.at = parse_instant(PAST)
    assert loaded.audiences.count(rule).count == 2  # Bob, and the one who has an event dated 6 June
    clock.at = then
    assert loaded.audiences.count(rule, at=PAST).count == 0


def test_a_day_to_come_leaves_nothing_out(loaded):
    assert loaded.audiences.count("xEvent.count() >= 3", at="2027-01-01T00:00:00Z").count == 1


def test_memberships_of_the_past_are_those_the_ledger_has(loaded, clock):
    before = clock.at - 1
    assert loaded.audiences.count('inSegment("lyon")').count == 1
    clock.at += 1000
    loaded.audiences.put("lyon", "false")
    loaded.audiences.evaluate(["lyon"])
    assert [loaded.audiences.count('inSegment("lyon")', at=at).count for at in (before, None)] == [1, 0]
    for at, holds in ((before, True), (None, False)):
        assert loaded.audiences.explain("CRMID:1", pql='inSegment("lyon")', at=at).holds is holds


def test_a_rebuild_leaves_out_the_same_events(loaded, tmp_path):
    rule = "xEvent.count() >= 3"
    loaded.audiences.put("frequent", rule)
    loaded.audiences.evaluate(["frequent"], at=PAST)
    assert (loaded.audiences.size("frequent"), loaded.audiences.count(rule).count) == (0, 1)
    rebuilt = loaded.rebuild(tmp_path / "again")
    assert rebuilt.same


def test_members_of_an_instant_before_the_last_change_are_not_saved(loaded):
    loaded.audiences.put("everyone", "true")
    at = loaded.audiences.evaluate(["everyone"]).at
    with pytest.raises(Conflict) as caught:
        loaded.audiences.evaluate(["everyone"], at=at - 1)
    assert caught.value.code == "audience.later"
    assert loaded.audiences.evaluate(["everyone"], at=at).audiences[0].exited == 0
