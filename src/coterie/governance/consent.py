"""Consent as rules: who must be left out of an audience, in the language that audiences are written in.

Each reason to withhold a person is a PQL rule that holds for those who are withheld, so every engine means the same by
it. Fields that no schema has make no rule.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec

from coterie.core.errors import NotFound
from coterie.core.schema import FieldType, Union, leaves
from coterie.governance.fields import CHANNELS, GRANTED, PURPOSES, REFUSED
from coterie.pql.printer import path as path_of

GENERAL, SALES = "general_opt_out", "sales_sharing_opt_out"
OPT_OUTS = "privacyOptOuts"
_GLOBAL = "optInOut.globalOptout"

Cause = Literal["opt-out", "consent"]


class Consent(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What members must have agreed to: all of these channels of marketing and all of these purposes.

    `unknown` says what it means when nothing is known of somebody's choice.
    """

    channels: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    unknown: Literal["yes", "no"] = "no"


@dataclass(frozen=True)
class Withholding:
    """A reason to withhold people: in words, as a rule that holds for them, and the fields that it reads."""

    cause: Cause
    words: str
    rule: str
    fields: tuple[str, ...]


def opt_out(union: Union) -> Withholding | None:
    """Return the reason to withhold those who opted out of everything; None when no field tells."""
    known = _Fields(union)
    found = [rule for rule, _ in (_old_choice(known, GENERAL, "out"),) if rule]
    fields = [OPT_OUTS] if found else []
    if known.has(_GLOBAL, FieldType.BOOLEAN):
        found.append(f"{_GLOBAL} = true")
        fields.append(_GLOBAL)
    if not found:
        return None
    return Withholding("opt-out", "general opt-out", " or ".join(found), tuple(fields))


def required(consent: Consent, union: Union) -> tuple[Withholding, ...]:
    """Return the reasons to withhold those who did not agree, one for each channel and purpose.

    Raises
    ------
    NotFound
        ``consent.not-found`` for a channel or purpose of which no field tells.
    """
    known = _Fields(union)
    return (
        *(_channel(known, name, consent.unknown) for name in dict.fromkeys(consent.channels)),
        *(_purpose(known, name, consent.unknown) for name in dict.fromkeys(consent.purposes)),
    )


class _Fields:
    """The single values that profiles have, by path, and arrays of opt-outs."""

    def __init__(self, union: Union) -> None:
        self._types = {(leaf.path, leaf.depth): leaf.field.type for leaf in leaves(union.profile)}

    def has(self, path: str, type_: FieldType = FieldType.STRING, depth: int = 0) -> bool:
        return self._types.get((path, depth)) is type_

    def below(self, prefix: str, suffix: str) -> list[str]:
        """Return what stands between a prefix and a suffix in the paths of single texts."""
        return [
            path[len(prefix) : len(path) - len(suffix)]
            for path, depth in self._types
            if not depth and path.startswith(prefix) and path.endswith(suffix) and len(path) > len(prefix + suffix)
        ]


def _channel(known: _Fields, name: str, unknown: str) -> Withholding:
    own, general, old = f"consents.marketing.{name}.val", "consents.marketing.any.val", f"optInOut._channels.{name}"
    granted: list[str] = []
    refused: list[str] = []
    fields: list[str] = []
    if known.has(own):
        choice = _written(own)
        granted.append(f"{choice} in {_texts(GRANTED)}")
        refused.append(f"{choice} in {_texts(REFUSED)}")
        fields.append(own)
        if known.has(general) and name != "any":
            # the choice for all marketing: a no goes before that of the channel, the rest stands in for a missing one
            refused.append(f'{general} = "n"')
            refused.append(f'({general} = "dn" and not ({choice} in {_texts(GRANTED)}))')
            granted.append(f"{general} in {_texts(GRANTED)}")
            fields.append(general)
    if known.has(old):
        granted.append(f'{_written(old)} = "in"')
        refused.append(f'{_written(old)} = "out"')
        fields.append(old)
    if not fields:
        channels = {*known.below("consents.marketing.", ".val"), *known.below("optInOut._channels.", "")}
        raise _unknown("channel", name, channels or CHANNELS)
    return _withholding(f"no consent to the channel {name}", granted, refused, fields, unknown)


def _purpose(known: _Fields, name: str, unknown: str) -> Withholding:
    own = f"consents.{name}.val"
    granted: list[str] = []
    refused: list[str] = []
    fields: list[str] = []
    if known.has(own):
        granted.append(f"{_written(own)} in {_texts(GRANTED)}")
        refused.append(f"{_written(own)} in {_texts(REFUSED)}")
        fields.append(own)
    if name == "share":
        for into, value in ((granted, "in"), (refused, "out")):
            rule, path = _old_choice(known, SALES, value)
            into += [rule] if rule else []
            fields += [path] if rule and path not in fields else []
    if not fields:
        purposes = [each for each in known.below("consents.", ".val") if not each.startswith("marketing.")]
        raise _unknown("purpose", name, purposes or PURPOSES)
    return _withholding(f"no consent to the purpose {name}", granted, refused, fields, unknown)


def _old_choice(known: _Fields, type_: str, value: str) -> tuple[str, str]:
    """Return the rule that some opt-out has a type and a value, and the path of opt-outs; empty without that field."""
    if not (known.has(f"{OPT_OUTS}.optOutType", depth=1) and known.has(f"{OPT_OUTS}.optOutValue", depth=1)):
        return "", ""
    return f'{OPT_OUTS}[optOutType = "{type_}" and optOutValue = "{value}"].count() >= 1', OPT_OUTS


def _withholding(words: str, granted: list[str], refused: list[str], fields: list[str], unknown: str) -> Withholding:
    refusal = " or ".join(refused)
    rule = refusal if unknown == "yes" else f"{refusal} or not ({' or '.join(granted)})"
    return Withholding("consent", words, rule, tuple(fields))


def _written(path: str) -> str:
    return path_of(path.split("."))


def _texts(values: tuple[str, ...]) -> str:
    listed = ", ".join(f'"{value}"' for value in values)
    return f"[{listed}]"


def _unknown(kind: str, name: str, known: Iterable[str]) -> NotFound:
    listed = ", ".join(sorted(known))
    return NotFound(
        "consent.not-found",
        f"no field of the profile says whether somebody agreed to the {kind} {name}.",
        hint=f"Known are {listed}. The field group consents holds such fields: name it in a schema.",
        where={kind: name},
    )
