"""Labels of audiences: those of the fields that their rules read, and of the audiences that these read."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import reduce
from operator import or_

from coterie.audience import plan
from coterie.audience.definition import Audience
from coterie.core.errors import Conflict
from coterie.core.schema import Schema, SchemaClass, lookup
from coterie.governance import labels
from coterie.ingest.dataset import Dataset
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.reads import Reads
from coterie.pql.analysis import Analysis


class Labels:
    """The labels in force, by what carries them.

    Parameters
    ----------
    definitions : Definitions
        The schemas, datasets and audiences there are.
    """

    def __init__(self, definitions: Definitions) -> None:
        self._union = definitions.union()
        self._reads = Reads(self._union)
        self._known = {item.name: item for item in definitions.list(Audience)}
        schemas = {item.name: item for item in definitions.list(Schema)}
        self._schemas = list(schemas.values())
        self._datasets = [(schemas[item.schema], item.labels) for item in definitions.list(Dataset) if item.labels]

    def of_audience(self, audience: Audience) -> tuple[str, ...]:
        """Return the labels that an audience inherits, directly or through audiences that its rule reads."""
        known = self._known | {audience.name: audience}
        chosen = plan.closure([audience.name], known)
        return labels.in_order(label for name in chosen for label in self._of_rule(known[name]))

    def _of_rule(self, audience: Audience) -> frozenset[str]:
        return self.of_reading(reduce(or_, self._reads.of(audience), Analysis()))

    def of_reading(self, reads: Analysis) -> frozenset[str]:
        """Return the labels of the fields that something reads."""
        found = self._of_fields(SchemaClass.PROFILE, reads.profile_fields)
        if reads.reads_events:
            found |= self._of_fields(SchemaClass.EVENT, reads.event_fields or {""})
        return found

    def of_paths(self, profile: Collection[str] | None, events: Collection[str] | None) -> tuple[str, ...]:
        """Return the labels of fields of profiles and of events, given by their paths; None where none are read."""
        found: set[str] = set()
        found |= self._of_fields(SchemaClass.PROFILE, profile) if profile is not None else set()
        found |= self._of_fields(SchemaClass.EVENT, events) if events is not None else set()
        return labels.in_order(found)

    def of_identities(self) -> tuple[str, ...]:
        """Return the labels of the fields that hold identities: an export has their values."""
        found: set[str] = set()
        for schema in self._schemas:
            if schema.class_ is not SchemaClass.RECORD:
                found |= self._of_fields(schema.class_, {item.path for item in schema.identities})
        return labels.in_order(found)

    def _of_fields(self, class_: SchemaClass, paths: Collection[str]) -> frozenset[str]:
        """Return the labels of fields of profiles or events, by schemas and by datasets.

        The empty path is the whole: that there is an event at all.
        """
        root = self._union.event if class_ is SchemaClass.EVENT else self._union.profile
        of_datasets = {
            label
            for schema, words in self._datasets
            if schema.class_ is class_ and any(not path or lookup(schema.root, path) is not None for path in paths)
            for label in words
        }
        return labels.of_fields(root, paths) | of_datasets


def refuse_labels(
    audience: str,
    refused: Iterable[str],
    carried: Collection[str],
    of_identities: Collection[str],
    of_columns: Collection[str] = (),
) -> None:
    """Raise ``export.label`` when an audience, or what the file has of its members, carries a refused label."""
    carriers = (
        (carried, f"audience {audience} carries"),
        (of_identities, "identities of its members carry"),
        (of_columns, "columns of the file carry"),
    )
    for label in refused:
        whose = next((told for labels_, told in carriers if label in labels_), None)
        if whose is not None:
            raise Conflict(
                "export.label",
                f"audience {audience} is not exported: {whose} the label {label}.",
                hint="`coterie audience show` names the labels of an audience, `coterie schema show` those of fields.",
                where={"audience": audience, "label": label},
            )
