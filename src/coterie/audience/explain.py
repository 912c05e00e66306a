"""Why a person is in an audience, or is not: the rule as it is written, with a verdict and evidence for each part.

The interpreter is asked; it is what engines are compared with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Literal as Choice

from coterie.audience.asking import Asking
from coterie.audience.evidence import Fact, evidence_of, stored_in
from coterie.audience.explanation import Explanation, Part, Turn
from coterie.audience.gate import Gate
from coterie.audience.held import held_by
from coterie.audience.needs import need_of, passing
from coterie.pql.ast import Binary, Expr, Unary
from coterie.pql.english.outline import outline
from coterie.pql.logic import operands_of
from coterie.pql.printer import to_text
from coterie.pql.resolve import unsupported
from coterie.pql.sentence import clause_of, sentence


def explain(
    expr: Expr,
    asking: Asking,
    *,
    person: str,
    audience: str | None = None,
    pql: str = "",
    view: str = "default",
    notes: tuple[str, ...] = (),
    gate: Gate | None = None,
) -> Explanation:
    """Return why a rule holds for a person, or does not.

    Parameters
    ----------
    expr : Expr
        The rule, without problems.
    asking : Asking
        The person's record, the instant and the time zone.
    person : str
        Public id of the person.
    audience : str, optional
        The saved audience whose rule it is.
    pql : str
        The rule as it was spelled.
    view : str
        The view that the record is of.
    notes : tuple of str
        What must be known of the record to read the answer.
    gate : Gate, optional
        Who is withheld from the audience.

    Raises
    ------
    Unsupported
        ``engine.unsupported`` for a rule nested too deep.
    """
    try:
        tree = _tree(expr, outline(expr), asking)
        steps = {id(leaf): need_of(leaf.fact, asking) for leaf in _steps(tree, not tree.holds, asking) if leaf.fact}
        return Explanation(
            person=person,
            audience=audience,
            pql=pql or to_text(expr),
            sentence=sentence(expr, asking.union),
            view=view,
            zone=asking.zone,
            at=asking.at,
            holds=tree.holds,
            root=_part(tree, asking, steps),
            needs=tuple(steps.values()),
            turn=_turn(expr, tree, asking),
            stored=None if audience is None else stored_in(asking, audience),
            notes=notes,
            withheld=() if gate is None else held_by(gate, asking),
        )
    except RecursionError:
        raise unsupported(expr, "a rule nested so deep") from None


@dataclass(frozen=True)
class _Node:
    """A part of a rule with its verdict; a leaf has a fact."""

    kind: Choice["and", "or", "not", "condition"]
    holds: bool
    written: Expr
    core: Expr
    below: tuple[_Node, ...] = ()
    fact: Fact | None = field(default=None)

    def leaves(self) -> Iterator[_Node]:
        """Yield the conditions, in written order."""
        if self.fact is not None:
            yield self
        for node in self.below:
            yield from node.leaves()


def _tree(written: Expr, core: Expr, asking: Asking, *, negated: bool = False) -> _Node:
    match core:
        case Unary("not", operand):
            inner = written.operand if isinstance(written, Unary) else operand
            if not _compound(operand):
                return _tree(inner, operand, asking, negated=not negated)
            node = _tree(inner, operand, asking)
            return node if negated else _Node("not", not node.holds, written, core, (node,))
        case Binary("and" | "or" as op):
            nodes = tuple(_tree(part, inner, asking) for part, inner in _operands(op, written, core))
            verdict = all(node.holds for node in nodes) if op == "and" else any(node.holds for node in nodes)
            node = _Node(op, verdict, written, core, nodes)
            return _Node("not", not verdict, written, core, (node,)) if negated else node
        case _:
            fact = Fact(written, core, negated)
            return _Node("condition", fact.holds(asking), written, core, fact=fact)


def _compound(core: Expr) -> bool:
    while isinstance(core, Unary) and core.op == "not":
        core = core.operand
    return isinstance(core, Binary) and core.op in ("and", "or")


def _operands(op: Choice["and", "or"], written: Expr, core: Expr) -> Iterator[tuple[Expr, Expr]]:
    """Yield what is joined, as it is written and as a core tree; where only the core tree joins, that is both."""
    if not (isinstance(core, Binary) and core.op == op):
        yield written, core
    elif isinstance(written, Binary) and written.op == op:
        yield from _operands(op, written.left, core.left)
        yield from _operands(op, written.right, core.right)
    else:
        yield from ((part, part) for part in operands_of(op, core))


def _steps(node: _Node, wanted: bool, asking: Asking) -> list[_Node]:
    """Return the conditions that together would give a part the verdict wanted: as few as there may be.

    Of several single ones that would end a verdict, it is the one that time ends first.
    """
    if node.holds == wanted:
        return []
    match node.kind:
        case "condition":
            return [node]
        case "not":
            return _steps(node.below[0], not wanted, asking)
        case _:
            choices = [_steps(below, wanted, asking) for below in node.below if below.holds != wanted]
            if (node.kind == "and") == wanted:
                return [leaf for choice in choices for leaf in choice]
            fewest = min(map(len, choices))
            choices = [choice for choice in choices if len(choice) == fewest]
            if wanted or fewest > 1 or len(choices) == 1:
                return choices[0]
            return min(choices, key=lambda choice: _end(choice[0], asking))


def _end(leaf: _Node, asking: Asking) -> float:
    at = asking.turn(leaf.written)
    return inf if at is None else at


def _part(node: _Node, asking: Asking, steps: dict[int, str]) -> Part:
    negated = node.fact is not None and node.fact.negated
    return Part(
        kind=node.kind,
        holds=node.holds,
        text=to_text(Unary("not", node.written) if negated else node.written),
        sentence=node.fact.sentence(asking.union) if node.fact else clause_of(node.core, asking.union).full,
        parts=tuple(_part(below, asking, steps) for below in node.below),
        evidence=None if node.fact is None else evidence_of(node.fact, asking),
        needs=steps.get(id(node)),
    )


def _turn(expr: Expr, tree: _Node, asking: Asking) -> Turn | None:
    """Return when time alone turns the verdict, and by which conditions."""
    at = asking.turn(expr)
    if at is None:
        return None
    why = []
    for leaf in tree.leaves():
        assert leaf.fact is not None
        if leaf.fact.holds(asking, at) != leaf.holds:
            moved = passing(leaf.fact, at, asking)
            verdict = "no longer holds" if leaf.holds else "then holds"
            why.append(moved or f"{verdict}: {leaf.fact.sentence(asking.union)}")
    return Turn(at, not tree.holds, tuple(dict.fromkeys(why)))
