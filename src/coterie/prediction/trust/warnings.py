"""What Customer AI is not for, told where it seems to be used so.

The non-goals are those of the field (the mission in Adobe's overview of Customer AI), the uses that are ruled out those
of its page on the details of the model.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import msgspec

from coterie.prediction.definition import Goal, Kind, Model, Schedule, Test
from coterie.prediction.problems import Problem, problem

MANY_VALUES, MANY_ALIKE = 50, 20
"""More values in a goal, or more models that differ only by their values, are the work of a recommender."""

UPLIFT = (
    "A high score says that somebody is likely to do it, not that an offer makes them do it: many would do it anyway."
    " Hold out a random 10 % of the people you contact, and compare."
)
"""Shown with every audience of people who are likely to convert."""

RULED_OUT = (
    "decisions on credit, insurance or housing",
    "medical or legal decisions",
    "telling sensitive traits such as health, religion, ethnic origin, politics or sexual orientation",
)
"""Uses that a model must not be put to."""
EMPLOYMENT = "Decisions on employment need a review of their own before scores are used for them."

_PRICE = re.compile(r"price(?!.*total)", re.IGNORECASE)
_STAGE = re.compile(r"(journey|funnel|lifecycle|buying)[._ ]?stage|^stage$", re.IGNORECASE)
_RISK = re.compile(
    r"\b(credit|creditworth\w*|loan|insurance|mortgage|housing|medical|diagnos\w*|disease|health|legal|court|criminal\w*"
    r"|religio\w*|ethnic\w*|race|politic\w*|sexual\w*|pregnan\w*)\b",
    re.IGNORECASE,
)
_APART = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[._]")
"""Between the words in the path of a field."""
_WORK = re.compile(
    r"\b(hiring|recruit\w*|applicants?|employees?|promotion of staff|dismissal|layoffs?)\b", re.IGNORECASE
)
_OF_OTHERS = re.compile(
    r"(^|[^a-z])(sent|sends|delivered|bounced?|impressions?|targeted|displayed)([^a-z]|$)", re.IGNORECASE
)


def warnings_of(model: Model, others: Collection[Model] = ()) -> tuple[Problem, ...]:
    """Return what is to be said of a model as it is stated, before its data are looked at.

    Parameters
    ----------
    model : Model
        The model.
    others : collection of Model
        The models there are beside it.
    """
    return (
        *_price(model.goal),
        *_uplift(model),
        *_values(model.goal),
        *_alike(model, others),
        *_stage(model.goal),
        *_risk(model),
        *_acts_of_others(model),
    )


def _price(goal: Goal) -> Iterator[Problem]:
    fields = [test.field for test in _tests(goal) if test.op in _COMPARING and _PRICE.search(_leaf(test.field))]
    if fields:
        yield problem(
            "model.price",
            None,
            f"the goal compares a price ({fields[0]}). A model tells how likely somebody acts, not at which price they"
            " would: prices that were not offered are not in the data.",
            "State the goal without the price. To find prices, offer different ones to people chosen at random.",
            warning=True,
            fields=fields,
        )


def of_likely(model: Model) -> tuple[str, ...]:
    """Return what is to be said wherever people are chosen for a high score."""
    return (UPLIFT,) if model.propensity == "conversion" else ()


def _uplift(model: Model) -> Iterator[Problem]:
    for said in of_likely(model):
        hint = "`coterie ai value` shows what a cut is worth; the held out people show what the contact is worth."
        yield problem("model.uplift", None, said, hint, note=True)


def _values(goal: Goal) -> Iterator[Problem]:
    most = max((len(test.value) for test in _tests(goal) if isinstance(test.value, list | tuple)), default=0)
    if most > MANY_VALUES:
        yield problem(
            "model.many-values",
            None,
            f"the goal lists {most} values, more than {MANY_VALUES}. Which of many products somebody will like is for a"
            " recommender to say.",
            "Use a category of the products, or a test such as `starts_with`.",
            warning=True,
            values=most,
        )


def _alike(model: Model, others: Collection[Model]) -> Iterator[Problem]:
    shape = _shape(model)
    alike = sum(other.key != model.key and _shape(other) == shape for other in others)
    if alike >= MANY_ALIKE:
        yield problem(
            "model.many-alike",
            None,
            f"{alike} other models differ from this one only by the values in their goals. Models for each of many"
            " products are no substitute for a recommender.",
            "Keep those that are used, and let one model tell who buys at all.",
            warning=True,
            models=alike + 1,
        )


def _stage(goal: Goal) -> Iterator[Problem]:
    fields = [test.field for test in _tests(goal) if _STAGE.search(_leaf(test.field))]
    if fields:
        yield problem(
            "model.stage",
            None,
            f"the goal reads {fields[0]}. A model tells how likely an event is, not in which stage of a journey"
            " somebody is.",
            "State the event that ends the stage, such as an order.",
            warning=True,
            fields=fields,
        )


def _risk(model: Model) -> Iterator[Problem]:
    named = (*(event.name for event in model.goal.events), *(kind.name for kind in model.custom_events))
    fields = (*(test.field for test in _tests(model.goal)), *(item.field for item in model.attributes))
    said = " ".join((model.name, model.description, *named, *(_APART.sub(" ", field) for field in fields)))
    if found := _RISK.search(said):
        yield problem(
            "model.high-risk",
            None,
            f"the model speaks of {found[0]!r}. Scores must not be used for {'; for '.join(RULED_OUT)}.",
            "Do not use it for such a decision. When it is about something else, say so in the description.",
            warning=True,
            word=found[0],
        )
    if found := _WORK.search(said):
        yield problem("model.employment", None, EMPLOYMENT, "Have it reviewed first.", warning=True, word=found[0])


def _acts_of_others(model: Model) -> Iterator[Problem]:
    for kind in model.custom_events:
        if word := _not_their_own(kind):
            yield problem(
                "model.not-their-own",
                None,
                f"the custom event {kind.name!r} seems to be what others did to people ({word}). Reasons for a score"
                " are what people do themselves.",
                f"Move {kind.name!r} to `exposures`: the model learns from them, and never names them as a reason.",
                warning=True,
                event=kind.name,
            )


def _not_their_own(kind: Kind) -> str | None:
    said = (kind.name, *(str(test.value) for test in kind.where if test.op in ("eq", "in")))
    found = _OF_OTHERS.search(" ".join(said))
    return None if found is None else found[2]


_COMPARING = ("gt", "gte", "lt", "lte", "between", "eq")


def _tests(goal: Goal) -> Iterator[Test]:
    for event in goal.events:
        yield from event.where


def _leaf(field: str) -> str:
    return field.rsplit(".", 1)[-1]


def _shape(model: Model) -> bytes:
    """Return a model without what names it and without the values in its goal."""
    events = tuple(
        msgspec.structs.replace(event, name="", where=tuple(Test(test.field, test.op) for test in event.where))
        for event in model.goal.events
    )
    goal = msgspec.structs.replace(model.goal, events=events)
    bare = msgspec.structs.replace(
        model, key="", name="", description="", goal=goal, schedule=Schedule(), draft=False, publish=True
    )
    return msgspec.json.encode(bare)
