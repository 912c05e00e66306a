"""What learns takes seconds to import: neither the workspace, nor the command line, nor a result waits for it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("lightgbm", "matplotlib", "pandas", "scipy", "sklearn")
MODULES = (
    "definition", "frame", "problems", "run", "modelling.evaluation", "modelling.interval", "modelling.scoring",
    "modelling.trained", "trust.card", "trust.card_writing", "trust.checks", "trust.drift", "trust.examination",
    "trust.fairness", "trust.leakage", "trust.outcomes", "trust.policies", "trust.value", "trust.warnings",
    "why.explanation", "why.insights",
)  # fmt: skip


def test_results_are_read_without_learners() -> None:
    asked = "".join(f"import coterie.prediction.{name}\n" for name in MODULES)
    asked += "import coterie.api, coterie.cli, coterie.workspace\n"
    asked += f"import sys\nprint(sorted(set(sys.modules) & {set(HEAVY)!r}))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
