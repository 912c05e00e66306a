"""JSON documents: the type that the mapped paths ask for, and whether a document is of that type.

The engine's transformation of a document is lenient: what does not fit becomes NULL. So the types of all mapped
nodes are looked at beside it, and a row in which one is another than expected is a bad row.
"""

from __future__ import annotations

from collections.abc import Iterable

from coterie.core.schema import KEY, VALUE
from coterie.ingest.convert import Fault
from coterie.ingest.shape import Reach, Shape, reach, steps
from coterie.ingest.sql import literal, literals
from coterie.store.history import quote

TEXT = Shape("json")
TYPES = '"$types"'
_CONTAINERS = "('OBJECT', 'ARRAY')"


def shape_of(paths: Iterable[str]) -> dict[str, Shape] | str:
    """Return the columns that the source paths ask for, or the path that contradicts another one."""
    root = Shape("struct")
    for path in paths:
        grown = _grown(root, steps(f".{path}"))
        if grown is None:
            return path
        root = grown
    return root.fields


def _grown(shape: Shape | None, path: list[str]) -> Shape | None:
    if not path:
        return TEXT if shape is None or shape.kind == "json" else None
    step, rest = path[0], path[1:]
    kind = {"[]": "list", "{}": "map"}.get(step, "struct")
    if shape is not None and shape.kind != kind:
        return None
    if kind == "struct":
        fields = dict(shape.fields) if shape else {}
        if step[1:] not in fields and step[1:].casefold() in map(str.casefold, fields):
            return None  # the engine's structs do not tell them apart
        child = _grown(fields.get(step[1:]), rest)
        return None if child is None else Shape("struct", fields | {step[1:]: child})
    if kind == "map" and rest == [f".{KEY}"]:
        return shape or Shape("map", item=TEXT)
    if kind == "map" and rest[:1] == [f".{VALUE}"]:
        rest = rest[1:]
    before = shape.item if shape else None
    # a map known by its keys only has no values yet
    item = _grown(None if before == TEXT and rest else before, rest)
    return None if item is None else Shape(kind, item=item)


def type_sql(shape: Shape) -> str:
    """Return the engine's type for a shape."""
    match shape.kind:
        case "struct":
            return f"STRUCT({', '.join(f'{quote(name)} {type_sql(child)}' for name, child in shape.fields.items())})"
        case "list":
            assert shape.item is not None
            return f"{type_sql(shape.item)}[]"
        case "map":
            assert shape.item is not None
            return f"MAP(VARCHAR, {type_sql(shape.item)})"
        case _:
            return "VARCHAR"


class Nodes:
    """The mapped nodes of a document, and SQL for what is wrong with their types.

    Parameters
    ----------
    columns : dict
        The columns that `shape_of` gives.
    text, made : str
        SQL of the document's text and of the struct made from it.
    """

    def __init__(self, columns: dict[str, Shape], text: str, made: str) -> None:
        self._outer: list[tuple[str, str, Shape]] = [("", "$", Shape("struct", columns))]
        self._inner: list[tuple[str, str, Shape]] = []
        self._values: list[tuple[str, str, Reach]] = []
        self._columns, self._text, self._made = columns, text, made
        for name, shape in columns.items():
            self._add(name, f"$.{_name(name)}", shape, False)

    def _add(self, field: str, path: str, shape: Shape, inner: bool) -> None:
        if shape.kind == "json":
            value = field if not field.endswith("{}") else f"{field}.{VALUE}"
            found = reach(value, self._columns, lambda name: f"{self._made}.{quote(name)}")
            assert found is not None
            self._values.append((field, path, found))
            return
        (self._inner if inner else self._outer).append((field, path, shape))
        if shape.kind == "struct":
            for name, child in shape.fields.items():
                self._add(f"{field}.{name}", f"{path}.{_name(name)}", child, inner)
        else:
            assert shape.item is not None
            mark, step = ("[]", "[*]") if shape.kind == "list" else ("{}", ".*")
            self._add(f"{field}{mark}", path + step, shape.item, True)

    @property
    def types(self) -> str:
        """SQL for the types of the objects and arrays outside of lists."""
        return f"TRY(json_type({self._text}, [{literals(path for _, path, _ in self._outer)}]))"

    @property
    def malformed(self) -> str:
        """SQL that says that the text is no JSON object."""
        return f"{TYPES} IS NULL OR {TYPES}[1] IS DISTINCT FROM 'OBJECT'"

    def faults(self) -> list[tuple[str, Fault]]:
        """Return field and fault of every node below the document itself."""
        out: list[tuple[str, Fault]] = []
        for position, (field, _, shape) in enumerate(self._outer[1:], 2):
            out.append((field, _fault(f"{TYPES}[{position}] NOT IN ({_accepted(shape)})", shape)))
        for field, path, shape in self._inner:
            nodes = f"TRY(json_type({self._text}, {literal(path)}))"
            wrong = f"len(list_filter({nodes}, lambda t: t NOT IN ({_accepted(shape)}))) > 0"
            out.append((field, _fault(wrong, shape)))
        for field, path, found in self._values:
            out.append((field, _fault(self._nested(path, found), found.shape)))
        return out

    def _nested(self, path: str, found: Reach) -> str:
        """SQL that says that an object or array stands where a single value was expected.

        Its text is that of the JSON, so only values that begin like JSON are looked up in the document.
        """
        types = f"TRY(json_type({self._text}, {literal(path)}))"
        if found.depth == 0:
            return f"CASE WHEN {_like_json(found.sql)} THEN {types} IN {_CONTAINERS} END"
        values = found.sql
        for _ in range(found.depth - 1):
            values = f"flatten({values})"
        some = f"len(list_filter({values}, lambda v: {_like_json('v')})) > 0"
        return f"CASE WHEN {some} THEN len(list_filter({types}, lambda t: t IN {_CONTAINERS})) > 0 END"


def _fault(condition: str, shape: Shape) -> Fault:
    what, code = _WORDS[shape.kind]
    return Fault(condition, code, f"expected {what}")


_WORDS = {
    "struct": ("an object", "value.type.object"),
    "map": ("an object", "value.type.object"),
    "list": ("an array", "value.type.array"),
    "json": ("a single value", "value.type.scalar"),
}


def _accepted(shape: Shape) -> str:
    return "'ARRAY', 'NULL'" if shape.kind == "list" else "'OBJECT', 'NULL'"


def _like_json(value: str) -> str:
    return f"(starts_with({value}, '{{') OR starts_with({value}, '['))"


def json_path(path: str) -> str:
    """Return the JSON path of a source path.

    Examples
    --------
    >>> json_path("cart.lines[].sku")
    '$."cart"."lines"[*]."sku"'
    """
    marks = {"[]": "[*]", "{}": ".*"}
    return "$" + "".join(marks.get(step) or f".{_name(step[1:])}" for step in steps(f".{path}"))


def _name(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
