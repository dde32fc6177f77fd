"""The fills of a stack at an open: how an entry is sized, what a close and a reversal do.

Theory. A fill at an open costs what its line says (`chains.columns`), whichever set asks. The size
is the lanes': a linear function of equity, in the reference's own order where that is too near to a
whole step (`passage.events`). An entry that is not far from what the account can pay, or from what
the instrument takes, makes the set unsure. One that has no room under the largest position opens
nothing, and what has some is cut to it.
"""

import math

from engines.kernels._compiled import inlined
from engines.kernels.chains.columns import (
    AT_LEVEL,
    LINE,
    LONG,
    MODE_MASK,
    O_CLOSE,
    O_OPEN,
    O_ORDERED,
    O_PRICE,
    ON_THE_WAY,
    SHORT,
    Sizes,
)
from engines.kernels.passage.columns import Fixed
from engines.kernels.passage.events import STEPS_NOISE, exact_steps
from engines.kernels.passage.lanes import STEPS_MAX, SURE, fee
from engines.kernels.slots import ENTERS, ENTERS_LONG
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
    LEAVES,
    NET,
    NEXT,
    NEXT_AT,
    OF_ALL,
    QTY,
    SIGN,
    Course,
    Deal,
    Stack,
)
from engines.kernels.stacks.rows import qty_of
from engines.types import F64_1D


@inlined
def equity_at(state: F64_1D, price: float, fixed: Fixed) -> float:
    """Return the equity with what is open valued at `price`."""
    equity = fixed.capital + (state[NET] - state[FEES_OPEN] - state[FUNDING_OPEN])
    if state[HELD] > 0:
        equity += (price - state[AVERAGE]) * (state[SIGN] * state[QTY]) * fixed.point_value
    return float(equity)


@inlined
def steps_for(
    lines: F64_1D, line: int, side: int, equity: float, fixed: Fixed, sizes: Sizes
) -> float:
    """Return the steps that the deciding close of a line asks for."""
    ordered = lines[line * LINE + O_ORDERED + side]
    if sizes.is_by_cash:
        qty = sizes.cash / (ordered * fixed.point_value)
        return float(math.floor(qty * fixed.step_under / fixed.step_over))
    if not sizes.is_by_equity:
        return sizes.steps
    unit = ordered * fixed.point_value * sizes.factor + sizes.added
    steps_a_quote = fixed.step_under / fixed.step_over / unit
    wanted = equity * (fixed.share * steps_a_quote) - fixed.order_fee * steps_a_quote
    steps = float(math.floor(wanted))
    part = wanted - steps
    if min(part, 1.0 - part) <= STEPS_NOISE * (wanted + 1.0):
        steps = exact_steps(
            equity, fixed.share, fixed.order_fee, unit, fixed.step_over, fixed.step_under
        )  # fmt: skip # one call
    return steps


@inlined
def margin_of(
    lines: F64_1D, line: int, side: int, wanted: float, same: float, fixed: Fixed
) -> float:
    """Return the margin of an entry beside what is held on its side, NaN if it may be refused.

    It may be by the instrument.
    """
    first = line * LINE
    price, close = lines[first + O_PRICE + side], lines[first + O_CLOSE]
    ratio = fixed.margin_long if side == LONG else fixed.margin_short
    qty = qty_of(fixed, wanted)
    is_sound = (wanted >= 1.0) & (wanted <= STEPS_MAX) & (qty >= fixed.qty_min)
    is_sound &= qty * close * fixed.point_value >= fixed.notional_min
    need = max(price, lines[first + O_ORDERED + side]) * fixed.point_value * ratio
    return float((qty_of(fixed, same) + qty) * need) if is_sound else math.nan


@inlined
def judge(state: F64_1D, needed: float, owned: float, capital: float) -> None:
    """Mark the set unsure if the account may not take an entry, or is nearly empty."""
    if not (needed <= owned * SURE and owned > capital * (1 - SURE)):
        state[IS_UNSURE] = 1.0


@inlined
def close_at_level(stack: Stack, course: Course, bar: int) -> Deal:
    """Return what closes where the levels of the entry that comes first end it, in `bar`."""
    state, fixed, number = stack.state, course.fixed, int(stack.counts[NEXT])
    first = number * ENTRY + ENTRY_END
    price, low = stack.entries[first + END_PRICE], stack.entries[first + END_LOW]
    mode, way = int(stack.counts[NEXT_AT]) & MODE_MASK, stack.entries[first + END_WAY]
    fresh = low
    if mode == AT_LEVEL:
        fresh = math.inf
    elif low >= state[SIGN] * course.opens.lines[bar * LINE + O_OPEN] and not _came_back(
        mode - ON_THE_WAY, way * state[SIGN]
    ):
        fresh = state[SIGN] * abs(way)
    steps = stack.entries[number * ENTRY + ENTRY_STEPS]
    steps = state[HELD] if course.stacking.closes_all else steps
    share = fee(fixed, qty_of(fixed, steps), price) * steps / steps
    return Deal(bar, number, steps, price, share, low, fresh, 0.0, 0.0, 0.0, 0.0, 0.0)


@inlined
def _came_back(part: int, way: float) -> bool:
    """Return whether the way has been at the bar's worse extreme, which may be its open itself.

    `part` is that on which the level is met, `way` positive where it goes with the position.
    """
    return part == 2 or (part == 1 and way > 0)


@inlined
def trade_at_open(
    stack: Stack, course: Course, line: int, what: int, equity: float, owned: float
) -> Deal:
    """Return what is closed and opened at the open of a line.

    `equity` is that of the deciding close, and `owned` what the account can count on.
    """
    state, lines, fixed = stack.state, course.opens.lines, course.fixed
    held, leaves, enters = state[HELD], what & LEAVES != 0, what & ENTERS != 0
    side = LONG if what & ENTERS_LONG != 0 else SHORT
    sign = 1.0 if side == LONG else -1.0
    is_same = held > 0 and state[SIGN] == sign and not leaves
    closing, same = 0.0 if is_same else held, held if is_same else 0.0
    opening, needed = 0.0, 0.0
    if enters and same < fixed.room_steps:
        wanted = steps_for(lines, line, side, equity, fixed, course.sizes)
        needed = margin_of(lines, line, side, wanted, same, fixed)
        opening = min(wanted, fixed.room_steps - same)
        if is_same:
            owned = min(owned, equity_at(state, lines[line * LINE + O_PRICE + side], fixed))
        judge(state, needed, owned, fixed.capital)
    exits = lines[line * LINE + O_PRICE + (SHORT if state[SIGN] > 0 else LONG)]
    joint = 0.0 if leaves or closing == 0 else opening
    total, price = closing + joint, lines[line * LINE + O_PRICE + side]
    exit_paid = fee(fixed, qty_of(fixed, total), exits)
    paid = exit_paid if joint > 0 else fee(fixed, qty_of(fixed, opening), price)
    of_steps = total if joint > 0 else opening
    low = state[SIGN] * lines[line * LINE + O_OPEN]
    return Deal(
        line, OF_ALL, closing, exits, exit_paid * closing / total, low, low, opening, sign, price,
        paid * opening / of_steps, needed,
    )  # fmt: skip # the order of its fields
