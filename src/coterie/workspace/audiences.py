"""Audiences: what is saved of them, and what can be asked of rules."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from coterie.audience import export, ledger
from coterie.audience.analysis import Analysed
from coterie.audience.definition import Audience, Evaluation
from coterie.audience.difference import Difference
from coterie.audience.explanation import Explanation
from coterie.audience.funnel import Counted
from coterie.audience.overlap import Overlap
from coterie.governance.consent import Consent
from coterie.pipeline import audiences, define, evaluate, why
from coterie.pipeline.written import convert
from coterie.pql import Problem, check
from coterie.workspace.room import Room, instant


class Audiences(Room):
    """Audiences: rules, members, exports."""

    def put(
        self,
        name: str,
        pql: str,
        *,
        title: str = "",
        description: str = "",
        view: str | None = None,
        zone: str = "UTC",
        consent: Consent | Mapping[str, Any] | None = None,
        exclude_opt_out: bool = True,
    ) -> Audience:
        """Save an audience; its rule must be one that the engine takes. Members come with the next evaluation.

        Parameters
        ----------
        name, pql, title, description, view, zone
            Its name, its rule, words for people, the view of the profiles and the time zone of its calendar.
        consent : Consent or mapping, optional
            What members must have agreed to: `channels`, `purposes`, and whether `unknown` means yes or no.
        exclude_opt_out : bool
            Whether those are left out who opted out of everything.
        """
        view = self._definitions.view(view).name
        asked = Audience(name, pql, title, description, view, zone, _consent(consent), exclude_opt_out)
        return define.put_audience(self._sandbox, asked)

    def get(self, name: str) -> Audience:
        """Return an audience; raises ``audience.not-found``."""
        return self._definitions.get(Audience, name)

    def list(self) -> builtins.list[Audience]:
        """Return all audiences by name."""
        return self._definitions.list(Audience)

    def describe(self, name: str) -> audiences.AudienceView:
        """Return an audience with its labels and the outcome of its last evaluation."""
        (found,) = audiences.views(self._sandbox, [self.get(name)])
        return found

    def describe_all(self) -> builtins.list[audiences.AudienceView]:
        """Return all audiences by name, with their labels and the outcome of the last evaluation."""
        return audiences.views(self._sandbox, self.list())

    def delete(self, name: str) -> None:
        """Delete an audience that no other one reads; its members leave."""
        define.delete_audience(self._sandbox, name)

    def check(self, pql: str) -> builtins.list[Problem]:
        """Return all problems of a rule; empty when it is fine."""
        names = [audience.name for audience in self.list()]
        return list(check(pql, self._definitions.union(), names).problems)

    def evaluate(self, names: Iterable[str] | None = None, at: str | int | None = None) -> Evaluation:
        """Evaluate audiences, and those they read, at one instant, default now; of a past one, without later events."""
        return evaluate.evaluate(self._sandbox, names, instant(at), engine=self._workspace.questions.engine)

    def count(
        self,
        pql: str,
        view: str | None = None,
        at: str | int | None = None,
        zone: str = "UTC",
        *,
        consent: Consent | Mapping[str, Any] | None = None,
        exclude_opt_out: bool = True,
    ) -> Counted:
        """Count the people a rule holds for, without saving anything.

        Parameters
        ----------
        pql : str
            The rule.
        view : str, optional
            Which view of the profiles.
        at : str or int, optional
            Instant to ask at; default now. At a past one, later events are left out, here as in every other question.
        zone : str
            IANA name of the time zone whose calendar the rule means.
        consent, exclude_opt_out
            As for `put`.

        Returns
        -------
        Counted
            The exact `count` of those who satisfy the rule, how many of them an audience would have withheld, and the
            funnel: how many people each condition leaves (or each alternative adds), in the order in which they are
            written.
        """
        view = self._definitions.view(view).name
        asked = Audience("asked", pql, "", "", view, zone, _consent(consent), exclude_opt_out)
        return self._workspace.questions.count(asked, instant(at))

    def overlap(
        self, names: Iterable[str] | None = None, *, fresh: bool = False, at: str | int | None = None
    ) -> Overlap:
        """Compare audiences of one view in pairs: how many people two have in common, and what that says.

        Parameters
        ----------
        names : iterable of str, optional
            Which audiences; default all.
        fresh : bool
            Evaluate their rules, without saving members; otherwise the members of the last evaluation are compared.
        at : str or int, optional
            Instant of a fresh evaluation; default now.
        """
        return self._workspace.questions.overlap(names, instant(at), fresh=fresh)

    def analyse(self, pql: str, view: str | None = None, zone: str = "UTC") -> Analysed:
        """Tell what a rule reads, how involved it is, which methods can evaluate it, and what that costs."""
        return self._workspace.questions.analyse(pql, self._definitions.view(view).name, zone)

    def diff(
        self,
        old: str,
        new: str,
        *,
        view: str | None = None,
        zone: str | None = None,
        at: str | int | None = None,
        sample: int = 10,
    ) -> Difference:
        """Tell who would enter and who would leave if a rule were replaced by another one; nothing is saved.

        Parameters
        ----------
        old : str
            A rule, or the name of a saved audience.
        new : str
            The new rule.
        view, zone : str, optional
            As for `count`; default those of the saved audience. For a saved audience, `zone` is that of the new rule.
        at : str or int, optional
            Instant to compare at; default now. Both rules are evaluated at it.
        sample : int
            How many persons of those who enter, and of those who leave, are shown with their identities.
        """
        return self._workspace.questions.diff(old, new, view, zone, instant(at), sample)

    def explain(
        self,
        person: str,
        audience: str | None = None,
        *,
        pql: str | None = None,
        view: str | None = None,
        zone: str = "UTC",
        at: str | int | None = None,
    ) -> Explanation:
        """Explain why a person is in an audience, or is not.

        Parameters
        ----------
        person : str
            An identity as ``Namespace:value``, or the id of a person (``p-…``).
        audience : str, optional
            Name of a saved audience.
        pql : str, optional
            A rule, instead of an audience.
        view, zone : str, optional
            As for `count`; a saved audience has its own.
        at : str or int, optional
            Instant to ask at; default now. At a past one, later events are left out.

        Returns
        -------
        Explanation
            The verdict of the whole and of every part of the rule, with the values and events that were used, the
            nearest step that would turn the verdict, and when time alone does.
        """
        return why.why(self._sandbox, person, audience, pql, view, zone, instant(at))

    def members(self, name: str, limit: int = 100, after: str | None = None) -> builtins.list[export.Member]:
        """Return present members with their identities, at most `limit`, after the person id `after`."""
        audience = self.get(name)
        return export.members(self._con, name, audience.view, limit, after)

    def size(self, name: str) -> int:
        """Return the number of present members."""
        return len(ledger.members(self._con, self.get(name).name))

    def export(
        self,
        name: str,
        path: str | Path,
        format: str | None = None,  # noqa: A002
        *,
        refuse_labels: Iterable[str] = (),
        columns: Mapping[str, str] | None = None,
    ) -> export.Export:
        """Write the present members to a CSV, JSONL or Parquet file, with their identities.

        Those who are withheld since the last evaluation are left out.

        Parameters
        ----------
        name : str
            The audience.
        path : path
            The file; replaced when it exists.
        format : {"csv", "jsonl", "parquet"}, optional
            Default: what the file name ends with.
        refuse_labels : iterable of str
            Labels that what is exported must not carry.
        columns : mapping of str to str, optional
            What else is written of each member: attributes, computed ones too, and any other expression in PQL, by the
            name of their column.

        Raises
        ------
        Conflict
            ``export.label``.
        Invalid
            ``export.column``, ``export.format``.
        """
        return audiences.export_members(self._workspace.questions, name, Path(path), format, refuse_labels, columns)

    def history(self, name: str, limit: int = 100) -> builtins.list[ledger.Change]:
        """Return entries and exits of an audience by instant and cause, newest first."""
        self.get(name)
        return ledger.history(self._con, name, limit)

    def _after(self, cause: str) -> None:
        if self.list():
            engine = self._workspace.questions.engine
            evaluate.evaluate(self._sandbox, None, None, cause=cause, engine=engine)


def _consent(given: Consent | Mapping[str, Any] | None) -> Consent | None:
    if given is None or isinstance(given, Consent):
        return given
    return convert(given, Consent, "audience.consent", "consent")
