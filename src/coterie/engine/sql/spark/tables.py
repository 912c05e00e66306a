"""The tables of the history that statements read, handed to Spark as Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyspark.sql import SparkSession

SETTINGS = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    "spark.sql.legacy.decimal.retainFractionDigitsOnTruncate": "true",
    "spark.sql.session.timeZone": "UTC",
}
"""What the forms of the constructs rely on. With loss of precision allowed, a decimal of 38 digits loses some;
without fraction digits retained, 0.300001 equals 0.3 where the two have 38 digits and unlike scales."""


def lend(con: DuckDBPyConnection, spark: SparkSession, folder: Path, view: str = "default") -> SparkSession:
    """Return a session of its own in which the tables of the history are what they are now.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Connection to the history.
    spark : SparkSession
        Any session of the Spark that is to read them.
    folder : Path
        Where the files are written, in sight of Spark; they are read as long as the session is used.
    view : str
        The view of profiles.
    """
    session = spark.newSession()
    for name, value in SETTINGS.items():
        session.conf.set(name, value)
    for table in ("identity", "namespace", "membership", f"event_of_{view}", f"person_of_{view}", f"profile_{view}"):
        path = str(folder / f"{table}.parquet")
        con.execute(f'COPY (SELECT * FROM "{table}") TO {_text(path)} (FORMAT parquet)')
        session.read.parquet(path).createOrReplaceTempView(table)
    return session


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
