"""Values are found in every form in which they stand in texts and bytes, and only there."""

import csv
import io
import json
from urllib.parse import quote

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.core.ids import person_id
from coterie.governance.traces import ERASED, Sought, forms, redacted, strings, text_columns

MAIL = "ann@example.org"
ANN = Sought.of([("Email", MAIL)])


@pytest.mark.parametrize(
    ("text", "times"),
    [
        (MAIL, 1),
        (f"mail to <{MAIL}>.", 1),
        (f"{MAIL},{MAIL};x={MAIL}&y", 3),
        (f"{MAIL}.", 1),
        (f"jo.{MAIL}", 0),
        (f"jo{MAIL}", 0),
        (f"{MAIL}.uk", 0),
        (f"{MAIL}x", 0),
        (quote(MAIL, safe=""), 1),
        ("ann@example", 0),
        (person_id("Email", MAIL), 1),
    ],
)
def test_an_address_is_found_whole_only(text, times):
    assert ANN.mentions(text) == times
    assert (ERASED in ANN.redacted(text)) == bool(times)
    assert ANN.mentions(ANN.redacted(text)) == 0
    assert bool(ANN.held(pa.array([text]))[0]) >= bool(times)


def test_a_short_value_is_looked_for_as_an_identity_only():
    sought = Sought.of([("CRMID", "7"), ("CRMID", "1514764800000"), ("CRMID", "K-123456")], ["Annabel Lee"])
    assert sought.mentions("7 of 7 at 1514764800000") == 0
    assert sought.mentions("K-123456, K-1234567, xK-123456, Annabel Lee") == 2


STRANGE = ['O"Brien; and \\ Söns/ltd', "Übergröße für Łucja", "a;b;c;d;e", "line\nbreak in it", "100% of it"]


def written(value):
    """Return texts that writers of all kinds make of a value."""
    row = io.StringIO()
    csv.writer(row).writerow(["x", value, "y"])
    yield row.getvalue()
    yield json.dumps({"a": [value]})
    yield json.dumps({"a": {value: 1}}, ensure_ascii=False)
    yield f"https://example.org/?q={quote(value, safe='')}&x"
    yield f"plain {value} text"


@pytest.mark.parametrize("value", STRANGE)
def test_every_writer_s_form_is_known(value):
    sought = Sought.of([], [value])
    for text in written(value):
        assert sought.mentions(text) == 1, text
        assert sought.held(pa.array([text])).tolist() == [True], text
        assert list(sought.in_bytes([text.encode()])) == ["utf-8"], text
    assert list(sought.in_bytes([b"nothing"])) == []


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_bytes_are_searched_across_blocks(codec):
    data = b"\0" * 99 + MAIL.encode(codec) + b"\0" * 50
    for cut in (100, 110, 128):
        assert codec in set(ANN.in_bytes([data[:cut], data[cut:]]))


def test_a_value_across_two_blocks_is_found_once():
    data = b"x" * 50 + b" " + MAIL.encode() + b" " + b"y" * 50
    for cut in range(45, 75):
        assert list(ANN.in_bytes([data[:cut], data[cut:], b"z"])) == ["utf-8"], cut


@given(st.text("an.@-1 x", max_size=60), st.integers(0, 30))
def test_many_values_are_found_where_few_are(text, more):
    """The ways to look for few and for many values are the same."""
    values = ["ann@x.an", "n1-n1-n1", "xxxx xxxx", "a@n.x", "ann@x.an.n"]
    few, many = Sought.of([], values), Sought.of([], [*values, *(f"{n}-never-there" for n in range(more))])
    assert many.redacted(text) == few.redacted(text)
    assert many.mentions(text) == few.mentions(text) == few.redacted(text).count(ERASED)


def test_plain_data_is_redacted_with_its_keys():
    data = {"a": [MAIL, 3, None], MAIL: {"b": f"<{MAIL}>"}}
    assert redacted(data, ANN) == {"a": [ERASED, 3, None], ERASED: {"b": f"<{ERASED}>"}}
    assert sorted(strings(data)) == sorted(["a", MAIL, "3", MAIL, "b", f"<{MAIL}>"])


def test_all_text_of_a_table_is_seen():
    table = pa.table(
        {
            "plain": [MAIL],
            "dictionary": pa.array([MAIL]).dictionary_encode(),
            "list": [[["x", MAIL]]],
            "struct": [{"a": {"b": MAIL}}],
            "map": pa.array([[(MAIL, MAIL)]], pa.map_(pa.string(), pa.string())),
            "bytes": [MAIL.encode()],
            "number": [1234567890],
            "other": [1.5],
        }
    )
    hit = {path for path, array in text_columns(table) if ANN.held(array).any()}
    assert hit == {"plain", "dictionary", "list[][]", "struct.a.b", "map.key", "map.value", "bytes"}


def test_forms_are_told_once_each():
    assert forms(MAIL) == [MAIL, quote(MAIL, safe="")]
