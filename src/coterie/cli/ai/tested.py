"""How the back-tests of a model look on a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from coterie.cli import show
from coterie.cli.ai.measured import figure
from coterie.cli.ai.told import day, sentence, share
from coterie.core.shares import percent

Data = dict[str, Any]

ALGORITHMS = {
    "logistic": "logistic regression",
    "trees": "boosted trees",
    "blend": "mean of logistic regression and boosted trees",
    "bgnbd": "BG/NBD, from repeat events alone",
    "base": "the base rate for everybody",
}
_GATES = {
    "good": ("good enough to publish", "green"),
    "poor": ("published with a warning: the AUC may lie below 0.65", "yellow"),
    "unusable": ("not published: the AUC may lie below 0.55", "bold red"),
}


def evaluation(out: Console, name: str, found: Data, *, whole: bool = False) -> None:
    """Show how a model did at past cut-offs, beside naive rules, with intervals.

    Parameters
    ----------
    out : Console
        Where.
    name : str
        Name of the model.
    found : dict
        The evaluation.
    whole : bool
        Whether to show also probabilities against what came, and what else was tried.
    """
    pooled = found["pooled"]
    out.print(
        Text.assemble(
            (show.words(name), "bold"),
            f"  {ALGORITHMS.get(found['algorithm'], found['algorithm'])}: ",
            _GATES[found["gate"]],
        )
    )
    out.print(Text(_auc(pooled["auc"])))
    count = len(found["backtests"])
    how = (
        f"Tested at {count} past {'date' if count == 1 else 'dates'}, on windows later than all it had learnt from."
        if found["by_time"]
        else "Tested on people left aside, not on a later time: the history is too short for that."
    )
    both = f"{found['positive']:,} at some date with the outcome, {found['negative']:,} at some date without it"
    learnt = f"Learnt from {found['people']:,} people: {both}."
    out.print(Text(f"{how} {learnt}", style="dim"))
    _backtests(out, found)
    _rules(out, found)
    _tenths(out, found)
    if whole:
        _far_off(out, found)
        _reliability(out, found)
        _tried(out, found)
    else:
        out.print(Text("--all shows also what was said against what came, and the learners tried.", style="dim"))


def _auc(found: Data) -> str:
    if found["value"] is None:
        return "The tests had one outcome only, so nothing can be said of how well people are told apart."
    sure = f" ({percent(found['low'])} to {percent(found['high'])})" if found["low"] is not None else ""
    return (
        "Of two people, one for whom it came true and one for whom it did not, it puts the right one first in"
        f" {percent(found['value'])} of cases{sure}; guessing gives 50 %."
    )


def estimate(found: Data, digits: int = 3) -> str | None:
    """Return a measure with its interval."""
    if found["value"] is None:
        return None
    if found["low"] is None:
        return figure(found["value"], digits)
    return f"{figure(found['value'], digits)} ({figure(found['low'], digits)}-{figure(found['high'], digits)})"


def _backtests(out: Console, found: Data) -> None:
    rows = [
        (
            label,
            item["people"],
            percent(item["rate"]),
            percent(item["predicted"]),
            estimate(item["auc"]),
            estimate(item["lift_10"], 1),
        )
        for label, item in _measures(found)
    ]
    columns = ["test", "people", "came", "said", "AUC", "lift, top 10 %"]
    show.table(out, "Back-tests, 95 % intervals", rows, columns)


def _measures(found: Data) -> list[tuple[str, Data]]:
    """Return the measures of all back-tests together, and of each by its date."""
    return [("all", found["pooled"])] + [(day(test["cutoff"]), test["measures"]) for test in found["backtests"]]


def _far_off(out: Console, found: Data) -> None:
    """Show measures of the probabilities, with their intervals where there is room."""
    told = estimate if out.width >= show.WIDE else _value
    rows = [
        (label, told(item["pr_auc"]), told(item["log_loss"]), told(item["brier"], 4), figure(item["ece"]))
        for label, item in _measures(found)
    ]
    show.table(out, "How far off its probabilities were", rows, ["test", "PR-AUC", "log-loss", "Brier", "ECE"])


def _value(found: Data, digits: int = 3) -> str | None:
    return figure(found["value"], digits)


def _rules(out: Console, found: Data) -> None:
    if not found["rules"]:
        return
    pooled = found["pooled"]
    rows = [
        (
            "this model",
            *(figure(pooled[key]["value"]) for key in ("auc", "pr_auc")),
            figure(pooled["lift_10"]["value"], 1),
        )
    ]
    rows += [
        (rule["name"], figure(rule["auc"]), figure(rule["pr_auc"]), figure(rule["lift_10"], 1))
        for rule in found["rules"]
    ]
    show.table(out, "Beside rules that anybody could follow", rows, ["*rule", "AUC", "PR-AUC", "lift, top 10 %"])


def _tenths(out: Console, found: Data) -> None:
    most = max((float(item["lift"]) for item in found["deciles"]), default=0.0) or 1.0
    rows = [
        (
            item["decile"],
            round(float(item["people"])),
            percent(item["rate"]),
            figure(item["lift"], 2),
            show.bar(float(item["lift"]) / most, 16),
            percent(item["gain"]),
        )
        for item in found["deciles"]
    ]
    columns = ["tenth", "people", "rate", "lift", "", "of all it came true for"]
    show.table(out, "Tenths of people, the likeliest first", rows, columns)


def _reliability(out: Console, found: Data) -> None:
    rows = [
        (
            percent(item["predicted"]),
            percent(item["observed"]),
            f"{percent(item['low'])} to {percent(item['high'])}",
            item["people"],
            " " if float(item["low"]) <= float(item["predicted"]) <= float(item["high"]) else "outside",
        )
        for item in found["reliability"]
    ]
    show.table(out, "What was said, and what came of it", rows, ["said", "came", "by chance alone", "people", ""])


def _difference(found: Data) -> str | None:
    """Return a difference in log-loss with its interval; none from itself."""
    if found["value"] == found["low"] == found["high"] == 0:
        return "the default"
    if found["low"] is None:
        return figure(found["value"], 4)
    return f"{found['value']:+.4f} ({found['low']:+.4f} to {found['high']:+.4f})"


def _tried(out: Console, found: Data) -> None:
    rows = [
        (
            ALGORITHMS.get(item["algorithm"], item["algorithm"]),
            figure(item["log_loss"], 4),
            figure(item["auc"]),
            _difference(item["difference"]),
            "chosen" if item["chosen"] else " ",
        )
        for item in found["candidates"]
    ]
    show.table(out, "Learners tried", rows, ["*learner", "log-loss", "AUC", "against the default", ""])
    corrections = [item for item in found["calibration"] if item["method"] != "identity"]
    if corrections:
        tried = ", ".join(item["method"] for item in corrections)
        taken = next((item["method"] for item in corrections if item["chosen"]), "none")
        out.print(Text(f"Corrections of probabilities tried on later windows: {tried}; taken: {taken}.", style="dim"))
    if found["season"]:
        season = found["season"]
        said = f"a year before {share(season['predicted'])} was said and {share(season['observed'])} came"
        applied = "applied" if season["applied"] else "not applied"
        out.print(Text(f"Season: {said}; {applied}: {sentence(season['reason'])}", style="dim"))


def versions(out: Console, found: list[Data]) -> None:
    """Show the versions of a model, the newest first."""
    rows = [
        (
            item["number"],
            day(item["as_of"]),
            item["run"].rpartition("/")[2],
            estimate(item["auc"]),
            "in use" if item["in_use"] else " ",
        )
        for item in found
    ]
    columns = ["version", "learnt until", "run", "AUC", ""]
    show.table(out, "Versions", rows, columns, empty="None yet: it has not been trained.")
    for item in found:
        why = f"  {sentence(item['decision'])}" if item["decision"] else ""
        learner = str(ALGORITHMS.get(item["algorithm"], item["algorithm"]))
        out.print(Text.assemble((f"version {item['number']}  ", "bold"), sentence(learner), (why, "dim")))
