"""A Spark of one's own, in this process: small, quiet, and bound to the loopback interface."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from coterie.core.errors import Unsupported

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Tables are small and statements many: planning, compiling and adapting take longer than reading.
_SETTINGS: dict[str, bool | float | int | str | None] = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
    "spark.driver.memory": "1g",
    "spark.log.level": "ERROR",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


def missing() -> str | None:
    """Return what Spark needs and is not here; None when it can start."""
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java") is None and not (home and Path(home, "bin", "java").exists()):
        return "Java"
    try:
        import pyspark  # noqa: F401
    except ImportError:
        return "pyspark"
    return None


def local(folder: Path, cores: int = 2) -> SparkSession:
    """Return the Spark of this process; the first call starts it.

    Parameters
    ----------
    folder : Path
        Where it may write: its spill files and its warehouse.
    cores : int
        How many threads it works with.

    Raises
    ------
    Unsupported
        ``engine.spark`` when Java or the extra ``spark`` is missing.
    """
    lacking = missing()
    if lacking is not None:
        raise Unsupported(
            "engine.spark",
            f"Spark cannot start: {lacking} is not installed.",
            hint="Install Java 17 and coterie[spark].",
        )
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        from pyspark.sql import SparkSession

        builder = SparkSession.builder.master(f"local[{cores}]").appName("coterie").config(map=_SETTINGS)
        builder = builder.config("spark.local.dir", str(folder)).config("spark.sql.warehouse.dir", str(folder))
        return builder.getOrCreate()
