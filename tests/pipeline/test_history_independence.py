"""Loads taken back leave no trace: a workspace with reverted batches shows what one without them shows."""

import json
import random

import pytest

import coterie

from .conftest import AUDIENCES, define


def batch(chance, number):
    """Return the dataset and rows of a random small batch; few identities, so that people meet, part and repeat."""
    kind = chance.choice(["crm", "loyalty", "web", "web"])
    rows = []
    for _ in range(chance.randint(1, 5)):
        person, email = chance.randint(1, 4), f"{chance.choice('abcd')}@example.org"
        if kind == "crm":
            row = {"crm": {"id": str(person), "email": email}, "homeAddress": {"city": chance.choice(["Lyon", "Nice"])}}
        elif kind == "loyalty":
            row = {"card": {"email": email}, "loyalty": {"points": number, "tier": chance.choice(["gold", "basic"])}}
        else:
            row = {
                "_id": f"e{chance.randint(1, 9)}",
                "timestamp": f"2026-06-{chance.randint(1, 14):02d}T10:00:00Z",
                "eventType": chance.choice(["search", "purchase"]),
                "browser": f"w{chance.randint(1, 3)}",
                "order": {"total": chance.choice([10.1, 19.9])},
            }
            if chance.random() < 0.5:
                row["login"] = str(person)
        rows.append(row)
    return kind, rows


def shown(ws):
    """Return every person by identities, with attributes and events, and the members of every audience."""
    people, members = {}, {}
    for person in ws.profiles.sample(1000):
        profile = ws.profiles.get(person.namespace, person.value)
        key = frozenset((item.namespace, item.value) for item in profile.identities)
        people[key] = (profile.attributes, [event.event for event in profile.events], profile.links)
    for name in AUDIENCES:
        members[name] = {
            frozenset((code, value) for code, values in member.identities.items() for value in values)
            for member in ws.audiences.members(name, 1000)
        }
    return people, members


@pytest.mark.parametrize("seed", range(6))
def test_a_workspace_with_reverted_batches_is_like_one_that_never_had_them(tmp_path, clock, seed):
    chance = random.Random(seed)
    batches = [batch(chance, number) for number in range(8)]
    withdrawn = set(chance.sample(range(8), 4))
    paths = []
    for number, (_, rows) in enumerate(batches):
        paths.append(tmp_path / f"{number}.jsonl")
        paths[-1].write_text("".join(json.dumps({**row}) + "\n" for row in rows))
    with coterie.open(tmp_path / "with", create=True, clock=clock) as ws:
        define(ws)
        ids = {}
        for number, (kind, _) in enumerate(batches):
            clock.at += 1000
            report = ws.ingest.load(kind, paths[number], evaluate=False)
            ids[number] = report.batch if report.status == "active" else None
            if chance.random() < 0.5 and withdrawn & ids.keys():
                early = max(withdrawn & ids.keys())
                withdrawn_now = ids.pop(early)
                withdrawn.discard(early)
                if withdrawn_now:
                    ws.ingest.revert(withdrawn_now)
        for number in sorted(withdrawn):
            if ids.get(number):
                ws.ingest.revert(ids.pop(number))
        ws.audiences.evaluate()
        kept = [number for number in sorted(ids) if ids[number]]
        with_them = shown(ws)
        assert ws.rebuild(tmp_path / "rebuilt").same
    with coterie.open(tmp_path / "without", create=True, clock=clock) as ws:
        define(ws)
        for number in kept:
            clock.at += 1000
            assert ws.ingest.load(batches[number][0], paths[number], evaluate=False).status == "active"
        ws.audiences.evaluate()
        assert shown(ws) == with_them
        assert with_them[0]
