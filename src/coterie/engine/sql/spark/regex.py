"""Regular expressions in RE2's syntax as trees: flags applied, classes as sets of characters."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass, field, replace

from coterie.core.errors import Unsupported
from coterie.engine.sql.spark.characters import ALL, Ranges, folded, joined, negated

_DIGIT: Ranges = ((48, 57),)
_WORD: Ranges = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACE: Ranges = ((9, 10), (12, 13), (32, 32))
_PERL = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
_POSIX: dict[str, Ranges] = {
    "alnum": ((48, 57), (65, 90), (97, 122)),
    "alpha": ((65, 90), (97, 122)),
    "ascii": ((0, 127),),
    "blank": ((9, 9), (32, 32)),
    "cntrl": ((0, 31), (127, 127)),
    "digit": _DIGIT,
    "graph": ((33, 126),),
    "lower": ((97, 122),),
    "print": ((32, 126),),
    "punct": ((33, 47), (58, 64), (91, 96), (123, 126)),
    "space": ((9, 13), (32, 32)),
    "upper": ((65, 90),),
    "word": _WORD,
    "xdigit": ((48, 57), (65, 70), (97, 102)),
}
_CONTROL = {"a": 7, "f": 12, "t": 9, "n": 10, "r": 13, "v": 11}
_NEWLINE: Ranges = ((10, 10),)

_REPEAT = re.compile(r"(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})(\?)?")
_FLAGS = re.compile(r"\?([imsU]*)(?:-([imsU]+))?([:)])")
_NAMED = re.compile(r"\?P?<\w+>")
_HEX = re.compile(r"x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))")
_OCTAL = re.compile(r"0[0-7]{0,2}|[1-7][0-7]{1,2}")
_PROPERTY = re.compile(r"([pP])(?:\{(\^?)(\w+)\}|([A-Z]))")
_POSIX_CLASS = re.compile(r"\[:(\^?)(\w+):\]")


@dataclass(frozen=True)
class Characters:
    """One character of a set: ranges, and Unicode classes by name (negated ones with `^` before it)."""

    ranges: Ranges
    classes: tuple[str, ...] = ()
    negative: bool = False


@dataclass(frozen=True)
class Assertion:
    """A place: `text-start`, `text-end`, `line-start`, `line-end`, `word-edge` or `no-word-edge`."""

    name: str


@dataclass(frozen=True)
class Row:
    """One after another."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Choice:
    """The first that leads to a match."""

    options: tuple[Node, ...]


@dataclass(frozen=True)
class Repeat:
    """A part some times over; `most` is None without a bound."""

    part: Node
    least: int
    most: int | None
    lazy: bool


@dataclass(frozen=True)
class Group:
    """A numbered group."""

    part: Node
    number: int


Node = Characters | Assertion | Row | Choice | Repeat | Group


_FLAG_NAMES = {"i": "ignore_case", "m": "lines", "s": "dot_all", "U": "swap_greed"}


@dataclass
class _Flags:
    ignore_case: bool = False
    lines: bool = False
    dot_all: bool = False
    swap_greed: bool = False


def refused(what: str) -> Unsupported:
    """Return the error for a part of an expression that has no equal in Java."""
    return Unsupported(
        "engine.unsupported", f"{what} in a regular expression is not supported on Spark.", hint="Use engine sql."
    )


def parse(pattern: str) -> Node:
    """Return the tree of an expression that RE2 accepts; raises `Unsupported` for what Java cannot express."""
    reader = _Reader(pattern)
    node = reader.choice(_Flags())
    if reader.at < len(pattern):
        raise refused(f"{pattern[reader.at]!r}")
    return node


@dataclass
class _Reader:
    pattern: str
    at: int = 0
    groups: int = field(default=0)

    def take(self, expression: re.Pattern[str]) -> re.Match[str] | None:
        found = expression.match(self.pattern, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def next(self) -> str:
        self.at += 1
        return self.pattern[self.at - 1]

    def choice(self, flags: _Flags) -> Node:
        options: list[list[Node]] = [[]]
        while self.at < len(self.pattern) and self.pattern[self.at] != ")":
            if self.pattern[self.at] == "|":
                self.at += 1
                options.append([])
                continue
            for node in self.atom(flags):
                options[-1].append(self.repeated(node, flags))
        rows = [row[0] if len(row) == 1 else Row(tuple(row)) for row in options]
        return rows[0] if len(rows) == 1 else Choice(tuple(rows))

    def repeated(self, node: Node, flags: _Flags) -> Node:
        while (found := self.take(_REPEAT)) is not None:
            sign, least, comma, most, lazy = found.groups()
            if sign is not None:
                low, high = {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
            else:
                low = int(least)
                high = low if comma is None else int(most) if most else None
            node = Repeat(node, low, high, (lazy is not None) != flags.swap_greed)
        return node

    def atom(self, flags: _Flags) -> list[Node]:
        char = self.next()
        match char:
            case "(":
                return self.group(flags)
            case "[":
                return [self.set(flags)]
            case ".":
                return [Characters(ALL if flags.dot_all else negated(_NEWLINE))]
            case "^":
                return [Assertion("line-start" if flags.lines else "text-start")]
            case "$":
                return [Assertion("line-end" if flags.lines else "text-end")]
            case "\\":
                return self.escape(flags)
            case _:
                return [_literal(ord(char), flags)]

    def group(self, flags: _Flags) -> list[Node]:
        inner = replace(flags)
        number = None
        if self.pattern.startswith("?", self.at) and self.take(_NAMED) is None:
            found = self.take(_FLAGS)
            if found is None:
                raise refused(f"the group {self.pattern[self.at - 1 : self.at + 3]!r}")
            on, off, end = found.groups()
            target = flags if end == ")" else inner
            for names, value in ((on, True), (off or "", False)):
                for name in names:
                    setattr(target, _FLAG_NAMES[name], value)
            if end == ")":
                return []
        else:
            self.groups += 1
            number = self.groups
        node = self.choice(inner)
        self.next()
        return [Row((node,)) if number is None else Group(node, number)]

    def escape(self, flags: _Flags) -> list[Node]:
        if self.pattern.startswith("Q", self.at):
            end = self.pattern.find("\\E", self.at)
            literal = self.pattern[self.at + 1 : end if end >= 0 else len(self.pattern)]
            self.at = end + 2 if end >= 0 else len(self.pattern)
            return [_literal(ord(char), flags) for char in literal]
        char = self.pattern[self.at]
        places = {"A": "text-start", "z": "text-end", "b": "word-edge", "B": "no-word-edge"}
        if char in places:
            self.at += 1
            return [Assertion(places[char])]
        if (found := self.named_set(flags)) is not None:
            return [found]
        return [_literal(self.code(), flags)]

    def named_set(self, flags: _Flags) -> Characters | None:
        """Read what follows a backslash when it names a set."""
        char = self.pattern[self.at]
        if char.lower() in _PERL:
            self.at += 1
            found = _fold(_PERL[char.lower()], flags)
            return Characters(negated(found) if char.isupper() else found)
        prop = self.take(_PROPERTY)
        if prop is None:
            return None
        sign, hat, long, short = prop.groups()
        name = long or short
        negative = (sign == "P") != bool(hat)
        if name == "Any":
            return Characters(() if negative else ALL)
        if flags.ignore_case:
            raise refused(f"the class \\p{{{name}}} under (?i)")
        return Characters((), (f"{'^' if negative else ''}{name}",))

    def code(self) -> int:
        """Read what follows a backslash as one character."""
        if (found := self.take(_HEX)) is not None:
            return int(found[1] or found[2], 16)
        if (found := self.take(_OCTAL)) is not None:
            return int(found[0], 8)
        char = self.next()
        if char in _CONTROL:
            return _CONTROL[char]
        if char in string.ascii_letters + string.digits:
            raise refused(f"\\{char}")
        return ord(char)

    def set(self, flags: _Flags) -> Characters:
        negative = self.pattern.startswith("^", self.at)
        self.at += negative
        ranges: list[tuple[int, int]] = []
        classes: list[str] = []
        first = True
        while first or self.pattern[self.at] != "]":
            first = False
            if (posix := self.take(_POSIX_CLASS)) is not None:
                found = _fold(_POSIX[posix[2]], flags)
                ranges += negated(found) if posix[1] else found
                continue
            if self.pattern[self.at] == "\\" and (named := self._named_in_set(flags)) is not None:
                ranges += named.ranges
                classes += named.classes
                continue
            low = high = self._end_of_range()
            if self.pattern.startswith("-", self.at) and not self.pattern.startswith("-]", self.at):
                self.at += 1
                high = self._end_of_range()
            ranges += _fold(((low, high),), flags)
        self.at += 1
        found = joined(ranges)
        if negative and not classes:
            return Characters(negated(found))
        return Characters(found, tuple(classes), negative)

    def _named_in_set(self, flags: _Flags) -> Characters | None:
        self.at += 1
        found = self.named_set(flags)
        if found is None:
            self.at -= 1
        return found

    def _end_of_range(self) -> int:
        char = self.next()
        return self.code() if char == "\\" else ord(char)


def _fold(ranges: Ranges, flags: _Flags) -> Ranges:
    return folded(ranges) if flags.ignore_case else ranges


def _literal(code: int, flags: _Flags) -> Characters:
    return Characters(_fold(((code, code),), flags))
