"""How the people of a run look on a terminal: buckets, scores, factors and their values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from coterie.cli import show
from coterie.cli.ai.told import CAUTION, colours, leaning
from coterie.core.shares import percent

Data = dict[str, Any]

_HEIGHT = 4
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_FACTORS = 6


def insights(out: Console, model: Data, found: Data, bounds: tuple[int, int], bucket: str | None) -> None:
    """Show the people of a run.

    Parameters
    ----------
    out : Console
        Where.
    model : dict
        The model, for its name and what high means.
    found : dict
        The insights.
    bounds : tuple of int
        The least scores of medium and high.
    bucket : str, optional
        Only the factors of this one.
    """
    hues = colours(model.get("propensity", "conversion"))
    mean = f"  mean probability {percent(found['probability'])}" if found["probability"] is not None else ""
    out.print(Text.assemble((show.words(model["name"]), "bold"), f"  {found['people']:,} people scored", (mean, "dim")))
    out.print()
    _ring(out, found["buckets"], hues)
    out.print()
    _histogram(out, found["distribution"]["people"], bounds, hues)
    for part in reversed(found["buckets"]):
        if bucket in (None, part["bucket"]) and part["people"]:
            out.print()
            _factors(out, part, hues[part["bucket"]])
    out.print()
    for said in (CAUTION, *found.get("notes", ())):
        out.print(Text(said, style="dim"))


def _ring(out: Console, buckets: list[Data], hues: dict[str, str]) -> None:
    width = min(out.width, 78)
    line, used = Text(), 0
    for part in buckets:
        length = min(width - used, round(float(part["share"]) * width) or (1 if part["people"] else 0))
        line.append("█" * length, style=hues[part["bucket"]])
        used += length
    out.print(line)
    grid = Table.grid(padding=(0, 2))
    for number in range(4):
        grid.add_column(justify="right" if number in (1, 2) else "left", no_wrap=True)
    for part in buckets:
        chance = part["probability"]
        grid.add_row(
            Text.assemble(("█ ", hues[part["bucket"]]), part["bucket"]),
            Text(f"{part['people']:,}"),
            Text(percent(part["share"])),
            Text("" if chance is None else f"mean probability {percent(chance)}", style="dim"),
        )
    out.print(grid)


def _histogram(out: Console, people: list[int], bounds: tuple[int, int], hues: dict[str, str]) -> None:
    """Draw how many people have which score: columns of 1, 2 or 5 scores, as there are people and room."""
    everybody = sum(people)
    step = 5 if everybody < 1_000 else 2 if everybody < 20_000 or out.width < 112 else 1
    width = {5: 3, 2: 1, 1: 1}[step]
    columns = [(score, sum(people[score : score + step])) for score in range(0, 100, step)]
    columns[-1] = (columns[-1][0], columns[-1][1] + people[100])
    most = max(count for _, count in columns) or 1
    margin = len(f"{most:,}") + 1
    for row in range(_HEIGHT, 0, -1):
        line = Text(f"{most:>{margin - 1},} " if row == _HEIGHT else " " * margin, style="dim")
        for score, count in columns:
            filled = min(8, max(0, round(count / most * _HEIGHT * 8) - (row - 1) * 8))
            filled = max(filled, 1) if count and row == 1 else filled
            bucket = "low" if score < bounds[0] else "medium" if score < bounds[1] else "high"
            line.append(_EIGHTHS[filled] * width, style=hues[bucket])
        out.print(line)
    axis = [" "] * (len(columns) * width + 4)
    for score in (0, *bounds, 100):
        at = round(score / step * width)
        axis[at : at + len(str(score))] = str(score)
    out.print(Text(" " * margin + "".join(axis).rstrip() + "  score", style="dim"))


def _factors(out: Console, part: Data, style: str) -> None:
    head = Text.assemble((f" {part['bucket']} ", f"bold reverse {style}"), f"  {part['people']:,} people")
    if part["explained"] < part["people"]:
        head.append(f", factors of {part['explained']:,} of them", style="dim")
    out.print(head)
    most = max((abs(float(item["contribution"])) for item in part["factors"]), default=0.0) or 1.0
    grid = Table(header_style="dim", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column("factor", overflow="fold", ratio=3)
    grid.add_column("lowers | raises", no_wrap=True, justify="center")
    grid.add_column("a reason for", justify="right", no_wrap=True)
    grid.add_column("values of most of them", overflow="fold", ratio=4)
    for item in part["factors"][:_FACTORS]:
        grid.add_row(
            Text(show.words(item["label"])),
            both_ways(float(item["contribution"]) / most),
            Text(percent(item["top_share"])),
            Text(_ranges(item, 2 if out.width >= show.WIDE else 1), style="dim"),
        )
    out.print(grid)
    if exposures := _exposures(part.get("exposures", ())):
        out.print(Text(f"What others did counts too, and is never a reason: {exposures}.", style="dim"))


def _exposures(found: Sequence[Data]) -> str:
    """Return what people were exposed to, each once, and which way all of it leans."""
    subjects: dict[str, list[Data]] = {}
    for item in found:
        subjects.setdefault(item["code"].partition(":")[2], []).append(item)
    return "; ".join(f"{name} ({leaning(items)})" for name, items in subjects.items())


def both_ways(share: float, width: int = 7) -> Text:
    """Return a bar from the middle to the right for more than nothing, to the left for less."""
    full = "█" * max(1 if share else 0, round(abs(share) * width))
    left, right = ("", full) if share >= 0 else (full, "")
    return Text.assemble((left.rjust(width), "yellow"), ("│", "dim"), (right.ljust(width), "cyan"))


def _ranges(item: Data, most: int) -> str:
    known = sorted((each for each in item.get("ranges", ())), key=lambda each: -float(each["coverage"]))
    return "; ".join(f"{each['label']} ({percent(each['coverage'])})" for each in known[:most] if each["people"])


def factor(out: Console, found: Data, code: str) -> None:
    """Show the values of one factor in each bucket, and what came of people with them in the back-tests."""
    held = [
        (part["bucket"], item)
        for part in found["buckets"]
        for item in (*part["factors"], *part.get("exposures", ()))
        if item["code"] == code
    ]
    first = held[0][1]
    by_label: dict[str, dict[str, Data]] = {}
    for bucket, item in held:
        for each in item.get("ranges", ()):
            by_label.setdefault(each["label"], {})[bucket] = each
    out.print(Text.assemble((show.words(first["label"]), "bold"), (f"  {code}", "dim")))
    rows = []
    for label, parts in by_label.items():
        some = next(iter(parts.values()))
        rate = some.get("rate")
        rows.append(
            (
                label,
                *(
                    percent(parts[bucket]["coverage"]) if bucket in parts else None
                    for bucket in ("low", "medium", "high")
                ),
                None if rate is None else percent(rate),
                some.get("tested") or None,
            )
        )
    columns = [
        f"*{show.words(first['values_of'])}",
        "of low",
        "of medium",
        "of high",
        "came true in tests",
        "tested on",
    ]
    show.table(out, "Its values: which share of each bucket has them", rows, columns)
    if any(each.get("pql") for _, item in held for each in item.get("ranges", ())):
        out.print(Text("As an audience: coterie ai audience … --bucket high --factor CODE --range LABEL", style="dim"))
