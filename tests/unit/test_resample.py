"""Longer bars are made of whole shorter ones, and no bar is seen before it closes."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.errors import KlineFault, ParameterFault
from engines.klines import DAY_MS, HOUR_MS, MINUTE_MS, WEEK_MS, Klines
from engines.resample import aggregate, last_closed, project
from engines.synthetic import synthetic_klines

QUARTER_MS = 15 * MINUTE_MS
MONDAY_MS = 1_704_067_200_000  # 2024-01-01


def chosen(klines: Klines, index: npt.NDArray[np.int64]) -> Klines:
    """Return the bars of these indices."""
    names = ("open_time_ms", "open", "high", "low", "close", "volume")
    return replace(klines, **{name: getattr(klines, name)[index] for name in names})


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


def weekday(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%a")


def test_weeks_begin_on_monday() -> None:
    start_ms = MONDAY_MS - 3 * DAY_MS
    weeks = aggregate(synthetic_klines(24 * 40, HOUR_MS, 1, start_ms), WEEK_MS)
    assert {weekday(time_ms) for time_ms in weeks.open_time_ms.tolist()} == {"Mon"}
    fortnights = aggregate(synthetic_klines(24 * 60, HOUR_MS, 1, start_ms), 2 * WEEK_MS)
    assert {weekday(time_ms) for time_ms in fortnights.open_time_ms.tolist()} == {"Mon"}


def test_offset_given_wins_over_monday() -> None:
    base = synthetic_klines(24 * 40, HOUR_MS, 1, MONDAY_MS)
    sundays = aggregate(base, WEEK_MS, offset_ms=3 * DAY_MS)
    assert {weekday(time_ms) for time_ms in sundays.open_time_ms.tolist()} == {"Sun"}


def test_first_bucket_whose_first_bar_is_missing_is_no_bar() -> None:
    base = synthetic_klines(12, QUARTER_MS, seed=1)
    late = aggregate(base.between(1, 12), HOUR_MS)
    assert late.open_time_ms.tolist() == base.open_time_ms[[4, 8]].tolist()
    assert late.open.tolist() == base.open[[4, 8]].tolist()
    assert late.volume[0] == pytest.approx(base.volume[4:8].sum())


def test_only_bucket_whose_first_bar_is_missing_is_a_fault() -> None:
    base = synthetic_klines(4, QUARTER_MS, seed=1)
    with pytest.raises(KlineFault, match="at least one whole bar of 1h"):
        aggregate(base.between(1, 4), HOUR_MS)


def test_other_series_stay_with_the_longer_bars() -> None:
    other = synthetic_klines(12, QUARTER_MS, seed=2)
    base = replace(synthetic_klines(12, QUARTER_MS, seed=1), others={"spot": other})
    assert aggregate(base, HOUR_MS).others == {"spot": other}


def test_gap_leaves_a_bucket_with_the_bars_it_has() -> None:
    base = synthetic_klines(12, QUARTER_MS, seed=1)
    hours = aggregate(chosen(base, np.r_[0, 2:12]), HOUR_MS)
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


def test_last_bar_is_seen_for_ever_without_an_age() -> None:
    base = synthetic_klines(40, QUARTER_MS, seed=1)
    source = synthetic_klines(2, HOUR_MS, seed=2)
    assert last_closed(source, base).tolist() == [-1] * 3 + [0] * 4 + [1] * 33


def test_bar_older_than_the_age_is_seen_no_more() -> None:
    base = synthetic_klines(40, QUARTER_MS, seed=1)
    source = synthetic_klines(2, HOUR_MS, seed=2)
    # Closed at 2:00, so usable at closes up to 3:00 when the next was due, or up to 3:30.
    due = last_closed(source, base, age_max_ms=HOUR_MS)
    assert due.tolist() == [-1] * 3 + [0] * 4 + [1] * 5 + [-1] * 28
    tolerant = last_closed(source, base, age_max_ms=HOUR_MS + 2 * QUARTER_MS)
    assert tolerant.tolist() == [-1] * 3 + [0] * 4 + [1] * 7 + [-1] * 26


def test_weekend_without_base_bars_ages_nothing() -> None:
    days = synthetic_klines(96 * 4, QUARTER_MS, seed=1)
    keep = np.r_[0:96, 96 * 3 : 96 * 4]  # Two days are missing from both.
    base = chosen(days, keep)
    hours = aggregate(days, HOUR_MS)
    source = chosen(hours, np.r_[0:24, 72:96])
    index = last_closed(source, base, age_max_ms=HOUR_MS)
    assert index[95:100].tolist() == [23, 23, 23, 23, 24]
    assert (index[3:] >= 0).all()


def test_age_below_zero_is_refused() -> None:
    base = synthetic_klines(8, QUARTER_MS, seed=1)
    with pytest.raises(ParameterFault, match="age_max_ms"):
        last_closed(base, base, age_max_ms=-1)


@given(st.integers(0, 100), st.integers(9, 120), st.integers(1, 40), st.integers(0, 8))
def test_what_is_too_old_does_not_change_when_later_bars_come(
    seed: int, bars: int, cut: int, quarters: int
) -> None:
    base = synthetic_klines(bars, QUARTER_MS, seed)
    hours = aggregate(base, HOUR_MS)
    is_there = np.random.default_rng(seed).random(len(hours)) < 0.7
    is_there[:3] = True
    source = chosen(hours, np.flatnonzero(is_there))
    shorter = base.between(0, max(8, bars - cut))
    seen = last_closed(source, base, age_max_ms=quarters * QUARTER_MS)
    again = last_closed(source, shorter, age_max_ms=quarters * QUARTER_MS)
    assert again.tolist() == seen[: len(shorter)].tolist()


def test_projection_is_nan_before_the_first_bar_closes() -> None:
    seen = project(np.array([5.0, 7.0]), np.array([-1, -1, 0, 1, 1], dtype=np.int64))
    assert np.isnan(seen[:2]).all()
    assert seen[2:].tolist() == [5.0, 7.0, 7.0]
