"""The plan of a load: for every leaf of a schema, the SQL that takes it out of a source row.

Names of the intermediate columns: ``r0``, ``r1``, … are source values (NULL where there is none), ``v0``, ``v1``, …
the typed ones at the same depth; then come the leaves under their own names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from coterie.core.errors import Invalid, Unsupported
from coterie.core.schema import Field, FieldType, Leaf, Schema, leaves
from coterie.ingest import document, identities
from coterie.ingest.convert import FALSE, TRUE, Converter, Fault, Style
from coterie.ingest.mapping import IDENTITY_MAP, Rule, elements, expand, unknown_source
from coterie.ingest.mapping import Mapping as FieldMapping
from coterie.ingest.shape import Reach, Shape, entries, reach
from coterie.ingest.sql import literal, literals
from coterie.store.history import column_type, quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_JSON = '"$text"'
_TEXT = Field(FieldType.STRING)
ROW_TEXT = 'rtrim("$text", chr(10) || chr(13))'
"""SQL for the text of a row without its line end."""


@dataclass(frozen=True)
class Input:
    """What the rows of a file offer: columns with shapes, SQL names of the columns, texts that are no value."""

    file: str
    columns: Mapping[str, Shape]
    name: Callable[[str], str] = quote
    nulls: tuple[str, ...] = ()
    document: bool = False


@dataclass(frozen=True)
class Column:
    """A leaf with a source: its raw value lies in `depth` lists; `leaf.depth` may be more."""

    leaf: Leaf
    number: int
    raw: str
    depth: int
    converter: Converter
    origin: str

    @property
    def raw_name(self) -> str:
        """Name of the raw value."""
        return f"r{self.number}"

    @property
    def value_name(self) -> str:
        """Name of the typed value."""
        return f"v{self.number}"

    @property
    def value(self) -> str:
        """SQL for the typed value over the raw one."""
        return each(self.raw_name, self.depth, self.converter.value)

    @property
    def bad(self) -> str | None:
        """SQL that says that some raw value has no typed one; None when that cannot be."""
        if self.converter.total:
            return None
        if self.depth == 0:
            return f"{self.raw_name} IS NOT NULL AND {self.value_name} IS NULL"
        return f"{_count(self.raw_name, self.depth)} <> {_count(self.value_name, self.depth)}"


def each(sql: str, depth: int, function: Callable[[str], str], level: int = 0) -> str:
    """Return SQL that applies a function to the values inside `depth` lists."""
    if depth == 0:
        return function(sql)
    variable = f"x{level}"
    return f"list_transform({sql}, lambda {variable}: {each(variable, depth - 1, function, level + 1)})"


def flat(sql: str, depth: int) -> str:
    """Return SQL for one list of the values inside `depth` lists."""
    for _ in range(depth - 1):
        sql = f"flatten({sql})"
    return sql


def _count(sql: str, depth: int) -> str:
    return f"list_count({flat(sql, depth)})"


@dataclass
class Plan:
    """SQL of a load of one file. Made by `compile_plan`."""

    schema: Schema
    columns: list[Column]
    values: dict[str, str]
    entries: str | None
    identities: list[tuple[str, str]]
    usable_entries: str
    faults: list[tuple[str, str, Fault]] = field(default_factory=list)
    document: document.Nodes | None = None
    json_type: str = ""
    unknown: str = "FALSE"

    @property
    def ok(self) -> str:
        """SQL that says that nothing is wrong with a row."""
        parts = ['"$fault" IS NULL']
        parts += [f"({self.document.malformed}) IS NOT TRUE"] if self.document else []
        parts += [f"({bad}) IS NOT TRUE" for bad in (column.bad for column in self.columns) if bad]
        parts += [f"({fault.condition}) IS NOT TRUE" for _, _, fault in self.faults]
        return " AND ".join(parts)

    def rows(self, relation: str) -> str:
        """Return a query for the rows of a relation with raw values, typed values, leaves and identities."""
        system = ['"$row"', '"$line"', '"$fault"', '"$text"']
        if self.document is not None:
            made = f'TRY(json_transform("$text", {literal(self.json_type)}))'
            relation = f'SELECT {", ".join(system)}, {self.document.types} AS "$types", {made} AS doc FROM ({relation})'
            system = [*system, '"$types"', "doc"]
        raw = [f"{column.raw} AS {column.raw_name}" for column in self.columns]
        raw += [f'{self.entries} AS "$entries"'] if self.entries else []
        first = f"SELECT {', '.join([*system, *raw])} FROM ({relation})"
        typed = [f"{column.value} AS {column.value_name}" for column in self.columns]
        second = f"SELECT {', '.join(['*', *typed])} FROM ({first})"
        named = [f"{sql} AS {quote(path)}" for path, sql in self.values.items()]
        third = f"SELECT {', '.join(['*', *named])} FROM ({second})"
        owners = [f"{sql} AS {quote(name)}" for name, sql in self.identities]
        owners += [f'{self.usable_entries} AS "$identityMap"'] if self.schema.identity_map else []
        return f"SELECT {', '.join(['*', *owners])} FROM ({third})" if owners else third


def compile_plan(
    con: DuckDBPyConnection, given: Input, mapping: FieldMapping, schema: Schema, namespaces: Mapping[str, str]
) -> Plan:
    """Work out how rows of a file become rows of a schema.

    Parameters
    ----------
    con : DuckDBPyConnection
        Used to check constants and date formats before any data is read.
    given : Input
        What the file offers.
    mapping : Mapping
        Which source part becomes which field.
    schema : Schema
        The fields.
    namespaces : mapping
        Types of all namespaces by code.

    Raises
    ------
    Invalid
        ``mapping.unknown-field``, ``mapping.unknown-source``, ``mapping.type``, ``mapping.depth``, ``mapping.format``,
        ``mapping.constant``, ``mapping.rule``.
    """
    identities.check(schema, namespaces)
    rules = {path: (leaf, _into(rule, leaf, schema, given)) for path, (leaf, rule) in expand(mapping, schema).items()}
    own = {path: rule for path, rule in mapping.fields.items() if path.split(".")[0] == IDENTITY_MAP}
    nodes, json_type = None, ""
    if given.document:
        given, nodes, json_type = _documented(given, [*(rule for _, rule in rules.values())], own)
    columns = [_column(con, number, leaf, rule, mapping, given) for number, (leaf, rule) in enumerate(rules.values())]
    listed = _entries(own, mapping, given) if schema.identity_map else None
    values = _placed(schema, columns)
    plan = Plan(
        schema,
        columns,
        {path: values.get(path, f"CAST(NULL AS {column_type(leaf)})") for path, leaf in schema.leaves().items()},
        (listed or f"CAST(NULL AS {identities.MAP_TYPE})") if schema.identity_map else None,
        identities.columns(schema.identities, namespaces),
        identities.usable_entries('"$entries"', namespaces),
        document=nodes,
        json_type=json_type,
    )
    plan.faults += [(name, ROW_TEXT, fault) for name, fault in nodes.faults()] if nodes else []
    if given.document:
        known = literals([*given.columns])
        plan.unknown = f"len(list_filter(TRY(json_keys({_JSON})), lambda k: k NOT IN ({known}))) > 0"
    if given.document and mapping.strict:
        plan.faults.append(("", ROW_TEXT, Fault(plan.unknown, "field.unknown", "expected only keys that are mapped")))
    plan.faults += _aligned(schema, columns)
    plan.faults += _required(schema, columns)
    plan.faults += identities.faults(schema, namespaces)
    return plan


def _into(rule: Rule, leaf: Leaf, schema: Schema, given: Input) -> Rule:
    """Let a rule whose source is a whole list reach its elements."""
    marks, source = elements(schema, leaf), rule.source
    if not marks or source is None or rule.split is not None or source.endswith("]"):
        return rule
    found = None if given.document else reach(source, given.columns, given.name)
    if given.document or (found is not None and found.shape.kind == "list"):
        return msgspec.structs.replace(rule, source=source + marks)
    return rule


def _documented(given: Input, rules: list[Rule], own: Mapping[str, Rule]) -> tuple[Input, document.Nodes, str]:
    paths = [path for rule in rules for path in rule.sources]
    for target, rule in own.items():
        for path in rule.sources:
            paths += [f"{path}{{}}[].id", f"{path}{{}}[].primary"] if target == IDENTITY_MAP else [path]
    columns = document.shape_of(paths)
    if isinstance(columns, str):
        raise Invalid(
            "mapping.rule",
            f"source {columns!r} is taken as a value by one rule and as an object, array or map by another.",
            hint="Map it as one of them.",
            where={"source": columns},
        )
    shown = Input(given.file, columns, lambda name: f"doc.{quote(name)}", given.nulls, True)
    type_ = document.type_sql(Shape("struct", columns)) if columns else 'STRUCT("$" VARCHAR)'
    return shown, document.Nodes(columns, _JSON, "doc"), '"' + type_.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _column(
    con: DuckDBPyConnection, number: int, leaf: Leaf, rule: Rule, mapping: FieldMapping, given: Input
) -> Column:
    style = Style(
        rule.format,
        rule.zone or mapping.zone,
        mapping.decimal_comma if rule.decimal_comma is None else rule.decimal_comma,
        rule.true_values or TRUE,
        rule.false_values or FALSE,
    )
    where = f"{' + '.join(rule.sources) or 'constant'} to {leaf.path}"
    nulls = mapping.nulls(rule, given.nulls)
    if rule.constant is not None:
        found = Reach(*_constant(rule.constant), 0, "")
    elif rule.concat:
        found = _joined(rule, nulls, given)
    else:
        found = _found(rule.source or "", given)
        raw = each(found.sql, found.depth, lambda x: without(x, found.shape, nulls))
        found = Reach(raw, found.shape, found.depth, found.column)
    if rule.split is not None and found.shape.kind in ("text", "json"):
        parts = each(found.sql, found.depth, lambda x: _split(x, rule.split or "", nulls))
        found = Reach(parts, found.shape, found.depth + 1, found.column)
    if found.depth > leaf.depth:
        raise Invalid(
            "mapping.depth",
            f"{where}: the source holds a list and the field a single value.",
            hint="Map it to a field of an array, or name one part of it.",
            where={"field": leaf.path},
        )
    converter = Converter(leaf.field, found.shape, style, where)
    _try(con, converter, rule, leaf)
    origin = "" if rule.constant is not None else (rule.source or "").split("[")[0].split("{")[0]
    return Column(leaf, number, found.sql, found.depth, converter, origin)


def _found(path: str, given: Input) -> Reach:
    found = reach(path, given.columns, given.name)
    if found is None:
        raise unknown_source(path, given.columns, given.file)
    if found.shape.kind in ("struct", "list", "map"):
        raise Invalid(
            "mapping.type",
            f"source {path!r} is a {found.shape.kind}, not a value.",
            hint="Name a part of it: .name, [] for each element, {}.$key and {}.$value for each entry.",
            where={"source": path},
        )
    return found


def _constant(value: str | int | float | bool) -> tuple[str, Shape]:
    if isinstance(value, bool):
        return literal(value), Shape("boolean")
    return (literal(value), Shape("integer")) if isinstance(value, int) else (literal(str(value)), Shape("text"))


def without(x: str, shape: Shape, nulls: tuple[str, ...]) -> str:
    """Return SQL for a value, NULL when its text is one of `nulls`."""
    if not nulls:
        return x
    text = x if shape.kind in ("text", "json") else f"CAST({x} AS VARCHAR)"
    return f"CASE WHEN {text} NOT IN ({literals(nulls)}) THEN {x} END"


def _split(x: str, mark: str, nulls: tuple[str, ...]) -> str:
    parts = f"list_transform(string_split({x}, {literal(mark)}), lambda p: trim(p))"
    return f"list_filter({parts}, lambda p: p NOT IN ({literals(nulls or ('',))}))"


def _joined(rule: Rule, nulls: tuple[str, ...], given: Input) -> Reach:
    texts = []
    for path in rule.concat:
        found = _found(path, given)
        if found.depth:
            raise Invalid("mapping.depth", f"concat: source {path!r} is a list.", hint="Join single values only.")
        value = without(found.sql, found.shape, nulls)
        texts.append(Converter(_TEXT, found.shape, Style(), path).value(value))
    return Reach(f" || {literal(rule.separator)} || ".join(texts), Shape("text"), 0, "")


def _try(con: DuckDBPyConnection, converter: Converter, rule: Rule, leaf: Leaf) -> None:
    """Run the conversion once, so that a wrong pattern, format or constant is told before the data is read."""
    sample = literal(rule.constant) if rule.constant is not None else "'1'"
    if rule.constant is not None and converter.shape.kind == "text":
        sample = literal(str(rule.constant))
    if converter.shape.kind not in ("text", "json") and rule.constant is None:
        return
    try:
        value = con.execute(f"SELECT {converter.value('x')} FROM (SELECT {sample} AS x)").fetchall()[0][0]
    except Exception as error:
        raise Invalid(
            "mapping.format",
            f"field {leaf.path}: {str(error).splitlines()[0]}",
            hint="Formats are iso, epoch, epoch_ms or % codes; patterns are RE2 regular expressions.",
            where={"field": leaf.path},
        ) from error
    if rule.constant is not None and value is None:
        raise Invalid(
            "mapping.constant",
            f"the constant of {leaf.path} is no value of that field.",
            hint=f"The field is a {leaf.field.type}.",
            where={"field": leaf.path},
        )


def _containers(schema: Schema) -> dict[str, str]:
    """Return the outermost array or map around every leaf that is in one."""
    out: dict[str, str] = {}

    def walk(below: Field, path: str) -> None:
        for name, child in below.properties.items():
            full = f"{path}.{name}" if path else name
            if child.items is not None:
                out.update({leaf.path: full for leaf in leaves(child, full)})
            else:
                walk(child, full)

    walk(schema.root, "")
    return out


def _groups(schema: Schema, columns: list[Column]) -> dict[str, list[Column]]:
    containers = _containers(schema)
    out: dict[str, list[Column]] = {}
    for column in columns:
        if column.leaf.depth:
            out.setdefault(containers[column.leaf.path], []).append(column)
    return out


def _placed(schema: Schema, columns: list[Column]) -> dict[str, str]:
    """Return SQL for each leaf over the typed values: single values become items of the lists beside them."""
    out = {column.leaf.path: column.value_name for column in columns}
    for group in _groups(schema, columns).values():
        driver = next((column for column in group if column.depth), None)
        present = [column for column in group if column.origin] or group
        some = " OR ".join(f"{column.raw_name} IS NOT NULL" for column in present)
        for column in group:
            value = column.value_name
            if column.depth == 0 and driver is not None:
                value = f"list_transform({driver.value_name}, lambda _: {value})"
            elif column.depth == 0:
                value = f"CASE WHEN {some} THEN [{value}] END"
            for _ in range(column.leaf.depth - max(column.depth, 1)):
                value = f"[{value}]"
            out[column.leaf.path] = value
    return out


def _aligned(schema: Schema, columns: list[Column]) -> list[tuple[str, str, Fault]]:
    """Return the check that lists from different sources under one array have the same length."""
    out = []
    for group in _groups(schema, columns).values():
        lists = [column for column in group if column.depth]
        for other in lists[1:]:
            first = lists[0]
            if other.origin != first.origin:
                unequal = f"len({first.value_name}) IS DISTINCT FROM len({other.value_name})"
                fault = Fault(unequal, "value.items", f"expected as many elements as {first.leaf.path} has")
                out.append((other.leaf.path, f"CAST({other.raw_name} AS VARCHAR)", fault))
    return out


def _required(schema: Schema, columns: list[Column]) -> list[tuple[str, str, Fault]]:
    """Return the checks of required fields; a field inside an array is required of each item.

    What counts is the source value, so that one of the wrong type is not called missing as well.
    """
    raw = {column.leaf.path: column.raw_name for column in columns if column.depth == column.leaf.depth}
    out: list[tuple[str, str, Fault]] = []

    def walk(below: Field, path: str, depth: int) -> None:
        for name, child in below.properties.items():
            full = f"{path}.{name}" if path else name
            inner, nested = child, depth
            while inner.items is not None:
                inner, nested = inner.items, nested + 1
            if child.required:
                inside = [raw.get(leaf.path, quote(leaf.path)) for leaf in leaves(child, full)]
                if depth == 0:
                    condition = " AND ".join(f"{name} IS NULL" for name in inside)
                elif child.scalar:
                    values = flat(inside[0], depth)
                    condition = f"list_count({values}) < len({values})"
                else:
                    raise Unsupported(
                        "ingest.required",
                        f"field {full}: a required {child.type} inside an array is not checked yet.",
                        hint="Require the fields below it instead.",
                        where={"field": full},
                    )
                out.append((full, "NULL", Fault(condition, "field.required", "expected a value")))
            if inner.type is FieldType.OBJECT:
                walk(inner, full, nested)

    walk(schema.root, "", 0)
    return out


def _entries(own: Mapping[str, Rule], mapping: FieldMapping, given: Input) -> str | None:
    """Return SQL for all entries of the identity map, usable or not."""
    lists = []
    for target, rule in own.items():
        if rule.source is None:
            raise Invalid("mapping.rule", f"the rule of {target} needs a source.", where={"field": target})
        if target == IDENTITY_MAP:
            lists.append(_whole_map(rule.source, given))
            continue
        code = literal(target.removeprefix(f"{IDENTITY_MAP}."))
        found = _found(rule.source, given)
        nulls = mapping.nulls(rule, given.nulls)
        text = Converter(_TEXT, found.shape, Style(), target)
        value = each(found.sql, found.depth, lambda x: text.value(without(x, found.shape, nulls)))  # noqa: B023
        ids = flat(value, found.depth) if found.depth else f"[{value}]"
        entry = f"{{'namespace': {code}, 'id': i, 'primary': {literal(rule.primary)}}}"
        lists.append(f"list_transform({ids}, lambda i: {entry})")
    if not lists:
        return None
    joined = f"list_concat({', '.join(lists)})" if len(lists) > 1 else lists[0]
    return f"list_filter(CAST({joined} AS {identities.MAP_TYPE}), lambda i: i.id IS NOT NULL)"


def _whole_map(path: str, given: Input) -> str:
    found = reach(path, given.columns, given.name)
    if found is None:
        raise unknown_source(path, given.columns, given.file)
    pairs = entries(found.sql, found.shape)
    item = pairs and pairs[1].item
    if pairs is None or item is None or "id" not in item.fields:
        raise Invalid(
            "mapping.type",
            f"source {path!r} is no identity map.",
            hint="Expected an object of arrays of {id, primary}, keyed by namespace; or map identityMap.<namespace>.",
            where={"source": path},
        )
    primary = 'coalesce(TRY_CAST(i."primary" AS BOOLEAN), FALSE)' if "primary" in item.fields else "FALSE"
    entry = f"{{'namespace': e.key, 'id': CAST(i.id AS VARCHAR), 'primary': {primary}}}"
    return f"flatten(list_transform({pairs[0]}, lambda e: list_transform(e.value, lambda i: {entry})))"
