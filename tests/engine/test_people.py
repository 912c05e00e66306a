"""Persons lent to DuckDB and read back, and what that costs a process that does nothing else."""

from __future__ import annotations

import subprocess
import sys

import duckdb
import pytest
from pyroaring import BitMap

from coterie.engine import people

_LENT = """
import sys, duckdb
from pyroaring import BitMap
from coterie.engine import people
import coterie.workspace
con = duckdb.connect()
with people.lent(con, "lent_people", BitMap([3, 5])):
    assert people.read(con, 'SELECT person FROM lent_people') == BitMap([3, 5])
print(*sorted({"pandas", "numba", "pyspark"} & set(sys.modules)))
"""


@pytest.mark.parametrize("some", [BitMap(), BitMap([0]), BitMap([7, 1, (1 << 31) - 1]), BitMap(range(5000))])
def test_persons_lent_are_read_back(some):
    con = duckdb.connect()
    with people.lent(con, "lent_people", some):
        assert people.read(con, "SELECT person FROM lent_people ORDER BY person DESC") == some
    with pytest.raises(duckdb.CatalogException):
        con.execute("SELECT person FROM lent_people")


def test_neither_a_workspace_nor_persons_lent_need_pandas_numba_or_spark():
    done = subprocess.run([sys.executable, "-c", _LENT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
