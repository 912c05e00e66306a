"""What models say of one person: what stands on the profile, and what is worked out on demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from pyroaring import BitMap

from coterie.core.clock import DAY, format_date, parse_instant
from coterie.core.errors import Conflict, NotFound
from coterie.core.ids import person_id
from coterie.core.schema import PREDICTED
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.predictions import ended, explaining, folders, models, publishing, runs, versions
from coterie.pipeline.predictions.data import Data
from coterie.prediction import goal as goals
from coterie.prediction.definition import Model
from coterie.prediction.run import Prediction, Run, Version
from coterie.prediction.why.explanation import BUCKETS, Counterfactual, Factor
from coterie.prediction.why.insights import Insights
from coterie.prediction.why.peers import Peers
from coterie.profile.record import find_person, records
from coterie.store.sandbox import Sandbox

if TYPE_CHECKING:
    from coterie.pipeline.predictions.versions import Learnt
    from coterie.prediction.data.store import FeatureStore


def number_of(sandbox: Sandbox, view: str, person: str) -> int:
    """Return the number of a person named by an identity or a public id; raises ``identity.not-found``."""
    found = find_person(sandbox.history.con, view, person)
    if found is None:
        raise NotFound(
            "identity.not-found",
            f"nobody in the view {view} is called {person}.",
            hint="Name an identity as Namespace:value, such as Email:anna@example.com, or the id of a person, p-….",
            where={"person": person, "view": view},
        )
    return found


def public_id(sandbox: Sandbox, person: int) -> str:
    """Return the public id of a person."""
    rows = sandbox.history.con.execute(
        "SELECT n.code, i.value FROM identity i JOIN namespace n ON n.namespace = i.namespace WHERE i.identity = $1",
        [person],
    ).fetchall()
    return person_id(*rows[0])


# -- as it stands on the profile --------------------------------------------------------------------------------------


def stored(sandbox: Sandbox, key: str, person: str) -> Prediction:
    """Return what a model says of a person on the profile.

    Raises
    ------
    NotFound
        ``model.no-score`` when nothing of it stands there.
    """
    model = models.model_named(Definitions(sandbox.catalog), key)
    number = number_of(sandbox, model.view, person)
    found = _scores(sandbox, model.view, number).get(key)
    if found is None:
        message, hint = _unscored(sandbox, model, person)
        raise NotFound("model.no-score", message, hint=hint, where={"model": key, "person": person})
    return _prediction(sandbox, model, public_id(sandbox, number), found)


def all_stored(sandbox: Sandbox, person: str) -> list[Prediction]:
    """Return everything that is predicted of a person on the profile, by model; what has expired is left out."""
    found: list[Prediction] = []
    numbers: dict[str, int] = {}
    for model in Definitions(sandbox.catalog).list(Model):
        if model.view not in numbers:
            numbers[model.view] = number_of(sandbox, model.view, person)
        scores = _scores(sandbox, model.view, numbers[model.view]).get(model.key)
        if scores is not None:
            told = _prediction(sandbox, model, public_id(sandbox, numbers[model.view]), scores)
            found += [] if told.expired else [told]
    return found


def _scores(sandbox: Sandbox, view: str, person: int) -> Mapping[str, Any]:
    union = Definitions(sandbox.catalog).stored_union()
    ((_, record),) = records(sandbox.history.con, union, view, [person], events=False) or ((person, {}),)
    scores: Mapping[str, Any] = record.get(PREDICTED, {})
    return scores


def _prediction(sandbox: Sandbox, model: Model, person: str, scores: Mapping[str, Any]) -> Prediction:
    def instant(name: str) -> int | None:
        return parse_instant(scores[name]) if name in scores else None

    until = instant("valid_until")
    assert until is not None
    expired = until <= sandbox.clock.now()
    notes = (f"The score expired on {format_date(until)}: it counts no longer.",) if expired else ()
    return Prediction(
        person=person,
        key=model.key,
        name=model.name,
        propensity=model.propensity,
        goal=goals.words(model.goal),
        score=scores["score"],
        probability=float(scores["probability"]),
        interval=(float(scores["interval"][0]), float(scores["interval"][1])),
        percentile=scores["percentile"],
        bucket=scores["bucket"],
        window_days=scores["window_days"],
        as_of=instant("as_of") or 0,
        score_date=instant("score_date") or 0,
        valid_until=until,
        version=scores["model_version"],
        run=scores["run_id"],
        previous_score=scores.get("previous_score"),
        expected_date=instant("expected_date"),
        factors=tuple(factor_of(item) for item in scores.get("factors") or ()),
        factors_against=tuple(factor_of(item) for item in scores.get("factors_against") or ()),
        expired=expired,
        notes=notes,
    )


def factor_of(item: Mapping[str, Any]) -> Factor:
    """Return a reason as it stands on a profile."""
    peers, text = item.get("peer_range"), item.get("counterfactual")
    return Factor(
        code=item["code"],
        label=item["label"],
        value_label=item["value_label"],
        direction=item["direction"],
        contribution=float(item["contribution"]),
        share=float(item["share"]),
        importance=item["importance"],
        value=item.get("value"),
        peer_range=(peers[0], peers[1]) if peers else None,
        peer_label=item.get("peer_label") or "",
        counterfactual=Counterfactual("waiting", text) if text else None,
    )


def _unscored(sandbox: Sandbox, model: Model, person: str) -> tuple[str, str | None]:
    """Return why a person has no score, and what to do about it."""
    try:
        last = runs.named(sandbox, model.key, "latest")
    except NotFound as error:
        return f"{person} has no score: {error.message}", error.hint
    if last.batch is None:
        message = f"{person} has no score on the profile: run {last.number} was not published."
        return message, f"Publish scores: `coterie ai edit {model.key} --publish`."
    days = model.population.lookback_days
    since = "" if days is None else f", in which people are who did something in the {days} days before"
    message = f"{person} has no score: not in the population of {format_date(last.as_of)}{since}."
    return message, f"`coterie ai show {model.key}` says who is scored."


# -- on demand ------------------------------------------------------------------------------------------------------


@dataclass
class Desk:
    """Scores single persons on demand; what it has read of a version stays in memory.

    Parameters
    ----------
    sandbox : Sandbox
        Open stores.
    """

    sandbox: Sandbox
    _known: dict[str, _Ready] = field(default_factory=dict)

    def score(self, key: str, person: str, at: int | None = None, *, what_if: bool = False) -> Prediction:
        """Return what the version in use says of a person as of an instant, default now; nothing is saved.

        What would move the person to another bucket is looked for if it is asked for: it takes longer than the score.

        Raises
        ------
        NotFound
            ``identity.not-found``, ``model.untrained``.
        Conflict
            ``model.not-eligible`` when the person is not in the population at that instant.
        """
        from coterie.prediction.modelling import scoring
        from coterie.prediction.why import counterfactual, reasons

        ready = self._ready(key)
        model = ready.model
        number = number_of(self.sandbox, model.view, person)
        now = self.sandbox.clock.now()
        instant = now if at is None else at
        frame = ready.store.build([instant], BitMap([number]))
        if not len(frame):
            raise _not_eligible(model, person, instant)
        scores = scoring.score(ready.learnt.trained, frame, model.buckets)
        bucket = int(scores.bucket[0])
        of = explaining.bucket_of(model, ready.learnt)
        told = reasons.explanation(
            ready.learnt.trained,
            frame,
            bucket,
            ready.learnt.scale,
            ready.peers,
            (lambda found: counterfactual.of_person(ready.store, of, frame, found)) if what_if else None,
        )
        timing, expected = None, None
        if ready.learnt.survival is not None:
            (timing,) = ready.learnt.survival.timing(frame, scores.probability)
            days = timing.expected_day
            expected = None if days is None else instant + (model.goal.gap_days + days) * DAY
        return Prediction(
            person=public_id(self.sandbox, number),
            key=model.key,
            name=model.name,
            propensity=model.propensity,
            goal=goals.words(model.goal),
            score=int(scores.score[0]),
            probability=float(scores.probability[0]),
            interval=(float(scores.low[0]), float(scores.high[0])),
            percentile=ready.percentile(int(scores.score[0])),
            bucket=BUCKETS[bucket],  # type: ignore[arg-type]
            window_days=model.goal.window_days,
            as_of=instant,
            score_date=now,
            valid_until=publishing.valid_until(model, instant),
            version=ready.version,
            expected_date=expected,
            factors=told.raises,
            factors_against=told.lowers,
            exposures=told.exposures,
            timing=timing,
            counterfactuals=told.counterfactuals,
            notes=("Worked out on demand: it is not what stands on the profile.",),
        )

    def _ready(self, key: str) -> _Ready:
        position = self.sandbox.log.last
        known = self._known.get(key)
        if known is None or known.position != position:  # anything may be other than before
            model = models.model_named(Definitions(self.sandbox.catalog), key)
            version = versions.named(self.sandbox, key, None)
            same = known is not None and (known.version, known.hashes) == (version.number, version.hashes)
            learnt = known.learnt if known is not None and same else versions.learnt(self.sandbox, version)
            known = self._known[key] = _Ready.read(self.sandbox, model, learnt, version, position)
        return known


@dataclass(frozen=True)
class _Ready:
    """A version in memory, with what the last run says of everybody, as of a position of the log."""

    position: int
    model: Model
    version: int
    hashes: Mapping[str, str]
    learnt: Learnt
    store: FeatureStore
    peers: Peers
    people: tuple[int, ...]

    @classmethod
    def read(cls, sandbox: Sandbox, model: Model, learnt: Learnt, version: Version, position: int) -> _Ready:
        data = Data(sandbox, learnt.model, Definitions(sandbox.catalog).union())
        last = _last(sandbox, model.key)
        peers, people = Peers({}), tuple[int, ...]()
        if last is not None:
            folder = folders.run(sandbox.path, last.key, last.number)
            peers = msgspec.json.decode((folder / publishing.PEERS).read_bytes(), type=Peers)
            insights = msgspec.json.decode((folder / publishing.INSIGHTS).read_bytes(), type=Insights)
            people = insights.distribution.people
        store = data.store(learnt.vocabulary)
        return cls(position, model, version.number, version.hashes, learnt, store, peers, people)

    def percentile(self, score: int) -> int | None:
        """Return the rank of a score among those of the last run, in hundredths."""
        total = sum(self.people)
        if not total:
            return None
        below = sum(self.people[:score])
        rank = below + (self.people[score] + 1) / 2
        return int(np.clip(np.ceil(100 * rank / total), 1, 100))


def _last(sandbox: Sandbox, key: str) -> Run | None:
    last = next(iter(ended.scored(Definitions(sandbox.catalog), key)), None)
    folder = None if last is None else folders.run(sandbox.path, key, last.number)
    return last if folder is not None and (folder / publishing.PEERS).exists() else None


def _not_eligible(model: Model, person: str, at: int) -> Conflict:
    days = model.population.lookback_days
    since = "at all" if days is None else f"in the {days} days before"
    rule = "" if model.population.where is None and model.population.audience is None else ", or does not fit its rule"
    return Conflict(
        "model.not-eligible",
        f"{person} is not in the population of model {model.key} on {format_date(at)}: did nothing {since}{rule}.",
        hint="The population says whom the model learnt from; of others it knows nothing.",
        where={"model": model.key, "person": person},
    )
