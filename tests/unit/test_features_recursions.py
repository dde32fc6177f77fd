"""Averages that run in lanes equal the plain loop in every bit, wherever the lanes meet."""

from collections.abc import Callable

import numpy as np
import pytest

from engines.features._lanes import SIDE, TILE
from engines.features._recursions import MEMORY, PART
from engines.features.moving_averages import ema, rma, sma
from engines.features.oscillators import rsi
from engines.features.volatility import atr, true_range
from engines.types import F64_1D

PERIODS = [1, 2, 3, 14, 50]
ENOUGH = SIDE * (MEMORY + 1) * max(PERIODS)


def random_walk(bars: int, seed: int = 1) -> F64_1D:
    steps = np.random.default_rng(seed).normal(scale=2e-3, size=bars)
    walk: F64_1D = np.round(60_000.0 * np.exp(steps.cumsum()), 1)
    return walk


def halted_walk(bars: int) -> F64_1D:
    """Return prices that stand still for two thirds: there two chains may never meet."""
    walk = random_walk(bars)
    walk[bars // 3 :] = walk[bars // 3]
    return walk


def climb(bars: int) -> F64_1D:
    """Return prices that only rise, slower and slower: the falls stay zero, the rises vanish."""
    prices: F64_1D = 100.0 - 50.0 * 0.999 ** np.arange(bars, dtype=np.float64)
    return prices


SOURCES: dict[str, Callable[[int], F64_1D]] = {
    "a random walk": random_walk,
    "a halted walk": halted_walk,
    "a climb": climb,
    "tiny prices": lambda bars: random_walk(bars) * 1e-12,
    "both signs": lambda bars: np.random.default_rng(3).normal(size=bars),
}


def plain_ema(source: F64_1D, period: int) -> F64_1D:
    alpha = 2.0 / (period + 1)
    means = np.full(source.size, np.nan)
    mean = sma(source[:period], period)[-1]
    means[period - 1] = mean
    for t in range(period, source.size):
        mean += alpha * (source[t] - mean)
        means[t] = mean
    return means


def plain_rma(source: F64_1D, period: int) -> F64_1D:
    means = np.full(source.size, np.nan)
    mean = sma(source[:period], period)[-1]
    means[period - 1] = mean
    for t in range(period, source.size):
        mean = (mean * (period - 1) + source[t]) / period
        means[t] = mean
    return means


def plain_rsi(source: F64_1D, period: int) -> F64_1D:
    steps = np.diff(source)
    rises = plain_rma(np.maximum(steps, 0.0), period)
    falls = plain_rma(np.maximum(-steps, 0.0), period)
    with np.errstate(all="ignore"):
        strengths = 100.0 - 100.0 / (1.0 + rises / falls)
    strengths = np.where(rises <= 1e-10, 0.0, strengths)
    strengths = np.where(falls <= 1e-10, 100.0, strengths)
    return np.concatenate(([np.nan], strengths))


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("period", PERIODS)
def test_lanes_equal_the_plain_loop_in_every_bit(name: str, period: int) -> None:
    source = SOURCES[name](ENOUGH)
    assert ema(source, period).tobytes() == plain_ema(source, period).tobytes()
    assert rma(source, period).tobytes() == plain_rma(source, period).tobytes()
    np.testing.assert_array_equal(rsi(source, period), plain_rsi(source, period))


@pytest.mark.parametrize("period", PERIODS)
def test_average_range_equals_the_average_of_the_ranges(period: int) -> None:
    close = random_walk(ENOUGH)
    reach = np.abs(np.random.default_rng(2).normal(scale=30.0, size=(2, ENOUGH)))
    high, low = close + reach[0], close - reach[1]
    ranges = true_range(high, low, close, handle_na=True)
    assert atr(high, low, close, period).tobytes() == plain_rma(ranges, period).tobytes()


@pytest.mark.parametrize("beyond", [-1, 0, 1, 2, SIDE - 1, SIDE, TILE - 1, TILE, TILE + 1])
def test_a_column_just_long_enough_for_lanes_is_no_exception(beyond: int) -> None:
    period = 3
    source = random_walk(period + SIDE * (MEMORY * period + SIDE) + beyond)
    assert ema(source, period).tobytes() == plain_ema(source, period).tobytes()
    assert rma(source, period).tobytes() == plain_rma(source, period).tobytes()
    np.testing.assert_array_equal(rsi(source, period), plain_rsi(source, period))


@pytest.mark.parametrize("bars", [PART, PART + 14, 2 * PART + 15, 3 * PART - 1])
def test_average_range_of_several_parts_is_that_of_one(bars: int) -> None:
    close = random_walk(bars)
    close[bars // 2 : bars // 2 + 5_000] = close[bars // 2]
    high, low = close + 10.0, close - np.arange(bars) % 7
    ranges = true_range(high, low, close, handle_na=True)
    assert atr(high, low, close, 14).tobytes() == rma(ranges, 14).tobytes()


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [0, 5, ENOUGH // 2, ENOUGH - 1])
def test_bars_that_are_not_finite_are_skipped_as_if_they_were_absent(
    broken: float, where: int
) -> None:
    source = random_walk(ENOUGH)
    source[where] = broken
    kept = np.isfinite(source)
    for average in (ema, rma, rsi):
        values = average(source, 14)
        assert np.isnan(values[where])
        assert values[kept].tobytes() == average(source[kept], 14).tobytes()


def test_average_range_goes_on_after_a_close_that_is_missing() -> None:
    close = random_walk(ENOUGH)
    high, low = close + 10.0, close - 10.0
    close[ENOUGH // 2] = np.nan
    high[ENOUGH // 3] = np.nan
    averages = atr(high, low, close, 14)
    ranges = true_range(high, low, close, handle_na=True)
    assert averages.tobytes() == rma(ranges, 14).tobytes()
    assert np.flatnonzero(np.isnan(averages)).tolist() == [*range(13), ENOUGH // 3]
