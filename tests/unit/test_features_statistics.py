"""Percentiles, ranks, regression and correlation by hand."""

import numpy as np
import pytest

from engines.features.momentum import cci
from engines.features.ranks import (
    median,
    mode,
    percent_rank,
    percentile_linear,
    percentile_nearest_rank,
    rank_correlation_index,
)
from engines.features.statistics import correlation, linreg, mean_deviation
from engines.types import F64_1D

RISE = np.arange(1.0, 41.0)


def waves(bars: int = 200) -> tuple[F64_1D, F64_1D, F64_1D]:
    """Return high, low, close of a wavy market."""
    random = np.random.default_rng(11)
    close = 100.0 + np.round(5.0 * np.sin(np.arange(bars) / 7.0) + random.normal(size=bars), 2)
    return close + 0.5, close - 0.5, close


def test_percentiles_by_hand() -> None:
    source = np.array([5.0, 1.0, 3.0, 2.0, 4.0])
    assert percentile_linear(source, 5, 50.0)[-1] == 3.0
    assert percentile_linear(source, 5, 40.0)[-1] == 2.5
    assert percentile_linear(source, 5, 0.0)[-1] == 1.0
    assert percentile_linear(source, 5, 100.0)[-1] == 5.0
    assert percentile_linear(source, 1, 75.0)[-1] == 4.0
    assert percentile_nearest_rank(source, 5, 41.0)[-1] == 3.0
    assert median(source, 4)[-1] == 2.5
    assert percent_rank(source, 4)[-1] == 75.0


def test_sorted_windows_agree_with_sorting_anew() -> None:
    source = np.round(waves()[2])
    medians, modes = median(source, 9), mode(source, 9)
    for bar in range(8, source.size):
        window = source[bar - 8 : bar + 1]
        values, counts = np.unique(window, return_counts=True)
        assert medians[bar] == np.median(window)
        assert modes[bar] == values[counts.argmax()]


def test_rank_correlation_is_100_in_a_rise_and_undefined_when_flat() -> None:
    assert rank_correlation_index(RISE, 9)[-1] == pytest.approx(100.0)
    assert rank_correlation_index(-RISE, 9)[-1] == pytest.approx(-100.0)
    assert np.isnan(rank_correlation_index(np.ones(20), 9)).all()


def test_linreg_continues_a_straight_line() -> None:
    assert linreg(RISE, 10)[-1] == pytest.approx(40.0)
    assert linreg(RISE, 10, 3)[-1] == pytest.approx(37.0)


def test_correlation_of_mirrored_columns_is_minus_one_and_of_a_constant_undefined() -> None:
    close = waves()[2]
    assert correlation(close, -2.0 * close, 10)[-1] == pytest.approx(-1.0)
    assert np.isnan(correlation(close, np.full(close.size, 0.1), 10)).all()


def test_mean_deviation_and_cci_by_hand() -> None:
    source = np.array([1.0, 2.0, 6.0])
    assert mean_deviation(source, 3)[-1] == 2.0
    assert cci(source, 3)[-1] == pytest.approx(3.0 / 0.03)
