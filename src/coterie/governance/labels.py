"""Data usage labels: words on fields that say how their values may be used, and how they pass to what reads them.

Any word may be a label. Those in `DOCUMENTED` have the meaning that the field gives them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from coterie.core.errors import Invalid
from coterie.core.schema import Field

DOCUMENTED: Mapping[str, str] = {
    "C1": "may be exported in aggregated form only, without identifiers of persons or devices",
    "C2": "may not be exported to a third party",
    "C3": "may not be combined with directly identifiable information",
    "C4": "may not be used to target ads or content, on one site or across sites",
    "C5": "may not be used for interest-based targeting across sites",
    "C6": "may not be used to target ads on the own site",
    "C7": "may not be used to target content on the own site",
    "C8": "may not be used to measure the own sites and apps",
    "C9": "may not be used in data science",
    "C10": "may not be used to activate stitched identities",
    "C11": "may not be shared with partners for matching",
    "C12": "may not be exported in any way",
    "I1": "identifies a person directly",
    "I2": "identifies a person together with other data",
    "S1": "tells the precise place of a device",
    "S2": "tells a broad area in which a device is",
    "PSPD": "sensitive personal data that is permitted by contract",
    "RHD": "regulated health data",
}
"""Labels with an agreed meaning."""

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _./-]{0,63}")


def checked(labels: Iterable[str], where: str) -> tuple[str, ...]:
    """Return labels once each, in order; raises ``label.word`` for one that is no word.

    Examples
    --------
    >>> checked(["C2", "I1", "C2"], "field email")
    ('C2', 'I1')
    """
    found = tuple(dict.fromkeys(labels))
    for label in found:
        if not _WORD.fullmatch(label):
            raise Invalid(
                "label.word",
                f"{where}: {label!r} cannot be a label.",
                hint="Use letters, digits, blanks, _ . / and -, at most 64, the first a letter or a digit.",
                where={"label": label},
            )
    return found


def of_fields(root: Field, paths: Collection[str]) -> frozenset[str]:
    """Return the labels of all fields that are read.

    Of an object or array whose parts are read by name, what is not named is not read.
    """
    parents = {path[:place] for path in paths for place, letter in enumerate(path) if letter == "."}
    return frozenset(label for path in paths for label in of_field(root, path, whole=path not in parents))


def of_field(root: Field, path: str, *, whole: bool = True) -> frozenset[str]:
    """Return the labels of a field: its own, those of what is around it, and if `whole` those of all that lies below.

    Parameters
    ----------
    root : Field
        The object that the path begins in.
    path : str
        Dotted path, through arrays and maps.
    whole : bool
        Whether what lies below is meant too.
    """
    field, found = root, set(root.labels)
    for name in path.split("."):
        while field.items is not None:
            field = field.items
            found |= set(field.labels)
        below = field.properties.get(name)
        if below is None:
            return frozenset(found)
        field = below
        found |= set(field.labels)
    return frozenset(found | {label for each in _below(field) for label in each.labels} if whole else found)


def _below(field: Field) -> Iterator[Field]:
    for child in (*field.properties.values(), *(() if field.items is None else (field.items,))):
        yield child
        yield from _below(child)


def all_of(fields: Mapping[str, Field], where: str) -> None:
    """Check the labels of all fields; raises ``label.word``."""
    for name, field in fields.items():
        for each in (field, *_below(field)):
            checked(each.labels, f"{where}: field {name}")


def in_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Return labels once each: those with an agreed meaning first, in the order of `DOCUMENTED`, then the others."""
    place = {label: position for position, label in enumerate(DOCUMENTED)}
    return tuple(sorted(set(labels), key=lambda label: (place.get(label, len(place)), label)))
