"""Runs that have ended, as the catalog keeps them."""

from __future__ import annotations

from coterie.pipeline.definitions import Definitions
from coterie.prediction.run import Run, Status


def of_model(definitions: Definitions, key: str) -> list[Run]:
    """Return the runs of a model that have ended, the newest first."""
    return sorted((item for item in definitions.list(Run) if item.key == key), key=lambda item: -item.number)


def scored(definitions: Definitions, key: str) -> list[Run]:
    """Return those that scored people, the newest first."""
    return [item for item in of_model(definitions, key) if item.status is Status.SUCCEEDED]
