"""Make the tables of the trial ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the three tables."""
    op.create_table(
        "trial_ledgers",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("strategy", sa.Text, nullable=False),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_trial_ledgers"),
        sa.UniqueConstraint("strategy", "dataset", name="uq_trial_ledgers_strategy_dataset"),
    )
    op.create_table(
        "trial_chunks",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("ledger_id", sa.Integer, nullable=False),
        sa.Column("trials", sa.BigInteger, nullable=False),
        sa.Column("keys", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_trial_chunks"),
        sa.ForeignKeyConstraint(
            ["ledger_id"], ["trial_ledgers.id"], name="fk_trial_chunks_ledger_id_trial_ledgers"
        ),
    )
    op.create_index("ix_trial_chunks_ledger_id", "trial_chunks", ["ledger_id"])
    op.create_table(
        "trial_sources",
        sa.Column("ledger_id", sa.Integer, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("trials", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", "source", name="pk_trial_sources"),
        sa.ForeignKeyConstraint(
            ["ledger_id"], ["trial_ledgers.id"], name="fk_trial_sources_ledger_id_trial_ledgers"
        ),
    )


def downgrade() -> None:
    """Take the tables away, the ledger with them."""
    for name in ("trial_sources", "trial_chunks", "trial_ledgers"):
        op.drop_table(name)
