"""The folder of Customer AI in a sandbox."""

from __future__ import annotations

from pathlib import Path

from coterie.pipeline.predictions import folders


def test_only_runs_of_a_model_are_asked_to_stop(tmp_path: Path) -> None:
    sandbox = tmp_path / "prod"
    for place in (folders.run(sandbox, "buys", 3) / folders.WORK, tmp_path / "elsewhere" / "runs" / "1" / folders.WORK):
        place.mkdir(parents=True)
    assert folders.request_cancel(sandbox, "../../elsewhere") == []
    assert folders.request_cancel(sandbox, "nobody") == []
    assert folders.request_cancel(sandbox, "buys") == [3]
    assert [path.parent.parent.name for path in tmp_path.rglob(folders.CANCEL)] == ["3"]
