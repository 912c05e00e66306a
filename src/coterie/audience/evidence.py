"""What decided a condition for a person: the values, events, steps and memberships that it read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from coterie.audience.asking import SHOWN, Asking, Event, moment_of
from coterie.audience.explanation import Evidence, Narrowing, Stage, Stored, UsedValue
from coterie.core.schema import COMPUTED, Union
from coterie.pql.ast import (
    ArrayLiteral,
    Binary,
    Call,
    Chain,
    Expr,
    Filter,
    Literal,
    Method,
    Name,
    Occurs,
    Property,
    RelativeUnit,
    TimeWord,
    Unary,
)
from coterie.pql.conditions import COMPARISONS, Comparison
from coterie.pql.english.clauses import Around
from coterie.pql.english.facts import picked, split
from coterie.pql.english.nouns import amount, quantity
from coterie.pql.printer import to_text
from coterie.pql.scopes import ITEM_METHODS, PREDICATES, TEXT_METHODS, XEVENT, shift, times_of
from coterie.pql.sentence import clause_of, narrowing_of, noun_of, refusal_of, things_of

INVERSE: dict[Comparison, Comparison] = {"=": "!=", "!=": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_MIRROR: dict[Comparison, Comparison] = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_AGGREGATES = frozenset({"sum", "average", "min", "max"})


@dataclass(frozen=True)
class Fact:
    """A condition of a rule.

    Parameters
    ----------
    written : Expr
        It, as the rule has it: what is evaluated.
    core : Expr
        Its core tree (chains kept): what is put into words.
    negated : bool
        Whether the rule asks for its negation.
    """

    written: Expr
    core: Expr
    negated: bool = False

    def sentence(self, union: Union) -> str:
        """Return what it says."""
        return (refusal_of if self.negated else clause_of)(self.core, union).text

    def holds(self, asking: Asking, at: int | None = None) -> bool:
        """Return whether it holds, the negation taken into account."""
        return asking.holds(self.written, at) != self.negated


@dataclass(frozen=True)
class Tally:
    """A number made of events (how many there are, or their sum, average, … of something), compared with another."""

    array: Expr
    value: Method
    op: Comparison
    asked: int | Decimal

    @property
    def counts(self) -> bool:
        """Whether the number is that of the events."""
        return self.value.name == "count"


def tally_of(core: Expr, union: Union, *, negated: bool = False) -> Tally | None:
    """Return the comparison of a number made of events that a condition states; None when it states another thing."""
    match core:
        case Binary(op, Literal() as left, Method() as right) if op in COMPARISONS:
            return tally_of(Binary(_MIRROR[op], right, left), union, negated=negated)
        case Binary(op, Method(array, name, args) as value, Literal(asked, "integer" | "double")) if op in COMPARISONS:
            if not of_events(array) or not ((name == "count" and not args) or (name in _AGGREGATES and len(args) == 1)):
                return None
            turned = INVERSE[op] if negated and name in ("count", "sum") else op
            return Tally(array, value, turned, asked if isinstance(asked, int) else Decimal(str(asked)))
    events = _events_picked(core, Around.person(union))
    return None if events is None else Tally(events, Method(events, "count", ()), "<" if negated else ">=", 1)


def _events_picked(core: Expr, around: Around) -> Expr | None:
    """Return the events of which a condition asks that there be one."""
    chosen: Expr
    match core:
        case Filter() | Name("xEvent"):
            chosen = core
        case Method(array, "exists", (condition,)):
            chosen = picked(array, condition, around)
        case Binary("=" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "notIn" | "like" | "matches" as op, left, right):
            if (found := split(left, around)) is None:
                return None
            chosen = picked(found[0], Binary(op, found[1], shift(right, 1)), around)
        case Method(left, name, args) if name in TEXT_METHODS:
            if (found := split(left, around)) is None:
                return None
            chosen = picked(found[0], Method(found[1], name, tuple(shift(arg, 1) for arg in args)), around)
        case _:
            return None
    return chosen if of_events(chosen) else None


def of_events(array: Expr) -> bool:
    """Whether an array is `xEvent` or a filter of it."""
    while isinstance(array, Filter):
        array = array.array
    return array == XEVENT


def evidence_of(fact: Fact, asking: Asking) -> Evidence:
    """Return what decided a condition."""
    core = fact.core
    match core:
        case Chain():
            return Evidence(stages=stages_of(fact, asking))
        case Call("inSegment", (Literal(str(name)),)):
            return Evidence(stored=stored_in(asking, name))
    tally = tally_of(core, asking.union, negated=fact.negated)
    if tally is None:
        return Evidence(values=_values(terms_of(core), asking))
    events = asking.value(tally.array) or []
    found = asking.value(tally.value)
    return Evidence(
        found=found,
        asked=amount(tally.op, tally.asked, counts=tally.counts),
        events=asking.newest(events, core),
        total=len(events),
        narrowed=_narrowed(tally, asking) if found is None or found < tally.asked else (),
    )


def _narrowed(tally: Tally, asking: Asking) -> tuple[Narrowing, ...]:
    """Return how many events each condition leaves, where there are several."""
    conditions = narrowing_of(tally.array, asking.union)
    if len(conditions) < 2:
        return ()
    steps: list[Narrowing] = []
    left: Expr = XEVENT
    for condition, said in conditions:
        left = Filter(left, condition)
        steps.append(Narrowing(said, len(asking.value(left) or [])))
        if not steps[-1].left:
            break
    return tuple(steps)


def stored_in(asking: Asking, audience: str) -> Stored:
    """Return the stored membership of an audience."""
    entry = ((asking.record.get("segmentMembership") or {}).get("ups") or {}).get(audience)
    if not entry:
        return Stored(audience, "never")
    return Stored(audience, entry.get("status", "exited"), entry.get("lastQualificationTime"), entry.get("validUntil"))


# -- values ---------------------------------------------------------------------------------------------------------


def _values(terms: Sequence[Expr], asking: Asking) -> tuple[UsedValue, ...]:
    named = {to_text(term): term for term in terms}
    found = []
    for text, term in named.items():
        value = asking.value(term)
        value = value[:SHOWN] if isinstance(value, list) else value
        above, _, attribute = text.partition(".")
        computed = asking.union.computed.get(attribute) if above == COMPUTED else None
        found.append(UsedValue(noun_of(term, asking.union), text, value, asking.sources.get(text), computed))
    return tuple(found)


def terms_of(expr: Expr) -> list[Expr]:
    """Return the values that a condition compares, in order; events themselves are none of them."""
    return [term for term in _terms(expr) if not _is_events(term)]


def _terms(expr: Expr) -> Iterator[Expr]:
    match expr:
        case Literal() | ArrayLiteral() | Name("now" | "today" | "xEvent") | Chain():
            return
        case Binary(_, left, right):
            yield from _terms(left)
            yield from _terms(right)
        case Unary(_, operand):
            yield from _terms(operand)
        case Occurs(value, tail):
            yield from _terms(value)
            for time in times_of(tail):
                if not isinstance(time, TimeWord | RelativeUnit):
                    yield from _terms(time)
        case Call(_, args):
            for arg in args:
                yield from _terms(arg)
        case Method(receiver, name, args) if name in PREDICATES:
            yield from _terms(receiver)
            for arg in () if name in ITEM_METHODS else args:
                yield from _terms(arg)
        case _:
            yield expr


def _is_events(term: Expr) -> bool:
    match term:
        case Name("xEvent"):
            return True
        case Property(owner, _) | Filter(owner, _):
            return _is_events(owner)
        case _:
            return False


# -- sequences ------------------------------------------------------------------------------------------------------


def stages_of(fact: Fact, asking: Asking) -> tuple[Stage, ...]:
    """Return the steps of a sequence, as far as it got, with the events that are them."""
    written, core = fact.written, fact.core
    if not isinstance(written, Chain) or not isinstance(core, Chain):
        return ()
    included = [place for place, element in enumerate(core.elements) if element.kind == "what"]
    reached, rest = 0, list[Event]()
    for number in range(len(included), 0, -1):
        last = len(core.elements) if number == len(included) else included[number - 1] + 1
        prefix = replace(written, elements=written.elements[:last])
        if asking.holds(prefix):
            reached, rest = number, sorted(_witness(prefix, asking), key=moment_of)
            break
    stages = []
    for number, place in enumerate(included):
        element = core.elements[place]
        kind, qualifier = things_of(Filter(core.array, element.what), asking.union)
        count = element.count if number < reached else 0
        mine, rest = rest[:count], rest[count:]
        said = f"{quantity('>=', element.count, kind)} {qualifier}".strip()
        stages.append(Stage(said, number < reached, asking.used(mine, Filter(core.array, element.what))))
    return tuple(stages)


def _witness(prefix: Chain, asking: Asking) -> list[Event]:
    """Return events without any of which a chain that holds would not; what it excludes is never left out."""
    excluded = [element.what for element in prefix.elements if element.kind == "exclude"]
    barred = [event for what in excluded for event in asking.value(Filter(prefix.array, what)) or []]

    def is_barred(event: Event) -> bool:
        return any(event is one for one in barred)

    kept = list(asking.events)
    size = max(len(kept) // 2, 1)
    while size:
        start = 0
        while start < len(kept):
            rest = kept[:start] + kept[start + size :]
            if not any(map(is_barred, kept[start : start + size])) and asking.holds_of(prefix, rest):
                kept = rest
            else:
                start += size
        size //= 2
    return [event for event in kept if not is_barred(event) or not asking.holds_of(prefix, _without(kept, event))]


def _without(events: Sequence[Event], event: Event) -> list[Event]:
    return [one for one in events if one is not event]
