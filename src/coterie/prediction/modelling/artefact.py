"""Trained models as files: LightGBM's text and JSON, with the hash of each; nothing in them is ever executed."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from coterie.core.errors import Damaged
from coterie.prediction.frame import Examples, Feature
from coterie.prediction.learners.learner import Algorithm
from coterie.prediction.modelling.calibration import Calibration
from coterie.prediction.modelling.evaluation import Evaluation
from coterie.prediction.modelling.interval import Interval
from coterie.prediction.modelling.scoremap import ScoreMap
from coterie.prediction.modelling.trained import Trained

FORMAT = 1
MANIFEST, MODEL = "manifest.json", "model.json"
LIBRARIES = ("lightgbm", "numpy", "scikit-learn", "scipy")


class Manifest(Struct, frozen=True):
    """What lies in the folder of a trained model.

    Parameters
    ----------
    format : int
        Of the files.
    algorithm : str
        Which learner they hold.
    configuration : str
        Hash of what was asked to be predicted.
    data : str
        Hash of the examples.
    seed : int
        Of all that was drawn at random.
    libraries : dict
        Versions of what it was trained with.
    files : dict
        The SHA-256 of each file.
    """

    format: int
    algorithm: Algorithm
    configuration: str
    data: str
    seed: int
    libraries: dict[str, str]
    files: dict[str, str]


class Parts(Struct, frozen=True):
    """All of a trained model but its learner."""

    features: tuple[Feature, ...]
    calibration: Calibration
    scores: ScoreMap
    interval: Interval
    evaluation: Evaluation


def libraries() -> dict[str, str]:
    """Return the versions of what models are trained with."""
    return {name: version(name) for name in LIBRARIES}


def data_hash(examples: Examples) -> str:
    """Return the hash of examples: of who they are, what was known, and what came of it."""
    frame = examples.frame
    found = hashlib.sha256(msgspec.json.encode([feature.name for feature in frame.features]))
    for array in (frame.people, frame.cutoffs, examples.label, examples.weight):
        found.update(np.ascontiguousarray(array).tobytes())
    for column in range(frame.values.shape[1]):
        found.update(frame.values[:, column].tobytes())
    return found.hexdigest()


def save(folder: Path, trained: Trained, *, configuration: str, data: str) -> Manifest:
    """Write a trained model into a folder, the manifest last.

    Parameters
    ----------
    folder : Path
        Where; made if it is not there.
    trained : Trained
        The model.
    configuration, data : str
        Hashes of what was asked to be predicted and of what it was learnt from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = Parts(trained.features, trained.calibration, trained.scores, trained.interval, trained.evaluation)
    files = {MODEL: msgspec.json.encode(parts), **trained.learner.files()}
    manifest = Manifest(
        format=FORMAT,
        algorithm=trained.learner.algorithm,
        configuration=configuration,
        data=data,
        seed=trained.seed,
        libraries=libraries(),
        files={name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    )
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2))
    return manifest


def manifest(folder: Path) -> Manifest:
    """Read what lies in the folder of a trained model."""
    try:
        content = (folder / MANIFEST).read_bytes()
        kept: dict[str, Any] = msgspec.json.decode(content)
        if isinstance(kept, dict) and isinstance(kept.get("format"), int) and kept["format"] > FORMAT:
            raise Damaged(
                "model.newer-format",
                f"the trained model in {folder} has format {kept['format']}; this version reads up to {FORMAT}.",
                hint="Use the version of Coterie that trained it, or train the model again.",
                where={"file": str(folder / MANIFEST)},
            )
        return msgspec.convert(kept, Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise _damaged(folder, MANIFEST, str(error)) from error


def load(folder: Path) -> Trained:
    """Read a trained model; it scores to the bit as it did before it was written.

    Raises
    ------
    Damaged
        When a file is missing, is not the one that was written, or was never written by `save`.
    """
    from coterie.prediction.learners.reading import read

    listed = manifest(folder)
    files = {}
    for name, expected in listed.files.items():
        if Path(name).name != name:
            raise _damaged(folder, name, "it does not lie in the folder")
        try:
            files[name] = (folder / name).read_bytes()
        except OSError as error:
            raise _damaged(folder, name, str(error)) from error
        if hashlib.sha256(files[name]).hexdigest() != expected:
            raise _damaged(folder, name, "its content is not what was written")
    try:
        parts = msgspec.json.decode(files[MODEL], type=Parts)
        learner = read(listed.algorithm, files)
    except (KeyError, TypeError, ValueError, msgspec.DecodeError) as error:
        raise _damaged(folder, MODEL, str(error)) from error
    return Trained(
        features=parts.features,
        learner=learner,
        calibration=parts.calibration,
        scores=parts.scores,
        interval=parts.interval,
        evaluation=parts.evaluation,
        seed=listed.seed,
    )


def _damaged(folder: Path, name: str, why: str) -> Damaged:
    return Damaged(
        "model.damaged",
        f"the trained model in {folder} cannot be read: {name}: {why}.",
        hint="Train the model again; its earlier versions and the scores on profiles are not touched.",
        where={"file": str(folder / name)},
    )
