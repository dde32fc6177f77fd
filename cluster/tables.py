"""The tables of the application's records; `migrations` builds them, a test holds both equal.

`trial_ledgers` has a row for each strategy on each dataset, `trial_chunks` the keys that were
counted there (`ledger` says how), `trial_sources` which study or command brought how many of them.
"""

from sqlalchemy import (
    BigInteger,
    Column,
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
