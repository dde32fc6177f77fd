"""The summary of a run: the figures a person looks at first.

Theory. Two equities are in use and each figure says which. *Closed* equity is capital plus the
results of closed trades, one step a trade: TradingView's "close-to-close". *Equity* is marked at
every bar's close and holds the open result too. What is undefined is NaN: a profit factor without
a loss, a ratio without spread, a yearly growth of an account that is gone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engines.backtest import Backtest
from engines.klines import DAY_MS
from engines.metrics.ratios import (
    DAYS_PER_YEAR,
    RISK_FREE_ANNUAL,
    annualised,
    daily_returns,
    monthly_returns,
    sharpe,
    sortino,
)
from engines.metrics.trade_figures import TradeFigures, trade_figures
from engines.trades import Trade
from engines.types import F64_1D


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of one run; money in account currency, ratios 0-1, NaN where undefined.

    - `return_ratio` = net profit of closed trades / capital.
    - `cagr_ratio` = (1 + return_ratio) ^ (365 / days) - 1, days from the first traded bar's open
      to the last bar's close (TradingView's form).
    - `drawdown_closed_quote_max` = largest fall of closed equity from its running maximum, and
      `drawdown_closed_ratio_max` the same over capital (TradingView's close-to-close).
    - `drawdown_quote_max`, `drawdown_ratio_max`: of equity at bar closes from its running maximum,
      the ratio over that maximum.
    - `sharpe`, `sortino`: TradingView's, monthly returns of closed equity, not annualised;
      `sharpe_annual`, `sortino_annual`: of daily equity, times sqrt(365).
    - `calmar` = cagr_ratio / drawdown_ratio_max; `recovery_factor` = net profit /
      drawdown_closed_quote_max.
    - `exposure_ratio` = bars with a position / bars traded; an entry's and an exit's bar count.
    - `buy_and_hold_quote` = capital x (last close / first traded open - 1), without costs.
    - `pnl_open_quote`: result of positions still open at the last bar, as if closed there.
    """

    days: float
    bars: int
    capital_quote: float
    equity_end_quote: float
    pnl_open_quote: float
    figures: TradeFigures
    return_ratio: float
    cagr_ratio: float
    drawdown_closed_quote_max: float
    drawdown_closed_ratio_max: float
    drawdown_quote_max: float
    drawdown_ratio_max: float
    sharpe: float
    sortino: float
    sharpe_annual: float
    sortino_annual: float
    calmar: float
    recovery_factor: float
    exposure_ratio: float
    buy_and_hold_quote: float
    buy_and_hold_ratio: float


def summarize(result: Backtest) -> Summary:
    """Return the summary of a run, over the bars from its first traded one on."""
    klines, capital = result.klines, result.plan.capital_quote
    traded = slice(min(result.start_bar, len(klines) - 1), None)
    times, equity = klines.open_time_ms[traded], result.equity_quote[traded]
    closed = [trade for trade in result.trades if not trade.is_open]
    figures = trade_figures(closed)
    first_ms, last_ms = int(times[0]), int(times[-1])
    days = (last_ms + klines.interval_ms - first_ms) / DAY_MS
    monthly = monthly_returns(closed, capital, first_ms, last_ms, result.instrument.time_zone)
    daily = daily_returns(equity, times, capital)
    risk_free_daily = RISK_FREE_ANNUAL / DAYS_PER_YEAR
    cagr = cagr_ratio(figures.net_profit_quote / capital, days)
    drawdown = drawdown_quote(equity, capital)
    peak = drawdown + equity
    closed_fall = closed_drawdown_quote_max(closed, capital)
    held = float(klines.close[-1] / klines.open[traded][0] - 1.0)
    return Summary(
        days=days,
        bars=len(times),
        capital_quote=capital,
        equity_end_quote=float(equity[-1]),
        pnl_open_quote=math.fsum(trade.pnl_quote for trade in result.trades if trade.is_open),
        figures=figures,
        return_ratio=figures.net_profit_quote / capital,
        cagr_ratio=cagr,
        drawdown_closed_quote_max=closed_fall,
        drawdown_closed_ratio_max=closed_fall / capital,
        drawdown_quote_max=float(drawdown.max()),
        drawdown_ratio_max=float((drawdown / peak).max()),
        sharpe=sharpe(monthly),
        sortino=sortino(monthly),
        sharpe_annual=annualised(sharpe(daily, risk_free_daily)),
        sortino_annual=annualised(sortino(daily, risk_free_daily)),
        calmar=_over(cagr, float((drawdown / peak).max())),
        recovery_factor=_over(figures.net_profit_quote, closed_fall),
        exposure_ratio=exposure_ratio(result.trades, len(klines), traded.start),
        buy_and_hold_quote=capital * held,
        buy_and_hold_ratio=held,
    )


def cagr_ratio(return_ratio: float, days: float) -> float:
    """Return the yearly growth that makes `return_ratio` in `days`, NaN if all is lost."""
    if return_ratio <= -1.0 or days <= 0:
        return math.nan
    try:
        return float((1.0 + return_ratio) ** (DAYS_PER_YEAR / days) - 1.0)
    except OverflowError:
        return math.nan


def drawdown_quote(equity_quote: F64_1D, capital_quote: float) -> F64_1D:
    """Return the fall of equity from its running maximum, capital included, >= 0 [T]."""
    peak = np.maximum(np.maximum.accumulate(equity_quote), capital_quote)
    fall: F64_1D = peak - equity_quote
    return fall


def closed_drawdown_quote_max(closed: Sequence[Trade], capital_quote: float) -> float:
    """Return the largest fall of closed equity from its running maximum, trade by trade."""
    if not closed:
        return 0.0
    marks = capital_quote + np.cumsum([trade.pnl_quote for trade in closed])
    return float(drawdown_quote(marks, capital_quote).max())


def exposure_ratio(trades: Sequence[Trade], bars: int, start_bar: int) -> float:
    """Return the share of the bars from `start_bar` on in which a position was open."""
    changes = np.zeros(bars + 1, dtype=np.int64)
    for trade in trades:
        changes[trade.entry_bar] += 1
        changes[trade.exit_bar + 1] -= 1
    held = np.cumsum(changes)[start_bar:bars] > 0
    return float(held.mean())


def _over(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else math.nan
