"""Profiles."""

from __future__ import annotations

import builtins
from collections.abc import Iterable

from coterie.audience.definition import Audience
from coterie.core.errors import NotFound
from coterie.identity.past import Moment
from coterie.pipeline.effects.evaluations import everyone
from coterie.pipeline.profiles import Look
from coterie.profile import lookup
from coterie.profile.comparison import Comparison
from coterie.profile.conflicts import Conflicts
from coterie.profile.lookup import ProfileView
from coterie.profile.report import ProfileReport
from coterie.profile.timeline import Page
from coterie.profile.why import AttributeView
from coterie.workspace.room import Room, instant


class Profiles(Room):
    """Merged profiles."""

    def get(
        self,
        namespace: str,
        value: str,
        view: str | None = None,
        *,
        events: int = 100,
        before: str | None = None,
        types: Iterable[str] | None = None,
        datasets: Iterable[str] | None = None,
        since: str | int | None = None,
        until: str | int | None = None,
        where: str | None = None,
        oldest_first: bool = False,
        at: str | int | None = None,
        known: str | int | None = None,
    ) -> ProfileView:
        """Return the profile found by an identity.

        Parameters
        ----------
        namespace, value : str
            Any identity of the person (in a view without stitching, a primary one).
        view : str, optional
            Which view of the profile.
        events : int
            How many events, newest first.
        before : str, optional
            The cursor of an earlier answer: the events that follow those.
        types, datasets : iterable of str, optional
            Only events of these types, of these datasets.
        since, until : str or int, optional
            Only events at or after the one instant, and before the other.
        where : str, optional
            Only events for which this condition holds: PQL, as in ``xEvent[…]``.
        oldest_first : bool
            Whether events come in the order of time.
        at : str or int, optional
            The profile as it was: what had happened by this instant.
        known : str or int, optional
            The profile as it was known: what had been recorded by this instant, later reverts undone.

        Raises
        ------
        NotFound
            ``identity.not-found``; ``dataset.not-found`` for events of a dataset that there is not.
        PqlError
            With all problems of `where`.
        """
        page = Page(
            events,
            before,
            None if types is None else tuple(types),
            None if datasets is None else tuple(datasets),
            instant(since),
            instant(until),
            oldest_first,
        )
        found = self._look(view, at, known).profile(namespace, value, page, where)
        if found is None:
            raise _unknown_identity(namespace, value, past=at is not None or known is not None)
        return found

    def why(
        self,
        namespace: str,
        value: str,
        attribute: str,
        view: str | None = None,
        *,
        at: str | int | None = None,
        known: str | int | None = None,
    ) -> AttributeView:
        """Return one attribute of a profile whole: who won and why, who lost, and what was written over time.

        Parameters
        ----------
        namespace, value : str
            Any identity of the person.
        attribute : str
            Path of the attribute, as `get` names it in its provenance.
        view : str, optional
            Which view of the profile.
        at, known : str or int, optional
            As for `get`.

        Raises
        ------
        NotFound
            ``identity.not-found`` or ``profile.attribute``.
        """
        found = self._look(view, at, known).why(namespace, value, attribute)
        if found is None:
            raise _unknown_identity(namespace, value, past=at is not None or known is not None)
        return found

    def conflicts(self, view: str | None = None, audience: str | None = None, *, samples: int = 3) -> Conflicts:
        """Return where the records of people contradict each other.

        Parameters
        ----------
        view : str, optional
            Which view: whose people, and who wins.
        audience : str, optional
            Only members of this audience; default everybody.
        samples : int
            How many people to show for each attribute.
        """
        return self._look(view).conflicts(audience, samples)

    def compare(self, left: str, right: str, *, samples: int = 5) -> Comparison:
        """Return who has another profile under another merge policy, and in what; exact.

        Parameters
        ----------
        left, right : str
            Two views.
        samples : int
            How many profiles that differ to show.
        """
        return self._look(left).compare(right, samples)

    def report(self, view: str | None = None) -> ProfileReport:
        """Return the profiles, counted by namespace, by dataset and by how little is known of them."""
        return self._look(view).report()

    def _look(self, view: str | None, at: str | int | None = None, known: str | int | None = None) -> Look:
        return Look(self._sandbox, view, Moment(instant(at), instant(known)))

    def count(self, view: str | None = None) -> int:
        """Return the number of profiles of a view."""
        view = self._definitions.view(view).name
        return len(everyone(self._sandbox, view))

    def sample(
        self, n: int = 20, view: str | None = None, audience: str | None = None
    ) -> builtins.list[lookup.ProfileSummary]:
        """Return up to `n` profiles, those with the most identities first.

        Parameters
        ----------
        n : int
            How many at most.
        view : str, optional
            Which view; default that of the audience, or of the sandbox.
        audience : str, optional
            Only members of this audience; default everybody.
        """
        if view is None and audience is not None:
            view = self._definitions.get(Audience, audience).view
        return self._look(view).sample(n, audience)


def _unknown_identity(namespace: str, value: str, *, past: bool) -> NotFound:
    if past:
        message = f"no profile had the identity {namespace}:{value} at that moment."
        hint = "Look without --as-of and --known: perhaps what shows it happened, or was recorded, later."
    else:
        message = f"no profile has the identity {namespace}:{value}."
        hint = "Namespace codes are case-sensitive; `coterie identity stats` lists those in use."
    return NotFound(
        "identity.not-found",
        message,
        hint=hint,
        where={"namespace": namespace, "value": value},
    )
