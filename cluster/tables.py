"""The tables of the application's records; `migrations` builds them, a test holds both equal.

`trial_ledgers` has a row for each strategy on each dataset, `trial_chunks` the keys that were
counted there (`ledger` says how), `trial_sources` which study or command brought how many of them.
`instruments` holds a venue's rules by the time they were in force (`instrument_book`), `syncs` what
was fetched when, `data_issues` what was found wrong with stored series (`issues`), `studies` and
`runs` what was evaluated, and where its report lies (`evaluations`). Times are UTC milliseconds; a
text of JSON has sorted keys.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

TRIAL_LEDGERS = Table(
    "trial_ledgers",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("strategy", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("subject", Text, nullable=False),
    UniqueConstraint("strategy", "dataset"),
)

TRIAL_CHUNKS = Table(
    "trial_chunks",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("ledger_id", ForeignKey("trial_ledgers.id"), nullable=False, index=True),
    Column("trials", BigInteger, nullable=False),
    Column("keys", LargeBinary, nullable=False),
)

TRIAL_SOURCES = Table(
    "trial_sources",
    METADATA,
    Column("ledger_id", ForeignKey("trial_ledgers.id"), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("trials", BigInteger, nullable=False),
)

INSTRUMENTS = Table(
    "instruments",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("venue", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("valid_from_ms", BigInteger, nullable=False),
    Column("valid_until_ms", BigInteger),  # none: in force
    Column("is_trading", Boolean, nullable=False),
    Column("launched_ms", BigInteger),
    Column("tick_size", Float, nullable=False),
    Column("qty_step", Float, nullable=False),
    Column("qty_min", Float, nullable=False),
    Column("notional_min", Float, nullable=False),
    Column("point_value", Float, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("funding_interval_ms", BigInteger),
    Column("margin_tiers", Text, nullable=False),  # JSON
    UniqueConstraint("venue", "symbol", "valid_from_ms"),
)

SYNCS = Table(
    "syncs",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("venue", Text, nullable=False),
    Column("series", Text, nullable=False, index=True),
    Column("since_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("begun_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),  # none: under way, or the program died
    Column("added", BigInteger, nullable=False),
    Column("equal", BigInteger, nullable=False),
    Column("corrected", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
)

DATA_ISSUES = Table(
    "data_issues",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("venue", Text, nullable=False),
    Column("series", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("found", Text, nullable=False),  # JSON
    Column("first_seen_ms", BigInteger, nullable=False),
    Column("last_seen_ms", BigInteger, nullable=False),
    Column("resolved_ms", BigInteger),
    Column("resolution", Text, nullable=False),
    UniqueConstraint("series", "time_ms", "kind", "found"),
)

STUDIES = Table(
    "studies",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("study", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("strategy", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("begun_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),  # none: under way, or cut short
    Column("sets", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    UniqueConstraint("study", "folder"),
)

RUNS = Table(
    "runs",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("ended_ms", BigInteger, nullable=False),
    Column("strategy", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("parameters", Text, nullable=False),  # JSON
    Column("metrics", Text, nullable=False),  # JSON
    Column("command", Text, nullable=False),
    Column("folder", Text),  # of its report
)
