"""What a run has made so far, in its folder ``work``: so that one that was interrupted is taken up where it stopped.

A stage counts as passed once the state says so; what it made was written and made durable before.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np

from coterie.core.errors import Damaged
from coterie.pipeline.predictions import folders
from coterie.prediction.frame import Examples, Feature, Frame
from coterie.prediction.run import Run, RunKind, Stage, Status, Trigger
from coterie.store import staging

if TYPE_CHECKING:
    from coterie.prediction.modelling.scoring import Scores

T = TypeVar("T")

STATE = "state.json"


class State(msgspec.Struct, frozen=True):
    """How far a run is, and what it was asked for.

    `asked_at` is the instant asked for, `as_of` the one that is scored: an earlier one where the data are stale.
    `entry` is the log entry at which the history stood. `champion` is the version in use when it began.
    `fixed` tells that the instant was asked for, and is scored even where the data are older.
    """

    key: str
    number: int
    kind: RunKind
    asked_at: int
    as_of: int
    started_at: int
    configuration: str
    seed: int
    trigger: Trigger
    entry: int
    champion: int | None
    fixed: bool
    stages: tuple[Stage, ...] = ()
    warnings: tuple[str, ...] = ()
    eligible: int = 0

    @property
    def id(self) -> str:
        """The id of the run."""
        return f"{self.key}/{self.number}"

    def run(self, status: Status) -> Run:
        """Return the run as far as it is."""
        return Run(
            id=self.id,
            key=self.key,
            number=self.number,
            kind=self.kind,
            status=status,
            as_of=self.as_of,
            started_at=self.started_at,
            finished_at=None,
            configuration=self.configuration,
            seed=self.seed,
            trigger=self.trigger,
            version=self.champion,
            stages=self.stages,
            eligible=self.eligible,
            warnings=self.warnings,
        )


@dataclass(frozen=True)
class Checkpoints:
    """The folder ``work`` of a run.

    Parameters
    ----------
    path : Path
        The folder.
    """

    path: Path

    @classmethod
    def of(cls, sandbox: Path, key: str, number: int) -> Checkpoints:
        """Return those of a run."""
        return cls(folders.run(sandbox, key, number) / folders.WORK)

    def state(self) -> State | None:
        """Return how far the run is; None when nothing is left of it."""
        try:
            return msgspec.json.decode((self.path / STATE).read_bytes(), type=State)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise _damaged(self.path / STATE, error) from error

    def note(self, state: State) -> None:
        """Keep how far the run is."""
        folders.write(self.path / STATE, msgspec.json.encode(state))

    def clear(self) -> None:
        """Forget everything that the run has made."""
        shutil.rmtree(self.path, ignore_errors=True)

    def __contains__(self, name: str) -> bool:
        return (self.path / name).exists()

    def put(self, name: str, value: msgspec.Struct) -> None:
        """Keep a struct."""
        folders.write(self.path / name, msgspec.json.encode(value))

    def get(self, name: str, type_: type[T]) -> T:
        """Return a struct that was kept."""
        try:
            return msgspec.json.decode((self.path / name).read_bytes(), type=type_)
        except (OSError, msgspec.DecodeError) as error:
            raise _damaged(self.path / name, error) from error

    def put_arrays(self, name: str, **arrays: np.ndarray) -> None:
        """Keep arrays of numbers."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{name}.partial")
        with partial.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        staging.sync(partial)
        partial.replace(path)
        staging.sync(path.parent)

    def get_arrays(self, name: str) -> dict[str, np.ndarray]:
        """Return arrays that were kept."""
        try:
            with np.load(self.path / name, allow_pickle=False) as kept:
                return {key: kept[key] for key in kept.files}
        except (OSError, ValueError, EOFError) as error:
            raise _damaged(self.path / name, error) from error

    # -- what stages make -------------------------------------------------------------------------------------------

    def put_frame(self, name: str, frame: Frame) -> None:
        """Keep a frame."""
        self.put_arrays(name, **_of_frame(frame))

    def get_frame(self, name: str) -> Frame:
        """Return a frame that was kept."""
        return _frame(self.get_arrays(name))

    def put_examples(self, name: str, examples: Examples) -> None:
        """Keep examples."""
        arrays = {key: getattr(examples, key) for key in ("hit", "label", "day", "weight")}
        self.put_arrays(name, **_of_frame(examples.frame), **arrays)

    def get_examples(self, name: str) -> Examples:
        """Return examples that were kept."""
        kept = self.get_arrays(name)
        return Examples(_frame(kept), kept["hit"], kept["label"], kept["day"], kept["weight"])

    def put_scores(self, name: str, scores: Scores) -> None:
        """Keep scores."""
        self.put_arrays(name, **{key: getattr(scores, key) for key in _SCORES})

    def get_scores(self, name: str) -> Scores:
        """Return scores that were kept."""
        from coterie.prediction.modelling.scoring import Scores

        return Scores(**self.get_arrays(name))

    def made(self, name: str, fill: Callable[[Path], object]) -> Path:
        """Return a folder that `fill` fills, whole or not there."""
        target, partial = self.path / name, self.path / f"{name}.partial"
        for stale in (target, partial):
            shutil.rmtree(stale, ignore_errors=True)
        partial.mkdir(parents=True)
        fill(partial)
        for item in (*partial.rglob("*"), partial):
            staging.sync(item)
        partial.rename(target)
        staging.sync(self.path)
        return target


_SCORES = ("people", "probability", "score", "percentile", "bucket", "low", "high")


def _of_frame(frame: Frame) -> dict[str, np.ndarray]:
    features = np.frombuffer(msgspec.json.encode(frame.features), np.uint8)
    return {"features": features, "people": frame.people, "cutoffs": frame.cutoffs, "values": frame.values}


def _frame(kept: dict[str, np.ndarray]) -> Frame:
    features = msgspec.json.decode(kept["features"].tobytes(), type=tuple[Feature, ...])
    return Frame(features, kept["people"], kept["cutoffs"], kept["values"])


def _damaged(path: Path, error: Exception) -> Damaged:
    return Damaged(
        "model.run-damaged",
        f"what the run left in {path} cannot be read: {error}.",
        hint="Start a new run; it does not read what this one left.",
        where={"path": str(path)},
    )
