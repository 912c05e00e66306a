"""How long data are kept."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from coterie.governance.retention import RetentionSettings
from coterie.pipeline import retention
from coterie.pipeline.effects.retention import Retained
from coterie.pipeline.retention import LookBack, RetentionView
from coterie.workspace.room import Room


class Retention(Room):
    """Expiry of events, by dataset (`expire_events_after`), and of pseudonymous profiles."""

    def show(self) -> RetentionView:
        """Return what is kept how long, and which audiences look further back."""
        return retention.show(self._sandbox)

    def put(self, namespaces: str | Iterable[str] = (), after: str | int | None = None) -> RetentionSettings:
        """Save which profiles are pseudonymous and how long they are kept without activity.

        Parameters
        ----------
        namespaces : str or iterable of str
            Profiles all of whose identities are of these namespaces go. None: all profiles are kept.
        after : str or int
            After how many days without events or new attributes, as 14 or ``14d``.
        """
        return retention.put(self._sandbox, [namespaces] if isinstance(namespaces, str) else namespaces, after)

    def preview(self) -> Retained:
        """Return what a run would take away now, exactly; nothing is changed."""
        return retention.run(self._sandbox, self._workspace.progress, dry_run=True)

    def run(self, *, erase: bool = False) -> Retained:
        """Take away what is kept no longer, for ever, and bring audiences up to date. It also runs by itself, daily.

        With `erase` the staged files, which a rebuild reads, are written again without it too. This takes about as long
        as a rebuild, and changes what the past looks like: memberships are then those that the rows left would have
        given, and a person is named after the oldest identity that is left.
        """
        found = retention.run(self._sandbox, self._workspace.progress)
        self._after(found)
        if erase:
            purged = retention.purge(self._sandbox, self._workspace.progress)
            self._workspace._renew()
            found = msgspec.structs.replace(found, purged=purged)
        return found

    def daily(self) -> Retained | None:
        """Run if there is something to take away and the last run is a day ago."""
        found = retention.daily(self._sandbox, self._workspace.progress)
        if found is not None:
            self._after(found)
        return found

    def warnings(self, audience: str) -> tuple[LookBack, ...]:
        """Return the datasets that keep their events for less long than an audience looks back."""
        return retention.look_backs(self._definitions, [self._workspace.audiences.get(audience)])

    def _after(self, found: Retained) -> None:
        if found.datasets or found.pseudonymous:
            self._workspace.audiences._after("retention")
