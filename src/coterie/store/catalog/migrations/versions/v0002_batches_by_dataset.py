"""An index for the batches of one dataset."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the index."""
    op.create_index("batch_dataset", "batch", ["dataset", "number"])
