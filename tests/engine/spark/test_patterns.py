"""RE2's expressions in Java's syntax, without Spark: what is written, and what is refused."""

from __future__ import annotations

import random
import re

import pytest
import re2

from coterie.core.errors import Unsupported
from coterie.engine.sql.spark import patterns
from coterie.engine.sql.spark.characters import folded, joined, negated


@pytest.mark.parametrize(
    ("pattern", "java"),
    [
        ("abc", "abc"),
        ("a.c", r"a[\x{0}-\x{9}\x{b}-\x{10ffff}]c"),
        ("^a$", r"\Aa\z"),
        ("(?m)^a$", r"(?:\A|(?<=\n))a(?:\z|(?=\n))"),
        (r"\d+?", "(?:[0-9]){1,}?"),
        ("(?U)a*b*?", "(?:a){0,}?(?:b){0,}"),
        ("(?i)k", "[Kk\\x{212a}]"),
        ("x{2,3}", "(?:x){2,3}"),
        ("a|(?P<name>b)", "(?:a|(?:b))"),
        (r"\Qa.b\E", r"a\x{2e}b"),
        (r"\pL", r"[[\p{L}]]"),
        (r"[^\p{Greek}a]", r"[^a[\p{IsGreek}]]"),
        (r"\PC", r"[[^\p{Cc}\p{Cf}\p{Co}\p{Cs}]]"),
    ],
)
def test_an_expression_in_java(pattern, java):
    assert patterns.search(pattern) == java


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$", "(a*)*", "(a|a)*", "(?:a?){30}a{30}", "(a|ab|b)*c", r"(\w+\s?)+$", "(.*a){12}", "((a|b)+)+",
        "([a-z]+)*@", "(a{1,20}){1,20}",
    ],
)  # fmt: skip
def test_an_expression_with_very_many_ways_to_match_is_refused(pattern):
    with pytest.raises(Unsupported, match="so many ways to match"):
        patterns.search(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[\w.]+@([\w-]+\.)+[a-z]{2,4}$", r"(\d{1,3}\.){3}\d{1,3}", r"^(\w+,)*\w+$", "(foo|bar)*x", ".*a.*b.*",
        "a{1000}", "(?i)(mr|ms|dr)[.]? ", "(ab|cd)+",
    ],
)  # fmt: skip
def test_expressions_that_people_write_are_not(pattern):
    assert patterns.search(pattern)


@pytest.mark.parametrize(("pattern", "named"), [(r"\C", r"\\C"), (r"(?i)\p{Lu}", "class")])
def test_what_java_cannot_express_is_refused_by_name(pattern, named):
    with pytest.raises(Unsupported, match=named):
        patterns.search(pattern)


def test_sets_of_characters():
    assert joined([(5, 9), (1, 2), (3, 4), (20, 20)]) == ((1, 9), (20, 20))
    assert negated(((0, 9), (20, 0x10FFFF))) == ((10, 19),)
    assert negated(negated(((7, 9),))) == ((7, 9),)


def test_characters_that_differ_by_case_only_are_those_of_re2():
    unlike = []
    for code in random.Random(4).sample(range(0x20, 0x1F000), 3000):
        if 0xD800 <= code <= 0xDFFF:
            continue
        ours = folded(((code, code),))
        expression = re2.compile(f"(?i)^{re2.escape(chr(code))}$")
        members = [chr(other) for low, high in ours for other in range(low, high + 1)]
        candidates = {*members, chr(code).lower()[:1], chr(code).upper()[:1], chr(code).swapcase()[:1]}
        theirs = {char for char in candidates if expression.search(char)}
        if theirs != set(members):
            unlike.append((hex(code), theirs, members))
    assert unlike == []


def test_of_nothing_but_plain_syntax_java_and_python_read_the_same():
    """What is written is so plain that Python's own expressions read it too, once code points are spelled its way."""
    for pattern, subject in [("b+", "abbc"), ("(?i)É", "é"), ("[^a-c]", "abcd"), (r"x|y$", "ay"), ("^(a|b)c", "bc")]:
        java = patterns.search(pattern).replace(r"\z", r"\Z")
        python = re.sub(r"\\x\{([0-9a-f]+)\}", lambda found: f"\\U{int(found[1], 16):08x}", java)
        assert bool(re.search(python, subject)) == bool(re2.search(pattern, subject)) is True
