"""Identity settings: what is refused, what is odd, and the order of priority."""

from __future__ import annotations

import msgspec
import pytest

from coterie.core.errors import Invalid, NotFound
from coterie.identity.namespaces import STANDARD, Namespace, NamespaceType
from coterie.identity.settings import Algorithm, IdentitySettings, check, order, priorities

KNOWN = {item.code: item for item in STANDARD} | {
    "WebID": Namespace("WebID", NamespaceType.COOKIE, id=1000),
    "Login": Namespace("Login", NamespaceType.CROSS_DEVICE, id=1001),
    "SKU": Namespace("SKU", NamespaceType.NON_PEOPLE, id=1002),
}


def settings(*codes: str, unique: tuple[str, ...] = (), **more: object) -> IdentitySettings:
    rules = [{"code": code, "unique": code in unique} for code in codes]
    return msgspec.convert({"algorithm": "optimized", "namespaces": rules, **more}, IdentitySettings)


def test_settings_nobody_saved() -> None:
    found = IdentitySettings()
    assert (found.algorithm, found.graph_limit, found.blocked_namespaces) == (Algorithm.NONE, 50, ("AAID",))
    assert check(found, KNOWN) == ()


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (settings("CRMID", "Email", "CRMID"), "identity.settings-twice"),
        (settings("CRMID", "SKU"), "identity.settings-type"),
        (settings("CRMID", "WebID", unique=("CRMID", "WebID")), "identity.settings-unique"),
        (settings("WebID", "CRMID"), "identity.settings-order"),
        (settings("CRMID", "GAID", "WebID", "Email"), "identity.settings-order"),
        (settings("CRMID", graph_limit=1), "identity.settings-limit"),
        (settings("CRMID", graph_limit=-5), "identity.settings-limit"),
        (settings("CRMID", graph_limit=2**31), "identity.settings-limit"),
    ],
)
def test_what_cannot_be_is_refused(given: IdentitySettings, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        check(given, KNOWN)
    assert caught.value.code == code


@pytest.mark.parametrize("given", [settings("CRMD"), settings(blocked_namespaces=["CRMD"])])
def test_an_unknown_namespace_is_refused_with_the_nearest_one(given: IdentitySettings) -> None:
    with pytest.raises(NotFound) as caught:
        check(given, KNOWN)
    assert caught.value.hint == "Did you mean CRMID?"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (settings("CRMID", "WebID", unique=("CRMID",)), ""),
        (settings("CRMID", "Email", unique=("Email",)), "best priority, CRMID, is not unique"),
        (settings("CRMID"), "no namespace is unique"),
        (settings("CRMID", unique=("CRMID",), algorithm="none"), "CRMID is not kept unique"),
        (settings("CRMID", unique=("CRMID",), blocked_namespaces=["CRMID"]), "links nobody"),
        (settings(*(four := ("CRMID", "Email", "Phone", "Login")), unique=four), "4 namespaces are unique"),
        (settings(*four, unique=four, usual_unique=4), ""),
    ],
)
def test_what_is_odd_is_told(given: IdentitySettings, words: str) -> None:
    told = " ".join(check(given, KNOWN))
    assert words in told
    assert bool(told) == bool(words)


def test_namespaces_that_are_not_named_come_after_those_of_their_kind() -> None:
    found = order(settings("Login", "CRMID", "WebID"), KNOWN)
    assert found[:3] == ("Login", "CRMID", "Email")
    kinds = [KNOWN[code].type.person for code in found]
    assert kinds == sorted(kinds, reverse=True)
    assert found[kinds.index(False)] == "WebID"
    assert set(found) == set(KNOWN) - {"SKU"}
    unnamed = order(IdentitySettings(), KNOWN)
    assert [KNOWN[code].type.person for code in unnamed] == kinds


def test_sums_of_named_namespaces_are_those_of_their_places() -> None:
    found = priorities(settings("CRMID", "Email", "WebID"), KNOWN)
    assert found["CRMID"] + found["WebID"] == 2 * found["Email"]


def test_a_namespace_made_later_moves_none_of_those_there_are() -> None:
    given = settings("CRMID", "WebID")
    before = priorities(given, KNOWN)
    late = {
        "Card": Namespace("Card", NamespaceType.CROSS_DEVICE, id=1003),
        "A": Namespace("A", NamespaceType.COOKIE, id=1004),
    }
    after = priorities(given, KNOWN | late)
    assert {code: after[code] for code in before} == before
    assert after["CRMID"] < before["Login"] < after["Card"] < after["WebID"] < after["A"]
