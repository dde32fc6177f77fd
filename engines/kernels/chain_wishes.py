"""The wishes of one strategy as a list of bars, from its columns, in one compiled pass.

Theory. A flag of a column is a byte, 1 or nothing, so a word holds those of eight bars, and wishes
of four columns are put together a word at a time, which vectors do. Most words are empty. Which are
not is a coin's toss to a processor, so that is counted and not branched on; most of those hold one
wish, which their lowest bit finds. The bars behind the last whole word are looked at one by one.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias, cast

import numpy as np
from numba.cpython.unsafe import numbers

from engines.kernels import chain_columns, slots
from engines.kernels._compiled import driver, rule, stamp_of
from engines.kernels.chain_columns import I32_1D, WISH_BITS, WISH_MASK
from engines.kernels.columns import U8_1D
from engines.kernels.passage_columns import U64_1D
from engines.kernels.slots import ENTERS_LONG, ENTERS_SHORT, LEAVES_LONG, LEAVES_SHORT

BYTE_BITS, BYTES = 3, 56  # of the place of a bit in a word: its place in a byte, and the byte
WORD = 1 << BYTE_BITS
BLOCK = 1024  # words whose wishes stay in the first-level cache

# NumPy has no word for it.
trailing_zeros = cast(Callable[[np.uint64], int], numbers.trailing_zeros)

Collect: TypeAlias = Callable[[U8_1D, U8_1D, U8_1D, U8_1D, U8_1D, U8_1D, I32_1D, int], int]


class Flags(NamedTuple):
    """Eight bars a word: who enters and leaves, what rules allow and what they want themselves."""

    enter_long: U64_1D
    enter_short: U64_1D
    leave_long: U64_1D
    leave_short: U64_1D
    allowed: U64_1D
    forced: U64_1D


@rule
def _words_of(column: U8_1D, whole: int) -> U64_1D:
    """Return a column as words; one that is not given stays empty."""
    return column[: min(whole, len(column))].view(np.uint64)


@rule
def _gather(words: U64_1D, flags: Flags, first: int) -> None:
    """Put the wishes of a block of words together, from `first` on."""
    last = first + len(words)
    enter_long, enter_short = flags.enter_long[first:last], flags.enter_short[first:last]
    leave_long, leave_short = flags.leave_long[first:last], flags.leave_short[first:last]
    for word in range(len(words)):
        enters = enter_long[word] * np.uint64(ENTERS_LONG)
        enters |= enter_short[word] * np.uint64(ENTERS_SHORT)
        leaves = leave_long[word] * np.uint64(LEAVES_LONG)
        words[word] = enters | leaves | leave_short[word] * np.uint64(LEAVES_SHORT)
    if len(flags.allowed) > 0:
        allowed, forced = flags.allowed[first:last], flags.forced[first:last]
        for word in range(len(words)):
            words[word] = words[word] & allowed[word] | forced[word]


@rule
def _list_block(
    words: U64_1D, at: U64_1D, first: int, wishes: I32_1D, place: np.uint64
) -> np.uint64:
    """List the bars of a block of words that wish anything; return where the next goes."""
    one, found = np.uint64(1), np.uint64(0)
    for word in range(len(words)):
        at[found] = word
        found += np.uint64(words[word] != np.uint64(0))
    for item in range(found):
        word = at[item]
        bits, bar = words[word], (np.uint64(first) + word) << np.uint64(BYTE_BITS)
        while bits != np.uint64(0):
            shift = np.uint64(trailing_zeros(bits)) & np.uint64(BYTES)
            own = (bits >> shift) & np.uint64(WISH_MASK)
            wishes[place] = np.int32(
                ((bar + (shift >> np.uint64(BYTE_BITS))) << np.uint64(WISH_BITS)) | own
            )
            place += one
            bits &= ~(np.uint64(WISH_MASK) << shift)
    return place


def _collector(stamp: int) -> Collect:
    """Return the pass that lists wishes; what it closes over is a part of its cache's key."""

    def collect(
        enter_long: U8_1D, enter_short: U8_1D, leave_long: U8_1D, leave_short: U8_1D,
        allowed: U8_1D, forced: U8_1D, wishes: I32_1D, found: int,
    ) -> int:  # fmt: skip # one list
        count, place = len(enter_long) if stamp != 0 else 0, np.uint64(found)
        whole = count - count % WORD
        flags = Flags(
            _words_of(enter_long, whole), _words_of(enter_short, whole),
            _words_of(leave_long, whole), _words_of(leave_short, whole),
            _words_of(allowed, whole), _words_of(forced, whole),
        )  # fmt: skip # the order of its fields
        block, at = np.empty(BLOCK, np.uint64), np.empty(BLOCK, np.uint64)
        for first in range(0, whole // WORD, BLOCK):
            words = block[: min(BLOCK, whole // WORD - first)]
            _gather(words, flags, first)
            place = _list_block(words, at, first, wishes, place)
        for bar in range(whole, count):
            bits = enter_long[bar] * ENTERS_LONG | enter_short[bar] * ENTERS_SHORT
            bits |= leave_long[bar] * LEAVES_LONG | leave_short[bar] * LEAVES_SHORT
            if len(allowed) > 0:
                bits = bits & allowed[bar] | forced[bar]
            if bits != 0:
                wishes[place] = np.int32((bar << WISH_BITS) | bits)
                place += np.uint64(1)
        return int(place)

    return driver(collect)


collect_wishes = _collector(stamp_of(chain_columns, slots))
