"""Checking a query against the union schema: names, types, values, scopes; all problems at once.

Besides problems, the checker leaves what it found out about each node, for the passes that follow.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import isinf
from typing import assert_never

from coterie.core.schema import Union
from coterie.pql import ast
from coterie.pql.ast import Expr
from coterie.pql.environment import Binding, Environment, Implicit, nearest
from coterie.pql.parser import read
from coterie.pql.printer import to_text
from coterie.pql.problems import PqlError, Problem
from coterie.pql.ranges import Ranges
from coterie.pql.report import Report
from coterie.pql.tree import walk
from coterie.pql.types import (
    BOOLEAN,
    DOUBLE,
    INTEGER,
    NULL,
    NUMBERS,
    OPEN,
    STRING,
    UNKNOWN,
    Array,
    Entry,
    Groups,
    Map,
    Object,
    Type,
    described,
    profile_of,
    properties_of,
    property_of,
    unify,
)

MAX_INTEGER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking found.

    Parameters
    ----------
    text : str
        The query that the offsets of the problems refer to; canonical text when a tree was checked.
    expr : Expr or None
        The tree; None when the text does not follow the grammar.
    problems : list of Problem
        All problems, in the order of the text.
    type : Type
        Type of the whole query.
    types : dict
        Type of each expression, by `id` of its node.
    bindings : dict
        What each `Name`, `Up` and `Positional` resolves to, by `id` of its node.
    """

    text: str
    expr: Expr | None
    problems: list[Problem]
    type: Type
    types: dict[int, Type]
    bindings: dict[int, Binding]

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings do not count."""
        return all(problem.severity != "error" for problem in self.problems)

    def require(self) -> Expr:
        """Return the tree; raises `PqlError` with the errors if there are any."""
        errors = [problem for problem in self.problems if problem.severity == "error"]
        if errors or self.expr is None:
            raise PqlError(errors)
        return self.expr


def check(query: str | Expr, union: Union, audiences: Collection[str] | None = None, *, draft: bool = False) -> Checked:
    """Check a query against the union schema.

    Parameters
    ----------
    query : str or Expr
        The query, or its tree.
    union : Union
        The fields of profiles and events.
    audiences : collection of str, optional
        Ids of the audiences that exist; if not given, `inSegment` takes any.
    draft : bool
        Whether the query is still being written: an unknown audience is then a warning.

    Returns
    -------
    Checked
        The problems, and the types and meanings that were found.
    """
    text = query if isinstance(query, str) else to_text(query)
    expr, problems = read(text)
    if expr is None:
        return Checked(text, None, problems, UNKNOWN, {}, {})
    checker = Checker(expr, text, union, audiences, draft=draft)
    if not isinstance(query, str):  # problems refer to the text, what was found to the nodes that were given
        given = Checker(query, text, union, audiences, draft=draft)
        return Checked(text, query, checker.report.problems, given.type, given.types, given.bindings)
    found = sorted([*problems, *checker.report.problems], key=lambda problem: (problem.start, problem.end))
    return Checked(text, expr, found, checker.type, checker.types, checker.bindings)


class Checker(Ranges):
    """One check of one tree."""

    def __init__(
        self, expr: Expr, text: str, union: Union, audiences: Collection[str] | None, *, draft: bool = False
    ) -> None:
        self.report = Report(text)
        self.audiences = audiences
        self.draft = draft
        self.types: dict[int, Type] = {}
        self.bindings: dict[int, Binding] = {}
        self.entries: set[int] = set()
        self._declared = _declared(expr)
        env = Environment((Implicit(profile_of(union), None),))
        self.type = self._whole(expr, env)

    def _whole(self, expr: Expr, env: Environment) -> Type:
        if isinstance(expr, ast.Lambda):
            if len(expr.params) != 1:
                message = f"({', '.join(expr.params)}) => …: an audience has one input, the profile."
                self.report.add("pql.arity", expr, message)
            type_ = self.lambda_in(expr, (env.profile,) * len(expr.params), env)
        else:
            type_ = self.visit(expr, env)
        if type_ not in (BOOLEAN, UNKNOWN):
            message = f"{self.report.spelled(expr)} is {described(type_)}, not true or false."
            hint = "As an audience it holds everybody for whom it exists; of an array, for whom it is not empty."
            self.report.add("pql.not-boolean", expr, message, hint=hint, severity="warning")
        return type_

    def item_type(self, node: Expr) -> Type:
        """Return the type found for a node visited before."""
        return self.types[id(node)]

    def condition(self, node: Expr, env: Environment) -> None:
        """Check an expression whose value is read as true or false."""
        type_ = self.visit(node, env)
        if isinstance(type_, Entry):
            self.mismatch(node, node, type_, "a condition")

    def lambda_in(self, node: ast.Lambda, params: tuple[Type, ...], env: Environment) -> Type:
        """Check a lambda whose parameters have the given types, and return the type of its body."""
        for name, type_ in zip(node.params, params, strict=True):
            env = env.binding(name, type_, node)
        type_ = self.visit(node.body, env)
        self.types[id(node)] = type_
        return type_

    def visit(self, node: Expr, env: Environment) -> Type:
        """Check an expression and return its type."""
        type_ = self._visit(node, env)
        self.types[id(node)] = type_
        return type_

    def _visit(self, node: Expr, env: Environment) -> Type:
        match node:
            case ast.Literal():
                return self._literal(node)
            case ast.ArrayLiteral():
                return self._array(node, env)
            case ast.ObjectLiteral():
                return Object({key: self.visit(value, env) for key, value in node.entries})
            case ast.Name():
                return self._name(node, env)
            case ast.Positional():
                return self._positional(node, env)
            case ast.Up():
                return self._up(node, env)
            case ast.Property():
                return self._property(node, env)
            case ast.Call():
                return self.call(node, env)
            case ast.Method():
                return self.method(node, env)
            case ast.Filter():
                return self.filter(node, env)
            case ast.Unary():
                return self._unary(node, env)
            case ast.Binary():
                return self.binary(node, env)
            case ast.Lambda():
                return self._stray_lambda(node, env)
            case ast.Let():
                return self.visit(node.body, env.binding(node.name, self.visit(node.value, env), node))
            case ast.Quantified():
                return self.quantified(node, env)
            case ast.PrefixAggregate():
                return self.aggregate(node, env)
            case ast.Occurs():
                return self.occurs(node, env)
            case ast.Chain():
                return self.chain(node, env)
            case _:
                assert_never(node)

    # -- values -----------------------------------------------------------------------------------------------------

    def _literal(self, node: ast.Literal) -> Type:
        match node.kind:
            case "string":
                return STRING
            case "boolean":
                return BOOLEAN
            case "null":
                return NULL
            case "integer":
                if int(node.value or 0) > MAX_INTEGER:
                    self.report.add("pql.value", node, f"{node.value} is greater than {MAX_INTEGER}.")
                return INTEGER
            case "double":
                if isinf(float(node.value or 0)):
                    self.report.add("pql.value", node, f"{node.value} is too great for a Double.")
                return DOUBLE

    def _array(self, node: ast.ArrayLiteral, env: Environment) -> Type:
        one: Type = NULL
        for item in node.items:
            type_ = self.visit(item, env)
            both = unify(one, type_)
            if both is None:
                message = f"{self.report.spelled(item)} is {described(type_)}, in an array of {one}."
                self.report.add("pql.type", item, message)
                return Array(UNKNOWN)
            one = both
        return Array(one if node.items else UNKNOWN)

    def _unary(self, node: ast.Unary, env: Environment) -> Type:
        if node.op == "not":
            self.condition(node.operand, env)
            return BOOLEAN
        type_ = self.visit(node.operand, env)
        if type_ not in NUMBERS | OPEN:
            self.mismatch(node.operand, node.operand, type_, "a number after -")
            return UNKNOWN
        return type_

    def _stray_lambda(self, node: ast.Lambda, env: Environment) -> Type:
        message = f"{self.report.spelled(node)}: a lambda stands only around the whole query or in map."
        self.report.add("pql.type", node, message)
        self.lambda_in(node, (UNKNOWN,) * len(node.params), env)
        return UNKNOWN

    # -- names ------------------------------------------------------------------------------------------------------

    def _name(self, node: ast.Name, env: Environment, *, variable_expected: bool = False) -> Type:
        binding = env.lookup(node.name)
        if binding is not None:
            self.bindings[id(node)] = binding
            return binding.type
        near = env.suggestion(node.name) if self.report.few else None
        if node.name in self._declared:
            message = f"the variable {node.name} is not known here; it is declared further right, or elsewhere."
            self.report.add("pql.unknown-name", node, message)
        elif variable_expected and near is None:
            message = f"there is no variable, label or field {node.name} here."
            self.report.add("pql.unknown-name", node, message, hint="Declare it with from, let, or as a label before.")
        else:
            message = f"there is no field {node.name} in {_place(env)}."
            self.report.add("pql.unknown-field", node, message, suggestion=near)
        return UNKNOWN

    def visit_time(self, node: Expr, env: Environment) -> Type:
        """Check an expression that stands where a time is expected; a bare name may be the label of an event."""
        if isinstance(node, ast.Name):
            type_ = self._name(node, env, variable_expected=True)
            self.types[id(node)] = type_
            return type_
        return self.visit(node, env)

    def _positional(self, node: ast.Positional, env: Environment) -> Type:
        if node.position != 1:
            message = f"there is no input ${node.position}; an audience has one, the profile, which is $1."
            self.report.add("pql.unknown-name", node, message, suggestion="$1")
            return UNKNOWN
        binding = Binding("object", "$1", env.profile, len(env.implicit) - 1)
        self.bindings[id(node)] = binding
        return binding.type

    def _up(self, node: ast.Up, env: Environment) -> Type:
        if node.levels >= len(env.implicit):
            message = f"{self.report.spelled(node)} climbs above the profile."
            most = "^" * (len(env.implicit) - 1)
            hint = f"Here the profile is {most}." if most else "Here the profile itself is the implicit object."
            self.report.add("pql.scope", node, message, hint=hint)
            return UNKNOWN
        binding = env.up(node.levels, node.name)
        if binding is None:
            outer = env.implicit[-1 - node.levels].type
            message = f"there is no field {node.name} in what {'^' * node.levels} reaches."
            self.report.add("pql.unknown-field", node, message, suggestion=nearest(node.name, properties_of(outer)))
            return UNKNOWN
        self.bindings[id(node)] = binding
        return binding.type

    def _property(self, node: ast.Property, env: Environment) -> Type:
        object_ = self.visit_time(node.object, env) if _like_variable(node.object) else self.visit(node.object, env)
        found = property_of(object_, node.name)
        if found is not None:
            return found
        spelled = self.report.spelled(node.object)
        where = self.report.name_of(node.name, node.span, node.object.span.end)
        known = properties_of(object_)
        if known or isinstance(object_, Object):
            message = f"there is no field {node.name} in {spelled}."
            self.report.add("pql.unknown-field", where, message, suggestion=nearest(node.name, known))
        else:
            message = f"there is no field {node.name} in {spelled}, which is {described(object_)}."
            hint = f'Write {spelled}.get("{node.name}").' if isinstance(object_, Map | Groups) else None
            self.report.add("pql.unknown-field", where, message, hint=hint)
        return UNKNOWN


def _declared(expr: Expr) -> frozenset[str]:
    """Return the names of all variables and labels declared anywhere in the query."""
    names: set[str] = set()
    for node in walk(expr):
        match node:
            case ast.Let(name=name) | ast.Declaration(variable=name) | ast.Element(label=name):
                names.add(name)
            case ast.Lambda(params=params):
                names.update(params)
            case _:
                pass
    return frozenset(names)


def _like_variable(node: Expr) -> bool:
    """Whether a name looks like that of a variable: as written in most queries, short or with a capital."""
    return isinstance(node, ast.Name) and (len(node.name) == 1 or node.name[:1].isupper())


def _place(env: Environment) -> str:
    if len(env.implicit) == 1:
        return "the profile"
    type_ = env.innermost
    return "the event" if isinstance(type_, Object) and type_.event else "the item"
