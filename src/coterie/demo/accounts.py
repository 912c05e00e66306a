"""The generated accounts of the sample world: the e-mail addresses that households might have given on the web site.

**Everything here is made up**, with a fixed seed, and is called generated wherever it shows. It hangs on the generated
web channel: an address is given in a browser that the household logs in with, after that login.

- every household that logs in opens an account with an address of its own;
- one in ten of them gives another address later on;
- two of a hundred addresses are given by a second household too, as by a couple that parts or shares a mailbox.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from coterie.core.clock import DAY, format_instant
from coterie.demo.web import END, NOBODY, SEED, Ints, Visitors, Web

EVENTS = "accounts_generated.jsonl"
MINUTE = 60_000

OPENED, CHANGED = "userAccount.createProfile", "userAccount.updateProfile"


class Accounts(NamedTuple):
    """Addresses given, in the order of time: when, by whom and where; `opened` when it is the household's first."""

    time: Ints
    browser: Ints
    household: Ints
    address: Ints
    opened: Ints


def generate(visitors: Visitors, seed: int = SEED) -> Accounts:
    """Generate the addresses that the visitors who log in give; the same arguments give the same addresses."""
    rng = np.random.default_rng([seed, 2])
    logs_in = np.flatnonzero((visitors.first_login < END) & (visitors.household != NOBODY))
    in_time = logs_in[np.lexsort((logs_in, visitors.first_login[logs_in]))]
    households, first = np.unique(visitors.household[in_time], return_index=True)
    size = len(households)
    opening = in_time[first]

    more = rng.choice(size, size // 10, replace=False)
    address = np.concatenate([np.arange(size), size + np.arange(len(more))])
    lent = rng.choice(len(address), len(address) // 50, replace=False)
    giver = np.concatenate([np.arange(size), more])[lent]
    taker = (giver + rng.integers(1, size, len(lent))) % size

    again = np.concatenate([more, taker])
    start, count = (
        np.searchsorted(np.sort(visitors.household[in_time]), households, side) for side in ("left", "right")
    )
    by_household = in_time[np.argsort(visitors.household[in_time], kind="stable")]
    row = by_household[start[again] + (rng.random(len(again)) * (count - start)[again]).astype(np.int64)]
    later = rng.integers(visitors.first_login[row] + DAY, END)

    visitor = np.concatenate([opening, row])
    time = np.concatenate([visitors.first_login[opening] + 3 * MINUTE, later])
    order = np.argsort(time, kind="stable")
    return Accounts(
        time=time[order],
        browser=visitors.browser[visitor][order],
        household=visitors.household[visitor][order],
        address=np.concatenate([np.arange(size), size + np.arange(len(more)), lent])[order],
        opened=(np.arange(len(time)) < size)[order].astype(np.int64),
    )


def write(web: Web, folder: Path, seed: int = SEED) -> None:
    """Write the accounts as JSON lines into an existing folder; the same arguments give the same bytes."""
    accounts = generate(web.visitors, seed)
    names = np.random.default_rng([seed, 3]).choice(1 << 32, int(accounts.address.max()) + 1, replace=False)
    events = [
        {
            "_id": f"account-{place:05d}",
            "timestamp": format_instant(time),
            "eventType": OPENED if opened else CHANGED,
            "producedBy": "generated",
            "browser": {"id": web.ids[browser]},
            "household": {"id": str(household)},
            "email": {"address": f"{names[address]:08x}@example.org"},
        }
        for place, (time, browser, household, address, opened) in enumerate(
            zip(*(column.tolist() for column in accounts), strict=True)
        )
    ]
    (folder / EVENTS).write_bytes(msgspec.json.Encoder().encode_lines(events))
