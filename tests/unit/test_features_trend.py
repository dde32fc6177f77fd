"""Channels, trend, volatility and regime by hand."""

import math

import numpy as np
import pytest

from engines.features.channels import (
    bollinger,
    bollinger_position,
    bollinger_width,
    donchian,
    keltner,
    keltner_width,
)
from engines.features.regime import hurst
from engines.features.trend import aroon, chandelier_exit, dmi, ichimoku, parabolic_sar, supertrend
from engines.features.volatility import (
    atr,
    atr_pct,
    choppiness,
    range_pct,
    true_range,
    volatility_percentile,
)
from engines.types import F64_1D

NAN = math.nan
RISE = np.arange(1.0, 41.0)


def waves(bars: int = 200) -> tuple[F64_1D, F64_1D, F64_1D]:
    """Return high, low, close of a wavy market."""
    random = np.random.default_rng(11)
    close = 100.0 + np.round(5.0 * np.sin(np.arange(bars) / 7.0) + random.normal(size=bars), 2)
    return close + 0.5, close - 0.5, close


def test_bollinger_bands_of_a_flat_market_meet() -> None:
    bands = bollinger(np.full(30, 2.0), 20)
    assert bands.middle[-1] == bands.upper[-1] == bands.lower[-1] == 2.0
    assert np.isnan(bollinger_position(np.full(30, 2.0), 20)).all()


def test_bollinger_position_is_half_in_the_middle() -> None:
    source = np.array([1.0, 3.0, 2.0])
    assert bollinger_position(source, 3)[2] == pytest.approx(0.5)
    assert bollinger_width(source, 3, 1.0)[2] == pytest.approx(100.0 * math.sqrt(2.0 / 3.0))


def test_keltner_reach_is_the_average_range() -> None:
    high, low, close = RISE + 1.0, RISE - 1.0, RISE
    lines = keltner(close, high, low, close, 5, 2.0, use_true_range=False)
    assert lines.upper[-1] - lines.middle[-1] == pytest.approx(4.0)
    width = keltner_width(close, high, low, close, 5, 2.0, use_true_range=False)
    assert width[-1] == pytest.approx(8.0 / lines.middle[-1])


def test_donchian_includes_the_current_bar() -> None:
    channel = donchian(np.array([5.0, 3.0, 9.0]), np.array([1.0, 2.0, 4.0]), 2)
    np.testing.assert_array_equal(channel.upper, [NAN, 5.0, 9.0])
    np.testing.assert_array_equal(channel.lower, [NAN, 1.0, 2.0])
    np.testing.assert_array_equal(channel.middle, [NAN, 3.0, 5.5])


def test_ichimoku_lines_are_middles_of_the_range() -> None:
    high, low, close = RISE + 1.0, RISE - 1.0, RISE
    lines = ichimoku(high, low, close, 3, 5, 10, displacement=4)
    # On a rise of one a bar the middle of n bars lies (n - 1) / 2 below the newest.
    assert lines.conversion[-1] == 40.0 - 1.0
    assert lines.base[-1] == 40.0 - 2.0
    assert lines.span_a_ahead[-1] == 40.0 - 1.5
    assert lines.span_b_ahead[-1] == 40.0 - 4.5


def test_ichimoku_cloud_over_a_bar_was_computed_displacement_less_one_bars_ago() -> None:
    high, low, close = waves()
    lines = ichimoku(high, low, close)
    np.testing.assert_array_equal(lines.span_a[25:], lines.span_a_ahead[:-25])
    np.testing.assert_array_equal(lines.span_b[25:], lines.span_b_ahead[:-25])
    np.testing.assert_array_equal(lines.lagging_close[25:], close[:-25])
    assert np.flatnonzero(np.isfinite(lines.span_b))[0] == 51 + 25


def test_true_range_covers_the_gap_from_the_previous_close() -> None:
    high, low, close = np.array([5.0, 9.0]), np.array([3.0, 8.0]), np.array([4.0, 8.5])
    np.testing.assert_array_equal(true_range(high, low, close), [NAN, 5.0])
    np.testing.assert_array_equal(true_range(high, low, close, handle_na=True), [2.0, 5.0])
    assert atr(high, low, close, 2)[-1] == 3.5
    assert atr_pct(high, low, close, 2)[-1] == pytest.approx(350.0 / 8.5)


def test_range_and_choppiness_by_hand() -> None:
    high, low, close = RISE + 1.0, RISE - 1.0, RISE
    assert range_pct(high, low, close, 5)[-1] == pytest.approx(100.0 * 6.0 / 40.0)
    # Five true ranges of 2 over a span of 6.
    by_hand = 100.0 * math.log10(10.0 / 6.0) / math.log10(5.0)
    assert choppiness(high, low, close, 5)[-1] == pytest.approx(by_hand)


def test_volatility_percentile_is_100_when_the_range_is_the_widest() -> None:
    _, _, close = waves()
    span = np.full(close.size, 0.5)
    span[-1] = 50.0
    assert volatility_percentile(close + span, close - span, close)[-1] == 100.0


@pytest.mark.parametrize(("bias", "low", "high"), [(0.0, 0.42, 0.55), (0.6, 0.6, 1.0)])
def test_hurst_tells_a_random_walk_from_a_trend(bias: float, low: float, high: float) -> None:
    steps = np.random.default_rng(5).normal(size=4000) * 0.01
    for bar in range(1, steps.size):
        steps[bar] += bias * steps[bar - 1]
    exponents = hurst(100.0 * np.exp(steps.cumsum()), 100)
    assert np.isnan(exponents[:99]).all()
    assert low < float(np.nanmedian(exponents)) < high


def test_hurst_of_a_straight_climb_is_one_and_of_noise_near_zero() -> None:
    assert hurst(np.exp(RISE / 100.0), 20)[-1] == pytest.approx(1.0)
    noise = 100.0 + np.random.default_rng(5).normal(size=1000)
    assert abs(float(np.nanmedian(hurst(noise, 100)))) < 0.1


def test_dmi_of_a_steady_rise_has_only_plus() -> None:
    lines = dmi(RISE + 1.0, RISE - 1.0, RISE, 5, 5)
    assert lines.plus[-1] == pytest.approx(50.0)
    assert lines.minus[-1] == 0.0
    assert lines.adx[-1] == pytest.approx(100.0)


def test_parabolic_sar_by_hand() -> None:
    stops = parabolic_sar(np.array([10.0, 11.0, 12.0]), np.array([9.0, 10.0, 11.0]))
    # Starts at the first low; two hundredths of the way to 11 is capped by the lows before.
    np.testing.assert_array_equal(stops, [NAN, 9.0, 9.0])


def test_supertrend_flips_when_the_close_passes_the_line() -> None:
    high, low, close = waves(400)
    lines = supertrend(high, low, close, 2.0, 10)
    assert np.isnan(lines.direction[:9]).all()
    assert lines.direction[9] == 1.0
    up = lines.direction == -1.0
    assert (lines.line[up] <= close[up]).all()
    assert np.isnan(lines.down[up]).all()
    assert np.isnan(lines.up[lines.direction == 1.0]).all()


def test_chandelier_hangs_from_the_highest_high() -> None:
    longs, shorts = chandelier_exit(RISE + 1.0, RISE - 1.0, RISE, 5, 3.0)
    assert longs[-1] == pytest.approx(41.0 - 6.0)
    assert shorts[-1] == pytest.approx(35.0 + 6.0)


def test_aroon_counts_bars_since_the_extreme() -> None:
    lines = aroon(RISE, RISE, 10)
    assert (lines.up[-1], lines.down[-1]) == (100.0, 0.0)
