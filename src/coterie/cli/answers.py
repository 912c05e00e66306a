"""How answers about rules look on a terminal: funnels, overlaps, analyses, differences."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from coterie.cli import show
from coterie.core.shares import percent

_PAIRS = 20
"""Rows of a table of pairs."""
_FEW = 5
"""Pairs without people in common that are named."""

Rows = list[tuple[Any, ...]]


def counted(out: Console, found: dict[str, Any]) -> None:
    """Show an exact count with its funnel."""
    out.print(
        Text.assemble(
            (f"{found['count']:,}", "bold"),
            f" of {found['people']:,} people ({percent(found['share'])})",
            (f"  counted in {found['seconds']:.2f} s", "dim"),
        )
    )
    if found["withheld"]["people"]:
        out.print(Text(matching(found["members"], found["withheld"]), style="bold"))
    if found["branches"]:
        _branches(out, found["branches"])
    else:
        _steps(out, found["steps"], found["people"])
    if found["memberships"]:
        read = ", ".join(f"{name} ({members:,})" for name, members in found["memberships"].items())
        out.print(Text(f"Members by the last evaluation: {read}", style="dim"))


def matching(members: int, withheld: dict[str, Any]) -> str:
    """Return in words how many satisfy a rule, and how many of them are withheld and why."""
    left = "1 member" if members == 1 else f"{members:,} members"
    if not withheld["people"]:
        return left
    why = [
        f"{withheld[key]:,} {words}"
        for key, words in (("opted_out", "by a general opt-out"), ("no_consent", "without consent"))
        if withheld[key]
    ]
    match = members + withheld["people"]
    return f"{match:,} match, {withheld['people']:,} withheld ({', '.join(why)}), {left}"


def _steps(out: Console, steps: list[dict[str, Any]], people: int) -> None:
    wide = out.width >= show.WIDE
    bars = 16 if wide else 8
    rows: Rows = [
        ("everyone", None, people, None, percent(1 if people else 0), show.bar(1 if people else 0, bars), None)
    ]
    for step in steps:
        rows.append(
            (
                step["text"],
                step["alone"],
                step["left"],
                percent(step["of_previous"]),
                percent(step["of_all"]),
                show.bar(step["of_all"], bars),
                step["withheld"],
            )
        )
    columns = ["*condition", "alone", "left", "of before", "of all", "", "withheld"]
    _table(out, "Funnel", rows, columns, hidden=() if wide else ("withheld",))
    if len(steps) > 1:
        meaning = "satisfy this condition, whatever the others; left: this one and all before it"
        _legend(out, "alone", f"{meaning}; withheld: all but this one" if wide else meaning)
        most = max(steps, key=lambda step: step["withheld"])
        if most["withheld"]:
            more = "1 more person" if most["withheld"] == 1 else f"{most['withheld']:,} more people"
            out.print(Text(f"{more} would be in without: {most['text']}"))


def _branches(out: Console, branches: list[dict[str, Any]]) -> None:
    wide = out.width >= show.WIDE
    bars = 16 if wide else 8
    rows = [
        (
            branch["text"],
            branch["alone"],
            branch["adds"],
            branch["together"],
            percent(branch["of_all"]),
            show.bar(branch["of_all"], bars),
            branch["only"],
        )
        for branch in branches
    ]
    columns = ["*alternative", "alone", "adds", "together", "of all", "", "only"]
    _table(out, "Alternatives", rows, columns, hidden=() if wide else ("only",))
    _legend(out, "adds", "people whom none of the alternatives before has; only: whom no other one has")


def _table(out: Console, title: str, rows: Rows, columns: list[str], hidden: tuple[str, ...] = ()) -> None:
    kept = [place for place, name in enumerate(columns) if name not in hidden]
    shown = [tuple(row[place] for place in kept) for row in rows]
    show.table(out, title, shown, [columns[place] for place in kept], empty="None.")


def _legend(out: Console, column: str, meaning: str) -> None:
    out.print(Text(f"{column}: {meaning}", style="dim"))


def overlap(out: Console, found: dict[str, Any]) -> None:
    """Show the pairs of audiences, and what is remarkable about them."""
    sizes = {item["audience"]: item["members"] for item in found["audiences"]}
    when = "As of the last evaluation of each." if found["stored"] else f"Evaluated at {show.instant(found['at'])}."
    _table(out, "Members", list(sizes.items()), ["*audience", "members"])
    out.print(Text(when, style="dim"))
    wide = out.width >= show.WIDE
    common = sorted((pair for pair in found["pairs"] if pair["both"]), key=lambda pair: -pair["jaccard"])
    apart = [pair for pair in found["pairs"] if not pair["both"]]
    rows = [
        (
            pair["a"],
            pair["b"],
            pair["both"],
            percent(pair["of_a"]),
            percent(pair["of_b"]),
            percent(pair["jaccard"]),
            show.bar(pair["jaccard"], 16 if wide else 8),
        )
        for pair in common[:_PAIRS]
    ]
    columns = ["*A", "*B", "in both", "of A", "of B", "of either", ""]
    _table(out, "Pairs with people in common, the most alike first", rows, columns, hidden=() if wide else ("",))
    if len(common) > _PAIRS:
        out.print(Text(f"and {len(common) - _PAIRS:,} more pairs: --json shows all", style="dim"))
    if apart:
        few = ": " + ", ".join(f"{pair['a']} and {pair['b']}" for pair in apart) if len(apart) <= _FEW else ""
        out.print(Text(f"No one in common: {len(apart):,} of {len(found['pairs']):,} pairs{few}."))
    for pair in common:
        if pair["finding"]:
            out.print(Text(f"{pair['finding']}.", style="bold"))


def analysed(out: Console, found: dict[str, Any]) -> None:
    """Show what a rule reads, how it can be evaluated, and what that costs."""
    out.print(Text(found["sentence"], style="bold"))
    facts = {
        "profile fields": found["profile_fields"],
        "event fields": found["event_fields"],
        "audiences": found["audiences"],
        "look-back": found["look_back_words"],
        "changes with time": found["relative"],
        "asks for absence of events": found["negated_events"],
        "time zone": found["zone"],
        "elements of sequences": found["chain_elements"],
        "aggregates": found["aggregates"],
        "arrays inside one another": found["depth"],
    }
    show.facts(out, "What the rule reads", facts)
    rows: Rows = [
        (item["text"], item["shape"], _age(item["look_back"]), item["relative"]) for item in found["conditions"]
    ]
    show.table(out, "Conditions", rows, ["*condition", "kind", "look-back", "now"], empty="None: it is constant.")
    _methods(out, "Methods", found["methods"])
    _methods(out, "By the published rules of Adobe Experience Platform", found["adobe"])
    for warning in found["warnings"]:
        out.print(Text.assemble(("warning  ", "yellow"), f"{warning}."))
    _cost(out, found["cost"])


def _age(look_back: int | None) -> str:
    from coterie.audience.analysis import duration

    return "-" if look_back == 0 else duration(look_back)


def _methods(out: Console, title: str, methods: list[dict[str, Any]]) -> None:
    rows: Rows = []
    before: dict[str, Any] | None = None
    for method in methods:
        able = "yes" if method["able"] else "no"
        reasons = method["reasons"]
        if before and before["reasons"] and reasons[: len(before["reasons"])] == before["reasons"]:
            reasons = [f"as for {before['name']}", *reasons[len(before["reasons"]) :]]
        before = method
        notes = [*reasons, *(f"takes {what}" for what in method["takes"])]
        if not method["offered"]:
            able = f"{able}, later"
            notes.append("this version evaluates in batch only")
        rows.append((method["name"], able, "; ".join(notes)))
    show.table(out, title, rows, ["method", "can", "*because"])


def _cost(out: Console, cost: dict[str, Any]) -> None:
    reads = []
    if cost["events"]:
        reads.append(f"{cost['events']:,} events x {cost['event_columns']} fields")
    if cost["people"]:
        reads.append(f"{cost['people']:,} profiles x {cost['profile_columns']} fields")
    known = f", of which {cost['known']} are known already" if cost["known"] else ""
    facts = {
        "conditions": f"{cost['conditions']}{known}",
        "reads": reads,
        "estimate": "none yet" if cost["seconds"] is None else f"{cost['seconds']:.3f} s",
        "because" if cost["seconds"] is None else "that is": cost["basis"],
    }
    show.facts(out, "Cost", facts)


def difference(out: Console, found: dict[str, Any]) -> None:
    """Show who would enter and leave, and which conditions make it so."""
    old, new = found["old"], found["new"]
    what = f"Audience {found['audience']}" if found["audience"] else "The rule"
    out.print(
        Text.assemble(
            (f"{what}: {old['members']:,} people, {new['members']:,} by the new rule", "bold"),
            (f"  compared in {found['seconds']:.2f} s", "dim"),
        )
    )
    most = max(found["staying"], found["entering"], found["leaving"], 1)
    rows = [
        (name, found[key], show.bar(found[key] / most))
        for name, key in (("stay", "staying"), ("enter", "entering"), ("leave", "leaving"))
    ]
    show.table(out, "People", rows, ["who", "people", ""])
    rows = [
        (item["change"], item["text"] if item["zone"] == "UTC" else f"{item['text']} ({item['zone']})", item["people"])
        for item in found["conditions"]
    ]
    show.table(out, "Conditions", rows, ["change", "*condition", "people"], empty="None: both rules are constant.")
    for title, key, total in (("Enter", "entrants", "entering"), ("Leave", "leavers", "leaving")):
        _persons(out, title, found[key], found[total])
    if old["withheld"] or new["withheld"]:
        out.print(Text(f"Withheld, and not counted: {old['withheld']:,}, by the new rule {new['withheld']:,}."))
    if found["stored"] is not None and found["stored"] != old["members"]:
        out.print(Text(f"The last evaluation gave it {found['stored']:,} members.", style="dim"))
    if found["dependents"]:
        out.print(Text(f"Read by {', '.join(found['dependents'])}, which may change too."))


def _persons(out: Console, title: str, persons: list[dict[str, Any]], total: int) -> None:
    if not persons:
        return
    namespaces = sorted({code for item in persons for code in item["identities"]})
    rows = [(item["person"], *(item["identities"].get(code) for code in namespaces)) for item in persons]
    some = f"{title}: {len(persons)} of {total:,}" if len(persons) < total else title
    show.table(out, some, rows, ["person", *(f"*{code}" for code in namespaces)])
