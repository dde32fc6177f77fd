"""Longer bars are made of whole shorter ones, and no bar is seen before it closes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.errors import KlineFault
from engines.klines import DAY_MS, HOUR_MS, MINUTE_MS, Klines
from engines.resample import aggregate, last_closed, project
from engines.synthetic import synthetic_klines

QUARTER_MS = 15 * MINUTE_MS


@given(st.integers(0, 1000), st.integers(8, 200), st.sampled_from([2, 3, 4, 8]))
def test_long_bars_hold_what_their_short_bars_did(seed: int, bars: int, factor: int) -> None:
    base = synthetic_klines(bars, QUARTER_MS, seed)
    long = aggregate(base, factor * QUARTER_MS)
    for i, start_ms in enumerate(long.open_time_ms.tolist()):
        inside = (base.open_time_ms >= start_ms) & (
            base.open_time_ms < start_ms + factor * QUARTER_MS
        )
        assert long.open[i] == base.open[inside][0]
        assert long.close[i] == base.close[inside][-1]
        assert long.high[i] == base.high[inside].max()
        assert long.low[i] == base.low[inside].min()
        assert long.volume[i] == pytest.approx(base.volume[inside].sum())


def test_unfinished_last_bucket_is_no_bar() -> None:
    base = synthetic_klines(7, QUARTER_MS, seed=1)
    assert len(aggregate(base, HOUR_MS)) == 1
    assert len(aggregate(synthetic_klines(8, QUARTER_MS, seed=1), HOUR_MS)) == 2


def test_buckets_start_at_midnight_plus_the_offset() -> None:
    base = synthetic_klines(24 * 5, HOUR_MS, seed=1)
    days = aggregate(base, DAY_MS, offset_ms=17 * HOUR_MS)
    assert ((days.open_time_ms - 17 * HOUR_MS) % DAY_MS == 0).all()


def test_gap_leaves_a_bucket_with_the_bars_it_has() -> None:
    base = synthetic_klines(12, QUARTER_MS, seed=1)
    keep = np.r_[0, 2:12]
    holed = Klines(
        base.symbol,
        QUARTER_MS,
        base.open_time_ms[keep],
        base.open[keep],
        base.high[keep],
        base.low[keep],
        base.close[keep],
        base.volume[keep],
    )
    hours = aggregate(holed, HOUR_MS)
    assert hours.open_time_ms.tolist() == base.open_time_ms[::4].tolist()
    assert hours.volume[0] == pytest.approx(base.volume[[0, 2, 3]].sum())


@pytest.mark.parametrize("interval_ms", [QUARTER_MS, 20 * MINUTE_MS, 5 * MINUTE_MS])
def test_interval_must_be_a_longer_multiple(interval_ms: int) -> None:
    with pytest.raises(KlineFault, match="a multiple of 15m"):
        aggregate(synthetic_klines(50, QUARTER_MS, seed=1), interval_ms)


def test_too_few_bars_for_one_whole_are_a_fault() -> None:
    with pytest.raises(KlineFault, match="at least one whole bar of 1h"):
        aggregate(synthetic_klines(3, QUARTER_MS, seed=1), HOUR_MS)


def test_long_bar_is_seen_from_the_short_bar_that_closes_with_it() -> None:
    base = synthetic_klines(12, QUARTER_MS, seed=1)
    index = last_closed(aggregate(base, HOUR_MS), base)
    assert index.tolist() == [-1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 1, 2]


@given(st.integers(0, 100), st.integers(9, 120), st.integers(1, 40))
def test_what_is_seen_does_not_change_when_later_bars_come(seed: int, bars: int, cut: int) -> None:
    base = synthetic_klines(bars, QUARTER_MS, seed)
    shorter = base.between(0, max(8, bars - cut))
    seen = last_closed(aggregate(base, HOUR_MS), base)[: len(shorter)]
    assert last_closed(aggregate(shorter, HOUR_MS), shorter).tolist() == seen.tolist()
    close_time_ms = aggregate(base, HOUR_MS).close_time_ms
    known = seen >= 0
    assert (close_time_ms[seen[known]] <= shorter.close_time_ms[known]).all()


def test_projection_is_nan_before_the_first_bar_closes() -> None:
    seen = project(np.array([5.0, 7.0]), np.array([-1, -1, 0, 1, 1], dtype=np.int64))
    assert np.isnan(seen[:2]).all()
    assert seen[2:].tolist() == [5.0, 7.0, 7.0]
