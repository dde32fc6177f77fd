"""The wishes of one strategy as a list of bars, from its columns, in one compiled pass.

Theory. A flag of a column is a byte, 1 or nothing, so a word holds those of eight bars, and wishes
of four columns are put together a word at a time, which vectors do. Most bars wish nothing, and
which do is a coin's toss to a processor. So of each bar a bit is left that tells whether it wishes
anything, one word for 64 bars, and its lowest bit finds the next: nothing is asked of any other
bar. The bars behind the last whole word are looked at one by one.

Many strategies wish to leave at every bar on the wrong side of some average, ten times as often as
they enter. Where a position is held at once and left at the first wish to, no wish to leave a side
counts before the next one to enter it, and is not listed for its own sake (`thins`).

Stops and targets that a strategy gives are columns too, of which only those of its wishes are read,
or a rule, by which only those of its entries are found.
"""

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias, cast

import numpy as np
from numba.cpython.unsafe import numbers

from engines.kernels._compiled import driver, rule, stamp_of
from engines.kernels.chains.columns import I32_1D, WISH_BITS
from engines.kernels.columns import U8_1D
from engines.kernels.passage.columns import U64_1D
from engines.kernels.slots import (
    ANY_WISH,
    ENTERS,
    ENTERS_LONG,
    ENTERS_SHORT,
    LEAVES_LONG,
    LEAVES_SHORT,
)
from engines.types import BOOL_1D, F64_1D

WORD, MASK_BITS = 8, 64  # bars of a word of flags, and of one of marks
LEAVES, LEAVES_SHIFT = LEAVES_LONG | LEAVES_SHORT, 2  # from entering a side to leaving it
BLOCK = 1024  # words whose wishes stay in the first-level cache
BYTES = np.uint64(0x0101010101010101)
SEVENS, LASTS = np.uint64(0x7F7F7F7F7F7F7F7F), np.uint64(0x8080808080808080)
# Times the flags of eight bars, one in the lowest bit of each byte, it leaves them in the last one.
GATHERS, LAST = np.uint64(0x0102040810204080), np.uint64(56)

# NumPy has no word for it.
trailing_zeros = cast(Callable[[np.uint64], int], numbers.trailing_zeros)

Collect: TypeAlias = Callable[
    [BOOL_1D, BOOL_1D, BOOL_1D, BOOL_1D, U8_1D, U8_1D, bool, I32_1D, int], int
]
Take: TypeAlias = Callable[[I32_1D, F64_1D, float, F64_1D], bool]
PriceAll: TypeAlias = Callable[
    [I32_1D, F64_1D, F64_1D, float, float, F64_1D, F64_1D, float, F64_1D, F64_1D], bool
]


class Flags(NamedTuple):
    """Eight bars a word: who enters and leaves, what rules allow and what they want themselves."""

    enter_long: U64_1D
    enter_short: U64_1D
    leave_long: U64_1D
    leave_short: U64_1D
    allowed: U64_1D
    forced: U64_1D


def fixed(column: BOOL_1D) -> BOOL_1D:
    """Return a column in the one form that these passes are compiled for."""
    flags = column.flags
    if flags.c_contiguous and not flags.writeable:
        return column
    view = np.ascontiguousarray(column).view()
    view.flags.writeable = False
    return view


@rule
def _words_of(column: BOOL_1D | U8_1D, whole: int) -> U64_1D:
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


class Marks(NamedTuple):
    """Which bars of a block wish for anything that counts by itself, or to leave a side."""

    always: U8_1D
    leave_long: U8_1D
    leave_short: U8_1D


@rule
def _mark(words: U64_1D, bits: int, marks: U8_1D) -> None:
    """Write for each word of wishes which of its bars wish for any of `bits`; none behind them."""
    own = np.uint64(bits) * BYTES
    for word in range(len(words)):
        wishes = words[word] & own
        # Adding seven ones carries into the last bit of each byte that is not empty.
        flags = (((wishes & SEVENS) + SEVENS) | wishes) & LASTS
        marks[word] = np.uint8(((flags >> np.uint64(7)) * GATHERS) >> LAST)
    marks[len(words) :] = 0


@rule
def _may_leave(before: int, wish: int) -> int:
    """Return which wishes to leave count after a wish, and which of `before` did until it."""
    return (before & ~wish | wish << LEAVES_SHIFT) & LEAVES


@rule
def _list_block(
    wished: U8_1D, marks: Marks, first: int, wishes: I32_1D, place: np.uint64, counts: int
) -> tuple[np.uint64, int]:
    """List the bars of a block whose wishes count; return where the next goes.

    `counts` says which wishes to leave do, before the block and, returned, behind it.
    """
    one, bars, always = np.uint64(1), np.uint64(0), marks.always.view(np.uint64)
    leave_long, leave_short = marks.leave_long.view(np.uint64), marks.leave_short.view(np.uint64)
    base = np.uint64(first * WORD)
    for mark in range(len(always)):
        left = ~np.uint64(0)  # the bars of the word that are to be looked at
        while True:
            bits = always[mark]
            bits |= leave_long[mark] if counts & LEAVES_LONG != 0 else np.uint64(0)
            bits |= leave_short[mark] if counts & LEAVES_SHORT != 0 else np.uint64(0)
            bits &= left
            if bits == np.uint64(0):
                break
            bar = bars + np.uint64(trailing_zeros(bits))
            own = np.uint64(wished[bar])
            wishes[place] = np.int32(((base + bar) << np.uint64(WISH_BITS)) | own)
            place += one
            counts = _may_leave(counts, int(np.int64(own)))
            left = ~(bits ^ (bits - one))
        bars += np.uint64(MASK_BITS)
    return place, counts


def _collector(stamp: int) -> Collect:
    """Return the pass that lists wishes; what it closes over is a part of its cache's key."""

    def collect(
        enter_long: BOOL_1D, enter_short: BOOL_1D, leave_long: BOOL_1D, leave_short: BOOL_1D,
        allowed: U8_1D, forced: U8_1D, thins: bool, wishes: I32_1D, found: int,
    ) -> int:  # fmt: skip # one list
        count, place = len(enter_long) if stamp != 0 else 0, np.uint64(found)
        whole = count - count % WORD
        flags = Flags(
            _words_of(enter_long, whole), _words_of(enter_short, whole),
            _words_of(leave_long, whole), _words_of(leave_short, whole),
            _words_of(allowed, whole), _words_of(forced, whole),
        )  # fmt: skip # the order of its fields
        block, counts = np.empty(BLOCK, np.uint64), 0
        marks = Marks(
            np.zeros(BLOCK, np.uint8), np.zeros(BLOCK, np.uint8), np.zeros(BLOCK, np.uint8)
        )
        for first in range(0, whole // WORD, BLOCK):
            words = block[: min(BLOCK, whole // WORD - first)]
            _gather(words, flags, first)
            if thins:
                _mark(words, LEAVES_LONG, marks.leave_long)
                _mark(words, LEAVES_SHORT, marks.leave_short)
            _mark(words, ANY_WISH & ~LEAVES if thins else ANY_WISH, marks.always)
            place, counts = _list_block(block.view(np.uint8), marks, first, wishes, place, counts)
        for bar in range(whole, count):
            bits = enter_long[bar] * ENTERS_LONG | enter_short[bar] * ENTERS_SHORT
            bits |= leave_long[bar] * LEAVES_LONG | leave_short[bar] * LEAVES_SHORT
            if len(allowed) > 0:
                bits = bits & allowed[bar] | forced[bar]
            if bits & (~LEAVES | counts if thins else ANY_WISH) != 0:
                counts = _may_leave(counts, bits)
                wishes[place] = np.int32((bar << WISH_BITS) | bits)
                place += np.uint64(1)
        return int(place)

    return driver(collect)


def _taker(stamp: int) -> Take:
    """Return the pass that lists levels; `stamp` as before."""

    def take(wishes: I32_1D, given: F64_1D, price_max: float, taken: F64_1D) -> bool:
        """Write the level of each wish; return whether engines can judge those of entries."""
        are_within = True
        if len(given) == 0:
            taken[:] = math.nan
            return are_within
        for place in range(len(wishes) if stamp != 0 else 0):
            wish = np.uint64(wishes[place])
            value = given[wish >> np.uint64(WISH_BITS)]
            taken[place] = value
            is_within = (-math.inf < value < price_max) | (value != value)
            are_within &= is_within | (wish & np.uint64(ENTERS) == np.uint64(0))
        return are_within

    return driver(take)


def _levels_pricer(stamp: int) -> PriceAll:
    """Return the pass that lists levels by `RangeBracket`; `stamp` as before."""

    def price(
        wishes: I32_1D, close: F64_1D, ranges: F64_1D, multiplier: float, reward_ratio: float,
        bottom: F64_1D, top: F64_1D, price_max: float, stops: F64_1D, targets: F64_1D,
    ) -> bool:  # fmt: skip # for which wishes, the rule, where it goes
        """Write the levels of each wish to enter; return whether engines can judge them."""
        are_within = True
        for place in range(len(wishes) if stamp != 0 else 0):
            wish = np.uint64(wishes[place])
            bar, enters = wish >> np.uint64(WISH_BITS), wish & np.uint64(ENTERS)
            sign = float(enters & np.uint64(ENTERS_LONG)) * 2.0 - 1.0
            stop = close[bar] - sign * (multiplier * ranges[bar])
            if len(bottom) > 0:
                edge = bottom[bar] if sign > 0 else top[bar]
                is_beyond = (not sign * stop <= sign * edge) & (stop == stop)
                stop = edge if is_beyond else stop  # none where the range or the edge is not known
            target = close[bar] + reward_ratio * (close[bar] - stop)
            is_entry = enters != np.uint64(0)
            stops[place] = stop if is_entry else math.nan
            targets[place] = target if is_entry else math.nan
            is_within = (stop > -math.inf) & (stop < price_max) | (stop != stop)
            is_within &= (target > -math.inf) & (target < price_max) | (target != target)
            are_within &= is_within | (not is_entry)
        return are_within

    return driver(price)


STAMP = stamp_of(globals())
collect_wishes, take_levels = _collector(STAMP), _taker(STAMP)
price_levels = _levels_pricer(STAMP)
