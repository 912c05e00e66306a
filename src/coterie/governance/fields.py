"""Field groups that come with the program: fields of consent, in both generations that are in use."""

from __future__ import annotations

from typing import Any

from coterie.core.schema import FieldGroup, SchemaClass, read_fields

CHOICES = ("y", "n", "p", "u", "dy", "dn", "LI", "CT", "CP", "VI", "PI")
"""Words of ``consents.….val``: yes, no, pending, unknown, yes or no by default, and five legal bases."""
GRANTED = ("y", "dy", "LI", "CT", "CP", "VI", "PI")
REFUSED = ("n", "dn")
CHANNELS = ("email", "sms", "push", "call", "whatsApp", "fax", "postalMail")
PURPOSES = ("collect", "share", "adID", "personalize.content")
OLD_CHANNELS = ("email", "sms", "push", "phone", "fax", "directMail")
STATES = ("not_provided", "pending", "out", "in")

_CHOICE = {"type": "string", "enum": CHOICES}
_STATE = {"type": "string", "enum": STATES}


def _channel(name: str) -> dict[str, Any]:
    path = f"consents.marketing.{name}"
    return {f"{path}.val": _CHOICE, f"{path}.time": "date-time", f"{path}.reason": "string"}


def _group(name: str, title: str, description: str, fields: dict[str, Any]) -> FieldGroup:
    built = read_fields(fields, f"field group {name}")
    return FieldGroup(name, (SchemaClass.PROFILE,), built, title, description)


GROUPS: dict[str, FieldGroup] = {
    group.name: group
    for group in (
        _group(
            "consents",
            "Consents and preferences",
            "What a customer agreed to: purposes, and channels of marketing.",
            {
                **{f"consents.{purpose}.val": _CHOICE for purpose in PURPOSES},
                "consents.marketing.preferred": "string",
                **{path: field for name in ("any", *CHANNELS) for path, field in _channel(name).items()},
                "consents.metadata.time": "date-time",
            },
        ),
        _group(
            "privacy-opt-outs",
            "Privacy opt-outs",
            "What a customer opted out of: everything, or sales and sharing of data.",
            {
                "privacyOptOuts[].optOutType": {
                    "type": "string",
                    "enum": ("general_opt_out", "sales_sharing_opt_out"),
                },
                "privacyOptOuts[].optOutValue": _STATE,
                "privacyOptOuts[].timestamp": "date-time",
            },
        ),
        _group(
            "opt-in-out",
            "Opt-in and opt-out of channels",
            "The older form of preferences of channels, and of an opt-out of all.",
            {
                **{f"optInOut._channels.{name}": _STATE for name in OLD_CHANNELS},
                "optInOut.globalOptout": "boolean",
            },
        ),
    )
}
"""By name. A schema names them like its own; a saved group of the same name goes before."""
