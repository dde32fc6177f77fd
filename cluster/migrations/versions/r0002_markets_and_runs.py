"""Make the tables of instruments, syncs, data issues, studies and runs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the five tables."""
    _instruments()
    _syncs_and_issues()
    _studies_and_runs()


def _instruments() -> None:
    op.create_table(
        "instruments",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("venue", sa.Text, nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("valid_from_ms", sa.BigInteger, nullable=False),
        sa.Column("valid_until_ms", sa.BigInteger),
        sa.Column("is_trading", sa.Boolean, nullable=False),
        sa.Column("launched_ms", sa.BigInteger),
        *(
            sa.Column(name, sa.Float, nullable=False)
            for name in ("tick_size", "qty_step", "qty_min", "notional_min", "point_value")
        ),
        sa.Column("time_zone", sa.Text, nullable=False),
        sa.Column("funding_interval_ms", sa.BigInteger),
        sa.Column("margin_tiers", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_instruments"),
        sa.UniqueConstraint(
            *("venue", "symbol", "valid_from_ms"),
            name="uq_instruments_venue_symbol_valid_from_ms",
        ),
    )


def _syncs_and_issues() -> None:
    op.create_table(
        "syncs",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("venue", sa.Text, nullable=False),
        sa.Column("series", sa.Text, nullable=False),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("since_ms", "until_ms", "begun_ms", "added", "equal", "corrected")
        ),
        sa.Column("ended_ms", sa.BigInteger),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_syncs"),
    )
    op.create_index("ix_syncs_series", "syncs", ["series"])
    op.create_table(
        "data_issues",
        sa.Column("id", sa.Integer, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("venue", "series", "kind", "found", "resolution")
        ),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("time_ms", "first_seen_ms", "last_seen_ms")
        ),
        sa.Column("resolved_ms", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_data_issues"),
        sa.UniqueConstraint(
            *("series", "time_ms", "kind", "found"),
            name="uq_data_issues_series_time_ms_kind_found",
        ),
    )


def _studies_and_runs() -> None:
    op.create_table(
        "studies",
        sa.Column("id", sa.Integer, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("study", "folder", "strategy", "command", "outcome")
        ),
        sa.Column("begun_ms", sa.BigInteger, nullable=False),
        sa.Column("ended_ms", sa.BigInteger),
        sa.Column("sets", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_studies"),
        sa.UniqueConstraint("study", "folder", name="uq_studies_study_folder"),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("ended_ms", sa.BigInteger, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("strategy", "dataset", "subject", "parameters", "metrics", "command")
        ),
        sa.Column("folder", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )


def downgrade() -> None:
    """Take the five tables away, with what they hold."""
    for name in ("runs", "studies", "data_issues", "syncs", "instruments"):
        op.drop_table(name)
