"""What a computed attribute is: a name, an expression in PQL, and the type of its values."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from coterie.computed.form import Form
from coterie.core.errors import Invalid
from coterie.core.schema import COMPUTED, Field, FieldType, Union

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}")


class ComputedAttribute(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A named expression over a profile and its events.

    Rules read it as ``computedAttributes.<name>``. `pql` is its meaning, and `value` the field that its values would
    have. Where it was given as a form, `form` keeps that.
    """

    name: str
    pql: str
    value: Field
    title: str = ""
    description: str = ""
    form: Form | None = None

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise Invalid(
                "computed.name",
                f"computed attribute {self.name!r}: expected a letter, then letters, digits and _, at most 128.",
                hint="Put the words for people into the title.",
                where={"computed": self.name},
            )

    @property
    def path(self) -> str:
        """How rules name it."""
        return f"{COMPUTED}.{self.name}"


def extended(union: Union, attributes: Iterable[ComputedAttribute]) -> Union:
    """Return the union of all schemas with computed attributes as fields of the profile."""
    listed = sorted(attributes, key=lambda item: item.name)
    if not listed:
        return union
    fields = {
        item.name: msgspec.structs.replace(item.value, title=item.title, description=item.description)
        for item in listed
    }
    all_of_them = Field(FieldType.OBJECT, title="Computed attributes", properties=fields)
    profile = msgspec.structs.replace(union.profile, properties={**union.profile.properties, COMPUTED: all_of_them})
    return Union(profile, union.event, {item.name: item.pql for item in listed})
