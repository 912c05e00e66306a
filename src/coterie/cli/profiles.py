"""How profiles look on a terminal: one whole, one attribute, all of them counted and compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from coterie.cli import show
from coterie.cli.ai.told import in_short
from coterie.core.schema import PREDICTED

Data = dict[str, Any]
Rows = list[tuple[Any, ...]]

_REASONS = {
    "only": "nothing else has a value",
    "newest": "the record written last wins",
    "dataset": "its dataset comes first in the order of the policy",
}
_LOST = {
    "newest": "written earlier",
    "dataset": "its dataset comes later in the order of the policy",
    "unlisted": "its dataset is not in the order of the policy",
}
_COMMON = ("_id", "timestamp", "eventType")
_VAGUE = ("id", "name", "type", "value")
"""Names that say something only together with the one before them."""


def profile(out: Console, found: Data, *, oldest_first: bool = False) -> None:
    """Show a profile: attributes with their sources, identities, audiences, and events."""
    events = sum(item["events"] for item in found["sources"])
    facts = {
        "policy": found["view"],
        "as of": found["at"] and f"{show.instant(found['at'])}: what had happened by then",
        "known at": found["known"] and f"{show.instant(found['known'])}: what had been recorded by then",
        "identities": f"{len(found['identities']):,}, {found['links']:,} links between them",
        "events": f"{events:,} of {sum(1 for item in found['sources'] if item['events'])} datasets"
        if events
        else "none",
    }
    show.facts(out, f"Profile {found['person']}", facts)
    _attributes(out, found)
    _computed(out, found)
    if scores := found["attributes"].get(PREDICTED):
        in_short(out, scores)
    identities = [
        (
            f"{item['namespace']}:{item['value']}",
            item["links"],
            show.day(out, item["first_at"]),
            show.day(out, item["last_at"]),
        )
        for item in found["identities"]
    ]
    show.table(out, "Identities", identities, ["*identity", "links", "first linked", "last linked"])
    memberships = [
        (
            item["audience"],
            "in" if item["status"] == "realized" else "left",
            show.day(out, item["entered_at"]),
            show.day(out, item["exited_at"]),
        )
        for item in found["memberships"]
    ]
    show.table(out, "Audiences", memberships, ["*audience", "", "since", "until"], empty="In none.")
    sources = [
        (item["dataset"], item["records"], item["events"], show.day(out, item["recorded_at"]))
        for item in found["sources"]
    ]
    show.table(out, "Datasets", sources, ["*dataset", "records", "events", "last recorded"])
    _events(out, found, oldest_first)


def _attributes(out: Console, found: Data) -> None:
    rows = []
    for path, reason in found["provenance"].items():
        if path.startswith(f"{PREDICTED}."):
            continue  # shown as predictions
        value = value_at(found["attributes"], path)
        rows.append(
            (
                path,
                value,
                _source(out, reason["winner"]),
                show.day(out, reason["winner"]["recorded_at"]),
                _others(value, reason["losers"]),
            )
        )
    columns = ["*attribute", "*value", "*comes from", "recorded", "*others"]
    show.table(out, "Attributes", rows, columns, empty="None: no record says anything of this person.")


def _computed(out: Console, found: Data) -> None:
    computed = found.get("computed")
    if computed:
        show.table(out, "Computed attributes", list(computed.items()), ["*attribute", "*value"])


def _others(value: Any, losers: list[Data]) -> str:
    """Tell of the records that lost how many say something else."""
    differ = sum(1 for claim in losers if claim["value"] != value)
    if not differ:
        return f"{len(losers)} agree" if losers else ""
    return f"{differ} of {len(losers)} differ"


def _source(out: Console, source: Data) -> str:
    return (
        f"{source['dataset']} {source['namespace']}:{source['value']}" if out.width >= show.WIDE else source["dataset"]
    )


def _events(out: Console, found: Data, oldest_first: bool) -> None:
    rows: Rows = []
    for item in found["events"]:
        event = item["event"]
        what = told({name: value for name, value in event.items() if name not in _COMMON})
        at, kind = event.get("timestamp"), event.get("eventType")
        rows.append(
            (at, kind, item["dataset"], what) if out.width >= show.WIDE else (at, f"{kind}\n{item['dataset']}", what)
        )
    order = "oldest first" if oldest_first else "newest first"
    some = f": {len(rows):,} of {found['matching']:,}" if len(rows) < found["matching"] else ""
    columns = ["at", "type", "dataset", "*what"] if out.width >= show.WIDE else ["at", "type, dataset", "*what"]
    show.table(out, f"Events, {order}{some}", rows, columns, empty="None shown." if found["matching"] else "None.")
    if found["next"]:
        out.print(Text(f"More: --before {found['next']}", style="dim"))


def told(event: Data) -> str:
    """Return what an event says, each value by the last name of its path where that is clear."""
    values = dict(_leaves(event, ()))
    last = Counter(path[-1] for path in values)
    named = {
        " ".join(path[-2:]) if path[-1] in _VAGUE or last[path[-1]] > 1 else path[-1]: value
        for path, value in values.items()
    }
    return ", ".join(f"{name} {show.words(value)}" for name, value in named.items())


def _leaves(value: Data, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, item in value.items():
        if isinstance(item, dict):
            yield from _leaves(item, (*above, name))
        else:
            yield (*above, name), item


def value_at(attributes: Mapping[str, Any], path: str) -> Any:
    """Return the value at a path of provenance; keys of maps may hold dots themselves."""
    if path in attributes:
        return attributes[path]
    for name, value in attributes.items():
        if isinstance(value, dict) and path.startswith(f"{name}."):
            return value_at(value, path[len(name) + 1 :])
        if isinstance(value, dict) and path.startswith(f"{name}["):
            return next((item for key, item in value.items() if path == f'{name}["{key}"]'), None)
    return None


def attribute(out: Console, found: Data) -> None:
    """Show one attribute: the winner and why, the losers, and what was written over time."""
    winner = found["winner"]
    rule = "the record written last wins"
    if found["policy"] == "dataSetPrecedence":
        rule = f"by dataset: {', '.join(found['order'])}"
    facts = {
        "value": found["value"] if winner else "none that counts",
        "comes from": winner and _place(winner),
        "recorded": winner and f"{show.instant(winner['recorded_at'])} by batch {winner['batch']}",
        "made of": f"{found['writes']} writes, appended" if found["writes"] > 1 else None,
        "because": found["reason"] and _REASONS[found["reason"]],
        "policy": f"{found['view']}: {rule}",
        "profile": found["person"],
    }
    show.facts(out, f"Attribute {found['path']}", facts)
    losers = [
        (item["value"], _place(item["source"]), show.day(out, item["source"]["recorded_at"]), _LOST[item["reason"]])
        for item in found["losers"]
    ]
    show.table(out, "Others", losers, ["*value", "*comes from", "recorded", "*lost because"], empty="None.")
    history = [
        (
            show.instant(item["source"]["recorded_at"]),
            "(taken away)" if item["value"] is None else item["value"],
            _place(item["source"]),
            f"{item['operation']} by {item['source']['batch']}",
        )
        for item in found["history"]
    ]
    show.table(out, "Written over time", history, ["recorded", "*value", "*in", "*how"])


def _place(source: Data) -> str:
    return f"{source['dataset']} of {source['namespace']}:{source['value']}"


def sample(out: Console, found: list[Data]) -> None:
    """Show profiles in short."""
    rows = [(item["namespace"], item["value"], item["identities"], item["attributes"]) for item in found]
    show.table(out, "Profiles", rows, ["namespace", "identity", "identities", "*attributes"])


def report(out: Console, found: Data) -> None:
    """Show profiles counted."""
    show.facts(
        out,
        f"Profiles of policy {found['view']}",
        {
            "profiles": found["profiles"],
            "identities": found["identities"],
            "fragments": f"{found['fragments']:,}: what a dataset holds of an identity",
            "of one fragment": f"{found['single']:,} profiles",
        },
    )
    rows: Rows = [
        (item["namespace"], item["profiles"], item["identities"], item["fragments"]) for item in found["namespaces"]
    ]
    show.table(out, "By namespace", rows, ["*namespace", "profiles", "identities", "fragments"])
    rows = [(item["dataset"], item["profiles"], item["fragments"]) for item in found["datasets"]]
    show.table(out, "By dataset", rows, ["*dataset", "profiles", "fragments"])
    for title, key in (("Namespaces together", "namespace_overlap"), ("Datasets together", "dataset_overlap")):
        rows = [(" + ".join(item["names"]), item["profiles"]) for item in found[key]]
        show.table(out, title, rows, ["*exactly these", "profiles"])
    rows = [(f"{item['days']} days", item["profiles"], item["events"]) for item in found["quiet"]]
    show.table(out, "Of one fragment and quiet", rows, ["without an event for", "profiles", "events"], empty="None.")


def conflicts(out: Console, found: Data) -> None:
    """Show where records contradict each other."""
    facts = {
        "people": found["people"],
        "with several records": found["several"],
        "whose records differ": found["conflicting"],
    }
    show.facts(out, f"Conflicts under policy {found['view']}", facts)
    rows: Rows = [
        (
            item["path"],
            item["several"],
            item["conflicting"],
            [f"{win['winner']} over {win['loser']} {win['people']:,}x" for win in item["wins"]],
        )
        for item in found["attributes"]
    ]
    columns = ["*attribute", "several values", "different", "*who wins"]
    show.table(out, "Attributes", rows, columns, empty="None has values of several records.")
    rows = [
        (item["path"], [f"{_record(claim)} {show.words(claim['claim'])}" for claim in case["claims"]])
        for item in found["attributes"]
        for case in item["samples"]
    ]
    if rows:
        show.table(out, "Examples, the winner first", rows, ["*attribute", "*records say"])


def _record(claim: Data) -> str:
    return f"{claim['dataset']} of {claim['namespace']}:{claim['value']}:"


def comparison(out: Console, found: Data) -> None:
    """Show how the profiles of two policies differ."""
    left, right, by = found["left_view"], found["right_view"], found["by"]
    what = {"person": "persons", "identity": "identities"}[by]
    facts = {
        "profiles": f"{found['left']:,} of {left}, {found['right']:,} of {right}",
        "compared by": by if by == "person" else "identity: the policies stitch differently",
        "the same": f"{found['same']:,} {what}",
        "different": f"{found['different']:,} {what}",
        f"only in {left}": f"{found['only_left']:,} {what}",
        f"only in {right}": f"{found['only_right']:,} {what}",
    }
    show.facts(out, f"Policy {left} against {right}", facts)
    rows: Rows = [(item["path"], item["profiles"]) for item in found["attributes"]]
    show.table(out, "Attributes that differ", rows, ["*attribute", what], empty="None.")
    rows = [
        (f"{item['namespace']}:{item['value']}", difference["path"], difference["left"], difference["right"])
        for item in found["samples"]
        for difference in item["differences"]
    ]
    if rows:
        show.table(out, "Examples", rows, ["*identity", "*attribute", f"*{left}", f"*{right}"])
