"""Ids are the same whether made one by one or set-wise."""

import duckdb
import pytest

from coterie.core.errors import Invalid
from coterie.core.ids import Identity, person_id, xid, xid_sql


@pytest.mark.parametrize(("namespace", "value"), [("Email", "a@b.c"), ("CRMID", "Žižkov ☃"), ("E", "")])
def test_the_engine_makes_the_same_ids(namespace, value):
    made = duckdb.execute(f"SELECT {xid_sql('$1', '$2')}", [namespace, value]).fetchall()
    assert made == [(xid(namespace, value),)]


def test_namespace_and_value_do_not_run_together():
    assert xid("ab", "c") != xid("a", "bc")
    assert person_id("a", "b") == f"p-{xid('a', 'b')}"


def test_an_identity_is_written_with_a_colon_and_its_value_may_hold_more():
    assert Identity.read("Page:https://example.org/a") == Identity("Page", "https://example.org/a")
    assert Identity.read(str(Identity("Email", "a:b"))) == Identity("Email", "a:b")


@pytest.mark.parametrize("text", ["", "Email", "Email:", ":ann"])
def test_what_is_no_identity_is_refused(text):
    with pytest.raises(Invalid) as caught:
        Identity.read(text)
    assert caught.value.code == "identity.text"
