"""The machine a figure was measured on, in a few words, and the memory a process has used."""

from __future__ import annotations

import os
import platform
import resource
from pathlib import Path

import duckdb


def described() -> str:
    """Return processor, cores, memory and the versions that matter."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{model}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GB, "
        f"Python {platform.python_version()}, DuckDB {duckdb.__version__}"
    )


def peak_gb() -> float:
    """Return the largest resident size that this process has had, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
