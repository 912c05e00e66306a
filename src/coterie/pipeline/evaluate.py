"""Evaluation of audiences as a logged act: the log keeps the instant, so a rebuild gives the same intervals."""

from __future__ import annotations

from collections.abc import Iterable

from coterie.audience import ledger, plan
from coterie.audience.definition import Audience, Evaluation
from coterie.core.clock import format_instant
from coterie.core.errors import Conflict, Invalid
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

    Raises
    ------
    Conflict
        ``audience.later`` when the ledger has changes of these audiences after the instant.
    """
    definitions = Definitions(sandbox.catalog)
    known = {item.name: item for item in definitions.list(Audience)}
    chosen = plan.closure(known if names is None else [definitions.get(Audience, name).name for name in names], known)
    if not chosen:
        raise Invalid(
            "audience.none", "there is no audience to evaluate.", hint="Save one with `coterie audience put`."
        )
    instant = sandbox.clock.now() if at is None else at
    latest = None if at is None else ledger.latest(sandbox.history.con, chosen)
    if latest is not None and instant < latest:
        raise Conflict(
            "audience.later",
            f"members as of {format_instant(instant)} cannot be saved: the ledger has changes up to "
            f"{format_instant(latest)}.",
            hint="Ask without saving: `coterie audience count --audience NAME --at …`.",
            where={"at": format_instant(instant), "latest": format_instant(latest)},
        )
    body = {
        "at": instant,
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
