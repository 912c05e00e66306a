"""The plan of a load: for every leaf of a schema, the SQL that takes it out of a source row.

Names of the intermediate columns: ``r0``, ``r1``, … are source values (NULL where there is none), ``v0``, ``v1``, …
the typed ones at the same depth; then come the leaves under their own names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from coterie.core.errors import Invalid
from coterie.core.schema import Leaf, Schema, SchemaClass
from coterie.ingest import document, identities, layout
from coterie.ingest.column import Column, Input, each, follow, without
from coterie.ingest.convert import FALSE, TRUE, Converter, Fault, Style
from coterie.ingest.identity_map import TEXT, entries_of
from coterie.ingest.mapping import IDENTITY_MAP, Rule, elements, expand
from coterie.ingest.mapping import Mapping as FieldMapping
from coterie.ingest.operation import NUMBERS, TARGET, Operation, refused
from coterie.ingest.shape import Reach, Shape, reach
from coterie.ingest.sql import literal, literals
from coterie.store.history import column_type, quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_JSON = '"$text"'
ROW_TEXT = 'rtrim("$text", chr(10) || chr(13))'
"""SQL for the text of a row without its line end."""


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
    con: DuckDBPyConnection,
    given: Input,
    mapping: FieldMapping,
    schema: Schema,
    namespaces: Mapping[str, str],
    *,
    operation: Operation = Operation.CREATE,
    ordered_by: str | None = None,
    priority: Sequence[str] = (),
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
    operation : Operation
        What a row does that does not say it.
    ordered_by : str, optional
        The path of a date that no row may lack.
    priority : sequence of str
        Codes of namespaces, best first, where they decide whose an event is.

    Raises
    ------
    Invalid
        ``mapping.unknown-field``, ``mapping.unknown-source``, ``mapping.type``, ``mapping.depth``, ``mapping.format``,
        ``mapping.constant``, ``mapping.rule``.
    """
    identities.check(schema, namespaces)
    rules = {path: (leaf, _into(rule, leaf, schema, given)) for path, (leaf, rule) in expand(mapping, schema).items()}
    if TARGET in rules and schema.class_ is not SchemaClass.PROFILE:
        raise refused(schema)
    own = {path: rule for path, rule in mapping.fields.items() if path.split(".")[0] == IDENTITY_MAP}
    nodes, json_type = None, ""
    if given.document:
        given, nodes, json_type = _documented(given, [*(rule for _, rule in rules.values())], own)
    columns = [_column(con, number, leaf, rule, mapping, given) for number, (leaf, rule) in enumerate(rules.values())]
    listed = entries_of(own, mapping, given) if schema.identity_map else None
    values = layout.placed(columns)
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
    plan.faults += layout.aligned(columns)
    if schema.class_ is SchemaClass.PROFILE:
        plan.values[TARGET] = _operation(columns, operation)
    plan.faults += _whole(layout.required(schema, columns), operation, given=TARGET in values) + layout.sized(schema)
    if TARGET in values or operation is Operation.APPEND:
        plan.faults += layout.appended(schema, f"{quote(TARGET)} = {Operation.APPEND.number}")
    if ordered_by is not None:
        raw = next((column.raw_name for column in columns if column.leaf.path == ordered_by), quote(ordered_by))
        undated = Fault(f"{raw} IS NULL", "record.no-time", "expected the date by which the dataset is ordered")
        plan.faults.append((ordered_by, "NULL", undated))
    plan.faults += identities.faults(schema, namespaces, priority)
    return plan


def _operation(columns: list[Column], default: Operation) -> str:
    """Return SQL for the number of a row's operation; 0 for what is none, so that the row is a bad one."""
    usual = f"CAST({literal(default.number)} AS UTINYINT)"
    stated = next((column for column in columns if column.leaf.path == TARGET), None)
    if stated is None:
        return usual
    cases = "".join(f" WHEN {literal(name)} THEN {literal(number)}" for name, number in NUMBERS.items())
    named = f"CAST(CASE {stated.value_name}{cases} ELSE 0 END AS UTINYINT)"
    return f"CASE WHEN {stated.raw_name} IS NULL THEN {usual} ELSE {named} END"


def _whole(faults: list[tuple[str, str, Fault]], operation: Operation, *, given: bool) -> list[tuple[str, str, Fault]]:
    """Return the checks that only a whole record must pass: other operations may leave out what is required."""
    if given:
        whole = f"{quote(TARGET)} IS NULL"
        return [
            (field, value, fault._replace(condition=f"{whole} AND ({fault.condition})"))
            for field, value, fault in faults
        ]
    return faults if operation is Operation.CREATE else []


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
            f"source {columns!r} contradicts that of another rule: one is a value and the other an object or a list, "
            "or their names differ only by letter case.",
            hint="Map one of them.",
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
        taken = Reach(*_constant(rule.constant), 0, "")
    elif rule.concat:
        taken = _joined(rule, nulls, given)
    else:
        taken = _reached(rule.source or "", nulls, given)
    if rule.split is not None and taken.shape.kind in ("text", "json"):
        parts = each(taken.sql, taken.depth, lambda x: _split(x, rule.split or "", nulls))
        taken = Reach(parts, taken.shape, taken.depth + 1, taken.column)
    if taken.depth > leaf.depth:
        raise Invalid(
            "mapping.depth",
            f"{where}: the source holds a list and the field a single value.",
            hint="Map it to a field of an array, or name one part of it.",
            where={"field": leaf.path},
        )
    converter = Converter(leaf.field, taken.shape, style, where)
    _try(con, converter, rule, leaf)
    origin = " ".join(path.split("[")[0].split("{")[0] for path in rule.sources)
    return Column(leaf, number, taken.sql, taken.depth, converter, origin)


def _reached(path: str, nulls: tuple[str, ...], given: Input) -> Reach:
    there = follow(path, given)
    raw = each(there.sql, there.depth, lambda x: without(x, there.shape, nulls))
    return Reach(raw, there.shape, there.depth, there.column)


def _constant(value: str | int | float | bool) -> tuple[str, Shape]:
    if isinstance(value, bool):
        return literal(value), Shape("boolean")
    return (literal(value), Shape("integer")) if isinstance(value, int) else (literal(str(value)), Shape("text"))


def _split(x: str, mark: str, nulls: tuple[str, ...]) -> str:
    parts = f"list_transform(string_split({x}, {literal(mark)}), lambda p: trim(p))"
    return f"list_filter({parts}, lambda p: p NOT IN ({literals(nulls or ('',))}))"


def _joined(rule: Rule, nulls: tuple[str, ...], given: Input) -> Reach:
    texts = []
    for path in rule.concat:
        found = follow(path, given)
        if found.depth:
            raise Invalid("mapping.depth", f"concat: source {path!r} is a list.", hint="Join single values only.")
        value = without(found.sql, found.shape, nulls)
        texts.append(Converter(TEXT, found.shape, Style(), path).value(value))
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
