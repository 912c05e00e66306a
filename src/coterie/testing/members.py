"""Who satisfies a rule: profiles go through the real intake of a throw-away workspace, then an engine is asked."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec
from pyroaring import BitMap

from coterie.audience import ledger, plan
from coterie.audience.definition import Audience
from coterie.core.clock import FixedClock, parse_instant
from coterie.core.errors import Invalid, Unsupported
from coterie.core.schema import Field, FieldType, IdentityDescriptor, Schema, SchemaClass, Union
from coterie.engine.protocol import Engine as Evaluates
from coterie.engine.sql import SqlEngine
from coterie.pipeline.effects.evaluations import everyone
from coterie.pql import Expr, check
from coterie.pql.interpreter import Object, holds, read_profile
from coterie.profile.record import records
from coterie.testing.sample import SAMPLE
from coterie.workspace import Workspace
from coterie.workspace import open as open_workspace

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NAMESPACE = "TestProfile"
OWNER = "testProfileId"
_SYSTEM = ("identityMap", "segmentMembership")
_encode = msgspec.json.Encoder(decimal_format="number").encode


Engine = Literal["interpreter", "sql", "kernel", "spark"]


class Plan(msgspec.Struct, frozen=True):
    """How the last question was answered: the engine asked for, the one that did it, and why they differ."""

    asked: str
    engine: str
    reason: str = ""


_last: list[Plan] = []


def last_plan() -> Plan:
    """Return how the last call of `members` was answered; raises ``testing.no-plan`` before the first one."""
    if not _last:
        raise Invalid("testing.no-plan", "no question was asked yet.", hint="Call testing.members first.")
    return _last[-1]


def members(
    pql: str,
    profiles: Sequence[Mapping[str, Any]],
    now: str | int,
    engine: Engine = "sql",
    schema: Union | None = None,
) -> set[str]:
    """Return the ids of the profiles for which a rule holds.

    Parameters
    ----------
    pql : str
        The rule.
    profiles : sequence of mapping
        Each with an `id`, attributes, and its events under ``events`` (with ``_id`` and ``timestamp``). Entries of
        ``segmentMembership`` are the stored memberships, those under ``ups`` what ``inSegment`` reads.
    now : str or int
        Evaluation instant: ISO 8601 text or milliseconds.
    engine : {"interpreter", "sql", "kernel", "spark"}
        Who answers: ``interpreter`` reads the rule over one profile after another, ``sql`` evaluates it on DuckDB,
        ``spark`` on Spark (needs the extra ``spark`` and Java 17). ``kernel`` is answered by ``sql``; `last_plan` says
        so.
    schema : Union, optional
        The fields there are; default the sample schema (`coterie.testing.SAMPLE`).

    Raises
    ------
    PqlError
        When the rule has problems.
    Unsupported
        ``testing.engine`` for an engine that is not there, ``engine.spark`` when Spark lacks something.
    Invalid
        ``testing.profiles`` when the intake refuses a profile or an event.
    """
    with people(profiles, now, schema) as group:
        return group.members(pql, engine)


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    """Return the folder in which the Spark of this process works, removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="coterie-testing-spark-")


class People:
    """Profiles in a throw-away workspace, of whom any number of rules can be asked."""

    def __init__(self, ws: Workspace, union: Union, at: int, profiles: Sequence[Mapping[str, Any]]) -> None:
        self._union, self._at = union, at
        self._stored = _memberships(profiles, at)
        self._folder = ws.sandbox.tmp
        self._spark: Evaluates | None = None
        self._records: dict[int, Object] | None = None
        self._con = con = ws.sandbox.history.con
        self._person: dict[str, int] = dict(
            con.execute(
                "SELECT i.value, i.identity FROM identity i JOIN namespace n USING (namespace) WHERE n.code = $1",
                [NAMESPACE],
            ).fetchall()
        )
        intervals = [
            [namespace, name, self._person[profile["id"]], *_interval(entry)]
            for profile in profiles
            for namespace, entries in (profile.get("segmentMembership") or {}).items()
            for name, entry in entries.items()
        ]
        if intervals:
            con.executemany(
                "INSERT INTO membership (namespace, audience, person, entered_at, exited_at, valid_until, version) "
                "VALUES ($1, $2, $3, $4, $5, $6, 1)",
                intervals,
            )
        self._universe = everyone(ws.sandbox, "default")
        con.execute("DELETE FROM namespace WHERE code = $1", [NAMESPACE])  # the carrier is no part of identity maps

    def members(self, pql: str, engine: Engine = "sql") -> set[str]:
        """Return the ids of the profiles for which a rule holds; see `members`."""
        expr = check(pql, self._union, self._stored, draft=True).require()
        if engine not in get_args(Engine):
            raise Unsupported(
                "testing.engine",
                f"there is no engine {engine!r} here.",
                hint=f"Engines are {', '.join(get_args(Engine))}.",
            )
        found = self._read(expr) if engine == "interpreter" else self._evaluated(pql, self._engine(engine))
        _last[:] = [Plan(engine, "sql", "there is no kernel yet") if engine == "kernel" else Plan(engine, engine)]
        return {id_ for id_, number in self._person.items() if number in found}

    def _read(self, expr: Expr) -> BitMap:
        if self._records is None:
            read = records(self._con, self._union, "default", self._universe)
            self._records = {person: read_profile(record, self._union) for person, record in read}
        found = self._records.items()
        return BitMap(person for person, record in found if holds(expr, record, self._at, self._union))

    def _engine(self, name: Engine) -> Evaluates:
        if name != "spark":
            return SqlEngine(self._con, self._union)
        if self._spark is None:
            from coterie.engine.sql.spark.engine import SparkEngine
            from coterie.engine.sql.spark.session import local
            from coterie.engine.sql.spark.tables import lend

            session = lend(self._con, local(Path(_scratch().name)), self._folder)
            self._spark = SparkEngine(session, self._union)
        return self._spark

    def _evaluated(self, pql: str, engine: Evaluates) -> BitMap:
        planned = plan.plan(Audience("rule", pql, exclude_opt_out=False), self._union)
        memberships = {name: BitMap([self._person[id_] for id_ in ids]) for name, ids in self._stored.items()}
        memberships |= {name: ledger.members(self._con, name) for name in planned.reads - memberships.keys()}
        return plan.evaluate([planned], engine, "default", self._at, self._universe, memberships)["rule"].members


@contextmanager
def people(profiles: Sequence[Mapping[str, Any]], now: str | int, schema: Union | None = None) -> Iterator[People]:
    """Take in profiles once, to ask many rules of them; the parameters are those of `members`.

    Examples
    --------
    >>> with people([{"id": "a", "loyalty": {"points": 3}}], "2026-06-15T12:00:00Z") as group:
    ...     [sorted(group.members(rule)) for rule in ("loyalty.points = 3", "loyalty.points > 3")]
    [['a'], []]
    """
    union = schema or SAMPLE
    at = parse_instant(now) if isinstance(now, str) else now
    with _loaded(profiles, union, at) as ws:
        yield People(ws, union, at, profiles)


@contextmanager
def _loaded(profiles: Sequence[Mapping[str, Any]], union: Union, at: int) -> Iterator[Workspace]:
    """Open a workspace that holds the profiles."""
    with (
        tempfile.TemporaryDirectory(prefix="coterie-testing-") as folder,
        open_workspace(Path(folder, "ws"), "test", clock=FixedClock(at), create=True) as ws,
    ):
        codes = _codes(profiles)
        for code in (NAMESPACE, *codes.values()):
            ws.identities.put_namespace({"code": code, "type": "CROSS_DEVICE"})
        records = [_apart(place, profile, codes) for place, profile in enumerate(profiles)]
        events = _events(profiles)
        for name, class_, properties, owner in (
            ("profiles", SchemaClass.PROFILE, union.profile.properties, "id"),
            ("events", SchemaClass.EVENT, union.event.properties, OWNER),
        ):
            ws.schemas.put(
                Schema(
                    name,
                    class_,
                    {owner: Field(FieldType.STRING), **_without(properties, *_SYSTEM)},
                    identities=(IdentityDescriptor(owner, NAMESPACE, primary=True),),
                    identity_map=class_ is SchemaClass.PROFILE,
                )
            )
        datasets = [("profiles", records), *((f"events-{number}", rows) for number, rows in enumerate(events, 1))]
        for name, rows in datasets:
            ws.datasets.put(name, name.partition("-")[0])
            if rows:
                _load(ws, name, Path(folder, f"{name}.jsonl"), rows)
        _together(ws.sandbox.history.con, codes)
        yield ws


def _events(profiles: Sequence[Mapping[str, Any]]) -> list[list[dict[str, Any]]]:
    """Return the events of each dataset. Two profiles may have events of one `_id`: those go to different datasets."""
    datasets: list[list[dict[str, Any]]] = []
    owners: dict[Any, list[Any]] = {}
    for profile in profiles:
        for event in profile.get("events", ()):
            known = owners.setdefault(event.get("_id"), [])
            if profile["id"] not in known:
                known.append(profile["id"])
            number = known.index(profile["id"])
            datasets += [[] for _ in range(number + 1 - len(datasets))]
            datasets[number].append({**event, OWNER: profile["id"]})
    return datasets


def _load(ws: Workspace, dataset: str, path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.write_bytes(b"".join(_encode(row) + b"\n" for row in rows))
    report = ws.ingest.load(dataset, path, threshold=0, evaluate=False)
    if report.status != "active":
        row = ws.ingest.quarantine(report.batch, 1)[0]
        raise Invalid(
            "testing.profiles",
            f"{dataset}, row {row.line}: field {row.field}: {row.reason}.",
            where={"field": row.field, "line": row.line},
        )


def _codes(profiles: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return a namespace of its own for each namespace of identity maps, one without checks of values."""
    used = dict.fromkeys(code for profile in profiles for code in profile.get("identityMap") or ())
    return {code: f"{NAMESPACE}.{number}" for number, code in enumerate(used)}


def _apart(place: int, profile: Mapping[str, Any], codes: Mapping[str, str]) -> dict[str, Any]:
    """Return the record of a profile with identities that no other profile has, so that none are stitched."""
    record = _without(profile, "events", "segmentMembership")
    if record.get("identityMap"):
        record["identityMap"] = {
            codes[code]: [{**item, "id": f"{place}:{item['id']}"} for item in items]
            for code, items in record["identityMap"].items()
        }
    return record


def _together(con: DuckDBPyConnection, codes: Mapping[str, str]) -> None:
    """Give namespaces and identities the names that the profiles have for them."""
    con.execute(
        "UPDATE identity SET value = substr(value, strpos(value, ':') + 1) "
        "WHERE namespace IN (SELECT namespace FROM namespace WHERE list_contains($1, code))",
        [list(codes.values())],
    )
    for code, own in codes.items():
        con.execute("UPDATE namespace SET code = $1 WHERE code = $2", [code, own])


def _memberships(profiles: Sequence[Mapping[str, Any]], at: int) -> dict[str, list[str]]:
    """Return the profiles that are in each audience by what is stored: realized (or existing), and valid still."""
    stored: dict[str, list[str]] = {}
    for profile in profiles:
        for name, entry in (profile.get("segmentMembership") or {}).get("ups", {}).items():
            ids = stored.setdefault(name, [])
            _, exited, valid_until = _interval(entry)
            if exited is None and (valid_until is None or at < valid_until):
                ids.append(profile["id"])
    return stored


def _interval(entry: Mapping[str, Any]) -> tuple[int, int | None, int | None]:
    """Return when a membership began, when it ended, and until when it is valid, as the ledger holds it."""
    entered = _instant(entry.get("lastQualificationTime")) or 0
    exited = None if entry.get("status") in ("realized", "existing") else entered
    return entered, exited, _instant(entry.get("validUntil"))


def _instant(value: str | int | None) -> int | None:
    return parse_instant(value) if isinstance(value, str) else value


def _without(mapping: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key not in names}
