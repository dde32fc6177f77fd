"""Wishes become positions that close in parts: the chain of one set, a link for each part.

Theory. Which positions there are follows as in `chains.walk`: the entry's levels close it with the
last of its parts. When it is known how a position ends, its links are written: one for each close
that its levels meet until then, and one for the rest if a wish, its age or the end closes that. All
but the last are followed by the line that enters nothing.
"""

import math

import numpy as np

from engines.kernels._compiled import rule
from engines.kernels._prefetch import prefetch
from engines.kernels.chains.columns import (
    AT_LEVEL,
    I32_1D,
    MODE_BITS,
    MODE_MASK,
    SIDE_MASK,
    WISH_BITS,
    WISH_MASK,
    Decides,
    Given,
    Opens,
)
from engines.kernels.chains.walk import NO_ENTRY, lowest
from engines.kernels.parts.columns import (
    CODE_BITS,
    L_CODE,
    L_FOUND,
    L_NEXT,
    LINK,
    LINK_BITS,
    REST,
    PartExits,
    PartLinks,
)
from engines.kernels.parts.exits import walk_parts
from engines.kernels.passage.columns import ALONE, OPEN_AT_END, RELIEVED, REVERSED
from engines.kernels.slots import (
    ENDS,
    ENTERS_LONG,
    ENTERS_SHORT,
    LEAVES_LONG,
    LEAVES_SHORT,
)

AHEAD = 6  # wishes that are looked at ahead


@rule
def link_parts(
    wishes: I32_1D, opens: Opens, decides: Decides, given: Given, exits: PartExits, plan: int,
    links: PartLinks, lane: int,
) -> int:  # fmt: skip # what it reads, then where it writes
    """Write the links of the set in a lane; return how many.

    `plan` is the row of its plan among the exits. Levels that the set gives itself close positions
    as found when each is taken, in places of the lane's own.
    """
    bars, is_given, free = opens.bars, len(given.stops) > 0, lane * exits.entries
    count, entry, closes, leaves, level, at = lane * links.room, NO_ENTRY, 0, 0, bars, 0
    _end(links, count, 0, OPEN_AT_END)
    for place in range(len(wishes)):
        bar, wish = int(wishes[place]) >> WISH_BITS, int(wishes[place]) & WISH_MASK
        if bar >= bars - 1:
            break
        _look_ahead(wishes, exits, place, plan)
        enters, timed = wish & decides.enters, entry + decides.held_max
        if entry != NO_ENTRY:
            if min(level, timed) > bar and wish & closes == 0:
                continue
            mode = _mode(timed, bar, enters, wish & leaves)
            count = _close(exits, at, min(timed, bar), mode, opens, links, count)
        entry = NO_ENTRY
        if enters != 0 and bar >= decides.start:
            is_long = enters & ENTERS_LONG != 0
            leaves = (LEAVES_LONG if is_long else LEAVES_SHORT) | ENDS
            closes = leaves | (ENTERS_SHORT if is_long else ENTERS_LONG)
            entry, follower = bar, ((bar + 1) << 1) | (0 if is_long else 1)
            links.links[count * LINK + L_NEXT] = np.int32(follower)
            at = free if is_given else plan * exits.entries + exits.places[follower]
            if is_given:
                walk_parts(
                    given.runs[plan], opens, given.prices, given.slip_ratio, follower, bars - 1,
                    given.stops[place], given.targets[place], math.nan, exits, at,
                )  # fmt: skip # one call
                free += 1
            level = int(exits.levels[at])
            count += 1
    if entry != NO_ENTRY:
        timed = min(entry + decides.held_max, bars - 1)
        mode = ALONE if timed < bars - 1 else OPEN_AT_END
        count = _close(exits, at, timed, mode, opens, links, count)
    links.links[count * LINK + L_NEXT] = np.int32((bars + 1) << 1)
    return count + 1 - lane * links.room


@rule
def _look_ahead(wishes: I32_1D, exits: PartExits, place: int, plan: int) -> None:
    """Ask for where the exits of wishes ahead are kept, if they are, and for nearer ones."""
    if len(exits.places) == 0 or place + 2 * AHEAD >= len(wishes):
        return
    far, near = int(wishes[place + 2 * AHEAD]), int(wishes[place + AHEAD])
    prefetch(exits.places, ((far >> WISH_BITS) + 1) << 1)
    side = 0 if near & ENTERS_LONG else 1
    # Of a wish that enters nothing this is the place of nothing, for which nothing is asked.
    at = plan * exits.entries + exits.places[(((near >> WISH_BITS) + 1) << 1) | side]
    prefetch(exits.levels, at)
    prefetch(exits.codes, at * exits.parts)


@rule
def _mode(timed: float, bar: int, enters: int, leaves: int) -> int:
    """Return how a position that the wishes of a bar find open ends."""
    if timed < bar or enters == 0:
        return ALONE
    return RELIEVED if timed == bar or leaves != 0 else REVERSED


@rule
def _close(
    exits: PartExits, at: int, until: int, mode: int, opens: Opens, links: PartLinks, count: int
) -> int:
    """Write links of the closes of an entry in bars up to `until`, of the rest too if it is left.

    How many that are is a coin's toss to a processor, so all are written and some written over.
    Returns: the place of the last link.
    """
    taken, first, nothing = 0, at * exits.parts, np.int32((opens.bars + 1) << 1)
    last = until + opens.lag
    for part in range(exits.parts):
        code, link = exits.codes[first + part], (count + part) * LINK
        links.links[link + L_CODE], links.links[link + L_NEXT] = code, nothing
        links.links[link + L_FOUND] = np.int32(first + part)
        taken += 1 if int(code) >> CODE_BITS <= last else 0
    count += taken
    _end(links, count, until + 1, mode)
    return count - (1 if exits.levels[at] <= until else 0)


@rule
def _end(links: PartLinks, count: int, line: int, mode: int) -> None:
    """Let the rest of a position end at a line."""
    link = count * LINK
    links.links[link + L_CODE] = np.int32((line << CODE_BITS) | (REST << MODE_BITS) | mode)
    links.links[link + L_FOUND], links.worst[count] = np.int32(0), 0.0


@rule
def look_back_parts(opens: Opens, links: PartLinks, first: int, count: int) -> None:
    """Write how far prices went against each rest that no level has closed."""
    begun, one = np.uint64(links.links[first * LINK + L_NEXT]), np.uint64(1)
    nothing = np.uint64((opens.bars + 1) << 1)
    for place in range(np.uint64(first + 1), np.uint64(first + count)):
        link = place << np.uint64(LINK_BITS)
        code = np.uint64(links.links[link])
        follower = np.uint64(links.links[link + np.uint64(L_NEXT)])
        if code & np.uint64(MODE_MASK) < np.uint64(AT_LEVEL):
            line, side = code >> np.uint64(CODE_BITS), begun & np.uint64(SIDE_MASK)
            links.worst[place] = lowest(opens, begun >> one, line, side)
        begun = begun if follower == nothing else follower
