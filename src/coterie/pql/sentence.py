"""A rule in plain English: who its people are, in one sentence.

The sentence is read from the core tree with its chains kept (`outline`), in the order in which the rule was written.
Negation goes inward, where English has it; what one clause joins otherwise than its surroundings stands in brackets.
A part that has no words of its own is quoted as it is written.
"""

from __future__ import annotations

from coterie.core.errors import CoterieError
from coterie.core.schema import Union
from coterie.pql.ast import Expr, Literal
from coterie.pql.english.clauses import Around, Clause
from coterie.pql.english.nouns import Kind
from coterie.pql.english.outline import outline
from coterie.pql.english.reader import Reader
from coterie.pql.printer import to_text


def sentence(expr: Expr, union: Union) -> str:
    """Return a rule as a sentence.

    Parameters
    ----------
    expr : Expr
        The rule as it was parsed, or a core tree.
    union : Union
        The fields there are; their titles are used where they have some.

    Returns
    -------
    str
        One sentence.

    Examples
    --------
    >>> from coterie.pql import parse
    >>> from coterie.core.schema import union_of
    >>> rule = 'xEvent[eventType = "commerce.purchases"].count() >= 3 and not (loyalty.tier = "gold")'
    >>> sentence(parse(rule), union_of([]))
    'People who made at least 3 purchases and whose loyalty tier is not “gold” (or is missing).'
    """
    try:
        core = outline(expr)
    except CoterieError:
        return f"People for whom `{to_text(expr)}` holds."
    if isinstance(core, Literal) and core.kind == "boolean":
        return "Everyone." if core.value else "No one."
    return f"People {clause_of(core, union).full}."


def clause_of(core: Expr, union: Union) -> Clause:
    """Return what a core expression says of a person."""
    return Reader().read(core, Around.person(union), yes=True)


def refusal_of(core: Expr, union: Union) -> Clause:
    """Return what the negation of a core expression says of a person."""
    return Reader().read(core, Around.person(union), yes=False)


def noun_of(core: Expr, union: Union) -> str:
    """Return the words for a value of a person."""
    return Reader().noun(core, Around.person(union))


def things_of(array: Expr, union: Union) -> tuple[Kind, str]:
    """Return the words for the items of an array of a person, and for what they satisfy."""
    return Reader().things(array, Around.person(union))


def narrowing_of(array: Expr, union: Union) -> list[tuple[Expr, str]]:
    """Return the conditions of a filter one after the other, each with its words."""
    return Reader().narrowing(array, Around.person(union))
