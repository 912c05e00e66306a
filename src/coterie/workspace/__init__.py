"""The façade: everything a person can ask of a workspace, in rooms named for what they hold.

ws.schemas  ws.datasets  ws.ingest  ws.identities  ws.profiles  ws.policies  ws.audiences  ws.computed
ws.predictions  ws.retention  ws.privacy
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

from coterie.core.clock import Clock
from coterie.core.progress import Progress, Quiet
from coterie.pipeline import rebuild, status
from coterie.pipeline.apply import recover
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.questions import Questions
from coterie.store.sandbox import Sandbox
from coterie.workspace.audiences import Audiences
from coterie.workspace.computed import Computed
from coterie.workspace.data import Datasets, Ingest, Schemas
from coterie.workspace.identities import Identities
from coterie.workspace.people import Profiles
from coterie.workspace.policies import Policies
from coterie.workspace.predictions import Predictions
from coterie.workspace.privacy import Privacy
from coterie.workspace.retention import Retention

__all__ = [
    "Audiences",
    "Computed",
    "Datasets",
    "Identities",
    "Ingest",
    "Policies",
    "Predictions",
    "Privacy",
    "Profiles",
    "Retention",
    "Schemas",
    "Workspace",
    "open",
]


def open(  # noqa: A001 (coterie.open reads as what it does)
    root: str | Path,
    sandbox: str = "prod",
    *,
    clock: Clock | None = None,
    create: bool = False,
    progress: Progress | None = None,
    upkeep: bool = True,
) -> Workspace:
    """Open a workspace.

    Parameters
    ----------
    root : path
        The root directory, with sandboxes in it.
    sandbox : str
        Which sandbox; nothing is shared between sandboxes.
    clock : Clock, optional
        Source of the present instant; default the one the workspace keeps, or the machine's.
    create : bool
        Make the workspace or the sandbox when it is not there.
    progress : Progress, optional
        Receiver of progress reports of long work.
    upkeep : bool
        Take away what is kept no longer (`Workspace.retention`), at most once a day. Not to be done by a reader whose
        clock is not the present.

    Returns
    -------
    Workspace
        To be closed; usable as a context manager. What a crash left undone has been done, see `Workspace.recovered`.

    Raises
    ------
    Busy
        ``workspace.locked`` when another process holds the sandbox.
    NotFound
        ``workspace.not-found`` when there is none and `create` is false.
    """
    workspace = Workspace(
        Sandbox.open(
            Path(root),
            sandbox,
            clock=clock,
            create=create,
            catalog_url=os.environ.get("COTERIE_CATALOG"),
        ),
        progress or Quiet(),
    )
    if upkeep:
        try:
            workspace.retention.daily()
        except BaseException:
            workspace.close()
            raise
    return workspace


class Workspace:
    """An open sandbox of a workspace. Made by `coterie.open`."""

    def __init__(self, sandbox: Sandbox, progress: Progress) -> None:
        self.sandbox = sandbox
        self.progress = progress
        self.definitions = Definitions(sandbox.catalog)
        self.questions = Questions(sandbox)
        self.schemas = Schemas(self)
        self.datasets = Datasets(self)
        self.ingest = Ingest(self)
        self.identities = Identities(self)
        self.profiles = Profiles(self)
        self.policies = Policies(self)
        self.audiences = Audiences(self)
        self.computed = Computed(self)
        self.predictions = Predictions(self)
        self.retention = Retention(self)
        self.privacy = Privacy(self)
        self.recovered: list[str] = recover(sandbox, progress)

    def status(self) -> status.Status:
        """Return the counts of everything the sandbox holds."""
        return status.status(self.sandbox)

    def rebuild(self, into: str | Path) -> rebuild.Rebuilt:
        """Build a new workspace in the empty directory `into` from the log of this one, and compare the two."""
        return rebuild.rebuild(self.sandbox, Path(into), self.progress)

    def _renew(self) -> None:
        """Forget what was known of stores that others have taken the place of."""
        self.definitions = Definitions(self.sandbox.catalog)
        self.questions = Questions(self.sandbox)

    def close(self) -> None:
        """Let go of the stores and the lock."""
        self.sandbox.close()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
