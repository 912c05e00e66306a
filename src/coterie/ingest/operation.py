"""Operations: what a row does to the record that its dataset has of its identity."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from coterie.core.errors import Invalid, NotFound, suggestion
from coterie.core.schema import Field, FieldType, Leaf, Schema, SchemaClass


class Operation(StrEnum):
    """What a write does to the fragment that is there: replace it, change it, add to its arrays, or remove it.

    Both a merge and an append change the given attributes alone; an append puts the arrays it gives behind those that
    are there.
    """

    CREATE = "create"
    MERGE = "merge"
    APPEND = "append"
    DELETE = "delete"

    @property
    def number(self) -> int | None:
        """How the history keeps it."""
        return NUMBERS[self]


NUMBERS: dict[Operation, int | None] = {
    Operation.CREATE: None,
    Operation.MERGE: 1,
    Operation.DELETE: 2,
    Operation.APPEND: 3,
}
PARTIAL = (Operation.MERGE, Operation.APPEND)
"""The operations that leave what they do not give, and may take attributes away."""
TARGET = "$operation"
"""The target of the rule of a mapping that says the operation of each row."""

LEAF = Leaf(TARGET, Field(FieldType.STRING, enum=tuple(Operation)))


class Writing(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the rows of a load do, unless a row says otherwise; merges and appends take the paths `unset` away."""

    operation: Operation = Operation.CREATE
    unset: tuple[str, ...] = ()


CREATES = Writing()


def writing(schema: Schema, operation: str | None, unset: Sequence[str], *, upsert: bool) -> Writing:
    """Return what the rows of a load do.

    Parameters
    ----------
    schema : Schema
        Of the dataset.
    operation : str, optional
        What was asked; otherwise that of the dataset.
    unset : sequence of str
        Paths that merges and appends take away.
    upsert : bool
        Whether rows of the dataset are merged unless asked otherwise.

    Raises
    ------
    Invalid
        ``ingest.operation`` where there can be none, or for an unknown one; ``ingest.unset`` for paths that cannot go.
    """
    if schema.class_ is not SchemaClass.PROFILE:
        if operation is not None or unset:
            raise refused(schema)
        return CREATES
    if operation is not None and operation not in tuple(Operation):
        raise Invalid(
            "ingest.operation",
            f"there is no operation {operation!r}.",
            hint=suggestion(operation, tuple(Operation)) or f"There are {', '.join(Operation)}.",
            where={"operation": operation},
        )
    chosen = Operation(operation) if operation is not None else Operation.MERGE if upsert else Operation.CREATE
    if unset and chosen not in PARTIAL:
        raise Invalid(
            "ingest.unset",
            f"attributes can be taken away by a merge or an append only, and this is a {chosen}.",
            hint="Load with the operation merge.",
        )
    for path in unset:
        _check_unset(schema, path)
    return Writing(chosen, tuple(dict.fromkeys(unset)))


def refused(schema: Schema) -> Invalid:
    """Build the error for an operation on events."""
    return Invalid(
        "ingest.operation",
        f"schema {schema.name} is for events, which are only ever added.",
        hint="Operations are for datasets of records. To take events back, revert their batch.",
        where={"schema": schema.name},
    )


def _check_unset(schema: Schema, path: str) -> None:
    below = [leaf for leaf in schema.leaves().values() if f"{leaf.path}.".startswith(f"{path}.")]
    if not below:
        raise NotFound(
            "ingest.unset",
            f"schema {schema.name} has no field {path!r}.",
            hint=suggestion(path, schema.leaves()),
            where={"field": path},
        )
    if any(leaf.levels and not f"{leaf.levels[0]}.".startswith(f"{path}.") for leaf in below):
        raise Invalid(
            "ingest.unset",
            f"{path} lies inside an array or a map, which is taken away as a whole or not at all.",
            hint="Name the array or the map.",
            where={"field": path},
        )
    owner = next((item.path for item in schema.identities if f"{item.path}.".startswith(f"{path}.")), None)
    if owner is not None:
        raise Invalid(
            "ingest.unset",
            f"{owner} is an identity: it says whose record is meant, and cannot be taken away.",
            where={"field": owner},
        )
