"""Namespaces: what kind of thing an identity value names. The standard list and the rules for custom ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from coterie.core.errors import Conflict, Invalid

MAX_IDENTITIES = 20
"""Most identities of one record that may be linked."""

PERSON = 2
"""The rank of namespaces of people, who leave a full graph last."""

FIRST_CUSTOM = 1000
"""Numbers of custom namespaces begin here."""

_CODE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


class NamespaceType(StrEnum):
    """What a namespace names; fixed for ever, because it decides whether graphs are built from it."""

    COOKIE = "COOKIE"
    CROSS_DEVICE = "CROSS_DEVICE"
    DEVICE = "DEVICE"
    EMAIL = "EMAIL"
    PHONE = "PHONE"
    NON_PEOPLE = "NON_PEOPLE"
    PARTNER = "PARTNER"

    @classmethod
    def _missing_(cls, value: object) -> NamespaceType | None:
        """Accept any letter case, and MOBILE for DEVICE."""
        name = str(value).strip().upper()
        return cls.__members__.get("DEVICE" if name == "MOBILE" else name)

    @property
    def links(self) -> bool:
        """Whether identities of this type build graphs."""
        return self not in (NamespaceType.NON_PEOPLE, NamespaceType.PARTNER)

    @property
    def person(self) -> bool:
        """Whether such an identity belongs to one person rather than to a browser or device."""
        return self in (NamespaceType.CROSS_DEVICE, NamespaceType.EMAIL, NamespaceType.PHONE)

    @property
    def rank(self) -> int:
        """Who leaves a full graph first: the lowest."""
        return {NamespaceType.COOKIE: 0, NamespaceType.DEVICE: 1}.get(self, PERSON)


class Namespace(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A namespace of identities. `code` and `type` never change; `name` and `description` may.

    `id` is its number in interfaces that speak in numbers; `check_change` gives one to a new namespace.
    """

    code: str
    type: NamespaceType
    name: str = ""
    description: str = ""
    custom: bool = False
    id: int | None = None


def _standard(id_: int, code: str, name: str, type_: NamespaceType, description: str = "") -> Namespace:
    return Namespace(code, type_, name, description, False, id_)


STANDARD: tuple[Namespace, ...] = (
    _standard(4, "ECID", "ECID", NamespaceType.COOKIE, "Experience Cloud id of a browser: 38 digits"),
    _standard(6, "Email", "Email", NamespaceType.EMAIL),
    _standard(7, "Phone", "Phone", NamespaceType.PHONE),
    _standard(10, "AAID", "Adobe Analytics (legacy id)", NamespaceType.COOKIE),
    _standard(
        11,
        "Email_LC_SHA256",
        "Emails (SHA256, lowercased)",
        NamespaceType.EMAIL,
        "Trimmed and lower-cased before hashing",
    ),
    _standard(12, "Phone_E.164", "Phone (E.164)", NamespaceType.PHONE),
    _standard(
        13, "Phone_SHA256", "Phone (SHA256)", NamespaceType.PHONE, "Digits with the country code, hashed by SHA-256"
    ),
    _standard(
        14, "Phone_SHA256_E.164", "Phone (SHA256_E.164)", NamespaceType.PHONE, "An E.164 number, hashed by SHA-256"
    ),
    _standard(15, "APNS", "Apple Push Notification service", NamespaceType.DEVICE),
    _standard(16, "FCM", "Firebase Cloud Messaging", NamespaceType.DEVICE),
    _standard(17, "GAID", "Google Ad ID", NamespaceType.DEVICE),
    _standard(18, "IDFA", "Apple IDFA", NamespaceType.DEVICE),
    _standard(19, "RIDA", "Roku ID for Advertising", NamespaceType.DEVICE),
    _standard(20, "TNTID", "TNTID (Target)", NamespaceType.COOKIE),
    _standard(21, "WAID", "Windows AID", NamespaceType.DEVICE),
    _standard(22, "FPID", "First-party cookie", NamespaceType.COOKIE, "Id of a browser, set by your own site"),
    _standard(23, "CRMID", "Customer id", NamespaceType.CROSS_DEVICE, "Id of a customer in your own systems"),
    _standard(411, "AdCloud", "AdCloud", NamespaceType.COOKIE),
)
"""Namespaces that every sandbox has. Numbers below 1000 are reserved for them."""


def check_change(known: Mapping[str, Namespace], namespace: Namespace) -> Namespace:
    """Check a new or changed custom namespace against those there are, and complete it.

    Parameters
    ----------
    known : mapping
        All namespaces there are, by code.
    namespace : Namespace
        The namespace as it would be saved.

    Returns
    -------
    Namespace
        The namespace to save: with a number, and with the code as its name when it has none.

    Raises
    ------
    Invalid
        ``namespace.code`` when the code is not one plain word.
    Conflict
        ``namespace.fixed`` when it would change a standard namespace or the type of another one;
        ``namespace.exists`` when another namespace has its name.
    """
    code = namespace.code
    if not _CODE.fullmatch(code):
        raise Invalid(
            "namespace.code",
            f"{code!r} cannot be the code of a namespace.",
            hint="Use one word of letters, digits, underscores, dots and hyphens, up to 64 characters.",
            where={"namespace": code},
        )
    before = known.get(code)
    if before is not None and not before.custom:
        raise Conflict(
            "namespace.fixed",
            f"namespace {code} is a standard one and cannot be changed.",
            hint="Choose another code.",
            where={"namespace": code},
        )
    if before is not None and before.type is not namespace.type:
        raise Conflict(
            "namespace.fixed",
            f"namespace {code} is of type {before.type} and stays so, because graphs were built by it.",
            hint="Create another namespace with the type you need.",
            where={"namespace": code},
        )
    name = namespace.name or (before.name if before else code)
    for other in known.values():
        if other.code != code and other.name.casefold() == name.casefold():
            raise Conflict(
                "namespace.exists",
                f"namespace {other.code} has the name {name!r} already.",
                hint="Choose another name.",
                where={"namespace": code},
            )
    number = before.id if before else max([FIRST_CUSTOM - 1, *(item.id or 0 for item in known.values())]) + 1
    return msgspec.structs.replace(namespace, name=name, custom=True, id=number)
