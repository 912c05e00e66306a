"""What a model card says, section by section."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from coterie.core.clock import format_date
from coterie.core.shares import percent
from coterie.prediction.data.cutoffs import Cutoffs
from coterie.prediction.data.vocabulary import Source, Vocabulary
from coterie.prediction.definition import Model
from coterie.prediction.frame import Feature
from coterie.prediction.goal import words
from coterie.prediction.modelling.evaluation import Estimate, Evaluation, Measures
from coterie.prediction.modelling.interval import Window
from coterie.prediction.problems import Problem
from coterie.prediction.trust.card import Card, Line, Section, Table, made
from coterie.prediction.trust.checks import Check
from coterie.prediction.trust.fairness import Fairness
from coterie.prediction.trust.warnings import EMPLOYMENT, RULED_OUT, UPLIFT
from coterie.prediction.why.scale import FactorScale
from coterie.prediction.why.wording import factor_label

ALGORITHMS: Mapping[str, str] = {
    "blend": "mean of the log-odds of a logistic regression and boosted trees",
    "logistic": "logistic regression on standardised features (ridge penalty, C = 0.01)",
    "trees": "boosted trees (LightGBM)",
    "bgnbd": "BG/NBD (Fader, Hardie and Lee 2005), which needs no examples",
    "base": "the base rate, the same for everybody",
}
CALIBRATIONS: Mapping[str, str] = {
    "identity": "none",
    "shift": "a shift of all log-odds",
    "platt": "Platt's line",
    "beta": "beta calibration",
    "isotonic": "isotonic regression",
    "venn-abers": "Venn-Abers",
}
KNOWN: Mapping[Source, str] = {
    "history": "by the records taken in before each date",
    "snapshot": "only its latest value is known",
    "computed": "computed from the events before each date",
}
INTERVALS = (
    "The interval of a probability reaches over what came about in these windows for people with about the same"
    " probability. A window that differs more from all of them, by a season or a campaign, is not covered."
)
NOT_FOR = (
    "It does not find the price at which somebody buys, recommend products, or name the stage of a journey.",
    "It does not predict what has never happened, such as who buys a product that is not launched yet.",
    "It was trained on the data of this workspace alone, and nothing of it trains a model elsewhere.",
)
FACTORS = 10
"""Factors that a card lists."""


@dataclass(frozen=True)
class Facts:
    """What a card is written from.

    Parameters
    ----------
    model : Model
        The configuration.
    version : int
        The number of the version.
    made_at : int
        When it was trained, ms.
    check : Check
        The dry run before it was trained.
    cutoffs : Cutoffs
        What it was trained and tested on.
    vocabulary : Vocabulary
        What its features are made of.
    features : sequence of Feature
        The columns it takes.
    evaluation : Evaluation
        How it did at past cut-offs.
    windows : sequence of Window
        The closed windows that its intervals rest on.
    scale : FactorScale
        Its factors.
    parameters : mapping
        Of what was learnt, such as the number of trees.
    libraries : mapping
        Versions of what it was trained with.
    seed : int
        Of all that was drawn at random.
    data : str
        Hash of the examples.
    problems : sequence of Problem
        What is to be known, from the dry run and the training.
    fairness : sequence of Fairness
        The groups of the protected attributes.
    """

    model: Model
    version: int
    made_at: int
    check: Check
    cutoffs: Cutoffs
    vocabulary: Vocabulary
    features: Sequence[Feature]
    evaluation: Evaluation
    windows: Sequence[Window]
    scale: FactorScale
    parameters: Mapping[str, str]
    libraries: Mapping[str, str]
    seed: int
    data: str
    problems: Sequence[Problem] = ()
    fairness: Sequence[Fairness] = ()


def card(facts: Facts) -> Card:
    """Return the card of a model version."""
    sections = (
        _purpose(facts),
        _data(facts),
        _counts(facts),
        _method(facts),
        _results(facts),
        _calibration(facts),
        _factors(facts),
        _limits(facts),
        _uses(),
        _fairness(facts),
        _warnings(facts),
    )
    return made(facts.model.key, facts.model.name, facts.version, facts.made_at, sections)


def _purpose(facts: Facts) -> Section:
    model, population = facts.model, facts.model.population
    lookback = population.lookback_days
    active = "with an event of their own before" if lookback is None else f"active in the {_days(lookback)} before"
    rule = f", for whom this holds: `{population.where}`" if population.where else ""
    named = f", in the audience {population.audience}" if population.audience else ""
    better = "good" if model.propensity == "conversion" else "bad"
    lines = [
        Line("Predicts", words(model.goal)),
        Line("Kind", f"{model.propensity}: a high score is {better}"),
        Line("For whom", f"people {active}{rule}{named}"),
    ]
    if model.description:
        lines.insert(0, Line("Purpose", model.description))
    return Section("What it predicts", tuple(lines))


def _data(facts: Facts) -> Section:
    history, vocabulary, cutoffs = facts.check.history, facts.vocabulary, facts.cutoffs
    span = "no events"
    if history.first is not None and history.last is not None:
        span = f"{format_date(history.first)} to {format_date(history.last)}"
    training = cutoffs.training
    lines = [
        Line("Events", f"{history.events:,} of {history.people:,} people, {span}"),
        Line("Persons", f"by the merge policy {facts.model.view}, stitched as known when it was trained"),
    ]
    if training:
        spread = format_date(training[0])
        if len(training) > 1:
            spread = f"{format_date(training[-1])} to {spread}"
        lines.append(Line("Cut-offs", f"{len(training)}, {spread}; it was scored first as of {_date(cutoffs.scoring)}"))
    lines.append(Line("Windows looked back", ", ".join(_days(days) for days in vocabulary.windows) or "none"))
    lines += [Line(f"Attribute {known.field}", KNOWN[known.source]) for known in vocabulary.attributes]
    lines += [Line(f"Filled: {each.field}", f"{percent(each.share)} of {each.of}") for each in facts.check.completeness]
    if facts.check.labels:
        lines.append(Line("Data usage labels", ", ".join(facts.check.labels)))
    families = Counter(str(feature.family) for feature in facts.features)
    rows = tuple((family, f"{count}") for family, count in families.items())
    return Section("What it learnt from", tuple(lines), (Table(("features about", "how many"), rows),))


def _counts(facts: Facts) -> Section:
    rows = tuple(
        (
            _date(each.cutoff),
            each.role,
            f"{_date(each.opens)} to {_date(each.closes)}",
            f"{each.eligible:,}",
            "" if each.positives is None else f"{each.positives:,}",
            "" if each.rate is None else percent(each.rate),
        )
        for each in facts.check.cutoffs
    )
    evaluation = facts.evaluation
    came = f"{evaluation.people:,} different people, of whom it came true for {evaluation.positive:,} at some cut-off"
    return Section(
        "How many people",
        (Line("Learnt from", f"{came}, and did not for {evaluation.negative:,}"),),
        (Table(("cut-off", "used for", "window", "eligible", "came true", "share"), rows),),
    )


def _method(facts: Facts) -> Section:
    evaluation = facts.evaluation
    lines = [Line("Learner", ALGORITHMS.get(evaluation.algorithm, evaluation.algorithm))]
    lines += [Line(name, value) for name, value in facts.parameters.items()]
    lines += [
        Line("Seed", str(facts.seed)),
        Line("Hash of the examples", facts.data),
        Line("Made with", ", ".join(f"{name} {version}" for name, version in facts.libraries.items())),
    ]
    rows = tuple(
        (
            each.algorithm + (" (taken)" if each.chosen else ""),
            f"{each.log_loss:.4f}",
            _number(each.auc, 3),
            _estimate(each.difference, 4),
        )
        for each in evaluation.candidates
    )
    headings = ("learner tried", "log-loss out of time", "AUC", "log-loss less that of the default")
    return Section("How it learns", tuple(lines), (Table(headings, rows),) if rows else ())


def _results(facts: Facts) -> Section:
    evaluation = facts.evaluation
    rows = [(_date(each.cutoff), *_measured(each.measures)) for each in evaluation.backtests]
    rows.append(("all together", *_measured(evaluation.pooled)))
    headings = ("cut-off", "people", "came true", "expected", "AUC", "average precision", "lift of the first tenth")
    tables = [Table((*headings, "Brier", "calibration error"), tuple(rows))]
    if evaluation.rules:
        naive = tuple(
            (rule.name, _number(rule.auc, 3), _number(rule.pr_auc, 3), _number(rule.lift_10, 2))
            for rule in evaluation.rules
        )
        pooled = evaluation.pooled
        own = ("this model", *(_number(each.value, digits) for each, digits in _ranked(pooled)))
        tables.append(Table(("ranked by", "AUC", "average precision", "lift of the first tenth"), (own, *naive)))
    test = (
        "Each back-test predicts a date of the past by a model that had seen nothing after it."
        if evaluation.by_time
        else "There was one window only: people were left aside to test on. Nothing tells how it does at a later time."
    )
    return Section(
        "How well it does",
        tables=tuple(tables),
        notes=(test, "Figures in brackets are 95 % intervals from drawing persons anew. An AUC of 0.5 is guessing."),
    )


def _ranked(measures: Measures) -> tuple[tuple[Estimate, int], ...]:
    return (measures.auc, 3), (measures.pr_auc, 3), (measures.lift_10, 2)


def _measured(measures: Measures) -> tuple[str, ...]:
    return (
        f"{measures.people:,}",
        percent(round(measures.rate, 4)),
        percent(round(measures.predicted, 4)),
        _estimate(measures.auc, 3),
        _estimate(measures.pr_auc, 3),
        _estimate(measures.lift_10, 2),
        _estimate(measures.brier, 4),
        f"{measures.ece:.3f}",
    )


def _calibration(facts: Facts) -> Section:
    tried = facts.evaluation.calibration
    chosen = next((each.method for each in tried if each.chosen), "identity")
    lines = [Line("Correction of probabilities", CALIBRATIONS.get(chosen, chosen))]
    if facts.evaluation.season is not None:
        lines.append(Line("Season", facts.evaluation.season.reason))
    tables = []
    if tried:
        rows = tuple((each.method, f"{each.log_loss:.4f}", f"{each.gain:.4f} ± {each.error:.4f}") for each in tried)
        tables.append(Table(("correction tried forward", "log-loss", "gain against none"), rows))
    if facts.windows:
        closed = tuple(
            (_date(each.cutoff), percent(round(each.predicted, 4)), percent(round(each.observed, 4)), f"{each.ece:.3f}")
            for each in facts.windows
        )
        tables.append(Table(("closed window from", "expected", "came true", "calibration error"), closed))
    return Section(
        "Whether probabilities hold",
        tuple(lines),
        tuple(tables),
        (INTERVALS,),
    )


def _factors(facts: Facts) -> Section:
    of_code = {feature.factor: feature for feature in facts.features}
    total = sum(factor.weight for factor in facts.scale.factors) or 1.0
    rows = tuple(
        (
            factor_label(of_code[factor.code]) if factor.code in of_code else factor.code,
            percent(round(factor.weight / total, 3)),
            "what others did: never given as a reason" if factor.exposure else "",
        )
        for factor in facts.scale.factors[:FACTORS]
    )
    return Section(
        "What it goes by",
        tables=(Table(("factor", "part of all contributions", "note"), rows),) if rows else (),
        notes=("Factors are associated with the prediction. They are not its causes.",),
    )


def _limits(facts: Facts) -> Section:
    return Section("Limits", notes=tuple(_limit_notes(facts)))


def _limit_notes(facts: Facts) -> Iterator[str]:
    history, vocabulary = facts.check.history, facts.vocabulary
    yield (
        "Who is one person is taken as known when it was trained. A link found later moves old events to another"
        " profile, also in the past that it was tested on: a mild look-ahead."
    )
    if vocabulary.arrival == "recorded":
        yield "Events that arrived late count from their arrival, in datasets that are filled day by day."
    else:
        yield "Events were loaded afterwards, and are taken to have been known when they happened."
    if vocabulary.dates:
        yield f"Events of {', '.join(vocabulary.dates)} have a date and no time: they count at the end of their day."
    if snapshots := [known.field for known in vocabulary.attributes if known.source == "snapshot"]:
        yield (
            f"Of {', '.join(snapshots)} only the latest value is known: at past dates it is used although it may have"
            " been written later."
        )
    yield f"Values that appeared after {_date(vocabulary.learned)} mean nothing to it until it is trained anew."
    if history.days < 365 + facts.model.goal.window_days:
        yield f"It has seen {history.days:,.0f} days, less than a year and a window: no season was seen twice."
    if not facts.cutoffs.by_time:
        yield "It was tested on other people, not on a later time, since there is one closed window only."
    yield UPLIFT


def _uses() -> Section:
    return Section(
        "What it must not be used for",
        notes=(
            *(f"It must not be used for {use}." for use in RULED_OUT),
            EMPLOYMENT,
            *NOT_FOR,
        ),
    )


def _fairness(facts: Facts) -> Section:
    if not facts.fairness:
        return Section("Groups", notes=("No protected attributes were named, so no groups were compared.",))
    tables, notes = [], []
    for each in facts.fairness:
        rows = tuple(
            (
                group.value,
                f"{group.people:,}",
                f"{percent(group.rate)} ({percent(group.low)} to {percent(group.high)})",
                percent(group.mean_probability) + (" (outside)" if group.off else ""),
                f"{group.ece:.3f}",
                _number(group.auc, 3),
            )
            for group in each.groups
        )
        tables.append(Table((each.field, "people", "came true", "expected", "calibration error", "AUC"), rows))
        if each.suppressed:
            notes.append(f"{each.field}: {each.suppressed} groups of fewer than {each.least} people are not shown.")
        notes += [
            f"{each.field} {group.value}: {percent(group.mean_probability)} were expected, outside the interval of what"
            " came true. Look at it before you use scores for these people."
            for group in each.groups
            if group.off
        ]
    notes.append("The model never learns from these attributes. Others may stand in for them.")
    return Section("Groups", tables=tuple(tables), notes=tuple(notes))


def _warnings(facts: Facts) -> Section:
    told = [each.message[:1].upper() + each.message[1:] for each in facts.problems if each.severity != "note"]
    return Section("Warnings", notes=tuple(dict.fromkeys(told)) or ("None.",))


def _date(at: int) -> str:
    return format_date(at)


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days:,} days"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _estimate(each: Estimate, digits: int) -> str:
    if each.value is None:
        return ""
    if each.low is None or each.high is None:
        return f"{each.value:.{digits}f}"
    return f"{each.value:.{digits}f} ({each.low:.{digits}f} to {each.high:.{digits}f})"
