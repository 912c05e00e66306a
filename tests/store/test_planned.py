"""Statements that are planned once read what they are handed each time."""

import duckdb
import pytest

from coterie.store.history.planned import MOST, handed, planned

ADDED = "SELECT sum(a) + $more::INTEGER FROM (SELECT unnest($rows::STRUCT(a INTEGER)[], max_depth := 2))"


@pytest.fixture
def con():
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS a")
        yield connection


def added(con, more):
    with handed(con, "coterie_rows", "SELECT a FROM t") as rows:
        return con.execute(f"EXECUTE {planned(con, ADDED)}(rows := {rows}, more := {more})").fetchall()[0][0]


def test_a_plan_serves_whatever_it_is_handed(con):
    assert added(con, 10) == 11
    name = planned(con, ADDED)
    con.execute("INSERT INTO t VALUES (2), (3)")
    con.execute("CREATE TABLE other (x INTEGER)")
    assert added(con, 20) == 26
    con.execute("DELETE FROM t")
    assert added(con, 20) is None
    assert planned(con, ADDED) == name
    assert con.execute("SELECT getvariable('coterie_rows')").fetchall() == [(None,)]


def test_a_connection_keeps_so_many_plans(con):
    names = {planned(con, f"SELECT $a::INTEGER + {n}") for n in range(MOST)}
    assert len(names) == MOST
    assert added(con, 1) == 2
    kept = con.execute("SELECT count(*) FROM duckdb_prepared_statements()").fetchall()
    assert kept == [(1,)]
    assert con.execute(f"EXECUTE {planned(con, 'SELECT $a::INTEGER + 7')}(a := 1)").fetchall() == [(8,)]


def test_what_was_handed_is_gone_after_an_error(con):
    with pytest.raises(ZeroDivisionError), handed(con, "coterie_rows", "FROM t"):
        raise ZeroDivisionError
    assert con.execute("SELECT getvariable('coterie_rows')").fetchall() == [(None,)]
