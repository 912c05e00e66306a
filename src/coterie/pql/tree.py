"""Walking the tree, whatever the kinds of its nodes; without recursion, so that depth does not matter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coterie.pql.ast import Node

_FIELDS: dict[type[Node], tuple[str, ...]] = {}


def children(node: Node) -> Iterator[Node]:
    """Yield the nodes directly below `node`, in the order of the text."""
    kind = type(node)
    if kind not in _FIELDS:
        _FIELDS[kind] = tuple(name for name in kind.__dataclass_fields__ if name != "span")
    for name in _FIELDS[kind]:
        yield from _nodes(getattr(node, name))


def _nodes(value: Any) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes(item)


def walk(node: Node) -> Iterator[Node]:
    """Yield `node` and all nodes below it, each before those below it, in the order of the text."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(reversed(tuple(children(current))))


def deeper_than(node: Node, limit: int) -> Node | None:
    """Return the first node met that lies more than `limit` levels deep, or None."""
    pending = [(node, 1)]
    while pending:
        current, depth = pending.pop()
        if depth > limit:
            return current
        pending.extend((child, depth + 1) for child in children(current))
    return None
