"""The blocks of the guides run, each page in one go."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [path for path in sorted(DOCS.glob("*.md")) if "```python" in path.read_text(encoding="utf-8")]


def test_there_are_guides() -> None:
    assert [path.name for path in PAGES] == [
        "computed-attributes.md",
        "consent-and-retention.md",
        "identities.md",
        "merge-policies.md",
        "profiles.md",
        "testing-audiences.md",
    ]


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_python_of_a_guide_runs(page: Path) -> None:
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL))
    assert code.count("assert ") >= 3
    exec(compile(code, str(page), "exec"), {"__name__": page.stem})
