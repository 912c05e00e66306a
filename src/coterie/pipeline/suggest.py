"""Suggestions of people who are perhaps one: asked for by fields, and accepted as decisions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from coterie.core.errors import Conflict, Invalid, NotFound
from coterie.core.progress import Progress
from coterie.core.schema import Leaf
from coterie.identity import suggest as model
from coterie.identity.decisions import Decision
from coterie.identity.settings import unlinked
from coterie.identity.suggest import Block, Suggestion, Suggestions, Terms
from coterie.pipeline import decide
from coterie.pipeline.decide import Proposed
from coterie.pipeline.definitions import Definitions, profile_leaves
from coterie.pipeline.merging import Merging
from coterie.store.sandbox import Sandbox

SOURCE = "splink"
"""Source of the decisions that accept a suggestion."""


class NotAccepted(msgspec.Struct, frozen=True):
    """A suggestion that could not become a merge, and why."""

    pair: str
    code: str
    message: str


class Accepted(msgspec.Struct, frozen=True):
    """The merges that suggestions became, how many people they merged, and the suggestions that could become none."""

    made: tuple[Decision, ...]
    merged: int
    refused: tuple[NotAccepted, ...]


def suggest(
    sandbox: Sandbox, view: str, fields: Sequence[str], blocks: Sequence[Block], threshold: float
) -> Suggestions:
    """Score pairs of people by the attributes that they have in common.

    Raises
    ------
    Invalid
        ``suggest.fields``, ``suggest.threshold``, ``suggest.block``.
    NotFound
        ``field.not-found``.
    Unsupported
        ``suggest.extra``.
    """
    definitions = Definitions(sandbox.catalog)
    if not definitions.view(view).stitched:
        raise Invalid(
            "suggest.view",
            f"the merge policy {view} does not follow the identity graph, so nothing would merge in it.",
            hint="Ask by one that does, such as default.",
            where={"view": view},
        )
    if not model.LEAST <= threshold <= 1:
        raise Invalid("suggest.threshold", f"a threshold is a probability from {model.LEAST} to 1, not {threshold}.")
    leaves = _leaves(definitions, fields)
    for block in blocks:
        if not set(block) <= set(fields):
            raise Invalid(
                "suggest.block",
                f"the block {'+'.join(block)} has a field that is not compared.",
                hint=f"Fields compared are {', '.join(fields)}.",
            )
    settings = definitions.identity_settings()
    terms = Terms(settings.unique if settings.optimized else (), unlinked(settings, definitions.namespaces()))
    return model.suggest(sandbox.history.con, view, leaves, blocks, terms, threshold)


def accept(sandbox: Sandbox, chosen: Iterable[Suggestion], progress: Progress) -> Accepted:
    """Make a merge of each suggestion, the surest first, all at once; one that others make impossible is told."""
    given = sorted(chosen, key=lambda item: -item.weight)
    merging = Merging(sandbox, (end for item in given for end in (item.a, item.b)))
    proposed, refused = [], []
    for item in given:
        try:
            merging.choose((item.a, item.b))
        except Conflict as error:
            refused.append(NotAccepted(item.pair, error.code, error.message))
        else:
            reason = f"suggestion {item.pair}, probability {item.probability:.4f}"
            proposed.append(Proposed((item.a, item.b), reason, SOURCE, item.weight))
    if not proposed:
        return Accepted((), 0, tuple(refused))
    made = decide.merge_all(sandbox, proposed, progress)
    return Accepted(made.decisions, made.merged, tuple(refused))


def _leaves(definitions: Definitions, fields: Sequence[str]) -> list[Leaf]:
    if len(set(fields)) < 2 or len(set(fields)) < len(fields):
        raise Invalid(
            "suggest.fields",
            f"suggestions compare two different fields or more, not {', '.join(fields) or 'none'}.",
            hint="Such as person.name.lastName, person.birthDate.",
        )
    known = {leaf.path: leaf for leaf in profile_leaves(definitions)}
    for path in fields:
        if path not in known:
            raise NotFound.named("field", path, known)
        if known[path].depth:
            raise Invalid(
                "suggest.fields",
                f"{path} holds several values; only single ones can be compared.",
                where={"field": path},
            )
    return [known[path] for path in fields]
