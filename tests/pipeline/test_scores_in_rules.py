"""Scores in rules: absent once they have expired, in every engine and as of every instant."""

import json

import pytest

import coterie
from coterie.core.clock import DAY, FixedClock, parse_instant
from coterie.engine.sql import SqlEngine
from coterie.pql import parse
from coterie.pql.conditions import conditions_of
from coterie.pql.interpreter import holds, next_change
from coterie.pql.normal import normalise
from coterie.profile.record import records

FIELDS = {
    "id": "string",
    "customerAI.k.score": "integer",
    "customerAI.k.previous_score": "integer",
    "customerAI.k.bucket": "string",
    "customerAI.k.valid_until": "date-time",
    "customerAI.k.probability": {"type": "number", "decimals": 6},
    "customerAI.k.interval[]": {"type": "number", "decimals": 6},
    "customerAI.k.factors[].code": "string",
    "customerAI.k.factors[].direction": "string",
    "customerAI.k.factors[].contribution": "number",
}
RULES = [
    "customerAI.k.score >= 10",
    'customerAI.k.score >= 10 and customerAI.k.bucket = "high"',
    "not (customerAI.k.score >= 70)",
    'customerAI.k.factors[code = "often:x" and direction = "raises"]',
    'customerAI.k.factors[code = "often:x" and direction = "raises"].count() >= 1',
    "customerAI.k.score - customerAI.k.previous_score >= 20",
    "customerAI.k.isNotNull()",
    "customerAI.k.isNull()",
    "customerAI.k",
    "customerAI.k.score.isNull()",
    'customerAI.k.factors.code.includes("since:x")',
    "customerAI.k.factors.exists(contribution > 6)",
    'customerAI.k.factors.head().code = "often:x"',
    "customerAI.k.factors.topN(contribution, 1).head().contribution >= 7",
    "customerAI.k.factors.forall(contribution > 2)",
    'customerAI.k.bucket in ["high", "low"]',
    "customerAI.k.interval.max() > 0.15",
    "customerAI.k.factors[contribution > ^.customerAI.k.probability]",
    "exists F from customerAI.k.factors where F.contribution > 2",
    "computedAttributes.twice >= 40",
]
NOW = parse_instant("2026-06-15T12:00:00Z")


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Nine people with scores, valid until the 11th to the 19th of June, and one without."""
    folder = tmp_path_factory.mktemp("scored")
    with coterie.open(folder / "ws", create=True, clock=FixedClock(NOW)) as ws:
        identities = [{"path": "id", "namespace": "CRMID", "primary": True}]
        ws.schemas.put({"name": "s", "class": "profile", "fields": FIELDS, "identities": identities})
        ws.datasets.put("s", "s")
        ws.computed.put("twice", "customerAI.k.score * 2")
        factors = [{"code": "often:x", "direction": "raises"}, {"code": "since:x", "direction": "lowers"}]
        rows = [{"id": "0"}] + [
            {
                "id": str(n),
                "customerAI": {
                    "k": {
                        "score": 10 * n,
                        "previous_score": 5,
                        "bucket": "high" if n > 6 else "low",
                        "valid_until": f"2026-06-{10 + n}T00:00:00Z",
                        "probability": n / 10,
                        "interval": [0.1, 0.2],
                        "factors": [
                            factor | {"contribution": float(n - 2 * place)} for place, factor in enumerate(factors)
                        ],
                    }
                },
            }
            for n in range(1, 10)
        ]
        path = folder / "scores.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert ws.ingest.load("s", path).status == "active"
        yield ws


@pytest.mark.parametrize("rule", RULES)
def test_engines_agree_on_what_counts(scored, rule):
    union, con = scored.definitions.union(), scored.sandbox.history.con
    people = dict(records(con, union, "default", range(10)))
    for at in (NOW - 10 * DAY, NOW, parse_instant("2026-06-18T00:00:00Z"), NOW + 10 * DAY):
        expected = sum(holds(parse(rule), record, at, union) for record in people.values())
        assert scored.audiences.count(rule, at=at).count == expected


def test_an_expired_score_is_no_score(scored):
    for at, valid in (("2026-06-10", 9), ("2026-06-15T12:00:00Z", 4), ("2026-06-18T00:00:00Z", 1), ("2026-06-19", 0)):
        assert scored.audiences.count("customerAI.k.score >= 0", at=at).count == valid
        assert scored.audiences.count("customerAI.k.isNull()", at=at).count == 10 - valid
        assert scored.audiences.count('customerAI.k.factors[code = "since:x"]', at=at).count == valid


@pytest.mark.parametrize("rule", RULES)
def test_expiry_is_foreseen(scored, rule):
    """When time alone turns a rule is told by the interpreter exactly, and by the engine not later than it turns."""
    union, con = scored.definitions.union(), scored.sandbox.history.con
    conditions = conditions_of(normalise(parse(rule), union))
    changes = SqlEngine(con, union).next_changes(conditions, "default", NOW)
    for person, record in records(con, union, "default", range(10)):
        exact = next_change(parse(rule), record, NOW, union)
        told = [int(item.instants[item.people == person][0]) for item in changes.values() if person in item.people]
        if exact is not None:
            assert told, (rule, person)
            assert min(told) <= exact
