"""The stop and the target of each trade, as the chart draws them.

Theory. A trade that ended at a stop or a target says where that was: at its exit price, trailed and
slipped as it was. Of the level that it did not reach the trade carries the price it had in the end;
a trade without such an exit has NaN, and the chart draws nothing.
"""

import math
from collections.abc import Sequence

import numpy as np

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


def trade_levels(trades: Sequence[Trade]) -> tuple[F64_1D, F64_1D]:
    """Return the stop and the target price of each trade, [K] and [K], NaN where it had none."""
    stops = [_level(trade, STOPS, trade.stop_price) for trade in trades]
    targets = [_level(trade, TARGETS, trade.target_price) for trade in trades]
    return np.array(stops, dtype=np.float64), np.array(targets, dtype=np.float64)


def _level(trade: Trade, reasons: frozenset[ExitReason], price: float | None) -> float:
    if trade.exit_reason in reasons and not trade.is_open:
        return trade.exit_price
    return math.nan if price is None else price
