"""Bad rows: each is told with its true line and all that is wrong with it, and the rest goes on."""

import json
import random

import pytest

from .shop import column, errors, run

FIELDS = {
    "crm": "string",
    "count": "integer",
    "price": {"type": "number", "decimals": 2},
    "member": "boolean",
    "birthday": "date",
    "level": {"type": "string", "enum": ["gold", "silver"]},
    "code": {"type": "string", "pattern": "^[A-Z]{3}$"},
    "note": {"type": "string", "max_length": 40},
    "age": {"type": "integer", "minimum": 0, "maximum": 150},
    "shop": {"type": "string", "required": True},
}
COLUMNS = ["_id", "timestamp", *FIELDS]
MAPPING = {"fields": {name: name for name in COLUMNS}}
KINDS = [
    ("row.malformed", None, None),
    ("encoding", None, None),
    ("value.type.integer", "count", "twelve"),
    ("value.type.number", "price", "1,50"),
    ("value.type.boolean", "member", "perhaps"),
    ("value.type.date", "birthday", "1990-02-30"),
    ("value.type.date-time", "timestamp", "yesterday"),
    ("value.decimals", "price", "1.005"),
    ("value.range", "age", "151"),
    ("value.enum", "level", "bronze"),
    ("value.pattern", "code", "abc"),
    ("value.length", "note", "x" * 41),
    ("field.required", "shop", ""),
    ("identity.missing", "crm", "anonymous"),
    ("identity.length", "crm", "c" * 1025),
]


def good(number, seeded):
    return {
        "_id": f"e{number}",
        "timestamp": f"2026-0{seeded.randint(1, 9)}-1{seeded.randint(0, 9)}T10:00:00Z",
        "crm": f"c{number % 97}",
        "count": str(number),
        "price": f"{number}.99",
        "member": "true",
        "birthday": "1990-02-28",
        "level": "gold",
        "code": "ABC",
        "note": "fine",
        "age": "33",
        "shop": "north",
    }


def world(write, malformed, header):
    """Return the bytes of a file of 10,000 rows, 300 of them bad in 15 ways, and the faults expected of it."""
    seeded = random.Random(7)
    bad = dict(zip(sorted(seeded.sample(range(10_000), 300)), [KINDS[n % len(KINDS)] for n in range(300)], strict=True))
    out, line, expected = [header] if header else [], 2 if header else 1, []
    for number in range(10_000):
        row = good(number, seeded)
        if seeded.random() < 0.02:
            row["note"] = 'two\nlines, and "quotes"'
        if seeded.random() < 0.01:
            out.append(b"\n")
            line += 1
        code, field, value = bad.get(number, (None, None, None))
        if field:
            row[field] = value
        text = write(row)
        if code == "row.malformed":
            row["note"] = "fine"
            text = malformed(write(row))
        elif code == "encoding":
            row["note"] = "caf@"
            text = write(row).replace(b"@", b"\xe9")
        if code:
            expected.append((line, field, code))
        out.append(text)
        line += text.count(b"\n")
    return b"".join(out), expected


def csv_row(row):
    def cell(value):
        return '"' + value.replace('"', '""') + '"' if any(mark in value for mark in '",\n') else value

    return (",".join(cell(row[name]) for name in COLUMNS) + "\n").encode()


def json_row(row):
    return (json.dumps({key: value for key, value in row.items() if value}) + "\n").encode()


def check(path, expected):
    con, staged, _ = run(path, FIELDS, MAPPING)
    assert (staged.rows_read, staged.accepted, staged.quarantined) == (10_000, 9_700, 300)
    assert errors(con) == sorted(expected, key=lambda fault: fault[0])
    assert staged.errors == {code: 20 for code, _, _ in KINDS}
    assert con.execute('SELECT count(DISTINCT "$row"), max("$row") FROM stage').fetchone() == (9_700, 9_999)
    assert column(con, "count") == [int(name[1:]) for name in column(con, "_id")]
    return con


def test_csv_with_quoted_newlines_and_blank_lines(tmp_path):
    path = tmp_path / "sales.csv"
    data, expected = world(
        csv_row,
        lambda text: text[:-1] + b",surplus\n" if len(text) % 2 else text[:20] + b"\n",
        (",".join(COLUMNS) + "\n").encode(),
    )
    path.write_bytes(data)
    con = check(path, expected)
    lines = data.split(b"\n")
    for line, name in con.execute('SELECT "$line", "_id" FROM stage').fetchall():
        assert lines[line - 1].startswith(name.encode() + b",")


def test_json_lines(tmp_path):
    path = tmp_path / "sales.jsonl"
    data, expected = world(json_row, lambda text: text[: len(text) // 2] + b"\n", b"")
    path.write_bytes(data)
    con = check(path, expected)
    lines = data.split(b"\n")
    for line, name in con.execute('SELECT "$line", "_id" FROM stage').fetchall():
        assert json.loads(lines[line - 1])["_id"] == name


def test_every_fault_of_a_row_is_told_with_its_value_and_reason(tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("_id,timestamp,crm,count,price,shop\n,never,,1.5,1.234,\n")
    mapping = {"fields": {name: name for name in ("_id", "timestamp", "crm", "count", "price", "shop")}}
    con, staged, _ = run(path, FIELDS, mapping)
    assert staged.accepted == 0
    found = con.execute("SELECT field, value, code, reason FROM stage_error ORDER BY field, code").fetchall()
    assert found == [
        ("_id", None, "field.required", "expected a value"),
        ("count", "1.5", "value.type.integer", "expected an integer, found a fraction"),
        ("crm", None, "identity.missing", "expected at least one usable identity"),
        ("price", "1.234", "value.decimals", "expected at most 2 decimals"),
        ("shop", None, "field.required", "expected a value"),
        (
            "timestamp",
            "never",
            "value.type.date-time",
            "expected a date and time in ISO 8601, or in milliseconds since 1970, between years 1 and 9999",
        ),
    ]


@pytest.mark.parametrize(
    ("spec", "text", "code"),
    [
        ("integer", "9223372036854775808", "value.range"),
        ("integer", "1_000", "value.type.integer"),
        ("integer", "0x10", "value.type.integer"),
        ("integer", "1e-1", "value.type.integer"),
        ("integer", "nan", "value.type.integer"),
        ({"type": "number", "decimals": 2}, "10000000000000000", "value.range"),
        ({"type": "number", "decimals": 2}, "1e-3", "value.decimals"),
        ({"type": "number", "decimals": 0}, "0.30000000000000004", "value.decimals"),
        ("number", "inf", "value.type.number"),
        ("number", "1e999", "value.range"),
        ("date", "2026-02-29", "value.type.date"),
        ("date", "2026-01-01T10:00:00Z", "value.type.date"),
        ("date-time", "2026-01-01 10:00:00 Europe/Paris", "value.type.date-time"),
        ("date-time", "2026-01-01T10", "value.type.date-time"),
        ("date-time", "2026/01/01", "value.type.date-time"),
        ("date-time", "infinity", "value.type.date-time"),
        ("boolean", "2", "value.type.boolean"),
        ({"type": "string", "min_length": 3}, "ab", "value.length"),
        ({"type": "number", "decimals": 2, "maximum": 9.99}, "10.00", "value.range"),
    ],
)
def test_values_that_are_none(tmp_path, spec, text, code):
    path = tmp_path / "one.csv"
    path.write_text(f"_id,timestamp,crm,x\ne1,2026-01-01,c,{text}\n")
    con, staged, _ = run(
        path, {"crm": "string", "x": spec}, {"fields": {n: n for n in ("_id", "timestamp", "crm", "x")}}
    )
    assert staged.errors == {code: 1}
    assert con.execute('SELECT field, value, "$line" FROM stage_error').fetchall() == [("x", text, 2)]


def test_bad_items_are_told_one_by_one(tmp_path):
    path = tmp_path / "cart.jsonl"
    items = [{"sku": "a", "price": 1.5}, {"sku": "b", "price": "dear"}, {"price": 1.999}, 7, {"sku": {"x": 1}}]
    path.write_text(json.dumps({"_id": "1", "timestamp": "2026-01-01", "crm": "c", "items": items}) + "\n")
    fields = {
        "crm": "string",
        "lines[].sku": {"type": "string", "required": True},
        "lines[].price": {"type": "number", "decimals": 2},
    }
    con, staged, _ = run(
        path, fields, {"fields": {"_id": "_id", "timestamp": "timestamp", "crm": "crm", "lines": "items"}}
    )
    assert staged.accepted == 0
    assert con.execute(
        "SELECT field, value, code FROM stage_error WHERE field LIKE 'lines%' ORDER BY ALL"
    ).fetchall() == [
        ("lines.price", "1.999", "value.decimals"),
        ("lines.price", "dear", "value.type.number"),
        ("lines.sku", None, "field.required"),
    ]
    told = con.execute("SELECT field, code FROM stage_error WHERE field LIKE 'items%' ORDER BY ALL").fetchall()
    assert told == [("items[]", "value.type.object"), ("items[].sku", "value.type.scalar")]


def test_a_quote_that_never_closes_takes_only_its_line(tmp_path):
    path = tmp_path / "quote.csv"
    path.write_text('_id,timestamp,crm\n1,2026-01-01,"c\n2,2026-01-01,c\n3,2026-01-01,"c" d\n4,2026-01-01,12" c\n')
    con, _staged, _ = run(path, {"crm": "string"}, {"fields": {n: n for n in ("_id", "timestamp", "crm")}})
    assert errors(con) == [(2, None, "row.malformed"), (4, None, "row.malformed")]
    assert column(con, "crm") == ["c", '12" c']


def test_values_go_to_the_error_table_shortened_and_readable(tmp_path):
    path = tmp_path / "long.csv"
    path.write_bytes(b"_id,timestamp,crm\n1,2026-01-01,caf\xe9\n2," + b"x" * 5000 + b",c\n")
    con, *_ = run(path, {"crm": "string"}, {"fields": {n: n for n in ("_id", "timestamp", "crm")}})
    assert con.execute('SELECT value FROM stage_error ORDER BY "$row"').fetchall() == [
        ("1,2026-01-01,caf\ufffd",),
        ("x" * 1000,),
    ]


def test_strict_mappings_refuse_keys_they_do_not_know(tmp_path):
    path = tmp_path / "keys.jsonl"
    path.write_text(
        '{"_id": "1", "timestamp": "2026-01-01", "crm": "c"}\n'
        '{"_id": "2", "timestamp": "2026-01-01", "crm": "c", "extra": 1}\n'
    )
    fields = {n: n for n in ("_id", "timestamp", "crm")}
    con, staged, _ = run(path, {"crm": "string"}, {"fields": fields, "strict": True})
    assert errors(con) == [(2, None, "field.unknown")]
    _, staged, _ = run(path, {"crm": "string"}, {"fields": fields})
    assert staged.accepted == 2
    assert staged.warnings == {"field.unknown": 1}
