"""What a reading is: a question that a workspace answers, with its HTTP path and the bounds of its parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from annotated_types import Ge, Le, MaxLen

if TYPE_CHECKING:
    from coterie.workspace import Workspace

Name = Annotated[str, MaxLen(1024)]
Query = Annotated[str, MaxLen(100_000)]
Names = Annotated[list[Name], MaxLen(1_000)]
Limit = Annotated[int, Ge(1), Le(10_000)]

PARAMETERS = {
    "a": "An identity as `Namespace:value`.",
    "attribute": "Path of an attribute, such as `person.name`.",
    "audience": "Only members of this audience.",
    "b": "Another identity as `Namespace:value`.",
    "after": "Continue after this cursor: the `next` of the page before.",
    "at": "Instant to ask at, ISO 8601; default now.",
    "batch": "Id of a batch.",
    "before": "Continue with events before this cursor: the `next` of the page before.",
    "contact_cost": "What contacting one person costs.",
    "channels": "Channels of marketing that members must have agreed to, such as `email`.",
    "dataset": "Name of a dataset.",
    "datasets": "Only events of these datasets, separated by commas.",
    "expand": "Take in all identities of the graphs; otherwise only those named.",
    "earlier": "Number of the run to compare with; default the one before.",
    "events": "How many events at most, newest first.",
    "exclude_opt_out": "Whether those are withheld who opted out of everything.",
    "form": "A function of events, instead of an expression.",
    "fresh": "Evaluate the audiences now, without saving; otherwise their members are those of the last evaluation.",
    "key": "Key of the model.",
    "known": "What had been recorded by this instant, ISO 8601; batches reverted later count. Default now.",
    "left": "Name of a view.",
    "limit": "How many at most.",
    "model": "A model that is not saved; instead of `key`.",
    "name": "Name of the definition.",
    "names": "Names of audiences; null for all.",
    "namespace": "Code of an identity namespace, such as `Email`.",
    "new": "The new rule, in PQL.",
    "old": "A rule in PQL, or the name of a saved audience.",
    "oldest_first": "Whether events come in the order of time, instead of the newest first.",
    "person": "An identity as `Namespace:value`, or the id of a person.",
    "persons": "Identities as `Namespace:value`.",
    "pql": "A rule in PQL.",
    "preset": "Instead of events an example: `shared-device`, `non-unique-phone` or `bad-values`.",
    "right": "Name of the view to compare with.",
    "samples": "How many people to show.",
    "run": "Number of the run; `latest` for the last that succeeded.",
    "settings": "Identity settings; default the sandbox's.",
    "since": "Only events at or after this instant.",
    "text": "A line for each event: identities separated by commas, each as `Namespace: value`.",
    "purposes": "Purposes that members must have agreed to, such as `share`.",
    "sample": "How many persons to show of those who enter, and of those who leave.",
    "types": "Only events of these types, separated by commas.",
    "unknown": "What it means when nothing is known of somebody's choice.",
    "until": "Only events before this instant.",
    "value": "Value of the identity.",
    "where": "Only events for which this condition holds: PQL, as in a filter of `xEvent`.",
    "value_per_success": "What one success brings.",
    "year": "A calendar year (UTC); default this one.",
    "version": "Version of the model; default the one in use.",
    "view": "Name of a merge policy: how profiles are stitched and merged; default that of the sandbox.",
    "zone": "IANA name of the time zone whose calendar the rule means.",
    "what_if": "Whether to tell what would move the person to another bucket too.",
}


@dataclass(frozen=True)
class Reading:
    """A question with its HTTP method and path; call it with a workspace and the arguments of its path and query."""

    method: Literal["GET", "POST"]
    path: str
    call: Callable[..., Any]

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.call.__name__

    @property
    def summary(self) -> str:
        """What is asked, in a line."""
        return (self.call.__doc__ or "").strip()

    def __call__(self, workspace: Workspace, **arguments: Any) -> bytes:
        """Return the answer as JSON."""
        return encode(self.call(workspace, **arguments))


_encoder = msgspec.json.Encoder(decimal_format="number")
READINGS: dict[str, Reading] = {}
"""By name; `coterie.api.readings` fills it."""


def encode(answer: Any) -> bytes:
    """Return any result of the façade as JSON; exact decimals stay exact."""
    return _encoder.encode(answer)


def get(path: str) -> Callable[[Callable[..., Any]], Reading]:
    """Make the function under it a reading; its parameters stand in the path and the query."""
    return lambda call: _add(Reading("GET", path, call))


def post(path: str) -> Callable[[Callable[..., Any]], Reading]:
    """Make the function under it a reading whose parameters are the body of the request; it changes nothing either."""
    return lambda call: _add(Reading("POST", path, call))


def _add(reading: Reading) -> Reading:
    READINGS[reading.name] = reading
    return reading
