"""Regular expressions of RE2 for Spark, which has Java's: the same matches, written without anything that differs.

Java's matcher tries all ways, one after another. An expression with very many ways to match one text is refused.
"""

from __future__ import annotations

import string
from typing import assert_never

from coterie.engine.sql.spark.characters import ALL, Ranges, overlap
from coterie.engine.sql.spark.regex import Assertion, Characters, Choice, Group, Node, Repeat, Row, parse, refused

_MOST_WAYS = 1_000_000
_EDGE = "[0-9A-Za-z_]"
_PLACES = {
    "text-start": r"\A",
    "text-end": r"\z",
    "line-start": r"(?:\A|(?<=\n))",
    "line-end": r"(?:\z|(?=\n))",
    "word-edge": f"(?:(?<={_EDGE})(?!{_EDGE})|(?<!{_EDGE})(?={_EDGE}))",
    "no-word-edge": f"(?:(?<={_EDGE})(?={_EDGE})|(?<!{_EDGE})(?!{_EDGE}))",
}
_PLAIN = frozenset(string.ascii_letters + string.digits)
_OTHER = ("Cc", "Cf", "Co", "Cs")
"""RE2's class C; Java's has the code points without a character too."""


def search(pattern: str) -> str:
    """Return the Java expression found in the texts in which RE2 finds `pattern`."""
    return _java(_bounded(pattern), None)


def capture(pattern: str, number: int) -> str:
    """Return a Java expression whose group 1 is group `number` of the first match of `pattern`.

    It is found only when there is a match and the group took part in it: then the empty group 2 did, and a reference to
    it matches. The atomic group keeps the matcher from looking for another match in which it would.
    """
    node = _bounded(pattern)
    inner = _java(Group(node, 0), 0) if number == 0 else _java(node, number)
    return rf"\A(?>(?s:.*?)(?>{inner}))\2"


def _bounded(pattern: str) -> Node:
    """Return the tree of an expression that Java matches in reasonable time."""
    node = parse(pattern)
    if _ways(node) > _MOST_WAYS:
        raise refused(f"so many ways to match as {pattern!r} has")
    return node


def _java(node: Node, wanted: int | None) -> str:
    match node:
        case Characters():
            return _set(node)
        case Assertion(name):
            return _PLACES[name]
        case Row(parts):
            return "".join(_java(part, wanted) for part in parts)
        case Choice(options):
            return f"(?:{'|'.join(_java(option, wanted) for option in options)})"
        case Repeat(part, least, most, lazy):
            times = f"{{{least},{'' if most is None else most}}}"
            return f"(?:{_java(part, wanted)}){times}{'?' if lazy else ''}"
        case Group(part, number):
            return f"(()(?:{_java(part, wanted)}))" if number == wanted else f"(?:{_java(part, wanted)})"
        case _:
            assert_never(node)


def _set(node: Characters) -> str:
    match node.ranges, node.classes, node.negative:
        case (), (), _:
            return r"[^\x{0}-\x{10ffff}]"
        case ((low, high),), (), False if low == high:
            return _character(low)
        case ranges, classes, negative:
            items = "".join(
                _character(low) if low == high else f"{_character(low)}-{_character(high)}" for low, high in ranges
            )
            return f"[{'^' if negative else ''}{items}{''.join(map(_class, classes))}]"


def _character(code: int) -> str:
    char = chr(code)
    return char if char in _PLAIN else f"\\x{{{code:x}}}"


def _class(name: str) -> str:
    """Return a Unicode class: one of a category has one or two letters, another is a script."""
    plain = name.removeprefix("^")
    if plain == "C":
        inside = "".join(rf"\p{{{part}}}" for part in _OTHER)
    else:
        inside = rf"\p{{{plain}}}" if len(plain) <= 2 else rf"\p{{Is{plain}}}"
    return f"[^{inside}]" if name.startswith("^") else f"[{inside}]"


# -- how many ways there are to match one text ------------------------------------------------------------------------


def _ways(node: Node) -> int:
    """Return a bound on the ways to match one text, the places where an unbounded repeat may stop not counted."""
    match node:
        case Characters() | Assertion():
            return 1
        case Row(parts):
            product = 1
            for part in parts:
                product *= _ways(part)
            return min(product, _MOST_WAYS + 1)
        case Choice(options):
            return max(map(_ways, options)) if _apart(options) else sum(map(_ways, options))
        case Group(part):
            return _ways(part)
        case Repeat(part, least, most):
            again = most is None or most > 1
            if again and (_open(part, _first(part)) or (most is None and _ways(part) > 1)):
                return _MOST_WAYS + 1
            return 1 if most is None else min((most - least + 1) * _ways(part) ** min(most, 20), _MOST_WAYS + 1)
        case _:
            assert_never(node)


def _open(node: Node, following: Ranges | None) -> bool:
    """Whether some repeat without a bound is not ended by the character that follows it."""
    match node:
        case Characters() | Assertion():
            return False
        case Row(parts):
            nexts = [*(_first(part) for part in parts[1:]), following]
            return any(_open(part, after) for part, after in zip(parts, nexts, strict=True))
        case Choice(options):
            return any(_open(option, following) for option in options)
        case Group(part):
            return _open(part, following)
        case Repeat(Characters(ranges, classes), _, None):
            return bool(classes) or following is None or overlap(ranges, following)
        case Repeat(part, _, most):
            return most is None or _open(part, None if most > 1 else following)
        case _:
            assert_never(node)


def _apart(options: tuple[Node, ...]) -> bool:
    """Whether the first character of a text tells which option can match."""
    seen: Ranges = ()
    for option in options:
        starts = _first(option)
        if starts is None or overlap(seen, starts):
            return False
        seen = (*seen, *starts)
    return True


def _first(node: Node) -> Ranges | None:
    """Return the characters with which a match begins; None when it may be empty or that is not known."""
    match node:
        case Characters(ranges, classes):
            return ranges if not classes else ALL
        case Assertion():
            return None
        case Row(parts):
            return next((_first(part) for part in parts if not isinstance(part, Assertion)), None)
        case Choice(options):
            starts = [start for start in map(_first, options) if start is not None]
            return tuple(item for start in starts for item in start) if len(starts) == len(options) else None
        case Group(part):
            return _first(part)
        case Repeat(part, least):
            return _first(part) if least else None
        case _:
            assert_never(node)
