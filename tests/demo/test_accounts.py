"""The generated accounts keep what they promise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from coterie.demo import accounts, web, webfile


@pytest.fixture(scope="module")
def con(folder: Path) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(config={"threads": 2})
    con.execute("set TimeZone = 'UTC'")
    con.execute(f"create table truth as from read_csv('{folder / webfile.TRUTH}', types = {{'household': 'varchar'}})")
    con.execute(
        "create table given as select timestamp::timestamptz as ts, eventType as kind, producedBy, "
        "browser.id as browser, household.id as household, email.address as email "
        f"from read_json_auto('{folder / accounts.EVENTS}')"
    )
    return con


def one(con: duckdb.DuckDBPyConnection, query: str) -> Any:
    ((value,),) = con.execute(query).fetchall()
    return value


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_ones(
    folder: Path, tmp_path: Path, again: web.Web
) -> None:
    accounts.write(again, tmp_path)
    assert (tmp_path / accounts.EVENTS).read_bytes() == (folder / accounts.EVENTS).read_bytes()
    accounts.write(again, tmp_path, seed=1)
    assert (tmp_path / accounts.EVENTS).read_bytes() != (folder / accounts.EVENTS).read_bytes()


def test_every_household_that_logs_in_opens_one_account_at_its_first_login(con: duckdb.DuckDBPyConnection) -> None:
    assert one(con, "select count(*) from given where producedBy <> 'generated' or year(ts) <> 2017") == 0
    wrong = one(
        con,
        f"""
        select count(*) from (
            select household, min(first_login) as first from truth
            where household is not null and first_login is not null group by 1
        ) full join (from given where kind = '{accounts.OPENED}') using (household)
        where ts is distinct from first + interval 3 minute
        """,
    )
    assert wrong == 0


def test_addresses_are_given_after_a_login_in_that_browser(con: duckdb.DuckDBPyConnection) -> None:
    late = one(
        con,
        "select count(*) from given join truth using (browser, household) where first_login < ts",
    )
    assert late == one(con, "select count(*) from given") > 1_000


def test_some_households_have_two_addresses_and_some_addresses_two_households(con: duckdb.DuckDBPyConnection) -> None:
    households = one(con, "select count(distinct household) from given")
    addresses = one(con, "select count(distinct email) from given")
    assert addresses == households + households // 10
    shared = one(
        con, "select count(*) from (select email from given group by all having count(distinct household) = 2)"
    )
    assert shared == addresses // 50
