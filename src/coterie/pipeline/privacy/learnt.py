"""What models hold of persons who are to be erased: the work of unfinished runs, and words that a version learnt.

A version keeps no person. It keeps the most frequent values of fields; should one of them be a value that is sought,
the files of the version go, and the model has to be trained again.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from coterie.governance.traces import Sought
from coterie.pipeline.predictions import folders


def cleanse(sandbox: Path, sought: Sought) -> list[str]:
    """Remove what may hold persons, and what holds a value that is sought for; return the folders that went."""
    root, gone = sandbox / folders.ROOT, list[str]()
    for work in list(folders.work(sandbox)):
        gone.append(str(work.relative_to(root)))
        shutil.rmtree(work)
    for folder in sorted([*root.glob("*/versions/*"), *root.glob("*/runs/*")]):
        texts = (path.read_text(errors="replace") for path in sorted(folder.rglob("*")) if path.is_file())
        if any(sought.mentions(text) for text in texts):
            gone.append(str(folder.relative_to(root)))
            shutil.rmtree(folder)
    return gone
