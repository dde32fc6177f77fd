"""Wishes of columns become a list: one for each bar that wishes anything, with its bits."""

import math
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pytest

from engines.kernels.chains.columns import WISH_BITS
from engines.kernels.chains.wishes import BLOCK, WORD, collect_wishes, take_levels
from engines.kernels.slots import (
    ANY_WISH,
    ENDS,
    ENTERS,
    ENTERS_LONG,
    ENTERS_SHORT,
    LEAVES_LONG,
    LEAVES_SHORT,
)
from engines.types import BOOL_1D, U8_1D

BITS = ENTERS_LONG, ENTERS_SHORT, LEAVES_LONG, LEAVES_SHORT


Column = TypeVar("Column", U8_1D, BOOL_1D)


def frozen(column: Column) -> Column:
    column.flags.writeable = False
    return column


def counted(wished: npt.NDArray[np.uint8]) -> list[int]:
    """Return the bars whose wishes count where a position is left at the first wish to."""
    found, may_leave = [], 0
    for bar, wish in enumerate(wished.tolist()):
        if wish & (ENTERS | ENDS) or wish & may_leave:
            found.append(bar)
        may_leave &= ~wish
        for enters, leaves in ((ENTERS_LONG, LEAVES_LONG), (ENTERS_SHORT, LEAVES_SHORT)):
            may_leave |= leaves if wish & enters else 0
    return found


@pytest.mark.parametrize("thins", [False, True])
@pytest.mark.parametrize("has_rules", [False, True])
@pytest.mark.parametrize("share", [0.02, 0.5])
@pytest.mark.parametrize("bars", [1, 7, 8, 65, WORD * BLOCK, 2 * WORD * BLOCK + 75])
def test_each_bar_that_wishes_is_listed_with_its_bits(
    bars: int, share: float, has_rules: bool, thins: bool
) -> None:
    random = np.random.default_rng(bars)
    columns = [random.random(bars) < share for _ in BITS]
    wished = np.zeros(bars, np.uint8)
    for column, bit in zip(columns, BITS, strict=True):
        wished |= np.where(column, np.uint8(bit), np.uint8(0))
    allowed = forced = np.empty(0, np.uint8)
    if has_rules:
        allowed = random.integers(0, ANY_WISH + 1, bars).astype(np.uint8)
        forced = np.where(random.random(bars) < share, 1 << random.integers(0, 6, bars), 0)
        forced = forced.astype(np.uint8)
        wished = wished & allowed | forced
    wishes = np.full(bars + 3, -1, np.int32)
    long, short, no_long, no_short = map(frozen, columns)
    may, must = frozen(allowed), frozen(forced)
    count = collect_wishes(long, short, no_long, no_short, may, must, thins, wishes, 2)
    at = np.array(counted(wished), np.int64) if thins else np.flatnonzero(wished)
    np.testing.assert_array_equal(wishes[2:count], (at << WISH_BITS) | wished[at].astype(np.int64))
    assert (wishes[:2] == -1).all() and (wishes[count:] == -1).all()


@pytest.mark.parametrize("level", [math.nan, 99.0, 100.0, math.inf, -math.inf])
@pytest.mark.parametrize("bit", BITS)
def test_a_level_is_judged_where_an_entry_reads_it(bit: int, level: float) -> None:
    bars = np.array([2, 5, 9])
    wishes = (bars.astype(np.int32) << WISH_BITS) | np.int32(bit)
    given = np.full(12, math.inf)
    given[bars] = 1.0, level, 3.0
    given.flags.writeable = False
    taken = np.empty(3)
    is_within = take_levels(wishes, given, 100.0, taken)
    np.testing.assert_array_equal(taken, [1.0, level, 3.0])
    is_entry = bit in (ENTERS_LONG, ENTERS_SHORT)
    assert is_within == (not is_entry or level == 99.0 or math.isnan(level))
    none = np.empty(0)
    none.flags.writeable = False
    assert take_levels(wishes, none, 100.0, taken)
    assert np.isnan(taken).all()
