"""The gate of an audience: who satisfies its rule and is withheld all the same, because of what they chose.

It is asked after the rule, so that what a rule means does not depend on it, and counted by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyroaring import BitMap

from coterie.audience.definition import Audience, Withheld
from coterie.core.schema import Union
from coterie.engine.algebra import fold
from coterie.governance import consent
from coterie.governance.consent import Withholding
from coterie.pql import parse
from coterie.pql.ast import Expr
from coterie.pql.conditions import Condition, Rule, conditions_of
from coterie.pql.normal import normalise


@dataclass(frozen=True)
class Barrier:
    """A reason to withhold people, with the tree and the normal form of its rule."""

    reason: Withholding
    expr: Expr
    rule: Rule


@dataclass(frozen=True)
class Gate:
    """The barriers that the members of an audience must not be behind."""

    barriers: tuple[Barrier, ...] = ()

    @property
    def conditions(self) -> list[Condition]:
        """The conditions that must be known to ask it."""
        return [condition for barrier in self.barriers for condition in conditions_of(barrier.rule)]

    def withhold(self, matching: BitMap, known: Mapping[str, BitMap]) -> tuple[BitMap, Withheld]:
        """Return those of some persons who are not withheld, and how many are.

        Parameters
        ----------
        matching : BitMap
            Who satisfies the rule.
        known : mapping of str to BitMap
            The persons of each condition, by its key.
        """
        if not self.barriers:
            return matching, Withheld()
        behind = {cause: BitMap() for cause in ("opt-out", "consent")}
        for barrier in self.barriers:
            behind[barrier.reason.cause] |= fold(barrier.rule, known, matching)
        opted_out, no_consent = behind["opt-out"], behind["consent"] - behind["opt-out"]
        counts = Withheld(len(opted_out) + len(no_consent), len(opted_out), len(no_consent))
        return matching - opted_out - no_consent, counts


def gate_of(audience: Audience, union: Union) -> Gate:
    """Return the gate of an audience; raises ``consent.not-found`` for what no field tells of."""
    reasons: list[Withholding] = []
    if audience.exclude_opt_out and (general := consent.opt_out(union)) is not None:
        reasons.append(general)
    if audience.consent is not None:
        reasons += consent.required(audience.consent, union)
    return Gate(_barriers(reasons, union))


def _barriers(reasons: Sequence[Withholding], union: Union) -> tuple[Barrier, ...]:
    found = []
    for reason in reasons:
        expr = parse(reason.rule)
        found.append(Barrier(reason, expr, normalise(expr, union, "UTC")))
    return tuple(found)
