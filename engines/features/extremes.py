"""Highest and lowest values of a window, and how many bars ago they were.

Theory of operation. Values alone: the highest of two windows side by side is that of the window
over both, so windows double, a pass of vectors each, and at last two that overlap make `period`
bars. Blocks of bars stay in the cache, with the bars before them that their windows reach.

Offsets: a queue keeps the bars that can still become the extreme: a new value drops every queued
one that it beats, the front leaves when it is `period` bars old, and the front is the answer. Each
bar enters and leaves once, so the cost is T whatever the period.

As in Pine, a NaN empties the window and the next value starts a fresh one, while the warm-up counts
bars of the chart: after leading NaNs the first answers can come from fewer than `period` values.
Behind leading NaNs, which are below any value, windows double; where more come the queue answers.
"""

import numpy as np

from engines.features._columns import column, mirrored, over_finite, require_period
from engines.features._compiled import compiled
from engines.features._shared import shared
from engines.types import F64_1D, I64_1D

BLOCK = 1024  # bars at least whose windows double in the cache


@shared
def highest(source: F64_1D, period: int) -> F64_1D:
    """Return the highest value of the last `period` bars.

    Shape: source [T] -> [T]; the first `period - 1` values are NaN.
    Raises: ValueError if period < 1.
    Source: TradingView ta.highest.
    """
    require_period("period", period)
    source = column("source", source)
    values = np.empty(source.size)
    if _double(source, period, False, values):
        return values
    return _at_offsets(source, _offsets_of_highest(source, period, False))


@shared
def lowest(source: F64_1D, period: int) -> F64_1D:
    """Return the lowest value of the last `period` bars.

    Shape: source [T] -> [T]; the first `period - 1` values are NaN.
    Raises: ValueError if period < 1.
    Source: TradingView ta.lowest.
    """
    require_period("period", period)
    source = column("source", source)
    values = np.empty(source.size)
    if _double(source, period, True, values):
        return values
    return mirrored(highest(mirrored(source), period))


@shared
def highest_bars(source: F64_1D, period: int) -> F64_1D:
    """Return the offset, <= 0, of the highest value of the last `period` bars.

    Of equal values the oldest counts.
    Shape: source [T] -> [T]; the first `period - 1` values are NaN, and NaN bars.
    Raises: ValueError if period < 1.
    Source: TradingView ta.highestbars.
    """
    require_period("period", period)
    offsets = _offsets_of_highest(column("source", source), period, False)
    return np.where(offsets < 0, np.nan, 0.0 - offsets)


@shared
def lowest_bars(source: F64_1D, period: int) -> F64_1D:
    """Return the offset, <= 0, of the lowest value of the last `period` bars.

    Of equal values the oldest counts.
    Shape: source [T] -> [T]; the first `period - 1` values are NaN, and NaN bars.
    Raises: ValueError if period < 1.
    Source: TradingView ta.lowestbars.
    """
    return highest_bars(mirrored(column("source", source)), period)


@shared
def value_range(source: F64_1D, period: int) -> F64_1D:
    """Return the highest minus the lowest value of the last `period` bars.

    Shape: source [T] -> [T]; the first `period - 1` values are NaN.
    Raises: ValueError if period < 1.
    Source: TradingView ta.range.
    """
    return highest(source, period) - lowest(source, period)


@shared
def all_time_highest(source: F64_1D) -> F64_1D:
    """Return the highest finite value so far.

    Shape: source [T] -> [T]; NaN before the first finite value and on NaN bars.
    Source: TradingView ta.max.
    """
    return over_finite(_running_maximum, column("source", source))


@shared
def all_time_lowest(source: F64_1D) -> F64_1D:
    """Return the lowest finite value so far.

    Shape: source [T] -> [T]; NaN before the first finite value and on NaN bars.
    Source: TradingView ta.min.
    """
    return mirrored(all_time_highest(mirrored(column("source", source))))


@shared
def pivot_high(source: F64_1D, left_bars: int, right_bars: int) -> F64_1D:
    """Return the pivot high that this bar confirms: the value of `right_bars` ago, or NaN.

    A pivot is at least as high as the left bars and above every right bar. It stands on its
    confirmation bar, `right_bars` later, so it is causal; a chart draws it `right_bars` back.
    Shape: source [T] -> [T]; the first `left_bars + right_bars` values are NaN.
    Raises: ValueError if left_bars < 0 or right_bars < 0.
    Source: TradingView ta.pivothigh.
    """
    require_period("left_bars", left_bars, minimum=0)
    require_period("right_bars", right_bars, minimum=0)
    source = column("source", source)
    offsets = _offsets_of_highest(source, left_bars + right_bars + 1, True)
    return _at_offsets(source, np.where(offsets == right_bars, offsets, -1))


@shared
def pivot_low(source: F64_1D, left_bars: int, right_bars: int) -> F64_1D:
    """Return the pivot low that this bar confirms: the value of `right_bars` ago, or NaN.

    A pivot is at least as low as the left bars and below every right bar; see `pivot_high`.
    Shape: source [T] -> [T]; the first `left_bars + right_bars` values are NaN.
    Raises: ValueError if left_bars < 0 or right_bars < 0.
    Source: TradingView ta.pivotlow.
    """
    mirror = mirrored(column("source", source))
    return mirrored(pivot_high(mirror, left_bars, right_bars))


def _running_maximum(source: F64_1D) -> F64_1D:
    return np.maximum.accumulate(source)


def _at_offsets(source: F64_1D, offsets: I64_1D) -> F64_1D:
    """Return source[t - offsets[t]], NaN where the offset is negative."""
    bars = np.arange(offsets.size) - offsets
    return np.where(offsets < 0, np.nan, np.asarray(source)[np.where(offsets < 0, 0, bars)])


@compiled
def _double(source: F64_1D, period: int, is_lowest: bool, values: F64_1D) -> bool:
    """Find the highest, or the lowest as the highest of the mirror image; not past a NaN."""
    known, before = 0, period - 1
    while known < source.size and np.isnan(source[known]):
        known += 1
    block = max(BLOCK, 4 * period)
    narrow, wide = np.empty(before + block), np.empty(before + block)
    for start in range(0, source.size, block):
        bars = source[max(start - before, known) : start + block]
        count = before + min(block, source.size - start)
        narrow[: count - bars.size] = -np.inf
        if not _put(bars, is_lowest, narrow[count - bars.size : count]):
            return False
        width = 1
        while width < period:
            step = min(width, period - width)
            _widen(narrow[:count], step, wide[:count])
            narrow, wide = wide, narrow
            width += step
        outputs = values[start : start + block]
        found = narrow[before:count]
        for i in range(outputs.size):
            outputs[i] = 0.0 - found[i] if is_lowest else found[i]
    values[: max(before, known)] = np.nan
    return True


@compiled
def _put(bars: F64_1D, is_lowest: bool, values: F64_1D) -> bool:
    """Put the bars or their mirror image in place; return whether none is NaN."""
    is_nan = False
    for i in range(bars.size):
        value = 0.0 - bars[i] if is_lowest else bars[i]
        is_nan |= value != value
        values[i] = value
    return not is_nan


@compiled
def _widen(narrow: F64_1D, step: int, wide: F64_1D) -> None:
    """Find the highest of each window and the one that ends `step` bars before."""
    wide[:step] = narrow[:step]
    late, early, both = narrow[step:], narrow[:-step], wide[step:]
    for i in range(both.size):
        both[i] = late[i] if late[i] > early[i] else early[i]


@compiled
def _offsets_of_highest(source: F64_1D, period: int, newest_of_equals: bool) -> I64_1D:
    """Return how many bars ago the highest of the window was, -1 where there is none."""
    offsets = np.full(source.size, -1)
    queue = np.empty(source.size, dtype=np.int64)
    front = 0
    end = 0
    for t in range(source.size):
        value = source[t]
        if np.isnan(value):
            front = end
            continue
        while end > front and (
            source[queue[end - 1]] < value or (newest_of_equals and source[queue[end - 1]] == value)
        ):
            end -= 1
        queue[end] = t
        end += 1
        if t - queue[front] >= period:
            front += 1
        if t >= period - 1:
            offsets[t] = t - queue[front]
    return offsets
