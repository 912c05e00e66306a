"""Identity settings: looked at, previewed, saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from coterie.identity import preview as previews
from coterie.identity.preview import SettingsPreview
from coterie.identity.settings import SETTINGS, IdentitySettings, check, order
from coterie.pipeline.define import save
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.effects import graphs
from coterie.pipeline.written import convert
from coterie.store.sandbox import Sandbox


class SettingsInForce(msgspec.Struct, frozen=True):
    """Identity settings with the whole order of priority that they give, and what is odd about them."""

    settings: IdentitySettings
    order: tuple[str, ...]
    warnings: tuple[str, ...]


def in_force(sandbox: Sandbox) -> SettingsInForce:
    """Return the settings in force."""
    definitions = Definitions(sandbox.catalog)
    settings, namespaces = definitions.identity_settings(), definitions.namespaces()
    return SettingsInForce(settings, order(settings, namespaces), check(settings, namespaces))


def read(spec: Mapping[str, Any] | IdentitySettings) -> IdentitySettings:
    """Return settings from their written form, where a namespace may be its code alone; ``identity.settings-spec``."""
    if isinstance(spec, IdentitySettings):
        return spec
    rules = spec.get("namespaces") if isinstance(spec, Mapping) else None
    if isinstance(rules, list | tuple):
        spec = {**spec, "namespaces": [{"code": rule} if isinstance(rule, str) else rule for rule in rules]}
    return convert(spec, IdentitySettings, "identity.settings-spec", "identity settings")


def preview(sandbox: Sandbox, spec: Mapping[str, Any] | IdentitySettings) -> SettingsPreview:
    """Return exactly what saving settings would change; writes nothing."""
    settings = read(spec)
    warnings = check(settings, Definitions(sandbox.catalog).namespaces())
    return previews.preview(graphs.evidence(sandbox, settings), warnings)


def put(sandbox: Sandbox, spec: Mapping[str, Any] | IdentitySettings) -> SettingsInForce:
    """Save settings and apply them to all graphs at once."""
    settings = read(spec)
    check(settings, Definitions(sandbox.catalog).namespaces())
    save(sandbox, SETTINGS, settings)
    return in_force(sandbox)
