"""What Customer AI is not for, told where it seems to be used so."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from coterie.prediction.definition import Attribute, Goal, GoalEvent, Kind, Model
from coterie.prediction.definition import Test as FieldTest
from coterie.prediction.trust.warnings import warnings_of


def model(*tests: FieldTest, key: str = "m", **changes: Any) -> Model:
    where = tests or (FieldTest("eventType", "eq", "order"),)
    return Model(key, changes.pop("name", "Buys soon"), Goal((GoalEvent("Order", where),), 30), **changes)


def codes(found: Model, others: tuple[Model, ...] = ()) -> list[str]:
    return [each.code for each in warnings_of(found, others)]


def test_a_conversion_is_told_from_uplift_and_a_churn_is_not() -> None:
    (note,) = warnings_of(model())
    assert (note.code, note.severity) == ("model.uplift", "note")
    assert "random 10 %" in note.message
    assert codes(model(propensity="churn")) == []


@pytest.mark.parametrize(
    ("test", "code"),
    [
        (FieldTest("productListItems.price", "lt", 20), "model.price"),
        (FieldTest("unitPrice", "between", (10, 20)), "model.price"),
        (FieldTest("journeyStage", "eq", "awareness"), "model.stage"),
        (FieldTest("sku", "in", tuple(map(str, range(51)))), "model.many-values"),
    ],
)
def test_goals_of_another_kind(test: FieldTest, code: str) -> None:
    assert codes(model(test)) == [code, "model.uplift"] or codes(model(test)) == ["model.uplift", code]


@pytest.mark.parametrize(
    "test",
    [
        FieldTest("commerce.order.priceTotal", "gte", 500),
        FieldTest("priceClass", "exists"),
        FieldTest("sku", "in", tuple(map(str, range(50)))),
        FieldTest("stageName", "eq", "Opera"),
    ],
)
def test_goals_that_only_look_so(test: FieldTest) -> None:
    assert codes(model(test)) == ["model.uplift"]


def test_many_models_that_differ_by_item_only() -> None:
    others = tuple(model(FieldTest("sku", "eq", str(place)), key=f"buys-{place}") for place in range(20))
    one = model(FieldTest("sku", "eq", "x"), key="one")
    (found,) = [each for each in warnings_of(one, others) if each.code == "model.many-alike"]
    assert found.figures["models"] == 21
    assert "model.many-alike" not in codes(one, others[:19])
    assert "model.many-alike" not in codes(one, (*others[:19], one))
    longer = msgspec.structs.replace(one, goal=msgspec.structs.replace(one.goal, window_days=7))
    assert "model.many-alike" not in codes(longer, others)


def test_uses_that_are_ruled_out() -> None:
    (found,) = warnings_of(model(name="Loan default", propensity="churn"))
    assert found.code == "model.high-risk"
    assert "credit" in found.message
    assert codes(model(name="Recruiting", propensity="churn")) == ["model.employment"]
    assert codes(model(name="Healthy snacks", propensity="churn")) == []


def test_uses_that_are_ruled_out_are_seen_in_what_is_read_too() -> None:
    learns = model(attributes=(Attribute("person.medicalHistory"),), propensity="churn")
    (found,) = warnings_of(learns)
    assert (found.code, found.figures["word"]) == ("model.high-risk", "medical")
    claim = GoalEvent("Claim", (FieldTest("insurance.claim.id", "exists"),))
    assert codes(msgspec.structs.replace(learns, goal=Goal((claim,), 30), attributes=())) == ["model.high-risk"]
    assert codes(model(attributes=(Attribute("person.racetrack"),), propensity="churn")) == []


def test_custom_events_that_others_did() -> None:
    sent = Kind("E-mail sent", (FieldTest("eventType", "eq", "email.sent"),))
    opened = Kind("E-mail opened", (FieldTest("eventType", "eq", "email.opens"),))
    (found,) = warnings_of(model(custom_events=(sent, opened), propensity="churn"))
    assert (found.code, found.figures["event"]) == ("model.not-their-own", "E-mail sent")
    assert codes(model(exposures=(sent,), propensity="churn")) == []
