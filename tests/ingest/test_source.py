"""Which files are read, how they are told apart, and what is said of those that cannot be read."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coterie.core.errors import Invalid
from coterie.ingest.source import Kind, SourceFormat, resolve

from .shop import column, connect, errors, run

HEADER = "_id,timestamp,crm\n"
FIELDS = {"crm": "string"}
MAPPING = {"fields": {name: name for name in ("_id", "timestamp", "crm")}}


def write(path, *numbers, header=HEADER):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(header + "".join(f"e{n},2026-01-01,c{n}\n" for n in numbers))
    return path


def test_folders_are_read_deep_by_name_and_globs_by_name(tmp_path):
    write(tmp_path / "day=2" / "b.csv", 3)
    write(tmp_path / "day=1" / "a.csv", 1, 2)
    write(tmp_path / ".hidden" / "no.csv", 9)
    (tmp_path / "README.md").write_text("no data")
    con, staged, _ = run(tmp_path, FIELDS, MAPPING)
    assert [file.name for file in staged.files] == ["day=1/a.csv", "day=2/b.csv"]
    assert [file.rows_read for file in staged.files] == [2, 1]
    assert con.execute('SELECT "_id", "$row", "$file", "$line" FROM stage ORDER BY 2').fetchall() == [
        ("e1", 0, 0, 2),
        ("e2", 1, 0, 3),
        ("e3", 2, 1, 2),
    ]
    by_glob = resolve([tmp_path / "*" / "*.csv", tmp_path / "day=1" / "a.csv"])
    assert [Path(file.path).name for file in by_glob.files] == ["a.csv", "b.csv"]


def test_files_of_one_load_may_have_their_columns_in_another_order(tmp_path):
    write(tmp_path / "a.csv", 1)
    (tmp_path / "b.csv").write_text("crm,extra,_id,timestamp\nc2,x,e2,2026-01-01\n")
    con, _, _ = run(tmp_path, FIELDS, MAPPING)
    assert column(con, "crm") == ["c1", "c2"]


def test_a_name_that_looks_like_a_glob_is_a_name(tmp_path):
    path = write(tmp_path / "part[1]*.csv", 1)
    _con, staged, _ = run(path, FIELDS, MAPPING)
    assert staged.accepted == 1
    table = pa.table({"_id": ["e1"], "timestamp": ["2026-01-01"], "crm": ["c"]})
    pq.write_table(table, tmp_path / "x[1]?.parquet")
    _, staged, _ = run(tmp_path / "x[1]?.parquet", FIELDS, MAPPING)
    assert staged.accepted == 1


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv", "a"])
def test_gzip_is_known_by_its_content(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress((HEADER + "e1,2026-01-01,c1\n").encode()))
    _con, staged, _ = run(path, FIELDS, MAPPING)
    assert staged.accepted == 1


def test_a_gzip_cut_short_names_its_file(tmp_path):
    path = tmp_path / "cut.csv.gz"
    whole = gzip.compress((HEADER + "".join(f"e{n},2026-01-01,c{n * 7919 % 1000}\n" for n in range(50_000))).encode())
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Invalid) as raised:
        run(path, FIELDS, MAPPING)
    assert raised.value.code == "ingest.unreadable-file"
    assert raised.value.where == {"file": "cut.csv.gz"}


@pytest.mark.parametrize("keep", [0.5, 0.999])
def test_a_parquet_file_cut_short_names_its_file(tmp_path, keep):
    path = tmp_path / "cut.parquet"
    rows = 20_000
    table = pa.table({"_id": [f"e{n}" for n in range(rows)], "timestamp": ["2026-01-01"] * rows, "crm": ["c"] * rows})
    pq.write_table(table, path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(Invalid) as raised:
        run(path, FIELDS, MAPPING)
    assert raised.value.code == "ingest.unreadable-file"
    assert raised.value.where == {"file": "cut.parquet"}


def test_a_parquet_file_damaged_inside_names_its_file(tmp_path):
    path = tmp_path / "hole.parquet"
    rows = 20_000
    table = pa.table(
        {"_id": [f"e{n * 7919}" for n in range(rows)], "timestamp": ["2026-01-01"] * rows, "crm": ["c"] * rows}
    )
    pq.write_table(table, path, compression="zstd", use_dictionary=False)
    data = bytearray(path.read_bytes())
    data[1000:3000] = bytes(2000)
    path.write_bytes(data)
    with pytest.raises(Invalid) as raised:
        run(path, FIELDS, MAPPING)
    assert raised.value.code == "ingest.unreadable-file"
    assert raised.value.where == {"file": "hole.parquet"}


def test_latin_1_taken_for_utf_8_gives_bad_rows_and_named_gives_good_ones(tmp_path):
    path = tmp_path / "people.csv"
    path.write_bytes((HEADER + "e1,2026-01-01,Zoë\ne2,2026-01-01,Ann\n").encode("latin-1"))
    con, _, _ = run(path, FIELDS, MAPPING)
    assert errors(con) == [(2, None, "encoding")]
    assert column(con, "crm") == ["Ann"]
    for encoding in ("latin-1", "cp1252"):
        con, _staged, _ = run(path, FIELDS, MAPPING, format={"encoding": encoding})
        assert column(con, "crm") == ["Zoë", "Ann"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8", "utf-32"])
def test_byte_order_marks_tell_the_encoding(tmp_path, encoding):
    path = tmp_path / "people.csv"
    path.write_bytes((HEADER + "e1,2026-01-01,Zoë\n").encode(encoding))
    con, _, _ = run(path, FIELDS, MAPPING)
    assert column(con, "crm") == ["Zoë"]


def test_what_is_not_in_the_named_encoding_is_told_with_its_line(tmp_path):
    path = tmp_path / "people.csv"
    path.write_bytes((HEADER + "e1,2026-01-01,c\ne2,2026-01-01,").encode() + b"\x81\n")
    with pytest.raises(Invalid) as raised:
        run(path, FIELDS, MAPPING, format={"encoding": "cp1252"})
    assert (raised.value.code, raised.value.where) == ("ingest.encoding", {"file": "people.csv", "line": 3})
    path.write_bytes(b"_id,timestamp,cr\xe9m\n")
    with pytest.raises(Invalid) as raised:
        run(path, FIELDS, MAPPING)
    assert (raised.value.code, raised.value.where) == ("ingest.encoding", {"file": "people.csv", "line": 1})
    with pytest.raises(Invalid, match="no encoding 'klingon'"):
        run(write(path, 1), FIELDS, MAPPING, format={"encoding": "klingon"})


@pytest.mark.parametrize(("delimiter", "quote"), [(";", '"'), ("\t", '"'), ("|", "'"), ("~", '"')])
def test_dialects(tmp_path, delimiter, quote):
    path = tmp_path / "people.txt"
    rows = [["_id", "timestamp", "crm"], ["e1", "2026-01-01", f"{quote}a{delimiter}b{quote}{quote}{quote}"]]
    path.write_text("\r\n".join(delimiter.join(row) for row in rows))
    given = {"quote": quote} | ({"delimiter": "~"} if delimiter == "~" else {})
    con, _, _ = run(path, FIELDS, MAPPING, format=given)
    assert column(con, "crm") == [f"a{delimiter}b{quote}"]


def test_files_without_a_header_have_numbered_columns(tmp_path):
    path = write(tmp_path / "bare.csv", 1, 2, header="")
    mapping = {"fields": {"_id": "column1", "timestamp": "column2", "crm": "column3"}}
    con, _, _ = run(path, FIELDS, mapping, format={"header": False})
    assert con.execute('SELECT "crm", "$line" FROM stage ORDER BY 2').fetchall() == [("c1", 1), ("c2", 2)]


def test_lines_are_true_across_reading_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("coterie.ingest.text.BLOCK", 1000)
    path = tmp_path / "blocks.csv"
    rows = [f'e{n},2026-01-01,"c\n{"x" * (n % 400)}"\n' if n % 3 else f"e{n},2026-01-01,c\n" for n in range(500)]
    path.write_text(HEADER + "".join(rows))
    con, staged, _ = run(path, FIELDS, MAPPING)
    assert staged.accepted == 500
    lines = path.read_text().split("\n")
    for line, name in con.execute('SELECT "$line", "_id" FROM stage').fetchall():
        assert lines[line - 1].startswith(f"{name},")


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: path / "absent.csv", "ingest.unreadable-file"),
        (lambda path: path / "*.csv", "ingest.no-files"),
        (lambda path: path, "ingest.no-files"),
    ],
)
def test_missing_files(tmp_path, make, code):
    with pytest.raises(Invalid) as raised:
        resolve([make(tmp_path)])
    assert raised.value.code == code


def test_empty_and_foreign_files(tmp_path):
    empty = tmp_path / "empty.csv"
    empty.touch()
    with pytest.raises(Invalid, match="it is empty"):
        resolve([empty])
    text = tmp_path / "text.parquet"
    text.write_text("a,b\n")
    with pytest.raises(Invalid, match="does not begin like a Parquet file"):
        resolve([text])
    array = tmp_path / "array.json"
    array.write_text("[{}]")
    with pytest.raises(Invalid) as raised:
        resolve([array])
    assert raised.value.code == "ingest.unknown-format"
    twice = tmp_path / "twice.csv"
    twice.write_text("a,a\n1,2\n")
    with pytest.raises(Invalid) as raised:
        resolve([twice]).describe(connect())
    assert raised.value.code == "ingest.header"


def test_kinds_are_known_by_content_and_not_mixed(tmp_path):
    lines = tmp_path / "data"
    lines.write_text('{"a": 1}\n')
    assert resolve([lines]).kind is Kind.JSONL
    table = tmp_path / "table.csv"
    pq.write_table(pa.table({"a": [1]}), table)
    assert resolve([table]).kind is Kind.PARQUET
    with pytest.raises(Invalid) as raised:
        resolve([lines, table])
    assert raised.value.code == "ingest.mixed-formats"
    assert resolve([lines], SourceFormat(kind=Kind.CSV)).kind is Kind.CSV


def test_copies_keep_names_and_order(tmp_path):
    source = resolve([write(tmp_path / "a.csv", 1), write(tmp_path / "b.csv", 2)])
    copy = write(tmp_path / "copies" / "00000.csv", 1)
    moved = source.relocated([copy, copy])
    assert [file.name for file in moved.files] == ["a.csv", "b.csv"]
    assert {file.path for file in moved.files} == {str(copy)}
