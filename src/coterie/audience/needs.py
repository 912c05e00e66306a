"""What would turn the verdict of a condition: the nearest missing step, and the time at which it turns by itself."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from coterie.audience.asking import Asking, Event, moment_of
from coterie.audience.evidence import INVERSE, Fact, Tally, stages_of, tally_of, terms_of
from coterie.pql.ast import ArrayLiteral, Binary, Call, Chain, Expr, Filter, Literal, Method
from coterie.pql.english.nouns import EVENT, is_plural, kind_of, listed, quantity, value_of
from coterie.pql.printer import to_text
from coterie.pql.sentence import clause_of, noun_of, refusal_of, things_of

_ASKED = {">=": "at least", ">": "more than", "<": "less than", "<=": "at most", "=": "exactly", "!=": "other than"}


def need_of(fact: Fact, asking: Asking) -> str:
    """Return the nearest thing that would turn the verdict of a condition, as things are for the person."""
    wanted = not fact.holds(asking)
    said, possible = _need(fact, wanted, asking)
    turned = asking.turn(fact.written)
    if turned is None:
        return said if possible else f"{said}, which nothing that comes can bring"
    moved = passing(fact, turned, asking)
    by_time = f"{asking.when(turned)}{f', when {moved}' if moved else ''}"
    return f"{said}, or to wait until {by_time}" if possible else f"{said}, which comes by itself on {by_time}"


def _need(fact: Fact, wanted: bool, asking: Asking) -> tuple[str, bool]:
    """Return what would turn a condition, and whether new data can do it."""
    core, positive = fact.core, wanted != fact.negated
    match core:
        case Chain():
            return _sequence(fact, core, asking) if positive else _undone(core, asking)
        case Call("inSegment", (Literal(str(name)),)):
            return f"to {'enter' if positive else 'leave'} the audience “{name}”", True
    tally = tally_of(core, asking.union, negated=fact.negated)
    if tally is not None:
        found = asking.value(tally.value)
        if tally.counts:
            return _count(tally, wanted, found, asking)
        if found is not None:
            return _number(tally, wanted, found, asking), True
    return _value(core, positive, asking), True


# -- events ---------------------------------------------------------------------------------------------------------


def _count(tally: Tally, wanted: bool, found: int, asking: Asking) -> tuple[str, bool]:
    op, asked = tally.op if wanted else INVERSE[tally.op], int(tally.asked)
    kind, qualifier = things_of(tally.array, asking.union)
    more = {">=": asked - found, ">": asked - found + 1, "=": asked - found, "!=": 1}.get(op, 0)
    if more > 0 and not found:
        return f"{quantity('>=', 1, kind) if more == 1 else f'{more} {kind.many}'} {qualifier}".rstrip(), True
    if more > 0:
        number = f"one more {kind.one}" if more == 1 else f"{more} more {kind.many}"
        return f"{number} {qualifier}".rstrip() + _lasting(tally, found, asking), True
    goal = f"{quantity(op, asked, kind)} {qualifier}".rstrip()
    return f"{goal} (there {'is' if found == 1 else 'are'} {found})", False


def _lasting(tally: Tally, found: int, asking: Asking) -> str:
    """Return until when the present events count: what comes later must make up for those that lapse."""
    lapse = asking.turn(Binary(">=", tally.value, Literal(found, "integer")))
    return "" if lapse is None else f", before {asking.when(lapse)}"


def _number(tally: Tally, wanted: bool, found: Any, asking: Asking) -> str:
    op = tally.op if wanted else INVERSE[tally.op]
    now = f"{noun_of(tally.value, asking.union)} is {said_of(found)}"
    if tally.value.name == "sum" and op in (">=", ">"):
        return f"{now}, needs {_difference(op, tally.asked, found)} more"
    return f"{now}, needs {_ASKED[op]} {said_of(tally.asked)}"


def _difference(op: str, asked: int | Decimal, found: Any) -> str:
    missing = abs(Decimal(str(asked)) - Decimal(str(found)))
    return f"{'more than ' if op in ('<', '>') else ''}{missing:f}"


def _sequence(fact: Fact, core: Chain, asking: Asking) -> tuple[str, bool]:
    stages = stages_of(fact, asking)
    done = [stage.sentence for stage in stages if stage.reached]
    if not stages or len(done) == len(stages):
        return clause_of(core, asking.union).text, True
    place = [place for place, element in enumerate(core.elements) if element.kind == "what"][len(done)]
    missing = f"{stages[len(done)].sentence}{f' after {done[-1]}' if done else ''}"
    return missing + _misplaced(core, place, asking), True


def _undone(core: Chain, asking: Asking) -> tuple[str, bool]:
    """Return what would make a sequence not have happened: what is excluded after it, if anything is."""
    last = core.elements[-1]
    if last.kind != "exclude":
        return "the sequence undone", False
    kind, qualifier = things_of(Filter(core.array, last.what), asking.union)
    return f"{quantity('>=', 1, kind)} {qualifier} after the sequence".replace("  ", " "), True


def _misplaced(core: Chain, place: int, asking: Asking) -> str:
    """Return how many events there are for a step that do not come where they should."""
    what = core.elements[place].what
    if "$" in to_text(what):
        return ""
    there = len(asking.value(Filter(core.array, what)) or [])
    if not there:
        return ""
    return " (there is one, but not in its place)" if there == 1 else f" (there are {there}, but none in its place)"


# -- values ---------------------------------------------------------------------------------------------------------


def _value(core: Expr, positive: bool, asking: Asking) -> str:
    """Return what the values are and what they should be."""
    terms = terms_of(core)[:3]
    now = " and ".join(_now(term, asking) for term in terms)
    wanted = _wanted(core, positive, asking)
    if wanted:
        return f"{now}, needs {wanted}" if now else f"needs {wanted}"
    said = (clause_of if positive else refusal_of)(core, asking.union).text
    return f"{now}; needed: {said}" if now else said


def _now(term: Expr, asking: Asking) -> str:
    noun = noun_of(term, asking.union)
    return f"{noun} {'are' if is_plural(noun) else 'is'} {said_of(asking.value(term))}"


def _wanted(core: Expr, positive: bool, asking: Asking) -> str:
    """Return what a simple comparison asks of a value; empty for others."""
    match core:
        case Binary("=" | "!=" as op, _, Literal() as asked):
            return value_of(asked) if (op == "=") == positive else "another value"
        case Binary("in" | "notIn" as op, _, ArrayLiteral(items)) if all(isinstance(item, Literal) for item in items):
            among = listed([value_of(item) for item in items if isinstance(item, Literal)], "or")
            return among if (op == "in") == positive else f"another value than {among}"
        case Method(_, "equals" | "notEqualTo" as name, args):
            texts = [arg for arg in args if isinstance(arg, Literal) and arg.kind == "string"]
            if not texts or len(texts) < len(args) - 1:
                return ""
            among = listed([value_of(text) for text in texts], "or")
            return among if (name == "equals") == positive else f"another value than {among}"
        case Binary("<" | "<=" | ">" | ">=" as op, left, Literal(asked, "integer" | "double")):
            found = asking.value(left)
            if not isinstance(found, int | float | Decimal) or isinstance(found, bool):
                return f"{_ASKED[op if positive else INVERSE[op]]} {asked}"
            op = op if positive else INVERSE[op]
            return f"{_difference(op, Decimal(str(asked)), found)} {'more' if op in ('>', '>=') else 'less'}"
        case _:
            return ""


def said_of(value: Any) -> str:
    """Return a value as it is spoken of."""
    match value:
        case None:
            return "missing"
        case bool():
            return "true" if value else "false"
        case str():
            return f"“{value}”"
        case Decimal():
            return f"{value:f}"
        case list():
            some = ", ".join(said_of(item) for item in value[:3])
            return f"{some}, …" if len(value) > 3 else some or "empty"
        case dict():
            return ", ".join(f"{key} {said_of(item)}" for key, item in value.items()) or "empty"
        case _:
            return str(value)


# -- time -----------------------------------------------------------------------------------------------------------


def passing(fact: Fact, turned: int, asking: Asking) -> str:
    """Return which events come to count, or cease to, when time turns a condition."""
    tally = tally_of(fact.core, asking.union)
    if tally is None:
        return ""
    before, after = (asking.value(tally.array, at) or [] for at in (asking.at, turned))
    lost = [event for event in before if not any(event is one for one in after)]
    gained = [event for event in after if not any(event is one for one in before)]
    return _moved(lost, "out of", asking) or _moved(gained, "into", asking)


def _moved(events: Sequence[Event], way: str, asking: Asking) -> str:
    if not events:
        return ""
    kinds = {kind_of(str(event["eventType"])) if event.get("eventType") else EVENT for event in events}
    kind = kinds.pop() if len(kinds) == 1 else EVENT
    if len(events) == 1:
        return f"the {kind.one} of {asking.when(moment_of(events[0]))} passes {way} the window"
    return f"{len(events)} {kind.many} pass {way} the window"
