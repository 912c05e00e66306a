"""What a learner was made with, for people who read a model card."""

from __future__ import annotations

import re

from coterie.prediction.learners.base import BaseRate
from coterie.prediction.learners.bgnbd import BgNbd
from coterie.prediction.learners.blend import Blend
from coterie.prediction.learners.learner import Learner
from coterie.prediction.learners.logistic import PENALTY, Logistic
from coterie.prediction.learners.trees import Trees

_TOLD = ("learning_rate", "num_leaves", "max_depth", "min_data_in_leaf", "feature_fraction", "lambda_l2", "max_bin")


def parameters_of(learner: Learner) -> dict[str, str]:
    """Return the parameters of a learner, by what they are of."""
    match learner:
        case Blend(parts):
            return {name: told for part in parts for name, told in parameters_of(part).items()}
        case Logistic(columns):
            return {"Logistic regression": f"{len(columns)} columns, C = {PENALTY}"}
        case Trees(text):
            kept = dict(re.findall(r"^\[(\w+): (.*)\]$", text, re.MULTILINE))
            told = ", ".join(f"{name} {kept[name]}" for name in _TOLD if name in kept)
            return {"Boosted trees": f"{learner.rounds} trees, {told}"}
        case BgNbd(_, found):
            return {"BG/NBD": f"r {found.r:.4g}, alpha {found.alpha:.4g}, a {found.a:.4g}, b {found.b:.4g}"}
        case BaseRate():
            return {"Base rate": "the same for everybody"}
        case _:
            return {}
