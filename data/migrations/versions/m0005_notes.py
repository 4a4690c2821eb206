"""Notes of the decision log are found by their kind, however many decisions lie between them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    some = sa.text("note IS NOT NULL")
    op.create_index(
        "ix_decisions_notes", "decisions", ["kind"], sqlite_where=some, postgresql_where=some
    )


def downgrade() -> None:
    raise NotImplementedError("the store goes forward only; restore a backup instead")
