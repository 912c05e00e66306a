"""Identities: namespaces, graphs, why two of them are one person, and decisions about them."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from coterie.core.errors import Invalid, NotFound
from coterie.core.ids import Identity
from coterie.identity import decisions, graph, joining
from coterie.identity.decisions import Decision
from coterie.identity.joining import Joining
from coterie.identity.namespaces import Namespace
from coterie.identity.past import Moment
from coterie.identity.preview import SettingsPreview
from coterie.identity.settings import Algorithm, IdentitySettings, check, unlinked
from coterie.identity.simulation import PRESETS, Simulation, parse_simulation, rules_of, simulate
from coterie.identity.suggest import Suggestion, Suggestions
from coterie.pipeline import decide, define, settings, status, suggest
from coterie.pipeline.decide import Decided, DecidedTogether
from coterie.pipeline.profiles import Look
from coterie.pipeline.settings import SettingsInForce
from coterie.pipeline.settings import read as read_settings
from coterie.pipeline.suggest import Accepted
from coterie.workspace.room import Room, instant

Named = tuple[str, str]
"""An identity: code of its namespace, and value."""


class Identities(Room):
    """Namespaces, identity graphs, and decisions about them."""

    def namespaces(self) -> builtins.list[Namespace]:
        """Return the standard namespaces and the sandbox's own."""
        return list(self._definitions.namespaces().values())

    def put_namespace(self, spec: Mapping[str, Any]) -> Namespace:
        """Save a namespace; code and type are fixed for ever."""
        return define.put_namespace(self._sandbox, spec)

    def graph(
        self,
        namespace: str,
        value: str,
        view: str | None = None,
        *,
        at: str | int | None = None,
        known: str | int | None = None,
    ) -> graph.Graph:
        """Return the identity graph that holds an identity.

        Parameters
        ----------
        namespace, value : str
            Any identity of the graph.
        view : str, optional
            In which view; default that of the sandbox.
        at, known : str or int, optional
            The graph as it was: what had happened by `at`, what had been recorded by `known`. What was removed, evicted
            and decided is told of the present one only.

        Raises
        ------
        NotFound
            ``identity.not-found``.
        """
        found = Look(self._sandbox, view, Moment(instant(at), instant(known))).graph(namespace, value)
        if found is None:
            raise graph.unknown(Identity(namespace, value))
        return found

    def stats(self, view: str | None = None) -> status.IdentityStats:
        """Return counts of identities by namespace, of links, and of graphs by size."""
        view = self._definitions.view(view).name
        return status.identities(self._sandbox, view)

    def settings(self) -> SettingsInForce:
        """Return the identity settings in force, with the order of priority that they give."""
        return settings.in_force(self._sandbox)

    def preview_settings(self, spec: Mapping[str, Any] | IdentitySettings) -> SettingsPreview:
        """Tell exactly what saving identity settings would change; nothing is stored.

        Parameters
        ----------
        spec : mapping or IdentitySettings
            As for `put_settings`.
        """
        return settings.preview(self._sandbox, spec)

    def put_settings(self, spec: Mapping[str, Any] | IdentitySettings) -> SettingsInForce:
        """Save identity settings and apply them to all graphs at once.

        Parameters
        ----------
        spec : mapping or IdentitySettings
            `algorithm`, `namespaces` (best priority first, each a code, or `code` and `unique`), `graph_limit`,
            `blocked_namespaces`.

        Raises
        ------
        Invalid
            ``identity.settings-…`` when they contradict themselves.
        NotFound
            ``namespace.not-found``.
        """
        saved = settings.put(self._sandbox, spec)
        self._workspace.audiences._after("identity settings")
        return saved

    def explain(self, a: Named, b: Named, view: str | None = None) -> Joining:
        """Tell why two identities are one person, or are not.

        Parameters
        ----------
        a, b : (str, str)
            Namespace and value of each.
        view : str, optional
            In which view.

        Returns
        -------
        Joining
            The chain of links between them, each with its first and last record; where they are not one person, which
            links of it are missing, and why.

        Raises
        ------
        NotFound
            ``identity.not-found``.
        """
        view = self._definitions.view(view).name
        return joining.explain(
            self._con,
            view,
            Identity.of(a),
            Identity.of(b),
            unlinked(self._definitions.identity_settings(), self._definitions.namespaces()),
        )

    def simulate(
        self, text: str | None = None, *, preset: str | None = None, settings: Mapping[str, Any] | None = None
    ) -> Simulation:
        """Tell what graphs some events would give, and how they would come about; nothing is stored.

        Parameters
        ----------
        text : str, optional
            A line for each event: identities separated by commas, each written ``Namespace: value``.
        preset : str, optional
            Instead, the name of an example: ``shared-device``, ``non-unique-phone`` or ``bad-values``; with its own
            namespaces and settings, unless some are given.
        settings : mapping, optional
            Identity settings; default the sandbox's.

        Raises
        ------
        Invalid
            ``simulation.identity`` with line and column, ``simulation.text``, ``identity.settings``, …
        NotFound
            ``namespace.not-found``, ``preset.not-found``.
        """
        namespaces = self._definitions.namespaces()
        if (text is None) == (preset is None) or not isinstance(text, str | None):
            raise Invalid(
                "simulation.text",
                "expected the events of a simulation, or else the name of a preset.",
                hint=f"An event is a line such as `CRMID: Tom, ECID: 111`; presets are {', '.join(PRESETS)}.",
            )
        if preset is not None:
            example = PRESETS.get(preset)
            if example is None:
                raise NotFound.named("preset", preset, PRESETS)
            if settings is None:
                codes = [rule.code for rule in example.rules]
                return simulate(example.rules, Algorithm.OPTIMIZED, parse_simulation(example.text, codes))
            text = example.text
        assert text is not None
        events = parse_simulation(text, namespaces)
        chosen = self._definitions.identity_settings()
        if settings is not None:
            chosen = read_settings(settings)
        check(chosen, namespaces)
        return simulate(
            rules_of(chosen, namespaces),
            chosen.algorithm,
            events,
            limit=chosen.graph_limit,
            blocked=chosen.blocked_namespaces,
        )

    def decisions(self) -> builtins.list[Decision]:
        """Return all decisions about identities, the undone ones too, oldest first."""
        return decisions.every(self._con)

    def merge(
        self, identities: Iterable[Named], reason: str = "", *, source: str = decide.USER, weight: float | None = None
    ) -> Decided:
        """Decide that identities belong to one person.

        Parameters
        ----------
        identities : iterable of (str, str)
            Namespace and value of each, at least two.
        reason : str
            Why.
        source : str
            Who or what proposed it.
        weight : float, optional
            How sure the proposal was.

        Returns
        -------
        Decided
            The decision, and the people it concerns before and after.

        Raises
        ------
        NotFound
            ``identity.not-found``.
        Conflict
            ``identity.merge-refused`` when the settings or another decision forbid it, or nothing would change.
        """
        chosen = [Identity.of(identity) for identity in identities]
        made = decide.merge(
            self._sandbox, chosen, self._workspace.progress, reason=reason, source=source, weight=weight
        )
        return self._evaluated(made)

    def split(self, a: Named, b: Named, reason: str = "") -> Decided:
        """Decide that two identities are never in one graph; raises ``identity.not-found``, ``identity.decided``."""
        progress = self._workspace.progress
        return self._evaluated(decide.split(self._sandbox, Identity.of(a), Identity.of(b), progress, reason=reason))

    def never_link(self, namespace: str, value: str, reason: str = "") -> Decided:
        """Decide that an identity takes no part in linking, even one not seen yet; raises ``identity.decided``."""
        identity = Identity.of((namespace, value))
        return self._evaluated(decide.never_link(self._sandbox, identity, self._workspace.progress, reason=reason))

    def undo(self, decision: int) -> Decided:
        """Withdraw a decision: everything becomes as if it had never been made.

        Raises
        ------
        NotFound
            ``decision.not-found``.
        Conflict
            ``identity.undone`` when it was withdrawn before.
        """
        return self._evaluated(decide.undo(self._sandbox, decision, self._workspace.progress), "undo of ")

    def undo_all(self, decisions: Iterable[int]) -> DecidedTogether:
        """Withdraw several decisions at once, or none of them; raises what `undo` does."""
        done = decide.undo_all(self._sandbox, decisions, self._workspace.progress)
        self._workspace.audiences._after(f"undo of {len(done.decisions)} decisions")
        return done

    def suggest(
        self,
        fields: Sequence[str],
        threshold: float = 0.9,
        blocks: Sequence[Sequence[str]] = (),
        view: str | None = None,
    ) -> Suggestions:
        """Score pairs of people who are perhaps one; nothing is changed. Needs the extra ``splink``.

        Parameters
        ----------
        fields : sequence of str
            Paths of two or more attributes to compare.
        threshold : float
            Pairs from this probability on are returned.
        blocks : sequence of sequences of str, optional
            Only people who agree in all fields of one of these are compared; default every field that is not too
            coarse.
        view : str, optional
            Whose profiles; default those of the default policy.

        Returns
        -------
        Suggestions
            Pairs with their match weights, and how many people would merge from which probability on.

        Raises
        ------
        Invalid
            ``suggest.fields``, ``suggest.threshold``, ``suggest.block``, ``suggest.view``.
        NotFound
            ``field.not-found``.
        Unsupported
            ``suggest.extra`` when splink is not installed.
        """
        name = self._definitions.view(view).name
        return suggest.suggest(self._sandbox, name, fields, [tuple(block) for block in blocks], threshold)

    def accept(self, suggestions: Iterable[Suggestion]) -> Accepted:
        """Make a merge of each suggestion, with its weight, all at once; each can be undone by itself."""
        done = suggest.accept(self._sandbox, suggestions, self._workspace.progress)
        if done.made:
            self._workspace.audiences._after(f"{len(done.made)} suggestions")
        return done

    def _evaluated(self, made: Decided, what: str = "") -> Decided:
        self._workspace.audiences._after(f"{what}decision {made.decision.decision}")
        return made
