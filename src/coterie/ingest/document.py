"""JSON documents: the type that the mapped paths ask for, and whether a document is of that type.

The engine's transformation of a document is lenient: what does not fit becomes NULL. So the types of all mapped
nodes are looked at beside it, and a row in which one is another than expected is a bad row.
"""

from __future__ import annotations

from collections.abc import Iterable

from coterie.ingest.convert import Fault
from coterie.ingest.shape import Shape, steps
from coterie.ingest.sql import literal
from coterie.store.history import quote

TEXT = Shape("json")


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
        child = _grown(fields.get(step[1:]), rest)
        return None if child is None else Shape("struct", fields | {step[1:]: child})
    if kind == "map" and rest == [".$key"]:
        return shape or Shape("map", item=TEXT)
    if kind == "map" and rest[:1] == [".$value"]:
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

    `types` is a list expression for the column ``"$types"``; `faults` speak of that column and of the text.
    """

    def __init__(self, columns: dict[str, Shape], text: str) -> None:
        self._plain: list[tuple[str, str, Shape]] = [("", "$", Shape("struct", columns))]
        self._inner: list[tuple[str, str, Shape]] = []
        for name, shape in columns.items():
            self._add(name, f"$.{_name(name)}", shape, False)
        self._text = text

    def _add(self, field: str, path: str, shape: Shape, inner: bool) -> None:
        (self._inner if inner else self._plain).append((field, path, shape))
        if shape.kind == "struct":
            for name, child in shape.fields.items():
                self._add(f"{field}.{name}", f"{path}.{_name(name)}", child, inner)
        elif shape.item is not None:
            mark, step = ("[]", "[*]") if shape.kind == "list" else ("{}", ".*")
            self._add(f"{field}{mark}", path + step, shape.item, True)

    @property
    def types(self) -> str:
        """SQL for the types of the nodes outside of lists."""
        paths = ", ".join(literal(path) for _, path, _ in self._plain)
        return f"TRY(json_type({self._text}, [{paths}]))"

    def faults(self) -> list[tuple[str, Fault]]:
        """Return field and fault of every node; the first one is the document itself."""
        out: list[tuple[str, Fault]] = []
        for position, (field, _, shape) in enumerate(self._plain, 1):
            node = f'"$types"[{position}]'
            condition = f"{node} NOT IN ({_accepted(shape)})" if shape.kind != "json" else _nested(node)
            if position == 1:
                condition = f'"$types" IS NULL OR coalesce({condition}, TRUE)'
                out.append((field, Fault(condition, "row.malformed", "expected a JSON object")))
            else:
                out.append((field, _fault(condition, shape)))
        for field, path, shape in self._inner:
            nodes = f"TRY(json_type({self._text}, {literal(path)}))"
            wrong = _nested("t") if shape.kind == "json" else f"t NOT IN ({_accepted(shape)})"
            out.append((field, _fault(f"len(list_filter({nodes}, lambda t: {wrong})) > 0", shape)))
        return out


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


def _nested(node: str) -> str:
    return f"{node} IN ('OBJECT', 'ARRAY')"


def _name(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
