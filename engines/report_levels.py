"""The stop and the target of each trade, as far as a result knows them.

Theory. A trade that ended at its stop or its target says where that was: at its exit price. The
level it did not reach follows from the plan where the plan gives it as a ratio of the entry price.
What came from a strategy's own orders and was not reached is unknown: NaN, and the chart draws
nothing.
"""

import math
from collections.abc import Sequence

import numpy as np

from engines.plan import Plan
from engines.plan.exits import Basis
from engines.trades import ExitReason, Trade
from engines.types import F64_1D

STOPS = frozenset(
    {
        ExitReason.STOP_LOSS,
        ExitReason.ATR_SL,
        ExitReason.TRAILING_STOP,
        ExitReason.BREAKEVEN_SL,
        ExitReason.LIQUIDATION,
    }
)
TARGETS = frozenset({ExitReason.TAKE_PROFIT, ExitReason.ATR_TP})


def trade_levels(trades: Sequence[Trade], plan: Plan) -> tuple[F64_1D, F64_1D]:
    """Return the stop and the target price of each trade, [K] and [K], NaN where unknown."""
    is_planned = plan.exits.basis is Basis.ENTRY
    loss = plan.exits.stop_loss_ratio if is_planned else None
    profit = plan.exits.take_profit_ratio if is_planned else None
    stops = [_level(trade, STOPS, loss, -1) for trade in trades]
    targets = [_level(trade, TARGETS, profit, 1) for trade in trades]
    return np.array(stops, dtype=np.float64), np.array(targets, dtype=np.float64)


def _level(trade: Trade, reasons: frozenset[ExitReason], ratio: float | None, sign: int) -> float:
    if trade.exit_reason in reasons and not trade.is_open:
        return trade.exit_price
    if ratio is None:
        return math.nan
    return trade.entry_price * (1.0 + sign * int(trade.side) * ratio)
