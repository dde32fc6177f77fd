"""Equity at every close, from trades and funding payments.

equity[t] = capital + results of trades closed by t + open quantity valued at close[t] - their cost
- the entry commission of what is open - the funding paid for it. Quantity, cost and commission of
the open part are step functions of time: a trade adds them at its entry bar and takes them away at
its exit bar. A payment counts from its bar on; the result of a closed trade holds its share, which
is not counted twice.
"""

from collections.abc import Sequence

import numpy as np

from engines.klines import Klines
from engines.trades import FundingPayment, Trade
from engines.types import F64_1D


def equity_curve(
    trades: Sequence[Trade],
    klines: Klines,
    capital_quote: float,
    point_value: float,
    rates: F64_1D | None = None,
    payments: Sequence[FundingPayment] = (),
) -> F64_1D:
    """Return equity in account currency at each close [T]; `trades` include the open ones."""
    bars = len(klines)
    realised, signed_qty = np.zeros(bars + 1), np.zeros(bars + 1)
    cost, fees = np.zeros(bars + 1), np.zeros(bars + 1)
    for trade in trades:
        last = bars if trade.is_open else trade.exit_bar
        qty = trade.side * trade.qty
        for column, amount in (
            (signed_qty, qty),
            (cost, qty * trade.entry_price),
            (fees, trade.fee_entry_quote),
        ):
            column[trade.entry_bar] += amount
            column[last] -= amount
        if not trade.is_open:
            realised[last] += trade.pnl_quote + trade.funding_quote
    for payment in payments:
        realised[payment.bar_index] -= payment.paid_quote
    held = np.cumsum(signed_qty)[:bars] * klines.close - np.cumsum(cost)[:bars]
    held *= point_value * (1.0 if rates is None else rates)
    return capital_quote + np.cumsum(realised)[:bars] + held - np.cumsum(fees)[:bars]
