"""The sample world on a terminal: what was read, who was found, audiences, a profile, files, predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console

from coterie.cli import show as tables
from coterie.cli.ai import told
from coterie.cli.ai.measured import figure

Data = dict[str, Any]

TOLD = (
    "web.webPageDetails.name",
    "search.query",
    "product.type",
    "commerce.line.paid",
    "productListItems",
    "campaign.id",
    "coupon.UPC",
)
"""What the timeline shows of an event besides time, kind and identity."""


def show(out: Console, report: Data) -> None:
    """Print a `DemoReport`, given as plain data.

    Parameters
    ----------
    out : Console
        Where to print.
    report : dict
        The report as it reads from JSON.
    """
    _datasets(out, report["datasets"])
    _people(out, report)
    _audiences(out, report["audiences"])
    _profile(out, report["profile"])
    _predictions(out, report.get("predicted"))
    _files(out, report)


def _datasets(out: Console, datasets: list[Data]) -> None:
    rows = [
        (row["dataset"], row["title"], row["rows_read"], row["accepted"], row["quarantined"], row["duplicates"])
        for row in datasets
    ]
    tables.table(out, "Rows", rows, ["dataset", "*what", "read", "accepted", "quarantined", "duplicates"])


def _people(out: Console, report: Data) -> None:
    out.print()
    found = [(f"identities of {code}", count) for code, count in report["identities"].items()]
    found += [("links between identities", report["links"]), ("persons", report["persons"])]
    tables.table(out, "Who is who", found, ["*what", "number"])


def _audiences(out: Console, audiences: list[Data]) -> None:
    out.print()
    rows = [
        (row["audience"], row["members"], f"{float(row['seconds']):.2f} s", " ".join(row["pql"].split()))
        for row in audiences
    ]
    tables.table(out, "Audiences", rows, ["audience", "members", "time", "*rule"])


def _profile(out: Console, profile: Data) -> None:
    out.print()
    tables.facts(
        out,
        f"One profile: {profile['person']}",
        {
            "identities": [f"{item['namespace']}:{item['value']}" for item in profile["identities"]],
            "in audiences": [item["audience"] for item in profile["memberships"] if item["status"] == "realized"],
            "events": [f"{item['events']:,} of {item['dataset']}" for item in profile["sources"] if item["events"]],
        },
    )
    provenance = profile["provenance"]
    rows = [
        (
            path,
            value,
            source["dataset"],
            f"{source['namespace']}:{source['value']}",
            tables.instant(source["recorded_at"]),
        )
        for path, value in _leaves(profile["attributes"])
        if (source := provenance.get(path, {}).get("winner"))
    ]
    tables.table(
        out, "Attributes and where each comes from", rows, ["attribute", "*value", "dataset", "of", "recorded"]
    )
    events = [
        (
            item["event"]["timestamp"],
            item["event"].get("eventType"),
            f"{item['namespace']}:{item['value']}",
            _told(item),
        )
        for item in profile["events"]
    ]
    tables.table(out, "The latest events", events, ["time", "event", "of", "*what"])


def _predictions(out: Console, predicted: Data | None) -> None:
    if predicted is None:
        return
    out.print()
    rows = [
        (row["model"], row["goal"], row["scored"], *_spread(row["buckets"]), row["learner"], figure(row["auc"]))
        for row in predicted["models"]
    ]
    heads = ["model", "*predicted", "people", "low", "medium", "high", "learner", "AUC"]
    tables.table(out, "Predictions, with AUC on past dates", rows, heads)
    out.print(f"Audience {predicted['audience']}: {predicted['members']:,} members", markup=False)
    out.print(predicted["pql"], soft_wrap=True, markup=False)
    out.print()
    told.all_of(out, predicted["household"])


def _spread(buckets: Data | None) -> tuple[Any, ...]:
    return (None, None, None) if buckets is None else (buckets["low"], buckets["medium"], buckets["high"])


def _files(out: Console, report: Data) -> None:
    out.print()
    rows = [(item["audience"], item["members"], item["bytes"], item["path"]) for item in report["exports"]]
    tables.table(out, "Exported audiences", rows, ["audience", "members", "bytes", "*file"])
    out.print(f"Source files: {report['folder']}", soft_wrap=True, markup=False)
    out.print(f"Done in {float(report['seconds']):.1f} s.")


def _told(item: Data) -> str:
    values = dict(_leaves(item["event"]))
    if "productListItems" in values:
        values["productListItems"] = [line["name"] for line in values["productListItems"]]
    return ", ".join(tables.words(values[path]) for path in TOLD if path in values)


def _leaves(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values below nested objects with their dotted paths; an array is one value."""
    for name, item in value.items():
        below = f"{path}.{name}" if path else name
        if isinstance(item, Mapping):
            yield from _leaves(item, below)
        else:
            yield below, item
