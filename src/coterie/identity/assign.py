"""Identities of staged records: every (namespace, value) pair gets a number, and every record its identities.

The work is done on the distinct values of a batch, so cost follows the number of identities more than that of records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from coterie.core.schema import IdentityDescriptor, Schema, SchemaClass
from coterie.identity.namespaces import BLOCKED, ECID_FORM, MAX_IDENTITIES, MAX_VALUE, Namespace

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Assigned(msgspec.Struct, frozen=True):
    """What `assign` did: identities never seen before, and what was left out, by code.

    ======================================  =========================================================================
    ``identity.too-many``                   records with more than 20 identities: kept, but not linked
    ``identity.form``                       records with a malformed ECID or too long a value: kept, but not linked
    ``identity.unknown-namespace``          entries of identity maps under a code that is no namespace
    ``identity.missing``                    records without a usable primary identity: left out
    ``identity.two-primaries``              events with two values of their best namespace: left out
    ======================================  =========================================================================
    """

    new_identities: int
    skipped: dict[str, int]


def assign(
    con: DuckDBPyConnection,
    schema: Schema,
    namespaces: Mapping[str, Namespace],
    priorities: Sequence[str] | None = None,
    *,
    batch: int,
    dataset: int,  # noqa: ARG001 (identities belong to no dataset; the caller names the batch's whole address)
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
        records always, it is the one that the schema or the record's identity map marks.
    batch, dataset : int
        Numbers of the batch and its dataset.
    """
    columns = [
        _Column(f"$id{position}", descriptor)
        for position, descriptor in enumerate(schema.identities)
        if namespaces[descriptor.namespace].type.links
    ]
    _number_namespaces(con, schema, columns, namespaces, priorities)
    _number_values(con, schema, columns)
    new = _add_new(con, batch)
    skipped: dict[str, int] = {}
    if schema.identity_map:
        skipped["identity.unknown-namespace"] = _map_identities(con, namespaces)
    by_rank = priorities is not None and schema.class_ is SchemaClass.EVENT
    select = _Selection(con, schema, columns, by_rank)
    con.execute(f"CREATE OR REPLACE TEMP VIEW identified AS {select.rows()}")
    skipped |= select.skipped()
    return Assigned(new, {code: count for code, count in skipped.items() if count})


class _Column(NamedTuple):
    """A column of ``stage`` that holds values of a namespace."""

    name: str
    descriptor: IdentityDescriptor


def _number_namespaces(
    con: DuckDBPyConnection,
    schema: Schema,
    columns: Sequence[_Column],
    namespaces: Mapping[str, Namespace],
    priorities: Sequence[str] | None,
) -> None:
    """Make ``stage_namespace``: code, number and rank of every namespace of the batch, numbering the new ones."""
    codes = list(dict.fromkeys(column.descriptor.namespace for column in columns))
    if schema.identity_map:
        found = con.execute(
            'SELECT DISTINCT e.namespace FROM (SELECT unnest("$identityMap") AS e FROM stage) ORDER BY ALL'
        ).fetchall()
        linking = {code for (code,) in found if code in namespaces and namespaces[code].type.links}
        codes += sorted(linking - set(codes))
    ranks = {code: rank for rank, code in enumerate(_ranked(codes, namespaces, priorities or ()))}
    con.execute("CREATE OR REPLACE TEMP TABLE stage_namespace (code VARCHAR, namespace INTEGER, rank INTEGER)")
    for code in codes:
        con.execute(
            "INSERT INTO namespace SELECT coalesce(max(namespace), 0) + 1, $1 FROM namespace "
            "HAVING count(*) FILTER (WHERE code = $1) = 0",
            [code],
        )
        con.execute(
            "INSERT INTO stage_namespace SELECT code, namespace, $2::INTEGER FROM namespace WHERE code = $1",
            [code, ranks[code]],
        )


def _ranked(codes: Sequence[str], namespaces: Mapping[str, Namespace], priorities: Sequence[str]) -> list[str]:
    """Return the codes best first: those with a priority, then those of persons, then those of devices and browsers."""
    place = {code: position for position, code in enumerate(priorities)}
    return sorted(codes, key=lambda code: (place.get(code, len(place)), not namespaces[code].type.person, code))


def _number_values(con: DuckDBPyConnection, schema: Schema, columns: Sequence[_Column]) -> None:
    """Make ``stage_identity``: the distinct identities of the batch with their numbers; new ones come last."""
    sources = [
        f'SELECT DISTINCT n.namespace, v.value FROM (SELECT DISTINCT "{column.name}" AS value FROM stage) v, '
        f"stage_namespace n WHERE v.value IS NOT NULL AND n.code = $code{place:d}"
        for place, column in enumerate(columns)
    ]
    parameters: dict[str, object] = {
        f"code{place}": column.descriptor.namespace for place, column in enumerate(columns)
    }
    if schema.identity_map:
        sources.append(
            'SELECT DISTINCT n.namespace, e.id FROM (SELECT DISTINCT unnest("$identityMap") AS e FROM stage) m '
            "JOIN stage_namespace n ON n.code = e.namespace "
            "WHERE trim(e.id) <> '' AND NOT list_contains($blocked::VARCHAR[], lower(trim(e.id)))"
        )
        parameters["blocked"] = sorted(BLOCKED)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE stage_value AS
        SELECT s.namespace, s.value, i.identity,
               NOT (length(s.value) > {MAX_VALUE:d} OR coalesce(n.code = 'ECID', false)
                    AND NOT regexp_full_match(s.value, $ecid)) AS well_formed
        FROM ({" UNION ".join(sources)}) s
        JOIN stage_namespace n ON n.namespace = s.namespace
        LEFT JOIN identity i ON i.namespace = s.namespace AND i.value = s.value
        """,
        parameters | {"ecid": ECID_FORM},
    )
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE stage_identity AS
        SELECT namespace, value, identity, well_formed, false AS new FROM stage_value WHERE identity IS NOT NULL
        UNION ALL
        SELECT v.namespace, v.value, (last.identity + row_number() OVER (ORDER BY v.namespace, v.value))::INTEGER,
               v.well_formed, true
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


def _map_identities(con: DuckDBPyConnection, namespaces: Mapping[str, Namespace]) -> int:
    """Make ``stage_map``: identities of each row's identity map; return the number of entries under unknown codes."""
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE stage_map AS
        SELECT m."$row",
               arg_min(i.identity, place) FILTER (WHERE coalesce(e."primary", false)) AS flagged,
               arg_min(i.identity, place) AS first,
               list(i.identity) AS identities,
               list(struct_pack(rank := n.rank, identity := i.identity)) AS ranked,
               bool_and(i.well_formed) AS well_formed
        FROM (SELECT "$row", unnest("$identityMap") AS e, generate_subscripts("$identityMap", 1) AS place FROM stage) m
        JOIN stage_namespace n ON n.code = e.namespace
        JOIN stage_identity i ON i.namespace = n.namespace AND i.value = e.id
        GROUP BY m."$row"
        """
    )
    unknown = con.execute(
        'SELECT count(*) FROM (SELECT unnest("$identityMap") AS e FROM stage) m '
        "WHERE NOT list_contains($1::VARCHAR[], e.namespace)",
        [list(namespaces)],
    ).fetchall()
    return int(unknown[0][0])


class _Selection:
    """The statement that gives each staged row its identities."""

    def __init__(self, con: DuckDBPyConnection, schema: Schema, columns: Sequence[_Column], by_rank: bool) -> None:
        self.con, self.schema, self.columns, self.by_rank = con, schema, columns, by_rank
        numbers = dict(con.execute("SELECT code, namespace FROM stage_namespace").fetchall())
        self.ranks = dict(con.execute("SELECT code, rank FROM stage_namespace").fetchall())
        self.joins = "".join(
            f" LEFT JOIN (SELECT value, identity, well_formed FROM stage_identity WHERE namespace = "
            f'{numbers[column.descriptor.namespace]:d}) i{place:d} ON i{place:d}.value = s."{column.name}"'
            for place, column in enumerate(columns)
        )
        if schema.identity_map:
            self.joins += ' LEFT JOIN stage_map m ON m."$row" = s."$row"'
        found = con.execute("SELECT count(*) FROM stage_identity WHERE NOT well_formed").fetchall()
        self.malformed = bool(found[0][0])

    def rows(self) -> str:
        """Return the SELECT of the view."""
        limits = [self._linkable()] if self._linkable() != "true" else []
        identities = self._identities()
        listed = f"CASE WHEN {' AND '.join(limits)} THEN {identities} END" if limits else identities
        kept = " WHERE " + " AND ".join(self._conditions()) if self._conditions() else ""
        return f'SELECT s.*, {self._primary()} AS "$identity", {listed} AS "$identities" FROM stage s{self.joins}{kept}'

    def skipped(self) -> dict[str, int]:
        """Count the rows that are left out or not linked; a pass over the rows only when there can be any."""
        if not (self.malformed or self.by_rank or self.schema.identity_map or len(self.columns) > MAX_IDENTITIES):
            return {}
        several = f"{self._identities()} IS NOT NULL"
        codes = {
            "identity.too-many": f"{several} AND len({self._identities()}) > {MAX_IDENTITIES:d}",
            "identity.form": f"{several} AND NOT ({self._well_formed()})",
            "identity.missing": f"{self._primary()} IS NULL",
            "identity.two-primaries": f"({self._primary()} IS NOT NULL) AND ({self._torn()})",
        }
        counts = ", ".join(f"count(*) FILTER (WHERE {condition})" for condition in codes.values())
        row = self.con.execute(f"SELECT {counts} FROM stage s{self.joins}").fetchall()[0]
        return dict(zip(codes, map(int, row), strict=True))

    def _each(self) -> list[str]:
        return [f"i{place:d}.identity" for place in range(len(self.columns))]

    def _primary(self) -> str:
        if self.by_rank:
            return f"({self._ranked()})[1].identity"
        marked = [f"i{place:d}.identity" for place, item in enumerate(self.columns) if item.descriptor.primary]
        if self.schema.identity_map:
            marked.append("m.flagged")
        if self.schema.class_ is SchemaClass.EVENT:
            marked += [name for name in self._each() if name not in marked]
            if self.schema.identity_map:
                marked.append("m.first")
        return f"coalesce({', '.join(marked)})" if marked else "NULL::INTEGER"

    def _ranked(self) -> str:
        entries = ", ".join(
            f"struct_pack(rank := {self.ranks[item.descriptor.namespace]:d}, identity := i{place:d}.identity)"
            for place, item in enumerate(self.columns)
        )
        every = f"[{entries}]" if entries else "[]::STRUCT(rank INTEGER, identity INTEGER)[]"
        if self.schema.identity_map:
            every = f"list_concat({every}, coalesce(m.ranked, []))"
        return f"list_sort(list_distinct(list_filter({every}, lambda x: x.identity IS NOT NULL)))"

    def _torn(self) -> str:
        if not self.by_rank:
            return "false"
        ranked = self._ranked()
        return f"len({ranked}) > 1 AND ({ranked})[1].rank = ({ranked})[2].rank"

    def _identities(self) -> str:
        if len(self.columns) == 2 and not self.schema.identity_map:
            low, high = "i0.identity", "i1.identity"
            return f"CASE WHEN {low} < {high} THEN [{low}, {high}] WHEN {low} > {high} THEN [{high}, {low}] END"
        every = f"[{', '.join(self._each())}]::INTEGER[]"
        if self.schema.identity_map:
            every = f"list_concat({every}, coalesce(m.identities, []))"
        elif len(self.columns) < 2:
            return "NULL::INTEGER[]"
        listed = f"list_sort(list_distinct(list_filter({every}, lambda x: x IS NOT NULL)))"
        return f"CASE WHEN len({listed}) > 1 THEN {listed} END"

    def _well_formed(self) -> str:
        terms = [f"coalesce(i{place:d}.well_formed, true)" for place in range(len(self.columns))]
        if self.schema.identity_map:
            terms.append("coalesce(m.well_formed, true)")
        return " AND ".join(terms)

    def _linkable(self) -> str:
        terms = []
        if self.malformed:
            terms.append(self._well_formed())
        if self.schema.identity_map or len(self.columns) > MAX_IDENTITIES:
            terms.append(f"len({self._identities()}) <= {MAX_IDENTITIES:d}")
        return " AND ".join(terms) or "true"

    def _conditions(self) -> list[str]:
        terms = []
        if self.by_rank or self.schema.identity_map:
            terms.append(f"{self._primary()} IS NOT NULL")
        if self.by_rank:
            terms.append(f"NOT ({self._torn()})")
        return terms
