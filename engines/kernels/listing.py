"""The wishes of all closes as bits, the bars at which one can matter, and what entries say.

Theory. Wishes are rare and come as they like, so a branch on one would often be guessed wrong. No
pass here has any: each candidate is written to the end of its list, and the list grows by one where
it belongs there and by none where it does not, so that the next candidate takes its place. Words of
eight bars come first, since most are zero; then the bars of the others, then each list. The columns
are put together one after the other, since such a loop runs on whole vectors. Places count without
a sign: Numba looks at every other one in case it is negative.
"""

from collections.abc import Callable
from typing import TypeAlias, cast

import numpy as np
from numba.cpython.unsafe import numbers

from engines.kernels._compiled import driver, rule, stamp_of
from engines.kernels.columns import U8_1D
from engines.kernels.slots import (
    ENDS,
    ENTERS,
    ENTERS_LONG,
    ENTERS_SHORT,
    LEAVES_LONG,
    LEAVES_SHORT,
)
from engines.types import F64_1D, I64_1D

Events: TypeAlias = tuple[I64_1D, I64_1D, I64_1D, I64_1D, I64_1D]
Add: TypeAlias = Callable[[U8_1D, U8_1D, U8_1D, int], None]
List: TypeAlias = Callable[[U8_1D], Events]
Judge: TypeAlias = Callable[[U8_1D, U8_1D, F64_1D, float, float], bool]

WORD = 8
ZERO, ONE, BARS = np.uint64(0), np.uint64(1), np.uint64(WORD)
FLAG = np.uint64(3)  # doublings of a bit that a flag takes

# NumPy has no word for it.
trailing_zeros = cast(Callable[[np.uint64], int], numbers.trailing_zeros)


def _adder(stamp: int) -> Add:
    """Return the pass that adds a column; what it closes over is a part of its cache's key."""

    def add(bits: U8_1D, wished: U8_1D, allowed: U8_1D, bit: int) -> None:
        count = len(wished) if stamp != 0 else 0
        if len(allowed) == 0:
            for bar in range(count):
                bits[bar] |= np.uint8(wished[bar] * bit)
        else:
            for bar in range(count):
                bits[bar] |= np.uint8((wished[bar] & allowed[bar]) * bit)

    return driver(add)


def _lister(stamp: int) -> List:
    """Return the pass that lists the bars with wishes, as `Wants` has them."""

    def listed(bits: U8_1D) -> Events:
        bars = _bars_of(bits, stamp)
        flat, long, short = np.empty_like(bars), np.empty_like(bars), np.empty_like(bars)
        roomy_long, roomy_short = np.empty_like(bars), np.empty_like(bars)
        flats = longs = shorts = roomy_longs = roomy_shorts = ZERO
        for place in range(len(bars) - 1):
            bar = bars[place]
            wishes = bits[np.uint64(bar)]
            flat[flats] = bar
            flats += np.uint64(wishes & (ENTERS | ENDS) != 0)
            long[longs] = bar
            longs += np.uint64(wishes & (ENTERS_SHORT | LEAVES_LONG | ENDS) != 0)
            short[shorts] = bar
            shorts += np.uint64(wishes & (ENTERS_LONG | LEAVES_SHORT | ENDS) != 0)
            roomy_long[roomy_longs] = bar
            roomy_longs += np.uint64(wishes & (ENTERS | LEAVES_LONG | ENDS) != 0)
            roomy_short[roomy_shorts] = bar
            roomy_shorts += np.uint64(wishes & (ENTERS | LEAVES_SHORT | ENDS) != 0)
        return (
            flat[:flats], long[:longs], short[:shorts], roomy_long[:roomy_longs],
            roomy_short[:roomy_shorts],
        )  # fmt: skip # the order of `Wants`

    return driver(listed)


def _judge(stamp: int) -> Judge:
    """Return the pass that looks at the values of entries; `stamp` as before."""

    def judged(
        enter_long: U8_1D, enter_short: U8_1D, values: F64_1D, low: float, high: float
    ) -> bool:
        count = len(values) if stamp != 0 else 0
        whole, are_within = count - count % WORD, True
        longs, shorts = enter_long[:whole].view(np.uint64), enter_short[:whole].view(np.uint64)
        for word in range(len(longs)):
            flags = longs[word] | shorts[word]
            while flags != ZERO:
                value = values[np.uint64(word * WORD) + (np.uint64(trailing_zeros(flags)) >> FLAG)]
                are_within &= (low < value < high) | (value != value)
                flags &= flags - ONE
        for bar in range(whole, count):
            if enter_long[bar] | enter_short[bar] != 0:
                are_within &= (low < values[bar] < high) | (values[bar] != values[bar])
        return are_within

    return driver(judged)


@rule
def _bars_of(bits: U8_1D, stamp: int) -> I64_1D:
    """Return the bars with any wish, and room for one more."""
    words = bits.view(np.uint64)
    busy = np.empty(len(words) + 1, np.uint64)
    count = total = ZERO
    for word in range(len(words) if stamp != 0 else 0):
        busy[count] = word
        count += np.uint64(words[word] != 0)
    bars = np.empty(BARS * count + ONE, np.int64)
    for place in range(count):
        for bar in range(busy[place] * BARS, busy[place] * BARS + BARS):
            bars[total] = bar
            total += np.uint64(bits[bar] != 0)
    return bars[: total + ONE]


STAMP = stamp_of(globals())
add_wishes, list_wishes, are_entries_within = _adder(STAMP), _lister(STAMP), _judge(STAMP)
