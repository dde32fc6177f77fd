"""Wishes become positions where entries wait: one pass over a set's wishes and what they meet.

Theory. A set is flat or held, with or without an order that waits; what happens between two of its
closes with a wish follows from the codes of the order and of the position's exit (`waits.columns`),
the lower one first, and from the position's age. No account is asked: an entry that might be
refused where it was decided or where it fills makes the set unsure (`waits.lanes`).

An order goes when it is met, when its bars are over, when another wish takes its place, when the
position is closed by a wish, a rule or its age, and at a session's end if nothing is held. A wish
of the side that is held changes nothing, nor does one that a rule refuses (`waits.gates`). One that
is met while the other side is held reverses the position in its fill; an order of a side on which
the plan may not enter then closes it, and does nothing while nothing is held.

A position that an order only closes leaves an empty one until the next order is met, which has no
quantity and ends in the bar after.
"""

import math

import numpy as np

from engines.kernels._compiled import inlined, rule
from engines.kernels._prefetch import prefetch
from engines.kernels.chains.columns import (
    AT_LEVEL,
    I32_1D,
    LINE,
    LONG,
    MODE_BITS,
    MODE_MASK,
    NO_LEVELS,
    O_OPEN,
    O_PRICE,
    SHORT,
    WISH_BITS,
    WISH_MASK,
)
from engines.kernels.chains.shares import share_of
from engines.kernels.chains.walk import lowest
from engines.kernels.gates.rules import refuses
from engines.kernels.passage.columns import ALONE, OPEN_AT_END, RELIEVED, REVERSED
from engines.kernels.slots import (
    AT_LIMIT,
    ENDS,
    ENTERS,
    ENTERS_LONG,
    ENTERS_SHORT,
    LEAVES_LONG,
    LEAVES_SHORT,
)
from engines.kernels.waits.columns import (
    CLOSES_ONLY,
    END_MODE,
    EXIT,
    EXIT_PRICE,
    EXIT_WAY,
    EXIT_WORST,
    IS_LATE,
    IS_SHORT,
    R_MET,
    R_PATH,
    R_PRICE,
    R_REST,
    R_WHERE,
    ROW,
    WHERE_BITS,
    Levels,
    Turns,
    Way,
)
from engines.kernels.waits.exits import walk
from engines.kernels.waits.gates import (
    BEGUN,
    COUNT,
    ENTRY,
    EXIT_AT,
    EXIT_CODE,
    FIRST_LANE,
    HELD,
    IS_GATED,
    ORDER,
    TIMED,
    begin_gates,
    count_ended,
    would_gain,
)
from engines.kernels.waits.part_exits import walk_in_parts
from engines.types import I64_1D

AHEAD = 6  # wishes that are looked at ahead
SPAN = 32  # bars for which an exit is looked for at first, then twice as many each time


@inlined
def link(
    wishes: I32_1D, way: Way, levels: Levels, plan: int, turns: Turns, first: int, now: I64_1D
) -> int:
    """Write the links of a set from `first` on; return how many.

    `plan` is the row of its plan among the levels, NO_LEVELS if it has none.
    """
    bars, nothing = way.opens.bars, way.opens.bars << MODE_BITS
    now[COUNT], now[ORDER], now[HELD] = first, nothing, 0
    begin_gates(now, way)
    _end(turns, now, 0, OPEN_AT_END)
    turns.prices[first], turns.worst[first] = 1.0, 0.0
    for own in range(len(wishes) + 1):
        _look_ahead(wishes, way, levels, plan, own)
        bar, wish = bars - 1, 0
        if own < len(wishes):
            bar, wish = int(wishes[own]) >> WISH_BITS, int(wishes[own]) & WISH_MASK
        _go_on(now, way, levels, plan, turns, bar)
        if bar == bars - 1:
            break
        is_ended = now[HELD] != 0 and _ends(now, way, bar, wish)
        if is_ended:
            now[ORDER], now[HELD] = nothing, 0
            _end(turns, now, bar + 1, ALONE)
        elif now[HELD] == 0 and wish & ENDS != 0:
            now[ORDER] = nothing
        if wish & ENTERS != 0 and bar >= way.decides.start:
            side = LONG if wish & ENTERS_LONG != 0 else SHORT
            if _may_wait(now, way, bar, side):
                entry = ((bar + 1) << 1) | side
                now[ORDER], now[ENTRY] = way.orders.codes[entry], entry
        if is_ended and now[IS_GATED] != 0:  # which the wish of the same close does not know
            count_ended(now, way, _price_at_open(now, way, bar + 1), bar + 1, False)
    if now[HELD] != 0:
        _end(turns, now, bars, OPEN_AT_END)
    last = len(way.orders.rows) // ROW - 1
    turns.nexts[now[COUNT]], turns.decided[now[COUNT]] = np.int32(last << 1), np.int32(0)
    return int(now[COUNT]) + 1 - first


@inlined
def _look_ahead(wishes: I32_1D, way: Way, levels: Levels, plan: int, own: int) -> None:
    """Ask for where orders and exits of wishes ahead are kept, and for exits of nearer ones."""
    if own + 2 * AHEAD >= len(wishes):
        return
    far, near = int(wishes[own + 2 * AHEAD]), int(wishes[own + AHEAD])
    entry = (((far >> WISH_BITS) + 1) << 1) | (LONG if far & ENTERS_LONG != 0 else SHORT)
    prefetch(way.orders.codes, entry)
    prefetch(way.orders.places, entry)
    # Of a wish that enters nothing this is the place of nothing, for which nothing is asked.
    entry = (((near >> WISH_BITS) + 1) << 1) | (LONG if near & ENTERS_LONG != 0 else SHORT)
    prefetch(levels.codes, plan * (len(way.orders.rows) // ROW) + way.orders.places[entry])


@inlined
def _ends(now: I64_1D, way: Way, bar: int, wish: int) -> bool:
    """Return whether the close of a bar ends what is held."""
    leaves = LEAVES_LONG if now[BEGUN] & IS_SHORT == 0 else LEAVES_SHORT
    if bar == now[TIMED] or wish & ENDS != 0:
        return True
    if wish & leaves == 0:
        return False
    return not way.gates.only_in_profit or would_gain(now, way, bar)


@inlined
def _may_wait(now: I64_1D, way: Way, bar: int, side: int) -> bool:
    """Return whether a wish of a side may place an order at the close of a bar."""
    if now[HELD] != 0 and (now[BEGUN] & IS_SHORT == side or way.gates.only_in_profit):
        return False
    if now[IS_GATED] == 0:
        return True
    return not refuses(now, FIRST_LANE, way.gates, way.days.closes, bar)


@inlined
def _price_at_open(now: I64_1D, way: Way, bar: int) -> float:
    """Return at what price the open of a bar closes what was held."""
    side = now[BEGUN] & IS_SHORT
    return float(way.opens.lines[bar * LINE + O_PRICE + 1 - side])


@inlined
def _end(turns: Turns, now: I64_1D, bar: int, mode: int) -> None:
    """Let the position end in a bar, at a price that is to be found."""
    turns.ends[now[COUNT]] = np.int32((bar << MODE_BITS) | mode)
    turns.prices[now[COUNT]] = math.nan


@inlined
def _go_on(now: I64_1D, way: Way, levels: Levels, plan: int, turns: Turns, bar: int) -> None:
    """Let happen what does until the close of `bar`."""
    while True:
        order, exit_code, until = now[ORDER], now[EXIT_CODE], min(bar, now[TIMED])
        if now[HELD] == 0:
            if order >> MODE_BITS > bar:
                return
        elif min(order, exit_code) >> MODE_BITS <= until:
            if exit_code < order and exit_code & MODE_MASK == 0:
                _look(now, way, levels, plan, until)
                continue
            if not _is_reversed(now, way, levels):
                _end_at_level(now, way, levels, turns)
                continue
            late = IS_LATE if order & MODE_MASK > AT_LEVEL else 0
            if now[IS_GATED] != 0:
                met = way.orders.rows[way.orders.places[now[ENTRY]] * ROW + R_PRICE]
                count_ended(now, way, met, order >> MODE_BITS, late != 0)
            _end(turns, now, order >> MODE_BITS, REVERSED | late)
        elif now[TIMED] < bar:
            now[ORDER], now[HELD], ended = way.opens.bars << MODE_BITS, 0, now[TIMED] + 1
            _end(turns, now, ended, ALONE)
            if now[IS_GATED] != 0:
                count_ended(now, way, _price_at_open(now, way, ended), ended, False)
            continue
        else:
            return
        _fill(now, way, levels, plan, turns)


@rule
def _is_reversed(now: I64_1D, way: Way, levels: Levels) -> bool:
    """Return whether the order is met before the position's own exit."""
    order, exit_code = now[ORDER], now[EXIT_CODE]
    if order != exit_code:
        return bool(order < exit_code)
    entry = now[ENTRY]
    met = way.orders.rows[way.orders.places[entry] * ROW + R_MET]
    is_rising = (entry & IS_SHORT != 0) == (way.waiting.kind == AT_LIMIT)
    met = met if is_rising else -met
    return bool(met < levels.values[now[EXIT_AT] * EXIT + EXIT_WAY])


@inlined
def _end_at_level(now: I64_1D, way: Way, levels: Levels, turns: Turns) -> None:
    """Let the position end where its levels say."""
    code, first, at = now[EXIT_CODE], now[EXIT_AT] * EXIT, now[COUNT]
    end = ALONE if code & MODE_MASK == AT_LEVEL else ALONE | IS_LATE
    turns.ends[at] = np.int32((code >> MODE_BITS << MODE_BITS) | end)
    turns.prices[at] = levels.values[first + EXIT_PRICE]
    turns.worst[at] = levels.values[first + EXIT_WORST]
    now[HELD] = 0
    if now[IS_GATED] != 0:
        count_ended(now, way, turns.prices[at], code >> MODE_BITS, end & IS_LATE != 0)


@inlined
def _fill(now: I64_1D, way: Way, levels: Levels, plan: int, turns: Turns) -> None:
    """Let the order that waits fill, and hold what it opens."""
    code, entry, at, orders = now[ORDER], now[ENTRY], now[COUNT], way.orders
    now[ORDER] = way.opens.bars << MODE_BITS
    side, bar, place = entry & IS_SHORT, code >> MODE_BITS, int(orders.places[entry])
    is_allowed = way.decides.enters & (ENTERS_LONG if side == LONG else ENTERS_SHORT) != 0
    if not is_allowed and now[HELD] == 0:
        return
    decided, end = (entry >> 1) - 1, int(turns.ends[at])
    if not is_allowed:
        end = (end & ~END_MODE) | RELIEVED
    elif end & END_MODE == ALONE and end >> MODE_BITS > decided:
        end |= RELIEVED  # It was held yet at the close that decided.
    turns.ends[at] = np.int32(end)
    turns.nexts[at] = np.int32((place << 1) | (0 if is_allowed else CLOSES_ONLY))
    turns.decided[at] = np.int32(decided)
    now[COUNT], now[HELD], now[BEGUN] = at + 1, 1, entry
    if not is_allowed:
        now[HELD] = 0
        _end(turns, now, bar + 1, OPEN_AT_END)
        return
    now[TIMED], now[EXIT_CODE] = bar + way.decides.held_max - 1, way.opens.bars << MODE_BITS
    if plan != NO_LEVELS:
        now[EXIT_AT] = plan * (len(orders.rows) // ROW) + place
        _know(now, levels.codes[now[EXIT_AT]])


@inlined
def _know(now: I64_1D, known: int) -> None:
    """Keep what is known of the exit of the position."""
    now[EXIT_CODE] = known if known >= 0 else -known << MODE_BITS


@rule
def _look(now: I64_1D, way: Way, levels: Levels, plan: int, until: int) -> None:
    """Look for the exit of the position up to a bar that matters, or farther."""
    entry, at, known = now[BEGUN], now[EXIT_AT], int(levels.codes[now[EXIT_AT]])
    code, first, decided = int(way.orders.codes[entry]), at * EXIT, (entry >> 1) - 1
    row, bar = int(way.orders.places[entry]) * ROW, code >> MODE_BITS
    end = min(bar + way.decides.held_max, way.opens.bars) - 1
    last = min(max(until, bar + max(SPAN, 2 * (-known - bar))), end)
    atr = way.atr[decided] if len(way.atr) > 0 else math.nan
    if levels.portions.targets > 0:
        known = walk_in_parts(
            levels.runs[plan], way.opens, way.prices, way.slip_ratio,
            way.orders.rows[row : row + ROW], code, atr, last, levels.parts,
            levels.ways, at, levels.values[first : first + EXIT],
        )  # fmt: skip # one call
    else:
        known = walk(
            levels.runs[plan], way.opens, way.prices, way.slip_ratio,
            way.orders.rows[row : row + ROW], code, atr, known, last,
            levels.values[first : first + EXIT],
        )  # fmt: skip # one call
    known = way.opens.bars << MODE_BITS if known < 0 and last == end else known
    levels.codes[at] = np.int32(known)
    _know(now, known)


@rule
def share_out(way: Way, levels: Levels, plan: int, turns: Turns, first: int, count: int) -> None:
    """Write the share of each entry of a set, whose plan has the terms of row `plan`."""
    for at in range(first, first + count - 1):
        line = int(turns.decided[at]) + 1
        turns.shares[at] = share_of(levels.runs[plan], way.opens, way.shares, line, math.nan)
    turns.shares[first + count - 1] = 0.0


@inlined
def look_back(way: Way, turns: Turns, first: int, count: int) -> None:
    """Find the price of each end of a set, and how far prices went against the position."""
    for at in range(first + 1, first + count):
        if turns.prices[at] != turns.prices[at]:
            look_back_at(way, turns, at)


@rule
def look_back_at(way: Way, turns: Turns, at: int) -> None:
    """Find the price of an end that no level has made, and how far prices went until then."""
    rows, lines = way.orders.rows, way.opens.lines
    before, end = int(turns.nexts[at - 1]), int(turns.ends[at])
    if before & CLOSES_ONLY != 0:
        turns.prices[at], turns.worst[at] = 1.0, 0.0
        return
    row, follower = (before >> 1) * ROW, int(turns.nexts[at])
    where, bar, mode = int(rows[row + R_WHERE]), end >> MODE_BITS, end & END_MODE
    side, start, worst = where & IS_SHORT, (where >> WHERE_BITS) + 1, rows[row + R_REST]
    if bar > start:
        worst = min(worst, lowest(way.opens, np.uint64(start), np.uint64(bar), np.uint64(side)))
    if mode == REVERSED or follower & CLOSES_ONLY != 0:
        met = (follower >> 1) * ROW
        price, worst = rows[met + R_PRICE], min(worst, rows[met + R_PATH])
    else:
        price = lines[bar * LINE + O_PRICE + 1 - side]
        if mode != OPEN_AT_END:
            opened = lines[bar * LINE + O_OPEN]
            worst = min(worst, opened if side == LONG else -opened)
    turns.prices[at], turns.worst[at] = price, worst
