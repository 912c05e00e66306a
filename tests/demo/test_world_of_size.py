"""A small world of size: its truth, counted independently by SQL over its files."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pytest

from .oracle import components

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="module")
def maker() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("bench_world", BENCH / "world.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_world"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["bench_world"]


@pytest.fixture(scope="module")
def folder(maker: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("world")
    maker.write(maker.Size(people=4_000, events=60_000, hot=3_000, parts=3), out)
    return out


@pytest.fixture(scope="module")
def con(folder: Path) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(config={"threads": 2})
    for table, part in (("event", "events"), ("truth", "truth")):
        con.execute(
            f"create view {table} as select * replace (parse_filename(filename) as filename) "
            f"from read_parquet('{folder}/{part}/*.parquet', file_row_number = true, filename = true)"
        )
    return con


def one(con: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    (row,) = con.execute(query).fetchall()
    return row


def test_the_truth_counts_what_the_files_hold(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    truth = json.loads((folder / "truth.json").read_text())
    assert one(con, "select count(*), count(*) - count(distinct id), count(distinct id) from event") == (
        truth["rows"],
        truth["duplicates"],
        truth["events"],
    )
    assert truth["events"] == 60_000
    assert one(con, "select count(*) filter (duplicate), count(distinct id) filter (not duplicate) from truth") == (
        truth["duplicates"],
        truth["events"],
    )
    pairs = con.execute(
        "select distinct 'b' || browser, 'c' || customer from event where customer is not null"
    ).fetchall()
    assert truth["links"] == len(pairs)
    found = components(pairs)
    browsers = {f"b{name}" for (name,) in con.execute("select distinct browser from event").fetchall()}
    assert truth["identities"] == len(browsers | found.keys())
    assert truth["persons"] == len(set(found.values())) + len(browsers - found.keys())


def test_duplicates_are_copies_that_come_after(con: duckdb.DuckDBPyConnection) -> None:
    assert one(con, "select count(*) from (select distinct * exclude (filename, file_row_number) from event)") == (
        60_000,
    )
    times = one(con, "select max(n), count(*) filter (n = 2) > 100 from (select count(*) n from event group by id)")
    assert times == (2, True)
    across = one(
        con, "select count(*) > 50 from (select id from event group by id having count(distinct filename) = 2)"
    )
    assert across == (True,)
    wrong = one(
        con,
        "select count(*) from (select duplicate, row_number() over (partition by e.id order by filename, "
        "file_row_number) nth from event e join truth t using (filename, file_row_number) where e.id = t.id) "
        "where duplicate <> (nth = 2)",
    )
    assert wrong == (0,)


def test_one_person_is_far_beyond_the_others_and_activity_is_skewed(con: duckdb.DuckDBPyConnection) -> None:
    per_person = [
        n for (n,) in con.execute("select count(distinct id) n from truth group by person order by n desc").fetchall()
    ]
    assert 3_000 <= per_person[0] < 3_300
    assert 60 < per_person[1] < 1_000
    assert sorted(per_person)[len(per_person) // 2] < 15


def test_shared_browsers_late_events_and_exact_prices(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create temp table seen as select distinct browser, person from event join truth using (id)")
    shared, browsers = one(
        con, "select count(*) filter (n = 2), count(*) from (select browser, count(*) n from seen group by 1)"
    )
    assert 0.005 < shared / browsers < 0.03
    late = one(
        con,
        "select avg((ts < newest - interval 1 hour)::int) from (select ts, max(ts) over (partition by filename "
        "order by file_row_number) newest from event)",
    )
    assert 0.003 < late[0] < 0.02
    assert one(
        con,
        "select count(*), count(*) filter (order_total <> list_sum([x.priceTotal for x in items])) from event "
        "where event_type = 'commerce.purchases'",
    )[1] == 0  # fmt: skip
    assert one(con, "select count(*) from event where (query is not null) <> (event_type = 'search')") == (0,)


def test_the_same_seed_gives_the_same_rows(maker: ModuleType, folder: Path, tmp_path: Path) -> None:
    maker.write(maker.Size(people=4_000, events=60_000, hot=3_000, parts=3), tmp_path)
    for path in sorted(folder.glob("*/*.parquet")):
        assert (tmp_path / path.relative_to(folder)).read_bytes() == path.read_bytes()
