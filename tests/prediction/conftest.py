"""What tests of predictions share."""

from __future__ import annotations

import pytest
from tests.prediction.series import GOAL, Series, series

from coterie.prediction.modelling import training
from coterie.prediction.modelling.trained import Trained


@pytest.fixture(scope="session")
def learnt() -> tuple[Series, Trained]:
    """A model of enough people for the blend, and what it was learnt from."""
    made = series(1_500, 8, 1)
    return made, training.train(made.examples, made.cutoffs, GOAL, seed=3)
