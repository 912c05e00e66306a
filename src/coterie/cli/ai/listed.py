"""How models, checks and runs look on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from coterie.cli import show
from coterie.cli.ai.told import day, sentence
from coterie.core.shares import percent

Data = dict[str, Any]

STAGES = {
    "queued": "waiting",
    "checking": "checking",
    "building_features": "building features",
    "training": "training",
    "evaluating": "testing on past data",
    "scoring": "scoring",
    "explaining": "working out reasons",
    "publishing": "writing to profiles",
}
UNDER_WAY = {stage: words for stage, words in STAGES.items() if stage != "queued"}
"""Stages that take time."""
ENDS = {
    "succeeded": ("succeeded", "green"),
    "failed": ("failed", "bold red"),
    "cancelled": ("cancelled", "yellow"),
    "training_issue": ("trained, but not good enough to publish", "yellow"),
}
_CUTOFFS = 8
"""Cut-offs that are shown at first."""
_ROLES = {"scoring": "to be scored", "test": "test", "training": "training"}


def models(out: Console, found: list[Data], counted: Data) -> None:
    """Show the models with their last runs, and how many scores were given in the year."""
    wide = out.width >= show.WIDE
    rows = []
    for item in found:
        last = item.get("last")
        state = "draft" if item["draft"] else _state(last["status"]) if last else "not run yet"
        scored = last and (last["scored"] or None)
        following = day(item["next_at"]) if item.get("next_at") else None
        rows.append(
            (
                item["key"],
                item["name"],
                *((item["propensity"], item["schedule"]) if wide else ()),
                state,
                *((last and day(last["as_of"]),) if wide else ()),
                scored,
                following,
            )
        )
    columns = ["key", "*name", *(("kind", "runs") if wide else ()), "*last run", *(("as of",) if wide else ())]
    show.table(
        out,
        "Models",
        rows,
        [*columns, "scored", "next run"],
        empty="None yet: make one by `coterie ai create`.",
    )
    for item in found:
        error = (item.get("last") or {}).get("error")
        if error:
            said = f"  {show.words(error['message'])}"
            out.print(Text.assemble((f"{item['key']}  ", "bold"), (error["code"], "red"), said))
    if counted["scores"]:
        out.print(Text(f"{counted['scores']:,} scores given in {counted['year']}, by deleted models too.", style="dim"))


def _state(status: str) -> str:
    return ENDS[status][0] if status in ENDS else STAGES.get(status, status)


def model(out: Console, found: Data, stated: Data) -> None:
    """Show a model: what is predicted, for whom, from what, how often, and where it stands."""
    out.print(Text.assemble((show.words(found["name"]), "bold"), (f"  {found['key']}", "dim")))
    out.print(Text(sentence(found["goal"])))
    if found["description"]:
        out.print(Text(show.words(found["description"]), style="dim"))
    bounds = {"medium": 25, "high": 75} | (stated.get("buckets") or {})
    last = found.get("last")
    good = "people who would leave" if found["propensity"] == "churn" else "people you want"
    show.facts(
        out,
        "",
        {
            "kind": f"{found['propensity']}: a high score means {good}",
            "people": people(stated.get("population") or {}),
            "buckets": f"low below {bounds['medium']}, medium below {bounds['high']}, high from {bounds['high']}",
            "learns also from": [item["name"] for item in stated.get("custom_events") or ()]
            + [item["field"] for item in stated.get("attributes") or ()],
            "shown to people": [item["name"] for item in stated.get("exposures") or ()],
            "left out": [item["name"] for item in stated.get("exclusions") or ()],
            "compared in the card": stated.get("protected"),
            "runs": found["schedule"],
            "next run": found.get("next_at") and show.instant(found["next_at"]),
            "scores on profiles": f"customerAI.{found['key']}" if found["publish"] else "no: publishing is off",
            "labels": found["labels"],
            "version in use": found.get("version") or "none: it has not been trained",
            "last run": last and f"{last['id']}, {_state(last['status'])}, as of {day(last['as_of'])}",
            "state": "draft: finish it by `coterie ai edit`" if found["draft"] else None,
        },
    )


def people(population: Mapping[str, Any]) -> str:
    """Return in words who is scored."""
    lookback = population.get("lookback_days", 45)
    who = "everybody with an event" if lookback is None else f"who did something in the last {lookback} days"
    if population.get("where"):
        who += f", and for whom {show.words(population['where'])}"
    if population.get("audience"):
        who += f", of the audience {population['audience']}"
    return who


def check(out: Console, found: Data, *, whole: bool = False) -> None:
    """Show what a dry run found: the verdict, the people at each cut-off, and what is wrong.

    Parameters
    ----------
    out : Console
        Where.
    found : dict
        The check.
    whole : bool
        Whether to show every cut-off, and the fields that are not always filled.
    """
    errors = [item for item in found["problems"] if item["severity"] == "error"]
    warnings = [item for item in found["problems"] if item["severity"] == "warning"]
    notes = [item for item in found["problems"] if item["severity"] not in ("error", "warning")]
    verdict = ("It can run", "bold green") if not errors else ("It cannot run yet", "bold red")
    told = [
        f"{len(items)} {word}{'s' if len(items) != 1 else ''}"
        for items, word in ((errors, "error"), (warnings, "warning"))
        if items
    ]
    out.print(
        Text.assemble(
            verdict, f": {', '.join(told)}" if told else "", (f"  checked in {float(found['seconds']):.1f} s", "dim")
        )
    )
    problems(out, errors + warnings)
    history = found["history"]
    show.facts(
        out,
        "History",
        {
            "events": f"{history['events']:,} of {history['people']:,} people",
            "from, to": history["first"] is not None and f"{day(history['first'])} to {day(history['last'])}",
            "days": f"{int(float(history['days'])):,}, {history['required']:,} required",
            "tested on": "later time than it learnt from"
            if history["by_time"]
            else "people left aside: history is short",
            "people to learn from": f"{found['people']:,}: {found['positives']:,} with the outcome at some time,"
            f" {found['negatives']:,} without it at some time",
        },
    )
    rows = [
        (
            day(item["cutoff"]),
            _ROLES[item["role"]],
            f"{day(item['opens'])} to {day(item['closes'])}" if out.width >= show.WIDE else f"to {day(item['closes'])}",
            item["eligible"],
            item["positives"],
            None if item["rate"] is None else percent(item["rate"]),
            " " if item["rate"] is None else show.bar(item["rate"], 10),
        )
        for item in found["cutoffs"]
    ]
    columns = ["cut-off", "for", "window", "people", "outcome", "rate", ""]
    show.table(out, "People at each cut-off", rows if whole else rows[:_CUTOFFS], columns)
    if not whole:
        _rest(out, found)
    _fields(out, found, whole=whole)
    problems(out, notes)


def problems(out: Console, found: list[Data]) -> None:
    """Show what is wrong, errors first, with what to do."""
    for item in found:
        style = {"error": "bold red", "warning": "bold yellow"}.get(item["severity"], "bold")
        number = f" {item['number']}" if item.get("number") else ""
        out.print(Text.assemble((f"{item['severity']}{number}", style), f"  {sentence(item['message'])}"))
        if item["hint"]:
            out.print(Text(f"  hint  {sentence(item['hint'])}"))


def _rest(out: Console, found: Data) -> None:
    """Tell of what is not shown."""
    older = found["cutoffs"][_CUTOFFS:]
    lines = []
    if older:
        rates = [item["rate"] for item in older if item["rate"] is not None]
        between = f", with rates from {percent(min(rates))} to {percent(max(rates))}" if rates else ""
        lines.append(f"{len(older)} older cut-offs to learn from, back to {day(older[-1]['cutoff'])}{between}.")
    if partial := [item for item in found["completeness"] if float(item["share"]) < 1]:
        lines.append(f"{len(partial)} of {len(found['completeness'])} fields are not always filled.")
    if lines:
        out.print(Text(f"{' '.join(lines)} --all shows them.", style="dim"))


def _fields(out: Console, found: Data, *, whole: bool) -> None:
    partial = [item for item in found["completeness"] if float(item["share"]) < 1]
    if partial and whole:
        rows = [(item["field"], percent(item["share"]), item["of"], item["rows"]) for item in partial]
        show.table(out, "Fields that are not always filled", rows, ["*field", "filled", "of", "rows"])
    fields = [
        (
            item["field"],
            "as of each cut-off" if item["history"] else "the latest only",
            None if item["auc"] is None else f"{float(item['auc']):.3f}",
            percent(item["late"]),
            "yes" if item["confirmed"] else "",
        )
        for item in found["attributes"]
    ]
    if fields:
        columns = ["*attribute", "values", "AUC alone", "written later", "confirmed"]
        show.table(out, "Attributes to learn from", fields, columns)
    for item in found["objections"]:
        style = "bold red" if item["blocking"] else "yellow"
        whose = ", ".join(map(show.words, item["fields"]))
        out.print(
            Text.assemble((f"policy {item['policy']}", style), f"  label {item['label']} on {whose}: {item['meaning']}")
        )


def run(out: Console, found: Data) -> None:
    """Show how a run ended, or how far it is: its stages with times, who was scored, what is to be known."""
    status = found["status"]
    word, style = ENDS.get(status) or (STAGES.get(status, str(status)), "cyan")
    out.print(
        Text.assemble(
            (f"Run {found['id']} ", "bold"), (word, style), (f"  as of {show.instant(found['as_of'])}", "dim")
        )
    )
    if found["error"]:
        error = found["error"]
        number = f" {error['number']}" if error.get("number") else ""
        out.print(Text.assemble((f"{error['code']}{number}", "bold red"), f"  {show.words(error['message'])}"))
        if error.get("hint"):
            out.print(Text(f"  hint  {show.words(error['hint'])}"))
    seconds = sum(float(stage["seconds"]) for stage in found["stages"])
    rows = [
        (STAGES.get(stage["stage"], stage["stage"]), f"{float(stage['seconds']):.1f}", stage["rows"])
        for stage in found["stages"]
    ]
    if rows:
        show.table(out, f"Stages, {seconds:.1f} s", rows, ["stage", "seconds", "rows"])
    buckets = found["buckets"]
    show.facts(
        out,
        "",
        {
            "scored": (found["scored"] or None) and f"{found['scored']:,} of {found['eligible']:,} people",
            "buckets": buckets and ", ".join(f"{name} {buckets[name]:,}" for name in ("low", "medium", "high")),
            "mean probability": None if found["mean_probability"] is None else percent(found["mean_probability"]),
            "version": _version(found),
            "on profiles": f"customerAI.{found['key']}, until {show.instant(found['valid_until'])}"
            if found["batch"]
            else None,
            "audiences": f"{found['audiences']:,} evaluated anew" if found["audiences"] else None,
        },
    )
    for warning in found["warnings"]:
        out.print(Text.assemble(("warning  ", "yellow"), sentence(warning)))
    if found["resumable"] and status != "succeeded":
        out.print(Text(f"Take it up where it stopped: coterie ai run {found['key']} --resume"))
    elif status == "succeeded":
        out.print(
            Text(
                f"Next: coterie ai insights {found['key']}, coterie ai evaluation {found['key']},"
                f" coterie ai audience {found['key']} NAME --bucket high",
                style="dim",
            )
        )


def _version(found: Data) -> str | None:
    if found.get("trained") and found["trained"] != found.get("version"):
        return f"{found['version']}; {found['trained']} was trained, and is kept as a candidate"
    return found.get("version") and f"{found['version']}{', trained now' if found.get('trained') else ''}"


def runs(out: Console, found: list[Data]) -> None:
    """Show the runs of a model, the newest first."""
    rows = [
        (
            item["number"],
            day(item["as_of"]),
            item["kind"],
            item["trigger"],
            _state(item["status"]),
            item["scored"] or None,
            None if item["mean_probability"] is None else percent(item["mean_probability"]),
            item["version"],
            f"{sum(float(stage['seconds']) for stage in item['stages']):.1f}",
        )
        for item in found
    ]
    columns = ["run", "as of", "kind", "by", "*ended", "scored", "mean", "version", "seconds"]
    room = len(columns) if out.width >= show.WIDE else -2
    show.table(out, "Runs", [row[:room] for row in rows], columns[:room])
    for item in found:
        if item["error"]:
            error = item["error"]
            out.print(
                Text.assemble(
                    (f"run {item['number']}  ", "bold"), (error["code"], "red"), f"  {show.words(error['message'])}"
                )
            )
