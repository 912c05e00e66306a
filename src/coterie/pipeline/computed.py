"""Computed attributes saved, deleted and looked at before: each change is checked against all that reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from coterie.audience import plan
from coterie.computed.definition import ComputedAttribute, extended
from coterie.computed.form import Form, read_form, to_pql
from coterie.computed.kind import value_field
from coterie.computed.preview import Preview, preview
from coterie.core.errors import Conflict, CoterieError, Invalid
from coterie.core.schema import COMPUTED, Union
from coterie.engine.sql import SqlEngine
from coterie.pipeline.apply import commit
from coterie.pipeline.define import check_engine, save
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.evaluate import past
from coterie.pql import check, parse
from coterie.pql.computed import cycle, parsed
from coterie.pql.expansion import closure, reads
from coterie.store.sandbox import Sandbox


def put(
    sandbox: Sandbox,
    name: str,
    pql: str | None = None,
    *,
    form: Mapping[str, Any] | Form | None = None,
    title: str = "",
    description: str = "",
) -> ComputedAttribute:
    """Save a computed attribute; see `Computed.put` of the workspace."""
    definitions = Definitions(sandbox.catalog)
    others = [item for item in definitions.list(ComputedAttribute) if item.name != name]
    union = extended(definitions.stored_union(), others)
    text, read = _expression(pql, form, union)
    _refuse_circle(name, text, others)
    field, core = value_field(text, union)
    SqlEngine(sandbox.history.con, union).projection({"value": core}, "default", 0)
    attribute = ComputedAttribute(name, text, field, title, description, read)
    _check_readers(sandbox, attribute, extended(definitions.stored_union(), [*others, attribute]))
    return save(sandbox, name, attribute)


def _expression(pql: str | None, form: Mapping[str, Any] | Form | None, union: Union) -> tuple[str, Form | None]:
    """Return the expression that was given, or that a form states, and the form."""
    if (pql is None) == (form is None):
        raise Invalid("computed.expression", "expected an expression in PQL, or a form: one of the two.")
    if pql is not None:
        return pql, None
    read = form if isinstance(form, Form) else read_form(form)
    return to_pql(read, union), read


def _refuse_circle(name: str, pql: str, others: list[ComputedAttribute]) -> None:
    """Raise ``computed.cycle`` when the expression reads, through others, the attribute that it is to be."""
    texts = {item.name: item.pql for item in others} | {name: pql}
    path = [name]
    while True:
        following = sorted(other for other in reads(parse(texts[path[-1]])) if name in closure([other], texts))
        if not following:
            return
        if name in following:
            raise cycle((*path, name))
        path.append(following[0])


def _check_readers(sandbox: Sandbox, attribute: ComputedAttribute, union: Union) -> None:
    """Raise ``computed.in-use`` when what reads an attribute would have problems with what it becomes."""
    definitions = Definitions(sandbox.catalog)
    engine = SqlEngine(sandbox.history.con, union)
    for item in definitions.list(ComputedAttribute):
        if item.name != attribute.name and attribute.name in closure([item.name], union.computed):
            with _blaming(attribute.name, f"the computed attribute {item.name}"):
                value_field(item.pql, union)
    for audience in definitions.audiences_reading(attribute.name, union):
        with _blaming(attribute.name, f"the audience {audience.name}"):
            check(audience.pql, union).require()
            check_engine(engine, plan.plan(audience, union))


@contextmanager
def _blaming(name: str, reader: str) -> Iterator[None]:
    """Let the error of what reads an attribute say that the change of the attribute is what is wrong."""
    try:
        yield
    except CoterieError as error:
        raise Conflict(
            "computed.in-use",
            f"computed attribute {name}: {reader} reads it, and could not then: {error.message}",
            hint="Change that first, or save the new expression under another name.",
            where={"computed": name},
        ) from error


def delete(sandbox: Sandbox, name: str) -> None:
    """Delete a computed attribute; raises ``computed.in-use`` while an audience or another attribute reads it."""
    definitions = Definitions(sandbox.catalog)
    definitions.get(ComputedAttribute, name)
    readers = readers_of(sandbox, name)
    if readers:
        raise Conflict(
            "computed.in-use",
            f"computed attribute {name} is read by {', '.join(readers)}.",
            hint="Delete or change those first.",
            where={"computed": name, "dependents": readers},
        )
    commit(sandbox, "definition.delete", {"kind": "computed_attribute", "id": name})


def readers_of(sandbox: Sandbox, name: str) -> list[str]:
    """Return the computed attributes that read one directly, and the audiences that read it."""
    definitions = Definitions(sandbox.catalog)
    union = definitions.union()
    others = [f"{COMPUTED}.{other}" for other, text in sorted(union.computed.items()) if name in reads(parsed(text))]
    return others + [item.name for item in definitions.audiences_reading(name, union)]


def looked_at(
    sandbox: Sandbox,
    pql: str | None,
    form: Mapping[str, Any] | Form | None,
    *,
    view: str | None,
    zone: str,
    at: int | None,
) -> Preview:
    """Return how the values of an expression are spread; see `Computed.preview` of the workspace."""
    definitions = Definitions(sandbox.catalog)
    name = definitions.view(view).name
    union = definitions.union()
    text, _ = _expression(pql, form, union)
    field, core = value_field(text, union)
    instant = sandbox.clock.now() if at is None else at
    con, until = sandbox.history.con, past(sandbox, at)
    return preview(con, union, text, field, core, view=name, at=instant, zone=zone, until=until)
