"""The parser's place in the text: looking at tokens, taking them, and saying what was expected instead."""

from __future__ import annotations

from typing import NoReturn

from coterie.pql.ast import Span
from coterie.pql.lexer import MAX_TOKENS, MAX_WORDS, Kind, Token, tokenize
from coterie.pql.problems import Problem, problem
from coterie.pql.words import AGGREGATES, QUANTIFIERS, RESERVED_WORDS

MAX_NESTING = 60


class Stop(Exception):
    """Signal that parsing cannot go on."""

    def __init__(self, found: Problem) -> None:
        super().__init__(found.message)
        self.problem = found


class Cursor:
    """Tokens of a text and a place among them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.problems: list[Problem] = []
        self._tokens = tokenize(text)
        self._index = 0
        self._nesting = 0
        last = self._tokens[-1]
        if last.kind is Kind.EXCESS:
            message = f"the query has more than {MAX_WORDS:,} names and symbols, or {MAX_TOKENS:,} values and commas."
            hint = "Ask for many values by in [ … ], or divide the query into several audiences."
            raise Stop(problem("pql.too-long", message, text, last.start, last.end, hint=hint))

    @property
    def token(self) -> Token:
        """The token that comes next."""
        return self._tokens[self._index]

    def ahead(self, distance: int) -> Token:
        """Return the token `distance` places after the next one."""
        return self._tokens[min(self._index + distance, len(self._tokens) - 1)]

    def advance(self) -> Token:
        """Take the next token."""
        token = self._tokens[self._index]
        self._index += token.kind is not Kind.END
        return token

    def since(self, start: int) -> Span:
        """Return the span from `start` to the end of the last token taken."""
        return Span(start, self._tokens[self._index - 1].end)

    def at_symbol(self, *symbols: str) -> bool:
        """Whether one of the symbols comes next."""
        return self.token.is_symbol(*symbols)

    def take_symbol(self, symbol: str) -> bool:
        """Take the symbol if it comes next."""
        found = self.token.is_symbol(symbol)
        self._index += found
        return found

    def take_word(self, *words: str) -> str:
        """Take one of the keywords if it comes next, and return it; else return an empty text."""
        word = self.token.word
        if word not in words:
            return ""
        self._index += 1
        return word

    def need_symbol(self, symbol: str, why: str = "") -> Token:
        """Take the symbol, which must come next."""
        if not self.at_symbol(symbol):
            self.fail(f'"{symbol}"{why}')
        return self.advance()

    def need_word(self, *words: str) -> str:
        """Take one of the keywords, which must come next."""
        return self.take_word(*words) or self.fail(" or ".join(f'"{word}"' for word in words))

    def need_name(self, what: str) -> str:
        """Take a name that may be any word (after a dot), which must come next."""
        return self.advance().value if self.token.named else self.fail(what)

    def need_binder(self, what: str) -> str:
        """Take the name of a variable, which must come next; reserved words cannot be one."""
        if self.token.word in RESERVED_WORDS:
            self.fail(what, hint=f'"{self.token.text}" is a reserved word.')
        return self.need_name(what)

    def need_integer(self, what: str) -> int:
        """Take a non-negative integer, which must come next."""
        if self.token.kind is not Kind.INTEGER:
            self.fail(what)
        return int(self.advance().value)

    def starts_declaration(self, distance: int = 0) -> bool:
        """Whether `name from` comes after `distance` tokens."""
        name = self.ahead(distance)
        return name.named and name.word not in RESERVED_WORDS and self.ahead(distance + 1).word == "from"

    def enter(self) -> None:
        """Go one level deeper; there is a limit, so that no text exhausts the stack."""
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            token = self.token
            message = f"the query is nested more than {MAX_NESTING} levels deep."
            raise Stop(problem("pql.too-deep", message, self.text, token.start, token.end))

    def leave(self) -> None:
        """Come one level back."""
        self._nesting -= 1

    def fail(self, expected: str, hint: str | None = None) -> NoReturn:
        """Stop at the next token, saying what was expected there."""
        token = self.token
        if token.kind is Kind.BAD:
            message, hint = f"{token.value}.", token.hint
        elif token.kind is Kind.END:
            message = f"the query ends where {expected} was expected."
        else:
            message = f'expected {expected}, found "{_shortened(token.text)}".'
        raise Stop(problem("pql.syntax", message, self.text, token.start, token.end, hint=hint or self._advice()))

    def _advice(self) -> str | None:
        """Return advice on a quantifier or prefix aggregate written without its variable."""
        before = self._tokens[self._index - 1].word if self._index else ""
        if self.token.named and before in QUANTIFIERS:
            return f"{before} needs a variable: {before} X from {self.token.text} where X.name = …"
        if self.token.named and before in AGGREGATES:
            return f"Write {before} X.name over X from {self.token.text}, or {self.token.text}.{before}(name)."
        return None


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"
