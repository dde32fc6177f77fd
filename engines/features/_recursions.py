"""Recursive averages at the speed of the machine, equal to the plain loop in every bit.

Theory of operation. Each step of a recursion waits for the one before it: three dependent
operations for an EMA, a division among them for Wilder's RMA, while the machine could do several
at once. So the column is cut into LANES stretches that run side by side. Only the first knows
where it starts; the others start from the same seed, which is wrong. But a recursive average
forgets: a chain started right and one started wrong come nearer by the same ratio on each bar, and
once they round to one double they are one for ever, since a step depends on nothing else. So each
stretch is walked a second time from its true start, beside the wrong chain, until the two meet.
From there on what the stretch wrote is right; where they never meet, all of it is written anew.

Invariant: the values are those of the plain loop, whatever LANES is and wherever chains meet; only
the speed depends on it. Two chains meet within some 40 time constants (53 bits of the first gap,
and the last unit, which chance has to round away). A column too short for that takes one lane.

Columns are finite here; the callers skip NaN. Outputs are allocated by NumPy and filled here: its
large arrays lie on large pages, while those that compiled code allocates cost more in page faults
than in arithmetic. Scratch stays in the cache.
"""

import numpy as np

from engines.features._columns import PINE_TOLERANCE
from engines.features._compiled import compiled
from engines.features.sums import rolling_sum
from engines.types import F64_1D

LANES = 8
RSI_LANES = 4  # two chains a lane
BLOCK = 256  # bars a lane: scratch of both chains stays in the first-level cache
MEMORY = 40


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
def _lane_bars(bars: int, lanes: int, time_constant: float) -> int:
    """Return the length of a lane, 0 if the chains would hardly meet in it."""
    length = bars // lanes
    return length if length > MEMORY * time_constant else 0


@compiled
def _exponential_lanes(
    source: F64_1D, means: F64_1D, first: int, alpha: float, seed: float
) -> None:
    bars = _lane_bars(source.size - first, LANES, 1.0 / alpha)
    tail = first + LANES * bars
    values = source[first:tail].reshape(LANES, bars)
    outputs = means[first:tail].reshape(LANES, bars)
    chains = np.full(LANES, seed)
    for i in range(bars):
        for lane in range(LANES):
            mean = chains[lane]
            mean += alpha * (values[lane, i] - mean)
            chains[lane] = mean
            outputs[lane, i] = mean
    mean = chains[0]
    for lane in range(1, LANES):
        mean = _join_exponential(values[lane], outputs[lane], alpha, mean, seed, chains[lane])
    _join_exponential(source[tail:], means[tail:], alpha, mean, np.nan, np.nan)


@compiled
def _join_exponential(
    values: F64_1D, outputs: F64_1D, alpha: float, mean: float, wrong: float, end: float
) -> float:
    """Walk a stretch from its true start until it meets the wrong one; return its true end."""
    for i in range(values.size):
        mean += alpha * (values[i] - mean)
        wrong += alpha * (values[i] - wrong)
        outputs[i] = mean
        if mean == wrong:
            return end
    return mean


@compiled
def _wilder(mean: float, value: float, period: int) -> float:
    return (mean * (period - 1) + value) / period


@compiled
def _wilder_lanes(source: F64_1D, means: F64_1D, period: int, seed: float) -> None:
    bars = _lane_bars(source.size - period, LANES, period)
    tail = period + LANES * bars
    values = source[period:tail].reshape(LANES, bars)
    outputs = means[period:tail].reshape(LANES, bars)
    chains = np.full(LANES, seed)
    for i in range(bars):
        for lane in range(LANES):
            chains[lane] = _wilder(chains[lane], values[lane, i], period)
            outputs[lane, i] = chains[lane]
    mean = chains[0]
    for lane in range(1, LANES):
        mean = _join_wilder(values[lane], outputs[lane], period, mean, seed, chains[lane])
    _join_wilder(source[tail:], means[tail:], period, mean, np.nan, np.nan)


@compiled
def _join_wilder(
    values: F64_1D, outputs: F64_1D, period: int, mean: float, wrong: float, end: float
) -> float:
    for i in range(values.size):
        mean = _wilder(mean, values[i], period)
        wrong = _wilder(wrong, values[i], period)
        outputs[i] = mean
        if mean == wrong:
            return end
    return mean


@compiled
def _range(high: float, low: float, before: float) -> float:
    # A NaN loses every comparison, so without a close before the range is high - low.
    span = high - low
    rise = abs(high - before)
    fall = abs(low - before)
    span = rise if rise > span else span
    return fall if fall > span else span


@compiled
def _ranges(high: F64_1D, low: F64_1D, close: F64_1D, ranges: F64_1D) -> None:
    ranges[:1] = high[:1] - low[:1]
    for t in range(1, high.size):
        ranges[t] = _range(high[t], low[t], close[t - 1])


@compiled
def _range_lanes(
    high: F64_1D, low: F64_1D, close: F64_1D, means: F64_1D, period: int, seed: float
) -> None:
    bars = _lane_bars(high.size - period, LANES, period)
    tail = period + LANES * bars
    highs = high[period:tail].reshape(LANES, bars)
    lows = low[period:tail].reshape(LANES, bars)
    befores = close[period - 1 : tail - 1].reshape(LANES, bars)
    outputs = means[period:tail].reshape(LANES, bars)
    chains = np.full(LANES, seed)
    for i in range(bars):
        for lane in range(LANES):
            span = _range(highs[lane, i], lows[lane, i], befores[lane, i])
            chains[lane] = _wilder(chains[lane], span, period)
            outputs[lane, i] = chains[lane]
    mean = chains[0]
    for lane in range(1, LANES):
        bars_of_lane = highs[lane], lows[lane], befores[lane]
        mean = _join_ranges(bars_of_lane, outputs[lane], period, mean, seed, chains[lane])
    rest = high[tail:], low[tail:], close[tail - 1 : -1]
    _join_ranges(rest, means[tail:], period, mean, np.nan, np.nan)


@compiled
def _join_ranges(
    bars: tuple[F64_1D, F64_1D, F64_1D],
    outputs: F64_1D,
    period: int,
    mean: float,
    wrong: float,
    end: float,
) -> float:
    highs, lows, befores = bars
    for i in range(highs.size):
        span = _range(highs[i], lows[i], befores[i])
        mean = _wilder(mean, span, period)
        wrong = _wilder(wrong, span, period)
        outputs[i] = mean
        if mean == wrong:
            return end
    return mean


@compiled
def _strength(rise: float, fall: float) -> float:
    # Choices between values, not ways: the loop over a block is then compiled for vectors.
    strength = 100.0 - 100.0 / (1.0 + rise / fall)
    strength = 0.0 if rise <= PINE_TOLERANCE else strength
    return 100.0 if fall <= PINE_TOLERANCE else strength


@compiled
def _strengths_of(rises: F64_1D, falls: F64_1D, outputs: F64_1D) -> None:
    for i in range(outputs.size):
        outputs[i] = _strength(rises[i], falls[i])


@compiled
def _risen(mean: float, step: float, period: int) -> float:
    # Exactly max(step, 0), without a branch that the machine would guess wrong every other bar.
    return _wilder(mean, 0.5 * (abs(step) + step), period)


@compiled
def _strength_lanes(source: F64_1D, outputs: F64_1D, period: int, rise: float, fall: float) -> None:
    first = period + 1
    bars = _lane_bars(source.size - first, RSI_LANES, period)
    tail = first + RSI_LANES * bars
    values = source[first:tail].reshape(RSI_LANES, bars)
    befores = source[period : tail - 1].reshape(RSI_LANES, bars)
    stretches = outputs[first:tail].reshape(RSI_LANES, bars)
    rises, falls = np.full(RSI_LANES, rise), np.full(RSI_LANES, fall)
    block_rises, block_falls = np.empty((RSI_LANES, BLOCK)), np.empty((RSI_LANES, BLOCK))
    for start in range(0, bars, BLOCK):
        count = min(BLOCK, bars - start)
        for i in range(count):
            for lane in range(RSI_LANES):
                step = values[lane, start + i] - befores[lane, start + i]
                rises[lane] = _risen(rises[lane], step, period)
                falls[lane] = _risen(falls[lane], -step, period)
                block_rises[lane, i], block_falls[lane, i] = rises[lane], falls[lane]
        for lane in range(RSI_LANES):
            block = stretches[lane, start : start + count]
            _strengths_of(block_rises[lane], block_falls[lane], block)
    means = rises[0], falls[0]
    for lane in range(1, RSI_LANES):
        steps, ends = (values[lane], befores[lane]), (rises[lane], falls[lane])
        means = _join_strengths(steps, stretches[lane], period, means, (rise, fall), ends)
    never = np.nan, np.nan
    rest = source[tail:], source[tail - 1 : -1]
    _join_strengths(rest, outputs[tail:], period, means, never, never)


@compiled
def _join_strengths(
    steps: tuple[F64_1D, F64_1D],
    outputs: F64_1D,
    period: int,
    means: tuple[float, float],
    wrong: tuple[float, float],
    ends: tuple[float, float],
) -> tuple[float, float]:
    values, befores = steps
    rise, fall = means
    wrong_rise, wrong_fall = wrong
    for i in range(values.size):
        step = values[i] - befores[i]
        rise, fall = _risen(rise, step, period), _risen(fall, -step, period)
        wrong_rise = _risen(wrong_rise, step, period)
        wrong_fall = _risen(wrong_fall, -step, period)
        outputs[i] = _strength(rise, fall)
        if rise == wrong_rise and fall == wrong_fall:
            return ends
    return rise, fall
