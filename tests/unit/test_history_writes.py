"""Writes that must not be: bars within others, corrections that are said to be done before."""

from dataclasses import replace
from pathlib import Path

import pytest

from cluster.history import History, HistoryFault
from engines.klines import DAY_MS, HOUR_MS
from engines.series import SeriesKey
from tests.unit.bars import NOW_MS, STEP_MS, bars, same

KEY = SeriesKey("bybit", "BTC/USDT:USDT", STEP_MS)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(str(tmp_path / "history"), now_ms=lambda: NOW_MS)


@pytest.mark.parametrize(("step_ms", "stop"), [(DAY_MS, 10), (DAY_MS, 31), (7 * DAY_MS, 50)])
def test_long_bars_that_open_within_stored_ones_are_refused(
    history: History, step_ms: int, stop: int
) -> None:
    key = replace(KEY, interval_ms=step_ms)
    stored = bars(0, stop, step_ms=step_ms)
    history.write(key, stored)
    for first in (stop - 5, stop - 1):
        late = bars(first, stop + 20, step_ms=step_ms, shift_ms=8 * HOUR_MS)
        with pytest.raises(HistoryFault, match=r"open within one another, found 20.* and 20"):
            history.write(key, late)
        assert same(history.read(key), stored)
    # An hour is no other grid, since the days of some markets change by one; and bars that come
    # before stored ones are refused as those that come after.
    history.write(key, bars(stop + 1, stop + 2, step_ms=step_ms, shift_ms=HOUR_MS))
    with pytest.raises(HistoryFault, match="open within one another"):
        history.write(key, bars(stop, stop + 1, step_ms=step_ms, shift_ms=8 * HOUR_MS))


def test_a_month_fetched_anew_does_not_open_within_its_neighbours(history: History) -> None:
    key = replace(KEY, interval_ms=DAY_MS)
    history.write(key, bars(0, 80, step_ms=DAY_MS))
    (path,) = Path(history.shown).rglob("2025-02.parquet")
    path.write_bytes(b"damaged")
    with history.writing(key) as writer:
        with pytest.raises(HistoryFault, match="open within one another"):
            writer.replace_month("2025-02", bars(31, 59, step_ms=DAY_MS, shift_ms=8 * HOUR_MS))
        writer.replace_month("2025-02", bars(31, 59, step_ms=DAY_MS))
    assert same(history.read(key), bars(0, 80, step_ms=DAY_MS))
