"""Tokens of PQL: names, numbers, strings, symbols, each with its place in the text.

Words are not told apart here: whether `exists` or `last` is a keyword depends on where it stands, so the
parser decides. Text that can be no token ends the list with a `bad` token that says what is wrong with it, and text of
too many tokens with one of `excess`: a list may be long, a rule with as many operations would take too long.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import NamedTuple


class Kind(Enum):
    """What a token is."""

    NAME = auto()
    QUOTED = auto()
    STRING = auto()
    INTEGER = auto()
    DOUBLE = auto()
    POSITIONAL = auto()
    SYMBOL = auto()
    BAD = auto()
    EXCESS = auto()
    END = auto()


class Token(NamedTuple):
    """A token: `text` as written, `value` with quotes and escapes resolved; of a bad one, what is wrong."""

    kind: Kind
    text: str
    start: int
    end: int
    value: str = ""
    hint: str | None = None

    @property
    def word(self) -> str:
        """The lower-case text of an unquoted name, by which keywords are recognised; else empty."""
        return self.text.lower() if self.kind is Kind.NAME else ""

    @property
    def named(self) -> bool:
        """Whether this is a name, quoted or not."""
        return self.kind is Kind.NAME or self.kind is Kind.QUOTED

    def is_symbol(self, *symbols: str) -> bool:
        """Whether this is one of the given symbols."""
        return self.kind is Kind.SYMBOL and self.text in symbols


MAX_DIGITS = 400
MAX_TOKENS = 300_000
MAX_WORDS = 60_000
"""How many tokens are read, and how many of them may be names and symbols other than the commas of a list."""

_TOKEN = re.compile(
    r"""
    (?P<blank>\s+)
  | (?P<wrong>==|<>|&&|\|\||!==|;)
  | (?P<name>[^\W\d]\w*)
  | (?P<double>(?:[0-9]+\.|\.)[0-9]+(?:[eE][+-]?[0-9]+)?)
  | (?P<integer>[0-9]+)
  | (?P<string>"[^"\\]*(?:\\.[^"\\]*)*")
  | (?P<quoted>`[^`]+`)
  | (?P<positional>\$[1-9][0-9]{0,3}(?![0-9]))
  | (?P<symbol>=>|!=|<=|>=|[()\[\]{},.:=<>+\-*/%!^])
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN = re.compile(r"[^\W\d]\w*")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t"}
_KINDS = {
    "name": Kind.NAME,
    "double": Kind.DOUBLE,
    "integer": Kind.INTEGER,
    "string": Kind.STRING,
    "quoted": Kind.QUOTED,
    "positional": Kind.POSITIONAL,
    "symbol": Kind.SYMBOL,
}
_WRONG = {
    "==": "Write = for equality.",
    "<>": "Write != for inequality.",
    "!==": "Write != for inequality.",
    "&&": "Write and.",
    "||": "Write or.",
    ";": "A query is one expression; join conditions with and or or.",
}
_QUOTES = {"'": "'", "\u2018": "\u2019", "\u2019": "\u2019", "\u201c": "\u201d", "\u201d": "\u201d", "«": "»"}


def is_plain(name: str) -> bool:
    """Whether `name` can be written without backquotes."""
    return _PLAIN.fullmatch(name) is not None and (name[0] == "_" or name[0].isalpha())


def tokenize(text: str) -> list[Token]:
    """Split `text` into tokens; the last one is the end of the text or the first text that is no token."""
    tokens: list[Token] = []
    at = words = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        group = match.lastgroup if match else None
        if match is None or group is None or group == "wrong":
            tokens.append(_bad(text, at))
            return tokens
        at = match.end()
        if group == "blank":
            continue
        token = _token(_KINDS[group], match.group(), match.start(), at)
        empty = token.text == "," and bool(tokens) and tokens[-1].text == ","
        tokens.append(token)
        if token.kind is Kind.BAD:
            return tokens
        if empty:  # no query goes on behind two commas, so what follows need not be read
            break
        words += (token.kind is Kind.SYMBOL and token.text != ",") or token.named
        if words > MAX_WORDS or len(tokens) > MAX_TOKENS:
            tokens.append(Token(Kind.EXCESS, "", at, at))
            return tokens
    end = len(text.rstrip("\r\n"))  # after the last line of a file is nothing to show
    tokens.append(Token(Kind.END, "", end, end))
    return tokens


def _token(kind: Kind, written: str, start: int, end: int) -> Token:
    value = written
    match kind:
        case Kind.STRING:
            value = _ESCAPE.sub(_unescape, written[1:-1])
        case Kind.QUOTED:
            value = written[1:-1]
        case Kind.NAME if not is_plain(written):
            return Token(Kind.BAD, written, start, end, f"{written!r} cannot begin a name")
        case Kind.INTEGER | Kind.DOUBLE if len(written) > MAX_DIGITS:
            return Token(Kind.BAD, written, start, end, f"a number has at most {MAX_DIGITS} digits")
    if not value.isascii():
        try:
            value = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            return Token(Kind.BAD, written, start, end, "half of a surrogate pair is no character")
    return Token(kind, written, start, end, value)


def _unescape(match: re.Match[str]) -> str:
    code, character = match.groups()
    return chr(int(code, 16)) if code else _CONTROLS.get(character, character)


def _bad(text: str, at: int) -> Token:
    """Return the token for text that follows no rule."""
    character = text[at]
    match = _TOKEN.match(text, at)
    if match is not None and match["wrong"]:
        wrong = match["wrong"]
        return Token(Kind.BAD, wrong, at, match.end(), f"{wrong} is not part of the language", _WRONG[wrong])
    if character == '"':
        return Token(Kind.BAD, text[at:], at, len(text), "the string is not closed", 'Close it with ".')
    if character == "`":
        return Token(Kind.BAD, text[at:], at, len(text), "the name is empty or not closed", "Close it with `.")
    if character in _QUOTES:
        closing = text.find(_QUOTES[character], at + 1)
        end = closing + 1 if closing > 0 else at + 1
        return Token(
            Kind.BAD,
            text[at:end],
            at,
            end,
            f"{character} does not begin a string",
            'Write strings in double quotes: "…".',
        )
    if character == "$":
        return Token(Kind.BAD, character, at, at + 1, "$ must be followed by the number of an input", "Write $1.")
    hint = "Write @{…} only in decision rules; an audience reads the profile." if character == "@" else None
    return Token(Kind.BAD, character, at, at + 1, f"{character!r} is not part of the language", hint)
