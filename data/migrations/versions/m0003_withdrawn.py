"""An override tells who withdrew it, beside when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("overrides", sa.Column("withdrawn_by", sa.Text(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("the store goes forward only; restore a backup instead")
