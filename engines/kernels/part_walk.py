"""Wishes become positions that close in parts: the chain of one set, a link for each part.

Theory. Which positions there are follows as in `chain_walk`: the entry's levels close it with the
last of its parts. When it is known how a position ends, its links are written: one for each close
that its levels meet until then, and one for the rest if a wish, its age or the end closes that. All
but the last are followed by the line that enters nothing.
"""

import math

import numpy as np

from engines.kernels._compiled import rule
from engines.kernels.chain_columns import (
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
from engines.kernels.chain_walk import ENDS, NO_ENTRY, lowest
from engines.kernels.part_columns import (
    C_CODE,
    C_PRICE,
    C_QUIET,
    C_WORST,
    CLOSE,
    CLOSE_BITS,
    CODE_BITS,
    PART_MASK,
    REST,
    PartExits,
    PartLinks,
)
from engines.kernels.part_exits import walk_parts
from engines.kernels.passage_columns import ALONE, OPEN_AT_END, RELIEVED, REVERSED
from engines.kernels.slots import (
    ENTERS_LONG,
    ENTERS_SHORT,
    LEAVES_LONG,
    LEAVES_SHORT,
)


@rule
def link_parts(
    wishes: I32_1D, opens: Opens, decides: Decides, given: Given, exits: PartExits, plan: int,
    links: PartLinks, first: int,
) -> int:  # fmt: skip # what it reads, then where it writes
    """Write the links of a set from `first` on; return how many.

    `plan` is the row of its plan among the exits. Levels that the set gives itself close positions
    as found when each is taken, in the one place of the first row.
    """
    bars, is_given = opens.bars, len(given.stops) > 0
    row = 0 if is_given else plan
    count, entry, closes, leaves, level, at = first, NO_ENTRY, 0, 0, bars, 0
    _end(links, count, 0, OPEN_AT_END)
    for place in range(len(wishes)):
        bar, wish = int(wishes[place]) >> WISH_BITS, int(wishes[place]) & WISH_MASK
        if bar >= bars - 1:
            break
        enters, timed = wish & decides.enters, entry + decides.held_max
        if entry != NO_ENTRY:
            if min(level, timed) > bar and wish & closes == 0:
                continue
            mode = _mode(timed, bar, enters, wish & leaves)
            count = _close(exits, row, at, level, min(timed, bar), mode, opens, links, count)
        entry = NO_ENTRY
        if enters != 0 and bar >= decides.start:
            is_long = enters & ENTERS_LONG != 0
            leaves = (LEAVES_LONG if is_long else LEAVES_SHORT) | ENDS
            closes = leaves | (ENTERS_SHORT if is_long else ENTERS_LONG)
            entry, follower = bar, ((bar + 1) << 1) | (0 if is_long else 1)
            links.nexts[count] = np.int32(follower)
            if is_given:
                walk_parts(
                    given.runs[plan], opens, given.prices, given.slip_ratio, follower, bars - 1,
                    given.stops[place], given.targets[place], exits, row,
                )  # fmt: skip # one call
            at = exits.places[follower] * exits.parts * CLOSE
            last = at + (exits.parts - 1) * CLOSE
            level = int(exits.closes[row, last + C_CODE]) >> CODE_BITS
            count += 1
    if entry != NO_ENTRY:
        timed = min(entry + decides.held_max, bars - 1)
        mode = ALONE if timed < bars - 1 else OPEN_AT_END
        count = _close(exits, row, at, level, timed, mode, opens, links, count)
    links.nexts[count] = np.int32((bars + 1) << 1)
    return count + 1 - first


@rule
def _mode(timed: float, bar: int, enters: int, leaves: int) -> int:
    """Return how a position that the wishes of a bar find open ends."""
    if timed < bar or enters == 0:
        return ALONE
    return RELIEVED if timed == bar or leaves != 0 else REVERSED


@rule
def _close(
    exits: PartExits, row: int, at: int, level: int, until: int, mode: int, opens: Opens,
    links: PartLinks, count: int,
) -> int:  # fmt: skip # what it reads, then where it writes
    """Write links of the closes of an entry in bars up to `until`, of the rest too if it is left.

    `level` is the bar in which its levels have closed all. Returns: the place of the last link.
    """
    for part in range(exits.parts):
        found, link = at + part * CLOSE, count * CLOSE
        code = exits.closes[row, found + C_CODE]
        if int(code) >> CODE_BITS > until:
            break
        links.nexts[count] = np.int32((opens.bars + 1) << 1)
        links.closes[link + C_CODE] = code
        links.closes[link + C_PRICE] = exits.closes[row, found + C_PRICE]
        links.closes[link + C_WORST] = exits.closes[row, found + C_WORST]
        links.closes[link + C_QUIET] = exits.closes[row, found + C_QUIET]
        count += 1
        if (int(code) >> MODE_BITS) & PART_MASK == REST:
            break
    if level <= until:
        return count - 1
    _end(links, count, until + 1, mode)
    return count


@rule
def _end(links: PartLinks, count: int, line: int, mode: int) -> None:
    """Let the rest of a position end at a line."""
    link = count * CLOSE
    links.closes[link + C_CODE] = float((line << CODE_BITS) | (REST << MODE_BITS) | mode)
    links.closes[link + C_PRICE], links.closes[link + C_QUIET] = 1.0, math.inf
    links.closes[link + C_WORST] = 0.0


@rule
def look_back_parts(opens: Opens, links: PartLinks, first: int, count: int) -> None:
    """Write how far prices went against each rest that no level has closed."""
    begun, one = np.uint64(links.nexts[first]), np.uint64(1)
    nothing = np.uint64((opens.bars + 1) << 1)
    for place in range(np.uint64(first + 1), np.uint64(first + count)):
        link = place << np.uint64(CLOSE_BITS)
        code = np.uint64(links.closes[link + np.uint64(C_CODE)])
        if code & np.uint64(MODE_MASK) < np.uint64(AT_LEVEL):
            line, side = code >> np.uint64(CODE_BITS), begun & np.uint64(SIDE_MASK)
            links.closes[link + np.uint64(C_WORST)] = lowest(opens, begun >> one, line, side)
        follower = np.uint64(links.nexts[place])
        begun = begun if follower == nothing else follower
