"""Profiles of the past: a later workspace tells what an earlier one told, on both axes."""

import json
import random
from contextlib import suppress

import pytest

import coterie
from coterie.core.clock import format_instant, parse_instant
from coterie.core.errors import Conflict, Invalid, NotFound

from .conftest import AUDIENCES, define, event
from .test_history_independence import batch

IDENTITIES = [
    *(("CRMID", str(n)) for n in range(1, 5)),
    *(("Email", f"{c}@example.org") for c in "abcd"),
    *(("WebID", f"w{n}") for n in range(1, 4)),
]
SETTINGS = {
    "algorithm": "optimized",
    "namespaces": [{"code": "CRMID", "unique": True}, {"code": "Email"}, {"code": "WebID"}],
    "graph_limit": 4,
}
HOUR = 3_600_000


def look(ws, identity, view, **moment):
    """Return a profile without the moment it was looked at from, or None."""
    try:
        found = ws.profiles.get(*identity, view, **moment)
    except NotFound:
        return None
    return {name: getattr(found, name) for name in found.__struct_fields__ if name not in ("at", "known")}


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def act(ws, chance, active, step, folder):
    """Do one of the things that change profiles: mostly load, also revert, decide, change settings or a policy."""
    match chance.choice(["load"] * 5 + ["revert", "split", "merge", "never", "undo", "settings", "policy"]):
        case "revert" if active:
            ws.ingest.revert(active.pop(chance.randrange(len(active))))
        case "split" if active:
            ws.identities.split(*chance.sample(IDENTITIES, 2))
        case "merge" if active:
            ws.identities.merge(chance.sample(IDENTITIES, 2))
        case "never" if active:
            ws.identities.never_link(*chance.choice(IDENTITIES))
        case "undo" if ws.identities.decisions():
            ws.identities.undo(chance.choice(ws.identities.decisions()).decision)
        case "settings":
            ws.identities.put_settings(chance.choice([SETTINGS, {"algorithm": "none"}, SETTINGS | {"graph_limit": 3}]))
        case "policy":
            order = chance.sample(["crm", "loyalty"], chance.randint(1, 2))
            ws.policies.put("ordered", {"attributeMerge": "dataSetPrecedence", "order": order})
        case _:
            dataset, rows = batch(chance, step)
            report = ws.ingest.load(dataset, write(folder / f"{step}.jsonl", rows), evaluate=chance.random() < 0.5)
            active += [report.batch] if report.status == "active" else []


@pytest.mark.parametrize("seed", range(3))
def test_what_was_known_at_an_instant_is_what_was_shown_at_it(tmp_path, clock, seed):
    chance, active, seen = random.Random(seed), [], []
    with coterie.open(tmp_path / "ws", create=True, clock=clock) as ws:
        define(ws)
        ws.policies.put("ordered", {"attributeMerge": "dataSetPrecedence", "order": ["loyalty"]})
        ws.computed.put("recent", "xEvent[timestamp occurs <= 3 days before now].count()")
        for name in set(AUDIENCES) - {"lyon"}:
            ws.audiences.delete(name)
        for step in range(10):
            clock.at += HOUR
            with suppress(Conflict, NotFound):
                act(ws, chance, active, step, tmp_path)
            for identity in chance.sample(IDENTITIES, 3):
                view = chance.choice(["default", "unstitched", "ordered"])
                seen.append((clock.at, identity, view, look(ws, identity, view)))
        clock.at += HOUR
        assert sum(profile is not None for *_, profile in seen) > 5
        for at, identity, view, profile in seen:
            assert look(ws, identity, view, known=at + chance.choice([0, HOUR // 2])) == profile, (at, identity, view)


def known_by(profile):
    """Return what a profile says, whatever the numbers of batches and identities."""
    if profile is None:
        return None
    return (
        profile["attributes"],
        {
            path: (item.winner.dataset, item.winner.value, len(item.losers))
            for path, item in profile["provenance"].items()
        },
        set(profile["identities"]),
        [item.event for item in profile["events"]],
    )


@pytest.mark.parametrize("seed", range(2))
def test_what_had_happened_by_an_instant_is_what_is_shown_without_what_came_later(tmp_path, clock, seed):
    chance = random.Random(seed)
    begin = clock.at
    batches, ids = [], iter(range(1000))
    for step in range(10):
        dataset, rows = batch(chance, step)
        for row in rows:
            if dataset == "web":
                # not after they are recorded, and no two alike: which of two counts is not a matter of time
                row |= {"_id": f"e{next(ids)}", "timestamp": format_instant(begin + chance.randrange(step + 1) * HOUR)}
        batches.append((dataset, rows))
    instant = begin + 5 * HOUR + HOUR // 2
    with coterie.open(tmp_path / "all", create=True, clock=clock) as ws:
        load_all(ws, clock, begin, batches, tmp_path)
        later = [known_by(look(ws, identity, "default", at=instant)) for identity in IDENTITIES]
    clock.at = begin
    until = [
        (dataset, [row for row in rows if dataset != "web" or parse_instant(row["timestamp"]) <= instant])
        for dataset, rows in batches
    ]
    kept = [
        (d, rows) if d == "web" or begin + step * HOUR <= instant else (d, []) for step, (d, rows) in enumerate(until)
    ]
    with coterie.open(tmp_path / "then", create=True, clock=clock) as ws:
        load_all(ws, clock, begin, kept, tmp_path)
        assert [known_by(look(ws, identity, "default")) for identity in IDENTITIES] == later
    assert sum(found is not None for found in later) > 3


def load_all(ws, clock, begin, batches, folder):
    """Load batches an hour apart, the first at `begin`; empty ones are passed over."""
    define(ws)
    ws.identities.put_settings(SETTINGS)
    for step, (dataset, rows) in enumerate(batches):
        clock.at = begin + step * HOUR
        if rows:
            ws.ingest.load(dataset, write(folder / f"{step}.jsonl", rows), evaluate=False)
    clock.at = begin + len(batches) * HOUR


def test_both_axes_together(tmp_path, clock):
    begin = clock.at
    rows = [event("e1", 1, "search", "w1", login="1"), event("e2", 3, "purchase", "w1", order={"total": 5})]
    with coterie.open(tmp_path / "ws", create=True, clock=clock) as ws:
        define(ws)
        first = ws.ingest.load("web", write(tmp_path / "1.jsonl", rows[:1]), evaluate=False).batch
        clock.at = begin + HOUR
        ws.ingest.load("web", write(tmp_path / "2.jsonl", rows[1:]), evaluate=False)
        clock.at = begin + 2 * HOUR
        ws.ingest.revert(first)

        def seen(**moment):
            found = look(ws, ("WebID", "w1"), "default", **moment)
            return found and ([item.event["_id"] for item in found["events"]], len(found["identities"]))

        assert seen() == (["e2"], 1)
        assert seen(known=begin) == (["e1"], 2)
        assert seen(known=begin + HOUR) == (["e2", "e1"], 2)
        assert seen(known=begin + HOUR, at="2026-06-02") == (["e1"], 2)
        assert seen(at="2026-06-02") is None
        assert seen(at="2026-06-04", known=begin + 2 * HOUR) == (["e2"], 1)
        assert seen(at="2026-05-01", known=begin) is None


def test_of_two_events_with_one_id_the_one_that_counted_then_counts(tmp_path, clock):
    begin = clock.at
    rows = [event("e1", 1, "search", "w1"), event("e1", 2, "search", "w2"), event("e1", 3, "search", "w3")]
    with coterie.open(tmp_path / "ws", create=True, clock=clock) as ws:
        define(ws)
        batches = []
        for step, row in enumerate(rows):
            clock.at = begin + step * HOUR
            batches.append(ws.ingest.load("web", write(tmp_path / f"{step}.jsonl", [row]), evaluate=False).batch)
        for step, number in ((3, 0), (4, 1)):
            clock.at = begin + step * HOUR
            ws.ingest.revert(batches[number])
        who = {
            moment: [browser for browser in ("w1", "w2", "w3") if look(ws, ("WebID", browser), "default", known=moment)]
            for moment in (begin - 1, begin, begin + 2 * HOUR, begin + 3 * HOUR, begin + 4 * HOUR, None)
        }
    assert list(who.values()) == [[], ["w1"], ["w1"], ["w2"], ["w3"], ["w3"]]


def test_the_definitions_are_those_known_then(ws, clock, tmp_path):
    begin = clock.at
    rows = [{"crm": {"id": "1", "email": "ann@example.org"}, "loyalty": {"points": 5}}]
    ws.ingest.load("crm", write(tmp_path / "c.jsonl", rows))
    ws.ingest.load(
        "loyalty", write(tmp_path / "l.jsonl", [{"card": {"email": "ann@example.org"}, "loyalty": {"points": 7}}])
    )
    ws.policies.put("mine", {"attributeMerge": "dataSetPrecedence", "order": ["crm"]})
    clock.at = begin + HOUR
    ws.policies.put("mine", {"attributeMerge": "dataSetPrecedence", "order": ["loyalty"]})
    assert ws.profiles.get("CRMID", "1", "mine").attributes["loyalty"]["points"] == 7
    assert ws.profiles.get("CRMID", "1", "mine", known=begin).attributes["loyalty"]["points"] == 5
    with pytest.raises(NotFound) as caught:
        ws.profiles.get("CRMID", "1", "mine", known=begin - 1)
    assert caught.value.code == "view.not-found"
    for beyond in (10**30, -(10**30)):
        with pytest.raises(Invalid) as caught:
            ws.profiles.get("CRMID", "1", known=beyond)
        assert caught.value.code == "time.unreadable"
