"""Audiences with what follows from them: labels, warnings, the last evaluation; and their exports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from coterie.audience import export, ledger
from coterie.audience.columns import Columns, read_columns
from coterie.audience.definition import Audience
from coterie.audience.export import Export
from coterie.audience.ledger import Outcome
from coterie.governance.consent import Consent
from coterie.governance.labels import in_order
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.labels import Labels, refuse_labels
from coterie.pipeline.questions import Questions
from coterie.pipeline.retention import LookBack, look_backs
from coterie.store.sandbox import Sandbox


class AudienceView(msgspec.Struct, frozen=True):
    """An audience with what follows from it.

    `labels` are those of all that its rule reads. `last` tells what the last evaluation gave. `warnings` name datasets
    that keep their events for less long than the rule looks back.
    """

    name: str
    pql: str
    title: str
    description: str
    view: str
    zone: str
    consent: Consent | None
    exclude_opt_out: bool
    labels: tuple[str, ...]
    last: Outcome | None
    warnings: tuple[LookBack, ...]


def views(sandbox: Sandbox, audiences: Iterable[Audience]) -> list[AudienceView]:
    """Return audiences with what follows from them."""
    definitions, chosen = Definitions(sandbox.catalog), list(audiences)
    labels, outcomes = Labels(definitions), ledger.outcomes(sandbox.history.con)
    warnings: dict[str, list[LookBack]] = {item.name: [] for item in chosen}
    for warning in look_backs(definitions, chosen):
        warnings[warning.audience].append(warning)
    return [
        AudienceView(
            **{name: getattr(item, name) for name in Audience.__struct_fields__},
            labels=labels.of_audience(item),
            last=outcomes.get(item.name),
            warnings=tuple(warnings[item.name]),
        )
        for item in chosen
    ]


def export_members(
    questions: Questions,
    name: str,
    path: Path,
    format_: str | None,
    refused: Iterable[str] = (),
    columns: Mapping[str, str] | None = None,
) -> Export:
    """Write the present members of an audience to a file, without those who are withheld by now.

    Parameters
    ----------
    questions : Questions
        Asks who is withheld.
    name : str
        The audience.
    path : Path
        The file.
    format_ : {"csv", "jsonl", "parquet"}, optional
        Default: what the file name ends with.
    refused : iterable of str
        Labels that what is exported must not carry.
    columns : mapping of str to str, optional
        Expressions in PQL by the name of their column: what else is written of each member.

    Raises
    ------
    PqlError
        With all problems of an expression.
    Invalid
        ``export.column``, ``export.format``.
    Conflict
        ``export.label`` when it does.
    """
    definitions = Definitions(questions.sandbox.catalog)
    audience = definitions.get(Audience, name)
    labels = Labels(definitions)
    of_audience, of_identities = labels.of_audience(audience), labels.of_identities()
    con, union = questions.sandbox.history.con, definitions.union()
    chosen = read_columns(columns or {}, union, (*export.OWN, *definitions.namespaces()))
    of_columns = in_order(label for column in chosen for label in labels.of_reading(column.reads))
    refuse_labels(name, refused, of_audience, of_identities, of_columns)
    told = Columns(chosen, union, questions.sandbox.clock.now(), audience.zone) if chosen else None
    written = export.export(con, name, audience.view, path, format_, questions.withheld(name), told)
    return msgspec.structs.replace(written, labels=of_audience, identity_labels=of_identities, column_labels=of_columns)
