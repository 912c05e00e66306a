"""Inference: a schema and a mapping proposed from what files hold."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from coterie.core.clock import format_date, format_instant
from coterie.core.errors import Invalid
from coterie.core.schema import (
    CLASS_FIELDS,
    KEY,
    MAX_DECIMALS,
    VALUE,
    FieldType,
    IdentityDescriptor,
    Schema,
    SchemaClass,
    read_fields,
)
from coterie.ingest.column import each
from coterie.ingest.draft import Draft
from coterie.ingest.mapping import IDENTITY_MAP, Mapping, Rule
from coterie.ingest.plan import compile_plan
from coterie.ingest.relation import offered, opened
from coterie.ingest.source import Source
from coterie.ingest.survey import Part, survey
from coterie.store.history import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PREVIEW = 5
_SECONDS, _MILLISECONDS = (2e8, 5e9), (2e11, 5e12)
_TIME_NAME = re.compile(r"(^|[._\s])(timestamp|time|ts|date|datetime|at|on|day|when|created|updated)$|timestamp", re.I)
_EVENT_ID = re.compile(r"^_?(id|event_?id|uuid|guid|message_?id|transaction_?id)$", re.I)
_EVENT_TYPE = re.compile(r"^(event_?type|event_?name|event|type|action|activity)$", re.I)
_PERSON = re.compile("customer|client|user|person|member|household|crm|account|subscriber|contact|loyalty", re.I)
_BROWSER = re.compile("cookie|visitor|browser|anonymous|device|fpid|ecid|client_?id", re.I)
_KEY = re.compile(r"(id|key|number|no|nr|code|uuid)$", re.I)
_NAMESPACES = {"CRMID": "CROSS_DEVICE", "Email": "EMAIL", "Phone": "PHONE", "FPID": "COOKIE"}


def infer(con: DuckDBPyConnection, source: Source, name: str | None = None, class_: str | None = None) -> Draft:
    """Propose a schema and a mapping for files.

    Parameters
    ----------
    con : DuckDBPyConnection
        Where the files are looked at; nothing is kept.
    source : Source
        The files; the first 200,000 rows of the first one are looked at.
    name : str, optional
        Name of the schema; default that of the first file.
    class_ : str, optional
        `profile`, `event` or `record`; default `event` when rows have a time and people come more than once.

    Returns
    -------
    Draft
        To be corrected and loaded back.
    """
    parts, rows, sampled, notes = survey(con, source)
    if not any(part.values for part in parts):
        raise Invalid("ingest.nothing-to-infer", f"{source.files[0].name} holds no values.", hint="Give other files.")
    if sampled:
        notes.append(f"looked at the first {rows} rows of {source.files[0].name} only.")
    own_map = [part for part in parts if part.path.split("{")[0].split(".")[0] == IDENTITY_MAP]
    empty = [part.path for part in parts if not part.values]
    if empty:
        notes.append(f"left out, for they hold no values: {', '.join(empty)}.")
    fields = [_Proposal(part, notes) for part in parts if part not in own_map and part.values]
    owners = _owners(fields, notes)
    for field in owners:
        field.become_text()
    kind = _class(fields, owners, rows, class_, bool(own_map), notes)
    given = name or re.sub(r"\W+", "_", Path(source.files[0].name).name.split(".")[0]) or "inferred"
    rules: dict[str, Rule] = {}
    if kind is SchemaClass.EVENT:
        rules |= _event_rules(fields, owners, rows, given, notes)
    taken = {rule.source for path, rule in rules.items() if path in CLASS_FIELDS[kind]}
    spec: dict[str, Any] = {"name": given, "class": str(kind), "fields": {}}
    _rename(fields, {path.casefold() for path in CLASS_FIELDS[kind]}, taken)
    for field in fields:
        if field.part.path not in taken:
            if not field.written.endswith(f".{KEY}"):
                spec["fields"][field.written] = field.spec
            rules[field.target] = field.rule
    if own_map:
        spec["identity_map"] = True
        rules[IDENTITY_MAP] = Rule(IDENTITY_MAP)
    spec["identities"] = [
        {"path": field.target, "namespace": field.namespace}
        | ({"primary": True} if position == 0 and not own_map else {})
        for position, field in enumerate(owners)
    ]
    if not owners and not own_map:
        notes.append("no identity was recognised: mark one under `identities` before loading.")
    mapping = Mapping(rules)
    return Draft(spec, mapping, source.format, _preview(con, source, spec, mapping, notes), notes)


class _Proposal:
    """A field proposed for a part of the source."""

    def __init__(self, part: Part, notes: list[str]) -> None:
        self.part = part
        self.namespace = ""
        clean = [re.sub(r"\W+", "_", step).strip("_") or "field" for step in _names(part.path)]
        self.call(_rewritten(part.path, clean) if _nested(part.path) else "_".join(clean))
        self.spec, self.rule = _typed(part, notes)
        self.instant = self.spec["type"] == FieldType.DATETIME

    def call(self, written: str) -> None:
        """Give it a path, written with [] and {}."""
        self.written = written.removesuffix(f".{VALUE}")
        self.target = written.replace("[]", "").replace("{}", "")

    def become_text(self) -> None:
        """Make it a string, as identities must be."""
        self.spec, self.rule = {"type": "string"}, Rule(self.part.path)


def _rename(fields: list[_Proposal], reserved: set[str], taken: set[str | None]) -> None:
    """Give fields whose names differ from others only by letter case, or are reserved, a number."""
    there = set(reserved)
    for field in fields:
        number, own = 2, field.written
        while field.part.path not in taken and field.target.casefold() in there:
            field.call(own.replace("[]", f"_{number}[]", 1) if own.endswith("]") else f"{own}_{number}")
            number += 1
        there.add(field.target.casefold())


def _nested(path: str) -> bool:
    return bool(re.search(r"[.\[{]", path))


def _names(path: str) -> list[str]:
    return [name for name in re.split(r"\.|\[\]|\{\}", path) if name]


def _rewritten(path: str, names: Iterable[str]) -> str:
    fresh = iter(names)
    return re.sub(r"\$key|\$value|[^.\[\]{}]+", lambda match: _kept(match[0], next(fresh)), path)


def _kept(before: str, after: str) -> str:
    return before if before.startswith("$") else after


def _typed(part: Part, notes: list[str]) -> tuple[dict[str, Any], Rule]:
    plain = Rule(part.path)
    kind = part.shape.kind
    if kind == "boolean" or part.all(part.truth):
        return {"type": "boolean"}, plain
    if kind == "date" or part.all(part.date):
        return {"type": "date"}, plain
    if kind in ("timestamp", "instant") or part.all(part.instant):
        if kind == "timestamp" or part.zoned < part.values:
            notes.append(f"{part.path}: times without an offset are read as UTC; give a zone if they are local.")
        return {"type": "date-time"}, plain
    if part.format is not None:
        clock = "%H" in part.format or "%I" in part.format
        notes.append(
            f"{part.path}: read as {part.format}{' in UTC' if clock else ''}"
            + ("; other formats fit as well, look at the preview." if part.ambiguous else ".")
        )
        return {"type": "date-time" if clock else "date"}, Rule(part.path, format=part.format)
    stamp = _stamp(part)
    if stamp is not None:
        notes.append(f"{part.path}: numbers read as instants ({stamp}).")
        return {"type": "date-time"}, Rule(part.path, format=stamp)
    if kind == "integer" or (part.all(part.whole) and not (kind == "decimal" and part.decimals)):
        return {"type": "integer"}, plain
    comma = part.all(part.comma)
    if comma or part.all(part.number):
        if kind == "text" and _leading_zeros(part):
            return {"type": "string"}, plain
        rule = Rule(part.path, decimal_comma=True) if comma else plain
        size = max(abs(part.smallest or 0), abs(part.largest or 0))
        if part.exponents or part.decimals > MAX_DECIMALS or size >= 10 ** (18 - part.decimals):
            notes.append(f"{part.path}: kept as a binary double; give `decimals` if its values are exact.")
            return {"type": "number"}, rule
        return {"type": "number", "decimals": part.decimals}, rule
    return {"type": "string"}, plain


def _leading_zeros(part: Part) -> bool:
    """Whether numbers are written like codes: 007 rather than 7."""
    return part.decimals == 0 and part.whole < part.number


def _stamp(part: Part) -> str | None:
    """Return the format of a part whose numbers look like instants and whose name says so."""
    if not (part.shape.kind == "integer" or part.all(part.whole)) or not part.values:
        return None
    low, high = part.smallest or 0, part.largest or 0
    if not _TIME_NAME.search(_names(part.path)[-1]):
        return None
    for form, (first, last) in (("epoch", _SECONDS), ("epoch_ms", _MILLISECONDS)):
        if first <= low and high <= last:
            return form
    return None


def _owners(fields: list[_Proposal], notes: list[str]) -> list[_Proposal]:
    """Return the fields that look like identities, the one to be primary first."""
    for field in fields:
        part, last = field.part, _names(field.part.path)[-1]
        if part.depth or not part.values or field.spec["type"] not in ("string", "integer"):
            continue
        if part.all(part.email):
            field.namespace = "Email"
        elif part.all(part.phone) and re.search(r"phone|mobile|tel", last, re.I):
            field.namespace = "Phone"
        elif part.distinct > 1 and (part.distinct >= 20 or part.distinct >= part.values // 10) and _named(last):
            field.namespace = "FPID" if _BROWSER.search(last) else "CRMID" if _PERSON.search(last) else ""
    owners = sorted(
        (field for field in fields if field.namespace), key=lambda item: [*_NAMESPACES].index(item.namespace)
    )
    notes += [
        f"{field.part.path}: taken for an identity in namespace {field.namespace}; name another one if it is its own."
        for field in owners
    ]
    return owners


def _named(name: str) -> bool:
    """Whether a name is that of a key: customer_id, crm, cookie."""
    return bool(_KEY.search(name) or _PERSON.fullmatch(name) or _BROWSER.fullmatch(name))


def _class(
    fields: list[_Proposal],
    owners: list[_Proposal],
    rows: int,
    class_: str | None,
    mapped: bool,
    notes: list[str],
) -> SchemaClass:
    if class_ is not None:
        try:
            return SchemaClass(class_)
        except ValueError as error:
            raise Invalid(
                "schema.class", f"there is no class {class_!r}.", hint=f"Classes are {', '.join(SchemaClass)}."
            ) from error
    timed = _time_of(fields) is not None
    each_once = bool(owners) and owners[0].part.distinct == rows and not mapped
    typed = any(_EVENT_TYPE.search(_names(field.part.path)[-1]) for field in fields)
    kind = SchemaClass.EVENT if timed and (typed or not each_once) else SchemaClass.PROFILE
    notes.append(f"taken for {'events: rows have a time' if kind is SchemaClass.EVENT else 'attributes of people'}.")
    return kind


def _time_of(fields: list[_Proposal]) -> _Proposal | None:
    """Return the field that is most likely the time of an event."""
    times = [field for field in fields if field.part.depth == 0 and field.spec["type"] in ("date-time", "date")]

    def rank(field: _Proposal) -> tuple[bool, bool, bool]:
        last = _names(field.part.path)[-1].lower()
        return last != "timestamp", not field.instant, not _TIME_NAME.search(last)

    return min(times, key=rank, default=None)


def _event_rules(
    fields: list[_Proposal], owners: list[_Proposal], rows: int, name: str, notes: list[str]
) -> dict[str, Rule]:
    """Return the rules of the fields that every event has."""
    single = [field for field in fields if field.part.depth == 0]
    unique = [field for field in single if field.part.distinct == field.part.values == rows]
    ids = [field for field in unique if _EVENT_ID.search(_names(field.part.path)[-1]) and field not in owners]
    rules: dict[str, Rule] = {}
    if ids:
        rules["_id"] = Rule(ids[0].part.path)
    else:
        full = [field.part.path for field in single if field.part.values == rows]
        rules["_id"] = Rule(concat=tuple(full), separator="|")
        notes.append(
            "no column names each event: _id is made of all columns that are never empty; equal rows count once."
        )
    time = _time_of(fields)
    if time is None:
        raise Invalid(
            "ingest.no-time", "events need a time, and no column looks like one.", hint="Infer it as class profile."
        )
    rules["timestamp"] = time.rule
    typed = [
        field for field in single if _EVENT_TYPE.search(_names(field.part.path)[-1]) and field.spec["type"] == "string"
    ]
    if typed:
        rules["eventType"] = Rule(typed[0].part.path)
    else:
        rules["eventType"] = Rule(constant=name)
        notes.append(f"eventType is {name!r} for all rows; give another constant or column.")
    return rules


def _preview(
    con: DuckDBPyConnection, source: Source, spec: dict[str, Any], mapping: Mapping, notes: list[str]
) -> list[dict[str, Any]]:
    """Return the first rows as they would be stored; what cannot be converted is missing."""
    kind = SchemaClass(spec["class"])
    fields = CLASS_FIELDS[kind] | read_fields(spec["fields"], f"schema {spec['name']}")
    identities = msgspec.convert(spec["identities"], tuple[IdentityDescriptor, ...])
    schema = Schema(spec["name"], kind, fields, identities, spec.get("identity_map", False))
    file = source.files[0]
    anyone = schema if identities or schema.identity_map else msgspec.structs.replace(schema, class_=SchemaClass.RECORD)
    plan = compile_plan(con, offered(con, source, file), mapping, anyone, _NAMESPACES)
    leaves = [leaf for path, leaf in schema.leaves().items() if path in {column.leaf.path for column in plan.columns}]
    shown = [_shown(quote(leaf.path), leaf.depth, leaf.field.decimals) for leaf in leaves]
    with opened(con, source, file) as relation:
        rows = con.execute(
            f"SELECT {plan.ok}, {', '.join(shown)} FROM ({plan.rows(f'SELECT * FROM ({relation}) LIMIT {PREVIEW}')})"
        ).fetchall()
    bad = sum(not row[0] for row in rows)
    if bad:
        notes.append(f"{bad} of the {len(rows)} rows of the preview would be bad rows.")
    return [
        {
            leaf.path: _readable(value, str(leaf.field.type))
            for leaf, value in zip(leaves, row[1:], strict=True)
            if value is not None
        }
        for row in rows
    ]


def _shown(column: str, depth: int, decimals: int | None) -> str:
    """Return SQL for a value to show: exact decimals as text, so that they keep their digits."""
    return column if decimals is None else each(column, depth, lambda x: f"CAST({x} AS VARCHAR)")


def _readable(value: Any, kind: str) -> Any:
    if isinstance(value, list):
        return [_readable(item, kind) for item in value]
    if value is None:
        return None
    return {"date": format_date, "date-time": format_instant}.get(kind, lambda item: item)(value)
