"""What learns takes seconds to import: neither the workspace, nor the command line, nor a result waits for it."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import coterie.api, coterie.cli, coterie.workspace
import coterie.prediction.definition, coterie.prediction.evaluation, coterie.prediction.frame
import coterie.prediction.interval, coterie.prediction.scoring, coterie.prediction.trained
print([name for name in ("lightgbm", "scipy", "sklearn", "matplotlib") if name in sys.modules])
"""


def test_nothing_that_learns_is_imported_before_it_is_needed() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
