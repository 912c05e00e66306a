"""What only shows results is imported without the libraries that learn: they take seconds."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("lightgbm", "matplotlib", "pandas", "scipy", "sklearn")
MODULES = (
    "card", "card_writing", "checks", "definition", "drift", "evaluation", "examination", "explanation", "fairness",
    "frame", "insights", "leakage", "outcomes", "policies", "problems", "run", "value", "warnings",
)  # fmt: skip


def test_results_are_read_without_learners() -> None:
    asked = "".join(f"import coterie.prediction.{name}\n" for name in MODULES) + "import coterie.workspace\n"
    asked += f"import sys\nprint(sorted(set(sys.modules) & {set(HEAVY)!r}))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
