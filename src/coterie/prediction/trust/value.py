"""What contacting people by score is worth: cost of a contact against value of a success, along the gains curve."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from coterie.core.errors import Invalid
from coterie.prediction.modelling.evaluation import Point

NOTE = (
    "Successes are of people who are likely to do it anyway. Whether a contact makes somebody do it, only a comparison"
    " with people left uncontacted can tell: hold out a random 10 %."
)


class Cut(Struct, frozen=True):
    """Contacting the most likely people: how many, which share of the successes they hold, and what it brings."""

    share: float
    people: int
    successes: float
    share_of_successes: float
    rate: float
    cost: float
    value: float
    profit: float


class Value(Struct, frozen=True):
    """The profit at every cut, and the best one.

    `everyone` is what contacting all would bring. `note` says what the figures do not tell.
    """

    people: int
    rate: float
    contact_cost: float
    value_per_success: float
    cuts: tuple[Cut, ...]
    best: Cut
    everyone: Cut
    note: str


class Gains:
    """A gains curve: which share of the successes the most likely people hold.

    Parameters
    ----------
    points : sequence of Point
        The curve, as an evaluation has it; between its points it is straight.
    people : int
        How many there are to contact.
    rate : float
        The share of them for whom it comes true.
    """

    def __init__(self, points: Sequence[Point], people: int, rate: float) -> None:
        inner = [(point.share, point.gain) for point in points if 0 < point.share < 1]
        self._shares, self._captured = np.array([(0.0, 0.0), *inner, (1.0, 1.0)]).T
        self.people = people
        self.rate = rate

    @property
    def shares(self) -> tuple[float, ...]:
        """The shares of people that the curve was measured at."""
        return tuple(map(float, self._shares))

    def cut(self, share: float, contact_cost: float = 0.0, value_per_success: float = 0.0) -> Cut:
        """Return what contacting the most likely share of the people gives."""
        contacted = round(share * self.people)
        captured = float(np.interp(share, self._shares, self._captured))
        successes = captured * self.rate * self.people
        cost, value = contact_cost * contacted, value_per_success * successes
        return Cut(
            share=share,
            people=contacted,
            successes=successes,
            share_of_successes=captured,
            rate=successes / contacted if contacted else 0.0,
            cost=cost,
            value=value,
            profit=value - cost,
        )

    def top(self, people: int) -> Cut:
        """Return what the most likely so many people hold."""
        return self.cut(min(1.0, people / self.people) if self.people else 0.0)


def worth(gains: Gains, contact_cost: float, value_per_success: float) -> Value:
    """Return the profit along a gains curve; the best cut is the smallest of those with the greatest profit.

    The profit is a straight line between the points of the curve, so the best cut is one of them.

    Raises
    ------
    Invalid
        ``model.value`` for a cost or value below nothing, or none at all.
    """
    for name, amount in (("contact cost", contact_cost), ("value of a success", value_per_success)):
        if not math.isfinite(amount) or amount < 0:
            raise Invalid(
                "model.value",
                f"the {name} is {amount}; it must be a number from 0 on.",
                hint="Give both in the same currency, such as a cost of 0.5 and a value of 20.",
                where={name.replace(" ", "_"): amount},
            )
    cuts = tuple(gains.cut(share, contact_cost, value_per_success) for share in gains.shares)
    return Value(
        people=gains.people,
        rate=gains.rate,
        contact_cost=contact_cost,
        value_per_success=value_per_success,
        cuts=cuts,
        best=max(cuts, key=lambda cut: (round(cut.profit, 9), -cut.share)),
        everyone=cuts[-1],
        note=NOTE,
    )
