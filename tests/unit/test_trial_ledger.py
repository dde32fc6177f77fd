"""The trial ledger: every different evaluation once, whoever repeats it, and few bytes for it."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from cluster import ledger as ledger_module
from cluster.database import database
from cluster.ledger import Dataset, TrialLedger, dataset_of
from cluster.tables import TRIAL_CHUNKS
from cluster.trial_keys import U64_1D
from engines.synthetic import synthetic_klines
from tests.unit.databases import KINDS, url_of


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return url_of(request.param, tmp_path)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    with database(url) as opened:
        yield opened


@pytest.fixture
def ledger(engine: Engine) -> TrialLedger:
    return TrialLedger(engine)


def dataset() -> Dataset:
    """Return a dataset of its own, so that a database may be used again."""
    return Dataset(uuid.uuid4().hex, "BTCUSDT 15m")


def keys_of(count: int, seed: int) -> U64_1D:
    return np.random.default_rng(seed).integers(0, 1 << 64, count, dtype=np.uint64)


def test_an_evaluation_counts_once_however_often_it_is_repeated(ledger: TrialLedger) -> None:
    here, keys = dataset(), keys_of(1000, seed=1)
    assert ledger.count("a", here) == 0
    assert ledger.record("a", here, keys, "study-1") == 1000
    assert ledger.record("a", here, keys[200:700], "study-1") == 1000
    assert ledger.record("a", here, np.concatenate([keys, keys]), "study-2") == 1000
    assert ledger.record("a", here, np.append(keys, np.uint64(0)), "study-2") == 1001
    assert ledger.count("a", here) == 1001


def test_strategies_and_datasets_are_counted_apart(ledger: TrialLedger) -> None:
    here, there, keys = dataset(), dataset(), keys_of(10, seed=1)
    ledger.record("a", here, keys)
    ledger.record("b", here, keys[:3])
    ledger.record("a", there, keys[:4])
    found = [ledger.count(name, where) for name in "ab" for where in (here, there)]
    assert found == [10, 4, 3, 0]


def test_the_ledger_says_who_was_first_to_how_many(ledger: TrialLedger) -> None:
    here, keys = dataset(), keys_of(100, seed=2)
    ledger.record("a", here, keys[:60], "study-1")
    ledger.record("a", here, keys[30:], "study-2")
    ledger.record("a", here, keys, "study-1")
    (mine,) = [one for one in ledger.all() if one.dataset == here]
    assert (mine.strategy, mine.trials) == ("a", 100)
    assert mine.sources == (("study-1", 60), ("study-2", 40))


@given(
    batches=st.lists(st.lists(st.integers(0, 60), max_size=30), max_size=12),
    chunk_max=st.sampled_from([1, 3, 8, 1000]),
)
def test_any_batches_count_as_the_set_of_their_keys(
    batches: list[list[int]], chunk_max: int
) -> None:
    known: set[int] = set()
    here = dataset()
    with pytest.MonkeyPatch.context() as patch, database("sqlite://") as engine:
        patch.setattr(ledger_module, "CHUNK_MAX", chunk_max)
        for batch in batches:
            known |= set(batch)
            found = TrialLedger(engine).record("a", here, np.array(batch, dtype=np.uint64))
            assert found == len(known)
        with engine.begin() as connection:
            blobs = connection.execute(select(TRIAL_CHUNKS.c["keys"])).scalars().all()
    chunks = [np.frombuffer(blob, dtype="<u8") for blob in blobs]
    assert all(0 < len(chunk) <= chunk_max and (np.diff(chunk) > 0).all() for chunk in chunks)
    assert sorted(int(key) for chunk in chunks for key in chunk) == sorted(known)


def test_many_small_batches_leave_few_chunks_and_eight_bytes_a_trial(
    ledger: TrialLedger, engine: Engine
) -> None:
    here, keys = dataset(), keys_of(20_000, seed=3)
    for start in range(0, len(keys), 100):
        ledger.record("a", here, keys[start : start + 100])
    with engine.begin() as connection:
        sizes = connection.execute(
            select(TRIAL_CHUNKS.c.trials, TRIAL_CHUNKS.c["keys"]).order_by(TRIAL_CHUNKS.c.id)
        ).all()
    mine = [(trials, keys) for trials, keys in sizes if trials >= 100]
    assert len(mine) <= 16
    assert all(len(blob) == 8 * trials for trials, blob in mine)


def record_batches(url: str, here: Dataset, seed: int) -> None:
    """Record half of the common keys and some of one's own, in small batches."""
    keys = np.concatenate([keys_of(2000, seed=0)[seed * 500 :], keys_of(1000, seed=100 + seed)])
    with database(url) as engine:
        for start in range(0, len(keys), 50):
            TrialLedger(engine).record("a", here, keys[start : start + 50], f"study-{seed}")


def test_two_studies_at_once_lose_nothing_and_count_nothing_twice(url: str) -> None:
    here = dataset()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for done in [pool.submit(record_batches, url, here, seed) for seed in range(2)]:
            done.result()
    with database(url) as engine:
        ledger = TrialLedger(engine)
        assert ledger.count("a", here) == 4000
        (mine,) = [one for one in ledger.all() if one.dataset == here]
        assert sum(trials for _, trials in mine.sources) == 4000


def test_a_dataset_is_its_columns_and_says_what_it_is() -> None:
    klines = synthetic_klines(500, 900_000, seed=1)
    found = dataset_of(klines)
    assert found.subject.startswith(f"{klines.symbol} 15m, 500 bars, ")
    assert found.sha256 == dataset_of(synthetic_klines(500, 900_000, seed=1)).sha256
    assert found.sha256 != dataset_of(klines.between(0, 499)).sha256
