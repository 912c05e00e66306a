"""A small company: a CRM, a loyalty scheme and a web shop."""

import json

import pytest
from tests.pipeline import shopping as shop

import coterie
from coterie.core.clock import FixedClock
from coterie.core.errors import NotFound
from coterie.prediction.run import Status

NOW = "2026-06-15T12:00:00Z"

SCHEMAS = [
    {
        "name": "crm",
        "class": "profile",
        "fields": {
            "crm.id": "string",
            "crm.email": "string",
            "person.name": "string",
            "homeAddress.city": "string",
            "loyalty.points": "integer",
        },
        "identities": [
            {"path": "crm.id", "namespace": "CRMID", "primary": True},
            {"path": "crm.email", "namespace": "Email"},
        ],
    },
    {
        "name": "loyalty",
        "class": "profile",
        "fields": {"card.email": "string", "loyalty.points": "integer", "loyalty.tier": "string"},
        "identities": [{"path": "card.email", "namespace": "Email", "primary": True}],
    },
    {
        "name": "web",
        "class": "event",
        "fields": {
            "browser": "string",
            "login": "string",
            "search.query": "string",
            "order.total": {"type": "number", "decimals": 2},
        },
        "identities": [
            {"path": "browser", "namespace": "WebID", "primary": True},
            {"path": "login", "namespace": "CRMID"},
        ],
    },
]

AUDIENCES = {
    "searched-not-bought": 'xEvent[eventType = "search" and timestamp occurs <= 30 days before now].count() >= 1 '
    'and xEvent[eventType = "purchase" and timestamp occurs <= 30 days before now].count() = 0',
    "spenders": 'xEvent[eventType = "purchase"].sum(order.total) >= 30',
    "lyon": 'homeAddress.city = "Lyon"',
    "gold-or-lyon": 'loyalty.tier = "gold" or inSegment("lyon")',
}

CRM = [
    {"crm": {"id": "1", "email": "ann@example.org"}, "person": {"name": "Ann"}, "homeAddress": {"city": "Lyon"}},
    {"crm": {"id": "2", "email": "bob@example.org"}, "person": {"name": "Bob"}, "homeAddress": {"city": "Nice"}},
    {"crm": {"id": "3", "email": "cid@example.org"}, "person": {"name": "Cid"}, "loyalty": {"points": 5}},
]
LOYALTY = [
    {"card": {"email": "ann@example.org"}, "loyalty": {"points": 700, "tier": "gold"}},
    {"card": {"email": "dee@example.org"}, "loyalty": {"points": 10, "tier": "basic"}},
]


def event(id_, day, type_, browser, **more):
    return {"_id": id_, "timestamp": f"2026-06-{day:02d}T10:00:00Z", "eventType": type_, "browser": browser, **more}


WEB = [
    event("e1", 1, "search", "w1", search={"query": "sneakers"}),
    event("e2", 2, "login", "w1", login="1"),
    event("e3", 3, "search", "w2", search={"query": "boots"}),
    event("e4", 4, "purchase", "w2", login="2", order={"total": 10.10}),
    event("e5", 5, "purchase", "w2", order={"total": 19.90}),
    event("e6", 6, "search", "w9", search={"query": "hats"}),
]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def define(ws):
    """Save the company's definitions."""
    ws.identities.put_namespace({"code": "WebID", "name": "Browser", "type": "COOKIE"})
    for schema in SCHEMAS:
        ws.schemas.put(schema)
        ws.datasets.put(schema["name"], schema["name"])
    for name, pql in AUDIENCES.items():
        ws.audiences.put(name, pql)


@pytest.fixture
def files(tmp_path):
    return {
        "crm": write(tmp_path / "crm.jsonl", CRM),
        "loyalty": write(tmp_path / "loyalty.jsonl", LOYALTY),
        "web": write(tmp_path / "web.jsonl", WEB),
    }


@pytest.fixture
def clock():
    return FixedClock(NOW)


@pytest.fixture
def ws(tmp_path, clock):
    with coterie.open(tmp_path / "ws", create=True, clock=clock) as workspace:
        define(workspace)
        yield workspace


@pytest.fixture
def loaded(ws, files, clock):
    for name, path in files.items():
        clock.at += 1000
        report = ws.ingest.load(name, path)
        assert report.status == "active"
    return ws


@pytest.fixture
def members():
    """Return a function: the identities of an audience's members, a frozenset a member."""

    def of(ws, name):
        return {
            frozenset((code, value) for code, values in member.identities.items() for value in values)
            for member in ws.audiences.members(name, limit=1000)
        }

    return of


@pytest.fixture
def picture():
    """Return a function: everything a person can see of a workspace, for comparison of before and after."""

    def of(ws):
        people = [("CRMID", "1"), ("CRMID", "2"), ("CRMID", "3"), ("Email", "dee@example.org"), ("WebID", "w9")]
        seen = {}
        for namespace, value in people:
            try:
                profile = ws.profiles.get(namespace, value)
            except NotFound as error:
                seen[namespace, value] = error.code
                continue
            seen[namespace, value] = (
                profile.person,
                profile.attributes,
                sorted((item.namespace, item.value) for item in profile.identities),
                [item.event["_id"] for item in profile.events],
                ws.identities.graph(namespace, value).links,
            )
        audiences = {name: sorted(member.person for member in ws.audiences.members(name, 1000)) for name in AUDIENCES}
        return seen, audiences, ws.profiles.count()

    return of


# -- a shop with a model, made once --------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def untrained(tmp_path_factory):
    """The folder of a closed workspace with a model that never ran; copy it."""
    folder = tmp_path_factory.mktemp("untrained")
    with coterie.open(folder / "ws", create=True, clock=FixedClock(shop.NOW)) as ws:
        shop.define(ws)
        shop.load(ws, folder, shop.events(shop.PEOPLE))
        ws.predictions.create(shop.BUYS)
    return folder / "ws"


@pytest.fixture(scope="session")
def trained(untrained, tmp_path_factory):
    """The folder of the same workspace after its first run; copy it."""
    folder = shop.copied(untrained, tmp_path_factory.mktemp("trained"))
    with coterie.open(folder, clock=FixedClock(shop.NOW)) as ws:
        run = ws.predictions.run("buys")
        assert run.status is Status.SUCCEEDED, run.error
    return folder


@pytest.fixture
def untrained_copy(untrained, tmp_path):
    """A copy of the folder with the model that never ran, to be changed."""
    return shop.copied(untrained, tmp_path)


@pytest.fixture
def trained_copy(trained, tmp_path):
    """A copy of the folder with the model that ran once, to be changed."""
    return shop.copied(trained, tmp_path)
