"""What a close decides of a stack: what it wants to close and to enter, and whether it may."""

import math

from engines.kernels._compiled import inlined
from engines.kernels.chains.columns import Given
from engines.kernels.chains.shares import share_of
from engines.kernels.machine.gates import passes_gates
from engines.kernels.slots import (
    DECISION_DAY,
    ENDS,
    ENTERS_LONG,
    ENTERS_SHORT,
    LEAVES_LONG,
    LEAVES_SHORT,
)
from engines.kernels.stacks.columns import (
    ENTRIES,
    FROM,
    HALTED_UNTIL,
    HELD,
    IS_OVER,
    LEAVES,
    NEVER,
    NOTHING,
    ORDER,
    ROW,
    ROW_BAR,
    SHARE,
    SIGN,
    Course,
    Stack,
)
from engines.kernels.stacks.fills import gains


@inlined
def timed_of(stack: Stack, course: Course) -> int:
    """Return the last close of the oldest row, by its age."""
    oldest = stack.rows[int(stack.counts[FROM]) * ROW + ROW_BAR]
    return int(oldest) + course.decides.held_max - 1


@inlined
def decide(stack: Stack, course: Course, bar: int, wish: int, is_timed: bool) -> int:
    """Return what the close of `bar` wants, by its wishes and the oldest row's age."""
    state, stacking = stack.state, course.stacking
    if bar == course.opens.bars - 1:
        return IS_OVER
    enters = ENTERS_LONG if wish & ENTERS_LONG != 0 else wish & ENTERS_SHORT
    if bar < course.decides.start:
        enters = NOTHING
    # One on a side that is not allowed closes what it finds, and may count.
    counts = enters if stacking.is_gated else enters & course.decides.enters
    if state[HELD] == 0:
        return counts
    is_long = state[SIGN] > 0
    leaves, turns = LEAVES_LONG, ENTERS_SHORT
    if not is_long:
        leaves, turns = LEAVES_SHORT, ENTERS_LONG
    if is_timed or wish & ENDS != 0:
        return counts | LEAVES
    if wish & leaves != 0 or enters == turns:
        if not stacking.only_in_profit or gains(stack, course, bar):
            return counts | LEAVES if wish & leaves != 0 else enters
        if enters == turns:
            return NOTHING
    # An entry that finds no room at its open is no fill, so what prices did goes on through it.
    is_full = stack.counts[ENTRIES] >= stacking.room
    is_full |= (not stacking.is_gated) & (state[HELD] >= course.fixed.room_steps)
    return NOTHING if is_full else counts


@inlined
def decide_waiting(stack: Stack, course: Course, bar: int, wish: int, is_timed: bool) -> int:
    """Return what the close of `bar` wants where entries wait, and withdraw the order if it must.

    An entry is placed whatever side the plan allows (`orders`).
    """
    state, stacking = stack.state, course.stacking
    if bar == course.opens.bars - 1:
        return IS_OVER
    enters = ENTERS_LONG if wish & ENTERS_LONG != 0 else wish & ENTERS_SHORT
    if bar < course.decides.start:
        enters = NOTHING
    if state[HELD] == 0:
        if wish & ENDS != 0:
            stack.counts[ORDER] = NEVER
        return enters
    leaves, same = LEAVES_LONG, ENTERS_LONG
    if state[SIGN] < 0:
        leaves, same = LEAVES_SHORT, ENTERS_SHORT
    is_left = is_timed or wish & ENDS != 0
    if not is_left and wish & leaves != 0:
        is_left = not stacking.only_in_profit or gains(stack, course, bar)
    if is_left:
        stack.counts[ORDER] = NEVER
        return enters | LEAVES
    is_full = stack.counts[ENTRIES] >= stacking.room
    is_refused = is_full if enters == same else stacking.only_in_profit
    return NOTHING if is_refused else enters


@inlined
def may_enter(stack: Stack, course: Course, given: Given, bar: int, place: int) -> bool:
    """Return whether rules let the wish at a place enter at the close of `bar`; note its share."""
    run, days = stack.run, course.days
    if bar < stack.counts[HALTED_UNTIL]:
        return False
    if course.shares.are_own:
        stop = given.stops[place] if len(given.stops) > 0 else math.nan
        stack.state[SHARE] = share_of(run, course.opens, course.shares, bar + 1, stop)
    if course.sizes.has_own_shares and stack.state[SHARE] <= 0:
        return False
    if not course.stacking.is_gated:
        return True
    if len(days.closes) > 0:
        run[DECISION_DAY] = days.closes[bar]
    return passes_gates(run, bar)
