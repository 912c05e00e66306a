"""The generated web channel of the sample world: what the shop's households might have done on its site.

**Everything here is made up**, with a fixed seed, and is called generated wherever it shows. What it hangs on is real:
the households, the words searched for (names of product categories and types), and the baskets that visits lead to.
No purchase is generated: the purchases are the shop's own.

*Visitors* (a browser in the hands of one household, or of nobody known) make *sessions*, which make *events*:

- six of ten households use the site, with one to three browsers; four of five of those browsers log in at some time;
- two of a hundred of the browsers that log in are shared: a second household logs in there too;
- other browsers never log in, and one of them is a bot that looks at products day and night;
- a shopping session has a basket in mind: one that the household buys within three days (an *intent*), or one that
  somebody else bought (an *abandoned* intent);
- from a login to the end of its session, events carry the household.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from coterie.core.clock import DAY, parse_instant

SEED = 20_170_101
START = parse_instant("2017-01-01")
END = parse_instant("2018-01-01")
HOUR = DAY // 24

NOBODY = -1
"""Household of a visitor who is not known."""
BROWSING = -1
"""Basket of a session without shopping."""

PAGE, LOGIN, SEARCH, VIEW, CART, LEAVE = range(6)
"""Kinds of events in the order in which a session has them; `LEAVE` is a page seen after everything else."""
KINDS = 6

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Goods:
    """The real basket lines of named goods, in the order of baskets, and where each basket begins."""

    table: pa.Table
    household: Ints
    time: Ints
    first: Ints
    size: Ints

    @classmethod
    def of(cls, lines: pa.Table) -> Goods:
        """Take the lines of goods that a person would look for (coupons, fuel and unnamed products left out)."""
        named = pc.and_(pc.is_valid(lines["product_category"]), pc.is_valid(lines["product_type"]))
        odd = pc.is_in(lines["department"], pa.array(["COUPON", "FUEL", "MISCELLANEOUS"]))
        wanted = pc.and_(pc.and_not(named, odd), pc.greater(lines["quantity"], pa.scalar(0)))
        table = lines.filter(wanted).sort_by([("basket_id", "ascending"), ("product_id", "ascending")])
        _, first, size = np.unique(table["basket_id"].to_numpy(), return_index=True, return_counts=True)
        return cls(
            table=table,
            household=table["household_id"].to_numpy()[first],
            time=pc.cast(pc.cast(table["transaction_timestamp"], pa.timestamp("ms")), pa.int64()).to_numpy()[first],
            first=first,
            size=size,
        )


class Visitors(NamedTuple):
    """One row for each browser and household that uses it; `first_login` is `END` where nobody ever logs in."""

    browser: Ints
    household: Ints
    first_login: Ints
    bot: Flags


class Sessions(NamedTuple):
    """Visits: who, when, with which basket in mind, and whether the household buys that basket afterwards."""

    visitor: Ints
    start: Ints
    basket: Ints
    bought: Flags


class Events(NamedTuple):
    """What happened, in the order of time; `line` is the row of `Goods` an event is about (where it is about one)."""

    time: Ints
    kind: Ints
    browser: Ints
    household: Ints
    line: Ints
    items: Ints
    basket: Ints


@dataclass(frozen=True)
class Web:
    """The generated channel: its browsers' ids and devices, its visitors and its events."""

    goods: Goods
    ids: list[str]
    device: Ints
    visitors: Visitors
    events: Events


def generate(lines: pa.Table, seed: int = SEED) -> Web:
    """Generate the channel for the households of the given basket lines; the same seed gives the same channel."""
    rng = np.random.default_rng(seed)
    goods = Goods.of(lines)
    visitors = _visitors(rng, np.unique(goods.household))
    browsers = int(visitors.browser.max()) + 1
    events = _events(rng, goods, visitors, _sessions(rng, goods, visitors))
    return Web(
        goods=goods,
        ids=[f"{value:016x}" for value in rng.integers(0, 1 << 63, browsers).tolist()],
        device=rng.choice(3, browsers, p=[0.35, 0.5, 0.15]),
        visitors=visitors,
        events=events,
    )


def _visitors(rng: np.random.Generator, households: Ints) -> Visitors:
    online = rng.choice(households, int(0.6 * len(households)), replace=False)
    owner = np.repeat(online, rng.choice([1, 2, 3], len(online), p=[0.6, 0.3, 0.1]))
    known = rng.random(len(owner)) < 0.8
    shared = rng.choice(np.flatnonzero(known), int(0.02 * known.sum()), replace=False)
    place = np.searchsorted(np.sort(online), owner[shared])
    guest = np.sort(online)[(place + rng.integers(1, len(online), len(shared))) % len(online)]
    strangers = len(owner) // 2
    household = np.concatenate([owner, guest, np.full(strangers, NOBODY)])
    logs_in = np.concatenate([known, np.ones(len(guest), bool), np.zeros(strangers, bool)])
    bot = np.zeros(len(household), bool)
    bot[-1] = True
    return Visitors(
        browser=np.concatenate([np.arange(len(owner)), shared, len(owner) + np.arange(strangers)]),
        household=household,
        first_login=np.where(logs_in, rng.integers(START + 7 * DAY, END - DAY, len(household)), END),
        bot=bot,
    )


def _sessions(rng: np.random.Generator, goods: Goods, visitors: Visitors) -> Sessions:
    everyone = np.arange(len(visitors.browser))

    def at_random(visitor: Ints, shopping: bool) -> Sessions:
        size = len(visitor)
        hour_of_day = rng.choice(goods.time, size) % DAY
        basket = rng.integers(0, len(goods.first), size) if shopping else np.full(size, BROWSING)
        start = START + rng.integers(0, (END - START) // DAY, size) * DAY + hour_of_day
        return Sessions(visitor, start, basket, np.zeros(size, bool))

    known = visitors.household != NOBODY
    arrivals = at_random(everyone[visitors.first_login < END], shopping=False)
    arrivals = arrivals._replace(start=visitors.first_login[arrivals.visitor])
    parts = [
        arrivals,
        _intents(rng, goods, visitors),
        at_random(np.repeat(everyone, rng.poisson(np.where(known, 5, 3))), shopping=True),
        at_random(np.repeat(everyone, rng.poisson(np.where(known, 4, 2))), shopping=False),
        at_random(np.repeat(everyone, np.where(visitors.bot, 2000, 0)), shopping=True),
    ]
    return Sessions(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _intents(rng: np.random.Generator, goods: Goods, visitors: Visitors) -> Sessions:
    """Return sessions an hour to three days before one in five of the real baskets of households with a browser."""
    order = np.argsort(visitors.household, kind="stable")
    owners = visitors.household[order]
    low, high = (np.searchsorted(owners, goods.household, side) for side in ("left", "right"))
    basket = np.flatnonzero((rng.random(len(low)) < 0.2) & (high > low))
    visitor = order[low[basket] + (rng.random(len(basket)) * (high - low)[basket]).astype(np.int64)]
    start = goods.time[basket] - rng.integers(HOUR, 3 * DAY, len(basket))
    whole = start >= START
    return Sessions(visitor[whole], start[whole], basket[whole], np.ones(int(whole.sum()), bool))


def _events(rng: np.random.Generator, goods: Goods, visitors: Visitors, sessions: Sessions) -> Events:
    size = len(sessions.start)
    shops = sessions.basket != BROWSING
    person = ~visitors.bot[sessions.visitor]
    since = visitors.first_login[sessions.visitor]
    logs_in = (sessions.start == since) | ((sessions.start > since) & (rng.random(size) < 0.4))
    count = np.zeros((size, KINDS), np.int64)
    count[:, PAGE] = 1
    count[:, LOGIN] = logs_in
    count[:, SEARCH] = shops & person & (rng.random(size) < 0.8)
    count[:, VIEW] = np.where(person, 1 + rng.poisson(1.2, size), 10) * shops
    count[:, CART] = shops & person & (rng.random(size) < np.where(sessions.bought, 0.6, 0.35))
    count[:, LEAVE] = rng.poisson(1.0, size)

    flat = count.ravel()
    cell = np.repeat(np.arange(len(flat)), flat)
    nth = np.arange(len(cell)) - np.repeat(np.cumsum(flat) - flat, flat)
    session, kind = cell // KINDS, cell % KINDS

    elapsed = np.cumsum((rng.lognormal(3.6, 0.9, len(cell)) * 1000).astype(np.int64))
    begins = np.repeat(np.cumsum(count.sum(1)) - count.sum(1), count.sum(1))
    time = sessions.start[session] + elapsed - elapsed[begins]

    basket = sessions.basket[session]
    focus = (rng.random(size) * goods.size[sessions.basket]).astype(np.int64)
    line = np.where(shops[session], goods.first[basket] + (focus[session] + nth) % goods.size[basket], -1)
    items = np.where(kind == CART, np.minimum(1 + rng.binomial(3, 0.25, len(cell)), goods.size[basket]), 0)
    visitor = sessions.visitor[session]
    household = np.where(logs_in[session] & (kind >= LOGIN), visitors.household[visitor], NOBODY)

    order = np.argsort(time, kind="stable")
    order = order[time[order] < END]
    columns = (time, kind, visitors.browser[visitor], household, line, items, basket)
    return Events(*(column[order] for column in columns))
