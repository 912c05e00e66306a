"""The suppression list: the hash in SQL is the one of the standard library, and the key stays in its place."""

import hashlib
import hmac
import stat

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.core.errors import Damaged
from coterie.governance import suppression
from coterie.store.history.tables import PRIVACY_TABLES

con = duckdb.connect()
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


@settings(max_examples=40)
@given(st.binary(min_size=32, max_size=32), TEXT, TEXT)
def test_the_hash_in_sql_is_hmac_sha256(secret, namespace, value):
    sql = suppression.hashed_sql(secret, "n", "v")
    row = con.execute(f"SELECT {sql} FROM (SELECT $1 AS n, $2 AS v)", [namespace, value]).fetchall()[0]
    expected = hmac.new(secret, f"{namespace}\0{value}".encode(), hashlib.sha256).hexdigest()
    assert row[0] == suppression.hashed(secret, namespace, value) == expected


def test_the_key_is_made_once_and_only_the_owner_may_read_it(tmp_path):
    with pytest.raises(Damaged, match="the key of the suppression list"):
        suppression.key(tmp_path)
    secret = suppression.key(tmp_path, create=True)
    assert suppression.key(tmp_path) == suppression.key(tmp_path, create=True) == secret
    assert stat.S_IMODE((tmp_path / suppression.KEY).stat().st_mode) == 0o600
    other = tmp_path / "other"
    other.mkdir()
    suppression.copy_key(other, tmp_path)  # nothing to take along
    suppression.copy_key(tmp_path, other)
    assert suppression.key(other) == secret
    assert stat.S_IMODE((other / suppression.KEY).stat().st_mode) == 0o600
    (other / suppression.KEY).write_bytes(secret[:5])
    with pytest.raises(Damaged):
        suppression.key(other)


def test_only_what_is_on_the_list_is_found_by_it():
    own, secret = duckdb.connect(), b"s" * 32
    for statement in PRIVACY_TABLES:
        own.execute(statement)
    hashes = [suppression.hashed(secret, "Email", value) for value in ("a@b.org", "c@d.org")]
    suppression.add(own, hashes, "r1")
    suppression.add(own, hashes[:1], "r1")
    assert suppression.count(own) == 2
    rows = "SELECT * FROM (VALUES ('Email', 'a@b.org'), ('Email', 'x@y.org'), ('Phone', 'c@d.org')) t(namespace, value)"
    assert own.execute(suppression.among(rows, secret)).fetchall() == [("Email", "a@b.org")]
    assert own.execute(suppression.among(rows, b"t" * 32)).fetchall() == []
    assert suppression.remove(own, hashes[:1]) == 1
    assert own.execute(suppression.among(rows, secret)).fetchall() == []
