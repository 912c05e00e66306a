"""A world of size: seeded people and events over 180 days, as Parquet files, with the truth beside them.

``python bench/world.py --size M --out DIR`` writes

=========================  ===========================================================================================
``DIR/events/*.parquet``   the events, a file for each slice of time, rows in the order of arrival
``DIR/people/*.parquet``   one record for each customer
``DIR/truth/*.parquet``    row by row for each events file: event id, person, whether the row is a duplicate
``DIR/truth.json``         rows, duplicates, events, and the identities, links and persons that the events make
=========================  ===========================================================================================

What makes it hard on purpose: activity is log-normal and one person is far beyond that; products, pages and queries
follow Zipf; three of ten people are anonymous browsers for ever; 3 % of the browsers are shared by two people; 0.5 % of
the rows arrive twice (half of them in the next file) and 0.5 % arrive late. The same size and seed give the same rows.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

DAY = 86_400_000
END = 1_767_225_600_000  # 2026-01-01T00:00:00Z
START = END - 180 * DAY

EVENT_TYPES = pa.array(
    [
        "web.webpagedetails.pageViews",
        "commerce.productViews",
        "search",
        "commerce.productListAdds",
        "commerce.checkouts",
        "commerce.purchases",
    ]
)
PAGE, VIEW, SEARCH, CART, CHECKOUT, PURCHASE = range(6)
SHARES = [0.60, 0.18, 0.08, 0.07, 0.03, 0.04]
DEVICES = pa.array(["desktop", "mobile", "tablet"])
COUNTRIES = pa.array(["US", "GB", "DE", "FR", "JP", "BR", "IN", "NL", "PL", "SE"])
TIERS = pa.array(["basic", "silver", "gold", "platinum"])

PAGES, QUERIES, PRODUCTS = 2_000, 5_000, 20_000

Ints = npt.NDArray[np.int64]
Column = Any
"""An Arrow array; its published types are narrower than what its functions take."""


@dataclass(frozen=True)
class Size:
    """How many people and events a world has, how many of them are one person's, in how many files."""

    people: int
    events: int
    hot: int
    parts: int


SIZES = {
    "S": Size(100_000, 1_000_000, 100_000, 4),
    "M": Size(1_000_000, 20_000_000, 1_000_000, 20),
    "L": Size(5_000_000, 100_000_000, 1_000_000, 100),
}


@dataclass(frozen=True)
class Truth:
    """What a load of all the events must find."""

    rows: int
    duplicates: int
    events: int
    identities: int
    links: int
    persons: int


class Zipf:
    """Ranks drawn with probability proportional to 1 / (rank + 1) ** `exponent`."""

    def __init__(self, size: int, exponent: float) -> None:
        weights = np.arange(1, size + 1) ** -exponent
        self.cumulative = np.cumsum(weights / weights.sum())

    def draw(self, rng: np.random.Generator, size: int) -> Ints:
        """Draw `size` ranks."""
        return np.searchsorted(self.cumulative, rng.random(size)).clip(max=len(self.cumulative) - 1)


class People:
    """Who there is: activity, browsers, who is anonymous, and whose browsers a second person uses."""

    def __init__(self, rng: np.random.Generator, size: Size) -> None:
        self.activity = np.cumsum(rng.lognormal(0, 1.2, size.people))
        self.anonymous = rng.random(size.people) < 0.3
        self.browsers = rng.choice([1, 2, 3], size.people, p=[0.65, 0.25, 0.10])
        self.first = np.cumsum(self.browsers) - self.browsers
        count = int(self.browsers.sum())
        self.owner = np.repeat(np.arange(size.people), self.browsers)
        shared = rng.choice(count, int(0.03 * count), replace=False)
        guests = rng.permutation(size.people)[: len(shared)]
        self.visits = np.full(size.people, -1)
        self.visits[guests] = shared
        self.used = np.zeros(count, bool)
        self.customers = np.zeros(size.people, bool)
        self.pairs = np.zeros(0, np.int64)

    def draw(self, rng: np.random.Generator, size: int) -> Ints:
        """Draw the people of `size` events by their activity."""
        drawn = np.searchsorted(self.activity, rng.random(size) * self.activity[-1])
        return drawn.clip(max=len(self.activity) - 1)

    def browser(self, rng: np.random.Generator, person: Ints) -> Ints:
        """Choose a browser for each event: an own one, or at times the one that is visited."""
        own = self.first[person] + (rng.random(len(person)) * self.browsers[person]).astype(np.int64)
        visited = self.visits[person]
        return np.where((visited >= 0) & (rng.random(len(person)) < 0.3), visited, own)

    def saw(self, person: Ints, browser: Ints, known: npt.NDArray[np.bool_]) -> None:
        """Remember which identities occurred, alone and together."""
        self.used[browser] = True
        self.customers[person[known]] = True
        self.pairs = np.union1d(self.pairs, browser[known] * len(self.activity) + person[known])

    def truth(self, rows: int, duplicates: int) -> Truth:
        """Count the identities, the links and the persons of what was seen."""
        browsers, people = np.divmod(self.pairs, len(self.activity))
        nodes = len(self.used) + len(self.customers)
        ends = (browsers, len(self.used) + people)
        graph = coo_array((np.ones(len(self.pairs), np.int8), ends), shape=(nodes, nodes))
        _, component = connected_components(graph, directed=False)
        seen = np.concatenate([self.used, self.customers])
        return Truth(
            rows=rows,
            duplicates=duplicates,
            events=rows - duplicates,
            identities=int(seen.sum()),
            links=len(self.pairs),
            persons=len(np.unique(component[seen])),
        )


@dataclass(frozen=True)
class Catalogue:
    """What can be seen, searched and bought."""

    pages: pa.Array
    queries: pa.Array
    skus: pa.Array
    cents: Ints
    page: Zipf
    query: Zipf
    product: Zipf

    @classmethod
    def make(cls, rng: np.random.Generator) -> Catalogue:
        """Draw names and prices."""
        return cls(
            pages=_names("/page/", PAGES),
            queries=_names("query ", QUERIES),
            skus=_names("SKU-", PRODUCTS),
            cents=np.maximum(rng.lognormal(7.3, 0.9, PRODUCTS), 9).astype(np.int64),
            page=Zipf(PAGES, 1.1),
            query=Zipf(QUERIES, 1.05),
            product=Zipf(PRODUCTS, 1.0),
        )


def _names(prefix: str, size: int) -> pa.Array:
    return pa.array([f"{prefix}{number}" for number in range(size)])


def _mixed(numbers: Ints, salt: int) -> pa.Array:
    """Return distinct texts for distinct numbers, that look random (a product with an odd number modulo 2**63)."""
    mixed = (numbers.astype(np.uint64) + np.uint64(salt)) * np.uint64(0x9E3779B97F4A7C15)
    return pa.array(mixed & np.uint64((1 << 63) - 1)).cast(pa.string())


def _chosen(values: pa.Array, index: Ints, where: npt.NDArray[np.bool_] | None = None) -> Column:
    mask = None if where is None else ~where
    return pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32), mask=mask), values)


def _cents(values: Ints) -> Column:
    """Return whole cents as decimals with two places."""
    wide = np.zeros((len(values), 2), np.int64)
    wide[:, 0] = values
    return pa.Array.from_buffers(pa.decimal128(12, 2), len(values), [None, pa.py_buffer(wide)])


def _items(rng: np.random.Generator, kind: Ints, catalogue: Catalogue) -> tuple[Column, Column]:
    """Return the item list of every event and the total of purchases."""
    size = len(kind)
    count = np.zeros(size, np.int64)
    count[kind == VIEW] = 1
    count[kind == CART] = 1 + (rng.random(int((kind == CART).sum())) < 0.2)
    large = (kind == CHECKOUT) | (kind == PURCHASE)
    count[large] = np.minimum(rng.geometric(0.45, int(large.sum())), 12)
    ends = np.cumsum(count)
    product = catalogue.product.draw(rng, int(ends[-1]))
    quantity = np.where(rng.random(len(product)) < 0.8, 1, rng.integers(2, 6, len(product)))
    price = catalogue.cents[product] * quantity
    items = pa.StructArray.from_arrays(
        [_chosen(catalogue.skus, product).dictionary_decode(), pa.array(quantity), _cents(price)],
        names=["SKU", "quantity", "priceTotal"],
    )
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    lists = pa.ListArray.from_arrays(pa.array(offsets), items, mask=pa.array(count == 0))
    running = np.concatenate([[0], np.cumsum(price)])
    total = running[offsets[1:]] - running[offsets[:-1]]
    bought = pa.array(kind == PURCHASE)
    return lists, pc.if_else(bought, _cents(total), pa.scalar(None, pa.decimal128(12, 2)))


def part(size: Size, number: int, seed: int, people: People, catalogue: Catalogue) -> pa.Table:
    """Make the events of one slice of time, with the true person of each in the column `person`."""
    rng = np.random.default_rng([seed, 1, number])
    low, high = (size.events * edge // size.parts for edge in (number, number + 1))
    rows = high - low
    hot = size.hot * (number + 1) // size.parts - size.hot * number // size.parts
    person = people.draw(rng, rows)
    person[rng.choice(rows, hot, replace=False)] = 0
    browser = people.browser(rng, person)
    known = (rng.random(rows) < 0.3) & ~people.anonymous[person]
    people.saw(person, browser, known)

    slice_ = (END - START) // size.parts
    ts = np.sort(START + number * slice_ + rng.integers(0, slice_, rows))
    late = rng.random(rows) < 0.005
    ts = np.maximum(np.where(late, ts - rng.integers(60_000, 5 * DAY, rows), ts), START)
    kind = rng.choice(len(SHARES), rows, p=SHARES)
    items, total = _items(rng, kind, catalogue)
    customer = pc.binary_join_element_wise("c", pa.array(person).cast(pa.string()), "")
    return pa.table(
        {
            "id": _mixed(np.arange(low, high), seed),
            "ts": pa.array(ts).cast(pa.timestamp("ms")),
            "event_type": _chosen(EVENT_TYPES, kind),
            "browser": _mixed(browser, seed + 1),
            "customer": pc.if_else(pa.array(known), customer, pa.scalar(None, pa.string())),
            "device": _chosen(DEVICES, browser % 3),
            "page": _chosen(catalogue.pages, catalogue.page.draw(rng, rows)),
            "query": _chosen(catalogue.queries, catalogue.query.draw(rng, rows), kind == SEARCH),
            "order_total": total,
            "items": items,
            "person": pa.array(person.astype(np.int32)),
        }
    )


def _with_duplicates(
    table: pa.Table, carried: pa.Table | None, rng: np.random.Generator
) -> tuple[pa.Table, npt.NDArray[np.bool_], pa.Table]:
    """Return the rows as they arrive, which of them are duplicates, and the rows that arrive again in the next part."""
    rows = len(table)
    again = rng.choice(rows, int(0.005 * rows), replace=False)
    here, later = again[: len(again) // 2], again[len(again) // 2 :]
    parts = [table, table.take(np.sort(here))] + ([] if carried is None else [carried])
    whole = pa.concat_tables(parts).unify_dictionaries()
    place = np.concatenate([np.arange(rows), np.sort(here) + rng.integers(1, 5_000, len(here))])
    place = np.concatenate([place, rng.integers(0, rows, len(whole) - len(place))])
    order = np.argsort(place, kind="stable")
    return whole.take(order), order >= rows, table.take(np.sort(later))


def write(size: Size, out: Path, seed: int = 7) -> Truth:
    """Write a world into `out`, which is made; returns the truth that is also written."""
    for folder in ("events", "people", "truth"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, 0])
    people, catalogue = People(rng, size), Catalogue.make(rng)
    people.anonymous[0] = False
    _write_people(np.random.default_rng([seed, 2]), people, out / "people")
    carried, total, duplicates = None, 0, 0
    for number in range(size.parts):
        table = part(size, number, seed, people, catalogue)
        arrived, twice, carried = _with_duplicates(table, carried, np.random.default_rng([seed, 3, number]))
        name = f"part-{number:03d}.parquet"
        _write(arrived.drop_columns(["person"]), out / "events" / name)
        _write(arrived.select(["id", "person"]).append_column("duplicate", pa.array(twice)), out / "truth" / name)
        total, duplicates = total + len(arrived), duplicates + int(twice.sum())
    truth = people.truth(total, duplicates)
    (out / "truth.json").write_text(json.dumps(asdict(truth), indent=1) + "\n")
    return truth


def _write_people(rng: np.random.Generator, people: People, folder: Path) -> None:
    customers = np.flatnonzero(~people.anonymous)
    for number, chunk in enumerate(np.array_split(customers, -(-len(customers) // 1_000_000))):
        rows = len(chunk)
        born = np.datetime64("1935-01-01") + rng.integers(0, 27_000, rows).astype("timedelta64[D]")
        table = pa.table(
            {
                "customer": pc.binary_join_element_wise("c", pa.array(chunk).cast(pa.string()), ""),
                "birth_date": pa.array(born),
                "country": _chosen(COUNTRIES, Zipf(len(COUNTRIES), 1.0).draw(rng, rows)),
                "tier": _chosen(TIERS, Zipf(len(TIERS), 1.5).draw(rng, rows)),
                "points": pa.array(rng.integers(0, 5_000, rows)),
            }
        )
        _write(table, folder / f"part-{number:03d}.parquet")


def _write(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, compression="zstd", compression_level=1, row_group_size=1 << 17, store_schema=False)


def main() -> None:
    """Write a world and print its truth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="S")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    began = time.perf_counter()
    truth = write(SIZES[options.size], options.out, options.seed)
    print(json.dumps({"size": options.size, **asdict(truth), "seconds": round(time.perf_counter() - began, 1)}))


if __name__ == "__main__":
    main()
