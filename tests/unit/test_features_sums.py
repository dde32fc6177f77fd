"""Sums and spreads stay exact on long columns, and skip NaN as Pine does."""

import math

import numpy as np
import pytest

from engines.features._shared import Shelf, sharing
from engines.features._windows import window_sums
from engines.features.channels import bollinger
from engines.features.moving_averages import sma
from engines.features.oscillators import rsi
from engines.features.statistics import stdev, variance
from engines.features.sums import cumulative_sum, rolling_sum
from engines.types import F64_1D

NAN = math.nan


@pytest.fixture(scope="module")
def million_closes() -> F64_1D:
    random = np.random.default_rng(7)
    closes: F64_1D = np.round(
        60_000.0 * np.exp(random.normal(scale=5e-4, size=1_000_000).cumsum()), 2
    )
    return closes


@pytest.mark.parametrize("period", [3, 20, 200])
def test_sma_of_a_million_bars_does_not_drift(million_closes: F64_1D, period: int) -> None:
    averages = sma(million_closes, period)
    for bar in range(period, million_closes.size, 9973):
        exact = math.fsum(million_closes[bar - period + 1 : bar + 1]) / period
        assert averages[bar] == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("period", [3, 20, 200])
def test_stdev_of_a_million_bars_stays_exact(million_closes: F64_1D, period: int) -> None:
    spreads = stdev(million_closes, period)
    for bar in range(period, million_closes.size, 9973):
        window = million_closes[bar - period + 1 : bar + 1]
        mean = math.fsum(window) / period
        exact = math.sqrt(math.fsum((window - mean) ** 2) / period)
        assert spreads[bar] == pytest.approx(exact, rel=1e-9, abs=1e-12)


def test_volume_of_mixed_sizes_leaves_no_residue_that_matters() -> None:
    random = np.random.default_rng(3)
    volume = random.lognormal(sigma=3.0, size=20_000).round(3)
    sums = rolling_sum(volume, 10)
    for bar in range(10, volume.size, 97):
        exact = math.fsum(volume[bar - 9 : bar + 1])
        assert sums[bar] == pytest.approx(exact, rel=1e-9)


def test_variance_of_a_flat_window_is_exactly_zero() -> None:
    prices = np.array([0.3, 0.7, *[0.1] * 7])
    assert variance(prices, 5)[-3:].tolist() == [0.0, 0.0, 0.0]


def test_variance_by_hand() -> None:
    prices = np.array([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0])
    assert stdev(prices, 8)[-1] == 2.0
    assert variance(prices, 8, biased=False)[-1] == pytest.approx(32.0 / 7.0)


def test_nan_bars_are_skipped_and_give_nan() -> None:
    source = np.array([NAN, 1.0, 2.0, NAN, 3.0, np.inf, 4.0])
    sums = rolling_sum(source, 2)
    np.testing.assert_array_equal(sums, [NAN, NAN, 3.0, NAN, 5.0, NAN, 7.0])
    np.testing.assert_array_equal(cumulative_sum(source), [NAN, 1.0, 3.0, NAN, 6.0, NAN, 10.0])


def test_a_period_longer_than_the_column_gives_nan() -> None:
    assert np.isnan(rolling_sum(np.ones(3), 10**9)).all()


@pytest.mark.parametrize("period", [0, -1, 2.5, True])
def test_a_period_that_is_no_count_of_bars_is_refused(period: int) -> None:
    with pytest.raises(ValueError, match=r"period must be an integer >= 1, found"):
        rolling_sum(np.ones(5), period)


def test_a_table_is_refused_where_a_column_is_due() -> None:
    with pytest.raises(ValueError, match=r"source must be one-dimensional, found 2 dimensions"):
        rolling_sum(np.ones((5, 2)), 2)


@pytest.mark.parametrize("broken", [NAN, np.inf, -np.inf])
def test_windows_skip_what_is_not_finite_wherever_it_stands(
    million_closes: F64_1D, broken: float
) -> None:
    source = million_closes[:300].copy()
    source[[5, 100, 101, 250]] = broken
    kept = np.isfinite(source)
    for feature in (sma, stdev, lambda values, period: bollinger(values, period).upper):
        values = feature(source, 20)
        assert np.isnan(values[~kept]).all()
        assert values[kept].tobytes() == feature(source[kept], 20).tobytes()


@pytest.mark.parametrize("period", [1, 2, 3, 5, 20, 200, 1023])
def test_sums_are_those_of_the_rule_in_every_bit(million_closes: F64_1D, period: int) -> None:
    volumes = np.random.default_rng(5).lognormal(sigma=2.0, size=20_000).round(3)
    # Short windows of these go in lanes, which meet soon, late (rests of zeros) or never (NaN).
    strength = rsi(million_closes[:40_000], 14)[14:]
    rests = np.where(np.arange(40_000) // 4_000 % 2 == 0, volumes.repeat(2), -0.0)
    lost = np.where(np.arange(40_000) == 25_000, np.nan, volumes.repeat(2))
    plain = million_closes[:20_000], volumes, million_closes[:20_000] * 1e-7
    for source in (*plain, strength, rests):
        assert rolling_sum(source, period).tobytes() == ruled_sums(source, period).tobytes()
    np.testing.assert_array_equal(window_sums(lost, period)[25_000:], np.nan)


@pytest.mark.parametrize("period", [1, 2, 20, 200])
def test_bollinger_bands_are_the_mean_and_two_deviations(
    million_closes: F64_1D, period: int
) -> None:
    source = million_closes[:20_000]
    middle, reach = sma(source, period), stdev(source, period) * 2.0
    expected = middle, middle + reach, middle - reach
    alone = bollinger(source, period)
    with sharing(Shelf(10_000_000)):  # which answers in parts
        shared = bollinger(source, period)
    for band, part, column in zip(alone, shared, expected, strict=True):
        assert band.tobytes() == part.tobytes() == column.tobytes()


def ruled_sums(source: F64_1D, period: int) -> F64_1D:
    """Return the sums by TradingView's rule, without a guess."""
    values, sums, entered = source.tolist(), [NAN] * source.size, [0.0] * source.size
    total = carry = 0.0
    for t, value in enumerate(values):
        size, kept, added = abs(carry), total, value - carry
        if size - ((value + size) - value) > 0.0:
            total, carry, added = 0.0, 0.0, value
            for older in values[max(0, t - period + 1) : t + 1][::-1]:
                total += older
        else:
            if t >= period:
                removed = -entered[t - period] - carry
                kept = total + removed
                added = value - ((kept - total) - removed)
            total = kept + added
            carry = (total - kept) - added
        entered[t] = added
        if t >= period - 1:
            sums[t] = total
    return np.array(sums)
