"""Equity, sizes and funds: `account`, `costs` and `slippage` as scalar rules.

Theory. The order of the float operations is the reference's; without currency rates a factor of one
is left out, which changes no bit. See `engines/account.py` for what each rule means.
"""

import math

from engines.account import FUNDS_NOISE, MARGIN_CALL_MULTIPLE
from engines.kernels._compiled import inlined, rule
from engines.kernels.columns import Run
from engines.kernels.rounding import (
    price_of,
    qty_of,
    steps_down,
    steps_truncated,
    ten_digits,
    ticks_down,
    ticks_nearest,
    ticks_up,
)
from engines.kernels.slots import (
    BY_CASH,
    BY_QTY,
    BY_RISK,
    CALLS_MARGIN,
    CAPITAL,
    COMMISSION,
    COMMISSION_KIND,
    FEES_OPEN,
    FUNDING_OPEN,
    LEVERAGE,
    LIQUIDATION,
    LIQUIDATION_FEE,
    MARGIN_LONG,
    MARGIN_SHORT,
    NET,
    PEER_PRICE,
    PEER_SETTLED,
    PEER_STEPS,
    PER_CONTRACT,
    PER_NOTIONAL,
    PER_ORDER,
    POINT_VALUE,
    PRICE_AVG,
    SHARE_MAX,
    SHARE_MIN,
    SIZING_KIND,
    SIZING_VALUE,
    SLIP_IMPACT,
    SLIP_NOW,
    SLIP_TICKS,
    SLIPS_BY_RATIO,
    STEPS,
    TICK_SIZE,
    VOLUME_NOW,
)


@rule
def notional(run: Run, steps: float, price: float) -> float:
    """Return the value of `steps` at `price` in quote."""
    return qty_of(run, steps) * price * run[POINT_VALUE]


@rule
def fee(run: Run, steps: float, price: float) -> float:
    """Return the commission of a fill."""
    if run[COMMISSION_KIND] == PER_NOTIONAL:
        return notional(run, steps, price) * run[COMMISSION]
    if run[COMMISSION_KIND] == PER_CONTRACT:
        return qty_of(run, steps) * run[COMMISSION]
    return run[COMMISSION]


@rule
def fee_of(run: Run, steps: float, price: float, reason: float) -> float:
    """Return the commission of a fill, or the fee of a liquidation that has its own."""
    if reason == LIQUIDATION and run[LIQUIDATION_FEE] == run[LIQUIDATION_FEE]:
        return notional(run, steps, price) * run[LIQUIDATION_FEE]
    return fee(run, steps, price)


@rule
def pnl_open(run: Run, price: float) -> float:
    """Return the gross result of the open lots at `price`."""
    return (price - run[PRICE_AVG]) * qty_of(run, run[STEPS]) * run[POINT_VALUE]


@rule
def settled_of_side(run: Run) -> float:
    """Return the net result of what was closed less what open lots have paid so far."""
    return run[NET] - run[FEES_OPEN] - run[FUNDING_OPEN]


@rule
def earned(run: Run) -> float:
    """Return the same of the account: with what the other side has earned."""
    return settled_of_side(run) + run[PEER_SETTLED]


@rule
def settled(run: Run) -> float:
    """Return the capital and all that was earned and paid, the open lots' result left out."""
    return run[CAPITAL] + earned(run)


@rule
def equity_at(run: Run, price: float) -> float:
    """Return the equity with what is open valued at `price`."""
    equity = settled(run)
    if run[STEPS] != 0:
        equity += pnl_open(run, price)
    if run[PEER_STEPS] != 0:
        unit = qty_of(run, run[PEER_STEPS])
        equity += (price - run[PEER_PRICE]) * unit * run[POINT_VALUE]
    return equity


@rule
def margin_ratio(run: Run, side: float) -> float:
    """Return the share of a position's notional that equity must cover."""
    return run[MARGIN_LONG] if side > 0 else run[MARGIN_SHORT]


@inlined
def lacks_funds(run: Run, steps: float, side: float, price: float, equity: float) -> bool:
    """Return whether equity cannot cover the margin of a position of `steps`, and the peer's."""
    needed = notional(run, steps, price) * margin_ratio(run, side)
    if run[PEER_STEPS] != 0:
        needed += notional(run, abs(run[PEER_STEPS]), price) * margin_ratio(run, -side)
    return needed - equity > FUNDS_NOISE * abs(equity)


@rule
def margin_call_steps(run: Run, price: float) -> float:
    """Return how many steps a margin call sells at `price`, 0 when none is due."""
    held, side = abs(run[STEPS]), run[STEPS]
    ratio = margin_ratio(run, side)
    if held == 0 or ratio == 0 or run[CALLS_MARGIN] == 0:
        return 0.0
    equity = equity_at(run, price)
    if not lacks_funds(run, held, side, price, equity):
        return 0.0
    missing = notional(run, held, price) * ratio - equity
    qty = missing / (price * run[POINT_VALUE] * ratio)
    if qty >= qty_of(run, held):  # which may be beyond all whole numbers that a machine has
        return held
    cover = steps_truncated(run, qty)
    if cover == 0:
        return min(held, max(1.0, steps_down(run, 1.0)))
    return min(held, MARGIN_CALL_MULTIPLE * cover)


# Sizes.


@rule
def share_of_equity(run: Run, stop_ratio: float, volatility_ratio: float) -> float:
    """Return the share that the sizing by risk or volatility spends, NaN if it is not known."""
    over = volatility_ratio
    if run[SIZING_KIND] == BY_RISK:
        over = stop_ratio * run[LEVERAGE]
    if not over > 0:
        return math.nan
    return min(max(run[SIZING_VALUE] / over, run[SHARE_MIN]), run[SHARE_MAX])


@inlined
def money_for(run: Run, equity: float, share: float) -> float:
    """Return what an entry may spend: a share of equity, NaN: by the plan; NaN: it has a size."""
    if share != share:  # NaN
        if run[SIZING_KIND] == BY_QTY:
            return math.nan
        share = run[SIZING_VALUE]
        if run[SIZING_KIND] == BY_CASH:
            return share
    money = share * equity * run[LEVERAGE]
    if run[COMMISSION_KIND] == PER_ORDER:
        money = max(0.0, money - run[COMMISSION] * run[LEVERAGE])
    return ten_digits(run, money)


@inlined
def steps_for(run: Run, money: float, price: float) -> float:
    """Return the steps that `money` buys at `price`, NaN: the plan's quantity."""
    if money != money:  # NaN
        return steps_down(run, run[SIZING_VALUE])
    unit = price * run[POINT_VALUE]
    if run[SIZING_KIND] != BY_CASH:
        commission = run[COMMISSION] * run[LEVERAGE]
        if run[COMMISSION_KIND] == PER_NOTIONAL:
            unit *= 1 + commission
        elif run[COMMISSION_KIND] == PER_CONTRACT:
            unit += commission
    return steps_truncated(run, money / unit)


# Slippage.


@rule
def expected_slip(run: Run, side: float, price: float, ratio: float) -> float:
    """Return the slippage, against `side` signed, that sizing at a close reckons with.

    A tick is left of the price, as of a fill.
    """
    slip = side * price * ratio
    if run[SLIPS_BY_RATIO] == 0:
        slip = side * run[TICK_SIZE] * run[SLIP_TICKS]
    return max(slip, run[TICK_SIZE] - price)


@rule
def slipped_ticks(run: Run, ticks: float, side: float, steps: float) -> float:
    """Return where a fill on `side` ends that was due at `ticks`."""
    if run[SLIPS_BY_RATIO] == 0:
        return max(1.0, ticks + side * run[SLIP_TICKS])
    ratio = run[SLIP_NOW]
    if run[SLIP_IMPACT] != 0:
        qty, volume = qty_of(run, steps), run[VOLUME_NOW]
        ratio += run[SLIP_IMPACT] * (1.0 if qty >= volume else qty / volume)
    price = price_of(run, ticks) * (1 + side * ratio)
    if side > 0:
        return max(1.0, max(ticks, ticks_up(run, price)))
    return max(1.0, min(ticks, ticks_down(run, price)))


@rule
def due_price(run: Run, price: float) -> float:
    """Return the tick at which a fill at `price` is due."""
    return price_of(run, max(1.0, ticks_nearest(run, price)))


@rule
def slipped_price(run: Run, due: float, side: float, steps: float) -> float:
    """Return the price of a fill of `steps` that slips and is due at the tick `due`."""
    if run[SLIPS_BY_RATIO] == 0 and run[SLIP_TICKS] == 0:
        return due
    return price_of(run, slipped_ticks(run, ticks_nearest(run, due), side, steps))
