"""From text to tree, by recursive descent.

Levels of precedence, loosest first: ``let`` and ``=>``; ``or``; ``and``; ``not``; relations (``=``, ``in``,
``occurs``, …); ``+ -``; ``* / %``; ``- !``; postfix ``.name``, ``.name(…)``, ``[filter]``.

Parsing stops at the first token that cannot continue the query. Nesting is bounded, so that no text can exhaust the
stack; long chains of ``and`` and ``or`` become balanced trees, which mean the same and stay shallow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal as Choice
from typing import cast

from coterie.pql import ast
from coterie.pql.ast import Expr, Span
from coterie.pql.cursor import Stop
from coterie.pql.forms import Forms
from coterie.pql.lexer import Kind
from coterie.pql.problems import PqlError, Problem, problem
from coterie.pql.tree import deeper_than
from coterie.pql.words import (
    ADDITIVE,
    AGGREGATES,
    COMPARISONS,
    LITERAL_WORDS,
    MULTIPLICATIVE,
    OPERATOR_WORDS,
    QUANTIFIERS,
    RELATION_WORDS,
    RESERVED_WORDS,
)

MAX_LENGTH = 2_000_000
MAX_DEPTH = 150
MAX_CHAIN = 64

OR, AND, NOT, RELATION, SUM, PRODUCT = range(1, 7)

_SYMBOLS: Mapping[str, tuple[ast.BinaryOp, int]] = {
    **{text: (op, RELATION) for text, op in COMPARISONS.items()},
    **{text: (op, SUM) for text, op in ADDITIVE.items()},
    **{text: (op, PRODUCT) for text, op in MULTIPLICATIVE.items()},
}
_WORDS: Mapping[str, tuple[ast.BinaryOp | Choice["occurs"], int]] = {
    "or": ("or", OR),
    "and": ("and", AND),
    "occurs": ("occurs", RELATION),
    **{text: (op, RELATION) for text, op in RELATION_WORDS.items()},
}
_NO_OPERATOR = ("", 0)
_LITERALS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None}


def parse(text: str) -> Expr:
    """Read a query.

    Parameters
    ----------
    text : str
        The query.

    Returns
    -------
    Expr
        Its tree.

    Raises
    ------
    PqlError
        When the text does not follow the grammar.
    """
    expr, problems = read(text)
    if expr is None or problems:
        raise PqlError(problems)
    return expr


def read(text: str) -> tuple[Expr | None, list[Problem]]:
    """Read a query; return its tree, or None when there is none, and the problems found."""
    if len(text) > MAX_LENGTH:
        message = f"the query has {len(text):,} characters; at most {MAX_LENGTH:,} are read."
        return None, [problem("pql.too-long", message, text, MAX_LENGTH, MAX_LENGTH)]
    problems: list[Problem] = []
    try:
        parser = Parser(text)
        problems = parser.problems
        return parser.query(), problems
    except Stop as stop:
        return None, [*problems, stop.problem]


class Parser(Forms):
    """Reader of one query."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._before_in = False
        """Whether the value of a `let` is being read, which stops before the word `in`."""

    def query(self) -> Expr:
        """Read the whole text as one expression."""
        expr = self.expression()
        if self.token.kind is not Kind.END:
            self.fail("an operator or the end of the query", hint=self._after_query())
        deep = deeper_than(expr, MAX_DEPTH)
        if deep is not None:
            message = f"the query is nested more than {MAX_DEPTH} levels deep."
            raise Stop(problem("pql.too-deep", message, self.text, deep.span.start, deep.span.end))
        return expr

    def _after_query(self) -> str | None:
        if self.token.is_symbol(")", "]", "}"):
            return f'There is no opening bracket for this "{self.token.text}".'
        if self.token.word == "not" and self.ahead(1).word in RELATION_WORDS:
            return "Write notIn, or not before the whole comparison."
        return self._advice() or ("Join conditions with and or or." if self.token.named else None)

    # -- levels -----------------------------------------------------------------------------------------------------

    def expression(self) -> Expr:
        """Read an expression of any kind."""
        self.enter()
        stopping, self._before_in = self._before_in, False
        if self.at_symbol("(") and self._lambda_ahead():
            expr: Expr = self._lambda()
        elif self.token.word == "let" and self._let_ahead():
            expr = self._let()
        else:
            expr = self._binary(OR)
        self._before_in = stopping
        self.leave()
        return expr

    def condition(self) -> Expr:
        """Read an expression from the level of `or`."""
        return self._binary(OR)

    def additive(self) -> Expr:
        """Read an expression from the level of `+`."""
        return self._binary(SUM)

    def _lambda_ahead(self) -> bool:
        distance = 1
        while self.ahead(distance).named:
            distance += 2
            if not self.ahead(distance - 1).is_symbol(","):
                return self.ahead(distance - 1).is_symbol(")") and self.ahead(distance).is_symbol("=>")
        return False

    def _lambda(self) -> ast.Lambda:
        start = self.advance().start
        params = [self.need_binder("the name of an input")]
        while self.take_symbol(","):
            params.append(self.need_binder("the name of an input"))
        self.need_symbol(")")
        self.need_symbol("=>")
        return ast.Lambda(tuple(params), self.expression(), span=self.since(start))

    def _let_ahead(self) -> bool:
        name = self.ahead(1)
        return name.named and name.word not in OPERATOR_WORDS

    def _let(self) -> ast.Let:
        start = self.advance().start
        name = self.need_binder("the name of a variable")
        self.need_symbol("=", " and the value of the variable")
        self._before_in = True
        value = self.additive()
        self.need_word("in")
        return ast.Let(name, value, self.expression(), span=self.since(start))

    def _binary(self, level: int) -> Expr:
        start = self.token.start
        left = self._not() if level <= NOT and self.token.word == "not" else self._unary()
        while True:
            op, tightness = self._operator()
            if not op or tightness < level:
                return left
            if tightness == RELATION:
                left = self._relation(left, op, start)
            elif op in ("and", "or"):
                left = self._chained(left, cast(Choice["and", "or"], op), tightness, start)
            else:
                self.advance()
                right = self._binary(tightness + 1)
                left = ast.Binary(cast(ast.BinaryOp, op), left, right, span=self.since(start))

    def _operator(self) -> tuple[str, int]:
        token = self.token
        if token.kind is Kind.SYMBOL:
            return _SYMBOLS.get(token.text, _NO_OPERATOR)
        word = token.word
        return _NO_OPERATOR if word == "in" and self._before_in else _WORDS.get(word, _NO_OPERATOR)

    def _relation(self, left: Expr, op: str, start: int) -> Expr:
        self.advance()
        if op == "occurs":
            relation: Expr = ast.Occurs(left, self.tail(), span=self.since(start))
        else:
            relation = ast.Binary(cast(ast.BinaryOp, op), left, self._binary(SUM), span=self.since(start))
        if self._operator()[1] == RELATION:
            self.fail("and, or, or the end of the comparison", hint="Comparisons do not chain: write a < b and b < c.")
        return relation

    def _chained(self, left: Expr, op: Choice["and", "or"], level: int, start: int) -> Expr:
        operands = [left]
        spans = [self.since(start)]
        while self._operator()[0] == op:
            self.advance()
            begin = self.token.start
            operands.append(self._binary(level + 1))
            spans.append(self.since(begin))
        return joined(op, operands, spans)

    def _not(self) -> Expr:
        starts = []
        while self.token.word == "not":
            starts.append(self.advance().start)
        expr = self._binary(RELATION)
        for start in reversed(starts):
            expr = ast.Unary("not", expr, span=self.since(start))
        return expr

    def _unary(self) -> Expr:
        signs = []
        while self.at_symbol("-", "!"):
            signs.append(self.advance())
        expr = self._postfix()
        for sign in reversed(signs):
            expr = ast.Unary("-" if sign.text == "-" else "not", expr, span=self.since(sign.start))
        return expr

    def _postfix(self) -> Expr:
        start = self.token.start
        expr = self._primary()
        while True:
            if self.take_symbol("."):
                name = self.need_name("a name after the dot")
                if self.at_symbol("("):
                    expr = ast.Method(expr, name, self._arguments(), span=self.since(start))
                else:
                    expr = ast.Property(expr, name, span=self.since(start))
            elif self.take_symbol("["):
                condition = self.expression()
                self.need_symbol("]", " after the filter")
                expr = ast.Filter(expr, condition, span=self.since(start))
            else:
                return expr

    # -- primaries --------------------------------------------------------------------------------------------------

    def _primary(self) -> Expr:
        token = self.token
        match token.kind:
            case Kind.NAME | Kind.QUOTED:
                return self._named()
            case Kind.STRING:
                self.advance()
                return ast.Literal(token.value, "string", span=self.since(token.start))
            case Kind.INTEGER:
                self.advance()
                return ast.Literal(int(token.value), "integer", span=self.since(token.start))
            case Kind.DOUBLE:
                self.advance()
                return ast.Literal(token.value, "double", span=self.since(token.start))
            case Kind.POSITIONAL:
                self.advance()
                return ast.Positional(int(token.value[1:]), span=self.since(token.start))
            case Kind.SYMBOL if token.text == "(":
                self.advance()
                inner = self.expression()
                self.need_symbol(")", " to close the parenthesis")
                return inner
            case Kind.SYMBOL if token.text == "[":
                return ast.ArrayLiteral(self._listed("[", "]"), span=self.since(token.start))
            case Kind.SYMBOL if token.text == "{":
                return self._object()
            case Kind.SYMBOL if token.text == "^":
                return self._up()
            case _:
                return self.fail("a value")

    def _named(self) -> Expr:
        token, following = self.token, self.ahead(1)
        word = token.word
        if word in LITERAL_WORDS:
            self.advance()
            value = _LITERALS[word]
            return ast.Literal(value, "null" if value is None else "boolean", span=self.since(token.start))
        if word in OPERATOR_WORDS:
            hint = f'A value must stand before "{token.text}"; a field of that name is written `{token.text}`.'
            self.fail("a value", hint=hint if word != "not" else "Put what is negated by not into parentheses.")
        if word == "chain" and following.is_symbol("("):
            return self.chain()
        if word in QUANTIFIERS and self.starts_declaration(1):
            return self.quantified()
        if word in AGGREGATES and following.named and following.word not in RESERVED_WORDS:
            return self.prefix_aggregate()
        name = self.advance().value
        if self.at_symbol("("):
            return ast.Call("if" if word == "if" else name, self._arguments(), span=self.since(token.start))
        return ast.Name(name, span=self.since(token.start))

    def _up(self) -> ast.Up:
        start = self.token.start
        levels = 0
        while self.take_symbol("^"):
            levels += 1
        self.take_symbol(".")
        return ast.Up(levels, self.need_name("a name after ^"), span=self.since(start))

    def _arguments(self) -> tuple[Expr, ...]:
        return self._listed("(", ")")

    def _listed(self, opening: str, closing: str) -> tuple[Expr, ...]:
        self.need_symbol(opening)
        items: list[Expr] = []
        if not self.at_symbol(closing):
            items.append(self.expression())
            while self.take_symbol(","):
                items.append(self.expression())
        self.need_symbol(closing, ' or ","')
        return tuple(items)

    def _object(self) -> ast.ObjectLiteral:
        start = self.need_symbol("{").start
        entries = [self._entry()]
        while self.take_symbol(","):
            entries.append(self._entry())
        self.need_symbol("}", ' or ","')
        return ast.ObjectLiteral(tuple(entries), span=self.since(start))

    def _entry(self) -> tuple[str, Expr]:
        if self.token.kind is not Kind.STRING:
            self.fail("a key in double quotes")
        key = self.advance().value
        self.need_symbol(":", " after the key")
        return key, self.expression()


def joined(op: Choice["and", "or"], operands: list[Expr], spans: list[Span]) -> Expr:
    """Join operands from left to right; if they are many, so that the tree is as shallow as can be."""
    if len(operands) > MAX_CHAIN:
        return _balanced(op, operands, spans)
    left = operands[0]
    for operand, span in zip(operands[1:], spans[1:], strict=True):
        left = ast.Binary(op, left, operand, span=Span(spans[0].start, span.end))
    return left


def _balanced(op: Choice["and", "or"], operands: list[Expr], spans: list[Span]) -> Expr:
    if len(operands) == 1:
        return operands[0]
    middle = (len(operands) + 1) // 2
    left = _balanced(op, operands[:middle], spans[:middle])
    right = _balanced(op, operands[middle:], spans[middle:])
    return ast.Binary(op, left, right, span=Span(spans[0].start, spans[-1].end))
