"""Oscillators and momentum by hand, above all those TradingView exported no file of."""

import math

import numpy as np
import pytest

from engines.features.momentum import cmo, cog, macd, momentum, roc, tsi
from engines.features.oscillators import (
    qqe,
    relative_volatility_index,
    rsi,
    slow_stoch,
    stoch,
    stoch_rsi,
    wpr,
)
from engines.types import F64_1D

NAN = math.nan
RISE = np.arange(1.0, 41.0)


def waves(bars: int = 200) -> tuple[F64_1D, F64_1D, F64_1D]:
    """Return high, low, close of a wavy market."""
    random = np.random.default_rng(11)
    close = 100.0 + np.round(5.0 * np.sin(np.arange(bars) / 7.0) + random.normal(size=bars), 2)
    return close + 0.5, close - 0.5, close


def test_roc_is_the_percent_change() -> None:
    np.testing.assert_array_equal(roc(np.array([100.0, 110.0, 121.0]), 1), [NAN, 10.0, 10.0])


def test_roc_from_zero_is_undefined() -> None:
    assert np.isnan(roc(np.array([0.0, 5.0]), 1)).all()


def test_momentum_is_the_change_over_its_period() -> None:
    np.testing.assert_array_equal(momentum(np.array([1.0, 4.0, 9.0]), 2), [NAN, NAN, 8.0])


def test_macd_histogram_is_the_line_less_its_signal() -> None:
    lines = macd(waves()[2])
    assert np.flatnonzero(np.isfinite(lines.macd))[0] == 25
    assert np.flatnonzero(np.isfinite(lines.signal))[0] == 33
    np.testing.assert_array_equal(lines.histogram, lines.macd - lines.signal)


def test_rsi_saturates_in_a_market_that_only_rises_falls_or_stands() -> None:
    assert rsi(RISE, 14)[14] == 100.0
    assert rsi(-RISE, 14)[14] == 0.0
    assert rsi(np.ones(20), 14)[14] == 100.0
    assert np.isnan(rsi(RISE, 14)[:14]).all()


def test_rsi_by_hand() -> None:
    # Rises 1, 0, 2 and falls 0, 1, 0: RMA(2) of them ends at 1.25 and 0.25.
    strength = rsi(np.array([10.0, 11.0, 10.0, 12.0]), 2)
    np.testing.assert_allclose(strength, [NAN, NAN, 50.0, 100.0 - 100.0 / 6.0])


def test_stochastic_is_undefined_without_range() -> None:
    flat = np.ones(5)
    assert np.isnan(stoch(flat, flat, flat, 3)).all()


def test_slow_stochastic_averages_the_raw_one_twice() -> None:
    close = np.array([1.0, 2.0, 3.0, 2.0, 1.0, 2.0])
    slow = slow_stoch(close, close, close, k_period=3, d_period=2, smooth=2)
    # The raw %K is 100, 0, 0, 100 from bar 2 on.
    np.testing.assert_array_equal(slow.k, [NAN, NAN, NAN, 50.0, 0.0, 50.0])
    np.testing.assert_array_equal(slow.d, [NAN, NAN, NAN, NAN, 25.0, 25.0])


def test_stochastic_rsi_is_the_stochastic_of_the_rsi() -> None:
    close = waves()[2]
    lines = stoch_rsi(close, 14, 14, 1, 1)
    strength = rsi(close, 14)
    window = strength[100 - 13 : 101]
    by_hand = 100.0 * (strength[100] - window.min()) / (window.max() - window.min())
    assert lines.k[100] == pytest.approx(by_hand)
    assert np.flatnonzero(np.isfinite(lines.k))[0] == 15


def test_wpr_is_the_stochastic_from_the_top() -> None:
    high, low, close = waves()
    np.testing.assert_allclose(
        wpr(high, low, close, 14), stoch(close, high, low, 14) - 100.0, atol=1e-9
    )


def test_relative_volatility_index_is_100_in_a_rise_and_0_in_a_fall() -> None:
    assert relative_volatility_index(RISE)[-1] == pytest.approx(100.0)
    assert relative_volatility_index(-RISE)[-1] == 0.0


def test_relative_volatility_index_starts_with_its_later_average() -> None:
    # A steady rise gives the side of the falls its zeros from bar 1 on, the rises their
    # deviations from bar 9 on: 14 of those exist at bar 22.
    index = relative_volatility_index(RISE, 10, 14)
    assert np.flatnonzero(np.isfinite(index))[0] == 22


def test_relative_volatility_index_by_hand() -> None:
    # Deviations of two bars: 1, 2, 1 for steps +2, -4, +2; EMA(2) has a weight of 2/3.
    index = relative_volatility_index(np.array([1.0, 3.0, -1.0, 1.0]), 2, 2)
    up = 0.5 + 2.0 / 3.0 * (1.0 - 0.5)
    down = 1.0 + 2.0 / 3.0 * (0.0 - 1.0)
    assert index[3] == pytest.approx(100.0 * up / (up + down))


def test_qqe_line_trails_below_in_an_up_trend_and_never_falls_there() -> None:
    lines = qqe(waves(400)[2])
    up = lines.trend == 1.0
    held = up[1:] & up[:-1] & (lines.rsi_smoothed[:-1] > lines.trailing_line[:-1])
    held &= lines.rsi_smoothed[1:] > lines.trailing_line[:-1]
    assert held.sum() > 20
    assert (lines.trailing_line[1:][held] >= lines.trailing_line[:-1][held]).all()
    assert {1.0, -1.0} == set(lines.trend[np.isfinite(lines.trend)].tolist())


def test_qqe_starts_when_its_distance_does() -> None:
    lines = qqe(waves(400)[2], 14, 5)
    assert np.flatnonzero(np.isfinite(lines.rsi_smoothed))[0] == 18
    assert np.flatnonzero(np.isfinite(lines.trailing_line))[0] == 14 + 5 + 2 * 27 - 2


def test_cmo_cog_and_tsi_by_hand() -> None:
    assert cmo(np.array([1.0, 4.0, 3.0]), 2)[-1] == 50.0
    assert cog(np.array([1.0, 2.0, 3.0]), 3)[-1] == -10.0 / 6.0
    assert tsi(RISE, 3, 5)[-1] == 1.0
