"""What every engine does: conditions in, one bitmap of persons a condition out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from pyroaring import BitMap

from coterie.pql.conditions import Condition


class Engine(Protocol):
    """Evaluates conditions over the history."""

    def evaluate(
        self,
        conditions: Sequence[Condition],
        view: str,
        at: int,
        memberships: Mapping[str, BitMap],
        people: BitMap | None = None,
    ) -> dict[str, BitMap]:
        """Return the persons for whom each condition holds.

        Parameters
        ----------
        conditions : sequence of Condition
            Distinct conditions.
        view : str
            The view: whose persons, merged how.
        at : int
            The evaluation instant, ms.
        memberships : mapping of str to BitMap
            Present members of every audience that a condition names.
        people : BitMap, optional
            The only persons asked about; default all of the view.

        Returns
        -------
        dict of str to BitMap
            By the key of the condition.

        Raises
        ------
        Unsupported
            ``engine.unsupported`` for a condition this engine cannot answer.
        """
