"""Coterie: an open, self-hosted real-time customer data platform.

Everything begins with `coterie.open`, which gives a `Workspace`: the façade over a directory of data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coterie.workspace import Workspace, open  # noqa: A004

__all__ = ["Workspace", "open"]


def __getattr__(name: str) -> Any:
    """Load the façade when it is first asked for, so that `coterie.pql` alone stays light."""
    if name in __all__:
        from coterie import workspace

        return getattr(workspace, name)
    raise AttributeError(f"module 'coterie' has no attribute {name!r}")
