"""What a close decides: `signal_orders` and the desk's entry, for one market entry at a time."""

import math

from engines.kernels._compiled import rule
from engines.kernels.columns import Run
from engines.kernels.money import (
    equity_at,
    expected_slip,
    fee,
    lacks_funds,
    pnl_open,
    share_of_equity,
    steps_for,
)
from engines.kernels.rounding import qty_of, steps_down
from engines.kernels.slots import (
    AT_A_LOSS,
    BARS_HELD_MAX,
    BELOW_MINIMUM,
    BY_RISK,
    BY_VOLATILITY,
    CANNOT_PAY,
    CLOSE_REASON,
    CLOSES_ONLY,
    COOLDOWN_BARS,
    DELAY_BARS,
    ENTERS_LONG,
    ENTERS_SHORT,
    ENTRY_BAR,
    FUNDING_OPEN,
    LACKS_ATR,
    LAST_END_BAR,
    LAST_ROUND,
    LEAVES_LONG,
    LEAVES_SHORT,
    LOT_FEE,
    NEEDS_REFERENCE,
    NO_REASON,
    NO_SIZE,
    NOTIONAL_MIN,
    ONLY_IN_PROFIT,
    ORDER_ATR,
    ORDER_CLOSE,
    ORDER_PROFIT,
    ORDER_SIDE,
    ORDER_STEPS,
    ORDER_STOP,
    POINT_VALUE,
    PROFIT_ATR,
    QTY_MIN,
    SESSION_CLOSE,
    SESSION_ENDS,
    SIGNAL,
    SIZING_KIND,
    STEPS,
    STOP_ATR,
    STOP_RATIO,
    TIME_EXIT,
    TOO_SMALL,
    WEEKEND_BEGINS,
    WEEKEND_CLOSE,
    WISH_ATR,
    WISH_ATR_RATIO,
    WISH_PROFIT,
    WISH_SHARE,
    WISH_SIZE,
    WISH_SLIP,
    WISH_STOP,
    WITHIN_COOLDOWN,
    WITHIN_DELAY,
)

STEPS_MAX = 2.0**50  # whole numbers are exact in float64 well beyond


@rule
def is_event(run: Run, wishes: int) -> bool:
    """Return whether one of these wishes can matter to what is held."""
    if run[STEPS] == 0:
        return wishes & (ENTERS_LONG | ENTERS_SHORT | SESSION_ENDS | WEEKEND_BEGINS) != 0
    if run[STEPS] > 0:
        return wishes & (ENTERS_SHORT | LEAVES_LONG | SESSION_ENDS | WEEKEND_BEGINS) != 0
    return wishes & (ENTERS_LONG | LEAVES_SHORT | SESSION_ENDS | WEEKEND_BEGINS) != 0


@rule
def decide(run: Run, wishes: int, bar: int, close: float) -> None:
    """Issue what is wished for at the close of `bar`; what an entry says is in the run already."""
    if run[STEPS] != 0:
        run[CLOSE_REASON] = _reason_to_close(run, wishes, bar, close)
    if wishes & ENTERS_LONG:
        _enter(run, bar, close, 1.0)
    elif wishes & ENTERS_SHORT:
        _enter(run, bar, close, -1.0)


@rule
def _reason_to_close(run: Run, wishes: int, bar: int, close: float) -> float:
    """Return why the position must be closed, NO_REASON if it need not be."""
    if wishes & SESSION_ENDS:
        return SESSION_CLOSE
    if wishes & WEEKEND_BEGINS:
        return WEEKEND_CLOSE
    if bar >= run[ENTRY_BAR] + run[BARS_HELD_MAX] - 1:
        return TIME_EXIT
    leaves = LEAVES_LONG if run[STEPS] > 0 else LEAVES_SHORT
    if wishes & leaves and _may_close(run, close):
        return SIGNAL
    return NO_REASON


@rule
def _may_close(run: Run, close: float) -> bool:
    """Return whether the plan lets a wish close the position at this close."""
    if run[ONLY_IN_PROFIT] == 0:
        return True
    paid = fee(run, abs(run[STEPS]), close)
    return pnl_open(run, close) - run[LOT_FEE] - run[FUNDING_OPEN] - paid > 0


@rule
def _enter(run: Run, bar: int, close: float, side: float) -> None:
    """Turn an entry wish into the order that waits for the next open, unless a rule forbids it."""
    expected = 0.0 if run[CLOSE_REASON] != NO_REASON else run[STEPS]
    if expected * side > 0:
        return
    share, size = math.nan, run[WISH_SIZE]
    if size != size:  # NaN
        share = _share(run, close)
    if expected != 0 and not _may_close(run, close):
        run[AT_A_LOSS] += 1
    elif _lacks_atr(run):
        run[LACKS_ATR] += 1
    elif share <= 0:
        run[NO_SIZE] += 1
    elif _passes_gates(run, bar):
        price = close + expected_slip(run, side, close, run[WISH_SLIP])
        equity = equity_at(run, close)
        steps = steps_down(run, size) if size == size else steps_for(run, equity, share, price)
        _place(run, side, steps, expected, price, close, equity)


@rule
def _place(
    run: Run, side: float, steps: float, expected: float, price: float, close: float,
    equity: float,
) -> None:  # fmt: skip # one list
    """Let a market entry of `steps` wait for the next open, if it can be paid and is large enough.

    What cannot be paid or is too small still closes an opposite position.
    """
    if steps > STEPS_MAX:
        run[NEEDS_REFERENCE] = 1.0
    run[CLOSES_ONLY] = 0.0
    if lacks_funds(run, steps, side, price, equity):
        run[CANNOT_PAY] += 1
        run[CLOSES_ONLY] = 1.0
        if expected == 0:
            return
    if not _is_large_enough(run, steps, close):
        if run[STEPS] == 0:
            return
        steps = 0.0
    run[ORDER_SIDE], run[ORDER_STEPS], run[ORDER_CLOSE] = side, steps, close
    run[ORDER_STOP], run[ORDER_PROFIT] = run[WISH_STOP], run[WISH_PROFIT]
    run[ORDER_ATR] = run[WISH_ATR]


@rule
def _share(run: Run, close: float) -> float:
    """Return the share of equity to spend, NaN: the plan's own size; 0 where it is not known."""
    share = run[WISH_SHARE]
    if share == share or run[SIZING_KIND] not in (BY_RISK, BY_VOLATILITY):
        return share
    share = share_of_equity(run, _stop_ratio(run, close), run[WISH_ATR_RATIO])
    return share if share == share else 0.0


@rule
def _lacks_atr(run: Run) -> bool:
    """Return whether a level that the plan must set by the ATR cannot be known yet."""
    if run[WISH_ATR] == run[WISH_ATR]:
        return False
    needs_stop = run[STOP_ATR] == run[STOP_ATR] and run[WISH_STOP] != run[WISH_STOP]
    needs_profit = run[PROFIT_ATR] == run[PROFIT_ATR] and run[WISH_PROFIT] != run[WISH_PROFIT]
    return needs_stop or needs_profit


@rule
def _passes_gates(run: Run, bar: int) -> bool:
    """Return whether re-entry allows an entry at this close; count it if not."""
    bars = bar - run[LAST_END_BAR]
    if bars < run[DELAY_BARS]:
        run[WITHIN_DELAY] += 1
        return False
    if bars < run[COOLDOWN_BARS]:
        if run[LAST_ROUND] != run[LAST_ROUND]:
            run[NEEDS_REFERENCE] = 1.0
        if run[LAST_ROUND] < 0:
            run[WITHIN_COOLDOWN] += 1
            return False
    return True


@rule
def _stop_ratio(run: Run, close: float) -> float:
    """Return the distance of the stop over the close, NaN without a stop."""
    stop = run[WISH_STOP]
    if stop == stop:
        return abs(close - stop) / close
    fixed, by_atr = run[STOP_RATIO], run[STOP_ATR] * run[WISH_ATR] / close
    if by_atr != by_atr:
        return fixed
    return by_atr if fixed != fixed else min(fixed, by_atr)


@rule
def _is_large_enough(run: Run, steps: float, close: float) -> bool:
    """Return whether an order reaches one step and the instrument's minima; count it if not."""
    qty = qty_of(run, steps)
    if steps == 0:
        run[TOO_SMALL] += 1
    elif qty < run[QTY_MIN] or qty * close * run[POINT_VALUE] < run[NOTIONAL_MIN]:
        run[BELOW_MINIMUM] += 1
    else:
        return True
    return False
