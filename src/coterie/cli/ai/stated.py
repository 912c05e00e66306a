"""Models as a person states them: in a file, or by a few options."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import yaml
from msgspec.structs import replace

from coterie.cli.files import parsed, read_text
from coterie.core.errors import Invalid, suggestion
from coterie.core.faults import fault
from coterie.prediction.definition import Goal, GoalEvent, Model, Test
from coterie.prediction.goal import from_pql, words

if TYPE_CHECKING:
    from coterie.core.schema import Union
    from coterie.workspace import Workspace

_SPAN = re.compile(r"([0-9]{1,6})\s*(d|days?|w|weeks?|)", re.IGNORECASE)
_FILES = (".yaml", ".yml", ".json")


def is_file(text: str) -> bool:
    """Tell whether an argument names a file with a model, rather than the model itself."""
    return text == "-" or Path(text).suffix.lower() in _FILES


def days(text: str | None, option: str, most: int = 3650) -> int | None:
    """Return a span written as `30d`, `30 days`, `4w` or `30` in days; raises ``model.days``, also above `most`."""
    if text is None:
        return None
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise Invalid(
            "model.days",
            f"{option} {text!r} is no number of days.",
            hint=f"Write it like {option} 30d, or {option} 4w for weeks.",
        )
    span = int(found[1]) * (7 if found[2].lower().startswith("w") else 1)
    if span > most:
        raise Invalid("model.days", f"{option} {text!r} is too long.", hint=f"Give {most:,} days or fewer.")
    return span


def read_model(path: Path) -> dict[str, Any]:
    """Return the model that a file states, checked for its form; a fault is told with its line."""
    text = read_text(path)
    spec = parsed(text, path)
    if not isinstance(spec, dict):
        raise Invalid(
            "model.spec", f"{path} holds no model.", hint="A model has a key, a name and a goal.", where=_place(path)
        )
    for name in spec:
        if name not in Model.__struct_fields__:
            raise Invalid(
                "model.spec",
                f"{name!r} is no part of a model.",
                hint=suggestion(str(name), Model.__struct_fields__)
                or f"Its parts are {', '.join(Model.__struct_fields__)}.",
                where=_place(path, line_of(text, (name,))),
            )
    if "key" not in spec and path.stem.isidentifier():
        spec["key"] = path.stem
    spec.setdefault("name", str(spec.get("key", "")))
    try:
        msgspec.convert(spec, Model)
    except msgspec.ValidationError as error:
        found = fault(error, spec, Model)
        place = _place(path, line_of(text, found.path))
        raise Invalid("model.spec", f"{found.message}.", hint=found.hint, where=place) from error
    return spec


def _place(path: Path, line: int | None = None) -> dict[str, Any]:
    return {"file": str(path)} | ({"line": line} if line else {})


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """Return the line of the part of a YAML or JSON text at a path, or of the nearest part around it that is there."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = None
    for step in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(step)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line


@dataclass(frozen=True)
class Asked:
    """What the options of `coterie ai create` say.

    Parameters
    ----------
    key : str
        What programs call the model.
    goals : sequence of str
        Types of events, or conditions on events in PQL.
    rule, from_audience : str or None
        Or else the goal as a rule over the last days, or that of the members of an audience.
    within, lookback, gap : str or None
        Spans, such as `30d`; a look-back of `all` asks for everybody.
    not_, any_ : bool
        Whether nothing of it is to occur; whether one of the goals is enough.
    where, audience : str or None
        Who is scored: a rule, or an audience.
    """

    key: str
    goals: Sequence[str]
    rule: str | None
    from_audience: str | None
    within: str | None
    lookback: str | None
    gap: str | None
    not_: bool
    any_: bool
    where: str | None
    audience: str | None


def model(ws: Workspace, asked: Asked, name: str | None) -> dict[str, Any]:
    """Return the model that the options ask for: its key, name, goal and people; raises ``model.goal``."""
    found = _goal(ws, asked)
    said = words(found)
    return {
        "key": asked.key,
        "name": name or said[:1].upper() + said[1:],
        "goal": msgspec.to_builtins(found),
        "population": _population(asked),
    }


def _goal(ws: Workspace, asked: Asked) -> Goal:
    if [bool(asked.goals), asked.rule is not None, asked.from_audience is not None].count(True) != 1:
        raise Invalid(
            "model.goal",
            "expected one goal: --goal (once or more), or --rule, or --from-audience.",
            hint="For example --goal commerce.purchases --within 30d; or give a file that states the whole model.",
        )
    window, gap = days(asked.within, "--within", 365), days(asked.gap, "--gap", 365) or 0
    union = ws.definitions.union()
    if not asked.goals:
        rule = asked.rule if asked.rule is not None else ws.audiences.get(str(asked.from_audience)).pql
        found = from_pql(rule, union)
        polarity = {"will_occur": "will_not_occur", "will_not_occur": "will_occur"}[found.polarity]
        return replace(
            found,
            window_days=window or found.window_days,
            gap_days=gap,
            polarity=polarity if asked.not_ else found.polarity,
            combiner="any_of" if asked.any_ else found.combiner,
        )
    if window is None:
        raise Invalid(
            "model.goal",
            "a goal needs its window: within how many days it is to occur, or not to occur.",
            hint="Add --within 30d.",
        )
    events = [event for text in asked.goals for event in _events(text, union)]
    return Goal(
        events=tuple(events),
        window_days=window,
        polarity="will_not_occur" if asked.not_ else "will_occur",
        combiner="any_of" if asked.any_ else "all_of",
        gap_days=gap,
    )


def _events(text: str, union: Union) -> tuple[GoalEvent, ...]:
    """Return the events that a goal names: by their type, or by a condition in PQL."""
    from coterie.prediction.why.wording import event_words  # it imports numpy

    if re.fullmatch(r"[\w.\-/:]+", text):
        return (GoalEvent(event_words(text), (Test("eventType", "eq", text),)),)
    return from_pql(f"xEvent[({text}) and timestamp occurs <= 1 day before now]", union).events


def _population(asked: Asked) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if asked.where is not None:
        found["where"] = asked.where
    if asked.audience is not None:
        found["audience"] = asked.audience
    if asked.lookback is not None:
        found["lookback_days"] = None if asked.lookback == "all" else days(asked.lookback, "--lookback")
    return found
