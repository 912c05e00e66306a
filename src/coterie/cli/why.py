"""How an explanation looks on a terminal: the verdict, the rule as a tree with evidence, and what would turn it."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from coterie.cli import show

_JOINED = {"and": "all of these", "or": "at least one of these", "not": "not this"}
_SHOWN = 3
"""How many events of a condition are shown; the answer itself holds more."""


def explanation(out: Console, found: dict[str, Any]) -> None:
    """Show why a rule holds for a person, or does not."""
    holds = found["holds"]
    what = f"the audience {found['audience']}" if found["audience"] else "the people of this rule"
    verdict = ("is in ", "bold green") if holds else ("is not in ", "bold red")
    if holds and found["withheld"]:
        verdict = ("satisfies the rule, but is withheld from ", "bold yellow")
    out.print(
        Text.assemble((found["person"], "bold"), " ", verdict, what, (f"  at {show.instant(found['at'])}", "dim"))
    )
    zone = "" if found["zone"] == "UTC" else f" The calendar is that of {found['zone']}."
    out.print(Text(found["sentence"] + zone))
    out.print()
    tree = Tree(_label(found["root"]), guide_style="dim")
    _grow(tree, found["root"])
    out.print(tree)
    out.print()
    for held in found["withheld"]:
        _withheld(out, held, "Withheld" if holds else "Would be withheld")
    if not (holds and found["withheld"]):
        _needs(out, found["needs"], holds)
    if found["turn"] is not None:
        _turn(out, found["turn"])
    for line in (_stored_note(found), *found["notes"]):
        if line:
            out.print(Text(line, style="dim"))


def _withheld(out: Console, held: dict[str, Any], verdict: str) -> None:
    lines = [f"{value['name']}: {show.words(value['value'])}" for value in held["values"]]
    said = f" ({'; '.join(lines) or 'no choice is known'})"
    out.print(Text.assemble((f"{verdict}: ", "bold yellow"), _clean(held["words"]), (said, "dim")))


def _label(part: dict[str, Any]) -> Text:
    mark = ("✓ ", "green") if part["holds"] else ("✗ ", "red")
    return Text.assemble(mark, _JOINED.get(part["kind"]) or _clean(part["sentence"]))


def _grow(tree: Tree, part: dict[str, Any]) -> None:
    for line in _evidence(part["evidence"] or {}):
        tree.add(line)
    for below in part["parts"]:
        _grow(tree.add(_label(below)), below)


def _evidence(evidence: dict[str, Any]) -> list[Text]:
    lines = []
    for value in evidence.get("values", ()):
        source = f"  from {value['source']}" if value["source"] else ""
        source = f"  computed by {_clean(value['computed'])}" if value["computed"] else source
        lines.append(Text.assemble((f"{value['name']}: ", "dim"), show.words(value["value"]), (source, "dim")))
    if evidence.get("asked"):
        found = "nothing" if evidence["found"] is None else show.words(evidence["found"])
        lines.append(Text.assemble(("found ", "dim"), found, (f", asked for {evidence['asked']}", "dim")))
    if evidence.get("narrowed"):
        left = " → ".join(f"{step['left']:,} {_clean(step['sentence'])}" for step in evidence["narrowed"])
        lines.append(Text(f"events: {left}", style="dim"))
    shown = evidence.get("events", [])[:_SHOWN]
    lines += [_event(event) for event in shown]
    more = (evidence.get("total") or 0) - len(shown)
    if more > 0:
        lines.append(Text(f"and {more:,} older", style="dim"))
    for stage in evidence.get("stages", ()):
        mark = ("✓ ", "green") if stage["reached"] else ("✗ ", "red")
        steps = [Text.assemble(mark, _clean(stage["sentence"]))]
        lines.append(Text("\n  ").join([*steps, *map(_event, stage["events"])]))
    if evidence.get("stored"):
        lines.append(Text(_stored(evidence["stored"]), style="dim"))
    return lines


def _event(event: dict[str, Any]) -> Text:
    fields = ", ".join(f"{path} {show.words(value)}" for path, value in event["fields"].items())
    said = Text.assemble((show.instant(event["at"]), "cyan"), "  ", _clean(event["type"] or "event"))
    return said + Text.assemble((f"  {fields}" if fields else "", ""), (f"  {_clean(event['id'])}", "dim"))


def _stored(stored: dict[str, Any]) -> str:
    match stored["status"]:
        case "realized" | "existing":
            until = f", until {stored['until']}" if stored["until"] else ""
            return f"in {stored['audience']} since {stored['since'] or 'an unknown time'}{until}"
        case "exited":
            return (
                f"no longer in {stored['audience']}, which was last entered at {stored['since'] or 'an unknown time'}"
            )
        case _:
            return f"never in {stored['audience']}"


def _needs(out: Console, needs: list[str], holds: bool) -> None:
    if not needs:
        return
    ahead = "To be out" if holds else "To be in"
    if len(needs) == 1:
        out.print(Text.assemble((f"{ahead}: ", "bold"), _clean(needs[0])))
        return
    out.print(Text(f"{ahead}, all of:", style="bold"))
    for need in needs:
        out.print(Text(f"  - {_clean(need)}"))


def _turn(out: Console, turn: dict[str, Any]) -> None:
    way = "in from" if turn["holds"] else "out from"
    why = f", when {' and '.join(map(_clean, turn['why']))}" if turn["why"] else ""
    out.print(Text.assemble(("With no new data: ", "bold"), f"{way} {show.instant(turn['at'])}{why}"))


def _stored_note(found: dict[str, Any]) -> str:
    stored = found["stored"]
    member = found["holds"] and not found["withheld"]
    if stored is None or (stored["status"] in ("realized", "existing")) == member:
        return ""
    return f"The last evaluation says otherwise: {_stored(stored)}. `coterie audience evaluate` brings it up to date."


def _clean(text: str) -> str:
    return show.words(text)
