"""Loading a world of events against DuckDB's own sorted copy of the same files.

``python bench/ingest.py [--size M] [--world DIR]`` loads all events of a world (`bench/world.py`; made when it is
not there) into a fresh workspace: staging, validation, de-duplication, identities, graphs and profiles, ending with
queryable history. Before and after, DuckDB runs ``CREATE TABLE AS SELECT * … ORDER BY event_type, ts`` of the same
files into a fresh file. Each runs in a process of its own, with two threads and the same memory limit. The counts are
checked against the truth of the world first; the last line is JSON:

``over_ctas``  seconds of the load, divided by the mean of the two copies
``peak_gb``    largest resident size of the loading process
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb

import machine
import world

THREADS = 2
MEMORY = "4GB"

NAMESPACES = [
    {"code": "WebID", "type": "COOKIE", "name": "Browser"},
    {"code": "CustomerID", "type": "CROSS_DEVICE", "name": "Customer"},
]
SCHEMA = {
    "name": "web",
    "class": "event",
    "fields": {
        "browser.id": {"type": "string", "required": True},
        "customer.id": "string",
        "device.type": {"type": "string", "enum": ["desktop", "mobile", "tablet"]},
        "web.webPageDetails.name": {"type": "string", "max_length": 500},
        "search.query": {"type": "string", "max_length": 500},
        "commerce.order.priceTotal": {"type": "number", "decimals": 2, "minimum": 0},
        "productListItems[].SKU": "string",
        "productListItems[].quantity": {"type": "integer", "minimum": 1},
        "productListItems[].priceTotal": {"type": "number", "decimals": 2, "minimum": 0},
    },
    "identities": [
        {"path": "browser.id", "namespace": "WebID", "primary": True},
        {"path": "customer.id", "namespace": "CustomerID"},
    ],
}
MAPPING = {
    "fields": {
        "_id": "id",
        "timestamp": "ts",
        "eventType": "event_type",
        "browser.id": "browser",
        "customer.id": "customer",
        "device.type": "device",
        "web.webPageDetails.name": "page",
        "search.query": "query",
        "commerce.order.priceTotal": "order_total",
        "productListItems": "items",
    }
}


def load(source: Path, target: Path) -> dict[str, Any]:
    """Load the events of a world into a fresh workspace; returns seconds, counts and peak memory."""
    import coterie
    from coterie.core.clock import FixedClock
    from coterie.ingest.mapping import Mapping

    with coterie.open(target, clock=FixedClock(world.END), create=True) as ws:
        con = ws.sandbox.history.con
        con.execute(f"SET threads = {THREADS}")
        con.execute(f"SET memory_limit = '{MEMORY}'")
        for namespace in NAMESPACES:
            ws.identities.put_namespace(namespace)
        ws.schemas.put(SCHEMA)
        ws.datasets.put("web", "web")
        began = time.perf_counter()
        report = ws.ingest.load("web", [source / "events"], mapping=Mapping.read(MAPPING))
        seconds = time.perf_counter() - began
        status = ws.status()
        found = {
            "rows": report.rows_read,
            "duplicates": report.duplicates,
            "events": status.events,
            "identities": status.identities,
            "links": status.links,
            "persons": ws.profiles.count(),
        }
    return {"seconds": seconds, "found": found, "quarantined": report.quarantined, "peak_gb": machine.peak_gb()}


def copy(source: Path, target: Path) -> dict[str, Any]:
    """Copy the events with DuckDB alone, sorted, into a fresh file; returns seconds, rows and peak memory."""
    target.mkdir()
    with duckdb.connect(str(target / "copy.duckdb"), config={"threads": THREADS, "memory_limit": MEMORY}) as con:
        con.execute(f"SET temp_directory = '{target / 'tmp'}'")
        began = time.perf_counter()
        con.execute(
            f"CREATE TABLE event AS SELECT * FROM read_parquet('{source}/events/*.parquet') ORDER BY event_type, ts"
        )
        con.execute("CHECKPOINT")
        seconds = time.perf_counter() - began
        rows = con.execute("SELECT count(*) FROM event").fetchall()[0][0]
    return {"seconds": seconds, "rows": rows, "peak_gb": machine.peak_gb()}


def in_process(step: str, source: Path, target: Path) -> dict[str, Any]:
    """Run a step in a process of its own."""
    command = [sys.executable, __file__, "--step", step, "--world", str(source), "--target", str(target)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def warm(source: Path) -> None:
    """Read the files once, so that none of the runs pays for the disk alone."""
    for path in sorted((source / "events").iterdir()):
        with path.open("rb") as file:
            while file.read(1 << 24):
                pass


def main() -> None:
    """Measure and print, or run one step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=world.SIZES, default="M")
    parser.add_argument("--world", type=Path, help="folder of the world; default one in the temporary directory")
    parser.add_argument("--step", choices=("load", "copy"), help=argparse.SUPPRESS)
    parser.add_argument("--target", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    source = options.world or Path(tempfile.gettempdir()) / f"coterie-world-{options.size}"
    if options.step:
        print(json.dumps({"load": load, "copy": copy}[options.step](source, options.target)))
        return
    if not (source / "truth.json").is_file():
        world.write(world.SIZES[options.size], source)
    truth = json.loads((source / "truth.json").read_text())
    warm(source)
    with tempfile.TemporaryDirectory() as scratch:
        before = in_process("copy", source, Path(scratch, "before"))
        loaded = in_process("load", source, Path(scratch, "workspace"))
        after = in_process("copy", source, Path(scratch, "after"))
    if loaded["found"] != truth or loaded["quarantined"] or before["rows"] != truth["rows"]:
        raise SystemExit(f"the load found {loaded['found']}, the truth is {truth}")
    copied = statistics.mean([before["seconds"], after["seconds"]])
    print(
        json.dumps(
            {
                "over_ctas": round(loaded["seconds"] / copied, 2),
                "peak_gb": round(loaded["peak_gb"], 2),
                "load_s": round(loaded["seconds"], 1),
                "ctas_s": round(copied, 1),
                "ctas_peak_gb": round(before["peak_gb"], 2),
                "events": truth["events"],
                "memory_limit": MEMORY,
                "machine": machine.described(),
            }
        )
    )


if __name__ == "__main__":
    main()
