"""Sharpe and Sortino, in TradingView's form and annualised.

Theory. TradingView takes calendar months in the exchange's time zone and closed equity: a trade's
result belongs to the month of its exit, every month from the first to the last counts, empty ones
and the partial last one too, and nothing is annualised. The annualised form takes the equity at
the end of every UTC day and scales by the square root of 365, the days on which crypto trades.
Both take a risk-free rate of 2 % a year.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from engines.klines import DAY_MS
from engines.trades import Trade
from engines.types import F64_1D, I64_1D

RISK_FREE_ANNUAL = 0.02
MONTHS_PER_YEAR = 12
DAYS_PER_YEAR = 365


def monthly_returns(
    trades: Sequence[Trade], capital_quote: float, first_ms: int, last_ms: int, time_zone: str
) -> F64_1D:
    """Return the return of closed equity in each calendar month from `first_ms` to `last_ms`.

    r[m] = result of the trades that exit in month m / closed equity at the end of month m - 1.
    """
    zone = ZoneInfo(time_zone)
    first, last = _month(first_ms, zone), _month(last_ms, zone)
    results = np.zeros(last - first + 1)
    for trade in trades:
        results[_month(trade.exit_time_ms, zone) - first] += trade.pnl_quote
    return _returns(np.cumsum(results) + capital_quote, capital_quote)


def daily_returns(equity_quote: F64_1D, open_time_ms: I64_1D, capital_quote: float) -> F64_1D:
    """Return the return of equity in each UTC day that has a bar; the first is over capital."""
    day = open_time_ms // DAY_MS
    ends = np.flatnonzero(np.append(day[1:] != day[:-1], True))
    return _returns(equity_quote[ends], capital_quote)


def sharpe(returns: F64_1D, risk_free: float = RISK_FREE_ANNUAL / MONTHS_PER_YEAR) -> float:
    """Return (mean(r) - risk_free) / population standard deviation of r.

    NaN for fewer than two returns or returns that are all alike.
    Source: TradingView's Sharpe ratio, from its own exports.
    """
    spread = float(np.std(returns)) if len(returns) > 1 else 0.0
    return _over(float(np.mean(returns)) - risk_free if len(returns) else math.nan, spread)


def sortino(returns: F64_1D, risk_free: float = RISK_FREE_ANNUAL / MONTHS_PER_YEAR) -> float:
    """Return (mean(r) - risk_free) / sqrt(sum(min(r - risk_free, 0)^2) / N).

    NaN for fewer than two returns or none below the risk-free rate.
    Source: TradingView's Sortino ratio, from its own exports.
    """
    if len(returns) < 2:
        return math.nan
    below = np.minimum(returns - risk_free, 0.0)
    return _over(float(np.mean(returns)) - risk_free, math.sqrt(float(np.mean(below * below))))


def annualised(ratio: float) -> float:
    """Return a ratio of daily returns scaled to a year of 365 days."""
    return ratio * math.sqrt(DAYS_PER_YEAR)


def _month(time_ms: int, zone: ZoneInfo) -> int:
    local = datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(zone)
    return local.year * MONTHS_PER_YEAR + local.month


def _returns(equity_quote: F64_1D, capital_quote: float) -> F64_1D:
    """Return the returns between marks of equity; NaN from a mark that is not above zero."""
    before = np.append(capital_quote, equity_quote[:-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        returns: F64_1D = np.where(before > 0, equity_quote / before - 1.0, np.nan)
    return returns


def _over(numerator: float, denominator: float) -> float:
    # Returns that differ by float noise only have no spread.
    return numerator / denominator if denominator > 1e-15 else math.nan
