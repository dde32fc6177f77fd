"""Recurrences of many periods in one pass over the bars, equal to the plain loop in every bit.

Theory of operation. A step of a recurrence waits for the one before it, but periods do not wait for
each other. So the bars are walked once for the SIDE periods of a group, which advance in the lanes
of a vector register (`_lanes`): as many divisions in the time of one. Nothing is walked twice, as
stretches of one period have to be (`_recursions`), and what all periods read of a bar (its rise,
its fall) is computed once for them.

A bar's results are neighbours, but a row of the bank wants those of its period: they are turned in
registers, and those of BLOCK bars wait in the first-level cache until each row takes its own. The
bars before the longest period of a group has its seed are walked one period at a time. Lanes of a
group that is not full advance on zeros, and bars beyond the last are the last once more, which
nobody reads. Groups are dealt out to Numba's threads.

The steps are those of `_recursions`, written again, as a kernel calls none of another file. Columns
are finite here and at least as long as the longest period; rows are allocated by NumPy.
"""

import numpy as np
from numba import prange

from engines.features._columns import PINE_TOLERANCE
from engines.features._compiled import compiled, compiled_for_threads
from engines.features._lanes import (
    SIDE,
    TILE,
    Number,
    at_most,
    load,
    store,
    turn_out,
)
from engines.types import F64_1D, F64_2D, I64_1D

GROUP = SIDE  # periods that advance together
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
    alphas, ends = np.zeros(GROUP), np.zeros(GROUP)
    together = periods.max()
    for lane in range(periods.size):
        period, mean = periods[lane], seeds[lane]
        alpha = 2.0 / (period + 1)
        rows[lane, : period - 1] = np.nan
        rows[lane, period - 1] = mean
        for t in range(period, together):
            mean = _exponential(mean, source[t], alpha)
            rows[lane, t] = mean
        alphas[lane], ends[lane] = alpha, mean
    alpha_of, means = load(alphas, 0), load(ends, 0)
    tile, block = np.empty(TILE), np.empty((GROUP, BLOCK))
    for first in range(together, source.size, BLOCK):
        for at in range(first, first + BLOCK, SIDE):
            for bar in range(SIDE):
                means = _exponential(means, _value(source, at + bar), alpha_of)
                store(means, tile, bar * SIDE)
            turn_out(tile, block, at - first)
        _hand_out(block, rows, first)


@compiled
def _wilder_group(source: F64_1D, periods: I64_1D, seeds: F64_1D, rows: F64_2D) -> None:
    weights, divisors, ends = np.zeros(GROUP), np.ones(GROUP), np.zeros(GROUP)
    together = periods.max()
    for lane in range(periods.size):
        period, mean = periods[lane], seeds[lane]
        weights[lane], divisors[lane] = period - 1, period
        rows[lane, : period - 1] = np.nan
        rows[lane, period - 1] = mean
        for t in range(period, together):
            mean = _wilder(mean, source[t], weights[lane], divisors[lane])
            rows[lane, t] = mean
        ends[lane] = mean
    weight, divisor, means = load(weights, 0), load(divisors, 0), load(ends, 0)
    tile, block = np.empty(TILE), np.empty((GROUP, BLOCK))
    for first in range(together, source.size, BLOCK):
        for at in range(first, first + BLOCK, SIDE):
            for bar in range(SIDE):
                means = _wilder(means, _value(source, at + bar), weight, divisor)
                store(means, tile, bar * SIDE)
            turn_out(tile, block, at - first)
        _hand_out(block, rows, first)


@compiled
def _strength_group(
    source: F64_1D, periods: I64_1D, rises: F64_1D, falls: F64_1D, rows: F64_2D
) -> None:
    weights, divisors = np.zeros(GROUP), np.ones(GROUP)
    rise_ends, fall_ends = np.zeros(GROUP), np.zeros(GROUP)
    together = periods.max() + 1
    for lane in range(periods.size):
        period, up, down = periods[lane], rises[lane], falls[lane]
        weights[lane], divisors[lane] = period - 1, period
        rows[lane, :period] = np.nan
        rows[lane, period] = _strength(up, down)
        for t in range(period + 1, together):
            rise, fall = _sides(source[t] - source[t - 1])
            up = _wilder(up, rise, weights[lane], divisors[lane])
            down = _wilder(down, fall, weights[lane], divisors[lane])
            rows[lane, t] = _strength(up, down)
        rise_ends[lane], fall_ends[lane] = up, down
    weight, divisor = load(weights, 0), load(divisors, 0)
    ups, downs = load(rise_ends, 0), load(fall_ends, 0)
    tile, block = np.empty(TILE), np.empty((GROUP, BLOCK))
    for first in range(together, source.size, BLOCK):
        for at in range(first, first + BLOCK, SIDE):
            for bar in range(SIDE):
                rise, fall = _sides(_value(source, at + bar) - _value(source, at + bar - 1))
                ups = _wilder(ups, rise, weight, divisor)
                downs = _wilder(downs, fall, weight, divisor)
                store(_strength(ups, downs), tile, bar * SIDE)
            turn_out(tile, block, at - first)
        _hand_out(block, rows, first)


@compiled
def _value(source: F64_1D, bar: int) -> float:
    value: float = source[min(bar, source.size - 1)]
    return value


@compiled
def _exponential(mean: Number, value: float, alpha: Number) -> Number:
    return mean + alpha * (value - mean)


@compiled
def _wilder(mean: Number, value: float, weight: Number, divisor: Number) -> Number:
    return (mean * weight + value) / divisor


@compiled
def _sides(step: float) -> tuple[float, float]:
    """Return the rise and the fall of a step: exactly max(step, 0) and max(-step, 0)."""
    return 0.5 * (abs(step) + step), 0.5 * (abs(step) - step)


@compiled
def _strength(rise: Number, fall: Number) -> Number:
    strength = 100.0 - 100.0 / (1.0 + rise / fall)
    strength = at_most(rise, PINE_TOLERANCE, 0.0, strength)
    return at_most(fall, PINE_TOLERANCE, 100.0, strength)


@compiled
def _hand_out(block: F64_2D, rows: F64_2D, first: int) -> None:
    """Give each row its bars of a block [GROUP, BLOCK]."""
    count = min(BLOCK, rows.shape[1] - first)
    for lane in range(rows.shape[0]):
        rows[lane, first : first + count] = block[lane, :count]
