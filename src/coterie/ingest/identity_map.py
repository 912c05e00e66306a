"""The identity map of a row, from a map of the source or from columns of single identities."""

from __future__ import annotations

from collections.abc import Mapping

from coterie.core.errors import Invalid
from coterie.core.schema import Field, FieldType
from coterie.ingest.column import Input, each, flat, follow, without
from coterie.ingest.convert import Converter, Style
from coterie.ingest.identities import MAP_TYPE
from coterie.ingest.mapping import IDENTITY_MAP, Rule, unknown_source
from coterie.ingest.mapping import Mapping as FieldMapping
from coterie.ingest.shape import entries, reach
from coterie.ingest.sql import EACH, IT, literal

TEXT = Field(FieldType.STRING)


def entries_of(own: Mapping[str, Rule], mapping: FieldMapping, given: Input) -> str | None:
    """Return SQL for all entries of the identity map, usable or not."""
    lists = []
    for target, rule in own.items():
        if rule.source is None:
            raise Invalid("mapping.rule", f"the rule of {target} needs a source.", where={"field": target})
        if target == IDENTITY_MAP:
            lists.append(_whole_map(rule.source, given))
            continue
        code = literal(target.removeprefix(f"{IDENTITY_MAP}."))
        there = follow(rule.source, given)
        nulls = mapping.nulls(rule, given.nulls)
        text = Converter(TEXT, there.shape, Style(), target)
        value = each(there.sql, there.depth, lambda x: text.value(without(x, there.shape, nulls)))  # noqa: B023
        ids = flat(value, there.depth) if there.depth else f"[{value}]"
        entry = f"{{'namespace': {code}, 'id': {IT}, 'primary': {literal(rule.primary)}}}"
        lists.append(f"list_transform({ids}, lambda {IT}: {entry})")
    if not lists:
        return None
    joined = f"list_concat({', '.join(lists)})" if len(lists) > 1 else lists[0]
    return f"list_filter(CAST({joined} AS {MAP_TYPE}), lambda {IT}: {IT}.id IS NOT NULL)"


def _whole_map(path: str, given: Input) -> str:
    there = reach(path, given.columns, given.name)
    if there is None:
        raise unknown_source(path, given.columns, given.file)
    pairs = entries(there.sql, there.shape)
    item = pairs and pairs[1].item
    if pairs is None or item is None or "id" not in item.fields:
        raise Invalid(
            "mapping.type",
            f"source {path!r} is no identity map.",
            hint="Expected an object of arrays of {id, primary}, keyed by namespace; or map identityMap.<namespace>.",
            where={"source": path},
        )
    primary = f'coalesce(TRY_CAST({IT}."primary" AS BOOLEAN), FALSE)' if "primary" in item.fields else "FALSE"
    entry = f"{{'namespace': {EACH}.key, 'id': CAST({IT}.id AS VARCHAR), 'primary': {primary}}}"
    return f"flatten(list_transform({pairs[0]}, lambda {EACH}: list_transform({EACH}.value, lambda {IT}: {entry})))"
