"""Months, drawdowns and run-ups of an equity of a few bars, worked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.report_periods import Period, drawdown_periods, month_returns, run_up_periods

#                  0    1    2    3    4    5    6    7
EQUITY = np.array([110, 105, 99, 110, 120, 90, 100, 118], dtype=np.float64)
DAY_MS = 86_400_000


def test_drawdowns_last_from_a_peak_until_it_is_reached_again() -> None:
    assert drawdown_periods(EQUITY, 100.0, 10) == [
        Period(from_bar=4, turn_bar=5, end_bar=None, depth_quote=30.0, depth_ratio=0.25),
        Period(from_bar=0, turn_bar=2, end_bar=3, depth_quote=11.0, depth_ratio=0.1),
    ]


def test_run_ups_last_from_a_low_until_it_is_reached_again() -> None:
    assert run_up_periods(EQUITY, 100.0, 10) == [
        Period(from_bar=5, turn_bar=7, end_bar=None, depth_quote=28.0, depth_ratio=28 / 90),
        Period(from_bar=2, turn_bar=4, end_bar=5, depth_quote=21.0, depth_ratio=21 / 99),
        Period(from_bar=-1, turn_bar=0, end_bar=2, depth_quote=10.0, depth_ratio=0.1),
    ]


def test_a_fall_from_the_capital_starts_before_the_first_bar() -> None:
    (period,) = drawdown_periods(np.array([90.0, 100.0]), 100.0, 10)
    assert (period.from_bar, period.turn_bar, period.end_bar) == (-1, 0, 1)


def test_an_equity_that_never_moves_has_no_period() -> None:
    assert drawdown_periods(np.full(5, 100.0), 100.0, 10) == []
    assert run_up_periods(np.full(5, 100.0), 100.0, 10) == []


def test_a_rise_over_nothing_has_no_ratio() -> None:
    (rise, *_) = run_up_periods(np.array([-5.0, 20.0]), 100.0, 10)
    assert (rise.depth_quote, math.isnan(rise.depth_ratio)) == (25.0, True)


@given(st.lists(st.floats(1.0, 1e6), min_size=1, max_size=60), st.integers(1, 5))
def test_the_deepest_drawdown_is_the_largest_fall(values: list[float], count: int) -> None:
    equity, top, deepest = np.array(values), 100.0, 0.0
    for value in values:
        top = max(top, value)
        deepest = max(deepest, top - value)
    periods = drawdown_periods(equity, 100.0, count)
    assert len(periods) <= count
    assert (periods[0].depth_quote if periods else 0.0) == pytest.approx(deepest)
    depths = [period.depth_quote for period in periods]
    assert depths == sorted(depths, reverse=True)


def test_months_compound_to_the_whole_return() -> None:
    start_ms = 1_735_603_200_000  # 2024-12-31T00:00Z
    times = start_ms + DAY_MS * np.arange(8, dtype=np.int64)
    months = month_returns(EQUITY, times, 100.0)
    assert [month[:2] for month in months] == [(2024, 12), (2025, 1)]
    assert [month[2] for month in months] == pytest.approx([0.1, 118 / 110 - 1])


def test_a_month_after_ruin_has_no_return() -> None:
    times = np.array([0, 31, 60], dtype=np.int64) * DAY_MS
    months = month_returns(np.array([-10.0, 5.0, 10.0]), times, 100.0)
    assert months[0][2] == pytest.approx(-1.1)
    assert math.isnan(months[1][2])
    assert months[2][2] == pytest.approx(1.0)
