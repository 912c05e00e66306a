"""Audiences on computed attributes against the same audiences written out, and what storing the values would cost.

``python bench/computed.py [--size S] [--workspace DIR]`` loads a world (unless the workspace is there), saves
computed attributes, and evaluates in turn twenty audiences that read them and the same with the expressions written
out. Members and conditions must be equal, and the values of random people must be the interpreter's, before times are
reported. The last line is JSON:

``named_over_written``  evaluation of the audiences on computed attributes over that of those written out
``values_over_scan``    the values of all attributes for everybody, which storing would work out again and again, over a
                        bare scan of the event columns that they read
``equal``               whether members, conditions and values agree
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from pyroaring import BitMap

import coterie
import floor
import machine
import sql
import world
from coterie.audience import plan
from coterie.audience.definition import Audience
from coterie.computed.values import values, values_of
from coterie.core.clock import FixedClock
from coterie.core.schema import leaves
from coterie.engine import people as persons
from coterie.engine.sql import SqlEngine
from coterie.pql.conditions import conditions_of
from coterie.profile.record import records
from coterie.workspace import Workspace

PURCHASE, VIEW = "commerce.purchases", "commerce.productViews"
TOTAL = "commerce.order.priceTotal"
FORMS = {
    "orders90": {"function": "count", "event": PURCHASE, "look_back": {"count": 90, "unit": "day"}},
    "spend90": {"function": "sum", "field": TOTAL, "event": PURCHASE, "look_back": {"count": 90, "unit": "day"}},
    "average": {"function": "average", "field": TOTAL, "event": PURCHASE},
    "largest": {"function": "max", "field": TOTAL, "event": PURCHASE},
    "viewed7": {"function": "exists", "event": VIEW, "look_back": {"count": 7, "unit": "day"}},
    "devices": {"function": "distinctCount", "field": "device.type"},
    "lastDevice": {"function": "mostRecent", "field": "device.type"},
    "firstPage": {"function": "first", "field": "web.webPageDetails.name"},
}
PER_ORDER = "computedAttributes.spend90 / computedAttributes.orders90"
RULES = [
    *(f"{{orders90}} >= {count}" for count in (1, 2, 3)),
    *(f"{{spend90}} >= {amount}" for amount in (50, 100, 200, 400)),
    *(f"{{average}} < {amount}" for amount in (40, 80)),
    *(f"{{largest}} > {amount}" for amount in (100, 300)),
    "{viewed7}",
    "{viewed7} and {orders90} = 0",
    "not ({viewed7}) and {spend90} > 0",
    "{devices} >= 2",
    "{devices} = 3 and {orders90} > 0",
    '{lastDevice} = "mobile"',
    '{lastDevice} in ["mobile", "tablet"] and {viewed7}',
    '{firstPage} = "/page/1"',
    "{perOrder} > 60",
]
PEOPLE = 300


def main() -> None:
    """Check, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=world.SIZES, default="S")
    parser.add_argument("--workspace", type=Path, help="a workspace that this has loaded, or is to load")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        target = options.workspace or Path(scratch, "workspace")
        if not (target / "coterie.json").is_file():
            source = Path(scratch, "world")
            world.write(world.SIZES[options.size], source)
            sql.load(source, target)
        with coterie.open(target, clock=FixedClock(world.END)) as ws:
            for name, form in FORMS.items():
                ws.computed.put(name, form=form)
            ws.computed.put("perOrder", PER_ORDER)
            print(json.dumps(measure(ws, options.runs)))


def audiences(ws: Workspace) -> tuple[list[plan.Planned], list[plan.Planned]]:
    """Return the audiences on computed attributes, and the same with the expressions written out."""
    union, texts = ws.schemas.union(), {item.name: f"({item.pql})" for item in ws.computed.list()}
    written = {name: text if name != "perOrder" else _per_order(texts) for name, text in texts.items()}
    named = {name: f"computedAttributes.{name}" for name in texts}
    return tuple(  # type: ignore[return-value]
        [plan.plan(Audience(f"a{place}", rule.format(**spelled)), union) for place, rule in enumerate(RULES)]
        for spelled in (named, written)
    )


def _per_order(texts: dict[str, str]) -> str:
    return f"({texts['spend90']} / {texts['orders90']})"


def measure(ws: Workspace, runs: int) -> dict[str, object]:
    """Check that both spellings and both ways to the values are equal, then measure."""
    con, union = ws.sandbox.history.con, ws.schemas.union()
    named, written = audiences(ws)
    everyone = persons.read(con, 'SELECT person FROM "profile_default"')
    engine = SqlEngine(con, union)

    def evaluated(chosen: list[plan.Planned]) -> tuple[float, dict[str, BitMap]]:
        began = time.perf_counter()
        found = plan.evaluate(chosen, engine, "default", world.END, everyone, {})
        return time.perf_counter() - began, {name: outcome.members for name, outcome in found.items()}

    evaluated(written)
    taken = [(evaluated(named), evaluated(written)) for _ in range(runs)]
    keys = [{each.key for item in some for each in conditions_of(item.rule)} for some in (named, written)]
    equal = keys[0] == keys[1] and all(one[1] == other[1] for one, other in taken)
    columns = floor.columns_of(
        [item.audience.pql for item in written], union, [leaf.path for leaf in leaves(union.event)]
    )
    began = time.perf_counter()
    table = values(con, union, union.computed, "default", None, world.END)
    values_s = time.perf_counter() - began
    scan = floor.scan(con, "event", columns)
    some = np.random.default_rng(1).choice(np.array(everyone), PEOPLE, replace=False).tolist()
    rows = values(con, union, union.computed, "default", BitMap(some), world.END).to_pylist()
    of_statement = {
        row["person"]: {name: value for name, value in row.items() if name != "person" and value is not None}
        for row in rows
    }
    of_interpreter = {
        person: values_of(record, union, world.END) for person, record in records(con, union, "default", some)
    }
    equal = equal and of_statement == of_interpreter
    seconds = [statistics.median(one[place][0] for one in taken) for place in (0, 1)]
    return {
        "named_over_written": round(statistics.median(one[0] / other[0] for one, other in taken), 2),
        "values_over_scan": round(values_s / scan, 1),
        "equal": equal,
        "audiences": len(named),
        "conditions": len(keys[0]),
        "named_s": round(seconds[0], 2),
        "written_s": round(seconds[1], 2),
        "values_s": round(values_s, 2),
        "values_mb": round(table.nbytes / 1e6, 1),
        "attributes": len(union.computed),
        "people": len(everyone),
        "events": floor.count(con, "event"),
        "machine": machine.described(),
    }


if __name__ == "__main__":
    main()
