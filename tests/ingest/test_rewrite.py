"""Files again without some rows: every other row keeps its bytes, its encoding and its compression."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.ingest import text
from coterie.ingest.rewrite import rewrite, rewrite_parquet, texts

LINES = ["id,name\n", "1,Ann\r\n", '2,"Bö\nb"\n', "\n", "3,Cid"]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"])
def test_lines_go_and_the_rest_stays_as_it_was(tmp_path, encoding, packed):
    path, target = tmp_path / "a.csv", tmp_path / "b.csv"
    pack = gzip.compress if packed else bytes
    path.write_bytes(pack("".join(LINES).encode(encoding)))
    named = encoding if encoding == "latin-1" else None
    assert texts(path, named, [(2, 2), (3, 4)])[0].decode().lstrip("\ufeff") == LINES[1]
    assert texts(path, named, [(3, 4), (6, 1 << 60)]) == ['2,"Bö\nb"\n'.encode(), b"3,Cid"]
    rewrite(path, target, named, [((2, 2), b""), ((3, 4), "9,Ü\n".encode())])
    data = target.read_bytes()
    assert (data[:2] == b"\x1f\x8b") is packed
    assert (gzip.decompress(data) if packed else data) == "id,name\n9,Ü\n\n3,Cid".encode(encoding)


@given(
    st.lists(st.sampled_from(["a\n", "bb\n", "\n", "ccc\r\n"]), max_size=12),
    st.sets(st.integers(1, 12)),
    st.integers(1, 9),
)
def test_blocks_do_not_matter(tmp_path_factory, lines, gone, block):
    folder = tmp_path_factory.mktemp("blocks")
    (folder / "a").write_text("".join(lines), newline="")
    before, text.BLOCK = text.BLOCK, block
    try:
        rewrite(folder / "a", folder / "b", None, [((line, line), b"") for line in sorted(gone)])
    finally:
        text.BLOCK = before
    kept = [line for number, line in enumerate(lines, 1) if number not in gone]
    assert (folder / "b").read_bytes() == "".join(kept).encode()


def test_empty_lines_keep_the_numbers_of_the_others(tmp_path):
    (tmp_path / "a").write_text("".join(LINES), newline="")
    rewrite(tmp_path / "a", tmp_path / "b", None, [((2, 2), None), ((3, 5), None)])
    assert (tmp_path / "b").read_text() == "id,name\n\n\n\n\n3,Cid"


def test_what_remains_can_be_edited(tmp_path):
    (tmp_path / "a").write_text("one\ntwo\nthree\n")
    rewrite(tmp_path / "a", tmp_path / "b", None, [((2, 2), b"2\n")], edit=bytes.upper)
    assert (tmp_path / "b").read_text() == "ONE\n2\nTHREE\n"


@pytest.mark.parametrize("compression", ["zstd", "snappy", "none"])
def test_rows_of_parquet_go_and_change(tmp_path, compression):
    table = pa.table(
        {
            "id": list(range(10)),
            "name": pa.array([f"n{n}" for n in range(10)]).dictionary_encode(),
            "deep": [[{"x": n}] for n in range(10)],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=4, compression=compression)
    written = rewrite_parquet(
        tmp_path / "a.parquet", tmp_path / "b.parquet", [0, 4, 5, 6, 7], {2: lambda row: {**row, "name": "changed"}}
    )
    again = pq.read_table(tmp_path / "b.parquet")
    assert written == 5
    assert again.schema.equals(pq.read_schema(tmp_path / "a.parquet"))
    expected = [{**row, "name": "changed"} if row["id"] == 2 else row for row in table.to_pylist()]
    assert again.to_pylist() == [row for row in expected if row["id"] not in (0, 4, 5, 6, 7)]
    packed = pq.ParquetFile(tmp_path / "b.parquet").metadata.row_group(0).column(0).compression
    assert packed == {"none": "UNCOMPRESSED"}.get(compression, compression.upper())
