"""What a rule reads, how involved it is, how it can be evaluated, and what that costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from coterie.audience.registry import Pace
from coterie.core.clock import DAY
from coterie.core.schema import Union
from coterie.pql import eligibility
from coterie.pql.analysis import Analysis, analyse, analyse_condition
from coterie.pql.ast import Expr
from coterie.pql.complexity import Complexity, complexity
from coterie.pql.conditions import Condition, Rule, conditions_of
from coterie.pql.normal import normalise
from coterie.pql.printer import to_text
from coterie.pql.sentence import sentence

LONG_CHAIN, MANY_AGGREGATES, DEEP = 6, 3, 2
"""More than these is worth a warning: elements of a chain, aggregates, arrays inside one another."""


class ConditionRead(msgspec.Struct, frozen=True):
    """A condition: its canonical text, what kind it is, and whether time alone can change it.

    `key` names its answer, which all rules share. `look_back` is in ms: 0 without events, null for any age.
    """

    key: str
    text: str
    shape: str
    look_back: int | None
    relative: bool


class Method(msgspec.Struct, frozen=True):
    """A way to evaluate: whether the rule can be evaluated so, the reasons why not, and what it takes.

    `offered` tells whether this version has it at all.
    """

    name: str
    able: bool
    offered: bool
    reasons: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


class Cost(msgspec.Struct, frozen=True):
    """What an evaluation reads, and what it may take.

    `events` rows of `event_columns` columns and `people` rows of `profile_columns`, for the `conditions` that are not
    `known` already. `seconds` is an estimate from conditions of the same kinds, null where none was measured; `basis`
    says what it rests on.
    """

    conditions: int
    known: int
    events: int
    event_columns: int
    people: int
    profile_columns: int
    seconds: float | None
    basis: str


class Analysed(msgspec.Struct, frozen=True):
    """What there is to know about a rule without evaluating it; `sentence` reads it aloud.

    `look_back` is the greatest age (ms) of events that matter: 0 without events, null when any age does;
    `look_back_words` says it. `methods` are Coterie's; `adobe` tells what the published rules of Adobe Experience
    Platform would allow.
    """

    pql: str
    sentence: str
    view: str
    zone: str
    profile_fields: tuple[str, ...]
    event_fields: tuple[str, ...]
    audiences: tuple[str, ...]
    look_back: int | None
    look_back_words: str
    relative: bool
    negated_events: bool
    conditions: tuple[ConditionRead, ...]
    shapes: dict[str, int]
    chain_elements: int
    aggregates: int
    depth: int
    methods: tuple[Method, ...]
    adobe: tuple[Method, ...]
    warnings: tuple[str, ...]
    cost: Cost


def analysed(expr: Expr, union: Union, view: str, zone: str, cost: Cost) -> Analysed:
    """Return what there is to know about a checked rule; `cost` is that of `cost_of`."""
    rule = normalise(expr, union, zone)
    conditions = conditions_of(rule)
    reads, involved = analyse(conditions), complexity(expr, rule)
    return Analysed(
        pql=to_text(expr),
        sentence=sentence(expr, union),
        view=view,
        zone=zone,
        profile_fields=tuple(sorted(reads.profile_fields)),
        event_fields=tuple(sorted(reads.event_fields)),
        audiences=tuple(sorted(reads.audiences)),
        look_back=reads.look_back,
        look_back_words=duration(reads.look_back) if reads.reads_events else "no events",
        relative=reads.relative,
        negated_events=involved.negated_events,
        conditions=tuple(_condition(condition) for condition in conditions),
        shapes=dict(sorted(Counter(kind(condition) for condition in conditions).items())),
        chain_elements=involved.chain_elements,
        aggregates=involved.aggregates,
        depth=involved.depth,
        methods=_methods(reads),
        adobe=_adobe(rule),
        warnings=_warnings(involved),
        cost=cost,
    )


def kind(condition: Condition) -> str:
    """Return the kind of a condition in a word."""
    return type(condition.shape).__name__.lower()


def _condition(condition: Condition) -> ConditionRead:
    reads = analyse_condition(condition)
    return ConditionRead(condition.key, condition.text, kind(condition), reads.look_back, reads.relative)


def _methods(reads: Analysis) -> tuple[Method, ...]:
    takes: list[str] = []
    if reads.reads_events and reads.look_back is None:
        takes.append("the whole history of a person, since events of any age matter")
    elif reads.reads_events:
        takes.append(f"the events of a person of the last {duration(reads.look_back)}")
    if reads.relative:
        takes.append("a timer for each person, since time alone can change the answer")
    if reads.audiences:
        takes.append(f"another look whenever the members of {', '.join(sorted(reads.audiences))} change")
    stored = [f"the members of {name} as of its last evaluation" for name in sorted(reads.audiences)]
    return (
        Method("batch", able=True, offered=True),
        Method("streaming", able=True, offered=False, takes=tuple(takes)),
        Method("edge", able=True, offered=False, takes=(*takes[:1], *stored) if reads.reads_events else tuple(stored)),
    )


def _adobe(rule: Rule) -> tuple[Method, ...]:
    found = {"batch": (), "streaming": eligibility.streaming(rule), "edge": eligibility.edge(rule)}
    return tuple(Method(name, able=not reasons, offered=True, reasons=reasons) for name, reasons in found.items())


def _warnings(involved: Complexity) -> tuple[str, ...]:
    warnings = []
    if involved.longest_chain > LONG_CHAIN:
        warnings.append(f"a sequence has {involved.longest_chain} elements; more than {LONG_CHAIN} are hard to read")
    if involved.aggregates > MANY_AGGREGATES:
        warnings.append(f"it has {involved.aggregates} aggregates; each is worked out for everyone")
    if involved.depth > DEEP:
        warnings.append(f"it goes through {involved.depth} arrays inside one another")
    return tuple(warnings)


def estimate(conditions: Sequence[Condition], paces: Mapping[str, Pace]) -> tuple[float | None, str]:
    """Return the seconds that conditions may take, None when that is not known, and what it rests on."""
    if not conditions:
        return 0.0, "all answers are known already"
    pace = [paces.get(type(condition.shape).__name__) for condition in conditions]
    unknown = sorted({kind(condition) for condition, found in zip(conditions, pace, strict=True) if found is None})
    if unknown:
        return None, f"no condition of the kind {', '.join(unknown)} was measured since the workspace was opened"
    measured = {type(condition.shape).__name__ for condition in conditions}
    number = sum(paces[name].conditions for name in measured)
    seconds = sum(found.mean for found in pace if found is not None)
    return seconds, (
        f"the mean of {number} conditions of the same kinds since the workspace was opened, "
        "the time of each call divided evenly among its conditions"
    )


_UNITS = (("day", DAY), ("hour", DAY // 24), ("minute", 60_000), ("second", 1_000), ("millisecond", 1))


def duration(length: int | None) -> str:
    """Return a length of time in words, in the greatest unit that it is a whole number of."""
    if length is None:
        return "unbounded"
    name, count = next((name, length // unit) for name, unit in _UNITS if length % unit == 0)
    return f"{count:,} {name}{'' if count == 1 else 's'}"
