"""Crossings, runs, extremes and pivots by hand."""

import math

import numpy as np
import pytest

from engines.features._shared import Shelf, sharing
from engines.features.events import (
    bars_since,
    compared,
    cross,
    crossings,
    crossover,
    crossunder,
    falling,
    rising,
    valuewhen,
)
from engines.features.extremes import (
    BLOCK,
    highest,
    highest_bars,
    lowest,
    lowest_bars,
    pivot_high,
    pivot_low,
)
from engines.types import F64_1D

NAN = math.nan


def test_extremes_name_the_oldest_of_equals() -> None:
    source = np.array([2.0, 5.0, 5.0, 1.0, 1.0])
    np.testing.assert_array_equal(highest_bars(source, 3), [NAN, NAN, -1.0, -2.0, -2.0])
    np.testing.assert_array_equal(lowest_bars(source, 3), [NAN, NAN, -2.0, 0.0, -1.0])


def test_a_nan_starts_the_window_of_extremes_afresh() -> None:
    np.testing.assert_array_equal(
        highest(np.array([9.0, 8.0, NAN, 3.0, 2.0, 1.0]), 3), [NAN, NAN, NAN, 3.0, 3.0, 3.0]
    )


@pytest.mark.parametrize("bars", [0, 1, 5, BLOCK, BLOCK + 1, 2_500])
@pytest.mark.parametrize("period", [1, 2, 3, 14, 100, 1_500])
@pytest.mark.parametrize("gaps", ["none", "before", "between", "only"])
def test_extremes_are_those_of_each_window_since_the_last_nan(
    bars: int, period: int, gaps: str
) -> None:
    rng = np.random.default_rng(bars)
    source = np.round(rng.normal(size=bars), 1)  # ties are frequent
    share = {"none": 0.0, "before": 0.0, "between": 0.01, "only": 1.0}[gaps]
    source[rng.random(bars) < share] = NAN
    source[: 40 if gaps == "before" else 0] = NAN
    highs, lows, begin = [], [], 0
    for t, value in enumerate(source.tolist()):
        begin = t + 1 if math.isnan(value) else begin
        window = source[max(begin, t + 1 - period) : t + 1]
        is_known = len(window) > 0 and t >= period - 1
        highs.append(float(window.max()) if is_known else NAN)
        lows.append(float(window.min()) if is_known else NAN)
    np.testing.assert_array_equal(highest(source, period), highs)
    np.testing.assert_array_equal(lowest(source, period), lows)


def test_pivot_is_known_only_after_its_right_bars() -> None:
    source = np.array([1.0, 2.0, 5.0, 3.0, 2.0, 4.0])
    np.testing.assert_array_equal(pivot_high(source, 2, 2), [NAN, NAN, NAN, NAN, 5.0, NAN])
    np.testing.assert_array_equal(pivot_low(-source, 2, 2), [NAN, NAN, NAN, NAN, -5.0, NAN])


def test_crossover_is_exact_and_starts_from_equality() -> None:
    source = np.array([1.0, 1.0, 2.0, 1.0, 0.5, 3.0])
    assert crossover(source, 1.0).tolist() == [False, False, True, False, False, True]
    assert crossunder(source, 1.0).tolist() == [False, False, False, False, True, False]


def test_cross_ignores_a_touch_that_turns_back() -> None:
    source = np.array([2.0, 1.0, 2.0, 1.0, 0.5])
    assert cross(source, 1.0).tolist() == [False, False, False, False, True]


def test_crossings_look_past_nan_bars() -> None:
    source = np.array([1.0, NAN, 3.0])
    assert crossover(source, 2.0).tolist() == [False, False, True]
    assert cross(source, 2.0).tolist() == [False, False, True]


def crossovers_bar_by_bar(source: F64_1D, other: F64_1D) -> list[bool]:
    """Return the crossovers as TradingView's rule says them, a bar at a time."""
    found, was_at_or_below = [], False
    for value, level in zip(source.tolist(), other.tolist(), strict=True):
        is_defined = not (math.isnan(value) or math.isnan(level))
        found.append(is_defined and was_at_or_below and value > level)
        if is_defined:
            was_at_or_below = value <= level
    return found


def check_crossings(source: F64_1D, other: F64_1D, level: float | None = None) -> None:
    """Check crossings and sides of two columns, or of one and a level, alone and shared."""
    whole = other if level is None else np.full(source.size, level)
    source.flags.writeable = other.flags.writeable = False
    alone = crossings(source, other if level is None else level)
    with sharing(Shelf(1_000_000)):
        shared = crossings(source, other if level is None else level)
        sides = [compared(source, whole), compared(source, other if level is None else level)]
    sides.append(compared(source, other if level is None else level))
    for side in sides:
        assert side.above.tolist() == (source > whole).tolist()
        assert side.below.tolist() == (source < whole).tolist()
    for found in (alone, shared):
        assert found.over.tolist() == crossovers_bar_by_bar(source, whole)
        assert found.under.tolist() == crossovers_bar_by_bar(whole, source)


@pytest.mark.parametrize("nan_share", [0.0, 0.001, 0.3])
@pytest.mark.parametrize("bars", [1, 2, 63, 64, 65, 127, 128, 129, 3000])
def test_crossings_both_ways_are_those_of_the_plain_rule(bars: int, nan_share: float) -> None:
    rng = np.random.default_rng(bars)
    for level in (None, 1.0, NAN):
        for ties in (3, 1000):  # frequent, and rare enough for words without any
            source = rng.integers(0, ties, bars).astype(np.float64)
            other = rng.integers(0, ties, bars).astype(np.float64)
            source[rng.random(bars) < nan_share] = NAN
            other[rng.random(bars) < nan_share] = NAN
            check_crossings(source, other, level)


@pytest.mark.parametrize("size", [1.0, 1e-320, 1e-40, 1e300])
def test_crossings_tell_columns_apart_that_are_equal_once_rounded(size: float) -> None:
    rng = np.random.default_rng(3)
    other = size * (1.0 + 1e-3 * rng.random(3000))
    # Most bars are apart by far, some by less than float32 tells, and some are the same.
    source = other * (
        1.0 + rng.choice([0.0, 1e-12, -1e-12, 1e-3, -1e-3], 3000, p=[0.1] * 2 + [0.2, 0.3, 0.3])
    )
    check_crossings(source, other)
    check_crossings(source, other, float(other[7]))


def test_rising_needs_every_step_to_exceed_pines_precision() -> None:
    source = np.array([1.0, 2.0, 3.0, 3.0 + 5e-11, 4.0])
    assert rising(source, 2).tolist() == [False, False, True, False, False]
    assert falling(-source, 2).tolist() == [False, False, True, False, False]


def test_valuewhen_and_bars_since_wait_for_the_condition() -> None:
    condition = np.array([False, True, False, True])
    source = np.array([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_array_equal(valuewhen(condition, source), [NAN, 2.0, 2.0, 4.0])
    np.testing.assert_array_equal(valuewhen(condition, source, 1), [NAN, NAN, NAN, 2.0])
    np.testing.assert_array_equal(bars_since(condition), [NAN, 0.0, 1.0, 0.0])
