"""Margin calls of a campaign: what one sells, and what of the position is left.

Theory. Margin is judged at the points of a bar's way: at its open, there again once what settles
inside the bar is paid, at both extremes and at the close (`forced`). A point at or below the guard
of the position (`campaigns.margin`) asks the machine how much is sold, and that is taken off the
oldest lots, whose legs close what is left of them. The average price is that of what is left, but
levels that count from it stay until something opens; of several lots' own those that are left
count. A rung that has filled and been sold would wait again, which is left to the machine; so is a
call under a close rule by which the oldest lots are not the first to go.
"""

from engines.kernels._compiled import apart, rule
from engines.kernels.campaigns.columns import (
    ALONE_FROM,
    COST,
    FRESH,
    GUARD,
    HELD,
    IS_LIMITED,
    IS_UNSURE,
    L_FEE,
    L_FUNDING,
    L_LEG,
    L_PRICE,
    L_STEPS,
    L_UNIT,
    LOT_SIZE,
    LOTS_FROM,
    LOWEST,
    OVER,
    UNIT,
    WORST,
)
from engines.kernels.campaigns.fills import fee_of_qty, find_nearest, set_levels
from engines.kernels.campaigns.guards import set_guard
from engines.kernels.campaigns.legs import close_part, mark_alone
from engines.kernels.campaigns.limits import end_trading, is_drawn, judge_loss
from engines.kernels.campaigns.tally import close_lots, look_back
from engines.kernels.columns import F64_2D, Run
from engines.kernels.money import due_price, margin_call_steps, slipped_price
from engines.kernels.rounding import qty_of
from engines.kernels.slots import (
    BAR,
    BASIS,
    CALLS_MARGIN,
    FEES_OPEN,
    FIFO,
    FROM_ENTRY,
    FUNDING_OPEN,
    LAST_FILL_BAR,
    LOT_ORDER,
    LOTS,
    POINT_VALUE,
    PRICE_AVG,
    REFILLS,
    STEPS,
)


@rule
def judge(run: Run, reach: F64_2D, side: float, price: float) -> None:
    """Do what margin and limits ask for at a signed price, if they may."""
    if price <= run[GUARD]:
        _step_in(run, reach, side, price)


@apart
def _step_in(run: Run, reach: F64_2D, side: float, price: float) -> None:
    """Do what margin and limits ask for at a signed price."""
    if run[IS_LIMITED] != 0 and is_drawn(run, price):
        end_trading(run, reach, side, price)
        return
    if run[CALLS_MARGIN] != 0:
        _call(run, reach, side, side * price)
    if run[IS_LIMITED] != 0:
        judge_loss(run, reach, side, price)


@apart
def _call(run: Run, reach: F64_2D, side: float, price: float) -> None:
    """Sell what a margin call asks for at a price."""
    steps, held = margin_call_steps(run, price), abs(run[STEPS])
    if steps == 0:
        return
    if run[LOT_ORDER] != FIFO:
        run[IS_UNSURE] = 1.0
    run[LOWEST], run[LAST_FILL_BAR] = min(run[LOWEST], run[WORST]), run[OVER]
    price = slipped_price(run, due_price(run, price), -side, 0.0)
    paid = fee_of_qty(run, qty_of(run, steps), price) * steps / steps
    if steps == held:
        close_lots(run, reach, side, price, paid)
        return
    look_back(run, reach, side)
    gone = _sell(run, reach, side, price, steps, paid)
    run[STEPS] -= side * steps
    _drop_lots(run, gone)
    _add_up(run, side)
    if gone > 0 and run[REFILLS] != 0:
        run[IS_UNSURE] = 1.0
    if gone > 0 and run[BASIS] == FROM_ENTRY:
        set_levels(run, side)
        find_nearest(run)
    set_guard(run, side)


@rule
def _sell(run: Run, reach: F64_2D, side: float, price: float, steps: float, paid: float) -> int:
    """Sell steps of the oldest lots, which is paid for by quantity; return how many are gone."""
    left, place = steps, 0
    while left > 0:
        lot = LOTS_FROM + place * LOT_SIZE
        part = min(left, run[lot + L_STEPS])
        if place == 0 and part < run[lot + L_STEPS]:
            mark_alone(run, reach, side)
        run[FUNDING_OPEN] -= run[lot + L_FUNDING] * part / run[lot + L_STEPS]
        close_part(run, reach, lot, side, price, part, paid * part / steps)
        run[lot + L_LEG] = run[lot + L_STEPS]
        run[lot + L_UNIT] = qty_of(run, run[lot + L_STEPS]) * run[POINT_VALUE]
        left -= part
        place += 1
    last = LOTS_FROM + (place - 1) * LOT_SIZE
    return place if run[last + L_STEPS] == 0 else place - 1


@rule
def _drop_lots(run: Run, gone: int) -> None:
    """Let the oldest lots be gone; the oldest of the others is alone from now on, if it is."""
    run[LOTS] -= gone
    run[FRESH], run[ALONE_FROM] = max(0.0, run[FRESH] - gone), run[BAR]
    for place in range(int(run[LOTS]) * LOT_SIZE):
        run[LOTS_FROM + place] = run[LOTS_FROM + gone * LOT_SIZE + place]


@rule
def _add_up(run: Run, side: float) -> None:
    """Add up what the lots that are left have cost and paid."""
    fees = funding = cost = 0.0
    for place in range(int(run[LOTS])):
        lot = LOTS_FROM + place * LOT_SIZE
        fees += run[lot + L_FEE]
        funding += run[lot + L_FUNDING]
        cost += run[lot + L_PRICE] * run[lot + L_STEPS]
    run[FEES_OPEN], run[COST] = fees, cost
    if run[FUNDING_OPEN] != 0:
        run[FUNDING_OPEN] = funding
    is_one = run[LOTS] == 1
    run[PRICE_AVG] = run[LOTS_FROM + L_PRICE] if is_one else cost / abs(run[STEPS])
    run[HELD] = qty_of(run, run[STEPS])
    run[UNIT] = run[HELD] * run[POINT_VALUE]
