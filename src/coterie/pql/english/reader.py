"""From a core tree to clauses: logic, items and events, sequences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal as Choice
from typing import cast

from coterie.pql.ast import (
    ArrayLiteral,
    Binary,
    Call,
    Chain,
    DistanceTail,
    Element,
    Expr,
    Filter,
    Literal,
    Method,
    Name,
    Occurs,
    Positional,
    Property,
    Tail,
    Unary,
    Up,
)
from coterie.pql.english.clauses import Around, Clause, bracketed, joined
from coterie.pql.english.facts import TEXT_TESTS, Facts, picked
from coterie.pql.english.nouns import (
    EVENT,
    SEARCH,
    Kind,
    kind_of,
    length,
    listed,
    many_of,
    one_of,
    quantity,
    with_article,
    words,
)
from coterie.pql.english.values import DISTANCES
from coterie.pql.logic import operands_of
from coterie.pql.resolve import TRUE
from coterie.pql.scopes import XEVENT

_INVERSE = {"=": "!=", "!=": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_BEING = ("be", "")
_SETS = {
    "intersects": ("include", "including", "any of "),
    "supersetOf": ("include", "including", "all of "),
    "subsetOf": ("include", "including", "nothing but "),
    "includes": ("include", "including", ""),
}


class Reader(Facts):
    """Reads conditions."""

    def read(self, expr: Expr, around: Around, *, yes: bool) -> Clause:
        """Return the clause of an expression in Boolean position, or with `yes` false of its negation."""
        match expr:
            case Unary("not", operand):
                return self.read(operand, around, yes=not yes)
            case Binary("and" | "or"):
                return self._compound(expr, around, yes)
            case Literal(value, "boolean"):
                return Clause(around.for_it, "anything goes" if bool(value) == yes else "nothing goes")
            case Binary(op, left, right) if op in _INVERSE:
                return self.comparison(op, left, right, around, yes)
            case Binary("in" | "notIn" as op, left, right):
                return self.among(left, right, around, yes, within=op == "in")
            case Binary("like" | "matches" as op, left, right):
                return self.pattern(op, left, right, around, yes)
            case Occurs(value, tail):
                return self.occurs(value, tail, around, yes)
            case Call("inSegment", (Literal(name),)) if around.at_person:
                return Clause("who", f"are {'' if yes else 'not '}in the audience “{name}”")
            case Call("stringCompare", (Literal(str(test)), left, values, *rest)) if test in TEXT_TESTS:
                return self.text_test(test, left, (values, *rest), around, yes)
            case Call("if", (test, yes_value, no_value)):
                given, first, second = (
                    self.read(part, around, yes=sign).statement
                    for part, sign in ((test, True), (yes_value, yes), (no_value, yes))
                )
                return Clause(around.for_it, f"if {given}, {first}, and if not, {second}", loose=True)
            case Chain():
                return self._chain(expr, around, yes)
            case Method(receiver, name, args):
                return self._method(expr, receiver, name, args, around, yes)
            case _:
                return self.present(expr, around, yes)

    def _compound(self, expr: Expr, around: Around, yes: bool) -> Clause:
        word: Choice["and", "or"] = "and" if (cast(Binary, expr).op == "and") == yes else "or"
        clauses = []
        for part, positive in parts_of(word, expr, yes=yes):
            clause = self.read(part, around, yes=positive)
            inner = part.operand if isinstance(part, Unary) else part
            is_compound = isinstance(inner, Binary) and inner.op in ("and", "or")
            clauses.append(bracketed(clause) if is_compound and around.at_person else clause)
        return joined(word, clauses, around)

    def _method(
        self, expr: Expr, receiver: Expr, name: str, args: tuple[Expr, ...], around: Around, yes: bool
    ) -> Clause:
        match name, args:
            case "exists", (condition,):
                return self.some(receiver, condition, around, yes)
            case "forall", (condition,):
                return self.some(receiver, Unary("not", condition), around, not yes)
            case "isNull" | "isNotNull", ():
                return self.known(receiver, around, (name == "isNotNull") == yes)
            case ("filter", (_,)) | ("distinct" | "topN" | "bottomN" | "intersection", _):
                return self.some(expr, TRUE, around, yes)
            case "includes" | "intersects" | "subsetOf" | "supersetOf", (other,):
                base, participle, before = _SETS[name]
                said = self.noun(other, around)
                if isinstance(other, ArrayLiteral):
                    said = listed(
                        [self.noun(item, around) for item in other.items], "or" if name == "intersects" else "and"
                    )
                return self._fact(receiver, (base, participle), before + said, around, positive=yes)
            case _ if name in TEXT_TESTS and args:
                return self.text_test(name, receiver, args, around, yes)
            case _:
                return self.present(expr, around, yes)

    def some(self, array: Expr, condition: Expr, around: Around, yes: bool) -> Clause:
        """Return that some item satisfies a condition."""
        chosen = picked(array, condition, around)
        array, condition = chosen.array, chosen.condition
        ((only, positive), *others) = parts_of("and", condition, yes=True)
        if not yes and not positive and not others:
            base, (kind, qualifier) = self.things(array, around)[0], self.things(Filter(array, only), around)
            said = "one" if kind == base else with_article(kind.one)
            return Clause(around.for_it, f"every {base.one} is {said} {qualifier}".rstrip())
        return self.counted(array if condition == TRUE else Filter(array, condition), ">=", 1, around, yes)

    def counted(self, array: Expr, op: str, count: int, around: Around, yes: bool) -> Clause:
        """Return that there are so many items."""
        op = op if yes else _INVERSE[op]
        kind, qualifier = self.things(array, around)
        amount = quantity(op, count, kind)
        if kind is SEARCH and qualifier.startswith("for ") and amount == "a search":
            said, verb = qualifier, "searched"
        else:
            said, verb = f"{amount} {qualifier}".strip(), kind.verb
        level = around.level(array)
        if around.at_person:
            return Clause("who", f"{verb} {said}")
        if level == 0:
            return Clause("with", said)
        has = "has" if verb == "have" else verb.replace("were ", "was ")
        return Clause("for which", f"the person {has} {said}" if level == len(around.nouns) - 1 else f"there is {said}")

    def things(self, array: Expr, around: Around) -> tuple[Kind, str]:
        """Return the words for the items of an array, and for what they satisfy."""
        conditions: list[tuple[Expr, bool]] = []
        while isinstance(array, Filter) or (isinstance(array, Method) and array.name == "filter" and array.args):
            inner = array.condition if isinstance(array, Filter) else array.args[0]
            array = array.array if isinstance(array, Filter) else array.receiver
            conditions = [*parts_of("and", inner, yes=True), *conditions]
        conditions = [(condition, yes) for condition, yes in conditions if condition != TRUE]
        if array == XEVENT:
            return self._events(conditions, around)
        kind = self._kind(array, around)
        inside = around.item(array, kind.one)
        clauses = [self.read(condition, inside, yes=yes) for condition, yes in conditions]
        return kind, joined("and", clauses, inside).full if clauses else ""

    def narrowing(self, array: Expr, around: Around) -> list[tuple[Expr, str]]:
        """Return the conditions of a filter one after the other, each with its words."""
        found: list[tuple[Expr, str]] = []
        while isinstance(array, Filter):
            found = [*((part, "") for part in operands_of("and", array.condition)), *found]
            array = array.array
        inside = around.item(array, self._kind(array, around).one)
        return [(part, self.read(part, inside, yes=True).full) for part, _ in found if part != TRUE]

    def _kind(self, array: Expr, around: Around) -> Kind:
        match array:
            case Method(Name("identityMap"), "get", (Literal(str(namespace)),)):
                return Kind("have", f"“{namespace}” identity", f"“{namespace}” identities")
            case Method(receiver, "topN" | "bottomN"):
                kind, among = self._kind(receiver, around), f" among the {self.noun(array, around)}"
                return Kind("have", kind.one + among, kind.many + among)
            case Method(receiver, "distinct", ()):
                kind = self._kind(receiver, around)
                return Kind("have", kind.one, f"different {kind.many}")
            case Property(owner, name) if around.is_array(owner):
                of = f" of {self.noun(owner, around)}"
                return Kind("have", one_of(words(name)) + of, many_of(words(name)) + of)
            case Name(name) | Up(_, name) | Property(_, name) if name != "this":
                return Kind("have", one_of(words(name)), many_of(words(name)))
            case _:
                noun = self.noun(array, around)
                return Kind("have", f"item of {noun}", f"items of {noun}")

    def _events(self, conditions: list[tuple[Expr, bool]], around: Around) -> tuple[Kind, str]:
        """Return the words for events: the type gives the noun, what was searched for and the time stand apart."""
        kind = EVENT
        rest: list[tuple[Expr, bool]] = []
        for condition, yes in conditions:
            found = _type_of(condition) if yes else None
            if found is None or kind is not EVENT:
                rest.append((condition, yes))
            else:
                kind = kind_of(found)
        inside = around.item(XEVENT, "event" if kind is EVENT else kind.one)
        clauses, sought = [], ""
        for condition, yes in rest:
            clause = self.read(condition, inside, yes=yes)
            query = self.noun(Property(Name("search"), "query"), inside)
            if not sought and kind in (EVENT, SEARCH) and clause.lead == "with" and clause.text.startswith(f"{query} "):
                said = clause.text.removeprefix(f"{query} ")
                sought = f"for {'' if said.startswith('“') else 'something '}{said}"
            else:
                clauses.append(clause)
        qualifier = joined("and", clauses, inside).full if clauses else ""
        return (SEARCH, f"{sought} {qualifier}".strip()) if sought else (kind, qualifier)

    def _chain(self, chain: Chain, around: Around, yes: bool) -> Clause:
        """Return a sequence: its steps in order, what must not lie between them, and how far apart they are."""
        said = verb = ""
        excluded: list[str] = []
        steps = 0
        for element in chain.elements:
            kind, text = self._step(chain, element, around, steps)
            if element.kind == "exclude":
                excluded.append(text)
                continue
            text = text if not yes or kind.verb == verb else f"{kind.verb} {text}"
            if steps:
                said += f", then {text}" + "".join(f" with {one} in between" for one in excluded)
            else:
                said = text + "".join(f", with {one} before that" for one in excluded)
            excluded, steps, verb = [], steps + 1, kind.verb
        said += "".join(f", with {one} after that" for one in excluded)
        said = said if yes else f"never had {said}"
        return (
            Clause("who", said, loose=True)
            if around.at_person
            else Clause("for which", f"the person {said}", loose=True)
        )

    def _step(self, chain: Chain, element: Element, around: Around, before: int) -> tuple[Kind, str]:
        kind, qualifier = self.things(Filter(chain.array, element.what), around)
        amount = quantity("=", 0, kind) if element.kind == "exclude" else quantity(">=", element.count, kind)
        inside = around.item(chain.array, kind.one)
        gaps = " and ".join(self._gap(tail, before, inside) for tail in element.when)
        given = (
            f"(given that {self.read(element.where, inside, yes=True).statement})" if element.where is not None else ""
        )
        return kind, " ".join(part for part in (amount, qualifier, gaps, given) if part)

    def _gap(self, tail: Tail, before: int, inside: Around) -> str:
        match tail:
            case DistanceTail(op, count, unit, "after", Positional(position)) if position == before:
                span = length(count, unit)
                return f"within {span}" if op == "<=" else f"{DISTANCES[op].format(span)} later"
            case _:
                return self.adverb(tail, inside)


def parts_of(word: str, expr: Expr, *, yes: bool) -> Iterator[tuple[Expr, bool]]:
    """Yield what `word` joins, with negation gone inward."""
    match expr:
        case Unary("not", operand):
            yield from parts_of(word, operand, yes=not yes)
        case Binary("and" | "or" as op) if (op == word) == yes:
            for part in operands_of(op, expr):
                yield from parts_of(word, part, yes=yes)
        case _:
            yield expr, yes


def _type_of(condition: Expr) -> str | None:
    """Return the type that a condition asks of an event."""
    match condition:
        case Binary("=", Name("eventType"), Literal(str(found))):
            return found
        case Method(Name("eventType"), "equals", (Literal(str(found)),) | (Literal(str(found)), Literal(_, "boolean"))):
            return found
        case Binary("in", Name("eventType"), ArrayLiteral((Literal(str(found)),))):
            return found
        case _:
            return None
