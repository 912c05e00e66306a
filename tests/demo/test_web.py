"""The generated web channel keeps what it promises, and the truth file tells the truth about it."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from coterie.core.progress import Quiet
from coterie.demo import files, web, webfile

from .oracle import PUBLISHED


@pytest.fixture(scope="module")
def con(folder: Path) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(config={"threads": 2})
    con.execute("set TimeZone = 'UTC'")
    con.execute(f"create table truth as from read_csv('{folder / webfile.TRUTH}', types = {{'household': 'varchar'}})")
    con.execute(
        "create table arrival as select row_number() over () as place, timestamp::timestamptz as ts, "
        "browser.id as browser_id, household.id as household_id, * "
        f"from read_json_auto('{folder / webfile.EVENTS}', sample_size = -1)"
    )
    con.execute("create table event as select distinct on (_id) * from arrival order by place")
    return con


def one(con: duckdb.DuckDBPyConnection, query: str) -> Any:
    ((value,),) = con.execute(query).fetchall()
    return value


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_ones(
    folder: Path, tmp_path: Path, lines: pa.Table, again: web.Web
) -> None:
    webfile.write(again, tmp_path)
    for name in (webfile.EVENTS, webfile.TRUTH):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    few = lines.slice(0, 50_000)
    assert web.generate(few, seed=1).ids != web.generate(few, seed=2).ids


def test_files_that_are_there_are_not_written_again(folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert files.deliver(folder, Quiet()) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_every_event_says_that_it_is_generated_and_lies_in_the_year(con: duckdb.DuckDBPyConnection) -> None:
    assert 150_000 < one(con, "select count(*) from event") < 300_000
    assert one(con, "select count(*) from event where producedBy is distinct from 'generated'") == 0
    assert one(con, "select count(*) from event where ts < '2017-01-01 00:00Z' or ts >= '2018-01-01 00:00Z'") == 0
    assert "commerce.purchases" not in {
        kind for (kind,) in con.execute("select distinct eventType from event").fetchall()
    }


def test_fields_without_a_value_are_left_out_and_none_is_null(folder: Path) -> None:
    with gzip.open(folder / webfile.EVENTS, "rt") as text:
        kinds = Counter(
            (event["eventType"], *sorted(event.keys() - {"_id", "timestamp", "eventType", "household"}))
            for line in text
            if "null" not in line
            for event in [json.loads(line)]
        )
    base = {"producedBy", "browser", "device"}
    own = {
        "web.webpagedetails.pageViews": {"web"},
        "userAccount.login": set(),
        "search": {"search"},
        "commerce.productViews": {"product"},
        "commerce.productListAdds": {"productListItems"},
    }
    assert set(kinds) == {(kind, *sorted(base | more)) for kind, more in own.items()}
    with gzip.open(folder / webfile.EVENTS, "rt") as text:
        assert sum(1 for _ in text) == sum(kinds.values())


def test_the_truth_names_exactly_the_households_that_log_in(con: duckdb.DuckDBPyConnection) -> None:
    seen = "select browser_id, household_id, min(ts) from event where eventType = 'userAccount.login' group by all"
    true = "select browser, household, first_login from truth where first_login is not null"
    assert one(con, f"select count(*) from ({seen})") == one(con, f"select count(*) from ({true})") > 1000
    off = con.execute(
        f"select * from ({seen}) s(browser, household, first) join ({true}) using (browser, household) "
        "where not first between first_login and first_login + interval 1 day"
    ).fetchall()
    assert off == []
    assert one(con, f"select count(*) from (select browser_id, household_id from event where household_id is not null "
                    f"except select browser, household from ({true}))") == 0  # fmt: skip


def test_two_in_a_hundred_of_the_known_browsers_are_shared_by_two_households(con: duckdb.DuckDBPyConnection) -> None:
    shared = con.execute(
        "select browser_id, count(distinct household_id) from event where eventType = 'userAccount.login' "
        "group by 1 having count(distinct household_id) > 1"
    ).fetchall()
    known = one(con, "select count(distinct browser) from truth where first_login is not null")
    assert {households for _, households in shared} == {2}
    assert len(shared) == int(0.02 * known)


def test_some_browsers_never_log_in_and_one_of_those_is_a_bot(con: duckdb.DuckDBPyConnection) -> None:
    assert one(con, "select count(*) from truth where household is null and first_login is not null") == 0
    assert one(con, "select count(*) from truth where household is not null and first_login is null") > 100
    views = dict(
        con.execute(
            "select browser_id, count(*) from event where eventType = 'commerce.productViews' group by 1"
        ).fetchall()
    )
    (bot,) = (name for (name,) in con.execute("select browser from truth where bot").fetchall())
    assert max(views, key=views.__getitem__) == bot
    assert views[bot] > 20 * sorted(views.values())[-2]


def test_searches_use_the_words_of_real_products(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "create temp view words as select "
        "string_agg(distinct lower(product_category || ' ' || product_type), chr(10)) w "
        f"from '{PUBLISHED}/products.parquet'"
    )
    found = one(con, "select count(*) from (select distinct search.query q from event where search is not null), words "
                     "where not contains(w, q)")  # fmt: skip
    assert found == 0
    assert one(con, "select count(distinct search.query) from event") > 300
    assert one(con, "select count(*) from event where search.query <> lower(search.query)") == 0


def test_intents_come_before_a_real_basket_and_some_are_abandoned(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "create temp table viewed as select distinct t.household, product.SKU sku, ts from event "
        "join truth t on t.browser = browser_id where t.household is not null and product is not null"
    )
    con.execute(
        f"create temp table bought as select household_id::varchar household, product_id::varchar sku, "
        f"transaction_timestamp::timestamptz as ts from '{PUBLISHED}/transactions.parquet'"
    )
    followed = one(
        con,
        "select count(*) from viewed v where exists (from bought b where b.household = v.household and b.sku = v.sku "
        "and b.ts between v.ts and v.ts + interval 3 day)",
    )
    everything = one(con, "select count(*) from viewed")
    assert 0.3 < followed / everything < 0.9


def test_a_few_events_come_twice_and_a_few_late(con: duckdb.DuckDBPyConnection) -> None:
    rows, events = one(con, "select count(*) from arrival"), one(con, "select count(*) from event")
    assert 0.002 < (rows - events) / events < 0.004
    assert one(con, "select count(*) from (select distinct * exclude (place) from arrival)") == events
    late = one(
        con,
        "select count(*) from (select ts, max(ts) over (order by place) newest from arrival) "
        "where ts < newest - interval 65 minute",
    )
    assert 0.003 < late / events < 0.007
