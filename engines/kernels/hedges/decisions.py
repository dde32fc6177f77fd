"""What a close decides of a side: what it leaves and enters, and how much.

Theory. An entry spends a share of what both sides have earned and of what both positions are worth
at the deciding close. Rules that look back, and Kelly's share, ask what has become of the side's
own positions. A set is unsure where an entry comes near to what the account can pay or to the least
size.
"""

import math

from engines.kernels._compiled import inlined
from engines.kernels.chains.columns import LINE, O_CLOSE, O_OPEN, O_ORDERED, O_PRICE
from engines.kernels.chains.shares import share_of
from engines.kernels.hedges.columns import (
    ENTRY,
    FEE,
    FUNDING_OPEN,
    IS_UNSURE,
    LEAVES,
    NET,
    NO_ENTRY,
    PRICE,
    QTY,
    SHARE,
    TIMED,
    WANTED,
    Course,
    Sides,
)
from engines.kernels.machine.gates import count_entry, passes_gates
from engines.kernels.passage.columns import Fixed
from engines.kernels.passage.lanes import STEPS_MAX, SURE, fee
from engines.kernels.slots import (
    DECISION_DAY,
    ENDS,
    ENTERS_LONG,
    ENTERS_SHORT,
    LEAVES_LONG,
    LEAVES_SHORT,
)
from engines.kernels.stacks.fills import steps_for
from engines.kernels.stacks.rounds import slack_of
from engines.types import F64_1D, I64_1D


@inlined
def decide(course: Course, sides: Sides, bar: int, wish: int, side: int) -> bool:
    """Let a side decide at a close; return whether it wants anything."""
    now, held = sides.now, sides.held
    leaves, enters = LEAVES_LONG, ENTERS_LONG
    if side != 0:
        leaves, enters = LEAVES_SHORT, ENTERS_SHORT
    is_held = now[ENTRY + side] != NO_ENTRY
    is_left = is_held and (wish & ENDS != 0 or now[TIMED + side] == bar)
    if is_held and not is_left and wish & leaves != 0:
        is_left = not course.looks.only_in_profit or _gains(course, sides, bar, side)
    now[LEAVES + side] = 1 if is_left else 0
    held[WANTED + side] = 0.0
    may_enter = wish & enters & course.decides.enters != 0 and bar >= course.decides.start
    if may_enter and (is_left or not is_held) and _passes(course, sides, bar, side):
        held[WANTED + side] = _steps_for(course, sides, bar, side)
        if course.looks.is_gated:
            count_entry(sides.runs[side])
    return is_left or held[WANTED + side] > 0


@inlined
def _gains(course: Course, sides: Sides, bar: int, side: int) -> bool:
    """Return whether the position of a side would bring anything at the close of a bar."""
    held, fixed = sides.held, course.fixed
    close, qty = course.opens.lines[(bar + 1) * LINE + O_CLOSE], held[QTY + side]
    gross = (close - held[PRICE + side]) * ((1.0 - 2.0 * side) * qty) * fixed.point_value
    paid = fee(fixed, qty, close)
    return bool(gross - held[FEE + side] - held[FUNDING_OPEN + side] - paid > 0)


@inlined
def _passes(course: Course, sides: Sides, bar: int, side: int) -> bool:
    """Return whether rules let a side enter at the close of a bar; note its share."""
    run, days = sides.runs[side], course.days
    if course.shares.are_own:
        share = share_of(run, course.opens, course.shares, bar + 1, math.nan)
        sides.held[SHARE + side] = share
    if course.sizes.has_own_shares and sides.held[SHARE + side] <= 0:
        return False
    if not course.looks.is_gated:
        return True
    if len(days.closes) > 0:
        run[DECISION_DAY] = days.closes[bar]
    return passes_gates(run, bar)


@inlined
def settled_of(held: F64_1D, side: int) -> float:
    """Return the net result of what a side has closed, less what its position has paid so far."""
    return float(held[NET + side] - held[FEE + side] - held[FUNDING_OPEN + side])


@inlined
def _equity(held: F64_1D, now: I64_1D, fixed: Fixed, side: int, close: float) -> float:
    """Return the equity at a close, added up as the side that decides adds."""
    other = 1 - side
    equity = fixed.capital + (settled_of(held, side) + settled_of(held, other))
    for at in range(2):
        own = side if at == 0 else other
        if now[ENTRY + own] != NO_ENTRY:
            qty = held[QTY + own] * (1.0 - 2.0 * own)
            equity += (close - held[PRICE + own]) * qty * fixed.point_value
    return float(equity)


@inlined
def _steps_for(course: Course, sides: Sides, bar: int, side: int) -> float:
    """Return the steps of an entry that is decided at the close of a bar."""
    fixed, held = course.fixed, sides.held
    line = (bar + 1) * LINE
    ordered, close = course.opens.lines[line + O_ORDERED + side], course.opens.lines[line + O_CLOSE]
    equity, share = _equity(held, sides.now, fixed, side, close), held[SHARE + side]
    steps = steps_for(ordered, equity, share, slack_of(sides.runs[side]), fixed, course.sizes)
    opening = min(steps, fixed.room_steps)
    qty = opening * fixed.step_over / fixed.step_under
    is_sound = opening >= 1.0 and steps <= STEPS_MAX and qty >= fixed.qty_min
    is_sound = is_sound and qty * close * fixed.point_value >= fixed.notional_min
    if not (is_sound and _can_pay(course, sides, line, side, steps, equity)):
        held[IS_UNSURE] = 1.0
        return 0.0
    return opening


@inlined
def _can_pay(
    course: Course, sides: Sides, line: int, side: int, steps: float, equity: float
) -> bool:
    """Return whether the account surely carries an entry, where it is decided and where it fills.

    Beside what the other side holds; it may close at the same open, which only frees margin.
    """
    fixed, held, lines, other = course.fixed, sides.held, course.opens.lines, 1 - side
    price, opened = lines[line + O_PRICE + side], lines[line + O_OPEN]
    high = max(max(price, opened), max(lines[line + O_ORDERED + side], lines[line + O_CLOSE]))
    qty, unit = steps * fixed.step_size, fixed.point_value
    own, theirs = fixed.margin_long, fixed.margin_short
    if side != 0:
        own, theirs = theirs, own
    fees = fee(fixed, qty, price) + fee(fixed, held[QTY], high) + fee(fixed, held[QTY + 1], high)
    cost, other_qty = qty * high * unit, held[QTY + other]
    needed = cost * own + other_qty * high * unit * theirs + fees
    at_fill = _equity(held, sides.now, fixed, side, price)
    lost, worse = 0.0, 0.0
    for at in range(2):
        if sides.now[ENTRY + at] != NO_ENTRY:
            left_at = lines[line + O_PRICE + 1 - at]  # what it closes at, if it does at this open
            sign = 1.0 - 2.0 * at
            lost += max(0.0, sign * (held[PRICE + at] - left_at)) * held[QTY + at] * unit
            worse += max(0.0, sign * (price - left_at)) * held[QTY + at] * unit
    due = _due_before(course, sides, line // LINE)
    lost += due
    settled = fixed.capital + settled_of(held, 0) + settled_of(held, 1) - lost
    values = (cost + other_qty * held[PRICE + other] * unit) / fixed.leverage + fees
    owned = min(min(equity, at_fill), at_fill - abs(price - opened) * qty * unit - worse)
    owned -= due
    return bool(
        needed <= owned * SURE and values <= settled * SURE and cost <= fixed.value_max * SURE
    )


@inlined
def _due_before(course: Course, sides: Sides, line: int) -> float:
    """Return the most that both sides pay for funding between a close and the fills behind it."""
    payments, qty, due = course.payments, sides.held[QTY] + sides.held[QTY + 1], 0.0
    if len(payments.rates) > 0:
        for place in range(payments.before[line], payments.after[line]):
            value = qty * payments.prices[place] * course.fixed.point_value
            due += value * abs(payments.rates[place])
    return due
