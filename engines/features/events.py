"""Events between columns: crossings, runs, the last time something was true.

Bool columns are False where an input is NaN. As in Pine, a NaN bar is passed over: a crossing
compares with the last bar on which both sides were defined.
"""

import numpy as np

from engines.features._columns import (
    PINE_TOLERANCE,
    aligned_mask,
    column,
    lagged,
    level_or_column,
    require_period,
)
from engines.features._compiled import compiled
from engines.features._shared import shared
from engines.types import BOOL_1D, F64_1D


@shared
def crossover(source: F64_1D, other: F64_1D | float) -> BOOL_1D:
    """Return where the source was at or below the other (or level) and is now above it.

    Shape: source [T], other [T] or a number -> bool [T].
    Raises: ValueError if the lengths differ.
    Source: TradingView ta.crossover; compared exactly.
    """
    return _crossings(*_sides(source, other))


@shared
def crossunder(source: F64_1D, other: F64_1D | float) -> BOOL_1D:
    """Return where the source was at or above the other (or level) and is now below it.

    Shape: source [T], other [T] or a number -> bool [T].
    Raises: ValueError if the lengths differ.
    Source: TradingView ta.crossunder; compared exactly.
    """
    source, other = _sides(source, other)
    return _crossings(other, source)


@shared
def cross(source: F64_1D, other: F64_1D | float) -> BOOL_1D:
    """Return where the source passes to the other side of the other (or level).

    A side counts once the distance exceeds 1e-10; equality in between keeps it. So this is not
    crossover or crossunder: touching and turning back is no cross.
    Shape: source [T], other [T] or a number -> bool [T].
    Raises: ValueError if the lengths differ.
    Source: TradingView ta.cross.
    """
    return _side_changes(*_sides(source, other))


@shared
def rising(source: F64_1D, period: int) -> BOOL_1D:
    """Return where the source has risen on each of the last `period` bars, by more than 1e-10.

    Shape: source [T] -> bool [T]; False on the first `period` bars.
    Raises: ValueError if period < 1.
    Source: TradingView ta.rising.
    """
    require_period("period", period)
    return _run_lengths(column("source", source)) >= period


@shared
def falling(source: F64_1D, period: int) -> BOOL_1D:
    """Return where the source has fallen on each of the last `period` bars, by more than 1e-10.

    Shape: source [T] -> bool [T]; False on the first `period` bars.
    Raises: ValueError if period < 1.
    Source: TradingView ta.falling.
    """
    return rising(-column("source", source), period)


@shared
def change(source: F64_1D, period: int = 1) -> F64_1D:
    """Return the source minus its value `period` bars ago.

    Shape: source [T] -> [T]; the first `period` values are NaN, and where either bar is NaN.
    Raises: ValueError if period < 1.
    Source: TradingView ta.change.
    """
    require_period("period", period)
    source = column("source", source)
    return source - lagged(source, period)


@shared
def valuewhen(condition: BOOL_1D, source: F64_1D, occurrence: int = 0) -> F64_1D:
    """Return the source's value on the occurrence-th most recent bar where the condition was true.

    Occurrence 0 is the most recent one, the current bar included. A NaN recorded then is returned.
    Shape: condition bool [T], source [T] -> [T]; NaN until the condition was true often enough.
    Raises: ValueError if occurrence < 0 or the lengths differ.
    Source: TradingView ta.valuewhen.
    """
    require_period("occurrence", occurrence, minimum=0)
    source = column("source", source)
    condition = aligned_mask("condition", condition, source.size)
    recorded = source[condition]
    position = np.cumsum(condition) - 1 - occurrence
    values = np.full(source.size, np.nan)
    known = position >= 0
    values[known] = recorded[position[known]]
    return values


@shared
def bars_since(condition: BOOL_1D) -> F64_1D:
    """Return how many bars ago the condition was last true, 0 where it is true now.

    Shape: condition bool [T] -> [T]; NaN until it was true once.
    Source: TradingView ta.barssince.
    """
    condition = aligned_mask("condition", condition, np.size(condition))
    bars = np.arange(condition.size)
    last_true = np.maximum.accumulate(np.where(condition, bars, -1))
    return np.where(last_true < 0, np.nan, bars - last_true)


def _sides(source: F64_1D, other: F64_1D | float) -> tuple[F64_1D, F64_1D]:
    source = column("source", source)
    other = level_or_column("other", other, source.size)
    if source.size != other.size:
        raise ValueError(
            f"columns must have one length, found source {source.size}, other {other.size}"
        )
    return source, other


@compiled
def _crossings(source: F64_1D, other: F64_1D) -> BOOL_1D:
    crossings = np.zeros(source.size, dtype=np.bool_)
    was_at_or_below = False
    for t in range(source.size):
        if np.isnan(source[t]) or np.isnan(other[t]):
            continue
        crossings[t] = was_at_or_below and source[t] > other[t]
        was_at_or_below = source[t] <= other[t]
    return crossings


@compiled
def _side_changes(source: F64_1D, other: F64_1D) -> BOOL_1D:
    changes = np.zeros(source.size, dtype=np.bool_)
    side = 0
    for t in range(source.size):
        if np.isnan(source[t]) or np.isnan(other[t]):
            continue
        from_below = side < 0 and source[t] > other[t]
        from_above = side > 0 and source[t] < other[t]
        changes[t] = from_below or from_above
        distance = source[t] - other[t]
        if distance < -PINE_TOLERANCE:
            side = -1
        elif distance > PINE_TOLERANCE:
            side = 1
    return changes


@compiled
def _run_lengths(source: F64_1D) -> F64_1D:
    """Return for each bar on how many bars in a row, itself included, the source has risen."""
    lengths = np.zeros(source.size)
    for t in range(1, source.size):
        if source[t] - source[t - 1] > PINE_TOLERANCE:
            lengths[t] = lengths[t - 1] + 1.0
    return lengths
