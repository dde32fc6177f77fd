"""Events between columns: crossings, runs, the last time something was true.

Bool columns are False where an input is NaN. As in Pine, a NaN bar is passed over: a crossing
compares with the last bar on which both sides were defined.

Crossings both ways come from one pass: which way a bar looks is a matter of two bits, at or below
and at or above, which vectors find for a block of bars at once and NaN leaves empty. A crossing
turns one bit of the last bar that has any into the other alone.
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
from engines.features._shared import shared
from engines.types import BOOL_1D, F64_1D, U8_1D

BLOCK = 1024  # bars whose bits stay in the first-level cache
AT_OR_BELOW, AT_OR_ABOVE = 1, 2


class Crossings(NamedTuple):
    """Crossings both ways, bool [T] each."""

    over: BOOL_1D
    under: BOOL_1D


@shared
def crossings(source: F64_1D, other: F64_1D | float) -> Crossings:
    """Return `crossover` and `crossunder` of the same sides, in the time of one of them.

    Shape: source [T], other [T] or a number -> two of bool [T].
    Raises: ValueError if the lengths differ.
    Source: TradingView ta.crossover, ta.crossunder; compared exactly.
    """
    source, other = _sides(source, other)
    found = Crossings(np.empty(source.size, np.bool_), np.empty(source.size, np.bool_))
    _find_crossings(source, other, *found)
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


@compiled
def _find_crossings(source: F64_1D, other: F64_1D, over: BOOL_1D, under: BOOL_1D) -> None:
    levels = np.full(BLOCK, other[0]) if other.size == 1 else other
    sides = np.zeros(BLOCK + 1, np.uint8)  # of the bars of a block, after the last one before it
    for start in range(0, source.size, BLOCK):
        bars = min(BLOCK, source.size - start)
        first = 0 if other.size == 1 else start
        block = sides[: bars + 1]
        is_defined = _find_sides(
            source[start : start + bars], levels[first : first + bars], block[1:]
        )
        overs, unders = over[start : start + bars], under[start : start + bars]
        if is_defined:
            _turns(block, overs, unders)
            sides[0] = block[bars]
        else:
            sides[0] = _turns_past_nan(block, overs, unders)


@compiled
def _find_sides(source: F64_1D, other: F64_1D, sides: U8_1D) -> bool:
    """Find on which side of the other each bar is; return whether all bars are on one."""
    is_undefined = np.uint8(0)
    for i in range(sides.size):
        below, above = np.uint8(source[i] <= other[i]), np.uint8(source[i] >= other[i])
        sides[i] = below | (above << np.uint8(1))
        is_undefined |= np.uint8(1) ^ (below | above)
    return bool(is_undefined == 0)


@compiled
def _turns(sides: U8_1D, over: BOOL_1D, under: BOOL_1D) -> None:
    for i in range(over.size):
        over[i] = (sides[i + 1] == AT_OR_ABOVE) & (sides[i] & AT_OR_BELOW != 0)
        under[i] = (sides[i + 1] == AT_OR_BELOW) & (sides[i] & AT_OR_ABOVE != 0)


@compiled
def _turns_past_nan(sides: U8_1D, over: BOOL_1D, under: BOOL_1D) -> int:
    """Find the turns of a block that may be undefined; return the last side that is not."""
    before = sides[0]
    for i in range(over.size):
        side = sides[i + 1]
        over[i] = side == AT_OR_ABOVE and before & AT_OR_BELOW != 0
        under[i] = side == AT_OR_BELOW and before & AT_OR_ABOVE != 0
        before = side if side != 0 else before
    return int(before)


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
