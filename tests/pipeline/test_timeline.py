"""The timeline of a person by a condition on events, and profiles by audience."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import coterie
from coterie.core.clock import FixedClock
from coterie.core.errors import Invalid, NotFound
from coterie.pql.problems import PqlError
from coterie.workspace import Workspace

FIELDS = {"total": {"type": "number", "decimals": 2}, "items[].sku": "string"}


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("timeline")
    with coterie.open(folder / "ws", create=True, clock=FixedClock("2026-06-20T00:00:00Z")) as ws:
        ws.schemas.put({"name": "web", "class": "event", "identity_map": True, "fields": FIELDS})
        for dataset, worth in (("shop", 10), ("till", 1)):
            rows = [
                {
                    "_id": str(day),
                    "timestamp": f"2026-06-{day:02d}T00:00:00Z",
                    "eventType": "buy" if day % 2 else "view",
                    "total": day * worth,
                    "items": [{"sku": "tea"}, {"sku": "jam"}] if day == 4 else [{"sku": "tea"}],
                    "identityMap": {"Email": [{"id": "ann@example.org" if day < 9 else "bob@example.org"}]},
                }
                for day in range(1, 11)
            ]
            file = folder / f"{dataset}.jsonl"
            file.write_text("".join(json.dumps(row) + "\n" for row in rows))
            ws.datasets.put(dataset, "web")
            ws.ingest.load(dataset, file)
        yield ws


def shown(ws: Workspace, where: str, **more: Any) -> list[str]:
    found = ws.profiles.get("Email", "ann@example.org", where=where, **more)
    return [f"{item.dataset} {item.event['_id']}" for item in found.events]


@pytest.mark.parametrize(
    ("where", "events"),
    [
        ("total >= 60", ["shop 8", "shop 7", "shop 6"]),
        ('eventType = "view" and total < 4', ["till 2"]),
        ('items.sku = "jam"', ["till 4", "shop 4"]),
        ("timestamp occurs <= 13 days before now and total > 60", ["shop 8", "shop 7"]),
        ("total = ^.xEvent.max(total)", ["shop 8"]),
        ("false", []),
    ],
)
def test_events_are_those_for_which_a_condition_holds(ws: Workspace, where: str, events: list[str]) -> None:
    assert shown(ws, where) == events
    counted = ws.profiles.get("Email", "ann@example.org", where=where, events=1)
    assert (counted.matching, sum(item.events for item in counted.sources)) == (len(events), 16)


def test_a_condition_goes_with_the_other_filters_and_with_paging(ws: Workspace) -> None:
    assert shown(ws, "total >= 5", types=["buy"], datasets=["till"], oldest_first=True) == ["till 5", "till 7"]
    assert shown(ws, "total >= 60", at="2026-06-07T00:00:00Z") == ["shop 7", "shop 6"]
    pages, cursor = [], None
    while True:
        page = ws.profiles.get("Email", "ann@example.org", where="total >= 40", events=2, before=cursor)
        pages.append([item.event["_id"] for item in page.events])
        cursor = page.next
        if cursor is None:
            break
    assert pages == [["8", "7"], ["6", "5"], ["4"]]


def test_problems_of_a_condition_are_told_at_their_places(ws: Workspace) -> None:
    for text, start in (("totl >= 60", 0), ("total >= 6 and", 14), ("total] or xEvent[total", 5), ("total >=\n x", 10)):
        with pytest.raises(PqlError) as caught:
            shown(ws, text)
        assert caught.value.where["start"] == start


def test_profiles_of_the_members_of_an_audience(ws: Workspace) -> None:
    ws.audiences.put("late", "xEvent[timestamp occurs <= 12 days before now].count() >= 3", view="unstitched")
    ws.audiences.evaluate()
    assert [item.value for item in ws.profiles.sample(audience="late")] == ["bob@example.org"]
    assert len(ws.profiles.sample(view="unstitched")) == 2
    with pytest.raises(Invalid):
        ws.profiles.sample(view="default", audience="late")
    with pytest.raises(NotFound):
        ws.profiles.sample(audience="early")
