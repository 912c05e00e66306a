"""Merge policies: saving, deleting, choosing the default one. Each is a view: tables of its own, kept current."""

from __future__ import annotations

from typing import Any

import msgspec

from coterie.audience.definition import Audience
from coterie.core.errors import Conflict, Invalid
from coterie.core.schema import Schema, SchemaClass
from coterie.ingest.dataset import Dataset
from coterie.pipeline.apply import commit
from coterie.pipeline.definitions import KINDS, Definitions
from coterie.profile.policy import VIEWS, AttributeMerge, IdentityGraph, View
from coterie.store.sandbox import Sandbox

USUAL_POLICIES = 5
"""More policies than this are worth a warning: every load brings the profiles of each up to date."""

USUAL_DATASETS = 50
"""More datasets in the order of a policy, or in its events, are worth a warning."""

_BUILT_IN = {view.name: view for view in VIEWS}


class Policy(msgspec.Struct, frozen=True):
    """A merge policy as it is in force.

    `version` rises at each change. `order` matters to ``dataSetPrecedence``; `event_datasets` is null for all.
    `audiences` are those whose members are found by it.
    """

    name: str
    description: str
    version: int
    default: bool
    built_in: bool
    identity_graph: IdentityGraph
    attribute_merge: AttributeMerge
    order: tuple[str, ...]
    event_datasets: tuple[str, ...] | None
    audiences: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def shown(definitions: Definitions, name: str | None) -> Policy:
    """Return a policy, the default one for None; raises ``view.not-found``."""
    view = definitions.view(name)
    own = definitions.find(View, view.name)
    return Policy(
        view.name,
        view.description,
        definitions.version(View, view.name) if own is not None else 1,
        definitions.view(None).name == view.name,
        view.name in _BUILT_IN,
        view.policy.identity_graph,
        view.policy.attribute_merge,
        view.policy.order,
        view.policy.event_datasets,
        definitions.audiences(view.name),
        _warnings(definitions, view),
    )


def put(sandbox: Sandbox, view: View) -> Policy:
    """Save a policy and merge all profiles by it. The default one stays it until another is.

    Raises
    ------
    Invalid
        ``view.name``, ``policy.order``, ``policy.dataset``.
    Conflict
        ``policy.built-in`` for one that every sandbox has.
    """
    definitions = Definitions(sandbox.catalog)
    if view.name in _BUILT_IN:
        raise Conflict(
            "policy.built-in",
            f"policy {view.name} is in every sandbox and stays as it is.",
            hint="Save another one under a name of its own.",
            where={"policy": view.name},
        )
    _check(definitions, view)
    before = definitions.view(None)
    chosen = msgspec.structs.replace(view, default=view.default or before.name == view.name)
    others = _succession(definitions, before, chosen) if chosen.default else []
    _save(sandbox, [*([chosen] if definitions.find(View, view.name) != chosen else []), *others])
    return shown(definitions, view.name)


def set_default(sandbox: Sandbox, name: str) -> Policy:
    """Make a policy the default one; audiences of the one that was go over to it. Raises ``view.not-found``."""
    definitions = Definitions(sandbox.catalog)
    before, view = definitions.view(None), definitions.view(name)
    if before.name != view.name:
        _save(
            sandbox,
            [msgspec.structs.replace(view, default=True), *_succession(definitions, before, view)],
        )
    return shown(definitions, name)


def delete(sandbox: Sandbox, name: str) -> None:
    """Delete a policy and its profiles.

    Raises
    ------
    Conflict
        ``policy.built-in``; ``policy.default`` for the default one; ``policy.in-use`` while audiences use it.
    """
    definitions = Definitions(sandbox.catalog)
    view, where = definitions.view(name), {"policy": name}
    if name in _BUILT_IN:
        raise Conflict("policy.built-in", f"policy {name} is in every sandbox and cannot be deleted.", where=where)
    if definitions.view(None).name == view.name:
        raise Conflict(
            "policy.default",
            f"policy {name} is the default one.",
            hint="Make another one the default first: `coterie policy default`.",
            where=where,
        )
    if users := definitions.audiences(name):
        raise Conflict(
            "policy.in-use",
            f"policy {name} is used by {', '.join(users)}.",
            hint="Delete those audiences or save them with another policy first.",
            where=where | {"dependents": list(users)},
        )
    commit(sandbox, "definition.delete", {"kind": KINDS[View], "id": name})


def _succession(definitions: Definitions, before: View, after: View) -> list[Any]:
    """Return what else changes when a view takes the place of the default one."""
    if before.name == after.name:
        return []
    former = [msgspec.structs.replace(before, default=False)] if before.default else []
    moved = [
        msgspec.structs.replace(item, view=after.name)
        for item in definitions.list(Audience)
        if item.view == before.name
    ]
    return [*former, *moved]


def _save(sandbox: Sandbox, changed: list[Any]) -> None:
    """Commit definitions, several in one entry."""
    bodies = [{"kind": KINDS[type(item)], "id": item.name, "body": msgspec.to_builtins(item)} for item in changed]
    match bodies:
        case []:
            return
        case [body]:
            commit(sandbox, "definition.put", body)
        case _:
            commit(sandbox, "definitions.put", {"definitions": bodies})


def _check(definitions: Definitions, view: View) -> None:
    policy, where = view.policy, {"policy": view.name}
    ordered = policy.attribute_merge is AttributeMerge.DATASET_PRECEDENCE
    if ordered != bool(policy.order):
        raise Invalid(
            "policy.order",
            f"policy {view.name}: dataSetPrecedence needs an order of datasets."
            if ordered
            else f"policy {view.name}: an order of datasets means nothing to timestampOrdered.",
            hint="Name the datasets, best first." if ordered else "Choose dataSetPrecedence, or leave out the order.",
            where=where,
        )
    for names, class_, what in (
        (policy.order, SchemaClass.PROFILE, "records"),
        (policy.event_datasets or (), SchemaClass.EVENT, "events"),
    ):
        if twice := next((name for place, name in enumerate(names) if name in names[:place]), None):
            raise Invalid(
                "policy.dataset", f"policy {view.name} names dataset {twice} twice.", where=where | {"dataset": twice}
            )
        for name in names:
            dataset = definitions.get(Dataset, name)
            if definitions.get(Schema, dataset.schema).class_ is not class_:
                raise Invalid(
                    "policy.dataset",
                    f"policy {view.name}: dataset {name} holds no {what}.",
                    hint="The order names datasets of records, the events datasets of events.",
                    where=where | {"dataset": name},
                )


def _warnings(definitions: Definitions, view: View) -> tuple[str, ...]:
    out = []
    count = len(definitions.views())
    if count > USUAL_POLICIES:
        out.append(f"There are {count} policies; every load brings the profiles of each up to date.")
    for names, what in ((view.policy.order, "order"), (view.policy.event_datasets or (), "events")):
        if len(names) > USUAL_DATASETS:
            out.append(f"Its {what} name {len(names)} datasets, more than {USUAL_DATASETS}.")
    return tuple(out)
