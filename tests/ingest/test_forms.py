"""Property: the same rows written as CSV, as JSON lines and as Parquet become the same typed values."""

import csv
import json
import tempfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.core.clock import parse_instant

from .shop import column, run

FIELDS = {
    "crm": "string",
    "text": "string",
    "count": "integer",
    "price": {"type": "number", "decimals": 2},
    "ratio": "number",
    "flag": "boolean",
    "day": "date",
}
NAMES = ["_id", "timestamp", *FIELDS]
MAPPING = {"fields": {name: name for name in NAMES}}

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufdd0"), min_size=1, max_size=12)
rows = st.fixed_dictionaries(
    {
        "timestamp": st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),  # noqa: DTZ001
        "text": st.none() | words,
        "count": st.none() | st.integers(-(2**63), 2**63 - 1),
        "price": st.none() | st.decimals(-(10**12), 10**12, places=2),
        "ratio": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "flag": st.none() | st.booleans(),
        "day": st.none() | st.dates(date(1, 1, 1), date(9999, 12, 31)),
    }
)


def written(value):
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case datetime() | date():
            return value.isoformat()
        case float():
            return repr(value)
        case _:
            return str(value)


def write_csv(path, table):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(NAMES)
        writer.writerows([written(row[name]) for name in NAMES] for row in table)


def write_jsonl(path, table):
    def plain(value):
        return str(value) if isinstance(value, Decimal | date) else value

    lines = [json.dumps({name: plain(value) for name, value in row.items()}, ensure_ascii=False) for row in table]
    path.write_text("\n".join(lines), encoding="utf-8")


def write_parquet(path, table):
    types = [pa.string(), pa.timestamp("us", "UTC"), pa.string(), pa.string(), pa.int64(), pa.decimal128(18, 2)]
    types += [pa.float64(), pa.bool_(), pa.date32()]
    schema = pa.schema(list(zip(NAMES, types, strict=True)))
    pq.write_table(pa.Table.from_pylist(table, schema), path)


def expected(row):
    return [
        row["_id"],
        parse_instant(row["timestamp"].isoformat()),
        row["crm"],
        row["text"],
        row["count"],
        row["price"],
        row["ratio"],
        row["flag"],
        None if row["day"] is None else parse_instant(row["day"].isoformat()),
    ]


@settings(max_examples=25)
@given(st.lists(rows, min_size=1, max_size=8))
def test_the_form_of_a_file_does_not_change_its_values(table):
    table = [{"_id": f"e{n}", "crm": f"c{n}"} | row for n, row in enumerate(table)]
    with tempfile.TemporaryDirectory() as folder:
        for suffix, write in (("csv", write_csv), ("jsonl", write_jsonl), ("parquet", write_parquet)):
            path = Path(folder) / f"rows.{suffix}"
            write(path, table)
            con, staged, _ = run(path, FIELDS, MAPPING)
            assert staged.errors == {}, con.execute("FROM stage_error").fetchall()
            assert list(zip(*(column(con, name) for name in NAMES), strict=True)) == [
                tuple(expected(row)) for row in table
            ]


@settings(max_examples=40)
@given(
    st.lists(
        st.lists(st.text(st.sampled_from('ab",\n\r;'), max_size=6), min_size=2, max_size=4), min_size=1, max_size=6
    )
)
def test_no_text_breaks_reading_and_no_row_is_lost_without_a_word(table):
    """Whatever the bytes, rows are either taken or told with a line inside the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        body = "\n".join(",".join(row) for row in table)
        path.write_text(f"_id,timestamp,crm,text\n{body}\n", newline="")
        con, staged, _ = run(
            path,
            {"crm": "string", "text": "string"},
            {"fields": {"_id": "_id", "timestamp": {"constant": "2026-01-01"}, "crm": "crm", "text": "text"}},
        )
        assert staged.rows_read == staged.accepted + staged.quarantined
        told = con.execute('SELECT count(DISTINCT "$row"), max("$line"), min("$line") FROM stage_error').fetchone()
        assert told[0] == staged.quarantined
        physical = path.read_bytes().count(b"\n")
        assert staged.quarantined == 0 or (2 <= told[2] <= told[1] <= physical)
