"""What can be wrong with a prediction: every code, with the numbers, the dates and what to change.

The numbers and names are those of the field (Adobe's troubleshooting page of Customer AI); 420 to 422 are Coterie's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

from msgspec import Struct

from coterie.core.clock import DAY, format_date
from coterie.core.errors import Conflict, Invalid
from coterie.core.shares import percent

FLOOR, ADVISED = 100, 500
"""Fewest people of each outcome: to train at all, and to be trusted without a word of caution."""
SIMPLEST = 20
"""Fewest people with a history for BG/NBD, which needs no examples."""
REFUSED_AUC, DOUBTED_AUC = 0.55, 0.65
"""Lower ends of the interval of the AUC below which a model is not published, or only with a warning."""
TELLING_AUC = 0.95
"""From this AUC on a single feature that may know the outcome is taken to know it."""

Severity = Literal["error", "warning", "note"]


class Problem(Struct, frozen=True, omit_defaults=True):
    """What is wrong, or to be known, before or after people are scored.

    Parameters
    ----------
    code : str
        Stable code, such as ``model.not-enough-objective``; documented in ``docs/reference/errors.md``.
    severity : str
        ``error`` when it stops the run, ``warning`` when it needs a look, ``note`` when it is to be known.
    message : str
        What was found, with numbers and dates.
    hint : str
        What to change.
    number : int, optional
        The number of the code, such as 400; only those of the field and their like have one.
    figures : mapping
        The numbers of the message, for programs.
    """

    code: str
    severity: Severity
    message: str
    hint: str
    number: int | None = None
    figures: dict[str, Any] = {}


def problem(
    code: str, number: int | None, message: str, hint: str, *, warning: bool = False, note: bool = False, **figures: Any
) -> Problem:
    """Return a problem: an error, unless it is only a warning or a note."""
    return Problem(code, "note" if note else "warning" if warning else "error", message, hint, number, figures)


def ordered(found: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return errors first, then warnings, then notes."""
    return tuple(sorted(found, key=lambda each: get_args(Severity).index(each.severity)))


def errors(found: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return those that stop a run."""
    return tuple(each for each in found if each.severity == "error")


def refuse(model: str, found: Iterable[Problem]) -> None:
    """Raise the first problem that stops a run; its ``where`` has the number, the figures and the other codes."""
    if stopping := errors(found):
        raise _error(model, stopping[0], tuple(each.code for each in stopping[1:]))


def _error(model: str, first: Problem, others: tuple[str, ...]) -> Invalid | Conflict:
    kind = Conflict if first.code == "model.policy" else Invalid
    where = {"model": model, "number": first.number, **first.figures, **({"also": list(others)} if others else {})}
    return kind(first.code, f"model {model}: {first.message}", hint=first.hint, where=where)


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count:,} people"


def _days(count: float) -> str:
    return "1 day" if count == 1 else f"{count:,.0f} days"


def not_enough_objective(outcome: str, found: int, *, trainable: bool, first: int, last: int) -> Problem:
    """Return 400: too few people with one of the two outcomes.

    Parameters
    ----------
    outcome : str
        Which: words after "for whom", such as ``it happened``.
    found : int
        How many different people.
    trainable : bool
        Whether there is something to do with so few: between the floor and what is advised, or when a model that
        needs no examples can stand in.
    first, last : int
        Start of the first and end of the last window looked at.
    """
    fewer = found < FLOOR
    wanted = FLOOR if fewer else ADVISED
    then = (
        "a simpler model that needs no examples takes the place of the learners"
        if fewer
        else "intervals are wide and a simple model is preferred"
    )
    return problem(
        "model.not-enough-objective",
        400,
        f"there {'is' if found == 1 else 'are'} {_people(found)} for whom {outcome} in the windows from"
        f" {format_date(first)} to {format_date(last)}; at least {wanted:,} are {'needed' if fewer else 'advised'}"
        + (f", so {then}." if trainable else "."),
        "Lengthen the window, state the goal more widely, or lengthen the look-back of the population;"
        " or wait until more has happened.",
        warning=trainable,
        found=found,
        least=FLOOR,
        advised=ADVISED,
        outcome=outcome,
    )


def not_enough_population(found: int, *, trainable: bool, first: int, last: int) -> Problem:
    """Return 401: too few eligible people at the training cut-offs from `first` to `last`."""
    fewer = found < 2 * FLOOR
    wanted = 2 * FLOOR if fewer else 2 * ADVISED
    return problem(
        "model.not-enough-population",
        401,
        f"{_people(found)} {'was' if found == 1 else 'were'} eligible between {format_date(first)} and"
        f" {format_date(last)};"
        f" at least {wanted:,} are {'needed' if fewer else 'advised'}.",
        "Lengthen the look-back of the population, or drop some of its conditions.",
        warning=trainable,
        found=found,
        least=2 * FLOOR,
        advised=2 * ADVISED,
    )


def bad_model(auc: float, low: float, high: float) -> Problem | None:
    """Return 402 when the lower end of the interval of the AUC is too low; None when it is not."""
    if low >= DOUBTED_AUC:
        return None
    refused = low < REFUSED_AUC
    return problem(
        "model.bad",
        402,
        "of two people, one for whom it came true and one for whom it did not, the model picks the right one in"
        f" {percent(auc)} of cases,"
        f" by the interval in {percent(low)} to {percent(high)}; chance is 50 %"
        + (f", and below {percent(REFUSED_AUC)} nothing is published." if refused else "."),
        "Add events or attributes that have to do with the goal, give it more history, or state a goal that people"
        " decide themselves." + ("" if refused else " Compare the back-tests before you rely on it."),
        warning=not refused,
        auc=auc,
        low=low,
        high=high,
        refused_below=REFUSED_AUC,
        doubted_below=DOUBTED_AUC,
    )


def ineligible_scores(people: int, unusable: int, distinct: int) -> Problem:
    """Return 403: scores that are no probabilities, or the same for everybody."""
    what = f"{_people(unusable)} of {people:,} got no probability" if unusable else f"all {people:,} got the same one"
    return problem(
        "model.ineligible-scores",
        403,
        f"the scores cannot be used: {what}. Nothing was published; the scores of the run before stand.",
        "Train the model anew. If it happens again, look at the evaluation: the features may tell nothing of the goal.",
        people=people,
        unusable=unusable,
        distinct=distinct,
    )


def no_scoring_data(at: int, lookback: int | None) -> Problem:
    """Return 405: nobody is eligible at the instant of scoring."""
    since = "ever" if lookback is None else f"in the {_days(lookback)} before {format_date(at)}"
    return problem(
        "model.no-scoring-data",
        405,
        f"nobody is to be scored on {format_date(at)}: nobody with an event of their own {since} fits the population.",
        "Load newer events, lengthen the look-back, or score as of an earlier date.",
        at=at,
        lookback_days=lookback,
    )


def not_enough_history(available: float, required: int, first: int, last: int, *, trainable: bool) -> Problem:
    """Return 407: fewer days of events than are required; `trainable` when they do for a model without a back-test."""
    then = (
        "so the model is tested on people left aside, not on a later time" if trainable else "so nothing can be learnt"
    )
    return problem(
        "model.not-enough-history",
        407,
        f"there are {_days(int(available))} of events, from {format_date(first)} to {format_date(last)};"
        f" {required:,} are required, {then}.",
        "Load older events, or shorten the window or the look-back.",
        warning=trainable,
        available=available,
        required=required,
        first=first,
        last=last,
    )


def no_recent_data(days: int, end: int, usual: float) -> Problem:
    """Return 408: silence in the last days of the newest training window, where usually something happens."""
    return problem(
        "model.no-recent-data",
        408,
        f"eligible people have no event in the {_days(days)} before {format_date(end)}, the end of the newest window"
        f" to learn from; in as many days there are {usual:,.0f} usually. Events seem to be missing, and what is"
        " missing would be learnt as not done.",
        "Load the missing events, or score as of a date before the gap.",
        days=days,
        end=end,
        usual=usual,
    )


def no_objective(eligible: int, outcome: str, first: int, last: int) -> Problem:
    """Return 409: what is predicted came about for nobody in the training windows."""
    return problem(
        "model.no-objective",
        409,
        f"of {_people(eligible)}, there is none for whom {outcome} in the windows from {format_date(first)}"
        f" to {format_date(last)}.",
        "Lengthen the window, or state the goal more widely: see how often its events occur at all.",
        eligible=eligible,
        first=first,
        last=last,
    )


def no_population(at: int, lookback: int | None, people: int) -> Problem:
    """Return 410: nobody was eligible at any cut-off."""
    since = "before any of them" if lookback is None else f"in the {_days(lookback)} before one of them"
    return problem(
        "model.no-population",
        410,
        f"nobody is eligible at any cut-off until {format_date(at)}: of {_people(people)} with events none fits"
        f" the population with an event of their own {since}.",
        "Look at the rule of the population by `coterie audience count`, or lengthen its look-back.",
        at=at,
        lookback_days=lookback,
        people=people,
    )


def no_input(view: str) -> Problem:
    """Return 411: there are no events at all."""
    return problem(
        "model.no-input",
        411,
        f"there are no events of persons of the view {view}; Customer AI learns from what people did.",
        "Load a dataset of events first: `coterie ingest`.",
        view=view,
    )


def no_event(events: int, excluded: int, exposures: int) -> Problem:
    """Return 412: there are events, but none that people did themselves is left."""
    return problem(
        "model.no-event",
        412,
        f"of {events:,} events none is left to learn from: {excluded:,} are excluded, and {exposures:,} are exposures,"
        " which others did.",
        "Narrow the exclusions and the exposures; at least one kind of events must be something people do.",
        events=events,
        excluded=excluded,
        exposures=exposures,
    )


def single_value(eligible: int, outcome: str, first: int, last: int) -> Problem:
    """Return 413: what is predicted came about for everybody in the training windows."""
    return problem(
        "model.single-value",
        413,
        f"for all of {_people(eligible)} {outcome} in the windows from {format_date(first)} to {format_date(last)}:"
        " there is nothing to tell apart.",
        "Shorten the window, narrow the goal, or widen the population.",
        eligible=eligible,
        first=first,
        last=last,
    )


def no_factors(reason: str) -> Problem:
    """Return 414: the reasons of scores could not be worked out."""
    return problem(
        "model.no-factors",
        414,
        f"the scores were made, but not the reasons for them: {reason}. Nothing was published.",
        "Run it again; if it happens again, please report it with the model card.",
        reason=reason,
    )


def leakage_suspected(name: str, auc: float, late: float | None, *, refused: bool) -> Problem:
    """Return 420: a single attribute or feature nearly knows the outcome.

    Parameters
    ----------
    name : str
        The attribute, or the feature.
    auc : float
        How well it alone tells the two outcomes apart.
    late : float or None
        Share of people whose value was written after the cut-off; None where values are those of the cut-off.
    refused : bool
        Whether it stops the run: values that may have been written after the outcome do.
    """
    when = "" if late is None else f" {percent(late)} of its values were written after the date they are used for."
    meaning = (
        "It seems to be written because of the goal, and will not be known beforehand."
        if refused
        else "That may be so honestly; make sure that it is not written because of the goal."
    )
    return problem(
        "model.leakage-suspected",
        420,
        f"{name} alone tells in {percent(auc)} of cases for whom it comes true.{when} {meaning}",
        f"Leave {name} out, or take it in as dated records, so that its value at any date is known."
        if refused
        else f"Look at what writes {name}; leave it out if it follows the goal.",
        warning=not refused,
        name=name,
        auc=auc,
        late=late,
    )


def snapshot_unconfirmed(name: str, auc: float | None, late: float) -> Problem:
    """Return 420 for an attribute of which only the latest value is known, and which nobody has confirmed."""
    alone = "" if auc is None else f" Alone it tells in {percent(auc)} of cases for whom it comes true."
    return problem(
        "model.leakage-suspected",
        420,
        f"of {name} only the latest value is known, and {percent(late)} of the values were written after the date they"
        f" would be used for.{alone} If it changes when somebody meets the goal, the model learns from the answer.",
        f"Set `confirmed: true` for {name} when it does not change because of the goal, or leave it out.",
        name=name,
        auc=auc,
        late=late,
    )


def goal_never_before(names: Sequence[str], first: int, last: int, meant: str | None) -> Problem:
    """Return 421: events of the goal have never occurred, such as of a product not launched yet.

    `meant` is a suggestion, where a value of theirs is nearly one that is there.
    """
    return problem(
        "model.goal-never-before",
        421,
        f"{' and '.join(map(repr, names))} {'has' if len(names) == 1 else 'have'} not happened once from"
        f" {format_date(first)} to {format_date(last)}. What has never happened cannot be learnt, such as who buys a"
        " product that is not launched yet.",
        meant or "Correct the goal's conditions, or choose an event that has happened and is like it.",
        events=list(names),
        first=first,
        last=last,
    )


def event_never_seen(name: str, what: str, first: int, last: int, meant: str | None) -> Problem:
    """Return a warning: a kind of events that a model names has never occurred.

    `what` says what it is to the model; `meant` is a suggestion, as of `goal_never_before`.
    """
    return problem(
        "model.event-never-seen",
        None,
        f"{what} {name!r} has not happened once from {format_date(first)} to {format_date(last)}, so it changes"
        " nothing.",
        meant or "Correct its conditions, or leave it out.",
        warning=True,
        event=name,
        first=first,
        last=last,
    )


def data_stale(newest: int, now: int, lag: float) -> Problem:
    """Return 422, a warning: the newest event is older than usual, so people are scored as of then."""
    return problem(
        "model.data-stale",
        422,
        f"the newest event is of {format_date(newest)}, {(now - newest) / DAY:,.1f} days before {format_date(now)};"
        f" usually an event arrives {lag / DAY:,.1f} days after it happened. People are scored as of the newest event,"
        " not as of now.",
        "Load the events since then, and run again.",
        warning=True,
        newest=newest,
        now=now,
        usual_lag=lag,
    )


def long_window(window: int, days: float) -> Problem:
    """Return a warning: the window is longer than a third of the history."""
    return problem(
        "model.long-window",
        None,
        f"the window of {_days(window)} is longer than a third of the {_days(int(days))} of events: there are few"
        " windows to learn from and to test on.",
        f"A window of {_days(max(1, int(days / 3)))} or less can be tested more often.",
        warning=True,
        window_days=window,
        days=days,
    )


def scores_left_out(policy: str, dataset: str, *, there: bool) -> Problem:
    """Return a warning: the merge policy takes attributes from other datasets only, so profiles will have no scores."""
    then = "" if there else " after the first run, which makes it"
    return problem(
        "model.scores-left-out",
        None,
        f"the merge policy {policy} takes attributes from the datasets in its order only, and {dataset!r} is not among"
        " them: profiles and audiences of this policy will not have the scores.",
        f"Add the dataset to the order of the policy{then}: `coterie policy put {policy} --dataset …`.",
        warning=True,
        policy=policy,
        dataset=dataset,
    )


def churn_population(days: int, rule: str) -> Problem:
    """Return a note: who did it lately is the population to ask of whether they stop."""
    return problem(
        "model.churn-population",
        None,
        "the goal is that something stops, and everybody active is asked about it: many of them never began.",
        f"Ask of those who did it in the last {_days(days)}, in which nine of ten come back: `where: {rule}`.",
        note=True,
        lookback_days=days,
        rule=rule,
    )
