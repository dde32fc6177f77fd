"""How the levels of several targets close a position part by part: one walk over the bars.

Theory. Each target has a leg of its own (`legs`), but with one entry at a time all of them count
from one price and see the same prices. So their stops are one and the same, but for the breakeven:
at the limit of a target that moves the stops of the legs behind it, never below that of a leg
before. So what is held is always a row of legs, of which targets end the first and stops the last
ones. What is left of a book is that row, how many limits the price has come to, and the stop of all
and whether it follows the price. The walk takes the way of `exit_walk` with that state; at each
price at which anything happens (`_settle`), legs act one after the other: at an open the last one
first, on the way of a bar the first one first, as they lie in the book (`path`).

A limit that is verified fills once the price has gone some ticks beyond it, at itself or at the
better price of all on the way of that bar, or where its leg would begin to follow. Until then its
leg keeps the stop that it had, and the legs behind it may be stopped out sooner.
An entry at a close (`Opens.lag`) may have passed a level there.

Prices are multiplied by the sign of the side, so that up is a gain and the lowest price is the
worst for both sides alike. Levels are rounded before that, each in its own direction.
"""

import math

import numpy as np

from engines.kernels._compiled import rule, shared
from engines.kernels.chains.columns import (
    AT_LEVEL,
    LINE,
    LONG,
    MODE_BITS,
    O_CLOSE,
    O_MONTH,
    O_PRICE,
    ON_THE_WAY,
    SIDE_MASK,
    Opens,
)
from engines.kernels.chains.walk import lowest
from engines.kernels.columns import F64_2D
from engines.kernels.exit_walk import PART, enter, find_exit, find_exit_after
from engines.kernels.money import due_price, slipped_price
from engines.kernels.parts.columns import (
    C_MONTH,
    C_PRICE,
    C_QUIET,
    C_WORST,
    CLOSE,
    CODE_BITS,
    REST,
    PartExits,
)
from engines.kernels.parts.levels import (
    ARM,
    AT,
    BAR,
    BAR_LOW,
    BEST,
    DONE,
    FILL_BAR,
    FIRST,
    FOLLOWS_TICKS,
    FULL_LOW,
    GONE,
    HELD_TO,
    LIMITS,
    LISTED,
    LOCKS,
    MET_AT,
    QUIET_LOW,
    REST_LOW,
    SIGN,
    STOP,
    TRIGGERS,
    WHOLE_FROM,
    set_levels,
)
from engines.kernels.parts.stages import has_stages, walk_stages
from engines.kernels.passage.events import slip_at
from engines.kernels.rounding import price_of, ticks_nearest
from engines.kernels.search import first_touch
from engines.kernels.slots import CLOSE as CLOSE_PRICE
from engines.kernels.slots import (
    HIGH,
    LOW,
    OPEN,
    TICK_SIZE,
)
from engines.types import F64_1D


@rule
def _is_following(run: F64_1D) -> bool:
    """Return whether the stop follows the price now; ARM is infinite then, BEST before."""
    return bool(run[BEST] < math.inf)


@rule
def _follow(run: F64_1D, price: float) -> None:
    """Let the stop follow to its distance from `price`."""
    run[BEST] = price
    sign = run[SIGN]
    ticks = ticks_nearest(run, sign * price) - sign * run[FOLLOWS_TICKS]
    run[STOP] = max(run[STOP], sign * price_of(run, ticks))


@rule
def _next_limit(run: F64_1D) -> float:
    """Return the nearest price above at which something happens, other than the stop's follow."""
    gone, limit = int(run[GONE]), min(run[TRIGGERS + int(run[DONE])], run[ARM])
    if gone + 1 < run[HELD_TO] and run[LOCKS + gone] > -math.inf:
        limit = min(limit, run[LIMITS + gone])
    return float(limit)


@rule
def _stop_at(run: F64_1D, leg: int) -> float:
    """Return the stop of a leg."""
    gone = min(leg, int(run[GONE]))
    return float(max(run[STOP], run[LOCKS + gone - 1]) if gone > 0 else run[STOP])


@rule
def _nearest_stop(run: F64_1D) -> float:
    """Return the stop of the last leg, which is the first that a falling price meets."""
    return _stop_at(run, int(run[HELD_TO]) - 1)


@rule
def _is_held(run: F64_1D) -> bool:
    return bool(run[DONE] < run[HELD_TO])


@rule
def _advance(run: F64_1D, price: float) -> None:
    """Record that the price has come to `price`; the stop follows."""
    run[AT], run[BAR_LOW] = price, min(run[BAR_LOW], price)
    if _is_following(run) and price > run[BEST]:
        _follow(run, price)


@rule
def _settle(run: F64_1D, opens: Opens, exits: PartExits, price: float, mode: int) -> None:
    """Let `price` act on every leg; list what closes."""
    done, held_to, is_at_open = int(run[DONE]), int(run[HELD_TO]), mode == AT_LEVEL
    met = done
    while met < held_to and run[TRIGGERS + met] <= price:
        met += 1
    while run[GONE] < held_to and run[LIMITS + int(run[GONE])] <= price:
        run[GONE] += 1
    arm = run[ARM]
    # At no distance at all the stop fills where it begins to follow.
    is_out_at_arm = arm <= price and run[FOLLOWS_TICKS] == 0
    if arm <= price:
        run[ARM] = math.inf
        _follow(run, price)
    out = met if is_out_at_arm else held_to
    while out > met and _stop_at(run, out - 1) >= price:
        out -= 1
    due, closes = due_price(run, run[SIGN] * price), met - done + held_to - out
    for turn in range(closes):
        leg = done + (closes - 1 - turn if is_at_open else turn)
        leg += out - met if leg >= met else 0
        is_stop = leg >= met or (is_out_at_arm and run[LIMITS + leg] >= arm)
        filled = due
        if is_stop:
            filled = slipped_price(run, due, -run[SIGN], 0.0)
        elif not is_at_open:
            filled = due_price(run, run[SIGN] * max(run[LIMITS + leg], run[BAR_LOW]))
        _list(run, opens, exits, leg, filled, mode)
    run[DONE], run[HELD_TO] = met, out


@rule
def _list(run: F64_1D, opens: Opens, exits: PartExits, part: int, price: float, mode: int) -> None:
    """List a close of a part at `price`."""
    bar, before = int(run[BAR]), int(run[FILL_BAR])
    side = np.uint64(LONG if run[SIGN] > 0 else 1 - LONG)
    if before < bar:
        quiet = math.inf
        if before + 1 < bar:
            quiet = lowest(opens, np.uint64(before + 1), np.uint64(bar), side)
        full = run[REST_LOW]
        if before >= run[WHOLE_FROM]:
            full = lowest(opens, np.uint64(before), np.uint64(before + 1), side)
        run[FULL_LOW] = min(run[FULL_LOW], quiet, full)
        run[FILL_BAR], run[QUIET_LOW] = bar, quiet
    line = bar + opens.lag
    found = int(run[FIRST]) + int(run[LISTED])
    exits.codes[found] = np.int32((line << CODE_BITS) | (part << MODE_BITS) | mode)
    row = found * CLOSE
    exits.closes[row + C_PRICE], exits.closes[row + C_QUIET] = price, run[QUIET_LOW]
    exits.closes[row + C_WORST] = min(run[FULL_LOW], run[BAR_LOW])
    exits.closes[row + C_MONTH] = opens.lines[line * LINE + O_MONTH]
    run[MET_AT + int(run[LISTED])] = run[AT]
    run[LISTED] += 1


@rule
def _open(run: F64_1D, opens: Opens, exits: PartExits, price: float, is_first: bool) -> None:
    """Stand at the open of a bar and fill what it has passed."""
    run[AT] = price
    if not is_first:
        run[BAR_LOW] = price
        _advance(run, price)
    if _next_limit(run) <= price or _nearest_stop(run) >= price:
        _settle(run, opens, exits, price, AT_LEVEL)


@rule
def _travel(run: F64_1D, opens: Opens, exits: PartExits, target: float, part: int) -> None:
    """Move the price to `target`, a part of a bar's way, and let each level act that it meets."""
    while _is_held(run):
        price, up, down = run[AT], _next_limit(run), _nearest_stop(run)
        above = max(0.0, up - price) if up <= max(target, price) else math.inf
        below = max(0.0, price - down) if down >= min(target, price) else math.inf
        if min(above, below) == math.inf:
            _advance(run, target)
            return
        # With both at the price the limit fills.
        level = max(up, price) if above <= below else min(down, price)
        _advance(run, level)
        _settle(run, opens, exits, level, ON_THE_WAY + part)


@rule
def _pass_bar(
    run: F64_1D, opens: Opens, exits: PartExits, prices: F64_2D, bar: int, down: float, up: float
) -> None:
    """Go the way of a bar from its open: to the extreme nearer to it, the other one, the close."""
    if _next_limit(run) > up and _nearest_stop(run) < down:
        # One tick more than the range outweighs the rounding of the stop and of this quotient.
        if not _is_following(run):
            return
        if run[FOLLOWS_TICKS] > (up - down) / run[TICK_SIZE] + 1:
            if up > run[BEST]:
                _follow(run, up)
            return
    opened = prices[bar, OPEN]
    is_high_first = prices[bar, HIGH] - opened < opened - prices[bar, LOW]
    is_up_first = is_high_first == (run[SIGN] > 0)
    _travel(run, opens, exits, up if is_up_first else down, 0)
    _travel(run, opens, exits, down if is_up_first else up, 1)
    _travel(run, opens, exits, run[SIGN] * prices[bar, CLOSE_PRICE], 2)


@rule
def _next_bar(run: F64_1D, opens: Opens, bar: int, stop: int) -> int:
    """Return the first bar of [bar, stop) in which anything can happen, else `stop`."""
    up, down = min(_next_limit(run), run[BEST]), _nearest_stop(run)
    if run[SIGN] < 0:
        up, down = -down, -up
    return first_touch(opens.reach, opens.bars, bar, stop, down, up)


def _walk_parts(
    run: F64_1D, opens: Opens, prices: F64_2D, slip_ratio: F64_1D, entry: int, last: int,
    stop: float, target: float, atr: float, exits: PartExits, place: int,
) -> None:  # fmt: skip # what it reads, then what it finds
    """List the closes of an entry, by its line and side, in bars up to `last`.

    A given `stop` takes the place of the plan's, a given `target` that of all the plan's; `atr` is
    known where the plan sets its stop by it.
    """
    bar, sign = entry >> 1, 1.0 if entry & SIDE_MASK == LONG else -1.0
    base = opens.lines[bar * LINE + O_PRICE + (entry & SIDE_MASK)]
    first = place * exits.parts
    if target == target:
        enter(run, base, sign, stop, target)
        level = _walk_whole(run, opens, prices, slip_ratio, bar, last, exits, first)
        listed = 1
    else:
        set_levels(run, base, sign, stop, atr, opens.lines[bar * LINE + O_CLOSE])
        run[FIRST], run[BAR_LOW] = first, sign * base
        if has_stages(run):
            listed, level = walk_stages(run, opens, prices, slip_ratio, bar, last, exits)
        else:
            listed, level = walk_at_open(run, opens, prices, slip_ratio, bar, last, exits)
    exits.levels[place] = np.int32(level)
    for part in range(listed, exits.parts):
        exits.codes[first + part] = np.int32((opens.bars + opens.lag) << CODE_BITS)


@rule
def _walk_whole(
    run: F64_1D, opens: Opens, prices: F64_2D, slip_ratio: F64_1D, bar: int, last: int,
    exits: PartExits, first: int,
) -> int:  # fmt: skip # what it reads, then where it writes
    """List the close of a position that has one leg; return its bar."""
    reach = opens.reach
    if opens.lag == 0:
        end, is_at_open, price, worst = find_exit(run, prices, reach, slip_ratio, bar, last)
    else:
        end, is_at_open, price, worst = find_exit_after(run, prices, reach, slip_ratio, bar, last)
    is_met = end < opens.bars and not is_at_open
    mode = ON_THE_WAY + int(run[PART]) if is_met else AT_LEVEL
    row, line = first * CLOSE, end + opens.lag
    exits.codes[first] = np.int32((line << CODE_BITS) | (REST << MODE_BITS) | mode)
    exits.closes[row + C_PRICE], exits.closes[row + C_WORST] = price, worst
    exits.closes[row + C_QUIET] = math.inf
    exits.closes[row + C_MONTH] = opens.lines[line * LINE + O_MONTH]
    return end


@rule
def walk_at_open(
    run: F64_1D, opens: Opens, prices: F64_2D, slip_ratio: F64_1D, entered: int, last: int,
    exits: PartExits,
) -> tuple[int, int]:  # fmt: skip # what it reads, then where it writes
    """Go from bar to bar until nothing is held or the last one is over.

    Returns: as `walk_stages`.
    """
    bar, sign, is_first = entered, run[SIGN], opens.lag == 0
    run[LISTED], run[FILL_BAR], run[WHOLE_FROM] = 0.0, bar - opens.lag, bar
    run[QUIET_LOW] = run[FULL_LOW] = run[REST_LOW] = math.inf
    if opens.lag != 0:
        slip_at(run, slip_ratio, max(0, bar - 2))
        run[BAR] = bar - 1
        _open(run, opens, exits, sign * prices[bar - 1, CLOSE_PRICE], True)
        bar = _next_bar(run, opens, bar, last + 1) if _is_held(run) else last + 1
    first = entered if is_first else opens.bars
    return _go_on(run, opens, prices, slip_ratio, bar, last, first, exits)


@rule
def _go_on(
    run: F64_1D, opens: Opens, prices: F64_2D, slip_ratio: F64_1D, bar: int, last: int, first: int,
    exits: PartExits,
) -> tuple[int, int]:  # fmt: skip # what it reads, then where it writes
    """Go from a bar on, at the open of whose `first` one the position begins, if it does there."""
    sign = run[SIGN]
    while bar <= last:
        slip_at(run, slip_ratio, bar - 1)
        run[BAR] = bar
        _open(run, opens, exits, sign * prices[bar, OPEN], bar == first)
        if _is_held(run):
            high, low = sign * prices[bar, HIGH], sign * prices[bar, LOW]
            _pass_bar(run, opens, exits, prices, bar, min(low, high), max(low, high))
        bar = _next_bar(run, opens, bar + 1, last + 1) if _is_held(run) else last + 1
    return int(run[LISTED]), opens.bars if _is_held(run) else int(run[FILL_BAR])


@rule
def walk_from(
    run: F64_1D, opens: Opens, prices: F64_2D, slip_ratio: F64_1D, bar: int, part: int, at: float,
    rest: float, last: int, exits: PartExits,
) -> tuple[int, int]:  # fmt: skip # where it begins, then where it writes
    """List the closes of an entry at the signed price `at`, on a part of a bar's way.

    `rest` is the lowest signed price of the rest of that way. Returns: as `walk_stages`.
    """
    sign, opened, high, low = run[SIGN], prices[bar, OPEN], prices[bar, HIGH], prices[bar, LOW]
    run[LISTED], run[FILL_BAR], run[WHOLE_FROM], run[REST_LOW] = 0.0, bar, bar + 1, rest
    run[QUIET_LOW] = run[FULL_LOW] = math.inf
    slip_at(run, slip_ratio, bar - 1)
    run[BAR], run[AT] = bar, at
    is_high_first = high - opened < opened - low
    for point in range(part, 3):
        to = high if (point == 0) == is_high_first else low
        to = prices[bar, CLOSE_PRICE] if point == 2 else to
        _travel(run, opens, exits, sign * to, point)
    bar = _next_bar(run, opens, bar + 1, last + 1) if _is_held(run) else last + 1
    return _go_on(run, opens, prices, slip_ratio, bar, last, opens.bars, exits)


walk_parts = shared(_walk_parts)
