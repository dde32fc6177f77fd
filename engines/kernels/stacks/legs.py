"""The legs of a stack whose levels count from its average or its last entry's price.

Theory. Each entry that opens moves the base from which all levels count, and that hangs on the
account. But between two openings no leg knows of another: each meets prices as the one leg of a
position does (`leg_walk`), and what closes in between moves no level. So the legs of a stack pass
the bars together, as far as what may happen next, and the first bar in which any of them ends its
entry says how, as `stacks.exits` does of all. Bars that reach no leg's levels are searched past.

At an opening each leg that is open has passed all before it. What levels it has from the base alone
is the same for all and told by the machine's rules; how far its own lie by the ATR, and what its
strategy gives, was fixed when its entry was decided. What its stop has reached that follows the
price, or was locked, is kept. Then the price of the opening may have passed it.

Legs stand at a bar's open, or on its way where an entry was met there.
"""

import math

from engines.kernels._compiled import apart, inlined, rule
from engines.kernels.bracket_walk import trigger_of
from engines.kernels.chains.columns import (
    AT_LEVEL,
    LINE,
    MODE_BITS,
    MODE_MASK,
    NO_LEVELS,
    O_CLOSE,
    O_OPEN,
    ON_THE_WAY,
    Given,
)
from engines.kernels.columns import F64_2D, Run
from engines.kernels.exit_walk import PART, THE_LEG, THE_LOT, enter
from engines.kernels.passage.events import slip_at
from engines.kernels.rounding import round_by
from engines.kernels.search import first_touch
from engines.kernels.slots import (
    ARM_PRICE,
    BASIS,
    CLOSE,
    FROM_AVERAGE,
    HAS_EXITS,
    HIGH,
    LEG_LIMIT,
    LEG_STOP,
    LEG_TRIGGER,
    LOT_LEGS,
    LOW,
    NEXT_RATCHET,
    NO_TRAIL,
    OPEN,
    PATH_LOW,
    PRICE,
    PRICE_AVG,
    PRICE_LAST,
    PROFIT_ATR,
    RATCHET_STOPS,
    RATCHETS,
    STEPS,
    STOP_ATR,
    TICK_SIZE,
    TRAIL_TICKS,
    TRAIL_UNIT,
    TRIGGERS,
)
from engines.kernels.stacks.blocks import take_block
from engines.kernels.stacks.columns import (
    AVERAGE,
    END_ARMED,
    END_AT,
    END_LOW,
    END_PRICE,
    END_WAY,
    ENTRIES,
    ENTRY,
    ENTRY_END,
    ENTRY_LEG,
    HELD,
    LEGS_AT,
    LEGS_BAR,
    LEGS_DOWN,
    LEGS_LOW,
    LEGS_PART,
    LEGS_UP,
    NEXT_AT,
    ORDER,
    ORDERED,
    SIGN,
    Course,
    Deal,
    Stack,
)
from engines.kernels.stacks.fills import lowest_on_way
from engines.kernels.stacks.leg_walk import (
    ARM,
    ATR_STOP,
    ATR_TARGET,
    BEST,
    BY_OPEN,
    DOWN,
    GATE,
    GIVEN_STOP,
    GIVEN_TARGET,
    LEG_SIZE,
    LOCK,
    LOCKED,
    STOP,
    TARGET,
    TICKS,
    TRAIL,
    TRIGGER,
    WHOLE,
    pass_way,
    refresh,
    stand_at,
    watched_above,
)
from engines.kernels.stacks.turns import note_next
from engines.kernels.waits.columns import R_MET
from engines.kernels.waits.columns import ROW as ORDER_ROW
from engines.types import F64_1D


@rule
def legs_size(room: int) -> int:
    """Return how much room the legs of so many entries take."""
    return room * LEG_SIZE


@inlined
def open_leg(
    stack: Stack, course: Course, given: Given, deal: Deal, place: int, entry: int, code: int,
    plan: int,
) -> None:  # fmt: skip # where it is, then what has been opened, and how it was met
    """Give the last entry, which has been opened, a leg, and set the levels of all anew.

    It is that of the wish at a place, by the line and side that were decided.
    """
    run, line, opens, entries = given.runs[plan], entry >> 1, course.opens, stack.entries
    count, legs = int(stack.counts[ENTRIES]), course.stacking.room * ENTRY
    run[PRICE_AVG], run[PRICE_LAST], run[STEPS] = stack.state[AVERAGE], deal.entry_price, deal.sign
    stop, target, atr = math.nan, math.nan, math.nan
    if len(given.stops) > 0:
        stop, target = given.stops[place], given.targets[place]
    if len(course.shares.atr) > 0:
        atr = course.shares.atr[line - 1]
    take_block(entries, count - 1)
    leg, close = _leg_of(entries, legs, count - 1), opens.lines[line * LINE + O_CLOSE]
    _begin_leg(run, entries, leg, stop, target, atr, close)
    _set_anew(run, entries, legs, count, deal.entry_price)
    for own in range(count):
        entries[own * ENTRY + ENTRY_END + END_AT] = (opens.bars + opens.lag) << MODE_BITS
    if opens.lag != 0:
        _pass_close(run, entries, legs, count, given.prices, given.slip_ratio, deal.bar - 1)
    stack.counts[LEGS_BAR], stack.counts[LEGS_PART] = deal.bar, BY_OPEN
    if course.stacking.waits and code & MODE_MASK >= ON_THE_WAY:
        row = int(course.orders.places[entry]) * ORDER_ROW
        part = (code & MODE_MASK) - ON_THE_WAY
        _stand(stack, course, deal.bar, part, course.orders.rows[row + R_MET])
    _watch(stack.state, entries, legs, count)
    note_next(stack)


@rule
def _leg_of(entries: F64_1D, legs: int, number: int) -> int:
    """Return where the leg of an entry lies; `legs` is where all begin."""
    return legs + int(entries[number * ENTRY + ENTRY_LEG]) * LEG_SIZE


@rule
def _begin_leg(
    run: Run, legs: F64_1D, leg: int, stop: float, target: float, atr: float, close: float
) -> None:  # fmt: skip # one list
    """Note what an entry fixes of a leg: given levels, and distances by the ATR at its close."""
    side = run[STEPS]
    legs[leg + GIVEN_STOP] = legs[leg + GIVEN_TARGET] = math.nan
    legs[leg + ATR_STOP] = legs[leg + ATR_TARGET] = math.inf
    legs[leg + BEST] = legs[leg + TRAIL] = legs[leg + LOCKED] = -math.inf
    if stop == stop:
        legs[leg + GIVEN_STOP] = side * round_by(run, stop, -side)
    if target == target:
        legs[leg + GIVEN_TARGET] = side * round_by(run, target, side)
    # As in the reference, a level of zero alone makes no bracket.
    is_given = (stop == stop and stop != 0) or (target == target and target != 0)
    if run[HAS_EXITS] == 0 and not is_given:
        legs[leg + GIVEN_STOP], legs[leg + GIVEN_TARGET] = -math.inf, math.inf
    if atr != atr:
        return
    if run[STOP_ATR] == run[STOP_ATR]:
        ticks = run[STOP_ATR] * atr / close * close / run[TICK_SIZE]
        legs[leg + ATR_STOP] = ticks * run[TICK_SIZE]
    if run[PROFIT_ATR] == run[PROFIT_ATR]:
        ticks = run[PROFIT_ATR] * atr / run[TICK_SIZE]
        legs[leg + ATR_TARGET] = ticks * run[TICK_SIZE]


@rule
def _set_anew(run: Run, entries: F64_1D, legs: int, count: int, price: float) -> None:
    """Set the levels of so many entries' legs off the base."""
    side, stop, target, trigger = run[STEPS], -math.inf, math.inf, math.inf
    arm, ticks, gate, lock = math.inf, 0.0, math.inf, -math.inf
    enter(run, price, side, math.nan, math.nan)  # a leg that knows but the plan
    if run[THE_LOT + LOT_LEGS] > 0:
        if run[THE_LEG + LEG_STOP] == run[THE_LEG + LEG_STOP]:
            stop = side * run[THE_LEG + LEG_STOP]
        if run[THE_LEG + LEG_LIMIT] == run[THE_LEG + LEG_LIMIT]:
            target = side * run[THE_LEG + LEG_LIMIT]
            trigger = side * run[THE_LEG + LEG_TRIGGER]
        if run[TRAIL_UNIT] != NO_TRAIL:
            arm, ticks = side * run[THE_LEG + ARM_PRICE], run[THE_LEG + TRAIL_TICKS]
        if run[THE_LEG + NEXT_RATCHET] < run[THE_LEG + RATCHETS]:
            gate = side * run[THE_LEG + TRIGGERS]
            lock = side * run[THE_LEG + RATCHET_STOPS]
    base = run[PRICE_AVG] if run[BASIS] == FROM_AVERAGE else run[PRICE_LAST]
    for number in range(count):
        leg = _leg_of(entries, legs, number)
        _set_levels(run, entries, leg, base, stop, target, trigger)
        if entries[leg + BEST] == -math.inf:
            entries[leg + ARM], entries[leg + TICKS] = arm, ticks
        entries[leg + GATE], entries[leg + LOCK] = gate, lock
        refresh(entries, leg)


@rule
def _set_levels(
    run: Run, legs: F64_1D, leg: int, base: float, stop: float, target: float, trigger: float
) -> None:  # fmt: skip # whose, then those that hang on the base alone
    """Set the stop and the target of a leg."""
    side, own = run[STEPS], target
    legs[leg + STOP], legs[leg + TARGET], legs[leg + TRIGGER] = stop, target, trigger
    if legs[leg + ATR_STOP] < math.inf:
        by_atr = side * round_by(run, base - side * legs[leg + ATR_STOP], -side)
        legs[leg + STOP] = max(stop, by_atr)
    if legs[leg + GIVEN_STOP] == legs[leg + GIVEN_STOP]:
        legs[leg + STOP] = legs[leg + GIVEN_STOP]
    if legs[leg + ATR_TARGET] < math.inf and target == math.inf:
        own = side * round_by(run, base + side * legs[leg + ATR_TARGET], side)
    if legs[leg + GIVEN_TARGET] == legs[leg + GIVEN_TARGET]:
        own = legs[leg + GIVEN_TARGET]
    if own != target:
        legs[leg + TARGET], legs[leg + TRIGGER] = own, trigger_of(run, own, side)


@rule
def _watch(state: F64_1D, entries: F64_1D, legs: int, count: int) -> None:
    """Note the prices down and up to which nothing happens to any leg of so many entries."""
    down, up = -math.inf, math.inf
    for number in range(count):
        leg = _leg_of(entries, legs, number)
        down, up = max(down, entries[leg + DOWN]), min(up, watched_above(entries, leg))
    is_long = state[SIGN] > 0
    state[LEGS_DOWN], state[LEGS_UP] = down if is_long else -up, up if is_long else -down


@inlined
def follow_legs(stack: Stack, course: Course, given: Given, plan: int, last: int) -> None:
    """Let the legs of all entries pass bars up to `last`, or to the first that ends any.

    They go no farther than to where the order that waits is met.
    """
    if not course.stacking.is_based or stack.state[HELD] == 0 or plan == NO_LEVELS:
        return
    state, counts, opens = stack.state, stack.counts, course.opens
    order, bar = int(counts[ORDER]), int(counts[LEGS_BAR])
    stop = min(last, (order >> MODE_BITS) - 1) + 1
    is_ending = int(counts[NEXT_AT]) >> MODE_BITS < opens.bars + opens.lag
    while bar < stop and not is_ending:
        if counts[LEGS_PART] == BY_OPEN:
            down, up = state[LEGS_DOWN], state[LEGS_UP]
            bar = first_touch(opens.reach, opens.bars, bar, stop, down, up)
        if bar < stop:
            is_ending = _pass(stack, course, given, plan, bar, WHOLE, 0.0)
            counts[LEGS_PART], bar = BY_OPEN, bar + 1
        counts[LEGS_BAR] = bar
    part = (order & MODE_MASK) - ON_THE_WAY
    if course.stacking.waits and not is_ending and stop <= last and part > BY_OPEN:
        row = int(course.orders.places[int(counts[ORDERED])]) * ORDER_ROW
        _pass(stack, course, given, plan, bar, part, state[SIGN] * course.orders.rows[row + R_MET])
        _stand(stack, course, bar, part, course.orders.rows[row + R_MET])


@inlined
def _stand(stack: Stack, course: Course, bar: int, part: int, way: float) -> None:
    """Let legs stand on the way of a bar."""
    state, opens = stack.state, course.opens
    opened = state[SIGN] * opens.lines[bar * LINE + O_OPEN]
    state[LEGS_LOW] = min(opened, lowest_on_way(opens, bar, 0, part, way, state[SIGN]))
    state[LEGS_AT], stack.counts[LEGS_PART] = state[SIGN] * way, part


@inlined
def _pass(
    stack: Stack, course: Course, given: Given, plan: int, bar: int, last: int, at: float
) -> bool:  # fmt: skip # whose, then how far
    """Let legs pass a bar as far as `at` on its `last` part; return whether any entry ends."""
    state, counts, run = stack.state, stack.counts, given.runs[plan]
    count, legs = int(counts[ENTRIES]), course.stacking.room * ENTRY
    run[STEPS] = state[SIGN]
    ends = _pass_bar(
        run, stack.entries, legs, count, given.prices, given.slip_ratio, bar, course.opens.lag,
        int(counts[LEGS_PART]), state[LEGS_AT], state[LEGS_LOW], last, at,
    )  # fmt: skip # one call
    _watch(state, stack.entries, legs, count)
    if ends:
        note_next(stack)
    return ends


@apart
def _pass_bar(
    run: Run, entries: F64_1D, legs: int, count: int, prices: F64_2D, slip_ratio: F64_1D, bar: int,
    lag: int, first: int, price: float, lowest: float, last: int, at: float,
) -> bool:  # fmt: skip # whose, then from where to where
    """Let legs pass a bar; return whether any entry ends in it."""
    side, is_whole, ends = run[STEPS], first == BY_OPEN and last == WHOLE, False
    high, low = prices[bar, HIGH], prices[bar, LOW]
    against, along = (low, high) if side > 0 else (-high, -low)
    slip_at(run, slip_ratio, bar - 1)
    for number in range(count):
        leg, end = _leg_of(entries, legs, number), number * ENTRY + ENTRY_END
        if is_whole and entries[leg + DOWN] < against and along < watched_above(entries, leg):
            continue
        run[PART], run[PRICE], run[PATH_LOW] = first, price, lowest
        filled = pass_way(run, entries, leg, prices, bar, side, last, at)
        if filled == filled:
            _end(run, entries, end, prices, bar, lag, filled)
            ends = True
        elif entries[leg + BEST] > -math.inf:
            entries[end + END_ARMED] = min(entries[end + END_ARMED], bar)
    return ends


@apart
def _pass_close(
    run: Run, entries: F64_1D, legs: int, count: int, prices: F64_2D, slip_ratio: F64_1D, bar: int
) -> None:  # fmt: skip # whose, then what they pass
    """Let the legs that have been set at the close of a bar pass it."""
    slip_at(run, slip_ratio, max(0, bar - 1))
    for number in range(count):
        leg = _leg_of(entries, legs, number)
        run[PART] = BY_OPEN
        filled = stand_at(run, entries, leg, run[STEPS] * prices[bar, CLOSE], run[STEPS])
        if filled == filled:
            _end(run, entries, number * ENTRY + ENTRY_END, prices, bar, 1, filled)


@rule
def _end(
    run: Run, entries: F64_1D, end: int, prices: F64_2D, bar: int, lag: int, price: float
) -> None:  # fmt: skip # one list
    """Write how a bar ends an entry, whose leg has just met it."""
    mode, is_rising, part = AT_LEVEL, True, int(run[PART])
    if part != BY_OPEN:
        opened = prices[bar, OPEN]
        is_high_first = prices[bar, HIGH] - opened < opened - prices[bar, LOW]
        mode, is_rising = ON_THE_WAY + part, is_high_first == (part != 1)
    met = run[STEPS] * run[PRICE]
    entries[end + END_AT], entries[end + END_PRICE] = ((bar + lag) << MODE_BITS) | mode, price
    entries[end + END_WAY], entries[end + END_LOW] = met if is_rising else -met, run[PATH_LOW]
