"""The trial ledger: how many different evaluations of a strategy on a dataset there have been.

Theory. Whoever picks the best of many tries must know how many there were; Bailey and López de
Prado's deflated Sharpe ratio takes that number. So every evaluation of a strategy on a dataset is
counted, across studies and commands, and each one once: a study that is resumed or repeated, or
that overlaps another, adds only what is new in it.

An evaluation is a 64-bit key (`trial_keys`). A ledger (one strategy, one dataset) is the set of its
keys, kept as chunks: sorted little-endian arrays, disjoint, 8 bytes a trial. Recording takes away
what the chunks know and appends the rest; a chunk no larger than what is appended is merged with
it, so chunks grow geometrically and a key is rewritten log2(n) times at most; a chunk of
`CHUNK_MAX` keys is never touched again, so memory stays bounded. All of it is one transaction that
holds the ledger's row, hence two studies at once count no key twice and lose none.

Two different evaluations share a key with a probability of n^2 / 2^65: once in 37 million for a
million trials, 3 in ten thousand for a hundred million, and then the count is short by one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, Engine, delete, func, insert, select

from cluster.database import insert_into
from cluster.tables import TRIAL_CHUNKS, TRIAL_LEDGERS, TRIAL_SOURCES
from cluster.trial_keys import U64_1D
from engines.klines import Klines, interval_text, time_text
from engines.report import fingerprint
from engines.types import BOOL_1D

CHUNK_MAX = 1 << 20
BACKTEST = "backtest"
LITTLE = np.dtype("<u8")


@dataclass(frozen=True, slots=True)
class Dataset:
    """Bars by the hash of their columns, and how people call them."""

    sha256: str
    subject: str


@dataclass(frozen=True, slots=True)
class Counted:
    """One ledger: the trials of a strategy on a dataset, and how many each source was first to."""

    strategy: str
    dataset: Dataset
    trials: int
    sources: tuple[tuple[str, int], ...]


def dataset_of(klines: Klines) -> Dataset:
    """Return the dataset that bars are."""
    first, last = (time_text(int(klines.open_time_ms[bar]))[:10] for bar in (0, -1))
    interval = interval_text(klines.interval_ms)
    subject = f"{klines.symbol} {interval}, {len(klines):,} bars, {first} to {last}"
    return Dataset(fingerprint(klines), subject)


class TrialLedger:
    """Counts trials in a database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def count(self, strategy: str, dataset: Dataset) -> int:
        """Return how many trials of a strategy on a dataset there have been."""
        with self._engine.begin() as connection:
            return _count(connection, strategy, dataset)

    def record(self, strategy: str, dataset: Dataset, keys: U64_1D, source: str = BACKTEST) -> int:
        """Count evaluations by their keys [N] and return how many trials there are now.

        `source` is the study that made them; it may repeat what it has recorded.
        """
        fresh = _distinct(np.sort(np.asarray(keys, dtype=np.uint64)))
        with self._engine.begin() as connection:
            ledger_id = _held(connection, strategy, dataset)
            for chunk in _chunks(connection, ledger_id):
                fresh = fresh[~_among(fresh, chunk)]
                if not len(fresh):
                    break
            if len(fresh):
                _append(connection, ledger_id, fresh)
                _credit(connection, ledger_id, source, len(fresh))
            return _count(connection, strategy, dataset)

    def all(self) -> list[Counted]:
        """Return every ledger, by strategy and dataset."""
        ledgers = select(TRIAL_LEDGERS).order_by(
            TRIAL_LEDGERS.c.strategy, TRIAL_LEDGERS.c.subject, TRIAL_LEDGERS.c.dataset
        )
        credited = select(TRIAL_SOURCES).order_by(TRIAL_SOURCES.c.source)
        sources: dict[int, list[tuple[str, int]]] = {}
        with self._engine.begin() as connection:
            for row in connection.execute(credited):
                sources.setdefault(row.ledger_id, []).append((row.source, row.trials))
            rows = connection.execute(ledgers).all()
        return [
            Counted(
                strategy=row.strategy,
                dataset=Dataset(row.dataset, row.subject),
                trials=sum(trials for _, trials in sources.get(row.id, ())),
                sources=tuple(sources.get(row.id, ())),
            )
            for row in rows
        ]


def _held(connection: Connection, strategy: str, dataset: Dataset) -> int:
    """Return the ledger's id, made if it is new, its row locked until the transaction ends."""
    row = {"strategy": strategy, "dataset": dataset.sha256, "subject": dataset.subject}
    made = insert_into(connection, TRIAL_LEDGERS).values(row)
    connection.execute(made.on_conflict_do_nothing())
    locked = select(TRIAL_LEDGERS.c.id).where(
        TRIAL_LEDGERS.c.strategy == strategy, TRIAL_LEDGERS.c.dataset == dataset.sha256
    )
    ledger_id: int = connection.execute(locked.with_for_update()).scalar_one()
    return ledger_id


def _chunks(connection: Connection, ledger_id: int) -> Iterator[U64_1D]:
    """Yield the chunks of a ledger, one in memory at a time, the largest first."""
    ids = select(TRIAL_CHUNKS.c.id).where(TRIAL_CHUNKS.c.ledger_id == ledger_id)
    for chunk_id in connection.execute(ids.order_by(TRIAL_CHUNKS.c.trials.desc())).scalars().all():
        yield _chunk(connection, chunk_id)


def _chunk(connection: Connection, chunk_id: int) -> U64_1D:
    keys = select(TRIAL_CHUNKS.c["keys"]).where(TRIAL_CHUNKS.c.id == chunk_id)
    blob: bytes = connection.execute(keys).scalar_one()
    chunk: U64_1D = np.frombuffer(blob, dtype=LITTLE).astype(np.uint64, copy=False)
    return chunk


def _among(keys: U64_1D, chunk: U64_1D) -> BOOL_1D:
    """Return which of the sorted `keys` a chunk, never empty, holds."""
    places = np.minimum(np.searchsorted(chunk, keys), len(chunk) - 1)
    found: BOOL_1D = chunk[places] == keys
    return found


def _distinct(keys: U64_1D) -> U64_1D:
    """Return sorted keys, each once; np.unique hashes them, which takes a hundred times as long."""
    if not len(keys):
        return keys
    is_first = np.concatenate([[True], keys[1:] != keys[:-1]])
    once: U64_1D = keys[is_first]
    return once


def _append(connection: Connection, ledger_id: int, fresh: U64_1D) -> None:
    """Add keys that no chunk has, merged with the chunks that are no larger."""
    sizes = select(TRIAL_CHUNKS.c.id, TRIAL_CHUNKS.c.trials).where(
        TRIAL_CHUNKS.c.ledger_id == ledger_id, TRIAL_CHUNKS.c.trials < CHUNK_MAX
    )
    parts, total, absorbed = [fresh], len(fresh), list[int]()
    for chunk_id, trials in connection.execute(sizes.order_by(TRIAL_CHUNKS.c.trials)).all():
        if trials > total:
            break
        parts.append(_chunk(connection, chunk_id))
        absorbed.append(chunk_id)
        total += trials
    if absorbed:
        connection.execute(delete(TRIAL_CHUNKS).where(TRIAL_CHUNKS.c.id.in_(absorbed)))
    merged = np.sort(np.concatenate(parts))
    for start in range(0, total, CHUNK_MAX):
        keys = merged[start : start + CHUNK_MAX].astype(LITTLE, copy=False)
        row = {"ledger_id": ledger_id, "trials": len(keys), "keys": keys.tobytes()}
        connection.execute(insert(TRIAL_CHUNKS).values(row))


def _credit(connection: Connection, ledger_id: int, source: str, trials: int) -> None:
    row = {"ledger_id": ledger_id, "source": source, "trials": trials}
    made = insert_into(connection, TRIAL_SOURCES).values(row)
    connection.execute(
        made.on_conflict_do_update(
            index_elements=["ledger_id", "source"],
            set_={"trials": TRIAL_SOURCES.c.trials + made.excluded.trials},
        )
    )


def _count(connection: Connection, strategy: str, dataset: Dataset) -> int:
    counted = (
        select(func.coalesce(func.sum(TRIAL_CHUNKS.c.trials), 0))
        .join(TRIAL_LEDGERS, TRIAL_LEDGERS.c.id == TRIAL_CHUNKS.c.ledger_id)
        .where(TRIAL_LEDGERS.c.strategy == strategy, TRIAL_LEDGERS.c.dataset == dataset.sha256)
    )
    return int(connection.execute(counted).scalar_one())
