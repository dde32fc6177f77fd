"""Recurrences of many periods in one pass over the bars, equal to the plain loop in every bit.

Theory of operation. A step of a recurrence waits for the one before it, but periods do not wait for
each other. So the bars are walked once for a group of periods, and at each bar all of them advance
by the same operations on neighbours in memory, which is what vector registers do: eight divisions
in the time of one. Nothing is walked twice, as lanes of one period have to be (`_recursions`), and
what all periods read of a bar (its rise, its fall) is computed once for them.

A bar's results are neighbours, but a row of the bank wants those of its period: results of BLOCK
bars wait in the first-level cache and are turned there. The bars before the longest period of a
group has its seed are walked one period at a time. A group that is not full advances the rest of
its registers on zeros, which nobody reads. Groups are dealt out to Numba's threads.

The steps are those of `_recursions`, written again, as a kernel calls none of another file. Columns
are finite here and at least as long as the longest period; rows are allocated by NumPy.
"""

import numpy as np
from numba import prange

from engines.features._columns import PINE_TOLERANCE
from engines.features._compiled import compiled, compiled_for_threads
from engines.types import F64_1D, F64_2D, I64_1D

GROUP = 32  # periods that advance together: their states and a block of results fit the cache
BLOCK = 64


@compiled_for_threads
def exponential_rows(source: F64_1D, periods: I64_1D, seeds: F64_1D, rows: F64_2D) -> None:
    """Fill each row [P, T] with the EMA of its period, from its seed at bar `period - 1` on."""
    for group in prange((periods.size + GROUP - 1) // GROUP):
        one = slice(group * GROUP, (group + 1) * GROUP)
        _exponential_group(source, periods[one], seeds[one], rows[one])


@compiled_for_threads
def wilder_rows(source: F64_1D, periods: I64_1D, seeds: F64_1D, rows: F64_2D) -> None:
    """Fill each row [P, T] with the RMA of its period, from its seed at bar `period - 1` on."""
    for group in prange((periods.size + GROUP - 1) // GROUP):
        one = slice(group * GROUP, (group + 1) * GROUP)
        _wilder_group(source, periods[one], seeds[one], rows[one])


@compiled_for_threads
def strength_rows(
    source: F64_1D, periods: I64_1D, rises: F64_1D, falls: F64_1D, rows: F64_2D
) -> None:
    """Fill each row [P, T] with the RSI of its period, from its seeds at bar `period` on."""
    for group in prange((periods.size + GROUP - 1) // GROUP):
        one = slice(group * GROUP, (group + 1) * GROUP)
        _strength_group(source, periods[one], rises[one], falls[one], rows[one])


@compiled
def _exponential_group(source: F64_1D, periods: I64_1D, seeds: F64_1D, rows: F64_2D) -> None:
    alphas, means, block = np.zeros(GROUP), np.zeros(GROUP), np.empty((BLOCK, GROUP))
    together = periods.max()
    for lane in range(periods.size):
        period, mean = periods[lane], seeds[lane]
        alpha = 2.0 / (period + 1)
        rows[lane, : period - 1] = np.nan
        rows[lane, period - 1] = mean
        for t in range(period, together):
            mean += alpha * (source[t] - mean)
            rows[lane, t] = mean
        alphas[lane], means[lane] = alpha, mean
    for first in range(together, source.size, BLOCK):
        bars = source[first : first + BLOCK]
        for i in range(bars.size):
            value = bars[i]
            for lane in range(GROUP):
                mean = means[lane]
                mean += alphas[lane] * (value - mean)
                means[lane] = mean
                block[i, lane] = mean
        _turn(block[: bars.size], rows[:, first : first + BLOCK])


@compiled
def _wilder_group(source: F64_1D, periods: I64_1D, seeds: F64_1D, rows: F64_2D) -> None:
    weights, divisors = np.zeros(GROUP), np.ones(GROUP)
    means, block = np.zeros(GROUP), np.empty((BLOCK, GROUP))
    together = periods.max()
    for lane in range(periods.size):
        period, mean = periods[lane], seeds[lane]
        weights[lane], divisors[lane] = period - 1, period
        rows[lane, : period - 1] = np.nan
        rows[lane, period - 1] = mean
        for t in range(period, together):
            mean = _wilder(mean, source[t], weights[lane], divisors[lane])
            rows[lane, t] = mean
        means[lane] = mean
    for first in range(together, source.size, BLOCK):
        bars = source[first : first + BLOCK]
        for i in range(bars.size):
            value = bars[i]
            for lane in range(GROUP):
                mean = _wilder(means[lane], value, weights[lane], divisors[lane])
                means[lane] = mean
                block[i, lane] = mean
        _turn(block[: bars.size], rows[:, first : first + BLOCK])


@compiled
def _strength_group(
    source: F64_1D, periods: I64_1D, rises: F64_1D, falls: F64_1D, rows: F64_2D
) -> None:
    weights, divisors = np.zeros(GROUP), np.ones(GROUP)
    ups, downs, block = np.zeros(GROUP), np.zeros(GROUP), np.empty((BLOCK, GROUP))
    together = periods.max() + 1
    for lane in range(periods.size):
        period, up, down = periods[lane], rises[lane], falls[lane]
        weights[lane], divisors[lane] = period - 1, period
        rows[lane, :period] = np.nan
        rows[lane, period] = _strength(up, down)
        for t in range(period + 1, together):
            rise, fall = _rise(source[t] - source[t - 1]), _rise(source[t - 1] - source[t])
            up = _wilder(up, rise, weights[lane], divisors[lane])
            down = _wilder(down, fall, weights[lane], divisors[lane])
            rows[lane, t] = _strength(up, down)
        ups[lane], downs[lane] = up, down
    for first in range(together, source.size, BLOCK):
        bars = source[first - 1 : first + BLOCK]
        for i in range(bars.size - 1):
            step = bars[i + 1] - bars[i]
            rise, fall = _rise(step), _rise(-step)
            for lane in range(GROUP):
                up = _wilder(ups[lane], rise, weights[lane], divisors[lane])
                down = _wilder(downs[lane], fall, weights[lane], divisors[lane])
                ups[lane], downs[lane] = up, down
                block[i, lane] = _strength(up, down)
        _turn(block[: bars.size - 1], rows[:, first : first + BLOCK])


@compiled
def _wilder(mean: float, value: float, weight: float, divisor: float) -> float:
    return (mean * weight + value) / divisor


@compiled
def _rise(step: float) -> float:
    # Exactly max(step, 0).
    return 0.5 * (abs(step) + step)


@compiled
def _strength(rise: float, fall: float) -> float:
    # Choices between values, not ways, as vectors know no other.
    strength = 100.0 - 100.0 / (1.0 + rise / fall)
    strength = 0.0 if rise <= PINE_TOLERANCE else strength
    return 100.0 if fall <= PINE_TOLERANCE else strength


@compiled
def _turn(block: F64_2D, rows: F64_2D) -> None:
    """Give each row its column of a block [bars, GROUP]."""
    for lane in range(rows.shape[0]):
        row = rows[lane]
        for i in range(row.size):
            row[i] = block[i, lane]
