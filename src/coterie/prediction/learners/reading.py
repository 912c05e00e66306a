"""Learners from the files that were kept of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from coterie.prediction.learners import base, bgnbd, logistic, trees
from coterie.prediction.learners.blend import Blend
from coterie.prediction.learners.learner import Algorithm, Learner


def read(algorithm: Algorithm, files: Mapping[str, bytes]) -> Learner:
    """Return the learner that an artefact holds."""
    match algorithm:
        case "logistic":
            return logistic.read(files)
        case "trees":
            return trees.read(files)
        case "blend":
            return Blend((logistic.read(files), trees.read(files)))
        case "bgnbd":
            return bgnbd.read(files)
        case "base":
            return base.read(files)
        case _:
            assert_never(algorithm)
