"""Evaluation of audiences as a logged act: the log keeps the instant, so a rebuild gives the same intervals."""

from __future__ import annotations

from collections.abc import Iterable

from coterie.audience import plan
from coterie.audience.definition import Audience, Evaluation
from coterie.core.errors import Invalid
from coterie.pipeline.apply import commit
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.effects.evaluations import EngineOf
from coterie.store.sandbox import Sandbox


def evaluate(
    sandbox: Sandbox,
    names: Iterable[str] | None,
    at: int | None,
    *,
    cause: str = "evaluation",
    engine: EngineOf | None = None,
) -> Evaluation:
    """Evaluate audiences and those they read.

    Parameters
    ----------
    sandbox : Sandbox
        Open stores.
    names : iterable of str, optional
        Which audiences; default all.
    at : int, optional
        Evaluation instant, ms; default the clock's now. At a past one, later events are left out.
    cause : str
        What the ledger names as the reason of each change.
    engine : callable, optional
        Gives the engine that evaluates conditions of a view; default a new `SqlEngine`.

    Returns
    -------
    Evaluation
        Members, entries and exits per audience.
    """
    definitions = Definitions(sandbox.catalog)
    known = {item.name: item for item in definitions.list(Audience)}
    chosen = plan.closure(known if names is None else [definitions.get(Audience, name).name for name in names], known)
    if not chosen:
        raise Invalid(
            "audience.none", "there is no audience to evaluate.", hint="Save one with `coterie audience put`."
        )
    body = {
        "at": sandbox.clock.now() if at is None else at,
        "audiences": [{"id": name, "version": definitions.version(Audience, name)} for name in chosen],
        "cause": cause,
    }
    until = past(sandbox, at)
    if until is not None:
        body["until"] = until
    evaluation = commit(sandbox, "audience.evaluated", body, engine=engine)
    assert isinstance(evaluation, Evaluation)
    return evaluation


def past(sandbox: Sandbox, at: int | None) -> int | None:
    """Return the instant asked at if it is a past one: what happened later is then left out of the answer."""
    return at if at is not None and at < sandbox.clock.now() else None
