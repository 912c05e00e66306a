"""Customer AI: models, what runs found, how good they are, and what is predicted of persons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from annotated_types import Ge, Le

from coterie.api.reading import Limit, Name, get, post
from coterie.core.clock import to_datetime
from coterie.core.errors import Invalid
from coterie.prediction.definition import Model
from coterie.prediction.modelling.evaluation import Estimate, Evaluation
from coterie.prediction.run import ModelView, Prediction, Run, ScoresPage
from coterie.prediction.trust.card import Card
from coterie.prediction.trust.checks import Check
from coterie.prediction.trust.drift import Drift
from coterie.prediction.trust.outcomes import Monitoring
from coterie.prediction.trust.value import Value
from coterie.prediction.why.insights import Insights, Migration

if TYPE_CHECKING:
    from coterie.workspace import Workspace

Version = Annotated[int, Ge(1)]
Year = Annotated[int, Ge(1970), Le(9998)]
Amount = Annotated[float, Ge(0)]


class GoalView(msgspec.Struct, frozen=True):
    """A goal in words, and as the rule of the people who met it in the last days."""

    words: str
    pql: str
    view: str


class VersionView(msgspec.Struct, frozen=True):
    """A version in short.

    Parameters
    ----------
    number : int
        From 1.
    run : str
        The run that trained it.
    trained_at, as_of : int
        When, and the instant before which everything lies that it learnt from.
    algorithm : str
        The learner.
    auc : Figure
        Of its back-tests together.
    in_use : bool
        Whether it scores people.
    decision : str
        Why it took the place of the one before, or did not.
    """

    number: int
    run: str
    trained_at: int
    as_of: int
    algorithm: str
    auc: Estimate
    in_use: bool
    decision: str


class Counted(msgspec.Struct, frozen=True):
    """How many scores were given in a calendar year (UTC), by deleted models too."""

    year: int
    scores: int


@get("/api/models")
def models(ws: Workspace) -> list[ModelView]:
    """List the models with their last runs."""
    return ws.predictions.list()


@get("/api/models:due")
def models_due(ws: Workspace, at: Name | None = None) -> list[ModelView]:
    """List the models whose time to run has come."""
    return ws.predictions.due(at)


@get("/api/models:counted")
def models_counted(ws: Workspace, year: Year | None = None) -> Counted:
    """Count the scores given in a calendar year, default this one, by deleted models too."""
    chosen = year or to_datetime(ws.sandbox.clock.now()).year
    return Counted(chosen, ws.predictions.counted(chosen))


@post("/api/models:check")
def check_model(
    ws: Workspace, key: Name | None = None, model: dict[str, Any] | None = None, at: Name | None = None
) -> Check:
    """Count whom a model would learn from and score, and tell what stands in its way; nothing is trained."""
    if (key is None) == (model is None):
        raise Invalid("model.check", "expected the key of a model, or else a model that is not saved.")
    return ws.predictions.check(key if model is None else model, at=at)  # type: ignore[arg-type]


@post("/api/models:score")
def score_person(ws: Workspace, key: Name, person: Name, at: Name | None = None, what_if: bool = False) -> Prediction:
    """Score one person now, and tell on request what would move them to another bucket; nothing is saved."""
    return ws.predictions.score(key, person, at=at, what_if=what_if)


@get("/api/models/{key}")
def model(ws: Workspace, key: Name) -> ModelView:
    """Show a model with its last run."""
    return ws.predictions.view(key)


@get("/api/models/{key}/definition")
def model_definition(ws: Workspace, key: Name) -> Model:
    """Show a model as it was stated."""
    return ws.predictions.get(key)


@get("/api/models/{key}/goal")
def model_goal(ws: Workspace, key: Name) -> GoalView:
    """Show the goal of a model in words and as an audience."""
    from coterie.prediction import goal

    found = ws.predictions.get(key)
    return GoalView(goal.words(found.goal), goal.to_pql(found.goal, ws.definitions.union()), found.view)


@get("/api/models/{key}/runs")
def model_runs(ws: Workspace, key: Name) -> list[Run]:
    """List the runs of a model, the newest first."""
    return ws.predictions.runs(key)


@get("/api/models/{key}/versions")
def model_versions(ws: Workspace, key: Name) -> list[VersionView]:
    """List the versions of a model, the newest first: how good they are, and which is in use."""
    used = ws.predictions.view(key).version
    return [
        VersionView(
            number=item.number,
            run=item.run,
            trained_at=item.trained_at,
            as_of=item.as_of,
            algorithm=item.algorithm,
            auc=msgspec.convert(item.evaluation, Evaluation).pooled.auc,
            in_use=item.number == used,
            decision=item.decision,
        )
        for item in ws.predictions.versions(key)
    ]


@get("/api/models/{key}/runs/{run}/scores")
def model_scores(
    ws: Workspace, key: Name, run: Name = "latest", limit: Limit = 100, after: Name | None = None
) -> ScoresPage:
    """List the scores of a run with their reasons, the likeliest people first."""
    return ws.predictions.page(key, run, limit, after)


@get("/api/models/{key}/runs/{run}/insights")
def model_insights(ws: Workspace, key: Name, run: Name = "latest") -> Insights:
    """Tell what a run says of everybody: buckets, scores, factors and their values."""
    return ws.predictions.insights(key, run)


@get("/api/models/{key}/runs/{run}/drift")
def model_drift(ws: Workspace, key: Name, run: Name = "latest") -> Drift:
    """Tell what moved between training and a run."""
    return ws.predictions.drift(key, run)


@get("/api/models/{key}/runs/{run}/migration")
def model_migration(ws: Workspace, key: Name, run: Name = "latest", earlier: Name | None = None) -> Migration:
    """Tell how many people moved between buckets from one run to another."""
    return ws.predictions.migration(key, run, earlier)


@get("/api/models/{key}/runs/{run}/value")
def model_value(
    ws: Workspace, key: Name, contact_cost: Amount, value_per_success: Amount, run: Name = "latest"
) -> Value:
    """Work out the profit of contacting the likeliest people first, and the best cut."""
    return ws.predictions.value(key, contact_cost, value_per_success, run)


@get("/api/models/{key}/evaluation")
def model_evaluation(ws: Workspace, key: Name, version: Version | None = None) -> Evaluation:
    """Tell how a model did at past dates that it had not learnt from."""
    return ws.predictions.evaluation(key, version)


@get("/api/models/{key}/card")
def model_card(ws: Workspace, key: Name, version: Version | None = None) -> Card:
    """Show the model card."""
    return ws.predictions.card(key, version)


@get("/api/models/{key}/outcomes")
def model_outcomes(ws: Workspace, key: Name) -> Monitoring:
    """Compare what runs expected with what came, once their windows have closed."""
    return ws.predictions.outcomes(key)


@get("/api/models/{key}/people/{person:path}")
def prediction(ws: Workspace, key: Name, person: Name) -> Prediction:
    """Tell what a model says of a person, and why."""
    return ws.predictions.explain(key, person)


@get("/api/predictions")
def predictions(ws: Workspace, person: Name) -> list[Prediction]:
    """Tell everything that is predicted of a person."""
    return ws.predictions.predictions(person)
