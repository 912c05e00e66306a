"""The data of a model: one way for training and for scoring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from coterie.core.schema import Union
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.predictions.models import population_of
from coterie.prediction.data.vocabulary import Vocabulary
from coterie.prediction.definition import Model
from coterie.profile.policy import View
from coterie.store.sandbox import Sandbox

if TYPE_CHECKING:
    from coterie.prediction.data.store import FeatureStore


@dataclass(frozen=True)
class Data:
    """What a model reads of a sandbox.

    Parameters
    ----------
    sandbox : Sandbox
        Open stores.
    model : Model
        The model, its population written out.
    union : Union
        The fields there are.
    """

    sandbox: Sandbox
    model: Model
    union: Union

    @classmethod
    def of(cls, sandbox: Sandbox, model: Model) -> Data:
        """Return the data of a model as it is stated."""
        definitions = Definitions(sandbox.catalog)
        stated = msgspec.structs.replace(model, population=population_of(definitions, model))
        return cls(sandbox, stated, definitions.union())

    @property
    def policy(self) -> View:
        """The merge policy whose persons are meant."""
        return Definitions(self.sandbox.catalog).view(self.model.view)

    def store(self, vocabulary: Vocabulary) -> FeatureStore:
        """Return the store of features."""
        from coterie.prediction.data.store import FeatureStore

        return FeatureStore(self.sandbox.history.con, self.union, self.model, vocabulary, policy=self.policy)
