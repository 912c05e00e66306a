"""What a version learnt, as files: the trained model, what its features are made of, what its scores are held to."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from coterie.core.errors import Damaged, NotFound
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.predictions import folders
from coterie.prediction.data.cutoffs import Cutoffs
from coterie.prediction.data.vocabulary import Vocabulary
from coterie.prediction.definition import Model
from coterie.prediction.run import Version
from coterie.prediction.trust.drift import Reference
from coterie.prediction.why.explanation import TimingTest
from coterie.prediction.why.scale import FactorScale
from coterie.store import staging
from coterie.store.sandbox import Sandbox

if TYPE_CHECKING:
    from coterie.prediction.modelling.artefact import Manifest
    from coterie.prediction.modelling.trained import Trained
    from coterie.prediction.why.survival import Survival

T = TypeVar("T")

LEARNER, TIMING = "learner", "timing"
MODEL, VOCABULARY, CUTOFFS = "configuration.json", "vocabulary.json", "cutoffs.json"
SCALE, REFERENCE, HELD = "scale.json", "reference.json", "timing.json"


@dataclass(frozen=True)
class Learnt:
    """A version, ready to score.

    Parameters
    ----------
    model : Model
        The configuration that it was trained for, its population written out.
    trained : Trained
        The model.
    vocabulary : Vocabulary
        What its features are made of.
    cutoffs : Cutoffs
        What it was trained and tested on.
    scale : FactorScale
        How much a contribution weighs.
    reference : Reference
        The distributions at training.
    survival : Survival or None
        When events come; None where a goal cannot be timed.
    held : TimingTest or None
        Whether that held at the newest back-test, when there is one.
    """

    model: Model
    trained: Trained
    vocabulary: Vocabulary
    cutoffs: Cutoffs
    scale: FactorScale
    reference: Reference
    survival: Survival | None
    held: TimingTest | None


def save(folder: Path, learnt: Learnt, *, configuration: str, data: str) -> None:
    """Write what was learnt into an empty folder."""
    from coterie.prediction.modelling import artefact

    artefact.save(folder / LEARNER, learnt.trained, configuration=configuration, data=data)
    kept: dict[str, msgspec.Struct] = {
        MODEL: learnt.model,
        VOCABULARY: learnt.vocabulary,
        CUTOFFS: learnt.cutoffs,
        SCALE: learnt.scale,
        REFERENCE: learnt.reference,
    }
    for name, value in kept.items():
        (folder / name).write_bytes(msgspec.json.encode(value))
    if learnt.survival is not None:
        (folder / TIMING).mkdir()
        for name, content in learnt.survival.files().items():
            (folder / TIMING / name).write_bytes(content)
    (folder / HELD).write_bytes(msgspec.json.encode(learnt.held))


def load(folder: Path) -> Learnt:
    """Read what was learnt; raises ``model.damaged``."""
    from coterie.prediction.modelling import artefact
    from coterie.prediction.why import survival

    timing = {item.name: item.read_bytes() for item in sorted((folder / TIMING).glob("*"))}
    return Learnt(
        _read(folder / MODEL, Model),
        artefact.load(folder / LEARNER),
        _read(folder / VOCABULARY, Vocabulary),
        _read(folder / CUTOFFS, Cutoffs),
        scale(folder),
        _read(folder / REFERENCE, Reference),
        survival.read(timing) if timing else None,
        timing_test(folder),
    )


def scale(folder: Path) -> FactorScale:
    """Read how much the factors of a version weigh, the weightiest first; raises ``model.damaged``."""
    return _read(folder / SCALE, FactorScale)


def timing_test(folder: Path) -> TimingTest | None:
    """Read whether the timing of a version held; raises ``model.damaged``."""
    found: TimingTest | None = _read(folder / HELD, TimingTest | None)  # type: ignore[arg-type]
    return found


def _read(path: Path, type_: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=type_)
    except (OSError, msgspec.DecodeError) as error:
        raise Damaged(
            "model.damaged",
            f"the trained model in {path.parent} cannot be read: {path.name}: {error}.",
            hint="Train the model again; the scores on profiles are not touched.",
            where={"file": str(path)},
        ) from error


def manifest(folder: Path) -> Manifest:
    """Return what the trained model of a version says of itself."""
    from coterie.prediction.modelling import artefact

    return _read(folder / LEARNER / artefact.MANIFEST, artefact.Manifest)


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of a version, by its path in the folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def adopt(source: Path, target: Path) -> None:
    """Put the folder of a version into its place, whole or not at all; one that no definition names gives way."""
    partial = target.with_name(f"{target.name}.partial")
    for stale in (target, partial):
        shutil.rmtree(stale, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, partial)
    for item in (*partial.rglob("*"), partial):
        staging.sync(item)
    partial.rename(target)
    staging.sync(target.parent)


def of_model(definitions: Definitions, key: str) -> list[Version]:
    """Return the versions of a model, oldest first."""
    return sorted((item for item in definitions.list(Version) if item.key == key), key=lambda item: item.number)


def champion(definitions: Definitions, key: str) -> Version | None:
    """Return the version in use; None when none was ever good enough."""
    return next((item for item in reversed(of_model(definitions, key)) if item.champion), None)


def named(sandbox: Sandbox, key: str, number: int | None) -> Version:
    """Return a version of a model, default the one in use, else the newest; raises ``model.untrained``."""
    definitions = Definitions(sandbox.catalog)
    if number is not None:
        return definitions.get(Version, f"{key}/{number}")
    found = champion(definitions, key) or next(iter(reversed(of_model(definitions, key))), None)
    if found is None:
        raise NotFound(
            "model.untrained",
            f"model {key} was never trained.",
            hint=f"Run it: `coterie ai run {key}`.",
            where={"model": key},
        )
    return found


def learnt(sandbox: Sandbox, version: Version) -> Learnt:
    """Return what a version learnt; raises ``model.damaged`` when its files are not those that were written."""
    folder = folders.version(sandbox.path, version.key, version.number)
    if hashes(folder) != version.hashes:
        raise Damaged(
            "model.damaged",
            f"the files of version {version.number} of model {version.key} are not those that were written.",
            hint=f"Restore them from a backup, or train again: `coterie ai run {version.key} --retrain`.",
            where={"path": str(folder)},
        )
    return load(folder)
