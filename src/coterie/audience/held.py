"""Why a person is withheld: the values by which the gate of an audience keeps them out, and since when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from coterie.audience.asking import Asking, at_path
from coterie.audience.explanation import Held, UsedValue
from coterie.audience.gate import Gate
from coterie.core.clock import format_date, parse_instant
from coterie.governance.consent import GENERAL, OPT_OUTS, SALES, Withholding


def held_by(gate: Gate, asking: Asking) -> tuple[Held, ...]:
    """Return the reasons for which a person is withheld; empty when none is."""
    return tuple(_held(barrier.reason, asking) for barrier in gate.barriers if asking.holds(barrier.expr))


def _held(reason: Withholding, asking: Asking) -> Held:
    values, dates = [], []
    for path in reason.fields:
        value = at_path(asking.record, path)
        if path == OPT_OUTS:
            value = [item for item in value or () if _refuses(item, GENERAL if reason.cause == "opt-out" else SALES)]
            dates += [item["timestamp"] for item in value if "timestamp" in item]
        elif value is not None:
            dates += _dates(asking.record, path)
        if value not in (None, []):
            values.append(UsedValue(path, path, value, asking.sources.get(path)))
    since = max(dates, default=None)
    when = f" of {format_date(parse_instant(since))}" if since else ""
    return Held(reason.cause, reason.words + when, tuple(values), since)


def _refuses(item: Mapping[str, Any], type_: str) -> bool:
    return item.get("optOutType") == type_ and item.get("optOutValue") == "out"


def _dates(record: Mapping[str, Any], path: str) -> Iterable[str]:
    """Return the date beside a choice, or that of all choices."""
    beside = path.removesuffix(".val") + ".time"
    found = at_path(record, beside) or at_path(record, "consents.metadata.time")
    return [found] if isinstance(found, str) else []
