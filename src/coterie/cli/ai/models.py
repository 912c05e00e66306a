"""`coterie ai`: the verbs that state models, look at them and change them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from coterie.cli import show
from coterie.cli.ai import listed, stated
from coterie.cli.confirm import Yes, confirm
from coterie.cli.session import Session
from coterie.cli.verb import verb
from coterie.core.errors import Invalid

Key = Annotated[str, typer.Argument(help="Key of the model.")]
At = Annotated[str | None, typer.Option(help="Instant to score as of; default now. Later events are left out.")]
KeyOrFile = Annotated[str, typer.Argument(help="Key of the model, or a YAML or JSON file that states one.")]


def add(app: typer.Typer) -> None:
    """Make the verbs of this module verbs of `app`."""
    for name, function in (
        ("create", create),
        ("check", check),
        ("list", list_),
        ("show", show_),
        ("edit", edit),
        ("clone", clone),
        ("delete", delete),
        ("goal", goal),
    ):
        verb(app, name)(function)


def create(
    session: Session,
    key: Annotated[str, typer.Argument(help="Key of the new model, or a YAML or JSON file that states all of it.")],
    goal: Annotated[
        list[str] | None,
        typer.Option(
            help="What is to occur: a type of events, or a condition on an event in PQL. Several must all occur."
        ),
    ] = None,
    rule: Annotated[str | None, typer.Option(help="Or the goal as a rule in PQL over the last days.")] = None,
    from_audience: Annotated[
        str | None, typer.Option(help="Or the goal of the members of an audience: what they did in its days.")
    ] = None,
    within: Annotated[str | None, typer.Option(help="Within how long, such as 30d or 4w.")] = None,
    not_: Annotated[bool, typer.Option("--not", help="Predict that nothing of it occurs.")] = False,
    any_: Annotated[bool, typer.Option("--any", help="One of several goals is enough.")] = False,
    gap: Annotated[str | None, typer.Option(help="Days to act in, before the window starts.")] = None,
    lookback: Annotated[
        str | None, typer.Option(help="Score who did something in the last days, such as 60d; or all.")
    ] = None,
    where: Annotated[str | None, typer.Option(help="Score only people for whom this rule holds, in PQL.")] = None,
    audience: Annotated[str | None, typer.Option(help="Score only people of this audience.")] = None,
    attribute: Annotated[
        list[str] | None, typer.Option(help="Learn also from this field of profiles; repeatable.")
    ] = None,
    protected: Annotated[
        list[str] | None, typer.Option(help="Compare groups of this field, and never learn from it; repeatable.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name for people; it stands wherever the score is shown.")] = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    propensity: Annotated[
        Literal["conversion", "churn"] | None,
        typer.Option(help="Whether a high score is good or bad; default churn with --not."),
    ] = None,
    schedule: Annotated[str, typer.Option(help="How often to score: once, daily, weekly, monthly.")] = "weekly",
    publish: Annotated[bool, typer.Option("--publish/--no-publish", help="Write scores to profiles.")] = True,
    draft: Annotated[bool, typer.Option("--draft", help="Save it, but do not let it run yet.")] = False,
    policy: Annotated[str | None, typer.Option("--policy", "--view", help="Name of the merge policy.")] = None,
) -> None:
    """State what is to be predicted, for whom and how often. Nothing is trained yet.

    For example: coterie ai create buys_soon --goal commerce.purchases --within 30d --lookback 60d
    """
    if stated.is_file(key):
        given = (
            goal,
            rule,
            from_audience,
            within,
            gap,
            lookback,
            where,
            audience,
            attribute,
            protected,
            name,
            propensity,
        )
        if any(given) or not_ or any_:
            raise Invalid(
                "model.goal",
                f"{key} states the whole model, so the options that state a goal do not go with it.",
                hint="Change the file, or give a key instead of the file.",
            )
        spec = stated.read_model(Path(key))
        session.print(session.change(lambda ws: _made(ws, spec)), _created)
        return
    asked = stated.Asked(key, goal or (), rule, from_audience, within, lookback, gap, not_, any_, where, audience)
    rest: dict[str, Any] = {
        "description": description,
        "propensity": propensity or ("churn" if not_ else "conversion"),
        "attributes": [{"field": field} for field in attribute or ()],
        "protected": protected or [],
        "schedule": {"score": schedule},
        "publish": publish,
        "draft": draft,
        **({"view": policy} if policy else {}),
    }
    session.text = rule
    session.print(session.change(lambda ws: _made(ws, stated.model(ws, asked, name) | rest)), _created)


def _made(ws: Any, spec: dict[str, Any]) -> Any:
    return _whole(ws, ws.predictions.create(spec).key)


def _whole(ws: Any, key: str) -> Any:
    predictions = ws.predictions
    return {"model": predictions.view(key), "stated": predictions.get(key), "advice": predictions.advice(key)}


def _created(out: Console, found: dict[str, Any]) -> None:
    listed.model(out, found["model"], found["stated"])
    listed.problems(out, [item for item in found["advice"] if item["severity"] == "warning"])
    key = found["model"]["key"]
    out.print()
    out.print(Text(f"Next: coterie ai check {key}, then coterie ai run {key}", style="dim"))


def check(
    session: Session,
    model: KeyOrFile,
    at: At = None,
    whole: Annotated[
        bool, typer.Option("--all", help="Show every cut-off, and fields that are not always filled.")
    ] = False,
) -> None:
    """Count whom a model would learn from and score, and tell what stands in its way. Nothing is trained.

    Exit code 2 when it cannot run.
    """
    named = {"model": stated.read_model(Path(model))} if stated.is_file(model) else {"key": model}
    answer = session.read("check_model", **named, at=at)
    session.print(answer, lambda out, found: listed.check(out, found, whole=whole))
    if any(item["severity"] == "error" for item in msgspec.json.decode(answer)["problems"]):
        raise typer.Exit(Invalid.exit_code)


def list_(session: Session) -> None:
    """List the models with their last runs."""
    answer = session.read("models")
    counted = {} if session.json else msgspec.json.decode(session.read("models_counted"))
    session.print(answer, lambda out, found: listed.models(out, found, counted))


def show_(session: Session, key: Key) -> None:
    """Show a model: what it predicts, for whom, from what, how often, and where it stands."""
    view = session.read("model", key=key)
    spec = {} if session.json else msgspec.json.decode(session.read("model_definition", key=key))
    session.print(view, lambda out, found: listed.model(out, found, spec))


def edit(
    session: Session,
    key: Key,
    name: Annotated[str | None, typer.Option(help="Name for people.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    schedule: Annotated[str | None, typer.Option(help="How often to score: once, daily, weekly, monthly.")] = None,
    retrain: Annotated[str | None, typer.Option(help="How often to train anew: auto, monthly.")] = None,
    publish: Annotated[
        bool | None, typer.Option("--publish/--no-publish", help="Whether scores are written to profiles.")
    ] = None,
    medium: Annotated[int | None, typer.Option(help="The least score of the bucket medium.")] = None,
    high: Annotated[int | None, typer.Option(help="The least score of the bucket high.")] = None,
    draft: Annotated[bool | None, typer.Option("--draft/--no-draft", help="Whether it is not to be run yet.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Of a draft: everything, from a YAML or JSON file.")
    ] = None,
) -> None:
    """Change what does not change what is learnt; anything else is a new model: `coterie ai clone`.

    A draft may be changed in everything but its key.
    """
    before = msgspec.json.decode(session.read("model_definition", key=key))
    changes: dict[str, Any] = {} if file is None else stated.read_model(file)
    changes.pop("key", None)
    changes |= {
        word: value
        for word, value in (("name", name), ("description", description), ("publish", publish), ("draft", draft))
        if value is not None
    }
    if schedule is not None or retrain is not None:
        given = {"score": schedule, "retrain": retrain}
        kept = before.get("schedule") or {}
        changes["schedule"] = kept | {word: value for word, value in given.items() if value is not None}
    if medium is not None or high is not None:
        bounds = {"medium": medium, "high": high}
        kept = before.get("buckets") or {}
        changes["buckets"] = kept | {word: value for word, value in bounds.items() if value is not None}
    asked = {word: value for word, value in changes.items() if value is not None}

    def change(ws: Any) -> Any:
        ws.predictions.edit(key, **asked)
        return {"model": ws.predictions.view(key), "stated": ws.predictions.get(key)}

    session.print(session.change(change), lambda out, found: listed.model(out, found["model"], found["stated"]))


def clone(
    session: Session,
    key: Key,
    new: Annotated[str, typer.Argument(help="Key of the new model.")],
    name: Annotated[str | None, typer.Option(help="Name for people.")] = None,
    within: Annotated[str | None, typer.Option(help="Another window of the goal, such as 60d.")] = None,
    lookback: Annotated[str | None, typer.Option(help="Another look-back, such as 90d; or all.")] = None,
    where: Annotated[str | None, typer.Option(help="Score only people for whom this rule holds, in PQL.")] = None,
    publish: Annotated[
        bool | None, typer.Option("--publish/--no-publish", help="Whether scores are written to profiles.")
    ] = None,
) -> None:
    """Make a new model like another one, with some of it changed."""
    before = msgspec.json.decode(session.read("model_definition", key=key))
    changes: dict[str, Any] = {"name": name, "publish": publish}
    if within is not None:
        changes["goal"] = before["goal"] | {"window_days": stated.days(within, "--within", 365)}
    if lookback is not None or where is not None:
        people = dict(before.get("population") or {})
        if lookback is not None:
            people["lookback_days"] = None if lookback == "all" else stated.days(lookback, "--lookback")
        if where is not None:
            people["where"] = where
        changes["population"] = people
    asked = {word: value for word, value in changes.items() if value is not None}

    def change(ws: Any) -> Any:
        ws.predictions.clone(key, new, **asked)
        return _whole(ws, new)

    session.print(session.change(change), _created)


def delete(
    session: Session,
    key: Key,
    keep_scores: Annotated[
        bool, typer.Option("--keep-scores", help="Leave the scores on profiles until they expire.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Delete a model with its runs, its files and, unless told otherwise, its scores on profiles."""
    what = "its runs and files" if keep_scores else "its runs, files and scores on profiles"
    confirm(session, yes, f"Delete the model {key} with {what}?", f"coterie ai show {key}")

    def remove(ws: Any) -> Any:
        ws.predictions.delete(key, keep_scores=keep_scores)
        return {"deleted": key, "scores_kept": keep_scores}

    session.print(session.change(remove), lambda out, _: out.print(f"Deleted {key} with {what}."))


def goal(
    session: Session,
    key: Key,
    save: Annotated[str | None, typer.Option(help="Save the rule as an audience of this name.")] = None,
) -> None:
    """Show the goal as an audience: those who met it in the last days. `create --rule` goes the other way."""
    answer = session.read("model_goal", key=key)
    found = msgspec.json.decode(answer)
    if save is not None:
        session.change(lambda ws: ws.audiences.put(save, found["pql"], title=found["words"], view=found["view"]))

    def look(out: Console, told: dict[str, Any]) -> None:
        out.print(Text(show.words(told["words"]), style="bold"))
        out.print(Text(told["pql"].strip(), style="cyan"))
        if save is not None:
            out.print(f"Saved as audience {save}. Its members come with: coterie audience evaluate {save}")

    session.print(answer, look)
