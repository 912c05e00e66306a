"""What can be asked of rules and audiences without saving anything: counts, overlaps, analyses, differences."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
from pyroaring import BitMap

from coterie.audience import analysis, difference, funnel, ledger, overlap, plan
from coterie.audience.analysis import Analysed, Cost
from coterie.audience.definition import NAME, Audience
from coterie.audience.difference import Difference, Side
from coterie.audience.funnel import Counted
from coterie.audience.gate import gate_of
from coterie.audience.overlap import Overlap, Size
from coterie.audience.registry import Place, Registry, Remembering
from coterie.core.errors import CoterieError, Invalid
from coterie.core.schema import Union
from coterie.core.shares import share
from coterie.engine.algebra import fold
from coterie.engine.sql import SqlEngine
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.effects.evaluations import everyone
from coterie.pipeline.evaluate import past
from coterie.pipeline.retention import look_backs
from coterie.pql import check
from coterie.pql.analysis import analyse, analyse_condition, audiences_read
from coterie.pql.ast import Expr
from coterie.pql.complexity import event_types
from coterie.pql.conditions import Membership, conditions_of
from coterie.pql.normal import normalise
from coterie.store.history import quote
from coterie.store.sandbox import Sandbox

SAMPLE = 10
"""How many persons of each side a difference shows, unless told."""


@dataclass
class Questions:
    """The questions to one open sandbox, which share what was found out about conditions.

    Parameters
    ----------
    sandbox : Sandbox
        Open stores.
    registry : Registry
        What is known of conditions.
    """

    sandbox: Sandbox
    registry: Registry = field(default_factory=Registry)

    def engine(self, view: str, until: int | None = None, union: Union | None = None) -> Remembering:
        """Return the engine for an evaluation of a view now: it evaluates only what the registry does not know.

        At a past instant, `until`, later events are left out.
        """
        history, definitions = self.sandbox.history, self._definitions
        union = definitions.union() if union is None else union
        engine = SqlEngine(history.con, union, definitions.audiences(view), until)
        return Remembering(engine, self.registry, history.changed, past=until is not None)

    @property
    def _definitions(self) -> Definitions:
        return Definitions(self.sandbox.catalog)

    def _everyone(self, view: str) -> BitMap:
        place = Place(view, self.sandbox.history.changed, 0)
        return self.registry.everyone(place, lambda: everyone(self.sandbox, view))

    def _now(self, at: int | None) -> int:
        return self.sandbox.clock.now() if at is None else at

    def _checked(self, pql: str, union: Union, view: str) -> Expr:
        """Return the tree of a rule without problems, which reads only audiences of the view."""
        self._definitions.view(view)
        audiences = {item.name: item for item in self._definitions.list(Audience)}
        expr = check(pql, union, audiences).require()
        plan.require_view(view, audiences_read(expr), audiences)
        return expr

    def _members(self, names: Iterable[str], until: int | None = None) -> dict[str, BitMap]:
        """Return the members of audiences that the ledger has, now or at a past instant."""
        con = self.sandbox.history.con
        if until is None:
            return {name: ledger.members(con, name) for name in sorted(names)}
        return {name: ledger.members_at(con, name, until) for name in sorted(names)}

    def count(self, asked: Audience, at: int | None) -> Counted:
        """Count the people of a rule, and those that each of its conditions leaves; see `Audiences.count`."""
        began = time.perf_counter()
        pql, view, zone = asked.pql, asked.view, asked.zone
        union, instant = self._definitions.union(), self._now(at)
        expr = self._checked(pql, union, view)
        gate = gate_of(asked, union)
        op, parts = funnel.divide(pql, expr)
        rules = [normalise(part.expr, union, zone) for part in parts]
        universe = self._everyone(view)
        until = past(self.sandbox, at)
        members = self._members(audiences_read(expr), until)
        answers = plan.Answers(self.engine(view, until, union), view, instant, members)
        answers.ask([*(condition for rule in rules for condition in conditions_of(rule)), *gate.conditions])
        sets = [fold(rule, answers.known, universe) for rule in rules]
        texts = [part.text for part in parts]
        matching = funnel.together(op, sets, universe)
        staying, withheld = gate.withhold(matching, answers.known)
        return Counted(
            count=len(matching),
            members=len(staying),
            withheld=withheld,
            people=len(universe),
            share=share(len(matching), len(universe)),
            view=view,
            zone=zone,
            at=instant,
            steps=funnel.steps(texts, sets, universe) if op == "and" else (),
            branches=funnel.branches(texts, sets, universe) if op == "or" else (),
            memberships={name: len(found) for name, found in members.items()},
            seconds=time.perf_counter() - began,
        )

    def overlap(self, names: Iterable[str] | None, at: int | None, *, fresh: bool) -> Overlap:
        """Compare audiences in pairs; see `Audiences.overlap`."""
        known = {item.name: item for item in self._definitions.list(Audience)}
        chosen = list(known) if names is None else [self._definitions.get(Audience, name).name for name in names]
        chosen = list(dict.fromkeys(chosen))
        if len(chosen) < 2:
            raise Invalid(
                "audience.few",
                f"an overlap is of two audiences or more, not of {len(chosen)}.",
                hint="Name at least two of those that `coterie audience list` shows.",
            )
        view = known[chosen[0]].view
        plan.require_view(view, chosen, known)
        instant = self._now(at)
        until = past(self.sandbox, at)
        members = self._fresh(chosen, known, view, instant, until) if fresh else self._members(chosen)
        return Overlap(
            view=view,
            at=instant,
            stored=not fresh,
            audiences=tuple(Size(name, len(members[name])) for name in chosen),
            pairs=overlap.pairs({name: members[name] for name in chosen}),
        )

    def _fresh(
        self, names: Iterable[str], known: Mapping[str, Audience], view: str, at: int, until: int | None
    ) -> dict[str, BitMap]:
        """Return the members that audiences, and those they read, would have by an evaluation."""
        union = self._definitions.union()
        planned = [plan.plan(known[name], union) for name in plan.closure(names, known)]
        outcomes = plan.evaluate(planned, self.engine(view, until, union), view, at, self._everyone(view), {})
        return {name: outcome.members for name, outcome in outcomes.items()}

    def analyse(self, pql: str, view: str, zone: str) -> Analysed:
        """Tell what a rule reads, how it can be evaluated, and what that costs; see `Audiences.analyse`."""
        union = self._definitions.union()
        expr = self._checked(pql, union, view)
        found = analysis.analysed(expr, union, view, zone, self._cost(expr, union, view, zone))
        rule = Audience("rule", pql, view=view, zone=zone)
        expiring = (f"it {warning.of_rule}" for warning in look_backs(self._definitions, [rule]))
        return msgspec.structs.replace(found, warnings=(*found.warnings, *expiring))

    def _cost(self, expr: Expr, union: Union, view: str, zone: str) -> Cost:
        conditions = conditions_of(normalise(expr, union, zone))
        place = Place(view, self.sandbox.history.changed, self._now(None))
        missing = [
            condition
            for condition in conditions
            if not isinstance(condition.shape, Membership) and self.registry.find(condition, place) is None
        ]
        reads = analyse(missing)
        of_events = [condition for condition in missing if analyse_condition(condition).reads_events]
        types = event_types(of_events)
        seconds, basis = analysis.estimate(missing, self.registry.paces)
        return Cost(
            conditions=len(conditions),
            known=len(conditions) - len(missing),
            events=self._events(types) if of_events else 0,
            event_columns=len(reads.event_fields),
            people=len(self._everyone(view)) if reads.profile_fields else 0,
            profile_columns=len(reads.profile_fields),
            seconds=seconds,
            basis=basis,
        )

    def _events(self, types: frozenset[str] | None) -> int:
        """Count the events of some types, or all."""
        among = "" if types is None else f"WHERE list_contains($1, {quote('eventType')})"
        parameters = [] if types is None else [sorted(types)]
        found = self.sandbox.history.con.execute(f"SELECT count(*) FROM live_event {among}", parameters).fetchall()
        return int(found[0][0])

    def diff(self, old: str, new: str, view: str | None, zone: str | None, at: int | None, sample: int) -> Difference:
        """Compare two rules, or a saved audience with a new rule for it; see `Audiences.diff`."""
        began = time.perf_counter()
        saved = self._definitions.find(Audience, old)
        before = saved or Audience("old", old, view=self._definitions.view(view).name, zone=zone or "UTC")
        view = view or before.view
        zone = zone or before.zone
        union, instant = self._definitions.union(), self._now(at)
        if saved is not None:
            plan.require_view(view, [saved.name], {saved.name: saved})
        was_expr = self._old(before.pql, union, view)
        exprs = [was_expr, self._checked(new, union, view)]
        rules = [normalise(was_expr, union, before.zone), normalise(exprs[1], union, zone)]
        universe = self._everyone(view)
        until = past(self.sandbox, at)
        members = self._members(set().union(*map(audiences_read, exprs)), until)
        answers = plan.Answers(self.engine(view, until, union), view, instant, members)
        of_rule = [conditions_of(rule) for rule in rules]
        gate = gate_of(before, union)
        answers.ask([*(condition for conditions in of_rule for condition in conditions), *gate.conditions])
        sizes = {key: found.intersection_cardinality(universe) for key, found in answers.known.items()}
        (was, not_was), (becomes, not_becomes) = (
            gate.withhold(fold(rule, answers.known, universe), answers.known) for rule in rules
        )
        entering, leaving = becomes - was, was - becomes
        con = self.sandbox.history.con
        return Difference(
            audience=None if saved is None else saved.name,
            view=view,
            at=instant,
            people=len(universe),
            old=Side(before.pql, before.zone, len(was), not_was.people),
            new=Side(new, zone, len(becomes), not_becomes.people),
            entering=len(entering),
            leaving=len(leaving),
            staying=was.intersection_cardinality(becomes),
            entrants=difference.some(con, view, entering, sample),
            leavers=difference.some(con, view, leaving, sample),
            conditions=difference.changes(of_rule[0], of_rule[1], sizes),
            stored=None if saved is None else len(ledger.members(con, saved.name)),
            dependents=() if saved is None else self._readers(saved.name),
            seconds=time.perf_counter() - began,
        )

    def _old(self, pql: str, union: Union, view: str) -> Expr:
        """Return the tree of the rule that a new one is compared with; its errors say that they are of the old one."""
        try:
            return self._checked(pql, union, view)
        except CoterieError as error:
            error.where["rule"] = "old"
            if NAME.fullmatch(pql):
                error.message = f"there is no audience {pql}, and as a rule: {error.message}"
            raise

    def withheld(self, name: str) -> BitMap:
        """Return the present members of an audience who must be left out by now, since they chose so later."""
        audience, union = self._definitions.get(Audience, name), self._definitions.union()
        gate, members = gate_of(audience, union), ledger.members(self.sandbox.history.con, name)
        answers = plan.Answers(self.engine(audience.view, None, union), audience.view, self._now(None), {})
        answers.ask(gate.conditions)
        return members - gate.withhold(members, answers.known)[0]

    def _readers(self, name: str) -> tuple[str, ...]:
        return tuple(item.name for item in self._definitions.list(Audience) if name in plan.reads(item))
