"""The outbox gets leases, stored bytes and hand-out numbers; the log's entries get a kind."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Old entries keep their form (1); data/store/decision_log.py seals them with a marker."""
    op.add_column("decisions", sa.Column("form", sa.Integer(), nullable=False, server_default="1"))
    op.add_column(
        "decisions",
        sa.Column("kind", sa.String(length=20), nullable=False, server_default="decision"),
    )
    op.add_column("decisions", sa.Column("subject", sa.String(length=64), nullable=True))
    op.add_column("decisions", sa.Column("note", sa.Text(), nullable=True))

    op.add_column("outbox", sa.Column("queued_at", sa.DateTime(), nullable=True))
    op.add_column("outbox", sa.Column("body", sa.LargeBinary(), nullable=True))
    op.add_column("outbox", sa.Column("token", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("outbox", sa.Column("holder", sa.Text(), nullable=True))
    op.add_column("outbox", sa.Column("contacted_at", sa.DateTime(), nullable=True))
    op.add_column("outbox", sa.Column("settled_at", sa.DateTime(), nullable=True))
    op.add_column("outbox", sa.Column("handed_out", sa.Integer(), nullable=True))
    op.create_index("ix_outbox_customer_id", "outbox", ["customer_id"], unique=False)
    op.create_index("ix_outbox_contacted_at", "outbox", ["contacted_at"], unique=False)
    op.create_index("ix_outbox_handed_out", "outbox", ["handed_out"], unique=True)
    op.create_table(
        "endpoints",
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("disabled_at", sa.DateTime(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("url", name=op.f("pk_endpoints")),
    )
    op.add_column(
        "outcomes", sa.Column("repeats", sa.Integer(), nullable=False, server_default="0")
    )


def downgrade() -> None:
    raise NotImplementedError("the store goes forward only; restore a backup instead")
