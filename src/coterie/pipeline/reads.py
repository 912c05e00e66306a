"""What the conditions of rules read, worked out once for each rule and each state of the fields there are."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256

import msgspec

from coterie.audience.definition import Audience
from coterie.core.schema import Union
from coterie.pql import parse
from coterie.pql.analysis import Analysis, analyse_condition
from coterie.pql.conditions import conditions_of
from coterie.pql.normal import normalise


@dataclass(frozen=True)
class Reads:
    """What rules read of some fields; equal when the fields are.

    Parameters
    ----------
    union : Union
        The fields there are.
    """

    union: Union = field(compare=False)
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", sha256(msgspec.json.encode(self.union, order="deterministic")).digest())

    def of(self, audience: Audience) -> tuple[Analysis, ...]:
        """Return what each condition of the rule of an audience reads."""
        return _analysed(self, audience.pql, audience.zone)


@lru_cache(maxsize=16_384)
def _analysed(reads: Reads, pql: str, zone: str) -> tuple[Analysis, ...]:
    rule = normalise(parse(pql), reads.union, zone)
    return tuple(analyse_condition(condition) for condition in conditions_of(rule))
