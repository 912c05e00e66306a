"""The functions of the language as the reference shows them: what each takes and gives, and a rule that was run."""

from __future__ import annotations

import json
import re
from itertools import groupby
from typing import Any

from coterie.core.clock import parse_instant
from coterie.pql import parse
from coterie.pql.examples import EXAMPLES
from coterie.pql.functions import ALL, Function, Param
from coterie.pql.interpreter import holds
from coterie.testing import SAMPLE

BEGIN, END = "<!-- functions: made by ./dev docs -->\n", "<!-- end of functions -->\n"
TITLES = {
    "logic": "Choice",
    "arrays": "Arrays",
    "aggregation": "Aggregates",
    "maps": "Maps",
    "objects": "Presence",
    "text": "Text",
    "time": "Time",
    "membership": "Audiences",
}
TAKES = {
    "any": "anything",
    "array": "Array",
    "boolean": "Boolean",
    "integer": "Integer",
    "name": "a text literal",
    "test": "a condition",
    "text": "String",
    "texts": "String, or an Array of them",
    "value": "an item or key",
    "condition": "a condition on each item",
    "key": "a value of each item",
    "mapping": "anything of each item",
    "number": "a number of each item",
    "order": "a number or time of each item",
}
GIVES = {
    "branch": "type of x and y",
    "entry": "entry of a map",
    "extreme": "type of e",
    "groups": "groups",
    "item": "an item",
    "items": "Array of the items",
    "keys": "Array of the keys",
    "mapped": "Array of e, or Map",
    "value": "a value",
    "values": "Array of the values",
}


def people(page: str) -> tuple[str, list[dict[str, Any]]]:
    """Return the instant and the people that the page speaks of."""
    found = re.search(r"at `([^`]+)`.*?```json\n(.*?)```", page, re.DOTALL)
    assert found is not None
    return found[1], [json.loads(line) for line in found[2].strip().splitlines()]


def with_functions(page: str) -> str:
    """Return the page with its part on functions made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + _functions(*people(page)) + END + after


def _functions(now: str, profiles: list[dict[str, Any]]) -> str:
    lines: list[str] = []
    for section, rows in groupby(ALL, key=lambda row: row.section):
        lines += [f"\n### {TITLES[section]}\n", "| form | takes | gives | of null | meaning |", "|---|---|---|---|---|"]
        some = list(rows)
        lines += [f"| `{row.form}` | {_takes(row)} | {_gives(row)} | {row.null} | {row.summary} |" for row in some]
        lines += ["\n| example | holds for |", "|---|---|"]
        lines += [_example(EXAMPLES[row.name], now, profiles) for row in some]
    return "\n".join(lines) + "\n\n"


def _takes(row: Function) -> str:
    return "; ".join(f"{_name(param)}: {TAKES[param.takes]}" for param in row.params) or "-"


def _name(param: Param) -> str:
    return f"{param.name}…" if param.many else param.name


def _gives(row: Function) -> str:
    return GIVES[row.result] if isinstance(row.result, str) else str(row.result)


def _example(rule: str, now: str, profiles: list[dict[str, Any]]) -> str:
    tree = parse(rule)
    names = [profile["id"] for profile in profiles if holds(tree, profile, parse_instant(now), SAMPLE)]
    shown = rule.replace("|", "\\|")
    return f"| `{shown}` | {', '.join(names) or 'nobody'} |"
