"""Identities of staged records: every (namespace, value) pair gets a number, and every record its identities.

The work is done on the distinct values of a batch, so cost follows the number of identities more than that of records.
Which values are usable at all was decided at intake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from coterie.core.schema import Schema, SchemaClass
from coterie.identity.namespaces import MAX_IDENTITIES, Namespace

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Assigned(msgspec.Struct, frozen=True):
    """What `assign` did: identities never seen before, and records whose identities are not linked, by code.

    ``identity.too-many``
        Records with more than 20 identities.
    ``identity.not-unique``
        Records with two values of a unique namespace.
    """

    new_identities: int
    unlinked: dict[str, int]


def assign(
    con: DuckDBPyConnection,
    schema: Schema,
    namespaces: Mapping[str, Namespace],
    priorities: Sequence[str] | None = None,
    unique: Sequence[str] = (),
    *,
    batch: int,
) -> Assigned:
    """Number the identities of the rows in the TEMP table ``stage``.

    Adds rows to `identity` (numbers go by namespace number, then value, after those there are) and makes the TEMP view
    ``identified``: all columns of ``stage``, `$identity` (the primary one) and `$identities` (all that are linked,
    ascending; NULL when fewer than two).

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history, with ``stage`` filled.
    schema : Schema
        Schema of the staged rows; its identity *n* is the column `$id<n>`.
    namespaces : mapping
        All namespaces by code.
    priorities : sequence of str, optional
        Codes, best first. When given, the primary identity of an event is that of its best namespace; without, and for
        records always, it is the one that the schema or the record's identity map marks, else the first. No event has
        two values of its best namespace.
    unique : sequence of str
        Codes of the namespaces of which a record with two values is not linked.
    batch : int
        Number of the batch.
    """
    _number_namespaces(con, schema, namespaces, priorities or ())
    _number_values(con, schema)
    new = _add_new(con, batch)
    if schema.identity_map:
        _gather_maps(con)
    by_rank = priorities is not None and schema.class_ is SchemaClass.EVENT
    select = _Selection(con, schema, by_rank)
    con.execute(f"CREATE OR REPLACE TEMP VIEW identified AS {select.rows()}")
    return Assigned(new, select.unlinked(unique))


def _number_namespaces(
    con: DuckDBPyConnection, schema: Schema, namespaces: Mapping[str, Namespace], priorities: Sequence[str]
) -> None:
    """Make ``stage_namespace``: code, number and rank of every namespace of the batch, numbering the new ones."""
    codes = list(dict.fromkeys(descriptor.namespace for descriptor in schema.identities))
    if schema.identity_map:
        found = con.execute(
            'SELECT DISTINCT e.namespace FROM (SELECT unnest("$identityMap") AS e FROM stage) ORDER BY ALL'
        ).fetchall()
        codes += [code for (code,) in found if code not in codes]
    con.execute("CREATE OR REPLACE TEMP TABLE stage_namespace (code VARCHAR, namespace INTEGER, rank INTEGER)")
    for code in codes:
        con.execute(
            "INSERT INTO namespace SELECT coalesce(max(namespace), 0) + 1, $1 FROM namespace "
            "HAVING count(*) FILTER (WHERE code = $1) = 0",
            [code],
        )
    for rank, code in enumerate(_best_first(codes, namespaces, priorities)):
        con.execute(
            "INSERT INTO stage_namespace SELECT code, namespace, $2::INTEGER FROM namespace WHERE code = $1",
            [code, rank],
        )


def _best_first(codes: Sequence[str], namespaces: Mapping[str, Namespace], priorities: Sequence[str]) -> list[str]:
    """Sort codes: those with a priority, then those of persons, then those of devices and browsers."""
    place = {code: position for position, code in enumerate(priorities)}
    return sorted(codes, key=lambda code: (place.get(code, len(place)), not namespaces[code].type.person, code))


def _number_values(con: DuckDBPyConnection, schema: Schema) -> None:
    """Make ``stage_identity``: the distinct identities of the batch with their numbers; new ones come last."""
    sources = [
        f'SELECT n.namespace, v.value FROM (SELECT DISTINCT "$id{place:d}" AS value FROM stage) v, stage_namespace n '
        f"WHERE v.value IS NOT NULL AND n.code = $code{place:d}"
        for place in range(len(schema.identities))
    ]
    if schema.identity_map:
        sources.append(
            'SELECT DISTINCT n.namespace, m.e.id AS value FROM (SELECT unnest("$identityMap") AS e FROM stage) m '
            "JOIN stage_namespace n ON n.code = m.e.namespace"
        )
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE stage_value AS
        SELECT s.namespace, s.value, i.identity FROM ({" UNION ".join(sources)}) s
        LEFT JOIN identity i ON i.namespace = s.namespace AND i.value = s.value
        """,
        {f"code{place}": descriptor.namespace for place, descriptor in enumerate(schema.identities)},
    )
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE stage_identity AS
        SELECT namespace, value, identity, false AS new FROM stage_value WHERE identity IS NOT NULL
        UNION ALL
        SELECT v.namespace, v.value, (last.identity + row_number() OVER (ORDER BY v.namespace, v.value))::INTEGER, true
        FROM stage_value v, (SELECT coalesce(max(identity), -1) AS identity FROM identity) last
        WHERE v.identity IS NULL
        """
    )
    con.execute("DROP TABLE stage_value")


def _add_new(con: DuckDBPyConnection, batch: int) -> int:
    con.execute(
        "INSERT INTO identity (identity, namespace, value, batch) "
        "SELECT identity, namespace, value, $1 FROM stage_identity WHERE new ORDER BY identity",
        [batch],
    )
    return int(con.execute("SELECT count(*) FROM stage_identity WHERE new").fetchall()[0][0])


def _gather_maps(con: DuckDBPyConnection) -> None:
    """Make ``stage_map``: the identities of each row's identity map."""
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE stage_map AS
        SELECT m."$row",
               arg_min(i.identity, m.place) FILTER (WHERE coalesce(m.e."primary", false)) AS flagged,
               arg_min(i.identity, m.place) AS first,
               list(i.identity) AS identities,
               list(struct_pack(rank := n.rank, identity := i.identity)) AS ranked
        FROM (SELECT "$row", unnest("$identityMap") AS e, generate_subscripts("$identityMap", 1) AS place FROM stage) m
        JOIN stage_namespace n ON n.code = m.e.namespace
        JOIN stage_identity i ON i.namespace = n.namespace AND i.value = m.e.id
        GROUP BY m."$row"
        """
    )


class _Selection:
    """The statement that gives each staged row its identities.

    Names of its own begin with ``$``, lambda parameters too: a column of that name would be taken in their place.
    """

    def __init__(self, con: DuckDBPyConnection, schema: Schema, by_rank: bool) -> None:
        self.con, self.schema, self.by_rank = con, schema, by_rank
        numbers = {
            code: (namespace, rank)
            for code, namespace, rank in con.execute("SELECT code, namespace, rank FROM stage_namespace").fetchall()
        }
        self.each = [f"i{place:d}.identity" for place in range(len(schema.identities))]
        self.rank_of = {code: rank for code, (_, rank) in numbers.items()}
        self.ranks = [self.rank_of[descriptor.namespace] for descriptor in schema.identities]
        self.joins = "".join(
            f" LEFT JOIN (SELECT value, identity FROM stage_identity WHERE namespace = "
            f'{numbers[descriptor.namespace][0]:d}) i{place:d} ON i{place:d}.value = s."$id{place:d}"'
            for place, descriptor in enumerate(schema.identities)
        )
        if schema.identity_map:
            self.joins += ' LEFT JOIN stage_map m ON m."$row" = s."$row"'
        self.may_be_many = schema.identity_map or len(schema.identities) > MAX_IDENTITIES

    def rows(self) -> str:
        """Return the SELECT of the view."""
        listed = self._identities()
        if self.may_be_many:
            listed = f"CASE WHEN len({listed}) <= {MAX_IDENTITIES:d} THEN {listed} END"
        return f'SELECT s.*, {self._primary()} AS "$identity", {listed} AS "$identities" FROM stage s{self.joins}'

    def unlinked(self, unique: Sequence[str]) -> dict[str, int]:
        """Count the rows whose identities are not linked; a pass over the rows only when there can be any."""
        codes: dict[str, str] = {}
        if self.may_be_many:
            codes["identity.too-many"] = f"len({self._identities()}) > {MAX_IDENTITIES:d}"
        twice = [self.rank_of[code] for code in unique if self._may_be_twice(code)]
        if twice:
            held = f'list_transform({self._ranked()}, lambda "$it": "$it".rank)'
            codes["identity.not-unique"] = " OR ".join(
                f'len(list_filter({held}, lambda "$it": "$it" = {rank:d})) > 1' for rank in twice
            )
        if not codes:
            return {}
        counts = ", ".join(f"count(*) FILTER (WHERE {condition})" for condition in codes.values())
        row = self.con.execute(f"SELECT {counts} FROM stage s{self.joins}").fetchall()[0]
        return {code: int(count) for code, count in zip(codes, row, strict=True) if count}

    def _may_be_twice(self, code: str) -> bool:
        named = sum(descriptor.namespace == code for descriptor in self.schema.identities)
        return code in self.rank_of and (self.schema.identity_map or named > 1)

    def _primary(self) -> str:
        if self.by_rank:
            return f"({self._ranked()})[1].identity"
        marked = [name for name, item in zip(self.each, self.schema.identities, strict=True) if item.primary]
        rest = [name for name in self.each if name not in marked]
        if self.schema.identity_map:
            return f"coalesce({', '.join([*marked, 'm.flagged', *rest, 'm.first'])})"
        return f"coalesce({', '.join([*marked, *rest])})" if self.each else "NULL::INTEGER"

    def _ranked(self) -> str:
        """Return SQL for the identities with the ranks of their namespaces, best first."""
        entries = ", ".join(
            f"struct_pack(rank := {rank:d}, identity := {name})"
            for rank, name in zip(self.ranks, self.each, strict=True)
        )
        every = f"[{entries}]::STRUCT(rank INTEGER, identity INTEGER)[]"
        if self.schema.identity_map:
            every = f"list_concat({every}, coalesce(m.ranked, []))"
        return f'list_sort(list_distinct(list_filter({every}, lambda "$it": "$it".identity IS NOT NULL)))'

    def _identities(self) -> str:
        if self.schema.identity_map:
            listed = _sorted(f"list_concat([{', '.join(self.each)}]::INTEGER[], coalesce(m.identities, []))")
        elif len(self.each) < 2:
            return "NULL::INTEGER[]"
        elif len(self.each) == 2:
            a, b = self.each
            return f"CASE WHEN {a} < {b} THEN [{a}, {b}] WHEN {a} > {b} THEN [{b}, {a}] END"
        else:
            listed = _sorted(f"[{', '.join(self.each)}]::INTEGER[]")
        return f"CASE WHEN len({listed}) > 1 THEN {listed} END"


def _sorted(identities: str) -> str:
    return f'list_sort(list_distinct(list_filter({identities}, lambda "$it": "$it" IS NOT NULL)))'
