"""Computed attributes: named expressions over profiles and their events."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pyroaring import BitMap

from coterie.computed.definition import ComputedAttribute
from coterie.computed.form import Form
from coterie.computed.preview import Preview
from coterie.computed.values import values
from coterie.pipeline import computed
from coterie.pipeline.evaluate import past
from coterie.workspace.room import Room, instant

if TYPE_CHECKING:
    import pyarrow as pa


class Computed(Room):
    """Computed attributes: what rules read as ``computedAttributes.<name>``."""

    def put(
        self,
        name: str,
        pql: str | None = None,
        *,
        form: Mapping[str, Any] | Form | None = None,
        title: str = "",
        description: str = "",
    ) -> ComputedAttribute:
        """Save a computed attribute; when audiences read it, they are evaluated anew.

        Parameters
        ----------
        name : str
            A letter, then letters, digits and ``_``.
        pql : str, optional
            The expression, over the profile and its events.
        form : mapping or Form, optional
            A function of events instead: `function`, `field`, `event`, `filter`, `look_back`, `n`.
        title, description : str
            Words for people; the title is used in sentences.

        Raises
        ------
        PqlError
            With the problems of the expression.
        Invalid
            ``computed.name``, ``computed.form``, ``computed.type``, ``computed.cycle``, ``computed.membership``.
        Conflict
            ``computed.in-use`` when what reads it could not read what it becomes.
        """
        before = self._definitions.find(ComputedAttribute, name)
        saved = computed.put(self._sandbox, name, pql, form=form, title=title, description=description)
        changed = before is not None and before.pql != saved.pql
        if changed and self._definitions.audiences_reading(name, self._definitions.union()):
            self._workspace.audiences._after(f"computed attribute {name}")
        return saved

    def get(self, name: str) -> ComputedAttribute:
        """Return a computed attribute; raises ``computed_attribute.not-found``."""
        return self._definitions.get(ComputedAttribute, name)

    def list(self) -> builtins.list[ComputedAttribute]:
        """Return all computed attributes by name."""
        return self._definitions.list(ComputedAttribute)

    def readers(self, name: str) -> builtins.list[str]:
        """Return the names of the computed attributes and audiences that read one."""
        return computed.readers_of(self._sandbox, self.get(name).name)

    def delete(self, name: str) -> None:
        """Delete a computed attribute that no audience and no other one reads."""
        computed.delete(self._sandbox, name)

    def preview(
        self,
        pql: str | None = None,
        *,
        form: Mapping[str, Any] | Form | None = None,
        view: str | None = None,
        zone: str = "UTC",
        at: str | int | None = None,
    ) -> Preview:
        """Tell how the values of an expression, or of a form, are spread over people; nothing is saved.

        Parameters
        ----------
        pql, form
            As for `put`.
        view : str, optional
            Which view of the profiles; default the default one.
        zone : str
            IANA name of the time zone whose calendar the expression means.
        at : str or int, optional
            Instant to ask at; default now. At a past one, later events are left out.
        """
        return computed.looked_at(self._sandbox, pql, form, view=view, zone=zone, at=instant(at))

    def values(
        self,
        names: Iterable[str] | None = None,
        *,
        view: str | None = None,
        people: Iterable[int] | None = None,
        zone: str = "UTC",
        at: str | int | None = None,
    ) -> pa.Table:
        """Return the values of computed attributes, default all, for many people at once, a row for each person.

        Parameters
        ----------
        names : iterable of str, optional
            Which of them.
        view : str, optional
            Which view of the profiles; default the default one.
        people : iterable of int, optional
            Numbers of persons; default all.
        zone, at
            As for `preview`.
        """
        union, found = self._definitions.union(), self._definitions.view(view).name
        asked = instant(at)
        return values(
            self._con,
            union,
            union.computed if names is None else names,
            found,
            None if people is None else BitMap(people),
            self._sandbox.clock.now() if asked is None else asked,
            zone,
            past(self._sandbox, asked),
        )
