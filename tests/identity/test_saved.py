"""Which saved states hold after a change, and when states are saved."""

from __future__ import annotations

import numpy as np
import pytest

from coterie.identity import saved
from coterie.identity.evidence import NOBODY
from coterie.identity.saved import NEVER, Saved, cuts, extended, sound


def array(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.array(values, np.int32)


STATES = Saved(array(7, 7, 7, 7, NOBODY), np.array([NEVER, NEVER, NEVER, 20, NEVER]), {7: (10, 20, 30)})
EACH = np.arange(5, dtype=np.int32)


def test_states_hold_that_are_before_the_first_change() -> None:
    forest = array(0, 0, 0, 0, 0)
    found = sound(STATES, forest, EACH, EACH, np.full(5, 30))
    assert (found.part.tolist(), found.instants) == ([7, 7, 7, 7, NOBODY], {7: (10, 20)})
    assert found.covered.tolist() == [20, 20, 20, 20, NEVER]
    # who came with the second state belongs to no part when only the first is left
    found = sound(STATES, forest, EACH, EACH, np.full(5, 20))
    assert (found.part.tolist(), found.instants) == ([7, 7, 7, NOBODY, NOBODY], {7: (10,)})
    assert sound(STATES, forest, EACH, EACH, np.full(5, 10)).instants == {}


def test_the_largest_piece_of_a_component_that_fell_apart_keeps_its_states() -> None:
    found = sound(STATES, array(0, 1, 0, 1, 1), EACH, EACH, np.full(5, 40))
    assert (found.part.tolist(), found.instants) == ([7, NOBODY, 7, NOBODY, NOBODY], {7: (10, 20, 30)})
    found = sound(STATES, array(0, 1, 1, 1, 1), EACH, EACH, np.full(5, 40))
    assert found.part.tolist() == [NOBODY, 7, 7, 7, NOBODY]
    # one that is its graph now, and identities that are gone, have none
    assert sound(STATES, array(0, 0, 0, 0, 0), EACH, array(), np.full(5, 40)).instants == {}
    assert sound(STATES, array(0, NOBODY, 0, 0, 0), EACH, EACH, np.full(5, 40)).part[1] == NOBODY


def test_a_new_state_tells_of_all_of_a_component() -> None:
    states = Saved(array(7, 7, 8, NOBODY, 9), np.full(5, NEVER), {7: (10,), 8: (15,), 9: (5,)})
    found, parts = extended(states, {0: array(0, 1, 2, 3)}, {0: [20, 30]})
    assert (parts, found.instants) == ([7], {7: (10, 20, 30), 9: (5,)})
    assert found.part.tolist() == [7, 7, 7, 7, 9]
    assert found.since.tolist() == [NEVER, NEVER, 20, 20, NEVER]


def test_states_are_saved_the_closer_together_the_nearer_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved, "GIANT", 4)
    assert cuts(np.arange(32)) == [15, 23, 27]
    assert cuts(np.arange(4)) == []
    assert cuts(np.zeros(9, np.int64)) == [0]
    assert len(cuts(np.arange(10_000))) == saved.STATES
