"""What contacting people by score is worth: cost of a contact against value of a success, along the gains curve."""

from __future__ import annotations

from msgspec import Struct


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

    `everyone` is what contacting all would bring. Figures are of what is observed among those who do it anyway: they
    say nothing of who does it because of the contact.
    """

    people: int
    rate: float
    contact_cost: float
    value_per_success: float
    cuts: tuple[Cut, ...]
    best: Cut
    everyone: Cut
    note: str
