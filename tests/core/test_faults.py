"""What is wrong with plain data: the place, what stands there, what may."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta, Struct

from coterie.core.faults import fault


class Part(Struct, forbid_unknown_fields=True):
    op: Literal["eq", "neq"]
    value: Any = None


class Whole(Struct, forbid_unknown_fields=True):
    days: Annotated[int, Meta(ge=1, le=365)]
    parts: Annotated[tuple[Part, ...], Meta(min_length=1)]
    named: dict[str, int] = {}
    rate: Annotated[float, Meta(ge=0)] | None = None
    on: bool = False


GOOD = {"days": 7, "parts": [{"op": "eq"}]}


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        ({"days": 400}, "days cannot be 400", "Give a whole number from 1 to 365."),
        ({"days": "7"}, "days cannot be '7'", "Give a whole number from 1 to 365."),
        ({"days": True}, "days cannot be true", "Give a whole number from 1 to 365."),
        ({"rate": -1.0}, "rate cannot be -1.0", "Give a number of at least 0 or nothing."),
        ({"on": "yes"}, "on cannot be 'yes'", "Give true or false."),
        ({"dayz": 7}, "dayz is not known", "Did you mean days?"),
        ({"x.days": 7}, "x.days is not known", "Did you mean days?"),
        ({"zzz": 7}, "zzz is not known", "What may stand here: days, parts, named, rate, on."),
        ({"parts": []}, "parts cannot be an empty list", "Give a list of 1 or more, each a mapping with op, value."),
        ({"parts": ["eq"]}, "parts[0] cannot be 'eq'", "Give a mapping with op, value."),
        ({"parts": [{"op": "eq"}, {}]}, "parts[1].op is missing", "Give one of eq, neq."),
        ({"parts": [{"op": "is"}]}, "parts[0].op cannot be 'is'", "Give one of eq, neq."),
        ({"parts": [{"op": "neqq"}]}, "parts[0].op cannot be 'neqq'", "Did you mean neq?"),
        ({"parts": [{"op": "eq", "vlaue": 1}]}, "parts[0].vlaue is not known", "Did you mean value?"),
    ],
)
def test_a_fault_names_the_place_and_what_may_stand_there(data: dict[str, Any], message: str, hint: str) -> None:
    given = GOOD | data
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(given, Whole)
    found = fault(caught.value, given, Whole)
    assert (found.message, found.hint) == (message, hint)


def test_a_value_of_a_mapping_is_told_with_what_may_stand_there() -> None:
    given = GOOD | {"named": {"a": "b"}}
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(given, Whole)
    assert fault(caught.value, given, Whole)[1:] == ("named.a cannot be 'b'", "Give a whole number.")


def test_of_a_mapping_the_key_is_told() -> None:
    given = {"first": GOOD, "second": GOOD | {"named": {"a": 1, "b.c": "x"}}, "third": GOOD | {"days": 0}}
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(given, dict[str, Whole])
    found = fault(caught.value, given, dict[str, Whole])
    assert (found.path, found.message) == (("second", "named", "b.c"), "second.named.b.c cannot be 'x'")


def test_data_of_another_shape_are_told_as_a_whole() -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(["days"], Whole)
    found = fault(caught.value, ["days"], Whole)
    assert (found.path, found.message) == ((), "it cannot be a list")
