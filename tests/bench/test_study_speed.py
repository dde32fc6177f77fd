"""Measure what a study of a million sets costs beside its evaluation: the ledger and the page."""

import math
from pathlib import Path

import numpy as np
import pytest

from cluster.database import database
from cluster.ledger import Dataset, TrialLedger
from serve.study_page import study_page
from tests.bench.test_broker_speed import best_seconds
from tests.browser.studies import SYMBOLS, report_of, write_table

pytestmark = pytest.mark.bench
SETS = 1_000_000
GRID = {
    "fast": range(5, 25),
    "slow": range(20, 120, 5),
    "trend": (False, True),
    "exits.stop_loss_ratio": [None, *np.round(np.arange(0.01, 0.06, 0.005), 4).tolist()],
    "exits.take_profit_ratio": np.round(np.arange(0.01, 0.12, 0.002), 4).tolist(),
}


def test_a_million_trials_are_recorded(tmp_path: Path) -> None:
    keys = np.random.default_rng(1).integers(0, 1 << 64, SETS, dtype=np.uint64)
    counts = iter(range(100))

    def record() -> None:
        path = tmp_path / f"{next(counts)}.db"
        with database(f"sqlite:///{path}") as engine:
            assert TrialLedger(engine).record("a", Dataset("x", "y"), keys) == SETS

    seconds = best_seconds(record, 3)
    size = (tmp_path / "0.db").stat().st_size
    print(f"\ntrial ledger: {SETS:,} sets in {seconds:.2f} s, {size / 1e6:.1f} MB")


def test_the_page_of_a_million_sets_is_made(tmp_path: Path) -> None:
    report = report_of(write_table(tmp_path / "batches", GRID, batch_rows=50_000))
    seconds = best_seconds(lambda: study_page(report), 2)
    rows = math.prod(map(len, GRID.values())) * len(SYMBOLS)
    size = len(study_page(report).encode())
    print(f"\nstudy page: {rows:,} sets in {seconds:.2f} s, {size / 1e6:.2f} MB")
