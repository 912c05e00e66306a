"""How what a model is worth looks on a terminal: back-tests, profit, what moved, what came of its runs."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from coterie.cli import show
from coterie.cli.ai.told import day, sentence, share
from coterie.core.shares import percent

Data = dict[str, Any]

LEVELS = {"steady": "green", "warning": "yellow", "alarm": "bold red"}


def figure(value: Any, digits: int = 3) -> str | None:
    """Return a figure with a few digits, nothing for nothing."""
    return None if value is None else f"{float(value):.{digits}f}"


def value(out: Console, found: Data) -> None:
    """Show what contacting people by score brings."""
    best, everyone = found["best"], found["everyone"]
    out.print(
        Text.assemble(
            ("Best cut: ", "bold"),
            (f"the top {percent(best['share'])}", "bold green"),
            f", {best['people']:,} of {found['people']:,} people. It will come true for about"
            f" {float(best['successes']):,.0f} of them ({percent(best['share_of_successes'])} of all for whom it will),"
            f" for a profit of {_money(best['profit'])}.",
        )
    )
    out.print(Text(f"Contacting everyone: a profit of {_money(everyone['profit'])}.", style="dim"))
    most = max((abs(float(cut["profit"])) for cut in found["cuts"]), default=0.0) or 1.0
    digits = 0 if most >= 1_000 else 2
    some = found["cuts"] if len(found["cuts"]) <= 12 else _tenths(found["cuts"], best)
    money = ("cost", "value", "profit") if out.width >= show.WIDE else ("profit",)
    rows = [
        (
            f"{percent(cut['share'])}{' ← best' if cut == best else ''}",
            cut["people"],
            percent(cut["share_of_successes"]),
            percent(cut["rate"]),
            *(f"{float(cut[name]):,.{digits}f}" for name in money),
            show.bar(max(0.0, float(cut["profit"])) / most, 12),
        )
        for cut in some
    ]
    columns = ["the top", "people", "of all successes", "rate", *money, ""]
    show.table(out, "Profit by how many are contacted", rows, columns)
    out.print(Text(sentence(found["note"]), style="dim"))


def _tenths(cuts: list[Data], best: Data) -> list[Data]:
    """Return the cuts nearest to each tenth, and the best one."""
    nearest = {
        min(range(len(cuts)), key=lambda at: abs(float(cuts[at]["share"]) - tenth / 10)) for tenth in range(1, 11)
    }
    return [cut for at, cut in enumerate(cuts) if at in nearest or cut == best]


def _money(amount: Any) -> str:
    return f"{float(amount):,.0f}" if abs(float(amount)) >= 100 else f"{float(amount):,.2f}"


def level(name: str) -> Text:
    """Return how bad something is, in its colour."""
    return Text(name, style=LEVELS[name])


def drift(out: Console, found: Data) -> None:
    """Show what moved between training and a run."""
    out.print(Text.assemble("Against what the model learnt from: ", level(found["level"])))
    for reason in found["reasons"]:
        out.print(Text(f"  {sentence(reason)}"))
    facts = {
        "people scored": found["people"],
        "mean probability": percent(found["mean_probability"]),
        "last actual rate": share(found["last_rate"]),
        "events a day": _daily(found["pace"]),
    }
    show.facts(out, "", facts)
    rows = [
        (item["label"], figure(item["psi"]), figure(item["usual"]), item["level"], share(item.get("weight")))
        for item in (found["score"], *found["factors"][:12])
    ]
    columns = ["*what", "moved (PSI)", "as usual", "", "part in the scores"]
    show.table(out, "Population stability: look at 0.1 and more, act at 0.25 and more", rows, columns)
    if found["unseen"]:
        unseen = [(item["label"], percent(item["share"]), item["level"]) for item in found["unseen"]]
        show.table(out, "Values that training never saw", unseen, ["*values of", "of people", ""])


def _daily(pace: Data | None) -> str | None:
    if pace is None:
        return None
    now, usual, least, most = (f"{float(pace[name]):,.0f}" for name in ("now", "usual", "least", "most"))
    return f"{now} in the last week; usually {usual}, from {least} to {most}"


def outcomes(out: Console, found: Data) -> None:
    """Show what came of the runs whose windows have closed."""
    if not found["outcomes"]:
        out.print(Text("No window of a run has closed yet: what was predicted cannot be compared with what came."))
        return
    out.print(Text.assemble("What came of its runs: ", level(found["level"])))
    for reason in found["reasons"]:
        out.print(Text(f"  {sentence(reason)}"))
    rows = [
        (
            item["run"],
            day(item["closes"]),
            item["people"],
            percent(item["expected"]),
            percent(item["actual"]),
            f"{percent(item['low'])} to {percent(item['high'])}",
            figure(item["auc"]),
            item["level"],
        )
        for item in found["outcomes"]
    ]
    columns = ["run", "closed", "people", "expected", "actual", "promised", "AUC", ""]
    show.table(out, "Expected, and what came", rows, columns)
    last = found["outcomes"][0]
    buckets = [
        (
            item["bucket"],
            item["people"],
            percent(item["expected"]),
            percent(item["actual"]),
            f"{percent(item['low'])} to {percent(item['high'])}",
        )
        for item in last["buckets"]
    ]
    show.table(
        out, f"Buckets of run {last['run']}", buckets, ["bucket", "people", "expected", "actual", "by chance alone"]
    )


def migration(out: Console, found: Data) -> None:
    """Show how many people moved between buckets from one run to another."""
    if not found["before"]:
        out.print(Text(f"{found['after']:,} people have scores now; nobody had one before to be compared with."))
        return
    names = ("low", "medium", "high", None)
    counts = {(move["before"], move["after"]): move["people"] for move in found["moves"]}
    rows = [
        (before or "not scored", *(counts.get((before, after)) or None for after in names))
        for before in names
        if any(counts.get((before, after)) for after in names)
    ]
    columns = ["before", "now low", "now medium", "now high", "not scored now"]
    show.table(out, f"{found['before']:,} people scored before, {found['after']:,} now", rows, columns)
