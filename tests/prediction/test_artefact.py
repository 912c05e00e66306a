"""Trained models as files: they score the same to the bit, and what is not one is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.prediction.series import GOAL, Series, series

from coterie.core.errors import Damaged
from coterie.prediction.modelling import artefact, scoring, training
from coterie.prediction.modelling.trained import Trained

Learnt = tuple[Series, Trained]


@pytest.fixture(scope="module")
def folder(learnt: Learnt, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made, trained = learnt
    path = tmp_path_factory.mktemp("model") / "version"
    artefact.save(path, trained, configuration="abc", data=artefact.data_hash(made.examples))
    return path


def copied(folder: Path, to: Path) -> Path:
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


def test_a_model_that_was_read_scores_the_same_to_the_bit(learnt: Learnt, folder: Path) -> None:
    made, trained = learnt
    loaded = artefact.load(folder)
    frame = made.examples.frame
    assert (loaded.log_odds(frame) == trained.log_odds(frame)).all()
    one, other = scoring.score(loaded, frame), scoring.score(trained, frame)
    assert (one.low == other.low).all()
    assert (one.score == other.score).all()
    few = frame.take(np.arange(50))
    assert (loaded.contributions(few)[0] == trained.contributions(few)[0]).all()
    assert loaded.evaluation == trained.evaluation
    assert loaded.features == trained.features


def test_its_manifest_says_what_it_is(learnt: Learnt, folder: Path) -> None:
    made, trained = learnt
    told = artefact.manifest(folder)
    assert told.configuration == "abc"
    assert told.data == artefact.data_hash(made.examples)
    assert told.algorithm == trained.learner.algorithm
    assert told.seed == 3
    assert set(told.libraries) == {"lightgbm", "numpy", "scikit-learn", "scipy"}
    assert set(told.files) == {"model.json", "trees.txt", "logistic.json"}
    assert {file.name for file in folder.iterdir()} == {*told.files, "manifest.json"}


def test_the_hash_of_data_knows_every_value(learnt: Learnt) -> None:
    examples = learnt[0].examples
    before = artefact.data_hash(examples)
    changed = examples.take(np.arange(len(examples)))
    changed.frame.values[17, 2] += 1
    assert artefact.data_hash(changed) != before
    assert artefact.data_hash(examples.take(np.arange(len(examples)))) == before


@pytest.mark.parametrize("persons", [90, 400])
def test_the_fall_backs_are_kept_too(persons: int, tmp_path: Path) -> None:
    made = series(persons, 5, 2)
    trained = training.train(made.examples, made.cutoffs, GOAL, seed=0)
    artefact.save(tmp_path / "v", trained, configuration="", data="")
    loaded = artefact.load(tmp_path / "v")
    assert loaded.learner.algorithm == trained.learner.algorithm
    assert (loaded.log_odds(made.examples.frame) == trained.log_odds(made.examples.frame)).all()


def _shorten(path: Path) -> None:
    (path / "trees.txt").write_bytes((path / "trees.txt").read_bytes()[:-40])


def _flip(path: Path) -> None:
    content = bytearray((path / "logistic.json").read_bytes())
    content[len(content) // 2] ^= 1
    (path / "logistic.json").write_bytes(bytes(content))


def _take_away(path: Path) -> None:
    (path / "model.json").unlink()


def _no_manifest(path: Path) -> None:
    (path / "manifest.json").unlink()


def _other_manifest(path: Path) -> None:
    (path / "manifest.json").write_text('["something else"]')


def _reach_out(path: Path) -> None:
    told = json.loads((path / "manifest.json").read_text())
    told["files"]["../secret"] = "0" * 64
    (path / "manifest.json").write_text(json.dumps(told))


@pytest.mark.parametrize("damage", [_shorten, _flip, _take_away, _no_manifest, _other_manifest, _reach_out])
def test_damaged_and_foreign_files_are_refused(folder: Path, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = copied(folder, tmp_path / "copy")
    artefact.load(path)
    damage(path)
    with pytest.raises(Damaged) as caught:
        artefact.load(path)
    assert caught.value.code == "model.damaged"
    assert str(path) in caught.value.message


def test_a_newer_format_is_named(folder: Path, tmp_path: Path) -> None:
    path = copied(folder, tmp_path / "copy")
    told = json.loads((path / "manifest.json").read_text())
    told["format"] = 99
    (path / "manifest.json").write_text(json.dumps(told))
    with pytest.raises(Damaged, match="format 99") as caught:
        artefact.load(path)
    assert caught.value.code == "model.newer-format"
