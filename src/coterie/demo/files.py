"""The sample world's files on disk: written once, and again only when what writes them has changed."""

from __future__ import annotations

from hashlib import sha256
from inspect import getsource
from pathlib import Path
from shutil import rmtree

from coterie.core.progress import Progress
from coterie.demo import accounts, source, web, webfile

_MARK = "written-by"


def deliver(folder: Path, progress: Progress) -> Path:
    """Write the shop's files and the generated web channel with its accounts into `folder`, unless they are there.

    Parameters
    ----------
    folder : Path
        Folder of the files; made, and replaced when other versions of the writers made it.
    progress : Progress
        Told what is being written.

    Returns
    -------
    Path
        The folder.
    """
    version = _version()
    mark = folder / _MARK
    if mark.is_file() and mark.read_text() == version:
        return folder
    partial = folder.with_name(f".{folder.name}.partial")
    for old in (folder, partial):
        rmtree(old, ignore_errors=True)
    partial.mkdir(parents=True)
    progress.report("Reading the published baskets")
    lines = source.basket_lines()
    progress.report("Writing the shop's files")
    source.deliver(partial, lines)
    progress.report("Generating the web channel")
    channel = web.generate(lines)
    webfile.write(channel, partial)
    accounts.write(channel, partial)
    (partial / _MARK).write_text(version)
    partial.rename(folder)
    return folder


def _version() -> str:
    """Return a digest of the code that writes the files and of the sizes of the published ones."""
    digest = sha256()
    for module in (source, web, webfile, accounts):
        digest.update(getsource(module).encode())
    for path in sorted(source.published().glob("*.parquet")):
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
    return digest.hexdigest()
