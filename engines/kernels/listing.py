"""The wishes of all closes as bits, and the bars at which one can matter, in one compiled pass.

Theory. Wishes are rare, so eight bars are looked at as one word, which is zero more often than not.
The columns are put together one after the other, since such a loop runs on whole vectors.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from engines.kernels import slots
from engines.kernels._compiled import driver, stamp_of
from engines.kernels.columns import U8_1D
from engines.kernels.slots import (
    ENTERS,
    ENTERS_LONG,
    ENTERS_SHORT,
    LEAVES_LONG,
    LEAVES_SHORT,
    SESSION_ENDS,
    WEEKEND_BEGINS,
)
from engines.types import I64_1D

Events: TypeAlias = tuple[I64_1D, I64_1D, I64_1D, I64_1D, I64_1D]
Add: TypeAlias = Callable[[U8_1D, U8_1D, U8_1D, int], None]
List: TypeAlias = Callable[[U8_1D, int], Events]

ENDS = SESSION_ENDS | WEEKEND_BEGINS
WORD = 8


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
    """Return the pass that lists the bars of `total` wishes, as `Wants` has them."""

    def listed(bits: U8_1D, total: int) -> Events:
        flat, long, short = (
            np.empty(total, np.int64),
            np.empty(total, np.int64),
            np.empty(total, np.int64),
        )
        roomy_long, roomy_short = np.empty(total, np.int64), np.empty(total, np.int64)
        flats = longs = shorts = roomy_longs = roomy_shorts = 0
        words = bits.view(np.uint64)
        for word in range(len(words) if stamp != 0 else 0):
            if words[word] == 0:
                continue
            for bar in range(word * WORD, word * WORD + WORD):
                wishes = bits[bar]
                if wishes & (ENTERS | ENDS):
                    flat[flats] = bar
                    flats += 1
                if wishes & (ENTERS_SHORT | LEAVES_LONG | ENDS):
                    long[longs] = bar
                    longs += 1
                if wishes & (ENTERS_LONG | LEAVES_SHORT | ENDS):
                    short[shorts] = bar
                    shorts += 1
                if wishes & (ENTERS | LEAVES_LONG | ENDS):
                    roomy_long[roomy_longs] = bar
                    roomy_longs += 1
                if wishes & (ENTERS | LEAVES_SHORT | ENDS):
                    roomy_short[roomy_shorts] = bar
                    roomy_shorts += 1
        return (
            flat[:flats], long[:longs], short[:shorts], roomy_long[:roomy_longs],
            roomy_short[:roomy_shorts],
        )  # fmt: skip # the order of `Wants`

    return driver(listed)


STAMP = stamp_of(slots)
add_wishes, list_wishes = _adder(STAMP), _lister(STAMP)
