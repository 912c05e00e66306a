"""Attributes at a cut-off are those that had been taken in before it, as the merge policy has them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import coterie
from coterie.core.clock import DAY, FixedClock, parse_instant
from coterie.pipeline.definitions import Definitions, profile_leaves
from coterie.prediction.data.cutoffs import plan
from coterie.prediction.data.learning import learn
from coterie.prediction.data.store import FeatureStore
from coterie.prediction.definition import Attribute, Goal, GoalEvent, Model, Population
from coterie.prediction.definition import Test as Asked
from coterie.profile.bulk import known_at
from coterie.profile.policy import UNSTITCHED

START = parse_instant("2025-01-01T00:00:00Z")
PEOPLE = 12
ORDER = GoalEvent("Order", (Asked("eventType", "eq", "order"),))
MODEL = Model(
    "k",
    "K",
    Goal((ORDER,), 7),
    population=Population(lookback_days=None),
    attributes=(Attribute("tier"), Attribute("points"), Attribute("late")),
)


class Shop:
    """A workspace whose clock moves, and into which records are loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.files = folder, FixedClock(START), 0
        self.ws = coterie.open(folder / "ws", clock=self.clock, create=True)
        for name, kind, fields in (
            ("orders", "event", {"customer": "string"}),
            ("people", "profile", {"crm": "string", "tier": "string", "points": "integer", "late": "integer"}),
        ):
            identity = {"path": "customer" if kind == "event" else "crm", "namespace": "CRMID", "primary": True}
            self.ws.schemas.put({"name": name, "class": kind, "fields": fields, "identities": [identity]})
            self.ws.datasets.put(name, name)

    def load(self, dataset: str, rows: list[Mapping[str, Any]], day: int, **how: Any) -> Any:
        """Load rows on a day."""
        self.clock.at = START + day * DAY
        self.files += 1
        path = self.folder / f"{self.files}.ndjson"
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        report = self.ws.ingest.load(dataset, path, **how)
        assert not report.quarantined
        return report


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    found = Shop(tmp_path_factory.mktemp("past"))
    crm = [f"c{number}" for number in range(PEOPLE)]
    found.load("people", [{"crm": name, "tier": "silver", "points": 1} for name in crm], 5)
    found.load("people", [{"crm": name, "tier": "gold"} for name in crm[:4]], 60, operation="merge")
    found.load("people", [{"crm": name, "tier": "platinum"} for name in crm[10:]], 95, operation="merge")
    found.load("people", [{"crm": name, "late": 7} for name in crm], 99, operation="merge")
    events = [
        {
            "_id": f"{name}-{day}",
            "timestamp": f"{np.datetime64(START + day * DAY, 'ms')}Z",
            "eventType": "order",
            "customer": name,
        }
        for name in crm
        for day in range(0, 100, 9)
    ]
    found.load("orders", events, 100)
    yield found
    found.ws.close()


def test_records_are_merged_as_they_stood(shop: Shop) -> None:
    sandbox = shop.ws.sandbox
    con, definitions = sandbox.history.con, Definitions(sandbox.catalog)
    view = definitions.view("default")
    leaves = [leaf for leaf in profile_leaves(definitions) if leaf.path in ("tier", "points", "late")]

    def at(day: int, **of: Any) -> list[Any]:
        columns = ", ".join(f'"{leaf.path}"' for leaf in leaves)
        return con.execute(
            f"SELECT person, {columns} FROM ({known_at(con, view, leaves, START + day * DAY, **of)}) ORDER BY person"
        ).fetchall()

    assert at(5) == []  # recorded at that very instant
    names = [leaf.path for leaf in leaves]
    early = [dict(zip(names, row[1:], strict=True)) for row in at(6)]
    assert early == [{"tier": "silver", "points": 1, "late": None}] * PEOPLE
    later = [row[1 + names.index("tier")] for row in at(61)]
    assert sorted(later) == ["gold"] * 4 + ["silver"] * 8
    columns = ", ".join(f'"{name}"' for name in names)
    assert at(101) == con.execute(f"SELECT person, {columns} FROM profile_default ORDER BY person").fetchall()
    some = [row[0] for row in at(101)][::5]
    assert at(61, people=some) == [row for row in at(61) if row[0] in some]
    assert len(con.execute(known_at(con, UNSTITCHED, leaves, START + 61 * DAY)).fetchall()) == PEOPLE


def test_features_are_as_of_each_cutoff_where_there_is_a_history(shop: Shop) -> None:
    sandbox = shop.ws.sandbox
    con, definitions = sandbox.history.con, Definitions(sandbox.catalog)
    union, view = definitions.union(), definitions.view("default")
    scoring = START + 100 * DAY
    cutoffs = plan(MODEL, START, scoring - 1, scoring)
    assert START + 6 * DAY < cutoffs.earliest < START + 60 * DAY
    vocabulary = learn(con, union, MODEL, cutoffs, view)
    assert {known.field: known.source for known in vocabulary.attributes} == {
        "tier": "history",
        "points": "history",
        "late": "snapshot",
    }
    store = FeatureStore(con, union, MODEL, vocabulary, policy=view)
    frame = store.build([cutoffs.earliest, scoring])
    tiers, late = frame.column("attribute:tier"), frame.column("attribute:late")
    assert vocabulary.attributes[0].values == ("silver", "gold")  # platinum came after the newest training cut-off
    silver, gold = (vocabulary.attributes[0].values.index(tier) for tier in ("silver", "gold"))
    early = frame.cutoffs == cutoffs.earliest
    assert (tiers[early] == silver).all()
    assert (tiers[~early] == gold).sum() == 4
    assert np.isnan(tiers[~early]).sum() == 2
    assert (late == 7).all()  # known only as it is now, and said so
    assert all(known.source == "snapshot" for known in learn(con, union, MODEL, cutoffs).attributes)
    alone = FeatureStore(con, union, MODEL, vocabulary, policy=view).build([cutoffs.earliest])
    assert alone.values.tobytes() == frame.take(early).values.tobytes()
