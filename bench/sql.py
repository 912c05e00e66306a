"""Many audiences at once on the SQL engine, in bare scans, with members checked against the interpreter.

``python bench/sql.py [--size M] [--seed N] [--count 500] [--workspace DIR]`` loads a world with its people (unless the
workspace is there), writes audiences (`bench/audiences.py`), evaluates them, and asks the interpreter about every
audience and random people (2,000), whose records are read from the history. Only when all members are equal are times
reported. A *scan* is DuckDB's bare scan of the event columns that the rules read (`bench/floor.py`), measured before
and after each evaluation; ratios are medians over the runs. The last line is JSON:

``sql_over_scan``                 audiences without the sequences: evaluation over scan
``sql_with_sequences_over_scan``  all audiences
``count_over_scan``               the count of a typical rule on frequency, warm, over the same scan
``half_over_scan``                every second of the audiences without the sequences: what twice as many cost
``members_equal``                 whether engine and interpreter agree; otherwise the differences are printed
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pyroaring import BitMap

import audiences
import coterie
import floor
import ingest
import machine
import world
from coterie.audience import plan
from coterie.audience.definition import Audience
from coterie.audience.plan import Planned
from coterie.core.clock import FixedClock
from coterie.core.schema import leaves
from coterie.engine import people as persons
from coterie.engine.sql import SqlEngine
from coterie.ingest.mapping import Mapping
from coterie.pql import parse
from coterie.pql.conditions import conditions_of
from coterie.pql.interpreter import holds, read_profile
from coterie.profile.record import records
from coterie.workspace import Workspace

SEQUENCES = ("a-then-b", "a-not-b-then-c")
MOST_EVENTS = 1_000
"""People of more events are not asked about: the interpreter goes through them one by one, for every audience."""
COUNTS = 7

CUSTOMERS = {
    "name": "customer",
    "class": "profile",
    "fields": {
        "customer.id": {"type": "string", "required": True},
        "person.birthDate": "date",
        "homeAddress.country": {"type": "string", "max_length": 2},
        "loyalty.tier": {"type": "string", "enum": world.TIERS.to_pylist()},
        "loyalty.points": {"type": "integer", "minimum": 0},
    },
    "identities": [{"path": "customer.id", "namespace": "CustomerID", "primary": True}],
}
ATTRIBUTES = {
    "fields": {
        "customer.id": "customer",
        "person.birthDate": "birth_date",
        "homeAddress.country": "country",
        "loyalty.tier": "tier",
        "loyalty.points": "points",
    }
}


def load(source: Path, target: Path) -> None:
    """Load the events and the people of a world into a fresh workspace."""
    with coterie.open(target, clock=FixedClock(world.END), create=True) as ws:
        ws.sandbox.history.con.execute(f"SET threads = {floor.THREADS}")
        for namespace in ingest.NAMESPACES:
            ws.identities.put_namespace(namespace)
        for schema, name in ((ingest.SCHEMA, "web"), (CUSTOMERS, "customer")):
            ws.schemas.put(schema)
            ws.datasets.put(name, name)
        ws.ingest.load("web", [source / "events"], mapping=Mapping.read(ingest.MAPPING))
        ws.ingest.load("customer", [source / "people"], mapping=Mapping.read(ATTRIBUTES))


class Bench:
    """Audiences of a workspace, evaluated and measured.

    Parameters
    ----------
    ws : Workspace
        A loaded world.
    written : sequence of Written
        The audiences.
    """

    def __init__(self, ws: Workspace, written: Sequence[audiences.Written]) -> None:
        self.con = ws.sandbox.history.con
        self.union = ws.schemas.union()
        self.engine = SqlEngine(self.con, self.union)
        self.everyone = persons.read(self.con, 'SELECT person FROM "profile_default"')
        began = time.perf_counter()
        self.planned = [plan.plan(Audience(each.name, each.pql), self.union) for each in written]
        self.read_s = time.perf_counter() - began
        kinds = {each.name: each.kind for each in written}
        self.plain = [each for each in self.planned if kinds[each.audience.name] not in SEQUENCES]
        rules = [each.audience.pql for each in self.plain]
        self.columns = floor.columns_of(rules, self.union, [leaf.path for leaf in leaves(self.union.event)])

    def scan(self) -> float:
        """Return the seconds of a bare scan."""
        return floor.scan(self.con, "event", self.columns)

    def evaluate(self, chosen: Sequence[Planned]) -> tuple[float, dict[str, BitMap]]:
        """Evaluate audiences from their planned rules; return seconds and members."""
        began = time.perf_counter()
        found = plan.evaluate(chosen, self.engine, "default", world.END, self.everyone, {})
        return time.perf_counter() - began, {name: outcome.members for name, outcome in found.items()}

    def over_scan(self, chosen: Sequence[Planned], runs: int) -> tuple[dict[str, BitMap], float, float]:
        """Return members, and the medians of the seconds of an evaluation and of its ratio to the scans around."""
        members: dict[str, BitMap] = {}
        before, taken, ratios = self.scan(), [], []
        for _ in range(runs):
            seconds, members = self.evaluate(chosen)
            after = self.scan()
            taken.append(seconds)
            ratios.append(seconds / statistics.mean([before, after]))
            before = after
        return members, statistics.median(taken), statistics.median(ratios)

    def counts(self, ws: Workspace) -> float:
        """Return the median seconds of a count of buyers; each asks for another window, so that none is known."""
        taken = []
        for days in range(30, 30 + COUNTS + 1):
            rule = (
                f'xEvent[eventType = "commerce.purchases" and timestamp occurs <= {days} days before now].count() >= 3'
            )
            began = time.perf_counter()
            ws.audiences.count(rule)
            taken.append(time.perf_counter() - began)
        return statistics.median(taken[1:])

    def differences(self, members: dict[str, BitMap], people: int, seed: int) -> list[str]:
        """Ask the interpreter about random people; return where the engine says another thing."""
        chosen = self._people(people, seed)
        rules = [(each.audience.name, parse(each.audience.pql)) for each in self.planned]
        found = []
        for person, record in records(self.con, self.union, "default", chosen):
            profile = read_profile(record, self.union)
            for name, rule in rules:
                expected = holds(rule, profile, world.END, self.union)
                if expected != (person in members[name]):
                    found.append(f"{name}: person {person} is {'' if expected else 'not '}a member")
        return found

    def _people(self, count: int, seed: int) -> list[int]:
        busy = persons.read(
            self.con,
            'SELECT p.person FROM live_event AS e JOIN person_of_default AS p ON p.identity = e."$identity" '
            f"GROUP BY p.person HAVING count(*) > {MOST_EVENTS}",
        )
        quiet = np.array(self.everyone - busy)
        return sorted(np.random.default_rng(seed).choice(quiet, min(count, len(quiet)), replace=False).tolist())


def main() -> None:
    """Check, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=world.SIZES, default="M")
    parser.add_argument("--world", type=Path, help="folder of the world; default one in the temporary directory")
    parser.add_argument("--workspace", type=Path, help="a workspace that this has loaded, or is to load")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--kinds", default=",".join(audiences.MIX), help="kinds of audiences, divided by commas")
    parser.add_argument("--people", type=int, default=2_000, help="how many people the interpreter is asked about")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        target = options.workspace or Path(scratch, "workspace")
        if not (target / "coterie.json").is_file():
            source = options.world or Path(tempfile.gettempdir()) / f"coterie-world-{options.size}"
            if not (source / "truth.json").is_file():
                world.write(world.SIZES[options.size], source)
            load(source, target)
        with coterie.open(target, clock=FixedClock(world.END)) as ws:
            written = audiences.Writer(options.seed).write(options.count)
            kinds = options.kinds.split(",")
            print(json.dumps(measure(ws, [audience for audience in written if audience.kind in kinds], options)))


def measure(ws: Workspace, written: Sequence[audiences.Written], options: argparse.Namespace) -> dict[str, object]:
    """Check the members of audiences, then measure; ends the program when the members are wrong."""
    bench = Bench(ws, written)
    members, whole_s, whole = bench.over_scan(bench.planned, 1)
    print(f"{len(written)} audiences in {whole_s:.1f} s; asking the interpreter …", flush=True)
    wrong = bench.differences(members, options.people, options.seed)
    if wrong:
        print(*wrong[:20], sep="\n")
        print(json.dumps({"members_equal": False, "differences": len(wrong)}))
        raise SystemExit(1)
    print(f"equal for {options.people} people; measuring …", flush=True)
    shares = [len(found) / len(bench.everyone) for found in members.values()]
    _, plain_s, plain = bench.over_scan(bench.plain, options.runs)
    _, _, half = bench.over_scan(bench.plain[::2], options.runs)
    scan, count_s = bench.scan(), bench.counts(ws)
    scan = statistics.mean([scan, bench.scan()])
    return {
        "sql_over_scan": round(plain, 1),
        "sql_with_sequences_over_scan": round(whole, 1),
        "count_over_scan": round(count_s / scan, 3),
        "half_over_scan": round(half, 1),
        "members_equal": True,
        "sql_s": round(plain_s, 2),
        "sql_with_sequences_s": round(whole_s, 2),
        "count_s": round(count_s, 3),
        "scan_s": round(scan, 3),
        "rules_read_s": round(bench.read_s, 2),
        "audiences": len(written),
        "conditions": len({c.key for each in bench.planned for c in conditions_of(each.rule)}),
        "share_of_people": [round(share, 4) for share in np.quantile(shares, [0, 0.1, 0.5, 0.9, 1])],
        "people": len(bench.everyone),
        "events": floor.count(bench.con, "event"),
        "seed": options.seed,
        "peak_gb": round(machine.peak_gb(), 2),
        "machine": machine.described(),
    }


if __name__ == "__main__":
    main()
