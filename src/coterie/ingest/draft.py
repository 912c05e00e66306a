"""Drafts: a proposed schema and mapping, written as one file that a person corrects and loads back."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from typing import Any

import msgspec
import yaml

from coterie.core.errors import Invalid
from coterie.core.faults import fault
from coterie.ingest.mapping import Mapping
from coterie.ingest.source import SourceFormat

_HEAD = """\
# A proposal: correct what is wrong, then put the schema and load with the mapping.
# Fields: types are string, integer, number (with `decimals` it is exact), boolean, date, date-time; [] marks an array.
# Mapping: a source column, or a rule such as {source: bought, format: '%d.%m.%Y', zone: Europe/Paris}.
"""


class Draft(msgspec.Struct, frozen=True):
    """A proposed schema (in its written form) and mapping for some files.

    `preview` shows the first rows as they would be stored, `notes` what was taken for granted and should be looked at.
    """

    schema: dict[str, Any]
    mapping: Mapping
    format: SourceFormat = SourceFormat()
    preview: list[dict[str, Any]] = []
    notes: list[str] = []

    def to_yaml(self) -> str:
        """Return the file to edit."""
        parts = {
            "notes": self.notes,
            "schema": self.schema,
            "mapping": self.mapping.to_dict(),
            "format": msgspec.to_builtins(self.format),
            "preview": self.preview,
        }
        return _HEAD + yaml.safe_dump(parts, sort_keys=False, allow_unicode=True, width=120)

    @classmethod
    def from_yaml(cls, text: str) -> Draft:
        """Read the file back; raises ``draft.spec``, ``mapping.spec``."""
        try:
            parts = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise Invalid("draft.spec", f"the draft is no YAML: {error}.") from error
        if not isinstance(parts, Dict) or not isinstance(parts.get("schema"), Dict):
            raise Invalid("draft.spec", "a draft needs `schema` and `mapping`.")
        try:
            form = msgspec.convert(parts.get("format") or {}, SourceFormat)
        except msgspec.ValidationError as error:
            found = fault(error, parts["format"], SourceFormat)
            raise Invalid("draft.spec", f"format: {found.message}.", hint=found.hint) from error
        return cls(
            dict(parts["schema"]),
            Mapping.read(parts.get("mapping") or {}),
            form,
            list(parts.get("preview") or []),
            list(parts.get("notes") or []),
        )
