"""Events between columns: crossings, sides, runs, the last time something was true.

Bool columns are False where an input is NaN. As in Pine, a NaN bar is passed over: a crossing
compares with the last bar on which both sides were defined.

Crossings both ways come from one pass (`_crossings`), and so do both sides.
"""

from typing import NamedTuple

import numpy as np

from engines.features._columns import (
    PINE_TOLERANCE,
    aligned_mask,
    column,
    lagged,
    require_period,
)
from engines.features._compiled import compiled
from engines.features._crossings import F32_1D, Near, find_crossings, find_sides
from engines.features._shared import companion, shared
from engines.types import BOOL_1D, F64_1D


class Crossings(NamedTuple):
    """Crossings both ways, bool [T] each."""

    over: BOOL_1D
    under: BOOL_1D


class Compared(NamedTuple):
    """Which side of another column a column lies on, bool [T] each."""

    above: BOOL_1D
    below: BOOL_1D


@shared
def crossings(source: F64_1D, other: F64_1D | float) -> Crossings:
    """Return `crossover` and `crossunder` of the same sides, in the time of one of them.

    Shape: source [T], other [T] or a number -> two of bool [T].
    Raises: ValueError if the lengths differ.
    Source: TradingView ta.crossover, ta.crossunder; compared exactly.
    """
    sides = _sides(source, other)
    bars = sides[0].size
    found = Crossings(np.empty(bars, np.bool_), np.empty(bars, np.bool_))
    find_crossings(*sides, *_rounded(source, other, sides), *found)
    return found


def crossover(source: F64_1D, other: F64_1D | float) -> BOOL_1D:
    """Return where the source was at or below the other (or level) and is now above it.

    Shape: source [T], other [T] or a number -> bool [T].
    Raises: ValueError if the lengths differ.
    Source: TradingView ta.crossover; compared exactly.
    """
    return crossings(source, other).over


def crossunder(source: F64_1D, other: F64_1D | float) -> BOOL_1D:
    """Return where the source was at or above the other (or level) and is now below it.

    Shape: source [T], other [T] or a number -> bool [T].
    Raises: ValueError if the lengths differ.
    Source: TradingView ta.crossunder; compared exactly.
    """
    return crossings(source, other).under


@shared
def compared(source: F64_1D, other: F64_1D | float) -> Compared:
    """Return `source > other` and `source < other`, which strategies of a grid often share.

    Shape: source [T], other [T] or a number -> two of bool [T].
    Raises: ValueError if the lengths differ.
    """
    sides = _sides(source, other)
    bars = sides[0].size
    found = Compared(np.empty(bars, np.bool_), np.empty(bars, np.bool_))
    find_sides(*sides, *_rounded(source, other, sides), *found)
    return found


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
    """Return both sides as columns [T], a level as one of a single value."""
    source = column("source", source)
    if np.ndim(other) == 0:
        return source, column("other", np.full(1, other, dtype=np.float64))
    other = column("other", np.asarray(other))
    if source.size != other.size:
        raise ValueError(
            f"columns must have one length, found source {source.size}, other {other.size}"
        )
    return source, other


def _rounded(
    source: F64_1D, other: F64_1D | float, sides: tuple[F64_1D, F64_1D]
) -> tuple[Near, Near]:
    """Return both sides in float32 if those of columns are remembered, else as they are."""
    near = companion(_near, source)
    near_other = _near(sides[1]) if np.ndim(other) == 0 else companion(_near, np.asarray(other))
    return sides if near is None or near_other is None else (near, near_other)


def _near(source: F64_1D) -> F32_1D:
    """Return a read-only column of float32; what is beyond its range is infinite."""
    with np.errstate(over="ignore"):
        near = column("source", source).astype(np.float32)
    near.flags.writeable = False
    return near


@compiled
def _side_changes(source: F64_1D, other: F64_1D) -> BOOL_1D:
    changes = np.zeros(source.size, dtype=np.bool_)
    side = 0
    for t in range(source.size):
        level = other[min(t, other.size - 1)]
        if np.isnan(source[t]) or np.isnan(level):
            continue
        from_below = side < 0 and source[t] > level
        from_above = side > 0 and source[t] < level
        changes[t] = from_below or from_above
        distance = source[t] - level
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
