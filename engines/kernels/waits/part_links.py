"""The links of a set whose positions close in parts: one for each close, made of those of `walk`.

Theory. Which positions there are follows as if each closed whole, with the last of its closes. What
a position has closed before it ended are the closes listed of its order that come before that end:
those of earlier bars, and of the same bar those that lie before the order which is met there. If a
level has not closed the last of it, what is left then is one more part, the REST.

An order that comes next may have been decided before some of these closes: the first one behind
that still finds what was held there, and so what the account was worth.
"""

import numpy as np

from engines.kernels._compiled import inlined, rule
from engines.kernels._prefetch import prefetch
from engines.kernels.chains.columns import (
    AT_LEVEL,
    LINE,
    LINE_BITS,
    MODE_BITS,
    MODE_MASK,
    NO_LEVELS,
    O_MONTH,
)
from engines.kernels.parts.columns import (
    C_MONTH,
    C_PRICE,
    C_QUIET,
    C_WORST,
    CLOSE,
    CODE_BITS,
    REST,
)
from engines.kernels.passage.columns import ALONE, RELIEVED, REVERSED
from engines.kernels.slots import AT_LIMIT
from engines.kernels.waits.columns import (
    CLOSES_ONLY,
    END_MODE,
    IS_LATE,
    IS_LEFT,
    IS_SHORT,
    NEXT_BITS,
    P_CODE,
    P_DECIDED,
    P_MONTH,
    P_NEXT,
    P_PRICE,
    P_QUIET,
    P_SHARE,
    P_WORST,
    PART_LINK,
    R_MET,
    R_WHERE,
    ROW,
    Levels,
    PartTurns,
    Turns,
    Way,
)
from engines.kernels.waits.walk import look_back_at

AHEAD = 8  # turns that are looked at ahead


@rule
def part_links(
    way: Way, levels: Levels, plan: int, turns: Turns, first: int, count: int, links: PartTurns,
    start: int,
) -> int:  # fmt: skip # what it reads, then where it writes
    """Write the links of a set, made of `count` turns from `first` on; return how many."""
    at, orders = start, len(way.orders.rows) // ROW
    for turn in range(first, first + count):
        _look_ahead(way, levels, plan * orders, turns, min(turn + AHEAD, first + count - 1))
        before = int(turns.nexts[turn - 1]) if turn > first else CLOSES_ONLY
        is_at_level = turn > first and turns.prices[turn] == turns.prices[turn]
        if turn > first and not is_at_level:
            look_back_at(way, turns, turn)
        end, taken = int(turns.ends[turn]), 0
        if before & CLOSES_ONLY == 0 and plan != NO_LEVELS:
            place = plan * orders + (before >> 1)
            taken = _take_closes(way, levels, place, turns, turn, is_at_level, links, at)
        _follow(turns, turn, end, taken, is_at_level, links, at)
        at += taken
        if not is_at_level:
            link, value, bar = at * PART_LINK, at * PART_LINK, end >> MODE_BITS
            mode = end & MODE_MASK
            code = (bar << CODE_BITS) | (REST << MODE_BITS) | mode
            links.links[link + P_CODE] = np.int32(code)
            links.links[link + P_MONTH] = np.int32(way.opens.lines[bar * LINE + O_MONTH])
            links.values[value + P_PRICE] = turns.prices[turn]
            links.values[value + P_WORST] = turns.worst[turn]
            links.values[value + P_QUIET] = np.inf
            at += 1
        if len(turns.shares) > 0:
            links.values[(at - 1) * PART_LINK + P_SHARE] = turns.shares[turn]
    return at - start


@inlined
def _look_ahead(way: Way, levels: Levels, begun: int, turns: Turns, turn: int) -> None:
    """Ask for what a turn ahead reads: its closes, their prices, and the line of its end."""
    parts = levels.parts
    first = (begun + (int(turns.nexts[turn - 1]) >> 1)) * parts.parts
    prefetch(parts.codes, first)
    prefetch(parts.closes, first * CLOSE)
    prefetch(parts.closes, (first + parts.parts) * CLOSE - 1)
    prefetch(way.opens.lines, int(turns.ends[turn]) >> MODE_BITS << LINE_BITS)
    prefetch(way.orders.rows, (int(turns.nexts[turn]) >> 1) * ROW)


@rule
def _take_closes(
    way: Way, levels: Levels, place: int, turns: Turns, turn: int, is_at_level: bool,
    links: PartTurns, at: int,
) -> int:  # fmt: skip # what it reads, then where it writes
    """Write links of the closes of a position that come before its end; return how many."""
    parts, taken, line = levels.parts, 0, way.opens.bars << MODE_BITS
    limit, met = _limit(way, turns, turn)
    end = int(turns.ends[turn])
    for found in range(place * parts.parts, (place + 1) * parts.parts):
        whole, row = int(parts.codes[found]), found * CLOSE
        bar, mode = whole >> CODE_BITS, whole & MODE_MASK
        code = (bar << MODE_BITS) | mode
        is_over = code > limit or (code == limit and met < levels.ways[found])
        if code >= line or (is_over and not is_at_level):
            break
        link, late = (at + taken) * PART_LINK, IS_LATE if mode > AT_LEVEL else 0
        mode = (end & END_MODE) if is_at_level else ALONE
        links.links[link + P_CODE] = np.int32((whole & ~MODE_MASK) | mode | late)
        links.links[link + P_MONTH] = np.int32(parts.closes[row + C_MONTH])
        links.values[link + P_PRICE] = parts.closes[row + C_PRICE]
        links.values[link + P_WORST] = parts.closes[row + C_WORST]
        links.values[link + P_QUIET] = parts.closes[row + C_QUIET]
        taken += 1
    return taken


@rule
def _limit(way: Way, turns: Turns, turn: int) -> tuple[int, float]:
    """Return the code at which a position ends, and the way of the order that ends it there."""
    end, follower = int(turns.ends[turn]), int(turns.nexts[turn])
    if end & END_MODE != REVERSED and follower & CLOSES_ONLY == 0:
        return end >> MODE_BITS << MODE_BITS, -np.inf
    row = (follower >> 1) * ROW
    side = int(way.orders.rows[row + R_WHERE]) & IS_SHORT
    entry = ((int(turns.decided[turn]) + 1) << 1) | side
    met = way.orders.rows[row + R_MET]
    is_rising = (side != 0) == (way.waiting.kind == AT_LIMIT)
    return int(way.orders.codes[entry]), met if is_rising else -met


@rule
def _follow(
    turns: Turns, turn: int, end: int, taken: int, is_at_level: bool, links: PartTurns, at: int
) -> None:
    """Say in the links of a position what comes next, and which of them sees its close."""
    decided, follower = int(turns.decided[turn]), int(turns.nexts[turn])
    row, mode = follower >> 1 << NEXT_BITS, end & END_MODE
    is_seen = mode != REVERSED and mode != RELIEVED
    last = at + taken - (1 if is_at_level else 0)
    for link in range(at, last + 1):
        code = links.links[link * PART_LINK + P_CODE]
        sees = not is_seen and (link == last or int(code) >> CODE_BITS > decided)
        is_seen = is_seen or sees
        kind = IS_LEFT if link < last else follower & CLOSES_ONLY
        links.links[link * PART_LINK + P_NEXT] = np.int32(row | kind)
        links.links[link * PART_LINK + P_DECIDED] = np.int32((decided << 1) | sees)
