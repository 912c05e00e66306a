"""What the values of a computed attribute are: single values, or arrays of them."""

from __future__ import annotations

from coterie.core.errors import Invalid
from coterie.core.schema import COMPUTED, Field, FieldType, Union
from coterie.pql import check
from coterie.pql.analysis import analyse_expr
from coterie.pql.ast import Expr
from coterie.pql.normal import value_form
from coterie.pql.types import BOOLEAN, DATE, DOUBLE, INTEGER, STRING, TIMESTAMP, Array, Type, described

_FIELDS: dict[Type, Field] = {
    BOOLEAN: Field(FieldType.BOOLEAN),
    INTEGER: Field(FieldType.INTEGER),
    DOUBLE: Field(FieldType.NUMBER),
    STRING: Field(FieldType.STRING),
    DATE: Field(FieldType.DATE),
    TIMESTAMP: Field(FieldType.DATETIME),
}


def value_field(pql: str, union: Union) -> tuple[Field, Expr]:
    """Return the field that the values of an expression would have, and its canonical core tree.

    Parameters
    ----------
    pql : str
        The expression.
    union : Union
        The fields there are, with the computed attributes that it may read.

    Raises
    ------
    PqlError
        With all problems of the expression.
    Invalid
        ``computed.type`` for values that are objects or maps, ``computed.membership`` for an expression that reads
        memberships, ``computed.cycle``.
    """
    checked = check(pql, union)
    expr = checked.require()
    field = _field(checked.type)
    if field is None:
        raise Invalid(
            "computed.type",
            f"the expression is {described(checked.type)}, which no attribute holds.",
            hint="A computed attribute is a text, a number, a truth, a time, or an array of these: name a field, or"
            " count what there is.",
        )
    core = value_form(expr, union)
    if analyse_expr(core).reads_memberships:
        raise Invalid(
            "computed.membership",
            "the expression reads memberships of audiences, which come after the attributes.",
            hint=f"Let the audience read both: {COMPUTED}.… and inSegment(…).",
        )
    return field, core


def _field(type_: Type) -> Field | None:
    if isinstance(type_, Array):
        item = _FIELDS.get(type_.item)
        return None if item is None else Field(FieldType.ARRAY, items=item)
    return _FIELDS.get(type_)
