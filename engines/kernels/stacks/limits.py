"""Limits that end what a stack holds: fills of a day, losses of a day, the largest drawdown.

Theory. The rules of `machine.forced` for several entries. What a limit ends closes at one price,
cancels the order that waits, and lets nothing in until the next trading day (HALTED_UNTIL); the
largest drawdown lets nothing in any more.

Fills are counted as they come: an entry, a reversal, an exit; what a limit or a margin call closes
is none. The last one of its day closes what it leaves where it filled, at its own price.

Losses and the drawdown hang on equity, which between two fills follows the price. So a stretch is
first bounded: by what equity was at its lowest price, and by the most that a limit can ask for,
of the days that begin in it and the best close, from which the drawdown counts (`is_cut`). One
that comes near is walked by the machine's own guards (`limit_walk`). While nothing is held nothing
can be lost: the days that have begun are caught up with at the next fill (`pass_flat`).

The way of a bar has phases: before what its open fills, where only the drawdown is looked at, then
behind that, behind what settles inside the bar, and each of the three parts. WATCHED is the first
phase that was not looked at, `bar << PHASE_BITS | phase`. A set is left to the machine where a
limit of money meets a margin call, or may lie behind the price already after a fill on the way.
"""

import math

import numpy as np

from engines.kernels._compiled import inlined
from engines.kernels.chains.columns import (
    LINE,
    LONG,
    MODE_BITS,
    MODE_MASK,
    O_CLOSE,
    O_OPEN,
    ON_THE_WAY,
    SHORT,
    Given,
)
from engines.kernels.chains.walk import lowest
from engines.kernels.gates.limit_walk import NOISE, least_of
from engines.kernels.slots import IS_LIQUIDABLE
from engines.kernels.stacks.calls import POINTS, look, may_be_called
from engines.kernels.stacks.columns import (
    CALL_FRESH,
    CALL_LOW,
    CALL_PRICE,
    CALL_STEPS,
    DAY_END,
    DAY_FILLS,
    DAY_LEAST,
    END_WAY,
    ENDS_BY_LEVEL,
    ENTRY,
    ENTRY_END,
    FOLLOWED,
    FUNDING_OPEN,
    HALTED_UNTIL,
    HELD,
    IS_CALLED,
    IS_CUT,
    IS_UNSURE,
    JOINED,
    LAST_BAR,
    LOWEST,
    NET,
    NEVER,
    NEXT,
    ORDERED,
    QTY,
    QUEUED,
    SETTLEMENT,
    SIGN,
    STOOD,
    THE_LINE,
    TOP,
    WATCHED,
    Course,
    Deal,
    Stack,
)
from engines.kernels.stacks.fills import equity_with
from engines.kernels.stacks.limit_walk import (
    BEGINS,
    FIRST_PHASE,
    OPENED,
    PHASE_BITS,
    PHASE_MASK,
    begin_day,
    find_cut,
    halt,
)
from engines.kernels.stacks.orders import way_of
from engines.kernels.stacks.turns import low_of_next


@inlined
def begin_limits(stack: Stack, course: Course) -> None:
    """Let nothing have been filled yet; guards know no liquidation, which bounds rule out."""
    stack.state[TOP], stack.state[DAY_LEAST] = course.fixed.capital, -math.inf
    stack.counts[DAY_END] = course.watch.first
    stack.run[IS_LIQUIDABLE] = 0.0


@inlined
def pass_flat(stack: Stack, course: Course, bar: int) -> None:
    """Catch up with what has begun, ahead of a fill in `bar`, while no money was at stake."""
    state, counts = stack.state, stack.counts
    settled = course.fixed.capital + state[NET]
    if counts[LAST_BAR] < bar:
        state[TOP] = max(state[TOP], settled)
    while counts[DAY_END] <= bar:
        begin_day(stack, course, settled)


@inlined
def is_cut(
    stack: Stack, course: Course, given: Given, line: int, code: int, is_met: bool
) -> bool:  # fmt: skip # one list
    """Return whether a limit of money ends a stack ahead of what happens next, and go there.

    That is the close that decides a line's fills if the code is NEVER, else what has this code: an
    end of an entry by its levels, or the order that is met.
    """
    counts, ends, way = stack.counts, code != NEVER and not is_met, 0.0
    stop = line << PHASE_BITS if code == NEVER else _phase_of(code)
    if stop & PHASE_MASK >= FIRST_PHASE:
        if is_met:
            way = way_of(course, int(counts[ORDERED]))
        else:
            way = stack.entries[int(counts[NEXT]) * ENTRY + ENTRY_END + END_WAY]
    return _is_cut_ahead(stack, course, given, stop, way, ends)


@inlined
def is_cut_at_open(stack: Stack, course: Course, given: Given, line: int) -> bool:
    """Return whether the drawdown ends a stack ahead of a line's fills, and begin its day."""
    if line == course.opens.bars:
        return False
    return _is_cut_ahead(stack, course, given, line << PHASE_BITS | OPENED, 0.0, False)


@inlined
def _is_cut_ahead(
    stack: Stack, course: Course, given: Given, stop: int, way: float, ends: bool
) -> bool:  # fmt: skip # one list
    """Return whether a limit of money ends a stack ahead of a phase, or in it ahead of a place.

    That is how far along the `way` something happens in that phase; `ends` where an entry does.
    """
    state, counts = stack.state, stack.counts
    if state[HELD] > 0:
        low = _low_until(stack, course, stop, ends)
        if _is_near(stack, course, low, stop) and find_cut(stack, course, given, stop, way):
            bar = int(counts[THE_LINE])
            look(stack, course, bar)
            low = min(state[LOWEST], state[CALL_LOW])
            if course.stacking.is_called and may_be_called(stack, course, low, (bar + 1) * POINTS):
                state[IS_UNSURE] = 1.0
            return True
    counts[WATCHED], state[STOOD] = max(int(counts[WATCHED]), stop), abs(way)
    return False


@inlined
def _phase_of(code: int) -> int:
    """Return the phase that what has a code comes ahead of, or in."""
    bar, mode = code >> MODE_BITS, code & MODE_MASK
    return bar << PHASE_BITS | (OPENED if mode < ON_THE_WAY else FIRST_PHASE + mode - ON_THE_WAY)


@inlined
def _low_until(stack: Stack, course: Course, stop: int, ends: bool) -> float:
    """Return a signed price that nothing is below ahead of a phase, in which an entry may end."""
    state, opens, bar = stack.state, course.opens, stop >> PHASE_BITS
    low = float(state[LOWEST])
    if bar < opens.bars:
        low = min(low, state[SIGN] * opens.lines[bar * LINE + O_OPEN])
    if ends:
        low = min(low, low_of_next(stack))
    elif stop & PHASE_MASK >= FIRST_PHASE:
        low = min(low, opens.reach[bar, 1] if state[SIGN] > 0 else -opens.reach[bar, 0])
    return float(low)


@inlined
def _is_near(stack: Stack, course: Course, low: float, stop: int) -> bool:
    """Return whether equity may meet a limit ahead of a phase; note what begins if it may not.

    `low` is the lowest signed price until then.
    """
    state, counts, payments, fixed = stack.state, stack.counts, course.payments, course.fixed
    opens, drawdown, last = course.opens, course.gates.drawdown, (stop - 1) >> PHASE_BITS
    qty, place = state[SIGN] * state[QTY], int(counts[SETTLEMENT])
    paid = most = fewest = float(state[FUNDING_OPEN])
    day, least = int(counts[DAY_END]), float(state[DAY_LEAST])
    highest, is_paid = least, False
    while True:
        bar = min(day, last + 1)
        if len(payments.rates) > 0:
            until = int(payments.before[bar])
            is_paid |= until > place
            for settlement in range(place, until):
                price, rate = payments.prices[settlement], payments.rates[settlement]
                paid += qty * price * fixed.point_value * rate
                most, fewest = max(most, paid), min(fewest, paid)
            place = max(place, until)
        if day > last:
            break
        close = opens.lines[day * LINE + O_CLOSE]
        least = least_of(course.gates, equity_with(state, fixed, close, paid))
        highest, day = max(highest, least), int(course.watch.next_day[day])
    top, first = float(state[TOP]), int(counts[WATCHED]) >> PHASE_BITS
    until = stop >> PHASE_BITS
    if drawdown < math.inf and until > first:
        other = np.uint64(SHORT if state[SIGN] > 0 else LONG)
        closes = course.watch.closes
        best = -state[SIGN] * lowest(closes, np.uint64(first), np.uint64(until), other)
        top = max(top, equity_with(state, fixed, best, fewest))
        if is_paid and top > state[TOP]:
            return True
    highest = max(highest, top * (1 - drawdown))
    if not equity_with(state, fixed, state[SIGN] * low, most) > highest + NOISE * top:
        return True
    state[TOP] = top
    if day != counts[DAY_END]:
        counts[DAY_END], counts[DAY_FILLS], state[DAY_LEAST] = day, 0, least
    return False


@inlined
def follow_fill(stack: Stack, course: Course, deal: Deal, what: int) -> None:
    """Count what a fill was, unless nothing asked for it, and judge what that may make necessary.

    What the last fill of a day leaves is closed next, in the same moment.
    """
    state, counts = stack.state, stack.counts
    if what < ENDS_BY_LEVEL:
        counts[WATCHED] = deal.bar << PHASE_BITS | BEGINS
    if what == IS_CALLED:
        return
    if what != IS_CUT:
        counts[DAY_FILLS] += 1
        if counts[DAY_FILLS] >= course.gates.fills_max:
            halt(stack, int(counts[DAY_END]))
            if state[HELD] > 0:
                _close_rest(stack, deal)
                return
    if state[HELD] == 0:
        _judge_settled(stack, course, what == IS_CUT)


@inlined
def _close_rest(stack: Stack, deal: Deal) -> None:
    """Let what a fill leaves be closed at its price."""
    state, counts = stack.state, stack.counts
    counts[QUEUED], counts[JOINED], counts[FOLLOWED] = IS_CUT, -1, -1
    state[CALL_STEPS], state[LOWEST] = state[HELD], math.inf
    state[CALL_PRICE], state[CALL_LOW], state[CALL_FRESH] = deal.price, deal.low, deal.fresh
    if deal.opening > 0:
        state[CALL_PRICE], state[CALL_FRESH] = deal.entry_price, math.inf
        if deal.closing > 0:  # Nothing is left of before.
            state[CALL_LOW] = state[SIGN] * deal.entry_price


@inlined
def _judge_settled(stack: Stack, course: Course, was_cut: bool) -> None:
    """Judge what was realised where nothing is left."""
    state, counts = stack.state, stack.counts
    settled = course.fixed.capital + state[NET]
    floor = state[TOP] * (1 - course.gates.drawdown)
    is_full = counts[DAY_FILLS] >= course.gates.fills_max
    if was_cut and not is_full:
        # After a close by the loss of a day only an order that fills nothing asks for this.
        if counts[HALTED_UNTIL] != NEVER and settled <= floor + NOISE * state[TOP]:
            state[IS_UNSURE] = 1.0
        return
    if not is_full and settled <= state[DAY_LEAST]:
        halt(stack, int(counts[DAY_END]))
    if settled <= floor:
        halt(stack, NEVER)
