"""The fields there are, from schemas as they are written in files: for tests of audiences without a workspace."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from coterie.core.errors import Invalid, NotFound
from coterie.core.schema import FieldGroup, Schema, Union, union_of
from coterie.pipeline.written import read_group, read_schema


def schema(*sources: str | Path | Mapping[str, Any]) -> Union:
    """Return the union of schemas, as a workspace that holds them would have it.

    Parameters
    ----------
    *sources : path or mapping
        YAML or JSON files, each with a schema, a field group or a list of them; or such definitions themselves.

    Returns
    -------
    Union
        What `check` and `members` take for `schema`.

    Raises
    ------
    NotFound
        ``file.not-found``, or ``field_group.not-found`` for a group that none of the sources defines.
    Invalid
        ``schema.spec`` and the other faults of a written schema; ``file.yaml`` for a file that is no YAML.

    Examples
    --------
    >>> union = schema({"name": "customers", "class": "profile", "fields": {"tier": "string"}})
    >>> sorted(union.profile.properties)
    ['segmentMembership', 'tier']
    """
    specs = [spec for source in sources for spec in _specs(source)]
    groups = {group.name: group for group in (read_group(spec) for spec in specs if "classes" in spec)}

    def group_of(name: str) -> FieldGroup:
        if name not in groups:
            raise NotFound.named("field_group", name, groups)
        return groups[name]

    schemas: list[Schema] = [read_schema(spec, group_of) for spec in specs if "classes" not in spec]
    return union_of(schemas)


def _specs(source: str | Path | Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if isinstance(source, Mapping):
        return [source]
    path = Path(source)
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFound("file.not-found", f"there is no file {path}.", where={"file": str(path)}) from error
    except yaml.YAMLError as error:
        raise Invalid("file.yaml", f"{path} is no YAML: {error}.", where={"file": str(path)}) from error
    specs = found if isinstance(found, list) else [found]
    for spec in specs:
        if not isinstance(spec, Mapping):
            raise Invalid("schema.spec", f"{path}: expected a schema, or a list of them.", where={"file": str(path)})
    return [spec.get("schema", spec) for spec in specs]
