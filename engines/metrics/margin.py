"""How much of the account positions tied up.

Theory. Margin at a bar's close is |quantity| x close x the plan's margin ratio / leverage. A
position counts at every close from its entry's bar to the one before its exit's; one that is open
at the end counts there too. The average is over all bars, those without a position included. An
account currency other than the quote's is taken at a rate of one: closes are valued in quote.
Source: TradingView's strategy report; rule found from its exports.
"""

import numpy as np

from engines.metrics.columns import TradeColumns
from engines.plan import Plan
from engines.types import F64_1D


def margin_used_quote(
    qty_long: F64_1D, qty_short: F64_1D, close: F64_1D, plan: Plan, point_value: float
) -> F64_1D:
    """Return the margin of open positions at each close [T]."""
    ratio = qty_long * plan.margin_long_ratio + qty_short * plan.margin_short_ratio
    used: F64_1D = ratio * close * (point_value / plan.leverage)
    return used


def exposure_ratio(trades: TradeColumns, bars: int, start_bar: int) -> float:
    """Return the share of bars from `start_bar` on with a position, exits' bars included."""
    changes = np.bincount(trades.entry_bar, minlength=bars + 1)
    changes = changes - np.bincount(trades.exit_bar + 1, minlength=bars + 1)
    return float((np.cumsum(changes)[start_bar:bars] > 0).mean())
