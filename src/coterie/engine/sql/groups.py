"""Groups of events: conditions on aggregates that differ in their windows, functions and thresholds only.

A group reads its events once. Groups whose aggregates are of the same kinds are united, each with its number: the rows
that pass the filter of a group carry a truth for each of its windows and the operands, are joined to persons and
aggregated by group and person, and the aggregates compared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from coterie.core.clock import DAY
from coterie.engine.sql.aggregates import adds_up
from coterie.engine.sql.constructs import Sql, both, build, column, defined, subquery, whole
from coterie.engine.sql.measures import compared, parts_of, result
from coterie.engine.sql.statements import Answer, Pass, Statements, refusals
from coterie.engine.sql.values import Kind, Record, Scalar
from coterie.pql.analysis import look_back
from coterie.pql.ast import Expr, Filter, Name, Occurs
from coterie.pql.conditions import Aggregate, Condition, Function
from coterie.pql.logic import all_of, operands_of
from coterie.pql.printer import to_text
from coterie.pql.scopes import XEVENT

AGGREGATES = 16
"""Aggregates side by side in one query; DuckDB takes long to set up more than some 64."""
UNITED = 24
"""Groups that one query unites."""


@dataclass(frozen=True)
class Measure:
    """An aggregate of a group: `window` is where its events lie in time, and `operand` what is aggregated of them."""

    function: Function
    operand: Expr | None
    window: Expr

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from others, and gives their order."""
        return (self.function, "" if self.operand is None else to_text(self.operand), to_text(self.window))


@dataclass(frozen=True)
class Column:
    """What groups must have in common to be united: the function, the type and the place of what it reads."""

    function: Function
    kind: Kind
    scale: int
    adds_up: bool
    operand: int | None
    window: int | None


@dataclass(frozen=True)
class Branch:
    """The rows of a group, ready to be united: `rows` has a truth a window and a column an operand."""

    rows: exp.Select
    columns: tuple[Column, ...]
    samples: tuple[Scalar, ...]
    asked: tuple[tuple[int, Condition], ...]


def divided(where: Expr | None) -> tuple[Expr, Expr]:
    """Divide a filter of events into what does not and what does say when they happened."""
    parts = [] if where is None else list(operands_of("and", where))
    timed = [isinstance(part, Occurs) and part.value == Name("timestamp") for part in parts]
    return (
        all_of(part for part, time in zip(parts, timed, strict=True) if not time),
        all_of(part for part, time in zip(parts, timed, strict=True) if time),
    )


def branches(statements: Statements, conditions: Sequence[Condition]) -> Iterator[Branch]:
    """Yield the rows that conditions on aggregates need, those of one filter together."""
    groups: dict[tuple[str, str], dict[tuple[str, str, str], tuple[Measure, list[Condition]]]] = defaultdict(dict)
    filters: dict[tuple[str, str], Expr] = {}
    for condition in conditions:
        assert isinstance(condition.shape, Aggregate)
        shape = condition.shape
        rest, window = divided(shape.where)
        measure = Measure(shape.function, shape.operand, window)
        key = (condition.zone, to_text(rest))
        filters[key] = rest
        groups[key].setdefault(measure.key, (measure, []))[1].append(condition)
    for key, measures in groups.items():
        ordered = [measures[name] for name in sorted(measures)]
        for start in range(0, len(ordered), AGGREGATES):
            yield _branch(statements.in_zone(key[0]), filters[key], ordered[start : start + AGGREGATES])


def _branch(statements: Statements, rest: Expr, measures: Sequence[tuple[Measure, list[Condition]]]) -> Branch:
    terms = statements.terms()
    scopes = (Record(statements.profile_row(), "", statements.union.profile), statements.event)
    windows: dict[str, Sql] = {}
    operands: dict[str, Sql] = {}
    columns, samples, ages = [], [], []
    truth: Sql | None = None
    for measure, (condition, *_) in measures:
        with refusals(condition):
            truth = truth or terms.truth(rest, scopes)
            _, operand, window = measure.key
            windows.setdefault(window, terms.truth(measure.window, scopes))
            sample = Scalar(whole(1), Kind.EXACT)
            if measure.operand is not None:
                sample = terms.scalar(measure.operand, scopes, condition.expr)
                operands.setdefault(operand, sample.sql)
        place = list(operands).index(operand) if operand else None
        columns.append(
            Column(measure.function, sample.kind, sample.scale, adds_up(sample), place, list(windows).index(window))
        )
        samples.append(sample)
        ages.append(look_back(Filter(XEVENT, measure.window)))
    assert truth is not None
    rows = exp.select().from_(statements.events())
    if len(windows) == 1:
        columns = [replace(each, window=None) for each in columns]
        rows = rows.where(both([truth, *windows.values()]))
    else:
        known = [age for age in ages if age is not None]
        # a day of a time zone may have an hour more than others
        since = whole(statements.at - max(known) - DAY) if len(known) == len(ages) else None
        late = [] if since is None else [build(">=", column("e", "timestamp"), since)]
        rows = rows.where(both([truth, *late]))
        rows = rows.select(*(window.as_(f"w{place}") for place, window in enumerate(windows.values())))
    identity = column("e", "$identity")
    rows = rows.select(identity.as_("identity"), *(sql.as_(f"x{place}") for place, sql in enumerate(operands.values())))
    if statements.restricted:
        rows = rows.where(statements.of_people(identity))
    asked = tuple((place, condition) for place, (_, those) in enumerate(measures) for condition in those)
    return Branch(rows, tuple(columns), tuple(samples), asked)


def united(statements: Statements, found: Sequence[Branch]) -> Pass:
    """Return the query that answers the conditions of groups, whose columns are the same."""
    group, person = column("b", "group"), column("p", "person")
    rows = [branch.rows.select(whole(number).as_("group")) for number, branch in enumerate(found)]
    by_person = exp.select(group, person).from_(subquery(_all_of(rows), "b"))
    by_person = statements.join_persons(by_person, column("b", "identity")).group_by(group, person)
    for place, common in enumerate(found[0].columns):
        for part in parts_of(common.function, _read(common, found[0].samples[place]), found[0].asked[0][1].expr):
            by_person = by_person.select(exp.alias_(_within(part.direct, common.window), f"{part.name}{place}"))
    answers: list[tuple[Answer, ...]] = []
    truths: list[list[Sql]] = []
    for branch in found:
        compared_ = [_answer(branch, place, condition) for place, condition in branch.asked]
        truths.append([truth for truth, _ in compared_])
        answers.append(tuple(answer for _, answer in compared_))
    query = exp.select(column("g", "group"), column("g", "person")).from_(subquery(by_person, "g"))
    for place in range(max(map(len, truths))):
        query = query.select(
            _of_group([each[place] if place < len(each) else None for each in truths]).as_(f"t{place}")
        )
    return Pass(query, tuple(answers))


def _all_of(rows: Sequence[exp.Select]) -> exp.Query:
    return rows[0] if len(rows) == 1 else exp.union(*rows, distinct=False, copy=False)


def _answer(branch: Branch, place: int, condition: Condition) -> tuple[Sql, Answer]:
    assert isinstance(condition.shape, Aggregate)
    with refusals(condition):
        value = result(
            branch.columns[place].function,
            branch.samples[place],
            lambda name: column("g", f"{name}{place}"),
            condition.expr,
        )
        truth, complement = compared(condition.shape, value, condition.expr)
    return truth, Answer(condition.key, complement)


def _read(common: Column, sample: Scalar) -> Scalar:
    """Return what is aggregated as a column of the united rows."""
    return sample if common.operand is None else replace(sample, sql=column("b", f"x{common.operand}"), constant=None)


def _within(aggregate: Sql, window: int | None) -> Sql:
    """Return the aggregate of the rows in a window."""
    if window is None:
        return aggregate
    return exp.Filter(this=aggregate, expression=exp.Where(this=column("b", f"w{window}")))


def _of_group(truths: Sequence[Sql | None]) -> Sql:
    """Return the truth of the row's group; false where the group has none."""
    if len(truths) == 1 and truths[0] is not None:
        return defined(truths[0])
    group = column("g", "group")
    cases = [exp.If(this=build("=", group, whole(number)), true=truth) for number, truth in enumerate(truths) if truth]
    return defined(exp.Case(ifs=cases))
