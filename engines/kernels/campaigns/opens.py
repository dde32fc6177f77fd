"""What happens to campaigns at opens: they begin, end, or turn into that of the other side.

Theory. A close decides with what the account is worth there, the open position included, and the
next open fills. Both fills of a reversal are one, whose commission is shared by quantity; another
reason to close leaves each fill to itself. Funding is settled between: the close has seen what came
until then, the open's fills what comes ahead of them.

A flat account that cannot carry an entry, or not one step of it, passes the wish over. So does a
position that would reverse into an entry of not one step, or into one that the account cannot pay
where it fills: it lives on with the rungs and the terms that it had. Any other entry that may not
open closes it all the same.

Where what a close decides fills at that close, that is the open here, the last of a bar's prices.
"""

import math

from engines.kernels._compiled import apart, inlined, rule
from engines.kernels.campaigns.columns import (
    ALONE_FROM,
    BARS,
    CLOSE_THEN,
    COURSE_LINE,
    ENTRY_BAR,
    EQUITY_THEN,
    FUNDED_MAX,
    HALTED_UNTIL,
    HELD,
    IS_DUE,
    IS_LATE,
    IS_LIMITED,
    IS_NEW,
    IS_UNSURE,
    IS_WALKED,
    KNOWS,
    LAG,
    LEG_DOWN,
    LEG_UP,
    LOWEST,
    MONEY_SHARE,
    MONTH_NOW,
    NEAR_DOWN,
    NEAR_UP,
    NET_BEFORE,
    NEXT_BAR,
    OVER,
    PAYS_END,
    SLIP_THEN,
    STARTED,
    WORST,
)
from engines.kernels.campaigns.fills import (
    drop_rung,
    fee_of_qty,
    find_nearest,
    note_distances,
    open_lot,
    pay_until,
    set_waits,
    skip_until,
)
from engines.kernels.campaigns.gates import count_placed
from engines.kernels.campaigns.limits import end_trading, heed_fill, is_drawn_at
from engines.kernels.campaigns.margin import equity_held, is_refused, judge_cover, note_start
from engines.kernels.campaigns.moves import begin_moves
from engines.kernels.campaigns.sizes import cannot_pay, is_too_small, order_steps
from engines.kernels.campaigns.tally import close_lots, find_lowest, mark_stretch
from engines.kernels.chains.columns import (
    LINE,
    LONG,
    O_CLOSE,
    O_MONTH,
    O_OPEN,
    O_PRICE,
    O_SLIP,
    SHORT,
)
from engines.kernels.columns import F64_2D, Run
from engines.kernels.machine.admission import is_too_large
from engines.kernels.money import due_price, expected_slip
from engines.kernels.rounding import qty_of
from engines.kernels.slots import (
    BAR,
    BUDGET_RATIO,
    CALLS_MARGIN,
    LAST_FILL_BAR,
    LEVERAGE,
    LOTS,
    NET,
    ROOM,
    ROOM_STEPS,
    RUNGS,
    SLIP_NOW,
    START_EQUITY,
    START_STEPS,
    STEPS,
    WISH_ATR,
    WISH_SHARE,
)
from engines.types import F64_1D


@rule
def close_of(run: Run, lines: F64_1D, bar: int) -> float:
    """Return the close of a bar, which stands on the line of the next."""
    is_last = bar + 1 >= int(run[BARS])
    return float(lines[(bar + 1) * LINE + (O_PRICE if is_last else O_CLOSE)])


@rule
def price_of(lines: F64_1D, bar: int, side: float) -> float:
    """Return what a fill on this side costs at an open."""
    return float(lines[bar * LINE + O_PRICE + (LONG if side > 0 else SHORT)])


@rule
def decide_at(run: Run, lines: F64_1D, bar: int, side: float) -> float:
    """Reckon at a close with what it decides; return the steps of the entry."""
    return _decide(run, bar, side, close_of(run, lines, bar), lines[(bar + 1) * LINE + O_SLIP])


@apart
def _decide(run: Run, bar: int, side: float, close: float, slip: float) -> float:
    if run[PAYS_END] != 0 and run[STEPS] != 0:
        pay_until(run, 2.0 * bar + 1.0)
    run[CLOSE_THEN], run[EQUITY_THEN] = close, equity_held(run, close)
    run[SLIP_THEN] = slip
    if run[WISH_SHARE] == run[WISH_SHARE]:  # An entry has a share of its own, as its rungs have.
        run[BUDGET_RATIO] = run[WISH_SHARE]
        run[MONEY_SHARE] = run[WISH_SHARE] * run[LEVERAGE]
    return order_steps(run, 0, side)


@rule
def _can_be_paid(run: Run, steps: float, side: float) -> bool:
    """Return whether the account can pay an entry at the close that was reckoned with."""
    close = run[CLOSE_THEN]
    price = close + expected_slip(run, side, close, run[SLIP_THEN])
    return steps > 0 and not cannot_pay(run, steps, side, price, run[EQUITY_THEN])


@rule
def _is_placed(run: Run, steps: float, side: float) -> bool:
    """Return whether an entry beside a position is placed after the close that was reckoned with.

    It may be of no step where it is no ladder's.
    """
    if steps > 0 or run[RUNGS] > 0:
        return _can_be_paid(run, steps, side)
    return not cannot_pay(run, steps, side, run[CLOSE_THEN], run[EQUITY_THEN])


@rule
def _can_be_issued(run: Run, steps: float, side: float) -> bool:
    """Return whether an entry of so many steps may open after the close that was reckoned with."""
    return _can_be_paid(run, steps, side) and not is_too_small(run, steps)


@rule
def _start(run: Run, lines: F64_1D, line: int) -> None:
    """Note what the account starts the bar of a line's fills with."""
    bar = int(line - run[LAG])
    note_start(run, bar, lines[bar * LINE + O_CLOSE])


@rule
def _start_as_decided(run: Run, lines: F64_1D, line: int) -> None:
    """Note the same where the close before has just been reckoned with."""
    is_same = run[LAG] == 0 and run[PAYS_END] == 0
    if is_same or run[STEPS] == 0:
        if run[STARTED] != line - run[LAG]:
            run[STARTED], run[START_STEPS] = line - run[LAG], run[STEPS]
            run[START_EQUITY] = run[EQUITY_THEN]
    else:
        _start(run, lines, line)


@rule
def _opening(run: Run, steps: float, side: float, price: float) -> float:
    """Return how much of an entry a flat account opens at a price, 0 where it may not."""
    opening = min(steps, run[ROOM_STEPS])
    return 0.0 if opening <= 0 or is_refused(run, side, opening, price, run[LAG] == 0) else opening


@inlined
def enter(run: Run, lines: F64_1D, reach: F64_2D, bar: int, side: float) -> None:
    """Enter at the open after a close, if the account is flat and can."""
    steps = decide_at(run, lines, bar, side)
    price = price_of(lines, bar + 1, side)
    if not _can_be_issued(run, steps, side):
        return
    count_placed(run)
    _start_as_decided(run, lines, bar + 1)
    opening = _opening(run, steps, side, price)
    if opening <= 0:
        return
    run[BAR] = bar + 1
    mark_stretch(run, reach, bar + 1)
    if run[PAYS_END] != 0:
        skip_until(run, 2.0 * (bar + 1) - run[LAG])
    qty = qty_of(run, opening)
    begin(run, side, opening, qty, price, fee_of_qty(run, qty, price) * opening / opening)


@apart
def begin(run: Run, side: float, steps: float, qty: float, price: float, paid: float) -> None:
    """Begin a campaign with a fill at the open of this bar that has paid `paid`."""
    run[ENTRY_BAR] = run[NEXT_BAR] = run[COURSE_LINE] = run[BAR]
    run[LAST_FILL_BAR], run[IS_WALKED] = run[BAR] - run[LAG], run[LAG]
    run[LEG_UP], run[LEG_DOWN], run[LOWEST] = math.inf, -math.inf, math.inf
    begin_moves(run)
    run[IS_LATE] = run[IS_DUE] = run[FUNDED_MAX] = 0.0
    run[NET_BEFORE], run[ALONE_FROM] = run[NET], run[BAR]
    if run[WISH_ATR] == run[WISH_ATR]:
        note_distances(run)
    open_lot(run, side, steps, qty, price, paid, False)
    if run[KNOWS] != 0:
        run[IS_NEW] = 1.0
        return
    set_waits(run, side)
    if run[LAG] != 0 and not run[NEAR_DOWN] < side * run[CLOSE_THEN] < run[NEAR_UP]:
        run[IS_UNSURE] = 1.0  # What the close has passed fills there too.


@rule
def _reach(run: Run, lines: F64_1D, line: int) -> None:
    """Come with a position to the fills of a line."""
    if run[PAYS_END] != 0:
        pay_until(run, 2.0 * line - run[LAG])
    _start(run, lines, line)


@rule
def _reach_as_decided(run: Run, lines: F64_1D, line: int) -> None:
    """Come to the fills of a line where the close before has just been reckoned with."""
    if run[PAYS_END] != 0:
        pay_until(run, 2.0 * line - run[LAG])
    _start_as_decided(run, lines, line)


@rule
def _stand_at(run: Run, lines: F64_1D, reach: F64_2D, bar: int, side: float) -> None:
    """Stand with a position of this side at the open of a bar, ahead of its fills."""
    _reach(run, lines, bar)
    run[BAR] = run[OVER] = bar
    run[WORST] = side * lines[bar * LINE + O_OPEN]
    run[LOWEST] = min(run[LOWEST], run[WORST])
    mark_stretch(run, reach, int(bar - run[LAG]))
    run[LAST_FILL_BAR] = bar - run[LAG]
    run[MONTH_NOW] = lines[bar * LINE + O_MONTH]


@apart
def close_at(run: Run, lines: F64_1D, reach: F64_2D, bar: int, side: float) -> None:
    """Close the position at the open of a bar."""
    _stand_at(run, lines, reach, bar, side)
    if is_drawn_at(run, lines, bar, side):
        run[SLIP_NOW] = lines[bar * LINE + O_SLIP]
        end_trading(run, reach, side, side * lines[bar * LINE + O_OPEN])
        return
    held, price = abs(run[STEPS]), price_of(lines, bar, -side)
    paid = fee_of_qty(run, abs(run[HELD]), price)
    close_lots(run, reach, side, price, paid * held / held)
    if run[IS_LIMITED] != 0:
        heed_fill(run)


@apart
def note_passed(run: Run, lines: F64_1D, bar: int, side: float) -> None:
    """Note whether the close of a bar has passed the target that holds since then.

    It fills there, behind what that close decides.
    """
    if bar < run[BARS] - run[LAG] and run[LEG_UP] <= side * close_of(run, lines, bar):
        run[IS_DUE] = 1.0


@apart
def close_late(run: Run, lines: F64_1D, reach: F64_2D, bar: int, side: float) -> None:
    """Close by the late target that holds since the close of a bar, which has passed it, there."""
    _stand_at(run, lines, reach, bar + 1, side)
    held, price = abs(run[STEPS]), due_price(run, close_of(run, lines, bar))
    paid = fee_of_qty(run, abs(run[HELD]), price)
    close_lots(run, reach, side, price, paid * held / held)


@apart
def join(run: Run, lines: F64_1D, reach: F64_2D, last: int, side: float) -> None:
    """Add an entry at the open after a close to the position of its side, if the account can."""
    steps, line = decide_at(run, lines, last, side), last + 1
    if not _is_placed(run, steps, side):
        return
    count_placed(run)
    price, opening = price_of(lines, line, side), min(steps, run[ROOM_STEPS] - abs(run[STEPS]))
    _reach_as_decided(run, lines, line)
    if is_drawn_at(run, lines, line, side):
        return  # It ends there, as the walk of that bar will find.
    if opening <= 0 or is_too_small(run, steps) or is_refused(run, side, opening, price, True):
        return
    if run[CALLS_MARGIN] == 0:
        find_lowest(run, reach, side, line, math.inf)
        judge_cover(run, side, min(run[LOWEST], side * lines[line * LINE + O_OPEN]), 0.0)
    _stand_at(run, lines, reach, line, side)
    qty = qty_of(run, opening)
    paid = fee_of_qty(run, qty, price) * opening / opening
    open_lot(run, side, opening, qty, price, paid, True)
    find_nearest(run)


@apart
def relieve(run: Run, lines: F64_1D, reach: F64_2D, last: int, held: float, side: float) -> None:
    """Close at the open after `last` what is held and let an entry fill for itself there."""
    steps = decide_at(run, lines, last, side)
    # A position that is about to be closed still fills the pyramid for what is queued behind it.
    has_rungs = held != side or run[LOTS] < run[ROOM]
    is_issued = _place_to_relieve(run, steps, side)
    close_at(run, lines, reach, last + 1, held)
    if run[IS_LIMITED] != 0 and run[HALTED_UNTIL] > last + 1:
        return
    price = price_of(lines, last + 1, side)
    opening = _opening(run, steps, side, price)
    if not is_issued or opening <= 0:
        return
    qty = qty_of(run, opening)
    begin(run, side, opening, qty, price, fee_of_qty(run, qty, price) * opening / opening)
    if not has_rungs:
        set_waits(run, side)
        for place in range(int(run[RUNGS])):
            drop_rung(run, place)
        find_nearest(run)


@apart
def enter_in_vain(run: Run, lines: F64_1D, bar: int, side: float) -> None:
    """Count an entry that a flat account places on a side that the plan forbids."""
    if _can_be_issued(run, decide_at(run, lines, bar, side), side):
        count_placed(run)


@apart
def relieve_in_vain(run: Run, lines: F64_1D, last: int, side: float) -> None:
    """Count such an entry beside the close of what is held."""
    _place_to_relieve(run, decide_at(run, lines, last, side), side)


@rule
def _place_to_relieve(run: Run, steps: float, side: float) -> bool:
    """Place an entry beside the close of what is held; return whether it may open.

    One that is too small is placed too.
    """
    if not _is_placed(run, steps, side):
        return False
    count_placed(run)
    return not is_too_small(run, steps)


@rule
def reverse(
    run: Run, lines: F64_1D, reach: F64_2D, last: int, side: float, is_allowed: bool
) -> bool:
    """Close and enter on `side` in one fill at the open after `last`; return whether that was done.

    An entry on a side that is not allowed only closes.
    """
    line, held = last + 1, abs(run[STEPS])
    close, equity, slip = run[CLOSE_THEN], run[EQUITY_THEN], run[SLIP_THEN]
    budget, share = run[BUDGET_RATIO], run[MONEY_SHARE]
    steps = decide_at(run, lines, last, side)
    opening, is_placed = 0.0, steps > 0 or run[RUNGS] == 0
    price = price_of(lines, line, side)
    if is_placed:
        count_placed(run)
        _reach_as_decided(run, lines, line)
        is_placed = not is_drawn_at(run, lines, line, -side)  # else it ends as in `join`
        if is_allowed and _can_be_issued(run, steps, side):
            opening = min(steps, run[ROOM_STEPS])
        if is_too_large(run, side, opening, price):
            opening = 0.0
    if not is_placed or (opening > 0 and is_refused(run, side, opening, price, run[LAG] == 0)):
        run[CLOSE_THEN], run[EQUITY_THEN], run[SLIP_THEN] = close, equity, slip
        run[BUDGET_RATIO], run[MONEY_SHARE] = budget, share
        return False
    _stand_at(run, lines, reach, line, -side)
    total = held + opening
    paid = fee_of_qty(run, qty_of(run, total), price)
    close_lots(run, reach, -side, price, paid * held / total)
    if opening > 0:
        begin(run, side, opening, qty_of(run, opening), price, paid * opening / total)
    return True
