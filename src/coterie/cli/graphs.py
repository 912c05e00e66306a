"""How identity graphs look on a terminal: a graph, why two identities are joined, what a decision changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.text import Text

from coterie.cli import show

_PEOPLE = 10
"""How many people are shown before and after a decision; the answer itself holds all."""
_REMOVED = 20
"""How many removed links of a graph are shown, the latest."""


def graph(out: Console, found: dict[str, Any]) -> None:
    """Show a graph whole."""
    names = [f"{item['namespace']}:{item['value']}" for item in found["identities"]]
    identities = [
        (name, show.day(out, item["first_at"]), show.day(out, item["last_at"]))
        for name, item in zip(names, found["identities"], strict=True)
    ]
    show.table(out, f"Identities of {found['person']}", identities, ["*identity", "first seen", "last seen"])
    links = [
        (
            names[item["a"]],
            names[item["b"]],
            [*item["datasets"], *(f"decision {number}" for number in item["decisions"])],
            item["records"],
            show.day(out, item["first_at"]),
            show.day(out, item["last_at"]),
        )
        for item in found["links"]
    ]
    columns = ["*identity", "*linked with", "*by", "records", "first", "last"]
    show.table(out, "Links", links, columns, empty="None: this identity stands alone.")
    if found["removed"]:
        removed = [
            (show.day(out, item["at"]), identity(item["a"]), identity(item["b"]), _why(item), _now(item))
            for item in found["removed"][-_REMOVED:]
        ]
        show.table(out, "Links removed", removed, ["when", "*identity", "*linked with", "*because", "now"])
        _more(out, len(found["removed"]) - len(removed), "older ones")
    if found["evicted"]:
        gone = [
            (show.instant(item["at"]), identity(item["identity"]), _cause(item))
            for item in found["evicted"][-_REMOVED:]
        ]
        show.table(out, "Evicted, because the graph was full", gone, ["when", "*identity", "*to make room for"])
    if found["decisions"]:
        decisions(out, found["decisions"])
    if found["history"]:
        rows = [
            (show.instant(item["at"]), item["person"], _KINDS[item["kind"]], item["into"], _by(item))
            for item in found["history"]
        ]
        show.table(out, "History of the person", rows, ["when", "*person", "was", "*person now", "by"])


_KINDS = {"merged": "merged into", "split": "split into", "renamed": "renamed to"}


def joining(out: Console, found: dict[str, Any]) -> None:
    """Say in sentences why two identities are one person, or are not."""
    a, b = identity(found["a"]), identity(found["b"])
    if found["joined"]:
        out.print(Text.assemble((a, "bold"), " and ", (b, "bold"), " are ", ("one person", "bold green"), "."))
        if a == b or not found["chain"]:
            out.print("They are the same identity." if a == b else "")
    else:
        out.print(Text.assemble((a, "bold"), " and ", (b, "bold"), " are ", ("two people", "bold red"), "."))
    for sentence in _unlinked(found):
        out.print(Text(sentence))
    if not found["chain"] and a != b:
        out.print(f"No record shows {a} and {b} together, and none connects them by others.")
    if found["chain"] and not found["joined"]:
        broken = sum(not step["in_force"] for step in found["chain"])
        if broken:
            out.print(
                f"Records connect them, but {'a link is' if broken == 1 else f'{broken} links are'} not in force:"
            )
        else:
            out.print(f"Records connect them, but the merge policy {found['view']} does not follow the identity graph:")
    never = [item["identities"][0] for item in found["decisions"] if item["kind"] == "never"]
    for step in found["chain"]:
        unlinked = any(end in never or end[0] in found["blocked"] for end in (step["a"], step["b"]))
        _step(out, step, unlinked=unlinked)
    for item in found["evicted"]:
        out.print(
            f"{identity(item['identity'])} left its graph at {show.instant(item['at'])}, because that was full and "
            f"{_cause(item)} needed room."
        )
    for item in found["history"]:
        how = "one became part of the other" if item["kind"] == "merged" else "they were parted"
        out.print(f"At {show.instant(item['at'])} {how}, by {_by(item)}.")


def _unlinked(found: dict[str, Any]) -> Iterable[str]:
    for code in found["blocked"]:
        yield f"Identities of {code} are never linked: such is its type, or the identity settings say so."
    for item in found["decisions"]:
        names = " and ".join(map(identity, item["identities"]))
        reason = f" ({item['reason']})" if item["reason"] else ""
        when = f"Since {show.instant(item['recorded_at'])}, by decision {item['decision']}{reason}"
        if item["kind"] == "never":
            yield f"{when}, {names} takes no part in linking."
        elif item["kind"] == "split":
            yield f"{when}, {names} are kept apart."


def _step(out: Console, step: dict[str, Any], *, unlinked: bool) -> None:
    """Show a link of the chain; `unlinked` says that one of its ends is never linked."""
    in_force = step["in_force"]
    mark = ("✓ ", "green") if in_force else ("✗ ", "red")
    out.print(Text.assemble(mark, identity(step["a"]), "  —  ", identity(step["b"])))
    if step["records"]:
        times = (
            f"{step['records']:,} records of {show.words(step['datasets'])} show"
            if step["records"] > 1
            else (f"A record of {show.words(step['datasets'])} shows")
        )
        out.print(Text(f"    {times} the two together."))
        if step["records"] > 1:
            out.print(Text(f"    first  {sighting(step['first'])}", style="dim"))
            out.print(Text(f"    last   {sighting(step['last'])}", style="dim"))
        else:
            out.print(Text(f"    {sighting(step['first'])}", style="dim"))
    for item in step["decisions"]:
        reason = f": {item['reason']}" if item["reason"] else ""
        sure = f", match weight {item['weight']:.2f}" if item["weight"] is not None else ""
        out.print(
            Text(
                f"    Decision {item['decision']} of {show.instant(item['recorded_at'])} joins them"
                f" (by {item['source']}{sure}){reason}"
            )
        )
    removed = step["removed"]
    if removed is not None:
        out.print(Text(f"    The link was removed at {show.instant(removed['at'])}, because {_why(removed)}."))
    elif not in_force:
        why = (
            "one of the two is never linked"
            if unlinked
            else "what shows the two together holds two values of a unique namespace, and links nobody"
        )
        out.print(Text(f"    The link was never made, because {why}."))


def simulation(out: Console, text: str, found: dict[str, Any]) -> None:
    """Show what graphs events would give: links kept (solid), and removed (dotted)."""
    events = [line for line in text.splitlines() if line.strip()]
    rows = [(number, event.strip()) for number, event in enumerate(events, 1)]
    show.table(out, "Events", rows, ["event", "*identities"])
    if found["ignored"]:
        out.print(f"Events that link nothing: {', '.join(map(str, found['ignored']))}.")
    links = [(identity(item["a"]), "━━━━━", identity(item["b"]), item["event"]) for item in found["kept"]]
    show.table(out, "Links kept", links, ["*identity", "", "*linked with", "last made by"], empty="None.")
    if found["removed"]:
        away = [
            (
                identity(item["a"]),
                "┄┄┄┄┄",
                identity(item["b"]),
                item["event"],
                item["removed_by"],
                f"{item['because']} is unique" if item["because"] else "the graph was full",
                _now(item),
            )
            for item in found["removed"]
        ]
        columns = ["*identity", "", "*linked with", "made by", "removed by", "*because", "now"]
        show.table(out, "Links removed", away, columns)
    for item in found["evicted"]:
        out.print(f"{identity(item['identity'])} had to leave its graph at event {item['event']}: it was full.")
    graphs = [(number, list(map(identity, members))) for number, members in enumerate(found["graphs"], 1)]
    show.table(out, "Graphs", graphs, ["graph", "*identities"], empty="None: nothing is linked.")


def decided(out: Console, found: dict[str, Any]) -> None:
    """Say what a decision, or its withdrawal, changed."""
    decision = found["decision"]
    names = " and ".join(map(identity, decision["identities"]))
    what = {"merge": "are one person", "split": "are kept apart", "never": "takes no part in linking"}[decision["kind"]]
    undone = decision["withdrawn_at"] is not None
    out.print(
        Text.assemble(
            (f"Decision {decision['decision']}", "bold"), " undone. It said: " if undone else ": ", f"{names} {what}."
        )
    )
    if not found["before"] and not found["after"]:
        out.print("No graph changes.")
    else:
        _people(out, "Before", found["before"])
        _people(out, "After", found["after"])
        counts = [(found["merged"], "merged"), (found["split"], "split")]
        said = " and ".join(f"{_count(n)} {word}" for n, word in counts if n)
        out.print(f"{said}." if said else "No person was merged or split.")
    if not undone:
        out.print(f"Take it back: coterie identity undo {decision['decision']}", style="dim")


def _count(n: int) -> str:
    return "1 person was" if n == 1 else f"{n:,} people were"


def _people(out: Console, title: str, people: list[dict[str, Any]]) -> None:
    rows = [(item["person"], [identity(pair) for pair in item["identities"]]) for item in people[:_PEOPLE]]
    show.table(out, title, rows, ["person", "*identities"], empty="Nobody.")
    _more(out, len(people) - len(rows), "others")


def suggestions(out: Console, found: dict[str, Any], limit: int) -> None:
    """Show scored pairs, what accepting them would do, and what became of those accepted."""
    given, accepted = found["suggestions"], found["accepted"]
    blocks = "; ".join(" and ".join(block) for block in given["blocks"])
    out.print(f"{given['compared']:,} pairs of {given['people']:,} people compared: those who agree in {blocks}.")
    if given["forbidden"]:
        out.print(f"{given['forbidden']:,} probable pairs left out: identity settings or decisions forbid their merge.")
    thresholds = [
        (f"{float(item['probability']):.2f}", item["pairs"], item["merging"], item["people"])
        for item in given["thresholds"]
    ]
    show.table(
        out, "If accepted", thresholds, ["from probability", "pairs", "people who would merge", "people there would be"]
    )
    rows = [
        (
            item["pair"],
            f"{float(item['probability']):.4f}",
            f"{float(item['weight']):.2f}",
            identity(item["a"]),
            identity(item["b"]),
            "\n".join(map(_agreement, item["agreements"])),
        )
        for item in given["pairs"][:limit]
    ]
    columns = ["pair", "probability", "weight", "*identity", "*perhaps the same as", "*because"]
    show.table(out, "Suggestions", rows, columns, empty="None from this probability on.")
    _more(out, len(given["pairs"]) - len(rows), "pairs")
    if accepted is not None:
        _accepted(out, accepted["made"])
        for item in accepted["refused"]:
            out.print(Text(f"{item['pair']}  {item['message']}", style="yellow"))


def _accepted(out: Console, made: list[dict[str, Any]]) -> None:
    numbers = [item["decision"] for item in made]
    out.print(f"{len(made):,} merged.")
    if made:
        which = str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}-{numbers[-1]}"
        out.print(Text(f"To take them back: coterie identity undo {which}", style="dim"))


def undone(out: Console, done: dict[str, Any]) -> None:
    """Tell what taking several decisions back has changed."""
    out.print(f"{len(done['decisions']):,} decisions undone. {_count(done['split'])} split.")


def _agreement(item: dict[str, Any]) -> str:
    same = item["left"] == item["right"]
    said = show.words(item["left"]) if same else f"{show.words(item['left'])} / {show.words(item['right'])}"
    return f"{float(item['weight']):+.1f}  {item['field']}: {said}"


def decisions(out: Console, found: list[dict[str, Any]]) -> None:
    """List decisions."""
    rows = [
        (
            item["decision"],
            item["kind"],
            [identity(pair) for pair in item["identities"]],
            item["source"] if item["weight"] is None else f"{item['source']} {item['weight']:.2f}",
            show.instant(item["recorded_at"]),
            show.instant(item["withdrawn_at"]),
            item["reason"],
        )
        for item in found
    ]
    show.table(out, "Decisions", rows, ["number", "kind", "*identities", "by", "when", "undone", "*reason"])


def sighting(found: dict[str, Any] | None) -> str:
    """Return when and where a record is, in words."""
    return "a record that is there no more" if found is None else f"{show.instant(found['at'])}  {_record(found)}"


def _record(found: dict[str, Any] | None) -> str:
    if found is None:
        return "a record that is there no more"
    what = f"{found['event_type'] or 'event'} {found['id']}" if found["id"] else "a record"
    return show.words(f"{what} of {found['dataset']} (batch {found['batch']}, row {found['row']:,})")


def identity(pair: list[str]) -> str:
    """Return an identity as it is written."""
    return show.words(":".join(pair))


def _why(removed: dict[str, Any]) -> str:
    match removed["kind"]:
        case "rule":
            code = removed["namespace"]
            brought = [pair for pair in (removed["cause"] or {}).get("identities", ()) if pair[0] == code]
            value = f" brought {identity(brought[0])}" if brought else " came later"
            return f"{code} is unique in a graph, and {_cause(removed)}{value}"
        case "split":
            return f"a decision keeps two identities apart that {_cause(removed)} brought together"
        case "evicted":
            return f"the graph was full, and {_cause(removed)} needed room"
        case kind:
            return str(kind)


def _cause(item: dict[str, Any]) -> str:
    if item["decision"] is not None:
        return f"decision {item['decision']}"
    return _record(item["cause"])


def _now(removed: dict[str, Any]) -> str:
    return "back" if removed["back"] else "away"


def _by(item: dict[str, Any]) -> str:
    if item["decision"] is not None:
        return f"decision {item['decision']}"
    return f"batch {item['batch']}" if item["batch"] else "identity settings"


def _more(out: Console, more: int, what: str) -> None:
    if more > 0:
        out.print(Text(f"… and {more:,} {what}", style="dim"))
