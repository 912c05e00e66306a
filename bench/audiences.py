"""Audiences as marketers write them, about the people and events of a world (`bench/world.py`).

``python bench/audiences.py --seed N [--count 500]`` prints a line of JSON for each: ``{"name", "kind", "pql"}``. The
same seed and count give the same audiences, no two of them the same. Windows, thresholds and values are drawn from
short lists, as in life: audiences share many of their conditions, and everybody asks for the same few products.

====================  =================================================================================================
``attribute``         the profile alone: country, tier, points, age, birthday
``count``             so many events of a kind in a window, often of some page, query, product or device
``x-and-not-y``       one thing done, another not
``sum``               money spent: a sum, a mean, a dearest order
``a-then-b``          one event within some time after another
``a-not-b-then-c``    one event after another with none of a third between
``same-item``         an event with a product of which several things are true at once
====================  =================================================================================================
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TypeVar

import numpy as np

import world

MIX = {
    "attribute": 95,
    "count": 107,
    "x-and-not-y": 77,
    "sum": 70,
    "a-then-b": 57,
    "a-not-b-then-c": 47,
    "same-item": 47,
}
"""How many of 500 are of each kind."""

T = TypeVar("T")

DAYS = (7, 14, 30, 60, 90, 180, 365)
NAMES = tuple(map(str, world.EVENT_TYPES.to_pylist()))
COUNTRIES = tuple(map(str, world.COUNTRIES.to_pylist()))
TIERS = tuple(map(str, world.TIERS.to_pylist()))
DEVICES = tuple(map(str, world.DEVICES.to_pylist()))


@dataclass(frozen=True)
class Written:
    """An audience as a marketer would save it."""

    name: str
    kind: str
    pql: str


class Writer:
    """Writes rules with what a random generator draws.

    Parameters
    ----------
    seed : int
        Two writers of one seed write the same.
    """

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.kinds: dict[str, Callable[[], str]] = {
            "attribute": self.attribute,
            "count": self.count,
            "x-and-not-y": self.one_not_other,
            "sum": self.total,
            "a-then-b": self.then,
            "a-not-b-then-c": self.then_without,
            "same-item": self.same_item,
        }

    # -- values -------------------------------------------------------------------------------------------------------

    def one(self, values: tuple[T, ...], weights: tuple[int, ...] | None = None) -> T:
        """Choose one of some values."""
        p = None if weights is None else np.array(weights) / sum(weights)
        return values[int(self.rng.choice(len(values), p=p))]

    def some(self, values: tuple[str, ...], most: int) -> str:
        """Choose some values and write them as an array, in the order given."""
        size = int(self.rng.integers(2, most + 1))
        chosen = sorted(self.rng.choice(len(values), size, replace=False))
        return "[" + ", ".join(f'"{values[index]}"' for index in chosen) + "]"

    def rank(self, most: int) -> int:
        """Choose a rank below `most`, small ones more often: the audiences of a shop ask for what sells."""
        return int(most ** self.rng.random()) - 1

    def window(self, least: int = 0) -> str:
        """Choose a number of days and write that an event is no older."""
        days = self.one(tuple(day for day in DAYS if day >= least))
        return f"timestamp occurs <= {days} days before now"

    # -- events -------------------------------------------------------------------------------------------------------

    def about(self, kind: int) -> str:
        """Write what an event of a type is about; often nothing but its type."""
        if self.rng.random() < 0.4:
            return ""
        match kind:
            case world.PAGE:
                text = self.one(
                    (
                        f'web.webPageDetails.name = "/page/{self.rank(60)}"',
                        f'web.webPageDetails.name in ["/page/{self.rank(20)}", "/page/{20 + self.rank(40)}"]',
                        f'web.webPageDetails.name.startsWith("/page/{1 + self.rank(9)}")',
                        f'device.type = "{self.one(DEVICES)}"',
                    ),
                    (4, 2, 2, 2),
                )
            case world.SEARCH:
                text = self.one(
                    (
                        f'search.query = "query {self.rank(25)}"',
                        f'search.query.contains("query {1 + self.rank(9)}", false)',
                        f'search.query in ["query {self.rank(10)}", "query {10 + self.rank(15)}"]',
                    )
                )
            case world.PURCHASE if self.rng.random() < 0.4:
                text = f"commerce.order.priceTotal >= {self.one((20, 50, 100, 200))}"
            case _:
                text = self.one(
                    (
                        f'productListItems.exists(SKU = "SKU-{self.rank(30)}")',
                        f'productListItems.SKU.intersects(["SKU-{self.rank(15)}", "SKU-{15 + self.rank(25)}"])',
                        f"productListItems.exists(priceTotal >= {self.one((25, 50, 100))})",
                        f'device.type = "{self.one(DEVICES)}"',
                    ),
                    (4, 2, 2, 2),
                )
        return f" and {text}"

    def events(self, kind: int, detail: str, window: str) -> str:
        """Write the events of a type."""
        return f'xEvent[eventType = "{NAMES[kind]}"{detail} and {window}]'

    def kind(self) -> int:
        """Choose an event type, as often as marketers speak of it."""
        kinds = (world.PAGE, world.VIEW, world.SEARCH, world.CART, world.CHECKOUT, world.PURCHASE)
        return self.one(kinds, (15, 20, 15, 15, 8, 27))

    # -- rules --------------------------------------------------------------------------------------------------------

    def attribute(self) -> str:
        """Write one to three predicates on the profile."""
        age = self.one((18, 21, 25, 30, 35, 40, 45, 50, 60))
        points = self.one((250, 500, 1000, 1500, 2000, 2500, 3000, 4000))
        predicates = (
            f'homeAddress.country = "{self.one(COUNTRIES)}"',
            f"homeAddress.country in {self.some(COUNTRIES, 4)}",
            f'loyalty.tier = "{self.one(TIERS[1:])}"',
            f"loyalty.tier in {self.some(TIERS, 2)}",
            f"loyalty.points >= {points}",
            f"loyalty.points >= {points} and loyalty.points < {points + self.one((250, 500, 1000))}",
            self._age(age, age + self.one((5, 10, 15))),
            self.one(
                (
                    "person.birthDate.getMonth() = currentMonth()",
                    f"person.birthDate.getMonth() in [{', '.join(map(str, self._quarter()))}]",
                    "person.birthDate.getMonth() = currentMonth() and person.birthDate.getDayOfMonth() <= 7",
                )
            ),
        )
        count = self.one((1, 2, 3), (2, 5, 3))
        # the even places and the odd ones after them speak of the same field
        fields = sorted(self.rng.choice(len(predicates) // 2, count, replace=False))
        return " and ".join(predicates[2 * field + int(self.rng.integers(2))] for field in fields)

    @staticmethod
    def _age(least: int, below: int) -> str:
        born = "person.birthDate occurs"
        return f"{born} >= {least} years before today and {born} < {below} years before today"

    def _quarter(self) -> tuple[int, ...]:
        first = 3 * int(self.rng.integers(4))
        return (first + 1, first + 2, first + 3)

    def count(self) -> str:
        """Write how often something was done."""
        kind = self.kind()
        often = kind in (world.PAGE, world.VIEW)
        detail = self.about(kind)
        wanted = self.one((1, 2, 3, 5, 10) if often and not detail else (1, 2, 3))
        events = f"{self.events(kind, detail, self.window())}.count() >= {wanted}"
        return f"{events} and {self.attribute()}" if self.rng.random() < 0.15 else events

    def one_not_other(self) -> str:
        """Write that one thing was done and another was not."""
        window = self.window()
        did, did_not = self.one(
            (
                (world.SEARCH, world.PURCHASE),
                (world.CART, world.PURCHASE),
                (world.CART, world.CHECKOUT),
                (world.VIEW, world.CART),
                (world.VIEW, world.PURCHASE),
                (world.PAGE, world.PURCHASE),
                (world.CHECKOUT, world.PURCHASE),
            ),
            (25, 20, 10, 15, 15, 8, 7),
        )
        detail = self.about(did)
        undone = detail if "SKU" in detail and self.rng.random() < 0.5 else ""
        other = window if self.rng.random() < 0.7 else self.window()
        return f"{self.events(did, detail, window)}.count() >= 1 and not {self.events(did_not, undone, other)}"

    def total(self) -> str:
        """Write how much was spent."""
        bought = self.events(world.PURCHASE, self.about(world.PURCHASE), self.window(14))
        value = self.one(
            (
                f"sum(commerce.order.priceTotal) >= {self.one((25, 50, 100, 150, 200, 250, 300))}",
                f"average(commerce.order.priceTotal) > {self.one((20, 30, 50, 75, 100))}",
                f"max(commerce.order.priceTotal) >= {self.one((50, 100, 150, 200))}",
            ),
            (8, 1, 1),
        )
        return f"{bought}.{value}"

    def then(self) -> str:
        """Write one event within some time after another."""
        first, second = self.one(
            (
                (world.SEARCH, world.PURCHASE),
                (world.SEARCH, world.VIEW),
                (world.VIEW, world.CART),
                (world.VIEW, world.PURCHASE),
                (world.CART, world.CHECKOUT),
                (world.CART, world.PURCHASE),
                (world.PURCHASE, world.PURCHASE),
                (world.PAGE, world.SEARCH),
            )
        )
        within = self.one((("hours", 24), ("days", 2), ("days", 3), ("days", 7), ("days", 14), ("days", 30)))
        return (
            "chain(xEvent, timestamp, ["
            f'A: WHAT(eventType = "{NAMES[first]}"{self.about(first)} and {self.window(14)}), '
            f'B: WHAT(eventType = "{NAMES[second]}"{self.about(second)}) WHEN(<= {within[1]} {within[0]} after A)])'
        )

    def then_without(self) -> str:
        """Write one event after another with none of a third between."""
        first, never, last = self.one(
            (
                (world.VIEW, world.CART, world.PURCHASE),
                (world.CART, world.CHECKOUT, world.SEARCH),
                (world.CART, world.PURCHASE, world.PAGE),
                (world.SEARCH, world.CART, world.SEARCH),
                (world.PURCHASE, world.SEARCH, world.PURCHASE),
                (world.CHECKOUT, world.PURCHASE, world.VIEW),
            )
        )
        return (
            "chain(xEvent, timestamp, ["
            f'A: WHAT(eventType = "{NAMES[first]}"{self.about(first)} and {self.window(14)}), '
            f'N: EXCLUDE(eventType = "{NAMES[never]}"), '
            f'C: WHAT(eventType = "{NAMES[last]}"{self.about(last)})])'
        )

    def same_item(self) -> str:
        """Write that an event holds a product of which several things are true."""
        kind = self.one((world.PURCHASE, world.CART, world.CHECKOUT, world.VIEW), (5, 3, 1, 1))
        item = self.one(
            (
                f'SKU = "SKU-{self.rank(25)}" and quantity >= 2',
                (
                    f'SKU in ["SKU-{self.rank(15)}", "SKU-{15 + self.rank(25)}"] '
                    f"and priceTotal >= {self.one((10, 25, 50))}"
                ),
                f"quantity >= {self.one((2, 3, 4))} and priceTotal >= {self.one((25, 50, 100, 200))}",
            ),
            (4, 3, 3),
        )
        return f"{self.events(kind, f' and productListItems[{item}]', self.window())}.count() >= 1"

    # -- all ----------------------------------------------------------------------------------------------------------

    def write(self, count: int) -> list[Written]:
        """Write so many audiences in the proportions of `MIX`, no two the same."""
        seen: set[str] = set()
        written = []
        for kind, wanted in _shares(count).items():
            for number in range(wanted):
                pql = self.kinds[kind]()
                while pql in seen:
                    pql = self.kinds[kind]()
                seen.add(pql)
                written.append(Written(f"{kind}-{number:03d}", kind, pql))
        return written


def _shares(count: int) -> dict[str, int]:
    """Divide a number in the proportions of `MIX`."""
    edges = [round(edge * count / sum(MIX.values())) for edge in np.cumsum([0, *MIX.values()])]
    return {kind: high - low for kind, low, high in zip(MIX, edges, edges[1:], strict=False)}


def main() -> None:
    """Write and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=500)
    options = parser.parse_args()
    for audience in Writer(options.seed).write(options.count):
        print(json.dumps(asdict(audience)))


if __name__ == "__main__":
    main()
