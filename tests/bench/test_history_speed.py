"""Measure the history: two years of quarter-hours read and written, and one bar appended."""

import time
from pathlib import Path

import pytest

from cluster.history import History
from engines.klines import DAY_MS
from engines.series import SeriesKey
from tests.bench.test_broker_speed import best_seconds
from tests.unit.bars import NOW_MS, START_MS, STEP_MS, bars

pytestmark = pytest.mark.bench
KEY = SeriesKey("bybit", "BTC/USDT:USDT", STEP_MS)
COUNT = 2 * 365 * DAY_MS // STEP_MS


def test_two_years_are_written_and_read(tmp_path: Path) -> None:
    klines, counts = bars(-COUNT // 2, COUNT - COUNT // 2, turnover=True), iter(range(100))

    def write() -> None:
        folder = str(tmp_path / str(next(counts)))
        assert History(folder, now_ms=lambda: NOW_MS).write(KEY, klines).added == COUNT

    written = best_seconds(write, 3)
    history = History(str(tmp_path / "0"), now_ms=lambda: NOW_MS)
    read = best_seconds(lambda: history.read(KEY), 30)
    used = min(cpu_seconds(history) for _ in range(30))
    size = history.size_bytes(KEY)
    print(
        f"\nhistory: {COUNT:,} bars read in {read * 1e3:.1f} ms warm ({used * 1e3:.1f} ms of CPU), "
        f"written in {written * 1e3:.0f} ms, {size / 1e6:.1f} MB"
    )


def cpu_seconds(history: History) -> float:
    begun = time.process_time()
    history.read(KEY)
    return time.process_time() - begun


def test_one_bar_is_appended(tmp_path: Path) -> None:
    history = History(str(tmp_path), now_ms=lambda: NOW_MS)
    history.write(KEY, bars(0, 2900))
    numbers = iter(range(2900, 2970))

    def append() -> None:
        bar = next(numbers)
        assert history.write(KEY, bars(bar, bar + 1)).added == 1

    seconds = best_seconds(append, 60)
    print(f"\nhistory: one bar appended to a month of quarter-hours in {seconds * 1e3:.1f} ms")
    assert history.span(KEY) == (START_MS, START_MS + (next(numbers) - 1) * STEP_MS)
