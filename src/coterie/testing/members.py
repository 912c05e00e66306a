"""Who satisfies a rule: profiles go through the real intake of a throw-away workspace, then an engine is asked."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec
from pyroaring import BitMap

from coterie.audience import ledger, plan
from coterie.audience.definition import Audience
from coterie.core.clock import FixedClock, parse_instant
from coterie.core.errors import Invalid, Unsupported
from coterie.core.schema import Field, FieldType, IdentityDescriptor, Schema, SchemaClass, Union
from coterie.engine.sql import SqlEngine
from coterie.pipeline.effects.evaluations import everyone
from coterie.pql import check
from coterie.testing.sample import SAMPLE
from coterie.workspace import Workspace
from coterie.workspace import open as open_workspace

NAMESPACE = "TestProfile"
OWNER = "testProfileId"
_SYSTEM = ("identityMap", "segmentMembership")
_encode = msgspec.json.Encoder(decimal_format="number").encode


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
    engine: Literal["interpreter", "sql", "kernel", "spark"] = "sql",
    schema: Union | None = None,
) -> set[str]:
    """Return the ids of the profiles for which a rule holds.

    Parameters
    ----------
    pql : str
        The rule.
    profiles : sequence of mapping
        Each with an `id`, attributes, and its events under ``events`` (with ``_id`` and ``timestamp``). Entries of
        ``segmentMembership.ups`` are the stored memberships that ``inSegment`` reads.
    now : str or int
        Evaluation instant: ISO 8601 text or milliseconds.
    engine : {"interpreter", "sql", "kernel", "spark"}
        Who answers. ``kernel`` is answered by ``sql``; `last_plan` says so.
    schema : Union, optional
        The fields there are; default the sample schema (`coterie.testing.SAMPLE`).

    Raises
    ------
    PqlError
        When the rule has problems.
    Unsupported
        ``testing.engine`` for an engine that is not there, ``engine.unsupported`` for a rule it cannot answer.
    Invalid
        ``testing.profiles`` when the intake refuses a profile or an event.
    """
    if engine not in ("sql", "kernel"):
        raise Unsupported(
            "testing.engine",
            f"there is no engine {engine!r} here.",
            hint="Engines are sql, and kernel (answered by sql).",
        )
    union = schema or SAMPLE
    at = parse_instant(now) if isinstance(now, str) else now
    stored = _memberships(profiles, at)
    check(pql, union, stored, draft=True).require()
    planned = plan.plan(Audience("rule", pql), union)
    with _loaded(profiles, union, at) as ws:
        con = ws.sandbox.history.con
        person = dict(
            con.execute(
                "SELECT i.value, i.identity FROM identity i JOIN namespace n USING (namespace) WHERE n.code = $1",
                [NAMESPACE],
            ).fetchall()
        )
        con.execute("DELETE FROM namespace WHERE code = $1", [NAMESPACE])  # the carrier is no part of identity maps
        memberships = {name: BitMap([person[id_] for id_ in ids]) for name, ids in stored.items()}
        memberships |= {name: ledger.members(con, name) for name in planned.reads - memberships.keys()}
        universe = everyone(ws.sandbox, "default")
        found = plan.evaluate([planned], SqlEngine(con, union), "default", at, universe, memberships)
        _last[:] = [Plan(engine, "sql", "" if engine == "sql" else "there is no kernel yet")]
        return {id_ for id_, number in person.items() if number in found["rule"].members}


@contextmanager
def _loaded(profiles: Sequence[Mapping[str, Any]], union: Union, at: int) -> Iterator[Workspace]:
    """Open a workspace that holds the profiles."""
    with (
        tempfile.TemporaryDirectory(prefix="coterie-testing-") as folder,
        open_workspace(Path(folder, "ws"), "test", clock=FixedClock(at), create=True) as ws,
    ):
        ws.identities.put_namespace({"code": NAMESPACE, "name": "Profile of a test", "type": "CROSS_DEVICE"})
        records = [_without(profile, "events", "segmentMembership") for profile in profiles]
        events = [{**event, OWNER: profile["id"]} for profile in profiles for event in profile.get("events", ())]
        for name, class_, properties, owner, rows in (
            ("profiles", SchemaClass.PROFILE, union.profile.properties, "id", records),
            ("events", SchemaClass.EVENT, union.event.properties, OWNER, events),
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
            ws.datasets.put(name, name)
            if rows:
                _load(ws, name, Path(folder, f"{name}.jsonl"), rows)
        yield ws


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


def _memberships(profiles: Sequence[Mapping[str, Any]], at: int) -> dict[str, list[str]]:
    """Return the profiles that are in each audience by what is stored: realized (or existing), and valid still."""
    stored: dict[str, list[str]] = {}
    for profile in profiles:
        for name, entry in profile.get("segmentMembership", {}).get("ups", {}).items():
            ids = stored.setdefault(name, [])
            until = entry.get("validUntil")
            if entry.get("status") in ("realized", "existing") and (until is None or at < parse_instant(until)):
                ids.append(profile["id"])
    return stored


def _without(mapping: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key not in names}
