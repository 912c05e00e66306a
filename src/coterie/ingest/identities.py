"""Identities of source rows: which values are usable, and what is wrong with the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from coterie.core.errors import Invalid, NotFound
from coterie.core.schema import IdentityDescriptor, Schema, SchemaClass
from coterie.ingest.convert import Fault
from coterie.ingest.sql import IT, literal, literals
from coterie.store.history import quote

LONGEST = 1024
BLOCKED = ("", "null", "anonymous", "invalid")
"""Values that name nobody, compared without surrounding blanks and letter case."""
UNLINKED = ("NON_PEOPLE", "PARTNER")
"""Types of namespaces whose identities take no part in linking."""
MAP_TYPE = 'STRUCT("namespace" VARCHAR, "id" VARCHAR, "primary" BOOLEAN)[]'
ECID_DIGITS = 38


def check(schema: Schema, namespaces: Mapping[str, str]) -> None:
    """Check that rows of a schema can have an owner; raises ``schema.no-identity``, ``namespace.not-found``."""
    if schema.class_ is not SchemaClass.RECORD and not schema.identities and not schema.identity_map:
        raise Invalid(
            "schema.no-identity",
            f"schema {schema.name} has no identity, so its rows would belong to nobody.",
            hint="Mark a field as an identity, or set identity_map.",
            where={"schema": schema.name},
        )
    for descriptor in schema.identities:
        if descriptor.namespace not in namespaces:
            raise NotFound.named("namespace", descriptor.namespace, namespaces)


def usable(value: str, namespace_type: str) -> str:
    """Return SQL for an identity value, NULL when it is blocked or of a namespace that links nobody."""
    if namespace_type in UNLINKED:
        return "CAST(NULL AS VARCHAR)"
    return f"CASE WHEN lower(trim({value})) NOT IN ({literals(BLOCKED)}) THEN {value} END"


def usable_entries(entries: str, namespaces: Mapping[str, str]) -> str:
    """Return SQL for the usable entries of an identity map given as a list of entries."""
    linked = [code for code, type_ in namespaces.items() if type_ not in UNLINKED]
    return (
        f"list_filter({entries}, lambda {IT}: {IT}.namespace IN ({literals(linked)}) "
        f"AND lower(trim({IT}.id)) NOT IN ({literals(BLOCKED)}))"
    )


def faults(schema: Schema, namespaces: Mapping[str, str], priority: Sequence[str] = ()) -> list[tuple[str, str, Fault]]:
    """Return what can be wrong with the identities of a row: field, SQL of the shown value, and the fault.

    Where namespaces have a `priority`, best first, it decides whose an event is, so that an event cannot have two
    values of its best one. The conditions speak of the leaves, of ``"$id0"``, … and, with an identity map, of
    ``"$entries"`` (all of them) and ``"$identityMap"`` (the usable ones).
    """
    out: list[tuple[str, str, Fault]] = []
    for position, descriptor in enumerate(schema.identities):
        column, own = quote(descriptor.path), f'"$id{position}"'
        long = f"length({column}) > {LONGEST}"
        out.append((descriptor.path, f"left({column}, 100)", _too_long(long)))
        if descriptor.namespace == "ECID":
            out.append((descriptor.path, column, _ecid(f"{own} IS NOT NULL AND NOT {_is_ecid(own)}")))
    if schema.identity_map:
        entries, usables = '"$entries"', '"$identityMap"'
        value = f"CAST({entries} AS VARCHAR)"
        long = f"len(list_filter({entries}, lambda {IT}: length({IT}.id) > {LONGEST})) > 0"
        out.append(("identityMap", f"left({value}, 100)", _too_long(long)))
        ecid = f"len(list_filter({usables}, lambda {IT}: {IT}.namespace = 'ECID' AND NOT {_is_ecid(f'{IT}.id')})) > 0"
        out.append(("identityMap", value, _ecid(ecid)))
        unknown = f"len(list_filter({entries}, lambda {IT}: {IT}.namespace NOT IN ({literals(namespaces)}))) > 0"
        reason = "expected codes of namespaces that exist"
        out.append(("identityMap", value, Fault(unknown, "identity.namespace", reason)))
    if priority and schema.class_ is SchemaClass.EVENT:
        out += _torn(schema, priority)
    missing = _missing(schema)
    if missing:
        field = next((item.path for item in schema.identities if item.primary), "")
        field = field or (schema.identities[0].path if schema.identities else "identityMap")
        out.append((field, quote(field) if schema.identities else "NULL", missing))
    return out


def _missing(schema: Schema) -> Fault | None:
    if schema.class_ is SchemaClass.RECORD:
        return None
    every = [f'"$id{n}" IS NOT NULL' for n in range(len(schema.identities))]
    primary = [f'"$id{n}" IS NOT NULL' for n, item in enumerate(schema.identities) if item.primary]
    if schema.class_ is SchemaClass.PROFILE and primary:
        return Fault(f"NOT ({primary[0]})", "identity.missing", "expected a usable primary identity")
    if schema.identity_map:
        every.append('len("$identityMap") > 0')
    condition = f"NOT coalesce({' OR '.join(every)}, FALSE)"
    return Fault(condition, "identity.missing", "expected at least one usable identity")


def _torn(schema: Schema, priority: Sequence[str]) -> list[tuple[str, str, Fault]]:
    """Return the fault of two values of the best namespace, if rows can have it."""
    codes = [descriptor.namespace for descriptor in schema.identities]
    twice = [item.path for item in schema.identities if codes.count(item.namespace) > 1]
    if not twice and not schema.identity_map:
        return []
    ranks = {code: rank for rank, code in enumerate(priority)}
    each = ", ".join(
        f'struct_pack(rank := {ranks[code]:d}, value := "$id{n}")' for n, code in enumerate(codes) if code in ranks
    )
    every = f"[{each}]::STRUCT(rank INTEGER, value VARCHAR)[]"
    if schema.identity_map:
        rank = " ".join(f"WHEN {literal(code)} THEN {rank:d}" for code, rank in ranks.items())
        entry = f"struct_pack(rank := CASE {IT}.namespace {rank} END, value := {IT}.id)"
        every = f'list_concat({every}, coalesce(list_transform("$identityMap", lambda {IT}: {entry}), []))'
    best = f"list_sort(list_distinct(list_filter({every}, lambda {IT}: {IT}.value IS NOT NULL)))"
    condition = f"coalesce(len({best}) > 1 AND ({best})[1].rank = ({best})[2].rank, FALSE)"
    fault = Fault(condition, "identity.two-primaries", "expected one identity of the best namespace that it has")
    if twice:
        return [(twice[0], f"left({quote(twice[0])}, 100)", fault)]
    return [("identityMap", 'left(CAST("$entries" AS VARCHAR), 100)', fault)]


def _too_long(condition: str) -> Fault:
    return Fault(condition, "identity.length", f"expected at most {LONGEST} characters")


def _ecid(condition: str) -> Fault:
    return Fault(condition, "identity.ecid", f"expected {ECID_DIGITS} digits")


def _is_ecid(value: str) -> str:
    return f"regexp_full_match({value}, {literal(f'[0-9]{{{ECID_DIGITS}}}')})"


def columns(identities: tuple[IdentityDescriptor, ...], namespaces: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return name and SQL of the columns ``$id0``, ``$id1``, … over the leaves."""
    return [(f"$id{n}", usable(quote(item.path), namespaces[item.namespace])) for n, item in enumerate(identities)]
