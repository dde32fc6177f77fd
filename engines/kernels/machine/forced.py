"""Closes that no order asked for: margin calls, caps of the day, liquidation, largest drawdown.

Theory. The rules of `execution`, `caps` and `forced` for what the broker does by itself. All but
the margin call cancel whatever waits; a day's cap lets nothing in until the next trading day, the
largest drawdown nothing at all any more. Margin and loss are judged at the points of the path,
liquidation and drawdown where their level lies (`guards`).
"""

import math

from engines.kernels._compiled import rule
from engines.kernels.columns import Run
from engines.kernels.machine.fills import call_margin, clear_book, force_close
from engines.kernels.machine.guards import refresh_guards
from engines.kernels.machine.liquidation import bankruptcy_price
from engines.kernels.money import equity_at, settled
from engines.kernels.rounding import round_by
from engines.kernels.slots import (
    DAY_FILLS,
    EQUITY_MIN,
    FILLS_CAP,
    FILLS_MAX,
    FLOOR,
    FORCED_DOWN,
    FORCED_UP,
    GUARD_DOWN,
    GUARD_UP,
    IS_HALTED,
    IS_ISOLATED,
    IS_MARKED,
    IS_OVER,
    LIQUIDATION,
    LIQUIDATION_AT,
    LOSS_CAP,
    LOSS_QUOTE_MAX,
    LOSS_RATIO_MAX,
    MAX_DRAWDOWN,
    PRICE,
    RISK_RULE,
    STEPS,
)


@rule
def start_day(run: Run, equity: float) -> None:
    """Begin a trading day of the caps with this equity."""
    run[IS_HALTED], run[DAY_FILLS] = run[IS_OVER], 0
    run[EQUITY_MIN] = -math.inf
    if equity > 0:  # A day without equity has nothing left to protect by percent.
        run[EQUITY_MIN] = equity - min(run[LOSS_RATIO_MAX] * equity, run[LOSS_QUOTE_MAX])
    refresh_guards(run)


@rule
def follow_fill(run: Run, price: float) -> None:
    """Do what a fill at `price` (NaN: an order that was dropped) may make necessary."""
    if price == price:
        run[DAY_FILLS] += 1
        if run[DAY_FILLS] >= run[FILLS_MAX]:
            run[IS_HALTED] = 1.0
            _stop_day(run, price, FILLS_CAP, False)
    _check_flat_loss(run)
    refresh_guards(run)


@rule
def _stop_day(run: Run, price: float, name: float, slips: bool) -> None:
    """Cancel everything and close the position."""
    clear_book(run)
    force_close(run, price, slips, RISK_RULE, name)


@rule
def _is_loss_reached(run: Run, equity: float) -> bool:
    """Return whether the day's loss is reached, and halt the day if it is."""
    if run[IS_HALTED] != 0 or equity > run[EQUITY_MIN]:
        return False
    run[IS_HALTED] = 1.0
    return True


@rule
def _check_flat_loss(run: Run) -> None:
    """Stop the day, or trading, when what was realised reaches a limit and nothing is held."""
    if run[STEPS] != 0:
        return
    if _is_loss_reached(run, settled(run)):
        clear_book(run)
    if settled(run) <= run[FLOOR]:
        _end_trading(run)


@rule
def _end_trading(run: Run) -> None:
    """Cancel everything, close the position and enter nothing any more."""
    clear_book(run)
    run[IS_HALTED] = run[IS_OVER] = 1.0
    force_close(run, _worse_tick(run), True, MAX_DRAWDOWN, MAX_DRAWDOWN)
    refresh_guards(run)


@rule
def _worse_tick(run: Run) -> float:
    """Return the tick at the price, or the next one against the position."""
    return round_by(run, run[PRICE], -run[STEPS])


@rule
def _liquidate(run: Run) -> None:
    """Let the venue take the position over; whatever waits is cancelled."""
    clear_book(run)
    is_isolated = run[IS_ISOLATED] != 0
    price = bankruptcy_price(run) if is_isolated else _worse_tick(run)
    force_close(run, price, not is_isolated, LIQUIDATION, LIQUIDATION)
    _check_flat_loss(run)
    refresh_guards(run)


@rule
def _is_liquidated(run: Run, price: float) -> bool:
    return run[STEPS] != 0 and (price - run[LIQUIDATION_AT]) * run[STEPS] <= 0  # False where NaN


@rule
def judge_mark(run: Run, mark_price: float) -> None:
    """Liquidate if the mark price is at the liquidation price or beyond."""
    if run[IS_MARKED] != 0 and _is_liquidated(run, mark_price):
        _liquidate(run)


@rule
def force(run: Run) -> None:
    """Liquidate, or end trading for its drawdown, if the price is at such a level."""
    price = run[PRICE]
    if run[FORCED_DOWN] < price < run[FORCED_UP]:
        return
    if run[IS_MARKED] == 0 and _is_liquidated(run, price):
        _liquidate(run)
    else:
        _end_trading(run)


@rule
def check_limits(run: Run) -> None:
    """Call margin, stop the day and force closes if the price is at a guard or beyond."""
    price = run[PRICE]
    if run[GUARD_DOWN] < price < run[GUARD_UP]:
        return
    force(run)
    call_margin(run)
    if _is_loss_reached(run, equity_at(run, price)):
        _stop_day(run, price, LOSS_CAP, True)
    refresh_guards(run)
