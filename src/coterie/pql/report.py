"""Problems as they are found: placed in the text, each once."""

from __future__ import annotations

from coterie.pql.ast import Node, Span
from coterie.pql.printer import to_text
from coterie.pql.problems import Problem, Severity, problem

MOST = 500
FEW = 50


class Report:
    """The problems of one query text, up to `MOST`; what may have been meant is looked for while they are few."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._problems: dict[tuple[str, int, int, str], Problem] = {}

    @property
    def problems(self) -> list[Problem]:
        """The problems, in the order of the text."""
        return sorted(self._problems.values(), key=lambda found: (found.start, found.end))

    @property
    def few(self) -> bool:
        """Whether so few problems were found that it is worth looking for what was meant."""
        return len(self._problems) < FEW

    def spelled(self, node: Node) -> str:
        """Return a node as it is spelled in the query, shortened if it is long."""
        text = self.text[node.span.start : node.span.end] or to_text(node)  # type: ignore[arg-type]
        text = " ".join(text.split()) if "\n" in text else text
        return text if len(text) <= 80 else f"{text[:79]}…"

    def name_of(self, name: str, span: Span, after: int) -> Span:
        """Return where `name` stands within `span`, after the offset at which what precedes it ends."""
        start = self.text.find(name, after, span.end)
        return Span(start, start + len(name)) if start >= 0 else span

    def add(
        self,
        code: str,
        where: Node | Span,
        message: str,
        *,
        hint: str | None = None,
        suggestion: str | None = None,
        severity: Severity = "error",
    ) -> None:
        """Add a problem, unless it is there already."""
        if len(self._problems) >= MOST:
            return
        span = where if isinstance(where, Span) else where.span
        self._problems.setdefault(
            (code, span.start, span.end, message),
            problem(
                code, message, self.text, span.start, span.end, severity=severity, hint=hint, suggestion=suggestion
            ),
        )
