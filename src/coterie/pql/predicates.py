"""Canonical forms of predicates: comparison, membership, sets and text.

What is compared with a literal has it on the right, in its own type; counts and sums, which are never null, lose the
comparisons that a negation of another says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from math import ceil, floor
from typing import TYPE_CHECKING

from coterie.core.schema import Field, FieldType
from coterie.pql.ast import ArrayLiteral, Binary, BinaryOp, Call, Expr, Filter, Literal, Method
from coterie.pql.logic import all_of, any_of, negate
from coterie.pql.printer import to_text
from coterie.pql.resolve import FALSE, TRUE
from coterie.pql.scopes import NEGATIVE, THIS, Scopes, levels_of, shift

if TYPE_CHECKING:
    from coterie.pql.canon import Canon

MIRRORED: dict[str, BinaryOp] = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
INVERSE: dict[str, BinaryOp] = {"=": "!=", "!=": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
LARGEST = 60
"""Powers of ten beyond which a literal keeps the form it was written in."""
LONGEST_TEST = 4_000
"""Characters of a truth that its canonical form repeats: nested ones would double at every level."""
_NUMERIC = (FieldType.INTEGER, FieldType.NUMBER)
_TIMES = (FieldType.DATE, FieldType.DATETIME)


def number(literal: Literal) -> Literal:
    """Return a numeric literal without needless digits: ``2.50`` is ``2.5``, ``100.0`` is ``100``."""
    value = Decimal(str(literal.value))
    if abs(value.adjusted()) > LARGEST:
        return literal
    if value == value.to_integral_value():
        return replace(literal, value=int(value), kind="integer")
    return replace(literal, value=format(value, "f").rstrip("0"), kind="double")


def intersects(canon: Canon, left: Expr, right: Expr, scopes: Scopes) -> Expr:
    """Return the canonical form of ``left.intersects(right)``."""
    left, right = without_repetition(left), without_repetition(right)
    if is_empty(left) or is_empty(right):
        return FALSE
    if isinstance(left, ArrayLiteral) and not isinstance(right, ArrayLiteral):
        left, right = right, left
    if isinstance(right, ArrayLiteral):
        split = canon.split(left, scopes)
        if split is not None:
            item = canon.field(split[1], canon.inside(split[0], scopes))
            many = item is not None and item.type is FieldType.ARRAY
            other = shift(right, 1)
            found = Method(split[1], "intersects", (other,)) if many else Binary("in", split[1], other)
            return canon.truth(Filter(split[0], found), scopes)
        if len(right.items) == 1:
            return canon.truth(Binary("in", right.items[0], left), scopes)
    return Method(canon.value(left, scopes), "intersects", (canon.value(right, scopes),))


def membership(canon: Canon, op: BinaryOp, item: Expr, array: Expr, scopes: Scopes) -> Expr:
    """Return the canonical form of ``item in array`` or ``item notIn array``."""
    array = without_repetition(array)
    lifted = canon.lifted(item, scopes, lambda inner, by: Binary(op, inner, shift(array, by)), whole=True)
    if lifted is not None:
        return lifted
    found = canon.field(item, scopes)
    if found is not None and found.type is FieldType.ARRAY:
        return canon.truth(Filter(item, Binary(op, THIS, shift(array, 1))), scopes)
    equal: BinaryOp = "=" if op == "in" else "!="
    if not isinstance(array, ArrayLiteral):
        split = canon.split(array, scopes)
        if split is None and op == "notIn" and canon.never_null(array, scopes):
            return all_of([canon.present(item, scopes), negate(membership(canon, "in", item, array, scopes))])
        if split is None:
            return Binary(op, canon.value(item, scopes), canon.value(array, scopes))
        inner = canon.field(split[1], canon.inside(split[0], scopes))
        many = inner is not None and inner.type is FieldType.ARRAY
        some = Filter(split[0], Binary("in" if many else "=", shift(item, 1), split[1]))
        if op == "in":
            return canon.truth(some, scopes)
        return all_of([canon.present(item, scopes), negate(canon.truth(some, scopes))])
    if not all(isinstance(part, Literal) for part in array.items):
        among = any_of(compare(canon, "=", item, part, scopes) for part in array.items)
        return among if op == "in" else all_of([canon.present(item, scopes), negate(among)])
    if not array.items:
        return FALSE if op == "in" else canon.present(item, scopes)
    subject = canon.value(item, scopes)
    literals = _literals(array, found)
    if len(literals) == 1:
        return compare(canon, equal, subject, literals[0], scopes)
    return Binary(op, subject, ArrayLiteral(literals))


def without_repetition(array: Expr) -> Expr:
    """Return the array of which distinct items are taken, where it matters only what is in it."""
    return array.receiver if isinstance(array, Method) and array.name == "distinct" else array


def is_empty(array: Expr) -> bool:
    """Whether an array is written without items; a null is none."""
    return isinstance(array, ArrayLiteral) and all(map(_is_null, array.items))


def subset(canon: Canon, left: Expr, right: Expr, scopes: Scopes) -> Expr:
    """Return that every item of `left` is in `right`, where one of them is empty or a projection, which is never null.

    A null in a written array is no item.
    """
    there = [canon.present(side, scopes) for side in (left, right) if not canon.never_null(side, scopes)]
    if isinstance(left, ArrayLiteral):
        inside = ((item, canon.truth(Binary("in", item, right), scopes)) for item in left.items)
        return all_of([*there, *(any_of([negate(canon.present(item, scopes)), found]) for item, found in inside)])
    if is_empty(right):
        outside = canon.truth(Filter(left, Method(THIS, "isNotNull", ())), scopes)
        return all_of([*there, negate(outside)])
    outside = canon.truth(Filter(left, Binary("notIn", THIS, shift(right, 1))), scopes)
    return all_of([*there, negate(outside)])


def _literals(array: ArrayLiteral, like: Field | None) -> tuple[Expr, ...]:
    """Return the distinct items, converted and sorted."""
    items = [converted(item, like) for item in array.items if not _is_null(item)]
    by_text: dict[str, Expr] = {to_text(item): item for item in items}
    return tuple(by_text[text] for text in sorted(by_text))


def compare(canon: Canon, op: BinaryOp, left: Expr, right: Expr, scopes: Scopes) -> Expr:
    """Return the canonical form of a comparison."""
    if _is_null(left) or _is_null(right):
        return FALSE
    lifted = canon.lifted(left, scopes, lambda inner, by: Binary(op, inner, shift(right, by)), whole=True)
    lifted = lifted or canon.lifted(right, scopes, lambda inner, by: Binary(op, shift(left, by), inner), whole=True)
    if lifted is not None:
        return lifted
    if op in ("=", "!=") and canon.is_predicate(left, scopes) and canon.is_predicate(right, scopes):
        return _equivalent(canon, op, left, right, scopes)
    left, right = canon.value(left, scopes), canon.value(right, scopes)
    of_left, of_right = canon.field(left, scopes), canon.field(right, scopes)
    many_left, many_right = (f is not None and f.type is FieldType.ARRAY for f in (of_left, of_right))
    if many_right and not many_left:
        left, right, of_left, op, many_left = right, left, of_right, MIRRORED[op], True
        many_right = False
    if many_left and not many_right:
        if op == "=":
            return Binary("in", right, left)
        return canon.truth(Filter(left, Binary(op, THIS, shift(right, 1))), scopes)
    right = converted(right, of_left)
    of_right = canon.field(right, scopes)
    if isinstance(left, Literal) and not isinstance(right, Literal):
        if not _alike(of_left, of_right):
            return Binary(op, left, right)
        left, right, of_left, of_right, op = right, left, of_right, of_left, MIRRORED[op]
    if isinstance(right, Literal):
        return _with_literal(canon, op, left, right, scopes)
    if _alike(of_left, of_right) and _rank(left) > _rank(right):
        left, right, op = right, left, MIRRORED[op]
    return Binary(op, left, right)


def _equivalent(canon: Canon, op: BinaryOp, one: Expr, other: Expr, scopes: Scopes) -> Expr:
    """Return that two predicates are both true or both false, or the opposite; long ones are not repeated."""
    left, right = canon.truth(one, scopes), canon.truth(other, scopes)
    if len(to_text(left)) + len(to_text(right)) > LONGEST_TEST:
        return Binary(op, canon.value(one, scopes), canon.value(other, scopes))
    same = any_of([all_of([left, right]), all_of([negate(left), negate(right)])])
    return same if op == "=" else negate(same)


def _with_literal(canon: Canon, op: BinaryOp, left: Expr, right: Literal, scopes: Scopes) -> Expr:
    if right.kind == "boolean" and op in ("=", "!="):
        wanted = bool(right.value) == (op == "=")
        if canon.is_predicate(left, scopes):
            return left if wanted else negate(left)
        return Binary("=", left, TRUE if wanted else FALSE)
    if right.kind in ("integer", "double") and isinstance(left, Method):
        if left.name == "count":
            return _count(canon, op, left, right, scopes)
        if left.name == "sum" and op in ("<", "<=", "!="):
            return negate(Binary(INVERSE[op], left, right))
    return Binary(op, left, right)


def _count(canon: Canon, op: BinaryOp, left: Method, right: Literal, scopes: Scopes) -> Expr:
    """Compare a count, which is a whole number and never null: as ``>=`` or ``=``, negated where needed."""
    value = Decimal(str(right.value))
    if op in ("=", "!="):
        if value != value.to_integral_value() or value < 0:
            equal: Expr = FALSE
        elif value == 0:
            equal = negate(_at_least(canon, left, 1, scopes))
        else:
            equal = Binary("=", left, right)
        return equal if op == "=" else negate(equal)
    least = ceil(value) if op in (">=", "<") else floor(value) + 1
    reached = _at_least(canon, left, least, scopes)
    return reached if op in (">", ">=") else negate(reached)


def _at_least(canon: Canon, count: Method, least: int, scopes: Scopes) -> Expr:
    if least <= 0:
        return TRUE
    if least == 1:
        return canon.truth(_counted_once(count.receiver), scopes)
    return Binary(">=", count, Literal(least, "integer"))


def converted(expr: Expr, like: Field | None) -> Expr:
    """Return a literal as the type of the left operand, where it can be."""
    if not isinstance(expr, Literal):
        return expr
    if expr.kind in ("integer", "double"):
        return number(expr)
    if expr.kind == "string" and like is not None:
        text = str(expr.value)
        if like.type in _NUMERIC:
            try:
                value = Decimal(text)
            except InvalidOperation:
                return expr
            return number(replace(expr, value=text, kind="double")) if value.is_finite() else expr
        if like.type is FieldType.BOOLEAN and text in ("true", "false"):
            return TRUE if text == "true" else FALSE
    return expr


def string_compare(
    canon: Canon, name: str, subject: Expr, values: Expr, flag: tuple[Expr, ...], scopes: Scopes
) -> Expr:
    """Return `stringCompare` as text predicates: some value for the positive ones, all values for the negative ones."""
    lifted = canon.lifted(
        subject,
        scopes,
        lambda inner, by: Call("stringCompare", (Literal(name, "string"), inner, shift(values, by), *flag)),
    )
    if lifted is not None:
        return lifted
    return _among_texts(canon, subject, name, (values,), exact=FALSE not in flag, scopes=scopes)


def text(canon: Canon, subject: Expr, name: str, args: tuple[Expr, ...], scopes: Scopes) -> Expr:
    """Return the canonical form of a text method."""
    lifted = canon.lifted(subject, scopes, lambda inner, by: Method(inner, name, tuple(shift(arg, by) for arg in args)))
    if lifted is not None:
        return lifted
    if name == "matches":
        lifted = canon.lifted(args[0], scopes, lambda inner, by: Method(shift(subject, by), name, (inner,)))
        return lifted or Binary("matches", canon.value(subject, scopes), canon.value(args[0], scopes))
    exact = True
    if len(args) > 1 and isinstance(args[-1], Literal) and args[-1].kind == "boolean":
        exact, args = bool(args[-1].value), args[:-1]
    if len(args) == 1:
        flag = () if exact else (FALSE,)
        lifted = canon.lifted(args[0], scopes, lambda inner, by: Method(shift(subject, by), name, (inner, *flag)))
        if lifted is not None:
            return lifted
    return _among_texts(canon, subject, name, args, exact=exact, scopes=scopes)


def _among_texts(
    canon: Canon, subject: Expr, name: str, args: tuple[Expr, ...], *, exact: bool, scopes: Scopes
) -> Expr:
    """Return that a single text passes a test with some of the values, for a negative test with all of them.

    An argument may be an array of values, in which a null is none.
    """
    sure: list[Expr] = []
    unsure: list[Expr] = []
    arrays: list[Expr] = []
    for arg in args:
        found = canon.field(arg, scopes)
        if isinstance(arg, ArrayLiteral):
            sure += (item for item in arg.items if isinstance(item, Literal) and not _is_null(item))
            unsure += (item for item in arg.items if not isinstance(item, Literal))
        else:
            (arrays if found is not None and found.type is FieldType.ARRAY else sure).append(arg)
    if name not in NEGATIVE:
        known = [arg for arg in (*sure, *unsure) if not _is_null(arg)]
        found_in = [_among_array(canon, subject, name, array, exact=exact, scopes=scopes) for array in arrays]
        single = [_among_known(canon, subject, name, known, exact=exact, scopes=scopes)] if known else []
        return any_of([*single, *found_in])
    if any(_is_null(arg) for arg in sure):
        return FALSE
    outside = [_among_known(canon, subject, name, sure, exact=exact, scopes=scopes)] if sure else []
    for item in unsure:
        differs = _among_known(canon, subject, name, [item], exact=exact, scopes=scopes)
        outside.append(any_of([negate(canon.present(item, scopes)), differs]))
    for array in arrays:
        if not canon.never_null(array, scopes):
            outside.append(canon.present(array, scopes))
        outside.append(negate(_among_array(canon, subject, NEGATIVE[name], array, exact=exact, scopes=scopes)))
    return all_of(outside if sure else [canon.present(subject, scopes), *outside])


def _among_array(canon: Canon, subject: Expr, name: str, array: Expr, *, exact: bool, scopes: Scopes) -> Expr:
    """Return that a text passes a positive test with some item of an array."""
    if exact and name == "equals":
        return membership(canon, "in", subject, array, scopes)
    flag = () if exact else (FALSE,)
    lifted = canon.lifted(array, scopes, lambda inner, by: Method(shift(subject, by), name, (inner, *flag)))
    return lifted or Method(canon.value(subject, scopes), name, (canon.value(array, scopes), *flag))


def _among_known(
    canon: Canon, subject: Expr, name: str, values: Sequence[Expr], *, exact: bool, scopes: Scopes
) -> Expr:
    """Return that a text passes a test with some of single values, for a negative test with all of them."""
    if exact and name == "equals":
        return membership(canon, "in", subject, ArrayLiteral(tuple(values)), scopes)
    if exact and name == "notEqualTo":
        known = ArrayLiteral(tuple(arg for arg in values if isinstance(arg, Literal)))
        others = (compare(canon, "!=", subject, arg, scopes) for arg in values if arg not in known.items)
        return all_of([membership(canon, "notIn", subject, known, scopes), *others])
    found = canon.field(subject, scopes)
    by_text: dict[str, Expr] = {to_text(v): v for v in (converted(canon.value(v, scopes), found) for v in values)}
    flag = () if exact else (FALSE,)
    listed = [by_text[text] for text in sorted(by_text)]
    if name in ("equals", "notEqualTo"):
        return Method(canon.value(subject, scopes), name, (*listed, *flag))
    each = (Method(canon.value(subject, scopes), name, (value, *flag)) for value in listed)
    return all_of(each) if name in NEGATIVE else any_of(each)


def _counted_once(array: Expr) -> Expr:
    """Return an array that has items when the counted one has: for distinct values, the items that have a value."""
    match array:
        case Method(Method(base, "map", (operand,)), "distinct", ()):
            return Filter(base, Method(operand, "isNotNull", ()))
        case _:
            return array


def _is_null(expr: Expr) -> bool:
    return isinstance(expr, Literal) and expr.kind == "null"


def _rank(expr: Expr) -> tuple[int, str]:
    """Order the sides of a comparison: what the innermost object says first, what is the same for all last."""
    return min(levels_of(expr), default=1_000), to_text(expr)


def _alike(left: Field | None, right: Field | None) -> bool:
    if left is None or right is None:
        return False
    return left.type is right.type or any({left.type, right.type} <= set(kinds) for kinds in (_NUMERIC, _TIMES))
