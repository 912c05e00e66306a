"""Whether the engines mean the same: random rules about random worlds, asked of SQL and of the interpreter.

Each world is taken in through the real intake of a workspace of its own. Each rule is asked of the engine and, person
by person, of the interpreter, as written and in canonical form; all three must have the same members.

``python bench/agreement.py --pairs 20000 --seed 1`` prints each disagreement, made small, with its world's number, and
ends with one line of JSON; the exit code is 1 when there was a disagreement or a rule was refused.
``--cases FILE`` appends disagreements as cases to be settled by the specification.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import machine
from coterie.pql import parse, to_text
from coterie.pql.ast import Expr
from coterie.pql.tree import walk
from properties.agreement import Asked, asked
from properties.constructs import constructs
from properties.roundtrips import accepted, stable
from properties.rules import rules
from properties.shrink import smaller_case, smaller_rule
from properties.worlds import World, world


@dataclass
class Tally:
    """What came of some pairs of a rule and a world."""

    pairs: int = 0
    disagreements: int = 0
    refused: int = 0
    raised: int = 0
    telling: int = 0
    """Rules with some members, but not everybody."""
    constructs: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)
    cases: list[dict[str, Any]] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Add what came of other pairs."""
        for name in ("pairs", "disagreements", "refused", "raised", "telling"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.constructs += other.constructs
        self.cases += other.cases


def outcome(expr: Expr, group: Asked) -> tuple[str, str]:
    """Return what came of asking a rule: a word, and more about it."""
    try:
        answer = group.answer(expr)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return "raised", f"{type(error).__name__}: {str(error)[:300]} at {Path(last.filename).name}:{last.lineno}"
    if answer.refused:
        return "refused", answer.refused
    if not answer.agreed:
        said = {"sql": answer.sql, "as written": answer.surface, "canonical": answer.core}
        return "disagreed", f"{ {name: sorted(answer.disputed & members) for name, members in said.items()} }"
    return ("telling" if 0 < len(answer.surface) < group.size else "agreed"), ""


def smaller(expr: Expr, place: World, group: Asked, kind: str, seconds: float = 30) -> Expr:
    """Return a small rule of which the same comes."""
    ends = time.monotonic() + seconds

    def fails(candidate: Expr) -> bool:
        if time.monotonic() > ends:
            return False
        try:
            readable = parse(to_text(candidate)) == candidate and not accepted(candidate, place)
        except Exception:  # a tree that the grammar cannot write
            return False
        return readable and outcome(candidate, group)[0] == kind

    return smaller_rule(expr, fails)


def run(seed: int, count: int) -> Tally:
    """Ask `count` rules about the world with a number."""
    random = Random(seed)
    place, found = world(random), Tally()
    with asked(place) as group:
        for expr in rules(place, random, count):
            stable(expr)
            kind, more = outcome(expr, group)
            found.pairs += 1
            found.telling += kind == "telling"
            found.raised += kind == "raised"
            found.refused += kind == "refused"
            found.disagreements += kind == "disagreed"
            found.constructs.update({name for node in walk(expr) for name in constructs(node)})
            if kind not in ("telling", "agreed"):
                expr = smaller(expr, place, group, kind)
                found.lines.append(f"world {seed}, {kind}: {to_text(expr)}\n    {outcome(expr, group)[1] or more}")
                if kind == "disagreed":
                    found.cases.append(smaller_case(expr, place))
    return found


def _run(job: tuple[int, int]) -> Tally:
    return run(*job)


def jobs(options: argparse.Namespace) -> Iterator[tuple[int, int]]:
    """Yield the worlds to be made, each with its number of rules."""
    left, seed = options.pairs, options.seed * 1_000_000
    while left > 0:
        yield seed, min(options.rules, left)
        left, seed = left - options.rules, seed + 1


def main() -> int:
    """Ask, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1000, help="pairs of a rule and a world (default 1000)")
    parser.add_argument("--rules", type=int, default=100, help="rules about each world (default 100)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--cases", type=Path, help="file to append disagreements to, as cases")
    options = parser.parse_args()
    began, total = time.perf_counter(), Tally()
    with get_context("spawn").Pool(options.processes) as pool:
        for found in pool.imap_unordered(_run, jobs(options)):
            total.add(found)
            for line in found.lines:
                print(line)
            print(f"{total.pairs:,} pairs, {total.disagreements} disagreements, {total.refused} refused", flush=True)
    if options.cases is not None:
        with options.cases.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(case, ensure_ascii=False, default=str) + "\n" for case in total.cases)
    print(json.dumps(_summary(options, total, time.perf_counter() - began)))
    return int(total.disagreements + total.refused + total.raised > 0)


def _summary(options: argparse.Namespace, total: Tally, seconds: float) -> dict[str, Any]:
    return {
        "pairs": total.pairs,
        "rules_per_world": options.rules,
        "seed": options.seed,
        "disagreements": total.disagreements,
        "refused": total.refused,
        "raised": total.raised,
        "share_telling": round(total.telling / max(total.pairs, 1), 3),
        "seconds": round(seconds),
        "constructs": dict(sorted(total.constructs.items())),
        "machine": machine.described(),
    }


if __name__ == "__main__":
    sys.exit(main())
