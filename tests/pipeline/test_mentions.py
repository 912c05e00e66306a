"""Rows of data files whose text holds a value, and their texts without it."""

import pyarrow as pa
import pyarrow.parquet as pq

from coterie.governance.traces import Sought
from coterie.pipeline.privacy.mentions import lines_with, redacting, redacting_table, rows_with

SOUGHT = Sought.of([("Email", "ann@example.org")])
TABLE = pa.table(
    {
        "plain": ["x", "to ann@example.org", None, "y", "z"],
        "dictionary": pa.array(["b", "a", "b", "ann@example.org", "b"]).dictionary_encode(),
        "deep": [[{"m": "k"}], [], None, [{"m": "l"}], [{"m": "ann@example.org"}]],
        "map": pa.array([[("k", "v")]] * 5, pa.map_(pa.string(), pa.string())),
        "number": [1, 2, 3, 4, 5],
    }
)


def test_rows_of_parquet_are_told_by_number(tmp_path):
    pq.write_table(TABLE, tmp_path / "a.parquet", row_group_size=2)
    assert rows_with(tmp_path / "a.parquet", SOUGHT) == [1, 3, 4]
    pq.write_table(TABLE.drop(["deep"]), tmp_path / "b.parquet")
    assert rows_with(tmp_path / "b.parquet", SOUGHT) == [1, 3]
    assert rows_with(tmp_path / "b.parquet", Sought.of([("CRMID", "3")])) == []


def test_texts_of_a_table_are_redacted_at_any_depth():
    clean = redacting_table(SOUGHT)(TABLE)
    assert clean.schema.equals(TABLE.schema)
    assert clean.column("plain").to_pylist() == ["x", "to erased", None, "y", "z"]
    assert clean.column("dictionary").to_pylist() == ["b", "a", "b", "erased", "b"]
    assert clean.column("deep").to_pylist()[4] == [{"m": "erased"}]
    assert clean.column("map").to_pylist() == TABLE.column("map").to_pylist()


def test_lines_are_counted_from_one(tmp_path):
    (tmp_path / "a.csv").write_text("h\n\nann@example.org\nx\nann@example.org.uk\n<ann@example.org>")
    assert lines_with(tmp_path / "a.csv", None, SOUGHT) == [3, 6]


def test_bytes_that_are_no_utf_8_stay():
    edit = redacting(SOUGHT)
    assert edit(b"\xff ann@example.org \xfe\n") == b"\xff erased \xfe\n"
    assert edit(b"\xff nobody \xfe\n") == b"\xff nobody \xfe\n"
