"""Mappings: which source column becomes which field, and how its values are written."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Dict
from typing import Any

import msgspec
import yaml

from coterie.core.clock import zone
from coterie.core.errors import Invalid, suggestion
from coterie.core.faults import fault
from coterie.core.schema import Field, FieldType, Leaf, Schema, leaves, lookup
from coterie.ingest.operation import LEAF as OPERATION
from coterie.ingest.shape import Reach, Shape, reach

IDENTITY_MAP = "identityMap"


class Rule(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How one field gets its value.

    One of `source` (a source path), `concat` (source paths, joined by `separator`; no value when one of them has
    none) and `constant`. The rest says how values are written: `format` of dates and times (``iso``, ``epoch``,
    ``epoch_ms``, or with % codes such as ``%d.%m.%Y``), `zone` of times that name none, `null_values` (texts that
    stand for no value), `decimal_comma`, `split` (what parts the elements of an array in one text), `true_values`
    and `false_values`. `primary` marks the entries that an ``identityMap.<namespace>`` rule makes.
    """

    source: str | None = None
    constant: str | int | float | bool | None = None
    concat: tuple[str, ...] = ()
    separator: str = ""
    format: str | None = None
    zone: str | None = None
    null_values: tuple[str, ...] | None = None
    decimal_comma: bool | None = None
    split: str | None = None
    true_values: tuple[str, ...] = ()
    false_values: tuple[str, ...] = ()
    primary: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        """The source paths it reads."""
        return self.concat or ((self.source,) if self.source is not None else ())


class Mapping(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Rules by field path, with what holds for all of them unless they say otherwise.

    A rule for ``$operation`` says what each row does to the record that is there: create, merge, append
    or delete.
    A rule for an object, array or map takes all fields below it from the same names below its source. With `strict`
    a key of a JSON row that no rule reads makes the row a bad one; otherwise such rows are counted.
    """

    fields: dict[str, Rule]
    zone: str = "UTC"
    null_values: tuple[str, ...] | None = None
    decimal_comma: bool = False
    strict: bool = False

    @classmethod
    def read(cls, spec: Dict[str, Any]) -> Mapping:
        """Build a mapping from its written form, in which a rule may be just the source path.

        Examples
        --------
        >>> Mapping.read({"fields": {"email": "E-Mail", "shop": {"constant": "north"}}}).fields["email"].source
        'E-Mail'
        """
        fields = spec.get("fields")
        if not isinstance(fields, Dict):
            raise Invalid("mapping.spec", "a mapping needs `fields`: field paths with their sources.")
        rules = {path: {"source": rule} if isinstance(rule, str) else rule for path, rule in fields.items()}
        whole = {**spec, "fields": rules}
        try:
            return msgspec.convert(whole, cls)
        except msgspec.ValidationError as error:
            found = fault(error, whole, cls)
            raise Invalid("mapping.spec", f"the mapping: {found.message}.", hint=found.hint) from error

    @classmethod
    def from_yaml(cls, text: str) -> Mapping:
        """Build a mapping from YAML or JSON text."""
        spec = yaml.safe_load(text)
        return cls.read(spec if isinstance(spec, Dict) else {})

    def to_dict(self) -> dict[str, Any]:
        """Return the written form, as short as it can be."""
        spec: dict[str, Any] = msgspec.to_builtins(self)
        spec["fields"] = {
            path: rule["source"] if set(rule) == {"source"} else rule for path, rule in spec["fields"].items()
        }
        return spec

    def nulls(self, rule: Rule, default: tuple[str, ...]) -> tuple[str, ...]:
        """Return the texts that stand for no value under a rule."""
        own = rule.null_values if rule.null_values is not None else self.null_values
        return default if own is None else own


def default_mapping(schema: Schema, columns: Dict[str, Shape]) -> Mapping:
    """Return the mapping that gives every field the source part of the same name.

    Parameters
    ----------
    schema : Schema
        Whose fields are to be filled.
    columns : mapping
        Columns of the source with their shapes.

    Returns
    -------
    Mapping
        Names match exactly, else but for letter case, else with dots and underscores alike. Fields without a match
        are left out, except that a key of JSON documents not seen yet is taken to be the field's name.
    """
    wanted = {_bracketed(schema, path): path for path in schema.leaves()}
    parts = [part for name, shape in columns.items() for part in shape.parts(name)]
    documents = not parts or parts[0][1].kind == "json"
    rules = {path: Rule(source) for source, path in wanted.items() if _scalar(reach(source, columns))}
    for fold in (str, str.casefold, _loose):
        there: dict[str, str] = {}
        for part, _ in parts:
            there.setdefault(fold(part), part)
        for source, path in wanted.items():
            match = there.get(fold(source)) or there.get(fold(path))
            if path not in rules and match is not None:
                rules[path] = Rule(match)
    if documents:
        rules = {path: Rule(source) for source, path in wanted.items()} | rules
    if schema.identity_map and (documents or IDENTITY_MAP in columns):
        rules[IDENTITY_MAP] = Rule(IDENTITY_MAP)
    return Mapping({path: rules[path] for path in (*schema.leaves(), IDENTITY_MAP) if path in rules})


def _scalar(found: Reach | None) -> bool:
    return found is not None and found.shape.kind not in ("struct", "list", "map")


def _loose(text: str) -> str:
    return text.casefold().replace(".", "_")


def _bracketed(schema: Schema, path: str) -> str:
    """Return the path with [] after arrays and {} after maps."""
    field, out = schema.root, ""
    for name in path.split("."):
        while field.items is not None:
            out += "[]" if field.type is FieldType.ARRAY else "{}"
            field = field.items
        out += f".{name}" if out else name
        field = field.properties.get(name, field)
    while field.items is not None:
        out += "[]" if field.type is FieldType.ARRAY else "{}"
        field = field.items
    return out


def expand(mapping: Mapping, schema: Schema) -> dict[str, tuple[Leaf, Rule]]:
    """Return the rule of every leaf that has one, with the rules for whole objects, arrays and maps spread out.

    Raises
    ------
    Invalid
        ``mapping.unknown-field`` for a field that the schema lacks; ``mapping.rule`` for a rule without one source.
    """
    known = schema.leaves()
    out: dict[str, tuple[Leaf, Rule]] = {}
    for written, rule in mapping.fields.items():
        path = written.replace("[]", "").replace("{}", "")
        if rule.zone is not None:
            zone(rule.zone)
        given = [rule.source is not None, rule.constant is not None, bool(rule.concat)]
        if sum(given) != 1:
            raise Invalid(
                "mapping.rule",
                f"the rule of {written} has {'more than one' if any(given) else 'none'} of source, constant, concat.",
                hint="Give exactly one.",
                where={"field": written},
            )
        if path == IDENTITY_MAP or path.startswith(f"{IDENTITY_MAP}."):
            if not schema.identity_map:
                raise _unknown(written, known)
        elif path == OPERATION.path:
            out[path] = OPERATION, rule
        elif path in known:
            out[path] = known[path], rule
        else:
            out.update(_below(path, rule, schema, known, written))
    zone(mapping.zone)
    return out


def _below(
    path: str, rule: Rule, schema: Schema, known: Dict[str, Leaf], written: str
) -> Iterator[tuple[str, tuple[Leaf, Rule]]]:
    field = lookup(schema.root, path)
    if field is None or rule.source is None:
        raise _unknown(written, known)
    base = _bracketed(schema, path)
    own = _own(field)
    for leaf in leaves(field, path):
        if leaf.path not in known:
            continue
        tail = _bracketed(schema, leaf.path)[len(base) - len(own) :]
        source = rule.source + tail if not rule.source.endswith(own) or not own else rule.source + tail[len(own) :]
        yield leaf.path, (known[leaf.path], msgspec.structs.replace(rule, source=source))


def elements(schema: Schema, leaf: Leaf) -> str:
    """Return ``[]`` for each array around the values of a leaf that is itself an array."""
    field = lookup(schema.root, leaf.path)
    return _own(field) if field is not None else ""


def _own(field: Field) -> str:
    out = ""
    while field.items is not None:
        out += "[]" if field.type is FieldType.ARRAY else "{}"
        field = field.items
    return out


def _unknown(path: str, known: Dict[str, Leaf]) -> Invalid:
    return Invalid(
        "mapping.unknown-field",
        f"the schema has no field {path!r}.",
        hint=suggestion(path, known) or f"Its fields: {', '.join(list(known)[:12])}.",
        where={"field": path},
    )


def unknown_source(path: str, columns: Dict[str, Shape], file: str) -> Invalid:
    """Build the error for a source path that a file lacks."""
    parts = [part for name, shape in columns.items() for part, _ in shape.parts(name)]
    return Invalid(
        "mapping.unknown-source",
        f"{file} has no column {path!r}.",
        hint=suggestion(path, [*columns, *parts]) or f"It has {', '.join(parts[:12])}.",
        where={"file": file, "source": path},
    )
