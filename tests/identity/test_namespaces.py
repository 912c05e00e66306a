"""Namespaces: the standard list, and what may be saved."""

from __future__ import annotations

import msgspec
import pytest

from coterie.core.errors import Conflict, Invalid
from coterie.identity.namespaces import STANDARD, Namespace, NamespaceType, check_change

KNOWN = {namespace.code: namespace for namespace in STANDARD}
LOYALTY = Namespace("Loyalty", NamespaceType.CROSS_DEVICE, "Loyalty card", custom=True, id=1000)


def test_the_standard_list_has_each_code_number_and_name_once() -> None:
    for key in ("code", "id", "name"):
        values = [getattr(namespace, key) for namespace in STANDARD]
        assert len(set(values)) == len(values)
    assert {(KNOWN[code].id, KNOWN[code].type) for code in ("ECID", "Email", "Phone", "AAID", "AdCloud")} == {
        (4, NamespaceType.COOKIE),
        (6, NamespaceType.EMAIL),
        (7, NamespaceType.PHONE),
        (10, NamespaceType.COOKIE),
        (411, NamespaceType.COOKIE),
    }
    assert not any(namespace.custom for namespace in STANDARD)


@pytest.mark.parametrize(
    ("text", "type_"), [("cookie", "COOKIE"), ("Cross_Device", "CROSS_DEVICE"), ("MOBILE", "DEVICE")]
)
def test_types_are_read_in_any_letter_case(text: str, type_: str) -> None:
    assert msgspec.convert({"code": "X", "type": text}, Namespace).type == type_


def test_unknown_types_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="type"):
        msgspec.convert({"code": "X", "type": "person"}, Namespace)


def test_a_new_namespace_gets_a_number_and_a_name() -> None:
    first = check_change(KNOWN, Namespace("Loyalty", NamespaceType.CROSS_DEVICE))
    assert (first.id, first.name, first.custom) == (1000, "Loyalty", True)
    second = check_change(KNOWN | {"Loyalty": first}, Namespace("Card", NamespaceType.CROSS_DEVICE, "Card"))
    assert second.id == 1001


def test_name_and_description_may_change_and_the_number_stays() -> None:
    known = KNOWN | {"Loyalty": LOYALTY}
    changed = check_change(known, Namespace("Loyalty", NamespaceType.CROSS_DEVICE, "Card", "of the shops"))
    assert (changed.id, changed.name, changed.description) == (1000, "Card", "of the shops")
    assert check_change(known, Namespace("Loyalty", NamespaceType.CROSS_DEVICE)).name == "Loyalty card"


@pytest.mark.parametrize(
    ("namespace", "code"),
    [
        (Namespace("Loyalty", NamespaceType.COOKIE), "namespace.fixed"),
        (Namespace("Email", NamespaceType.EMAIL, "Mail"), "namespace.fixed"),
        (Namespace("Card", NamespaceType.CROSS_DEVICE, "loyalty CARD"), "namespace.exists"),
        (Namespace("Card", NamespaceType.CROSS_DEVICE, "Email"), "namespace.exists"),
    ],
)
def test_what_contradicts_the_known_is_refused(namespace: Namespace, code: str) -> None:
    with pytest.raises(Conflict) as caught:
        check_change(KNOWN | {"Loyalty": LOYALTY}, namespace)
    assert caught.value.code == code


@pytest.mark.parametrize("code", ["", "two words", "é", "a/b", "a:b", "x" * 65])
def test_codes_are_one_plain_word(code: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_change(KNOWN, Namespace(code, NamespaceType.COOKIE))
    assert caught.value.code == "namespace.code"
