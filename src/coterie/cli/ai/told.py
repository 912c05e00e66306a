"""How what is predicted of a person looks on a terminal: the answer, what speaks for it and against, its promise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from coterie.cli import show
from coterie.core.clock import format_date
from coterie.core.shares import percent

Data = dict[str, Any]

_GOOD, _BAD = {"low": "red", "medium": "yellow", "high": "green"}, {"low": "green", "medium": "yellow", "high": "red"}
_BAR = 12

CAUTION = (
    "These go together with the outcome in past data; they are not its causes, and changing one may change nothing."
)
"""What must stand wherever factors do."""


def colours(propensity: str) -> dict[str, str]:
    """Return the colour of each bucket: high is green where it is good, and red where people would leave."""
    return _BAD if propensity == "churn" else _GOOD


def day(at: int | None) -> str:
    """Return the day of an instant."""
    return "-" if at is None else format_date(at)


def share(value: Any) -> str | None:
    """Return a share as a percentage, nothing for nothing."""
    return None if value is None else percent(value)


def ordinal(number: int) -> str:
    """Return a number as a place: 1st, 22nd, 13th."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def sentence(text: str) -> str:
    """Return words as a sentence: with a capital letter and a full stop."""
    text = show.words(text).strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def prediction(out: Console, found: Data) -> None:
    """Show what a model says of a person, and why."""
    style = colours(found["propensity"])[found["bucket"]]
    out.print(Text.assemble((show.words(found["name"]), "bold"), (f"  {found['key']}, for {found['person']}", "dim")))
    out.print(Text(sentence(found["goal"])))
    out.print()
    before = found.get("previous_score")
    change = "" if before is None else f", {_change(found['score'], before)}"
    place = found["percentile"]
    rank = "" if place is None else f", {ordinal(place)} percentile of all who were scored"
    out.print(
        Text.assemble(
            (f" {found['bucket']} ", f"bold reverse {style}"),
            ("  score ", "dim"),
            (str(found["score"]), "bold"),
            (f" of 100{change}{rank}", "dim"),
        )
    )
    low, high = found["interval"]
    out.print(
        Text.assemble(
            (percent(found["probability"]), "bold"),
            f" likely. In tests on past data it came true for {percent(low)} to {percent(high)} of the people given"
            " about this.",
        )
    )
    if found.get("expected_date"):
        out.print(Text(f"If it happens in the window, about {day(found['expected_date'])} is the likely time."))
    _timing(out, found)
    out.print()
    reasons(out, found)
    scored = f"Scored on {day(found['score_date'])} from what had happened by {show.instant(found['as_of'])}"
    until = (
        f"expired on {day(found['valid_until'])}" if found["expired"] else f"counts until {day(found['valid_until'])}"
    )
    whose = f"run {found['run']}" if found.get("run") else "worked out now, not saved"
    out.print(Text(f"{scored}; {until}. Version {found['version']}, {whose}.", style="dim"))
    for note in found["notes"]:
        out.print(Text(sentence(note), style="dim"))


def _change(score: int, before: int) -> str:
    if score == before:
        return "as in the run before"
    return f"{'up' if score > before else 'down'} {abs(score - before)} since the run before"


def leaning(exposures: Iterable[Data]) -> str:
    """Return which way what people were exposed to leans, all of it together."""
    together = sum(float(item["contribution"]) for item in exposures)
    return f"{'raises' if together >= 0 else 'lowers'} the chance"


def reasons(out: Console, found: Data) -> None:
    """Show what speaks for a prediction and against it."""
    sides = (("Raises it", found["factors"]), ("Lowers it", found["factors_against"]))
    most = max((abs(float(item["contribution"])) for _, items in sides for item in items), default=0.0) or 1.0
    good, bad = ("red", "green") if found["propensity"] == "churn" else ("green", "red")
    for (title, items), style in zip(sides, (good, bad), strict=True):
        out.print(Text(title, style="bold"))
        if not items:
            out.print(Text("  Nothing to speak of.", style="dim"))
            continue
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=_BAR + 1, no_wrap=True)
        grid.add_column(width=6, no_wrap=True)
        grid.add_column(overflow="fold")
        for item in items:
            grid.add_row(
                Text(" " + show.bar(abs(float(item["contribution"])) / most, _BAR), style=style),
                Text(str(item["importance"]), style="dim"),
                Text.assemble((show.words(item["label"]), "bold"), f": {show.words(item['value_label'])}", _more(item)),
            )
        out.print(grid)
    if exposures := found.get("exposures"):
        said = "; ".join(f"{item['label']}, {item['value_label']}" for item in exposures)
        out.print(
            Text(f"What others did counts too, and is never a reason: {said} ({leaning(exposures)}).", style="dim")
        )
    _changes(out, found)
    out.print()
    out.print(Text(CAUTION, style="dim"))


def _more(item: Data) -> tuple[str, str]:
    usual = item.get("peer_label")
    return (f"\n  usual in this bucket: {show.words(usual)}" if usual else "", "dim")


def _changes(out: Console, found: Data) -> None:
    """Show what would move the person to another bucket, each change once."""
    items = (*found["factors"], *found["factors_against"])
    changes = [item["counterfactual"] for item in items if item.get("counterfactual")]
    for text in dict.fromkeys(change["text"] for change in (*changes, *(found.get("counterfactuals") or ()))):
        out.print(Text.assemble(("By this model: ", "bold"), sentence(text)[0].lower() + sentence(text)[1:]))


def _timing(out: Console, found: Data) -> None:
    """Show by when how many of such people have done it."""
    timing = found.get("timing")
    if not timing:
        return
    days, chances = timing["days"], timing["probability"]
    some = sorted({round((len(days) - 1) * part / 4) for part in (1, 2, 3, 4)})
    told = ", ".join(f"{percent(chances[at])} within {days[at]} days" for at in some if at < len(days))
    out.print(Text(f"By when: {told}"))


def all_of(out: Console, found: list[Data]) -> None:
    """Show everything that is predicted of a person, one after the other."""
    if not found:
        out.print(Text("Nothing is predicted of this person: no model has scored them, or their scores are hidden."))
    for number, item in enumerate(found):
        if number:
            out.print()
            out.rule(style="dim")
        prediction(out, item)


def in_short(out: Console, scores: Data) -> None:
    """Show the scores on a profile, by model: bucket, score, probability and the top reasons on each side."""
    rows = [
        (
            key,
            found.get("bucket"),
            found.get("score"),
            share(found.get("probability")),
            "\n".join(
                f"{sign} {reason['label']}: {reason['value_label']}"
                for sign, reasons in (
                    ("+", (found.get("factors") or ())[:2]),
                    ("-", (found.get("factors_against") or ())[:1]),
                )
                for reason in reasons
            ),
            show.day(out, found.get("valid_until")),
        )
        for key, found in scores.items()
    ]
    columns = ["*model", "bucket", "score", "chance", "*top reasons (+ raises, - lowers)", "until"]
    show.table(out, "Predictions", rows, columns)
