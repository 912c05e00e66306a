"""Writing the generated web channel: the events as gzipped JSON lines, and the truth about the browsers.

The events lie in the order of their arrival: one of two hundred is late by up to five days, three of a thousand arrive
a second time. The truth is for tests; no part of Coterie reads it.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from coterie.core.clock import DAY
from coterie.demo.web import CART, END, HOUR, LEAVE, LOGIN, NOBODY, PAGE, SEARCH, SEED, VIEW, Flags, Ints, Web

Column: TypeAlias = Any
"""An Arrow array; its published types are narrower than what its functions take."""

EVENTS = "web_generated.jsonl.gz"
TRUTH = "web_generated_truth.csv"

_EVENT_TYPES = {
    PAGE: "web.webpagedetails.pageViews",
    LOGIN: "userAccount.login",
    SEARCH: "search",
    VIEW: "commerce.productViews",
    CART: "commerce.productListAdds",
    LEAVE: "web.webpagedetails.pageViews",
}
_DEVICES = pa.array(["desktop", "mobile", "tablet"])
_PAGES = pa.array(["Home", "Weekly specials", "Store locator", "Recipes", "Coupons", "Help"])


def write(web: Web, folder: Path, seed: int = SEED) -> None:
    """Write events and truth into an existing folder; the same arguments give the same bytes."""
    rng = np.random.default_rng([seed, 1])
    lines = _lines(web, rng)
    size = len(lines)
    arrival = web.events.time + np.where(rng.random(size) < 0.005, rng.integers(HOUR, 5 * DAY, size), 0)
    again = np.flatnonzero(rng.random(size) < 0.003)
    arrival = np.concatenate([arrival, arrival[again] + rng.integers(60_000, HOUR, len(again))])
    order = np.argsort(arrival, kind="stable")
    text = b"\n".join(lines[np.concatenate([np.arange(size), again])[order]].tolist()) + b"\n"
    (folder / EVENTS).write_bytes(gzip.compress(text, 6, mtime=0))
    pyarrow.csv.write_csv(_truth(web), folder / TRUTH)


def _truth(web: Web) -> pa.Table:
    visitors = web.visitors
    known = visitors.household != NOBODY
    logs_in = visitors.first_login < END
    return pa.table(
        {
            "browser": pa.array(web.ids).take(visitors.browser),
            "household": pa.array(visitors.household, mask=~known),
            "first_login": _instants(visitors.first_login, ~logs_in),
            "bot": pa.array(visitors.bot),
        }
    )


def _lines(web: Web, rng: np.random.Generator) -> npt.NDArray[np.object_]:
    """Return the events as JSON texts, in the order of time; fields an event does not have are left out."""
    events = web.events
    lines = np.empty(len(events.time), object)
    encode = msgspec.json.Encoder().encode
    for kind, event_type in _EVENT_TYPES.items():
        for known in (False, True):
            rows = np.flatnonzero((events.kind == kind) & ((events.household != NOBODY) == known))
            columns = _header(web, rows, event_type, known) | _body(web, rows, kind, rng)
            lines[rows] = list(map(encode, pa.table(columns).to_pylist()))
    return lines


def _header(web: Web, rows: Ints, event_type: str, known: bool) -> dict[str, Column]:
    events = web.events
    browser = events.browser[rows]
    columns = {
        "_id": pa.array([f"web-{row:07d}" for row in rows.tolist()], pa.string()),
        "timestamp": _instants(events.time[rows]),
        "eventType": pa.array([event_type] * len(rows), pa.string()),
        "producedBy": pa.array(["generated"] * len(rows), pa.string()),
        "browser": _object(id=pa.array(web.ids).take(browser)),
        "device": _object(type=_DEVICES.take(web.device[browser])),
    }
    if known:
        columns["household"] = _object(id=pc.cast(pa.array(events.household[rows]), pa.string()))
    return columns


def _body(web: Web, rows: Ints, kind: int, rng: np.random.Generator) -> dict[str, Column]:
    if kind in (PAGE, LEAVE):
        page = np.zeros(len(rows), np.int64) if kind == PAGE else rng.integers(1, len(_PAGES), len(rows))
        return {"web": _object(webPageDetails=_object(name=_PAGES.take(page)))}
    if kind == SEARCH:
        return {"search": _object(query=_queries(web, rows, rng))}
    if kind == VIEW:
        return {"product": _product(web, web.events.line[rows])}
    if kind == CART:
        return {"productListItems": _items(web, rows, rng)}
    return {}


def _queries(web: Web, rows: Ints, rng: np.random.Generator) -> Column:
    """Return what is typed: the first words of the product's category, or one word of its type, in lower case."""
    product = web.goods.table.take(web.events.line[rows])
    phrase = pc.utf8_trim(_first(product["product_category"], r"(?P<found>[a-z &']{3,})"), " &'")
    word = pc.coalesce(_first(product["product_type"], r"(?P<found>[a-z]{4,})"), phrase)
    return pc.if_else(pa.array(rng.random(len(rows)) < 0.6), phrase, word).combine_chunks()


def _first(text: Column, pattern: str) -> Column:
    return pc.struct_field(pc.extract_regex(pc.utf8_lower(text), pattern), "found")


def _product(web: Web, lines: Ints) -> Column:
    goods = web.goods.table.take(lines).combine_chunks()
    return _object(
        SKU=pc.cast(_whole(goods["product_id"]), pa.string()),
        department=_whole(goods["department"]),
        category=_whole(goods["product_category"]),
        type=_whole(goods["product_type"]),
        brand=_whole(goods["brand"]),
    )


def _items(web: Web, rows: Ints, rng: np.random.Generator) -> Column:
    """Return the lists put into the cart: the product looked for and others of the same basket, at their price."""
    events, goods = web.events, web.goods
    count = events.items[rows]
    ends = np.cumsum(count)
    nth = np.arange(int(count.sum())) - np.repeat(ends - count, count)
    basket = np.repeat(events.basket[rows], count)
    begin = goods.first[basket]
    line = begin + (np.repeat(events.line[rows], count) - begin + nth) % goods.size[basket]
    bought = goods.table.take(line).combine_chunks()
    cents = _whole(bought["sales_value"]).cast(pa.float64()).to_numpy() * 100
    unit = np.maximum(np.rint(cents / _whole(bought["quantity"]).to_numpy()), 1)
    quantity = 1 + rng.binomial(2, 0.15, len(line))
    items = _object(
        SKU=pc.cast(_whole(bought["product_id"]), pa.string()),
        name=_whole(bought["product_type"]),
        quantity=pa.array(quantity),
        priceTotal=pa.array(unit * quantity / 100),
    )
    return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], ends]), pa.int32()), items)


def _whole(column: Column) -> Column:
    return column.combine_chunks()


def _object(**fields: Column) -> Column:
    return pa.StructArray.from_arrays(list(fields.values()), names=list(fields))


def _instants(values: Ints, missing: Flags | None = None) -> Column:
    instants: Column = pa.array(values, mask=missing).cast(pa.timestamp("ms"))
    return pc.strftime(instants, format="%Y-%m-%dT%H:%M:%SZ")
