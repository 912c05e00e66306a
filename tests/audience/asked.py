"""An engine that notes what it was asked and answers from a table of bitmaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyroaring import BitMap

from coterie.pql.conditions import Condition, Membership


class Asked:
    """Answers by the text of a condition; those that are not in the table hold for no one."""

    def __init__(self, answers: Mapping[str, BitMap], universe: BitMap) -> None:
        self.answers = answers
        self.universe = universe
        self.calls: list[list[str]] = []

    def evaluate(
        self,
        conditions: Sequence[Condition],
        view: str,
        at: int,
        memberships: Mapping[str, BitMap],
        people: BitMap | None = None,
    ) -> dict[str, BitMap]:
        """Answer, and note the texts."""
        self.calls.append([condition.text for condition in conditions])
        within = self.universe if people is None else people
        return {condition.key: self._of(condition, memberships) & within for condition in conditions}

    def _of(self, condition: Condition, memberships: Mapping[str, BitMap]) -> BitMap:
        if isinstance(condition.shape, Membership):
            return memberships[condition.shape.audience]
        return self.answers.get(condition.text, BitMap())
