"""Ids are the same whether made one by one or set-wise."""

import duckdb
import pytest

from coterie.core.ids import person_id, xid, xid_sql


@pytest.mark.parametrize(("namespace", "value"), [("Email", "a@b.c"), ("CRMID", "Žižkov ☃"), ("E", "")])
def test_the_engine_makes_the_same_ids(namespace, value):
    made = duckdb.execute(f"SELECT {xid_sql('$1', '$2')}", [namespace, value]).fetchall()
    assert made == [(xid(namespace, value),)]


def test_namespace_and_value_do_not_run_together():
    assert xid("ab", "c") != xid("a", "bc")
    assert person_id("a", "b") == f"p-{xid('a', 'b')}"
