"""The simulator: what it tells of a fold, and the texts it reads."""

from __future__ import annotations

import msgspec
import pytest

from coterie.core.errors import Invalid, NotFound
from coterie.core.ids import Identity
from coterie.identity.namespaces import STANDARD, Namespace, NamespaceType
from coterie.identity.settings import Algorithm, IdentitySettings, NamespaceRule
from coterie.identity.simulation import (
    PRESETS,
    EvictedIdentity,
    KeptLink,
    RemovedLink,
    Rule,
    Simulation,
    parse_simulation,
    rules_of,
    simulate,
)

TOM, SUMMER = Identity("CRMID", "Tom"), Identity("CRMID", "Summer")
E1, E2 = Identity("ECID", "111"), Identity("ECID", "222")
RULES = [Rule("CRMID", NamespaceType.CROSS_DEVICE, True, 1), Rule("ECID", NamespaceType.COOKIE, False, 2)]


def preset(name: str, algorithm: str = "optimized") -> Simulation:
    given = PRESETS[name]
    return simulate(given.rules, algorithm, parse_simulation(given.text, [rule.code for rule in given.rules]))


def test_a_shared_device_goes_to_who_logged_in_last() -> None:
    assert preset("shared-device") == Simulation(
        kept=(KeptLink(SUMMER, E1, 3), KeptLink(SUMMER, E2, 2)),
        removed=(RemovedLink(TOM, E1, 1, 3, "CRMID", False),),
        evicted=(),
        graphs=((SUMMER, E1, E2),),
        ignored=(),
    )
    assert preset("shared-device", "none").graphs == ((SUMMER, TOM, E1, E2),)


def test_a_shared_phone_and_bad_values() -> None:
    phone = preset("non-unique-phone")
    assert phone.graphs == ((SUMMER, E2, Identity("Phone", "123-4567")), (TOM, E1))
    bad = preset("bad-values")
    user = Identity("CRMID", "user_null")
    assert bad.graphs == ((SUMMER, E2), (user, E1))
    assert bad.removed == (RemovedLink(TOM, E1, 1, 2, "CRMID", False), RemovedLink(user, E2, 3, 4, "CRMID", False))
    assert bad.ignored == (5,)


def test_a_link_that_came_back_is_told() -> None:
    found = simulate(RULES, "optimized", [[TOM, E1], [E1, TOM], [SUMMER, E1], [TOM, E1]])
    assert found.removed == (RemovedLink(TOM, E1, 2, 3, "CRMID", True), RemovedLink(SUMMER, E1, 3, 4, "CRMID", False))
    assert found.kept == (KeptLink(TOM, E1, 4),)


def test_events_are_taken_by_their_times_and_keep_their_numbers() -> None:
    found = simulate(RULES, "optimized", [[SUMMER, E1], [TOM, E1]], times=[9, 4])
    assert found.kept == (KeptLink(SUMMER, E1, 1),)
    assert found.removed == (RemovedLink(TOM, E1, 2, 1, "CRMID", False),)


def test_who_leaves_a_full_graph_is_told() -> None:
    found = simulate(RULES, "none", [[TOM, E1], [TOM, E2], [TOM, Identity("ECID", "333")]], limit=3)
    assert found.evicted == (EvictedIdentity(E1, 3),)
    assert found.removed == (RemovedLink(TOM, E1, 1, 3, None, False),)
    unlimited = simulate(RULES, "none", [[TOM, Identity("ECID", str(n))] for n in range(80)], limit=0)
    assert len(unlimited.graphs[0]) == 81


def test_a_blocked_namespace_links_nobody() -> None:
    assert simulate(RULES, "none", [[TOM, E1]], blocked=["ECID"]).ignored == (1,)


def test_an_event_with_too_many_identities_links_nobody_whichever_are_blocked() -> None:
    many = [Identity("ECID", str(number)) for number in range(19)]
    rules = [*RULES, Rule("AAID", NamespaceType.COOKIE), Rule("SKU", NamespaceType.NON_PEOPLE)]
    for more, ignored in (("AAID", (1,)), ("SKU", ())):
        found = simulate(rules, "none", [[TOM, *many, Identity(more, "1")]], blocked=["AAID"])
        assert found.ignored == ignored


def test_namespaces_without_a_priority_come_after_those_of_their_kind() -> None:
    rules = [*(msgspec.structs.replace(rule, priority=None) for rule in reversed(RULES))]
    events = [[TOM, E1], [SUMMER, E2], [SUMMER, E1]]
    assert simulate(rules, "optimized", events) == simulate(RULES, "optimized", events)


def test_the_rules_of_a_sandbox_are_simulated() -> None:
    namespaces = {item.code: item for item in (*STANDARD, Namespace("CRMID", NamespaceType.CROSS_DEVICE, id=1000))}
    settings = IdentitySettings(Algorithm.OPTIMIZED, (NamespaceRule("CRMID", True), NamespaceRule("Email")))
    rules = rules_of(settings, namespaces)
    assert [rule.code for rule in rules if rule.unique] == ["CRMID"]
    found = simulate(rules, settings.algorithm, [[TOM, E1], [SUMMER, E2], [SUMMER, E1]])
    assert found.graphs == ((SUMMER, E1, E2),)


def test_a_text_is_read_with_blanks_and_colons_in_values() -> None:
    text = "  CRMID : Tom ,ECID:111\n\n   \nURL: https://x:80 \n"
    assert parse_simulation(text) == [[TOM, E1], [Identity("URL", "https://x:80")]]
    assert parse_simulation("") == []


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("CRMID: Tom, ECID", 1, 13),
        ("CRMID: Tom\n\n  Tom", 3, 3),
        ("CRMID: Tom,, ECID: 1", 1, 12),
        (": 1", 1, 1),
        ("A: 1,", 1, 6),
    ],
)
def test_what_is_no_identity_is_shown(text: str, line: int, column: int) -> None:
    with pytest.raises(Invalid, match=rf"^line {line}, column {column}: ") as caught:
        parse_simulation(text)
    assert (caught.value.code, caught.value.where) == ("simulation.identity", {"line": line, "column": column})


def test_a_namespace_that_is_not_there_is_shown() -> None:
    with pytest.raises(NotFound) as caught:
        parse_simulation("CRMID: Tom, Ecid: 1", ["CRMID", "ECID"])
    assert caught.value.where == {"namespace": "Ecid", "line": 1, "column": 13}
    assert caught.value.hint == "Known: CRMID, ECID."
