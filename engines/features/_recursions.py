"""Recursive averages at the speed of the machine, equal to the plain loop in every bit.

Theory of operation. Each step of a recursion waits for the one before it: three dependent
operations for an EMA, a division among them for Wilder's RMA, while the machine could do several
at once. So the column is cut into SIDE stretches that run side by side, in the lanes of a vector
register (`_lanes`). Only the first knows where it starts. But a recursive average forgets: two
chains over the same bars come nearer by the same ratio on each, and once they round to one double
they are one for ever, since a step depends on nothing else. So the last bars of every stretch are
walked beforehand, from the seed, which is wrong; where that ends the next stretch starts. Once all
are walked it shows which of them started where the one before has ended, to the bit: these are
right, and what follows the first that is not is walked bar by bar.

Invariant: the values are those of the plain loop, wherever chains meet; only the speed depends on
it. Two chains meet within some 36 time constants (53 bits of the first gap, and the last unit,
which chance has to round away; of 6,440 stretches 30 took more than 40, none more than MEMORY). A
column too short for that is walked bar by bar.

Columns are finite here; the callers skip NaN. Outputs are allocated by NumPy and filled here: its
large arrays lie on large pages, while those that compiled code allocates cost more in page faults
than in arithmetic. Scratch stays in the cache.
"""

import numpy as np

from engines.features._columns import PINE_TOLERANCE
from engines.features._compiled import compiled
from engines.features._lanes import (
    SIDE,
    TILE,
    Lanes,
    Number,
    at_most,
    load,
    same,
    store,
    turn_in,
    turn_out,
)
from engines.features.sums import rolling_sum
from engines.types import F64_1D, F64_2D

PART = 1 << 17  # bars: a part of a column stays in the cache until its means are known
MEMORY = 44  # time constants after which two chains have met


def exponential_means(source: F64_1D, period: int, out: F64_1D | None = None) -> F64_1D:
    """Return the EMA, seeded by the SMA of the first `period` values.

    Shape: source [T] -> [T], which is `out` if given; the first `period - 1` values are NaN.
    """
    means = _column_of(source.size, out)
    if source.size < period:
        means[:] = np.nan
        return means
    seed = _mean(source[:period])
    _open(means, period - 1, seed)
    _exponential_lanes(source, means, period, 2.0 / (period + 1), seed)
    return means


def wilder_means(source: F64_1D, period: int, out: F64_1D | None = None) -> F64_1D:
    """Return the RMA, seeded by the SMA of the first `period` values.

    Shape: source [T] -> [T], which is `out` if given; the first `period - 1` values are NaN.
    """
    means = _column_of(source.size, out)
    if source.size < period:
        means[:] = np.nan
        return means
    seed = _mean(source[:period])
    _open(means, period - 1, seed)
    _wilder_lanes(source, means, period, seed)
    return means


def range_means(
    high: F64_1D, low: F64_1D, close: F64_1D, first_ranges: F64_1D, out: F64_1D | None = None
) -> F64_1D:
    """Return the RMA of the true range, seeded by the SMA of its first values, `period` ones.

    A NaN before a bar leaves its range at high - low. Any other value that is not finite makes all
    later means not finite too, so the last one tells.
    Shape: high, low, close [T] -> [T], which is `out` if given, T >= period; the first
    `period - 1` values are NaN.
    """
    period, seed = first_ranges.size, _mean(first_ranges)
    means = _column_of(high.size, out)
    _open(means, period - 1, seed)
    _range_lanes(high, low, close, means, period, seed)
    return means


def ranges_of(high: F64_1D, low: F64_1D, close: F64_1D) -> F64_1D:
    """Return the true range, high - low where the close before is NaN or none.

    Shape: high, low, close [T] -> [T].
    """
    ranges = np.empty(high.size)
    _ranges(high, low, close, ranges)
    return ranges


def strengths(source: F64_1D, period: int, out: F64_1D | None = None) -> F64_1D:
    """Return the RSI, whose means are seeded by the SMA of the first `period` steps.

    Shape: source [T] -> [T], which is `out` if given; the first `period` values are NaN.
    """
    values = _column_of(source.size, out)
    if source.size <= period:
        values[:] = np.nan
        return values
    steps = np.diff(source[: period + 1])
    rise, fall = _mean(np.maximum(steps, 0.0)), _mean(np.maximum(-steps, 0.0))
    _open(values, period, _strength(rise, fall))
    _strength_lanes(source, values, period, rise, fall)
    return values


def _column_of(bars: int, out: F64_1D | None) -> F64_1D:
    """Return the column to fill: the one given, or a new one."""
    return np.empty(bars) if out is None else out


def _open(values: F64_1D, first: int, value: float) -> None:
    """Put the first value in its place and NaN before it."""
    values[:first] = np.nan
    values[first] = value


def _mean(values: F64_1D) -> float:
    """Return the SMA of all the values, as TradingView sums them."""
    return float(rolling_sum(values, values.size)[-1]) / values.size


@compiled
def _lane_bars(bars: int, time_constant: float) -> tuple[int, int]:
    """Return the length of a lane, and of the walk that forgets where it began; 0 for too few."""
    length, memory = bars // TILE * SIDE, int(MEMORY * time_constant) // SIDE * SIDE + SIDE
    return (length, memory) if length > memory else (0, 0)


@compiled
def _starts(seed: float, guesses: Lanes) -> F64_1D:
    """Return where lanes start [SIDE]: the first at the seed, each at the end of the one before."""
    starts = np.empty(SIDE + 1)
    starts[0] = seed
    store(guesses, starts, 1)
    return starts[:SIDE]


@compiled
def _each(lanes: Lanes) -> F64_1D:
    """Return lanes as a column [SIDE]."""
    column = np.empty(SIDE)
    store(lanes, column, 0)
    return column


@compiled
def _right(starts: F64_1D, ends: F64_1D) -> int:
    """Return how many lanes, from the first on, start where the one before has ended."""
    lane = 1
    while lane < SIDE and starts[lane] == ends[lane - 1]:
        lane += 1
    return lane


@compiled
def _exponential(mean: Number, value: Number, alpha: float) -> Number:
    return mean + alpha * (value - mean)


@compiled
def _exponential_lanes(
    source: F64_1D, means: F64_1D, first: int, alpha: float, seed: float
) -> None:
    bars, memory = _lane_bars(source.size - first, 1.0 / alpha)
    values = source[first : first + SIDE * bars].reshape(SIDE, bars)
    outputs = means[first : first + SIDE * bars].reshape(SIDE, bars)
    chains, tile = same(seed), np.empty(TILE)
    for at in range(bars - memory, bars, SIDE):
        turn_in(values, at, tile)
        for bar in range(0, TILE, SIDE):
            chains = _exponential(chains, load(tile, bar), alpha)
    starts = _starts(seed, chains)
    chains = load(starts, 0)
    for at in range(0, bars, SIDE):
        turn_in(values, at, tile)
        for bar in range(0, TILE, SIDE):
            chains = _exponential(chains, load(tile, bar), alpha)
            store(chains, tile, bar)
        turn_out(tile, outputs, at)
    ends = _each(chains)
    right = _right(starts, ends)
    mean, done = ends[right - 1], first + right * bars
    for t in range(done, source.size):
        mean = _exponential(mean, source[t], alpha)
        means[t] = mean


@compiled
def _wilder(mean: Number, value: Number, period: int) -> Number:
    return (mean * (period - 1) + value) / period


@compiled
def _wilder_starts(values: F64_2D, memory: int, period: int, seed: float) -> F64_1D:
    bars, chains, tile = values.shape[1], same(seed), np.empty(TILE)
    for at in range(bars - memory, bars, SIDE):
        turn_in(values, at, tile)
        for bar in range(0, TILE, SIDE):
            chains = _wilder(chains, load(tile, bar), period)
    return _starts(seed, chains)


@compiled
def _wilder_lanes(source: F64_1D, means: F64_1D, period: int, seed: float) -> None:
    bars, memory = _lane_bars(source.size - period, period)
    values = source[period : period + SIDE * bars].reshape(SIDE, bars)
    outputs = means[period : period + SIDE * bars].reshape(SIDE, bars)
    starts = _wilder_starts(values, memory, period, seed)
    chains, tile = load(starts, 0), np.empty(TILE)
    for at in range(0, bars, SIDE):
        turn_in(values, at, tile)
        for bar in range(0, TILE, SIDE):
            chains = _wilder(chains, load(tile, bar), period)
            store(chains, tile, bar)
        turn_out(tile, outputs, at)
    ends = _each(chains)
    right = _right(starts, ends)
    mean, done = ends[right - 1], period + right * bars
    for t in range(done, source.size):
        mean = _wilder(mean, source[t], period)
        means[t] = mean


@compiled
def _range(high: Number, low: Number, before: Number) -> Number:
    # A NaN is at most nothing, so without a close before the range is high - low.
    span = high - low
    rise, fall = abs(high - before), abs(low - before)
    span = at_most(span, rise, rise, span)
    return at_most(span, fall, fall, span)


@compiled
def _ranges(high: F64_1D, low: F64_1D, close: F64_1D, ranges: F64_1D) -> None:
    ranges[:1] = high[:1] - low[:1]
    for t in range(1, high.size):
        ranges[t] = _range(high[t], low[t], close[t - 1])


@compiled
def _write_ranges(high: F64_1D, low: F64_1D, close: F64_1D, ranges: F64_1D, at: int) -> None:
    store(_range(load(high, at), load(low, at), load(close, at - 1)), ranges, at)


@compiled
def _range_lanes(
    high: F64_1D, low: F64_1D, close: F64_1D, means: F64_1D, period: int, seed: float
) -> None:
    """Walk the column part by part; the ranges of a part lie where its means will.

    They are written while the part before is walked, whose divisions leave the memory idle.
    """
    parts = (high.size - period) // PART + 1
    bars, memory = _lane_bars((high.size - period) // parts, period)
    part, last = SIDE * bars, period + parts * SIDE * bars
    for t in range(period, period + part, SIDE):
        _write_ranges(high, low, close, means, t)
    mean, done, right, tile = seed, period, SIDE, np.empty(TILE)
    while done < last and right == SIDE:
        values = means[done : done + part].reshape(SIDE, bars)
        starts = _wilder_starts(values, memory, period, mean)
        chains = load(starts, 0)
        for at in range(0, bars, SIDE):
            turn_in(values, at, tile)
            for bar in range(0, TILE, SIDE):
                chains = _wilder(chains, load(tile, bar), period)
                store(chains, tile, bar)
                ahead = done + part + at * SIDE + bar
                if ahead < last:
                    _write_ranges(high, low, close, means, ahead)
            turn_out(tile, values, at)
        ends = _each(chains)
        right = _right(starts, ends)
        mean, done = ends[right - 1], done + right * bars
    for t in range(done, high.size):
        mean = _wilder(mean, _range(high[t], low[t], close[t - 1]), period)
        means[t] = mean


@compiled
def _strength(rise: Number, fall: Number) -> Number:
    strength = 100.0 - 100.0 / (1.0 + rise / fall)
    strength = at_most(rise, PINE_TOLERANCE, 0.0, strength)
    return at_most(fall, PINE_TOLERANCE, 100.0, strength)


@compiled
def _moved(rise: Number, fall: Number, step: Number, period: int) -> tuple[Number, Number]:
    """Return both means a bar later; 0.5 x (|step| + step) is max(step, 0) to the bit."""
    size = abs(step)
    rise = _wilder(rise, 0.5 * (size + step), period)
    return rise, _wilder(fall, 0.5 * (size - step), period)


@compiled
def _strength_lanes(source: F64_1D, outputs: F64_1D, period: int, rise: float, fall: float) -> None:
    first = period + 1
    bars, memory = _lane_bars(source.size - first, period)
    values = source[first : first + SIDE * bars].reshape(SIDE, bars)
    befores = source[period : period + SIDE * bars].reshape(SIDE, bars)
    stretches = outputs[first : first + SIDE * bars].reshape(SIDE, bars)
    rises, falls = same(rise), same(fall)
    now, before = np.empty(TILE), np.empty(TILE)
    for at in range(bars - memory, bars, SIDE):
        turn_in(values, at, now)
        turn_in(befores, at, before)
        for bar in range(0, TILE, SIDE):
            rises, falls = _moved(rises, falls, load(now, bar) - load(before, bar), period)
    starts = _starts(rise, rises), _starts(fall, falls)
    rises, falls = load(starts[0], 0), load(starts[1], 0)
    for at in range(0, bars, SIDE):
        turn_in(values, at, now)
        turn_in(befores, at, before)
        for bar in range(0, TILE, SIDE):
            rises, falls = _moved(rises, falls, load(now, bar) - load(before, bar), period)
            store(_strength(rises, falls), now, bar)
        turn_out(now, stretches, at)
    ends = _each(rises), _each(falls)
    right = min(_right(starts[0], ends[0]), _right(starts[1], ends[1]))
    rise, fall = ends[0][right - 1], ends[1][right - 1]
    for t in range(first + right * bars, source.size):
        rise, fall = _moved(rise, fall, source[t] - source[t - 1], period)
        outputs[t] = _strength(rise, fall)
