"""What becomes of good values: numbers, dates and zones, truths, texts, constants and keys of several columns."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coterie.core.clock import parse_instant
from coterie.core.errors import CoterieError

from .shop import column, run

BASE = {"_id": "_id", "timestamp": "timestamp", "crm": "crm"}


def one(tmp_path, spec, rule, text):
    """Return what a CSV cell becomes in a field `x`."""
    path = tmp_path / "one.csv"
    path.write_text(f'_id,timestamp,crm,x\ne1,2026-01-01,c,"{text}"\n')
    con, staged, _ = run(path, {"crm": "string", "x": spec}, {"fields": BASE | {"x": {"source": "x"} | rule}})
    assert staged.errors == {}
    return column(con, "x")[0]


@pytest.mark.parametrize(
    ("spec", "rule", "text", "value"),
    [
        ("integer", {}, "007", 7),
        ("integer", {}, " +5.0 ", 5),
        ("integer", {}, "12e3", 12_000),
        ("integer", {}, "-9223372036854775808", -(2**63)),
        ("integer", {}, "9007199254740993", 9007199254740993),
        ("integer", {"decimal_comma": True}, "1.234.567", 1_234_567),
        ({"type": "number", "decimals": 2}, {}, "19.99", Decimal("19.99")),
        ({"type": "number", "decimals": 2}, {}, "1.500", Decimal("1.50")),
        ({"type": "number", "decimals": 2}, {}, ".5", Decimal("0.50")),
        ({"type": "number", "decimals": 2}, {}, "15e-1", Decimal("1.50")),
        ({"type": "number", "decimals": 2}, {}, "-9999999999999999.99", Decimal("-9999999999999999.99")),
        ({"type": "number", "decimals": 9}, {}, "123456789.123456789", Decimal("123456789.123456789")),
        ({"type": "number", "decimals": 2}, {"decimal_comma": True}, "1.234,50", Decimal("1234.50")),
        ({"type": "number", "decimals": 2}, {"decimal_comma": True}, "-0,5", Decimal("-0.50")),
        ("number", {}, "0.30000000000000004", 0.1 + 0.2),
        ("boolean", {}, "Yes", True),
        ("boolean", {}, "0", False),
        ("boolean", {"true_values": ["oui"], "false_values": ["non"]}, "Non", False),
        ("string", {}, "  kept as it is ", "  kept as it is "),
        ("string", {"null_values": ["-", "n/a"]}, "n/a", None),
        ("integer", {"null_values": ["-"]}, "-", None),
        ("integer", {}, "", None),
    ],
)
def test_numbers_truths_and_texts(tmp_path, spec, rule, text, value):
    found = one(tmp_path, spec, rule, text)
    assert found == value
    assert type(found) is type(value)


def test_decimals_are_those_written_not_those_of_doubles(tmp_path):
    path = tmp_path / "sums.csv"
    path.write_text(
        "_id,timestamp,crm,x\n" + "".join(f"{n},2026-01-01,c,{x}\n" for n, x in enumerate(("0.1", "0.2", "19.99")))
    )
    con, *_ = run(path, {"crm": "string", "x": {"type": "number", "decimals": 2}}, {"fields": BASE | {"x": "x"}})
    assert con.execute("SELECT sum(x) FROM stage WHERE x < 1").fetchone() == (Decimal("0.30"),)
    assert con.execute("SELECT count(*) FROM stage WHERE x >= 19.99").fetchone() == (1,)


@pytest.mark.parametrize(
    ("rule", "text", "instant"),
    [
        ({}, "2026-06-15", "2026-06-15T00:00:00Z"),
        ({}, "2026-06-15T12:30", "2026-06-15T12:30:00Z"),
        ({}, "2026-06-15 12:30:45.123456", "2026-06-15T12:30:45.123Z"),
        ({}, "2026-06-15T12:30:00+02:00", "2026-06-15T10:30:00Z"),
        ({}, "2026-06-15T12:30:00 -0530", "2026-06-15T18:00:00Z"),
        ({"zone": "America/New_York"}, "2026-06-15T12:30:00Z", "2026-06-15T12:30:00Z"),
        ({"zone": "America/New_York"}, "2026-06-15 12:30:00 UTC", "2026-06-15T12:30:00Z"),
        ({"zone": "America/New_York"}, "2026-06-15", "2026-06-15T04:00:00Z"),
        ({"zone": "Europe/Paris"}, "2026-01-15T12:00:00", "2026-01-15T11:00:00Z"),
        ({"zone": "Europe/Paris"}, "2026-07-15T12:00:00", "2026-07-15T10:00:00Z"),
        ({"zone": "Europe/Paris", "format": "%d.%m.%Y %H:%M"}, "15.07.2026 12:00", "2026-07-15T10:00:00Z"),
        ({"zone": "Europe/Paris", "format": "%d.%m.%Y %H:%M %z"}, "15.07.2026 12:00 +0500", "2026-07-15T07:00:00Z"),
        ({"format": "epoch"}, "1700000000", "2023-11-14T22:13:20Z"),
        ({"format": "epoch"}, "1700000000.25", "2023-11-14T22:13:20.250Z"),
        ({"format": "epoch_ms"}, "1700000000250", "2023-11-14T22:13:20.250Z"),
        ({}, "1700000000250", "2023-11-14T22:13:20.250Z"),
        ({"zone": "Europe/Paris"}, "-62135596800", "1968-01-12T20:06:43.200Z"),
        ({}, "1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z"),
        ({}, "2026-06-15T23:59:59.9999", "2026-06-15T23:59:59.999Z"),
        ({}, " 2026-06-15T12:30:00 -05 ", "2026-06-15T17:30:00Z"),
    ],
)
def test_instants(tmp_path, rule, text, instant):
    assert one(tmp_path, "date-time", rule, text) == parse_instant(instant)


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "America/St_Johns"])
def test_local_times_around_clock_changes_mean_what_python_says(tmp_path, zone):
    times = [
        f"{day}T{hour:02}:{minute:02}:00"
        for day in ("2018-03-25", "2018-10-28", "2018-03-11", "2018-11-04", "2018-04-01", "2018-10-07")
        for hour in range(5)
        for minute in (0, 15, 30, 45)
    ]
    path = tmp_path / "changes.csv"
    path.write_text("_id,timestamp,crm\n" + "".join(f"{n},{time},c\n" for n, time in enumerate(times)))
    con, *_ = run(path, {"crm": "string"}, {"fields": BASE, "zone": zone})
    gaps = {time for time in times if _in_gap(time, zone)}
    assert [(time, found) for time, found in zip(times, column(con, "timestamp"), strict=True) if time not in gaps] == [
        (time, parse_instant(time, zone)) for time in times if time not in gaps
    ]


def _in_gap(text, zone):
    """Whether a local time does not exist because clocks were put forward over it."""
    from zoneinfo import ZoneInfo

    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    return local.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != local.replace(tzinfo=None)


@pytest.mark.parametrize(
    ("rule", "text", "day"),
    [
        ({}, "2026-06-15", "2026-06-15"),
        ({"format": "%d/%m/%Y"}, "15/06/2026", "2026-06-15"),
        ({"format": "epoch"}, "1700000000", "2023-11-14"),
        ({}, "0001-01-01", "0001-01-01"),
    ],
)
def test_dates_are_the_start_of_their_day_in_utc(tmp_path, rule, text, day):
    assert one(tmp_path, "date", rule, text) == parse_instant(day)


def test_parquet_values_keep_their_types(tmp_path):
    moment = datetime.fromisoformat("2026-06-15T12:30:00.123456")
    table = pa.table(
        {
            "_id": pa.array([1, 2], pa.int64()),
            "timestamp": pa.array([moment, moment], pa.timestamp("us")),
            "crm": pa.array([17.0, 18.5], pa.float64()),
            "zoned": pa.array([moment, None], pa.timestamp("ns", "Europe/Paris")),
            "day": pa.array([date(2026, 6, 15), None], pa.date32()),
            "price": pa.array([19.99, 0.07], pa.float64()),
            "exact": pa.array([Decimal("1.50"), Decimal("-2.00")], pa.decimal128(10, 4)),
            "whole": pa.array([5.0, None], pa.float64()),
            "flag": pa.array([True, None]),
            "code": pa.array([b"bytes", None], pa.binary()),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    two = {"type": "number", "decimals": 2}
    fields = {
        "crm": "string", "zoned": "date-time", "day": "date", "price": two, "exact": two, "whole": "integer",
        "flag": "boolean", "code": "string",
    }  # fmt: skip
    con, staged, _ = run(
        tmp_path / "t.parquet",
        fields,
        {"fields": {n: n for n in ("_id", "timestamp", *fields)}, "zone": "Europe/Paris"},
    )
    assert staged.errors == {}
    assert column(con, "_id") == ["1", "2"]
    assert column(con, "crm") == ["17", "18.5"]
    assert column(con, "timestamp")[0] == parse_instant("2026-06-15T10:30:00.123Z")
    assert column(con, "zoned")[0] == parse_instant("2026-06-15T12:30:00.123Z")
    assert column(con, "day")[0] == parse_instant("2026-06-15")
    assert column(con, "price") == [Decimal("19.99"), Decimal("0.07")]
    assert column(con, "exact") == [Decimal("1.50"), Decimal("-2.00")]
    assert column(con, "whole") == [5, None]
    assert column(con, "code") == ["bytes", None]
    assert con.execute('SELECT "$line" FROM stage ORDER BY 1').fetchall() == [(1,), (2,)]


def test_parquet_values_that_do_not_fit_are_told_by_row_number(tmp_path):
    table = pa.table(
        {
            "_id": ["a", "b", "c", "d"],
            "timestamp": pa.array([0, 2**62, 1, 2], pa.int64()),
            "crm": ["c"] * 4,
            "x": [0.5, 1.0, 0.1 + 0.2, float("nan")],
            "n": pa.array([1, 2, 3, 2**63], pa.uint64()),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    fields = {"crm": "string", "x": {"type": "number", "decimals": 2}, "n": "integer"}
    con, *_ = run(tmp_path / "t.parquet", fields, {"fields": BASE | {"x": "x", "n": "n"}})
    assert con.execute('SELECT "$line", field, code FROM stage_error ORDER BY ALL').fetchall() == [
        (2, "timestamp", "value.type.date-time"),
        (3, "x", "value.decimals"),
        (4, "n", "value.range"),
        (4, "x", "value.type.number"),
    ]


def test_json_numbers_of_more_digits_than_json_keeps_are_not_guessed(tmp_path):
    path = tmp_path / "n.jsonl"
    values = ["1234567890123456.78", '"0.1"', "0.30", "1e2", "9007199254740993", "true"]
    path.write_text("".join(f'{{"_id": "{n}", "timestamp": 0, "crm": "c", "x": {x}}}\n' for n, x in enumerate(values)))
    fields = BASE | {"timestamp": {"source": "timestamp", "format": "epoch"}, "x": "x"}
    con, *_ = run(path, {"crm": "string", "x": {"type": "number", "decimals": 2}}, {"fields": fields})
    assert con.execute('SELECT "$line", code FROM stage_error ORDER BY 1').fetchall() == [
        (1, "value.decimals"),
        (5, "value.decimals"),
        (6, "value.type.number"),
    ]
    con, *_ = run(path, {"crm": "string", "x": "string"}, {"fields": fields})
    assert column(con, "x")[1:] == ["0.1", "0.3", "100.0", "9007199254740993", "true"]


def test_constants_and_keys_of_several_columns(tmp_path):
    path = tmp_path / "lines.csv"
    path.write_text("basket,product,line,crm\nb1,p1,1,c\nb1,,2,c\n")
    rules = {
        "_id": {"concat": ["basket", "product", "line"], "separator": "-"},
        "timestamp": {"constant": "2026-01-01T00:00:00Z"},
        "eventType": {"constant": "commerce.purchases"},
        "crm": "crm",
        "channel.rank": {"constant": 3},
    }
    con, staged, _ = run(path, {"crm": "string", "channel.rank": "integer"}, {"fields": rules})
    assert con.execute('SELECT "_id", "eventType", "channel.rank", "timestamp" FROM stage').fetchall() == [
        ("b1-p1-1", "commerce.purchases", 3, parse_instant("2026-01-01"))
    ]
    assert staged.errors == {"field.required": 1}


@pytest.mark.parametrize(
    ("spec", "rule", "code"),
    [
        ("integer", {"constant": "many"}, "mapping.constant"),
        ("date", {"source": "x", "format": "%Q"}, "mapping.format"),
        ({"type": "string", "pattern": "(?=a)"}, {"source": "x"}, "mapping.format"),
        ("date-time", {"source": "x", "zone": "Mars/Olympus"}, "time.unknown-zone"),
        ("string", {"source": "X"}, "mapping.unknown-source"),
        ("string", {}, "mapping.rule"),
        ("string", {"source": "x", "constant": "y"}, "mapping.rule"),
        ("string", {"sauce": "x"}, "mapping.spec"),
    ],
)
def test_rules_that_cannot_work_are_told_before_reading(tmp_path, spec, rule, code):
    path = tmp_path / "one.csv"
    path.write_text("_id,timestamp,crm,x\ne1,2026-01-01,c,1\n")
    with pytest.raises(CoterieError) as raised:
        run(path, {"crm": "string", "x": spec}, {"fields": BASE | {"x": rule}})
    assert raised.value.code == code


def test_moments_beyond_the_calendar_are_told(tmp_path):
    table = pa.table(
        {
            "_id": ["1", "2", "3"],
            "timestamp": pa.array([0, 2**62, -(2**62)], pa.timestamp("us")),
            "crm": ["c"] * 3,
            "zoned": pa.array([2**62, 0, 0], pa.timestamp("us", "UTC")),
            "day": pa.array([2**31 - 1, 0, 0], pa.date32()),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    fields = {"crm": "string", "zoned": "date-time", "day": "date"}
    mapping = {"fields": BASE | {"zoned": "zoned", "day": "day"}, "zone": "Europe/Paris"}
    con, *_ = run(tmp_path / "t.parquet", fields, mapping)
    assert con.execute('SELECT "$line", field, code FROM stage_error ORDER BY ALL').fetchall() == [
        (1, "day", "value.type.date"),
        (1, "zoned", "value.type.date-time"),
        (2, "timestamp", "value.type.date-time"),
        (3, "timestamp", "value.type.date-time"),
    ]


def test_folders_named_like_partitions_add_no_columns(tmp_path):
    (tmp_path / "crm=x").mkdir()
    pq.write_table(
        pa.table({"_id": ["1"], "timestamp": ["2026-01-01"], "crm": ["c"]}), tmp_path / "crm=x" / "a.parquet"
    )
    con, *_ = run(tmp_path, {"crm": "string"}, {"fields": BASE})
    assert column(con, "crm") == ["c"]
