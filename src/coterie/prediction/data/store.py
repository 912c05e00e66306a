"""The store of features: for people at cut-offs, what was known before and what came after.

Training and scoring run the same statements; only the cut-offs differ.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from coterie.core.clock import DAY
from coterie.core.progress import Progress, Quiet
from coterie.core.schema import Union
from coterie.engine.people import bitmap
from coterie.prediction.data.events import Compiled, goal_marked, marked, own_marked
from coterie.prediction.data.features import amounts, attributes, counts, habit, rhythm
from coterie.prediction.data.features.sheet import Columns, Sheet, read
from coterie.prediction.data.features.subjects import Subjects
from coterie.prediction.data.gathering import Gathered, forget, inline, kept
from coterie.prediction.data.labels import outcomes
from coterie.prediction.data.population import Rows, eligible, holding, rows_of
from coterie.prediction.data.sampling import MOST_ROWS, sampled
from coterie.prediction.data.single import Found, Single
from coterie.prediction.data.vocabulary import Vocabulary
from coterie.prediction.definition import Model
from coterie.prediction.frame import Examples, Family, Feature, Frame, Outcomes, joined
from coterie.profile.policy import View
from coterie.store.history import by_identity

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

JOINED = 20_000_000
"""Rows of people at cut-offs joined with what they did, up to which all is counted at once; else part by part."""


FEW = 1_000
"""Rows up to which nothing is kept on the way: to plan a statement takes longer than to run it."""


@dataclass(frozen=True)
class FeatureStore:
    """Works out features and outcomes of a model from the history.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    union : Union
        The fields there are.
    model : Model
        The model.
    vocabulary : Vocabulary
        What its features are made of.
    rule : str, optional
        The rule of the population, in PQL: `where` of the population, or the rule of its audience. Left out, it is
        `where`.
    policy : View, optional
        How records are merged, for attributes as of a cut-off.
    """

    con: DuckDBPyConnection
    union: Union
    model: Model
    vocabulary: Vocabulary
    rule: str | None = None
    policy: View | None = None
    _compiled: Compiled = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_compiled", Compiled(self.con, self.union, self.model, self.vocabulary))

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The columns of every frame."""
        subjects = self._subjects
        return (
            *counts.features(subjects),
            *rhythm.features(subjects, self.model.goal),
            *amounts.features(self.vocabulary),
            *habit.features(self.vocabulary),
            *attributes.features(self.vocabulary),
        )

    @cached_property
    def _subjects(self) -> Subjects:
        return Subjects(self.vocabulary)

    @cached_property
    def _rule(self) -> str | None:
        return self.model.population.where if self.rule is None else self.rule

    # -- features ---------------------------------------------------------------------------------------------------

    def build(self, cutoffs: Sequence[int], people: BitMap | None = None, progress: Progress | None = None) -> Frame:
        """Return the features of everybody eligible at each cut-off.

        Parameters
        ----------
        cutoffs : sequence of int
            Instants, ms; only what happened before each is told.
        people : BitMap, optional
            The only people asked about; who of them is not eligible has no row.
        progress : Progress, optional
            Who is told how far it is.
        """
        progress = progress or Quiet()
        if people is not None and len(people) == 1 and len(cutoffs) == 1:
            identities = by_identity.of_people(self.con, self.model.view, people)
            found = self._single.find(identities, cutoffs[0]) if identities else None
            if found is not None:
                return self._alone(found, people, cutoffs[0])
        frames = []
        for group in _aligned(cutoffs):
            anchor = max(group)
            with marked(self._compiled, anchor, anchor, people):
                rows = eligible(self.con, self.union, self.model, self._rule, group, anchor, people)
                frames.append(self._frame(rows, anchor, progress))
        return _ordered(frames, self.features)

    @cached_property
    def _single(self) -> Single:
        return Single(self._compiled, self._statements)

    def _alone(self, found: Found, person: BitMap, cutoff: int) -> Frame:
        """Return the features of one person, or none if the person is not eligible."""
        active = person if found.active else BitMap()
        if active and self._rule is not None:
            active = active & holding(self.con, self.union, self.model.view, self._rule, cutoff, active)
        rows = rows_of([(cutoff, active)])
        sheet = Sheet(self.features, len(rows))
        if len(rows):
            self._fill(sheet, rows, found.families)
        return Frame(self.features, rows.people, rows.cutoffs, sheet.values)

    def later(self, rows: Rows, until: int) -> Frame:
        """Return the features that people would have at later instants, if nothing happened from another one on.

        Parameters
        ----------
        rows : Rows
            People, eligible or not, each with an instant; in any order, which the frame has too. Instants lie whole
            days apart.
        until : int
            Events from this instant on are left out, ms; a whole number of days before the others. What is known of
            people themselves is what was known at it.
        """
        anchor = int(rows.cutoffs.max(initial=until))
        with marked(self._compiled, anchor, until, bitmap(np.unique(rows.people))):
            return self._frame(rows, anchor, Quiet(), known=until)

    def population(self, cutoffs: Sequence[int], people: BitMap | None = None) -> Rows:
        """Return who is eligible at each cut-off, ordered by cut-off and person."""
        found = []
        for group in _aligned(cutoffs):
            anchor = max(group)
            with own_marked(self._compiled, anchor, anchor, people):
                found.append(eligible(self.con, self.union, self.model, self._rule, group, anchor, people))
        rows = Rows(np.concatenate([each.people for each in found]), np.concatenate([each.cutoffs for each in found]))
        return rows.take(np.lexsort((rows.people, rows.cutoffs)))

    # -- what came of it --------------------------------------------------------------------------------------------

    def outcomes(self, rows: Rows) -> Outcomes:
        """Return what came of people at cut-offs, in the same order."""
        found = []
        order = []
        goal = self.model.goal
        for group in _aligned(np.unique(rows.cutoffs).tolist()):
            anchor = max(group)
            mine = np.flatnonzero(np.isin(rows.cutoffs, group))
            since, upto = goal.window(min(group))[0], goal.window(anchor)[1]
            chosen = rows.take(mine)
            whom = bitmap(np.unique(chosen.people)) if len(chosen) <= FEW else None
            with goal_marked(self._compiled, anchor, since, upto, whom):
                found.append(outcomes(self.con, goal, chosen, anchor))
            order.append(mine)
        return _rearranged(found, order)

    def label(self, frame: Frame) -> Examples:
        """Return a frame with what came of it."""
        found = self.outcomes(Rows(frame.people, frame.cutoffs))
        return Examples(frame, found.hit, found.label, found.day, np.ones(len(frame)))

    def training(
        self, cutoffs: Sequence[int], *, seed: int = 0, most: int = MOST_ROWS, progress: Progress | None = None
    ) -> Examples:
        """Return examples to learn from: everybody eligible at the cut-offs, or some of them with their weights.

        Who is eligible and what came of it is found first, features only of those who are chosen.

        Parameters
        ----------
        cutoffs : sequence of int
            Instants, ms.
        seed : int
            Which people are chosen.
        most : int
            The most rows.
        progress : Progress, optional
            Who is told how far it is.
        """
        progress = progress or Quiet()
        parts = []
        progress.report("who is eligible")
        found = self.outcomes(self.population(cutoffs))
        chosen, weight = sampled(found, seed, most)
        rows = Rows(found.people[chosen], found.cutoffs[chosen])
        whom = bitmap(np.unique(rows.people)) if len(rows) < len(found) else None
        for group in _aligned(cutoffs):
            anchor = max(group)
            mine = rows.take(np.isin(rows.cutoffs, group))
            with marked(self._compiled, anchor, anchor, whom):
                parts.append(self._frame(mine, anchor, progress))
        frame = _ordered(parts, self.features)
        return Examples(frame, found.hit[chosen], found.label[chosen], found.day[chosen], weight)

    # -- the statements ---------------------------------------------------------------------------------------------

    def _frame(self, rows: Rows, anchor: int, progress: Progress, known: int | None = None) -> Frame:
        """Return the features of rows, by what `prediction_mark` holds; attributes as of an instant, if given."""
        values = np.full((len(rows), len(self.features)), np.nan, dtype=np.float32, order="F")
        frame = Frame(self.features, rows.people, rows.cutoffs, values)
        if not len(rows):
            return frame
        parts = self._parts(rows)
        for part in range(parts):
            progress.report("features", part, parts)
            mine = np.flatnonzero(rows.people % parts == part)
            if len(mine):
                sheet = self._sheet(rows.take(mine), anchor, part, parts, known)
                values[mine] = sheet.values
        progress.report("features", parts, parts)
        return frame

    def _sheet(self, rows: Rows, anchor: int, part: int, parts: int, known: int | None) -> Sheet:
        con = self.con
        back = ((anchor - rows.cutoffs) // DAY).astype(np.int32)
        number = np.arange(len(rows), dtype=np.int32)
        con.register("prediction_asked", {"row": number, "person": rows.people, "back": back})
        few = len(rows) <= FEW and parts == 1
        summed = len(np.unique(rows.cutoffs)) > 1
        read_from = inline(self.vocabulary) if few else kept(con, self.vocabulary, part, parts, summed=summed)
        sheet = Sheet(self.features, len(rows))
        found = {family: read(con, statement) for family, statement in self._statements(read_from).items()}
        con.unregister("prediction_asked")
        if not few:
            forget(con)
        self._fill(sheet, rows, found, known)
        return sheet

    def _statements(self, read_from: Gathered) -> dict[Family, str]:
        """Return the statements of the families of features that are made of events."""
        found = {
            Family.FREQUENCY: counts.statement(self._subjects, read_from),
            Family.RHYTHM: rhythm.statement(self._subjects, self.model.goal, read_from),
            Family.HABIT: habit.statement(read_from),
        }
        if self.vocabulary.amounts:
            found[Family.MONETARY] = amounts.statement(self.vocabulary, read_from)
        return found

    def _fill(self, sheet: Sheet, rows: Rows, found: Mapping[Family, Columns], known: int | None = None) -> None:
        """Fill in the features of rows: by what these statements found, and by what is known of people themselves."""
        counts.fill(found[Family.FREQUENCY], self._subjects, sheet)
        rhythm.fill(found[Family.RHYTHM], self._subjects, self.model.goal, sheet)
        habit.fill(found[Family.HABIT], self.vocabulary, sheet, rows.cutoffs)
        if self.vocabulary.amounts:
            amounts.fill(found[Family.MONETARY], self.vocabulary, sheet)
        cutoffs = rows.cutoffs if known is None else np.minimum(rows.cutoffs, known)
        view, policy = self.model.view, self.policy
        attributes.fill(self.con, self.union, self.vocabulary, view, policy, sheet, rows.people, cutoffs)
        attributes.age(self.union, self.vocabulary, sheet, (rows.cutoffs - cutoffs) / DAY)

    def _parts(self, rows: Rows) -> int:
        """Return into how many parts people are divided, so that what is counted at once stays small."""
        if len(rows) <= FEW:
            return 1
        people = int(self.con.execute("SELECT count(DISTINCT person) FROM prediction_mark").fetchall()[0][0])
        marks = int(self.con.execute("SELECT count(*) FROM prediction_mark").fetchall()[0][0])
        return max(1, -(-int(len(rows) * marks / max(people, 1)) * 3 // JOINED))


def _aligned(cutoffs: Sequence[int]) -> list[list[int]]:
    """Divide cut-offs into those that lie whole days apart."""
    groups: dict[int, list[int]] = defaultdict(list)
    for cutoff in sorted(set(cutoffs)):
        groups[cutoff % DAY].append(cutoff)
    return list(groups.values())


def _ordered(frames: Sequence[Frame], features: tuple[Feature, ...]) -> Frame:
    """Return frames as one, ordered by cut-off and person."""
    if not frames:
        empty = np.zeros((0, len(features)), np.float32, order="F")
        return Frame(features, np.zeros(0, np.int32), np.zeros(0, np.int64), empty)
    if len(frames) == 1:
        return frames[0]
    frame = joined(frames)
    return frame.take(np.lexsort((frame.people, frame.cutoffs)))


def _rearranged(found: Sequence[Outcomes], order: Sequence[npt.NDArray[np.intp]]) -> Outcomes:
    """Return outcomes of parts of the rows in the order of the rows."""
    if len(found) == 1:
        return found[0]
    if not found:
        none = np.zeros(0, bool)
        return Outcomes(np.zeros(0, np.int32), np.zeros(0, np.int64), none, none, np.zeros(0, np.int32))
    back = np.argsort(np.concatenate(order))
    names = ("people", "cutoffs", "hit", "label", "day")
    return Outcomes(*(np.concatenate([getattr(each, name) for each in found])[back] for name in names))
