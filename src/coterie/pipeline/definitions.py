"""Typed access to the definitions of a sandbox. Reading is from the catalog; writing goes through the log."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from coterie.audience import plan
from coterie.audience.definition import Audience
from coterie.computed.definition import ComputedAttribute, extended
from coterie.core.errors import NotFound
from coterie.core.schema import FieldGroup, Leaf, Schema, Union, leaves, union_of
from coterie.governance.fields import GROUPS
from coterie.governance.retention import RetentionSettings
from coterie.identity.namespaces import STANDARD, Namespace
from coterie.identity.settings import SETTINGS, IdentitySettings
from coterie.ingest.dataset import Dataset
from coterie.prediction.definition import Model
from coterie.prediction.run import Run, Version
from coterie.profile.policy import STITCHED, VIEWS, View
from coterie.store.catalog import Catalog

T = TypeVar("T")

KINDS: dict[type, str] = {
    Schema: "schema",
    FieldGroup: "field_group",
    Dataset: "dataset",
    Namespace: "namespace",
    View: "view",
    Audience: "audience",
    ComputedAttribute: "computed_attribute",
    RetentionSettings: "retention_settings",
    IdentitySettings: "identity_settings",
    Model: "model",
    Run: "model_run",
    Version: "model_version",
}


class Definitions:
    """The definitions in force, as the types of their floors.

    Parameters
    ----------
    catalog : Catalog
        Where they lie.
    known : int, optional
        The instant whose definitions are meant, ms; default now.
    """

    def __init__(self, catalog: Catalog, known: int | None = None) -> None:
        self._catalog = catalog
        self._known = known

    def find(self, type_: type[T], name: str) -> T | None:
        """Return the definition called `name`, or None."""
        found = self._catalog.find(KINDS[type_], name, self._known)
        return None if found is None else msgspec.convert(found.body, type_)

    def get(self, type_: type[T], name: str) -> T:
        """Return the definition called `name`; raises ``<kind>.not-found`` with a suggestion."""
        found = self.find(type_, name)
        if found is None:
            kind = KINDS[type_]
            raise NotFound.named(kind, name, (item.id for item in self._catalog.definitions(kind, self._known)))
        return found

    def list(self, type_: type[T]) -> list[T]:
        """Return all definitions of a kind, by name."""
        kind = KINDS[type_]
        found = sorted(self._catalog.definitions(kind, self._known), key=lambda item: item.id)
        return [msgspec.convert(item.body, type_) for item in found]

    def version(self, type_: type, name: str) -> int:
        """Return the number of the version in force."""
        return self._catalog.definition(KINDS[type_], name).version

    def union(self) -> Union:
        """Return the union of all schemas, with the computed attributes."""
        return extended(self.stored_union(), self.list(ComputedAttribute))

    def stored_union(self) -> Union:
        """Return the union of all schemas alone."""
        return union_of(self.list(Schema))

    def groups(self) -> dict[str, FieldGroup]:
        """Return all field groups by name: those that come with the program and the sandbox's own."""
        return GROUPS | {item.name: item for item in self.list(FieldGroup)}

    def namespaces(self) -> dict[str, Namespace]:
        """Return all namespaces by code: the standard ones and the sandbox's own."""
        return {item.code: item for item in (*STANDARD, *self.list(Namespace))}

    def identity_settings(self) -> IdentitySettings:
        """Return the identity settings in force."""
        return self.find(IdentitySettings, SETTINGS) or IdentitySettings()

    def audiences(self, view: str) -> tuple[str, ...]:
        """Return the names of the audiences of a view."""
        return tuple(item.name for item in self.list(Audience) if item.view == view)

    def audiences_reading(self, attribute: str, union: Union) -> tuple[Audience, ...]:
        """Return the audiences that read a computed attribute of a union, directly or through others."""
        return tuple(item for item in self.list(Audience) if attribute in plan.computed(item, union))

    def view(self, name: str | None) -> View:
        """Return a view by name, the default one for None; raises ``view.not-found``."""
        views = self.views()
        if name is None:
            return next((item for item in views.values() if item.default), views[STITCHED.name])
        if name not in views:
            raise NotFound.named("view", name, views, "merge policy")
        return views[name]

    def views(self) -> dict[str, View]:
        """Return all views by name: the built-in ones and the sandbox's own."""
        return {item.name: item for item in (*VIEWS, *self.list(View))}


def profile_leaves(definitions: Definitions) -> list[Leaf]:
    """Return the stored leaves of the profile union (what the system derives itself is not stored as attributes)."""
    derived = ("identityMap.", "segmentMembership.")
    return [leaf for leaf in leaves(definitions.stored_union().profile) if not leaf.path.startswith(derived)]
