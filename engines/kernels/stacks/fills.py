"""The fills of a stack: how an entry is sized and admitted, what a close and a reversal do.

Theory. A fill at a line costs what that says (`chains.columns`), whichever set asks. The size is
the lanes': a linear function of equity, in the reference's own order where that is too near to a
whole step (`passage.events`). Whether the account can pay an entry is asked as the reference asks
it, and in its order of operations: of the entry alone where it is placed, and of the position that
it makes where it fills (`engines/admission.py`). One that has no room under the largest position
opens nothing, and what has some is cut to it. The equity of a ruined account is noise, so a set
that enters with next to none is unsure.

An opposite position that was opened in the same bar is not held: that takes two decisions.
"""

import math

from engines.account import FUNDS_NOISE
from engines.kernels._compiled import inlined
from engines.kernels.chains.columns import (
    AT_LEVEL,
    LINE,
    LONG,
    MODE_BITS,
    MODE_MASK,
    O_CLOSE,
    O_OPEN,
    O_ORDERED,
    O_PRICE,
    ON_THE_WAY,
    SHORT,
    Opens,
    Sizes,
)
from engines.kernels.machine.gates import count_entry
from engines.kernels.passage.columns import Fixed
from engines.kernels.passage.events import STEPS_NOISE, exact_steps
from engines.kernels.passage.lanes import STEPS_MAX, SURE, fee
from engines.kernels.slots import ENTERS_LONG
from engines.kernels.stacks.columns import (
    AVERAGE,
    END_LOW,
    END_PRICE,
    END_WAY,
    ENTRY,
    ENTRY_END,
    ENTRY_STEPS,
    FEES_OPEN,
    FUNDING_OPEN,
    HELD,
    IS_UNSURE,
    LAST_BAR,
    LATE,
    LEAVES,
    NET,
    NEXT,
    NEXT_AT,
    NOTHING,
    OF_ALL,
    QTY,
    ROW,
    ROW_BAR,
    ROW_LOW,
    SETTLEMENT,
    SHARE,
    SIGN,
    STARTED,
    STARTED_WITH,
    TO,
    WANTED,
    Course,
    Deal,
    Stack,
)
from engines.kernels.stacks.parts import take_part
from engines.kernels.stacks.rounds import slack_of
from engines.kernels.stacks.rows import pay, qty_of
from engines.types import F64_1D


@inlined
def equity_at(state: F64_1D, price: float, fixed: Fixed) -> float:
    """Return the equity with what is open valued at `price`."""
    return equity_with(state, fixed, price, state[FUNDING_OPEN])


@inlined
def equity_with(state: F64_1D, fixed: Fixed, price: float, paid: float) -> float:
    """Return the same if what is open had `paid` this for funding."""
    equity = fixed.capital + (state[NET] - state[FEES_OPEN] - paid)
    if state[HELD] > 0:
        equity += (price - state[AVERAGE]) * (state[SIGN] * state[QTY]) * fixed.point_value
    return float(equity)


@inlined
def settle(stack: Stack, course: Course, bar: int, is_over: bool) -> None:
    """Settle funding as far as the fills of a bar's open, or the end of the bar if it `is_over`.

    What its fills are judged by is noted unless there were some, or the bar was settled before, or
    it `is_over` and none may come.
    """
    state, payments, opens, stacking = stack.state, course.payments, course.opens, course.stacking
    may_fill = stacking.waits or opens.lag != 0 or not is_over
    is_new = stack.counts[LAST_BAR] != bar and may_fill
    for phase in range(2 if is_over else 1):
        if len(payments.rates) > 0:
            stop = payments.after[bar] if phase == 0 else payments.before[bar + 1]
            is_new &= phase > 0 or stack.counts[SETTLEMENT] <= stop
            pay(stack, payments, course.fixed, int(stop))
        if phase == 0 and is_new:
            state[STARTED] = equity_at(state, opens.lines[bar * LINE + O_CLOSE], course.fixed)


@inlined
def steps_for(
    ordered: float, equity: float, share: float, slack: float, fixed: Fixed, sizes: Sizes
) -> float:
    """Return the steps that an entry asks for which reckons with a price, and may spend a share.

    A share that is known to `slack` buys infinitely many if its whole steps are not.
    """
    if sizes.is_by_cash:
        qty = sizes.cash / (ordered * fixed.point_value)
        return float(math.floor(qty * fixed.step_under / fixed.step_over))
    if not sizes.is_by_equity:
        return sizes.steps
    unit = ordered * fixed.point_value * sizes.factor + sizes.added
    steps_a_quote = fixed.step_under / fixed.step_over / unit
    wanted = equity * (share * fixed.leverage * steps_a_quote) - fixed.order_fee * steps_a_quote
    steps = float(math.floor(wanted))
    part = wanted - steps
    if min(part, 1.0 - part) <= STEPS_NOISE * (wanted + 1.0):
        steps = exact_steps(
            equity, share - slack, fixed.order_fee, unit, fixed.step_over, fixed.step_under,
            fixed.leverage,
        )  # fmt: skip # one call
        if slack > 0 and steps != exact_steps(
            equity, share + slack, fixed.order_fee, unit, fixed.step_over, fixed.step_under,
            fixed.leverage,
        ):  # fmt: skip # one call
            return math.inf
    return steps


@inlined
def place_order(stack: Stack, course: Course, line: int, what: int) -> int:
    """Place the entry that a close wishes for, before a line; return what happens there then.

    One that cannot be paid or is too small still closes an opposite position; so does one on a side
    that the plan does not allow. What opens is left in WANTED.
    """
    state, lines, fixed = stack.state, course.opens.lines, course.fixed
    side = LONG if what & ENTERS_LONG != 0 else SHORT
    sign, close = 1.0 - 2.0 * side, lines[line * LINE + O_CLOSE]
    turns = state[HELD] > 0 and state[SIGN] != sign and what & LEAVES == 0
    equity, ordered = equity_at(state, close, fixed), lines[line * LINE + O_ORDERED + side]
    wanted = wanted_for(stack, course, ordered, equity, state[SHARE])
    is_large = is_large_enough(fixed, wanted, close)
    can_pay = not lacks_funds(fixed, side, wanted, ordered, equity)
    if course.stacking.is_gated and (turns or (can_pay and (is_large or state[HELD] > 0))):
        count_entry(stack.run)
    is_allowed = what & course.decides.enters != 0
    state[WANTED] = wanted if is_large and can_pay and is_allowed else 0.0
    if state[WANTED] > 0:
        return what
    return LEAVES if turns or what & LEAVES != 0 else NOTHING


@inlined
def wanted_for(
    stack: Stack, course: Course, ordered: float, equity: float, share: float
) -> float:  # fmt: skip # one list
    """Return the steps that an entry asks for; a set that cannot know them is unsure."""
    slack = slack_of(stack.run)
    wanted = steps_for(ordered, equity, share, slack, course.fixed, course.sizes)
    if not wanted <= STEPS_MAX:  # which are not known, or too many
        stack.state[IS_UNSURE] = 1.0
    return max(0.0, wanted)


@inlined
def is_large_enough(fixed: Fixed, steps: float, close: float) -> bool:
    """Return whether an entry reaches one step and the instrument's minima."""
    qty = qty_of(fixed, steps)
    is_large = (steps >= 1.0) & (qty >= fixed.qty_min)
    return bool(is_large & (qty * close * fixed.point_value >= fixed.notional_min))


@inlined
def lacks_funds(fixed: Fixed, side: int, steps: float, price: float, equity: float) -> bool:
    """Return whether equity cannot cover the margin of a position of `steps`."""
    ratio = fixed.margin_long if side == LONG else fixed.margin_short
    needed = qty_of(fixed, steps) * price * fixed.point_value * ratio
    return needed - equity > FUNDS_NOISE * abs(equity)


@inlined
def _lacks_where_it_fills(
    stack: Stack, course: Course, line: int, side: int, opening: float, price: float,
    is_at_open: bool,
) -> bool:  # fmt: skip # where it fills, then how
    """Return whether the account cannot carry what an entry opens, by the rule of `admission`."""
    state, fixed, lag = stack.state, course.fixed, course.opens.lag
    sign, held = 1.0 - 2.0 * side, state[SIGN] * state[HELD]
    equity, start, same = equity_at(state, price, fixed), held, max(0.0, held * sign)
    if abs(equity) <= fixed.capital * (1 - SURE):
        state[IS_UNSURE] = 1.0
    if equity <= 0:
        return True
    if course.stacking.is_exact:
        lacks = lacks_funds(fixed, side, opening + same, price, equity)
        return lacks or (fixed.is_isolated and _lacks_earned(state, fixed, sign, opening, price))
    if stack.counts[LAST_BAR] == line - lag:
        start = state[STARTED_WITH]
    if held * sign >= 0 and start * sign < 0:
        return False
    if held == start and is_at_open:
        equity = state[STARTED]
    if not lacks_funds(fixed, side, opening + same, price, equity):
        return False
    before = max(0.0, start * sign)
    return held == start or lacks_funds(fixed, side, opening + before, price, state[STARTED])


@inlined
def _lacks_earned(state: F64_1D, fixed: Fixed, sign: float, opening: float, price: float) -> bool:
    """Return whether an isolated entry needs more margin than has been earned for good."""
    value = qty_of(fixed, opening) * price * fixed.point_value
    owned = fixed.capital + (state[NET] - state[FEES_OPEN] - state[FUNDING_OPEN])
    if state[HELD] > 0 and state[SIGN] == sign:
        value += state[QTY] * state[AVERAGE] * fixed.point_value
    elif state[HELD] > 0:
        owned += (price - state[AVERAGE]) * (state[SIGN] * state[QTY]) * fixed.point_value
    return bool(value / fixed.leverage - owned > FUNDS_NOISE * abs(owned))


@inlined
def close_at_level(stack: Stack, course: Course, line: int) -> Deal:
    """Return what closes where the levels of the entry that comes first end it."""
    state, fixed, number = stack.state, course.fixed, int(stack.counts[NEXT])
    first = number * ENTRY + ENTRY_END
    price, low = stack.entries[first + END_PRICE], stack.entries[first + END_LOW]
    mode, way = int(stack.counts[NEXT_AT]) & MODE_MASK, stack.entries[first + END_WAY]
    fresh, late = low, int(stack.counts[LATE])
    if mode == AT_LEVEL:
        fresh = math.inf
    elif late >> MODE_BITS == line:
        part = (late & MODE_MASK) - ON_THE_WAY
        fresh = lowest_on_way(course.opens, line, part, mode - ON_THE_WAY, way, state[SIGN])
    elif low >= state[SIGN] * course.opens.lines[line * LINE + O_OPEN] and not _came_back(
        mode - ON_THE_WAY, way * state[SIGN]
    ):
        fresh = state[SIGN] * abs(way)
    youngest = (int(stack.counts[TO]) - 1) * ROW
    if mode >= ON_THE_WAY and stack.rows[youngest + ROW_BAR] == line:
        # The price has stood there since that entered, at whatever its close will be.
        low_then = min(stack.rows[youngest + ROW_LOW], state[SIGN] * abs(way))
        stack.rows[youngest + ROW_LOW] = low_then
    steps = stack.entries[number * ENTRY + ENTRY_STEPS]
    if course.portions.targets > 0:
        steps = take_part(stack, course, number)
    steps = state[HELD] if course.stacking.closes_all else steps
    share = fee(fixed, qty_of(fixed, steps), price) * steps / steps
    return Deal(line, number, steps, price, share, low, fresh, 0.0, 0.0, 0.0, 0.0)


@inlined
def lowest_on_way(
    opens: Opens, bar: int, first: int, last: int, way: float, sign: float
) -> float:  # fmt: skip # one list
    """Return the lowest signed price from some part of a bar's way on to a level on the last one.

    Where the first part began does not count.
    """
    opened, low_most = opens.lines[bar * LINE + O_OPEN], sign * abs(way)
    high, low = opens.reach[bar, 0], opens.reach[bar, 1]
    is_high_first = high - opened < opened - low
    for part in range(first, last):
        low_most = min(low_most, sign * (high if (part == 0) == is_high_first else low))
    return float(low_most)


@inlined
def _came_back(part: int, way: float) -> bool:
    """Return whether the way has been at the bar's worse extreme, which may be its open itself.

    `part` is that on which the level is met, `way` positive where it goes with the position.
    """
    return part == 2 or (part == 1 and way > 0)


@inlined
def close_at_line(stack: Stack, course: Course, line: int) -> Deal:
    """Return what closes at a line for itself: all."""
    state, lines, fixed = stack.state, course.opens.lines, course.fixed
    held, low = state[HELD], state[SIGN] * lines[line * LINE + O_OPEN]
    price = lines[line * LINE + O_PRICE + (SHORT if state[SIGN] > 0 else LONG)]
    share = fee(fixed, qty_of(fixed, held), price) * held / held
    return Deal(line, OF_ALL, held, price, share, low, low, 0.0, 0.0, 0.0, 0.0)


@inlined
def enter_at_line(stack: Stack, course: Course, line: int, what: int) -> Deal:
    """Return what the entry that is queued opens at a line, and closes on the other side."""
    lines, side = course.opens.lines, LONG if what & ENTERS_LONG != 0 else SHORT
    low, price = lines[line * LINE + O_OPEN], lines[line * LINE + O_PRICE + side]
    low *= stack.state[SIGN]
    return enter_at(stack, course, line, side, price, low, course.opens.lag == 0)


@inlined
def enter_at(
    stack: Stack, course: Course, line: int, side: int, price: float, low: float, is_at_open: bool
) -> Deal:
    """Return what an entry of WANTED steps opens and closes at a price, if it may.

    `low` is the lowest signed price of its bar until then.
    """
    state, fixed, sign = stack.state, course.fixed, 1.0 - 2.0 * side
    same = state[HELD] if state[SIGN] == sign else 0.0
    closing = state[HELD] - same
    opening = min(state[WANTED], max(0.0, fixed.room_steps - same))
    if qty_of(fixed, opening + same) * price * fixed.point_value > fixed.value_max:
        opening = 0.0
    if opening > 0 and _lacks_where_it_fills(
        stack, course, line, side, opening, price, is_at_open
    ):  # fmt: skip # one call
        opening = closing = 0.0
    total = closing + opening
    paid = fee(fixed, qty_of(fixed, total), price)
    return Deal(
        line, OF_ALL, closing, price, paid * closing / total, low, low, opening, sign, price,
        paid * opening / total,
    )  # fmt: skip # the order of its fields


@inlined
def gains(stack: Stack, course: Course, bar: int) -> bool:
    """Return whether the position would bring anything if it closed at the close of `bar`."""
    state, fixed = stack.state, course.fixed
    close = course.opens.lines[(bar + 1) * LINE + O_CLOSE]
    paid = fee(fixed, qty_of(fixed, state[HELD]), close)
    gross = (close - state[AVERAGE]) * (state[SIGN] * state[QTY]) * fixed.point_value
    return bool(gross - state[FEES_OPEN] - state[FUNDING_OPEN] - paid > 0)
