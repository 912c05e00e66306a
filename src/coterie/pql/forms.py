"""Parsing of the larger forms: quantifiers, prefix aggregates, times and tails, chains."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal as Choice
from typing import cast

from coterie.pql import ast
from coterie.pql.ast import Expr, Tail, Unit
from coterie.pql.cursor import Cursor
from coterie.pql.problems import problem
from coterie.pql.words import COMPARISONS, DIRECTIONS, RELATIVE_WORDS, TIME_WORDS, UNITS

Time = ast.TimeWord | ast.RelativeUnit | Expr
Direction = Choice["before", "after", "from"]
Distance = Choice["=", "!=", "<", "<=", ">", ">="]


class Forms(Cursor, ABC):
    """The forms that begin with a word of their own."""

    @abstractmethod
    def expression(self) -> Expr:
        """Read an expression of any kind."""

    @abstractmethod
    def condition(self) -> Expr:
        """Read an expression from the level of `or`."""

    @abstractmethod
    def additive(self) -> Expr:
        """Read an expression from the level of `+`."""

    def quantified(self) -> ast.Quantified:
        """Read `select | exists | forall` and its declarations."""
        start = self.token.start
        kind = cast(Choice["select", "exists", "forall"], self.advance().word)
        self.enter()
        declarations = self._declarations()
        self.leave()
        return ast.Quantified(kind, declarations, span=self.since(start))

    def prefix_aggregate(self) -> ast.PrefixAggregate:
        """Read `sum e over V from A where C`, or the short form without `e over`."""
        start = self.token.start
        function = cast(Choice["sum", "average", "min", "max"], self.advance().word)
        self.enter()
        value = None
        if self.starts_declaration():
            declarations: tuple[ast.Declaration, ...] = (self._declaration(),)
        else:
            value = self.additive()
            self.need_word("over")
            declarations = self._declarations()
        self.leave()
        return ast.PrefixAggregate(function, value, declarations, span=self.since(start))

    def _declarations(self) -> tuple[ast.Declaration, ...]:
        declarations = [self._declaration()]
        while self.at_symbol(",") and self.starts_declaration(1):
            self.advance()
            declarations.append(self._declaration())
        return tuple(declarations)

    def _declaration(self) -> ast.Declaration:
        start = self.token.start
        variable = self.need_binder("a variable")
        self.need_word("from")
        array = self.additive()
        where = self.take_word("where") or self.take_symbol(":")
        return ast.Declaration(variable, array, self.condition() if where else None, span=self.since(start))

    # -- time -------------------------------------------------------------------------------------------------------

    def tail(self) -> Tail:
        """Read what follows `occurs`, or stands in `WHEN`."""
        start = self.token.start
        if self.at_symbol(*COMPARISONS):
            op = cast(Distance, self.advance().text)
            count = self.need_integer("a whole number of units")
            unit = self._unit()
            direction = self._direction()
            return ast.DistanceTail(op, count, unit, direction, self._time(), span=self.since(start))
        if self.token.word in DIRECTIONS:
            direction = self._direction()
            return ast.DirectionTail(direction, self._time(), span=self.since(start))
        if self.take_word("between"):
            first = self._time()
            self.need_word("and")
            return ast.BetweenTail(first, self._time(), span=self.since(start))
        self.take_word("on")
        return ast.OnTail(self._time(), span=self.since(start))

    def _unit(self) -> Unit:
        unit = UNITS.get(self.token.word)
        if unit is None:
            self.fail("a unit of time such as days")
        self.advance()
        return unit

    def _direction(self) -> Direction:
        return cast(Direction, self.need_word("before", "after", "from"))

    def _time(self) -> Time:
        token, following = self.token, self.ahead(1)
        if token.word in TIME_WORDS and not following.is_symbol(".", "(", "[", "+", "-", "*", "/", "%"):
            self.advance()
            word = cast(Choice["now", "today", "yesterday", "tomorrow"], token.word)
            return ast.TimeWord(word, span=self.since(token.start))
        if token.word in RELATIVE_WORDS and following.word in UNITS:
            which = cast(Choice["this", "last", "next"], self.advance().word)
            return ast.RelativeUnit(which, self._unit(), span=self.since(token.start))
        return self.additive()

    # -- chains -----------------------------------------------------------------------------------------------------

    def chain(self) -> ast.Chain:
        """Read `chain(array, timestampField, [elements])`."""
        start = self.advance().start
        self.enter()
        self.need_symbol("(")
        array = self.additive()
        self.need_symbol(",", " and the field that orders the array")
        timestamp = [self.need_binder("the field that orders the array")]
        while self.take_symbol("."):
            timestamp.append(self.need_name("a name after the dot"))
        self.need_symbol(",", " and the elements")
        self.need_symbol("[", " before the elements")
        elements = [self._element()]
        while self.take_symbol(","):
            elements.append(self._element())
        self.need_symbol("]", " after the elements")
        self.need_symbol(")")
        self.leave()
        return ast.Chain(array, tuple(timestamp), tuple(elements), span=self.since(start))

    def _element(self) -> ast.Element:
        start = self.token.start
        label = self.need_binder("the label of an element")
        self.need_symbol(":", " after the label")
        kind = cast(Choice["what", "exclude"], self.need_word("what", "exclude"))
        what = self._in_parentheses()
        when: tuple[Tail, ...] | None = None
        count: int | None = None
        where: Expr | None = None
        while True:
            clause_start = self.token.start
            if when is None and self.take_word("when"):
                when = self._when()
            elif count is None and self.take_word("count"):
                self.need_symbol("(")
                count = self.need_integer("how many events there must be, at least")
                self.need_symbol(")")
                if kind == "exclude":
                    self._refuse_count(label, clause_start)
                    count = 1
            elif where is None and self.take_word("where"):
                where = self._in_parentheses()
            else:
                break
        count = 1 if count is None else count
        return ast.Element(label, kind, what, when or (), count, where, span=self.since(start))

    def _when(self) -> tuple[Tail, ...]:
        self.need_symbol("(")
        tails = [self.tail()]
        while self.take_word("and"):
            tails.append(self.tail())
        self.need_symbol(")")
        return tuple(tails)

    def _in_parentheses(self) -> Expr:
        self.need_symbol("(")
        inner = self.expression()
        self.need_symbol(")")
        return inner

    def _refuse_count(self, label: str, start: int) -> None:
        """Note a COUNT on an excluded element, which has no number of events."""
        span = self.since(start)
        message = f'the excluded element "{label}" carries a COUNT; only WHAT elements are counted.'
        self.problems.append(
            problem("pql.value", message, self.text, span.start, span.end, hint=f"Leave out the COUNT of {label}.")
        )
