"""Data usage policies and the models that read labelled fields."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

import coterie
from coterie.core.clock import DAY, FixedClock, format_instant
from coterie.core.errors import Conflict
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.predictions.models import carried
from coterie.prediction.definition import Attribute, Goal, GoalEvent, Model, Population
from coterie.prediction.definition import Test as FieldTest
from coterie.prediction.trust.policies import Objection, objections, problems_of
from coterie.workspace import Workspace

CRM = {
    "name": "crm",
    "class": "profile",
    "fields": {
        "crm.id": {"type": "string", "labels": ["I1"]},
        "income": {"type": "integer", "labels": ["C9"]},
        "tier": "string",
    },
    "identities": [{"path": "crm.id", "namespace": "CRMID", "primary": True}],
}
SHOP = {
    "name": "shop",
    "class": "event",
    "fields": {
        "who": "string",
        "ailment": {"type": "string", "labels": ["RHD"]},
        "channel": {"type": "string", "labels": ["I2"]},
        "value": "number",
    },
    "identities": [{"path": "who", "namespace": "CRMID", "primary": True}],
}


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("labels") / "ws"
    with coterie.open(folder, create=True, clock=FixedClock("2026-06-15")) as workspace:
        for schema in (CRM, SHOP):
            workspace.schemas.put(schema)
        workspace.datasets.put("crm", "crm")
        workspace.datasets.put("shop", "shop", labels=["S1"])
        yield workspace


@pytest.fixture(scope="module")
def visited(ws: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The same with visits of forty people, every third day each, and an order now and then."""
    rows = [
        {
            "_id": f"{who}-{day}",
            "timestamp": format_instant(ws.sandbox.clock.now() - day * DAY),
            "eventType": "visit",
            "who": f"w{who}",
            "ailment": ("cold", "flu", "none")[day % 3],
            "channel": ("app", "web")[(day + who) % 2],
        }
        | ({"value": 5.0} if (who + day) % 7 == 0 else {})
        for who in range(40)
        for day in range(1 + who % 3, 120, 3)
    ]
    path = tmp_path_factory.mktemp("visits") / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert ws.ingest.load("shop", path).status == "active"
    return ws


def model(field: str = "eventType", key: str = "m", **changes: object) -> Model:
    return Model(key, "M", Goal((GoalEvent("Order", (FieldTest(field, "exists"),)),), 30), **changes)  # type: ignore[arg-type]


def objections_of(ws: Workspace, asked: Model) -> tuple[Objection, ...]:
    return objections(carried(Definitions(ws.sandbox.catalog), asked))


def found(ws: Workspace, asked: Model) -> dict[str, tuple[str, ...]]:
    return {each.label: each.fields for each in objections_of(ws, asked) if each.label != "S1"}


def test_what_carries_no_label_is_free(ws: Workspace) -> None:
    free = model("value", "free", attributes=(Attribute("tier"),), protected=("income",))
    assert found(ws, free) == {}
    assert ws.predictions.create(free).key == "free"


def test_labels_of_a_dataset_are_those_of_its_events(ws: Workspace) -> None:
    (each,) = objections_of(ws, model("value"))
    assert (each.label, each.blocking) == ("S1", False)
    assert [problem.severity for problem in problems_of([each])] == ["warning"]


@pytest.mark.parametrize(
    ("asked", "labels"),
    [
        (model("ailment"), {"RHD": ("ailment",)}),
        (model(attributes=(Attribute("income"),)), {"C9": ("income",)}),
        (model(population=Population("income > 5")), {"C9": ("income",)}),
        (model(categories=("ailment",)), {"RHD": ("ailment",)}),
    ],
)
def test_a_forbidden_field_blocks_wherever_it_is_read(
    ws: Workspace, asked: Model, labels: dict[str, tuple[str, ...]]
) -> None:
    assert found(ws, asked) == labels
    with pytest.raises(Conflict, match=next(iter(labels.values()))[0]) as caught:
        ws.predictions.create(asked)
    assert caught.value.code == "model.policy"


def test_a_direct_identifier_asks_for_a_look_only(ws: Workspace) -> None:
    asked = model(key="known", attributes=(Attribute("crm.id"),))
    assert found(ws, asked) == {"I1": ("crm.id",)}
    assert ws.predictions.create(asked).key == "known"


def test_an_event_field_that_the_data_offer_is_looked_at_too(ws: Workspace) -> None:
    check = ws.predictions.check(model(categories=("ailment",)))
    assert [each.code for each in check.problems][:1] == ["model.no-input"]
    assert check.labels == ("S1", "RHD")


def test_a_forbidden_field_is_not_chosen_from_the_data(visited: Workspace) -> None:
    """What the data offer besides is read, and its labels are those of the scores."""
    check = visited.predictions.check(model("value", "chosen"))
    filled = {each.field for each in check.completeness}
    assert "channel" in filled
    assert "ailment" not in filled
    assert "model.policy" not in [each.code for each in check.problems if each.severity == "error"]
    assert check.labels == ("I2", "S1")


def test_a_merge_policy_that_leaves_the_scores_out_is_told(visited: Workspace) -> None:
    visited.policies.put("crm_only", {"attributeMerge": "dataSetPrecedence", "order": ["crm"]})
    codes = {
        view: [each.code for each in visited.predictions.check(model("value", "hidden", view=view)).problems]
        for view in ("default", "crm_only")
    }
    assert "model.scores-left-out" not in codes["default"]
    assert "model.scores-left-out" in codes["crm_only"]
    unpublished = visited.predictions.check(model("value", "hidden", view="crm_only", publish=False))
    assert "model.scores-left-out" not in [each.code for each in unpublished.problems]
