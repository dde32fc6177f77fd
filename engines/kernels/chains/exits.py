"""How levels end the position of an entry, as links read it.

Levels that stand still are searched for (`bracket_walk`), those that move are walked (`exit_walk`).

It is compiled once for whoever asks, ahead for all entries of a plan's own levels or, where each
strategy gives levels of its own, for an entry when it is taken.

Strategies of a grid often enter at the same bar with the same levels, whose walk is then the same.
So the walks that were done last are known by entry, plan and levels: each has one place, found by
mixing these, and takes it from whichever was there.

They lie anywhere in a table that no cache holds, and which entries a set takes is known one after
the other. So a chain looks up those of many wishes at once, whether it takes them or not: look-ups
that do not wait for each other cost a tenth. Meanwhile memory is asked for the wishes after these,
and for the bars of those that have to be walked. Left out are wishes that only repeat the one
before, as those at each new high do: few of them are taken, and each of these looks for itself.
"""

import math

import numpy as np

from engines.kernels._compiled import inlined, rule, shared
from engines.kernels._prefetch import prefetch
from engines.kernels.bracket_walk import find_bracket_exit, stands_still
from engines.kernels.chains.columns import (
    AT_LEVEL,
    I32_1D,
    LINE,
    LONG,
    MODE_BITS,
    O_CLOSE,
    O_PRICE,
    ON_THE_WAY,
    SHORT,
    SIDE_MASK,
    WISH_BITS,
    Exits,
    Given,
    Opens,
)
from engines.kernels.columns import F64_2D
from engines.kernels.exit_walk import enter, find_exit, find_exit_after
from engines.kernels.passage.lanes import LANES
from engines.kernels.slots import ENTERS_LONG
from engines.types import F64_1D

# A known walk: the entry and the plan, the levels, and what was found.
K_ENTRY, K_PLAN, K_STOP, K_TARGET, K_END, K_PRICE, K_WORST = range(7)
KNOWN_BITS = 3
KNOWN = 1 << KNOWN_BITS  # numbers, a line of the cache
# Odd numbers without a pattern, as for multiplicative hashing (Knuth, volume 3, 6.4).
MIX_ENTRY, MIX_STOP = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
MIX_TARGET, MIX_LAST = np.uint64(0x165667B19E3779F9), np.uint64(0xD6E8FEB86659FD93)
HALF_WORD = np.uint64(32)
# Entries of 1,024 bars share 2,048 places: a set goes through the table as through the bars.
SPAN_BITS, NEAR_BITS = np.uint64(11), np.uint64(11)
NEAR_SHIFT = np.uint64(64) - NEAR_BITS
RECALLED = LANES  # wishes looked up at once, for which exits have room
UNKNOWN = np.int32(-1)
PRICES, BARS_A_LINE, SOON = 4, 2, 6  # of a bar; of the cache; bars that are asked for


def _walk(
    run: F64_1D, opens: Opens, prices: F64_2D, slip_ratio: F64_1D, entry: int, last: int,
    stop: float, target: float, atr: float, exits: Exits, row: int, place: int,
) -> None:  # fmt: skip # what it reads, then what it finds
    bar, side = entry >> 1, entry & SIDE_MASK
    price, sign = opens.lines[bar * LINE + O_PRICE + side], 1.0 if side == LONG else -1.0
    if stands_still(run, target):
        end, is_at_open, price, worst = find_bracket_exit(
            run, opens, prices, slip_ratio, bar, last, side, price, stop, target, atr
        )
    else:
        enter(run, price, sign, stop, target, atr, opens.lines[bar * LINE + O_CLOSE])
        reach = opens.reach
        if opens.lag == 0:
            end, is_at_open, price, worst = find_exit(run, prices, reach, slip_ratio, bar, last)
        else:
            end, is_at_open, price, worst = find_exit_after(
                run, prices, reach, slip_ratio, bar, last
            )
    mode = AT_LEVEL if is_at_open else ON_THE_WAY
    exits.ends[row, place] = np.int32(((end + opens.lag) << MODE_BITS) | mode)
    exits.prices[row, place], exits.worst[row, place] = price, worst


walk = shared(_walk)


@inlined
def entry_of(wish: int, enters: int) -> int:
    """Return the line and the side of the entry that a wish asks for, of those that count."""
    return (((wish >> WISH_BITS) + 1) << 1) | (LONG if wish & enters & ENTERS_LONG != 0 else SHORT)


@inlined
def place_of(given: Given, plan: int, wish: int, entry: int) -> np.uint64:
    """Return where among the known walks the one of an entry lies."""
    mixed = np.uint64(entry) * MIX_ENTRY + np.uint64(plan)
    mixed = (mixed ^ given.stops.view(np.uint64)[wish]) * MIX_STOP
    mixed = (mixed ^ mixed >> HALF_WORD ^ given.targets.view(np.uint64)[wish]) * MIX_TARGET
    mixed = (mixed ^ mixed >> HALF_WORD) * MIX_LAST >> NEAR_SHIFT
    mixed |= np.uint64(entry) >> SPAN_BITS << NEAR_BITS
    walks = np.uint64(len(given.known) >> KNOWN_BITS)
    return np.uint64((mixed & (walks - np.uint64(1))) << np.uint64(KNOWN_BITS))


@inlined
def recall(
    opens: Opens, given: Given, exits: Exits, plan: int, wishes: I32_1D, enters: int, first: int
) -> None:
    """Look up how the entries at the RECALLED wishes from `first` on end, UNKNOWN if nobody knows.

    Their places are from 0 on. The wishes behind these are asked for.
    """
    count = len(wishes)
    for wish in range(min(first + RECALLED, count), min(first + 2 * RECALLED, count)):
        if _is_new(wishes, enters, wish):
            entry = entry_of(int(wishes[wish]), enters)
            prefetch(given.known, place_of(given, plan, wish, entry))
    for wish in range(first, min(first + RECALLED, count)):
        if wish > first and not _is_new(wishes, enters, wish):
            exits.ends[0, wish - first] = UNKNOWN
            continue
        entry = entry_of(int(wishes[wish]), enters)
        at = place_of(given, plan, wish, entry)
        is_known = is_known_at(given, plan, wish, entry, at)
        _tell(given.known, at, exits, wish - first)
        if not is_known:
            exits.ends[0, wish - first] = UNKNOWN
        bar = np.uint64(0 if is_known else entry >> 1)  # the first one is in the cache
        prefetch(opens.lines, bar * np.uint64(LINE))
        for bars in range(0, SOON, BARS_A_LINE):
            prefetch(given.prices, (bar + np.uint64(bars)) * np.uint64(PRICES))


@inlined
def _is_new(wishes: I32_1D, enters: int, wish: int) -> bool:
    """Return whether a wish, not the first, is one to enter that the one before was not."""
    own, before = int(wishes[wish]) & enters, int(wishes[wish - 1]) & enters
    return bool((own != 0) & (own != before))


@inlined
def walk_given(
    opens: Opens, given: Given, exits: Exits, plan: int, wish: int, entry: int, place: int
) -> None:
    """Find how the levels that a set gives with a wish end its entry, unless it is known.

    Whoever calls it has room for known walks: with none it would write where nothing is.
    """
    known, at = given.known, place_of(given, plan, wish, entry)
    if is_known_at(given, plan, wish, entry, at):
        _tell(known, at, exits, place)
        return
    stop, target = given.stops[wish], given.targets[wish]
    walk(
        given.runs[plan], opens, given.prices, given.slip_ratio, entry, narrow(opens.bars - 1),
        stop, target, math.nan, exits, int(np.int64(0)), narrow(place),
    )  # fmt: skip # one call
    known[at + np.uint64(K_ENTRY)], known[at + np.uint64(K_PLAN)] = entry, plan
    known[at + np.uint64(K_STOP)], known[at + np.uint64(K_TARGET)] = stop, target
    known[at + np.uint64(K_END)] = exits.ends[0, place]
    known[at + np.uint64(K_PRICE)] = exits.prices[0, place]
    known[at + np.uint64(K_WORST)] = exits.worst[0, place]


@inlined
def is_known_at(given: Given, plan: int, wish: int, entry: int, at: np.uint64) -> bool:
    """Return whether the walk at a place is that of an entry with a wish's levels."""
    known = given.known
    is_known = (known[at + np.uint64(K_ENTRY)] == entry) & (known[at + np.uint64(K_PLAN)] == plan)
    is_known &= _are_same(known[at + np.uint64(K_STOP)], given.stops[wish])
    return bool(is_known & _are_same(known[at + np.uint64(K_TARGET)], given.targets[wish]))


@inlined
def _tell(known: F64_1D, at: np.uint64, exits: Exits, place: int) -> None:
    """Write what is known at a place of the walks where exits are read."""
    exits.ends[0, place] = np.int32(known[at + np.uint64(K_END)])
    exits.prices[0, place] = known[at + np.uint64(K_PRICE)]
    exits.worst[0, place] = known[at + np.uint64(K_WORST)]


@rule
def narrow(number: int) -> int:
    """Return a number as those who walk ahead have it, so that `walk` is compiled once for all."""
    return np.int32(number)  # type: ignore[return-value] # a number all the same


@rule
def _are_same(value: float, other: float) -> bool:
    return (value == other) | ((value != value) & (other != other))
